"""Users, grants, sessions, tokens, attempts to sign in and signing keys, on either database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, delete, func, select, update

from ledger.database import Books, upsert
from ledger.people_port import ApiToken, Grant, Session, SigningKey, User
from ledger.people_tables import (
    ApiTokenRow,
    PersonGrantRow,
    PersonRow,
    PersonSessionRow,
    SignInAttemptRow,
    SigningKeyRow,
)
from signals.errors import BadInput


class PeopleBooks(Books):
    """Who people are here, and how they proved it."""

    # --- users -------------------------------------------------------------------------------------------
    async def add_user(self, user: User, password_hash: str = "") -> User:
        try:
            async with self._db.write() as session:
                known = await session.get(PersonRow, user.user)
                if known is not None:
                    before = await _user(session, known)
                    if before == user.model_copy(update={"created_at": before.created_at}):
                        return before
                    hint = "a login is never given to somebody else; choose another one"
                    raise BadInput(f"the login {user.user} is taken", subject=user.user, hint=hint)
                session.add(
                    PersonRow(
                        **user.model_dump(include={"user", "name", "active", "service", "language", "created_by"}),
                        subject=user.subject or None,
                        password_hash=password_hash,
                        created_at=user.created_at,
                    )
                )
                await session.flush()
                for grant in user.grants:
                    await _put_grant(session, grant, user.created_by, self._db.now())
        except IntegrityError as error:
            hint = "`plantwright users list --plant …` shows whose it is, if that user is of your plant"
            raise BadInput(f"login or subject of {user.user} is taken", subject=user.user, hint=hint) from error
        return user

    async def has_users(self) -> bool:
        async with self._db.read() as session:
            return await session.scalar(select(PersonRow.user).limit(1)) is not None

    async def user(self, user: str) -> User | None:
        async with self._db.read() as session:
            row = await session.get(PersonRow, user)
            return None if row is None else await _user(session, row)

    async def user_of_subject(self, subject: str) -> User | None:
        async with self._db.read() as session:
            row = await session.scalar(select(PersonRow).where(PersonRow.subject == subject)) if subject else None
            return None if row is None else await _user(session, row)

    async def users(self, plant: str = "") -> list[User]:
        async with self._db.read() as session:
            rows = list(await session.scalars(select(PersonRow).order_by(col(PersonRow.user))))
            granted: dict[str, list[Grant]] = {}
            order = select(PersonGrantRow).order_by(col(PersonGrantRow.plant), col(PersonGrantRow.role))
            for grant in await session.scalars(order):
                granted.setdefault(grant.user, []).append(_grant(grant))
            found = [_user_of(row, granted.get(row.user, ())) for row in rows]
            return [u for u in found if not plant or not u.grants or u.grants_at(plant)]

    async def password_hash(self, user: str) -> str:
        async with self._db.read() as session:
            return await session.scalar(select(PersonRow.password_hash).where(PersonRow.user == user)) or ""

    async def set_password(self, user: str, password_hash: str, *, end_sessions: bool = True) -> None:
        async with self._db.write() as session:
            row = await _known(session, user)
            row.password_hash = password_hash
            if end_sessions:
                await _end_sessions(session, user)

    async def set_user_active(self, user: str, active: bool) -> None:
        async with self._db.write() as session:
            row = await _known(session, user)
            row.active = active
            if not active:
                await _end_sessions(session, user)
                open_ones = (col(ApiTokenRow.user) == user) & col(ApiTokenRow.revoked_at).is_(None)
                await session.execute(update(ApiTokenRow).where(open_ones).values(revoked_at=self._db.now()))

    async def set_user_language(self, user: str, language: str) -> None:
        async with self._db.write() as session:
            (await _known(session, user)).language = language

    async def grant_role(self, grant: Grant, by: str = "") -> None:
        async with self._db.write() as session:
            await _known(session, grant.user)
            await _put_grant(session, grant, by, self._db.now())

    async def revoke_role(self, user: str, plant: str, role: str) -> bool:
        async with self._db.write() as session:
            row = await session.get(PersonGrantRow, (user, plant, role))
            if row is not None:
                await session.delete(row)
            return row is not None

    # --- sign-in -----------------------------------------------------------------------------------------
    async def sign_in_attempt(self, login: str, at: datetime, *, limit: int, window: timedelta) -> datetime | None:
        async with self._db.write() as session:
            await _take_turns(session, f"sign-in {login}")
            recent = select(func.count(), func.max(SignInAttemptRow.at)).where(
                SignInAttemptRow.login == login,
                col(SignInAttemptRow.counts).is_(True),
                SignInAttemptRow.at > at - window,
            )
            count, last = (await session.execute(recent)).one()
            if count >= limit:
                return last + window
            session.add(SignInAttemptRow(login=login, at=at))
            return None

    async def sign_in_succeeded(self, login: str) -> None:
        async with self._db.write() as session:
            counting = (col(SignInAttemptRow.login) == login) & col(SignInAttemptRow.counts).is_(True)
            await session.execute(update(SignInAttemptRow).where(counting).values(counts=False))

    async def open_session(self, session: Session) -> None:
        async with self._db.write() as connection:
            statement = upsert(connection, PersonSessionRow).values(**session.model_dump())
            await connection.execute(statement.on_conflict_do_nothing())

    async def user_session(self, id_hash: str) -> Session | None:
        async with self._db.read() as session:
            row = await session.get(PersonSessionRow, id_hash)
            return None if row is None else Session(**row.model_dump())

    async def touch_session(self, id_hash: str, at: datetime) -> None:
        async with self._db.write() as session:
            own = (col(PersonSessionRow.id_hash) == id_hash) & (col(PersonSessionRow.seen_at) < at)
            await session.execute(update(PersonSessionRow).where(own).values(seen_at=at))

    async def close_session(self, id_hash: str) -> None:
        async with self._db.write() as session:
            await session.execute(delete(PersonSessionRow).where(col(PersonSessionRow.id_hash) == id_hash))

    async def clear_sessions(self, before: datetime) -> int:
        async with self._db.write() as session:
            old = delete(PersonSessionRow).where(col(PersonSessionRow.expires_at) < before)
            return len(list(await session.scalars(old.returning(col(PersonSessionRow.id_hash)))))

    # --- tokens ------------------------------------------------------------------------------------------
    async def add_api_token(self, token: ApiToken) -> None:
        async with self._db.write() as session:
            values = {**token.model_dump(exclude={"lines"}), "lines": json.dumps(token.lines)}
            await session.execute(upsert(session, ApiTokenRow).values(**values).on_conflict_do_nothing())

    async def api_token(self, token: str) -> ApiToken | None:
        async with self._db.read() as session:
            row = await session.get(ApiTokenRow, token)
            return None if row is None else _token(row)

    async def api_tokens(self, plant: str) -> list[ApiToken]:
        async with self._db.read() as session:
            wanted = select(ApiTokenRow).where(ApiTokenRow.plant == plant)
            rows = await session.scalars(wanted.order_by(col(ApiTokenRow.created_at), col(ApiTokenRow.token)))
            return [_token(row) for row in rows]

    async def revoke_api_token(self, plant: str, token: str, at: datetime) -> bool:
        async with self._db.write() as session:
            row = await session.get(ApiTokenRow, token)
            if row is None or row.plant != plant:
                return False
            row.revoked_at = row.revoked_at or at
            return True

    # --- signing keys ------------------------------------------------------------------------------------
    async def register_first_signing_key(self, key: SigningKey) -> bool:
        async with self._db.write() as session:
            await _take_turns(session, "signing keys")
            known = list(await session.scalars(select(SigningKeyRow)))
            if not known:
                session.add(SigningKeyRow(**key.model_dump()))
                return True
            return any(k.key_id == key.key_id and k.public_key == key.public_key for k in known)

    async def add_signing_key(self, key: SigningKey) -> None:
        async with self._db.write() as session:
            await _take_turns(session, "signing keys")
            known = await session.get(SigningKeyRow, key.key_id)
            if known is None:
                session.add(SigningKeyRow(**key.model_dump()))
            elif known.public_key != key.public_key:
                raise BadInput(f"signing key {key.key_id} is another key", subject=key.key_id)

    async def retire_signing_key(self, key_id: str, at: datetime) -> bool:
        async with self._db.write() as session:
            row = await session.get(SigningKeyRow, key_id, with_for_update=True)
            if row is not None:
                row.valid_to = row.valid_to or at
            return row is not None

    async def signing_keys(self) -> list[SigningKey]:
        async with self._db.read() as session:
            order = (col(SigningKeyRow.valid_from), col(SigningKeyRow.key_id))
            rows = await session.scalars(select(SigningKeyRow).order_by(*order))
            return [SigningKey(**row.model_dump()) for row in rows]


async def _user(session: AsyncSession, row: PersonRow) -> User:
    wanted = select(PersonGrantRow).where(PersonGrantRow.user == row.user)
    rows = await session.scalars(wanted.order_by(col(PersonGrantRow.plant), col(PersonGrantRow.role)))
    return _user_of(row, [_grant(grant) for grant in rows])


def _user_of(row: PersonRow, grants: Iterable[Grant]) -> User:
    return User(
        **row.model_dump(include={"user", "name", "active", "service", "language", "created_at", "created_by"}),
        subject=row.subject or "",
        grants=tuple(grants),
    )


def _grant(row: PersonGrantRow) -> Grant:
    return Grant(user=row.user, plant=row.plant, role=row.role, lines=tuple(json.loads(row.lines)))


def _token(row: ApiTokenRow) -> ApiToken:
    return ApiToken(**row.model_dump(exclude={"lines"}), lines=tuple(json.loads(row.lines)))


async def _known(session: AsyncSession, user: str) -> PersonRow:
    row = await session.get(PersonRow, user, with_for_update=True)
    if row is None:
        hint = "`plantwright users list --plant …` shows the users of a plant"
        raise BadInput(f"there is no user {user}", subject=user, hint=hint)
    return row


async def _put_grant(session: AsyncSession, grant: Grant, by: str, now: datetime) -> None:
    lines = json.dumps(sorted(set(grant.lines)))
    statement = upsert(session, PersonGrantRow).values(
        user=grant.user, plant=grant.plant, role=grant.role, lines=lines, granted_by=by, granted_at=now
    )
    changed = {"lines": lines, "granted_by": by, "granted_at": now}
    await session.execute(statement.on_conflict_do_update(index_elements=["user", "plant", "role"], set_=changed))


async def _end_sessions(session: AsyncSession, user: str) -> None:
    await session.execute(delete(PersonSessionRow).where(col(PersonSessionRow.user) == user))


async def _take_turns(session: AsyncSession, about: str) -> None:
    """Transactions about the same thing, one after the other; on SQLite every writer waits for the others anyway."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(text("SELECT pg_advisory_xact_lock(hashtext(:about))"), {"about": about})
