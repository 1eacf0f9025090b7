"""What each booking leaves in SAP's books beside its quantity: routes, lots, serial numbers, reasons, what follows."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio

from erp.sap import SapErp
from erp.sap.inspections import MOVEMENTS, STOCK_TYPES
from erp.sap.steps import COMPLETION
from signals.bookings import ActivityAmount, ComponentUse, StockKind
from signals.errors import ErpRejected, Reason
from signals.orders import ErpOrderStatus
from signals.quality import CharacteristicResult, DispositionKind, RecordInspection
from signals.stock import IssueComponents, MaterialPosition, PlaceHold, ReceiveGoods, ReleaseHold
from signals.transactions import ConfirmProduction, Reverse, StartOrder, Transaction
from signals.upkeep import CloseDowntime
from tests.erp import scenes
from tests.erp.conftest import PASSWORD, USER, book, look
from tests.erp.scenes import OPTIONS, Scene, common, intent_of, seed

_tags = itertools.count(8_000_001)


@pytest_asyncio.fixture
async def erp(sap) -> AsyncIterator[SapErp]:
    adapter = sap.adapter(sap=OPTIONS)
    yield adapter
    await adapter.aclose()


@pytest.fixture
def tag() -> str:
    return str(next(_tags))


@pytest_asyncio.fixture
async def scene(sap, erp, tag) -> Scene:
    await seed(sap, tag)
    return Scene(sap, erp, tag)


@pytest_asyncio.fixture
async def inspected(sap, erp, tag) -> Scene:
    await seed(sap, tag, inspected=True)
    return Scene(sap, erp, tag)


def never() -> None:
    raise AssertionError("nothing may be sent")


async def refused(erp: SapErp, transaction: Transaction) -> ErpRejected:
    with pytest.raises(ErpRejected) as raised:
        await erp.post(intent_of(transaction), lambda: None)
    return raised.value


async def stock(scene: Scene, letter: str) -> dict[tuple[str, str, str], str]:
    """Of one of the scene's materials, by storage location, batch and stock type."""
    return {key[1:]: quantity for key, quantity in (await scene.effect())["stock"].items() if key[0] == letter}


async def movements(scene: Scene, letter: str) -> list[dict[str, Any]]:
    """Lines of material documents of one of the scene's materials."""
    documents = [d for d in (await scene.sap.books())["documents"] if d["kind"] == "material_document"]
    return [m for d in documents for m in d["goods_movements"] if m["material"] == f"{letter}{scene.tag}"]


# --- start and confirmation ------------------------------------------------------------------------------------------


async def test_an_order_starts_without_a_posting_and_one_that_is_not_released_is_refused(sap, erp, tag):
    await seed(sap, tag, status=["CRTD"])
    start = StartOrder(**common(tag), started_at=datetime(2026, 11, 22, 6, tzinfo=UTC))
    with pytest.raises(ErpRejected) as raised:
        await erp.post(intent_of(start), never)
    assert (raised.value.code, raised.value.reason) == ("order_not_released", Reason.ORDER_STATUS)
    assert "is created in SAP" in str(raised.value)
    await seed(sap, f"{tag}1")
    released = await erp.post(intent_of(start.model_copy(update={"order": f"{tag}1"})), never)
    assert released.document is not None


async def test_all_activity_slots_are_confirmed_and_time_alone_moves_nothing(scene, erp):
    amounts = (
        ActivityAmount(slot=1, amount=Decimal("2.5"), unit="MIN"),
        ActivityAmount(slot=2, amount=Decimal(4), unit="MIN"),
    )
    production = ConfirmProduction(
        **common(scene.tag), operation="0010", yield_quantity=Decimal(5), unit="PC", activities=amounts
    )
    await scene.act(production)
    before = await scene.effect()
    time = scenes.ReportTime(**common(scene.tag), operation="0010", activities=amounts)
    document = await book(erp, intent_of(time))
    after = await scene.effect()
    assert before["operations"][0] == ("5", "0", [("1", "2.5"), ("2", "4")])
    assert after["operations"][0] == ("5", "0", [("1", "5"), ("2", "8")])
    assert (after["stock"], after["withdrawn"]) == (before["stock"], before["withdrawn"])
    assert (await erp.read_back(document)).goods_movements == ()


async def test_serial_numbers_are_received_apart_from_their_confirmation(sap, erp, tag):
    await seed(sap, tag)
    await sap.seed(materials={f"F{tag}": {"serial_managed": True}})
    scene = Scene(sap, erp, tag)
    confirmation = ConfirmProduction(
        **common(tag), operation="0020", yield_quantity=Decimal(2), unit="PC", serials=("SN1", "SN2")
    )
    intent = intent_of(confirmation)
    expected = await erp.expected_movements(intent)
    assert (await erp.read_back(await book(erp, intent))).goods_movements == ()
    assert expected == []
    first, again = await erp.follow_ups(intent), await erp.follow_ups(intent)
    assert first == again
    (receipt,) = first
    assert isinstance(receipt, ReceiveGoods)
    await scene.act(receipt)
    (line,) = await movements(scene, "F")
    assert (line["movement_type"], line["quantity"], line["serials"]) == ("101", "2", ["SN1", "SN2"])
    assert (await scene.effect())["received"] == ["2"]


@pytest.mark.parametrize(("kind", "stock_type"), [(StockKind.BLOCKED, "07"), (StockKind.INSPECTION, "02")])
async def test_the_automatic_receipt_of_a_held_scope_goes_where_the_hold_wants_it(scene, erp, kind, stock_type):
    confirmation = ConfirmProduction(
        **common(scene.tag), operation="0020", yield_quantity=Decimal(4), unit="PC", receipt_stock=kind
    )
    intent = intent_of(confirmation)
    expected = await erp.expected_movements(intent)
    document = await erp.read_back(await book(erp, intent))
    assert await stock(scene, "F") == {("FG01", "", stock_type): "4"}
    assert [(m.material, m.quantity) for m in document.goods_movements] == [(m.material, m.quantity) for m in expected]


async def test_a_confirmation_without_serial_numbers_has_nothing_that_follows(scene, erp):
    assert await erp.follow_ups(intent_of(await scenes.confirm(scene))) == []


# --- goods -----------------------------------------------------------------------------------------------------------


async def test_an_issue_names_lots_serial_numbers_and_reservation(sap, erp, tag):
    line = {"unit": "PC", "operation": "0010", "storage_location": "FG01", "backflush": False, "required": "9"}
    components = [{**line, "material": f"L{tag}", "batch_managed": True}, {**line, "material": f"S{tag}"}]
    await seed(sap, tag, components=components)
    scene = Scene(sap, erp, tag)
    known = (await erp.read_order(tag)).components
    uses = [
        ComponentUse(
            material=c.material,
            quantity=Decimal(2),
            unit="PC",
            storage_location="FG01",
            reservation=c.reservation,
            reservation_item=c.reservation_item,
            batch="LOT1" if c.material.startswith("L") else "",
            serials=("1", "3") if c.material.startswith("S") else (),
        )
        for c in known
    ]
    intent = intent_of(IssueComponents(**common(tag), operation="0010", lines=tuple(uses)))
    document = await book(erp, intent)
    moved = await movements(scene, "L") + await movements(scene, "S")
    assert [(m["batch"], m["serials"], m["reservation_item"]) for m in moved] == [
        ("LOT1", [], "1"),
        ("", ["1", "3"], "2"),
    ]
    assert (await scene.effect())["withdrawn"] == ["2", "2"]
    assert [(m.material, m.quantity) for m in document.goods_movements] == [
        (m.material, m.quantity) for m in await erp.expected_movements(intent)
    ]


async def test_a_receipt_goes_to_its_stock_and_a_co_product_to_its_own_order_item(sap, erp, tag):
    items = [{"material": f"F{tag}"}, {"material": f"G{tag}", "planned": "20"}]
    await seed(sap, tag, items=items)
    scene = Scene(sap, erp, tag)
    await scene.act(scene.receipt(quantity=3, stock=StockKind.BLOCKED))
    await scene.act(scene.receipt(quantity=4, material=f"G{tag}", item="2"))
    assert await stock(scene, "F") == {("FG01", "", "07"): "3"}
    assert await stock(scene, "G") == {("FG01", "", "01"): "4"}
    assert (await scene.effect())["received"] == ["3", "4"]


async def test_a_reversal_is_found_beside_its_original_where_no_key_can_be_searched(sap, scene, erp):
    await sap.fault("key_not_searchable")
    confirmation = await scenes.confirm(scene)
    document = await book(erp, intent_of(confirmation))
    reverse = intent_of(Reverse(**common(""), document=document.document, original=confirmation))
    assert await look(erp, reverse) is None
    reversal = await book(erp, reverse)
    found = await look(erp, reverse)
    assert found is not None
    assert (found.document, found.reversal) == (reversal.document, True)


async def test_a_material_document_of_a_confirmation_goes_only_with_the_confirmation(scene, erp):
    confirmation = ConfirmProduction(**common(scene.tag), operation="0020", yield_quantity=Decimal(2), unit="PC")
    document = await erp.read_back(await book(erp, intent_of(confirmation)))
    automatic = document.goods_movements[0].material_document
    reverse = Reverse(**common(scene.tag), document=automatic, original=scene.receipt(quantity=2))
    error = await refused(erp, reverse)
    assert (error.code, error.reason) == ("hangs_on_confirmation", Reason.REVERSAL)
    assert document.document.split("/")[0] in str(error)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"material": "no-such-material"}, Reason.MASTER_DATA),
        ({"quantity": Decimal(5000)}, Reason.STOCK_SHORT),
    ],
)
async def test_a_refusal_says_its_class_whatever_container_sap_puts_it_in(scene, erp, change, reason):
    move = (await scenes.move(scene)).model_copy(update=change)
    assert (await refused(erp, move)).reason is reason


async def test_a_closed_period_and_a_receipt_beyond_tolerance_have_their_own_classes(sap, scene, erp):
    assert (await refused(erp, scene.receipt(quantity=500))).reason is Reason.TOLERANCE
    await sap.settings(open_periods=["2026-10"])
    assert (await refused(erp, scene.receipt())).reason is Reason.PERIOD_CLOSED
    assert (await refused(erp, await scenes.confirm(scene))).reason is Reason.PERIOD_CLOSED


# --- holds -----------------------------------------------------------------------------------------------------------


async def test_a_hold_of_unrestricted_stock_goes_to_blocked_with_its_reason_and_back(scene, erp):
    await scene.act(await scenes.hold(scene))
    assert await stock(scene, "X") == {("FG01", "", "01"): "31", ("FG01", "", "07"): "9"}
    assert [m["reason"].zfill(4) for m in await movements(scene, "X")] == ["0007"]
    await scene.act(ReleaseHold(**scenes.held(scene)))
    assert await stock(scene, "X") == {("FG01", "", "01"): "40"}


async def test_a_batch_is_restricted_wherever_it_lies_and_a_hold_of_it_by_344_is_refused(scene, erp):
    wrong = scenes.held(scene, material=f"L{scene.tag}", batch="LOT1", quantity=Decimal(3))
    assert (await refused(erp, PlaceHold(**wrong))).reason is Reason.RULE
    await scene.act(await scenes.hold_batch(scene))
    assert await stock(scene, "L") == {("FG01", "LOT1", "08"): "30", ("FG02", "LOT1", "08"): "12"}
    kinds = {line.kind for line in await erp.stock(f"L{scene.tag}", "LOT1")}
    assert kinds == {StockKind.BLOCKED}


async def test_a_batch_without_stock_cannot_be_restricted(scene, erp):
    hold = PlaceHold(**scenes.held_batch(scene) | {"batch": "LOT9"})
    error = await refused(erp, hold)
    assert (error.code, error.reason) == ("batch_stock_not_found", Reason.STOCK_SHORT)


async def test_in_inspection_the_decision_is_withheld_and_nothing_is_sent(inspected, erp):
    lot = await inspected.lot()
    where = scenes.held(
        inspected, material=inspected.material, position=MaterialPosition.IN_INSPECTION, inspection_lot=lot
    )
    placed = intent_of(PlaceHold(**where))
    assert (await erp.post(placed, never)).document is not None
    assert await look(erp, placed) is not None
    assert (await refused(erp, ReleaseHold(**where))).code == "sap-release-inspection/1"
    await inspected.act(scenes.decision(inspected, lot))
    assert await look(erp, placed) is None
    assert (await refused(erp, PlaceHold(**where))).code == "inspection_lot_decided"


@pytest.mark.parametrize(
    ("position", "rule"),
    [(MaterialPosition.IN_WORK, "sap-hold-in-work/1"), (MaterialPosition.CONSUMED, "sap-hold-consumed/1")],
)
async def test_what_has_no_stock_to_block_is_refused_by_a_named_rule(scene, erp, position, rule):
    hold = PlaceHold(**scenes.held(scene, position=position))
    assert (await erp.check(intent_of(hold))).startswith(f"{rule}: ")
    error = await refused(erp, hold)
    assert (error.code, error.reason) == (rule, Reason.RULE)


# --- quality ---------------------------------------------------------------------------------------------------------


async def test_a_decision_is_followed_by_one_stock_posting_for_each_quantity(inspected, erp):
    intent = intent_of(scenes.decision(inspected, await inspected.lot()))
    following = await erp.follow_ups(intent)
    assert following == await erp.follow_ups(intent)
    await book(erp, intent)
    for step in following:
        assert await erp.follow_ups(intent_of(step)) == []
        await inspected.act(step)
    effect = await inspected.effect()
    assert effect["lots"][0][:4] == ("8", "2", "0", "A")
    assert await stock(inspected, "F") == {("FG01", "", "01"): "8", ("FG01", "", "07"): "2"}


async def test_somebody_elses_decision_is_not_ours_and_stands(inspected, erp):
    lot = await inspected.lot()
    await inspected.act(scenes.decision(inspected, lot, code="reject"))
    ours = intent_of(scenes.decision(inspected, lot))
    assert await look(erp, ours) is None
    assert (await refused(erp, ours.transaction)).code == "inspection_lot_decided"
    assert (await inspected.effect())["lots"][0][3] == "R"


async def test_each_characteristic_is_a_posting_of_its_own_with_its_own_key(inspected, erp):
    await inspected.lot()
    record = RecordInspection(
        **common(inspected.tag),
        inspection=f"I{inspected.tag}",
        material=inspected.material,
        results=(
            CharacteristicResult(characteristic="width", value="10.2", passed=True),
            CharacteristicResult(characteristic="20", value="LOOK/OK", passed=True),
        ),
    )
    intent = intent_of(record)
    await book(erp, intent)
    (second,) = await erp.follow_ups(intent)
    assert isinstance(second, RecordInspection)
    assert [r.characteristic for r in second.results] == ["20"]
    assert await look(erp, intent_of(second)) is None
    await inspected.act(second)
    assert [c for c, _ in (await inspected.effect())["lots"][0][4]] == ["10", "20"]


async def test_a_characteristic_or_lot_that_sap_does_not_have_is_named(inspected, erp):
    lot = await inspected.lot()
    result = (CharacteristicResult(characteristic="colour", value="1", passed=True),)
    fields = common(inspected.tag) | {"inspection": "I", "material": inspected.material, "results": result}
    error = await refused(erp, RecordInspection(**fields, inspection_lot=lot))
    assert (error.code, error.reason) == ("characteristic_not_found", Reason.MASTER_DATA)
    assert "'colour'" in str(error)
    nowhere = RecordInspection(**fields | {"order": "", "material": "nothing"})
    assert (await refused(erp, nowhere)).code == "inspection_lot_not_found"


# --- downtime and capacity -------------------------------------------------------------------------------------------


async def test_malfunction_times_are_written_in_the_erps_zone(sap, scene):
    await sap.settings(time_zone="Europe/Berlin")
    berlin = sap.adapter(zone="Europe/Berlin", sap=OPTIONS)
    local = Scene(sap, berlin, scene.tag)
    await local.act(await scenes.close_downtime(local))
    ((kind, down, started, ended, phase),) = (await local.effect())["notifications"]
    assert (kind, down, phase) == ("M2", True, "outstanding")
    assert (started, ended) == ("2026-11-22T07:03:00Z", "2026-11-22T09:41:07Z")
    await sap.settings(time_zone="UTC")
    await berlin.aclose()


async def test_completing_a_notification_is_a_posting_that_follows_its_end(scene, erp):
    ending = await scenes.close_downtime(scene)
    intent = intent_of(ending.model_copy(update={"complete": True, "text": "bearing changed"}))
    await book(erp, intent)
    assert (await scene.effect())["notifications"][0][4] == "outstanding"
    (completion,) = await erp.follow_ups(intent)
    assert isinstance(completion, CloseDowntime)
    assert completion.text == f"{COMPLETION} bearing changed"
    await scene.act(completion)
    assert (await scene.effect())["notifications"][0][4] == "completed"
    assert await erp.follow_ups(intent_of(completion)) == []
    assert await erp.follow_ups(intent_of(ending)) == []


async def test_an_end_in_the_hour_that_the_clock_repeats_is_found(sap, scene):
    await sap.settings(time_zone="Europe/Berlin")
    berlin = sap.adapter(zone="Europe/Berlin", sap=OPTIONS)
    local = Scene(sap, berlin, scene.tag)
    ending = await scenes.close_downtime(local)
    night = {
        "started_at": datetime(2026, 10, 24, 20, tzinfo=UTC),
        "ended_at": datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    }
    notification = (await local.act(scenes.stop(local).model_copy(update={"started_at": night["started_at"]}))).document
    intent = intent_of(ending.model_copy(update=night | {"notification": notification}))
    await book(berlin, intent)
    assert await look(berlin, intent) is not None
    await berlin.aclose()


async def test_an_end_that_maintenance_has_written_stands(scene, erp):
    ending = await scenes.close_downtime(scene)
    await scene.act(ending.model_copy(update={"ended_at": datetime(2026, 11, 22, 8, tzinfo=UTC)}))
    error = await refused(erp, ending)
    assert (error.code, error.reason) == ("malfunction_end_set", Reason.RULE)
    assert (await scene.effect())["notifications"][0][3] == "2026-11-22T08:00:00Z"


async def test_a_capacity_interval_that_somebody_changed_since_is_not_deleted(sap, scene, erp):
    change = await scenes.capacity(scene)
    document = await book(erp, intent_of(change))
    assert (await scene.effect())["capacity"] == [("2026-12-01", "2026-12-02", 2, "40")]
    await edit_interval(sap, document.document)
    reverse = Reverse(**common(""), document=document.document, original=change)
    error = await refused(erp, reverse)
    assert (error.code, error.reason) == ("capacity_changed_since", Reason.REVERSAL)
    assert (await scene.effect())["capacity"] == [("2026-12-01", "2026-12-02", 1, "40")]


async def edit_interval(sap: Any, document: str) -> None:
    """A planner takes one of the two machines out, in the ERP."""
    centre, kind, capacity, version, end = document.partition("@")[0].split("/")
    root = f"{sap.url}/sap/opu/odata4/sap/api_work_center/srvd_a2x/sap/workcenter/0001"
    path = (
        f"WorkCenterCapacityInterval(WorkCenterInternalID='{centre}',WorkCenterTypeCode='{kind}',"
        f"CapacityInternalID='{capacity}',CapacityActiveVersion='{version}',IntervalEndDate={end})"
    )
    login, accept = (USER, PASSWORD), {"accept": "application/json"}
    read = await sap.control.get(f"{root}/{path}", auth=login, headers=accept | {"x-csrf-token": "Fetch"})
    headers = accept | {"x-csrf-token": read.headers["x-csrf-token"], "if-match": read.headers["etag"]}
    body = {"CapacityNumberOfCapacities": 1}
    answer = await sap.control.patch(f"{root}/{path}", auth=login, headers=headers, json=body)
    assert answer.is_success, answer.text
    sap.control.cookies.clear()


async def test_what_was_there_before_us_is_adopted_and_never_taken_back(scene, erp):
    change, hold = await scenes.capacity(scene), await scenes.hold_batch(scene)
    await scene.act(change)
    await scene.act(hold)
    before = await scene.effect()
    for transaction, code in ((change, "capacity_not_ours"), (hold, "hold_not_ours")):
        found = await look(erp, intent_of(transaction))
        assert found is not None
        reverse = Reverse(**common(""), document=found.document, original=transaction)
        assert (await refused(erp, reverse)).code == code
    assert await scene.effect() == before


async def test_an_interval_that_overlaps_another_is_refused_by_sap(scene, erp):
    change = await scenes.capacity(scene)
    await scene.act(change)
    overlapping = change.model_copy(update={"ends_at": datetime(2026, 12, 5, tzinfo=UTC)})
    assert (await refused(erp, overlapping)).code == "CR/301"


# --- orders and reads ------------------------------------------------------------------------------------------------


async def test_a_process_order_is_refused_at_intake_by_name(sap, erp, tag):
    await seed(sap, tag, category="process")
    with pytest.raises(ErpRejected, match="is a process order") as raised:
        await erp.read_order(tag)
    assert (raised.value.code, raised.value.reason) == ("process_order_not_supported", Reason.NOT_SUPPORTED)
    assert tag not in {head.order for head in await erp.released_orders()}


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"quantity": "120"}, ErpOrderStatus.RELEASED),
        ({"scheduled_end": "2026-12-24T10:00:00Z"}, ErpOrderStatus.RELEASED),
        ({"component": {"material": "NEW", "required": "3", "unit": "PC"}}, ErpOrderStatus.RELEASED),
        ({"lock": True}, ErpOrderStatus.LOCKED),
        ({"cancel": "TECO"}, ErpOrderStatus.TECHNICALLY_COMPLETE),
        ({"cancel": "DLFL"}, ErpOrderStatus.DELETED),
    ],
    ids=["quantity", "date", "component", "locked", "completed", "cancelled"],
)
async def test_a_change_of_an_order_is_seen_by_its_mark_in_whatever_status(sap, scene, erp, change, status):
    mark = next(h.change_mark for h in await erp.changed_orders("") if h.order == scene.tag)
    answer = await sap.control.post("/_control/orders/change", json={"order": scene.tag} | change)
    assert answer.is_success, answer.text
    changed = {head.order: head for head in await erp.changed_orders(mark)}
    assert changed[scene.tag].status is status
    assert changed[scene.tag].change_mark > mark


async def test_stock_is_shown_by_kind_with_saps_word_for_the_block(scene, erp):
    await scene.act(await scenes.hold(scene))
    await scene.act(await scenes.hold_batch(scene))
    shown = {(line.kind, line.quantity, line.hold) for line in await erp.stock(f"X{scene.tag}")}
    assert shown == {(StockKind.UNRESTRICTED, Decimal(31), ""), (StockKind.BLOCKED, Decimal(9), "blocked")}
    batch = [(line.storage_location, line.hold) for line in await erp.stock(f"L{scene.tag}", "LOT1")]
    assert sorted(batch) == [("FG01", "batch restricted"), ("FG02", "batch restricted")]
    assert await erp.stock("no-such-material") == []


async def test_pegging_shows_who_waits_and_when(sap, scene, erp):
    demand = {"material": scene.material, "plant": "1010", "quantity": "60", "customer": "C17"}
    await sap.seed(
        demands=[
            {**demand, "element": f"9{scene.tag}", "due": "2026-12-05"},
            {**demand, "element": f"8{scene.tag}", "due": "2026-12-01", "kind": "forecast", "customer": ""},
        ]
    )
    found = await erp.pegging(scene.tag)
    assert [(d.source[0], d.customer, d.quantity, d.due and d.due.day) for d in found] == [
        ("8", "", Decimal(60), 1),
        ("9", "C17", Decimal(60), 5),
    ]


async def test_alternates_share_the_configured_field_and_are_refused_without_it(sap, scene, erp):
    assert [a.work_centre for a in await erp.alternates(scene.work_centre)] == [f"V{scene.tag}"]
    plain = sap.adapter()
    assert not plain.capabilities.reads["alternates"].supported
    with pytest.raises(ErpRejected, match="capability_field"):
        await plain.alternates(scene.work_centre)
    await plain.aclose()


async def test_cost_follows_the_materials_price_control(sap, scene, erp):
    price = {"plant": "1010", "standard_price": "125", "moving_price": "1.31", "price_unit": 100}
    await sap.seed(
        valuations=[
            {**price, "material": f"X{scene.tag}"},
            {**price, "material": f"A{scene.tag}", "price_control": "V", "price_unit": 1},
        ]
    )
    standard, moving = await erp.material_cost(f"X{scene.tag}"), await erp.material_cost(f"A{scene.tag}")
    assert standard is not None
    assert moving is not None
    assert (standard.amount, standard.per, standard.currency, standard.kind) == (125, 100, "EUR", "standard")
    assert (moving.amount, moving.per, moving.kind) == (Decimal("1.31"), 1, "moving average")
    assert await erp.material_cost("no-such-material") is None


# --- how many calls --------------------------------------------------------------------------------------------------


class Counted:
    """A budget that counts what it lets through."""

    def __init__(self) -> None:
        self.calls = 0

    async def take(self, longest_wait: float) -> None:
        self.calls += 1

    async def answered(self) -> None: ...
    async def failed(self) -> None: ...
    async def close_for(self, seconds: float) -> None: ...


async def test_the_look_before_a_posting_and_the_posting_cost_four_calls(sap, scene):
    """Order with totals, documents, the posting, its read-back; a token is fetched along with the first read."""
    budget = Counted()
    erp = sap.adapter(sap=OPTIONS, budget=budget)
    intent = intent_of(await scenes.confirm(scene))
    await erp.documents(scene.tag, "0010")
    before = budget.calls
    await erp.expected_movements(intent)
    await erp.totals(scene.tag)
    await erp.documents(scene.tag, "0010")
    await erp.read_back(await book(erp, intent))
    assert budget.calls - before == 4
    await erp.aclose()


async def test_a_material_document_costs_three_calls_and_a_look_by_key_one(sap, scene):
    budget = Counted()
    erp = sap.adapter(sap=OPTIONS, budget=budget)
    intent = intent_of(await scenes.issue(scene))
    assert await look(erp, intent) is None
    before = budget.calls
    assert await look(erp, intent) is None
    document = await book(erp, intent)
    assert budget.calls - before == 3
    found = await look(erp, intent)
    assert found is not None
    assert found.goods_movements == document.goods_movements != ()
    assert budget.calls - before == 4
    await erp.aclose()


async def test_totals_come_from_the_same_look_once_and_never_from_before_a_posting(scene, erp):
    intent = intent_of(await scenes.confirm(scene))
    await erp.expected_movements(intent)
    await book(erp, intent)
    assert [t.yield_quantity for t in await erp.totals(scene.tag)] == [10, 0]
    await erp.expected_movements(intent)
    assert [t.yield_quantity for t in await erp.totals(scene.tag)] == [10, 0]
    await scene.sap.by_hand(order=scene.tag, operation="0010", **{"yield": "3"})
    assert [t.yield_quantity for t in await erp.totals(scene.tag)] == [13, 0]


async def test_a_milestone_is_read_back_in_one_call_however_many_operations_it_confirms(sap, tag):
    profiles = {"1010": {"PP05": {"confirmation": "milestone"}, "PP01": {"confirmation": "required"}}}
    operations = [{"operation": f"{n:03d}0", "control_profile": "PP01"} for n in range(1, 6)]
    operations.append({"operation": "0060", "control_profile": "PP05"})
    await sap.seed(control_profiles=profiles)
    line = {"unit": "KG", "storage_location": "RM01"}
    components = [{**line, "material": f"A{tag}", "required": "100", "operation": o["operation"]} for o in operations]
    await seed(sap, tag, operations=operations, components=components)
    budget = Counted()
    erp = sap.adapter(sap=OPTIONS, budget=budget)
    confirmation = ConfirmProduction(**common(tag), operation="0060", yield_quantity=Decimal(10), unit="PC")
    document = await book(erp, intent_of(confirmation))
    await erp.read_order(tag)
    before = budget.calls
    read = await erp.read_back(document)
    assert budget.calls - before == 1
    assert [m.quantity for m in read.goods_movements] == [Decimal(10)] * 6
    await erp.aclose()


def test_dispositions_of_all_kinds_have_a_stock_type_and_a_movement():
    assert set(STOCK_TYPES) == set(MOVEMENTS) == set(DispositionKind)
