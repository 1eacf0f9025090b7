"""One station of the simulated line: it takes a piece, works on it, judges it and hands it on.

Its states are PackML's flat numbers (OPC 30050); waiting for a neighbour is Suspended, an own fault is Aborted or Held.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Generator
from typing import TYPE_CHECKING, Literal

from .happenings import AtPiece, PlannedStop, Standstill
from .kernel import SECOND, Kernel, Routine, Steps, microseconds
from .model import PackMLState, Station
from .stop_book import Why
from .work import Drifting, Fault, Piece

if TYPE_CHECKING:
    from .process import LineProcess

CounterName = Literal["Infeed", "Good", "Reject"]

TRANSITION = SECOND // 5
"""How long each acting state (Starting, Clearing, ...) lasts."""

LEAVES_WORK = (PackMLState.STOPPING, PackMLState.ABORTING, PackMLState.HOLDING, PackMLState.SUSPENDING)
BEGINS_TO_GO = (PackMLState.STARTING, PackMLState.UNHOLDING, PackMLState.UNSUSPENDING)


class StationProcess:
    def __init__(self, line: LineProcess, index: int, station: Station, kernel: Kernel, seed: int) -> None:
        self.plan = station
        self.index = index
        self.state = PackMLState.IDLE
        self.order = ""
        self.batch = ""
        self.counters: dict[CounterName, int] = {
            "Infeed": station.counter.infeed, "Good": station.counter.good, "Reject": station.counter.reject,
        }  # fmt: skip
        self.piece: Piece | None = None
        self.fault: Fault | None = None
        self.drifts: dict[str, Drifting] = {}
        self._cause: tuple[Why, str] = ("waiting", "")
        self._came = 0
        self._entered_at = -TRANSITION
        self._on_the_way = 0
        self._waiting: deque[Piece] = deque()
        self._line = line
        self._kernel = kernel
        # A stream of its own, so that what one station draws does not depend on what another one did before.
        self._random = random.Random(f"{seed}/{station.name}")
        self._chance = random.Random(f"{seed}/{station.name}/micro-stops")
        self._routine = Routine(kernel, self._course())

    # What neighbours and people do to it.

    def wake(self) -> None:
        self._routine.wake()

    def has_room(self) -> bool:
        return len(self._waiting) + self._on_the_way < self.plan.buffer

    def is_empty(self) -> bool:
        return self.piece is None and not self._waiting and not self._on_the_way

    def expect(self, piece: Piece, transport_seconds: float) -> None:
        self._on_the_way += 1
        self._kernel.at(self._kernel.now + microseconds(transport_seconds), lambda: self._arrive(piece))

    def _arrive(self, piece: Piece) -> None:
        self._on_the_way -= 1
        self._waiting.append(piece)
        self.wake()

    def break_down(self, plan: Standstill, seconds: float | None, trips: int) -> None:
        """Stand for so many plant seconds, or until somebody repairs it. A standing station stays as it is."""
        self._fail(Fault.of(plan, seconds, self._kernel.now, trips))

    def _fail(self, fault: Fault) -> None:
        if self.fault is None:
            self.fault = fault
            self.wake()

    def repair(self) -> None:
        if self.fault is not None:
            self.fault.until = self._kernel.now
            self.wake()

    def initial_tags(self) -> dict[str, int | float | str]:
        return {
            "State": int(self.state), **self.counters, "RejectReason": "", "RejectOrigin": "",
            "Order": "", "Operation": "", "Batch": "", "ComponentLot": self.plan.component_lot,
            "Operator": self.plan.operator, "Alarm": 0, "StopReason": "",
            **{measurement.tag: measurement.nominal for measurement in self.plan.measurement},
        }  # fmt: skip

    # Its own course.

    def _course(self) -> Steps:
        while True:
            piece = yield from self._next_piece()
            if (piece.order, piece.batch) != (self.order, self.batch):
                yield from self._change_over(piece)
            yield from self._prepare(piece)
            for stop in self._line.scenario.planned_stop:
                if self._is_now(stop, piece):
                    yield from self._stop_as_planned(stop)
            yield from self._work_on(piece)
            yield from self._hand_on(piece)

    def _next_piece(self) -> Generator[int | None, None, Piece]:
        since = self._kernel.now
        while True:
            if self.fault is not None:
                yield from self._stand_still()
                since = self._kernel.now
            elif (piece := self._take()) is not None:
                yield from self._resume_if_suspended()
                return piece
            elif self.order and self._line.nothing_comes_to(self):
                yield from self._end_run()
            elif self._has_waited(since):
                yield from self._suspend()
            else:
                yield self._patience_ends(since)

    def _take(self) -> Piece | None:
        if self.index == 0:
            self.piece = self._line.feed()
        elif self._waiting:
            self.piece = self._waiting.popleft()
            self._line.stations[self.index - 1].wake()
        return self.piece

    def _change_over(self, piece: Piece) -> Steps:
        # The context is written after the last piece of the old order and before the first of the new one,
        # with room on both sides: at one instant nobody could tell which order a step belongs to.
        if self.order:
            yield from self._go(PackMLState.COMPLETING, PackMLState.COMPLETE)
        if self.state is PackMLState.COMPLETE:
            yield from self._go(PackMLState.RESETTING, PackMLState.IDLE)
        self.order, self.batch = piece.order, piece.batch
        self._write("Operation", self.plan.operation)
        self._write("Batch", piece.batch)
        self._write("Order", piece.order)
        yield from self._last(microseconds(self.plan.changeover_seconds))
        yield from self._go(PackMLState.STARTING, PackMLState.EXECUTE)

    def _end_run(self) -> Steps:
        yield from self._go(PackMLState.COMPLETING, PackMLState.COMPLETE)
        yield from self._pause(TRANSITION)
        self.order = self.batch = ""
        for tag in ("Order", "Batch", "Operation"):
            self._write(tag, "")
        self._line.station_cleared()

    def _prepare(self, piece: Piece) -> Steps:
        self._came += 1
        changes = [
            *((lot, "ComponentLot", lot.lot) for lot in self._line.scenario.component_lot),
            *((change, "Operator", change.operator) for change in self._line.scenario.operator),
        ]
        resets = [reset for reset in self._line.scenario.counter_reset if self._is_now(reset, piece)]
        due = [(tag, value) for happening, tag, value in changes if self._is_now(happening, piece)]
        if not due and not resets:
            return
        yield from self._pause(TRANSITION)
        for tag, value in due:
            self._write(tag, value)
        for reset in resets:
            for counter in reset.counters:
                self.counters[counter] = reset.value
                self._write(counter, reset.value)
        yield from self._pause(TRANSITION)

    def _is_now(self, happening: AtPiece, piece: Piece) -> bool:
        if happening.station != self.plan.name:
            return False
        if happening.run is None:
            return happening.piece == self._came
        return (happening.run, happening.piece) == (piece.run, piece.number)

    def _work_on(self, piece: Piece) -> Steps:
        self._line.books.infeed(piece.order, self.plan.name)
        self._step("Infeed")
        cycle = microseconds(self.plan.cycle_seconds * (1 + self._noise(self.plan.cycle_noise)))
        for breakdown in self._line.scenario.breakdown:
            if self._is_now(breakdown, piece):
                yield from self._last(cycle // 2)
                cycle -= cycle // 2
                self.break_down(breakdown, breakdown.seconds, breakdown.trips)
        for stops in self._line.scenario.micro_stop:
            # Both chances are drawn for every piece, so that a stop more does not shift those behind it.
            struck, seconds = self._chance.random() < stops.probability, self._chance.uniform(*stops.seconds)
            if struck and stops.station == self.plan.name:
                yield from self._last(cycle // 2)
                cycle -= cycle // 2
                self._fail(Fault.short(stops, seconds, self._kernel.now))
        yield from self._last(cycle)
        self._judge(piece)

    def _judge(self, piece: Piece) -> None:
        rejected = self._rejects(piece)
        for drift in self._line.scenario.drift:
            if self._is_now(drift, piece):
                self._line.drift(drift.station, drift.tag, drift.offset, drift.pieces, drift.ramp)
        for measurement in self.plan.measurement:
            offset = measurement.defect_offset if rejected else 0.0
            drifting = self.drifts.get(measurement.tag)
            if drifting is not None:
                offset += drifting.next_offset()
            value = round(measurement.nominal + offset + self._noise(measurement.noise), measurement.decimals)
            self._write(measurement.tag, value)
            if drifting is not None:
                self._line.books.drifted(
                    self.plan.name, measurement.tag, piece.order, piece.batch, value, self._kernel.now
                )
                if not drifting.left:
                    del self.drifts[measurement.tag]
        if rejected and piece.defect is not None:
            defect = piece.defect
            self._line.books.scrap(piece.order, self.plan.name, piece.batch, defect.reason, defect.origin)
            self._write("RejectReason", defect.reason)
            self._write("RejectOrigin", defect.origin)
            self._step("Reject")
        else:
            self._line.books.good(piece.order, self.plan.name, piece.batch)
            self._step("Good")

    def _rejects(self, piece: Piece) -> bool:
        return piece.found_at == self.index

    def _hand_on(self, piece: Piece) -> Steps:
        following = self._line.following(self)
        if self._rejects(piece) or following is None:
            self.piece = None
            self._line.piece_left(self)
            return
        since = self._kernel.now
        while not following.has_room():
            if self.fault is not None:
                yield from self._stand_still()
                since = self._kernel.now
            elif self._has_waited(since):
                yield from self._suspend()
            else:
                yield self._patience_ends(since)
        following.expect(piece, self.plan.transport_seconds)
        self.piece = None
        yield from self._resume_if_suspended()

    # States and time.

    def _has_waited(self, since: int) -> bool:
        return self.state is PackMLState.EXECUTE and self._kernel.now - since >= self._line.patience

    def _patience_ends(self, since: int) -> int | None:
        return since + self._line.patience if self.state is PackMLState.EXECUTE else None

    def _suspend(self) -> Steps:
        self._cause = ("waiting", "")
        yield from self._go(PackMLState.SUSPENDING, PackMLState.SUSPENDED)

    def _resume_if_suspended(self) -> Steps:
        if self.state is PackMLState.SUSPENDED:
            yield from self._go(PackMLState.UNSUSPENDING, PackMLState.EXECUTE)

    def _stop_as_planned(self, stop: PlannedStop) -> Steps:
        yield from self._pause(TRANSITION)
        self._write("StopReason", stop.reason)
        self._cause = ("planned", stop.reason)
        yield from self._go(PackMLState.STOPPING, PackMLState.STOPPED)
        yield from self._pause(microseconds(stop.seconds))
        yield from self._go(PackMLState.RESETTING, PackMLState.IDLE)
        self._write("StopReason", "")
        yield from self._go(PackMLState.STARTING, PackMLState.EXECUTE)

    def _stand_still(self) -> Steps:
        fault = self.fault
        if fault is None:
            return
        before = self.state
        # PackML holds only what executes; anything else that stops by itself aborts.
        abort = fault.plan.kind == "abort" or before is not PackMLState.EXECUTE
        self._cause = (fault.why, fault.plan.reason)
        if fault.plan.reason:
            self._write("StopReason", fault.plan.reason)
        if fault.alarm:
            self._write("Alarm", fault.alarm)
        follow = deque(fault.alarms(self._kernel.now))
        if abort:
            yield from self._go(PackMLState.ABORTING, PackMLState.ABORTED)
        else:
            yield from self._go(PackMLState.HOLDING, PackMLState.HELD)
        while fault.until is None or self._kernel.now < fault.until:
            while follow and follow[0][0] <= self._kernel.now:
                self._write("Alarm", follow.popleft()[1])
            yield min((at for at in (fault.until, follow[0][0] if follow else None) if at is not None), default=None)
        self.fault = None
        if fault.alarm:
            self._write("Alarm", 0)
        if fault.plan.reason:
            self._write("StopReason", "")
        yield from self._recover(abort, before)
        if fault.trips > 1:
            again = self._kernel.now + microseconds(fault.plan.runs_seconds)
            self._kernel.at(again, lambda: self.break_down(fault.plan, fault.seconds, fault.trips - 1))

    def _recover(self, abort: bool, before: PackMLState) -> Steps:
        if not abort:
            yield from self._go(PackMLState.UNHOLDING, before)
            return
        yield from self._go(PackMLState.CLEARING, PackMLState.STOPPED)
        yield from self._go(PackMLState.RESETTING, PackMLState.IDLE)
        if before in (PackMLState.EXECUTE, PackMLState.SUSPENDED):
            yield from self._go(PackMLState.STARTING, PackMLState.EXECUTE)

    def _go(self, acting: PackMLState, reached: PackMLState) -> Steps:
        # Two states at one instant have no order, so a state lasts at least a transition.
        while self._kernel.now < self._entered_at + TRANSITION:
            yield self._entered_at + TRANSITION
        self._enter(acting)
        yield from self._pause(TRANSITION)
        self._enter(reached)

    def _enter(self, state: PackMLState) -> None:
        self.state = state
        self._entered_at = self._kernel.now
        if state in LEAVES_WORK:
            self._line.stop_book.stands(self.plan.name, *self._cause, at=self._kernel.now, order=self.order)
        elif state in BEGINS_TO_GO:
            self._line.stop_book.goes_on(self.plan.name, self._kernel.now)
        self._write("State", int(state))

    def _pause(self, length: int) -> Steps:
        """A short wait that nothing interrupts."""
        until = self._kernel.now + length
        while self._kernel.now < until:
            yield until

    def _last(self, length: int) -> Steps:
        """Work of so much running time: a fault stops the clock, and the rest follows after the repair."""
        while True:
            if self.fault is not None:
                yield from self._stand_still()
            if length <= 0:
                return
            begun = self._kernel.now
            yield begun + length
            length -= self._kernel.now - begun

    # Values.

    def _step(self, counter: CounterName) -> None:
        self.counters[counter] = self.plan.counter.wrapped(self.counters[counter] + 1)
        self._write(counter, self.counters[counter])

    def _noise(self, width: float) -> float:
        return self._random.uniform(-width, width) if width else 0.0

    def _write(self, tag: str, value: float | str) -> None:
        self._kernel.write(f"{self.plan.name}.{tag}", value)
