"""What the handover's workflows ask for: which shifts are due, the report, who acknowledges, and its record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pydantic import Field
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.handover_facts import HandoverFacts
from activities.sealing import act_refusal
from domain import handover
from domain.clock import PlantClock
from domain.plant import PlantConfig
from domain.roles import Role
from domain.shifts import ShiftSpan
from domain.stop_ladder import on_call
from ledger.port import LedgerPort
from signals.base import Code, Message, UtcTime
from signals.errors import ErrorType
from signals.handover import (
    AcknowledgeHandover,
    HandoverReport,
    HandoverSearch,
    HandoverState,
    LineHandedOver,
)
from signals.ids import time_text

MARK = "shift-handover"
"""Ledger mark: shifts that ended up to here were over before Plantwright looked for the first time."""

MOST_DUE = 200


class HandoverRef(Message):
    """A shift of a plant, by its label and its end."""

    plant: Code
    shift: str
    ends_at: UtcTime


class HandoversDue(Message):
    """What a tick finds, the earliest first."""

    due: tuple[HandoverRef, ...] = ()
    waiting: tuple[HandoverRef, ...] = Field(default=(), description="made and not acknowledged: their process runs")


class HandoverLoaded(Message):
    """What a handover must know at its start. `head`: the report without its lists, where it is made already."""

    lines: tuple[str, ...]
    clock: PlantClock
    head: HandoverReport | None = None


class MakeHandover(Message):
    """Compose and record. `revision` above 1: figures that were not final have changed."""

    ref: HandoverRef
    seen: tuple[LineHandedOver, ...] = Field(default=(), description="what the Lines answered")
    silent: tuple[str, ...] = Field(default=(), description="lines whose process did not answer")
    revision: int = 1


class HandoverActToVerify(Message):
    """An acknowledgement as it arrived."""

    plant: Code
    shift: str = Field(default="", description="empty from a process of a release that did not ask for seals: refused")
    act: AcknowledgeHandover


class SettleHandover(Message):
    """End of a handover: acknowledged by an act, or lapsed without one."""

    plant: Code
    shift: str
    act: AcknowledgeHandover | None = None
    at: UtcTime


class HandoverActivities:
    """Reads and writes the ledger; posts nothing."""

    def __init__(
        self, ledger: LedgerPort, plant: PlantConfig, clock: PlantClock, *, now: Callable[[], datetime]
    ) -> None:
        self._ledger = ledger
        self._plant = plant
        self._clock = clock
        self._now = now

    @activity.defn(name="due_handovers")
    async def due_handovers(self, plant: str) -> HandoversDue:
        """Shifts that have ended since the latest handover. The first look only notes where to begin."""
        now = self._clock.plant_time(self._now())
        mark = await self._ledger.mark(plant, MARK)
        if not mark:
            await self._ledger.set_mark(plant, MARK, time_text(now))
            return HandoversDue()
        after = datetime.fromisoformat(mark)
        latest = await self._ledger.handed_over_until(plant)
        if latest is not None:
            after = max(after, latest)
        found: list[HandoverRef] = []
        for span in handover.shifts_between(self._plant, after, now):
            found.append(HandoverRef(plant=plant, shift=span.label, ends_at=span.end))
            if len(found) == MOST_DUE:
                break
        return HandoversDue(due=tuple(found), waiting=await self._waiting(plant))

    async def _waiting(self, plant: str) -> tuple[HandoverRef, ...]:
        reports = await self._ledger.handovers(plant, HandoverSearch(open_only=True))
        return tuple(
            HandoverRef(plant=plant, shift=r.shift, ends_at=r.ends_at)
            for r in reversed(reports)
            if r.state is HandoverState.WAITING
        )

    @activity.defn(name="load_handover")
    async def load_handover(self, ref: HandoverRef) -> HandoverLoaded:
        """The plant's lines and clock, and the report where it is made already."""
        if ref.plant != self._plant.plant.id:
            raise _bad_input(f"this worker serves plant {self._plant.plant.id}, not {ref.plant}")
        report = await self._ledger.handover(ref.plant, ref.shift)
        return HandoverLoaded(
            lines=tuple(line.id for line in self._plant.lines),
            clock=self._clock,
            head=head_of(report) if report is not None else None,
        )

    @activity.defn(name="make_handover")
    async def make_handover(self, wish: MakeHandover) -> HandoverReport:
        """Compose the report from the ledger and record it; what stands there, without its lists."""
        ref = wish.ref
        stands = await self._ledger.handover(ref.plant, ref.shift)
        if stands is not None and (stands.revision >= wish.revision or stands.state is HandoverState.ACKNOWLEDGED):
            return head_of(stands)
        now = self._clock.plant_time(self._now())
        span = handover.shift_named(self._plant, ref.shift, ref.ends_at) or self._changed(ref)
        taking = handover.incoming(self._plant, span, now)
        facts = HandoverFacts(self._ledger, self._plant, span, wish.seen, wish.silent)
        report = await facts.report(
            next_shift=taking.label if taking else "",
            called=self._called(taking, now),
            acknowledge_by=taking.end if taking else now,
            made_at=now if stands is None else stands.made_at,
            revision=wish.revision,
        )
        if stands is not None:
            kept = {
                "state": stands.state,
                "called": stands.called,
                "acknowledge_by": stands.acknowledge_by,
                "next_shift": stands.next_shift,
            }
            report = report.model_copy(update=kept)
        return head_of(await self._ledger.record_handover(report))

    def _called(self, taking: ShiftSpan | None, now: datetime) -> tuple[str, ...]:
        """Supervisors whom the plant's calendar has on call in the incoming shift."""
        if taking is None:
            return ()
        plant = self._plant
        at = max(taking.start, min(now, taking.end))
        return on_call(plant.downtime, plant.plant, plant.shifts, (Role.SUPERVISOR.value,), at)

    def _changed(self, ref: HandoverRef) -> ShiftSpan:
        """A calendar that was changed since has other shifts: the handover keeps the one it was started for."""
        found = list(handover.shifts_between(self._plant, ref.ends_at - handover.FARTHEST / 200, ref.ends_at))
        starts = found[-1].start if found else ref.ends_at
        day, _, name = ref.shift.partition("/")
        return ShiftSpan.model_validate({"name": name, "day": day, "start": starts, "end": ref.ends_at})

    @activity.defn(name="verify_handover_act")
    async def verify_handover_act(self, asked: HandoverActToVerify) -> str:
        """Empty where the act may take effect, by the table and by its seal; else why not. See `act_refusal`."""

        def may(act: AcknowledgeHandover) -> str:
            return handover.may_acknowledge(act, asked.plant)

        return await act_refusal(self._ledger, self._plant, asked.act, asked.shift, may, self._now())

    @activity.defn(name="settle_handover")
    async def settle_handover(self, wish: SettleHandover) -> HandoverReport:
        """Record the acknowledgement, or that nobody gave one in time; what stands, without its lists."""
        report = await self._ledger.handover(wish.plant, wish.shift)
        if report is None:
            raise _bad_input(f"plant {wish.plant} has no handover of shift {wish.shift}")
        if wish.act is not None:
            report = handover.acknowledged(report, wish.act, wish.at)
        elif report.state is HandoverState.WAITING:
            report = report.model_copy(update={"state": HandoverState.LAPSED})
        return head_of(await self._ledger.record_handover(report))


def head_of(report: HandoverReport) -> HandoverReport:
    """The report without what is long: enough for its process."""
    return report.model_copy(update={"lines": (), "stops": (), "open_items": (), "orders": (), "crossings": ()})


def _bad_input(message: str) -> ApplicationError:
    return ApplicationError(message, type=ErrorType.BAD_INPUT.value, non_retryable=True)
