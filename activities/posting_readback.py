"""After a posting is booked: its follow-ups, and whether all goods movements it should have caused are there.

A shortfall is a case, never a retry (design section 5, step 5); a follow-up is a posting of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from activities import erp_cases
from activities.erp_books import missing_movements
from activities.erp_watch import ErpWatch
from activities.posting_outcomes import SHORTEST_WAIT, Timing
from activities.posting_records import COVERED, Stand, follow_up_record, health_after, intent_of, known_document
from erp.port import ErpPort
from ledger.port import LedgerPort, PostingRecord
from signals.decisions import PostingMode
from signals.documents import GoodsMovement, PostingState
from signals.errors import ErpError
from signals.transactions import ConfirmProduction

WAITING = (PostingState.CLAIMED, PostingState.SENT)


class Advance(Protocol):
    """Bring one posting as far as it goes now (the procedure's own step)."""

    def __call__(self, record: PostingRecord, mode: PostingMode, *, approved: bool) -> Awaitable[Stand]: ...


class ReadBack:
    """Looks at booked postings."""

    def __init__(self, erp: ErpPort, ledger: LedgerPort, watch: ErpWatch, timing: Timing, advance: Advance) -> None:
        self._erp = erp
        self._ledger = ledger
        self._watch = watch
        self._timing = timing
        self._advance = advance

    async def of(self, record: PostingRecord, expected: list[GoodsMovement] | None, last_try: bool | None) -> Stand:
        """The posting stays booked in any case; `verified` when nothing of it is left to do or to see."""
        if record.message == COVERED or record.state is PostingState.SHADOW:
            return Stand(record, verified=True)
        waits = await self._follow_up(record)
        if waits is not None:
            return waits
        if not isinstance(record.transaction, ConfirmProduction) or not record.document:
            return Stand(record, verified=True)
        return await self._compare(record, expected, last_try)

    async def _follow_up(self, record: PostingRecord) -> Stand | None:
        """Settle what the ERP wants booked beside it, one after the other. None when all have come to an end."""
        if record.main_key is not None:
            return None
        try:
            wanted = await self._erp.follow_ups(intent_of(record))
        except ErpError as error:
            return Stand(record, self._timing.next_try(record, error), health_after(error))
        for number, transaction in enumerate(wanted, start=1):
            claim = await self._ledger.claim(follow_up_record(record, number, transaction))
            follower = claim.posting or claim.others[0]
            if follower.state not in WAITING:
                continue
            stand = await self._advance(follower, PostingMode.POST, approved=True)
            if not stand.record.state.is_settled:
                return Stand(record, stand.next_try_at or self._timing.now() + SHORTEST_WAIT, stand.erp)
        return None

    async def _compare(
        self, record: PostingRecord, expected: list[GoodsMovement] | None, last_try: bool | None
    ) -> Stand:
        """Compare what the confirmation should have moved with what it moved."""
        timing = self._timing
        try:
            wanted = expected if expected is not None else await self._erp.expected_movements(intent_of(record))
            document = await self._erp.read_back(known_document(record))
        except ErpError as error:
            return Stand(record, timing.next_try(record, error), health_after(error))
        timing.forget(record)
        missing = () if document.reversed else missing_movements(wanted, document.goods_movements)
        booked_at = (record.deadline or document.entered_at or timing.now()) - timing.timeout
        give_up_at = booked_at + timing.timeout + timing.movement_wait
        is_last = timing.now() >= give_up_at if last_try is None else last_try
        record = await self._ledger.mark_outcome(
            record.key, state=record.state, document=document, shortfall=missing if is_last else ()
        )
        if not missing:
            await self._watch.close_shortfall(record)
            return Stand(record, verified=True)
        if not is_last:
            return Stand(record, timing.next_look(booked_at, give_up_at))
        await self._ledger.open_case(erp_cases.shortfall(record, document.document, missing))
        return Stand(record)
