"""Orders are taken in once and loaded whole and fast; a trace leads from events to documents."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path

from sqlalchemy import event as sqlalchemy_event

from ledger.connect import open_ledger
from ledger.store import SqlLedger
from signals.documents import PostingState
from tests.ledger.examples import ORDER, PLANT, document, event, hand_entry, order, posting, record, report


async def test_order_is_taken_in_once_and_refreshed(ledger: SqlLedger) -> None:
    assert await ledger.take_order(order())
    assert not await ledger.take_order(order(quantity=Decimal("120.5")))
    await ledger.set_phase(PLANT, ORDER, "running")
    loaded = await ledger.load_order(PLANT, ORDER)
    assert loaded.order == order(quantity=Decimal("120.5"))
    assert loaded.phase == "running"
    await ledger.take_order(order(quantity=Decimal(130)))
    assert (await ledger.load_order(PLANT, ORDER)).phase == "running"


async def test_phase_of_an_order_not_taken_in_is_kept_for_it(ledger: SqlLedger) -> None:
    await ledger.set_phase(PLANT, ORDER, "ready")
    assert await ledger.orders(PLANT) == []
    assert await ledger.take_order(order())
    assert (await ledger.load_order(PLANT, ORDER)).phase == "ready"


async def test_orders_lists_all_without_messages(ledger: SqlLedger) -> None:
    await ledger.take_order(order("2000002"))
    await ledger.take_order(order())
    await ledger.record_line(record(1, report("r1", 1)))
    await ledger.claim(posting("r1"))
    await ledger.mark_outcome(posting("r1").key, state=PostingState.POSTED, document=document("100/1"))
    case = await ledger.open_case(hand_entry())
    first, second = await ledger.orders(PLANT)
    assert (first.order, second.order) == (order(), order("2000002"))
    assert first.messages == ()
    assert [total.yield_quantity for total in first.totals] == [Decimal(10)]
    assert first.open_cases == (case,)
    assert (second.totals, second.postings, second.open_cases) == ((), (), ())


async def test_trace_leads_from_events_to_documents(ledger: SqlLedger) -> None:
    await ledger.take_order(order())
    mine, again, other = report("r1", 1, events=("e1", "e2")), report("r2", 2, events=("e2", "e3")), event(9, "other")
    await ledger.record_line(record(1, mine, again, events=(event(2, "e2"), event(1, "e1"), event(3, "e3"), other)))
    await ledger.claim(posting("r1"))
    await ledger.mark_outcome(posting("r1").key, state=PostingState.POSTED, document=document("100/1"))
    case = await ledger.open_case(hand_entry())
    await ledger.close_case(PLANT, case.case_id, "gone")
    trace = await ledger.trace(PLANT, ORDER)
    # e3 belongs to the parked overlap: left over, but still evidence of this order.
    assert [found.event for found in trace.events] == [event(1, "e1")[1], event(2, "e2")[1], event(3, "e3")[1]]
    assert {found.source for found in trace.events} == {"edge"}
    assert trace.messages == (mine,)
    assert [found.key for found in trace.postings] == [posting("r1").key]
    assert [(found.document, found.key) for found in trace.documents] == [("100/1", posting("r1").key)]
    assert trace.cases == (case,)
    assert len(trace.parked) == 1


async def test_trace_of_an_unknown_order_is_empty(ledger: SqlLedger) -> None:
    trace = await ledger.trace(PLANT, "nothing")
    assert trace.order is None
    assert (trace.messages, trace.events, trace.postings) == ((), (), ())


async def test_trace_and_load_use_indexes_only(tmp_path: Path) -> None:
    ledger = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    await ledger.record_line(record(1, report("r1", 1, events=("e1",)), events=(event(1, "e1"),)))
    await ledger.record_line(record(2, report("r2", 2, events=("e1", "e2")), events=(event(2, "e2"),)))
    asked: list[tuple[str, tuple[object, ...]]] = []
    engine = ledger._db.engine.sync_engine
    sqlalchemy_event.listen(
        engine, "before_cursor_execute", lambda *args: asked.append((args[2], args[3])) if args[2][0] == "S" else None
    )
    await ledger.trace(PLANT, ORDER)
    await ledger.load_order(PLANT, ORDER)
    questions = list(asked)
    async with ledger._db.read() as session:
        connection = await session.connection()
        for statement, values in questions:
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
            assert not [step for step in plan if step.detail.startswith("SCAN")], statement
    await ledger.close()
    assert len(questions) > 10


async def test_order_of_five_thousand_reports_loads_and_claims_fast(ledger: SqlLedger) -> None:
    reports = [report(f"r{n}", n, events=(f"e{n}",), ranges=((n, n),), yielded="1") for n in range(1, 5001)]
    await ledger.record_line(record(1, *reports))
    names = tuple(message.report.report_id for message in reports if message.report)
    assert (await ledger.claim(posting(*names))).posting is not None
    started = time.perf_counter()
    loaded = await ledger.load_order(PLANT, ORDER)
    seconds = time.perf_counter() - started
    assert (len(loaded.messages), len(loaded.claimed_report_ids)) == (5000, 5000)
    assert seconds < 2.0, f"loading took {seconds:.2f} s"
    answer = await ledger.claim(posting(*names, "one more"))
    assert answer.rest == ("one more",)
