"""Each posting has its effect once in Tryton's own books, whatever is lost or killed on the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from erp.tryton.adapter import TrytonErp
from signals.documents import Snapshot
from signals.errors import ErpInDoubt, ErpUnavailable
from signals.transactions import CompleteOrder, ReceiveGoods, Reverse, StartOrder
from tests.tryton.conftest import TODAY, Books, Order, deliver, post, posting
from tests.tryton.wire_faults import FaultyWire
from workers.tryton_rpc import TrytonRefused
from workers.tryton_server import TrytonServer

ReadBooks = Callable[[], Awaitable[Books]]
MAKE_MOVES, MAKE_NOTE, RESERVE, DO = (
    "model.stock.move.create",
    "model.ir.note.create",
    "model.production.assign_try",
    "model.stock.move.do",
)


async def started(erp: TrytonErp, order: Order) -> None:
    began = datetime(2026, 3, 2, 6, tzinfo=UTC)
    await post(erp, posting(StartOrder(plant="demo", order=order.number, posting_date=TODAY, started_at=began)))


async def test_confirmation_is_in_doubt_and_then_found_when_the_answer_is_lost(
    connect: Callable[..., TrytonErp], wire: FaultyWire, order: Order, books: ReadBooks
) -> None:
    erp = connect(wire)
    await started(erp, order)
    intent = order.confirm("0010", 10, 2)
    wire.lose_answer(DO)
    with pytest.raises(ErpInDoubt):
        await post(erp, intent)
    found = (await erp.find(intent, Snapshot())).document
    assert found is not None and (found.key, found.yield_quantity, found.scrap_quantity) == (intent.key, 10, 2)
    assert await post(erp, intent) == found
    after = await books()
    assert (after.withdrawn(order.blank), len(after.standing)) == (12, 1)


async def test_confirmation_that_never_arrived_is_not_found_and_posted_once(
    connect: Callable[..., TrytonErp], wire: FaultyWire, order: Order, books: ReadBooks
) -> None:
    erp = connect(wire)
    await started(erp, order)
    intent = order.confirm("0010", 10)
    wire.lose_request(DO)
    with pytest.raises(ErpInDoubt):
        await post(erp, intent)
    assert (await erp.find(intent, Snapshot())).document is None
    assert (await books()).withdrawn(order.blank) == 0
    await post(erp, intent)
    after = await books()
    assert (after.withdrawn(order.blank), len(after.standing)) == (10, 1)


@pytest.mark.parametrize(
    ("method", "lost"), [(MAKE_MOVES, "answer"), (RESERVE, "answer"), (MAKE_NOTE, "answer"), (MAKE_NOTE, "request")]
)
async def test_preparation_that_was_cut_off_books_nothing_and_is_cleared_by_the_next_attempt(
    connect: Callable[..., TrytonErp], wire: FaultyWire, order: Order, books: ReadBooks, method: str, lost: str
) -> None:
    erp = connect(wire)
    await started(erp, order)
    intent = order.confirm("0010", 10)
    (wire.lose_answer if lost == "answer" else wire.lose_request)(method)
    with pytest.raises(ErpUnavailable):
        await post(erp, intent)
    assert wire.struck and (await erp.find(intent, Snapshot())).document is None
    await post(erp, intent)
    after = await books()
    assert (after.withdrawn(order.blank), after.stock(order.blank), len(after.standing)) == (10, 490, 1)


async def test_late_booking_of_an_earlier_attempt_is_refused_by_tryton(
    connect: Callable[..., TrytonErp], wire: FaultyWire, order: Order, running: TrytonServer, books: ReadBooks
) -> None:
    erp = connect(wire)
    await started(erp, order)
    intent = order.confirm("0010", 10)
    wire.lose_request(DO)
    with pytest.raises(ErpInDoubt):
        await post(erp, intent)
    admin = await running.admin()
    domain = [("production.number", "=", order.number), ("state", "=", "assigned")]
    early = [row["id"] for row in await admin.rows("stock.move", domain, ["state"])]
    await post(erp, intent)
    with pytest.raises(TrytonRefused):
        await admin.call(DO, early)
    assert (await books()).withdrawn(order.blank) == 10


async def test_late_booking_that_is_faster_than_the_next_attempt_is_found_by_it(
    connect: Callable[..., TrytonErp], wire: FaultyWire, order: Order, running: TrytonServer, books: ReadBooks
) -> None:
    erp = connect(wire)
    await started(erp, order)
    intent = order.confirm("0010", 10)
    wire.lose_request(DO)
    with pytest.raises(ErpInDoubt):
        await post(erp, intent)

    async def arrives_now() -> None:
        admin = await running.admin()
        domain = [("production.number", "=", order.number), ("state", "=", "assigned")]
        await admin.call(DO, [row["id"] for row in await admin.rows("stock.move", domain, ["state"])])

    wire.meanwhile(DO, arrives_now)
    assert (await post(erp, intent)).key == intent.key
    assert wire.struck
    after = await books()
    assert (after.withdrawn(order.blank), len(after.standing)) == (10, 1)


async def test_attempt_goes_on_where_the_one_before_was_ready_to_book(
    connect: Callable[..., TrytonErp], wire: FaultyWire, order: Order, books: ReadBooks
) -> None:
    erp = connect(wire)
    await started(erp, order)
    intent = order.confirm("0010", 10)

    def passed() -> None:
        raise ErpUnavailable("the request's deadline passed before its bytes left")

    with pytest.raises(ErpUnavailable):
        await erp.post(intent, passed)
    assert (await books()).withdrawn(order.blank) == 0
    calls_before = len(wire.calls)
    await post(erp, intent)
    assert wire.calls[calls_before:][2] == DO, "two reads, then the booking"
    assert (await books()).withdrawn(order.blank) == 10


@pytest.mark.parametrize("lost", ["request", "answer"])
async def test_confirmation_of_an_operation_that_moves_nothing_is_posted_once(
    connect: Callable[..., TrytonErp], wire: FaultyWire, running: TrytonServer, order: Order, books: ReadBooks,
    lost: str,
) -> None:  # fmt: skip
    erp = connect(wire)
    await started(erp, order)
    intent = order.confirm("0030", 0, final=True)
    (wire.lose_answer if lost == "answer" else wire.lose_request)(MAKE_NOTE)
    with pytest.raises(ErpInDoubt):
        await post(erp, intent)
    document = await deliver(erp, intent)
    assert document.final and document.key == intent.key
    after = await books()
    assert (len(after.standing), after.operation("0030")["final"]) == (1, True)


async def test_start_completion_and_receipt_are_done_once_when_the_answer_is_lost(
    connect: Callable[..., TrytonErp], wire: FaultyWire, order: Order, books: ReadBooks
) -> None:
    erp = connect(wire)
    began = datetime(2026, 3, 2, 6, tzinfo=UTC)
    wire.lose_answer("model.production.run")
    start = posting(StartOrder(plant="demo", order=order.number, posting_date=TODAY, started_at=began))
    await deliver(erp, start)
    assert wire.struck and (await books()).state == "running"

    receipt = posting(
        ReceiveGoods(
            plant="demo", order=order.number, posting_date=TODAY, material=order.made, quantity=Decimal(4), unit="PC"
        )
    )
    wire.lose_answer(DO)
    await deliver(erp, receipt)
    assert wire.struck and (await books()).received == 4

    for operation in ("0010", "0020", "0030"):
        await post(erp, order.confirm(operation, 0, final=True))
    wire.lose_answer("model.production.do")
    await deliver(erp, posting(CompleteOrder(plant="demo", order=order.number, posting_date=TODAY)))
    after = await books()
    assert wire.struck and (after.state, after.received, after.stock(order.made)) == ("done", 4, 4)


@pytest.mark.parametrize("lost", ["nothing", "request", "answer"])
async def test_reversal_nets_to_zero_in_trytons_own_moves_and_is_posted_once(
    connect: Callable[..., TrytonErp], wire: FaultyWire, order: Order, books: ReadBooks, lost: str
) -> None:
    erp = connect(wire)
    await started(erp, order)
    original = await post(erp, order.confirm("0030", 10, 1))
    assert (await books()).received == 10
    intent = posting(
        Reverse(
            plant="demo", order=order.number, operation="0030", posting_date=TODAY, document=original.document,
            text="counted twice",
        )
    )  # fmt: skip
    if lost != "nothing":
        (wire.lose_answer if lost == "answer" else wire.lose_request)("model.stock.move.cancel")
        with pytest.raises(ErpInDoubt):
            await post(erp, intent)
    reversal = await deliver(erp, intent)
    assert (reversal.reversal, reversal.key, reversal.yield_quantity) == (True, intent.key, 10)
    after = await books()
    assert (after.received, after.stock(order.made), after.standing) == (0, 0, [])
    documents = await erp.documents(order.number, "0030")
    assert sorted((d.reversed, d.reversal) for d in documents) == [(False, True), (True, False)]
    totals = {t.operation: (t.yield_quantity, t.scrap_quantity) for t in await erp.totals(order.number)}
    assert totals["0030"] == (0, 0)


@pytest.mark.parametrize(("method", "moment"), [(DO, "before"), (DO, "after"), (MAKE_NOTE, "after")])
async def test_confirmation_is_posted_once_when_tryton_is_killed(
    connect: Callable[..., TrytonErp], wire: FaultyWire, running: TrytonServer, order: Order, books: ReadBooks,
    method: str, moment: str,
) -> None:  # fmt: skip
    erp = connect(wire)
    await started(erp, order)
    intent = order.confirm("0010", 10, 1)
    (wire.before if moment == "before" else wire.after)(method, running.kill)
    document = await deliver(erp, intent, running)
    assert wire.struck and document.key == intent.key
    after = await books()
    assert (after.withdrawn(order.blank), after.stock(order.blank), len(after.standing)) == (11, 489, 1)


async def test_confirmation_is_posted_once_when_tryton_is_killed_in_the_middle_of_it(
    connect: Callable[..., TrytonErp], wire: FaultyWire, running: TrytonServer, order: Order, books: ReadBooks
) -> None:
    erp = connect(wire)
    await started(erp, order)
    intent = order.confirm("0010", 10, 1)
    killing: list[asyncio.Task[None]] = []

    def guard() -> None:
        killing.append(asyncio.get_running_loop().create_task(running.kill()))

    with pytest.raises((ErpInDoubt, ErpUnavailable)):
        await erp.post(intent, guard)
    await killing[0]
    await deliver(erp, intent, running)
    after = await books()
    assert (after.withdrawn(order.blank), after.stock(order.blank), len(after.standing)) == (11, 489, 1)
