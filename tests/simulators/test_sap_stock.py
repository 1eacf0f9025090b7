"""Goods movements of the simulated SAP: batch restriction, hold routes, serial numbers, cancelling."""

from decimal import Decimal

import pytest

COIL = {"material": "COIL", "plant": "1010", "batch": "B7", "unit": "KG"}
ROWS = [
    COIL | {"storage_location": "RM01", "quantity": "500"},
    COIL | {"storage_location": "RM02", "quantity": "40.5"},
    COIL | {"storage_location": "RM01", "batch": "B8", "quantity": "60"},
]


def refused(answer, code: str) -> str:
    assert answer.status_code == 400, answer.text
    details = {row["code"]: row["message"] for row in answer.json()["error"]["innererror"]["errordetails"]}
    assert code in details, answer.text
    return details[code]


def line(kind: str, quantity: str, material: str = "COIL", batch: str = "B7", **more) -> dict:
    item = {"GoodsMovementType": kind, "Material": material, "Plant": "1010", "StorageLocation": "RM01", "Batch": batch}
    unit = "KG" if material == "COIL" else "PC"
    return item | {"QuantityInEntryUnit": quantity, "EntryUnit": unit} | more


def stock_of(books, material: str, stock_type: str = "01", **where: str) -> Decimal:
    rows = [row for row in books["stock"] if (row["material"], row["stock_type"]) == (material, stock_type)]
    rows = [row for row in rows if all(row[name] == value for name, value in where.items())]
    return sum((Decimal(row["quantity"]) for row in rows), Decimal(0))


@pytest.fixture
async def coil(sap):
    component = {"material": "COIL", "required": "100", "unit": "KG", "storage_location": "RM01", "batch": "B7"}
    order = {"order": "1000070", "plant": "1010", "material": "FG1", "quantity": "100", "components": [component]}
    await sap.seed(order | {"operations": [{"operation": "0010"}]}, stock=ROWS)
    return sap


async def test_restricting_a_batch_takes_all_of_it_wherever_it_lies_and_freeing_brings_it_back(coil):
    made = await coil.moved("04", line("342", "5"), ReferenceDocument="HOLD-1", MaterialDocumentHeaderText="hold 1")
    books = await coil.books()
    assert (stock_of(books, "COIL", batch="B7"), stock_of(books, "COIL", "08")) == (0, Decimal("540.5"))
    assert stock_of(books, "COIL", batch="B8") == 60
    assert {(row["storage_location"], row["stock_type"]) for row in books["holds"]} == {("RM01", "08"), ("RM02", "08")}
    document = books["documents"][0]
    assert (document["key"], document["text"]) == ("HOLD-1", "hold 1")
    assert [row["quantity"] for row in document["goods_movements"]] == ["500", "40.5"]
    found = await coil.read(
        f"{coil.documents}/A_MaterialDocumentHeader",
        _filter="ReferenceDocument eq 'HOLD-1' and MaterialDocumentHeaderText eq 'hold 1'",
    )
    assert len(found["results"]) == 1
    shown = await coil.read(f"{coil.stock}/A_MatlStkInAcctMod", _filter="Batch eq 'B7' and InventoryStockType eq '08'")
    assert len(shown["results"]) == 2
    refused(await coil.move("04", line("342", "5")), "M7/189")
    await coil.moved("04", line("341", "5"))
    assert stock_of(await coil.books(), "COIL", batch="B7") == Decimal("540.5")
    refused(await coil.move("04", line("341", "5")), "M7/189")
    refused(await coil.post(f"{coil.documents}/Cancel", params=made), "M7/189")
    again = await coil.moved("04", line("342", "5"))
    assert (await coil.post(f"{coil.documents}/Cancel", params=again)).status_code == 200
    assert stock_of(await coil.books(), "COIL", "08") == 0


async def test_a_restricted_batch_refuses_use_and_transfer_but_not_scrapping(coil):
    await coil.moved("04", line("342", "5"))
    issue = line("261", "1", ManufacturingOrder="1000070")
    for code, item in (
        ("03", issue),
        ("04", line("311", "1", IssuingOrReceivingStorageLoc="RM02")),
        ("03", line("601", "1")),
        ("03", line("201", "1", CostCenter="CC1")),
    ):
        assert "restricted" in refused(await coil.move(code, item), "M7/187")
    await coil.moved("03", line("551", "10"))
    await coil.moved("05", line("561", "3"))
    assert stock_of(await coil.books(), "COIL", "08", storage_location="RM01") == 493
    await coil.moved("03", line("601", "1", batch="B8"))


async def test_a_backflush_of_a_restricted_batch_lands_in_the_error_list(coil):
    await coil.moved("04", line("342", "5"))
    answer = await coil.confirm("1000070", "0010", "10")
    assert answer.status_code == 201
    assert [(row["code"], row["batch"]) for row in (await coil.books())["cogi"]] == [("M7/187", "B7")]


async def test_the_wrong_route_of_a_hold_is_refused_by_name(coil):
    refused(await coil.move("04", line("342", "5", material="RM1", batch="")), "M7/188")
    assert "342" in refused(await coil.move("04", line("344", "5")), "M7/190")
    refused(await coil.move("04", line("343", "5")), "M7/021")
    refused(await coil.move("04", line("350", "5")), "M7/021")
    refused(await coil.move("04", line("342", "5000")), "M7/021")
    refused(await coil.move("04", line("342", "1", batch="B99")), "M7/021")
    await coil.control("settings", {"batch_hold_route": "any"})
    held = await coil.moved("04", line("344", "5"))
    await coil.moved("03", line("555", "2"))
    await coil.moved("04", line("343", "3"))
    refused(await coil.post(f"{coil.documents}/Cancel", params=held), "M7/021")


async def test_stock_moves_between_types_and_places_and_each_move_is_undone(sap):
    await sap.seed(stock=[{"material": "Q1", "plant": "1010", "quantity": "10", "unit": "PC", "stock_type": "02"}])
    for code, kind, quantity in (("04", "321", "6"), ("04", "322", "1"), ("04", "350", "2"), ("04", "349", "1")):
        await sap.moved(code, line(kind, quantity, "Q1", "", StorageLocation=""))
    await sap.moved("03", line("553", "1", "Q1", "", StorageLocation=""))
    books = await sap.books()
    assert [stock_of(books, "Q1", kind) for kind in ("01", "02", "07")] == [5, 3, 1]
    there = line("311", "2", "RM1", "", IssuingOrReceivingStorageLoc="RM09")
    made = await sap.moved("04", there)
    assert stock_of(await sap.books(), "RM1", storage_location="RM09") == 2
    item = await sap.post(f"{sap.documents}/CancelItem", params=made | {"MaterialDocumentItem": "'0001'"})
    assert item.json()["d"]["ReversedMaterialDocument"] == made["MaterialDocument"].strip("'")
    assert stock_of(await sap.books(), "RM1", storage_location="RM09") == 0


async def test_by_products_are_received_and_taken_back(sap, make_order):
    by_product = {"material": "CHIPS", "required": "10", "unit": "KG", "movement_type": "531", "backflush": False}
    await sap.seed(make_order("1000071", components=[by_product]))
    item = line("531", "4", "CHIPS", "", EntryUnit="KG", ManufacturingOrder="1000071")
    made = await sap.moved("05", item)
    await sap.moved("05", item | {"GoodsMovementType": "532", "QuantityInEntryUnit": "1"})
    assert stock_of(await sap.books(), "CHIPS") == 3
    refused(await sap.post(f"{sap.documents}/Cancel", params=made), "M7/021")


async def test_a_document_of_a_confirmation_is_cancelled_only_through_the_confirmation(sap):
    made = await sap.confirmed("1000040", "0010", "10")
    document = next(row for row in (await sap.books())["documents"] if row["kind"] == "material_document")
    year, number = document["id"].split("/")
    params = {"MaterialDocumentYear": f"'{year}'", "MaterialDocument": f"'{number}'"}
    told = refused(await sap.post(f"{sap.documents}/Cancel", params=params), "M7/103")
    assert f"{made['ConfirmationGroup']}/{made['ConfirmationCount']}" in told
    answer = await sap.post(f"{sap.documents}/CancelItem", params=params | {"MaterialDocumentItem": "'1'"})
    refused(answer, "M7/103")
    assert (await sap.cancel(made)).status_code == 200


def numbers(*serials: str) -> list[dict]:
    return [{"SerialNumber": serial} for serial in serials]


async def test_serial_numbers_go_along_with_issue_return_receipt_and_reversal(sap, make_order):
    component = {"material": "DRIVE", "required": "100", "unit": "PC", "storage_location": "RM01", "backflush": False}
    await sap.seed(
        make_order("1000072", components=[component]),
        stock=[
            {"material": "DRIVE", "plant": "1010", "storage_location": "RM01", "quantity": "3", "unit": "PC"}
            | {"serials": ["D1", "D2", "D3"]}
        ],
        materials={"FG1": {"serial_managed": True}},
    )
    issue = line("261", "2", "DRIVE", "", ManufacturingOrder="1000072")
    refused(await sap.move("03", issue), "M7/175")
    refused(await sap.move("03", issue | {"to_SerialNumbers": numbers("D1")}), "M7/175")
    refused(await sap.move("03", issue | {"to_SerialNumbers": numbers("D1", "D9")}), "IO/231")
    await sap.moved("03", issue | {"to_SerialNumbers": {"results": numbers("D1", "D2")}})
    gone = issue | {"QuantityInEntryUnit": "1", "to_SerialNumbers": numbers("D1")}
    refused(await sap.move("03", gone), "IO/231")
    back = issue | {"GoodsMovementType": "262", "MaterialDocumentPostingType": "1", "QuantityInEntryUnit": "1"}
    refused(await sap.move("06", back | {"to_SerialNumbers": numbers("D7")}), "IO/232")
    refused(await sap.move("06", back | {"to_SerialNumbers": numbers("D3")}), "IO/230")
    await sap.moved("06", back | {"to_SerialNumbers": numbers("D2")})
    receipt = line("101", "2", "FG1", "", ManufacturingOrder="1000072", GoodsMovementRefDocType="F")
    made = await sap.moved("02", receipt | {"to_SerialNumbers": numbers("F1", "F2")})
    refused(await sap.move("02", receipt | {"to_SerialNumbers": numbers("F1", "F3")}), "IO/230")
    year, number = (made[name].strip("'") for name in ("MaterialDocumentYear", "MaterialDocument"))
    item = f"MaterialDocumentYear='{year}',MaterialDocument='{number}',MaterialDocumentItem='1'"
    shown = await sap.read(f"{sap.documents}/A_MaterialDocumentItem({item})/to_SerialNumbers")
    assert [row["SerialNumber"] for row in shown["results"]] == ["F1", "F2"]
    assert (await sap.post(f"{sap.documents}/Cancel", params=made)).status_code == 200
    returned = receipt | {"GoodsMovementType": "102", "QuantityInEntryUnit": "1"}
    refused(await sap.move("02", returned | {"to_SerialNumbers": numbers("F1")}), "M7/022")
    refused(await sap.move("05", line("561", "1", "RM1", "", to_SerialNumbers=numbers("X"))), "IO/101")
    movements = [row for document in (await sap.books("1000072"))["documents"] for row in document["goods_movements"]]
    assert [(row["movement_type"], row["serials"]) for row in movements] == [
        ("261", ["D1", "D2"]),
        ("262", ["D2"]),
        ("101", ["F1", "F2"]),
        ("102", ["F1", "F2"]),
    ]


async def test_partial_leaves_a_material_document_whole_and_keeps_its_calls(sap):
    await sap.fault("partial", calls=1)
    await sap.moved("04", line("344", "5", "RM1", ""))
    assert stock_of(await sap.books(), "RM1", "07") == 5
    await sap.confirmed("1000040", "0010", "1")
    assert len((await sap.books())["cogi"]) == 2


async def test_stock_of_an_unknown_plant_is_an_empty_list(sap):
    assert (await sap.read(f"{sap.stock}/A_MatlStkInAcctMod", _filter="Plant eq '9999'"))["results"] == []


async def test_a_receipt_is_forced_into_blocked_stock_by_hand_and_by_confirmation(sap):
    item = {"GoodsMovementType": "101", "QuantityInEntryUnit": "3", "EntryUnit": "PC", "InventoryUsabilityCode": "S"}
    await sap.confirmed("1000040", "0010", "10")
    await sap.confirmed("1000040", "0020", "10")
    made = await sap.confirmed("1000040", "0030", "3", to_ProdnOrdConfMatlDocItm=[item])
    order = {"ManufacturingOrder": "1000040", "GoodsMovementRefDocType": "F", "StorageLocation": "FG01"}
    await sap.moved("02", line("101", "2", "FG1", "", InventoryStockType="07", **order))
    await sap.moved("02", line("101", "1", "FG1", "", InventoryUsabilityCode="3", **order))
    assert stock_of(await sap.books(), "FG1", "07") == 6
    issue = {"GoodsMovementType": "261", "Material": "RM1", "QuantityInEntryUnit": "1", "InventoryUsabilityCode": "S"}
    refused(await sap.confirm("1000040", "0030", "1", to_ProdnOrdConfMatlDocItm=[issue]), "M7/191")
    await sap.moved("04", line("343", "6", "FG1", "", StorageLocation="FG01"))
    assert stock_of(await sap.books(), "FG1") == 6
    assert (await sap.cancel(made)).status_code == 400
