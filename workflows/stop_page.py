"""A stop's living page in the Temporal UI, and what people are told of it."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.stop_process import StopProcess
    from signals.downtime import LadderRung, StopRecord
    from signals.notify import Notification, NotificationKind

SHOWN_EVENTS = 15


def stop_details(state: StopProcess) -> str:
    """Markdown: since when, why, who was called, how the ERP stands, the latest steps."""
    record = state.record
    ended = record.fact.ended_at
    until = f"to {ended:%H:%M:%S}" if ended else "and still"
    since = f"since {record.fact.started_at:%Y-%m-%d %H:%M:%S} {until} UTC"
    lines = [
        f"**{record.line} stands** · {record.state.value} · {since}",
        "",
        *(
            f"- {p.started_at:%H:%M:%S} {p.time_class.value} {p.reason_text or p.status.value} "
            f"({p.shift}{', order ' + p.order if p.order else ''}{', ' + p.cost_centre if p.cost_centre else ''})"
            for p in record.parts
        ),
        "",
    ]
    if record.assigned_to:
        lines += [f"{record.assigned_to} takes care of it", ""]
    for rung in record.rungs:
        fired = f"called at {rung.fired_at:%H:%M:%S}" if rung.fired_at else f"due at {rung.due_at:%H:%M:%S}"
        lines.append(f"- {rung.timer} {rung.level} ({', '.join((*rung.roles, *rung.users))}): {fired}")
    for p in record.postings:
        lines.append(f"- ERP {p.what}: {p.state} {p.document} {p.message}".rstrip())
    lines += ["", *(f"{e.number}. {e.at:%H:%M:%S} {e.what}: {e.text}" + (f" ({e.by})" if e.by else "")
                    for e in record.history[-SHOWN_EVENTS:])]  # fmt: skip
    return "\n".join(lines)


def called(record: StopRecord, rung: LadderRung, now: datetime, mark: str = "") -> Notification:
    """One step of the ladder, for those whom it calls. The same step is told once."""
    part = next((p for p in reversed(record.parts) if p.order), None)
    why = next((p.reason_text for p in reversed(record.parts) if p.reason_text), "") or "unknown"
    armed = f"{rung.armed_at:%Y%m%dT%H%M%S}" if rung.armed_at else ""
    known = {
        "subject": f"{record.line} {record.fact.started_at:%H:%M}",
        "what": f"{record.line} stands since {record.fact.started_at:%Y-%m-%d %H:%M} UTC: {why}",
        "line": record.line,
        "order": part.order if part else "",
        "owner": record.assigned_to or record.owner_role,
        "due": f"{rung.due_at:%Y-%m-%d %H:%M} UTC",
    }
    return Notification(
        id=f"stop:{record.line}:{record.stop}:{rung.timer}:{rung.level}:{armed}{mark}",
        plant=record.plant,
        kind=NotificationKind.STOP_ESCALATED,
        roles=rung.roles,
        users=tuple(dict.fromkeys((*rung.users, *((record.assigned_to,) if record.assigned_to else ())))),
        facts={name: value for name, value in known.items() if value},
        severity=max(1, 4 - rung.level),
        link=f"/stops/{record.line}/{record.stop}",
        at=now,
    )


def severity_of(record: StopRecord) -> int:
    """Like a notification's: more urgent by one with every step."""
    return max(1, 3 - record.level)
