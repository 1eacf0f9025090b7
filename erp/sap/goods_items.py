"""Goods-movement items of a confirmation: SAP's proposal, with lots, quantities and stock types as they really are."""

from __future__ import annotations

from erp.sap.client import SapClient
from erp.sap.documents import MOVEMENTS
from erp.sap.failures import refused
from erp.sap.odata import Entity, UnreadableAnswer, decimal_literal, entities_of, quantity_text, text_literal, text_of
from erp.sap.settings import CONFIRMATION_SERVICE, STOCK_SERVICE, SapSettings, Units
from erp.sap.steps import receives_apart
from signals.bookings import StockKind
from signals.errors import ErpUnavailable
from signals.transactions import ComponentUse, ConfirmProduction

ISSUE_TYPES = ("261",)
RECEIPT_TYPES = ("101",)
USABILITY = {StockKind.INSPECTION: "X", StockKind.BLOCKED: "S"}
"""InventoryUsabilityCode of a receipt that does not go to unrestricted stock."""
_CREATE_FIELDS = (
    "OrderID",
    "OrderItem",
    "Material",
    "Plant",
    "Reservation",
    "ReservationItem",
    "StorageLocation",
    "ProductionSupplyArea",
    "Batch",
    "GoodsMovementType",
    "GoodsMovementRefDocType",
    "InventoryUsabilityCode",
    "EntryUnit",
    "QuantityInEntryUnit",
    "ReservationIsFinallyIssued",
    "IsCompletelyDelivered",
)


class GoodsItems:
    """Builds the item list of a confirmation where SAP's standard backflush would not know the lot or the quantity."""

    def __init__(self, client: SapClient, settings: SapSettings) -> None:
        self._client = client
        self._settings = settings
        self._units = Units(settings.units)

    async def of(self, transaction: ConfirmProduction, *, receives: bool) -> Entity:
        """What the confirmation says of goods movements; nothing where SAP shall backflush by its own control.

        `receives` tells that its operation receives the output by itself.
        """
        apart = receives and receives_apart(transaction)
        elsewhere = receives and transaction.receipt_stock is not StockKind.UNRESTRICTED
        if not (transaction.components or transaction.component_lot or apart or elsewhere):
            return {}
        items = await self._proposal(transaction)
        for use in transaction.components:
            items = self._with_use(items, use, transaction)
        if transaction.component_lot:
            items = await self._with_lot(items, transaction)
        if apart:
            items = [item for item in items if not _is_receipt(item)]
        elif elsewhere:
            usability = {"InventoryUsabilityCode": USABILITY[transaction.receipt_stock]}
            items = [item | usability if _is_receipt(item) else item for item in items]
        return {MOVEMENTS: items} if items else {"APIConfHasNoGoodsMovements": True} if apart else {}

    async def _proposal(self, transaction: ConfirmProduction) -> list[Entity]:
        answer = await self._client.call(
            CONFIRMATION_SERVICE,
            "GetGdsMvtProposal",
            {
                "OrderID": text_literal(transaction.order),
                "Sequence": text_literal(transaction.sequence),
                "OrderOperation": text_literal(transaction.operation),
                "ConfirmationYieldQuantity": decimal_literal(transaction.yield_quantity),
                "ConfirmationScrapQuantity": decimal_literal(transaction.scrap_quantity),
                "ConfirmationReworkQuantity": decimal_literal(transaction.rework_quantity),
            },
        )
        try:
            rows = entities_of(answer.payload)
        except UnreadableAnswer as error:
            raise ErpUnavailable(f"proposal for order {transaction.order}: {error}", code="unreadable") from error
        return [{name: row[name] for name in _CREATE_FIELDS if row.get(name) not in (None, "")} for row in rows]

    def _with_use(self, items: list[Entity], use: ComponentUse, transaction: ConfirmProduction) -> list[Entity]:
        """The first use of a component takes the proposal's line, further lots of it get lines of their own."""
        position = next((i for i, item in enumerate(items) if _is_line_of(item, use)), None)
        line = dict(items[position]) if position is not None else self._new_line(use, transaction)
        line |= {"QuantityInEntryUnit": quantity_text(use.quantity), "EntryUnit": self._units.theirs(use.unit)}
        line |= {"Batch": use.batch} if use.batch else {}
        line |= {"StorageLocation": use.storage_location} if use.storage_location else {}
        earlier = any(other is not use and _same_component(other, use) for other in _before(transaction, use))
        if position is None or earlier:
            return [*items, line]
        return [*items[:position], line, *items[position + 1 :]]

    def _new_line(self, use: ComponentUse, transaction: ConfirmProduction) -> Entity:
        line: Entity = {
            "OrderID": transaction.order,
            "Material": use.material,
            "Plant": self._settings.plant,
            "GoodsMovementType": use.movement_type,
        }
        reservation = {"Reservation": use.reservation, "ReservationItem": use.reservation_item}
        return line | (reservation if use.reservation and use.reservation_item else {})

    async def _with_lot(self, items: list[Entity], transaction: ConfirmProduction) -> list[Entity]:
        """Give the loaded lot to the issue line of its material; where nobody named that, SAP knows it."""
        lot = transaction.component_lot
        open_lines = [i for i in items if text_of(i, "GoodsMovementType") in ISSUE_TYPES and not text_of(i, "Batch")]
        named = transaction.component_material
        materials = {named} if named else await self._materials_with_batch(lot) if open_lines else set[str]()
        open_lines = [item for item in open_lines if text_of(item, "Material") in materials]
        if len(open_lines) > 1:
            several = ", ".join(text_of(item, "Material") for item in open_lines)
            raise refused(
                f"order {transaction.order} operation {transaction.operation}: lot {lot} may belong to {several}; "
                "name the material of the lot tag in the plant file",
                "component_lot_ambiguous",
            )
        return [item | {"Batch": lot} if any(item is line for line in open_lines) else item for item in items]

    async def _materials_with_batch(self, lot: str) -> set[str]:
        condition = f"Batch eq {text_literal(lot)} and Plant eq {text_literal(self._settings.plant)}"
        rows = await self._client.read_entities(STOCK_SERVICE, "A_MatlStkInAcctMod", {"$filter": condition})
        return {text_of(row, "Material") for row in rows}


def _is_receipt(item: Entity) -> bool:
    return text_of(item, "GoodsMovementType") in RECEIPT_TYPES


def _is_line_of(item: Entity, use: ComponentUse) -> bool:
    if text_of(item, "GoodsMovementType") != use.movement_type:
        return False
    if use.reservation_item:
        reservation = not use.reservation or text_of(item, "Reservation") == use.reservation
        return reservation and text_of(item, "ReservationItem") == use.reservation_item
    return text_of(item, "Material") == use.material


def _same_component(one: ComponentUse, other: ComponentUse) -> bool:
    return (one.material, one.reservation, one.reservation_item) == (
        other.material,
        other.reservation,
        other.reservation_item,
    )


def _before(transaction: ConfirmProduction, use: ComponentUse) -> tuple[ComponentUse, ...]:
    position = next(i for i, other in enumerate(transaction.components) if other is use)
    return transaction.components[:position]
