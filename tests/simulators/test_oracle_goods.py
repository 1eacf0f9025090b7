"""Material of the simulated Oracle: backflush, lots, serials, staged transactions, on-hand stock, holds, usage."""

import pytest

from tests.simulators.oracle_bench import ACTION, issue, line, oracle_fixture, order, start_oracle_fixture, until

__all__ = ["oracle_fixture", "start_oracle_fixture"]
KEY = "0f8fad5b-d9cb-469f-a165-70867728950e"


def staged(kind: str, item: str, quantity: float, **fields):
    return {
        "TransactionMode": "1",
        "SourceCode": "PLANTWRIGHT",
        "SourceHeaderId": 1,
        "SourceLineId": 1,
        "TransactionTypeName": kind,
        "OrganizationName": "M1",
        "ItemNumber": item,
        "SubinventoryCode": "RM01",
        "TransactionQuantity": quantity,
    } | fields


async def lot_url(oracle, item: str, lot: str) -> str:
    found = await oracle.read("inventoryItemLots", q=f"ItemNumber='{item}' and LotNumber='{lot}'")
    return found["items"][0]["links"][0]["href"]


async def set_status(oracle, item: str, lot: str, status: int) -> None:
    url = await lot_url(oracle, item, lot)
    answer = await oracle.http.patch(url, json={"MaterialStatusId": status})
    assert answer.status_code == 200, answer.text


async def test_pull_components_are_issued_with_the_operation_and_lot_controlled_ones_are_not(oracle):
    await oracle.moved(line(10, 30), line(10, 2, "SCRAP"), line(10, 1, "REJECT"), line(20, 30))
    assert await oracle.withdrawn() == {"RM1": "66", "RM2": "4.125", "WIRE": "0"}
    assert await oracle.stock("RM1") == {"RM01": "934"}
    await oracle.moved(line(10, 1, "READY", "REJECT"), line(10, 2, "READY", "SCRAP"))
    assert (await oracle.withdrawn())["RM1"] == "60"
    [confirmation] = [row for row in (await oracle.books())["documents"] if row["kind"] == "confirmation"][:1]
    assert [(row["movement_type"], row["material"], row["quantity"]) for row in confirmation["goods_movements"]] == [
        ("MATERIAL_ISSUE", "RM1", "60"), ("MATERIAL_ISSUE", "RM2", "3.75")
    ]  # fmt: skip


async def test_components_that_are_pushed_bulk_or_serial_controlled_are_not_pulled(oracle):
    parts = [
        {"material": "PUSHED", "required": 10, "unit": "PC", "storage_location": "RM01", "backflush": False},
        {"material": "GREASE", "required": 10, "unit": "PC", "storage_location": "RM01", "bulk": True},
        {"material": "MOTOR", "required": 10, "unit": "PC", "storage_location": "RM01", "serial_managed": True},
        {"material": "JIG", "required": 1, "unit": "PC", "storage_location": "RM01", "fixed": True},
    ]
    stock = [{"material": "JIG", "plant": "M1", "storage_location": "RM01", "quantity": 5, "unit": "PC"}]
    await oracle.seed(order("1000041", components=parts), stock=stock)
    await oracle.moved(line(10, 4, WorkOrderNumber="1000041"))
    await oracle.moved(line(10, 4, WorkOrderNumber="1000041"))
    assert await oracle.withdrawn("1000041") == {"PUSHED": "0", "GREASE": "0", "MOTOR": "0", "JIG": "1"}


async def test_a_short_pull_component_leaves_the_completion_standing_until_a_person_helps(oracle):
    rows = [
        {"material": "RM1", "plant": "M1", "storage_location": "RM01", "quantity": "5", "unit": "PC"},
        {"material": "RM1", "plant": "M1", "storage_location": "RM02", "quantity": "500", "unit": "PC"},
    ]
    await oracle.control("orders", {"stock": rows})
    await oracle.moved(line(10, 10))
    [error] = (await oracle.books())["cogi"]
    assert (error["material"], error["quantity"], error["code"]) == ("RM1", "20", "INV_NEGATIVE_BALANCES_NOT_ALLOWED")
    assert (await oracle.withdrawn())["RM1"] == "0"
    await oracle.moved(line(10, 4, "READY", "COMPLETE"))
    assert [row["quantity"] for row in (await oracle.books())["cogi"]] == ["12"]
    assert await oracle.stock("RM1") == {"RM01": "5", "RM02": "500"}
    await oracle.control("cogi", {"id": error["id"], "storage_location": "RM02"})
    assert (await oracle.withdrawn())["RM1"] == "12"
    await oracle.control("settings", {"pull_shortage": "refuse"})
    assert await oracle.refused(line(10, 10)) == ["INV_NEGATIVE_BALANCES_NOT_ALLOWED"]
    await oracle.control("settings", {"negative_stock": True})
    await oracle.moved(line(10, 10))
    assert (await oracle.stock("RM1"))["RM01"] == "-15"


async def test_lot_controlled_components_are_issued_by_lot_and_answer_their_transaction(oracle):
    await oracle.moved(line(10, 30), line(20, 30))
    lots = [{"LotNumber": "W1", "TransactionQuantity": 10}, {"LotNumber": "W2", "TransactionQuantity": 20}]
    made = await oracle.material(issue(20, "WIRE", 30, TransactionLot=lots, TransactionNote=f"pw {KEY}"))
    [detail] = made["MaterialTransactionDetail"]["items"]
    assert detail["ErrorMessages"] is None
    found = (await oracle.get(f"inventoryCompletedTransactions/{detail['InvTransactionId']}", expand="lots")).json()
    assert (found["Item"], found["TransactionQuantity"], found["SubinventoryCode"]) == ("WIRE", -30, "RM01")
    assert [(lot["LotNumber"], lot["TransactionQuantity"]) for lot in found["lots"]["items"]] == [
        ("W1", -10),
        ("W2", -20),
    ]
    assert await oracle.stock("WIRE") == {"RM01W1": "50", "RM01W2": "480"}
    document = (await oracle.books())["documents"][-1]
    assert (document["kind"], document["id"]) == ("material_document", str(detail["InvTransactionId"]))
    assert document["key"] == KEY
    back = {"TransactionLot": [{"LotNumber": "W2", "TransactionQuantity": 20}]}
    await oracle.material(issue(20, "WIRE", 20, "MATERIAL_RETURN", **back))
    assert (await oracle.withdrawn())["WIRE"] == "10"


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({}, "INV_LOT_REQUIRED"),
        ({"TransactionLot": [{"LotNumber": "W1", "TransactionQuantity": 1}]}, "INV_LOT_QUANTITY_MISMATCH"),
        ({"TransactionLot": [{"LotNumber": "W9", "TransactionQuantity": 2}]}, "INV_INVALID_LOT"),
        (
            {"TransactionQuantity": 61, "TransactionLot": [{"LotNumber": "W1", "TransactionQuantity": 61}]},
            "INV_NEGATIVE_BALANCES_NOT_ALLOWED",
        ),
        ({"InventoryItemNumber": "NOBODY"}, "INV_INVALID_ITEM"),
        ({"TransactionTypeCode": "ORDERLESS_COMPLETION"}, "WIE_INVALID_TRANSACTION_TYPE"),
        ({"InventoryItemNumber": "RM1", "TransactionTypeCode": "MATERIAL_RETURN"}, "WIE_INVALID_COMPONENT"),
        ({"InventoryItemNumber": "RM1", "TransactionTypeCode": "PRODUCT_COMPLETION"}, "WIE_INVALID_PRODUCT"),
        (
            {
                "TransactionTypeCode": "MATERIAL_RETURN",
                "TransactionLot": [{"LotNumber": "W1", "TransactionQuantity": 2}],
            },
            "WIE_RETURN_EXCEEDS_ISSUED",
        ),
    ],
)
async def test_a_material_line_that_cannot_be_posted_names_why(oracle, change, name):
    made = await oracle.material(issue(20, "WIRE", 2) | change)
    assert made["ErrorsExistFlag"] == "true"
    [detail] = made["MaterialTransactionDetail"]["items"]
    assert (detail["ErrorMessageNames"], detail["InvTransactionId"]) == (name, None)
    assert (await oracle.books())["documents"] == []


async def test_an_issue_that_the_work_definition_does_not_know_adds_a_component(oracle):
    await oracle.material(issue(20, "RM1", 3, SubinventoryCode="RM01"))
    rows = {(row["operation"], row["material"]): row for row in (await oracle.books())["orders"][0]["components"]}
    assert (rows["0020", "RM1"]["required"], rows["0020", "RM1"]["withdrawn"]) == ("0", "3")


async def test_a_component_with_lots_may_be_sent_along_with_the_operation(oracle):
    component = issue(20, "WIRE", 5, TransactionLot=[{"LotNumber": "W1", "TransactionQuantity": 5}])
    await oracle.moved(line(10, 10))
    await oracle.moved(line(20, 5, MaterialTransactionDetail=[component]))
    assert (await oracle.withdrawn())["WIRE"] == "5"
    worse = issue(20, "WIRE", 5, TransactionLot=[{"LotNumber": "W9", "TransactionQuantity": 5}])
    assert await oracle.refused(line(20, 5, MaterialTransactionDetail=[worse])) == ["INV_INVALID_LOT"]
    assert (await oracle.operations())["0020"]["yield"] == "5"


async def test_a_lot_controlled_product_needs_its_lot_at_the_last_operation(oracle):
    await oracle.seed(order("1000041", material="FG2", batch="B1", components=[]))
    mine = {"WorkOrderNumber": "1000041"}
    await oracle.moved(line(10, 5, **mine), line(20, 5, **mine))
    assert await oracle.refused(line(30, 5, **mine)) == ["INV_LOT_REQUIRED"]
    lot = {"TransactionLot": [{"LotNumber": "B1", "TransactionQuantity": 5}]}
    await oracle.moved(line(30, 5, **mine, **lot))
    assert await oracle.stock("FG2") == {"FG01B1": "5"}
    await oracle.moved(line(30, 5, "READY", "COMPLETE", **mine, **lot))
    assert await oracle.stock("FG2") == {"FG01B1": "0"}


async def test_serial_controlled_products_come_one_by_one_and_are_in_stock_once(oracle):
    await oracle.seed(
        order("1000041", material="FG3", components=[]), materials={"FG3": {"unit": "PC", "serial_managed": True}}
    )
    mine = {"WorkOrderNumber": "1000041"}
    await oracle.moved(line(10, 5, **mine), line(20, 5, **mine))
    assert await oracle.refused(line(30, 2, **mine)) == ["INV_SERIAL_QUANTITY_MISMATCH"]
    span = {"TransactionSerial": [{"FromSerialNumber": "S001", "ToSerialNumber": "S002"}]}
    await oracle.moved(line(30, 2, **mine, **span))
    assert await oracle.refused(line(30, 2, **mine, **span)) == ["INV_SERIAL_IN_STOCK"]
    one = {"TransactionSerial": [{"SerialNumber": "S002"}]}
    await oracle.moved(line(30, 1, "READY", "COMPLETE", **mine, **one))
    assert await oracle.stock("FG3") == {"FG01": "1"}


async def test_without_a_completion_subinventory_the_product_waits_for_a_completion_of_its_own(oracle):
    await oracle.seed(order("1000041", storage_location="", components=[]))
    mine = {"WorkOrderNumber": "1000041"}
    await oracle.moved(*(line(sequence, 10, **mine) for sequence in (10, 20, 30)))
    assert (await oracle.books("1000041"))["orders"][0]["items"][0]["received"] == "0"
    receive = issue(30, "FG1", 6, "PRODUCT_COMPLETION", WorkOrderNumber="1000041", SubinventoryCode="FG07")
    assert (await oracle.material(receive))["ErrorsExistFlag"] == "false"
    assert (await oracle.material(receive))["ErrorsExistFlag"] == "true"
    back = receive | {"TransactionTypeCode": "PRODUCT_RETURN", "TransactionQuantity": 2}
    assert (await oracle.material(back))["ErrorsExistFlag"] == "false"
    assert await oracle.stock("FG1") == {"FG07": "4"}


async def test_usage_is_charged_reversed_and_never_below_nothing(oracle):
    charge = {
        "OrganizationCode": "M1", "WorkOrderNumber": "1000040", "OperationSequenceNumber": 10, "ResourceCode": "PRESS",
        "TransactionTypeCode": "RESOURCE_CHARGE", "TransactionQuantity": 45.5, "TransactionUnitOfMeasure": "MIN",
    }  # fmt: skip
    assert (await oracle.charge(charge))["ErrorsExistFlag"] == "false"
    back = charge | {"TransactionTypeCode": "RESOURCE_REVERSE", "TransactionQuantity": 50}
    made = await oracle.charge(back, charge | {"ResourceCode": "LATHE"}, charge | {"TransactionUnitOfMeasure": "HR"})
    names = [detail["ErrorMessageNames"] for detail in made["ResourceTransactionDetail"]["items"]]
    assert names == ["WIE_REVERSAL_EXCEEDS_CHARGE", "WIE_INVALID_RESOURCE", "INV_INVALID_UOM"]
    assert (await oracle.operations())["0010"]["activities"]["1"]["confirmed"] == "45.5"
    await oracle.charge(back | {"TransactionQuantity": 45.5})
    [first, second] = (await oracle.books())["documents"]
    assert (first["reversed"], second["reverses"], second["activities"]) == (True, first["id"], {"1": "-45.5"})


async def test_automatic_resources_are_charged_in_proportion_to_what_left_ready(oracle):
    await oracle.moved(line(10, 30), line(20, 10), line(20, 2, "SCRAP"))
    assert (await oracle.operations())["0020"]["activities"]["1"]["confirmed"] == "6"
    await oracle.moved(line(20, 2, "READY", "SCRAP"))
    assert (await oracle.operations())["0020"]["activities"]["1"]["confirmed"] == "5"


async def test_a_staged_transfer_is_processed_online_and_found_by_either_reference(oracle):
    references = {"TransactionReference": KEY, "ExternalSystemTransactionReference": f"ext-{KEY}"}
    body = staged("Subinventory Transfer", "RM1", -40, TransferSubinventory="RM02", **references)
    made = await oracle.created("inventoryStagedTransactions", body)
    assert (made["ProcessStatus"], made["ErrorCode"]) == (7, None)
    assert await oracle.stock("RM1") == {"RM01": "960", "RM02": "40"}
    for query in (f"Reference='{KEY}'", f"SourceReference='ext-{KEY}'"):
        found = await oracle.items("inventoryCompletedTransactions", q=query)
        assert [(row["SubinventoryCode"], row["TransactionQuantity"]) for row in found] == [("RM01", -40), ("RM02", 40)]
    assert await oracle.items("inventoryStagedTransactions") == []
    await oracle.control("settings", {"reference_searchable": False})
    assert (await oracle.get("inventoryCompletedTransactions", q=f"Reference='{KEY}'")).status_code == 400
    assert len(await oracle.items("inventoryCompletedTransactions", q="Item='RM1'")) == 2


async def test_the_same_source_identity_is_never_refused(oracle):
    for _ in range(2):
        await oracle.created(
            "inventoryStagedTransactions", staged("Subinventory Transfer", "RM1", -1, TransferSubinventory="RM02")
        )
    assert await oracle.stock("RM1") == {"RM01": "998", "RM02": "2"}


async def test_quantities_are_signed_and_miscellaneous_moves_need_an_account(oracle):
    wrong = await oracle.created("inventoryStagedTransactions", staged("Miscellaneous Issue", "RM1", 5))
    assert (wrong["ProcessStatus"], wrong["ErrorCode"]) == (3, "INV_INVALID_QUANTITY_SIGN")
    url = f"inventoryStagedTransactions/{wrong['TransactionInterfaceId']}"
    header = wrong["TransactionHeaderId"]
    await oracle.patch(url, {"TransactionQuantity": -5, "ProcessStatus": 1})
    process = "inventoryStagedTransactions/action/processByHeader"
    answer = await oracle.post(process, {"headerId": header}, media=ACTION)
    assert answer.json()["result"] == {"ReturnStatus": "ERROR", "ProcessedCount": 0, "ErrorCount": 1}
    assert (await oracle.get(url)).json()["ErrorCode"] == "INV_ACCOUNT_REQUIRED"
    await oracle.patch(url, {"AccountCombination": "101.20.5000", "ProcessStatus": 1})
    answer = await oracle.post(process, {"headerId": header}, media=ACTION)
    assert answer.json()["result"]["ReturnStatus"] == "SUCCESS"
    assert (await oracle.get(url)).status_code == 404
    assert await oracle.stock("RM1") == {"RM01": "995"}
    movement = (await oracle.books())["documents"][-1]["goods_movements"][0]
    assert (movement["movement_type"], movement["cost_centre"]) == ("MISCELLANEOUS_ISSUE", "101.20.5000")


async def test_background_rows_wait_for_the_action_or_their_time_and_can_be_withdrawn(oracle):
    body = staged("Subinventory Transfer", "RM1", -1, TransferSubinventory="RM02", TransactionMode="2")
    first = await oracle.created("inventoryStagedTransactions", body)
    second = await oracle.created("inventoryStagedTransactions", body | {"TransactionMode": 3})
    assert (first["ProcessStatus"], await oracle.stock("RM1")) == (1, {"RM01": "1000"})
    assert len((await oracle.books())["pending_goods_movements"]) == 2
    gone = await oracle.http.delete(first["links"][0]["href"])
    assert gone.status_code == 204
    process = "inventoryStagedTransactions/action/processByHeader"
    await oracle.post(process, {"headerId": second["TransactionHeaderId"]}, media=ACTION)
    assert await oracle.stock("RM1") == {"RM01": "999", "RM02": "1"}
    nothing = await oracle.post(process, {"headerId": second["TransactionHeaderId"]}, media=ACTION)
    assert nothing.status_code == 400
    await oracle.control("settings", {"background_seconds": 0.1})
    await oracle.created("inventoryStagedTransactions", body)

    async def processed() -> bool:
        return await oracle.stock("RM1") == {"RM01": "998", "RM02": "2"}

    await until(processed)


async def test_an_upsert_corrects_a_staged_row_that_still_waits(oracle):
    body = staged("Subinventory Transfer", "RM1", -1, TransferSubinventory="RM02", TransactionMode="3")
    made = await oracle.created("inventoryStagedTransactions", body)
    again = body | {"TransactionInterfaceId": made["TransactionInterfaceId"], "TransactionQuantity": -2}
    answer = await oracle.post("inventoryStagedTransactions", again, headers={"upsert-mode": "true"})
    assert (answer.status_code, answer.json()["TransactionQuantity"]) == (200, -2)
    assert len(await oracle.items("inventoryStagedTransactions")) == 1


async def test_a_validation_says_whether_it_would_go_and_posts_nothing(oracle):
    body = {"OrganizationCode": "M1", "ItemNumber": "RM1", "SubinventoryCode": "RM01", "TransactionQuantity": -10}
    good = await oracle.created("validateInventoryTransactionQuantities", body)
    assert (good["ReturnStatus"], good["ReturnMessageName"]) == ("SUCCESS", None)
    bad = await oracle.created("validateInventoryTransactionQuantities", body | {"TransactionQuantity": -1001})
    assert (bad["ReturnStatus"], bad["ReturnMessageName"]) == ("ERROR", "INV_NEGATIVE_BALANCES_NOT_ALLOWED")
    assert "Negative inventory balances are not allowed" in bad["ReturnMessageText"]
    books = await oracle.books()
    assert (books["documents"], await oracle.stock("RM1")) == ([], {"RM01": "1000"})


async def test_on_hand_balances_and_items_are_read(oracle):
    await oracle.control("orders", {"materials": {"RM1": {"standard_cost": "1.25", "description": "Blank"}}})
    rows = await oracle.items("inventoryOnhandBalances", q="ItemNumber='WIRE' and OrganizationCode='M1'")
    assert [(row["LotNumber"], row["PrimaryQuantity"], row["PrimaryUOMCode"]) for row in rows] == [
        ("W1", 60, "M"), ("W2", 500, "M")
    ]  # fmt: skip
    items = {row["ItemNumber"]: row for row in await oracle.items("itemsV2", q="OrganizationCode='M1'")}
    assert (items["RM1"]["StandardCost"], items["RM1"]["LotControlValue"]) == (1.25, "No lot control")
    assert items["WIRE"]["LotControlValue"] == "Full lot control"


async def test_a_lot_is_found_by_query_and_its_link_cannot_be_built_by_a_client(start_oracle, oracle, tmp_path):
    url = await lot_url(oracle, "WIRE", "W1")
    identifier = url.rsplit("/", 1)[-1]
    assert identifier.isalnum()
    assert (await oracle.get(f"inventoryItemLots/{identifier}")).json()["LotNumber"] == "W1"
    assert (await oracle.get("inventoryItemLots/W1")).status_code == 404
    other = await start_oracle(tmp_path / "other.db")
    await other.seed(order(), stock=[{"material": "WIRE", "plant": "M1", "quantity": 1, "unit": "M", "batch": "W1"}])
    assert (await lot_url(other, "WIRE", "W1")).rsplit("/", 1)[-1] != identifier
    old = await oracle.get("inventoryItemLots", version=1, q="ItemNumber=WIRE;LotNumber=W2")
    assert old.json()["count"] == 1


async def test_a_held_lot_refuses_issue_and_transfer_until_it_is_released(oracle):
    await oracle.moved(line(10, 10), line(20, 10))
    await set_status(oracle, "WIRE", "W1", 2)
    lots = {"TransactionLot": [{"LotNumber": "W1", "TransactionQuantity": 5}]}
    made = await oracle.material(issue(20, "WIRE", 5, **lots))
    assert made["MaterialTransactionDetail"]["items"][0]["ErrorMessageNames"] == "INV_MATERIAL_STATUS_DISALLOWS"
    move = staged(
        "Subinventory Transfer", "WIRE", -5, TransferSubinventory="RM02",
        lots=[{"LotNumber": "W1", "TransactionQuantity": -5}],
    )  # fmt: skip
    refused = await oracle.created("inventoryStagedTransactions", move)
    assert refused["ErrorCode"] == "INV_MATERIAL_STATUS_DISALLOWS"
    [hold] = (await oracle.books())["holds"]
    assert (hold["kind"], hold["batch"], hold["material_status"], hold["quantity"]) == ("lot", "W1", "Hold", "60")
    await set_status(oracle, "WIRE", "W1", 1)
    assert (await oracle.material(issue(20, "WIRE", 5, **lots)))["ErrorsExistFlag"] == "false"
    assert (await oracle.books())["holds"] == []


async def test_a_held_lot_refuses_completion_into_it(oracle):
    await oracle.seed(order("1000041", material="FG2", batch="B1", components=[]))
    mine = {"WorkOrderNumber": "1000041"}
    lot = {"TransactionLot": [{"LotNumber": "B1", "TransactionQuantity": 2}]}
    await oracle.moved(line(10, 5, **mine), line(20, 5, **mine), line(30, 2, **mine, **lot))
    await set_status(oracle, "FG2", "B1", 2)
    assert await oracle.refused(line(30, 2, **mine, **lot)) == ["INV_MATERIAL_STATUS_DISALLOWS"]
    assert await oracle.refused(line(30, 2, "READY", "COMPLETE", **mine, **lot)) == ["INV_MATERIAL_STATUS_DISALLOWS"]


async def test_a_status_of_ones_own_blocks_exactly_what_it_says(oracle):
    await oracle.control("orders", {"material_statuses": [{"status": "No move", "disallowed": ["transfer"]}]})
    [status] = await oracle.items("materialStatuses", q="StatusCode='No move'")
    await set_status(oracle, "WIRE", "W1", status["MaterialStatusId"])
    lots = {"lots": [{"LotNumber": "W1", "TransactionQuantity": -5}]}
    move = await oracle.created(
        "inventoryStagedTransactions",
        staged("Subinventory Transfer", "WIRE", -5, TransferSubinventory="RM02", **lots),
    )
    assert move["ErrorCode"] == "INV_MATERIAL_STATUS_DISALLOWS"
    out = {"TransactionLot": [{"LotNumber": "W1", "TransactionQuantity": 5}]}
    assert (await oracle.material(issue(20, "WIRE", 5, **out)))["ErrorsExistFlag"] == "false"


async def test_the_status_route_is_refused_for_items_without_lot_control(oracle):
    body = {"OrganizationCode": "M1", "ItemNumber": "RM1", "LotNumber": "X", "MaterialStatusId": 2}
    answer = await oracle.created("materialStatusUpdates", body)
    assert (answer["Result"], answer["ErrorCode"]) == ("ERROR", "INV_ITEM_NOT_LOT_CONTROLLED")
    created = await oracle.post("inventoryItemLots", {"OrganizationCode": "M1", "ItemNumber": "RM1", "LotNumber": "X"})
    assert created.json()["o:errorDetails"][0]["o:errorCode"] == "INV_ITEM_NOT_LOT_CONTROLLED"
    good = await oracle.created("materialStatusUpdates", body | {"ItemNumber": "WIRE", "LotNumber": "W1"})
    assert (good["Result"], good["ErrorCode"]) == ("SUCCESS", None)
    assert [hold["batch"] for hold in (await oracle.books())["holds"]] == ["W1"]
    lot = {"OrganizationCode": "M1", "ItemNumber": "WIRE", "LotNumber": "W3", "MaterialStatusCode": "Hold"}
    assert (await oracle.created("inventoryItemLots", lot))["MaterialStatusId"] == 2
    assert (await oracle.post("inventoryItemLots", lot)).status_code == 400


async def test_a_hold_subinventory_takes_and_gives_back_but_does_not_issue(oracle):
    place = {"plant": "M1", "subinventory": "QA", "material_status": "Quarantine", "hold": True}
    await oracle.control("orders", {"subinventories": [place]})
    move = staged("Subinventory Transfer", "RM1", -40, TransferSubinventory="QA")
    await oracle.created("inventoryStagedTransactions", move)
    held = [(row["kind"], row["material"], row["quantity"]) for row in (await oracle.books())["holds"]]
    assert held == [("subinventory", "RM1", "40")]
    made = await oracle.material(issue(10, "RM1", 5, SubinventoryCode="QA"))
    assert made["MaterialTransactionDetail"]["items"][0]["ErrorMessageNames"] == "INV_MATERIAL_STATUS_DISALLOWS"
    back = move | {"SubinventoryCode": "QA", "TransferSubinventory": "RM01"}
    await oracle.created("inventoryStagedTransactions", back)
    assert (await oracle.stock("RM1"))["RM01"] == "1000"
    await oracle.moved(*(line(sequence, 2) for sequence in (10, 20)), line(30, 2, ComplSubinventoryCode="QA"))
    assert (await oracle.stock("FG1")) == {"QA": "2"}
