"""Confirmations: quantity moves between the dispatch states of an operation (operationTransactions, erp.md 2.3).

One POST holds what one confirmation says, one line per dispatch state. Nothing of it can be read back: whether it is
there is decided by the operation's quantities before and after, and a reversal is the same lines the other way round.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from erp.oracle.arithmetic import Verdict, as_figures, told, vector_of, verdict
from erp.oracle.forecast import Forecast
from erp.oracle.lines import Line, TransactionLines
from erp.oracle.order_rows import OracleOrder
from erp.oracle.orders import Orders
from erp.oracle.settings import OracleSettings, Units, operation_number, sequence_number
from erp.oracle.wire import Row, UnreadableAnswer, amount_of, day_at, decimal_text, number_json, text_of
from erp.port import SendGuard
from signals.base import ZERO
from signals.bookings import StockKind
from signals.documents import Booking, ErpDocument, GoodsMovement, Snapshot
from signals.errors import ErpError
from signals.ids import short_key
from signals.transactions import ConfirmProduction, PostingIntent, Reverse, Transaction

RESOURCE, DETAIL = "operationTransactions", "OperationTransactionDetail"
NOTE_LENGTH = 240
REMEMBERED = 500
Key = TypeVar("Key")
Value = TypeVar("Value")
_STATES = (("COMPLETE", "completed", "yield"), ("SCRAP", "scrapped", "scrap"), ("REJECT", "rejected", "rework"))
_COLUMNS = {"completed": "CompletedQuantity", "scrapped": "ScrappedQuantity", "rejected": "RejectedQuantity"}
UNREADABLE = "Oracle's operation transactions cannot be read back, and the operation's quantities do not tell"


@dataclass(frozen=True)
class Effect:
    """What a confirmation, or its reversal, does to the operation: amounts in the order of `_STATES`."""

    confirmed: ConfirmProduction
    amounts: tuple[Decimal, Decimal, Decimal]
    posting_date: date
    at: datetime | None
    is_reversal: bool

    @property
    def vector(self) -> dict[str, Decimal]:
        """Differences of all three figures, also of those that must not change."""
        sign = -1 if self.is_reversal else 1
        names = (name for _, name, _ in _STATES)
        return {_figure(self.confirmed.operation, n): sign * a for n, a in zip(names, self.amounts, strict=True)}

    @property
    def pieces(self) -> Decimal:
        return sum(self.amounts, ZERO)


def effect_of(t: Transaction) -> Effect:
    """`t` is a confirmation, or the reversal of one whose original is known."""
    confirmed = t.original if isinstance(t, Reverse) else t
    assert isinstance(confirmed, ConfirmProduction)
    amounts = (confirmed.yield_quantity, confirmed.scrap_quantity, confirmed.rework_quantity)
    at = None if isinstance(t, Reverse) else confirmed.ended_at
    return Effect(confirmed, amounts, t.posting_date, at, isinstance(t, Reverse))


class Confirmations:
    """Confirmations of one organization, and their reversals."""

    def __init__(self, lines: TransactionLines, orders: Orders, settings: OracleSettings) -> None:
        self._lines = lines
        self._orders = orders
        self._settings = settings
        self._units = Units(settings.units)
        self._zone = ZoneInfo(settings.zone)
        self._read_before: OrderedDict[UUID, OracleOrder] = OrderedDict()
        self._structure: OrderedDict[str, OracleOrder] = OrderedDict()
        self._verified: OrderedDict[UUID, tuple[GoodsMovement, ...]] = OrderedDict()

    # --- before and after --------------------------------------------------------------------------------------------

    async def snapshot(self, intent: PostingIntent) -> Snapshot:
        """The operation's quantities; the order itself is kept for the request that follows."""
        effect = effect_of(intent.transaction)
        known = await self._orders.read(effect.confirmed.order)
        _remember(self._read_before, intent.key, known)
        return Snapshot(figures=as_figures(_figures(known, effect.confirmed.operation)))

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        effect = effect_of(intent.transaction)
        if not effect.pieces:
            return Booking(document=self._document(intent, effect))  # nothing of it can be sent, see `post`
        earlier = vector_of(before.figures, effect.vector) or _from_totals(before, effect)
        if earlier is None:
            return Booking()
        known = await self._orders.read(effect.confirmed.order)
        now = _figures(known, effect.confirmed.operation)
        match verdict(earlier, now, effect.vector):
            case Verdict.OURS:
                return Booking(document=self._document(intent, effect))
            case Verdict.NOT_THERE:
                return Booking()
            case Verdict.UNKNOWABLE:
                part = _part(earlier, now, effect)
                return Booking(unknowable=f"{part or UNREADABLE}: {told(earlier, now, effect.vector)}")

    # --- booking -----------------------------------------------------------------------------------------------------

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        """Raises ErpInDoubt where Oracle booked some lines and refused others: `find` then tells the figures.

        A final confirmation without quantity has no counterpart in Oracle: nothing is sent.
        """
        effect = effect_of(intent.transaction)
        if not effect.pieces:
            return Booking(document=self._document(intent, effect))
        known = self._read_before.pop(intent.key, None) or await self._orders.read(effect.confirmed.order)
        issued = Forecast(known, effect.confirmed.operation, self._units).issued()
        await self._lines.post(RESOURCE, DETAIL, self._details(intent, effect, known), guard)
        document = self._document(intent, effect)
        if effect.is_reversal:
            return Booking(document=document)
        return Booking(document=await self._with_movements(document, intent, effect, issued))

    async def _with_movements(
        self, document: ErpDocument, intent: PostingIntent, effect: Effect, issued: dict[str, Decimal]
    ) -> ErpDocument:
        """What the components were issued between the reads before and after. A failed read books nothing less."""
        try:
            known = await self._orders.read(effect.confirmed.order)
            forecast = Forecast(known, effect.confirmed.operation, self._units)
            movements = forecast.differences(issued)
        except (ErpError, UnreadableAnswer) as error:
            return document.model_copy(update={"warnings": (f"components were not read after the booking: {error}",)})
        _remember(self._structure, effect.confirmed.order, known)
        if _covers(movements, forecast.expected(effect.pieces)):
            _remember(self._verified, intent.key, movements)
        return document.model_copy(update={"goods_movements": movements})

    def _details(self, intent: PostingIntent, effect: Effect, known: OracleOrder) -> list[Line]:
        lines: list[Line] = []
        for (state, _, word), amount in zip(_STATES, effect.amounts, strict=True):
            if amount:
                row = self._row(intent, effect, known, state, amount)
                lines.append(
                    Line(row, f"{'the reversal of ' if effect.is_reversal else ''}{word} {decimal_text(amount)}")
                )
        return lines

    def _row(self, intent: PostingIntent, effect: Effect, known: OracleOrder, state: str, amount: Decimal) -> Row:
        t = effect.confirmed
        origin, target = (state, "READY") if effect.is_reversal else ("READY", state)
        row: Row = {
            "OrganizationCode": self._settings.plant,
            "WorkOrderNumber": t.order,
            "WoOperationSequenceNumber": sequence_number(t.operation),
            "TransactionQuantity": number_json(amount),
            "TransactionUOMCode": self._units.oracle(t.unit),
            "TransactionDate": day_at(effect.posting_date, self._zone, effect.at),
            "FromDispatchState": origin,
            "ToDispatchState": target,
            "TransactionNote": _note(intent, t.reason, t.batch, t.shift, t.person),
        }
        reason = self._settings.scrap_reasons.get(t.reason, "")
        if reason and state != "COMPLETE":
            row["ReasonCode"] = reason
        if t.final and not effect.is_reversal and self._settings.oracle.complete_operation_flag:
            row["CompleteOperationFlag"] = True
        if state == "COMPLETE" and t.operation == known.last_operation:
            row |= self._receipt(t, known, amount)
        return row

    def _receipt(self, t: ConfirmProduction, known: OracleOrder, amount: Decimal) -> Row:
        """Where the last operation puts the product (or takes it from), with its lot and serial numbers."""
        blocked = t.receipt_stock is not StockKind.UNRESTRICTED
        place = self._settings.oracle.hold_subinventory if blocked else text_of(known.header, "ComplSubinventoryCode")
        row: Row = {"ComplSubinventoryCode": place} if place else {}
        control = known.control(known.order.material)
        if control.lot and t.batch:
            row["TransactionLot"] = [{"LotNumber": t.batch, "TransactionQuantity": number_json(amount)}]
        if control.serial and t.serials:
            row["TransactionSerial"] = [{"SerialNumber": serial} for serial in t.serials]
        return row

    # --- reading back ------------------------------------------------------------------------------------------------

    async def read_back(self, document: ErpDocument) -> ErpDocument:
        """With the issues that can be attributed to it: read right after the booking, else by what is short."""
        if document.key is not None and document.key in self._verified:
            return document.model_copy(update={"goods_movements": self._verified[document.key]})
        pieces = document.yield_quantity + document.scrap_quantity + document.rework_quantity
        if document.reversal or not pieces:
            return document
        known = await self._orders.read(document.order)
        movements = Forecast(known, document.operation, self._units).attributable(pieces)
        return document.model_copy(update={"goods_movements": movements})

    async def expected_movements(self, t: ConfirmProduction) -> list[GoodsMovement]:
        known = await self._orders.read(t.order)
        return Forecast(known, t.operation, self._units).expected(effect_of(t).pieces)

    async def follow_ups(self, t: ConfirmProduction) -> list[Transaction]:
        """By the order's structure as it was read last: its ratios do not change while it runs."""
        known = self._structure.get(t.order) or await self._orders.read(t.order)
        return list(Forecast(known, t.operation, self._units).beside(t))

    def _document(self, intent: PostingIntent, effect: Effect) -> ErpDocument:
        t = effect.confirmed
        return ErpDocument(
            document=_number(intent.key, effect),
            order=t.order,
            operation=t.operation,
            yield_quantity=effect.amounts[0],
            scrap_quantity=effect.amounts[1],
            rework_quantity=effect.amounts[2],
            unit=t.unit,
            key=intent.key,
            text=_note(intent, t.reason, t.batch, t.shift, t.person),
            final=t.final and not effect.is_reversal,
            reversal=effect.is_reversal,
            warnings=() if effect.pieces else ("Oracle has no final confirmation without quantity: nothing was sent",),
        )


def _figure(operation: str, name: str) -> str:
    return f"operation {sequence_number(operation)} {name}"


def _figures(known: OracleOrder, operation: str) -> dict[str, Decimal]:
    row = known.operation_row(operation)
    return {_figure(operation, name): amount_of(row.get(column)) for name, column in _COLUMNS.items()}


def _from_totals(before: Snapshot, effect: Effect) -> dict[str, Decimal] | None:
    """The same figures out of the totals that the caller read before sending."""
    wanted = operation_number(sequence_number(effect.confirmed.operation))
    total = next((t for t in before.totals if t.operation == wanted), None)
    if total is None or total.scrap_quantity is None or total.rework_quantity is None:
        return None
    values = (total.yield_quantity, total.scrap_quantity, total.rework_quantity)
    return dict(zip(effect.vector, values, strict=True))


def _part(before: dict[str, Decimal], now: dict[str, Decimal], effect: Effect) -> str:
    """A sentence where exactly some lines of the one request stand in the books, and the others do not at all."""
    ours = effect.vector
    changed = {name: now.get(name, ZERO) - before.get(name, ZERO) for name in ours}
    if any(changed[name] not in (0, amount) for name, amount in ours.items()):
        return ""
    return "exactly a part of this confirmation is booked: Oracle took some of its lines and refused others"


def _covers(movements: tuple[GoodsMovement, ...], expected: list[GoodsMovement]) -> bool:
    there = {movement.item: movement.quantity for movement in movements}
    return all(abs(there.get(wanted.item, ZERO) - wanted.quantity) <= Decimal("0.001") for wanted in expected)


def _number(key: UUID, effect: Effect) -> str:
    """Oracle gives an operation transaction no number: ours says what was booked, and for which posting."""
    amounts = "+".join(decimal_text(amount) for amount in effect.amounts)
    return f"{effect.confirmed.operation}:{'-' if effect.is_reversal else ''}{amounts}:{short_key(key)}"


def _note(intent: PostingIntent, *parts: str) -> str:
    """The short key first, as in every ERP; Oracle's people read the note, its API does not give it back."""
    return " ".join([short_key(intent.key), str(intent.key), *(part for part in parts if part)])[:NOTE_LENGTH]


def _remember(memory: OrderedDict[Key, Value], key: Key, value: Value) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
