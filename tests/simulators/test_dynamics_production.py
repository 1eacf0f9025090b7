"""Production in the simulated D365: starting, reports, picking lists, route cards, ending, and undoing by a person."""

import json
from pathlib import Path

import pytest

from tests.simulators.dynamics_bench import (
    STOCK_ROWS,
    erp_fixture,
    order,
    start_dynamics_fixture,
    started_fixture,
)

__all__ = ["erp_fixture", "start_dynamics_fixture", "started_fixture"]
RAF = "ReportAsFinishedProductionJournalEntries"
PICKING = "ProductionPickingListJournalEntries"
ROUTE = "RouteCardProductionJournalEntries"
DEMO = Path(__file__).parents[2] / "workers" / "defaults" / "demo-orders.json"


async def last(erp):
    return (await erp.process())[-1]


async def failed(erp, told):
    """The last message has failed with these words; it is cancelled so that the next one has its turn."""
    message = await last(erp)
    assert (message["state"], told in message["infolog"]) == ("Failed", True), message["infolog"]
    await erp.control("messages", {"id": message["id"], "action": "cancel"})


async def yields(erp, number="P000040"):
    return [(row["yield"], row["scrap"]) for row in (await erp.order(number))["operations"]]


async def test_the_demo_orders_of_the_simulated_sap_are_taken_as_they_are(start_dynamics, tmp_path):
    erp = await start_dynamics(tmp_path / "demo.db")
    seeded = json.loads(DEMO.read_text(encoding="utf-8"))
    assert await erp.control("orders", seeded) == {"created": ["1000001", "1000002"], "kept": []}
    assert await erp.control("orders", seeded) == {"created": [], "kept": ["1000001", "1000002"]}
    await erp.settings(processing_paused=True)
    await erp.start("1000001")
    for operation in (10, 20):
        await erp.route({"OperationNumber": operation, "GoodQuantity": 40}, order="1000001")
    await erp.report(40, "1000001", EndJob="Yes")
    assert {one["state"] for one in await erp.process()} == {"Processed"}
    shown = await erp.order("1000001")
    assert [(row["operation"], row["yield"]) for row in shown["operations"]] == [
        ("0010", "40"), ("0020", "40"), ("0030", "40")
    ]  # fmt: skip
    assert [row["withdrawn"] for row in shown["components"]] == ["40", "80"]
    assert shown["items"][0]["received"] == "40"
    assert (shown["company"], shown["plant"], shown["status"]) == ("USMF", "1010", ["ReportedFinished"])
    assert await erp.stock_of("BRACKET-A", storage_location="FG01") == "40"


# Start --------------------------------------------------------------------------------------------------------------


async def test_an_order_is_started_in_parts_up_to_its_tolerance(erp):
    await erp.start(StartedQuantity=60, StartedDate="2026-03-02")
    await erp.start(StartedQuantity=50)
    await erp.start(StartedQuantity=1)
    messages = await erp.process()
    assert [one["state"] for one in messages] == ["Processed", "Processed", "Failed"]
    assert "exceeds its quantity 100.00" in messages[2]["infolog"]
    row = (await erp.read("ProductionOrderHeaders"))[0]
    assert (row["StartedQuantity"], row["RemainingReportAsFinishedQuantity"]) == (110, 110)
    lines = await erp.read("ProductionOrderBillOfMaterialLines")
    assert [line["StartedBOMLineQuantity"] for line in lines] == [220, 13.75]


@pytest.mark.parametrize(("status", "started"), [("Created", False), ("Scheduled", False), ("StartedUp", True)])
async def test_only_a_released_order_can_be_started_and_only_a_started_one_reported(erp, status, started):
    await erp.seed(order("P000041", status=[status]))
    await erp.report(5, "P000041")
    message = await last(erp)
    assert (message["state"] == "Processed") is started
    assert started or f"has the status {status}; it must be StartedUp" in message["infolog"]
    await erp.control("messages", {"id": 1, "action": "cancel"}) if not started else None
    await erp.start("P000041", StartedQuantity=10)
    message = await last(erp)
    assert (message["state"] == "Processed") is started


async def test_starting_consumes_what_is_flushed_at_start_only_when_told_to(erp):
    component = {"material": "RM1", "required": "200", "unit": "PC", "storage_location": "12", "flushing": "Start"}
    await erp.seed(order("P000041", components=[component]))
    await erp.start("P000041", StartedQuantity=10)
    await erp.process()
    assert await erp.stock_of("RM1") == "1000"
    await erp.start("P000041", StartedQuantity=10, AutomaticBOMConsumptionRule="FlushingPrincip")
    await erp.process()
    assert await erp.stock_of("RM1") == "980"


# Report as finished -------------------------------------------------------------------------------------------------


async def test_a_report_receives_flushes_and_numbers_its_journals(started):
    await started.report(30, ReportedErrorQuantity=2, ErrorCause="Machine", ReportAsFinishedDate="2026-03-02")
    assert (await last(started))["state"] == "Processed"
    [journal] = await started.read(RAF)
    assert (journal["IsPosted"], journal["JournalNumber"], journal["VoucherNumber"][:4]) == ("Yes", "000002", "PRO-")
    assert (journal["ReportedGoodInventoryQuantity"], journal["ReportedErrorInventoryQuantity"]) == (30, 2)
    assert (journal["ErrorCause"], journal["ReportAsFinishedDate"]) == ("Machine", "2026-03-02T12:00:00Z")
    assert journal["ProductionPickingListJournalNumber"] == "000001"
    assert journal["JournalDescription"] == "Report as finished"
    picked = await started.read(PICKING)
    assert [(row["ItemNumber"], row["ConsumptionBOMQuantity"]) for row in picked] == [("RM1", 64), ("RM2", 4)]
    assert {row["IsPosted"] for row in picked} == {"Yes"}
    header = (await started.read("ProductionOrderHeaders"))[0]
    assert (header["RemainingReportAsFinishedQuantity"], header["ProductionOrderStatus"]) == (68, "StartedUp")
    lines = await started.read("ProductionOrderBillOfMaterialLines")
    assert [line["RemainingBOMLineQuantity"] for line in lines] == [136, 8.5]
    assert await yields(started) == [("0", "0"), ("0", "0"), ("30", "2")]
    assert await started.stock_of("FG1", storage_location="11", status="Available") == "30"


async def test_the_orders_financial_dimension_is_in_its_journals(erp):
    await erp.seed(order("P000041", dimension="001-4711-"))
    await erp.start("P000041")
    await erp.route({"OperationNumber": 10, "GoodQuantity": 1}, order="P000041")
    await erp.report(1, "P000041")
    await erp.process()
    for entity in (RAF, PICKING, ROUTE):
        assert {row["DefaultDimensionDisplayValue"] for row in await erp.read(entity)} == {"001-4711-"}


async def test_a_good_quantity_left_out_is_all_that_is_left(started):
    line = {"AutomaticRouteConsumptionRule": "Never"}
    content = {"ProductionOrderNumber": "P000040", "ReportFinishedLines": [line]}
    await started.report(30)
    await started.sent("ProdProductionOrderReportFinished", content)
    await started.process()
    assert (await started.order())["items"][0]["received"] == "100"


async def test_the_route_is_consumed_for_the_whole_report_unless_told_never(started):
    await started.route({"OperationNumber": 10, "GoodQuantity": 10, "Hours": 0.25})
    await started.report(10, AutomaticRouteConsumptionRule="Always")
    await started.process()
    assert await yields(started) == [("20", "0"), ("10", "0"), ("10", "0")]
    shown = (await started.order())["operations"][0]["activities"]["process"]
    assert shown == {"planned": "3.333333", "confirmed": "0.583333", "unit": "H"}
    await started.report(10)
    await started.process()
    assert await yields(started) == [("20", "0"), ("10", "0"), ("20", "0")]


@pytest.mark.parametrize(
    ("rule", "left"), [("FlushingPrincip", ["980", "50"]), ("Always", ["980", "48.75"]), ("Never", ["1000", "50"])]
)
async def test_the_consumption_rule_decides_which_components_go(erp, rule, left):
    components = [dict(row) for row in order()["components"]]
    components[1]["backflush"] = False
    await erp.seed(order("P000041", components=components))
    await erp.start("P000041")
    await erp.report(10, "P000041", AutomaticBOMConsumptionRule=rule)
    await erp.process()
    assert [await erp.stock_of(name) for name in ("RM1", "RM2")] == left


async def test_operations_outside_the_range_are_left_alone(started):
    rule = {"AutomaticRouteConsumptionRule": "Always", "FromOperationNumber": 20, "ToOperationNumber": 20}
    await started.report(10, **rule)
    await started.process()
    assert await yields(started) == [("0", "0"), ("10", "0"), ("10", "0")]
    assert await started.stock_of("RM1") == "1000"


async def test_reports_beyond_the_started_quantity_and_its_tolerance_are_refused(erp):
    await erp.start(StartedQuantity=50)
    await erp.report(55)
    await erp.report(1)
    messages = await erp.process()
    assert [one["state"] for one in messages] == ["Processed", "Processed", "Failed"]
    assert "exceeds the started quantity 50.00" in messages[2]["infolog"]


async def test_the_last_report_ends_the_job_and_what_it_says(started):
    await started.report(40, EndJob="Yes", EndPickingList="Yes", EndRouteCard="Yes")
    assert (await last(started))["state"] == "Processed"
    shown = await started.order()
    assert (shown["status"], shown["remaining"]) == (["ReportedFinished"], "0")
    assert all(row["final"] for row in shown["operations"])
    assert all(row["finally_issued"] for row in shown["components"])
    assert (await started.read(RAF))[0]["IsLastReportAsFinished"] == "Yes"
    await started.report(1)
    assert (await last(started))["state"] == "Processed"


async def test_journals_stay_unposted_when_not_posted_now_and_a_person_posts_them(started):
    await started.report(10, PostNow="No")
    await started.process()
    assert {row["IsPosted"] for row in [*await started.read(RAF), *await started.read(PICKING)]} == {"No"}
    assert await yields(started) == [("0", "0"), ("0", "0"), ("0", "0")]
    await started.end()
    assert (await last(started))["state"] == "Failed"
    for journal in ("000001", "000002"):
        await started.control("manual", {"action": "post_journal", "journal": journal})
    assert await yields(started) == [("0", "0"), ("0", "0"), ("10", "0")]
    assert [await started.stock_of(name) for name in ("RM1", "FG1")] == ["980", "10"]
    assert "has been posted" in await started.problem("manual", {"action": "post_journal", "journal": "000001"})


async def test_the_place_and_the_plate_of_a_report_are_its_own(started):
    await started.report(10, LicensePlateNumber="LP-1", ProductionWarehouseId="13", ProductionWarehouseLocationId="A1")
    await started.process()
    assert await started.stock_of("FG1", storage_location="13", location="A1", license_plate="LP-1") == "10"
    [journal] = await started.read(RAF, _filter="LicensePlateNumber eq 'LP-1'")
    assert (journal["WarehouseId"], journal["WarehouseLocationId"]) == ("13", "A1")


async def test_a_batch_tracked_product_needs_a_batch_and_makes_it_known(erp):
    await erp.seed(order("P000041", material="FG2"), materials={"FG2": {"batch_managed": True}})
    await erp.start("P000041")
    await erp.report(10, "P000041")
    message = await last(erp)
    assert "Inventory dimension Batch number must be specified." in message["infolog"]
    await erp.control("messages", {"id": message["id"], "action": "cancel"})
    await erp.report(10, "P000041", ItemBatchNumber="B-1")
    await erp.process()
    [batch] = await erp.read("ItemBatches")
    assert (batch["BatchNumber"], batch["BatchDispositionCode"]) == ("B-1", "Available")
    assert await erp.stock_of("FG2", batch="B-1") == "10"


async def test_a_warehouse_with_locations_wants_one_for_receipt_and_issue(erp):
    await erp.seed(
        order("P000041"), warehouses={"11": {"location_mandatory": True}, "12": {"location_mandatory": True}}
    )
    await erp.start("P000041")
    await erp.report(10, "P000041")
    message = await last(erp)
    assert "Inventory dimension Location must be specified." in message["infolog"]
    await erp.control("messages", {"id": message["id"], "action": "cancel"})
    await erp.report(10, "P000041", AutomaticBOMConsumptionRule="Never", ProductionWarehouseLocationId="A1")
    assert (await last(erp))["state"] == "Processed"


async def test_a_closed_period_refuses_every_posting(started):
    await started.seed(periods={"open": ["2026-03"]})
    await started.report(1, ReportAsFinishedDate="2026-02-28")
    assert "Fiscal period for 2026-02-28 is not open." in (await last(started))["infolog"]
    await started.control("messages", {"id": 2, "action": "cancel"})
    await started.report(1, ReportAsFinishedDate="2026-03-02")
    assert (await last(started))["state"] == "Processed"


async def test_co_products_are_received_as_such(erp):
    items = [{"material": "FG1"}, {"material": "CO1", "planned": "10", "unit": "PC"}]
    await erp.seed(order("P000041", items=items))
    await erp.start("P000041")
    await erp.report(4, "P000041", ItemNumber="CO1", ProductionType="Co_Product")
    assert (await last(erp))["state"] == "Processed"
    assert [row["received"] for row in (await erp.order("P000041"))["items"]] == ["0", "4"]
    assert await yields(erp, "P000041") == [("0", "0")] * 3


async def test_negative_quantities_are_refused_or_undo_as_the_setting_says(started):
    await started.report(10)
    await started.route({"OperationNumber": 10, "GoodQuantity": 5})
    await started.process()
    await started.settings(negative_quantities="accept")
    await started.report(-4)
    await started.route({"OperationNumber": 10, "GoodQuantity": -2})
    await started.report(-7)
    messages = await started.process()
    assert [one["state"] for one in messages[3:]] == ["Processed", "Processed", "Failed"]
    assert "Only 6.00 of item FG1 has been reported" in messages[-1]["infolog"]
    assert [await started.stock_of(name) for name in ("FG1", "RM1", "RM2")] == ["6", "988", "49.25"]
    assert await yields(started) == [("3", "0"), ("0", "0"), ("6", "0")]
    returned = (await started.read(RAF, _orderby="JournalNumber"))[1]
    assert (returned["IsReceiptReturned"], returned["ReportedGoodInventoryQuantity"]) == ("Yes", -4)
    assert (await started.read(PICKING))[-1]["IsConsumptionReturned"] == "Yes"


# Picking lists ------------------------------------------------------------------------------------------------------


async def test_explicit_lines_pick_what_they_say(started):
    await started.pick(
        {"ItemNumber": "RM1", "ConsumptionBOMQuantity": 7, "ScrapBOMQuantity": 1, "ConsumptionDate": "2026-03-02"},
        {"ItemNumber": "RM2", "ConsumptionInventoryQuantity": 0.5, "IsConsumptionEnded": "Yes"},
    )
    assert (await last(started))["state"] == "Processed"
    rows = await started.read(PICKING)
    assert [row["JournalLineNumber"] for row in rows] == [1, 2]
    assert [row["JournalNumber"] for row in rows] == ["000001", "000001"]
    assert [await started.stock_of(name) for name in ("RM1", "RM2")] == ["992", "49.5"]
    components = (await started.order())["components"]
    assert [(row["withdrawn"], row["finally_issued"]) for row in components] == [("8", False), ("0.5", True)]
    await started.report(10)
    await started.process()
    assert [await started.stock_of(name) for name in ("RM1", "RM2")] == ["972", "49.5"]


WRONG_PICKS = [
    ({"ConsumptionBOMQuantity": 1}, "'ItemNumber' must be filled in"),
    ({"ItemNumber": "UNKNOWN", "ConsumptionBOMQuantity": 1}, "'UNKNOWN' in field 'Item number'"),
    ({"ItemNumber": "RM1"}, "must be different from zero"),
    ({"ItemNumber": "RM1", "ConsumptionBOMQuantity": 1, "BOMUnitSymbol": "KG"}, "A unit conversion from KG to PC"),
    ({"ItemNumber": "RM1", "ConsumptionBOMQuantity": 2000}, "2000.00 cannot be picked because only 999.00"),
    ({"ItemNumber": "RM1", "ConsumptionBOMQuantity": 1, "LineNumber": 9}, "no production BOM line with LineNumber"),
]


async def test_a_wrong_picking_line_fails_as_a_whole(started):
    for line, told in WRONG_PICKS:
        await started.pick({"ItemNumber": "RM1", "ConsumptionBOMQuantity": 1}, line)
        await failed(started, told)
    assert await started.stock_of("RM1") == "1000"


async def test_an_item_the_order_does_not_plan_becomes_a_line_of_its_own(started):
    rows = [{"material": "XX", "plant": "1", "storage_location": "11", "quantity": "5", "unit": "PC"}]
    await started.seed(stock=rows)
    await started.pick({"ItemNumber": "XX", "ConsumptionBOMQuantity": 2, "OperationNumber": 20})
    await started.process()
    line = (await started.order())["components"][2]
    assert (line["material"], line["required"], line["withdrawn"], line["operation"]) == ("XX", "0", "2", "0020")


# Route cards --------------------------------------------------------------------------------------------------------


async def test_route_cards_count_for_operations_before_the_last_one(started):
    await started.route(
        {"OperationNumber": 10, "GoodQuantity": 20, "ErrorQuantity": 1, "Hours": 0.75, "OperationsResourceId": "PRESS"},
        {"OperationNumber": 30, "GoodQuantity": 5, "Hours": 0.1, "TaskType": "Setup", "OperationCompleted": "Yes"},
    )
    assert (await last(started))["state"] == "Processed"
    assert await yields(started) == [("20", "1"), ("0", "0"), ("0", "0")]
    rows = await started.read(ROUTE)
    assert [(row["RouteOperationNumber"], row["RegisteredHours"]) for row in rows] == [(10, 0.75), (30, 0.1)]
    operations = await started.read("ProductionOrderRouteOperations")
    assert [row["IsOperationCompleted"] for row in operations] == ["No", "No", "Yes"]
    documents = (await started.books())["documents"]
    assert [one["counts"] for one in documents] == [True, False]


WRONG_CARDS = [
    ({"GoodQuantity": 1}, "'OperationNumber' must be filled in"),
    ({"OperationNumber": 15, "GoodQuantity": 1}, "'15' in field 'Oper. No.'"),
    ({"OperationNumber": 10, "OperationPriority": "Secondary1", "GoodQuantity": 1}, "'Oper. No.'"),
    ({"OperationNumber": 10, "GoodQuantity": 1, "OperationsResourceId": "NONE"}, "'NONE' in field 'Resource'"),
    ({"OperationNumber": 10}, "must be different from zero"),
    ({"OperationNumber": 10, "GoodQuantity": -1}, "must not be negative"),
]


async def test_a_wrong_route_card_fails(started):
    for line, told in WRONG_CARDS:
        await started.route(line)
        await failed(started, told)


async def test_an_operation_without_feedback_takes_no_route_card(erp):
    operations = [{"operation": "0010", "control_profile": "X"}, {"operation": "0020"}]
    profiles = {"1": {"X": {"confirmation": "none"}}}
    await erp.seed(order("P000041", operations=operations), control_profiles=profiles)
    await erp.start("P000041")
    await erp.route({"OperationNumber": 10, "GoodQuantity": 1}, order="P000041")
    assert "does not allow feedback" in (await last(erp))["infolog"]


async def test_components_consumed_at_their_operation_follow_the_route_card_not_the_report(erp):
    components = [dict(row) for row in order()["components"]]
    components[0]["at_operation"] = True
    await erp.seed(order("P000041", components=components))
    await erp.start("P000041")
    await erp.route(
        {"OperationNumber": 10, "GoodQuantity": 9, "ErrorQuantity": 1, "BOMConsumption": "Yes"}, order="P000041"
    )
    await erp.report(9, "P000041")
    await erp.process()
    assert [row["withdrawn"] for row in (await erp.order("P000041"))["components"]] == ["20", "1.125"]


async def test_a_route_card_of_the_last_operation_may_report_as_finished(started):
    await started.route({"OperationNumber": 30, "GoodQuantity": 6, "ErrorQuantity": 1, "ReportAsFinished": "Yes"})
    await started.process()
    assert await yields(started) == [("0", "0"), ("0", "0"), ("6", "1")]
    assert await started.stock_of("FG1") == "6"


# End and undo -------------------------------------------------------------------------------------------------------


async def test_ended_is_final_for_every_message_and_every_person(started):
    await started.end()
    assert "it must be ReportedFinished" in (await last(started))["infolog"]
    await started.control("messages", {"id": 2, "action": "cancel"})
    await started.end(AutoReportAsFinished="Yes", EndedDate="2026-03-31")
    assert (await last(started))["state"] == "Processed"
    row = (await started.read("ProductionOrderHeaders"))[0]
    assert (row["ProductionOrderStatus"], row["EndedDate"]) == ("Completed", "2026-03-31T12:00:00Z")
    assert (await started.order())["items"][0]["received"] == "100"
    await started.report(1)
    message = await last(started)
    assert "has been ended" in message["infolog"]
    assert "has been ended" in await started.problem("manual", {"order": "P000040", "operation": "0030", "yield": "1"})
    assert "has been ended" in await started.problem("reverse", {"order": "P000040"})


async def test_a_person_undoes_the_whole_order_and_the_journals_stay(started):
    await started.route({"OperationNumber": 10, "GoodQuantity": 30, "ErrorQuantity": 2, "Hours": 1})
    await started.report(28, ReportedErrorQuantity=2, EndJob="Yes")
    await started.process()
    answer = await started.control("reverse", {"order": "P000040", "to": "Released"})
    assert len(answer["documents"]) == 3
    shown = await started.order()
    assert (shown["status"], shown["started"], shown["remaining"]) == (["Released"], "0", "100")
    assert await yields(started) == [("0", "0")] * 3
    assert {row["withdrawn"] for row in shown["components"]} == {"0"}
    assert [await started.stock_of(name) for name in ("RM1", "RM2", "FG1")] == ["1000", "50", "0"]
    documents = (await started.books())["documents"]
    assert [(one["reversed"], one["reversal"]) for one in documents] == [(True, False)] * 3 + [(False, True)] * 3
    assert sum(float(one.get("yield", 0)) for one in documents) == 0
    counters = await started.read(RAF, _filter="ReportedGoodInventoryQuantity lt 0")
    assert [row["IsReceiptReturned"] for row in counters] == ["Yes"]
    await started.start()
    await started.report(5)
    assert (await last(started))["state"] == "Processed"
    assert await yields(started) == [("0", "0"), ("0", "0"), ("5", "0")]


async def test_undoing_is_refused_when_the_product_has_moved_on(started):
    await started.report(10)
    await started.process()
    await started.seed(
        stock=[{"material": "FG1", "plant": "1", "storage_location": "11", "quantity": "3", "unit": "PC"}]
    )
    assert "10.00 cannot be picked because only 3.00" in await started.problem("reverse", {"order": "P000040"})
    assert await yields(started) == [("0", "0"), ("0", "0"), ("10", "0")]


async def test_no_service_undoes_an_order(started):
    path = "/data/ProductionOrderHeaders(dataAreaId='usmf',ProductionOrderNumber='P000040')"
    answer = await started.call("POST", f"{path}/Microsoft.Dynamics.DataEntities.ResetStatus", json={})
    assert answer.status_code == 404


# Journals through OData and people ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entity", "fields", "effect"),
    [
        (RAF, {"ReportedGoodInventoryQuantity": 5}, ("0030", "5")),
        (ROUTE, {"RouteOperationNumber": 10, "ReportedGoodInventoryQuantity": 5}, ("0010", "5")),
        (
            "JobCardProductionJournalEntries",
            {"RouteOperationNumber": 20, "ReportedGoodInventoryQuantity": 5, "RegisteredHours": 0.5},
            ("0020", "5"),
        ),
        (PICKING, {"ItemNumber": "RM1", "ConsumptionBOMQuantity": 5}, None),
    ],
)
async def test_a_created_journal_is_numbered_unposted_and_posted_by_nobody_but_a_person(
    started, entity, fields, effect
):
    common = {"ProductionOrderNumber": "P000040", "JournalName": "Own", "JournalDescription": "k" * 70}
    made = await started.create(entity, common | fields | {"IsPosted": "Yes"})
    assert (made["IsPosted"], made["JournalNumber"], made["PostedDateTime"]) == ("No", "000001", "1900-01-01T00:00:00Z")
    assert made["JournalDescription"] == "k" * 60
    key = f"{entity}(dataAreaId='usmf',JournalNumber='000001',JournalLineNumber=1)"
    for action in ("Post", "post"):
        answer = await started.call("POST", f"/data/{key}/Microsoft.Dynamics.DataEntities.{action}", json={})
        assert answer.status_code == 404
    assert (await started.call("PATCH", f"/data/{key}", json={"JournalDescription": "key-1"})).status_code == 204
    assert (await started.read(entity, _filter="JournalDescription eq 'key-1'"))[0]["JournalNumber"] == "000001"
    await started.control("manual", {"action": "post_journal", "journal": "000001"})
    assert (await started.read(key))["IsPosted"] == "Yes"
    assert "has been posted" in await started.refused(key, {"JournalDescription": "x"}, "PATCH")
    gone = await started.call("DELETE", f"/data/{key}")
    assert (gone.status_code, "AxODataDeleteException" in gone.text) == (400, True)
    rows = (await started.order())["operations"]
    if effect:
        assert effect in [(row["operation"], row["yield"]) for row in rows]
    else:
        assert await started.stock_of("RM1") == "995"


async def test_what_a_created_journal_needs(started):
    assert "'Production' must be filled in" in await started.refused(RAF, {"JournalName": "RAF"})
    own = {"ProductionOrderNumber": "P000040"}
    assert "'Journal name' must be filled in" in await started.refused(RAF, own)
    own["JournalName"] = "X"
    assert "'Oper. No.' must be filled in" in await started.refused(ROUTE, own)
    assert "'Item number' must be filled in" in await started.refused(PICKING, own)
    assert "Production journals" in await started.refused(RAF, own | {"JournalNumber": "999999"})
    made = await started.create(PICKING, own | {"ItemNumber": "RM1"})
    second = await started.create(PICKING, own | {"ItemNumber": "RM2", "JournalNumber": made["JournalNumber"]})
    assert second["JournalLineNumber"] == 2
    await started.control("manual", {"action": "delete_journal", "journal": made["JournalNumber"]})
    assert await started.read(PICKING) == []


async def test_a_person_reports_in_the_simulated_saps_shape(started):
    made = await started.control(
        "manual", {"order": "P000040", "operation": "0010", "yield": "5", "scrap": "1", "count": 2}
    )
    assert made == {"documents": ["000001/1", "000002/1"]}
    await started.control("manual", {"order": "P000040", "operation": "0030", "yield": "4", "text": "by hand"})
    assert await yields(started) == [("10", "2"), ("0", "0"), ("4", "0")]
    documents = (await started.books())["documents"]
    assert {one["manual"] for one in documents} == {True}
    assert [one["text"] for one in documents][-1] == "by hand"
    await started.control("manual", {"order": "P000040", "operation": "0030", "yield": "-1"})
    assert (await yields(started))[2] == ("3", "0")
    assert "good and error quantities only" in await started.problem("manual", {"order": "P000040", "rework": "1"})
    assert "posted before: " in await started.problem(
        "manual", {"order": "P000040", "operation": "0030", "yield": "60", "count": 2}
    )
    await started.control("manual", {"action": "pick", "order": "P000040", "material": "RM1", "quantity": "3"})
    assert (await started.process())[0]["state"] == "Processed"


async def test_a_person_releases_and_ends(erp):
    await erp.seed(order("P000041", status=["CRTD"]), stock=STOCK_ROWS)
    await erp.control("manual", {"action": "release", "order": "P000041"})
    await erp.control("manual", {"action": "start", "order": "P000041"})
    await erp.control("manual", {"order": "P000041", "yield": "100", "final": True})
    assert await yields(erp, "P000041") == [("100", "0")] * 3
    await erp.control("manual", {"action": "end", "order": "P000041"})
    assert (await erp.order("P000041"))["status"] == ["Completed"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"orders": [{"order": "X"}]}, "plant"),
        ({"orders": [order(status=["LKD"])]}, "status"),
        ({"orders": [order(colour="red")]}, "colour"),
        ({"settings": {"unknown_members": "perhaps"}}, "unknown_members"),
        ([1], "for example"),
    ],
)
async def test_a_wrong_seed_teaches_and_changes_nothing(start_dynamics, tmp_path, body, told):
    erp = await start_dynamics(tmp_path / "seed.db")
    assert told in await erp.problem("orders", body)
    assert (await erp.books())["orders"] == []
