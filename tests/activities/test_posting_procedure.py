"""The posting procedure under every fault: an ERP that fails on command, a fake clock, a real ledger."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from decimal import Decimal

import pytest

from signals.decisions import DecideCase, PostingMode
from signals.documents import Booking, CaseAction, CaseKind, Credit, GoodsMovement, PostingState
from signals.errors import BadInput, ErpBusy, ErpInDoubt, ErpMisconfigured, ErpRejected, ErpUnavailable

TIMEOUT, SETTLE, MOVEMENT_WAIT = 10, 60, 30


async def decide(bench, case, action: CaseAction, **more) -> None:
    decision = DecideCase(
        decision_id=f"{case.case_id}:{action}", case_id=case.case_id, action=action, by="supervisor", reason="t", **more
    )
    await bench.ledger.decide_case("demo", decision)


def state_of(result) -> PostingState:
    assert len(result.outcomes) == 1
    return result.outcomes[0].state


# --- booking once ----------------------------------------------------------------------------------------------------


async def test_a_posting_is_booked_and_its_document_and_totals_are_known(bench):
    result = await bench.worker().settle(bench.draft())
    assert state_of(result) is PostingState.POSTED
    assert result.outcomes[0].document == bench.standing()[0].document
    assert [(t.operation, t.yield_quantity) for t in result.totals] == [("0010", Decimal(10))]
    assert result.verified == (bench.draft().intent.key,)
    assert result.next_try_at is None


async def test_settling_again_books_nothing_more(bench):
    for _ in range(3):
        assert state_of(await bench.worker().settle(bench.draft())) is PostingState.POSTED
    assert bench.erp.posts == 1


async def test_a_lost_answer_is_found_and_adopted_at_once(bench):
    bench.erp.will(bench.erp.book_and_lose_the_answer)
    result = await bench.worker().settle(bench.draft())
    assert state_of(result) is PostingState.POSTED
    assert len(bench.standing()) == 1


async def test_an_unknown_request_is_not_sent_again_before_deadline_and_settle_time_have_passed(bench):
    bench.erp.will(bench.erp.lose_the_request)
    sent_at = bench.clock.now()
    result = await bench.worker().settle(bench.draft())
    while result.next_try_at is not None:
        assert bench.erp.posts == 1
        assert state_of(result) is PostingState.SENT
        bench.clock.reach(result.next_try_at)
        result = await bench.worker().settle(bench.draft())
    assert state_of(result) is PostingState.POSTED
    assert bench.erp.posts == 2
    assert bench.clock.now() >= sent_at + timedelta(seconds=TIMEOUT + SETTLE)
    assert len(bench.standing()) == 1


@pytest.mark.parametrize("seconds", [11, 40, 69, 95, 200, 500])
async def test_a_commit_slower_than_every_timeout_makes_one_document(bench, seconds):
    bench.erp.will(bench.erp.commit_after(seconds))
    result = await bench.until_settled(bench.draft(), limit=300)
    bench.clock.pass_(2000)
    await bench.erp.documents(bench.order, "0010")
    assert state_of(result) is PostingState.POSTED
    assert len(bench.standing()) == 1


async def test_a_commit_between_the_look_and_the_second_request_is_seen_in_time(bench):
    bench.erp.will(bench.erp.commit_after(200))
    worker = bench.worker()
    result = await worker.settle(bench.draft())
    bench.clock.pass_(TIMEOUT + SETTLE + 1)
    result = await worker.settle(bench.draft())
    assert result.erp == "busy"
    finds = iter(range(10))

    def commit_on_the_last_find() -> None:
        if next(finds) == 0:
            bench.clock.pass_(1)

    bench.clock.at = bench.erp.in_work[0].commits_at - timedelta(seconds=1)
    bench.erp.before_find = commit_on_the_last_find
    result = await worker.settle(bench.draft())
    assert state_of(result) is PostingState.POSTED
    assert len(bench.standing()) == 1


async def test_a_worker_frozen_between_fence_and_socket_sends_nothing(bench):
    class FrozenErp:
        def __getattr__(self, name):
            return getattr(bench.erp, name)

        async def post(self, intent, guard):
            bench.clock.pass_(TIMEOUT + SETTLE + 5)
            other = await bench.worker().settle(bench.draft())
            assert state_of(other) is PostingState.POSTED
            return await bench.erp.post(intent, guard)

    result = await bench.worker(FrozenErp()).settle(bench.draft())
    assert state_of(result) is PostingState.POSTED
    assert bench.erp.posts == 1
    assert len(bench.standing()) == 1


async def test_an_answer_that_comes_after_others_took_over_is_adopted_not_repeated(bench):
    """The token was overtaken: the request had committed, another attempt met `sent` and found it."""

    class SlowAnswer:
        def __getattr__(self, name):
            return getattr(bench.erp, name)

        async def post(self, intent, guard):
            document = await bench.erp.post(intent, guard)
            bench.clock.pass_(TIMEOUT + SETTLE + 5)
            assert state_of(await bench.worker().settle(bench.draft())) is PostingState.POSTED
            return document

    result = await bench.worker(SlowAnswer()).settle(bench.draft())
    assert state_of(result) is PostingState.POSTED
    assert not result.cases
    assert len(bench.standing()) == 1


async def test_a_second_document_of_one_posting_becomes_a_case(bench):
    """What remains when an ERP commits after its settle time and after the second request: nobody loses sight of it."""

    class LateTwin:
        def __getattr__(self, name):
            return getattr(bench.erp, name)

        async def post(self, intent, guard):
            bench.clock.pass_(TIMEOUT + SETTLE + 5)
            await bench.worker().settle(bench.draft())
            return Booking(document=bench.erp.book(intent))

    result = await bench.worker(LateTwin()).settle(bench.draft())
    assert [c.kind for c in result.cases] == [CaseKind.MANUAL_ENTRY]
    assert result.cases[0].document == bench.standing()[1].document
    assert CaseAction.REVERSE in result.cases[0].allowed


async def test_a_second_document_with_a_known_key_stops_the_operation_whoever_made_it(bench):
    await bench.worker().settle(bench.draft("r1"))
    twin = bench.erp.book(bench.draft("r1").intent)
    result = await bench.worker().settle(bench.draft("r2"))
    assert (state_of(result), bench.erp.posts) == (PostingState.CLAIMED, 1)
    assert [(c.kind, c.document) for c in result.cases] == [(CaseKind.MANUAL_ENTRY, twin.document)]
    assert "reverse one" in result.cases[0].summary


async def test_a_document_that_settles_another_posting_already_is_a_doubt_for_a_person(bench):
    assert state_of(await bench.worker().settle(bench.draft("r1"))) is PostingState.POSTED
    bench.erp._numbers = itertools.count(1)  # the ERP names the next document like the first one
    doubtful = await bench.worker().settle(bench.draft("r2"))
    assert state_of(doubtful) is PostingState.IN_DOUBT
    [case] = doubtful.cases
    assert (case.kind, case.document) == (CaseKind.ERP_IN_DOUBT, bench.standing()[0].document)
    assert "belongs to posting" in case.summary
    elsewhere = await bench.worker().settle(bench.draft("r3", operation="0020"))
    assert state_of(elsewhere) is PostingState.POSTED, "the order's other postings go on"


async def test_two_workers_at_once_book_once(bench):
    first, second = await asyncio.gather(bench.worker().settle(bench.draft()), bench.worker().settle(bench.draft()))
    assert bench.erp.posts == 1
    states = {state_of(first), state_of(second)}
    assert PostingState.POSTED in states
    result = await bench.until_settled(bench.draft())
    assert state_of(result) is PostingState.POSTED
    assert len(bench.standing()) == 1


async def test_one_posting_of_an_order_is_in_flight_at_a_time(bench):
    bench.erp.will(bench.erp.lose_the_request)
    await bench.worker().settle(bench.draft("r1"))
    result = await bench.worker().settle(bench.draft("r2", operation="0020"))
    assert state_of(result) is PostingState.CLAIMED
    assert result.next_try_at is not None
    assert bench.erp.posts == 1


async def test_a_posting_in_flight_that_nobody_drives_does_not_block_its_order_for_ever(bench):
    bench.erp.will(bench.erp.lose_the_request)
    await bench.worker().settle(bench.draft("r1"))
    bench.clock.pass_(TIMEOUT + SETTLE + 1)
    result = await bench.until_settled(bench.draft("r2", operation="0020"))
    assert state_of(result) is PostingState.POSTED
    assert [d.operation for d in bench.standing()] == ["0020"]


# --- claims ----------------------------------------------------------------------------------------------------------


async def test_another_cut_of_the_same_reports_gets_the_posting_that_has_them_and_the_rest(bench):
    await bench.worker().settle(bench.draft("r1", "r2"))
    result = await bench.worker().settle(bench.draft("r2", "r3"))
    assert [o.state for o in result.outcomes] == [PostingState.POSTED]
    assert result.rest == (f"{bench.order}:r3",)
    assert bench.erp.posts == 1


async def test_a_cut_that_meets_an_unsettled_posting_settles_that_one(bench):
    bench.erp.read_failures = [ErpUnavailable("down")]
    await bench.worker().settle(bench.draft("r1", "r2"))
    result = await bench.worker().settle(bench.draft("r1"))
    assert [(o.state, len(o.report_ids)) for o in result.outcomes] == [(PostingState.POSTED, 2)]


async def test_a_draft_for_another_plant_is_bad_input(bench):
    draft = bench.draft().model_copy(update={"plant": "other"})
    with pytest.raises(BadInput, match="plant"):
        await bench.worker().settle(draft)


# --- modes -----------------------------------------------------------------------------------------------------------


async def test_shadow_computes_and_asks_the_erp_nothing(bench):
    bench.erp.read_failures = [ErpUnavailable("must not be asked")]
    result = await bench.worker().settle(bench.draft(mode=PostingMode.SHADOW))
    assert state_of(result) is PostingState.SHADOW
    assert bench.erp.posts == 0
    assert result.totals == ()


async def test_approve_waits_for_the_approval_and_then_books(bench):
    bench.erp.read_failures = [ErpUnavailable("must not be asked")]
    waiting = await bench.worker().settle(bench.draft(mode=PostingMode.APPROVE))
    assert (state_of(waiting), waiting.next_try_at, bench.erp.posts) == (PostingState.CLAIMED, None, 0)
    bench.erp.read_failures = []
    result = await bench.worker().settle(bench.draft(mode=PostingMode.APPROVE, approved=True))
    assert state_of(result) is PostingState.POSTED


async def test_an_approval_does_not_cover_another_posting_that_holds_the_reports(bench):
    await bench.worker().settle(bench.draft("r1", "r2", mode=PostingMode.APPROVE))
    result = await bench.worker().settle(bench.draft("r1", mode=PostingMode.APPROVE, approved=True))
    assert (state_of(result), bench.erp.posts) == (PostingState.CLAIMED, 0)


# --- unavailable, busy, misconfigured, refused -----------------------------------------------------------------------


async def test_an_outage_is_waited_for_with_growing_pauses_and_nothing_is_lost(bench):
    bench.erp.read_failures = [ErpUnavailable("down") for _ in range(5)]
    worker, pauses = bench.worker(), []
    result = await worker.settle(bench.draft())
    while result.next_try_at is not None:
        assert (state_of(result), result.erp) == (PostingState.CLAIMED, "down")
        pauses.append((result.next_try_at - bench.clock.now()).total_seconds())
        bench.clock.reach(result.next_try_at)
        result = await worker.settle(bench.draft())
    assert pauses == [1, 2, 5, 5, 5]
    assert len(bench.standing()) == 1


async def test_what_the_erp_asks_to_wait_is_waited(bench):
    bench.erp.will(bench.erp.fail_with(ErpBusy("throttled", retry_after=42)))
    result = await bench.worker().settle(bench.draft())
    assert (state_of(result), result.erp) == (PostingState.CLAIMED, "busy")
    assert result.next_try_at == bench.clock.now() + timedelta(seconds=42)


async def test_an_error_while_connecting_leaves_no_doubt_and_needs_no_settle_time(bench):
    bench.erp.will(bench.erp.fail_with(ErpUnavailable("no connection")))
    result = await bench.worker().settle(bench.draft())
    assert result.next_try_at == bench.clock.now() + timedelta(seconds=1)
    await bench.until_settled(bench.draft())
    assert len(bench.standing()) == 1


async def test_a_set_up_fault_is_a_case_that_closes_itself_when_it_works_again(bench):
    bench.erp.will(bench.erp.fail_with(ErpMisconfigured("401", code="HTTP/401")))
    result = await bench.worker().settle(bench.draft())
    assert [(c.kind, c.owner_role) for c in result.cases] == [(CaseKind.ERP_MISCONFIGURED, "integration ops")]
    assert state_of(result) is PostingState.CLAIMED
    bench.clock.reach(result.next_try_at)
    result = await bench.worker().settle(bench.draft())
    assert (state_of(result), result.cases) == (PostingState.POSTED, ())


@pytest.mark.parametrize(
    ("code", "owner"), [("M7/053", "finance"), ("M7/021", "planner"), ("HTTP/400", "integration ops")]
)
async def test_a_refusal_is_a_case_with_its_owner_and_is_never_repeated_by_itself(bench, code, owner):
    bench.erp.will(bench.erp.fail_with(ErpRejected("no", code=code)))
    result = await bench.worker().settle(bench.draft())
    assert (state_of(result), result.next_try_at) == (PostingState.REFUSED, None)
    assert [(c.kind, c.owner_role, c.error_code) for c in result.cases] == [(CaseKind.ERP_REJECTED, owner, code)]
    assert state_of(await bench.worker().settle(bench.draft())) is PostingState.REFUSED
    assert bench.erp.posts == 1


async def test_a_refused_posting_is_booked_when_a_person_has_it_tried_again(bench):
    bench.erp.will(bench.erp.fail_with(ErpRejected("period closed", code="M7/053")))
    result = await bench.worker().settle(bench.draft())
    await decide(bench, result.cases[0], CaseAction.RETRY)
    result = await bench.worker().settle(bench.draft())
    assert (state_of(result), result.cases) == (PostingState.POSTED, ())


async def test_a_posting_refused_again_after_a_retry_has_its_case_open_again(bench):
    refuse = bench.erp.fail_with(ErpRejected("period closed", code="M7/053"))
    bench.erp.will(refuse, refuse)
    result = await bench.worker().settle(bench.draft())
    await decide(bench, result.cases[0], CaseAction.RETRY)
    result = await bench.worker().settle(bench.draft())
    assert (state_of(result), len(result.cases)) == (PostingState.REFUSED, 1)


async def test_a_skipped_posting_stays_unsent(bench):
    bench.erp.will(bench.erp.fail_with(ErpRejected("no", code="M7/021")))
    result = await bench.worker().settle(bench.draft())
    await decide(bench, result.cases[0], CaseAction.SKIP)
    result = await bench.worker().settle(bench.draft())
    assert (state_of(result), bench.erp.posts) == (PostingState.CANCELLED, 1)
    assert result.outcomes[0].report_ids


async def test_a_refused_posting_blocks_its_operation_and_no_other(bench):
    bench.erp.will(bench.erp.fail_with(ErpRejected("no", code="M7/021")))
    await bench.worker().settle(bench.draft("r1"))
    same = await bench.worker().settle(bench.draft("r2"))
    other = await bench.worker().settle(bench.draft("r3", operation="0020"))
    assert (state_of(same), same.next_try_at) == (PostingState.CLAIMED, None)
    assert state_of(other) is PostingState.POSTED


# --- people in the ERP -----------------------------------------------------------------------------------------------


async def test_fifty_hand_entries_are_fifty_cases_and_nothing_is_sent_beside_them(bench):
    for _ in range(50):
        bench.erp.by_hand(bench.order, "1", text="typed in")
    result = await bench.worker().settle(bench.draft())
    again = await bench.worker().settle(bench.draft())
    assert (state_of(result), result.next_try_at, bench.erp.posts) == (PostingState.CLAIMED, None, 0)
    assert len(result.cases) == len(again.cases) == 50
    assert {(c.kind, c.owner_role) for c in result.cases} == {(CaseKind.MANUAL_ENTRY, "supervisor")}
    assert {c.document for c in result.cases} == {d.document for d in bench.standing()}


async def test_an_adopted_entry_is_taken_off_by_the_next_revision_and_the_first_claim_is_given_up(bench):
    bench.erp.by_hand(bench.order, "4")
    blocked = await bench.worker().settle(bench.draft(yielded="10"))
    await decide(bench, blocked.cases[0], CaseAction.ADOPT)
    credit = Credit(operation="0010", yield_quantity=Decimal(4))
    result = await bench.worker().settle(bench.draft(yielded="6", revision=1, credit=credit))
    assert state_of(result) is PostingState.POSTED
    assert sum(d.yield_quantity for d in bench.standing()) == 10
    assert [t.yield_quantity for t in result.totals] == [Decimal(10)]
    stale = await bench.worker().settle(bench.draft(yielded="10"))
    assert (state_of(stale), stale.outcomes[0].report_ids) == (PostingState.CANCELLED, ())
    assert bench.erp.posts == 1


async def test_an_entry_that_covers_all_of_it_counts_once_and_nothing_is_sent(bench):
    bench.erp.by_hand(bench.order, "10")
    blocked = await bench.worker().settle(bench.draft(yielded="10"))
    await decide(bench, blocked.cases[0], CaseAction.ADOPT)
    credit = Credit(operation="0010", yield_quantity=Decimal(10))
    covered = bench.draft(yielded="10", revision=1, credit=credit, covered=True)
    result = await bench.worker().settle(covered)
    assert (state_of(result), bench.erp.posts) == (PostingState.ADOPTED, 0)
    assert [t.yield_quantity for t in result.totals] == [Decimal(10)]
    assert (await bench.worker().verify(covered.intent.key)).complete


async def test_an_entry_that_shall_stand_beside_ours_is_never_asked_about_again(bench):
    bench.erp.by_hand(bench.order, "4")
    blocked = await bench.worker().settle(bench.draft())
    await decide(bench, blocked.cases[0], CaseAction.POST)
    result = await bench.worker().settle(bench.draft())
    assert (state_of(result), result.cases) == (PostingState.POSTED, ())
    assert [t.yield_quantity for t in result.totals] == [Decimal(10)]


async def test_an_entry_is_reversed_with_a_key_of_its_own_and_its_case_closes(bench):
    entry = bench.erp.by_hand(bench.order, "4")
    blocked = await bench.worker().settle(bench.draft())
    await decide(bench, blocked.cases[0], CaseAction.REVERSE)
    reversed_ = await bench.worker().settle(bench.reversal(entry.document))
    assert (state_of(reversed_), reversed_.cases) == (PostingState.POSTED, ())
    assert state_of(await bench.worker().settle(bench.draft())) is PostingState.POSTED
    assert [d.yield_quantity for d in bench.standing()] == [Decimal(10)]


async def test_an_entry_that_its_author_reversed_closes_its_case(bench):
    entry = bench.erp.by_hand(bench.order, "4")
    await bench.worker().settle(bench.draft())
    bench.erp.reverse(entry.document)
    result = await bench.worker().settle(bench.draft())
    assert (state_of(result), result.cases) == (PostingState.POSTED, ())


async def test_our_document_reversed_by_hand_is_told_and_leaves_our_totals(bench):
    posted = await bench.worker().settle(bench.draft("r1"))
    bench.erp.reverse(posted.outcomes[0].document)
    result = await bench.worker().settle(bench.draft("r2"))
    assert [c.kind for c in result.cases] == [CaseKind.TOTALS_DIFFER]
    assert result.totals == ()
    await decide(bench, result.cases[0], CaseAction.ACCEPT)
    assert state_of(await bench.worker().settle(bench.draft("r2"))) is PostingState.POSTED


async def test_totals_that_hold_more_than_the_documents_stop_the_operation_until_accepted(bench):
    bench.erp.unlisted = Decimal(3)
    result = await bench.worker().settle(bench.draft())
    assert [c.kind for c in result.cases] == [CaseKind.TOTALS_DIFFER]
    assert (state_of(result), bench.erp.posts) == (PostingState.CLAIMED, 0)
    await decide(bench, result.cases[0], CaseAction.ACCEPT)
    assert state_of(await bench.worker().settle(bench.draft())) is PostingState.POSTED


# --- in doubt --------------------------------------------------------------------------------------------------------


async def test_a_forgotten_key_is_known_by_the_text(bench):
    bench.erp.forgets_keys = True
    bench.erp.will(bench.erp.book_and_lose_the_answer)
    assert state_of(await bench.worker().settle(bench.draft())) is PostingState.POSTED
    assert state_of(await bench.worker().settle(bench.draft("r2"))) is PostingState.POSTED


async def test_a_document_that_only_the_list_shows_is_known_by_its_text(bench):
    class FindsNothing:
        def __getattr__(self, name):
            return getattr(bench.erp, name)

        async def find(self, intent, before):
            return Booking()

    bench.erp.forgets_keys = True
    bench.erp.will(bench.erp.book_and_lose_the_answer)
    result = await bench.worker(FindsNothing()).settle(bench.draft())
    bench.clock.pass_(TIMEOUT + SETTLE + 1)
    result = await bench.worker(FindsNothing()).settle(bench.draft())
    assert (state_of(result), bench.erp.posts) == (PostingState.POSTED, 1)


async def doubtful(bench):
    """Booked, the answer lost, and the document says nothing of who booked it."""
    bench.erp.forgets_keys = bench.erp.forgets_texts = True
    bench.erp.will(bench.erp.book_and_lose_the_answer)
    return await bench.until_settled(bench.draft())


async def test_a_document_that_does_not_tell_whose_it_is_goes_to_a_person_and_is_never_posted_again(bench):
    result = await doubtful(bench)
    assert (state_of(result), bench.erp.posts) == (PostingState.IN_DOUBT, 1)
    (case,) = result.cases
    assert (case.kind, case.document) == (CaseKind.ERP_IN_DOUBT, bench.standing()[0].document)
    await decide(bench, case, CaseAction.ADOPT)
    result = await bench.worker().settle(bench.draft())
    assert (state_of(result), bench.erp.posts) == (PostingState.ADOPTED, 1)
    assert [t.yield_quantity for t in result.totals] == [Decimal(10)]


async def test_a_hand_entry_of_the_same_quantity_while_the_answer_was_lost_is_a_doubt_too(bench):
    bench.erp.will(bench.erp.lose_the_request)
    await bench.worker().settle(bench.draft())
    bench.erp.by_hand(bench.order, "10")
    result = await bench.until_settled(bench.draft())
    assert state_of(result) is PostingState.IN_DOUBT
    assert bench.erp.posts == 1


async def test_a_hand_entry_that_says_who_made_it_leaves_no_doubt_only_its_own_case(bench):
    bench.erp.will(bench.erp.lose_the_request)
    await bench.worker().settle(bench.draft())
    bench.erp.by_hand(bench.order, "10", text="late shift, typed in")
    result = await bench.until_settled(bench.draft())
    assert state_of(result) is PostingState.CLAIMED
    assert [c.kind for c in result.cases] == [CaseKind.MANUAL_ENTRY]
    await decide(bench, result.cases[0], CaseAction.POST)
    assert state_of(await bench.worker().settle(bench.draft())) is PostingState.POSTED


async def test_a_doubt_that_a_person_has_tried_again_is_settled_by_the_documents_case(bench):
    result = await doubtful(bench)
    await decide(bench, result.cases[0], CaseAction.RETRY)
    result = await bench.worker().settle(bench.draft())
    assert [c.kind for c in result.cases] == [CaseKind.MANUAL_ENTRY]
    assert bench.erp.posts == 1


async def test_totals_that_move_without_a_document_leave_a_doubt(bench):
    bench.erp.will(bench.erp.lose_the_request)
    result = await bench.worker().settle(bench.draft())
    bench.erp.unlisted = Decimal(10)
    bench.clock.reach(result.next_try_at)
    result = await bench.until_settled(bench.draft())
    assert (state_of(result), bench.erp.posts) == (PostingState.IN_DOUBT, 1)
    assert {c.kind for c in result.cases} == {CaseKind.ERP_IN_DOUBT, CaseKind.TOTALS_DIFFER}


async def test_a_doubt_is_settled_when_its_document_shows_up_with_its_key(bench):
    bench.erp.will(bench.erp.lose_the_request)
    await bench.worker().settle(bench.draft("r1"))
    bench.erp.unlisted = Decimal(10)
    doubt = await bench.until_settled(bench.draft("r1"))
    bench.erp.unlisted = Decimal(0)
    bench.erp.book(bench.draft("r1").intent)
    for case in doubt.cases:
        if case.kind is CaseKind.TOTALS_DIFFER:
            await decide(bench, case, CaseAction.ACCEPT)
    result = await bench.worker().settle(bench.draft("r2"))
    assert (state_of(result), result.cases) == (PostingState.POSTED, ())
    assert [t.yield_quantity for t in result.totals] == [Decimal(20)]


# --- reversal and completion -----------------------------------------------------------------------------------------


async def test_a_reversal_whose_answer_is_lost_is_made_once(bench):
    posted = await bench.worker().settle(bench.draft())
    bench.erp.will(bench.erp.book_and_lose_the_answer)
    result = await bench.until_settled(bench.reversal(posted.outcomes[0].document))
    assert state_of(result) is PostingState.POSTED
    assert [d.reversal for d in bench.erp.books] == [False, True]
    assert result.totals == ()


async def test_a_reversal_of_what_somebody_reversed_meanwhile_is_adopted(bench):
    posted = await bench.worker().settle(bench.draft())
    bench.erp.reverse(posted.outcomes[0].document)
    result = await bench.worker().settle(bench.reversal(posted.outcomes[0].document))
    assert state_of(result) is PostingState.ADOPTED
    assert result.totals == ()


async def test_completion_waits_for_every_case_and_is_made_once(bench):
    bench.erp.will(bench.erp.fail_with(ErpRejected("no", code="M7/021")))
    refused = await bench.worker().settle(bench.draft())
    waiting = await bench.worker().settle(bench.completion())
    assert (state_of(waiting), bench.erp.completed) == (PostingState.CLAIMED, False)
    await decide(bench, refused.cases[0], CaseAction.SKIP)
    bench.erp.will(bench.erp.book_and_lose_the_answer)
    result = await bench.until_settled(bench.completion())
    assert state_of(result) is PostingState.POSTED
    assert bench.erp.posts == 2


# --- read-back -------------------------------------------------------------------------------------------------------


def issue(quantity: str) -> GoodsMovement:
    return GoodsMovement(material="RM-1", movement_type="261", quantity=Decimal(quantity), unit="KG")


async def test_movements_that_come_late_are_waited_for(bench):
    bench.erp.will(bench.erp.does_book)
    await bench.worker().settle(bench.draft("r0"))
    bench.erp.books.clear()
    draft = bench.draft("r1", operation="0020")
    bench.erp.expected = []
    booked = await bench.worker().settle(draft)
    bench.erp.expected = [issue("20")]
    waiting = await bench.worker().verify(draft.intent.key)
    assert (waiting.complete, waiting.case) == (False, None)
    assert waiting.next_try_at is not None
    number = booked.outcomes[0].document
    bench.erp.books = [
        d.model_copy(update={"goods_movements": (issue("20"),)}) if d.document == number else d for d in bench.erp.books
    ]
    bench.clock.reach(waiting.next_try_at)
    seen = await bench.worker().verify(draft.intent.key)
    assert (seen.complete, seen.next_try_at) == (True, None)


async def test_a_shortfall_is_a_case_that_blocks_completion_only(bench):
    draft = bench.draft()
    await bench.worker().settle(draft)
    bench.erp.expected = [issue("20")]
    bench.clock.pass_(TIMEOUT + MOVEMENT_WAIT + 1)
    checked = await bench.worker().verify(draft.intent.key)
    assert checked.case is not None
    assert checked.case.kind is CaseKind.GOODS_MOVEMENT_SHORTFALL
    assert checked.outcome is not None
    assert checked.outcome.state is PostingState.POSTED
    assert "20 of 20 KG" in checked.outcome.shortfall[0]
    bench.erp.expected = []
    assert state_of(await bench.worker().settle(bench.draft("r2"))) is PostingState.POSTED
    waiting = await bench.worker().settle(bench.completion())
    assert state_of(waiting) is PostingState.CLAIMED


async def test_an_error_while_reading_back_leaves_the_posting_booked(bench):
    class FailsAfter:
        def __getattr__(self, name):
            return getattr(bench.erp, name)

        async def read_back(self, document):
            raise ErpUnavailable("down")

    result = await bench.worker(FailsAfter()).settle(bench.draft())
    assert state_of(result) is PostingState.POSTED
    assert result.next_try_at is not None
    assert result.verified == ()


async def test_a_doubt_while_reading_is_no_doubt_about_the_posting(bench):
    bench.erp.read_failures = [ErpInDoubt("odd")]
    result = await bench.worker().settle(bench.draft())
    assert (state_of(result), bench.erp.posts) == (PostingState.CLAIMED, 0)
    assert state_of(await bench.until_settled(bench.draft())) is PostingState.POSTED
