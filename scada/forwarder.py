"""Sends the edge log to a sink: in order, one batch in flight, again until it is applied (design section 2).

Not for deciding what is sent (scada.filter) nor where to (a Sink). The receiver's high-water is the truth: the log
rewinds to it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime

import structlog

from domain.clock import PlantClock
from scada.log import EdgeLog, EdgeLogError
from scada.sink import Sink, SinkUnavailable
from signals.events import AlarmEvent, BatchReceipt, EventBatch, GapEvent, MachineEvent, OrderEvent, StateEvent

MAX_EVENTS = 200
MAX_BYTES = 64 * 1024

_URGENT = (StateEvent, AlarmEvent, OrderEvent, GapEvent)


class Forwarder:
    """Forwarded means applied by the receiver: the log's mark moves on its receipt only."""

    def __init__(
        self,
        log: EdgeLog,
        sink: Sink,
        *,
        clock: PlantClock | None = None,
        pace_seconds: float = 1.0,
        watermark_seconds: float = 3.0,
        retry_seconds: tuple[float, ...] = (1, 2, 5, 10, 30),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._log = log
        self._sink = sink
        self._clock = clock or PlantClock()
        self._pace = pace_seconds
        self._watermark_every = watermark_seconds
        self._retry = retry_seconds
        self._now = now
        self._monotonic = monotonic
        self._sleep = sleep
        self._wake = asyncio.Event()
        self._urgent = True  # what a former life left behind does not wait for the pace
        self._unanswered: EventBatch | None = None
        self._sent_watermark: datetime | None = None
        self._owed: datetime | None = None
        self._last_answer = monotonic() - max(pace_seconds, watermark_seconds)
        self._failures = 0
        self._rewinds = 0
        self.last_error = ""

    def notify(self, events: Iterable[MachineEvent] = (), *, owed: datetime | None = None) -> None:
        """The log has grown or its watermark moved. States, alarms, orders and gaps are sent at once.

        `owed` is the time of an event that somebody must act on: it is sent at once, and so is the watermark as soon
        as it has passed it, for nobody decides anything before.
        """
        if any(isinstance(event, _URGENT) for event in events):
            self._urgent = True
        if owed is not None:
            self._urgent = True
            self._owed = max(owed, self._owed or owed)
        self._wake.set()

    @property
    def owes(self) -> bool:
        """Somebody waits for the watermark: the log is to note every move of it."""
        return self._owed is not None

    async def run(self) -> None:
        """Forwards until cancelled."""
        log = structlog.get_logger().bind(source=self._log.source)
        while True:
            try:
                await self._until_due()
                await self.send_once()
            except SinkUnavailable as lost:
                self.last_error = str(lost)
                log.warning("events wait: the receiver did not answer", why=str(lost), pending=self._log.pending)
                await self._back_off()
            except EdgeLogError as broken:
                self.last_error = str(broken)
                log.error("events wait: the edge log fails", why=str(broken))
                await self._back_off()

    async def _until_due(self) -> None:
        while True:
            self._wake.clear()
            delay = self._delay()
            if delay is not None and delay <= 0:
                return
            try:
                async with asyncio.timeout(delay):
                    await self._wake.wait()
            except TimeoutError:
                return

    def _delay(self) -> float | None:
        """Seconds until the next batch is due; None while there is nothing to send."""
        since = self._monotonic() - self._last_answer
        if self._unanswered is not None or self._log.pending >= MAX_EVENTS:
            return 0
        if self._is_owed():
            return 0
        if self._log.pending:
            return 0 if self._urgent else self._pace - since
        self._urgent = False
        if self._log.watermark is not None and self._log.watermark != self._sent_watermark:
            return self._watermark_every - since
        return None

    def _is_owed(self) -> bool:
        """The watermark has passed what somebody waits for, and the receiver has not been told."""
        watermark = self._log.watermark
        return self._owed is not None and watermark is not None and watermark >= self._owed

    async def send_once(self) -> BatchReceipt:
        """Sends one batch, or the unanswered one again, and follows the receipt. Raises SinkUnavailable."""
        # The very same batch again, so that the receiver recognises it whatever came meanwhile.
        batch = self._unanswered or await asyncio.to_thread(self._next_batch)
        self._unanswered = batch
        receipt = await self._sink.send(batch)
        self._unanswered = None
        self._last_answer = self._monotonic()
        self._failures = 0
        self.last_error = ""
        await self._follow(batch, receipt)
        return receipt

    def _next_batch(self) -> EventBatch:
        # Numbers that the log no longer has are skipped: `oldest_seq` tells the receiver that they are lost.
        after = max(self._log.forwarded, self._log.oldest_seq - 1)
        events = tuple(self._log.read_after(after, MAX_EVENTS, MAX_BYTES))
        last = events[-1].seq if events else after
        return EventBatch(
            source=self._log.source,
            first_seq=after + 1,
            last_seq=last,
            oldest_seq=self._log.oldest_seq,
            watermark=self._log.watermark_at(last),
            sent_at=self._clock.plant_time(self._now()),
            events=events,
        )

    async def _follow(self, batch: EventBatch, receipt: BatchReceipt) -> None:
        if receipt.applied and receipt.high_water == batch.last_seq:
            await self._note(batch.last_seq)
            self._sent_watermark = batch.watermark
            if self._owed is not None and batch.watermark is not None and batch.watermark >= self._owed:
                self._owed = None
            self._rewinds = 0
            if not self._log.pending:
                self._urgent = False
            return
        log = structlog.get_logger().bind(source=batch.source, high_water=receipt.high_water)
        self._urgent = True
        if receipt.high_water > self._log.last_seq:
            log.error(
                "the receiver knows more events than this log ever held: the file was restored from a copy; "
                "it goes on as a new source",
                last_seq=self._log.last_seq,
            )
            await asyncio.to_thread(self._log.renew_identity)
            return
        log.warning("the receiver is elsewhere: going to its high-water", sent=f"{batch.first_seq}-{batch.last_seq}")
        await self._note(receipt.high_water)
        if receipt.high_water <= batch.last_seq:
            await self._pause_if_stuck(receipt)

    async def _note(self, seq: int) -> None:
        if seq != self._log.forwarded:
            await asyncio.to_thread(self._log.set_forwarded, seq)

    async def _pause_if_stuck(self, receipt: BatchReceipt) -> None:
        """A first rewind is followed at once; a receiver that stays where it is gets time."""
        self._rewinds += 1
        if self._rewinds > 1:
            self.last_error = f"the receiver stays at {receipt.high_water}"
            await self._sleep(self._retry[min(self._rewinds - 2, len(self._retry) - 1)])

    async def _back_off(self) -> None:
        self._failures += 1
        await self._sleep(self._retry[min(self._failures - 1, len(self._retry) - 1)])
