"""Parked items wait for one decision, and a second, different one is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ledger.store import SqlLedger
from signals.decisions import DecideParked
from signals.errors import BadInput
from signals.reports import ParkedItem, ParkedWhy
from tests.ledger.examples import LINE, ORDER, PLANT, START


def item(name: str, **changes: object) -> ParkedItem:
    return ParkedItem(
        item=name,
        plant=PLANT,
        line=LINE,
        order=ORDER,
        why=ParkedWhy.RUN_INCOMPLETE,
        detail="no program end",
        at=START,
        yield_quantity=Decimal("1.5"),
    ).model_copy(update=changes)


def decide(decision_id: str, name: str, accept: bool) -> DecideParked:
    return DecideParked(decision_id=decision_id, item=name, accept=accept, by="supervisor", reason="seen")


async def test_item_is_parked_once_and_filtered(ledger: SqlLedger) -> None:
    await ledger.park((item("a"), item("b", order="", line="line-2")))
    await ledger.park((item("a", detail="said otherwise"),))
    assert await ledger.parked(PLANT) == [item("a"), item("b", order="", line="line-2")]
    assert await ledger.parked(PLANT, order=ORDER) == [item("a")]
    assert [found.item for found in await ledger.parked(PLANT, line="line-2")] == ["b"]
    assert await ledger.parked("south") == []


async def test_decision_is_recorded_once(ledger: SqlLedger) -> None:
    await ledger.park((item("a"), item("b")))
    assert await ledger.decide_parked(PLANT, decide("d1", "a", True)) == item("a")
    assert await ledger.decide_parked(PLANT, decide("d1", "a", True)) == item("a")
    assert [found.item for found in await ledger.parked(PLANT)] == ["b"]
    assert len(await ledger.parked(PLANT, open_only=False)) == 2
    await ledger.park((item("a"),))
    assert [found.item for found in await ledger.parked(PLANT)] == ["b"]


async def test_unknown_item_is_none(ledger: SqlLedger) -> None:
    assert await ledger.decide_parked(PLANT, decide("d1", "nothing", True)) is None


async def test_second_different_decision_is_refused(ledger: SqlLedger) -> None:
    await ledger.park((item("a"), item("b")))
    await ledger.decide_parked(PLANT, decide("d1", "a", True))
    with pytest.raises(BadInput, match="accepted already"):
        await ledger.decide_parked(PLANT, decide("d2", "a", False))
    with pytest.raises(BadInput, match="accepted already"):
        await ledger.decide_parked(PLANT, decide("d3", "a", True))
    with pytest.raises(BadInput, match="another content"):
        await ledger.decide_parked(PLANT, decide("d1", "b", True))
    assert [found.item for found in await ledger.parked(PLANT)] == ["b"]
