"""People at the door: sign-in, signatures, sessions and tokens over the people's part of the ledger (21 CFR Part 11).

What somebody may do is `domain.permissions`; this says who somebody is. An unknown login and a wrong password get the
same answer after the same work. Service accounts have no password, so nothing here can sign for one.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from activities.people import actor_of, grant_of
from activities.signatures import key_id_of, public_text, sealed, signature_fault, signed
from domain.people_rules import LockOut, check_password, login_of
from domain.permissions import may_act
from domain.roles import Role, role_named
from ledger.people_port import ApiToken, Grant, PeopleLedger, Session, SigningKey, User
from signals.errors import BadInput
from signals.holds import CosignHold, DecideHold, HoldAct, HoldContent, WithdrawHold
from signals.people import Actor, Channel, Seal, Signature, SignatureMeaning, content_hash
from signals.sealing import Sealable, name_of

NOT_YOU = "login and password do not fit"
"""The one answer to an unknown login, a wrong password, a disabled user, and one who is nobody at the plant."""

NO_TOKEN = "the API token is not valid"
TOKEN_HEAD = "pw"

Signed = DecideHold | CosignHold | WithdrawHold
S = TypeVar("S", bound=Sealable)


@dataclass(frozen=True)
class PeopleRules:
    """What a house may set otherwise."""

    lock_out: LockOut = field(default_factory=LockOut)
    session_idle: timedelta = timedelta(hours=1)
    session_longest: timedelta = timedelta(hours=12)
    fresh_sign_on: timedelta = timedelta(minutes=2)
    """How old an identity provider's proof may be that stands for the password at signing."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class People:
    """Who people are. `key` gives the signing key, asked again at each signature; None: this process cannot sign.

    Times are wall time. Refusals are BadInput with a sentence for people.
    """

    def __init__(
        self,
        ledger: PeopleLedger,
        key: Callable[[], Ed25519PrivateKey] | None = None,
        *,
        now: Callable[[], datetime] = utc_now,
        rules: PeopleRules | None = None,
        hasher: PasswordHasher | None = None,
    ) -> None:
        self._ledger = ledger
        self._key = key
        self._now = now
        self._rules = rules or PeopleRules()
        self._hasher = hasher or PasswordHasher()
        self._nobodys_hash = _hash_of_nothing(self._hasher)

    # --- users -------------------------------------------------------------------------------------------
    async def add_user(
        self, login: str, name: str = "", *, password: str = "", subject: str = "", service: bool = False,
        grants: tuple[Grant, ...] = (), language: str = "en", by: str = "",
    ) -> User:  # fmt: skip
        """Add a person with a password or an OpenID Connect subject (`issuer|sub`), or a service with neither."""
        user = login_of(login)
        if service and (password or subject):
            hint = "it acts with an API token: `plantwright users token add`"
            raise BadInput(f"{user} is a service account: it has no password", subject=user, hint=hint)
        if not service and bool(password) == bool(subject):
            hint = "give a password, or the subject that the identity provider knows"
            raise BadInput(f"{user} needs exactly one way to sign in", subject=user, hint=hint)
        if subject and not all(subject.partition("|")):
            raise BadInput(
                f"{subject!r} is no subject", subject=user, hint="write ISSUER|SUB, as the provider says them"
            )
        if password:
            check_password(password, user)
        added = User(
            user=user, name=name or user, subject=subject, service=service, language=language,
            created_at=self._now(), created_by=by, grants=tuple(_checked(g, user) for g in grants),
        )  # fmt: skip
        return await self._ledger.add_user(added, await self._hashed(password) if password else "")

    async def set_password(self, login: str, password: str) -> None:
        """Give a person a new password; the sessions end. Raises BadInput for a service account and an OIDC user."""
        user = await self._known(login)
        if user.service or user.subject:
            how = "acts with API tokens" if user.service else "signs in with the identity provider"
            raise BadInput(f"{user.user} has no password: it {how}", subject=user.user)
        check_password(password, user.user)
        await self._ledger.set_password(user.user, await self._hashed(password))

    async def grant(self, grant: Grant, *, by: str = "") -> None:
        """Give a role at a plant, for some lines or all."""
        user = await self._known(grant.user)
        await self._ledger.grant_role(_checked(grant, user.user), by)

    async def actors(self, user: User, plant: str = "") -> tuple[Actor, ...]:
        """One actor for each role that the user has, at one plant or at all; in the order of the role list."""
        grants = user.grants_at(plant) if plant else user.grants
        known = [g for g in grants if role_named(g.role) is not None]
        order = list(Role)
        return tuple(
            actor_of(user, g)
            for g in sorted(known, key=lambda g: (g.plant, order.index(role_named(g.role) or Role.ADMIN)))
        )

    async def _known(self, login: str) -> User:
        user = await self._ledger.user(login.strip().lower())
        if user is None:
            hint = "`plantwright users list --plant …` shows the users of a plant"
            raise BadInput(f"there is no user {login}", subject=login, hint=hint)
        return user

    async def _hashed(self, password: str) -> str:
        return await asyncio.to_thread(self._hasher.hash, password)

    # --- sign-in -----------------------------------------------------------------------------------------
    async def authenticate(self, login: str, password: str) -> User:
        """Whose password this is. Locked after failures, known login or not; the same work for both."""
        name = login.strip().lower()[:80]
        rule = self._rules.lock_out
        until = await self._ledger.sign_in_attempt(name, self._now(), limit=rule.failures, window=rule.window)
        if until is not None:
            minutes = max(1, round((until - self._now()).total_seconds() / 60))
            hint = "an administrator can give a new password meanwhile, which does not open the lock"
            raise BadInput(f"too many failures: try again in {minutes} min", subject=name, hint=hint)
        user = await self._ledger.user(name)
        kept = await self._ledger.password_hash(name)
        fits = await asyncio.to_thread(self._verify, kept or self._nobodys_hash, password)
        if user is None or not kept or not fits or not user.active or user.service:
            raise BadInput(NOT_YOU, subject="sign-in")
        await self._ledger.sign_in_succeeded(name)
        if self._hasher.check_needs_rehash(kept):
            await self._ledger.set_password(name, await self._hashed(password), end_sessions=False)
        return user

    async def sign_in(self, user: str, password: str, plant: str, role: str = "") -> Actor:
        """The actor at this plant, in the role named or the first that was granted."""
        return self._at(await self.authenticate(user, password), plant, role)

    async def oidc_user(self, subject: str) -> User:
        """Who the identity provider's `issuer|sub` is. Raises BadInput where it is nobody's or the user is disabled."""
        user = await self._ledger.user_of_subject(subject)
        if user is None or not user.active or user.service:
            hint = "an administrator adds them: `plantwright users add LOGIN --subject 'ISSUER|SUB'`"
            raise BadInput("nobody here has this identity", subject="sign-in", hint=hint)
        return user

    async def oidc_actor(self, subject: str, plant: str, role: str = "") -> Actor:
        """The actor at this plant for an identity that the provider has proved."""
        return self._at(await self.oidc_user(subject), plant, role)

    def _at(self, user: User, plant: str, role: str) -> Actor:
        named = grant_of(user, plant, role) if role else None
        grants = sorted(user.grants_at(plant), key=lambda g: list(Role).index(role_named(g.role) or Role.ADMIN))
        grant = named or (grants[0] if grants and not role else None)
        if grant is None:
            raise BadInput(NOT_YOU, subject="sign-in")
        return actor_of(user, grant)

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

    # --- signatures --------------------------------------------------------------------------------------
    async def sign(
        self, actor: Actor, password: str, act: HoldAct, shown: HoldContent, meaning: SignatureMeaning
    ) -> Signed:
        """The act with a signature over it and over what was shown, after the password was asked again."""
        signable = _signable(act, actor)
        user = await self.authenticate(actor.user, password)
        return await self._seal(user, actor, signable, shown, meaning)

    async def sign_after_sign_on(
        self, actor: Actor, subject: str, authenticated_at: datetime, act: HoldAct, shown: HoldContent,
        meaning: SignatureMeaning,
    ) -> Signed:  # fmt: skip
        """The same for who has no password here: a sign-on made for this signature stands for it.

        `authenticated_at` is the provider's `auth_time` (asked with `prompt=login`, `max_age=0`).
        """
        signable = _signable(act, actor)
        age = self._now() - authenticated_at
        if not -self._rules.fresh_sign_on < age <= self._rules.fresh_sign_on:
            hint = "sign on again for this signature"
            raise BadInput("the sign-on is too old to sign with", subject=actor.user, hint=hint)
        user = await self.oidc_user(subject)
        if user.user != actor.user:
            raise BadInput(NOT_YOU, subject="sign-in")
        return await self._seal(user, actor, signable, shown, meaning)

    async def _seal(
        self, user: User, actor: Actor, act: Signed, shown: HoldContent, meaning: SignatureMeaning
    ) -> Signed:
        grant = grant_of(user, shown.plant, actor.role)
        if user.service or grant is None or actor.plant != shown.plant:
            raise BadInput(f"{user.user} is not {actor.role} at plant {shown.plant}", subject=user.user)
        own = actor_of(user, grant).model_copy(update={"channel": actor.channel})
        own_act = act.model_copy(update={"actor": own, "signature": None})
        forbidden = may_act(own_act, plant=shown.plant, line=shown.scope.line)
        if forbidden:
            raise BadInput(forbidden, subject=shown.hold)
        key, key_id = await self._usable_key()
        draft = Signature(
            user=own.user, name=own.name, role=own.role, meaning=meaning, signed_at=self._now(),
            content_hash=content_hash(shown), key_id=key_id, value="",
        )  # fmt: skip
        return own_act.model_copy(update={"signature": signed(key, draft, own_act)})

    async def seal(self, said: S, about: str) -> S:
        """Sealed for its actor, who was signed in when it was made. Raises BadInput where this house cannot seal."""
        if said.actor is None:
            raise BadInput("nobody is known to decide this", subject=name_of(said))
        key, key_id = await self._usable_key()
        sent = type(said).model_validate_json(said.model_dump_json())
        draft = Seal(about=about, sealed_at=self._now(), key_id=key_id, value="")
        return sent.model_copy(update={"seal": sealed(key, draft, sent)})

    async def verify(self, signature: Signature, act: Signed) -> str:
        """Empty where this signature was made over this act, by a key that was valid then; else why not."""
        if signature.user != act.actor.user or signature.role != act.actor.role:
            return f"the signature is {signature.user}'s ({signature.role}), the act is not"
        return signature_fault(signature, act, await self._ledger.signing_keys())

    async def _usable_key(self) -> tuple[Ed25519PrivateKey, str]:
        if self._key is None:
            raise BadInput("this process holds no signing key", subject="signature", hint="sign in the console or CLI")
        key = self._key()
        own = self._described(key)
        if not await self._ledger.register_first_signing_key(own):
            hint = "an administrator adds it: `plantwright users key add`"
            raise BadInput(f"signing key {own.key_id} is not known here", subject=own.key_id, hint=hint)
        known = next(k for k in await self._ledger.signing_keys() if k.key_id == own.key_id)
        if known.valid_to is not None:
            hint = "make a new one: `plantwright users key rotate`"
            raise BadInput(f"signing key {own.key_id} was retired", subject=own.key_id, hint=hint)
        return key, own.key_id

    def _described(self, key: Ed25519PrivateKey) -> SigningKey:
        public = public_text(key)
        return SigningKey(key_id=key_id_of(public), public_key=public, valid_from=self._now())

    async def add_key(self, key: Ed25519PrivateKey) -> SigningKey:
        """Let a key sign here beside the others. For an administrator."""
        described = self._described(key)
        await self._ledger.add_signing_key(described)
        return described

    # --- sessions ----------------------------------------------------------------------------------------
    async def open_session(self, user: str) -> str:
        """A new session of the user; its secret is for the browser's cookie and is kept nowhere here."""
        now, secret = self._now(), secrets.token_urlsafe(32)
        await self._ledger.clear_sessions(now)
        await self._ledger.open_session(
            Session(id_hash=_digest(secret), user=user, created_at=now, seen_at=now,
                    expires_at=now + self._rules.session_longest)
        )  # fmt: skip
        return secret

    async def session_user(self, secret: str) -> User | None:
        """Who is signed in; None where the session is unknown, over or idle too long, or the user was disabled."""
        now, id_hash = self._now(), _digest(secret)
        session = await self._ledger.user_session(id_hash)
        if session is None:
            return None
        user = await self._ledger.user(session.user)
        idle = now - session.seen_at > self._rules.session_idle
        if user is None or not user.active or idle or now >= session.expires_at:
            await self._ledger.close_session(id_hash)
            return None
        if now - session.seen_at > timedelta(minutes=1):
            await self._ledger.touch_session(id_hash, now)
        return user

    async def close_session(self, secret: str) -> None:
        await self._ledger.close_session(_digest(secret))

    # --- tokens ------------------------------------------------------------------------------------------
    async def add_token(self, grant: Grant, *, by: str, days: int = 90, note: str = "") -> tuple[str, ApiToken]:
        """A token for a service account, or for oneself: its text, said this once, and what is kept of it."""
        user = await self._known(grant.user)
        held = grant_of(user, grant.plant, grant.role)
        if held is None:
            hint = f"`plantwright users grant {user.user} {grant.role!r} --plant …` first"
            raise BadInput(f"{user.user} is not {grant.role} at plant {grant.plant}", subject=user.user, hint=hint)
        if not user.service and by != user.user:
            hint = "a person makes tokens for themselves; for a machine use a service account"
            raise BadInput(f"{user.user} is a person", subject=user.user, hint=hint)
        if not user.active:
            raise BadInput(f"{user.user} is disabled", subject=user.user)
        if _narrowed(held.lines, grant.lines) is None:
            lines = ", ".join(held.lines)
            raise BadInput(f"{user.user} is {grant.role} for {lines} only", subject=user.user, hint="name one of them")
        if not 1 <= days <= 366:
            raise BadInput(f"a token for {days} days", subject="--days", hint="1 to 366; make a new one in time")
        now, name, secret = self._now(), secrets.token_hex(6), secrets.token_urlsafe(32)
        token = ApiToken(
            token=name, secret_hash=_digest(secret), user=user.user, plant=held.plant, role=held.role,
            lines=tuple(grant.lines), note=note, created_at=now, created_by=by, expires_at=now + timedelta(days=days),
        )  # fmt: skip
        await self._ledger.add_api_token(token)
        return f"{TOKEN_HEAD}_{name}_{secret}", token

    async def token_actor(self, token: str) -> Actor:
        """The actor of an API token. Raises BadInput with one sentence, whatever is wrong with it."""
        head, _, rest = token.strip().partition("_")
        name, _, secret = rest.partition("_")
        kept = await self._ledger.api_token(name) if head == TOKEN_HEAD and secret else None
        fits = hmac.compare_digest(_digest(secret), kept.secret_hash if kept is not None else "0" * 64)
        if kept is None or not fits or kept.revoked_at is not None or kept.expires_at <= self._now():
            raise BadInput(NO_TOKEN, subject="token")
        user = await self._ledger.user(kept.user)
        grant = grant_of(user, kept.plant, kept.role) if user is not None and user.active else None
        lines = _narrowed(grant.lines, kept.lines) if grant is not None else None
        if user is None or grant is None or lines is None:
            raise BadInput(NO_TOKEN, subject="token")
        return actor_of(user, grant).model_copy(update={"lines": lines, "channel": Channel.API})


def _signable(act: HoldAct, actor: Actor) -> Signed:
    if not isinstance(act, DecideHold | CosignHold | WithdrawHold):
        raise BadInput(
            f"`{act.kind}` is not signed", subject=act.action_id, hint="decisions are: decide, cosign, withdraw"
        )
    if actor.service:
        raise BadInput(f"{actor.user} is a service account: it can never sign", subject=actor.user)
    if (act.actor.user, act.actor.role, act.actor.plant) != (actor.user, actor.role, actor.plant):
        raise BadInput(f"the act is {act.actor.user}'s ({act.actor.role}), not {actor.user}'s", subject=act.action_id)
    return act


def _checked(grant: Grant, user: str) -> Grant:
    role = role_named(grant.role)
    if role is None:
        hint = f"roles are {', '.join(r.value for r in Role)}"
        raise BadInput(f"there is no role {grant.role!r}", subject=grant.role, hint=hint)
    return grant.model_copy(update={"user": user, "role": role.value, "lines": tuple(sorted(set(grant.lines)))})


def _narrowed(granted: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[str, ...] | None:
    """Lines that both name, where naming none means all; None where nothing is left."""
    if not granted or not wanted:
        return granted or wanted
    both = tuple(line for line in wanted if line in granted)
    return both or None


def _hash_of_nothing(hasher: PasswordHasher) -> str:
    """Looks like a hash of the hasher's cost and fits no password: the work of checking it hides which logins exist."""
    parts = [base64.b64encode(secrets.token_bytes(n)).decode().rstrip("=") for n in (hasher.salt_len, hasher.hash_len)]
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v=19${cost}${'$'.join(parts)}"


def _digest(secret: str) -> str:
    """Session and token secrets are random and long, so a plain hash hides them."""
    return hashlib.sha256(secret.encode()).hexdigest()
