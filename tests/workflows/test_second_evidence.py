"""The source's own counters, read again at start and end of an operation: what they say decides about final."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from temporalio import activity
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from activities.source import READ_SOURCE, ReadSource, SourceReadings
from signals.decisions import Answer, DecideCase
from signals.documents import CaseAction, CaseKind
from signals.ids import edge_task_queue
from signals.reports import ParkedWhy
from signals.status import OrderStatus
from tests.workflows.bench import LINE, Bench
from workers.edge import SOURCE_UNAVAILABLE

ORDER = "1000001"


class Source:
    """The machine behind the gateway: it shows what the feed has counted, or something else, or nothing."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.off_by = 0
        self.ahead = timedelta()
        self.reachable = True
        self.asked = 0
        self._question = asyncio.Condition()

    async def was_asked(self, times: int) -> None:
        async with asyncio.timeout(30), self._question:
            await self._question.wait_for(lambda: self.asked >= times)

    @activity.defn(name=READ_SOURCE)
    async def read_source(self, question: ReadSource) -> SourceReadings:
        self.asked += 1
        async with self._question:
            self._question.notify_all()
        if not self.reachable:
            raise ApplicationError("the session is down", type=SOURCE_UNAVAILABLE)
        feed = self._bench.feed
        shown = {tag: feed.totals[question.station, tag] for tag in question.tags}
        shown["Good"] += self.off_by
        return SourceReadings(totals=shown, at=feed.now + self.ahead)

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """The gateway polls for questions inside the block."""
        bench = self._bench
        queue = edge_task_queue(bench.id, LINE)
        worker = Worker(
            bench.client,
            task_queue=queue,
            activities=[self.read_source],
            graceful_shutdown_timeout=timedelta(seconds=1),
        )
        async with worker:
            yield


async def run_order(bench: Bench, pieces: int = 10) -> None:
    """Everything but the order's end at the station."""
    await bench.start_order(ORDER, planned=pieces)
    bench.feed.order(ORDER)
    bench.feed.make(pieces)
    await bench.feed.send()
    await bench.until(ORDER, lambda s: s.postings == 1)
    await bench.until_line(lambda s: s.checks == 0)


async def leave(bench: Bench) -> None:
    bench.feed.order("")
    await bench.feed.send()


async def accept(bench: Bench, status: OrderStatus) -> None:
    [case] = status.cases
    assert case.kind is CaseKind.SECOND_EVIDENCE
    wish = DecideCase(
        decision_id="e1", case_id=case.case_id, action=CaseAction.ACCEPT, by="shift-lead", reason="looked at the box"
    )
    assert (await bench.order(ORDER).execute_update("decide_case", wish, result_type=Answer)).accepted


async def test_a_second_reading_that_agrees_lets_the_order_close(open_bench):
    async with open_bench(second_evidence=True) as bench:
        source = Source(bench)
        async with source.answering():
            await run_order(bench)
            assert source.asked == 1, "read at the start of the order"
            await leave(bench)
            await bench.closed(ORDER)
        assert source.asked == 2
        assert bench.erp.booked(ORDER, "0010") == (10, 0)


async def test_a_reading_newer_than_the_events_waits_for_the_watermark(open_bench):
    async with open_bench(second_evidence=True) as bench:
        source = Source(bench)
        async with source.answering():
            await run_order(bench)
            source.ahead = timedelta(seconds=30)
            await leave(bench)
            await source.was_asked(2)
            assert (await bench.until_line(lambda s: s.outbox == 0)).checks == 1
            await bench.feed.pass_time(30)
            await bench.closed(ORDER)
            assert source.asked == 2


async def test_a_second_reading_that_differs_twice_is_a_case_before_anything_final(open_bench):
    async with open_bench(second_evidence=True) as bench:
        source = Source(bench)
        async with source.answering():
            await run_order(bench)
            source.off_by = 2
            await leave(bench)
            status = await bench.until(ORDER, lambda s: bool(s.cases) and not s.busy)
            assert source.asked == 3, "a difference must show twice"
            assert not any(d.final for d in bench.erp.books)
            assert "differs" in status.cases[0].summary
            parked = await bench.ledger.parked(bench.id, order=ORDER)
            assert [p.why for p in parked] == [ParkedWhy.EVIDENCE_DISAGREES]
            await accept(bench, status)
            await bench.closed(ORDER)


async def test_a_difference_that_a_piece_in_between_explains_is_none(open_bench):
    async with open_bench(second_evidence=True) as bench:
        source = Source(bench)
        first = source.read_source

        @activity.defn(name=READ_SOURCE)
        async def wrong_once(question: ReadSource) -> SourceReadings:
            answer = await first(question)
            source.off_by = 0
            return answer

        source.read_source = wrong_once
        async with source.answering():
            await run_order(bench)
            source.off_by = 1
            await leave(bench)
            await bench.closed(ORDER)
            assert source.asked == 3


@pytest.mark.long
async def test_a_source_that_cannot_be_read_is_a_case_and_no_end_of_the_line(open_bench):
    async with open_bench(second_evidence=True) as bench:
        source = Source(bench)
        async with source.answering():
            await run_order(bench)
            source.reachable = False
            await leave(bench)
            status = await bench.until(ORDER, lambda s: bool(s.cases) and not s.busy)
            assert "unavailable" in status.cases[0].summary
            await accept(bench, status)
            await bench.closed(ORDER)
        assert bench.erp.booked(ORDER, "0010") == (10, 0)


@pytest.mark.long
@pytest.mark.timeout(240)
async def test_a_gateway_that_never_asks_for_questions_is_a_case_too(open_bench):
    async with open_bench(second_evidence=True) as bench:
        await bench.start_order(ORDER, planned=10)
        bench.feed.order(ORDER)
        bench.feed.make(10)
        bench.feed.order("")
        await bench.feed.send()
        status = await bench.until(ORDER, lambda s: bool(s.cases) and not s.busy, seconds=120)
        assert "unavailable" in status.cases[0].summary
        await accept(bench, status)
        await bench.closed(ORDER)
        assert bench.erp.booked(ORDER, "0010") == (10, 0)
