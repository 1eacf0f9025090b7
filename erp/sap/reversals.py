"""How each booking is taken back in SAP (reference erp.md 4): cancellation, opposite movement, deletion, or a person.

`TAKEN_BACK` says for every transaction which it is; the capabilities show the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from erp.port import ReversedBy, SendGuard
from erp.sap.capacity import Capacity
from erp.sap.confirmations import Confirmations
from erp.sap.defects import Defects
from erp.sap.failures import refused
from erp.sap.holds import BATCH_MARK, Hold, Holds
from erp.sap.material_documents import MaterialDocuments
from signals.documents import ErpDocument
from signals.errors import ErpRejected, Reason
from signals.stock import PlaceHold, ReleaseHold
from signals.transactions import PostingIntent, Reverse, TransactionType


@dataclass(frozen=True)
class TakenBack:
    """By what, and where only a person or nobody can: why."""

    by: ReversedBy
    how: str


TAKEN_BACK: dict[TransactionType, TakenBack] = {
    TransactionType.START_ORDER: TakenBack(ReversedBy.NEVER, "nothing was booked: SAP has no start posting"),
    TransactionType.CONFIRM_PRODUCTION: TakenBack(ReversedBy.CALL, "CancelProdnOrdConf, goods movements included"),
    TransactionType.REPORT_TIME: TakenBack(ReversedBy.CALL, "CancelProdnOrdConf"),
    TransactionType.ISSUE_COMPONENTS: TakenBack(ReversedBy.CALL, "Cancel"),
    TransactionType.RETURN_COMPONENTS: TakenBack(ReversedBy.CALL, "Cancel"),
    TransactionType.RECEIVE_GOODS: TakenBack(ReversedBy.CALL, "Cancel"),
    TransactionType.MOVE_STOCK: TakenBack(ReversedBy.CALL, "Cancel"),
    TransactionType.PLACE_HOLD: TakenBack(ReversedBy.MIRROR, "the opposite movement: 343, of a batch 341"),
    TransactionType.RELEASE_HOLD: TakenBack(ReversedBy.MIRROR, "the opposite movement: 344, of a batch 342"),
    TransactionType.SCRAP_STOCK: TakenBack(ReversedBy.CALL, "Cancel"),
    TransactionType.RECORD_INSPECTION: TakenBack(
        ReversedBy.PERSON, "SAP has no reversal of a recorded result; correct it in the inspection lot"
    ),
    TransactionType.RECORD_NONCONFORMANCE: TakenBack(ReversedBy.CALL, "DELETE A_Defect"),
    TransactionType.DECIDE_INSPECTION: TakenBack(
        ReversedBy.PERSON, "SAP has no standard reversal of a usage decision; post the stock back by movement"
    ),
    TransactionType.OPEN_DOWNTIME: TakenBack(
        ReversedBy.PERSON, "a notification cannot be deleted by a call; maintenance sets its deletion flag"
    ),
    TransactionType.CLOSE_DOWNTIME: TakenBack(
        ReversedBy.PERSON, "the malfunction's end belongs to maintenance once it is written; correct it there"
    ),
    TransactionType.ADJUST_CAPACITY: TakenBack(ReversedBy.STATE, "DELETE of the interval, unless changed since"),
    TransactionType.COMPLETE_ORDER: TakenBack(
        ReversedBy.PERSON, "SAP has no call that revokes a technical completion; do it in the order"
    ),
    TransactionType.CLOSE_ORDER: TakenBack(ReversedBy.NEVER, "the financial close is final and finance's own"),
    TransactionType.REVERSE: TakenBack(ReversedBy.NEVER, "book the original again instead"),
}
_BY_CONFIRMATION = (TransactionType.CONFIRM_PRODUCTION, TransactionType.REPORT_TIME)
_BY_DOCUMENT = (
    TransactionType.ISSUE_COMPONENTS,
    TransactionType.RETURN_COMPONENTS,
    TransactionType.RECEIVE_GOODS,
    TransactionType.MOVE_STOCK,
    TransactionType.SCRAP_STOCK,
)


class Reversals:
    """Takes bookings back, by what the original was."""

    def __init__(
        self,
        confirmations: Confirmations,
        documents: MaterialDocuments,
        holds: Holds,
        defects: Defects,
        capacity: Capacity,
    ) -> None:
        self._confirmations = confirmations
        self._documents = documents
        self._holds = holds
        self._defects = defects
        self._capacity = capacity

    async def find(self, intent: PostingIntent, reverse: Reverse) -> ErpDocument | None:
        """By the reversal's own key where SAP keeps one, else by what became of the original."""
        kind = reverse.original_type
        if kind in _BY_CONFIRMATION:
            return await self._confirmations.find(intent)
        if kind in _BY_DOCUMENT:
            return await self._documents.find_cancellation(intent, reverse.document)
        if isinstance(reverse.original, (PlaceHold, ReleaseHold)):
            return await self._holds.find(intent, opposite(reverse.original, reverse))
        if kind is TransactionType.RECORD_NONCONFORMANCE:
            return await self._defects.find_deletion(intent, reverse.document)
        if kind is TransactionType.ADJUST_CAPACITY:
            return await self._capacity.find_deletion(intent, reverse.document)
        return None

    async def post(self, intent: PostingIntent, reverse: Reverse, guard: SendGuard) -> ErpDocument:
        kind = reverse.original_type
        if kind in _BY_CONFIRMATION:
            return await self._confirmations.cancel(intent, reverse, guard)
        if kind in _BY_DOCUMENT:
            return await self._documents.cancel(intent, reverse.document, reverse.posting_date, guard)
        if isinstance(reverse.original, (PlaceHold, ReleaseHold)):
            if reverse.document.startswith(BATCH_MARK):
                told = f"{reverse.document}: the batch was in this state before our hold came; it stays so"
                raise refused(told, "hold_not_ours")
            document = await self._holds.post(intent, opposite(reverse.original, reverse), guard)
            return document.model_copy(update={"reversal": True})
        if kind is TransactionType.RECORD_NONCONFORMANCE:
            return await self._defects.delete(intent, reverse.document, guard)
        if kind is TransactionType.ADJUST_CAPACITY:
            return await self._capacity.delete(intent, reverse.document, guard)
        raise ErpRejected(
            f"{kind.value.replace('_', ' ')} {reverse.document}: {TAKEN_BACK[kind].how}",
            code="reversal_by_person" if TAKEN_BACK[kind].by is ReversedBy.PERSON else "not_reversible",
            reason=Reason.REVERSAL,
        )


def opposite(hold: Hold, reverse: Reverse) -> Hold:
    """The hold that undoes a hold, dated as the reversal is."""
    fields = hold.model_dump(exclude={"type", "placed"}) | {"posting_date": reverse.posting_date}
    if isinstance(hold, PlaceHold):
        return ReleaseHold.model_validate(fields | {"placed": reverse.document})
    return PlaceHold.model_validate(fields)
