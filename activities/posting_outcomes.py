"""What becomes of a posting after an attempt: booked, refused, in doubt, not processed, unknown, pending.

Writes to the ledger and opens cases; sending and looking are the procedure's part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from uuid import UUID

from activities import erp_cases
from activities.erp_watch import ErpWatch
from activities.posting_records import BOOKED, Stand, health_after, next_period
from ledger.port import LedgerPort, PostingRecord
from signals.documents import Booking, Case, CaseKind, ErpDocument, PostingState
from signals.errors import BadInput, ErpError, ErpMisconfigured, ErpRejected, Reason
from signals.transactions import CloseDowntime, Reverse

SHORTEST_WAIT = timedelta(seconds=1)
LONGEST_LOOK = timedelta(seconds=60)
"""An ERP's own queue is looked at this often at least."""
BY_PERSON = "reversal_by_person"
OVER_WHEN_BOOKED = (CaseKind.ERP_REJECTED, CaseKind.ERP_IN_DOUBT, CaseKind.ERP_PENDING, CaseKind.HELD_MATERIAL)


@dataclass
class Timing:
    """The clock and the waits of one plant and ERP."""

    now: Callable[[], datetime]
    timeout: timedelta
    settle: timedelta
    pending: timedelta
    movement_wait: timedelta
    back_off: list[timedelta]
    failures: dict[UUID, int] = field(default_factory=dict)

    def next_try(self, record: PostingRecord, error: ErpError) -> datetime:
        """Back-off by attempts, and by failures in a row that never became one; the ERP's own wish goes before it."""
        failed = max(self.failures.get(record.key, 0), record.attempts)
        self.failures[record.key] = failed + 1
        pause = self.back_off[min(failed, len(self.back_off) - 1)]
        if error.retry_after is not None:
            pause = max(pause, timedelta(seconds=error.retry_after))
        return self.now() + pause

    def next_look(self, since: datetime, until: datetime) -> datetime:
        """Again after as long as it has taken so far, at least a second, at the latest when the wait is over."""
        now = self.now()
        return min(now + max(SHORTEST_WAIT, now - since), max(until, now + SHORTEST_WAIT))

    def forget(self, record: PostingRecord) -> None:
        """The ERP answered: failures in a row begin anew."""
        self.failures.pop(record.key, None)

    @property
    def today(self) -> date:
        return self.now().date()


class PostingOutcomes:
    """Settles postings in the ledger."""

    def __init__(self, ledger: LedgerPort, watch: ErpWatch, timing: Timing) -> None:
        self._ledger = ledger
        self._watch = watch
        self._timing = timing

    async def again(self, record: PostingRecord) -> PostingRecord:
        """The posting as the ledger has it now."""
        return await self._ledger.posting(record.key) or record

    async def booked(self, record: PostingRecord, document: ErpDocument) -> PostingRecord:
        """The ERP has it. What a person must see is written first: a settled posting is not looked at again.

        A document that settles another posting already settles none beside it: in doubt, for a person to look at.
        """
        document = _named_apart(record, document)
        await self._tell_about(await self.again(record), document)
        try:
            settled = await self._ledger.mark_outcome(record.key, state=PostingState.POSTED, document=document)
        except BadInput as error:
            return (await self.in_doubt(record, [document], str(error))).record
        self._timing.forget(record)
        await self._tell_of_a_second(settled, document)  # another worker may have settled it meanwhile
        await self._watch.close_settled(record, _reversed_by(record))
        return settled

    async def _tell_about(self, record: PostingRecord, document: ErpDocument) -> None:
        await self._tell_of_a_second(record, document)
        if document.reversed:
            await self._ledger.open_case(erp_cases.reversed_by_hand(record, document))
        if document.incomplete:
            await self._ledger.open_case(erp_cases.partly_booked(record, document))

    async def _tell_of_a_second(self, record: PostingRecord, document: ErpDocument) -> None:
        if record.document and record.document != document.document:
            await self._ledger.open_case(erp_cases.second_document(record, document, record.document))

    async def met_again(self, record: PostingRecord) -> Stand:
        """A settled posting is asked for once more: its worker may have died between the outcome and its case."""
        about = [c for c in await self._watch.cases_of_order(record) if c.posting_key == record.key]
        if record.state in BOOKED:
            for case in about:
                if case.kind in OVER_WHEN_BOOKED:
                    await self._ledger.close_case(record.plant, case.case_id, "the ERP has booked the posting")
        elif record.state in (PostingState.REFUSED, PostingState.IN_DOUBT) and not about:
            await self._open(record, _case_of(record))
        return Stand(record)

    async def reversed_already(self, record: PostingRecord, transaction: Reverse) -> Stand:
        """Somebody else reversed the original: the effect is there, a second reversal would be refused."""
        message = f"document {transaction.document} was reversed in the ERP already"
        settled = await self._ledger.mark_outcome(record.key, state=PostingState.ADOPTED, message=message)
        await self._watch.close_settled(record, transaction.document)
        return Stand(settled)

    async def refused(self, record: PostingRecord, error: ErpRejected, token: str = "") -> Stand:
        """A business reason. A reversal whose period is closed goes to an open one first (design section 4)."""
        now = await self.again(record)
        if now.state is PostingState.SENT and now.token != token:
            return Stand(now, self._timing.now() + SHORTEST_WAIT, "busy")  # another attempt is on its way
        settled = await self._ledger.mark_outcome(
            record.key, state=PostingState.REFUSED, error_code=error.code, message=str(error)
        )
        if settled.state is not PostingState.REFUSED:
            return Stand(settled)
        moved = await self._moved_to_open_period(settled, error)
        if moved is not None:
            return Stand(moved, self._timing.now() + SHORTEST_WAIT)
        await self._open(settled, erp_cases.rejected(settled, error, erp=self._watch.erp))
        return Stand(settled)

    async def _moved_to_open_period(self, record: PostingRecord, error: ErpRejected) -> PostingRecord | None:
        transaction = record.transaction
        if error.reason is not Reason.PERIOD_CLOSED or not isinstance(transaction, Reverse):
            return None
        moved_to = next_period(transaction.posting_date, self._timing.today)
        if moved_to <= transaction.posting_date:
            return None
        return await self._ledger.move_posting_date(record.key, moved_to)

    async def left_to_a_person(self, record: PostingRecord, why: str) -> Stand:
        """This ERP reverses such a document by nothing but a person's hand."""
        settled = await self._ledger.mark_outcome(
            record.key, state=PostingState.REFUSED, error_code=BY_PERSON, message=why
        )
        if settled.state is PostingState.REFUSED:
            await self._open(settled, erp_cases.reversal_by_person(settled, why))
        return Stand(settled)

    async def in_doubt(self, record: PostingRecord, candidates: list[ErpDocument], why: str) -> Stand:
        """Nobody can know by reading: a person looks."""
        settled = await self._ledger.mark_outcome(record.key, state=PostingState.IN_DOUBT, message=why)
        if settled.state is PostingState.IN_DOUBT:
            await self._open(settled, erp_cases.in_doubt(settled, candidates, why))
        return Stand(settled)

    async def not_processed(self, record: PostingRecord, token: str, error: ErpError) -> Stand | None:
        """Certainly not booked: claimed again. None where another attempt has it by now."""
        next_try_at = self._timing.next_try(record, error)
        done = await self._ledger.mark_not_processed(
            record.key, token=token, next_try_at=next_try_at, message=str(error)
        )
        if not done:
            return None
        await self._misconfigured(record, error)
        return Stand(await self.again(record), next_try_at, health_after(error))

    async def nothing_sent(self, record: PostingRecord, error: ErpError) -> Stand:
        """A read before sending failed. A business reason settles a claimed posting, everything else waits."""
        if isinstance(error, ErpRejected) and record.state is PostingState.CLAIMED:
            return await self.refused(record, error)
        await self._misconfigured(record, error)
        next_try_at = self._timing.next_try(record, error)
        await self._ledger.note_retry(record.key, next_try_at=next_try_at, message=str(error))
        return Stand(await self.again(record), next_try_at, health_after(error))

    async def held(self, record: PostingRecord, refused: str, waits: str) -> Stand:
        """A hold stands before it: asked again until that is over. What people wait for without knowing is a case."""
        if refused:
            case = erp_cases.held_material(record, refused)
            await self._ledger.open_case(case.model_copy(update={"completion_only": True}))
        next_try_at = self._timing.now() + self._timing.back_off[-1]
        await self._ledger.note_retry(record.key, next_try_at=next_try_at, message=refused or waits)
        return Stand(await self.again(record), next_try_at)

    async def unknown(self, record: PostingRecord, deadline: datetime, message: str) -> Stand:
        """Stays `sent`. Looks come at growing distances, the last one when the settle time is over."""
        next_try_at = self._timing.next_look(deadline - self._timing.timeout, deadline + self._timing.settle)
        await self._ledger.note_retry(record.key, next_try_at=next_try_at, message=message)
        return Stand(await self.again(record), next_try_at)

    async def pending(self, record: PostingRecord, booking: Booking) -> Stand:
        """Accepted, and waiting in the ERP's own queue: looked for until it shows; a long wait is told as a case."""
        now = self._timing.now()
        if not record.accepted and record.token:
            await self._ledger.mark_accepted(record.key, token=record.token, receipt=booking.receipt)
        since = record.sent_at or now
        if now - since >= self._timing.pending:
            await self._open(record, erp_cases.pending(record, since))
        next_try_at = now + min(max(SHORTEST_WAIT, (now - since) / 2), LONGEST_LOOK)
        message = "the ERP has accepted it and has not processed it yet"
        await self._ledger.note_retry(record.key, next_try_at=next_try_at, message=message)
        return Stand(await self.again(record), next_try_at)

    async def _misconfigured(self, record: PostingRecord, error: ErpError) -> None:
        if isinstance(error, ErpMisconfigured):
            await self._open(record, erp_cases.misconfigured(record, error, erp=self._watch.erp))

    async def _open(self, record: PostingRecord, case: Case) -> None:
        """A follow-up's trouble blocks the order's completion and nothing else: its confirmation stands."""
        await self._ledger.open_case(case.model_copy(update={"completion_only": record.main_key is not None}))

    @staticmethod
    def is_booked(record: PostingRecord) -> bool:
        return record.state in BOOKED


def _case_of(record: PostingRecord) -> Case:
    """The case of an outcome as the ledger holds it: code and message are there, candidates are not."""
    if record.state is PostingState.IN_DOUBT:
        return erp_cases.in_doubt(record, [], record.message)
    if record.error_code == BY_PERSON:
        return erp_cases.reversal_by_person(record, record.message)
    return erp_cases.rejected(record, ErpRejected(record.message, code=record.error_code))


def _named_apart(record: PostingRecord, document: ErpDocument) -> ErpDocument:
    """What only changes another posting's document has no number of its own; in the ledger each has one."""
    transaction, number = record.transaction, document.document
    if isinstance(transaction, Reverse) and number == transaction.document:
        # Taken back by deleting it or by setting its state back.
        return document.model_copy(update={"document": f"{number}/reversal", "reversal": True})
    if isinstance(transaction, CloseDowntime) and number == transaction.notification:
        what = "end" if record.main_key is None else "completed"
        return document.model_copy(update={"document": f"{number}/{what}"})
    return document


def _reversed_by(record: PostingRecord) -> str:
    return record.transaction.document if isinstance(record.transaction, Reverse) else ""
