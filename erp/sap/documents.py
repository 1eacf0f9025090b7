"""Confirmation documents out of API_PROD_ORDER_CONFIRMATION_2_SRV: numbers, parsing, recognising our own.

Not for booking. A document's number is `group/count`, as SAP writes both.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from erp.sap.odata import (
    Entity,
    UnreadableAnswer,
    amount_of,
    flag_of,
    guid_of,
    instant_of,
    key_predicate,
    text_of,
)
from erp.sap.settings import Units
from signals.documents import ErpDocument, GoodsMovement
from signals.errors import ErpRejected, Reason
from signals.ids import short_key

CONFIRMATION_SET = "ProdnOrdConf2"
MOVEMENTS = "to_ProdnOrdConfMatlDocItm"
SAME_UNITS = Units({})


def document_number(entity: Entity) -> str:
    group, count = text_of(entity, "ConfirmationGroup"), text_of(entity, "ConfirmationCount")
    if not group or not count:
        raise UnreadableAnswer("a confirmation came without its group and count")
    return f"{group}/{count}"


def split_number(document: str) -> tuple[str, str]:
    """Group and count of a document number."""
    group, slash, count = document.partition("/")
    if not (group and slash and count):
        raise ErpRejected(
            f"{document!r} is no confirmation number; SAP's read GROUP/COUNT, for example 0000000207/00000001",
            code="document_not_found",
            reason=Reason.REVERSAL,
        )
    return group, count


def confirmation_path(document: str) -> str:
    group, count = split_number(document)
    return CONFIRMATION_SET + key_predicate(ConfirmationGroup=group, ConfirmationCount=count)


def confirmation_of(
    entity: Entity, zone: ZoneInfo, units: Units = SAME_UNITS, warnings: tuple[str, ...] = ()
) -> ErpDocument:
    """A confirmation as SAP shows it. Raises UnreadableAnswer."""
    return ErpDocument(
        document=document_number(entity),
        order=text_of(entity, "OrderID"),
        operation=text_of(entity, "OrderOperation"),
        yield_quantity=amount_of(entity.get("ConfirmationYieldQuantity")),
        scrap_quantity=amount_of(entity.get("ConfirmationScrapQuantity")),
        rework_quantity=amount_of(entity.get("ConfirmationReworkQuantity")),
        unit=units.ours(text_of(entity, "ConfirmationUnit")),
        key=guid_of(entity.get("ExternalSystemConfirmation")),
        text=text_of(entity, "ConfirmationText"),
        final=flag_of(entity.get("IsFinalConfirmation")) or bool(text_of(entity, "FinalConfirmationType")),
        reversed=flag_of(entity.get("IsReversed")),
        reversal=flag_of(entity.get("IsReversal")),
        entered_by=text_of(entity, "EnteredByUser"),
        entered_at=_entered_at(entity, zone),
        warnings=warnings,
    )


def _entered_at(entity: Entity, zone: ZoneInfo) -> datetime | None:
    return instant_of(entity.get("ConfirmationEntryDate"), entity.get("ConfirmationEntryTime"), zone)


def movement_of(row: Entity, units: Units = SAME_UNITS) -> GoodsMovement:
    year = text_of(row, "MaterialDocumentYear")
    number = text_of(row, "MaterialDocument")
    return GoodsMovement(
        material_document=f"{number}/{year}" if year else number,
        item=text_of(row, "MaterialDocumentItem"),
        material=text_of(row, "Material"),
        movement_type=text_of(row, "GoodsMovementType"),
        quantity=amount_of(row.get("QuantityInEntryUnit")),
        unit=units.ours(text_of(row, "EntryUnit")),
        batch=text_of(row, "Batch"),
        storage_location=text_of(row, "StorageLocation"),
    )


def posted_movements(rows: list[Entity], units: Units = SAME_UNITS) -> tuple[GoodsMovement, ...]:
    """Lines that have a material document; one without is still to be posted or lies in the error list."""
    return tuple(movement_of(row, units) for row in rows if text_of(row, "MaterialDocument").strip("0"))


def carries_key(document: ErpDocument, key: UUID) -> bool:
    """Whether the document says that it is this posting: by the GUID, or by the short key that opens its text."""
    return document.key == key or (document.key is None and document.text.upper().startswith(short_key(key)))


def in_booking_order(documents: list[ErpDocument]) -> list[ErpDocument]:
    """Oldest first, by entry time and then by SAP's own count."""
    return sorted(documents, key=lambda d: (d.entered_at.timestamp() if d.entered_at else 0.0, _count(d), d.document))


def _count(document: ErpDocument) -> int:
    count = document.document.rpartition("/")[2]
    return int(count) if count.isdigit() else 0
