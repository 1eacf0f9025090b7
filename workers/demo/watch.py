"""Looking at the demo: one snapshot after the other of machine, Plantwright and ERP, and waiting for what must come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ledger.port import OrderRecord
from signals.documents import Case, PostingState
from signals.downtime import StopRecord, StopSearch
from signals.holds import HoldRecord, HoldSearch
from signals.orders import OrderPhase
from workers.demo.books import CONFIRMATIONS, Figures, Pieces, Place, erp_figures, machine_figures
from workers.demo.children import StageFailed
from workers.demo.stage import Stage

LOOK_SECONDS = 0.4


@dataclass(frozen=True)
class Snapshot:
    """How everything stands at one moment. `seconds` since the curtain rose, `at` wall time."""

    seconds: float
    at: datetime
    truth: dict[str, Any]
    books: dict[str, Any]
    records: dict[str, OrderRecord]
    erp_up: bool
    worker_alive: bool
    edge_alive: bool
    outage_seconds: float
    holds: tuple[HoldRecord, ...] = ()
    stops: tuple[StopRecord, ...] = ()
    machine: Figures = field(init=False)
    counted: Figures = field(init=False)
    erp: Figures = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "machine", machine_figures(self.truth))
        object.__setattr__(self, "erp", erp_figures(self.books))
        object.__setattr__(self, "counted", _counted(self.records))

    @property
    def cases(self) -> list[Case]:
        return [case for record in self.records.values() for case in record.open_cases]

    @property
    def confirmations(self) -> list[dict[str, Any]]:
        """The ERP's confirmations that stand, oldest first."""
        return [
            d for d in self.books["documents"] if d["kind"] in CONFIRMATIONS and not (d["reversed"] or d["reversal"])
        ]

    @property
    def open_holds(self) -> list[HoldRecord]:
        return [hold for hold in self.holds if not hold.state.is_over]

    @property
    def would_post(self) -> int:
        return sum(o.state is PostingState.SHADOW for record in self.records.values() for o in record.postings)

    @property
    def all_taken_in(self) -> bool:
        return all(record.order is not None and record.phase for record in self.records.values())

    @property
    def all_closed(self) -> bool:
        return all(record.phase == OrderPhase.CLOSED.value for record in self.records.values())

    def ahead(self, place: Place) -> int:
        """Good pieces that the machine has made at an operation and the ERP does not know."""
        return int(self.machine.get(place, Pieces()).good - self.erp.get(place, Pieces()).good)

    def still_open(self) -> str:
        """What a person is told who waited in vain."""
        parts = [f"order {name} is {record.phase or 'not taken in'}" for name, record in self.records.items()]
        parts += [f"case {c.case_id} ({c.kind.value}, operation {c.operation}) is open" for c in self.cases]
        parts += [f"hold {h.hold} is {h.state.value} (ERP: {h.erp})" for h in self.open_holds]
        parts += [f"stop {s.stop} is {s.state.value}" for s in self.stops if not s.state.is_over]
        parts += [
            f"posting {o.key} of operation {o.operation} is {o.state.value}" + (f": {o.message}" if o.message else "")
            for record in self.records.values()
            for o in record.postings
            if not o.state.is_settled or o.state in (PostingState.REFUSED, PostingState.IN_DOUBT)
        ]
        if not self.truth["finished"]:
            parts.append("the line has not finished")
        return "; ".join(parts)


class WaitedInVain(Exception):
    """Something did not happen within its time."""


class Watch:
    """Takes snapshots and tells those who wait."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._began = time.monotonic()
        self._news = asyncio.Condition()
        self._last: Snapshot | None = None

    @property
    def seconds(self) -> float:
        """Wall seconds since the curtain rose."""
        return time.monotonic() - self._began

    @property
    def seen(self) -> Snapshot | None:
        """The last snapshot; None before the first."""
        return self._last

    @property
    def last(self) -> Snapshot:
        assert self._last is not None
        return self._last

    async def look(self) -> Snapshot:
        """A new snapshot."""
        stage, controls = self._stage, self._stage.controls
        truth, books = await asyncio.gather(controls.truth(), controls.books())
        records = {o: await stage.ledger.load_order(stage.plant_id, o) for o in stage.orders}
        holds = await stage.ledger.holds(stage.plant_id, HoldSearch(open_only=False))
        stops = await stage.ledger.stops(stage.plant_id, StopSearch(open_only=False))
        self._last = Snapshot(
            seconds=self.seconds,
            at=datetime.now(UTC),
            truth=truth,
            books=books,
            records=records,
            erp_up=controls.erp_is_up,
            worker_alive=stage.worker.running,
            edge_alive=stage.edge.running,
            outage_seconds=controls.outage_seconds,
            holds=tuple(holds),
            stops=tuple(stops),
        )
        async with self._news:
            self._news.notify_all()
        return self._last

    async def run(self, show: Callable[[Snapshot], None]) -> None:
        """Look until cancelled. Raises StageFailed when a process of the stage has ended unasked."""
        while True:
            show(await self.look())
            if fallen := self._stage.fallen():
                raise StageFailed(fallen)
            await asyncio.sleep(LOOK_SECONDS)

    async def until(self, happened: Callable[[Snapshot], bool], what: str, seconds: float) -> Snapshot:
        """Wait for a snapshot in which it has happened. Raises WaitedInVain that says how things stand."""
        try:
            async with asyncio.timeout(seconds), self._news:
                await self._news.wait_for(lambda: self._last is not None and happened(self._last))
        except TimeoutError as error:
            stands = self._last.still_open() if self._last else "nothing was seen"
            raise WaitedInVain(f"{what} did not happen within {seconds:.0f} s: {stands}") from error
        return self.last


def _counted(records: dict[str, OrderRecord]) -> Figures:
    counted: dict[Place, Pieces] = {}
    for order, record in records.items():
        for report in (m.report for m in record.messages if m.report is not None):
            place = Place(order, report.bucket.operation)
            before = counted.get(place, Pieces())
            counted[place] = before.plus(report.yield_quantity, report.scrap_quantity)
    return counted
