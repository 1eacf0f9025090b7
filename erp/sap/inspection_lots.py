"""Inspection lots out of API_INSPECTIONLOT_SRV: which lot an inspection means, its characteristics, its decision."""

from __future__ import annotations

from erp.sap.client import SapClient
from erp.sap.failures import SapNotFound, refused
from erp.sap.odata import Entity, flag_of, key_predicate, text_literal, text_of
from erp.sap.settings import INSPECTION_SERVICE
from signals.quality import RecordInspection

LOT_SET = "A_InspectionLot"
CHARACTERISTICS = "to_InspectionCharacteristic"


class InspectionLots:
    """Lots of one plant."""

    def __init__(self, client: SapClient, plant: str) -> None:
        self._client = client
        self._plant = plant

    async def of(self, lot: str) -> Entity:
        """The lot. Raises ErpRejected `inspection_lot_not_found`."""
        try:
            return await self._client.read_entity(INSPECTION_SERVICE, LOT_SET + key_predicate(InspectionLot=lot))
        except SapNotFound as error:
            raise refused(f"SAP does not know inspection lot {lot} ({error})", "inspection_lot_not_found") from error

    async def number_for(self, transaction: RecordInspection) -> str:
        """The lot that the transaction names, else the one that carries our inspection, else the only (open) one."""
        if transaction.inspection_lot:
            return transaction.inspection_lot
        scope = [f"Plant eq {text_literal(self._plant)}", f"Material eq {text_literal(transaction.material)}"]
        for name, value in (("ManufacturingOrder", transaction.order), ("Batch", transaction.batch)):
            scope += [f"{name} eq {text_literal(value)}"] if value else []
        rows = await self._client.read_entities(INSPECTION_SERVICE, LOT_SET, {"$filter": " and ".join(scope)})
        named = [r for r in rows if text_of(r, "InspLotExternalNumber") == transaction.inspection]
        candidates = named or [row for row in rows if is_open(row)] or rows
        subject = f"inspection {transaction.inspection} of {transaction.material}"
        if not candidates:
            raise refused(f"{subject}: SAP has no inspection lot for it; name one", "inspection_lot_not_found")
        if len(candidates) > 1:
            several = ", ".join(text_of(row, "InspectionLot") for row in candidates)
            raise refused(
                f"{subject}: lots {several} come into question; name the one that is meant", "inspection_lot_ambiguous"
            )
        return text_of(candidates[0], "InspectionLot")

    async def characteristic(self, lot: str, named: str) -> Entity:
        """The lot's characteristic by its number or its text."""
        path = f"{LOT_SET}{key_predicate(InspectionLot=lot)}/{CHARACTERISTICS}"
        try:
            rows = await self._client.read_entities(INSPECTION_SERVICE, path)
        except SapNotFound as error:
            raise refused(f"SAP does not know inspection lot {lot} ({error})", "inspection_lot_not_found") from error
        found = [row for row in rows if named in _names(row)]
        if len(found) != 1:
            known = ", ".join(text_of(row, "InspectionCharacteristic") for row in rows) or "none"
            raise refused(
                f"inspection lot {lot} has {len(found)} characteristics called {named!r}; it has the numbers {known}",
                "characteristic_not_found",
            )
        return found[0]


def _names(row: Entity) -> set[str]:
    number = text_of(row, "InspectionCharacteristic")
    return {number, number.lstrip("0"), text_of(row, "InspectionCharacteristicText")} - {""}


def is_decided(lot: Entity) -> bool:
    return flag_of(lot.get("InspectionLotHasUsageDecision"))


def is_open(lot: Entity) -> bool:
    """Neither decided nor cancelled."""
    return not is_decided(lot) and not flag_of(lot.get("InspectionLotIsCancelled"))
