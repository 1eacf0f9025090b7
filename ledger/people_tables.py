"""Tables about people. A user is not a plant's; grants, tokens and what follows from them are."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, UniqueConstraint
from sqlmodel import Field

from ledger.columns import UtcDateTime
from ledger.tables import LedgerTable


class PersonRow(LedgerTable, table=True):
    """A user, kept for ever: a login is never given to another person (21 CFR 11.100 (a))."""

    __table_args__ = (UniqueConstraint("subject"),)

    user: str = Field(primary_key=True)
    name: str
    subject: str | None = Field(default=None, description="`issuer|sub` of OpenID Connect")
    password_hash: str = ""
    active: bool = True
    service: bool = False
    language: str = "en"
    created_at: datetime = Field(sa_type=UtcDateTime)
    created_by: str = ""


class PersonGrantRow(LedgerTable, table=True):
    """A role of a user at a plant; `lines` is a JSON list, empty for all."""

    __table_args__ = (Index(None, "plant", "role"),)

    user: str = Field(primary_key=True, foreign_key="person.user")
    plant: str = Field(primary_key=True)
    role: str = Field(primary_key=True)
    lines: str = "[]"
    granted_by: str = ""
    granted_at: datetime = Field(sa_type=UtcDateTime)


class PersonSessionRow(LedgerTable, table=True):
    """A signed-in browser; the id itself is known to the browser only."""

    __table_args__ = (Index(None, "user"), Index(None, "expires_at"))

    id_hash: str = Field(primary_key=True)
    user: str = Field(foreign_key="person.user")
    created_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class ApiTokenRow(LedgerTable, table=True):
    """A token of the HTTP API and the command line; kept after its end."""

    __table_args__ = (Index(None, "plant"), Index(None, "user"))

    token: str = Field(primary_key=True)
    secret_hash: str
    user: str = Field(foreign_key="person.user")
    plant: str
    role: str
    lines: str = "[]"
    note: str = ""
    created_at: datetime = Field(sa_type=UtcDateTime)
    created_by: str = ""
    expires_at: datetime = Field(sa_type=UtcDateTime)
    revoked_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class SignInAttemptRow(LedgerTable, table=True):
    """An attempt to sign in or to sign; it counts as a failure until a later one with the login succeeds."""

    __table_args__ = (Index(None, "login", "at"),)

    number: int | None = Field(
        default=None,
        primary_key=True,
        sa_type=BigInteger().with_variant(Integer, "sqlite"),  # pyright: ignore[reportArgumentType]
    )
    login: str
    at: datetime = Field(sa_type=UtcDateTime)
    counts: bool = True


class SigningKeyRow(LedgerTable, table=True):
    """The public part of a signing key."""

    key_id: str = Field(primary_key=True)
    public_key: str
    valid_from: datetime = Field(sa_type=UtcDateTime)
    valid_to: datetime | None = Field(default=None, sa_type=UtcDateTime)
