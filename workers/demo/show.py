"""The demo as the console shows it: one view of everything, and the acts by their names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from signals.base import ZERO
from signals.demo import DemoFigures, DemoHold, DemoPieces, DemoProcess, DemoStation, DemoView
from signals.errors import BadInput
from signals.holds import HoldRecord
from signals.packml import state_from_number
from workers.demo.books import Figures, Pieces, Place
from workers.demo.script import Acts, hand_entry_cases
from workers.demo.stage import Stage
from workers.demo.watch import Snapshot, Watch
from workers.simulated_erp import ControlRefused

LATEST = 12


class Show:
    """What the console calls its demo stage. `told` are the lines of what happened, latest last."""

    def __init__(self, stage: Stage, watch: Watch, acts: Acts, told: list[str]) -> None:
        self._stage = stage
        self._watch = watch
        self._told = told
        self._acts = by_name(acts)

    @property
    def mark(self) -> str:
        """Differs whenever the view has changed."""
        last = self._watch.seen
        return "" if last is None else f"{last.seconds:.1f}/{len(self._told)}"

    @property
    def acts(self) -> tuple[str, ...]:
        return tuple(self._acts)

    def view(self) -> DemoView | None:
        """How everything stands; None before the first look."""
        seen = self._watch.seen
        return None if seen is None else view_of(self._stage, seen, self._told)

    async def act(self, name: str) -> tuple[str, ...]:
        """Do it; what happened, as sentences. Raises BadInput for an unknown name, or where it cannot be done now."""
        act = self._acts.get(name)
        if act is None:
            raise BadInput(f"the demo knows no {name!r}", subject=name, hint=f"it knows {', '.join(self._acts)}")
        before = len(self._told)
        try:
            await act()
        except ControlRefused as error:
            raise BadInput(f"not now: {error}", subject=name) from error
        await self._watch.look()
        return tuple(self._told[before:])


def by_name(acts: Acts) -> Mapping[str, Callable[[], Awaitable[object]]]:
    """Every act that a visitor may do."""
    return {
        "unplug": acts.unplug,
        "plug": acts.plug_in,
        "break": acts.break_machine,
        "bad-part": acts.bad_part,
        "drift": acts.drift,
        "change-over": acts.change_over,
        "by-hand": acts.enter_by_hand,
        "adopt": acts.adopt,
        "kill-worker": acts.kill_worker,
    }


def view_of(stage: Stage, seen: Snapshot, told: list[str]) -> DemoView:
    """The snapshot in the words that the console knows."""
    return DemoView(
        at=seen.at,
        seconds=round(seen.seconds, 1),
        erp_title=stage.erp.title,
        erp_up=seen.erp_up,
        erp_away_seconds=round(seen.outage_seconds, 1),
        stations=tuple(_station(station) for station in seen.truth["stations"]),
        figures=tuple(_figures(seen, place) for place in sorted({*seen.machine, *seen.erp, *seen.counted})),
        processes=_processes(stage, seen),
        holds=tuple(_hold(hold) for hold in seen.holds),
        open_cases=len(seen.cases),
        hand_entries=len(hand_entry_cases(seen)),
        happened=tuple(told[-LATEST:]),
        finished=bool(seen.truth["finished"]),
        closed=seen.all_closed,
    )


def _station(told: Mapping[str, Any]) -> DemoStation:
    good, reject = int(told["good"]), int(told["reject"])
    return DemoStation(
        name=told["name"],
        state=state_from_number(int(told["state"])).value,
        order=told["order"],
        batch=told["batch"],
        good=good,
        reject=reject,
        in_line=int(told["infeed"]) - good - reject,
    )


def _figures(seen: Snapshot, place: Place) -> DemoFigures:
    record = seen.records.get(place.order)
    operation = record.order.find_operation(place.operation) if record and record.order else None
    return DemoFigures(
        order=place.order,
        operation=place.operation,
        phase=record.phase if record else "",
        planned=operation.planned if operation else ZERO,
        machine=_pieces(seen.machine, place),
        plantwright=_pieces(seen.counted, place),
        erp=_pieces(seen.erp, place),
    )


def _pieces(side: Figures, place: Place) -> DemoPieces:
    pieces = side.get(place, Pieces())
    return DemoPieces(good=pieces.good, scrap=pieces.scrap)


def _processes(stage: Stage, seen: Snapshot) -> tuple[DemoProcess, ...]:
    return (
        DemoProcess(name="line", alive=True, what="the simulated machines, an OPC UA server"),
        DemoProcess(name="edge gateway", alive=seen.edge_alive, what="reads the machines, keeps what it read"),
        DemoProcess(name="Temporal", alive=stage.temporal.running, what="remembers what every process has done"),
        DemoProcess(name="worker", alive=seen.worker_alive, what="decides and posts"),
        DemoProcess(name=stage.erp.title, alive=seen.erp_up, what="the books of the company"),
    )


def _hold(record: HoldRecord) -> DemoHold:
    return DemoHold(
        hold=record.hold,
        state=record.state.value,
        reason=record.reasons[0].text if record.reasons else "",
        quantity=record.quantity,
        unit=record.unit,
        erp=record.erp,
    )
