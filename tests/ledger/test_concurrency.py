"""Several tasks and processes on one ledger: one report, one posting; one order, one posting on its way."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.connect import open_ledger
from ledger.port import ClaimResult, Credit
from ledger.store import SqlLedger
from signals.decisions import DecideCase
from signals.documents import CaseAction, PostingState
from signals.errors import BadInput
from tests.ledger import contender
from tests.ledger.examples import ORDER, PLANT, START, hand_entry, posting, record, report


async def contend(url: str, task: str, names: list[str]) -> dict[str, list[str]]:
    """Run one contender process per name, all started at once."""
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            contender.__file__,
            url,
            task,
            name,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for name in names
    ]
    answers = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [process.returncode for process in processes] == [0] * len(processes)
    return {name: json.loads(out) for name, (out, _) in zip(names, answers, strict=True)}


async def test_processes_never_give_one_report_to_two_postings(database_url: str) -> None:
    answers = await contend(database_url, "claim", ["1", "2"])
    ledger = await open_ledger(database_url)
    loaded = await ledger.load_order(PLANT, ORDER)
    await ledger.close()
    holders = Counter(name for outcome in loaded.postings for name in outcome.report_ids)
    assert holders
    assert max(holders.values()) == 1
    assert {key for keys in answers.values() for key in keys} == {str(outcome.key) for outcome in loaded.postings}


async def test_processes_never_have_two_postings_of_an_order_on_their_way(database_url: str) -> None:
    answers = await contend(database_url, "send", ["left", "right"])
    ledger = await open_ledger(database_url)
    for number in (f"order-{n}" for n in range(20)):
        states = [outcome.state for outcome in (await ledger.load_order(PLANT, number)).postings]
        assert sorted(states) == [PostingState.CLAIMED, PostingState.SENT]
    await ledger.close()
    assert len(answers["left"]) + len(answers["right"]) == 20


async def test_processes_that_start_at_once_share_one_fresh_ledger(database_url: str) -> None:
    answers = await contend(database_url, "open", ["a", "b"])
    assert [len(keys) for keys in answers.values()] == [1, 1]


async def test_tasks_that_send_at_once_let_one_through(ledger: SqlLedger) -> None:
    postings = [posting(f"r{n}", operation=f"00{n}0") for n in range(1, 9)]
    for claimed in postings:
        await ledger.claim(claimed)
    sent = await asyncio.gather(
        *(
            ledger.mark_sent(
                claimed.key,
                token="t",
                deadline=START + timedelta(minutes=1),
                totals_before=(),
                documents_before=(),
            )
            for claimed in postings
        )
    )
    assert sum(sent) == 1


async def test_tasks_cannot_use_the_same_credit_twice(ledger: SqlLedger) -> None:
    case = await ledger.open_case(hand_entry("77/1", "5"))
    await ledger.decide_case(
        PLANT,
        DecideCase(decision_id="d", case_id=case.case_id, action=CaseAction.ADOPT, by="supervisor", reason="seen"),
    )
    part = Credit(operation="0010", yield_quantity=case.yield_quantity)
    answers = await asyncio.gather(*(ledger.claim(posting(f"r{n}"), part) for n in range(6)), return_exceptions=True)
    assert sum(isinstance(answer, ClaimResult) for answer in answers) == 1
    assert sum(isinstance(answer, BadInput) for answer in answers) == 5
    assert len(await ledger.known_keys(PLANT, ORDER)) == 1


async def test_concurrent_records_of_a_line_leave_one_state(ledger: SqlLedger) -> None:
    answers = await asyncio.gather(
        *(ledger.record_line(record(n, report(f"r{n}", n, events=(f"e{n}",)))) for n in range(1, 9))
    )
    stored = [n for n, answer in enumerate(answers, start=1) if answer is None]
    loaded = await ledger.load_order(PLANT, ORDER)
    assert [message.number for message in loaded.messages] == stored
    assert 8 in stored


async def test_cancelled_writes_leave_the_ledger_usable(ledger: SqlLedger) -> None:
    tasks = [asyncio.create_task(ledger.claim(posting(f"r{n}"))) for n in range(12)]
    await tasks[0]
    for task in tasks[1:]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for n in range(12):
        assert (await ledger.claim(posting(f"r{n}"))).posting == posting(f"r{n}")


@pytest.fixture
def fresh_orders() -> FreshOrders:
    return FreshOrders()


class FreshOrders:
    """Gives every example of a property an order, and reports, of its own."""

    def __init__(self) -> None:
        self.count = 0

    def next(self) -> str:
        self.count += 1
        return f"P{self.count}"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sets=st.lists(
        st.sets(st.integers(0, 6), min_size=1, max_size=5).map(lambda chosen: tuple(sorted(chosen))),
        min_size=2,
        max_size=6,
    )
)
async def test_overlapping_claims_of_tasks_share_out_the_reports(
    ledger: SqlLedger, fresh_orders: FreshOrders, sets: list[tuple[int, ...]]
) -> None:
    number = fresh_orders.next()
    wanted = [posting(*(f"{number} r{n}" for n in chosen), order_id=number) for chosen in sets]
    answers = await asyncio.gather(*(ledger.claim(claimed) for claimed in wanted))
    holders = Counter(
        name for outcome in (await ledger.load_order(PLANT, number)).postings for name in outcome.report_ids
    )
    assert max(holders.values()) == 1
    for claimed, answer in zip(wanted, answers, strict=True):
        if answer.posting is not None:
            assert answer.posting.key == claimed.key
            assert all(holders[name] for name in claimed.report_ids)
        else:
            held = {name for other in answer.others for name in other.report_ids}
            assert set(answer.rest) == set(claimed.report_ids) - held
            assert held & set(claimed.report_ids)
