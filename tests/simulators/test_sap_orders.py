"""Orders that change under way, process orders, planning and costing reads, and who may call the simulated SAP."""

import asyncio

import httpx
import pytest


def refused(answer, code: str, status: int = 400) -> str:
    assert answer.status_code == status, answer.text
    details = {row["code"]: row["message"] for row in answer.json()["error"]["innererror"]["errordetails"]}
    assert code in details, answer.text
    return details[code]


async def header(sap, order: str = "1000040"):
    return await sap.read(f"{sap.orders}/A_ProductionOrder_2('{order}')")


async def test_every_change_by_a_person_moves_the_stamp_later_than_any_before(sap):
    stamps = [(await header(sap))["LastChangeDateTime"]]
    component = {"material": "RM3", "required": "50", "unit": "PC", "operation": "0020"}
    for change in (
        {"quantity": "80"},
        {"scheduled_end": "2026-03-03T14:00:00Z", "text": "later"},
        {"component": component},
        {"lock": True},
        {"lock": False},
        {"cancel": "TECO"},
    ):
        answer = await sap.control("orders/change", {"order": "1000040", **change})
        stamps.append((await header(sap))["LastChangeDateTime"])
        assert answer["last_change"] == stamps[-1]
    assert stamps == sorted(set(stamps))
    row = await header(sap)
    assert (row["TotalQuantity"], row["OrderLongText"], row["OrderIsTechnicallyCompleted"]) == ("80", "later", "X")
    booked = (await sap.books())["orders"][0]
    assert {row["planned"] for row in booked["operations"]} == {"80"}
    assert [(row["material"], row["required"], row["item"]) for row in booked["components"]] == [
        ("RM1", "160", "1"),
        ("RM2", "10", "2"),
        ("RM3", "50", "3"),
    ]
    polled = await sap.read(f"{sap.orders}/A_ProductionOrder_2", _filter=f"LastChangeDateTime gt '{stamps[-2]}'")
    assert [row["ManufacturingOrder"] for row in polled["results"]] == ["1000040"]


async def test_a_locked_or_cancelled_order_refuses_confirmations(sap, make_order):
    await sap.control("orders/change", {"order": "1000040", "lock": True})
    assert "LKD" in refused(await sap.confirm("1000040", "0010", "1"), "BS/013")
    await sap.control("orders/change", {"order": "1000040", "lock": False})
    await sap.confirmed("1000040", "0010", "60")
    answer = await sap.http.post("/_control/orders/change", json={"order": "1000040", "quantity": "50"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "CO/152")
    await sap.control("orders/change", {"order": "1000040", "cancel": "DLFL"})
    assert "DLFL" in refused(await sap.confirm("1000040", "0010", "1"), "BS/013")
    for wrong in ({"order": "1000040"}, {"order": "1000040", "colour": 1}, {"order": "77", "lock": True}):
        assert (await sap.http.post("/_control/orders/change", json=wrong)).status_code == 400


async def test_a_person_waits_for_the_posting_that_holds_the_order(sap):
    await sap.sign_on()
    await sap.fault("slow", calls=1, seconds=0.5)
    posting = asyncio.create_task(sap.confirm("1000040", "0010", "90"))
    async with asyncio.timeout(5):
        while not (await sap.books())["locks"]:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    answer = await sap.http.post("/_control/orders/change", json={"order": "1000040", "quantity": "80"})
    assert (await posting).status_code == 201
    assert answer.json()["error"]["code"] == "CO/152"


async def test_header_operation_and_component_are_changed_by_etag(sap):
    path = f"{sap.orders}/A_ProductionOrder_2('1000040')"
    read = await sap.get(path)
    refused(await sap.change("PATCH", path, {"OrderLongText": "x"}), "/IWFND/CM_MGW/428", 428)
    changed = await sap.change("PATCH", path, {"OrderLongText": "x", "TotalQuantity": "90"}, read.headers["etag"])
    assert (changed.status_code, changed.content) == (204, b"")
    refused(await sap.change("MERGE", path, {"OrderLongText": "y"}, read.headers["etag"]), "/IWFND/CM_MGW/412", 412)
    refused(await sap.change("PATCH", path, {"Material": "OTHER"}, "*"), "CO/153")
    tag = changed.headers["etag"]
    operations = await sap.read(
        f"{sap.orders}/A_ProductionOrderOperation_2", _filter="ManufacturingOrderOperation eq '0010'"
    )
    own = operations["results"][0]["__metadata"]
    assert operations["results"][0]["OpPlannedTotalQuantity"] == "90"
    assert (await sap.change("PATCH", own["uri"], {"WorkCenter": "PRESS2"}, own["etag"])).status_code == 204
    assert (await sap.get(path)).headers["etag"] != tag
    await sap.seed(work_centres=[{"work_centre": "PRESS", "plant": "1010"}])
    refused(await sap.change("PATCH", own["uri"], {"WorkCenter": "NO"}, "*"), "CR/031")
    for name, status in (("A_ProductionOrderComponent_4", 204), ("A_ProductionOrderComponent_2", 405)):
        part = (await sap.read(f"{sap.orders}/{name}"))["results"][0]["__metadata"]
        answer = await sap.change("PATCH", part["uri"], {"RequiredQuantity": "150"}, part.get("etag", ""))
        assert answer.status_code == status
        assert ("etag" in part) == (status == 204)
    assert (await sap.books())["orders"][0]["components"][0]["required"] == "150"
    await sap.control("orders/change", {"order": "1000040", "lock": True})
    refused(await sap.change("PATCH", path, {"OrderLongText": "z"}, "*"), "BS/013")


async def test_process_orders_are_known_by_name_only_to_be_refused(sap, make_order):
    await sap.seed(make_order("2000001", category="process", type="PI01"))
    listed = await sap.read(f"{sap.orders}/A_ProductionOrder_2")
    assert [row["ManufacturingOrder"] for row in listed["results"]] == ["1000040"]
    assert "process order" in refused(await sap.get(f"{sap.orders}/A_ProductionOrder_2('2000001')"), "CO/151")
    assert "process order" in refused(await sap.confirm("2000001", "0010", "1"), "CO/151")
    for name in ("Operation_2", "Component_4", "Item_2", "Status_2"):
        rows = await sap.read(f"{sap.orders}/A_ProductionOrder{name}", _filter="ManufacturingOrder eq '2000001'")
        assert rows["results"] == []
    other = await sap.read("/sap/opu/odata/sap/API_PROCESS_ORDER_2_SRV/A_ProcessOrder_2")
    assert [(row["ManufacturingOrder"], row["ManufacturingOrderType"]) for row in other["results"]] == [
        ("2000001", "PI01")
    ]
    assert [row["category"] for row in (await sap.books())["orders"]] == ["production", "process"]


async def test_supply_and_demand_peg_an_order_to_what_waits_for_it(sap):
    mrp = "/sap/opu/odata/sap/API_MRP_MATERIALS_SRV_01/SupplyDemandItems"
    await sap.seed(
        demands=[
            {
                "material": "FG1",
                "plant": "1010",
                "quantity": "70",
                "element": "SO1",
                "due": "2026-03-05",
                "customer": "C1",
            },
            {"material": "FG1", "plant": "1010", "quantity": "50", "element": "SO2", "due": "2026-03-09"},
        ]
    )
    await sap.control("orders/change", {"order": "1000040", "scheduled_end": "2026-03-03T14:00:00Z"})
    rows = (await sap.read(mrp, _filter="Material eq 'FG1' and MRPPlant eq '1010'"))["results"]
    assert sorted(
        (row["MRPElementCategory"], row["MRPElement"], row["MRPElementOpenQuantity"], row["MRPAvailableQuantity"])
        for row in rows
    ) == [("FE", "1000040", "100", "100"), ("VC", "SO1", "-70", "30"), ("VC", "SO2", "-50", "-20")]
    parts = (await sap.read(mrp, _filter="Material eq 'RM1' and MRPPlant eq '1010'"))["results"]
    assert sorted(
        (row["MRPElementCategory"], row["SourceMRPElement"], row["MRPAvailableQuantity"]) for row in parts
    ) == [
        ("AR", "1000040", "800"),
        ("WB", "", "1000"),
    ]
    assert "mandatory" in refused(await sap.get(mrp, _filter="Material eq 'FG1'"), "/IWBEP/CM_MGW_RT/176")
    assert (await sap.read(mrp, _filter="Material eq 'FG1' and MRPPlant eq '9999'"))["results"] == []


async def test_material_cost_is_read_with_its_price_unit(sap):
    await sap.seed(
        valuations=[
            {"material": "RM1", "plant": "1010", "standard_price": "12.5", "price_unit": 100, "currency": "EUR"},
            {"material": "RM2", "plant": "1010", "price_control": "V", "moving_price": "3.2"},
        ]
    )
    rows = (await sap.read("/sap/opu/odata/sap/API_PRODUCT_SRV/A_ProductValuation", _filter="ValuationArea eq '1010'"))[
        "results"
    ]
    names = (
        "Product",
        "InventoryValuationProcedure",
        "StandardPrice",
        "MovingAveragePrice",
        "PriceUnitQty",
        "Currency",
    )
    shown = [tuple(row[name] for name in names) for row in rows]
    assert shown == [("RM1", "S", "12.5", "0", "100", "EUR"), ("RM2", "V", "0", "3.2", "1", "EUR")]
    product = await sap.read("/sap/opu/odata/sap/API_PRODUCT_SRV/A_Product('RM1')", _expand="to_Valuation")
    assert (product["BaseUnit"], len(product["to_Valuation"]["results"])) == ("PC", 1)


async def test_another_client_is_refused_at_logon(sap):
    assert (await sap.http.get(f"{sap.orders}/?sap-client=100")).status_code == 200
    answer = await sap.http.get(f"{sap.orders}/?sap-client=200", headers={"x-csrf-token": "Fetch"})
    assert (answer.status_code, "Client 200 is not available" in answer.text) == (401, True)
    assert "x-csrf-token" not in answer.headers
    await sap.control("settings", {"client": "200"})
    sap.token = ""
    sap.http.cookies.clear()
    await sap.confirmed("1000040", "0010", "1")
    assert "SAP_SESSIONID_S4H_200" in sap.http.cookies


async def test_without_authorisation_there_is_403_and_no_token(sap):
    await sap.control("settings", {"forbidden_services": ["API_MAINTNOTIFICATION", "api_work_center"]})
    answer = await sap.http.get(sap.notifications, headers={"x-csrf-token": "Fetch"})
    assert (answer.status_code, "x-csrf-token" in answer.headers) == (403, False)
    assert answer.json()["error"]["code"] == "/IWFND/CM_CONSUMER/101"
    answer = await sap.post(sap.notifications, {"NotificationType": "M2"})
    assert (answer.status_code, "x-csrf-token" in answer.headers) == (403, False)
    answer = await sap.get(f"{sap.work_centres}/WorkCenter")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "/IWFND/CM_CONSUMER/101")
    await sap.confirmed("1000040", "0010", "1")


async def test_a_service_that_is_not_active_is_not_found(sap):
    await sap.control("settings", {"inactive_services": ["API_INSPECTIONLOT_SRV", "API_WORK_CENTER"]})
    for path, status in ((f"{sap.inspection}/A_InspectionLot", 403), (f"{sap.work_centres}/WorkCenter", 404)):
        answer = await sap.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (status, "/IWFND/MED/170")


async def test_calls_are_counted_by_second_and_the_control_side_is_not(sap):
    await sap.http.delete("/_control/calls")
    for _ in range(3):
        await sap.get(f"{sap.orders}/A_ProductionOrder_2")
    await sap.books()
    counted = (await sap.http.get("/_control/calls")).json()
    assert sum(count for _, count in counted) == 3


@pytest.mark.parametrize("mode", ["error_after_commit", "duplicate_answer", "timeout_after_commit"])
async def test_changes_after_the_commit_are_kept_though_the_answer_is_lost(sap, mode):
    await sap.sign_on()
    path = f"{sap.orders}/A_ProductionOrder_2('1000040')"
    await sap.fault(mode, calls=1, seconds=0.05)
    try:
        answer = await sap.change("PATCH", path, {"OrderLongText": mode}, "*")
        assert answer.status_code >= 400
    except httpx.ReadTimeout:
        pass
    assert (await header(sap))["OrderLongText"] == mode
