"""Under a hold bookkeeping goes on, nothing held becomes usable, and what waits goes out when the hold is over."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from activities.posting import PostingDraft, PostingProcedure
from activities.posting_holds import HoldOptions
from activities.posting_records import record_of
from ledger.port import LedgerPort
from signals.bookings import ComponentUse, StockKind
from signals.documents import Booking, CaseAction, CaseKind, ErpDocument, PostingState
from signals.holds import HoldCause, HoldReason, HoldScope, HoldState, HoldTrigger
from signals.ids import posting_key
from signals.orders import ErpOrderStatus, Operation, ProductionOrder
from signals.transactions import ConfirmProduction, IssueComponents, PostingIntent
from tests.activities.conftest import PLANT, SETTLE, TIMEOUT, Bench
from tests.activities.test_posting_procedure import decide, state_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


async def hold(bench: Bench, name: str = "t1", **scope: Any) -> str:
    body = {"order": bench.order, "operation": "0010", **scope}
    reason = HoldReason(reason=f"{bench.order}-{name}", cause=HoldCause.LIMIT, text="too high", found_at=NOON)
    trigger = f"{bench.order}-{name}"
    opened = await bench.ledger.open_hold(
        HoldTrigger(trigger=trigger, scope=HoldScope(plant=PLANT, **body), reason=reason, at=NOON)
    )
    return opened.hold


async def release(bench: Bench, name: str) -> None:
    record = await bench.ledger.hold(PLANT, name)
    assert record is not None
    over = {"state": HoldState.CLOSED, "revision": record.revision + 1, "closed_at": NOON}
    assert await bench.ledger.record_hold(record.model_copy(update=over))


async def take(bench: Bench, *, receives: bool = True) -> None:
    operation = Operation(operation="0010", planned=Decimal(50), unit="PC", automatic_receipt=receives)
    await bench.ledger.take_order(
        ProductionOrder(
            plant=PLANT, order=bench.order, material=f"FRAME-{bench.order}", quantity=Decimal(50), unit="PC",
            status=ErpOrderStatus.RELEASED, operations=(operation,),
        )
    )  # fmt: skip


class Seen:
    """What the ERP was sent, and something that happens at the last moment before."""

    def __init__(self, bench: Bench) -> None:
        self.forms: list[StockKind] = []
        self.answers_check = ""
        self._bench = bench

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bench.erp, name)

    async def check(self, intent: PostingIntent) -> str:
        blocked = getattr(intent.transaction, "receipt_stock", None) is StockKind.BLOCKED
        return self.answers_check if blocked else ""

    async def post(self, intent: PostingIntent, guard: Any) -> Booking:
        t = intent.transaction
        if isinstance(t, ConfirmProduction):
            self.forms.append(t.receipt_stock)
            return await self._bench.erp.post(intent, guard)
        guard()
        self._bench.erp.posts += 1
        return Booking(document=ErpDocument(document=f"issue/{intent.key}", order=t.order, key=intent.key))


def issue(bench: Bench, material: str, batch: str = "") -> PostingDraft:
    use = ComponentUse(material=material, quantity=Decimal(1), unit="PC", batch=batch)
    transaction = IssueComponents(
        plant=PLANT, order=bench.order, operation="0010", posting_date=date(2026, 11, 22), lines=(use,)
    )
    key = posting_key(PLANT, bench.order, "0010", transaction.type.value, [material], 0)
    return PostingDraft(plant=PLANT, intent=PostingIntent(key=key, transaction=transaction))


async def test_a_receipt_of_the_held_scope_goes_to_blocked_stock_and_the_payload_before_stays_beside_it(bench: Bench):
    await take(bench)
    name = await hold(bench)
    erp: Any = Seen(bench)
    result = await bench.worker(erp).settle(bench.draft())
    assert (state_of(result), erp.forms) == (PostingState.POSTED, [StockKind.BLOCKED])
    trace = await bench.ledger.trace(PLANT, bench.order)
    (changed,) = trace.amendments
    assert isinstance(changed.before, ConfirmProduction) and isinstance(changed.after, ConfirmProduction)
    assert changed.before.receipt_stock is StockKind.UNRESTRICTED
    assert changed.after == changed.before.model_copy(update={"receipt_stock": StockKind.BLOCKED})
    assert name in changed.reason and trace.postings[0].key == bench.draft().intent.key


async def test_another_batch_an_operation_that_receives_nothing_and_what_is_held_no_more_go_out_as_they_are(
    bench: Bench,
):
    await take(bench)
    name = await hold(bench, batch="B1")
    erp: Any = Seen(bench)
    draft = bench.draft()
    other = draft.intent.transaction.model_copy(update={"batch": "B2"})
    other_intent = draft.intent.model_copy(update={"transaction": other})
    await bench.worker(erp).settle(draft.model_copy(update={"intent": other_intent}))
    await release(bench, name)
    await bench.worker(erp).settle(bench.draft("r2"))
    await hold(bench, "t2")
    await take(bench, receives=False)
    await bench.worker(erp).settle(bench.draft("r3"))
    assert erp.forms == [StockKind.UNRESTRICTED] * 3


async def test_a_block_that_comes_between_the_look_and_the_fence_is_seen_behind_it(bench: Bench):
    await take(bench)
    erp: Any = Seen(bench)
    fence = bench.ledger.mark_sent

    class Late:
        """The block is committed right before the posting is."""

        def __getattr__(self, name: str) -> Any:
            return getattr(bench.ledger, name)

        async def mark_sent(self, *args: Any, **more: Any) -> bool:
            await hold(bench)
            return await fence(*args, **more)

    ledger: Any = Late()
    worker = PostingProcedure(
        erp, ledger, now=bench.clock.now, new_token=lambda: "t", timeout_seconds=TIMEOUT, settle_seconds=SETTLE,
        retry_seconds=(1,),
    )  # fmt: skip
    first = await worker.settle(bench.draft())
    assert (state_of(first), erp.forms) == (PostingState.CLAIMED, [])
    bench.clock.reach(first.next_try_at)
    again = await worker.settle(bench.draft())
    assert (state_of(again), erp.forms) == (PostingState.POSTED, [StockKind.BLOCKED])


async def test_a_posting_that_waited_for_the_erp_goes_out_free_when_its_hold_ended_before(bench: Bench, down):
    await take(bench)
    name = await hold(bench)
    erp: Any = Seen(bench)
    bench.erp.will(bench.erp.fail_with(down))
    waits = await bench.worker(erp).settle(bench.draft())
    assert state_of(waits) is PostingState.CLAIMED
    await release(bench, name)
    bench.clock.reach(waits.next_try_at)
    await bench.worker(erp).settle(bench.draft())
    assert erp.forms == [StockKind.BLOCKED, StockKind.UNRESTRICTED]


async def test_an_erp_that_cannot_receive_blocked_gets_the_confirmation_as_it_is(bench: Bench):
    await take(bench)
    await hold(bench)
    erp: Any = Seen(bench)
    erp.answers_check = "no-blocked-receipt/1: not here"
    assert state_of(await bench.worker(erp).settle(bench.draft())) is PostingState.POSTED
    assert erp.forms == [StockKind.UNRESTRICTED]


async def test_held_material_is_not_issued_a_person_is_told_and_it_goes_out_by_itself_when_the_hold_is_over(
    bench: Bench,
):
    material = f"BOLT-{bench.order}"
    name = await hold(bench, order="", operation="", material=material)
    erp: Any = Seen(bench)
    waits = await bench.worker(erp).settle(issue(bench, material))
    assert (state_of(waits), bench.erp.posts) == (PostingState.CLAIMED, 0)
    assert waits.next_try_at is not None
    (case,) = await bench.ledger.cases(PLANT, order=bench.order)
    assert (case.kind, case.completion_only) == (CaseKind.HELD_MATERIAL, True)
    assert name in case.summary and case.owner_role == "quality engineer"
    await take(bench)
    assert state_of(await bench.worker(erp).settle(bench.draft())) is PostingState.POSTED, "confirmations go on"
    await release(bench, name)
    bench.clock.reach(waits.next_try_at)
    assert state_of(await bench.worker(erp).settle(issue(bench, material))) is PostingState.POSTED
    assert await bench.ledger.cases(PLANT, order=bench.order) == []


async def test_a_person_may_give_up_what_held_material_was_wanted_for(bench: Bench):
    material = f"BOLT-{bench.order}"
    await hold(bench, order="", operation="", material=material)
    await bench.worker(Seen(bench)).settle(issue(bench, material))
    (case,) = await bench.ledger.cases(PLANT, order=bench.order)
    await decide(bench, case, CaseAction.SKIP, role=case.owner_role)
    result = await bench.worker(Seen(bench)).settle(issue(bench, material))
    assert (state_of(result), result.next_try_at) == (PostingState.CANCELLED, None)


async def test_an_order_is_not_completed_while_a_hold_on_it_is_open_unless_the_plant_allows_it(bench: Bench):
    name = await hold(bench)
    waits = await bench.worker().settle(bench.completion())
    assert (state_of(waits), bench.erp.completed) == (PostingState.CLAIMED, False)
    assert name in waits.outcomes[0].message
    allowed = PostingProcedure(
        bench.erp, bench.ledger, now=bench.clock.now, new_token=lambda: "t", timeout_seconds=TIMEOUT,
        settle_seconds=SETTLE, retry_seconds=(1,), holds=HoldOptions(complete=True),
    )  # fmt: skip
    assert state_of(await allowed.settle(bench.completion())) is PostingState.POSTED


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Auckland"])
async def test_withheld_postings_wait_for_the_decision_and_never_beyond_the_last_day_of_the_period(
    bench: Bench, zone: str
):
    await take(bench)
    await hold(bench)
    erp: Any = Seen(bench)

    def worker() -> PostingProcedure:
        return PostingProcedure(
            erp, bench.ledger, now=bench.clock.now, new_token=lambda: "t", timeout_seconds=TIMEOUT,
            settle_seconds=SETTLE, retry_seconds=(3600,), holds=HoldOptions(withhold=True, zone=zone),
        )  # fmt: skip

    result = await worker().settle(bench.draft())
    while result.next_try_at is not None:
        assert (state_of(result), erp.forms) == (PostingState.CLAIMED, [])
        bench.clock.reach(result.next_try_at)
        result = await worker().settle(bench.draft())
    assert (state_of(result), erp.forms) == (PostingState.POSTED, [StockKind.BLOCKED])
    midnight = datetime(2026, 11, 30, tzinfo=UTC) - timedelta(hours=13 if zone != "UTC" else 0)
    assert midnight <= bench.clock.now() < midnight + timedelta(hours=1)


async def test_the_ledger_keeps_every_form_and_knows_which_one_was_drafted(bench: Bench, shared_ledger: LedgerPort):
    claim = await shared_ledger.claim(record_of(bench.draft()))
    assert claim.posting is not None
    drafted = claim.posting.transaction
    blocked = drafted.model_copy(update={"receipt_stock": StockKind.BLOCKED})
    key = claim.posting.key
    assert await shared_ledger.form_before(key) is None
    for form in (blocked, blocked, drafted, blocked):
        assert await shared_ledger.change_form(key, form, reason="hold h") is not None
    assert await shared_ledger.form_before(key) == drafted
    await shared_ledger.mark_outcome(key, state=PostingState.CANCELLED)
    assert await shared_ledger.change_form(key, drafted, reason="hold h") is None
