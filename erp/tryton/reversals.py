"""Taking documents back: their done moves are cancelled by one call, which Tryton leaves out of every stock sum.

The time of an operation stays: Tryton cannot cancel a cycle that is done, and it was really spent.
"""

from __future__ import annotations

from collections.abc import Mapping

from erp.port import SendGuard
from erp.tryton.client import TrytonClient
from erp.tryton.documents import reversal_of
from erp.tryton.drafts import Drafts
from erp.tryton.lifecycle import Lifecycle
from erp.tryton.productions import Move, Note, Production, Productions
from erp.tryton.told import Confirmation, Movement, Reversal
from signals.documents import ErpDocument
from signals.errors import ErpError, ErpRejected, Reason
from signals.transactions import PostingIntent, Reverse


class Reversals:
    """Reverses confirmations, movements and moves that somebody did by hand."""

    def __init__(
        self,
        client: TrytonClient,
        productions: Productions,
        drafts: Drafts,
        lifecycle: Lifecycle,
        ours: Mapping[str, str],
    ) -> None:
        self._client, self._productions, self._drafts, self._lifecycle = client, productions, drafts, lifecycle
        self._ours = ours

    async def find(self, intent: PostingIntent, transaction: Reverse) -> ErpDocument | None:
        """Our note of the reversal, once the original's moves are cancelled."""
        production = await self._productions.read(_order_of(transaction))
        note = production.reversal(intent.key)
        return reversal_of(production, note, self._client.user_id, self._ours) if note is not None else None

    async def reverse(self, intent: PostingIntent, transaction: Reverse, guard: SendGuard) -> ErpDocument:
        production = await self._productions.read(_order_of(transaction))
        if (note := production.reversal(intent.key)) is not None:
            return reversal_of(production, note, self._client.user_id, self._ours)
        moves = self._moves_of(production, transaction.document)
        told = Reversal(key=intent.key, reverses=transaction.document, text=transaction.text)
        prepared = any(note.told == told for note in production.notes)
        if not prepared:
            await self._drafts.clear(production)
        if moves:
            if not prepared:
                await self._drafts.note(production, told)
            await self._cancel(production, intent, moves, guard)
        else:
            values = self._drafts.note_values(production, told)
            await self._client.book("model.ir.note.create", [values], guard=guard)
        return await self._reversed(intent, transaction, production)

    async def _cancel(self, production: Production, intent: PostingIntent, moves: list[Move], guard: SendGuard) -> None:
        """The one call that books. A refusal may mean that an earlier attempt's call was late and has just booked."""
        try:
            await self._client.book("model.stock.move.cancel", [move.id for move in moves], guard=guard)
        except ErpRejected:
            if (await self._productions.read(production.number)).reversal(intent.key) is None:
                raise

    async def _reversed(self, intent: PostingIntent, transaction: Reverse, before: Production) -> ErpDocument:
        """The reversal stands; what follows may fail without changing that."""
        bare = ErpDocument(document=f"{before.number}/reversal", order=before.number, operation=transaction.operation,
                           key=intent.key, reversal=True)  # fmt: skip
        try:
            after = await self._productions.read(before.number)
        except ErpError:
            return bare
        if after.state == "running":
            await self._lifecycle.afterwards(self._plan_anew(after))
        note = after.reversal(intent.key)
        return reversal_of(after, note, self._client.user_id, self._ours) if note is not None else bare

    async def _plan_anew(self, production: Production) -> None:
        await self._drafts.clear(production)
        await self._drafts.plan_the_rest(production)

    def _moves_of(self, production: Production, document: str) -> list[Move]:
        """The done moves of a document that stands. Raises ErpRejected where it does not."""
        if document.startswith("move/"):
            number = document.removeprefix("move/")
            move = production.moves.get(int(number)) if number.isdigit() else None
            if move is None or move.state != "done":
                raise _not_standing(production, document)
            return [move]
        note = production.note_of(document)
        if note is None or not _is_document(production, note) or production.is_reversed(note):
            raise _not_standing(production, document)
        told = note.told
        assert isinstance(told, Confirmation | Movement)
        moves = [production.moves[number] for number in told.moves]
        if any(move.state != "done" for move in moves):
            raise ErpRejected(
                f"document {document}: a part of its moves is cancelled in Tryton already; cancel the rest there",
                code="partly_reversed",
                reason=Reason.REVERSAL,
            )
        return moves


def _is_document(production: Production, note: Note) -> bool:
    return any(known.id == note.id for known in production.booked_notes())


def _order_of(transaction: Reverse) -> str:
    """The order is in the document's number where the transaction does not name it."""
    return transaction.order or transaction.document.rsplit("/", 1)[0]


def _not_standing(production: Production, document: str) -> ErpRejected:
    return ErpRejected(
        f"production {production.number} has no standing document {document}; it was taken back, or is another's",
        code="document_not_found",
        reason=Reason.REVERSAL,
    )
