"""Inventory and quality in the simulated D365: transfers, movements, batches, quality orders, what is on hand."""

from tests.simulators.dynamics_bench import (
    enum,
    erp_fixture,
    order,
    start_dynamics_fixture,
    started_fixture,
)

__all__ = ["erp_fixture", "start_dynamics_fixture", "started_fixture"]
HEADERS = "InventoryTransferJournalHeaders"
LINES = "InventoryTransferJournalEntries"
SOURCE = {"SourceInventorySiteId": "1", "SourceWarehouseId": "12"}
POST = "Microsoft.Dynamics.DataEntities.Post"


def header_key(number, kind=HEADERS):
    return f"{kind}(dataAreaId='usmf',JournalNumber='{number}')"


async def transfer(erp, **line):
    header = await erp.create(HEADERS, {"JournalNameId": "ITrf", "Description": "key-1"})
    number = header["JournalNumber"]
    await erp.create(LINES, {"JournalNumber": number, "ItemNumber": "RM1", "InventoryQuantity": 10} | SOURCE | line)
    return number


async def test_a_transfer_is_posted_by_the_unattended_batch_and_found_by_its_description(erp):
    number = await transfer(erp, DestinationWarehouseId="13", TransactionDate="2026-03-02T12:00:00Z")
    assert (await erp.read(header_key(number)))["IsPosted"] == "No"
    await erp.process()
    [row] = await erp.read(HEADERS, _filter="Description eq 'key-1'")
    assert (row["IsPosted"], row["JournalNumber"]) == ("Yes", number)
    assert [await erp.stock_of("RM1", storage_location=place) for place in ("12", "13")] == ["990", "10"]
    [document] = (await erp.books())["documents"]
    assert (document["kind"], document["key"], document["posting_date"]) == ("transfer_journal", "key-1", "2026-03-02")
    assert [line["movement_type"] for line in document["goods_movements"]] == ["transfer_out", "transfer_in"]
    assert "has been posted" in await erp.refused(header_key(number), {"Description": "x"}, "PATCH")
    assert "has been posted" in await erp.refused(LINES, {"JournalNumber": number, "ItemNumber": "RM1"})
    expanded = await erp.read(header_key(number), _expand="InventoryTransferJournalEntry")
    assert len(expanded["InventoryTransferJournalEntry"]) == 1


async def test_the_posting_action_is_there_only_where_an_extension_brought_it(erp):
    await erp.settings(journal_autopost=False)
    number = await transfer(erp, DestinationWarehouseId="13")
    path = f"/data/{header_key(number)}/{POST}"
    answer = await erp.call("POST", path, json={})
    assert (answer.status_code, "No HTTP resource was found" in answer.json()["Message"]) == (404, True)
    await erp.process()
    assert (await erp.read(header_key(number)))["IsPosted"] == "No"
    await erp.settings(journal_post_action=True)
    assert (await erp.call("POST", path, json={})).status_code == 204
    assert (await erp.call("POST", path, json={})).status_code == 400
    assert await erp.stock_of("RM1", storage_location="13") == "10"


async def test_a_transfer_that_cannot_be_posted_says_why_and_is_tried_again_when_it_changes(erp):
    number = await transfer(erp, DestinationWarehouseId="13", InventoryQuantity=2000)
    await erp.process()
    [document] = (await erp.books())["documents"]
    assert (document["posted"], "2000.00 cannot be picked" in document["error"]) == (False, True)
    line = f"{LINES}(dataAreaId='usmf',JournalNumber='{number}',LineNumber=1)"
    assert (await erp.call("PATCH", f"/data/{line}", json={"InventoryQuantity": 20})).status_code == 204
    await erp.process()
    assert await erp.stock_of("RM1", storage_location="13") == "20"


async def test_a_person_posts_a_journal_and_deleting_one_takes_its_lines(erp):
    await erp.settings(journal_autopost=False)
    first, second = await transfer(erp, DestinationWarehouseId="13"), await transfer(erp, DestinationWarehouseId="13")
    await erp.control("manual", {"action": "post_transfer", "journal": first})
    assert (await erp.books())["documents"][-1]["manual"] is True
    assert (await erp.call("DELETE", f"/data/{header_key(second)}")).status_code == 204
    assert [row["JournalNumber"] for row in await erp.read(LINES)] == [first]


async def test_stock_of_a_blocking_status_is_out_of_reach_for_production_until_it_comes_back(started):
    number = await transfer(
        started, InventoryQuantity=950, SourceInventoryStatusId="Available", DestinationInventoryStatusId="Blocking"
    )
    await started.process()
    assert (await started.read(header_key(number)))["IsPosted"] == "Yes"
    [hold] = (await started.books())["holds"]
    assert (hold["kind"], hold["material"], hold["code"], hold["quantity"]) == (
        "inventory_status", "RM1", "Blocking", "950"
    )  # fmt: skip
    rows = await started.read("WarehouseInventoryStatusesOnHandV2", _filter="ItemNumber eq 'RM1'")
    assert [(row["InventoryStatusId"], row["OnHandQuantity"], row["AvailableOnHandQuantity"]) for row in rows] == [
        ("Available", 50, 50), ("Blocking", 950, 0)
    ]  # fmt: skip
    await started.report(30)
    assert "60.00 cannot be picked because only 50.00" in (await started.process())[-1]["infolog"]
    await transfer(
        started, InventoryQuantity=950, SourceInventoryStatusId="Blocking", DestinationInventoryStatusId="Available"
    )
    await started.process()
    await started.control("messages", {"id": 2, "action": "requeue"})
    assert (await started.process())[-1]["state"] == "Processed"
    assert (await started.books())["holds"] == []


async def test_a_receipt_into_a_blocking_status_needs_the_setting(started):
    await started.settings(receive_into_blocking_status=True)
    await started.report(5, InventoryStatusId="Blocking")
    await started.process()
    assert await started.stock_of("FG1", status="Blocking") == "5"


async def test_an_unknown_status_and_a_negative_transfer_are_refused_at_posting(erp):
    for line in ({"DestinationInventoryStatusId": "Odd"}, {"InventoryQuantity": -1}, {"InventoryQuantity": 0}):
        number = await transfer(erp, **line)
        await erp.process()
        assert (await erp.read(header_key(number)))["IsPosted"] == "No"
    assert await erp.stock_of("RM1") == "1000"


async def test_a_movement_line_is_one_per_item_and_dimensions(erp):
    header = await erp.create("InventoryMovementJournalHeaders", {"Description": "scrap-1"})
    line = {"JournalNumber": header["JournalNumber"], "ItemNumber": "RM1", "InventoryQuantity": -4}
    line |= {"InventorySiteId": "1", "InventoryWarehouseId": "12", "DefaultLedgerDimensionDisplayValue": "001-4711-"}
    await erp.create("InventoryMovementJournalEntries", line)
    told = await erp.refused("InventoryMovementJournalEntries", line | {"InventoryQuantity": -1})
    assert "The record already exists." in told
    await erp.create("InventoryMovementJournalEntries", line | {"InventoryWarehouseId": "13", "InventoryQuantity": 2})
    await erp.process()
    assert [await erp.stock_of("RM1", storage_location=place) for place in ("12", "13")] == ["996", "2"]
    lines = (await erp.books())["documents"][0]["goods_movements"]
    assert {row["cost_centre"] for row in lines} == {"001-4711-"} | {""} or lines[0]["cost_centre"] == "001-4711-"


async def test_on_hand_adds_up_by_site_warehouse_and_status(erp):
    rows = [
        {
            "material": "RM1",
            "plant": "1",
            "storage_location": "13",
            "quantity": "5",
            "unit": "PC",
            "status": "Blocking",
        },
        {"material": "RM1", "plant": "2", "storage_location": "21", "quantity": "7", "unit": "PC"},
    ]
    await erp.seed(stock=rows)
    sites = await erp.read("InventorySitesOnHandV2", _filter="ItemNumber eq 'RM1'")
    assert [(row["InventorySiteId"], row["OnHandQuantity"]) for row in sites] == [("1", 1005), ("2", 7)]
    warehouses = await erp.read("WarehousesOnHandV2", _filter="ItemNumber eq 'RM1' and InventorySiteId eq '1'")
    assert [(row["InventoryWarehouseId"], row["AvailableOnHandQuantity"]) for row in warehouses] == [
        ("12", 1000),
        ("13", 0),
    ]


# Batches ------------------------------------------------------------------------------------------------------------


async def batch_order(erp):
    """An order whose component comes in two batches, the older one first."""
    component = {"material": "RB", "required": "100", "unit": "PC", "storage_location": "12", "batch": "B1"}
    rows = [
        {"material": "RB", "plant": "1", "storage_location": "12", "batch": name, "quantity": "60", "unit": "PC"}
        for name in ("B1", "B2")
    ]
    await erp.seed(order("P000041", components=[component]), stock=rows)
    await erp.start("P000041")
    await erp.process()


BATCH = "ItemBatches(dataAreaId='usmf',ItemNumber='RB',BatchNumber='B1')"


async def test_a_disposition_code_blocks_production_picking_of_its_batch_only(erp):
    await batch_order(erp)
    assert (await erp.call("PATCH", f"/data/{BATCH}", json={"BatchDispositionCode": "Blocked"})).status_code == 204
    await erp.report(10, "P000041")
    message = (await erp.process())[-1]
    assert "has the disposition code Blocked, which blocks production picking" in message["infolog"]
    [hold] = (await erp.books())["holds"]
    assert (hold["kind"], hold["batch"], hold["code"], hold["quantity"]) == ("batch_disposition", "B1", "Blocked", "60")
    assert (await erp.call("PATCH", f"/data/{BATCH}", json={"BatchDispositionCode": "Available"})).status_code == 204
    await erp.control("messages", {"id": message["id"], "action": "requeue"})
    assert (await erp.process())[-1]["state"] == "Processed"
    assert await erp.stock_of("RB", batch="B1") == "50"


async def test_a_code_blocks_only_the_processes_it_names(erp):
    codes = {"Watch": {"available": False, "production_picking_blocked": False}}
    await batch_order(erp)
    await erp.seed(disposition_codes=codes)
    await erp.call("PATCH", f"/data/{BATCH}", json={"BatchDispositionCode": "Watch"})
    await erp.report(10, "P000041")
    assert (await erp.process())[-1]["state"] == "Processed"
    assert (await erp.books())["holds"][0]["code"] == "Watch"


async def test_the_wrong_route_to_a_hold_is_refused(erp):
    assert (await erp.call("PATCH", f"/data/{BATCH.replace('RB', 'RM1')}", json={})).status_code == 404
    told = await erp.refused(
        "ItemBatches", {"ItemNumber": "RM1", "BatchNumber": "B1", "BatchDispositionCode": "Blocked"}
    )
    assert "Batch number is not active for item RM1" in told
    told = await erp.refused(
        "QualityOrderHeaders",
        {"ItemNumber": "RM1", "InventoryQuantity": 1, "FailedBatchDispositionCode": "Blocked"},
    )
    assert "Batch number is not active for item RM1" in told
    await batch_order(erp)
    assert "Batch disposition master" in await erp.refused(BATCH, {"BatchDispositionCode": "Odd"}, "PATCH")
    assert (await erp.read(BATCH))["BatchDispositionCode"] == "Available"


async def test_batches_are_created_once_and_not_deleted_while_they_have_stock(erp):
    await batch_order(erp)
    made = await erp.create("ItemBatches", {"ItemNumber": "RB", "BatchNumber": "B3"})
    assert made["BatchDispositionCode"] == "Available"
    assert "The record already exists." in await erp.refused("ItemBatches", {"ItemNumber": "RB", "BatchNumber": "B3"})
    assert (await erp.call("DELETE", f"/data/{BATCH.replace('B1', 'B3')}")).status_code == 204
    assert (await erp.call("DELETE", f"/data/{BATCH}")).status_code == 400


async def test_a_picking_list_of_the_newer_version_takes_the_batch_it_names(erp):
    await batch_order(erp)
    await erp.settings(picking_list_version="new")
    await erp.pick({"ItemNumber": "RB", "ConsumptionBOMQuantity": 5, "ItemBatchNumber": "B2"}, order="P000041")
    await erp.process()
    assert [await erp.stock_of("RB", batch=name) for name in ("B1", "B2")] == ["60", "55"]
    [row] = await erp.read("ProductionPickingListJournalEntries")
    assert row["ItemBatchNumber"] == "B2"


# Quality orders -----------------------------------------------------------------------------------------------------

INSPECT = {"ItemNumber": "RM1", "InventorySiteId": "1", "WarehouseId": "12", "QualityTestGroupId": "T1"}


def quality_key(number):
    return f"QualityOrderHeaders(dataAreaId='usmf',QualityOrderNumber='{number}')"


async def test_a_quality_order_blocks_the_stated_quantity_until_a_person_validates_it(started):
    made = await started.create("QualityOrderHeaders", INSPECT | {"InventoryQuantity": 950})
    assert (made["QualityOrderStatus"], made["ValidatedDateTime"]) == ("Open", "1900-01-01T00:00:00Z")
    rows = await started.read("WarehousesOnHandV2", _filter="ItemNumber eq 'RM1'")
    assert (rows[0]["OnHandQuantity"], rows[0]["AvailableOnHandQuantity"]) == (1000, 50)
    assert (await started.books())["holds"][0]["kind"] == "quality_order"
    await started.report(30)
    assert "60.00 cannot be picked because only 50.00" in (await started.process())[-1]["infolog"]
    key = quality_key(made["QualityOrderNumber"])
    assert "'QualityOrderStatus' cannot be changed" in await started.refused(
        key, {"QualityOrderStatus": "Pass"}, "PATCH"
    )
    validate = {"action": "validate_quality_order", "journal": made["QualityOrderNumber"]}
    await started.control("manual", validate)
    assert (await started.read(key))["QualityOrderStatus"] == "Pass"
    assert (await started.books())["holds"] == []
    assert "cannot be changed" in await started.problem("manual", validate)


async def test_a_failed_result_fails_the_order_and_its_codes_come_into_force(erp):
    await batch_order(erp)
    made = await erp.create(
        "QualityOrderHeaders",
        {
            "ItemNumber": "RB", "InventorySiteId": "1", "WarehouseId": "12", "ItemBatchNumber": "B1",
            "InventoryQuantity": 20, "FailedBatchDispositionCode": "Blocked",
            "FailedOrderInventoryStatusId": "Blocking",
        },
    )  # fmt: skip
    number = made["QualityOrderNumber"]
    result = {"QualityOrderNumber": number, "QualityTestId": "DIM", "ResultValue": 4.25}
    first = await erp.create("QualityOrderLineResults", result | {"TestResult": "Pass"})
    second = await erp.create("QualityOrderLineResults", result | {"TestResult": "Fail"})
    assert (first["ResultLineNumber"], second["ResultLineNumber"]) == (1, 2)
    await erp.settings(quality_validation="patch")
    key = quality_key(number)
    assert (await erp.call("PATCH", f"/data/{key}", json={"QualityOrderStatus": "Fail"})).status_code == 204
    row = await erp.read(key)
    assert (row["QualityOrderStatus"], row["ValidatedDateTime"] > "2020") == ("Fail", True)
    assert (await erp.read(BATCH))["BatchDispositionCode"] == "Blocked"
    assert await erp.stock_of("RB", batch="B1", status="Blocking") == "20"
    assert await erp.stock_of("RB", batch="B1", status="Available") == "40"


async def test_quality_orders_that_make_no_sense_are_refused(erp):
    entity = "QualityOrderHeaders"
    assert "'Item number' must be filled in" in await erp.refused(entity, {"InventoryQuantity": 1})
    assert "'Quantity' must be filled in" in await erp.refused(entity, INSPECT)
    told = await erp.refused(entity, INSPECT | {"InventoryQuantity": 1001})
    assert "1001.00 cannot be blocked because only 1000.00" in told
    own = {"QualityOrderPolicyType": "Production", "InventoryQuantity": 1}
    assert "'Production' must be filled in" in await erp.refused(entity, INSPECT | own)
    assert "Quality orders" in await erp.refused("QualityOrderLineResults", {"QualityOrderNumber": "X"})
    assert await erp.read(entity) == []


async def test_a_quality_order_at_an_operation_holds_pieces_that_are_not_in_stock_yet(erp):
    own = {"QualityOrderPolicyType": "RouteOpr", "ProductionOrderNumber": "P000040", "InventoryQuantity": 5}
    assert "'Oper. No.' must be filled in" in await erp.refused("QualityOrderHeaders", own)
    made = await erp.create("QualityOrderHeaders", own | {"ProductionOrderRouteOperationNumber": 20})
    assert made["ItemNumber"] == "FG1"
    assert (await erp.books())["holds"][0]["order"] == "P000040"
    shown = await erp.read(
        "QualityOrderHeaders", _filter=f"QualityOrderStatus eq {enum('InventTestOrderStatus', 'Open')}"
    )
    assert len(shown) == 1
    assert (await erp.call("DELETE", f"/data/{quality_key(made['QualityOrderNumber'])}")).status_code == 204
    assert (await erp.books())["holds"] == []


async def test_a_nonconformance_is_recorded_where_the_entity_is_public(erp):
    body = {"InventNonConformanceType": "Production", "ItemId": "FG1", "TestDefectQty": 2, "InventRefId": "P000040"}
    assert (await erp.call("POST", "/data/InventNonConformance", json=body)).status_code == 404
    await erp.settings(public_entities=["InventNonConformance"])
    made = await erp.create("InventNonConformance", body | {"Approval": "Approved"})
    assert (made["InventNonConformanceId"], made["Approval"], made["Closed"]) == ("NC-000001", "New", "No")


async def test_released_products_show_tracking_unit_and_cost(erp):
    await erp.seed(materials={"FG1": {"unit_cost": "12.5", "text": "Bracket"}, "FG2": {"batch_managed": True}})
    rows = {row["ItemNumber"]: row for row in await erp.read("ReleasedProductsV2")}
    assert (rows["FG1"]["UnitCost"], rows["FG1"]["ProductName"], rows["RM2"]["InventoryUnitSymbol"]) == (
        12.5, "Bracket", "KG"
    )  # fmt: skip
    assert [rows[name]["TrackingDimensionGroupName"] for name in ("FG1", "FG2")] == ["None", "BatchNum"]


async def test_pegging_is_in_the_orders_own_demand_fields(erp):
    await erp.seed(order("P000041", demand_sales_order="000754", demand_order="P000040"))
    [row] = await erp.read("ProductionOrderHeaders", _filter="DemandSalesOrderNumber eq '000754'")
    assert (row["ProductionOrderNumber"], row["DemandProductionOrderNumber"]) == ("P000041", "P000040")
