"""What is remembered of people: users, grants, sessions, API tokens, sign-in attempts, public parts of signing keys.

Secrets never come here in plain text: passwords as argon2 hashes, session and token secrets as SHA-256 of random bytes,
signing keys as their public part. Every write may be repeated.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import Field

from signals.base import Code, Message, UtcTime


class Grant(Message):
    """A role at a plant, for some of its lines or, where none are named, for all."""

    user: Code
    plant: Code
    role: Code
    lines: tuple[str, ...] = ()


class User(Message):
    """A person or a service account. A login belongs to one of them for ever, also after it was disabled."""

    user: Code = Field(description="login name, in small letters")
    name: str = Field(default="", description="printed name, as signatures show it")
    subject: str = Field(default="", description="OpenID Connect: `issuer|sub`; empty where the user has a password")
    active: bool = True
    service: bool = False
    language: str = "en"
    created_at: UtcTime
    created_by: str = ""
    grants: tuple[Grant, ...] = ()

    def grants_at(self, plant: str) -> tuple[Grant, ...]:
        """What the user is at this plant."""
        return tuple(grant for grant in self.grants if grant.plant == plant)


class Session(Message):
    """A signed-in browser. `id_hash` is the SHA-256 of the random id that it holds. A session signs nothing."""

    id_hash: Code
    user: Code
    created_at: UtcTime
    seen_at: UtcTime
    expires_at: UtcTime


class ApiToken(Message):
    """A token of a user, in one role at one plant. `secret_hash` is the SHA-256 of its random secret."""

    token: Code = Field(description="public id, the part of the token that may be shown")
    secret_hash: Code
    user: Code
    plant: Code
    role: Code
    lines: tuple[str, ...] = ()
    note: str = ""
    created_at: UtcTime
    created_by: str = ""
    expires_at: UtcTime
    revoked_at: UtcTime | None = None


class SigningKey(Message):
    """The public part of a key that has signed. It stays for ever, so that old signatures can be verified."""

    key_id: Code
    public_key: str = Field(description="base64 of the 32 bytes of an Ed25519 public key")
    valid_from: UtcTime
    valid_to: UtcTime | None = Field(default=None, description="retired then: signs nothing any more")


class PeopleLedger(Protocol):
    """The part of the ledger that knows people."""

    # --- users -------------------------------------------------------------------------------------------
    async def add_user(self, user: User, password_hash: str = "") -> User:
        """Add a user with grants. The same again changes nothing; BadInput where login or subject was ever taken."""
        ...

    async def has_users(self) -> bool:
        """Whether anybody was ever added: from then on people must say who they are."""
        ...

    async def user(self, user: str) -> User | None: ...

    async def user_of_subject(self, subject: str) -> User | None: ...

    async def users(self, plant: str = "") -> list[User]:
        """Users with a grant at the plant and those without any, by login; an empty plant means all."""
        ...

    async def password_hash(self, user: str) -> str:
        """The argon2 hash, empty where there is no such user or no password."""
        ...

    async def set_password(self, user: str, password_hash: str, *, end_sessions: bool = True) -> None:
        """Replace it; the user's sessions end unless it is the same one hashed anew. BadInput for an unknown user."""
        ...

    async def set_user_active(self, user: str, active: bool) -> None:
        """Disable (sessions and tokens end with it) or let in again. BadInput for an unknown user."""
        ...

    async def set_user_language(self, user: str, language: str) -> None: ...

    async def grant_role(self, grant: Grant, by: str = "") -> None:
        """Give a role at a plant; given again, its lines are replaced. BadInput for an unknown user."""
        ...

    async def revoke_role(self, user: str, plant: str, role: str) -> bool:
        """Take a role away; False where the user did not have it."""
        ...

    # --- sign-in -----------------------------------------------------------------------------------------
    async def sign_in_attempt(self, login: str, at: datetime, *, limit: int, window: timedelta) -> datetime | None:
        """Count an attempt before it is tried, known login or not; the time until which the login is locked, or None.

        Counting first, in one transaction, makes parallel guesses no cheaper. What is locked is not counted.
        """
        ...

    async def sign_in_succeeded(self, login: str) -> None:
        """The attempts so far were no failures of a stranger: they do not count any more. They stay as evidence."""
        ...

    async def open_session(self, session: Session) -> None: ...

    async def user_session(self, id_hash: str) -> Session | None: ...

    async def touch_session(self, id_hash: str, at: datetime) -> None: ...

    async def close_session(self, id_hash: str) -> None: ...

    async def clear_sessions(self, before: datetime) -> int:
        """Forget sessions that expired before; how many."""
        ...

    # --- tokens ------------------------------------------------------------------------------------------
    async def add_api_token(self, token: ApiToken) -> None: ...

    async def api_token(self, token: str) -> ApiToken | None: ...

    async def api_tokens(self, plant: str) -> list[ApiToken]: ...

    async def revoke_api_token(self, plant: str, token: str, at: datetime) -> bool:
        """Revoke it; the first time stands. False where the plant has no such token."""
        ...

    # --- signing keys ------------------------------------------------------------------------------------
    async def register_first_signing_key(self, key: SigningKey) -> bool:
        """Register the key if it is known already or there is none at all yet; else False: a person has to add it."""
        ...

    async def add_signing_key(self, key: SigningKey) -> None:
        """Add a key beside the others. The same again changes nothing; BadInput where its id names another key."""
        ...

    async def retire_signing_key(self, key_id: str, at: datetime) -> bool:
        """From then on it signs nothing; what it signed before verifies on. The first time stands."""
        ...

    async def signing_keys(self) -> Sequence[SigningKey]:
        """All that ever signed, oldest first."""
        ...
