"""GetConfProposal and GetGdsMvtProposal: what SAP would confirm and move. They read and change nothing."""

from typing import Any

from simulators.sap import edm
from simulators.sap.backflush import propose
from simulators.sap.books import Books, today_ms
from simulators.sap.confirmation_rules import activities_of, find_operation
from simulators.sap.movements import Line
from simulators.sap.odata import Answer, activity_text, quantity_text
from simulators.sap.orders import find_order
from simulators.sap.payload import arguments, required

_FLAGS = ("Quantity", "Activity", "DateAndTime", "Personnel")
_ARGUMENTS = dict(edm.CONFIRMATION.properties) | edm.properties(" ".join(f"{flag}IsToBeProposed:b" for flag in _FLAGS))


def _wanted(books: Books, options: dict[str, str]) -> tuple[dict[str, Any], dict[str, Any], int, int]:
    """Order, operation, yield and scrap; without quantities the rest of the planned quantity is proposed."""
    values = arguments(options, _ARGUMENTS)
    required(values, "OrderID", "OrderOperation")
    order = find_order(books, values["OrderID"])
    operation = find_operation(books, order["ManufacturingOrder"], values)
    scrap = values.get("ConfirmationScrapQuantity") or 0
    given = values.get("ConfirmationYieldQuantity")
    if given is None:
        done = operation["OpTotalConfirmedYieldQty"] + operation["_scrap"] + scrap
        given = max(0, operation["OpPlannedTotalQuantity"] - done)
    return order, operation, given, scrap


def confirmation(books: Books, options: dict[str, str]) -> Answer:
    order, operation, good, scrap = _wanted(books, options)
    planned = operation["OpPlannedTotalQuantity"]
    proposal: dict[str, Any] = {
        "OrderID": order["ManufacturingOrder"],
        "Sequence": operation["ManufacturingOrderSequence"],
        "OrderOperation": operation["ManufacturingOrderOperation"],
        "OrderSuboperation": "",
        "ConfirmationUnit": operation["OperationUnit"],
        "ConfirmationYieldQuantity": quantity_text(good),
        "ConfirmationScrapQuantity": quantity_text(scrap),
        "ConfirmationReworkQuantity": "0",
        "FinalConfirmationType": "X" if operation["OpTotalConfirmedYieldQty"] + good >= planned else "",
        "WorkCenter": operation["WorkCenter"],
        "Plant": operation["ProductionPlant"],
        "PostingDate": f"/Date({today_ms()})/",
        "Personnel": "0",
    }
    activities = activities_of(operation)
    for slot in map(str, range(1, 7)):
        activity = activities.get(slot, {"planned": 0, "unit": ""})
        share = activity["planned"] * (good + scrap) // planned if planned else 0
        proposal[f"OpConfirmedWorkQuantity{slot}"] = activity_text(share)
        proposal[f"OpWorkQuantityUnit{slot}"] = activity["unit"]
    metadata = {"type": f"{edm.CONFIRMATION_SERVICE}.ConfProposal"}
    return Answer(200, {"d": {"GetConfProposal": {"__metadata": metadata} | proposal}})


def goods_movements(books: Books, options: dict[str, str]) -> Answer:
    order, operation, good, scrap = _wanted(books, options)
    lines = propose(books, order, operation, good=good, scrap=scrap, everything=True)
    return Answer(200, {"d": {"results": [_shown(line, order) for line in lines]}})


def _shown(line: Line, order: dict[str, Any]) -> dict[str, Any]:
    return {
        "__metadata": {"type": f"{edm.CONFIRMATION_SERVICE}.GdsMvtProposal"},
        "OrderID": line.order,
        "OrderItem": line.order_item,
        "OrderType": order["ManufacturingOrderType"],
        "Material": line.material,
        "Plant": line.plant,
        "Reservation": line.reservation,
        "ReservationItem": line.reservation_item,
        "StorageLocation": line.storage_location,
        "ProductionSupplyArea": "",
        "Batch": line.batch,
        "GoodsMovementType": line.movement,
        "GoodsMovementRefDocType": "F" if line.movement == "101" else "",
        "EntryUnit": line.unit,
        "QuantityInEntryUnit": quantity_text(line.quantity),
        "ReservationIsFinallyIssued": False,
        "IsCompletelyDelivered": False,
    }
