"""The console's desk while Temporal is away: a block stands all the same, and what no Line counts needs none."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from temporalio.client import Client

from ledger.connect import open_ledger
from signals.decisions import DecideParked
from signals.downtime import AcknowledgeStop
from signals.holds import HoldCause, HoldReason, HoldScope, HoldTrigger
from signals.people import Actor
from signals.reports import ParkedItem, ParkedWhy
from workers.client import TemporalUnreachable
from workers.console_desk import ConsoleDesk
from workers.plant_file import load_plant

PLANT = Path(__file__).parents[2] / "plants" / "demo.toml"
NOW = datetime(2026, 11, 20, 7, tzinfo=UTC)


async def away() -> Client:
    raise TemporalUnreachable("no Temporal server answers", hint="is it up?")


@pytest.fixture
async def ledger(tmp_path: Path):
    books = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield books
    await books.close()


@pytest.fixture
def desk(ledger) -> ConsoleDesk:
    plant = load_plant(PLANT, {})
    return ConsoleDesk(away, ledger, {plant.plant.id: plant}, lambda: NOW)


def parked(why: ParkedWhy) -> ParkedItem:
    return ParkedItem(item=f"item-{why.value}", plant="demo", why=why, detail="a piece without a name", at=NOW)


def accept(item: ParkedItem) -> DecideParked:
    return DecideParked(decision_id=f"d-{item.item}", item=item.item, accept=True, by="engineer-1", reason="seen")


async def test_a_hold_opened_while_temporal_is_away_is_blocked_and_named(desk: ConsoleDesk, ledger) -> None:
    reason = HoldReason(reason="r1", cause=HoldCause.MANUAL, text="dents", found_at=NOW)
    trigger = HoldTrigger(
        trigger="t1", scope=HoldScope(plant="demo", material="FRAME"), reason=reason, quantity=Decimal(3), at=NOW
    )
    hold = await desk.open_hold(trigger)
    assert [b.hold for b in await ledger.blocks("demo", material="FRAME")] == [hold]
    assert await desk.open_hold(trigger) == hold


async def test_an_inspected_piece_is_decided_in_the_ledger_and_counted_production_at_its_line(
    desk: ConsoleDesk, ledger
) -> None:
    nameless, counted = parked(ParkedWhy.NO_SERIAL), parked(ParkedWhy.NO_ORDER)
    await ledger.park((nameless, counted))
    assert (await desk.decide_parked("demo", nameless, accept(nameless))).accepted
    with pytest.raises(TemporalUnreachable):
        await desk.decide_parked("demo", counted, accept(counted))
    assert [item.item for item in await ledger.parked("demo")] == [counted.item]


async def test_an_act_on_a_stop_while_temporal_is_away_is_silence_not_a_refusal(desk: ConsoleDesk) -> None:
    actor = Actor(user="operator-1", role="operator", plant="demo")
    with pytest.raises(TemporalUnreachable):
        await desk.act_on_stop("demo", "line1", "s1", AcknowledgeStop(action_id="a", actor=actor))
