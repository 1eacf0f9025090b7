"""The part of `GET /_control/books` that maintenance, quality and capacity make; report.py has the rest."""

from datetime import UTC, datetime
from typing import Any

from simulators.sap.books import Books
from simulators.sap.odata import quantity_text

_PHASES = {"1": "outstanding", "2": "postponed", "3": "in_process", "4": "completed"}


def services_report(books: Books, order: str | None) -> dict[str, Any]:
    """Notifications and capacity belong to no order and are always shown."""
    where, values = ("WHERE ManufacturingOrder = ?", (order,)) if order else ("", ())
    lots = books.all(f"SELECT * FROM inspection_lot {where} ORDER BY rowid", *values)
    defects = books.all(f"SELECT * FROM defect {where} ORDER BY rowid", *values)
    quality = books.all(f"SELECT * FROM quality_notification {where} ORDER BY rowid", *values)
    return {
        "notifications": [_notification(row) for row in books.all("SELECT * FROM maintenance_notification")],
        "inspection_lots": [_lot(books, row) for row in lots],
        "defects": [_defect(row) for row in defects],
        "quality_notifications": [_quality_notification(books, row) for row in quality],
        "capacity_intervals": _intervals(books),
    }


def moment(milliseconds: int | None) -> str | None:
    if milliseconds is None:
        return None
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _day(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC).date().isoformat()


def _notification(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["MaintenanceNotification"],
        "type": row["NotificationType"],
        "text": row["NotificationText"],
        "long_text": row["MaintNotifLongTextForEdit"],
        "key": row["MaintNotifExtReferenceNumber"] or None,
        "object": row["TechnicalObject"],
        "work_centre": row["MainWorkCenter"],
        "down": bool(row["MaintenanceObjectIsDown"]),
        "started": moment(row["MalfunctionStartDateTime"]),
        "ended": moment(row["MalfunctionEndDateTime"]),
        "phase": _PHASES[row["NotifProcessingPhase"]],
        "work_request": row["MaintWorkRequestStatus"],
        "user": row["CreatedByUser"],
        "at": row["_at"],
    }


def _lot(books: Books, row: dict[str, Any]) -> dict[str, Any]:
    lot = row["InspectionLot"]
    decision = books.one("SELECT * FROM usage_decision WHERE InspectionLot = ?", lot)
    results = books.all("SELECT * FROM inspection_result WHERE InspectionLot = ? ORDER BY rowid", lot)
    return {
        "id": lot,
        "key": row["InspLotExternalNumber"] or None,
        "order": row["ManufacturingOrder"],
        "material": row["Material"],
        "plant": row["Plant"],
        "storage_location": row["InspectionLotStorageLocation"],
        "batch": row["Batch"],
        "type": row["InspectionLotType"],
        "quantity": quantity_text(row["InspectionLotQuantity"]),
        "unit": row["InspectionLotQuantityUnit"],
        "to_be_posted": quantity_text(row["InspLotQtyToBePosted"]),
        "unrestricted": quantity_text(row["InspLotQtyToFree"]),
        "blocked": quantity_text(row["InspLotQtyToBlocked"]),
        "scrapped": quantity_text(row["InspLotQtyToScrap"]),
        "cancelled": bool(row["InspectionLotIsCancelled"]),
        "decision": decision and _decision(decision),
        "results": [_result(books, result) for result in results],
        "at": row["_at"],
    }


def _decision(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "group": row["InspLotUsageDecisionCodeGroup"],
        "code": row["InspectionLotUsageDecisionCode"],
        "valuation": row["InspLotUsageDecisionValuation"],
        "user": row["InspectionLotUsageDecidedBy"],
    }


def _result(books: Books, row: dict[str, Any]) -> dict[str, Any]:
    key = (row["InspectionLot"], row["InspPlanOperationInternalID"], row["InspectionCharacteristic"])
    values = books.all(
        "SELECT * FROM inspection_result_value WHERE InspectionLot = ? AND InspPlanOperationInternalID = ?"
        " AND InspectionCharacteristic = ? ORDER BY CAST(InspResultItemInternalID AS INTEGER)",
        *key,
    )
    return {
        "characteristic": row["InspectionCharacteristic"],
        "operation": row["InspPlanOperationInternalID"],
        "mean": str(row["InspectionResultMeanValue"]),
        "code": row["CharacteristicAttributeCode"],
        "valuation": row["InspectionValuationResult"],
        "closed": bool(row["_closed"]),
        "values": [
            {"value": str(value["InspectionResultMeasuredValue"]), "valuation": value["InspectionValuationResult"]}
            for value in values
        ],
    }


def _defect(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": row["DefectInternalID"],
        "text": row["DefectText"],
        "group": row["DefectCodeGroup"],
        "code": row["DefectCode"],
        "class": row["DefectClass"],
        "quantity": quantity_text(row["DefectiveQuantity"]),
        "unit": row["DefectiveQuantityUnit"],
        "count": row["NumberOfDefects"],
        "order": row["ManufacturingOrder"],
        "operation": row["ManufacturingOrderOperation"],
        "inspection_lot": row["InspectionLot"],
        "material": row["Material"],
        "batch": row["Batch"],
        "user": row["CreatedByUser"],
        "at": row["_at"],
    }


def _quality_notification(books: Books, row: dict[str, Any]) -> dict[str, Any]:
    number = row["QualityNotification"]
    items = books.all("SELECT * FROM quality_notification_item WHERE QualityNotification = ? ORDER BY rowid", number)
    return {
        "id": number,
        "type": row["NotificationType"],
        "text": row["NotificationText"],
        "key": row["QltyNotifExtReferenceNumber"] or None,
        "phase": _PHASES[row["NotifProcessingPhase"]],
        "order": row["ManufacturingOrder"],
        "material": row["Material"],
        "batch": row["Batch"],
        "quantity": quantity_text(row["DefectiveQuantity"]),
        "unit": row["DefectiveQuantityUnit"],
        "items": [{"item": one["QualityNotificationItem"], "code": one["DefectCode"]} for one in items],
        "user": row["CreatedByUser"],
        "at": row["_at"],
    }


def _intervals(books: Books) -> list[dict[str, Any]]:
    rows = books.all(
        "SELECT i.*, w.WorkCenter AS centre, w.Plant AS plant FROM work_centre_capacity_interval i"
        " JOIN work_centre w USING (WorkCenterInternalID, WorkCenterTypeCode) ORDER BY i.IntervalStartDate, i.rowid"
    )
    shown: list[dict[str, Any]] = []
    for row in rows:
        shifts = books.all(
            "SELECT * FROM work_centre_capacity_shift WHERE CapacityInternalID = ? AND IntervalEndDate = ?"
            " ORDER BY WeekDay, ShiftStartTime",
            row["CapacityInternalID"],
            row["IntervalEndDate"],
        )
        shown.append(
            {
                "work_centre": row["centre"],
                "plant": row["plant"],
                "capacity": row["CapacityInternalID"],
                "start": _day(row["IntervalStartDate"]),
                "end": _day(row["IntervalEndDate"]),
                "capacities": row["CapacityNumberOfCapacities"],
                "utilisation": row["CapacityPlanUtilizationPercent"],
                "shifts": [_shift(shift) for shift in shifts],
                "at": row["_at"],
            }
        )
    return shown


def _shift(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "day": row["WeekDay"],
        "start": row["ShiftStartTime"],
        "end": row["ShiftEndTime"],
        "seconds": row["OperatingDurationInSeconds"],
        "capacities": row["CapacityNumberOfCapacities"],
    }
