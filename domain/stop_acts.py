"""What people do with a stop: judged and applied to its state. Pure; who they are was verified before.

An outcome is (accepted, what is said). A refusal changes nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from domain.machine_time import DOWNTIME
from domain.plant_downtime import INVALID
from domain.stop_process import StopProcess
from domain.stop_reasons import is_known, reason_text, takes_capacity
from signals.bookings import TransactionType
from signals.downtime import (
    AcknowledgeStop,
    CapacityState,
    ClassifyStop,
    CloseStop,
    CommentStop,
    DecideCapacity,
    DecideReallocation,
    EstimateRecovery,
    JoinStop,
    ReasonMark,
    RecodeStop,
    ShelveStop,
    SplitStop,
    StopAct,
    StopPart,
    StopState,
)

Outcome = tuple[bool, str]


def apply(state: StopProcess, act: StopAct, now: datetime) -> Outcome:
    """Judge an act and let it take effect."""
    if isinstance(act, CommentStop):
        if not act.comment:
            return False, "say something: the comment is empty"
        state.note("comment", act.comment, now, by=act.actor.user, role=act.actor.role)
        return True, "noted"
    if state.record.state is StopState.JOINED:
        return False, f"it was joined into stop {state.record.joined_into}: act there"
    if state.record.state is StopState.CLOSED and not isinstance(act, RecodeStop):
        return False, "it is closed: it is only re-coded, part by part, or commented"
    match act:
        case AcknowledgeStop():
            return _acknowledge(state, act, now)
        case ClassifyStop():
            return _classify(state, act, now)
        case SplitStop():
            return _split(state, act, now)
        case RecodeStop():
            return _recode(state, act, now)
        case ShelveStop():
            return _shelve(state, act, now)
        case JoinStop():
            return _join(state, act, now)
        case EstimateRecovery():
            return _estimate(state, act, now)
        case DecideCapacity():
            return _capacity(state, act, now)
        case DecideReallocation():
            return _reallocate(state, act, now)
        case CloseStop():
            return _close(state, act, now)


def _said(state: StopProcess, act: StopAct, what: str, text: str, now: datetime) -> None:
    more = f": {act.comment}" if act.comment else ""
    state.note(what, f"{text}{more}", now, by=act.actor.user, role=act.actor.role)


def _acknowledge(state: StopProcess, act: AcknowledgeStop, now: datetime) -> Outcome:
    if state.record.fact.ended_at is not None:
        return False, "it runs again: there is nothing to acknowledge, only to explain"
    until = now + timedelta(minutes=state.settings.plant.downtime.acknowledge_minutes)
    first = state.record.acknowledged_at or now
    state.change(acknowledged_at=first, acknowledged_until=until, assigned_to=act.actor.user)
    _said(state, act, "acknowledged", f"{act.actor.user} takes care of it until {until:%H:%M} UTC", now)
    state.refresh(now)
    return True, f"yours until {until:%H:%M} UTC; acknowledge again if it takes longer"


def _known(state: StopProcess, reason: str) -> str:
    """Empty for a reason that may be given, else what is said."""
    config = state.settings.plant.downtime
    if is_known(config, reason):
        return ""
    known = ", ".join(r.id for r in config.reasons) or "none declared"
    return f"no reason is named {reason}; reasons are {known}"


def _part(state: StopProcess, number: int) -> StopPart | None:
    return next((p for p in state.record.parts if p.number == number), None)


def _marks(
    state: StopProcess, spans: list[tuple[datetime, datetime | None]], reason: str, act: StopAct, now: datetime
) -> list[ReasonMark]:
    number = max((m.number for m in state.record.marks), default=0)
    return [
        ReasonMark(
            number=number + n, started_at=start, ended_at=end, reason=reason, by=act.actor.user,
            role=act.actor.role, comment=act.comment, at=now,
        )
        for n, (start, end) in enumerate(spans, start=1)
    ]  # fmt: skip


def _classify(state: StopProcess, act: ClassifyStop, now: datetime) -> Outcome:
    if refused := _known(state, act.reason):
        return False, refused
    if act.part is not None:
        part = _part(state, act.part)
        if part is None:
            return False, f"it has no part {act.part}; parts are 1 to {len(state.record.parts)}"
        if part.time_class not in DOWNTIME:
            return False, f"part {act.part} is {part.time_class.value}: it needs no reason"
        if part.by:
            return False, f"{part.by} has said {part.reason or 'unknown'} of it: re-code it, with a comment"
        parts = [part]
    else:
        parts = [p for p in state.record.parts if p.time_class in DOWNTIME and not p.by]
        if not parts:
            return False, "all of it is explained by people already: re-code a part, with a comment"
    spans = [(p.started_at, p.ended_at) for p in parts]
    state.mark(_marks(state, spans, act.reason, act, now), now)
    text = reason_text(state.settings.plant.downtime, act.reason)
    _said(state, act, "classified", f"{text} ({_spans(spans)})", now)
    return True, f"noted: {text}"


def _recode(state: StopProcess, act: RecodeStop, now: datetime) -> Outcome:
    if refused := _known(state, act.reason):
        return False, refused
    part = _part(state, act.part)
    if part is None or part.time_class not in DOWNTIME:
        return False, f"it has no part {act.part} that is downtime"
    if part.reason == act.reason:
        return False, f"part {act.part} is {act.reason} already"
    before = part.reason or "unknown"
    late = "; the ERP is not told, it was closed" if state.record.state is StopState.CLOSED else ""
    spans = [(part.started_at, part.ended_at)]
    state.mark(_marks(state, spans, act.reason, act, now), now)
    _said(state, act, "recoded", f"{before} became {act.reason} ({_spans(spans)}){late}", now)
    return True, f"noted: {before} became {act.reason}{late}"


def _split(state: StopProcess, act: SplitStop, now: datetime) -> Outcome:
    if act.reason and (refused := _known(state, act.reason)):
        return False, refused
    inside = [p for p in state.record.parts if p.started_at < act.at and (p.ended_at is None or act.at < p.ended_at)]
    if not inside or (inside[0].ended_at is None and act.at > now):
        return False, f"{act.at:%Y-%m-%d %H:%M:%S} UTC lies inside none of its parts"
    part = inside[0]
    if part.time_class not in DOWNTIME:
        return False, f"part {part.number} is {part.time_class.value}: it is not split"
    reason = act.reason or part.reason or "unknown"
    spans = [(act.at, part.ended_at)]
    state.mark(_marks(state, spans, reason, act, now), now)
    _said(state, act, "split", f"part {part.number} at {act.at:%H:%M:%S} UTC; from then on {reason}", now)
    return True, f"split; from {act.at:%H:%M:%S} UTC on {reason}"


def _shelve(state: StopProcess, act: ShelveStop, now: datetime) -> Outcome:
    if state.record.fact.ended_at is not None:
        return False, "it runs again: nobody is called"
    longest = now + timedelta(minutes=state.settings.plant.downtime.shelve_minutes_max)
    if act.until <= now:
        return False, "shelve it until an instant that is still to come"
    if act.until > longest:
        return False, f"nobody shelves for longer than until {longest:%Y-%m-%d %H:%M} UTC here"
    state.change(shelved_until=act.until)
    _said(state, act, "shelved", f"nobody is called before {act.until:%Y-%m-%d %H:%M} UTC", now)
    state.refresh(now)
    return True, f"shelved until {act.until:%Y-%m-%d %H:%M} UTC"


def _join(state: StopProcess, act: JoinStop, now: datetime) -> Outcome:
    if act.into == state.record.stop:
        return False, "a stop is not joined into itself"
    if state.record.fact.ended_at is None:
        return False, "it still stands: join it once it is over"
    if state.pending or state.record.notification:
        return False, "the ERP knows it as a stop of its own already"
    _said(state, act, "joined", f"it is part of stop {act.into}", now)
    state.change(state=StopState.JOINED, joined_into=act.into, closed_at=now)
    state.refresh(now)
    return True, f"joined into {act.into}"


def _estimate(state: StopProcess, act: EstimateRecovery, now: datetime) -> Outcome:
    record = state.record
    if record.fact.ended_at is not None:
        return False, "it runs again"
    if act.recovery_at <= now:
        return False, "the expected recovery lies in the past"
    _said(state, act, "estimated", f"it is expected to run at {act.recovery_at:%Y-%m-%d %H:%M} UTC", now)
    state.change(expected_recovery=act.recovery_at)
    state.look_for_reallocation = True
    config = state.settings.plant.downtime
    can = TransactionType.ADJUST_CAPACITY in state.settings.books
    wanted = (
        can and config.capacity != "off" and any(takes_capacity(config, p.reason) for p in record.parts if p.reason)
    )
    if not wanted:
        return True, "noted"
    state.change(capacity=CapacityState.PROPOSED, capacity_percent=act.available_percent)
    percent = f"{act.available_percent:f} % until {act.recovery_at:%Y-%m-%d %H:%M} UTC"
    state.note("capacity", f"proposed: {percent}; it waits for an approval", now)
    return True, f"noted; planning is told of {percent} once it is approved"


def _capacity(state: StopProcess, act: DecideCapacity, now: datetime) -> Outcome:
    record = state.record
    if record.capacity is not CapacityState.PROPOSED or record.expected_recovery is None:
        return False, f"no capacity change waits for a decision (it is {record.capacity.value})"
    if act.approve and act.recovery_at != record.expected_recovery:
        return False, "the expected recovery has changed since it was shown: look at it again"
    decided = CapacityState.APPROVED if act.approve else CapacityState.REFUSED
    state.change(capacity=decided)
    _said(state, act, "capacity", decided.value, now)
    return True, "approved: planning is being told" if act.approve else "refused"


def comes_too_late(state: StopProcess, act: StopAct, now: datetime) -> str:
    """Why a decision on capacity changes nothing any more; empty where it does."""
    recovery = state.record.expected_recovery
    if not isinstance(act, DecideCapacity) or not act.approve or recovery is None or now < recovery:
        return ""
    return f"the expected recovery, {recovery:%Y-%m-%d %H:%M} UTC, is over: estimate it anew"


def _reallocate(state: StopProcess, act: DecideReallocation, now: datetime) -> Outcome:
    open_ones = [r for r in state.record.reallocations if r.state == "proposed"]
    if not open_ones:
        return False, "no reallocation waits for a decision"
    word = "approved" if act.approve else "refused"
    changed = tuple(
        r.model_copy(update={"state": word}) if r.state == "proposed" else r for r in state.record.reallocations
    )
    state.change(reallocations=changed)
    _said(state, act, "reallocation", f"{word}: {len(open_ones)} proposal(s)", now)
    return True, word


def _close(state: StopProcess, act: CloseStop, now: datetime) -> Outcome:
    if state.record.fact.ended_at is None:
        return False, "the machine still stands"
    if unknown := state.unknown_parts():
        wrong = [p for p in unknown if p.reason == INVALID]
        word = "invalid" if wrong else "unknown"
        return False, f"part {unknown[0].number} is {word}: say why it stood"
    if not state.is_settled(now):
        return False, "the line's events do not reach past the merge window yet; it closes by itself when they do"
    if state.pending:
        return False, f"the ERP is still to book {state.pending[0].what}"
    _said(state, act, "closing", "confirmed", now)
    return True, "noted: it closes"


def _spans(spans: list[tuple[datetime, datetime | None]]) -> str:
    return ", ".join(f"{start:%H:%M:%S} to {end:%H:%M:%S}" if end else f"{start:%H:%M:%S} on" for start, end in spans)
