"""The seal on acts on stops and handovers: judged as the seal on decisions is, and without it nothing happens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from temporalio.client import Client

from activities.handover import HandoverActivities, HandoverActToVerify
from activities.stops import StopActivities, StopActToVerify
from domain.clock import PlantClock
from ledger.connect import open_ledger
from signals.downtime import AcknowledgeStop, ClassifyStop, CloseStop, CommentStop, StopAct, StopAction
from signals.handover import AcknowledgeHandover, HandoverState
from signals.ids import stop_id
from signals.sealing import Sealable, is_about, stop_place
from tests.people.sealing_floor import Staff, ended_shift, standing_line, with_signatures
from tests.workflows.bench import LINE
from tests.workflows.stop_bench import StopBench, UpkeepErp, stop_plant
from workers.handover_desk import acknowledge
from workers.stop_desk import act_on_stop
from workflows.handover_messages import ACKNOWLEDGE
from workflows.stop_messages import ACT, ACT_BY_SIGNAL

PLANT = "north"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
STOP, SHIFT = stop_id(NOON - timedelta(hours=1)), "2026-11-20/early"
PLACES = {"stop": stop_place(LINE, STOP), "handover": SHIFT}


@dataclass
class Gate:
    """One kind of act before the worker's activity. `place` is where it arrives."""

    kind: str
    staff: Staff
    signatures: str = "required"

    @property
    def place(self) -> str:
        return PLACES[self.kind]

    def act(self, user: str = "supervisor-1", **changes: Any) -> Any:
        fields = {"action_id": "a1", "actor": self.staff.actor(user), "comment": "seen", **changes}
        return ClassifyStop(reason="jam", **fields) if self.kind == "stop" else AcknowledgeHandover(**fields)

    async def sealed(self, act: Any = None, about: str = "") -> Any:
        wish = act or self.act()
        return await self.staff.people.seal(wish, about or is_about(PLANT, wish, self.place))

    async def verify(self, act: Any, place: str | None = None) -> str:
        """What the worker says, asked as it is asked by the process: over the wire."""
        ledger, clock, at = self.staff.ledger, PlantClock(), self.place if place is None else place
        plant = with_signatures(stop_plant(PLANT), self.signatures)
        if self.kind == "handover":
            shifts = HandoverActivities(ledger, plant, clock, now=self.staff.time)
            asked = HandoverActToVerify(plant=PLANT, shift=at, act=act)
            return await shifts.verify_handover_act(HandoverActToVerify.model_validate_json(asked.model_dump_json()))
        line, _, stop = at.rpartition("/")
        stops = StopActivities(UpkeepErp(), ledger, plant, clock, now=self.staff.time)
        wish = StopActToVerify(plant=PLANT, line=line or LINE, stop=stop, act=act)
        return await stops.verify_stop_act(StopActToVerify.model_validate_json(wish.model_dump_json()))


@pytest_asyncio.fixture(loop_scope="session", params=PLACES)
async def bare(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Gate]:
    ledger = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield Gate(request.param, Staff(ledger, PLANT, [NOON]))
    await ledger.close()


@pytest_asyncio.fixture(loop_scope="session")
async def gate(bare: Gate) -> Gate:
    await bare.staff.hire()
    return bare


async def test_an_act_sealed_for_who_is_signed_in_takes_effect(gate: Gate) -> None:
    assert await gate.verify(await gate.sealed()) == ""


async def test_without_a_seal_it_is_refused_and_says_where_to_act(gate: Gate) -> None:
    said = await gate.verify(gate.act())
    assert said == ("the act of supervisor-1 is not sealed: act in the console, by the API, or on the command line")


async def test_what_was_changed_after_sealing_is_refused(gate: Gate) -> None:
    sealed, other = await gate.sealed(), gate.staff.actor("supervisor-2")
    fits_not = "the seal does not fit, the act was changed after it was sealed: act again"
    for changes in (
        {"comment": "something else"},
        {"action_id": "a2"},
        {"actor": other},
        {"actor": sealed.actor.model_copy(update={"name": "Somebody"})},
        {"seal": sealed.seal.model_copy(update={"sealed_at": NOON + timedelta(minutes=1)})},
        {"seal": sealed.seal.model_copy(update={"value": "no base64"})},
    ):
        assert await gate.verify(sealed.model_copy(update=changes)) == fits_not, changes
    early = sealed.seal.model_copy(update={"sealed_at": NOON - timedelta(hours=1)})
    assert "was not valid at 2026-11-20 11:00" in await gate.verify(sealed.model_copy(update={"seal": early}))
    stranger = sealed.actor.model_copy(update={"user": "stranger"})
    assert await gate.verify(sealed.model_copy(update={"actor": stranger})) == f"plant {PLANT} has no user stranger"
    admin = sealed.actor.model_copy(update={"role": "admin"})
    assert "supervisor-1 is not admin" in await gate.verify(sealed.model_copy(update={"actor": admin}))


async def test_who_may_not_is_refused_whatever_the_seal_says(gate: Gate) -> None:
    act = gate.act("operator-1")
    if gate.kind == "stop":
        act = CloseStop(action_id="a1", actor=act.actor)
    assert "may not" in await gate.verify(await gate.sealed(act))
    claims = act.actor.model_copy(update={"role": "supervisor"})
    said = await gate.verify(await gate.sealed(act.model_copy(update={"actor": claims})))
    assert said == f"operator-1 is not supervisor at plant {PLANT}, but operator"


async def test_a_seal_counts_for_one_stop_or_shift_of_one_line_and_plant(gate: Gate) -> None:
    elsewhere = {
        "stop": (stop_place(LINE, "20261101T000000.000000Z"), stop_place("line-2", STOP)),
        "handover": ("2026-11-20/late", "2026-11-21/early"),
    }[gate.kind]
    here, sealed = is_about(PLANT, gate.act(), gate.place), await gate.sealed()
    for place in elsewhere:
        about = is_about(PLANT, gate.act(), place)
        assert await gate.verify(await gate.sealed(about=about)) == (
            f"the seal is for {about} and not for {here}: act again"
        )
        moved = sealed.seal.model_copy(update={"about": about})
        assert await gate.verify(sealed.model_copy(update={"seal": moved}), place) != ""
    abroad = is_about("south", gate.act(), gate.place)
    assert "and not for" in await gate.verify(await gate.sealed(about=abroad))
    assert "and not for" in await gate.verify(sealed, ""), "a process of before the seals says not what it is about"


async def test_a_seal_counts_for_one_kind_of_act(gate: Gate) -> None:
    """What has the same fields is told apart all the same, and so is a decision."""
    fields = {"action_id": "a1", "actor": gate.staff.actor(), "comment": "seen"}
    comment: Sealable = CommentStop(**fields)
    about = is_about(PLANT, gate.act(), gate.place)
    sealed = await gate.staff.people.seal(comment, about)
    taken = AcknowledgeStop(**fields, seal=sealed.seal) if gate.kind == "stop" else gate.act(seal=sealed.seal)
    assert "changed after it was sealed" in await gate.verify(taken)


async def test_a_seal_counts_for_a_day_and_not_before_its_time(gate: Gate) -> None:
    sealed = await gate.sealed()
    gate.staff.now[0] = NOON + timedelta(hours=23, minutes=59)
    assert await gate.verify(sealed) == "", "a night without a worker is waited out"
    gate.staff.now[0] = NOON + timedelta(days=1, minutes=1)
    assert await gate.verify(sealed) == "the seal of 2026-11-20 12:00 is too old: act again"
    gate.staff.now[0] = NOON - timedelta(minutes=3)
    said = await gate.verify(sealed)
    assert said.startswith("the seal is dated 2026-11-20 12:00, which is still to come: set the clocks")


async def test_a_strangers_key_and_a_retired_one_seal_nothing(gate: Gate) -> None:
    sealed, own = await gate.sealed(), gate.staff.key
    forger = Staff(gate.staff.ledger, PLANT, gate.staff.now, Ed25519PrivateKey.generate())
    with pytest.raises(Exception, match="is not known here"):
        await forger.people.seal(gate.act(), is_about(PLANT, gate.act(), gate.place))
    unknown = sealed.seal.model_copy(update={"key_id": "ed25519-0000000000000000"})
    said = await gate.verify(sealed.model_copy(update={"seal": unknown}))
    assert "does not know: an administrator adds it" in said and said.endswith("then act again")
    added = await gate.staff.people.add_key(forger.key)
    gate.staff.key = forger.key
    assert await gate.verify(await gate.sealed()) == ""
    gate.staff.key = own
    await gate.staff.ledger.retire_signing_key(sealed.seal.key_id, NOON)
    assert await gate.verify(sealed) == f"key {sealed.seal.key_id} was retired: act again"
    wrong = sealed.model_copy(update={"seal": sealed.seal.model_copy(update={"key_id": added.key_id})})
    assert "does not fit" in await gate.verify(wrong)


async def test_without_users_or_signatures_the_table_alone_is_asked(bare: Gate) -> None:
    assert await bare.verify(bare.act()) == ""
    await bare.staff.hire()
    assert "is not sealed" in await bare.verify(bare.act())
    bare.signatures = "off"
    assert await bare.verify(bare.act()) == ""
    auditor = bare.act().actor.model_copy(update={"role": "auditor"})
    assert "may not" in await bare.verify(bare.act(actor=auditor))


# --- before real processes ---------------------------------------------------------------------------------------
async def test_a_forged_act_on_a_stop_changes_nothing_by_update_or_by_signal(
    temporal_client: Client, tmp_path: Path
) -> None:
    async with standing_line(temporal_client, tmp_path) as (bench, staff):
        await bench.stands()
        before = await bench.until_stop(lambda r: r.rungs)
        place, me = stop_place(LINE, bench.stop), staff.actor("operator-1")

        def act(number: int) -> AcknowledgeStop:
            return AcknowledgeStop(action_id=f"a{number}", actor=me)

        def about(wish: StopAct, where: str = place) -> str:
            return is_about(bench.id, wish, where)

        bare, sealed = act(1), await staff.people.seal(act(2), about(act(2)))
        forged = {
            "not sealed": bare,
            "changed after": sealed.model_copy(update={"actor": staff.actor("supervisor-1")}),
            "and not for": await staff.people.seal(act(3), about(act(3), stop_place(LINE, "another"))),
        }
        for said, wish in forged.items():
            answer = await act_on_stop(bench.client, bench.ledger, bench.id, LINE, bench.stop, wish)
            assert not answer.accepted and said in answer.message
            signalled = wish.model_copy(update={"action_id": f"{wish.action_id}-signal"})
            await bench.handle().signal(ACT_BY_SIGNAL, StopAction(act=signalled))
            told = await bench.handle().execute_update(ACT, StopAction(act=signalled))
            assert not told["accepted"], "the same id tells what the signal was answered"
        untouched(before, await bench.record(), bench)
        desk = staff.desk(bench.client, bench.plant)
        taken = act(9)
        assert (await desk.act_on_stop(bench.id, LINE, bench.stop, taken)).accepted
        assert (await bench.record()).assigned_to == "operator-1"
        later = await staff.people.seal(ClassifyStop(action_id="a10", actor=me, reason="jam"), about(taken))
        await bench.handle().signal(ACT_BY_SIGNAL, StopAction(act=later))
        await bench.until_stop(lambda r: [p.reason for p in r.parts] == ["jam"])
        await bench.tell(end=datetime.now(UTC))
        await bench.ended()


def untouched(before: Any, after: Any, bench: StopBench) -> None:
    """Nobody has done anything: no mark, nobody responsible, no entry of a person."""
    assert (after.state, after.marks, after.assigned_to) == (before.state, (), "")
    assert not [entry for entry in after.history if entry.by], bench.stop


async def test_a_forged_acknowledgement_takes_no_shift_over(temporal_client: Client, tmp_path: Path) -> None:
    async with ended_shift(temporal_client, tmp_path) as (bench, staff):
        span = (await bench.since(1))[-1]
        await bench.begin(span)
        await bench.until(span, lambda r: r.state is HandoverState.WAITING)
        wish = AcknowledgeHandover(action_id="a1", actor=staff.actor(), comment="read")
        sealed = await staff.people.seal(wish, is_about(bench.id, wish, span.label))
        forged = {
            "not sealed": wish,
            "changed after": sealed.model_copy(update={"action_id": "a2", "actor": staff.actor("supervisor-2")}),
            "and not for": await staff.people.seal(
                wish.model_copy(update={"action_id": "a3"}), is_about(bench.id, wish, "2026-11-20/never")
            ),
        }
        for said, act in forged.items():
            told = await bench.handle(span).execute_update(ACKNOWLEDGE, act)
            assert not told["accepted"] and said in told["message"]
            by_hand = act.model_copy(update={"action_id": f"{act.action_id}-again"})
            assert not (await acknowledge(bench.client, bench.ledger, bench.id, span.label, by_hand)).accepted
        report = await bench.ledger.handover(bench.id, span.label)
        assert report is not None and (report.state, report.acknowledged_by) == (HandoverState.WAITING, "")
        desk = staff.desk(bench.client, bench.plant)
        mine = wish.model_copy(update={"action_id": "a9"})
        assert (await desk.acknowledge_handover(bench.id, span.label, mine)).accepted
        report = await bench.until(span, lambda r: r.state is HandoverState.ACKNOWLEDGED)
        assert (report.acknowledged_by, report.acknowledged_role) == ("supervisor-1", "supervisor")
