"""Replays a recorded machine log through the whole way: filter, edge log, Line, orders, ERP, and compares the books.

The same parts as in production, an embedded Temporal server and a simulated ERP of its own; only time runs faster.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import tempfile
import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError
from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy
from temporalio.service import RPCError

from domain.plant import PlantConfig, PostingConfig, SiteConfig, TagKind
from domain.plant_erp import ErpConfig
from erp.factory import create_erp
from ledger.connect import open_ledger
from ledger.port import LedgerPort
from ledger.store import SqlLedger
from scada.filter import EdgeFilter
from scada.forwarder import Forwarder
from scada.log import EdgeLog
from scada.reading import Reading
from scada.recording import Playback, Watermark, open_recording, play
from signals.base import ZERO
from signals.decisions import Answer, DecideParked
from signals.errors import BadInput
from signals.events import MachineEvent, OrderAspect, OrderEvent
from signals.ids import event_id, line_workflow_id, order_workflow_id, plant_task_queue
from signals.orders import OrderPhase
from signals.reports import ParkedItem, Refusal
from signals.status import LineStatus, OrderStatus
from workers.data_converter import data_converter
from workers.demo.books import Pieces, Place, erp_figures, key_differences, own_books, standing
from workers.edge import TemporalSink
from workers.erp_events import PlantEvents, serve_events
from workers.plant_worker import WorkerOptions, build_workers
from workers.profile import ReplayProfile, load_profile
from workers.replay_erp import ReplayErp, orders_seed
from workers.replay_stops import RecordedDay
from workers.simulated_erp import EVENTS_SECRET, SIMULATED, ErpControl
from workers.temporal_server import EmbeddedTemporal, ServerOptions
from workflows.common import TASK_TIMEOUT
from workflows.production_order import OrderInput, ProductionOrder

PLANT = "replay"
APPEND_EVERY = 200
SETTLE_SECONDS = 300.0

Progress = Callable[[str], None]


@dataclass
class Played:
    """What the recording led to on its way to the log."""

    by_kind: Counter[str] = field(default_factory=Counter)
    by_tag: Counter[str] = field(default_factory=Counter)
    readings: int = 0
    kept: int = 0
    appended: int = 0


def load_decisions(path: Path | None) -> list[DecideParked]:
    """The decisions file (design section 11): `[[decision]]` with item, action, reason, by."""
    if path is None:
        return []
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"decisions file {path} cannot be read: {error}", subject=str(path)) from error
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"decisions file {path} is no TOML: {error}", subject=str(path)) from error
    given = content.get("decision", [])
    if not isinstance(given, list):
        raise BadInput(f"decisions file {path} has no list of decisions", subject=str(path), hint="write [[decision]]")
    decisions: list[DecideParked] = []
    for number, entry in enumerate(given, start=1):
        action = entry.get("action") if isinstance(entry, dict) else None
        if action not in ("accept", "reject"):
            hint = 'write action = "accept" or action = "reject"'
            raise BadInput(f"{path}, decision {number}: action is {action!r}", subject=str(path), hint=hint)
        try:
            decisions.append(
                DecideParked(
                    decision_id=f"file:{entry.get('item')}",
                    item=entry.get("item", ""),
                    accept=action == "accept",
                    by=entry.get("by", ""),
                    reason=entry.get("reason", ""),
                )
            )
        except ValidationError as error:
            missing = ", ".join(str(e["loc"][0]) for e in error.errors())
            raise BadInput(f"{path}, decision {number}: {missing} missing or empty", subject=str(path)) from error
    return decisions


async def run_replay(
    profile: str,
    file: Path,
    *,
    erp: str = "sap",
    decisions: Path | None = None,
    data: Path | None = None,
    progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Play `file` by `profile` into a simulated ERP and return the closing object of design section 11.

    Raises BadInput for a profile, recording, ERP name or decisions file that cannot be used.
    """
    if erp not in SIMULATED:
        raise BadInput(f"a replay cannot post to {erp!r}", subject="--erp", hint=f"it knows {', '.join(SIMULATED)}")
    chosen = load_profile(profile)
    wishes = load_decisions(decisions)
    with open_recording(file) as files:
        playback = play(files, chosen)
        playback.check()
        with _directory(data) as folder:
            async with _house(chosen, erp, folder, progress) as house:
                return await house.replay(playback, wishes, progress)


@contextlib.contextmanager
def _directory(data: Path | None) -> Iterator[Path]:
    if data is not None:
        folder = data / f"replay-{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
        folder.mkdir(parents=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="plantwright-replay-") as temporary:
        yield Path(temporary)


@contextlib.asynccontextmanager
async def _house(profile: ReplayProfile, kind: str, folder: Path, progress: Progress) -> AsyncIterator[ReplayHouse]:
    """Everything a replay needs, started and stopped around the block."""
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(
            EmbeddedTemporal(folder / "temporal", ServerOptions(headless=True), progress=progress)
        )
        erp = await stack.enter_async_context(ReplayErp(kind, folder))
        await erp.seed(orders_seed(profile))
        plant = _plant(profile, erp.config)
        ledger = await open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
        stack.push_async_callback(ledger.close)
        events = await _events(stack, erp.control, ledger) if erp.control.sends_events else None
        adapter = create_erp(plant.erp, PLANT, erp.environ, events=events)
        stack.push_async_callback(adapter.aclose)
        client = await Client.connect(server.address, namespace=server.namespace, data_converter=data_converter)
        for worker in build_workers(client, plant, ledger, adapter, WorkerOptions(graceful_seconds=5)):
            await stack.enter_async_context(worker)
        log = EdgeLog(folder / "edge.sqlite", plant=PLANT, line=profile.line.id)
        stack.callback(log.close)
        yield ReplayHouse(profile, plant, client, ledger, erp, log)


async def _events(stack: contextlib.AsyncExitStack, control: ErpControl, ledger: SqlLedger) -> PlantEvents:
    """Takes the ERP's events in until the stack unwinds."""
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    secret = control.environ[EVENTS_SECRET]
    serving = asyncio.create_task(serve_events(ledger, (PLANT,), secret, 0, on_ready=listening.set_result))

    async def stop() -> None:
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving

    stack.push_async_callback(stop)
    await asyncio.wait({listening, serving}, return_when=asyncio.FIRST_COMPLETED)
    if serving.done():
        serving.result()
    await control.send_events_to(f"{listening.result()}/{PLANT}")
    return PlantEvents(ledger, PLANT)


def _plant(profile: ReplayProfile, erp: ErpConfig) -> PlantConfig:
    line = profile.line.model_copy(update={"second_evidence": False})
    posting = PostingConfig(technical_completion="automatic", retry_seconds=(1, 1, 2, 5))
    given = {"plant": SiteConfig(id=PLANT), "line": (line,), "erp": erp, "posting": posting}
    return PlantConfig.model_validate({**given, "downtime": profile.downtime})


class ReplayHouse:
    """A running house for one recording."""

    def __init__(
        self,
        profile: ReplayProfile,
        plant: PlantConfig,
        client: Client,
        ledger: LedgerPort,
        erp: ReplayErp,
        log: EdgeLog,
    ) -> None:
        self._profile = profile
        self._plant = plant
        self._client = client
        self._ledger = ledger
        self._erp = erp
        self._log = log
        self._orders = sorted({o.order for o in profile.orders})
        self._day = RecordedDay(profile.line)

    async def replay(self, playback: Playback, wishes: list[DecideParked], progress: Progress) -> dict[str, Any]:
        """Play, settle, decide, compare."""
        started = datetime.now(UTC)
        await self._start_orders()
        progress(f"playing {playback.result.files} files")
        played, edge_filter = await self._play(playback, progress)
        await self._quiet(progress)
        unknown = await self._decide(wishes, progress)
        closing = await self._closing(playback, played, edge_filter)
        closing["decisions_without_item"] = unknown
        closing["seconds"] = round((datetime.now(UTC) - started).total_seconds(), 1)
        return closing

    async def _start_orders(self) -> None:
        for order in self._orders:
            await self._client.start_workflow(
                ProductionOrder.run,
                OrderInput(plant=PLANT, order=order),
                id=order_workflow_id(PLANT, order),
                task_queue=plant_task_queue(PLANT),
                id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                task_timeout=TASK_TIMEOUT,
            )

    # --- the way in --------------------------------------------------------------------------------------
    async def _play(self, playback: Playback, progress: Progress) -> tuple[Played, EdgeFilter]:
        """Recording to filter to durable log, forwarded meanwhile; returns when the Line has taken everything in."""
        line = self._profile.line
        sink = TemporalSink(self._client, PLANT, line.id)
        forwarder = Forwarder(self._log, sink, pace_seconds=0.05, watermark_seconds=0.2)
        edge_filter = EdgeFilter(line, self._profile.server_uri)
        played = Played()
        forwarding = asyncio.create_task(forwarder.run())
        try:
            await self._feed(playback, edge_filter, forwarder, played)
            progress(f"{playback.result.lines} lines read, {played.kept} events kept; forwarding")
            await self._forwarded(forwarding)
        finally:
            forwarding.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await forwarding
        return played, edge_filter

    async def _feed(self, playback: Playback, edge_filter: EdgeFilter, forwarder: Forwarder, played: Played) -> None:
        waiting: list[MachineEvent] = []
        watermark: datetime | None = None

        async def append() -> None:
            stored = await asyncio.to_thread(
                self._log.append, list(waiting), watermark=watermark, filter_state=edge_filter.state()
            )
            played.appended += stored
            waiting.clear()
            forwarder.notify()

        last: datetime | None = None
        for item in playback:
            if isinstance(item, Watermark):
                watermark = edge_filter.watermark(item.at)
                last = item.at
                await append()
                continue
            if isinstance(item, Reading):
                played.readings += 1
                events = edge_filter.accept(item)
                for event in events:
                    played.kept += 1
                    played.by_kind[event.kind] += 1
                    played.by_tag[event.tag] += 1
            else:
                events = (item,)
                played.by_kind[item.kind] += 1
            for event in events:
                self._day.keep(event)
            waiting.extend(events)
            if len(waiting) >= APPEND_EVERY:
                await append()
        for span in playback.result.days.values():
            self._day.saw(*span)
        if last is not None:
            waiting.extend(edge_filter.flush(last))
            waiting.extend(self._recording_ends(last))
            watermark = last
            await append()

    def _recording_ends(self, at: datetime) -> list[MachineEvent]:
        """Nothing more is recorded: the last order leaves its station, as it would when the next one came."""
        if not self._profile.has_runs:
            return []
        return [
            OrderEvent(
                event_id=event_id(self._profile.server_uri, f"{station.id}.order", at.isoformat(), "end", ""),
                at=at,
                equipment=station.id,
                tag="order",
                aspect=OrderAspect.ORDER,
                value="",
            )
            for station in self._profile.line.stations
        ]

    async def _forwarded(self, forwarding: asyncio.Task[None]) -> None:
        handle = self._client.get_workflow_handle(line_workflow_id(PLANT, self._profile.line.id))
        while not forwarding.done():
            if not self._log.pending:
                with contextlib.suppress(RPCError):
                    status = await handle.query("status", result_type=LineStatus)
                    if self._log.watermark is None or status.watermark == self._log.watermark:
                        return
            await asyncio.sleep(0.1)
        await forwarding

    # --- settling ----------------------------------------------------------------------------------------
    async def _quiet(self, progress: Progress) -> None:
        """Wait until the Line has handed everything over and no order has anything left to do by itself."""
        if self._log.last_seq == 0:
            return
        line = self._client.get_workflow_handle(line_workflow_id(PLANT, self._profile.line.id))
        await line.execute_update("flush", result_type=LineStatus)
        deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
        for order in self._orders:
            while True:
                status = await self._status(order)
                if status.phase is OrderPhase.CLOSED or not status.busy:
                    break
                if asyncio.get_running_loop().time() > deadline:
                    raise TimeoutError(f"order {order} did not settle within {SETTLE_SECONDS:.0f} s: {status}")
                await asyncio.sleep(0.1)
        progress("books are quiet")

    async def _status(self, order: str) -> OrderStatus:
        handle = self._client.get_workflow_handle(order_workflow_id(PLANT, order))
        return await handle.query("status", result_type=OrderStatus)

    async def _decide(self, wishes: list[DecideParked], progress: Progress) -> list[str]:
        if not wishes or self._log.last_seq == 0:
            return [w.item for w in wishes]
        line = self._client.get_workflow_handle(line_workflow_id(PLANT, self._profile.line.id))
        unknown: list[str] = []
        for wish in wishes:
            answer = await line.execute_update("decide_parked", wish, result_type=Answer)
            progress(f"item {wish.item}: {answer.message}")
            if not answer.accepted:
                unknown.append(wish.item)
        await self._quiet(progress)
        return unknown

    # --- closing -----------------------------------------------------------------------------------------
    async def _closing(self, playback: Playback, played: Played, edge_filter: EdgeFilter) -> dict[str, Any]:
        result = playback.result
        books = await self._erp.books()
        refusals = await self._ledger.refusals(PLANT)
        rules = Counter(r.rule for r in [*result.refusals, *refusals])
        parked = await self._ledger.parked(PLANT)
        comparison = await self._compare(books)
        read = result.lines
        return {
            "profile": self._profile.id,
            "erp": self._plant.erp.kind,
            "lines": read,
            "rejected": result.rejected_lines,
            "rejected_lines": [
                {"file": r.file, "line": r.line, "reason": r.reason, "text": r.text} for r in result.rejected
            ],
            "runs": result.runs,
            "events": {
                "by_kind": dict(sorted(played.by_kind.items())),
                "by_tag": self._by_tag(played, playback),
                "repeated": dict(sorted(result.repeated.items())),
                "stored": played.appended,
            },
            "unmapped": dict(sorted(result.unmapped.items())),
            "dropped_ratio": f"{1 - played.kept / read:.6f}" if read else "0",
            "dropped_by_rule": dict(sorted(edge_filter.stats.dropped_by_rule.items())),
            "posted_completions": comparison.pop("posted_completions"),
            "settled_by_rule": dict(sorted(rules.items())),
            "refusals": [_refusal(r) for r in [*result.refusals, *refusals]],
            "parked": [_parked(p) for p in parked],
            "documents": len(comparison["document_list"]),
            **comparison,
            **self._day.closing(self._plant),
        }

    def _by_tag(self, played: Played, playback: Playback) -> dict[str, int]:
        """Events the filter kept, by tag; a recording's repeats of events that are never thinned count here too."""
        tags = [t for s in self._profile.line.stations for t in s.tags]
        whole = {t.name for t in tags if t.kind is not TagKind.MEASUREMENT}
        repeated = playback.result.repeated
        return {tag: n + (repeated[tag] if tag in whole else 0) for tag, n in sorted(played.by_tag.items())}

    async def _compare(self, books: Mapping[str, Any]) -> dict[str, Any]:
        """The ERP's own books against the ledger: totals, one document per key, no document without one."""
        figures = erp_figures(books)
        totals: dict[Place, Pieces] = {}
        for order in self._orders:
            for total in await self._ledger.totals(PLANT, order):
                totals[Place(order, total.operation)] = Pieces(total.yield_quantity, total.scrap_quantity or ZERO)
        traces = {order: await self._ledger.trace(PLANT, order) for order in self._orders}
        wrong = [
            f"{place.text()}: the ERP has {theirs.text()}, the ledger {ours.text()}"
            for place in sorted({*figures, *totals})
            if (theirs := figures.get(place, Pieces())) != (ours := totals.get(place, Pieces()))
        ]
        wrong += key_differences(own_books(traces, totals), books)
        documents = [
            {
                "document": d["id"],
                "order": d["order"],
                "operation": d["operation"],
                "yield": d["yield"],
                "key": d["key"],
            }
            for d in standing(books)
        ]
        posted = int(sum((pieces.good for pieces in figures.values()), ZERO))
        return {"posted_completions": posted, "document_list": documents, "agree": not wrong, "differences": wrong}


_ITEMS: TypeAdapter[ParkedItem] = TypeAdapter(ParkedItem)


def _parked(item: ParkedItem) -> dict[str, Any]:
    content = _ITEMS.dump_python(item, mode="json")
    return {
        "item": item.item,
        "why": item.why.value,
        "detail": item.detail,
        "order": item.order,
        "operation": item.operation,
        "serial": item.serial,
        "at": content["at"],
        "yield": content["yield_quantity"],
        "evidence": content["evidence"],
    }


def _refusal(refusal: Refusal) -> dict[str, Any]:
    return refusal.model_dump(mode="json")
