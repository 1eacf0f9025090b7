"""Inspection lots, results, decisions and defects of the simulated SAP: a lot's stock leaves by its decision only."""

from decimal import Decimal

import pytest

CHARACTERISTICS = [
    {"characteristic": "10", "text": "Length", "target": "50", "lower": "49.5", "upper": "50.5", "unit": "MM"},
    {"characteristic": "20", "text": "Surface", "quantitative": False, "required": False},
]
DECISION = {
    "InspLotUsageDecisionCatalog": "3",
    "SelectedCodeSetPlant": "1010",
    "InspLotUsgeDcsnSelectedSet": "04",
    "InspLotUsageDecisionCodeGroup": "01",
    "InspectionLotUsageDecisionCode": "A",
    "InspectionLotQualityScore": "95",
}


def refused(answer, code: str, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    details = {row["code"]: row["message"] for row in answer.json()["error"]["innererror"]["errordetails"]}
    assert code in details, answer.text
    return details[code]


def stock_of(books, stock_type: str, material: str = "FG1") -> Decimal:
    rows = [row for row in books["stock"] if (row["material"], row["stock_type"]) == (material, stock_type)]
    return sum((Decimal(row["quantity"]) for row in rows), Decimal(0))


def receipt(quantity: str, **more) -> dict:
    order = {"ManufacturingOrder": "1000090", "ManufacturingOrderItem": "1", "GoodsMovementRefDocType": "F"}
    place = {"Plant": "1010", "StorageLocation": "FG01", "Material": "FG1", "EntryUnit": "PC"}
    return {"GoodsMovementType": "101", "QuantityInEntryUnit": quantity} | place | order | more


@pytest.fixture
async def inspected(sap, make_order):
    operations = [{"operation": "0010", "work_centre": "PRESS", "control_profile": "PP11"}]
    wanted = make_order("1000090", operations=operations, components=[], inspection_type="04")
    await sap.seed(wanted | {"inspection_characteristics": CHARACTERISTICS})
    return sap


async def lot_of(sap, quantity: str = "20") -> str:
    await sap.moved("02", receipt(quantity))
    return (await sap.books())["inspection_lots"][-1]["id"]


async def lot_row(sap, lot: str):
    return await sap.read(f"{sap.inspection}/A_InspectionLot('{lot}')")


async def record(sap, lot: str, value: str = "50.1"):
    body = {"InspectionLot": lot, "InspPlanOperationInternalID": "1", "InspectionCharacteristic": "10"}
    return await sap.post(f"{sap.inspection}/A_InspectionResult", body | {"InspectionResultMeanValue": value})


async def decide(sap, lot: str, **changes: str):
    return await sap.post(f"{sap.inspection}/A_InspLotUsageDecision", DECISION | {"InspectionLot": lot} | changes)


async def post_stock(sap, lot: str, kind: str, quantity: str, **more: str):
    body = {"InspectionLot": lot, "UsageDecisionStockType": kind, "InspLotQtyPosted": quantity} | more
    return await sap.post(f"{sap.inspection}/A_InspLotMatlDocItem", body)


async def test_every_receipt_of_an_inspected_order_makes_a_lot_in_inspection_stock(inspected):
    await inspected.confirmed("1000090", "0010", "30")
    await inspected.moved("02", receipt("5"))
    await inspected.moved("02", receipt("2", InventoryStockType="07"))
    books = await inspected.books()
    assert [(row["quantity"], row["to_be_posted"], row["order"]) for row in books["inspection_lots"]] == [
        ("30", "30", "1000090"),
        ("5", "5", "1000090"),
    ]
    assert [stock_of(books, kind) for kind in ("01", "02", "07")] == [0, 35, 2]
    found = await inspected.read(
        f"{inspected.inspection}/A_InspectionLot",
        _filter="ManufacturingOrder eq '1000090' and InspectionLotHasUsageDecision eq ''",
        _expand="to_InspectionCharacteristic",
    )
    lot = found["results"][0]
    assert (lot["InspectionLotOrigin"], lot["InspectionLotQuantity"], lot["MaterialDocument"][:2]) == ("04", "30", "50")
    assert [row["InspSpecUpperLimit"] for row in lot["to_InspectionCharacteristic"]["results"]] == [
        "5.0500000000000000E+01",
        "0.0000000000000000E+00",
    ]


async def test_stock_of_a_lot_leaves_only_by_its_usage_decision(inspected):
    lot = await lot_of(inspected)
    place = {"Plant": "1010", "StorageLocation": "FG01", "Material": "FG1", "QuantityInEntryUnit": "5"}
    for code, kind in (("04", "321"), ("04", "350"), ("04", "349"), ("04", "322"), ("03", "553")):
        refused(await inspected.move(code, place | {"GoodsMovementType": kind, "EntryUnit": "PC"}), "QA/200")
    refused(await inspected.move("04", place | {"GoodsMovementType": "344", "EntryUnit": "PC"}), "M7/021")
    back = receipt("5", GoodsMovementType="102", InventoryStockType="02")
    refused(await inspected.move("02", back), "QA/200")
    refused(await post_stock(inspected, lot, "VMENGE01", "5"), "QA/223")
    refused(await decide(inspected, "77"), "QA/206")
    refused(await record(inspected, "77"), "QA/206")
    refused(await decide(inspected, lot), "QA/211")
    assert (await record(inspected, lot)).status_code == 201
    decided = await decide(inspected, lot)
    assert decided.status_code == 201, decided.text
    assert decided.json()["d"]["InspLotUsageDecisionValuation"] == "A"
    refused(await decide(inspected, lot), "QA/202")
    free = await post_stock(inspected, lot, "VMENGE01", "15", StorageLocation="FG02", MaterialDocumentItemText="PW-1")
    assert free.status_code == 201, free.text
    assert free.json()["d"]["MaterialDocument"].startswith("49")
    refused(await post_stock(inspected, lot, "VMENGE04", "6"), "QA/220")
    refused(await post_stock(inspected, lot, "01", "1"), "QA/221")
    assert (await post_stock(inspected, lot, "VMENGE04", "3")).status_code == 201
    assert (await lot_row(inspected, lot))["InspLotIsStockPostingCompleted"] == ""
    assert (await post_stock(inspected, lot, "VMENGE02", "2")).status_code == 201
    row = await lot_row(inspected, lot)
    assert (row["InspLotIsStockPostingCompleted"], row["InspLotQtyToFree"], row["InspLotQtyToScrap"]) == (
        "X",
        "15",
        "2",
    )
    books = await inspected.books()
    assert [stock_of(books, kind) for kind in ("01", "02", "07")] == [15, 0, 3]
    document = next(row for row in books["documents"] if row["goods_movements"][0]["movement_type"] == "321")
    assert (document["goods_movements"][0]["inspection_lot"], document["text"]) == (lot, f"Inspection lot {lot}")
    year, number = document["id"].split("/")
    key = {"MaterialDocumentYear": f"'{year}'", "MaterialDocument": f"'{number}'"}
    refused(await inspected.post(f"{inspected.documents}/Cancel", params=key), "QA/203")
    assert (await inspected.get(f"{inspected.inspection}/A_InspLotMatlDocItem")).status_code == 405


async def test_a_cancelled_receipt_takes_its_undecided_lot_along_and_a_decided_one_stops_it(inspected):
    made = await inspected.moved("02", receipt("20"))
    assert (await inspected.post(f"{inspected.documents}/Cancel", params=made)).status_code == 200
    books = await inspected.books()
    assert (books["inspection_lots"][0]["cancelled"], stock_of(books, "02")) == (True, 0)
    refused(await decide(inspected, books["inspection_lots"][0]["id"]), "QA/201")
    confirmed = await inspected.confirmed("1000090", "0010", "10")
    lot = (await inspected.books())["inspection_lots"][-1]["id"]
    await record(inspected, lot)
    await decide(inspected, lot)
    refused(await inspected.cancel(confirmed), "QA/202")


async def test_results_are_valuated_by_the_limits_and_closed(inspected):
    lot = await lot_of(inspected)
    key = {"InspectionLot": lot, "InspPlanOperationInternalID": "1"}
    values = [{"InspectionResultMeasuredValue": value} for value in ("49.6", "50.2", 50.9)]
    for value in values:
        value.update(key, InspectionCharacteristic="0010")
    body = key | {"InspectionCharacteristic": "10", "to_InspectionResultValue": values}
    made = (await inspected.post(f"{inspected.inspection}/A_InspectionResult", body)).json()["d"]
    assert (made["InspectionValuationResult"], made["InspResultNmbrOfRejectedValues"]) == ("R", 1)
    assert float(made["InspectionResultMaximumValue"]) == 50.9
    refused(await record(inspected, lot), "QA/231")
    more = key | {"InspectionCharacteristic": "10", "InspectionResultMeasuredValue": "50", "SerialNumber": "S1"}
    added = await inspected.post(f"{inspected.inspection}/A_InspectionResultValue", more)
    assert added.json()["d"]["InspResultItemInternalID"] == "4"
    surface = key | {"InspectionCharacteristic": "20"}
    refused(await inspected.post(f"{inspected.inspection}/A_InspectionResult", surface), "QA/233")
    accepted = await inspected.post(
        f"{inspected.inspection}/A_InspectionResult", surface | {"InspectionValuationResult": "A"}
    )
    assert accepted.status_code == 201, accepted.text
    unknown = key | {"InspectionCharacteristic": "30"}
    refused(await inspected.post(f"{inspected.inspection}/A_InspectionResult", unknown), "QA/230")
    results = (await inspected.books())["inspection_lots"][0]["results"]
    assert [(row["characteristic"], row["valuation"], len(row["values"])) for row in results] == [
        ("10", "R", 4),
        ("20", "A", 0),
    ]


async def test_a_partial_result_stays_open_until_it_is_changed(inspected):
    lot = await lot_of(inspected)
    await inspected.fault("partial", calls=1)
    answer = await record(inspected, lot)
    assert "not valuated" in answer.headers["sap-message"]
    refused(await decide(inspected, lot), "QA/211")
    path = answer.headers["location"]
    refused(await inspected.change("PATCH", path, {"InspectionResultText": "again"}), "/IWFND/CM_MGW/428", 428)
    read = await inspected.get(path)
    changed = await inspected.change("PATCH", path, {"InspectionResultText": "again"}, read.headers["etag"])
    assert changed.status_code == 204, changed.text
    assert (await decide(inspected, lot)).status_code == 201
    refused(await record(inspected, lot), "QA/202")


async def test_lots_and_decisions_are_changed_by_etag_only(inspected):
    lot = await lot_of(inspected)
    path = f"{inspected.inspection}/A_InspectionLot('{lot}')"
    read = await inspected.get(path)
    assert read.headers["etag"] == read.json()["d"]["__metadata"]["etag"]
    assert read.headers["etag"].startswith("W/\"datetimeoffset'20")
    body = {"InspLotExternalNumber": "PW-LOT-1"}
    refused(await inspected.change("PATCH", path, body), "/IWFND/CM_MGW/428", 428)
    changed = await inspected.change("PATCH", path, body, read.headers["etag"])
    assert changed.status_code == 204
    assert changed.headers["etag"] != read.headers["etag"]
    refused(await inspected.change("PATCH", path, body, read.headers["etag"]), "/IWFND/CM_MGW/412", 412)
    refused(await inspected.change("PATCH", path, {"InspectionLotQuantity": "1"}, "*"), "QA/204")
    found = await inspected.read(
        f"{inspected.inspection}/A_InspectionLot", _filter="InspLotExternalNumber eq 'PW-LOT-1'"
    )
    assert [row["InspectionLot"] for row in found["results"]] == [lot]
    await record(inspected, lot)
    decision = (await decide(inspected, lot)).headers
    rejected = {"InspectionLotUsageDecisionCode": "R"}
    refused(await inspected.change("PATCH", decision["location"], rejected), "/IWFND/CM_MGW/428", 428)
    assert (await inspected.change("PATCH", decision["location"], rejected, decision["etag"])).status_code == 204
    refused(await inspected.change("PATCH", decision["location"], rejected, decision["etag"]), "/IWFND/CM_MGW/412", 412)
    booked = (await inspected.books())["inspection_lots"][0]
    assert (booked["key"], booked["decision"]["valuation"], booked["unrestricted"]) == ("PW-LOT-1", "R", "0")
    refused(await decide(inspected, await lot_of(inspected), InspectionLotUsageDecisionCode="Z"), "QA/211")


async def test_a_decision_code_may_post_the_stock_itself_and_partial_leaves_that_out(inspected):
    await inspected.seed(
        usage_decision_codes=[{"group": "02", "code": "AUTO", "valuation": "A", "posting": "VMENGE01"}]
    )
    code = {"InspLotUsageDecisionCodeGroup": "02", "InspectionLotUsageDecisionCode": "AUTO"}
    first, second = await lot_of(inspected, "8"), await lot_of(inspected, "4")
    for lot in (first, second):
        await record(inspected, lot)
    refused(await decide(inspected, first, InspectionLotUsageDecisionCode="ZZ"), "QA/210")
    refused(await decide(inspected, first, InspectionLotQualityScore="101"), "QA/212")
    assert (await decide(inspected, first, **code)).status_code == 201
    await inspected.fault("partial", calls=1)
    answer = await decide(inspected, second, **code)
    assert "could not be posted" in answer.headers["sap-message"]
    books = await inspected.books()
    assert (stock_of(books, "01"), stock_of(books, "02")) == (8, 4)
    assert (await post_stock(inspected, second, "VMENGE01", "4")).status_code == 201


async def test_a_lot_made_by_hand_inspects_without_stock(inspected):
    body = {"Material": "FG1", "Plant": "1010", "InspectionLotQuantity": "3", "InspectionLotQuantityUnit": "PC"}
    body |= {"ManufacturingOrder": "1000090", "InspLotExternalNumber": "PW-2"}
    made = (await inspected.post(f"{inspected.inspection}/A_InspectionLot", body)).json()["d"]
    assert (made["InspectionLotType"], made["InspLotQtyToBePosted"]) == ("89", "0")
    refused(await inspected.post(f"{inspected.inspection}/A_InspectionLot", body | {"Material": "NO"}), "M3/305")
    refused(await inspected.post(f"{inspected.inspection}/A_InspectionLot", body | {"Plant": ""}), "QA/205")
    await record(inspected, made["InspectionLot"])
    await decide(inspected, made["InspectionLot"])
    row = await lot_row(inspected, made["InspectionLot"])
    assert row["InspLotIsStockPostingCompleted"] == "X"
    refused(await post_stock(inspected, made["InspectionLot"], "VMENGE01", "1"), "QA/220")


async def test_a_lots_receipt_that_failed_makes_its_lot_when_the_error_list_is_worked_off(inspected):
    await inspected.fault("partial", calls=1)
    await inspected.confirmed("1000090", "0010", "10")
    books = await inspected.books()
    assert (books["inspection_lots"], len(books["cogi"])) == ([], 1)
    await inspected.control("cogi", {"id": books["cogi"][0]["id"]})
    assert (await inspected.books())["inspection_lots"][0]["quantity"] == "10"


async def test_defects_are_created_changed_and_deleted(inspected):
    body = {
        "DefectText": "PW-NC-7",
        "DefectCodeGroup": "QUAL",
        "DefectCode": "SCR",
        "DefectiveQuantity": "2",
        "DefectiveQuantityUnit": "PC",
        "NumberOfDefects": 2,
        "DefectClass": "02",
        "ManufacturingOrder": "1000090",
        "ManufacturingOrderOperation": "0010",
        "Material": "FG1",
        "Plant": "1010",
        "MainWorkCenter": "PRESS",
        "DefectOrigin": "3",
    }
    made = await inspected.post(inspected.defects, body)
    assert made.status_code == 201, made.text
    path = made.headers["location"]
    assert (await inspected.change("PATCH", path, {"DefectiveQuantity": "3"})).status_code == 204
    refused(await inspected.change("PATCH", path, {"NumberOfDefects": 0}), "QA/241")
    refused(await inspected.post(inspected.defects, body | {"DefectCode": ""}), "QA/240")
    refused(await inspected.post(inspected.defects, body | {"Material": "NO"}), "M3/305")
    refused(await inspected.post(inspected.defects, body | {"ManufacturingOrder": "77"}), "CO/017")
    refused(await inspected.post(inspected.defects, body | {"InspectionLot": "77"}), "QA/206")
    await inspected.fault("partial", calls=1)
    await inspected.fault("forget_keys", calls=1)
    await inspected.post(inspected.defects, body)
    booked = (await inspected.books())["defects"]
    assert [(row["text"], row["quantity"], row["order"]) for row in booked] == [
        ("PW-NC-7", "3", "1000090"),
        ("", "0", "1000090"),
    ]
    await inspected.fault("key_not_searchable", calls=1)
    assert (await inspected.get(inspected.defects, _filter="DefectText eq 'PW-NC-7'")).status_code == 400
    found = await inspected.read(inspected.defects, _filter="DefectText eq 'PW-NC-7'")
    assert len(found["results"]) == 1
    assert (await inspected.change("DELETE", path)).status_code == 204
    assert (await inspected.change("DELETE", path)).status_code == 404
    assert len((await inspected.books())["defects"]) == 1


async def test_a_lot_of_serialised_pieces_posts_its_own_pieces(inspected):
    await inspected.seed(materials={"FG1": {"serial_managed": True}})
    serials = [{"SerialNumber": name} for name in ("F1", "F2", "F3")]
    await inspected.moved("02", receipt("3", to_SerialNumbers=serials))
    lot = (await inspected.books())["inspection_lots"][0]["id"]
    await record(inspected, lot)
    await decide(inspected, lot)
    assert (await post_stock(inspected, lot, "VMENGE02", "1")).status_code == 201
    assert (await post_stock(inspected, lot, "VMENGE01", "2")).status_code == 201
    documents = (await inspected.books())["documents"]
    moved = {row["goods_movements"][0]["movement_type"]: row["goods_movements"][0]["serials"] for row in documents}
    assert (moved["553"], moved["321"]) == (["F1"], ["F2", "F3"])


async def test_the_whole_of_quality_survives_a_restart(start_sap, make_order, tmp_path):
    db = tmp_path / "sap.db"
    first = await start_sap(db)
    operations = [{"operation": "0010", "work_centre": "PRESS", "control_profile": "PP11"}]
    await first.seed(
        make_order("1000090", operations=operations, components=[], inspection_type="04"),
        work_centres=[
            {"work_centre": "PRESS", "plant": "1010", "intervals": [{"start": "2026-03-01", "end": "2026-03-02"}]}
        ],
    )
    lot = await lot_of(first)
    await decide(first, lot)
    await post_stock(first, lot, "VMENGE04", "5")
    await first.post(first.notifications, {"NotificationType": "M2", "NotificationText": "stands"})
    await first.post(first.defects, {"DefectCodeGroup": "Q", "DefectCode": "S"})
    before = await first.books()
    assert all(before[name] for name in ("inspection_lots", "notifications", "defects", "capacity_intervals", "holds"))
    second = await start_sap(db)
    assert await second.books() == before


async def test_people_block_stock_and_decide_lots_in_their_own_screens_under_the_same_rules(inspected):
    lot = await lot_of(inspected)
    stock = {"material": "RM1", "plant": "1010", "storage_location": "RM01", "quantity": "5"}
    await inspected.fault("down")
    made = await inspected.control("movements", {"movement_type": "344", "reason": "0007", "text": "by hand", **stock})
    decided = await inspected.control(
        "decisions",
        {
            "inspection_lot": lot,
            "code": "R",
            "postings": [{"to": "blocked", "quantity": "12"}, {"to": "scrap", "quantity": "8"}],
        },
    )
    await inspected.http.delete("/_control/faults")
    books = await inspected.books()
    documents = {row["id"]: row for row in books["documents"]}
    assert documents[made["documents"][0]]["manual"] is True
    assert [documents[name]["goods_movements"][0]["movement_type"] for name in decided["documents"]] == ["350", "553"]
    assert (stock_of(books, "07", "RM1"), stock_of(books, "07"), stock_of(books, "02")) == (5, 12, 0)
    refused_by_hand = await inspected.http.post(
        "/_control/movements", json={"movement_type": "321", **stock} | {"material": "FG1"}
    )
    assert refused_by_hand.json()["error"]["code"] == "QA/200"
    again = await inspected.http.post("/_control/decisions", json={"inspection_lot": lot, "code": "A"})
    assert again.json()["error"]["code"] == "QA/202"
