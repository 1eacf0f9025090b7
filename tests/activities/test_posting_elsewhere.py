"""The posting procedure against ERPs that are not like SAP: queues, no document list, order starts, follow-ups."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

from erp.port import Capability, FoundBy, ReversedBy
from ledger.port import PostingRecord
from signals.documents import Booking, CaseKind, ErpDocument, OperationTotals, PostingState, Snapshot
from signals.errors import ErpInDoubt, ErpRejected, Reason
from signals.transactions import (
    ComponentUse,
    IssueComponents,
    MoveStock,
    PostingIntent,
    Reverse,
    StartOrder,
    TransactionType,
)
from tests.activities.conftest import TIMEOUT

YES = Capability(supported=True)
NO = Capability(supported=False, reason="this ERP cannot")


def state_of(result) -> PostingState:
    assert len(result.outcomes) == 1
    return result.outcomes[0].state


def declares(bench, **changes) -> None:
    """This bench's ERP declares something else of itself."""
    bench.erp.capabilities = bench.erp.capabilities.model_copy(update=changes)


def declares_for(bench, kind: TransactionType, **changes) -> None:
    transactions = {**bench.erp.capabilities.transactions, kind: YES.model_copy(update=changes)}
    declares(bench, transactions=transactions)


class Queue:
    """An ERP that accepts at once and books later, when `work` is called; its documents carry no key."""

    def __init__(self, bench) -> None:
        self.bench = bench
        self.waiting: list[PostingIntent] = []
        self.fates: dict[str, Booking] = {}
        declares(bench, find_by_key=NO, pending_seconds=3600)

    def __getattr__(self, name):
        return getattr(self.bench.erp, name)

    async def post(self, intent, guard) -> Booking:
        guard()
        self.bench.erp.posts += 1
        self.waiting.append(intent)
        return Booking(pending=True, receipt=f"message-{self.bench.erp.posts}")

    async def find(self, intent, before: Snapshot) -> Booking:
        if str(intent.key) in self.fates:
            return self.fates[str(intent.key)]
        return Booking(pending=True) if before.accepted else Booking()

    def work(self) -> ErpDocument:
        intent = self.waiting.pop(0)
        self.bench.erp.forgets_keys = self.bench.erp.forgets_texts = True
        document = self.bench.erp.book(intent)
        self.fates[str(intent.key)] = Booking(document=document)
        return document

    def refuse(self, code: str) -> None:
        intent = self.waiting.pop(0)
        self.fates[str(intent.key)] = Booking(refused="infolog: no", code=code, reason=Reason.STOCK_SHORT)


async def test_an_accepted_posting_waits_for_the_queue_however_long_and_is_never_sent_again(bench):
    erp = Queue(bench)
    result = await bench.worker(erp).settle(bench.draft())
    for _ in range(50):
        assert state_of(result) is PostingState.SENT
        bench.clock.reach(result.next_try_at)
        result = await bench.worker(erp).settle(bench.draft())
    assert bench.erp.posts == 1
    document = erp.work()
    bench.clock.reach(result.next_try_at)
    result = await bench.worker(erp).settle(bench.draft())
    assert state_of(result) is PostingState.POSTED
    assert result.outcomes[0].document == document.document


async def test_a_posting_that_waits_too_long_in_the_queue_is_a_case_that_closes_by_itself(bench):
    erp = Queue(bench)
    result = await bench.worker(erp).settle(bench.draft())
    bench.clock.pass_(4000)
    result = await bench.worker(erp).settle(bench.draft())
    assert [c.kind for c in result.cases] == [CaseKind.ERP_PENDING]
    erp.work()
    bench.clock.reach(result.next_try_at)
    result = await bench.worker(erp).settle(bench.draft())
    assert (state_of(result), result.cases) == (PostingState.POSTED, ())


async def test_what_the_queue_refuses_is_a_case_with_the_reason(bench):
    erp = Queue(bench)
    result = await bench.worker(erp).settle(bench.draft())
    erp.refuse("stock")
    bench.clock.reach(result.next_try_at)
    result = await bench.worker(erp).settle(bench.draft())
    assert state_of(result) is PostingState.REFUSED
    assert [(c.kind, c.error_code) for c in result.cases] == [(CaseKind.ERP_REJECTED, "stock")]


async def test_a_queued_document_is_never_taken_for_a_strangers_by_another_posting_of_the_order(bench):
    erp = Queue(bench)
    first = await bench.worker(erp).settle(bench.draft("r1"))
    erp.work()
    second = await bench.worker(erp).settle(bench.draft("r2"))
    assert second.cases == ()
    assert state_of(second) is PostingState.CLAIMED
    bench.clock.reach(first.next_try_at)
    assert state_of(await bench.worker(erp).settle(bench.draft("r1"))) is PostingState.POSTED
    bench.clock.pass_(1)
    assert state_of(await bench.worker(erp).settle(bench.draft("r2"))) is PostingState.SENT


class Silent:
    """An ERP whose postings cannot be read back: only running totals tell."""

    def __init__(self, bench) -> None:
        self.bench = bench
        self.by_hand = Decimal(0)
        declares(bench, find_by_key=NO, documents=NO)

    def __getattr__(self, name):
        return getattr(self.bench.erp, name)

    async def documents(self, order, operation):
        raise AssertionError("this ERP lists no documents")

    async def totals(self, order):
        listed = await self.bench.erp.totals(order)
        return [t.model_copy(update={"yield_quantity": t.yield_quantity + self.by_hand}) for t in listed]

    async def read_back(self, document):
        return document

    async def find(self, intent, before: Snapshot) -> Booking:
        if not before.totals:
            return Booking()
        now = {t.operation: t for t in await self.totals(self.bench.order)}
        then = {t.operation: t for t in before.totals}
        grown = now["0010"].yield_quantity - then["0010"].yield_quantity
        if grown == 0:
            return Booking()
        if grown == intent.transaction.yield_quantity:
            return Booking(document=ErpDocument(document=f"sum/{intent.key}", order=self.bench.order, key=intent.key))
        return Booking(unknowable=f"the total grew by {grown}")


async def test_without_readable_documents_arithmetic_finds_a_lost_answer(bench):
    erp = Silent(bench)
    bench.erp.will(bench.erp.book_and_lose_the_answer)
    result = await bench.worker(erp).settle(bench.draft())
    assert (state_of(result), bench.erp.posts) == (PostingState.POSTED, 1)


async def test_without_readable_documents_a_lost_request_is_sent_again_only_after_the_settle_time(bench):
    erp = Silent(bench)
    bench.erp.will(bench.erp.lose_the_request)
    result = await bench.worker(erp).settle(bench.draft())
    while result.next_try_at is not None:
        assert bench.erp.posts == 1
        bench.clock.reach(result.next_try_at)
        result = await bench.worker(erp).settle(bench.draft())
    assert (state_of(result), bench.erp.posts) == (PostingState.POSTED, 2)
    assert len(bench.standing()) == 1


async def test_totals_beyond_our_own_postings_are_a_hand_entry_where_documents_cannot_be_listed(bench):
    erp = Silent(bench)
    await bench.worker(erp).settle(bench.draft("r1"))
    erp.by_hand = Decimal(3)
    result = await bench.worker(erp).settle(bench.draft("r2"))
    (case,) = result.cases
    assert (state_of(result), case.kind, case.yield_quantity) == (
        PostingState.CLAIMED,
        CaseKind.MANUAL_ENTRY,
        Decimal(3),
    )


async def test_what_nobody_can_compute_goes_to_a_person_and_is_never_sent_again(bench):
    erp = Silent(bench)

    async def book_while_somebody_types(intent):
        erp.by_hand = Decimal(2)
        return await bench.erp.book_and_lose_the_answer(intent)

    bench.erp.will(book_while_somebody_types)
    result = await bench.worker(erp).settle(bench.draft())
    while result.next_try_at is not None:
        bench.clock.reach(result.next_try_at)
        result = await bench.worker(erp).settle(bench.draft())
    assert (state_of(result), bench.erp.posts) == (PostingState.IN_DOUBT, 1)
    assert "grew by" in result.cases[0].summary


# --- follow-ups ------------------------------------------------------------------------------------------------------


def issue(bench, material: str) -> IssueComponents:
    use = ComponentUse(material=material, quantity=Decimal(4), unit="KG", batch="L1")
    return IssueComponents(
        plant="demo", order=bench.order, operation="0010", posting_date=date(2026, 11, 22), lines=(use,)
    )


class Issues:
    """Books component issues apart, each found by its key."""

    def __init__(self, bench) -> None:
        self.bench = bench
        self.booked: list[PostingIntent] = []
        self.refuses: ErpRejected | None = None
        self.loses = 0
        declares_for(bench, TransactionType.ISSUE_COMPONENTS)
        bench.erp.followed_by = [issue(bench, "RM-1"), issue(bench, "RM-2")]

    def __getattr__(self, name):
        return getattr(self.bench.erp, name)

    async def find(self, intent, before):
        if not isinstance(intent.transaction, IssueComponents):
            return await self.bench.erp.find(intent, before)
        there = any(b.key == intent.key for b in self.booked)
        return Booking(document=self._document(intent) if there else None)

    async def post(self, intent, guard):
        if not isinstance(intent.transaction, IssueComponents):
            return await self.bench.erp.post(intent, guard)
        guard()
        if self.refuses is not None:
            raise self.refuses
        self.booked.append(intent)
        if self.loses:
            self.loses -= 1
            return await self.bench.erp.lose_the_request(intent)
        return Booking(document=self._document(intent))

    def _document(self, intent) -> ErpDocument:
        return ErpDocument(document=f"M/{intent.key}", kind="material_document", order=self.bench.order, key=intent.key)


async def test_follow_ups_are_booked_once_each_after_their_confirmation(bench):
    erp = Issues(bench)
    result = await bench.worker(erp).settle(bench.draft())
    for _ in range(2):
        assert state_of(await bench.worker(erp).settle(bench.draft())) is PostingState.POSTED
        await bench.worker(erp).verify(bench.draft().intent.key)
    assert result.verified == (bench.draft().intent.key,)
    assert [b.transaction.lines[0].material for b in erp.booked] == ["RM-1", "RM-2"]


async def test_a_follow_up_whose_answer_was_lost_is_found_and_not_booked_again(bench):
    erp = Issues(bench)
    erp.loses = 2
    result = await bench.worker(erp).settle(bench.draft())
    for _ in range(20):
        if result.verified:
            break
        bench.clock.reach(result.next_try_at)
        result = await bench.worker(erp).settle(bench.draft())
        verified = await bench.worker(erp).verify(bench.draft().intent.key)
        if verified.complete:
            break
    assert len(erp.booked) == 2


async def test_a_refused_follow_up_blocks_completion_and_not_the_operation(bench):
    erp = Issues(bench)
    erp.refuses = ErpRejected("short", code="STOCK")
    await bench.worker(erp).settle(bench.draft("r1"))
    result = await bench.worker(erp).settle(bench.draft("r2"))
    assert state_of(result) is PostingState.POSTED
    assert all(c.completion_only for c in result.cases)
    assert len(result.cases) == 4
    completion = await bench.worker(erp).settle(bench.completion())
    assert state_of(completion) is PostingState.CLAIMED


# --- start, reversal, rules ------------------------------------------------------------------------------------------


class Starts:
    """Wants an order started before its first confirmation."""

    def __init__(self, bench, *, answers: bool = True) -> None:
        self.bench = bench
        self.answers = answers
        self.started = 0
        self.shows_at = bench.clock.now()
        declares_for(bench, TransactionType.START_ORDER, found_by=FoundBy.STATE)
        declares(bench, start_required=True)

    def __getattr__(self, name):
        return getattr(self.bench.erp, name)

    async def find(self, intent, before):
        if isinstance(intent.transaction, StartOrder):
            return Booking(document=self._document(intent) if self.is_seen else None)
        return await self.bench.erp.find(intent, before)

    @property
    def is_seen(self) -> bool:
        return bool(self.started) and self.bench.clock.now() >= self.shows_at

    async def post(self, intent, guard):
        if isinstance(intent.transaction, StartOrder):
            guard()
            self.started += 1
            if not self.answers:
                self.shows_at = self.bench.clock.now() + timedelta(seconds=TIMEOUT + 1)
                raise ErpInDoubt("no answer", code="no_answer")
            return Booking(document=self._document(intent))
        assert self.started, "an order that is not started takes no confirmation"
        return await self.bench.erp.post(intent, guard)

    def _document(self, intent) -> ErpDocument:
        return ErpDocument(document=f"START/{intent.transaction.order}", kind="start", order=intent.transaction.order)


async def test_an_order_is_started_once_before_its_first_confirmation(bench):
    erp = Starts(bench)
    for report in ("r1", "r2"):
        assert state_of(await bench.worker(erp).settle(bench.draft(report))) is PostingState.POSTED
    assert erp.started == 1


async def test_a_start_whose_answer_was_lost_holds_its_confirmation_up_no_longer_than_until_it_shows(bench):
    erp = Starts(bench, answers=False)
    began = bench.clock.now()
    result = await bench.until_settled(bench.draft(), erp)
    assert (state_of(result), erp.started) == (PostingState.POSTED, 1)
    # It showed a second after its deadline, long before the settle time was over; looks come at growing distances.
    assert bench.clock.now() - began < timedelta(seconds=2 * (TIMEOUT + 1))


async def test_what_the_erp_reverses_by_a_person_only_is_never_sent_and_becomes_a_case(bench):
    declares_for(bench, TransactionType.CONFIRM_PRODUCTION, reversed_by=ReversedBy.PERSON, reason="by status only")
    posted = await bench.worker().settle(bench.draft())
    result = await bench.worker().settle(bench.reversal(posted.outcomes[0].document))
    assert (state_of(result), bench.erp.posts) == (PostingState.REFUSED, 1)
    assert CaseKind.REVERSAL_BY_PERSON in [c.kind for c in result.cases]


async def test_a_reversal_into_a_closed_period_goes_to_the_next_open_one_with_a_flag(bench):
    posted = await bench.worker().settle(bench.draft())
    bench.clock.pass_(40 * 86_400)
    bench.erp.will(bench.erp.fail_with(ErpRejected("closed", code="M7/053", reason=Reason.PERIOD_CLOSED)))
    draft = bench.reversal(posted.outcomes[0].document)
    result = await bench.until_settled(draft)
    assert state_of(result) is PostingState.POSTED
    record: PostingRecord | None = await bench.ledger.posting(draft.intent.key)
    assert record is not None
    assert isinstance(record.transaction, Reverse)
    assert (record.transaction.posting_date, record.transaction.period_moved) == (date(2026, 12, 1), True)
    assert bench.standing() == []


async def test_a_confirmation_into_a_closed_period_is_a_case_and_not_moved(bench):
    bench.erp.will(bench.erp.fail_with(ErpRejected("closed", code="M7/053", reason=Reason.PERIOD_CLOSED)))
    result = await bench.worker().settle(bench.draft())
    assert (state_of(result), [c.error_code for c in result.cases]) == (PostingState.REFUSED, ["M7/053"])


def move(**changes) -> MoveStock:
    fields = {
        "plant": "demo",
        "posting_date": date(2026, 11, 22),
        "material": "RM-1",
        "quantity": Decimal(5),
        "unit": "KG",
        "from_location": "RM01",
        "to_location": "RM02",
    }
    return MoveStock(**(fields | changes))


async def test_a_transaction_against_a_rule_is_refused_by_its_name_and_nothing_is_sent(bench):
    declares_for(bench, TransactionType.MOVE_STOCK)
    draft = replace_transaction(bench, move(to_location="RM01"))
    result = await bench.worker().settle(draft)
    assert (state_of(result), bench.erp.posts) == (PostingState.REFUSED, 0)
    assert result.cases[0].error_code == "move-somewhere/1"


async def test_what_an_erp_does_not_support_is_refused_with_its_reason(bench):
    declares_for(bench, TransactionType.MOVE_STOCK, supported=False, reason="no warehouse here")
    result = await bench.worker().settle(replace_transaction(bench, move(material=f"RM-{bench.order}")))
    assert (result.cases[0].error_code, bench.erp.posts) == ("not_supported", 0)
    assert "no warehouse here" in result.cases[0].erp_answer


async def test_the_rules_that_a_posting_passed_are_recorded_with_it(bench):
    await bench.worker().settle(bench.draft())
    record = await bench.ledger.posting(bench.draft().intent.key)
    assert record is not None
    assert "quantity-positive/1" in record.rules


def replace_transaction(bench, transaction):
    draft = bench.draft()
    key = bench.draft(f"stock-{bench.order}").intent.key
    intent = PostingIntent(key=key, transaction=transaction)
    return draft.model_copy(update={"intent": intent})


async def test_totals_before_sending_are_kept_for_arithmetic(bench):
    bench.erp.will(bench.erp.lose_the_request)
    await bench.worker().settle(bench.draft())
    record = await bench.ledger.posting(bench.draft().intent.key)
    assert record is not None
    assert record.before().totals == (OperationTotals(operation="0010"),)
