"""What a whole order leaves in Tryton's own books, and how it is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from erp.tryton.adapter import TrytonErp
from signals.errors import ErpRejected
from signals.orders import ErpOrderStatus
from signals.transactions import CompleteOrder, ComponentUse, IssueComponents, ReturnComponents, StartOrder
from tests.tryton.conftest import TODAY, Books, Order, post, posting
from workers.tryton_server import TrytonServer

ReadBooks = Callable[[], Awaitable[Books]]
BEGAN = datetime(2026, 3, 2, 6, tzinfo=UTC)


async def test_order_is_read_with_works_components_and_receipt_of_the_last_operation(
    erp: TrytonErp, order: Order
) -> None:
    read = await erp.read_order(order.number)
    assert (read.material, read.quantity, read.unit) == (order.made, 40, "PC")
    assert read.status is ErpOrderStatus.RELEASED
    assert [(o.operation, o.work_centre, o.automatic_receipt) for o in read.operations] == [
        ("0010", "PRESS01", False),
        ("0020", "WELD01", False),
        ("0030", "INSP01", True),
    ]
    assert [(c.material, c.operation, c.required) for c in read.components] == [
        (order.blank, "0010", 40),
        (order.nut, "0020", 80),
    ]
    heads = {head.order: head for head in await erp.released_orders()}
    assert order.number in heads
    later = await erp.released_orders(heads[order.number].change_mark)
    assert order.number in {head.order for head in later}


async def test_whole_order_leaves_moves_and_states_that_agree_with_what_was_made(
    erp: TrytonErp, order: Order, books: ReadBooks
) -> None:
    await post(erp, posting(StartOrder(plant="demo", order=order.number, posting_date=TODAY, started_at=BEGAN)))
    assert (await books()).state == "running"
    made = {"0010": (39, 1), "0020": (38, 1), "0030": (37, 1)}
    for operation, (good, scrap) in made.items():
        first = order.confirm(operation, 10, started_at=BEGAN, ended_at=BEGAN + timedelta(minutes=5))
        await post(erp, first)
        last = order.confirm(
            operation, good - 10, scrap, final=True, reason="SCRATCH", started_at=BEGAN, ended_at=BEGAN
        )
        expected = await erp.expected_movements(last)
        document = await erp.read_back(await post(erp, last))
        assert sorted(map(str, document.goods_movements), key=_without_number) and len(expected) == len(
            document.goods_movements
        )
    await post(erp, posting(CompleteOrder(plant="demo", order=order.number, posting_date=TODAY)))

    after = await books()
    assert after.state == "done"
    assert {o["operation"]: (o["yield"], o["scrap"], o["final"], o["state"]) for o in after.order["operations"]} == {
        "0010": ("39", "1", True, "done"),
        "0020": ("38", "1", True, "done"),
        "0030": ("37", "1", True, "done"),
    }
    assert (after.withdrawn(order.blank), after.withdrawn(order.nut), after.received) == (40, 78, 37)
    assert (after.stock(order.blank), after.stock(order.nut), after.stock(order.made)) == (460, 4922, 37)
    assert len(after.standing) == 6 and len({d["key"] for d in after.standing}) == 6
    totals = {t.operation: t for t in await erp.totals(order.number)}
    assert (totals["0030"].yield_quantity, totals["0030"].scrap_quantity, totals["0030"].final) == (37, 1, True)
    assert (await erp.read_order(order.number)).status is ErpOrderStatus.TECHNICALLY_COMPLETE


def _without_number(text: str) -> str:
    return text.split("material=", 1)[-1]


async def test_running_order_keeps_its_open_plan_in_tryton_and_its_order_data(
    erp: TrytonErp, order: Order, running: TrytonServer, books: ReadBooks
) -> None:
    before = await erp.read_order(order.number)
    await post(erp, order.confirm("0010", 10))
    after = await erp.read_order(order.number)
    assert [(c.required, c.withdrawn) for c in after.components] == [(40, 10), (80, 0)]
    assert [c.required for c in before.components] == [c.required for c in after.components]
    async with running.admin() as admin:
        rows = await admin.rows(
            "stock.move",
            [("production.number", "=", order.number), ("state", "=", "draft")],
            ["product.code", "quantity"],
        )
    assert {row["product.code"]: row["quantity"] for row in rows} == {order.blank: 30, order.nut: 80, order.made: 40}
    assert (await books()).withdrawn(order.blank) == 10


async def test_components_are_issued_and_returned_beside_confirmations(
    erp: TrytonErp, order: Order, books: ReadBooks
) -> None:
    lines = (ComponentUse(material=order.nut, quantity=Decimal(7), unit="PC"),)
    issue = posting(IssueComponents(plant="demo", order=order.number, posting_date=TODAY, lines=lines))
    document = await erp.read_back(await post(erp, issue))
    assert [(m.movement_type, m.quantity) for m in document.goods_movements] == [("input", 7)]
    assert (await books()).stock(order.nut) == 4993
    back = posting(ReturnComponents(plant="demo", order=order.number, posting_date=TODAY, lines=lines))
    await post(erp, back)
    after = await books()
    assert (after.stock(order.nut), after.withdrawn(order.nut)) == (5000, 0)
    assert await erp.documents(order.number, "") == []


async def test_order_of_which_nothing_was_made_is_cancelled(erp: TrytonErp, order: Order, books: ReadBooks) -> None:
    intent = posting(CompleteOrder(plant="demo", order=order.number, posting_date=TODAY))
    await post(erp, intent)
    assert (await books()).state == "cancelled"
    assert await post(erp, intent) == await post(erp, intent)


async def test_short_stock_is_refused_and_leaves_nothing_reserved(
    erp: TrytonErp, order: Order, running: TrytonServer, books: ReadBooks
) -> None:
    await running.seed(SeedOnlyStock.of(order, blanks=3))
    intent = order.confirm("0010", 10)
    with pytest.raises(ErpRejected, match="short of") as refused:
        await post(erp, intent)
    assert refused.value.code == "stock_short"
    before = await books()
    assert before.withdrawn(order.blank) == 0 and before.standing == []
    await running.seed(SeedOnlyStock.of(order, blanks=100))
    await post(erp, intent)
    after = await books()
    assert (after.stock(order.blank), len(after.standing)) == (90, 1)


class SeedOnlyStock:
    """The stock rows of an order's seed."""

    @staticmethod
    def of(order: Order, blanks: int):
        return order.seed(blanks=blanks).model_copy(update={"orders": ()})


async def test_production_that_somebody_ran_in_tryton_is_refused_instead_of_consumed_twice(
    erp: TrytonErp, order: Order, running: TrytonServer, books: ReadBooks
) -> None:
    async with running.admin() as admin:
        production = await admin.find("production", [("number", "=", order.number)])
        await admin.call("model.production.assign_try", [production])
        await admin.call("model.production.run", [production])
    with pytest.raises(ErpRejected, match="consumed its whole plan") as refused:
        await post(erp, order.confirm("0010", 10))
    assert refused.value.code == "run_by_hand"
    assert (await books()).withdrawn(order.blank) == 40


async def test_hand_entry_in_tryton_is_listed_without_a_key(
    erp: TrytonErp, order: Order, running: TrytonServer
) -> None:
    await post(erp, order.confirm("0010", 5))
    async with running.admin() as admin:
        (row,) = await admin.rows("production", [("number", "=", order.number)], ["outputs", "company"])
        planned = [m for m in row["outputs"]]
        await admin.call("model.stock.move.write", planned, {"quantity": 2.0})
        await admin.call("model.stock.move.do", planned)
    (entry,) = await erp.documents(order.number, "0030")
    assert (entry.key, entry.yield_quantity, entry.entered_by) == (None, 2, "admin")
    totals = {t.operation: t.yield_quantity for t in await erp.totals(order.number)}
    assert totals["0030"] == 2


async def test_stock_and_cost_are_read(erp: TrytonErp, order: Order) -> None:
    (line,) = await erp.stock(order.blank)
    assert (line.storage_location, line.quantity) == ("RM01", 500)
    cost = await erp.material_cost(order.blank)
    assert cost is not None and (cost.currency, cost.kind) == ("EUR", "moving average")
    assert await erp.stock("NO-SUCH") == []
