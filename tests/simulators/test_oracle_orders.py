"""Work orders of the simulated Oracle: what they show, which statuses they take, and how operations move quantity."""

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulators.oracle import operations
from simulators.oracle.books import Books
from simulators.oracle.errors import LineError
from simulators.oracle.posting import Posting
from simulators.oracle.pull import share
from simulators.oracle.report import books_report
from simulators.oracle.seed import SeedDocument
from simulators.oracle.seeding import seed
from tests.simulators.oracle_bench import STOCK_ROWS, line, oracle_fixture, order, start_oracle_fixture

__all__ = ["oracle_fixture", "start_oracle_fixture"]
DEMO = Path(__file__).parents[2] / "workers" / "defaults" / "demo-orders.json"


async def test_the_demo_orders_of_the_simulated_sap_are_taken_as_they_are(start_oracle, tmp_path):
    oracle = await start_oracle(tmp_path / "demo.db")
    seeded = json.loads(DEMO.read_text(encoding="utf-8"))
    assert await oracle.control("orders", seeded) == {"created": ["1000001", "1000002"], "kept": []}
    assert await oracle.control("orders", seeded) == {"created": [], "kept": ["1000001", "1000002"]}
    made = {"OrganizationCode": "1010", "WorkOrderNumber": "1000001"}
    for sequence in (10, 20, 30):
        await oracle.moved(line(sequence, 40, **made))
    books = await oracle.books("1000001")
    [shown] = books["orders"]
    assert [(row["operation"], row["yield"]) for row in shown["operations"]] == [
        ("0010", "40"), ("0020", "40"), ("0030", "40")
    ]  # fmt: skip
    assert [row["withdrawn"] for row in shown["components"]] == ["40", "80"]
    assert shown["items"][0]["received"] == "40"
    assert await oracle.stock("BRACKET-A") == {"FG01": "40"}


async def test_a_work_order_is_read_whole_with_one_expand(oracle):
    [shown] = await oracle.items(
        "workOrders",
        q="OrganizationCode='M1' and WorkOrderNumber='1000040'",
        expand="WorkOrderOperation.WorkOrderOperationMaterial,WorkOrderMaterial,WorkOrderResource,WorkOrderActiveOperation",
    )
    assert shown["WorkOrderId"] > 2**53
    assert (shown["WorkOrderStatusCode"], shown["WorkOrderSystemStatusCode"]) == ("ORA_RELEASED", "RELEASED")
    assert (shown["PlannedStartQuantity"], shown["UOMCode"], shown["ItemNumber"]) == (100, "PC", "FG1")
    press, weld, _ = shown["WorkOrderOperation"]["items"]
    assert (press["OperationSequenceNumber"], press["ReadyQuantity"], weld["ReadyQuantity"]) == (10, 100, 0)
    names = [row["ItemNumber"] for row in press["WorkOrderOperationMaterial"]["items"]]
    assert names == ["RM1", "RM2"]
    assert [row["Quantity"] for row in shown["WorkOrderMaterial"]["items"]] == [200, 12.5, 100]
    assert [row["ResourceCode"] for row in shown["WorkOrderResource"]["items"]] == ["PRESS", "ROBOT"]
    assert [row["OperationSequenceNumber"] for row in shown["WorkOrderActiveOperation"]["items"]] == [10]


async def test_released_orders_are_found_by_status_change_date_and_work_centre(oracle):
    await oracle.seed(order("1000041", status=["CRTD"]))
    found = await oracle.items("workOrders", q="WorkOrderSystemStatusCode='RELEASED'")
    assert [row["WorkOrderNumber"] for row in found] == ["1000040"]
    mark = found[0]["LastUpdateDate"]
    await oracle.patch(f"workOrders/{await oracle.order_id('1000041')}", {"WorkOrderStatusCode": "ORA_RELEASED"})
    changed = await oracle.items("workOrders", q=f"LastUpdateDate > '{mark}' and WorkOrderStatusCode='ORA_RELEASED'")
    assert [row["WorkOrderNumber"] for row in changed] == ["1000041"]
    [centre] = await oracle.items("workCenters", q="WorkCenterCode='PRESS'")
    active = await oracle.items("workOrders", q=f"WorkOrderActiveOperation.WorkCenterId={centre['WorkCenterId']}")
    assert len(active) == 2
    await oracle.moved(line(10, 100))
    active = await oracle.items("workOrders", q=f"WorkOrderActiveOperation.WorkCenterId={centre['WorkCenterId']}")
    assert [row["WorkOrderNumber"] for row in active] == ["1000041"]


async def test_a_status_changes_only_along_the_allowed_ways(oracle):
    url = f"workOrders/{await oracle.order_id()}"
    for code in ("ORA_ON_HOLD", "ORA_RELEASED", "ORA_COMPLETED", "ORA_RELEASED", "ORA_CANCELED"):
        answer = await oracle.patch(url, {"WorkOrderStatusCode": code})
        assert (answer.status_code, answer.json()["WorkOrderStatusCode"]) == (200, code), answer.text
    answer = await oracle.patch(url, {"WorkOrderStatusCode": "ORA_COMPLETED"})
    assert answer.json()["o:errorDetails"][0]["o:errorCode"] == "WIE_INVALID_STATUS_CHANGE"
    assert (await oracle.patch(url, {"WorkOrderStatusCode": "ORA_CLOSED"})).status_code == 200
    assert (await oracle.patch(url, {"WorkOrderStatusCode": "ORA_RELEASED"})).status_code == 400
    assert (await oracle.patch(url, {"WorkOrderStatusCode": "NOBODY_KNOWS"})).status_code == 400


async def test_an_order_with_transactions_is_not_unreleased(oracle):
    url = f"workOrders/{await oracle.order_id()}"
    assert (await oracle.patch(url, {"WorkOrderStatusCode": "ORA_UNRELEASED"})).status_code == 200
    assert (await oracle.operations())["0010"]["ready"] == "0"
    assert await oracle.refused(line(10, 1)) == ["WIE_INVALID_WORK_ORDER_STATUS"]
    assert (await oracle.patch(url, {"WorkOrderStatusCode": "ORA_RELEASED"})).status_code == 200
    await oracle.moved(line(10, 1))
    assert (await oracle.patch(url, {"WorkOrderStatusCode": "ORA_UNRELEASED"})).status_code == 400


async def test_a_status_of_ones_own_behaves_as_the_system_status_it_maps_to(oracle):
    await oracle.control("orders", {"statuses": [{"code": "QA_STOP", "name": "QA stop", "system_status": "ON_HOLD"}]})
    [status] = await oracle.items("workOrderStatuses", q="WoStatusCode='QA_STOP'")
    assert status["WoSystemStatusCode"] == "ON_HOLD"
    url = f"workOrders/{await oracle.order_id()}"
    shown = (await oracle.patch(url, {"WorkOrderStatusCode": "QA_STOP"})).json()
    assert (shown["WorkOrderStatusCode"], shown["WorkOrderSystemStatusCode"]) == ("QA_STOP", "ON_HOLD")
    assert await oracle.refused(line(10, 1)) == ["WIE_INVALID_WORK_ORDER_STATUS"]
    assert (await oracle.patch(url, {"WorkOrderStatusId": 1})).status_code == 400


async def test_operation_20_has_nothing_ready_before_10_completes(oracle):
    assert await oracle.refused(line(20, 1)) == ["WIE_QUANTITY_EXCEEDS_AVAILABLE"]
    await oracle.moved(line(10, 30), line(10, 2, "SCRAP"), line(10, 3, "REJECT"))
    rows = await oracle.operations()
    press = rows["0010"]
    assert (press["ready"], press["yield"], press["scrap"], press["rework"]) == ("65", "30", "2", "3")
    assert rows["0020"]["ready"] == "30"
    assert await oracle.refused(line(20, 31)) == ["WIE_QUANTITY_EXCEEDS_AVAILABLE"]
    assert await oracle.refused(line(10, 66)) == ["WIE_QUANTITY_EXCEEDS_AVAILABLE"]


async def test_quantity_comes_back_only_as_long_as_the_next_operation_still_has_it(oracle):
    await oracle.moved(line(10, 30))
    await oracle.moved(line(20, 25))
    assert await oracle.refused(line(10, 6, "READY", "COMPLETE")) == ["WIE_QUANTITY_EXCEEDS_AVAILABLE"]
    await oracle.moved(line(10, 5, "READY", "COMPLETE"))
    rows = await oracle.operations()
    assert (rows["0010"]["ready"], rows["0010"]["yield"], rows["0020"]["ready"]) == ("75", "25", "0")


async def test_scrapped_and_rejected_pieces_come_back_and_are_never_more_than_there_are(oracle):
    await oracle.moved(line(10, 4, "SCRAP"), line(10, 3, "REJECT"))
    assert await oracle.refused(line(10, 5, "READY", "SCRAP")) == ["WIE_QUANTITY_EXCEEDS_AVAILABLE"]
    await oracle.moved(line(10, 4, "READY", "SCRAP"), line(10, 1, "READY", "REJECT"), line(10, 2, "SCRAP", "REJECT"))
    press = (await oracle.operations())["0010"]
    assert (press["ready"], press["scrap"], press["rework"]) == ("98", "2", "0")


async def test_the_last_operation_receives_and_its_reversal_takes_it_out_of_stock_again(oracle):
    for sequence in (10, 20, 30):
        await oracle.moved(line(sequence, 10))
    assert await oracle.stock("FG1") == {"FG01": "10"}
    await oracle.moved(line(30, 4, "READY", "COMPLETE"))
    assert await oracle.stock("FG1") == {"FG01": "6"}
    books = await oracle.books("1000040")
    assert books["orders"][0]["items"][0]["received"] == "6"
    await oracle.moved(line(30, 1, ComplSubinventoryCode="FG02"))
    assert await oracle.stock("FG1") == {"FG01": "6", "FG02": "1"}


async def test_each_line_of_a_batch_succeeds_or_fails_by_itself(oracle):
    names = await oracle.refused(line(10, 10), line(99, 1), line(10, 500), line(20, 4), line(10, 1, "NOWHERE"))
    assert names == [
        None, "WIE_INVALID_OPERATION", "WIE_QUANTITY_EXCEEDS_AVAILABLE", None, "WIE_INVALID_DISPATCH_STATE"
    ]  # fmt: skip
    rows = await oracle.operations()
    assert (rows["0010"]["yield"], rows["0020"]["yield"]) == ("10", "4")


REFUSED_LINES = [
    ({"OrganizationCode": "M9"}, "WIE_INVALID_ORGANIZATION"),
    ({"WorkOrderNumber": "nope"}, "WIE_INVALID_WORK_ORDER"),
    ({"TransactionQuantity": 0}, "WIE_INVALID_TRANSACTION_QUANTITY"),
    ({"TransactionQuantity": -1}, "WIE_INVALID_TRANSACTION_QUANTITY"),
    ({"TransactionUnitOfMeasure": "KG"}, "INV_INVALID_UOM"),
    ({"TransactionUOMCode": "KG"}, "INV_INVALID_UOM"),
    ({"ToDispatchState": "READY"}, "WIE_INVALID_DISPATCH_STATE"),
    ({"TransactionDate": "2026-01-31T10:00:00Z"}, "INV_NO_OPEN_PERIOD"),
    ({"TransactionLot": [{"LotNumber": "L", "TransactionQuantity": 1}]}, "WIE_LOTS_AT_LAST_OPERATION"),
]


async def test_a_line_that_cannot_be_posted_names_why_and_changes_nothing(oracle):
    await oracle.control("orders", {"periods": {"open": ["2026-03"]}})
    good = line(10, 1, TransactionDate="2026-03-02T10:00:00+01:00")
    for change, name in REFUSED_LINES:
        assert await oracle.refused(good | change) == [name]
    assert (await oracle.books())["documents"] == []
    await oracle.moved(good)


async def test_a_source_system_has_to_be_registered(oracle):
    for header in ({"SourceSystemCode": "NOBODY"}, {"SourceSystemCode": "OTHER", "SourceSystemType": "INTERNAL"}):
        assert await oracle.refused(line(10, 1), header=header) == ["WIE_INVALID_SOURCE_SYSTEM"]
    await oracle.moved(line(10, 1), header={"SourceSystemCode": "WIE", "SourceSystemType": "INTERNAL"})
    await oracle.control("settings", {"source_systems": ["NOBODY"]})
    await oracle.moved(line(10, 1), header={"SourceSystemCode": "NOBODY"})
    assert await oracle.refused(line(10, 1)) == ["WIE_INVALID_SOURCE_SYSTEM"]


async def test_the_same_transaction_posts_again_because_nothing_is_checked_for_duplicates(oracle):
    for _ in range(2):
        await oracle.moved(line(10, 5, TransactionNote="key 0f8fad5b-d9cb-469f-a165-70867728950e"))
    books = await oracle.books()
    confirmations = [row for row in books["documents"] if row["kind"] == "confirmation"]
    assert [row["key"] for row in confirmations] == ["0f8fad5b-d9cb-469f-a165-70867728950e"] * 2
    assert (await oracle.operations())["0010"]["yield"] == "10"


async def test_an_order_on_hold_posts_nothing_and_a_completed_one_only_backwards(oracle):
    await oracle.moved(line(10, 10))
    url = f"workOrders/{await oracle.order_id()}"
    await oracle.patch(url, {"WorkOrderStatusCode": "ORA_ON_HOLD"})
    assert await oracle.refused(line(10, 1)) == ["WIE_INVALID_WORK_ORDER_STATUS"]
    assert await oracle.refused(line(10, 1, "READY", "COMPLETE")) == ["WIE_INVALID_WORK_ORDER_STATUS"]
    await oracle.patch(url, {"WorkOrderStatusCode": "ORA_COMPLETED"})
    assert await oracle.refused(line(10, 1)) == ["WIE_INVALID_WORK_ORDER_STATUS"]
    await oracle.moved(line(10, 1, "READY", "COMPLETE"))


async def test_overcompletion_is_an_error_unless_the_organization_allows_it(oracle):
    await oracle.seed(order("1000041", over_delivery_tolerance="5"))
    over = {"WorkOrderNumber": "1000041"}
    assert await oracle.refused(line(10, 105, **over)) == ["WIE_QUANTITY_EXCEEDS_AVAILABLE"]
    await oracle.control("settings", {"overcompletion": True})
    assert await oracle.refused(line(10, 106, **over)) == ["WIE_QUANTITY_EXCEEDS_AVAILABLE"]
    await oracle.moved(line(10, 105, **over))
    assert await oracle.refused(line(10, 1, **over)) == ["WIE_QUANTITY_EXCEEDS_AVAILABLE"]
    await oracle.moved(line(20, 105, **over))
    assert await oracle.refused(line(10, 101)) == ["WIE_QUANTITY_EXCEEDS_AVAILABLE"]


async def test_with_auto_complete_the_status_follows_the_quantity(oracle):
    await oracle.control("settings", {"auto_complete": True})
    for sequence in (10, 20, 30):
        await oracle.moved(line(sequence, 100))
    assert (await oracle.books("1000040"))["orders"][0]["status"] == ["COMPLETED"]
    await oracle.moved(line(30, 1, "READY", "COMPLETE"))
    assert (await oracle.books("1000040"))["orders"][0]["status"] == ["RELEASED"]


async def test_a_person_reports_under_the_same_rules_and_the_documents_say_so(oracle):
    entry = {"order": "1000040", "operation": "0010", "yield": "5", "scrap": "1", "rework": "2", "text": "by hand"}
    made = (await oracle.control("manual", entry | {"activities": {"1": "12.5"}}))["documents"]
    books = await oracle.books("1000040")
    by_hand = [row for row in books["documents"] if row["id"] in made]
    assert [(row["yield"], row["scrap"], row["rework"]) for row in by_hand[:3]] == [
        ("5", "0", "0"), ("0", "1", "0"), ("0", "0", "2")
    ]  # fmt: skip
    assert by_hand[3]["activities"] == {"1": "12.5"}
    assert all(row["manual"] and row["user"] == "SHOP_FLOOR_USER" for row in by_hand)
    answer = await oracle.http.post("/_control/manual", json=entry | {"operation": "0020", "yield": "4", "count": 3})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "WIE_QUANTITY_EXCEEDS_AVAILABLE")
    back = {"order": "1000040", "operation": "0010", "from_state": "COMPLETE", "to_state": "READY", "quantity": "5"}
    await oracle.control("manual", back)
    assert (await oracle.operations())["0010"]["yield"] == "0"


async def test_a_reversal_is_negative_in_the_books_and_paired_with_what_it_took_back(oracle):
    await oracle.moved(line(10, 5))
    await oracle.moved(line(10, 7))
    await oracle.moved(line(10, 5, "READY", "COMPLETE"))
    shown = [row for row in (await oracle.books())["documents"] if row["kind"] == "confirmation"]
    assert [(row["yield"], row["reversed"], row["reversal"]) for row in shown] == [
        ("5", True, False), ("7", False, False), ("-5", False, True)
    ]  # fmt: skip
    assert shown[2]["reverses"] == shown[0]["id"]


async def test_concurrent_postings_on_one_operation_meet_its_lock_and_other_operations_do_not(oracle):
    await oracle.moved(line(10, 50))
    await oracle.control("settings", {"posting_seconds": 0.3})
    one, two, other = await asyncio.gather(
        oracle.operate(line(10, 1)), oracle.operate(line(10, 1)), oracle.operate(line(20, 1))
    )
    flags = sorted(answer.json()["ErrorsExistFlag"] for answer in (one, two))
    assert flags == ["false", "true"]
    assert other.json()["ErrorsExistFlag"] == "false"
    bad = one if one.json()["ErrorsExistFlag"] == "true" else two
    assert bad.json()["OperationTransactionDetail"]["items"][0]["ErrorMessageNames"] == "WIE_RECORD_LOCKED"
    await oracle.control("settings", {"lock_answer": "400"})
    answers = await asyncio.gather(oracle.operate(line(10, 1)), oracle.operate(line(10, 1)))
    assert sorted(answer.status_code for answer in answers) == [201, 400]
    refused = next(answer for answer in answers if answer.status_code == 400)
    assert refused.json()["o:errorDetails"][0]["o:errorCode"] == "JBO-26030"


MOVES = st.tuples(
    st.sampled_from([10, 20, 30]),
    st.sampled_from(["READY", "COMPLETE", "REJECT", "SCRAP"]),
    st.sampled_from(["READY", "COMPLETE", "REJECT", "SCRAP"]),
    st.integers(1, 60_000_000),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=st.lists(MOVES, max_size=25))
def test_whatever_moves_the_books_add_up(tmp_path_factory, moves):
    """Pieces neither appear nor vanish, components follow what left READY, stock holds what was completed."""
    books = Books(tmp_path_factory.mktemp("books") / "oracle.db")
    try:
        document = {"orders": [order()], "stock": STOCK_ROWS, "settings": {"negative_stock": True}}
        with books.transaction():
            seed(books, SeedDocument.model_validate(document))
            books.change_settings({"negative_stock": True})
        posting = Posting(books, "T")
        for sequence, origin, target, quantity in moves:
            values = line(sequence, 0, target, origin) | {"WoOperationSequenceNumber": sequence * 1_000_000}
            values["TransactionQuantity"] = quantity
            with books.transaction():
                try:
                    with books.line():
                        operations.post(posting, operations.OperationLine(values, (), ()), "T", 1)
                except LineError:
                    pass
        _check_sums(books)
    finally:
        books.close()


def _check_sums(books: Books) -> None:
    rows = books.all("SELECT * FROM work_order_operation ORDER BY OperationSequenceNumber")
    put_in = 100_000_000
    for row in rows:
        states = [row[name] for name in ("ReadyQuantity", "CompletedQuantity", "ScrappedQuantity", "RejectedQuantity")]
        assert all(amount >= 0 for amount in states)
        assert sum(states) == put_in
        put_in = row["CompletedQuantity"]
        left = row["CompletedQuantity"] + row["ScrappedQuantity"] + row["RejectedQuantity"]
        for material in books.all(
            "SELECT * FROM work_order_material WHERE OperationSequenceNumber = ? AND ItemNumber <> 'WIRE'",
            row["OperationSequenceNumber"],
        ):
            assert material["IssuedQuantity"] == share(material["Quantity"], left, row["PlannedQuantity"])
    report = books_report(books)
    [shown] = report["orders"]
    assert shown["items"][0]["received"] == shown["operations"][-1]["yield"]
    stock = {row["material"]: float(row["quantity"]) for row in report["stock"] if row["material"] != "WIRE"}
    assert stock.get("FG1", 0) == pytest.approx(float(shown["items"][0]["received"]))
    for component in shown["components"]:
        if component["material"] in stock:
            before = next(float(row["quantity"]) for row in STOCK_ROWS if row["material"] == component["material"])
            assert stock[component["material"]] == pytest.approx(before - float(component["withdrawn"]))
    for row, operation in zip(rows, shown["operations"], strict=True):
        mine = [
            doc
            for doc in report["documents"]
            if doc["kind"] == "confirmation" and doc["operation"] == operation["operation"]
        ]
        for name in ("yield", "scrap", "rework"):
            assert sum(float(doc[name]) for doc in mine) == pytest.approx(float(operation[name]))
        assert row["OperationSequenceNumber"] == int(operation["operation"])


SHARED_SEED = {
    "orders": [order(plant="1010", type="PP01", inspection_type="04", category="production", sales_order="SO9")],
    "materials": {"RM1": {"unit": "PC", "batch_managed": False, "serial_managed": False, "inspected": False}},
    "technical_objects": [{"object": "EQ-PRESS", "kind": "EAMS_EQUI"}],
    "usage_decision_codes": [{"group": "02", "code": "AUTO", "valuation": "A", "posting": "VMENGE01"}],
    "demands": [{"material": "FG2", "plant": "1010", "quantity": "70", "element": "SO1", "due": "2026-03-05"}],
    "valuations": [{"material": "RM1", "plant": "1010", "standard_price": "12.5", "price_unit": 100}],
    "work_centres": [
        {"work_centre": "PRESS2", "plant": "1010", "text": "Press 2", "group": "FORMING", "capacities": 2,
         "utilisation": 85, "starts": "06:00:00", "cost_centres": [{"cost_centre": "CC-PRESS"}]},
        {"work_centre": "PRESS3", "plant": "1010", "group": "FORMING"},
    ],
}  # fmt: skip


async def test_masters_of_a_shared_seed_keep_their_meaning(start_oracle, tmp_path):
    oracle = await start_oracle(tmp_path / "shared.db")
    more = [order(number, plant="1010", material="FG2", quantity="50") for number in ("1000041", "1000042")]
    await oracle.control("orders", SHARED_SEED | {"orders": [*SHARED_SEED["orders"], *more]})
    [item] = await oracle.items("itemsV2", q="ItemNumber='RM1'")
    assert item["StandardCost"] == 0.125
    shown = await oracle.items("workOrders", expand="WorkOrderReservation", orderBy="WorkOrderNumber")
    pegged = [
        [(row["DemandOrderNumber"], row["ReservationQuantity"]) for row in one["WorkOrderReservation"]["items"]]
        for one in shown
    ]
    assert pegged == [[("SO9", 100)], [("SO1", 50)], [("SO1", 20)]]
    rows = await oracle.items("workCenterResources", q="ResourceClassCode='FORMING'")
    assert [(row["ResourceCode"], row["ResourceQuantity"], row["UtilizationPercentage"]) for row in rows] == [
        ("PRESS2", 2, 85), ("PRESS3", 1, 100)
    ]  # fmt: skip
    down = {"OrganizationCode": "1010", "AssetNumber": "EQ-PRESS"}
    await oracle.created("maintenanceWorkOrders", down)
