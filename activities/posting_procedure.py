"""The posting procedure (design section 5): one transaction has its effect in the ERP once, whatever fails between.

Claim, check, look, fence, send, read back. A plain class over ports and a clock; waiting is the caller's business, who
gets `next_try_at`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from activities.erp_books import Look
from activities.erp_watch import ErpWatch
from activities.posting_holds import HoldGuard, HoldOptions
from activities.posting_messages import PostingDraft, SettleResult, VerifyResult
from activities.posting_outcomes import SHORTEST_WAIT, PostingOutcomes, Timing
from activities.posting_readback import ReadBack
from activities.posting_records import (
    BOOKED,
    COVERED,
    HEALTH_ORDER,
    Stand,
    intent_of,
    is_reversed,
    is_shortfall_of,
    outcome_of,
    record_of,
    start_record,
    stops_completion,
)
from domain.transaction_rules import check_transaction
from erp.port import ErpPort, ReversedBy
from ledger.port import LedgerPort, PostingRecord
from signals.decisions import PostingMode
from signals.documents import Booking, Case, ErpDocument, GoodsMovement, OperationTotals, PostingState, Snapshot
from signals.errors import BadInput, ErpError, ErpInDoubt, ErpRejected, ErpUnavailable, Reason
from signals.transactions import CompleteOrder, ConfirmProduction, Reverse, TransactionType


@dataclass(frozen=True)
class Before:
    """What was read right before sending."""

    found: ErpDocument | None = None
    totals: tuple[OperationTotals, ...] = ()
    documents: tuple[str, ...] = ()
    expected: list[GoodsMovement] | None = None
    figures: dict[str, str] = field(default_factory=dict)


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
        holds: HoldOptions | None = None,
    ) -> None:
        self._erp = erp
        self._ledger = ledger
        self._watch = ErpWatch(erp, ledger)
        self._holds = HoldGuard(erp, ledger, holds or HoldOptions(), now=now)
        self._now = now
        self._new_token = new_token
        self._timing = Timing(
            now=now,
            timeout=timedelta(seconds=timeout_seconds),
            settle=timedelta(seconds=settle_seconds),
            pending=timedelta(seconds=erp.capabilities.pending_seconds),
            movement_wait=timedelta(seconds=goods_movement_wait_seconds),
            back_off=[timedelta(seconds=s) for s in retry_seconds],
        )
        self._outcomes = PostingOutcomes(ledger, self._watch, self._timing)
        self._readback = ReadBack(erp, ledger, self._watch, self._timing, self._advance)

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
        """Settle a booked posting's follow-ups, read it back and compare its goods movements.

        What is missing after the last try is a case; without `last_try` the goods movement wait decides.
        """
        record = await self._ledger.posting(key)
        if record is None or record.state not in BOOKED:
            return VerifyResult(outcome=record.outcome() if record else None)
        stand = await self._readback.of(record, None, last_try)
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
                return await self._outcomes.met_again(record)
            if mode is PostingMode.SHADOW:
                return Stand(await self._ledger.mark_outcome(record.key, state=PostingState.SHADOW))
            if mode is PostingMode.APPROVE and not approved:
                return Stand(record)
            return await self._post(record)
        except ErpError as error:
            return await self._outcomes.nothing_sent(record, error)

    async def _post(self, record: PostingRecord) -> Stand:
        """A claimed posting: check it, look first, then send."""
        transaction = record.transaction
        if isinstance(transaction, Reverse):
            own = self._erp.capabilities.can(transaction.original_type)
            if own.reversed_by in (ReversedBy.PERSON, ReversedBy.NEVER):
                return await self._outcomes.left_to_a_person(record, own.reason or own.note)
        guarded = await self._holds.look(record)
        if guarded.refused or guarded.waits:
            return await self._outcomes.held(record, guarded.refused, guarded.waits)
        if guarded.form != record.transaction:
            changed = await self._ledger.change_form(record.key, guarded.form, reason=guarded.reason)
            if changed is None:
                return await self._overtaken(record)
            record = changed
        rules = await self._check(record)
        other = await self._ledger.sent_posting(record.plant, record.order)
        if other is not None and other.key != record.key:
            # Its document may show already and would be taken for a stranger's where documents carry no keys.
            return await self._overtaken(record)
        if record.attempts and (late := (await self._find(record)).document) is not None:
            return await self._booked(record, late, None)
        if isinstance(transaction, CompleteOrder):
            if any(stops_completion(c, record) for c in await self._watch.cases_of_order(record)):
                return Stand(record)
            before = Before(found=(await self._erp.find(intent_of(record), Snapshot())).document)
        elif isinstance(transaction, ConfirmProduction):
            waits = await self._not_started(record)
            if waits is not None:
                return waits
            before = await self._look_before_confirming(record)
            if before is None:
                return Stand(record)
        else:
            found = await self._before_others(record)
            if found is None:
                assert isinstance(transaction, Reverse)
                return await self._outcomes.reversed_already(record, transaction)
            before = found
        if before.found is not None:
            return await self._booked(record, before.found, before.expected)
        return await self._send(record, before, rules)

    async def _check(self, record: PostingRecord) -> tuple[str, ...]:
        """Raises ErpRejected with the name of the rule that speaks against the posting; nothing is sent then."""
        transaction = record.transaction
        capability = self._erp.capabilities.can(transaction.type)
        if not capability.supported:
            what = transaction.type.value.replace("_", " ")
            raise ErpRejected(
                f"{self._erp.capabilities.erp} cannot {what}: {capability.reason}",
                code="not_supported",
                reason=Reason.NOT_SUPPORTED,
            )
        order = await self._ledger.order_data(record.plant, transaction.order) if transaction.order else None
        checked = check_transaction(transaction, order)
        if checked.violated:
            raise ErpRejected(f"{checked.violated}: {checked.message}", code=checked.violated, reason=Reason.RULE)
        spoken = await self._erp.check(intent_of(record))
        if spoken:
            raise ErpRejected(spoken, code=spoken.split(":", 1)[0], reason=Reason.RULE)
        return checked.passed

    async def _not_started(self, record: PostingRecord) -> Stand | None:
        """Where the ERP wants an order started before its first confirmation, that is a posting of its own."""
        if not self._erp.capabilities.start_required:
            return None
        claim = await self._ledger.claim(start_record(record))
        start = claim.posting or claim.others[0]
        if start.state in (PostingState.CLAIMED, PostingState.SENT):
            stand = await self._advance(start, PostingMode.POST, approved=True)
            start = stand.record
            if not start.state.is_settled:
                return Stand(record, stand.next_try_at or self._now() + SHORTEST_WAIT, stand.erp)
        return Stand(record) if start.state in (PostingState.REFUSED, PostingState.IN_DOUBT) else None

    async def _look_before_confirming(self, record: PostingRecord) -> Before | None:
        """The operation in the ERP. None while a case stops this confirmation."""
        expected = await self._erp.expected_movements(intent_of(record))
        snapshot = await self._erp.snapshot(intent_of(record))
        look = await self._watch.look(record)
        for owner, document in look.surfaced(record.key):
            await self._booked(owner, document, None)
        found = look.of_posting(record)
        if found is None and await self._watch.is_stopped(record, look):
            return None
        return Before(found, look.totals, look.numbers, expected, snapshot.figures)

    async def _before_others(self, record: PostingRecord) -> Before | None:
        """What is there of a posting that is no confirmation. None where somebody reversed its original already."""
        intent, transaction = intent_of(record), record.transaction
        can_list = self._erp.capabilities.documents.supported
        if (
            isinstance(transaction, Reverse)
            and can_list
            and transaction.original_type is TransactionType.CONFIRM_PRODUCTION
        ):
            look = await self._watch.look(record)
            found = look.of_posting(record)
            if found is None and is_reversed(look, transaction.document):
                return None
            return Before(found, documents=look.numbers)
        snapshot = await self._erp.snapshot(intent)
        booking = await self._erp.find(intent, Snapshot())
        return Before(booking.document, documents=snapshot.documents, totals=snapshot.totals, figures=snapshot.figures)

    async def _send(self, record: PostingRecord, before: Before, rules: tuple[str, ...]) -> Stand:
        token, sent_at = self._new_token(), self._now()
        deadline = sent_at + self._timing.timeout
        fenced = await self._ledger.mark_sent(
            record.key,
            token=token,
            deadline=deadline,
            totals_before=before.totals,
            documents_before=before.documents,
            figures_before=before.figures,
            sent_at=sent_at,
            rules=rules,
        )
        if not fenced:
            return await self._overtaken(record)
        # Once more behind the fence: what is blocked from now on finds this posting on its way, and what was blocked
        # meanwhile is seen here. Nothing of a held scope becomes usable in between.
        guarded = await self._holds.look(record)
        if guarded.refused or guarded.waits or guarded.form != record.transaction:
            at = self._now() + SHORTEST_WAIT
            await self._ledger.mark_not_processed(
                record.key, token=token, next_try_at=at, message="a hold came before it was sent"
            )
            return Stand(await self._outcomes.again(record), at)

        def guard() -> None:
            if self._now() >= deadline:
                raise ErpUnavailable("the request's deadline passed before its bytes left; it was not sent")

        intent = intent_of(record)
        try:
            # An earlier request of this posting may have been booked since the look: its lock only just fell.
            late = (await self._erp.find(intent, record.before())).document if record.attempts else None
            booking = Booking(document=late) if late is not None else await self._erp.post(intent, guard)
        except ErpInDoubt as error:
            return await self._after_doubt(await self._outcomes.again(record), deadline, error, before.expected)
        except ErpRejected as error:
            return await self._outcomes.refused(record, error, token)
        except ErpError as error:
            return await self._outcomes.not_processed(record, token, error) or await self._overtaken(record)
        if booking.document is None:
            return await self._accepted(record, booking, before.expected)
        return await self._booked(record, booking.document, before.expected)

    async def _accepted(self, record: PostingRecord, booking: Booking, expected: list[GoodsMovement] | None) -> Stand:
        """The ERP took it into its own queue: nothing is posted before it shows there."""
        sent = await self._outcomes.again(record)
        await self._ledger.mark_accepted(sent.key, token=sent.token, receipt=booking.receipt)
        return await self._resolve(await self._outcomes.again(record), expected)

    async def _after_doubt(
        self, record: PostingRecord, deadline: datetime, error: ErpInDoubt, expected: list[GoodsMovement] | None
    ) -> Stand:
        """No trustworthy answer. A document that shows already is proof; one that does not show proves nothing yet."""
        try:
            found = (await self._find(record)).document
        except ErpError:
            found = None
        if found is not None:
            return await self._booked(record, found, expected)
        return await self._outcomes.unknown(record, deadline, str(error))

    async def _resolve(self, record: PostingRecord, expected: list[GoodsMovement] | None = None) -> Stand:
        """A posting met as `sent`: unknown until the deadline and the settle time have passed."""
        deadline = record.deadline or self._now()
        if self._now() < deadline and not record.accepted:
            return Stand(record, deadline)
        booking = await self._find(record)
        if booking.document is not None:
            return await self._booked(record, booking.document, expected)
        if booking.refused:
            refusal = ErpRejected(booking.refused, code=booking.code, reason=booking.reason)
            return await self._outcomes.refused(record, refusal, record.token)
        if booking.pending:
            return await self._outcomes.pending(record, booking)
        if self._now() < deadline + self._timing.settle:
            return await self._outcomes.unknown(record, deadline, record.message)
        if booking.unknowable or record.accepted:
            why = booking.unknowable or "the ERP accepted it, and neither its result nor its end can be read"
            candidates = [ErpDocument(document=c, order=record.order) for c in booking.candidates]
            return await self._outcomes.in_doubt(record, candidates, why)
        return await self._conclude(record)

    async def _find(self, record: PostingRecord) -> Booking:
        return await self._erp.find(intent_of(record), record.before())

    async def _conclude(self, record: PostingRecord) -> Stand:
        """Settle time is over and nothing carries the key: not processed where the ERP's books say so too."""
        if isinstance(record.transaction, ConfirmProduction):
            look = await self._watch.look(record)
            found = look.of_posting(record)
            if found is not None:
                return await self._booked(record, found, None)
            doubt = await self._why_in_doubt(record, look)
            if doubt is not None:
                return doubt
        done = await self._ledger.mark_not_processed(
            record.key, token=record.token, next_try_at=None, message="the ERP's books show that it was not booked"
        )
        return Stand(await self._outcomes.again(record)) if done else await self._overtaken(record)

    async def _why_in_doubt(self, record: PostingRecord, look: Look) -> Stand | None:
        candidates = look.may_be(record)
        if candidates:
            why = f"document {candidates[0].document} has its quantities, but neither its key nor a text"
            return await self._outcomes.in_doubt(record, candidates, why)
        if await self._watch.totals_case(record, look) is not None:
            return await self._outcomes.in_doubt(record, [], "the ERP's totals do not agree with its own documents")
        return None

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
        now = await self._outcomes.again(record)
        if now.state.is_settled:
            return Stand(now)
        again_at = await self._free_the_order(record) if now.state is PostingState.CLAIMED else None
        return Stand(now, again_at or self._now() + SHORTEST_WAIT, "busy")

    async def _free_the_order(self, record: PostingRecord) -> datetime | None:
        """Nobody may be left to resolve the posting in flight; whoever meets it late enough does.

        The order's start is everybody's: who needs it looks for it at once, and again when its next look is due.
        """
        other = await self._ledger.sent_posting(record.plant, record.order)
        if other is None or other.key == record.key:
            return None
        if other.type is TransactionType.START_ORDER:
            return (await self._resolve(other)).next_try_at
        if other.accepted or self._now() >= (other.deadline or self._now()) + self._timing.settle:
            await self._resolve(other)
        return None

    async def _booked(
        self, record: PostingRecord, document: ErpDocument, expected: list[GoodsMovement] | None
    ) -> Stand:
        settled = await self._outcomes.booked(record, document)
        if settled.state is PostingState.IN_DOUBT:
            return Stand(settled)
        return await self._readback.of(settled, expected, None)

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
