"""Every writing path of the simulated SAP under every fault that ends or delays a call, judged by the books.

Before the commit nothing has changed, after it the change is there once, whatever the client was told.
"""

import itertools
import json

import httpx
import pytest

_COUNTER = itertools.count(1)
ORDER = {
    "order": "1000090",
    "plant": "1010",
    "material": "FG9",
    "quantity": "1000",
    "storage_location": "FG01",
    "inspection_type": "04",
    "inspection_characteristics": [{"characteristic": "10", "lower": "1", "upper": "2", "required": False}],
    "operations": [{"operation": "0010", "work_centre": "PRESS", "control_profile": "PP11"}],
}
COIL = {"material": "COIL", "plant": "1010", "storage_location": "RM01", "quantity": "500", "unit": "KG"}
RECEIPT = {"GoodsMovementType": "101", "QuantityInEntryUnit": "2", "EntryUnit": "PC", "Plant": "1010"}
RECEIPT |= {"Material": "FG9", "ManufacturingOrder": "1000090", "GoodsMovementRefDocType": "F"}


@pytest.fixture
async def plant(sap):
    batches = [COIL | {"batch": f"B{number}"} for number in range(1, 9)]
    centre = {"work_centre": "PRESS", "plant": "1010", "intervals": [{"start": "2025-01-01", "end": "2025-01-01"}]}
    await sap.seed(ORDER, stock=batches, work_centres=[centre])
    await sap.sign_on()
    return sap


async def _notification(sap):
    return "POST", sap.notifications, {"NotificationType": "M2", "MaintNotifExtReferenceNumber": f"PW-{next(_COUNTER)}"}


async def _opened(sap) -> str:
    answer = await sap.post(sap.notifications, {"NotificationType": "M1"})
    return answer.json()["d"]["MaintenanceNotification"]


async def _notification_change(sap):
    return "PATCH", f"{sap.notifications}('{await _opened(sap)}')", {"NotificationText": f"text {next(_COUNTER)}"}


async def _notification_function(sap):
    return "POST", f"{sap.maintenance}/CompleteMaintNotification?MaintenanceNotification='{await _opened(sap)}'", None


async def _work_request(sap):
    return "POST", f"{sap.maintenance}/ApproveMaintWorkRequest?MaintenanceNotification='{await _opened(sap)}'", None


async def _lot(sap) -> str:
    await sap.moved("02", RECEIPT)
    return (await sap.books())["inspection_lots"][-1]["id"]


async def _manual_lot(sap):
    body = {"Material": "FG9", "Plant": "1010", "InspectionLotQuantity": "1", "InspectionLotQuantityUnit": "PC"}
    return "POST", f"{sap.inspection}/A_InspectionLot", body


async def _lot_change(sap):
    lot = await _lot(sap)
    return "PATCH", f"{sap.inspection}/A_InspectionLot('{lot}')", {"InspLotExternalNumber": f"PW-{next(_COUNTER)}"}


async def _result(sap):
    body = {"InspectionLot": await _lot(sap), "InspPlanOperationInternalID": "1", "InspectionCharacteristic": "10"}
    return "POST", f"{sap.inspection}/A_InspectionResult", body | {"InspectionResultMeanValue": "1.5"}


async def _single_value(sap):
    _, _, body = await _result(sap)
    body["InspectionResultMeasuredValue"] = body.pop("InspectionResultMeanValue")
    return "POST", f"{sap.inspection}/A_InspectionResultValue", body


async def _decision(sap):
    code = {"InspLotUsageDecisionCodeGroup": "01", "InspectionLotUsageDecisionCode": "A"}
    return "POST", f"{sap.inspection}/A_InspLotUsageDecision", {"InspectionLot": await _lot(sap)} | code


async def _lot_posting(sap):
    _, path, body = await _decision(sap)
    assert (await sap.post(path, body)).status_code == 201
    posting = {"UsageDecisionStockType": "VMENGE01", "InspLotQtyPosted": "1"}
    return "POST", f"{sap.inspection}/A_InspLotMatlDocItem", {"InspectionLot": body["InspectionLot"]} | posting


async def _defect(sap):
    return "POST", sap.defects, {"DefectCodeGroup": "Q", "DefectCode": "S", "DefectText": f"PW-{next(_COUNTER)}"}


async def _defect_removal(sap):
    answer = await sap.post(sap.defects, {"DefectCodeGroup": "Q", "DefectCode": "S"})
    return "DELETE", answer.headers["location"], None


async def _quality_notification(sap):
    return "POST", sap.quality, {"NotificationType": "Q3", "QltyNotifExtReferenceNumber": f"PW-{next(_COUNTER)}"}


async def _capacity(sap) -> str:
    row = (await sap.read4(f"{sap.work_centres}/WorkCenterCapacity"))["value"][0]
    names = ("WorkCenterInternalID", "WorkCenterTypeCode", "CapacityInternalID")
    return f"{sap.work_centres}/WorkCenterCapacity({','.join(f'{name}={row[name]!r}' for name in names)})"


async def _interval(sap):
    day = f"2026-{next(_COUNTER) % 12 + 1:02d}-{next(_COUNTER) % 28 + 1:02d}"
    body = {"IntervalStartDate": day, "IntervalEndDate": day}
    return "POST", f"{await _capacity(sap)}/_WorkCenterCapacityInterval", body


async def _interval_change(sap):
    _, path, body = await _interval(sap)
    made = await sap.post(path, body)
    assert made.status_code == 201, made.text
    return "PATCH", made.headers["location"], {"CapacityNumberOfCapacities": 7}


async def _restriction(sap):
    rows = [row for row in (await sap.books())["stock"] if (row["material"], row["stock_type"]) == ("COIL", "01")]
    batch = next(row["batch"] for row in rows if row["quantity"] != "0")
    item = {"GoodsMovementType": "342", "Material": "COIL", "Plant": "1010", "StorageLocation": "RM01", "Batch": batch}
    item |= {"QuantityInEntryUnit": "1", "EntryUnit": "KG"}
    body = {"GoodsMovementCode": "04", "to_MaterialDocumentItem": [item]}
    return "POST", f"{sap.documents}/A_MaterialDocumentHeader", body


async def _order_change(sap):
    quantity = str(100 + next(_COUNTER))
    return "PATCH", f"{sap.orders}/A_ProductionOrder_2('1000040')", {"TotalQuantity": quantity}


async def _batch(sap):
    _, path, body = await _defect(sap)
    part = "Content-Type: application/http\r\n\r\nPOST A_Defect HTTP/1.1\r\nContent-Type: application/json\r\n\r\n"
    inner = f"--c\r\n{part}{json.dumps(body)}\r\n--c--\r\n"
    text = f"--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n{inner}--b--\r\n"
    return "POST", path.replace("A_Defect", "$batch"), text


PATHS = {
    path.__name__.strip("_"): path
    for path in (
        _notification,
        _notification_change,
        _notification_function,
        _work_request,
        _manual_lot,
        _lot_change,
        _result,
        _single_value,
        _decision,
        _lot_posting,
        _defect,
        _defect_removal,
        _quality_notification,
        _interval,
        _interval_change,
        _restriction,
        _order_change,
        _batch,
    )
}


async def send(sap, call, timeout: float = 20.0) -> int:
    """The status, 0 when there was no answer."""
    method, path, body = call
    headers = {"x-csrf-token": sap.token, "if-match": "*"}
    content = body if isinstance(body, str) else json.dumps(body) if body is not None else None
    headers["content-type"] = "multipart/mixed; boundary=b" if isinstance(body, str) else "application/json"
    try:
        answer = await sap.http.request(method, path, content=content, headers=headers, timeout=timeout)
    except httpx.TransportError:
        return 0
    return answer.status_code


@pytest.mark.parametrize("name", PATHS)
async def test_a_fault_before_the_commit_changes_nothing_and_one_after_it_changes_once(plant, name):
    call = await PATHS[name](plant)
    untouched = await plant.books()
    for mode, more, status in (
        ("refuse", {}, 503),
        ("throttle", {}, 429),
        ("timeout_before_commit", {"seconds": 0.01}, 504),
        ("business_error", {"code": "ZZ/001"}, 202 if name == "batch" else 400),
        ("down", {}, 0),
    ):
        await plant.fault(mode, calls=1, **more)
        assert await send(plant, call) == status, mode
        assert await plant.books() == untouched, mode
    assert all(fault["left"] == 0 for fault in (await plant.http.get("/_control/faults")).json()["faults"])
    for mode, more, statuses in (
        ("error_after_commit", {}, (500,)),
        ("duplicate_answer", {}, (400,)),
        ("timeout_after_commit", {"seconds": 0.01}, (504,)),
        ("slow", {"seconds": 0.01}, (200, 201, 202, 204)),
    ):
        call = await PATHS[name](plant)
        before = await plant.books()
        await plant.fault(mode, calls=1, **more)
        assert await send(plant, call) in statuses, mode
        after = await plant.books()
        assert after != before, mode
        assert all(abs(len(after[part]) - len(before[part])) <= 1 for part in before), mode
