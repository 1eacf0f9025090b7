"""Holds in the ledger: one hold per scope, a block at once, nothing lost at the last moment, history for ever."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from ledger.store import SqlLedger
from signals.errors import BadInput
from signals.holds import (
    HoldCause,
    HoldEvent,
    HoldReason,
    HoldRecord,
    HoldScope,
    HoldSearch,
    HoldState,
    HoldTrigger,
)
from signals.stock import MaterialPosition
from tests.ledger.examples import ORDER, PLANT, START


def trigger(name: str = "t1", **scope: Any) -> HoldTrigger:
    body: dict[str, Any] = {"line": "line-1", "order": ORDER, "operation": "0010", "material": "FRAME", **scope}
    return HoldTrigger(
        trigger=name,
        scope=HoldScope(plant=PLANT, **body),
        reason=HoldReason(reason=f"r-{name}", cause=HoldCause.LIMIT, text="force too high", found_at=START),
        quantity=Decimal(4),
        at=START,
    )


async def record_of(ledger: SqlLedger, hold: str) -> HoldRecord:
    found = await ledger.hold(PLANT, hold)
    assert found is not None
    return found


async def close(ledger: SqlLedger, hold: str, **changes: Any) -> bool:
    record = await record_of(ledger, hold)
    ended = {"state": HoldState.CLOSED, "revision": record.revision + 1, "closed_at": START, **changes}
    return await ledger.record_hold(record.model_copy(update=ended))


async def test_a_trigger_blocks_at_once_and_the_same_one_again_is_answered_alike(ledger: SqlLedger) -> None:
    first = await ledger.open_hold(trigger())
    assert (first.created, first.news) == (True, True)
    again = await ledger.open_hold(trigger())
    assert again == first.model_copy(update={"news": False})
    assert [b.hold for b in await ledger.blocks(PLANT, order=ORDER)] == [first.hold]
    record = await record_of(ledger, first.hold)
    assert (record.state, record.quantity, record.revision) == (HoldState.BLOCKED, Decimal(4), 0)
    assert len(await ledger.hold_triggers(PLANT, first.hold)) == 1


async def test_a_second_reason_for_one_scope_joins_the_open_hold_and_widens_the_block(ledger: SqlLedger) -> None:
    first = await ledger.open_hold(trigger("t1", since=START, serials=("S1",)))
    second = await ledger.open_hold(trigger("t2", since=START - timedelta(hours=1), serials=("S2",)))
    assert (second.hold, second.created, second.news) == (first.hold, False, True)
    block = (await ledger.blocks(PLANT))[0]
    assert block.scope.serials == ("S1", "S2") and block.scope.since == START - timedelta(hours=1)
    assert [t.trigger for t in await ledger.hold_triggers(PLANT, first.hold)] == ["t1", "t2"]
    assert [r.reason for r in (await record_of(ledger, first.hold)).reasons] == ["r-t1", "r-t2"]


async def test_a_hold_does_not_end_while_a_reason_is_in_the_ledger_that_it_does_not_know(ledger: SqlLedger) -> None:
    opened = await ledger.open_hold(trigger())
    await ledger.open_hold(trigger("t2", since=START))
    assert not await close(ledger, opened.hold, triggers=1)
    assert len(await ledger.blocks(PLANT)) == 1
    assert await close(ledger, opened.hold, triggers=2)
    assert await ledger.blocks(PLANT) == []


async def test_a_failure_after_the_end_opens_a_new_hold_that_names_the_old_one(ledger: SqlLedger) -> None:
    old = await ledger.open_hold(trigger())
    await close(ledger, old.hold, triggers=1)
    new = await ledger.open_hold(trigger("t2"))
    assert new.created and new.hold != old.hold and new.reopens == old.hold
    assert (await record_of(ledger, new.hold)).reopens == old.hold
    assert (await ledger.open_hold(trigger())).hold == old.hold, "the old trigger stays with the old hold"


async def test_the_end_of_a_deviation_narrows_the_block_and_opens_nothing_after_the_decision(
    ledger: SqlLedger,
) -> None:
    end = START + timedelta(minutes=9)
    first = await ledger.open_hold(trigger(since=START))
    over = trigger("t2", since=START, until=end).model_copy(update={"continues": "t1"})
    assert (await ledger.open_hold(over)).hold == first.hold
    assert (await ledger.blocks(PLANT))[0].scope.until == end
    await close(ledger, first.hold, triggers=2)
    later = trigger("t3", since=START, until=end).model_copy(update={"continues": "t1"})
    assert (await ledger.open_hold(later)).hold == first.hold
    assert await ledger.blocks(PLANT) == []


async def test_triggers_of_one_scope_at_the_same_moment_make_one_hold(ledger: SqlLedger) -> None:
    names = [f"t{n}" for n in range(6)]
    opened = await asyncio.gather(*(ledger.open_hold(trigger(n)) for n in (*names, *names)))
    assert len({o.hold for o in opened}) == 1
    assert sum(o.news for o in opened) == 6
    assert {o.created for o in opened if o.news} == {True, False}
    taken = await ledger.hold_triggers(PLANT, opened[0].hold)
    assert sorted(t.trigger for t in taken) == names


async def test_the_newer_revision_wins_and_no_history_entry_is_lost(ledger: SqlLedger) -> None:
    opened = await ledger.open_hold(trigger())
    record = await record_of(ledger, opened.hold)
    events = tuple(HoldEvent(number=n, at=START, what="comment", text=f"{n}", by="inspector-1") for n in range(1, 6))
    newer = record.model_copy(update={"revision": 5, "history": events[3:], "assigned_to": "inspector-1"})
    assert await ledger.record_hold(newer) and await ledger.record_hold(newer)
    older = record.model_copy(update={"revision": 3, "history": events[:4]})
    assert not await ledger.record_hold(older)
    kept = await record_of(ledger, opened.hold)
    assert kept.history == events and kept.assigned_to == "inspector-1"


async def test_blocks_are_found_by_what_is_asked_and_by_what_they_leave_open(ledger: SqlLedger) -> None:
    ours = await ledger.open_hold(trigger())
    lot = await ledger.open_hold(trigger("t2", line="", order="", operation="", material="BOLT", batch="L7"))
    assert [b.hold for b in await ledger.blocks(PLANT, material="BOLT", batch="L7")] == [lot.hold]
    assert await ledger.blocks(PLANT, material="BOLT", batch="L8") == []
    assert {b.hold for b in await ledger.blocks(PLANT, order=ORDER)} == {ours.hold, lot.hold}
    assert await ledger.blocks("south") == []


async def test_a_block_says_when_the_erp_keeps_the_stock_apart(ledger: SqlLedger) -> None:
    opened = await ledger.open_hold(trigger())
    record = await record_of(ledger, opened.hold)
    in_stock = {"revision": 1, "erp": "blocked", "position": MaterialPosition.UNRESTRICTED}
    await ledger.record_hold(record.model_copy(update=in_stock))
    assert (await ledger.blocks(PLANT))[0].separated


async def test_holds_are_listed_by_deadline_and_found_by_serial_and_role(ledger: SqlLedger) -> None:
    late = await ledger.open_hold(trigger("t1", batch="B1", serials=("S1",)))
    soon = await ledger.open_hold(trigger("t2", batch="B2"))
    never = await ledger.open_hold(trigger("t3", batch="B3"))
    for hold, hours in ((late.hold, 5), (soon.hold, 1)):
        record = await record_of(ledger, hold)
        due = {"revision": 1, "due_at": START + timedelta(hours=hours), "escalated_to": ("quality manager",)}
        await ledger.record_hold(record.model_copy(update=due))

    async def found(**search: Any) -> list[str]:
        return [r.hold for r in await ledger.holds(PLANT, HoldSearch(**search))]

    assert await found() == [soon.hold, late.hold, never.hold]
    assert await found(serial="S1") == [late.hold]
    assert await found(role="quality manager") == [soon.hold, late.hold]
    assert await found(batch="B2", order=ORDER) == [soon.hold]
    await close(ledger, soon.hold)
    assert await found(open_only=False) == [soon.hold, late.hold, never.hold]
    assert await found() == [late.hold, never.hold]


async def test_a_record_without_a_trigger_cannot_take_an_open_holds_scope(ledger: SqlLedger) -> None:
    opened = await ledger.open_hold(trigger())
    stray = (await record_of(ledger, opened.hold)).model_copy(update={"hold": "stray"})
    with pytest.raises(BadInput, match="another hold"):
        await ledger.record_hold(stray)
