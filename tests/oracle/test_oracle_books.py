"""Procedure, adapter and ledger against the simulated Oracle under faults: its books say whether all went once."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from activities.posting import PostingDraft, PostingProcedure, SettleResult
from erp.oracle import OracleErp
from ledger.connect import open_ledger
from ledger.store import SqlLedger
from signals.documents import CaseKind, PostingState
from signals.ids import posting_key
from signals.transactions import ActivityAmount, CompleteOrder, ConfirmProduction, PostingIntent, Reverse
from tests.oracle.conftest import OracleProcess
from tests.oracle.postings import confirmed

TIMEOUT, SETTLE = 0.7, 1.2


def now() -> datetime:
    return datetime.now(UTC)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ledger(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SqlLedger]:
    opened = await open_ledger(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}")
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def erp(oracle: OracleProcess) -> AsyncIterator[OracleErp]:
    adapter = oracle.adapter(timeout_seconds=TIMEOUT, settle_seconds=SETTLE)
    yield adapter
    await adapter.aclose()


def procedure(erp: OracleErp, ledger: SqlLedger) -> PostingProcedure:
    """A worker that has just started: it remembers nothing but what the ledger holds."""
    return PostingProcedure(
        erp,
        ledger,
        now=now,
        new_token=lambda: uuid4().hex,
        timeout_seconds=TIMEOUT,
        settle_seconds=SETTLE,
        retry_seconds=(1,),
        goods_movement_wait_seconds=2,
    )


def draft(order: str, number: int, yielded: str = "2", operation: str = "0010", **more: Any) -> PostingDraft:
    return drafted(confirmed(order, yielded, operation, **more), f"{order}:{operation}:{number}")


def drafted(transaction: Any, report: str) -> PostingDraft:
    key = posting_key("demo", transaction.order, transaction.operation, transaction.type.value, (report,), 0)
    return PostingDraft(plant="demo", intent=PostingIntent(key=key, transaction=transaction, report_ids=(report,)))


async def drive(erp: OracleErp, ledger: SqlLedger, draft: PostingDraft, *, attempts: int = 60) -> SettleResult:
    """Wait for `next_try_at` and ask again, as a workflow does."""
    result = None
    for _ in range(attempts):
        result = await procedure(erp, ledger).settle(draft)
        if result.outcomes[0].state.is_settled or result.next_try_at is None:
            return result
        await asyncio.sleep(max(0.0, (result.next_try_at - now()).total_seconds()))
    raise AssertionError(f"not settled after {attempts} attempts: {result}")


async def finished(erp: OracleErp, ledger: SqlLedger, draft: PostingDraft, *, attempts: int = 60) -> None:
    """Until its follow-ups stand and its goods movements are seen."""
    for _ in range(attempts):
        checked = await procedure(erp, ledger).verify(draft.intent.key, last_try=False)
        if checked.complete:
            return
        assert checked.next_try_at is not None, checked
        await asyncio.sleep(max(0.0, (checked.next_try_at - now()).total_seconds()))
    raise AssertionError(f"not finished after {attempts} looks")


async def test_a_mixture_of_faults_on_a_third_of_the_calls_books_everything_once(
    oracle: OracleProcess, erp: OracleErp, ledger: SqlLedger, order_number: str
) -> None:
    orders = [f"{order_number}-{number}" for number in range(4)]
    for order in orders:
        await oracle.seed_order(order)
    for seed, mode in enumerate(
        ("timeout_after_commit", "timeout_before_commit", "error_after_commit", "duplicate_answer", "refuse")
    ):
        await oracle.fault(mode, probability=0.07, seed=seed, path="operationTransactions")

    async def one_order(order: str) -> list[SettleResult]:
        return [await drive(erp, ledger, draft(order, n, scrap_quantity=Decimal(1))) for n in range(4)]

    results = [settled for each in await asyncio.gather(*map(one_order, orders)) for settled in each]
    assert Counter(r.outcomes[0].state for r in results) == {PostingState.POSTED: 16}
    await oracle.heal()
    for order in orders:
        assert await oracle.operation(order, "0010") == ("8", "4", "0")
        assert await oracle.issued(order, "RM-1") == 24
        (total,) = await ledger.totals("demo", order)
        assert (total.yield_quantity, total.scrap_quantity) == (8, 4)


async def test_follow_ups_and_their_reversal_net_to_zero_under_lost_answers(
    oracle: OracleProcess, erp: OracleErp, ledger: SqlLedger, order_number: str
) -> None:
    component = {"material": "RM-LOT2", "required": "300", "unit": "KG", "operation": "0010", "batch_managed": True}
    await oracle.seed_order(order_number, components=[component | {"storage_location": "RM01"}])
    lot = {"material": "RM-LOT2", "plant": "M1", "storage_location": "RM01", "quantity": "500", "unit": "KG"}
    await oracle.seed(stock=[lot | {"batch": "COIL-1"}])
    for path in ("operationTransactions", "materialTransactions", "resourceTransactions"):
        await oracle.fault("error_after_commit", probability=0.5, seed=5, path=path)
    minutes = (ActivityAmount(slot=1, amount=Decimal(7), unit="MIN"),)
    posting = draft(order_number, 0, "5", component_lot="COIL-1", activities=minutes)
    result = await drive(erp, ledger, posting)
    await finished(erp, ledger, posting)
    assert await oracle.operation(order_number, "0010") == ("5", "0", "0")
    assert await oracle.issued(order_number, "RM-LOT2") == 15
    assert await oracle.usage(order_number, "0010", "1") == 7

    original = posting.intent.transaction
    assert isinstance(original, ConfirmProduction)
    reversal = Reverse(
        plant="demo",
        order=order_number,
        operation="0010",
        document=result.outcomes[0].document,
        posting_date=original.posting_date,
        original=original,
        original_key=posting.intent.key,
    )
    back = drafted(reversal, f"reverse:{order_number}")
    assert (await drive(erp, ledger, back)).outcomes[0].state is PostingState.POSTED
    await finished(erp, ledger, back)
    await oracle.heal()
    assert await oracle.operation(order_number, "0010") == ("0", "0", "0")
    assert await oracle.issued(order_number, "RM-LOT2") == 0
    assert await oracle.on_hand("RM-LOT2", "RM01", "COIL-1") == 500
    assert await oracle.usage(order_number, "0010", "1") == 0
    assert [t.yield_quantity for t in await ledger.totals("demo", order_number)] in ([], [Decimal(0)])


async def test_a_partial_booking_is_a_shortfall_case_and_one_confirmation(
    oracle: OracleProcess, erp: OracleErp, ledger: SqlLedger, order: str
) -> None:
    await oracle.fault("partial", calls=1, path="operationTransactions")
    result = await drive(erp, ledger, draft(order, 0))
    assert result.outcomes[0].state is PostingState.POSTED
    assert result.verified == ()
    checked = await procedure(erp, ledger).verify(draft(order, 0).intent.key, last_try=True)
    assert checked.case is not None
    assert checked.case.kind is CaseKind.GOODS_MOVEMENT_SHORTFALL
    assert await oracle.operation(order, "0010") == ("2", "0", "0")


async def test_a_hand_entry_stops_the_operation_until_a_person_decides(
    oracle: OracleProcess, erp: OracleErp, ledger: SqlLedger, order: str
) -> None:
    await drive(erp, ledger, draft(order, 0))
    await oracle.by_hand(order=order, operation="0010", **{"yield": "3"})
    stopped = await drive(erp, ledger, draft(order, 1), attempts=2)
    assert stopped.outcomes[0].state is PostingState.CLAIMED
    assert {case.kind for case in stopped.cases} == {CaseKind.MANUAL_ENTRY}
    assert await oracle.operation(order, "0010") == ("5", "0", "0")


async def test_a_part_that_was_refused_is_one_doubt_for_a_person_and_never_sent_again(
    oracle: OracleProcess, erp: OracleErp, ledger: SqlLedger, order: str
) -> None:
    result = await drive(erp, ledger, draft(order, 0, "98", scrap_quantity=Decimal(5)))
    assert result.outcomes[0].state is PostingState.IN_DOUBT
    assert "exactly a part" in result.outcomes[0].message
    assert {case.kind for case in result.cases} == {CaseKind.ERP_IN_DOUBT}
    assert await oracle.operation(order, "0010") == ("98", "0", "0")


async def test_a_whole_order_is_confirmed_and_completed_under_lost_answers(
    oracle: OracleProcess, erp: OracleErp, ledger: SqlLedger, order: str
) -> None:
    received = await oracle.on_hand("FG-100", "FG01")
    await oracle.fault("error_after_commit", probability=0.5, seed=11)
    for operation in ("0010", "0020", "0030"):
        done = await drive(erp, ledger, draft(order, 1, "100", operation, final=True))
        assert done.outcomes[0].state is PostingState.POSTED
    completion = CompleteOrder(plant="demo", order=order, posting_date=confirmed(order).posting_date)
    draft_of_it = PostingDraft(plant="demo", intent=PostingIntent(key=uuid4(), transaction=completion))
    assert (await drive(erp, ledger, draft_of_it)).outcomes[0].state is PostingState.POSTED
    await oracle.heal()
    books = await oracle.order(order)
    assert books["status"] == ["COMPLETED"]
    assert [op["yield"] for op in books["operations"]] == ["100", "100", "100"]
    assert await oracle.on_hand("FG-100", "FG01") == received + 100


async def test_a_commit_slower_than_every_timeout_with_its_worker_killed_is_booked_once(
    oracle: OracleProcess, erp: OracleErp, ledger: SqlLedger, order: str
) -> None:
    """Slower than timeout plus settle time: the operation's lock and the look hold the second request."""
    await oracle.fault("slow", calls=1, seconds=4.5, path="operationTransactions")
    attempt = asyncio.create_task(procedure(erp, ledger).settle(draft(order, 0)))
    for _ in range(200):
        if (await oracle.books())["locks"]:
            break
        await asyncio.sleep(0.02)
    attempt.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await attempt
    result = await drive(erp, ledger, draft(order, 0))
    assert result.outcomes[0].state is PostingState.POSTED
    assert await oracle.operation(order, "0010") == ("2", "0", "0")


async def test_one_confirmation_costs_few_calls(
    oracle: OracleProcess, erp: OracleErp, ledger: SqlLedger, order: str
) -> None:
    await drive(erp, ledger, draft(order, 0))  # item controls are known from then on
    (await oracle.control.delete("/_control/calls")).raise_for_status()
    await drive(erp, ledger, draft(order, 1))
    calls = (await oracle.control.get("/_control/calls")).json()
    assert sum(count for _, count in calls) <= 5
