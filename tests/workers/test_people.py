"""Sign-in, signatures, sessions and tokens: what nobody can forge, guess, keep after it was taken away, or sign for."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from activities.people import ActToVerify, PeopleActivities
from activities.signatures import key_id_of, public_text, signature_fault, signed
from ledger.connect import open_ledger
from ledger.people_port import Grant, SigningKey
from ledger.store import SqlLedger
from signals.errors import BadInput
from signals.holds import (
    ClaimHold,
    CosignHold,
    DecideHold,
    HoldCause,
    HoldContent,
    HoldDisposition,
    HoldDispositionKind,
    HoldReason,
    HoldRecord,
    HoldScope,
    WithdrawHold,
)
from signals.people import Actor, Channel, Signature, SignatureMeaning, content_hash
from workers.people import NO_TOKEN, NOT_YOU, People
from workers.signing_key import KEY_FILE, KEY_VARIABLE, load_signing_key, replace_signing_key

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
PASSWORD = "four words are enough"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class Clock:
    at: datetime = NOON

    def __call__(self) -> datetime:
        return self.at


@dataclass
class House:
    """A ledger with people, a signing key, and a clock that tests set."""

    ledger: SqlLedger
    clock: Clock = field(default_factory=Clock)
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def __post_init__(self) -> None:
        self.people = People(self.ledger, lambda: self.key, now=self.clock, hasher=CHEAP)
        self.gate = PeopleActivities(self.ledger, now=self.clock)

    async def add(self, login: str, role: str, *lines: str, plant: str = "north", service: bool = False) -> None:
        grants = (Grant(user=login, plant=plant, role=role, lines=lines),)
        await self.people.add_user(login, password="" if service else PASSWORD, service=service, grants=grants)

    async def sign(self, act: Any, shown: HoldContent) -> Any:
        return await self.people.sign(act.actor, PASSWORD, act, shown, SignatureMeaning.APPROVAL)

    async def verify(self, act: Any, shown: HoldContent, *, plant: str = "north") -> str:
        hashed = content_hash(shown)
        return await self.gate.verify_act(ActToVerify(plant=plant, act=act, content_hash=hashed, line=shown.scope.line))


@pytest_asyncio.fixture(loop_scope="session")
async def house(tmp_path: Path) -> AsyncIterator[House]:
    ledger = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield House(ledger)
    await ledger.close()


def hold(*, line: str = "L1", quantity: int = 12, reason: str = "r1") -> HoldRecord:
    why = HoldReason(reason=reason, cause=HoldCause.LIMIT, text="force beyond its limit", found_at=NOON)
    scope = HoldScope(plant="north", line=line, order="100")
    return HoldRecord(
        hold="H-1", plant="north", scope=scope, reasons=(why,), quantity=Decimal(quantity), opened_at=NOON
    )


def actor(login: str = "qe-1", role: str = "quality engineer", **changes: Any) -> Actor:
    return Actor(user=login, role=role, plant="north", channel=Channel.WEB).model_copy(update=changes)


def release(by: Actor | None = None, *, kind: str = "release", quantity: int = 12) -> DecideHold:
    part = HoldDisposition(kind=HoldDispositionKind(kind), quantity=Decimal(quantity))
    return DecideHold(action_id="a-1", actor=by or actor(), dispositions=(part,))


# --- signatures ------------------------------------------------------------------------------------------------------


async def test_a_signed_decision_is_accepted_and_shows_name_time_and_meaning(house: House):
    await house.add("qe-1", "quality engineer")
    shown = hold().content()
    act = await house.sign(release(), shown)
    signature = act.signature
    assert (signature.user, signature.role, signature.meaning) == ("qe-1", "quality engineer", "approval")
    assert signature.signed_at == NOON and signature.content_hash == content_hash(shown)
    assert await house.people.verify(signature, act) == "" and await house.verify(act, shown) == ""
    for other in (
        CosignHold(action_id="a-2", actor=actor(), decision="a-1"),
        WithdrawHold(action_id="a-3", actor=actor()),
    ):
        assert await house.verify(await house.sign(other, shown), shown) == ""


async def test_what_changed_since_it_was_shown_makes_the_signature_stale(house: House):
    await house.add("qe-1", "quality engineer")
    act = await house.sign(release(), hold().content())
    for now in (hold(quantity=13), hold(reason="r2"), hold(line="L2")):
        assert "has changed" in await house.verify(act, now.content())
    assert await house.verify(act, hold().model_copy(update={"revision": 9, "assigned_to": "x"}).content()) == ""


async def test_an_unsigned_decision_is_refused_and_an_unsigned_claim_is_not(house: House):
    await house.add("qe-1", "quality engineer")
    shown = hold().content()
    assert "has not signed" in await house.verify(release(), shown)
    assert await house.verify(ClaimHold(action_id="c", actor=actor()), shown) == ""
    with pytest.raises(BadInput, match="`claim` is not signed"):
        await house.sign(ClaimHold(action_id="c", actor=actor()), shown)


async def test_a_signature_cannot_be_moved_to_another_person_or_role(house: House):
    for login in ("qe-1", "qe-2"):
        await house.add(login, "quality engineer")
    await house.people.grant(Grant(user="qe-1", plant="north", role="quality manager"))
    shown = hold().content()
    act = await house.sign(release(), shown)
    for other in (actor("qe-2"), actor(role="quality manager")):
        moved = act.model_copy(update={"actor": other})
        assert "the act" in await house.verify(moved, shown)
        assert await house.people.verify(act.signature, moved)
    with pytest.raises(BadInput, match="the act is qe-2's"):
        await house.people.sign(actor(), PASSWORD, release(actor("qe-2")), shown, SignatureMeaning.APPROVAL)


KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = SigningKey(key_id=key_id_of(public_text(KEY)), public_key=public_text(KEY), valid_from=NOON)
TEXT = st.text(min_size=1, max_size=12)
PARTS = st.lists(
    st.builds(
        HoldDisposition,
        kind=st.sampled_from(HoldDispositionKind),
        quantity=st.decimals(0, 10**6, places=3),
        serials=st.lists(TEXT, max_size=3).map(tuple),
        reason_code=st.text(max_size=8),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
ACTORS = st.builds(
    Actor, user=TEXT, name=TEXT, role=st.sampled_from(["supervisor", "quality engineer"]), plant=TEXT,
    lines=st.lists(TEXT, max_size=2).map(tuple), service=st.booleans(), channel=st.sampled_from(Channel),
)  # fmt: skip
ACTS = st.one_of(
    st.builds(
        DecideHold, action_id=TEXT, actor=ACTORS, comment=st.text(max_size=20), dispositions=PARTS,
        reasons=st.lists(TEXT, max_size=2).map(tuple),
    ),
    st.builds(CosignHold, action_id=TEXT, actor=ACTORS, decision=TEXT, agree=st.booleans()),
    st.builds(WithdrawHold, action_id=TEXT, actor=ACTORS, comment=st.text(max_size=20)),
)  # fmt: skip
SIGNATURES = st.builds(
    Signature, user=TEXT, name=TEXT, role=TEXT, meaning=st.sampled_from(SignatureMeaning),
    signed_at=st.timedeltas(timedelta(0), timedelta(days=900)).map(lambda d: NOON + d),
    content_hash=st.binary(min_size=32, max_size=32).map(bytes.hex), key_id=st.just(PUBLIC.key_id), value=st.just(""),
)  # fmt: skip


@given(ACTS, ACTS, SIGNATURES, SIGNATURES)
def test_a_signature_holds_for_its_act_and_content_and_any_changed_field_invalidates_it(act, other, draft, another):
    made = signed(KEY, draft, act)
    assert signature_fault(made, act, [PUBLIC]) == ""
    assert signature_fault(made, type(act).model_validate_json(act.model_dump_json()), [PUBLIC]) == ""
    for name in type(act).model_fields:
        if name in ("signature", "kind") or type(other) is not type(act) or getattr(other, name) == getattr(act, name):
            continue
        changed = act.model_copy(update={name: getattr(other, name)})
        assert "changed" in signature_fault(made, changed, [PUBLIC]), name
    if type(other) is not type(act):
        assert signature_fault(made, other, [PUBLIC])
    for name in Signature.model_fields:
        if name not in ("value", "key_id") and getattr(another, name) != getattr(draft, name):
            changed = made.model_copy(update={name: getattr(another, name)})
            assert signature_fault(changed, act, [PUBLIC]), name
    raw = bytearray(base64.b64decode(made.value))
    raw[len(act.action_id) % 64] ^= 1
    forged = made.model_copy(update={"value": base64.b64encode(bytes(raw)).decode()})
    assert signature_fault(forged, act, [PUBLIC]) and signature_fault(draft, act, [PUBLIC])


async def test_old_signatures_verify_after_a_rotation_and_a_retired_key_signs_nothing_more(house: House):
    await house.add("qe-1", "quality engineer")
    shown = hold().content()
    old = await house.sign(release(), shown)
    first = house.key
    house.clock.at += timedelta(days=1)
    house.key = Ed25519PrivateKey.generate()
    with pytest.raises(BadInput, match="not known here"):
        await house.sign(release(), shown)
    await house.people.add_key(house.key)
    new = await house.sign(release(), shown)
    assert new.signature.key_id != old.signature.key_id
    await house.ledger.retire_signing_key(old.signature.key_id, house.clock())
    house.clock.at += timedelta(minutes=1)
    assert await house.people.verify(old.signature, old) == "" == await house.people.verify(new.signature, new)
    assert "retired" in await house.verify(old, shown), "a stolen old key could sign with an old date"
    assert await house.verify(new, shown) == ""
    house.key = first
    with pytest.raises(BadInput, match="was retired"):
        await house.sign(release(), shown)
    dated = old.signature.model_copy(update={"signed_at": house.clock()})
    assert "not valid at" in await house.people.verify(signed(first, dated, old), old)


async def test_a_stranger_s_key_and_a_date_to_come_are_refused(house: House):
    await house.add("qe-1", "quality engineer")
    shown = hold().content()
    act = await house.sign(release(), shown)
    stranger = Ed25519PrivateKey.generate()
    claimed = act.model_copy(update={"signature": signed(stranger, act.signature, act)})
    assert "does not fit" in await house.verify(claimed, shown)
    named = act.signature.model_copy(update={"key_id": key_id_of(public_text(stranger))})
    assert "does not know" in await house.verify(
        act.model_copy(update={"signature": signed(stranger, named, act)}), shown
    )
    house.clock.at -= timedelta(hours=1)
    assert "still to come" in await house.verify(act, shown)


async def test_a_service_account_cannot_sign_by_any_way(house: House):
    await house.add("mes-1", "quality engineer", service=True)
    await house.add("qe-1", "quality engineer")
    robot, shown = actor("mes-1", service=True), hold().content()
    with pytest.raises(BadInput, match="service account: it can never sign"):
        await house.sign(release(robot), shown)
    with pytest.raises(BadInput, match=NOT_YOU):
        await house.sign(release(actor("mes-1")), shown)
    with pytest.raises(BadInput, match="has no password"):
        await house.people.set_password("mes-1", PASSWORD)
    await house.ledger.set_password("mes-1", CHEAP.hash(PASSWORD))
    with pytest.raises(BadInput, match=NOT_YOU):
        await house.people.authenticate("mes-1", PASSWORD)
    act = await house.sign(release(), shown)
    own = act.signature.model_copy(update={"user": "mes-1"})
    forged = release(actor("mes-1")).model_copy(update={"signature": signed(house.key, own, release(actor("mes-1")))})
    assert "service account" in await house.verify(forged, shown)
    assert "service account" in await house.verify(ClaimHold(action_id="c", actor=actor("mes-1")), shown)
    with pytest.raises(BadInput, match="service account"):
        await house.people.add_user("mes-2", service=True, password=PASSWORD)


async def test_what_was_taken_away_since_signing_is_refused_at_the_workflow(house: House):
    await house.add("qe-1", "quality engineer")
    await house.add("planner-1", "planner")
    shown = hold().content()
    act = await house.sign(release(), shown)
    await house.people.grant(Grant(user="qe-1", plant="north", role="quality engineer", lines=("L2",)))
    assert "knows no line L1" in await house.verify(act, shown)
    await house.people.grant(Grant(user="qe-1", plant="north", role="quality engineer"))
    await house.ledger.set_user_active("qe-1", False)
    assert "disabled" in await house.verify(act, shown)
    await house.ledger.set_user_active("qe-1", True)
    assert await house.verify(act, shown) == ""
    await house.ledger.revoke_role("qe-1", "north", "quality engineer")
    assert await house.verify(act, shown) == "plant north has no user qe-1"
    await house.people.grant(Grant(user="qe-1", plant="north", role="planner"))
    assert "is not quality engineer at plant north" in await house.verify(act, shown)
    claimed = release(actor("planner-1", "planner"))
    assert "planner may not release" in await house.verify(claimed, shown)
    with pytest.raises(BadInput, match="planner may not release"):
        await house.sign(claimed, shown)


async def test_somebody_of_another_plant_is_answered_like_nobody(house: House):
    await house.add("qe-9", "quality engineer", plant="south")
    shown, other = hold().content(), actor("qe-9")
    said = [await house.verify(ClaimHold(action_id="c", actor=a), shown) for a in (other, actor("nobody"))]
    assert said[0].replace("qe-9", "nobody") == said[1]
    south = actor("qe-9", plant="south")
    assert await house.verify(ClaimHold(action_id="c", actor=south), shown) == "plant north has no user qe-9"
    with pytest.raises(BadInput):
        await house.sign(release(other), shown)
    with pytest.raises(BadInput, match=NOT_YOU):
        await house.people.sign_in("qe-9", PASSWORD, "north")


# --- sign-in ---------------------------------------------------------------------------------------------------------


async def test_an_actor_is_one_granted_role(house: House):
    await house.add("user-1", "planner")
    await house.people.grant(Grant(user="user-1", plant="north", role="Supervisor", lines=("L2", "L1")))
    first = await house.people.sign_in(" User-1 ", PASSWORD, "north")
    assert (first.user, first.role, first.lines, first.service) == ("user-1", "supervisor", ("L1", "L2"), False)
    assert (await house.people.sign_in("user-1", PASSWORD, "north", "planner")).role == "planner"
    user = await house.ledger.user("user-1")
    assert user is not None and [a.role for a in await house.people.actors(user)] == ["supervisor", "planner"]
    with pytest.raises(BadInput, match=NOT_YOU):
        await house.people.sign_in("user-1", PASSWORD, "north", "admin")


async def test_every_failed_sign_in_has_one_answer_after_the_same_work(house: House):
    await house.add("qe-1", "quality engineer")
    await house.add("gone-1", "quality engineer")
    await house.add("mes-1", "quality engineer", service=True)
    await house.ledger.set_user_active("gone-1", False)
    worked: list[str] = []
    verify = house.people._verify

    def counted(kept: str, password: str) -> bool:
        worked.append(kept.split("$")[3])
        return verify(kept, password)

    house.people._verify = counted  # type: ignore[method-assign]
    answers: set[tuple[str, str, str]] = set()
    for login, password in (
        ("nobody", PASSWORD), ("qe-1", "wrong"), ("gone-1", PASSWORD), ("mes-1", PASSWORD), ("", ""), ("ä" * 500, "x"),
    ):  # fmt: skip
        with pytest.raises(BadInput) as error:
            await house.people.authenticate(login, password)
        answers.add((str(error.value), error.value.subject, error.value.hint))
    assert answers == {(NOT_YOU, "sign-in", "")}
    assert len(worked) == 6 and len(set(worked)) == 1, "one hash of the same cost for each"


async def test_five_failures_lock_a_login_known_or_not_until_the_window_is_over(house: House):
    await house.add("qe-1", "quality engineer")
    shown = hold().content()
    for login in ("qe-1", "nobody"):
        for _ in range(5):
            with pytest.raises(BadInput, match=NOT_YOU):
                await house.people.authenticate(login, "wrong")
        with pytest.raises(BadInput, match="try again in 15 min"):
            await house.people.authenticate(login.upper(), PASSWORD)
    with pytest.raises(BadInput, match="too many failures"):
        await house.sign(release(), shown)
    house.clock.at += timedelta(minutes=16)
    assert (await house.people.authenticate("qe-1", PASSWORD)).user == "qe-1"
    for _ in range(4):
        with pytest.raises(BadInput, match=NOT_YOU):
            await house.people.sign(actor(), "wrong", release(), shown, SignatureMeaning.APPROVAL)
    assert (await house.people.authenticate("qe-1", PASSWORD)).user == "qe-1", "a success ends the count"


async def test_parallel_guesses_do_not_pass_the_lock(house: House):
    await house.add("qe-1", "quality engineer")
    guesses = [house.people.authenticate("qe-1", f"guess {n}") for n in range(20)]
    said = [str(e) for e in await asyncio.gather(*guesses, return_exceptions=True)]
    assert said.count(NOT_YOU) == 5 and sum("too many" in s for s in said) == 15


async def test_a_password_is_kept_as_a_hash_and_hashed_anew_when_the_cost_rises(house: House):
    await house.add("qe-1", "quality engineer")
    weak = await house.ledger.password_hash("qe-1")
    assert weak.startswith("$argon2id$") and PASSWORD not in weak
    session = await house.people.open_session("qe-1")
    dearer = People(house.ledger, now=house.clock, hasher=PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    await dearer.authenticate("qe-1", PASSWORD)
    assert "m=16,t=2" in await house.ledger.password_hash("qe-1")
    assert await house.people.session_user(session) is not None
    for wrong, said in (("short", "has 5"), ("qe-1qe-", "has 7")):
        with pytest.raises(BadInput, match=said):
            await house.people.set_password("qe-1", wrong)
    await house.people.set_password("qe-1", "another four words")
    assert await house.people.session_user(session) is None
    with pytest.raises(BadInput, match=NOT_YOU):
        await house.people.authenticate("qe-1", PASSWORD)


async def test_a_user_has_exactly_one_way_to_sign_in(house: House):
    for password, subject in (("", ""), (PASSWORD, "https://id.example|1")):
        with pytest.raises(BadInput, match="exactly one way"):
            await house.people.add_user("qe-1", password=password, subject=subject)
    with pytest.raises(BadInput, match="no subject"):
        await house.people.add_user("qe-1", subject="https://id.example")
    with pytest.raises(BadInput, match="no role 'boss'"):
        await house.add("qe-1", "boss")
    assert not await house.ledger.has_users()


async def test_an_identity_provider_s_user_signs_after_a_fresh_sign_on_only(house: House):
    subject, shown = "https://id.example|77", hold().content()
    grants = (Grant(user="qe-1", plant="north", role="quality engineer"),)
    await house.people.add_user("qe-1", subject=subject, grants=grants)
    assert (await house.people.oidc_actor(subject, "north")).role == "quality engineer"
    for nobody in ("https://id.example|78", "https://other.example|77", ""):
        with pytest.raises(BadInput, match="nobody here"):
            await house.people.oidc_actor(nobody, "north")
    with pytest.raises(BadInput, match=NOT_YOU):
        await house.people.oidc_actor(subject, "south")

    async def sign(at: datetime, who: str = subject) -> Any:
        return await house.people.sign_after_sign_on(actor(), who, at, release(), shown, SignatureMeaning.REVIEW)

    act = await sign(NOON - timedelta(seconds=90))
    assert await house.verify(act, shown) == ""
    for stale in (NOON - timedelta(minutes=3), NOON + timedelta(hours=1)):
        with pytest.raises(BadInput, match="too old"):
            await sign(stale)
    await house.people.add_user("qe-2", subject="https://id.example|2", grants=grants)
    with pytest.raises(BadInput, match=NOT_YOU):
        await sign(NOON, "https://id.example|2")
    with pytest.raises(BadInput, match=NOT_YOU):
        await house.people.authenticate("qe-1", "")
    await house.ledger.set_user_active("qe-1", False)
    with pytest.raises(BadInput, match="nobody here"):
        await house.people.oidc_actor(subject, "north")


# --- sessions and tokens ---------------------------------------------------------------------------------------------


async def test_a_session_ends_when_idle_when_old_and_with_its_user(house: House):
    await house.add("qe-1", "quality engineer")
    secret = await house.people.open_session("qe-1")
    for _ in range(14):
        house.clock.at += timedelta(minutes=50)
        assert await house.people.session_user(secret) is not None, "used again and again"
    house.clock.at += timedelta(minutes=30)
    assert await house.people.session_user(secret) is None, "12 hours are over"
    idle = await house.people.open_session("qe-1")
    house.clock.at += timedelta(minutes=61)
    assert await house.people.session_user(idle) is None
    left = await house.people.open_session("qe-1")
    await house.people.close_session(left)
    disabled = await house.people.open_session("qe-1")
    await house.ledger.set_user_active("qe-1", False)
    for gone in (left, disabled, "invented", ""):
        assert await house.people.session_user(gone) is None


async def test_a_token_acts_in_its_role_plant_and_lines_and_in_nothing_more(house: House):
    await house.add("mes-1", "operator", "L1", "L2", service=True)
    wanted = Grant(user="mes-1", plant="north", role="operator", lines=("L2",))
    text, kept = await house.people.add_token(wanted, by="admin-1", days=30)
    found = await house.people.token_actor(f" {text}\n")
    assert (found.user, found.role, found.plant, found.lines) == ("mes-1", "operator", "north", ("L2",))
    assert found.service and found.channel is Channel.API
    assert text.rpartition("_")[2] not in kept.model_dump_json()
    await house.people.grant(Grant(user="mes-1", plant="north", role="operator", lines=("L1",)))
    await refused(house, text)
    await house.people.grant(Grant(user="mes-1", plant="north", role="operator"))
    assert (await house.people.token_actor(text)).lines == ("L2",)
    for wrong in ("", "pw_", text[:-1], text.replace("pw_", "pw2_"), f"pw_{kept.token}_", "pw_x_y"):
        await refused(house, wrong)


async def test_a_token_ends_by_time_revocation_role_and_user(house: House):
    await house.add("mes-1", "operator", service=True)
    wanted = Grant(user="mes-1", plant="north", role="operator")
    text, kept = await house.people.add_token(wanted, by="admin-1", days=1)
    house.clock.at += timedelta(days=1)
    await refused(house, text)
    text, kept = await house.people.add_token(wanted, by="admin-1")
    await house.ledger.revoke_role("mes-1", "north", "operator")
    await refused(house, text)
    await house.people.grant(wanted)
    assert await house.people.token_actor(text)
    await house.ledger.revoke_api_token("north", kept.token, house.clock())
    await refused(house, text)
    text, _ = await house.people.add_token(wanted, by="admin-1")
    await house.ledger.set_user_active("mes-1", False)
    await refused(house, text)


async def test_nobody_makes_a_token_for_another_person_or_beyond_what_was_granted(house: House):
    await house.add("planner-1", "planner", "L1")
    own = Grant(user="planner-1", plant="north", role="planner")
    with pytest.raises(BadInput, match="is a person"):
        await house.people.add_token(own, by="admin-1")
    text, _ = await house.people.add_token(own, by="planner-1")
    assert (await house.people.token_actor(text)).lines == ("L1",), "no wider than the grant"
    for wrong, said in (
        (Grant(user="planner-1", plant="north", role="admin"), "is not admin"),
        (Grant(user="planner-1", plant="south", role="planner"), "is not planner"),
        (Grant(user="planner-1", plant="north", role="planner", lines=("L2",)), "for L1 only"),
    ):
        with pytest.raises(BadInput, match=said):
            await house.people.add_token(wrong, by="planner-1")
    with pytest.raises(BadInput, match="a token for 0 days"):
        await house.people.add_token(own, by="planner-1", days=0)


async def refused(house: House, token: str) -> None:
    with pytest.raises(BadInput) as error:
        await house.people.token_actor(token)
    assert str(error.value) == NO_TOKEN


# --- the signing key -------------------------------------------------------------------------------------------------


def test_the_key_file_is_made_once_for_its_owner_only(tmp_path: Path):
    key = public_text(load_signing_key({}, tmp_path / "data"))
    file = tmp_path / "data" / KEY_FILE
    assert file.stat().st_mode & 0o777 == 0o600
    assert public_text(load_signing_key({}, tmp_path / "data")) == key
    assert [f.name for f in file.parent.iterdir()] == [KEY_FILE]
    replaced = public_text(replace_signing_key(tmp_path / "data"))
    assert replaced != key and public_text(load_signing_key({}, tmp_path / "data")) == replaced
    file.chmod(0o640)
    with pytest.raises(BadInput, match=r"read by others \(mode 640\)"):
        load_signing_key({}, tmp_path / "data")


def test_the_environment_s_key_goes_first_and_a_bad_one_names_its_place(tmp_path: Path):
    seed = base64.b64encode(bytes(32)).decode()
    own = Ed25519PrivateKey.from_private_bytes(bytes(32))
    assert public_text(load_signing_key({KEY_VARIABLE: seed}, tmp_path)) == public_text(own)
    assert list(tmp_path.iterdir()) == []
    for wrong in ("abc", "====", base64.b64encode(bytes(31)).decode()):
        with pytest.raises(BadInput, match=KEY_VARIABLE) as error:
            load_signing_key({KEY_VARIABLE: wrong}, tmp_path)
        assert wrong not in str(error.value) and error.value.hint
