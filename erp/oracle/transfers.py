"""Stock between subinventories: inventoryStagedTransactions with signed quantities (reference erp.md 2.4).

Our key travels in both reference fields. Found: among the completed transactions by reference, among the staged ones
(still waiting, or refused there), and where references cannot be searched by the balances on both sides.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from zoneinfo import ZoneInfo

from erp.oracle.arithmetic import Verdict, as_figures, booking, told, vector_of, verdict
from erp.oracle.client import OracleClient
from erp.oracle.completed import CompletedTransactions
from erp.oracle.failures import OracleNotFound, business_error
from erp.oracle.items import Items
from erp.oracle.settings import OracleSettings, Units
from erp.oracle.wire import Row, UnreadableAnswer, day_at, number_json, text_literal, text_of
from erp.port import SendGuard
from signals.documents import Booking, ErpDocument, GoodsMovement, Snapshot
from signals.errors import ErpError, ErpInDoubt, ErpMisconfigured, ErpRejected
from signals.ids import short_key
from signals.transactions import MoveStock, PlaceHold, PostingIntent, ReleaseHold, Reverse, Transaction

STAGED = "inventoryStagedTransactions"
CHECK = "validateInventoryTransactionQuantities"
ONLINE = "1"
SEARCHABLE = "references can be searched"
MOVEMENT = "TRANSFER"
UNREADABLE = "references of completed transactions cannot be searched, and the balances do not tell"


@dataclass(frozen=True)
class Transfer:
    """One transfer in our terms."""

    material: str
    quantity: Decimal
    unit: str
    source: str
    target: str
    lot: str
    serials: tuple[str, ...]
    order: str
    posting_date: date
    is_reversal: bool = False

    @property
    def mirrored(self) -> Transfer:
        return Transfer(**{**vars(self), "source": self.target, "target": self.source, "is_reversal": True})

    @property
    def vector(self) -> dict[str, Decimal]:
        return {self.figure(self.source): -self.quantity, self.figure(self.target): self.quantity}

    def figure(self, place: str) -> str:
        return " ".join(["on hand of", self.material, "in", place, *([self.lot] if self.lot else [])])


class Transfers:
    """Transfers of one organization."""

    def __init__(
        self, client: OracleClient, completed: CompletedTransactions, items: Items, settings: OracleSettings
    ) -> None:
        self._client = client
        self._completed = completed
        self._items = items
        self._settings = settings
        self._units = Units(settings.units)
        self._zone = ZoneInfo(settings.zone)

    def transfer_of(self, t: Transaction) -> Transfer:
        match t:
            case Reverse(original=MoveStock() | PlaceHold() | ReleaseHold() as original):
                mirrored = self.transfer_of(original).mirrored
                return Transfer(**{**vars(mirrored), "posting_date": t.posting_date})
            case MoveStock():
                ends = (t.from_location, t.to_location)
            case PlaceHold():
                ends = (t.storage_location, self._settings.oracle.hold_subinventory)
            case ReleaseHold():
                ends = (self._settings.oracle.hold_subinventory, t.storage_location)
            case _:
                raise AssertionError(f"{t.type} is no transfer")
        return Transfer(t.material, t.quantity, t.unit, *ends, t.batch, t.serials, t.order, t.posting_date)

    # --- before and after --------------------------------------------------------------------------------------------

    async def snapshot(self, intent: PostingIntent) -> Snapshot:
        transfer = self.transfer_of(intent.transaction)
        figures = as_figures(await self._figures(transfer))
        searchable = await self._completed.by_reference(intent.key) is not None
        return Snapshot(figures=figures | {SEARCHABLE: "yes" if searchable else "no"})

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        transfer = self.transfer_of(intent.transaction)
        rows = await self._completed.by_reference(intent.key)
        if rows:
            return Booking(document=self._document(intent, transfer, _number_of(rows)))
        staged = await self._staged(intent)
        waiting = [row for row in staged if not _error_of(row)]
        if waiting or (staged and before.figures):
            return _of_staged(waiting or staged)
        if not before.figures:
            return Booking()  # a row that was refused once says nothing of the request to come
        now = await self._figures(transfer)
        if rows is None:
            document = self._document(intent, transfer, f"{MOVEMENT}:{short_key(intent.key)}")
            return booking(before.figures, now, transfer.vector, document, UNREADABLE)
        return self._contradicted(before, now, transfer)

    def _contradicted(self, before: Snapshot, now: dict[str, Decimal], transfer: Transfer) -> Booking:
        """No reference of ours, though they can be searched. Balances that moved exactly so leave a doubt."""
        earlier = vector_of(before.figures, transfer.vector)
        if earlier is None or verdict(earlier, now, transfer.vector) is not Verdict.OURS:
            return Booking()
        figures = told(earlier, now, transfer.vector)
        return Booking(unknowable=f"no transaction carries our reference, yet the balances moved exactly so: {figures}")

    async def _figures(self, transfer: Transfer) -> dict[str, Decimal]:
        return {
            transfer.figure(place): await self._completed.on_hand(transfer.material, place, transfer.lot)
            for place in (transfer.source, transfer.target)
        }

    async def _staged(self, intent: PostingIntent) -> list[Row]:
        """Our rows in the interface; none where it cannot be searched."""
        wanted = f"ExternalSystemTransactionReference={text_literal(str(intent.key))}"
        try:
            return await self._client.items(STAGED, {"q": wanted})
        except (ErpRejected, ErpMisconfigured):
            return []

    # --- booking -----------------------------------------------------------------------------------------------------

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        """A row of ours that Oracle refused before is deleted first: nobody may process it beside the new one."""
        transfer = self.transfer_of(intent.transaction)
        organization = await self._items.organization_id(transfer.material)
        if self._settings.oracle.quantity_check:
            await self._check(transfer, organization)
        for row in await self._staged(intent):
            if not _error_of(row):
                return _of_staged([row])
            await self._client.remove(await self._client.item_of(row), guard)
        answer = await self._client.create(STAGED, self._row(intent, transfer, organization), guard)
        error = _error_of(answer)
        if error:
            await self._discard(answer, guard)
            raise business_error(f"Oracle refused the transfer of {transfer.material}: {' '.join(error)}", *error)
        return await self._settled(intent, transfer, answer)

    async def _discard(self, refused: Row, guard: SendGuard) -> None:
        """Delete the row that Oracle keeps of a refused transfer; where that fails, the next request does it."""
        with contextlib.suppress(ErpError, UnreadableAnswer):
            await self._client.remove(await self._client.item_of(refused), guard)

    async def _settled(self, intent: PostingIntent, transfer: Transfer, answer: Row) -> Booking:
        """A processed row has left the interface; one that is still there waits, or was refused in the meantime."""
        number = text_of(answer, "TransactionInterfaceId")
        if not number:
            raise ErpInDoubt("Oracle took the transfer and gave it no number", code="unreadable")
        try:
            return _of_staged([(await self._client.item(f"{STAGED}/{number}")).row])
        except OracleNotFound:
            pass
        except ErpError:
            return Booking(pending=True, receipt=number)
        try:
            rows = await self._completed.by_reference(intent.key)
        except ErpError:
            rows = None
        return Booking(document=self._document(intent, transfer, _number_of(rows) if rows else number))

    async def _check(self, transfer: Transfer, organization: str) -> None:
        """Oracle's dry run: books nothing. Only a clear no stops the request; the posting itself decides."""
        row: Row = {
            "OrganizationId": int(organization),
            "ItemNumber": transfer.material,
            "SubinventoryCode": transfer.source,
            "TransferSubinventory": transfer.target,
            "TransactionTypeName": self._settings.oracle.transfer_type,
            "TransactionQuantity": number_json(-transfer.quantity),
            "TransactionUnitOfMeasure": self._units.oracle(transfer.unit),
        }
        if transfer.lot:
            row["LotNumber"] = transfer.lot
        answer = await self._client.ask(CHECK, row)
        if text_of(answer, "ReturnStatus").upper() in ("E", "ERROR", "U", "FALSE", "FAILURE"):
            name, text = text_of(answer, "ReturnMessageName"), text_of(answer, "ReturnMessageText")
            raise business_error(
                f"Oracle's quantity check refused the transfer of {transfer.material}: {text}", name, text
            )

    def _row(self, intent: PostingIntent, transfer: Transfer, organization: str) -> Row:
        row: Row = {
            "TransactionMode": ONLINE,
            "SourceCode": self._settings.oracle.source_system,
            "SourceHeaderId": intent.key.int % 10**15,
            "SourceLineId": 1,
            "TransactionReference": short_key(intent.key),
            "ExternalSystemTransactionReference": str(intent.key),
            "TransactionTypeName": self._settings.oracle.transfer_type,
            "OrganizationId": int(organization),
            "ItemNumber": transfer.material,
            "SubinventoryCode": transfer.source,
            "TransferSubinventory": transfer.target,
            "TransactionQuantity": number_json(-transfer.quantity),
            "TransactionUnitOfMeasure": self._units.oracle(transfer.unit),
            "TransactionDate": day_at(transfer.posting_date, self._zone),
        }
        if transfer.lot:
            row["lots"] = [{"LotNumber": transfer.lot, "TransactionQuantity": number_json(-transfer.quantity)}]
        if transfer.serials:
            row["serials"] = [{"FromSerialNumber": serial, "ToSerialNumber": serial} for serial in transfer.serials]
        return row

    def _document(self, intent: PostingIntent, transfer: Transfer, number: str) -> ErpDocument:
        return ErpDocument(
            document=number,
            kind="stock",
            order=transfer.order,
            key=intent.key,
            text=short_key(intent.key),
            reversal=transfer.is_reversal,
            goods_movements=(
                GoodsMovement(
                    material_document=number,
                    material=transfer.material,
                    movement_type=MOVEMENT,
                    quantity=transfer.quantity,
                    unit=transfer.unit,
                    batch=transfer.lot,
                    storage_location=transfer.target,
                ),
            ),
        )


def _number_of(rows: list[Row]) -> str:
    """A transfer leaves two transactions, out and in: the first is its number."""
    return min((text_of(row, "TransactionId") for row in rows), key=lambda number: (len(number), number))


def _error_of(row: Row) -> tuple[str, str] | None:
    code, text = text_of(row, "ErrorCode"), text_of(row, "ErrorExplanation")
    return (code, text) if code or text else None


def _of_staged(rows: list[Row]) -> Booking:
    """Our rows in the interface: one that waits goes before one that was refused."""
    waiting = [row for row in rows if not _error_of(row)]
    if waiting:
        return Booking(pending=True, receipt=text_of(waiting[0], "TransactionInterfaceId"))
    code, text = _error_of(rows[0]) or ("", "")
    failure = business_error(text or code, code, text)
    return Booking(refused=text or code, code=code or failure.code, reason=failure.reason)
