"""Procedure, adapter and ledger against the simulated SAP under faults: its books say whether all went once."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from activities.posting import PostingDraft, PostingProcedure, SettleResult
from erp.sap import SapErp
from ledger.connect import open_ledger
from ledger.store import SqlLedger
from signals.decisions import DecideCase
from signals.documents import CaseAction, CaseKind, PostingState
from signals.ids import posting_key
from signals.transactions import CompleteOrder, ConfirmProduction, PostingIntent, Reverse, Transaction
from tests.erp import scenes

DAY = date(2026, 11, 22)
TIMEOUT, SETTLE = 0.7, 1.2
CONFIRMATIONS = "/sap/opu/odata/sap/API_PROD_ORDER_CONFIRMATION_2_SRV"


def now() -> datetime:
    return datetime.now(UTC)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ledger(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SqlLedger]:
    opened = await open_ledger(f"sqlite+aiosqlite:///{tmp_path_factory.mktemp('ledger') / 'ledger.db'}")
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def erp(sap) -> AsyncIterator[SapErp]:
    adapter = sap.adapter(timeout_seconds=TIMEOUT, settle_seconds=SETTLE)
    yield adapter
    await adapter.aclose()


def procedure(erp: SapErp, ledger: SqlLedger) -> PostingProcedure:
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
    transaction = ConfirmProduction(
        plant="demo",
        order=order,
        operation=operation,
        posting_date=DAY,
        yield_quantity=Decimal(yielded),
        unit="PC",
        **more,
    )
    reports = (f"{order}:{operation}:{number}",)
    key = posting_key("demo", order, operation, transaction.type.value, reports, 0)
    return PostingDraft(plant="demo", intent=PostingIntent(key=key, transaction=transaction, report_ids=reports))


async def drive(erp: SapErp, ledger: SqlLedger, draft: PostingDraft, *, attempts: int = 60) -> SettleResult:
    """Wait for `next_try_at` and ask again, as a workflow does."""
    for _ in range(attempts):
        result = await procedure(erp, ledger).settle(draft)
        if result.outcomes[0].state.is_settled or result.next_try_at is None:
            return result
        await asyncio.sleep(max(0.0, (result.next_try_at - now()).total_seconds()))
    raise AssertionError(f"not settled after {attempts} attempts: {result}")


async def orders_of(sap, count: int, base: str) -> list[str]:
    orders = [f"{base}{number}" for number in range(count)]
    for order in orders:
        await sap.seed_order(order)
    return orders


async def post_all(erp: SapErp, ledger: SqlLedger, orders: list[str], each: int) -> list[SettleResult]:
    async def one_order(order: str) -> list[SettleResult]:
        return [await drive(erp, ledger, draft(order, number)) for number in range(each)]

    return [result for results in await asyncio.gather(*map(one_order, orders)) for result in results]


async def assert_once(sap, ledger: SqlLedger, orders: list[str], each: int) -> None:
    """Every posting stands in SAP's books once, with its movements; ledger and SAP say the same."""
    for order in orders:
        standing = await sap.standing(order)
        assert sum(Decimal(d["yield"]) for d in standing) == 2 * each
        assert len(standing) == each
        assert Decimal((await sap.order(order))["operations"][0]["yield"]) == 2 * each
        assert [t.yield_quantity for t in await ledger.totals("demo", order)] == [Decimal(2 * each)]


async def test_a_mixture_of_faults_on_a_third_of_the_calls_books_everything_once(sap, erp, ledger, order_number):
    orders = await orders_of(sap, 6, order_number)
    faults = [
        ("timeout_after_commit", {"seconds": 30}),
        ("timeout_before_commit", {"seconds": 30}),
        ("error_after_commit", {}),
        ("duplicate_answer", {}),
        ("refuse", {}),
    ]
    for seed, (mode, options) in enumerate(faults):
        await sap.fault(mode, probability=0.07, seed=seed, path=CONFIRMATIONS, **options)
    results = await post_all(erp, ledger, orders, 5)
    assert {r.outcomes[0].state for r in results} == {PostingState.POSTED}
    await sap.heal()
    await assert_once(sap, ledger, orders, 5)


async def test_time_out_after_commit_on_a_third_of_the_calls_books_everything_once(sap, erp, ledger, order_number):
    orders = await orders_of(sap, 5, order_number)
    await sap.fault("timeout_after_commit", probability=0.33, seed=7, seconds=30)
    results = await post_all(erp, ledger, orders, 4)
    assert Counter(r.outcomes[0].state for r in results) == {PostingState.POSTED: 20}
    await sap.heal()
    await assert_once(sap, ledger, orders, 4)


@pytest.mark.parametrize("memory", ["key_not_searchable", "forget_keys"])
async def test_an_erp_without_a_searchable_key_doubles_nothing(sap, erp, ledger, order_number, memory):
    orders = await orders_of(sap, 3, order_number)
    await sap.fault(memory, probability=1)
    await sap.fault("timeout_after_commit", probability=0.4, seed=3, seconds=30)
    results = await post_all(erp, ledger, orders, 3)
    assert {r.outcomes[0].state for r in results} == {PostingState.POSTED}
    await sap.heal()
    await assert_once(sap, ledger, orders, 3)


async def test_a_commit_slower_than_every_timeout_with_its_worker_killed_is_one_document(sap, erp, ledger, order):
    """Slower than timeout plus settle time; the order's lock and the look before sending hold the second request."""
    await sap.fault("slow", calls=1, seconds=4.5, path=CONFIRMATIONS)
    attempt = asyncio.create_task(procedure(erp, ledger).settle(draft(order, 0)))
    await asyncio.sleep(0.4)
    attempt.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await attempt
    result = await drive(erp, ledger, draft(order, 0))
    assert result.outcomes[0].state is PostingState.POSTED
    await assert_once(sap, ledger, [order], 1)


async def test_an_outage_with_fifty_hand_entries_doubles_nothing_and_asks_about_each(sap, erp, ledger, order):
    await drive(erp, ledger, draft(order, 0))
    await sap.fault("down", probability=1)
    away = await procedure(erp, ledger).settle(draft(order, 1))
    assert (away.outcomes[0].state, away.erp) == (PostingState.CLAIMED, "down")
    await sap.by_hand(order=order, operation="0010", count=50, **{"yield": "1"})
    await sap.heal()
    blocked = await drive(erp, ledger, draft(order, 1), attempts=2)
    assert blocked.outcomes[0].state is PostingState.CLAIMED
    assert Counter(c.kind for c in blocked.cases) == {CaseKind.MANUAL_ENTRY: 50}
    assert len(await sap.standing(order)) == 51
    for case in blocked.cases:
        await ledger.decide_case(
            "demo",
            DecideCase(
                decision_id=case.case_id, case_id=case.case_id, action=CaseAction.POST, by="lead", reason="beside ours"
            ),
        )
    assert (await drive(erp, ledger, draft(order, 1))).outcomes[0].state is PostingState.POSTED
    assert len(await sap.standing(order)) == 52


async def test_a_partial_booking_is_a_shortfall_case_and_one_confirmation(sap, erp, ledger, order):
    await sap.fault("partial", calls=1)
    result = await drive(erp, ledger, draft(order, 0))
    assert result.outcomes[0].state is PostingState.POSTED
    assert result.verified == ()
    assert result.next_try_at is not None
    checked = await procedure(erp, ledger).verify(draft(order, 0).intent.key, last_try=True)
    assert checked.case is not None
    assert checked.case.kind is CaseKind.GOODS_MOVEMENT_SHORTFALL
    assert len(await sap.standing(order)) == 1


async def test_goods_movements_that_post_late_are_no_shortfall(sap, erp, ledger, order):
    await sap.settings(goods_movement_delay_seconds=1.2)
    result = await drive(erp, ledger, draft(order, 0))
    assert (result.outcomes[0].state, result.verified) == (PostingState.POSTED, ())
    key = draft(order, 0).intent.key
    for _ in range(6):
        await asyncio.sleep(0.5)
        checked = await procedure(erp, ledger).verify(key, last_try=False)
        if checked.complete:
            break
    assert checked.complete
    trace = await ledger.trace("demo", order)
    assert [m.material for d in trace.documents for m in d.goods_movements] == ["RM-1"]


async def test_a_closed_period_is_finances_case_and_books_after_a_retry(sap, erp, ledger, order):
    await sap.settings(open_periods=["2026-10"])
    refused = await drive(erp, ledger, draft(order, 0))
    (case,) = refused.cases
    assert (refused.outcomes[0].state, case.owner_role, case.error_code) == (PostingState.REFUSED, "finance", "M7/053")
    await sap.settings(open_periods=None)
    decision = DecideCase(
        decision_id="retry", case_id=case.case_id, action=CaseAction.RETRY, by="finance", reason="period is open"
    )
    await ledger.decide_case("demo", decision)
    assert (await drive(erp, ledger, draft(order, 0))).outcomes[0].state is PostingState.POSTED


async def test_a_whole_order_is_confirmed_corrected_and_completed_under_lost_answers(sap, erp, ledger, order):
    await sap.fault("error_after_commit", probability=0.5, seed=11)
    first = await drive(erp, ledger, draft(order, 0))
    wrong = first.outcomes[0].document
    reversal = Reverse(plant="demo", order=order, operation="0010", document=wrong, posting_date=DAY)
    intent = PostingIntent(key=uuid4(), transaction=reversal, report_ids=(f"reverse:{wrong}",))
    assert (await drive(erp, ledger, PostingDraft(plant="demo", intent=intent))).outcomes[
        0
    ].state is PostingState.POSTED
    for operation in ("0010", "0020", "0030"):
        done = await drive(erp, ledger, draft(order, 1, "100", operation, final=True))
        assert done.outcomes[0].state is PostingState.POSTED
    completion = CompleteOrder(plant="demo", order=order, posting_date=DAY)
    teco = PostingDraft(plant="demo", intent=PostingIntent(key=uuid4(), transaction=completion))
    assert (await drive(erp, ledger, teco)).outcomes[0].state is PostingState.POSTED
    books = await sap.order(order)
    assert "TECO" in books["status"]
    assert [op["yield"] for op in books["operations"]] == ["100", "100", "100"]
    assert books["items"][0]["received"] == "100"
    assert [d["reversal"] for d in await sap.documents(order)].count(True) == 1


# --- postings of several steps ---------------------------------------------------------------------------------------


async def settled(erp: SapErp, ledger: SqlLedger, transaction: Transaction) -> SettleResult:
    """Driven until it and what follows it stand, as a workflow does."""
    key = posting_key("demo", transaction.order, "", transaction.type.value, (uuid4().hex,), 0)
    intent = PostingIntent(key=key, transaction=transaction, report_ids=(f"step:{key}",))
    for _ in range(60):
        result = await procedure(erp, ledger).settle(PostingDraft(plant="demo", intent=intent))
        if result.verified or result.next_try_at is None:
            return result
        await asyncio.sleep(max(0.0, (result.next_try_at - now()).total_seconds()))
    raise AssertionError(f"not settled: {result}")


async def test_a_decision_and_its_stock_postings_are_booked_once_under_lost_answers(sap, ledger, order_number):
    erp = sap.adapter(timeout_seconds=TIMEOUT, settle_seconds=SETTLE, sap=scenes.OPTIONS)
    await scenes.seed(sap, order_number, inspected=True)
    scene = scenes.Scene(sap, erp, order_number)
    decision = scenes.decision(scene, await scene.lot())
    await sap.fault("error_after_commit", probability=0.5, seed=5, method="POST")
    result = await settled(erp, ledger, decision)
    assert result.outcomes[0].state is PostingState.POSTED
    await sap.heal()
    effect = await scene.effect()
    assert effect["lots"][0][:4] == ("8", "2", "0", "A")
    assert result.cases == ()
    await erp.aclose()


async def test_a_serialised_confirmation_and_its_receipt_are_booked_once_under_lost_answers(
    sap, erp, ledger, order_number
):
    await scenes.seed(sap, order_number)
    await sap.seed(materials={f"F{order_number}": {"serial_managed": True}})
    confirmation = ConfirmProduction(
        **scenes.common(order_number), operation="0020", yield_quantity=Decimal(2), unit="PC", serials=("SN1", "SN2")
    )
    await sap.fault("error_after_commit", probability=0.5, seed=3, method="POST")
    result = await settled(erp, ledger, confirmation)
    await sap.heal()
    effect = scenes.effect_of(await sap.books(), order_number)
    assert result.outcomes[0].state is PostingState.POSTED
    assert (effect["operations"][1][0], effect["received"]) == ("2", ["2"])
    assert result.cases == ()


async def test_a_component_issue_whose_answers_are_lost_is_booked_once_each(sap, erp, ledger, order_number):
    await scenes.seed(sap, order_number)
    scene = scenes.Scene(sap, erp, order_number)
    await sap.fault("error_after_commit", probability=0.6, seed=2, method="POST")
    for _ in range(3):
        assert (await settled(erp, ledger, await scenes.issue(scene))).outcomes[0].state is PostingState.POSTED
    await sap.heal()
    assert (await scene.effect())["withdrawn"] == ["0", "15", "0"]
