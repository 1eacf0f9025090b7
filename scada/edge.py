"""A line's edge: session, filter, log and forwarder put together; and the file that stands in for a server.

What the session hands over is filtered and stored in one commit before the machine's server is acknowledged. Not for
Temporal (workers.edge).
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from domain.clock import PlantClock
from domain.hold_rules import speaks_against
from domain.plant import LineConfig
from domain.plant_quality import QualityConfig
from scada.filter import EdgeFilter
from scada.forwarder import Forwarder
from scada.log import EdgeLog, EdgeLogError
from scada.nodes import TagAddress
from scada.reading import Reading
from scada.session import Gap, OpcUaSession, SessionState
from scada.sink import Sink, SinkUnavailable
from signals.events import BatchReceipt, EventBatch, GapEvent, Quality
from signals.ids import event_id, time_text

_KEEP = timedelta(days=14)
_PACE_SECONDS = 1.0
_IDLE_SECONDS = 3.0
_PURGE_SECONDS = 3600.0
_WATERMARK_COMMIT_SECONDS = 0.5


class Edge:
    """One line from its OPC UA server to the sink. The log is the caller's: it opens and closes it."""

    def __init__(
        self,
        line: LineConfig,
        log: EdgeLog,
        sink: Sink,
        *,
        environ: Mapping[str, str],
        clock: PlantClock | None = None,
        keep: timedelta = _KEEP,
        quality: QualityConfig | None = None,
    ) -> None:
        """`keep` is how long forwarded events stay, for a receiver that has to be told again.

        `quality` has the rules that hold material: what speaks against it does not wait for the pace.
        """
        if line.opcua is None:
            raise ValueError(f"line {line.id} has no [line.opcua] table; an edge gateway needs its endpoint")
        self.line = line
        self.log = log
        self._clock = clock or PlantClock()
        self._keep = keep
        self._quality = quality or QualityConfig()
        self._server = line.opcua.endpoint
        self._settle = timedelta(milliseconds=line.opcua.settle_ms)
        self._filter = EdgeFilter(line, self._server, log.filter_state)
        self._last_commit = time.monotonic()
        # The pace counts in plant time: a line that runs faster is reported sooner, within reason.
        hurry = min(5.0, max(1.0, self._clock.factor))
        self.forwarder = Forwarder(
            log, sink, clock=self._clock, pace_seconds=_PACE_SECONDS / hurry, watermark_seconds=_IDLE_SECONDS / hurry
        )
        self.session = OpcUaSession(line, environ, self.take, self.take_gap, clock=self._clock, last_seen=log.watermark)

    async def run(self) -> None:
        """Works until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.session.run(), name=f"opcua {self.line.id}")
            tasks.create_task(self.forwarder.run(), name=f"forward {self.line.id}")
            tasks.create_task(self._purge(), name=f"purge {self.line.id}")

    async def take(self, readings: Sequence[Reading], heartbeat: datetime | None) -> None:
        """Filters and stores what one publish response said. Raises EdgeLogError: then nothing of it was taken."""
        try:
            await self._take(readings, heartbeat)
        except BaseException:
            # The filter has moved on, the log has not: back to what is durable, or the repeat would be filtered away.
            self._filter = EdgeFilter(self.line, self._server, self.log.filter_state)
            raise

    async def _take(self, readings: Sequence[Reading], heartbeat: datetime | None) -> None:
        events = [event for reading in readings for event in self._filter.accept(reading)]
        watermark = None
        if heartbeat is not None:
            settled = heartbeat - self._settle
            events += self._filter.flush(settled)
            watermark = self._filter.watermark(settled)
        state = self._filter.state()
        idle = not events and state == self.log.filter_state and not self.forwarder.owes
        if idle and time.monotonic() - self._last_commit < _WATERMARK_COMMIT_SECONDS:
            return
        await asyncio.to_thread(self.log.append, events, watermark=watermark, filter_state=state)
        self._last_commit = time.monotonic()
        against = [e.at for e in events if speaks_against(self._quality, self.line.id, e)]
        self.forwarder.notify(events, owed=max(against, default=None))

    async def take_gap(self, gap: Gap) -> None:
        """Stores what was not seen, so that nobody downstream takes silence for standstill."""
        event = self._gap_event(gap)
        await asyncio.to_thread(self.log.append, [event])
        self.forwarder.notify([event])

    def _gap_event(self, gap: Gap) -> GapEvent:
        # A gap of the session concerns every station: it bears the line's own name.
        equipment, tag = (gap.tag.equipment, gap.tag.tag.name) if gap.tag else (self.line.id, "session")
        return GapEvent(
            event_id=event_id(self._server, f"gap {equipment}.{tag}", time_text(gap.at), "", time_text(gap.gap_from)),
            at=gap.at,
            equipment=equipment,
            tag=tag,
            quality=Quality.BAD,
            received_at=self._clock.plant_time(datetime.now(UTC)),
            gap_from=gap.gap_from,
            reason=gap.reason,
        )

    async def _purge(self) -> None:
        while True:
            try:
                removed = await asyncio.to_thread(self.log.purge, datetime.now(UTC) - self._keep)
                if removed:
                    structlog.get_logger().info("old forwarded events removed", line=self.line.id, events=removed)
            except EdgeLogError as broken:
                structlog.get_logger().error("the edge log cannot be purged", line=self.line.id, why=str(broken))
            await asyncio.sleep(_PURGE_SECONDS)

    async def read_now(self, addresses: Sequence[TagAddress]) -> list[Reading]:
        """Reads tags from the machine itself; see OpcUaSession.read_now."""
        return await self.session.read_now(addresses)

    def report(self) -> dict[str, object]:
        """What a health check wants to know of this line."""
        log, session = self.log, self.session
        plant_now = self._clock.plant_time(datetime.now(UTC))
        oldest = log.stored_at(max(log.forwarded + 1, log.oldest_seq)) if log.pending else None
        return {
            "source": log.source,
            "session": session.state.value,
            "session_error": session.last_error,
            "tags": len(session.expected),
            "live_tags": len(session.live_tags),
            "tag_troubles": {a.name: f"{t.code}: {t.detail}" for a, t in session.troubles.items()},
            "events": log.last_seq,
            "pending_events": log.pending,
            "oldest_pending_seconds": _seconds(datetime.now(UTC) - oldest) if oldest else 0.0,
            "watermark": time_text(log.watermark) if log.watermark else None,
            "watermark_age_plant_seconds": _seconds(plant_now - log.watermark) if log.watermark else None,
            "forward_error": self.forwarder.last_error,
            "healthy": session.state is SessionState.LIVE and not session.troubles and not self.forwarder.last_error,
        }


def _seconds(span: timedelta) -> float:
    return round(span.total_seconds(), 3)


class FileSink:
    """A receiver that is a file: one event a line (NDJSON), in order and once, as a Line would take them.

    What the file holds is its high-water: after a restart it goes on where it ended, an emptied file is filled again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._high_water: dict[str, int] | None = None
        self._lock = asyncio.Lock()

    async def send(self, batch: EventBatch) -> BatchReceipt:
        """Appends what is new. Raises SinkUnavailable when the file cannot be written."""
        async with self._lock:
            try:
                return await asyncio.to_thread(self._append, batch)
            except OSError as error:
                self._high_water = None
                raise SinkUnavailable(f"{self.path} cannot be written: {error}") from error

    def _append(self, batch: EventBatch) -> BatchReceipt:
        if self._high_water is None or not self.path.exists():
            self._high_water = self._read_high_water()
        known = self._high_water.get(batch.source, 0)
        if batch.first_seq > known + 1 and batch.oldest_seq <= known + 1:
            return BatchReceipt(high_water=known, applied=False)
        fresh = [e for e in batch.events if e.seq > known]
        with self.path.open("a", encoding="utf-8") as file:
            for sequenced in fresh:
                event = sequenced.event.model_dump(mode="json")
                line = {"source": batch.source, "seq": sequenced.seq, **event}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
        high_water = max(known, batch.last_seq)
        self._high_water[batch.source] = high_water
        return BatchReceipt(high_water=high_water, applied=True, duplicates=len(batch.events) - len(fresh))

    def _read_high_water(self) -> dict[str, int]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        found: dict[str, int] = {}
        if not self.path.exists():
            return found
        with self.path.open("rb+") as file:
            whole = 0
            for line in file:
                if not line.endswith(b"\n"):
                    break
                whole += len(line)
                source, seq = self._source_and_seq(line)
                found[source] = max(found.get(source, 0), seq)
            # A line cut off by a crash is not an event.
            file.truncate(whole)
        return found

    def _source_and_seq(self, line: bytes) -> tuple[str, int]:
        try:
            entry = json.loads(line)
            return str(entry["source"]), int(entry["seq"])
        except (ValueError, TypeError, KeyError) as error:
            raise SinkUnavailable(
                f"{self.path} holds a line that no dry run wrote ({line[:80]!r}); name another file"
            ) from error
