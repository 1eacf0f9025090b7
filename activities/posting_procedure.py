"""The posting procedure (design section 5): one transaction has its effect in the ERP once, whatever fails between.

Claim, look, fence, send, read back. A plain class over ports and a clock; waiting is the caller's business, who gets
`next_try_at`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from activities import erp_cases
from activities.erp_books import missing_movements
from activities.erp_watch import ErpWatch
from activities.posting_messages import ErpHealth, PostingDraft, SettleResult, VerifyResult
from activities.posting_records import (
    COVERED,
    HEALTH_ORDER,
    health_after,
    intent_of,
    is_reversed,
    is_shortfall_of,
    known_document,
    outcome_of,
    record_of,
    stops_completion,
)
from erp.port import ErpPort
from ledger.port import LedgerPort, PostingRecord
from signals.decisions import PostingMode
from signals.documents import (
    Case,
    ErpDocument,
    GoodsMovement,
    OperationTotals,
    PostingState,
)
from signals.errors import BadInput, ErpError, ErpInDoubt, ErpMisconfigured, ErpRejected, ErpUnavailable
from signals.transactions import CompleteOrder, ConfirmProduction, Reverse

SHORTEST_WAIT = timedelta(seconds=1)
BOOKED = (PostingState.POSTED, PostingState.ADOPTED)


@dataclass(frozen=True)
class Stand:
    """Where one posting stands after an attempt."""

    record: PostingRecord
    next_try_at: datetime | None = None
    erp: ErpHealth = "up"
    verified: bool = False


@dataclass(frozen=True)
class Before:
    """What was read right before sending."""

    found: ErpDocument | None = None
    totals: tuple[OperationTotals, ...] = ()
    documents: tuple[str, ...] = ()
    expected: list[GoodsMovement] | None = None


class PostingProcedure:
    """Settles postings of one plant against one ERP."""

    def __init__(
        self,
        erp: ErpPort,
        ledger: LedgerPort,
        *,
        now: Callable[[], datetime],
        new_token: Callable[[], str],
        timeout_seconds: float,
        settle_seconds: float,
        retry_seconds: Sequence[int],
        goods_movement_wait_seconds: float = 60,
    ) -> None:
        self._erp = erp
        self._ledger = ledger
        self._watch = ErpWatch(erp, ledger)
        self._now = now
        self._new_token = new_token
        self._timeout = timedelta(seconds=timeout_seconds)
        self._settle_time = timedelta(seconds=settle_seconds)
        self._back_off = [timedelta(seconds=s) for s in retry_seconds]
        self._movement_wait = timedelta(seconds=goods_movement_wait_seconds)
        self._failures: dict[UUID, int] = {}

    # --- entry points ------------------------------------------------------------------------------------------------

    async def settle(self, draft: PostingDraft) -> SettleResult:
        """Claim the draft's reports and bring the posting as far as it goes now. Safe to repeat.

        Raises BadInput for a draft that contradicts itself or asks for more credit than is left.
        """
        record = record_of(draft)
        if draft.intent.covered:
            record = await self._as_covered(record)
        claim = await self._ledger.claim(record, draft.intent.credit or draft.credit)
        if claim.posting is not None:
            return await self._result([await self._advance(claim.posting, draft.mode, approved=draft.approved)])
        # Others hold some of the reports. They go on as they were claimed; an approval was given for this draft only.
        return await self._result(
            [await self._advance(other, draft.mode, approved=False) for other in claim.others], claim.rest
        )

    async def resume(self, key: UUID, mode: PostingMode, *, approved: bool = False) -> SettleResult:
        """Settle a posting that the ledger knows, by its key alone. Raises BadInput for an unknown one."""
        record = await self._ledger.posting(key)
        if record is None:
            raise BadInput(f"the ledger knows no posting {key}", subject=str(key), hint="settle its draft instead")
        return await self._result([await self._advance(record, mode, approved=approved)])

    async def verify(self, key: UUID, *, last_try: bool | None = None) -> VerifyResult:
        """Read a booked posting back and compare its goods movements.

        What is missing after the last try is a case; without `last_try` the goods movement wait decides.
        """
        record = await self._ledger.posting(key)
        if record is None or record.state not in BOOKED:
            return VerifyResult(outcome=record.outcome() if record else None)
        stand = await self._read_back(record, None, last_try)
        missing = [c for c in await self._watch.cases_of_order(record) if is_shortfall_of(c, key)]
        return VerifyResult(
            outcome=outcome_of(stand.record, stand.next_try_at),
            complete=stand.verified,
            case=missing[0] if missing else None,
            next_try_at=stand.next_try_at,
            erp=stand.erp,
        )

    # --- the way of a posting ----------------------------------------------------------------------------------------

    async def _advance(self, record: PostingRecord, mode: PostingMode, *, approved: bool) -> Stand:
        try:
            if record.state is PostingState.SENT:
                stand = await self._resolve(record)
                if stand.record.state is not PostingState.CLAIMED or stand.next_try_at is not None:
                    return stand
                record = stand.record
            if record.state is not PostingState.CLAIMED:
                return Stand(record)
            if mode is PostingMode.SHADOW:
                return Stand(await self._ledger.mark_outcome(record.key, state=PostingState.SHADOW))
            if mode is PostingMode.APPROVE and not approved:
                return Stand(record)
            return await self._post(record)
        except ErpError as error:
            return await self._nothing_sent(record, error)

    async def _nothing_sent(self, record: PostingRecord, error: ErpError) -> Stand:
        """A read before sending failed. A business reason settles a claimed posting, everything else waits."""
        if isinstance(error, ErpRejected) and record.state is PostingState.CLAIMED:
            return await self._refused(record, error)
        if isinstance(error, ErpMisconfigured):
            await self._ledger.open_case(erp_cases.misconfigured(record, error))
        next_try_at = self._next_try(record, error)
        await self._ledger.note_retry(record.key, next_try_at=next_try_at, message=str(error))
        return Stand(await self._again(record), next_try_at, health_after(error))

    async def _post(self, record: PostingRecord) -> Stand:
        """A claimed posting: look first, then send."""
        transaction = record.transaction
        if isinstance(transaction, CompleteOrder):
            if any(stops_completion(c, record) for c in await self._watch.cases_of_order(record)):
                return Stand(record)
            before = Before(found=await self._erp.find(intent_of(record)))
        elif isinstance(transaction, Reverse):
            look = await self._watch.look(record)
            before = Before(found=look.of_posting(record))
            if before.found is None and is_reversed(look, transaction.document):
                return await self._reversed_already(record, transaction)
        else:
            expected = await self._erp.expected_movements(intent_of(record))
            look = await self._watch.look(record)
            for owner, document in look.surfaced(record.key):
                await self._booked(owner, document, None)
            before = Before(look.of_posting(record), look.totals, look.numbers, expected)
            if before.found is None and await self._watch.is_stopped(record, look):
                return Stand(record)
        if before.found is not None:
            return await self._booked(record, before.found, before.expected)
        return await self._send(record, before)

    async def _send(self, record: PostingRecord, before: Before) -> Stand:
        token, deadline = self._new_token(), self._now() + self._timeout
        fenced = await self._ledger.mark_sent(
            record.key, token=token, deadline=deadline, totals_before=before.totals, documents_before=before.documents
        )
        if not fenced:
            return await self._overtaken(record)

        def guard() -> None:
            if self._now() >= deadline:
                raise ErpUnavailable("the request's deadline passed before its bytes left; it was not sent")

        intent = intent_of(record)
        try:
            # An earlier request of this posting may have been booked since the look: its lock only just fell.
            found = await self._erp.find(intent) if record.attempts else None
            document = found or await self._erp.post(intent, guard)
        except ErpInDoubt as error:
            return await self._after_doubt(record, deadline, error, before.expected)
        except ErpRejected as error:
            return await self._refused(record, error, token)
        except ErpError as error:
            return await self._not_processed(record, token, error)
        return await self._booked(record, document, before.expected)

    async def _after_doubt(
        self, record: PostingRecord, deadline: datetime, error: ErpInDoubt, expected: list[GoodsMovement] | None
    ) -> Stand:
        """No trustworthy answer. A document that shows already is proof; one that does not show proves nothing yet."""
        try:
            found = await self._erp.find(intent_of(record))
        except ErpError:
            found = None
        if found is not None:
            return await self._booked(record, found, expected)
        return await self._unknown(record, deadline, str(error))

    async def _resolve(self, record: PostingRecord) -> Stand:
        """A posting met as `sent`: unknown until the deadline and the settle time have passed."""
        deadline = record.deadline or self._now()
        if self._now() < deadline:
            return Stand(record, deadline)
        found = await self._erp.find(intent_of(record))
        if found is not None:
            return await self._booked(record, found, None)
        if self._now() < deadline + self._settle_time:
            return await self._unknown(record, deadline, record.message)
        return await self._conclude(record)

    async def _conclude(self, record: PostingRecord) -> Stand:
        """Settle time is over and nothing carries the key: not processed where the ERP's books say so too."""
        if isinstance(record.transaction, ConfirmProduction):
            look = await self._watch.look(record)
            found = look.of_posting(record)
            if found is not None:
                return await self._booked(record, found, None)
            candidates = look.may_be(record)
            if candidates:
                why = f"document {candidates[0].document} has its quantities, but neither its key nor a text"
                return await self._in_doubt(record, candidates, why)
            if await self._watch.totals_case(record, look) is not None:
                return await self._in_doubt(record, [], "the ERP's totals do not agree with its own documents")
        done = await self._ledger.mark_not_processed(
            record.key, token=record.token, next_try_at=None, message="the ERP's books show that it was not booked"
        )
        return Stand(await self._again(record)) if done else await self._overtaken(record)

    # --- claims ------------------------------------------------------------------------------------------------------

    async def _as_covered(self, record: PostingRecord) -> PostingRecord:
        """Adopted hand entries hold all of it. Their numbers stand as its document, so that nothing counts twice."""
        own = await self._ledger.own_documents(record.plant, record.order, record.operation)
        entries = ", ".join(d.document for d in own if d.key is None and not d.reversed)
        return record.model_copy(
            update={"state": PostingState.ADOPTED, "document": entries or COVERED, "message": COVERED}
        )

    async def _overtaken(self, record: PostingRecord) -> Stand:
        """Another attempt has this posting, or another posting of the order is in flight: later, in a second."""
        now = await self._again(record)
        if now.state.is_settled:
            return Stand(now)
        if now.state is PostingState.CLAIMED:
            await self._free_the_order(record)
        return Stand(now, self._now() + SHORTEST_WAIT, "busy")

    async def _free_the_order(self, record: PostingRecord) -> None:
        """Nobody may be left to resolve the posting in flight; whoever meets it late enough does."""
        for outcome in (await self._ledger.load_order(record.plant, record.order)).postings:
            if outcome.state is not PostingState.SENT or outcome.key == record.key:
                continue
            other = await self._ledger.posting(outcome.key)
            if other is not None and self._now() >= (other.deadline or self._now()) + self._settle_time:
                await self._resolve(other)

    # --- outcomes ----------------------------------------------------------------------------------------------------

    async def _booked(
        self, record: PostingRecord, document: ErpDocument, expected: list[GoodsMovement] | None
    ) -> Stand:
        """The ERP has it: note that before anything else, then read it back."""
        settled = await self._ledger.mark_outcome(record.key, state=PostingState.POSTED, document=document)
        self._failures.pop(record.key, None)
        if settled.document and settled.document != document.document:
            await self._ledger.open_case(erp_cases.second_document(record, document, settled.document))
        if document.reversed:
            await self._ledger.open_case(erp_cases.reversed_by_hand(record, document))
        transaction = record.transaction
        await self._watch.close_settled(record, transaction.document if isinstance(transaction, Reverse) else "")
        return await self._read_back(settled, expected, None)

    async def _reversed_already(self, record: PostingRecord, transaction: Reverse) -> Stand:
        """Somebody else reversed the original: the effect is there, a second reversal would be refused."""
        message = f"document {transaction.document} was reversed in the ERP already"
        settled = await self._ledger.mark_outcome(record.key, state=PostingState.ADOPTED, message=message)
        await self._watch.close_settled(record, transaction.document)
        return Stand(settled)

    async def _refused(self, record: PostingRecord, error: ErpRejected, token: str = "") -> Stand:
        now = await self._again(record)
        if now.state is PostingState.SENT and now.token != token:
            return Stand(now, self._now() + SHORTEST_WAIT, "busy")  # another attempt is on its way
        settled = await self._ledger.mark_outcome(
            record.key, state=PostingState.REFUSED, error_code=error.code, message=str(error)
        )
        if settled.state is PostingState.REFUSED:
            await self._ledger.open_case(erp_cases.rejected(settled, error))
        return Stand(settled)

    async def _in_doubt(self, record: PostingRecord, candidates: list[ErpDocument], why: str) -> Stand:
        settled = await self._ledger.mark_outcome(record.key, state=PostingState.IN_DOUBT, message=why)
        if settled.state is PostingState.IN_DOUBT:
            await self._ledger.open_case(erp_cases.in_doubt(settled, candidates, why))
        return Stand(settled)

    async def _not_processed(self, record: PostingRecord, token: str, error: ErpError) -> Stand:
        next_try_at = self._next_try(record, error)
        done = await self._ledger.mark_not_processed(
            record.key, token=token, next_try_at=next_try_at, message=str(error)
        )
        if not done:
            return await self._overtaken(record)
        if isinstance(error, ErpMisconfigured):
            await self._ledger.open_case(erp_cases.misconfigured(record, error))
        return Stand(await self._again(record), next_try_at, health_after(error))

    async def _unknown(self, record: PostingRecord, deadline: datetime, message: str) -> Stand:
        """Stays `sent`. Looks come at growing distances, the last one when the settle time is over."""
        next_try_at = self._next_look(deadline - self._timeout, deadline + self._settle_time)
        await self._ledger.note_retry(record.key, next_try_at=next_try_at, message=message)
        return Stand(await self._again(record), next_try_at)

    # --- read-back ---------------------------------------------------------------------------------------------------

    async def _read_back(
        self, record: PostingRecord, expected: list[GoodsMovement] | None, last_try: bool | None
    ) -> Stand:
        """Compare what the confirmation should have moved with what it moved. The posting stays booked in any case."""
        if not isinstance(record.transaction, ConfirmProduction) or not record.document or record.message == COVERED:
            return Stand(record, verified=True)
        try:
            wanted = expected if expected is not None else await self._erp.expected_movements(intent_of(record))
            document = await self._erp.read_back(known_document(record))
        except ErpError as error:
            return Stand(record, self._next_try(record, error), health_after(error))
        self._failures.pop(record.key, None)
        missing = () if document.reversed else missing_movements(wanted, document.goods_movements)
        booked_at = (record.deadline or document.entered_at or self._now()) - self._timeout
        give_up_at = booked_at + self._timeout + self._movement_wait
        is_last = self._now() >= give_up_at if last_try is None else last_try
        record = await self._ledger.mark_outcome(
            record.key, state=record.state, document=document, shortfall=missing if is_last else ()
        )
        if not missing:
            await self._watch.close_shortfall(record)
            return Stand(record, verified=True)
        if not is_last:
            return Stand(record, self._next_look(booked_at, give_up_at))
        await self._ledger.open_case(erp_cases.shortfall(record, document.document, missing))
        return Stand(record)

    # --- common ------------------------------------------------------------------------------------------------------

    def _next_try(self, record: PostingRecord, error: ErpError) -> datetime:
        """Back-off by attempts, and by failures in a row that never became one; the ERP's own wish goes before it."""
        failed = max(self._failures.get(record.key, 0), record.attempts)
        self._failures[record.key] = failed + 1
        pause = self._back_off[min(failed, len(self._back_off) - 1)]
        if error.retry_after is not None:
            pause = max(pause, timedelta(seconds=error.retry_after))
        return self._now() + pause

    def _next_look(self, since: datetime, until: datetime) -> datetime:
        """Again after as long as it has taken so far, at least a second, at the latest when the wait is over."""
        now = self._now()
        return min(now + max(SHORTEST_WAIT, now - since), max(until, now + SHORTEST_WAIT))

    async def _again(self, record: PostingRecord) -> PostingRecord:
        return await self._ledger.posting(record.key) or record

    async def _result(self, stands: list[Stand], rest: tuple[str, ...] = ()) -> SettleResult:
        cases: dict[str, Case] = {}
        for stand in stands:
            cases |= {case.case_id: case for case in await self._watch.cases_for(stand.record)}
        record = stands[0].record
        return SettleResult(
            outcomes=tuple(outcome_of(stand.record, stand.next_try_at) for stand in stands),
            rest=rest,
            totals=await self._ledger.totals(record.plant, record.order),
            cases=tuple(cases.values()),
            verified=tuple(stand.record.key for stand in stands if stand.verified),
            next_try_at=min((s.next_try_at for s in stands if s.next_try_at is not None), default=None),
            erp=HEALTH_ORDER[max(HEALTH_ORDER.index(stand.erp) for stand in stands)],
        )
