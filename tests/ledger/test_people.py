"""People in the ledger: a login is one person's for ever, guesses are counted first, no secret is kept."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from ledger.people_port import ApiToken, Grant, Session, SigningKey, User
from ledger.store import SqlLedger
from signals.errors import BadInput

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
WINDOW = timedelta(minutes=15)


def person(login: str = "supervisor-1", *, plant: str = "north", role: str = "supervisor", subject: str = "") -> User:
    grants = (Grant(user=login, plant=plant, role=role, lines=("L1", "L2")),) if plant else ()
    return User(user=login, name="Supervisor, early shift", subject=subject, created_at=NOON, grants=grants)


async def test_a_login_is_never_given_again_and_an_addition_may_be_repeated(ledger: SqlLedger) -> None:
    assert not await ledger.has_users()
    await ledger.add_user(person(), "$argon2id$1")
    again = person().model_copy(update={"created_at": NOON + timedelta(hours=1)})
    assert (await ledger.add_user(again, "$argon2id$2")).created_at == NOON
    assert await ledger.password_hash("supervisor-1") == "$argon2id$1", "a repetition changes nothing"
    await ledger.set_user_active("supervisor-1", False)
    with pytest.raises(BadInput, match="supervisor-1 is taken"):
        await ledger.add_user(person(role="planner"))
    assert await ledger.has_users()
    await ledger.add_user(person("qe-1", subject="https://id.example|7"))
    with pytest.raises(BadInput, match="taken"):
        await ledger.add_user(person("qe-2", subject="https://id.example|7"))
    assert await ledger.user("qe-2") is None, "nothing of the refused user is kept"


async def test_users_are_found_by_login_subject_and_plant(ledger: SqlLedger) -> None:
    north, south, nowhere = person(subject="https://id.example|1"), person("planner-9", plant="south"), person("x-1")
    for user in (north, south, nowhere.model_copy(update={"grants": ()})):
        await ledger.add_user(user)
    assert await ledger.user("supervisor-1") == await ledger.user_of_subject("https://id.example|1") == north
    assert await ledger.user("nobody") is None and await ledger.user_of_subject("") is None
    assert [u.user for u in await ledger.users("north")] == ["supervisor-1", "x-1"]
    assert [u.user for u in await ledger.users()] == ["planner-9", "supervisor-1", "x-1"]
    assert await ledger.password_hash("nobody") == ""


async def test_a_grant_is_replaced_and_taken_away(ledger: SqlLedger) -> None:
    await ledger.add_user(person())
    await ledger.grant_role(Grant(user="supervisor-1", plant="north", role="supervisor", lines=("L3",)), by="admin-1")
    await ledger.grant_role(Grant(user="supervisor-1", plant="south", role="planner"))
    found = await ledger.user("supervisor-1")
    assert found is not None
    assert [(g.plant, g.role, g.lines) for g in found.grants] == [
        ("north", "supervisor", ("L3",)), ("south", "planner", ()),
    ]  # fmt: skip
    assert [g.role for g in found.grants_at("south")] == ["planner"]
    assert await ledger.revoke_role("supervisor-1", "north", "supervisor")
    assert not await ledger.revoke_role("supervisor-1", "north", "supervisor")
    with pytest.raises(BadInput, match="no user nobody"):
        await ledger.grant_role(Grant(user="nobody", plant="north", role="planner"))


async def test_parallel_guesses_are_counted_before_they_are_tried(ledger: SqlLedger) -> None:
    guesses = [ledger.sign_in_attempt("anybody", NOON, limit=5, window=WINDOW) for _ in range(12)]
    answers = await asyncio.gather(*guesses)
    assert answers.count(None) == 5
    assert set(answers) == {None, NOON + WINDOW}
    assert await ledger.sign_in_attempt("somebody-else", NOON, limit=5, window=WINDOW) is None
    later = NOON + WINDOW + timedelta(seconds=1)
    assert await ledger.sign_in_attempt("anybody", later, limit=5, window=WINDOW) is None


async def test_a_success_ends_the_count_and_keeps_the_evidence(ledger: SqlLedger) -> None:
    for _ in range(3):
        for _ in range(4):
            assert await ledger.sign_in_attempt("qe-1", NOON, limit=5, window=WINDOW) is None
        await ledger.sign_in_succeeded("qe-1")


async def test_sessions_end_with_password_and_account(ledger: SqlLedger) -> None:
    def session(id_hash: str, hours: int = 12) -> Session:
        times = {"created_at": NOON, "seen_at": NOON, "expires_at": NOON + timedelta(hours=hours)}
        return Session(id_hash=id_hash, user="supervisor-1", **times)

    await ledger.add_user(person())
    for id_hash, hours in (("a", 12), ("b", 1)):
        await ledger.open_session(session(id_hash, hours))
        await ledger.open_session(session(id_hash, hours))
    await ledger.touch_session("a", NOON + timedelta(hours=2))
    await ledger.touch_session("a", NOON + timedelta(hours=1))
    seen = await ledger.user_session("a")
    assert seen is not None and seen.seen_at == NOON + timedelta(hours=2)
    assert await ledger.clear_sessions(NOON + timedelta(hours=3)) == 1
    await ledger.set_password("supervisor-1", "$argon2id$new")
    assert await ledger.user_session("a") is None
    await ledger.open_session(session("c"))
    await ledger.set_user_active("supervisor-1", False)
    assert await ledger.user_session("c") is None
    await ledger.close_session("c")
    found = await ledger.user("supervisor-1")
    assert found is not None and not found.active


async def test_a_token_is_revoked_by_its_own_plant_once_and_with_its_user(ledger: SqlLedger) -> None:
    def token(name: str) -> ApiToken:
        return ApiToken(
            token=name, secret_hash="0" * 64, user="supervisor-1", plant="north", role="supervisor", lines=("L1",),
            created_at=NOON, expires_at=NOON + timedelta(days=30),
        )  # fmt: skip

    await ledger.add_user(person())
    for name in ("t1", "t2"):
        await ledger.add_api_token(token(name))
    assert await ledger.api_token("t1") == token("t1") and await ledger.api_token("t3") is None
    assert not await ledger.revoke_api_token("south", "t1", NOON)
    assert await ledger.revoke_api_token("north", "t1", NOON)
    assert await ledger.revoke_api_token("north", "t1", NOON + timedelta(hours=1))
    assert [(t.token, t.revoked_at) for t in await ledger.api_tokens("north")] == [("t1", NOON), ("t2", None)]
    await ledger.set_user_active("supervisor-1", False)
    assert all(t.revoked_at for t in await ledger.api_tokens("north")) and await ledger.api_tokens("south") == []


async def test_only_the_first_signing_key_registers_by_itself(ledger: SqlLedger) -> None:
    def key(name: str, public: str = "AAAA") -> SigningKey:
        return SigningKey(key_id=name, public_key=public, valid_from=NOON)

    answers = await asyncio.gather(*(ledger.register_first_signing_key(key(f"k{n}")) for n in range(6)))
    assert answers.count(True) == 1
    [first] = await ledger.signing_keys()
    assert await ledger.register_first_signing_key(first)
    await ledger.add_signing_key(key("new", "BBBB"))
    await ledger.add_signing_key(key("new", "BBBB"))
    with pytest.raises(BadInput, match="another key"):
        await ledger.add_signing_key(key("new", "CCCC"))
    assert await ledger.retire_signing_key(first.key_id, NOON + timedelta(days=1))
    assert await ledger.retire_signing_key(first.key_id, NOON + timedelta(days=2))
    assert not await ledger.retire_signing_key("nothing", NOON)
    by_id = {k.key_id: k.valid_to for k in await ledger.signing_keys()}
    assert by_id == {first.key_id: NOON + timedelta(days=1), "new": None}
