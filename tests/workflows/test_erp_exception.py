"""Every ERP failure is one durable case: opened once, owned, escalated, decided once, closed however it ends (D3)."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from temporalio.client import WorkflowUpdateFailedError

from ledger.port import PostingRecord
from signals.documents import Case, CaseAction, CaseKind, PostingState
from signals.exceptions import CaseFile, ExceptionStatus
from signals.ids import case_id, exception_workflow_id, plant_task_queue, posting_key
from signals.notify import NotificationKind
from signals.transactions import ConfirmProduction, TransactionType
from tests.workflows.bench import Bench, eventually
from tests.workflows.refusing_erp import CLOSED, decided, decision, exception_of, refusing_plant, running, the_case
from workflows.common import DUE_AT, EXCEPTION_CLASS, MATERIAL, OPEN_TASK_ROLES, ORDER_ID, PLANT_ID, SEVERITY
from workflows.exception_messages import ExceptionInput

ORDER = "1000001"
CONFIRMATION = TransactionType.CONFIRM_PRODUCTION


@pytest.fixture
def plant(temporal_client, plant_ledger):
    """Opens a plant whose ERP refuses as it is told."""
    return lambda **keywords: refusing_plant(temporal_client, plant_ledger, **keywords)


async def refused(bench: Bench, erp, pieces: int = 10, why=CLOSED) -> Case:
    """An order whose first confirmation is refused."""
    erp.refuses, erp.why = (lambda t: t.type is CONFIRMATION), why
    await bench.start_order(ORDER, planned=pieces)
    bench.feed.order(ORDER)
    bench.feed.make(pieces)
    bench.feed.order("")
    await bench.feed.send()
    return await the_case(bench, ORDER)


async def file_of(bench: Bench, case: Case) -> CaseFile:
    found = await bench.ledger.case_file(bench.id, case.case_id)
    assert found is not None
    return found


async def test_a_refused_posting_is_one_case_that_people_find_and_retry(plant):
    async with plant() as (bench, erp):
        case = await refused(bench, erp)
        assert (case.kind, case.error_class, case.owner_role) == (CaseKind.ERP_REJECTED, "period_closed", "finance")
        assert case.due_at is not None and case.opened_at is not None
        assert case.due_at - case.opened_at == timedelta(hours=8)
        assert "OB52" in case.runbook and "10 PC yield" in case.consequence

        keys = (PLANT_ID, ORDER_ID, MATERIAL, EXCEPTION_CLASS, OPEN_TASK_ROLES, SEVERITY)
        described = await eventually(  # the ledger has the case before its process shows it
            exception_of(bench, case).describe, lambda d: all(key in d.typed_search_attributes for key in keys)
        )
        found = described.typed_search_attributes
        shown = {key.name: found[key] for key in keys}
        assert shown == {
            "PlantId": bench.id, "OrderId": ORDER, "Material": "HOUSING-1", "ExceptionClass": "period_closed",
            "OpenTaskRoles": ["finance"], "Severity": 2,
        }  # fmt: skip
        assert abs(found[DUE_AT] - case.due_at) < timedelta(seconds=1)
        page = await bench.details(exception_of(bench, case))
        for word in ("10", "Posting only possible", "finance", "OB52", "exceptions amend", "stay unconfirmed"):
            assert word in page, word

        erp.refuses = lambda t: False
        answer = await decided(bench, decision(case, CaseAction.RETRY), case)
        assert answer.accepted
        await bench.closed(ORDER)
        assert bench.erp.booked(ORDER, "0010") == (10, 0)
        ended = await exception_of(bench, case).result()
        assert ended.cases == () and answer.decision_id in ended.decided


async def test_the_same_trouble_after_a_retry_is_the_same_case_again(plant):
    async with plant() as (bench, erp):
        case = await refused(bench, erp)
        before = erp.calls["post"]
        assert (await decided(bench, decision(case, CaseAction.RETRY), case)).accepted
        await eventually(lambda: _value(erp.calls["post"]), lambda posts: posts > before)
        again = await the_case(bench, ORDER)
        assert again.case_id == case.case_id
        erp.refuses = lambda t: False
        assert (await decided(bench, decision(again, CaseAction.RETRY, "d2"), again)).accepted
        await bench.closed(ORDER)
        assert bench.erp.booked(ORDER, "0010") == (10, 0)
        assert len((await file_of(bench, case)).decisions) == 2


async def _value(value):
    return value


async def test_an_amended_posting_goes_out_under_its_own_key_and_the_original_is_kept(plant):
    async with plant() as (bench, erp):
        case = await refused(bench, erp)
        posting = await bench.ledger.posting(case.posting_key)
        assert posting is not None and isinstance(posting.transaction, ConfirmProduction)
        pieces = posting.transaction.yield_quantity
        too_many = posting.transaction.model_copy(update={"yield_quantity": pieces + 1})
        answer = await decided(bench, decision(case, CaseAction.AMEND, "d0", amended=too_many), case)
        assert not answer.accepted and "amend-quantity/1" in answer.message

        erp.refuses = lambda t: False
        fewer = posting.transaction.model_copy(update={"yield_quantity": pieces - 2, "scrap_quantity": Decimal(1)})
        assert (await decided(bench, decision(case, CaseAction.AMEND, amended=fewer), case)).accepted
        await bench.closed(ORDER)
        booked = next(d for d in bench.erp.books if d.key == case.posting_key)
        assert (booked.yield_quantity, booked.scrap_quantity) == (pieces - 2, 1)
        [amendment] = (await file_of(bench, case)).amendments
        assert (amendment.before, amendment.after, amendment.by) == (posting.transaction, fewer, "somebody")
        assert (await bench.ledger.trace(bench.id, ORDER)).amendments == (amendment,)


async def test_a_skipped_posting_stays_out_of_the_books_and_says_what_it_leaves(plant):
    async with plant() as (bench, erp):
        case = await refused(bench, erp)
        erp.refuses = lambda t: False
        assert (await decided(bench, decision(case, CaseAction.SKIP), case)).accepted
        await bench.until(ORDER, lambda s: not s.cases)
        posting = await bench.ledger.posting(case.posting_key)
        assert posting is not None and posting.state is PostingState.CANCELLED
        assert all(d.key != case.posting_key for d in bench.erp.books)
        file = await file_of(bench, case)
        assert (file.is_open, file.note) == (False, case.consequence)


async def test_compensation_takes_the_whole_business_step_back(plant):
    async with plant(cadence=10) as (bench, erp):
        erp.components = True
        erp.refuses = lambda t: t.type is TransactionType.ISSUE_COMPONENTS
        await bench.start_order(ORDER, planned=30)
        bench.feed.order(ORDER)
        bench.feed.make(10)
        await bench.feed.send()
        case = await the_case(bench, ORDER)
        assert CaseAction.COMPENSATE in case.allowed and case.completion_only
        main = next(d for d in bench.erp.books if not d.reversal)
        bench.feed.make(10)
        await bench.feed.send()
        await bench.until(ORDER, lambda s: s.operations[0].posted_yield == 20 and len(s.cases) == 2)
        [second] = [c for c in (await bench.order_status(ORDER)).cases if c.case_id != case.case_id]
        bench.workflows.add(exception_workflow_id(bench.id, str(second.posting_key)))
        answer = await decided(bench, decision(case, CaseAction.COMPENSATE), case)
        assert answer.accepted
        bench.workflows.add(f"compensation:{bench.id}:{case.posting_key}")
        await eventually(lambda: file_of(bench, case), lambda f: not f.is_open)
        [reversal] = [d for d in bench.erp.books if d.reversal]
        assert reversal.document != main.document and bench.erp.booked(ORDER, "0010") == (10, 0)
        back = await bench.ledger.posting(reversal.key)
        assert (
            back is not None
            and back.transaction.original_key == main.key
            and back.transaction.document == main.document
        )
        posting = await bench.ledger.posting(case.posting_key)
        assert posting is not None and posting.state is PostingState.CANCELLED
        status = await bench.until(ORDER, lambda s: len(s.cases) == 1 and s.operations[0].posted_yield == 10)
        assert status.cases == (second,), "another business step's trouble is its own case"


async def test_a_decision_is_answered_once_and_only_roles_of_the_catalogue_decide(plant):
    async with plant() as (bench, erp):
        case = await refused(bench, erp)
        with pytest.raises(WorkflowUpdateFailedError) as nobody:
            await decided(bench, decision(case, CaseAction.RETRY, "d0", role="the boss"), case)
        assert "the boss" in str(nobody.value.cause)
        wrong = await decided(bench, decision(case, CaseAction.RETRY, "d1", role="operator"), case)
        assert not wrong.accepted and "finance" in wrong.message
        forbidden = await decided(bench, decision(case, CaseAction.ADOPT, "d2"), case)
        assert not forbidden.accepted
        assert await bench.ledger.cases(bench.id, order=ORDER) == [case]

        wish = decision(case, CaseAction.SKIP, "d3", role="admin")
        answers = await asyncio.gather(*(decided(bench, wish, case) for _ in range(3)))
        assert len({a.message for a in answers}) == 1 and answers[0].accepted
        assert len((await file_of(bench, case)).decisions) == 1


async def test_a_decision_may_come_by_signal(plant):
    async with plant() as (bench, erp):
        case = await refused(bench, erp)
        erp.refuses = lambda t: False
        wish = decision(case, CaseAction.RETRY)
        for _ in range(2):
            await exception_of(bench, case).signal("decide_by_signal", wish)
        await bench.closed(ORDER)
        assert bench.erp.booked(ORDER, "0010") == (10, 0)
        assert len((await file_of(bench, case)).decisions) == 1


async def test_where_the_order_is_gone_its_posting_is_settled_all_the_same(plant):
    async with plant() as (bench, erp):
        case = await refused(bench, erp)
        await bench.order(ORDER).terminate("the order is gone")
        erp.away = True
        assert (await decided(bench, decision(case, CaseAction.RETRY), case)).accepted
        handle = exception_of(bench, case)
        await eventually(lambda: handle.query("status", result_type=ExceptionStatus), lambda s: s.driving)
        erp.away, erp.refuses = False, (lambda t: False)
        ended = await handle.result()
        assert (ended.posting_state, ended.driving) == (PostingState.POSTED, False)
        assert [d.key for d in bench.erp.books] == [case.posting_key]


async def test_it_ends_when_the_case_is_closed_by_whatever_way(plant):
    async with plant() as (bench, erp):
        case = await refused(bench, erp)
        await bench.ledger.close_case(bench.id, case.case_id, "found in the ERP")
        await exception_of(bench, case).signal("look_again")
        ended = await exception_of(bench, case).result()
        assert ended.cases == () and ended.decided == ()


async def alone(bench: Bench, number: int = 1, *, due_in: float = 3600) -> Case:
    """A refused posting of an order that does not run, with its case; nobody has started its ErpException."""
    bench.release(ORDER, 100)
    claim = [f"alone-{number}"]
    key = posting_key(bench.id, ORDER, "0010", CONFIRMATION.value, claim, 0)
    transaction = ConfirmProduction(
        plant=bench.id, order=ORDER, operation="0010", posting_date=datetime.now(UTC).date(),
        yield_quantity=Decimal(5), unit="PC",
    )  # fmt: skip
    record = PostingRecord(
        key=key, plant=bench.id, order=ORDER, operation="0010", type=CONFIRMATION, state=PostingState.CLAIMED,
        transaction=transaction, report_ids=tuple(claim),
    )  # fmt: skip
    await bench.ledger.claim(record)
    await bench.ledger.mark_outcome(key, state=PostingState.REFUSED, error_code="M7/021")
    now = datetime.now(UTC)
    case = Case(
        case_id=case_id(bench.id, ORDER, "erp_rejected", str(key)), plant=bench.id, order=ORDER, operation="0010",
        kind=CaseKind.ERP_REJECTED, owner_role="planner", summary="refused", error_code="M7/021", posting_key=key,
        allowed=(CaseAction.RETRY, CaseAction.SKIP), opened_at=now, due_at=now + timedelta(seconds=due_in),
    )  # fmt: skip
    bench.workflows.add(exception_workflow_id(bench.id, key))
    return await bench.ledger.open_case(case)


async def start(bench: Bench, case: Case, history_limit: int = 5000):
    assert case.posting_key is not None
    return await bench.client.start_workflow(
        "ErpException",
        ExceptionInput(plant=bench.id, posting_key=case.posting_key, order=ORDER, history_limit=history_limit),
        id=exception_workflow_id(bench.id, case.posting_key),
        task_queue=plant_task_queue(bench.id),
        result_type=ExceptionStatus,
    )


async def test_nobody_decides_so_every_rung_of_the_ladder_is_climbed_in_order(plant):
    async with plant() as (bench, _):
        case = await alone(bench, due_in=1)
        # Spans below a minute count as one: the ladder is for people. The case is older than it looks.
        early = case.model_copy(update={"opened_at": case.opened_at - timedelta(hours=3), "due_at": case.opened_at})
        await bench.ledger.close_case(bench.id, case.case_id, "to be opened with other times")
        case = await bench.ledger.open_case(early)
        handle = await start(bench, case)
        status = await eventually(lambda: handle.query("status", result_type=ExceptionStatus), lambda s: s.level == 2)
        assert status.next_rung_at == case.due_at + timedelta(hours=3)
        file = await eventually(lambda: file_of(bench, case), lambda f: f.level == 2)
        assert file.is_open

        async def attributes():
            return (await handle.describe()).typed_search_attributes

        found = await eventually(attributes, lambda a: a.get(SEVERITY) == 1)
        assert found[OPEN_TASK_ROLES] == ["planner", "supervisor"]
        runs = await bench.runs(handle.id)
        climbed = [
            e.activity_task_scheduled_event_attributes.activity_type.name for e in runs[0].events
            if e.HasField("activity_task_scheduled_event_attributes")
        ]  # fmt: skip
        assert climbed.count("climb_rung") == 2, "the reminder was not skipped"
        told = await eventually(lambda: bench.ledger.notifications(bench.id), lambda found: len(found) == 2)
        assert {n.roles for n in told} == {("planner",), ("supervisor",)}, "each rung tells its role, once"
        assert all(n.kind is NotificationKind.CASE_ESCALATED and n.facts["subject"] == case.case_id for n in told)


async def test_it_survives_its_worker_and_goes_on_in_a_new_run(temporal_client, plant_ledger):
    async with refusing_plant(temporal_client, plant_ledger) as (bench, erp):
        case = await alone(bench)
        handle = await start(bench, case, history_limit=12)
        await running(bench, case)
        for number in range(4):
            await handle.signal("look_again")
            refused_one = decision(case, CaseAction.ADOPT, f"no-{number}")
            assert not (await decided(bench, refused_one, case)).accepted
        assert len(await bench.runs(handle.id)) > 1
        assert (await decided(bench, decision(case, CaseAction.RETRY), case)).accepted
        assert (await bench.client.get_workflow_handle(handle.id, result_type=ExceptionStatus).result()).cases == ()
        assert [d.key for d in erp.books] == [case.posting_key]
