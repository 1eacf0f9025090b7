"""A handover's living page in the Temporal UI, and what the incoming supervisor is told."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.roles import Role
    from signals.handover import HandoverReport, HandoverState
    from signals.notify import Notification, NotificationKind


def handover_details(head: HandoverReport) -> str:
    """Markdown: which shift, to whom, how final, acknowledged by whom."""
    lines = [
        f"**Handover of {head.shift}** · {head.state.value} · to {head.next_shift or 'nobody'}",
        "",
        f"- {head.starts_at:%Y-%m-%d %H:%M} to {head.ends_at:%Y-%m-%d %H:%M} UTC, made at {head.made_at:%H:%M:%S}, "
        f"revision {head.revision}",
        *(f"- line {n.line} is not final: {n.why.replace('_', ' ')}" for n in head.not_final),
        *(f"- {shift} was never acknowledged" for shift in head.unacknowledged),
    ]
    if head.acknowledged_at is not None:
        lines.append(f"- {head.acknowledged_by} took over at {head.acknowledged_at:%Y-%m-%d %H:%M:%S} UTC")
    return "\n".join([*lines, ""])


def notification(head: HandoverReport, now: datetime, *, reminder: int = 0) -> Notification:
    """For the incoming supervisor; the same one is told once."""
    said = f"{head.shift} is over" if head.state is HandoverState.WAITING else f"{head.shift} was handed over"
    open_lines = ", ".join(n.line for n in head.not_final)
    known = {
        "subject": head.shift,
        "what": f"{said}; not final: {open_lines}" if open_lines else f"{said}, all figures are final",
        "owner": head.next_shift,
        "due": f"{head.acknowledge_by:%Y-%m-%d %H:%M} UTC",
    }
    return Notification(
        id=f"handover:{head.shift}" + (f":{reminder}" if reminder else ""),
        plant=head.plant,
        kind=NotificationKind.HANDOVER,
        roles=(Role.SUPERVISOR.value,),
        users=head.called,
        facts={name: value for name, value in known.items() if value},
        severity=2 if reminder else 3,
        link=f"/shifts/{head.shift}",
        at=now,
    )
