"""Components and products of a work order: issue, return, completion, return of the product (materialTransactions).

Each line answers its InvTransactionId. Where the answer is lost, issued quantities decide for components; for the
product the completed transactions since the request where they can be searched, else the balance where it was put.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from erp.oracle.arithmetic import as_figures, booking
from erp.oracle.completed import HIGHEST, CompletedTransactions
from erp.oracle.lines import Line, TransactionLines
from erp.oracle.order_rows import OracleOrder
from erp.oracle.orders import Orders
from erp.oracle.settings import OracleSettings, Units, operation_number, sequence_number
from erp.oracle.wire import Row, amount_of, day_at, decimal_of, decimal_text, number_json, text_of
from erp.port import SendGuard
from signals.base import ZERO
from signals.bookings import StockKind
from signals.documents import Booking, ErpDocument, GoodsMovement, Snapshot
from signals.ids import short_key
from signals.transactions import (
    ComponentUse,
    IssueComponents,
    PostingIntent,
    ReceiveGoods,
    ReturnComponents,
    Reverse,
    Transaction,
)

RESOURCE, DETAIL = "materialTransactions", "MaterialTransactionDetail"
ISSUE, RETURN = "MATERIAL_ISSUE", "MATERIAL_RETURN"
COMPLETION, PRODUCT_RETURN = "PRODUCT_COMPLETION", "PRODUCT_RETURN"
_MIRROR = {ISSUE: RETURN, RETURN: ISSUE, COMPLETION: PRODUCT_RETURN, PRODUCT_RETURN: COMPLETION}
UNREADABLE = "Oracle's material transactions cannot be read back, and the figures do not tell"


@dataclass(frozen=True)
class Move:
    """One line in our terms."""

    type: str
    material: str
    quantity: Decimal
    unit: str
    place: str
    lot: str = ""
    serials: tuple[str, ...] = ()
    component: str = ""

    @property
    def is_product(self) -> bool:
        return self.type in (COMPLETION, PRODUCT_RETURN)

    @property
    def sign(self) -> int:
        """Of what the figure of this line gains: issued quantity, or product received."""
        return 1 if self.type in (ISSUE, COMPLETION) else -1


@dataclass(frozen=True)
class Effect:
    order: str
    operation: str
    moves: tuple[Move, ...]
    posting_date: date
    is_reversal: bool


class Materials:
    """Material transactions of one organization, and their mirrors."""

    def __init__(
        self, lines: TransactionLines, orders: Orders, completed: CompletedTransactions, settings: OracleSettings
    ) -> None:
        self._lines = lines
        self._orders = orders
        self._completed = completed
        self._settings = settings
        self._units = Units(settings.units)
        self._zone = ZoneInfo(settings.zone)

    def _effect(self, t: Transaction) -> Effect:
        booked = t.original if isinstance(t, Reverse) else t
        match booked:
            case IssueComponents():
                moves = [self._use(ISSUE, use) for use in booked.lines]
            case ReturnComponents():
                moves = [self._use(RETURN, use) for use in booked.lines]
            case ReceiveGoods():
                moves = [self._receipt(booked)]
            case _:
                raise AssertionError(f"{t.type} is no material transaction")
        is_reversal = isinstance(t, Reverse)
        if is_reversal:
            moves = [Move(**{**vars(move), "type": _MIRROR[move.type]}) for move in moves]
        return Effect(booked.order, booked.operation, tuple(moves), t.posting_date, is_reversal)

    def _use(self, kind: str, use: ComponentUse) -> Move:
        return Move(
            kind,
            use.material,
            use.quantity,
            use.unit,
            use.storage_location,
            use.batch,
            use.serials,
            use.reservation_item,
        )

    def _receipt(self, t: ReceiveGoods) -> Move:
        place = t.storage_location if t.stock is StockKind.UNRESTRICTED else self._settings.oracle.hold_subinventory
        return Move(COMPLETION, t.material, t.quantity, t.unit, place, t.batch, t.serials)

    # --- before and after --------------------------------------------------------------------------------------------

    async def snapshot(self, intent: PostingIntent) -> Snapshot:
        effect = self._effect(intent.transaction)
        figures = as_figures(await self._figures(effect))
        if any(move.is_product for move in effect.moves):
            figures[HIGHEST] = await self._completed.highest()
        return Snapshot(figures=figures)

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        if not before.figures:
            return Booking()
        effect = self._effect(intent.transaction)
        if effect.moves[0].is_product:
            listed = await self._listed(intent, effect, before)
            if listed is not None:
                return listed
        document = self._document(intent, effect, f"{effect.operation}:{effect.moves[0].type}:{short_key(intent.key)}")
        now = await self._figures(effect)
        return booking(before.figures, now, self._vector(effect), document, UNREADABLE)

    async def _listed(self, intent: PostingIntent, effect: Effect, before: Snapshot) -> Booking | None:
        """By the completed transactions that came since; None where they cannot be searched."""
        move = effect.moves[0]
        rows = await self._completed.since(before.figures.get(HIGHEST, ""), move.material)
        if rows is None:
            return None
        ours = [row for row in rows if _is_row_of(row, effect.order, move)]
        if len(ours) == 1:
            return Booking(document=self._document(intent, effect, text_of(ours[0], "TransactionId")))
        if not ours:
            return Booking()
        numbers = tuple(text_of(row, "TransactionId") for row in ours)
        told = f"{len(ours)} transactions of {decimal_text(move.quantity)} {move.unit} of {move.material} came since"
        return Booking(unknowable=f"{told}: any of them may be ours", candidates=numbers)

    async def _figures(self, effect: Effect) -> dict[str, Decimal]:
        known = await self._orders.read(effect.order)
        figures: dict[str, Decimal] = {}
        for move in effect.moves:
            name = self._figure(effect, move)
            if move.is_product:
                figures[name] = await self._completed.on_hand(move.material, self._place(move, known), move.lot)
            else:
                rows = [row for row in known.materials if _is_component(row, effect.operation, move)]
                figures[name] = sum((amount_of(row.get("IssuedQuantity")) for row in rows), ZERO)
        return figures

    def _vector(self, effect: Effect) -> dict[str, Decimal]:
        ours: dict[str, Decimal] = {}
        for move in effect.moves:
            name = self._figure(effect, move)
            ours[name] = ours.get(name, ZERO) + move.sign * move.quantity
        return ours

    def _figure(self, effect: Effect, move: Move) -> str:
        if move.is_product:
            return " ".join(["on hand of", move.material, *(part for part in (move.place, move.lot) if part)])
        line = f" line {move.component}" if move.component else ""
        return f"issued to {effect.operation or 'the order'}{line} of {move.material}"

    def _place(self, move: Move, known: OracleOrder) -> str:
        return move.place or text_of(known.header, "ComplSubinventoryCode")

    # --- booking -----------------------------------------------------------------------------------------------------

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        effect = self._effect(intent.transaction)
        operations = await self._operations(effect)
        sent = [
            Line(self._row(effect, move, operation), f"{move.type} of {decimal_text(move.quantity)} {move.material}")
            for move, operation in zip(effect.moves, operations, strict=True)
        ]
        rows = await self._lines.post(RESOURCE, DETAIL, sent, guard)
        numbers = [text_of(row, "InvTransactionId") for row in rows]
        number = numbers[0] or f"{effect.operation}:{effect.moves[0].type}:{short_key(intent.key)}"
        return Booking(document=self._document(intent, effect, number, numbers))

    async def _operations(self, effect: Effect) -> list[int]:
        """Oracle wants the operation of each line: ours, else the component's own, else the last for the product."""
        if effect.operation:
            return [sequence_number(effect.operation)] * len(effect.moves)
        known = await self._orders.read(effect.order)
        found: list[int] = []
        for move in effect.moves:
            rows = [row for row in known.materials if _is_component(row, "", move)]
            default = known.operations[-1] if move.is_product else known.operations[0]
            found.append(int(decimal_of((rows[0] if rows else default).get("OperationSequenceNumber"))))
        return found

    def _row(self, effect: Effect, move: Move, operation: int) -> Row:
        row: Row = {
            "OrganizationCode": self._settings.plant,
            "WorkOrderNumber": effect.order,
            "WoOperationSequenceNumber": operation,
            "InventoryItemNumber": move.material,
            "TransactionTypeCode": move.type,
            "TransactionQuantity": number_json(move.quantity),
            "TransactionUnitOfMeasure": self._units.oracle(move.unit),
            "TransactionDate": day_at(effect.posting_date, self._zone),
        }
        if move.is_product:
            row["OutputTypeCode"] = "PRODUCT"
        if move.place:
            row["SubinventoryCode"] = move.place
        if move.lot:
            row["TransactionLot"] = [{"LotNumber": move.lot, "TransactionQuantity": number_json(move.quantity)}]
        if move.serials:
            row["TransactionSerial"] = [{"SerialNumber": serial} for serial in move.serials]
        return row

    def _document(
        self, intent: PostingIntent, effect: Effect, number: str, lines: list[str] | None = None
    ) -> ErpDocument:
        numbers = lines or [""] * len(effect.moves)
        return ErpDocument(
            document=number,
            kind="material",
            order=effect.order,
            operation=effect.operation,
            key=intent.key,
            text=short_key(intent.key),
            reversal=effect.is_reversal,
            goods_movements=tuple(
                GoodsMovement(
                    material_document=line,
                    item=move.component,
                    material=move.material,
                    movement_type=move.type,
                    quantity=move.quantity,
                    unit=move.unit,
                    batch=move.lot,
                    storage_location=move.place,
                )
                for move, line in zip(effect.moves, numbers, strict=True)
            ),
        )


def _is_component(row: Row, operation: str, move: Move) -> bool:
    if text_of(row, "ItemNumber") != move.material:
        return False
    if operation and operation_number(row.get("OperationSequenceNumber")) != operation:
        return False
    return not move.component or text_of(row, "MaterialSequenceNumber") == move.component


def _is_row_of(row: Row, order: str, move: Move) -> bool:
    """Quantities of completed transactions are signed: what comes into stock is positive."""
    if decimal_of(row.get("TransactionQuantity")) != move.sign * move.quantity:
        return False
    if move.place and text_of(row, "SubinventoryCode") != move.place:
        return False
    return text_of(row, "TransactionSource") in ("", order)
