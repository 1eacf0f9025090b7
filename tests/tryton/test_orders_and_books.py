"""What a whole order leaves in Tryton's own books, and how it is read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from erp.tryton.adapter import TrytonErp
from signals.errors import ErpRejected, Reason
from signals.orders import ErpOrderStatus
from signals.transactions import CompleteOrder, ComponentUse, IssueComponents, ReturnComponents, Reverse, StartOrder
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
    admin = await running.admin()
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
    admin = await running.admin()
    production = await admin.find("production", [("number", "=", order.number)])
    await admin.call("model.production.assign_try", [production])
    await admin.call("model.production.run", [production])
    with pytest.raises(ErpRejected, match="consumed its whole plan") as refused:
        await post(erp, order.confirm("0010", 10))
    assert refused.value.code == "run_by_hand"
    assert (await books()).withdrawn(order.blank) == 40


async def test_component_that_tryton_takes_from_two_bins_is_consumed_whole(
    erp: TrytonErp, order: Order, running: TrytonServer, books: ReadBooks
) -> None:
    admin = await running.admin()
    company = await admin.find("company.company", [])
    product = await admin.find("product.product", [("code", "=", order.blank)])
    shelf = await admin.find("stock.location", [("code", "=", "RM01")])
    counted = {shelf: 0.0}
    for code in ("BIN1", "BIN2"):
        place = {"name": code, "code": code, "type": "storage", "parent": shelf}
        counted[await admin.ensure("stock.location", [("code", "=", code)], place)] = 6.0
    for location, quantity in counted.items():
        lines = [["create", [{"product": product, "quantity": quantity}]]]
        inventory = await admin.create("stock.inventory", {"location": location, "company": company, "lines": lines})
        await admin.call("model.stock.inventory.confirm", [inventory])
    document = await erp.read_back(await post(erp, order.confirm("0010", 10)))
    assert sorted(m.quantity for m in document.goods_movements) == [4, 6]
    after = await books()
    assert (after.withdrawn(order.blank), after.stock(order.blank)) == (10, 2)


async def test_confirmation_of_a_finished_production_can_be_taken_back(
    erp: TrytonErp, order: Order, books: ReadBooks
) -> None:
    document = await post(erp, order.confirm("0030", 4, final=True))
    for operation in ("0010", "0020"):
        await post(erp, order.confirm(operation, 0, final=True))
    await post(erp, posting(CompleteOrder(plant="demo", order=order.number, posting_date=TODAY)))
    await post(erp, posting(Reverse(plant="demo", order=order.number, posting_date=TODAY, document=document.document)))
    after = await books()
    assert (after.state, after.received, after.stock(order.made)) == ("done", 0, 0)


async def test_hand_entries_in_tryton_are_listed_without_a_key_and_can_be_taken_back(
    erp: TrytonErp, order: Order, running: TrytonServer, books: ReadBooks
) -> None:
    early = await running.enter_by_hand(order.number, "0010", 3)
    await post(erp, order.confirm("0010", 5))
    late = await running.enter_by_hand(order.number, "0030", 2)
    (first,) = [d for d in await erp.documents(order.number, "0010") if d.key is None]
    assert (first.document, first.yield_quantity, first.entered_by) == (early, 3, "admin")
    (last,) = await erp.documents(order.number, "0030")
    assert (last.document, last.key, last.yield_quantity) == (late, None, 2)
    totals = {t.operation: t.yield_quantity for t in await erp.totals(order.number)}
    assert totals == {"0010": 8, "0020": 0, "0030": 2}
    seen = await books()
    assert (seen.withdrawn(order.blank), seen.operation("0010")["yield"], seen.received) == (8, "8", 2)

    await post(erp, posting(Reverse(plant="demo", order=order.number, posting_date=TODAY, document=early)))
    after = await books()
    assert (after.withdrawn(order.blank), after.operation("0010")["yield"]) == (5, "5")


async def test_tryton_s_questions_are_answered_where_they_were_decided_before(
    erp: TrytonErp, order: Order, running: TrytonServer, books: ReadBooks
) -> None:
    admin = await running.admin()
    (row,) = await admin.rows("production", [("number", "=", order.number)], ["bom"])
    await admin.call("model.production.bom.write", [row["bom"]], {"tolerance": 0.05})
    assert (await erp.read_order(order.number)).over_delivery_percent == 5
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    intent = order.confirm("0030", 4, final=True)
    ahead = intent.transaction.model_copy(update={"posting_date": tomorrow})
    await post(erp, intent.model_copy(update={"transaction": ahead}))
    for operation in ("0010", "0020"):
        await post(erp, order.confirm(operation, 0, final=True))
    await post(erp, posting(CompleteOrder(plant="demo", order=order.number, posting_date=TODAY)))
    after = await books()
    assert (after.state, after.received) == ("done", 4)


async def test_closed_period_is_told_as_such_and_books_nothing(
    erp: TrytonErp, order: Order, running: TrytonServer, books: ReadBooks
) -> None:
    admin = await running.admin()
    company = await admin.find("company.company", [])
    closed = date(2020, 12, 31)
    if not await admin.find("stock.period", [("date", "=", closed)]):
        period = await admin.create("stock.period", {"date": closed, "company": company})
        await admin.call("model.stock.period.close", [period])
    intent = order.confirm("0010", 4)
    late = intent.transaction.model_copy(update={"posting_date": date(2020, 6, 1)})
    with pytest.raises(ErpRejected) as refused:
        await post(erp, intent.model_copy(update={"transaction": late}))
    assert refused.value.reason is Reason.PERIOD_CLOSED
    assert (await books()).withdrawn(order.blank) == 0
    await post(erp, intent)
    assert (await books()).withdrawn(order.blank) == 4


async def test_loaded_lot_is_consumed_and_finished_pieces_get_theirs(
    erp: TrytonErp, order: Order, running: TrytonServer
) -> None:
    admin = await running.admin()
    admin.context["company"] = await admin.find("company.company", [])
    product = await admin.find("product.product", [("code", "=", order.blank)])
    lot = await admin.create("stock.lot", {"number": "L7", "product": product})
    location = await admin.find("stock.location", [("code", "=", "RM01")])
    counted = {"lines": [["create", [{"product": product, "lot": lot, "quantity": 20.0}]]]}
    inventory = await admin.create("stock.inventory", {"location": location, "company": 1, **counted})
    await admin.call("model.stock.inventory.confirm", [inventory])
    with pytest.raises(ErpRejected, match="no lot L8"):
        await post(erp, order.confirm("0010", 4, component_lot="L8"))
    used = await erp.read_back(await post(erp, order.confirm("0010", 4, component_lot="L7")))
    assert [(m.batch, m.quantity) for m in used.goods_movements] == [("L7", 4)]
    made = await erp.read_back(await post(erp, order.confirm("0030", 4, batch="B1")))
    assert [(m.batch, m.storage_location) for m in made.goods_movements] == [("B1", "FG01")]
    assert [line.quantity for line in await erp.stock(order.blank, "L7")] == [16]


async def test_stock_and_cost_are_read(erp: TrytonErp, order: Order) -> None:
    (line,) = await erp.stock(order.blank)
    assert (line.storage_location, line.quantity) == ("RM01", 500)
    cost = await erp.material_cost(order.blank)
    assert cost is not None and (cost.currency, cost.kind) == ("EUR", "moving average")
    assert await erp.stock("NO-SUCH") == []
