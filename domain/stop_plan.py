"""What the ERP is to be told of a stop: maintenance, downtime minutes, capacity. Each booking has a key of its own.

Only reasons marked `notify` reach maintenance; an M2 for each stop floods it (reference erp.md 4.2). Minutes go by the
order's own activity slot where the plant names one: nothing carries a cost centre on a notification (erp.md 1.6), so it
stands in the text there.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from domain.erp_step import ErpStep
from domain.machine_time import DOWNTIME
from domain.shifts import production_day
from domain.stop_process import StopProcess
from domain.stop_reasons import is_breakdown, wants_notification
from signals.bookings import ActivityAmount, TransactionType
from signals.downtime import CapacityState, StopPart
from signals.ids import posting_key, short_hash
from signals.transactions import AdjustCapacity, CloseDowntime, OpenDowntime, ReportTime, Transaction

OPEN, CLOSE, MINUTES, CAPACITY = "notification", "recovery", "minutes", "capacity"
WITHDRAWAL = "capacity withdrawn"
TEXT_LENGTH = 40
"""SAP's NotificationText."""


def next_steps(state: StopProcess, now: datetime) -> list[ErpStep]:
    """Bookings that have become due and are not made yet; they are appended to the state by the caller."""
    found: list[ErpStep] = []
    if (opening := _opening(state)) is not None:
        found.append(opening)
    if (closing := _closing(state, now)) is not None:
        found.append(closing)
    found += _minutes(state, now)
    if (capacity := _capacity(state, now)) is not None:
        found.append(capacity)
    return found


def _made(state: StopProcess, what: str) -> list[ErpStep]:
    return [s for s in state.steps if s.what == what]


def _step(state: StopProcess, what: str, transaction: Transaction, mark: str = "") -> ErpStep:
    record = state.record
    state.numbered_steps += 1
    key = posting_key(record.plant, "", "", transaction.type.value, (f"{record.line}:{record.stop}:{what}{mark}",), 0)
    return ErpStep(number=state.numbered_steps, what=what, key=key, transaction=transaction)


def _told_part(state: StopProcess) -> StopPart | None:
    """The first part whose reason maintenance is to know of."""
    config = state.settings.plant.downtime
    return next((p for p in state.record.parts if p.reason and wants_notification(config, p.reason)), None)


def _opening(state: StopProcess) -> ErpStep | None:
    part = _told_part(state)
    if part is None or _made(state, OPEN) or TransactionType.OPEN_DOWNTIME not in state.settings.books:
        return None
    asset = _asset(state, part.started_at)
    if not asset:
        return None
    record = state.record
    return _step(state, OPEN, OpenDowntime(
        plant=record.plant, posting_date=_day(state, part.started_at), stop=record.stop, asset=asset,
        work_centre=work_centre_of(state), started_at=part.started_at,
        breakdown=is_breakdown(state.settings.plant.downtime, part.reason), reason=part.reason,
        text=_told(part),
    ))  # fmt: skip


def _told(part: StopPart) -> str:
    """The reason, cut short where both are too long, and the cost centre whole: it stands nowhere else there."""
    centre = f" [{part.cost_centre}]" if part.cost_centre else ""
    return (part.reason_text or part.reason)[: max(TEXT_LENGTH - len(centre), 0)].rstrip() + centre


def _asset(state: StopProcess, at: datetime) -> str:
    """What maintenance repairs: the asset of the station at fault, else the line's."""
    stretches = state.record.fact.stretches
    here = next((s for s in stretches if s.started_at <= at and (s.ended_at is None or at < s.ended_at)), stretches[0])
    station = state.line.station(here.station)
    return (station.asset if station is not None else "") or state.line.downtime.asset


def _closing(state: StopProcess, now: datetime) -> ErpStep | None:
    opened = next((s for s in _made(state, OPEN) if s.state == "done" and s.document), None)
    ended = state.record.fact.ended_at
    if opened is None or ended is None or not state.is_settled(now) or _made(state, CLOSE):
        return None
    begun = opened.transaction
    assert isinstance(begun, OpenDowntime)
    return _step(state, CLOSE, CloseDowntime(
        plant=state.record.plant, posting_date=_day(state, ended), stop=state.record.stop, asset=begun.asset,
        notification=opened.document, started_at=begun.started_at, ended_at=ended, text=begun.text,
    ))  # fmt: skip


def _minutes(state: StopProcess, now: datetime) -> list[ErpStep]:
    """Once it is over and explained: each part's minutes on its order's operation, where the plant names a slot."""
    slot = state.settings.plant.downtime.time_activity
    if TransactionType.REPORT_TIME not in state.settings.books:
        return []
    if not slot or not state.is_settled(now) or not state.record.is_classified or _made(state, MINUTES):
        return []
    return [
        _step(state, MINUTES, _time_of(state, p, slot), mark=f":{p.started_at.isoformat()}")
        for p in state.record.parts
        if p.time_class in DOWNTIME and p.order and p.operation and p.ended_at is not None and _in_minutes(p) > 0
    ]


def _time_of(state: StopProcess, part: StopPart, slot: int) -> ReportTime:
    amount = ActivityAmount(slot=slot, amount=_in_minutes(part), unit="MIN")
    return ReportTime(
        plant=state.record.plant, posting_date=_day(state, part.started_at), order=part.order,
        operation=part.operation, work_centre=work_centre_of(state), activities=(amount,),
        started_at=part.started_at, ended_at=part.ended_at,
    )  # fmt: skip


def _in_minutes(part: StopPart) -> Decimal:
    return ((part.seconds or Decimal(0)) / 60).quantize(Decimal("0.001"))


def _capacity(state: StopProcess, now: datetime) -> ErpStep | None:
    record = state.record
    if record.capacity is not CapacityState.APPROVED or record.expected_recovery is None:
        return None
    if TransactionType.ADJUST_CAPACITY not in state.settings.books:
        return None
    if any(s.number == state.capacity_step and not s.is_over for s in state.steps) or not work_centre_of(state):
        return None
    if state.capacity_step and state.capacity_until == record.expected_recovery:
        return None
    ends_at = record.expected_recovery
    if ends_at <= now and state.short:  # a run from before told planning of what was over, and goes on so
        return None
    mark = f":{ends_at.isoformat()}:{record.capacity_percent:f}"
    if said := sum(_says(s, ends_at, record.capacity_percent) for s in _made(state, CAPACITY)):
        mark += f":{said + 1}"  # said before and withdrawn since: under the same key it would count as told already
    return _step(state, CAPACITY, AdjustCapacity(
        plant=record.plant, posting_date=_day(state, now), change=short_hash(record.line, record.stop, mark, length=12),
        work_centre=work_centre_of(state), starts_at=min(now, ends_at), ends_at=ends_at,
        available_percent=record.capacity_percent, text=f"{record.line} stands, stop {record.stop}"[:TEXT_LENGTH],
    ), mark=mark)  # fmt: skip


def _says(step: ErpStep, ends_at: datetime, percent: Decimal) -> bool:
    t = step.transaction
    return isinstance(t, AdjustCapacity) and (t.ends_at, t.available_percent) == (ends_at, percent)


def is_capacity_moot(state: StopProcess, now: datetime) -> bool:
    """A change that nobody has decided, or that planning was never told of, and that says nothing any more."""
    record = state.record
    told = state.capacity_step and state.capacity_until == record.expected_recovery
    undecided = record.capacity is CapacityState.PROPOSED
    over = record.fact.ended_at is not None
    late = record.expected_recovery is not None and record.expected_recovery <= now
    return (undecided and over) or (record.capacity is CapacityState.APPROVED and not told and (over or late))


def drop_capacity(state: StopProcess, now: datetime) -> None:
    """It counts no more. An older change that planning still has is withdrawn when the line runs."""
    ended = state.record.fact.ended_at is not None
    state.note("capacity", "it lapses: " + ("the line runs again" if ended else "the estimate is over"), now)
    stands = state.capacity_step or any(s.what == WITHDRAWAL and not s.is_over for s in state.steps)
    state.change(capacity=CapacityState.POSTED if stands else CapacityState.NONE)


def capacity_to_withdraw(state: StopProcess) -> ErpStep | None:
    """The posted change that counts no more: the line runs, the change was refused meanwhile, or a newer one comes."""
    if not state.capacity_step:
        return None
    step = next((s for s in state.steps if s.number == state.capacity_step), None)
    record = state.record
    newer = record.capacity is CapacityState.APPROVED and state.capacity_until != record.expected_recovery
    return step if step is not None and (record.fact.ended_at is not None or newer) else None


def withdrawal_key(state: StopProcess, step: ErpStep) -> UUID:
    """Key of the reversal of a capacity change: one per change."""
    record = state.record
    return posting_key(record.plant, "", "", "reverse", (f"{record.line}:{record.stop}:{step.key}",), 0)


def _day(state: StopProcess, at: datetime) -> date:
    return production_day(state.settings.plant.plant, at)


def work_centre_of(state: StopProcess) -> str:
    line = state.line
    return line.downtime.work_centre or line.pacing_station.work_centre
