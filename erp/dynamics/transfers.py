"""Inventory transfer journals: stock moved, or its inventory status changed. Found by our key in the Description.

The head and its lines move nothing until they are posted: by the environment's posting action where it has one, else by
its unattended batch job. Lines go in one atomic change set, by their own numbers, so that none is there twice. One that
has come since with our lines and nobody's key may be ours, its description lost: a person looks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from erp.dynamics.batch import Call
from erp.dynamics.client import DynamicsClient
from erp.dynamics.failures import AlreadyExists, EntityNotPublic
from erp.dynamics.odata import Entity, decimal_of, equal, instant_of, noon_text, number, text_of, yes
from erp.dynamics.settings import (
    TRANSFER_HEADERS,
    TRANSFER_LINES,
    DynamicsSettings,
    Units,
    place_of,
)
from erp.port import SendGuard
from signals.documents import Booking, ErpDocument, GoodsMovement, Snapshot
from signals.errors import ErpInDoubt, ErpRejected, ErpUnavailable
from signals.ids import short_key
from signals.transactions import PostingIntent

DESCRIPTION_LENGTH = 60
TRANSFER = "TRANSFER"
MOVED = "transfer"
ALIKE_BEFORE = "transfers"
"""Figure of a snapshot: journals with the same lines on the same day that were there before ours."""
_KEY = re.compile(r"[A-Z2-7]{16}\b")


@dataclass(frozen=True)
class Move:
    """One transfer of a material; status empty: the plant's free one."""

    material: str
    quantity: Decimal
    unit: str
    from_place: str
    to_place: str
    day: date
    batch: str = ""
    serials: tuple[str, ...] = ()
    from_status: str = ""
    to_status: str = ""
    text: str = ""


class Transfers:
    """Transfer journals of one site."""

    def __init__(self, client: DynamicsClient, settings: DynamicsSettings) -> None:
        self._client = client
        self._settings = settings
        self._options = settings.dynamics
        self._units = Units(settings.units)
        self._has_no_action = not settings.dynamics.post_action

    async def snapshot(self, move: Move) -> Snapshot:
        """The journals with such lines that are there already, whoever made them."""
        return Snapshot(figures={ALIKE_BEFORE: " ".join(await self._alike(move))})

    async def find(self, intent: PostingIntent, move: Move, before: Snapshot) -> Booking:
        """Posted: there. Made and left to the batch job: pending. Made and to be posted by us: not there yet."""
        head = await self._head(intent)
        if head is None:
            return await self._without_key(move, before)
        number_ = text_of(head, "JournalNumber")
        lines = await self._lines(number_)
        if yes(head, "IsPosted"):
            return Booking(document=self._document(intent, head, lines))
        if lines and (self._has_no_action or before.accepted):
            return Booking(pending=True, receipt=_waits(number_))
        return Booking()

    async def _without_key(self, move: Move, before: Snapshot) -> Booking:
        """Nothing carries our key. What has come since with our lines and nobody's key may be ours all the same."""
        if before.sent_at is None or ALIKE_BEFORE not in before.figures:
            return Booking()
        known = before.figures[ALIKE_BEFORE].split()
        came = [journal for journal in await self._alike(move) if journal not in known]
        keyless = [journal for journal in came if not await self._is_keyed(journal)]
        if not keyless:
            return Booking()
        told = f"transfer journal {', '.join(keyless)} of {move.material} has the same lines, but not our key"
        return Booking(unknowable=told, candidates=tuple(f"{TRANSFER}/{journal}" for journal in keyless))

    async def _alike(self, move: Move) -> list[str]:
        """Numbers of journals with a line of this move; its day, so that not all of a material's history is read."""
        day = f"TransactionDate eq {noon_text(move.day)}"
        rows = await self._client.read_entities(TRANSFER_LINES, equal("ItemNumber", move.material), day)
        wanted = self._bodies("", move)[0]
        return list(dict.fromkeys(text_of(row, "JournalNumber") for row in rows if _is_line(row, wanted)))

    async def _is_keyed(self, journal: str) -> bool:
        """Whether the description opens with the key of some posting of ours: then it is that one's."""
        heads = await self._client.read_entities(TRANSFER_HEADERS, equal("JournalNumber", journal))
        return any(_KEY.match(text_of(head, "Description").upper()) for head in heads)

    async def post(self, intent: PostingIntent, move: Move, guard: SendGuard) -> Booking:
        """Make the journal as far as it is not there, then have it posted."""
        head = await self._head(intent) or await self._make_head(intent, move, guard)
        journal = text_of(head, "JournalNumber")
        if not await self._lines(journal):
            await self._make_lines(journal, move, guard)
        if self._has_no_action:
            return Booking(pending=True, receipt=_waits(journal))
        address = self._client.address(TRANSFER_HEADERS, JournalNumber=journal)
        try:
            await self._client.act(address, self._options.post_action, guard)
        except EntityNotPublic:
            self._has_no_action = True
            return Booking(pending=True, receipt=_waits(journal))
        except ErpRejected as error:
            if (found := await self._after_posting(intent, journal)) is not None:
                return found  # the batch job was faster
            told = f"{error}; journal {journal} stays unposted in Dynamics: delete it there, or post it"
            raise ErpRejected(told, code=error.code, reason=error.reason) from error
        found = await self._after_posting(intent, journal)
        return found if found is not None else Booking(pending=True, receipt=_waits(journal))

    async def _after_posting(self, intent: PostingIntent, journal: str) -> Booking | None:
        """By its number, which we know here: its description may have lost our key."""
        heads = await self._client.read_entities(TRANSFER_HEADERS, equal("JournalNumber", journal))
        if not heads or not yes(heads[0], "IsPosted"):
            return None
        return Booking(document=self._document(intent, heads[0], await self._lines(journal)))

    async def movements(self, document: ErpDocument) -> ErpDocument:
        """The journal's lines as movements: what left one place came to another."""
        lines = await self._lines(document.document.partition("/")[2])
        return document.model_copy(update={"goods_movements": self._movements(lines)})

    # --- the journal -------------------------------------------------------------------------------------------------

    async def _head(self, intent: PostingIntent) -> Entity | None:
        """Our journal by the key that opens its description."""
        ours = await self._client.read_marked(TRANSFER_HEADERS, "Description", short_key(intent.key))
        return next((row for row in ours if yes(row, "IsPosted")), ours[0] if ours else None)

    async def _lines(self, journal: str) -> list[Entity]:
        return await self._client.read_entities(TRANSFER_LINES, equal("JournalNumber", journal))

    async def _make_head(self, intent: PostingIntent, move: Move, guard: SendGuard) -> Entity:
        body: dict[str, Any] = {"Description": f"{short_key(intent.key)} {move.text}"[:DESCRIPTION_LENGTH].rstrip()}
        if self._options.transfer_journal:
            body["JournalNameId"] = self._options.transfer_journal
        try:
            return await self._client.create(TRANSFER_HEADERS, body, guard)
        except ErpInDoubt as error:
            # A head alone moves nothing, and the next attempt finds it by its description.
            raise ErpUnavailable(f"{error}; a journal without lines moves nothing", code=error.code) from error

    async def _make_lines(self, journal: str, move: Move, guard: SendGuard) -> None:
        url = self._client.collection(TRANSFER_LINES)
        bodies = self._bodies(journal, move)
        calls = [Call("POST", url, self._client.own(body)) for body in bodies]
        try:
            await self._client.change_set(calls, f"POST {TRANSFER_LINES} of journal {journal}", guard)
        except AlreadyExists:
            return  # an earlier request made them: line numbers are their keys

    def _bodies(self, journal: str, move: Move) -> list[dict[str, Any]]:
        amounts = [(Decimal(1), serial) for serial in move.serials] or [(move.quantity, "")]
        return [
            {
                "JournalNumber": journal,
                "LineNumber": position,
                "ItemNumber": move.material,
                "InventoryQuantity": number(quantity),
                "TransactionDate": noon_text(move.day),
                **self._side("Source", move.from_place, move.from_status, move.batch, serial),
                **self._side("Destination", move.to_place, move.to_status, move.batch, serial),
            }
            for position, (quantity, serial) in enumerate(amounts, 1)
        ]

    def _side(self, side: str, place: str, status: str, batch: str, serial: str) -> dict[str, str]:
        warehouse, location = place_of(place, self._options.warehouse)
        values = {
            "InventorySiteId": self._settings.plant,
            "WarehouseId": warehouse,
            "WarehouseLocationId": location,
            "ItemBatchNumber": batch,
            "ItemSerialNumber": serial,
            "InventoryStatusId": status,
        }
        return {f"{side}{name}": value for name, value in values.items() if value}

    def _document(self, intent: PostingIntent, head: Entity, lines: list[Entity]) -> ErpDocument:
        transaction = intent.transaction
        return ErpDocument(
            document=f"{TRANSFER}/{text_of(head, 'JournalNumber')}",
            kind=MOVED,
            order=transaction.order,
            operation=transaction.operation,
            key=intent.key,
            text=text_of(head, "Description"),
            entered_by=text_of(head, "PostedUserId"),
            entered_at=instant_of(head.get("PostedDateTime")),
            goods_movements=self._movements(lines),
        )

    def _movements(self, lines: list[Entity]) -> tuple[GoodsMovement, ...]:
        return tuple(
            GoodsMovement(
                material_document=text_of(row, "JournalNumber"),
                item=text_of(row, "LineNumber"),
                material=text_of(row, "ItemNumber"),
                movement_type=MOVED,
                quantity=abs(Decimal(str(row.get("InventoryQuantity") or 0))),
                unit="",
                batch=text_of(row, "SourceItemBatchNumber"),
                storage_location=text_of(row, "DestinationWarehouseId"),
            )
            for row in lines
        )


def _is_line(row: Entity, wanted: Entity) -> bool:
    """Quantity and both ends; what we would not name may say anything, Dynamics fills in defaults."""
    ends = [name for name in wanted if name.startswith(("Source", "Destination"))]
    same = all(text_of(row, name).lower() == str(wanted[name]).lower() for name in ends)
    return same and decimal_of(row.get("InventoryQuantity")) == decimal_of(wanted["InventoryQuantity"])


def _waits(journal: str) -> str:
    return f"transfer journal {journal} waits for the unattended posting of inventory journals"
