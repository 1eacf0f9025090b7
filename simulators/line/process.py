"""The line as a process: feeds the scenario's runs piece by piece and lets the stations work, in plant time.

Knows no OPC UA and no wall clock: `advance` says how far plant time has come and yields what was written on the way.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .books import ProductionBooks
from .happenings import Standstill
from .kernel import Kernel, TagWrite, microseconds
from .model import Defect, Run, Scenario
from .station import StationProcess
from .stop_book import StopBook
from .work import Drifting, Piece


@dataclass
class _RunInWork:
    position: int
    run: Run
    fed: int = 0


class LineProcess:
    def __init__(self, scenario: Scenario, seed: int) -> None:
        self.scenario = scenario
        self.kernel = Kernel()
        self.patience = microseconds(scenario.starved_after_seconds)
        self.books = ProductionBooks([station.name for station in scenario.station])
        self.stop_book = StopBook()
        self.feeding = False
        self._short_until: dict[int, int] = {}
        self._random = random.Random(f"{seed}/defects")
        self._ordered_bad: deque[Defect] = deque()
        self._runs: deque[_RunInWork] = deque()
        self._positions = 0
        self.stations = [
            StationProcess(self, index, station, self.kernel, seed) for index, station in enumerate(scenario.station)
        ]
        self._queue_scenario_runs()
        for station in self.stations:
            station.wake()
        if scenario.start == "auto":
            self.start()

    def advance(self, until: int) -> Iterator[list[TagWrite]]:
        return self.kernel.advance(until)

    # What people do; each takes effect at the kernel's present instant.

    def start(self) -> None:
        self.feeding = True
        self._write_speed()
        self.stations[0].wake()

    def stop(self) -> None:
        """Feed nothing more; what is in the line runs out."""
        self.feeding = False
        self._write_speed()

    def append_run(self, run: Run) -> int:
        position = self._queue(run)
        self._write_speed()
        self.stations[0].wake()
        return position

    def change_over(self) -> Run:
        """The run in work makes room for the one behind it, and goes on from its next piece when all others are made.

        Returns the run that comes on now. Raises ValueError where no other waits.
        """
        if len(self._runs) < 2:
            raise ValueError("no other run waits; append one with POST /_control/runs")
        self._runs.rotate(-1)
        return self._runs[0].run

    def order_bad_part(self, reason: str) -> Defect:
        """The next piece fed is spoilt at the first station and found two stations later."""
        defect = Defect(origin=self.stations[0].plan.name, reason=reason, piece=1)
        self._ordered_bad.append(defect)
        return defect

    def drift(self, name: str, tag: str, offset: float | None, pieces: int, ramp: int = 0) -> float:
        """The next pieces judged there measure wrong; a drift under way is replaced. Returns the offset."""
        measurement = self.scenario.measured(name, tag)
        off = measurement.usual_drift if offset is None else offset
        self.stations[self.scenario.position(name)].drifts[tag] = Drifting(off, pieces, ramp)
        return off

    def break_down(self, name: str, seconds: float | None, plan: Standstill) -> None:
        station = self.stations[self.scenario.position(name)]
        if station.fault is not None:
            raise ValueError(f"station {name!r} is down already; repair it first")
        station.break_down(plan, seconds, plan.trips)

    def repair(self, name: str) -> None:
        station = self.stations[self.scenario.position(name)]
        if station.fault is None:
            raise ValueError(f"station {name!r} is not down; there is nothing to repair")
        station.repair()

    # What the stations ask.

    def feed(self) -> Piece | None:
        if not self.feeding or not self._runs:
            return None
        current = self._runs[0]
        if self._is_short(current):
            return None
        current.fed += 1
        piece = self._piece(current)
        if current.fed == current.run.quantity:
            self._runs.popleft()
            if not self._runs and self.scenario.loop:
                self._queue_scenario_runs()
        return piece

    def _is_short(self, current: _RunInWork) -> bool:
        """Nothing is there to feed; those who wait are woken when it comes."""
        for number, shortage in enumerate(self.scenario.shortage):
            if (shortage.run, shortage.piece) != (current.position, current.fed + 1):
                continue
            if number not in self._short_until:
                self._short_until[number] = self.kernel.now + microseconds(shortage.seconds)
                self.kernel.at(self._short_until[number], self.stations[0].wake)
            if self.kernel.now < self._short_until[number]:
                return True
        return False

    def following(self, station: StationProcess) -> StationProcess | None:
        return self.stations[station.index + 1] if station.index + 1 < len(self.stations) else None

    def nothing_comes_to(self, station: StationProcess) -> bool:
        return not self._runs and all(earlier.is_empty() for earlier in self.stations[: station.index + 1])

    def piece_left(self, station: StationProcess) -> None:
        # A last piece that was scrapped on its way never arrives, so those behind are told to look again.
        if not self._runs:
            for later in self.stations[station.index + 1 :]:
                later.wake()

    def station_cleared(self) -> None:
        if self.finished:
            self._write_speed()

    # What was really made.

    @property
    def finished(self) -> bool:
        return not self._runs and all(station.is_empty() and not station.order for station in self.stations)

    def truth(self) -> dict[str, Any]:
        totals = [(station, *self.books.totals(station.plan.name)) for station in self.stations]
        return {
            "line": self.scenario.line,
            "finished": self.finished,
            "running": self.feeding and not self.finished,
            "orders": self.books.as_json({station.plan.name: station.plan.operation for station in self.stations}),
            "stations": [
                {
                    "name": station.plan.name, "state": int(station.state), "order": station.order,
                    "batch": station.batch, "infeed": infeed, "good": good, "reject": reject,
                    "counters": dict(station.counters),
                }
                for station, infeed, good, reject in totals
            ],
            "drifted": self.books.drifts,
            "cycles": sum(good + reject for _, _, good, reject in totals),
        }  # fmt: skip

    def speed(self) -> float:
        """Pieces a minute the line is set to: that of its slowest station, 0 while nothing is fed."""
        if not self.feeding or self.finished:
            return 0.0
        return round(60 / max(station.cycle_seconds for station in self.scenario.station), 3)

    def _write_speed(self) -> None:
        self.kernel.write("Speed", self.speed())

    def _queue_scenario_runs(self) -> None:
        for position, run in enumerate(self.scenario.run, start=1):
            self.books.open(run.order)
            self._runs.append(_RunInWork(position, run))
        self._positions = max(self._positions, len(self.scenario.run))

    def _queue(self, run: Run) -> int:
        self._positions += 1
        self.books.open(run.order)
        self._runs.append(_RunInWork(self._positions, run))
        return self._positions

    def _piece(self, current: _RunInWork) -> Piece:
        defect = self._defect_of(current)
        found_at = self.scenario.found_at(defect) if defect is not None else None
        return Piece(current.position, current.fed, current.run.order, current.run.batch, defect, found_at)

    def _defect_of(self, current: _RunInWork) -> Defect | None:
        # Every chance is drawn for every piece, so that one defect more does not shift the others.
        struck = [defect for defect in self.scenario.defect if self._strikes(defect, current)]
        if self._ordered_bad:
            struck.append(self._ordered_bad.popleft())
        return min(struck, key=self.scenario.found_at, default=None)

    def _strikes(self, defect: Defect, current: _RunInWork) -> bool:
        chance = self._random.random() if defect.probability is not None else 0.0
        if defect.run is not None and defect.run != current.position:
            return False
        if defect.probability is not None:
            return chance < defect.probability
        return defect.piece == current.fed
