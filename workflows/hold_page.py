"""A hold's living page in the Temporal UI, and what people are told of it."""

from __future__ import annotations

from datetime import datetime

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from domain.hold_decisions import conflicts_of, deciders_of
    from domain.hold_process import HoldProcess
    from signals.holds import HoldRecord
    from signals.notify import Notification, NotificationKind

SHOWN_EVENTS = 15


def hold_details(state: HoldProcess) -> str:
    """Markdown: what is held and why, how the ERP stands, who decides until when, the latest steps."""
    record = state.record
    scope = record.scope
    where = " · ".join(
        f"{name} {value}"
        for name, value in (
            ("order", scope.order),
            ("operation", scope.operation),
            ("material", scope.material),
            ("batch", scope.batch),
            ("line", scope.line),
        )
        if value
    )
    due = f" until {record.due_at:%Y-%m-%d %H:%M} UTC" if record.due_at else ""
    lines = [
        f"**Hold {record.hold}** · {record.state.value} · {record.quantity:f} {record.unit} · {where}",
        "",
        f"ERP: {record.erp}, position {record.position.value}",
        "",
        f"next: {', '.join(deciders_of(record)) or 'nobody'}{due}"
        + (f", claimed by {record.assigned_to}" if record.assigned_to else ""),
        "",
        *(f"- {r.text} (released by {r.release_role})" for r in record.reasons),
        *(f"- **conflict:** {said}" for said in conflicts_of(record, state.rules)),
    ]
    if scope.serials:
        lines += ["", f"serials: {', '.join(scope.serials[:20])}{' …' if len(scope.serials) > 20 else ''}"]
    if record.reopens:
        lines += ["", f"follows hold {record.reopens}"]
    for p in record.postings:
        lines += [f"- ERP {p.what}: {p.state} {p.document} {p.message}".rstrip()]
    lines += ["", *(f"{e.number}. {e.at:%H:%M:%S} {e.what}: {e.text}" + (f" ({e.by})" if e.by else "")
                    for e in record.history[-SHOWN_EVENTS:])]  # fmt: skip
    return "\n".join(lines)


def told(
    record: HoldRecord,
    kind: NotificationKind,
    mark: str,
    roles: tuple[str, ...],
    what: str,
    now: datetime,
    **facts: str,
) -> Notification:
    """A notification about a hold; `mark` tells one from the next."""
    scope = record.scope
    known = {
        "subject": record.hold,
        "what": what,
        "order": scope.order,
        "material": scope.material,
        "batch": scope.batch,
        "line": scope.line,
        "quantity": f"{record.quantity:f} {record.unit}",
        "owner": record.owner_role,
        "due": f"{record.due_at:%Y-%m-%d %H:%M} UTC" if record.due_at else "",
        **facts,
    }
    return Notification(
        id=f"hold:{record.hold}:{mark}",
        plant=record.plant,
        kind=kind,
        roles=roles,
        users=(record.assigned_to,) if record.assigned_to else (),
        facts={name: value for name, value in known.items() if value},
        severity=severity_of(record),
        link=f"/holds/{record.hold}",
        at=now,
    )


def severity_of(record: HoldRecord) -> int:
    """The most urgent reason's, more urgent by one for every escalation."""
    severity = min((r.severity for r in record.reasons), default=2)
    return max(1, severity - max(0, record.level - 1))
