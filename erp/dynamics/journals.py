"""Production journals: reading them, as documents and totals per operation, and telling a message's own from others.

One document is one journal of one operation. The last operation's quantities are those of the reports as finished, the
others' those of route and job cards; cards without quantities are time and no confirmation.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from erp.dynamics.client import DynamicsClient
from erp.dynamics.contents import PICK, REPORT, ROUTE, Outgoing, Signature
from erp.dynamics.failures import EntityNotPublic
from erp.dynamics.odata import Entity, UnreadableAnswer, date_of, decimal_of, equal, instant_of, int_of, text_of, yes
from erp.dynamics.plan import OrderPlan
from erp.dynamics.settings import (
    ISSUE,
    JOB_JOURNALS,
    PICKING_JOURNALS,
    RAF_JOURNALS,
    RECEIPT,
    RECEIPT_RETURN,
    RETURN,
    ROUTE_JOURNALS,
    Units,
    operation_number,
    operation_text,
    place_text,
)
from signals.documents import ErpDocument, GoodsMovement, OperationTotals
from signals.errors import ErpRejected, ErpUnavailable, Reason

ZERO = Decimal(0)
RAF_KIND, ROUTE_KIND, JOB_KIND, PICK_KIND = "RAF", "ROUTE", "JOB", "PICK"
_SETS = {RAF_KIND: RAF_JOURNALS, ROUTE_KIND: ROUTE_JOURNALS, JOB_KIND: JOB_JOURNALS, PICK_KIND: PICKING_JOURNALS}
KIND_OF_MESSAGE = {REPORT: RAF_KIND, ROUTE: ROUTE_KIND, PICK: PICK_KIND}
_SHORT_KEY = re.compile(r"[A-Z2-7]{16}")
_BY_PRODUCTS = ("Co_Product", "By_Product")


@dataclass(frozen=True)
class Journal:
    """The lines of one journal that belong to one operation; operation 0 where journals of a kind have none."""

    kind: str
    number: str
    operation: int
    rows: tuple[Entity, ...]

    @property
    def document(self) -> str:
        """`RAF/000123`, `ROUTE/000124/0010`, `PICK/000125`: what a person searches for stands in the middle."""
        by_operation = self.kind in (ROUTE_KIND, JOB_KIND)
        return f"{self.kind}/{self.number}" + (f"/{operation_text(self.operation)}" if by_operation else "")

    @property
    def is_posted(self) -> bool:
        return all(yes(row, "IsPosted") for row in self.rows)

    @property
    def good(self) -> Decimal:
        return self._sum("ReportedGoodInventoryQuantity")

    @property
    def error(self) -> Decimal:
        return self._sum("ReportedErrorInventoryQuantity")

    @property
    def is_reversal(self) -> bool:
        flagged = any(yes(row, "IsReceiptReturned") or yes(row, "IsConsumptionReturned") for row in self.rows)
        return flagged or self.good < 0 or self.error < 0

    def _sum(self, name: str) -> Decimal:
        return sum((decimal_of(row.get(name)) for row in self.rows), ZERO)

    def signature(self) -> list[Signature]:
        """The lines in the terms of `Outgoing.lines`."""
        return [_signature(self.kind, row) for row in self.rows]


class Journals:
    """Journals of one company."""

    def __init__(self, client: DynamicsClient, units: Units) -> None:
        self._client = client
        self._units = units

    # --- reading -----------------------------------------------------------------------------------------------------

    async def of_kind(self, kind: str, order: str) -> list[Journal]:
        """All journals of an order, posted or not, in the order of their numbers."""
        try:
            rows = await self._client.read_entities(_SETS[kind], equal("ProductionOrderNumber", order))
        except EntityNotPublic:
            if kind == JOB_KIND:
                return []
            raise
        return self._grouped(kind, rows, order)

    async def numbered(self, kind: str, number: str) -> list[Journal]:
        rows = await self._client.read_entities(_SETS[kind], equal("JournalNumber", number))
        return self._grouped(kind, rows, number)

    def _grouped(self, kind: str, rows: list[Entity], what: str) -> list[Journal]:
        by_operation = kind in (ROUTE_KIND, JOB_KIND)
        groups: dict[tuple[str, int], list[Entity]] = {}
        try:
            for row in rows:
                operation = int_of(row.get("RouteOperationNumber")) if by_operation else 0
                groups.setdefault((text_of(row, "JournalNumber"), operation), []).append(row)
                _signature(kind, row)
        except UnreadableAnswer as error:
            raise ErpUnavailable(f"{_SETS[kind]} of {what}: {error}", code="unreadable") from error
        return [Journal(kind, number, op, tuple(lines)) for (number, op), lines in sorted(groups.items())]

    async def confirmations(self, plan: OrderPlan, operation: int = 0) -> list[Journal]:
        """Posted journals that confirm quantities of an operation, of all where none is named."""
        found: list[Journal] = []
        if operation in (0, plan.last):
            reports = [_of_main_item(j, plan.item) for j in await self.of_kind(RAF_KIND, plan.order)]
            found += [j for j in reports if j is not None and j.is_posted]
        if operation != plan.last:
            cards = await self.of_kind(ROUTE_KIND, plan.order) + await self.of_kind(JOB_KIND, plan.order)
            wanted = [j for j in cards if j.operation == operation or (operation == 0 and j.operation != plan.last)]
            found += [j for j in wanted if j.is_posted and (j.good or j.error)]
        return found

    async def documents(self, plan: OrderPlan, operation: str) -> list[ErpDocument]:
        """All confirmations, by whomever, oldest first; a negative journal and what it takes back carry their flags."""
        found = await self.confirmations(plan, operation_number(operation) if operation else 0)
        return with_reversals([self.document(journal, plan) for journal in found])

    async def totals(self, plan: OrderPlan, route: Iterable[Entity]) -> list[OperationTotals]:
        """Sums of the posted journals, returns taken off; whether an operation is complete is in the route."""
        sums: dict[int, tuple[Decimal, Decimal]] = dict.fromkeys(plan.operations, (ZERO, ZERO))
        for journal in await self.confirmations(plan):
            operation = plan.last if journal.kind == RAF_KIND else journal.operation
            good, error = sums.get(operation, (ZERO, ZERO))
            sums[operation] = (good + journal.good, error + journal.error)
        ended = {int_of(row.get("OperationNumber")) for row in route if yes(row, "IsOperationCompleted")}
        return [
            OperationTotals(
                operation=operation_text(operation),
                yield_quantity=max(good, ZERO),
                scrap_quantity=max(error, ZERO),
                final=operation in ended,
            )
            for operation, (good, error) in sorted(sums.items())
        ]

    def document(self, journal: Journal, plan: OrderPlan) -> ErpDocument:
        first = journal.rows[0]
        plate = text_of(first, "LicensePlateNumber")
        operation = plan.last if journal.kind == RAF_KIND else journal.operation
        final = any(yes(row, "IsOperationCompleted") or yes(row, "IsLastReportAsFinished") for row in journal.rows)
        return ErpDocument(
            document=journal.document,
            order=plan.order,
            operation=operation_text(operation),
            yield_quantity=abs(journal.good),
            scrap_quantity=abs(journal.error),
            unit=self._units.ours(plan.unit),
            # A license plate of ours is our short key; descriptions are the journal name's default and say nothing.
            text=plate if _SHORT_KEY.fullmatch(plate) else "",
            final=final,
            reversal=journal.is_reversal,
            entered_by=text_of(first, "PostedUserId"),
            entered_at=instant_of(first.get("PostedDateTime")),
        )

    # --- goods movements ---------------------------------------------------------------------------------------------

    async def read_back(self, document: ErpDocument, plan: OrderPlan) -> ErpDocument:
        """The journal with its receipt and with the posted lines of the picking list that it caused."""
        kind, number, operation = split_document(document.document)
        found = [j for j in await self.numbered(kind, number) if operation in (0, j.operation)]
        if not found:
            raise ErpRejected(
                f"Dynamics shows no journal {number} any more", code="document_not_found", reason=Reason.MASTER_DATA
            )
        journal = found[0]
        movements: list[GoodsMovement] = []
        if kind == PICK_KIND:
            movements = self._picked([journal])
        elif kind == RAF_KIND and journal.is_posted:
            movements = self._received(journal, plan)
        for name in ("ProductionPickingListJournalNumber", "PickingListJournalNumber"):
            for picking in sorted({text_of(row, name) for row in journal.rows} - {""}):
                movements += self._picked(await self.numbered(PICK_KIND, picking))
        read = document if kind == PICK_KIND else self.document(journal, plan)
        return read.model_copy(
            update={"key": document.key, "goods_movements": tuple(movements), "warnings": document.warnings}
        )

    def _picked(self, journals: list[Journal]) -> list[GoodsMovement]:
        rows = [row for journal in journals for row in journal.rows if yes(row, "IsPosted")]
        return [movement for row in rows if (movement := self._movement(row)) is not None]

    def _movement(self, row: Entity) -> GoodsMovement | None:
        quantity = decimal_of(row.get("ConsumptionBOMQuantity")) or decimal_of(row.get("ConsumptionInventoryQuantity"))
        if not quantity:
            return None
        return GoodsMovement(
            material_document=text_of(row, "JournalNumber"),
            item=f"{decimal_of(row.get('JournalLineNumber')):f}",
            material=text_of(row, "ItemNumber"),
            movement_type=ISSUE if quantity > 0 else RETURN,
            quantity=abs(quantity),
            unit=self._units.ours(text_of(row, "BOMUnitSymbol")),
            batch=text_of(row, "ItemBatchNumber"),
            storage_location=place_text(text_of(row, "WarehouseId"), text_of(row, "WarehouseLocationId")),
        )

    def _received(self, journal: Journal, plan: OrderPlan) -> list[GoodsMovement]:
        return [
            GoodsMovement(
                material_document=journal.number,
                item=f"{decimal_of(row.get('JournalLineNumber')):f}",
                material=text_of(row, "ItemNumber") or plan.item,
                movement_type=RECEIPT if good > 0 else RECEIPT_RETURN,
                quantity=abs(good),
                unit=self._units.ours(plan.unit),
                batch=text_of(row, "ItemBatchNumber"),
                storage_location=place_text(text_of(row, "WarehouseId"), text_of(row, "WarehouseLocationId")),
            )
            for row in journal.rows
            if (good := decimal_of(row.get("ReportedGoodInventoryQuantity")))
        ]


def split_document(document: str) -> tuple[str, str, int]:
    """Kind, journal number and operation (0 where none) of a document's number. Raises ErpRejected."""
    kind, _, rest = document.partition("/")
    number, _, operation = rest.partition("/")
    if kind not in _SETS or not number:
        raise ErpRejected(
            f"{document!r} is no production journal of Dynamics", code="document_not_found", reason=Reason.CLIENT_BUG
        )
    return kind, number, int(operation) if operation.isdigit() else 0


def with_reversals(documents: list[ErpDocument]) -> list[ErpDocument]:
    """In booking order; a reversal marks the newest standing document before it with exactly its quantities."""
    ordered = sorted(documents, key=lambda d: (d.entered_at.isoformat() if d.entered_at else "", d.document))
    for position, document in enumerate(ordered):
        if not document.reversal:
            continue
        for earlier in range(position - 1, -1, -1):
            other = ordered[earlier]
            same = (other.operation, other.yield_quantity, other.scrap_quantity) == (
                document.operation,
                document.yield_quantity,
                document.scrap_quantity,
            )
            if same and not other.reversal and not other.reversed:
                ordered[earlier] = other.model_copy(update={"reversed": True})
                break
    return ordered


def made_by(message: Outgoing, journals: Iterable[Journal]) -> tuple[list[Journal], list[Journal]]:
    """Journals whose lines are exactly the message's, and the others of its operation or item."""
    without_batch = message.type == PICK and any(line[2] == "" for line in message.lines)
    wanted = _comparable(message.lines, without_batch)
    ours: list[Journal] = []
    others: list[Journal] = []
    for journal in journals:
        if journal.kind in (ROUTE_KIND, JOB_KIND) and journal.operation != message.operation:
            continue
        (ours if _comparable(journal.signature(), without_batch) == wanted else others).append(journal)
    return ours, others


def _comparable(lines: Iterable[Signature], without_batch: bool) -> list[list[str]]:
    """In one order and one spelling of numbers; a batch that the message left to Dynamics is not compared."""
    written = [[f"{v.normalize() + 0:f}" if isinstance(v, Decimal) else v for v in line] for line in lines]
    if without_batch:
        written = [[item, quantity, day] for item, quantity, _, day in written]
    return sorted(written)


def _of_main_item(journal: Journal, item: str) -> Journal | None:
    """The lines that report the order's own item; co- and by-products are no yield."""
    rows = tuple(
        row
        for row in journal.rows
        if text_of(row, "ProductionType") not in _BY_PRODUCTS
        and text_of(row, "ItemNumber").lower() in ("", item.lower())
    )
    return Journal(journal.kind, journal.number, journal.operation, rows) if rows else None


def _signature(kind: str, row: Entity) -> Signature:
    good = decimal_of(row.get("ReportedGoodInventoryQuantity"))
    error = decimal_of(row.get("ReportedErrorInventoryQuantity"))
    match kind:
        case "RAF":
            return (text_of(row, "ItemNumber").lower(), good, error, _day(row, "ReportAsFinishedDate"))
        case "PICK":
            quantity = decimal_of(row.get("ConsumptionBOMQuantity"))
            quantity = quantity or decimal_of(row.get("ConsumptionInventoryQuantity"))
            batch = text_of(row, "ItemBatchNumber").lower()
            return (text_of(row, "ItemNumber").lower(), quantity, batch, _day(row, "ConsumptionDate"))
        case _:
            hours = decimal_of(row.get("RegisteredHours")).quantize(Decimal("0.0001"))
            return (good, error, hours, text_of(row, "RouteJobType"), _day(row, "ConsumptionDate"))


def _day(row: Entity, name: str) -> str:
    day = date_of(row.get(name))
    return day.isoformat() if day is not None else ""
