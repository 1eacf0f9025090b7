"""What the `downtime` commands print, and the losses they sum."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from rich.console import Group, RenderableType

from domain.losses import By, lost_parts, pareto
from domain.plant_downtime import DowntimeConfig
from domain.stop_reasons import CLASS_TEXTS, cost_centre, line_of_descent, owner_role, reason_text, time_class
from domain.stop_review import within
from signals.downtime import StopRecord, TimeClass
from workers.cli.office import Office
from workers.cli.output import table


def listed(stops: Sequence[dict[str, Any]]) -> RenderableType:
    made = table("Stops", "stop", "state", "since", "until", "why", "order", "next", "due")
    for stop in stops:
        parts = stop["parts"]
        why = next((p["reason_text"] for p in reversed(parts) if p["reason_text"]), "")
        waiting = [r for r in stop["rungs"] if r["fired_at"] is None]
        made.add_row(
            f"{stop['line']}/{stop['stop']}", stop["state"], stop["fact"]["started_at"][:19],
            (stop["fact"]["ended_at"] or "goes on")[:19], why,
            next((p["order"] for p in reversed(parts) if p["order"]), ""),
            stop["assigned_to"] or ", ".join(waiting[0]["roles"] if waiting else ()), f"{stop['due_at'] or ''}"[:16],
        )  # fmt: skip
    return made


def shown(record: StopRecord) -> RenderableType:
    fact = record.fact
    facts = table(f"Stop {record.line}/{record.stop} · {record.state.value}", "", "")
    rows = (
        ("since", f"{fact.started_at:%Y-%m-%d %H:%M:%S} UTC"),
        ("until", f"{fact.ended_at:%Y-%m-%d %H:%M:%S} UTC" if fact.ended_at else "goes on"),
        ("taken care of by", f"{record.assigned_to} until {record.acknowledged_until}" if record.assigned_to else ""),
        ("shelved until", str(record.shelved_until or "")),
        ("expected recovery", str(record.expected_recovery or "")),
        ("capacity", f"{record.capacity.value} {record.capacity_percent:f} %" if record.capacity != "none" else ""),
        ("notification", record.notification),
        ("alarms", f"{fact.alarm_count}{', a flood' if fact.flood else ''}" if fact.alarm_count else ""),
        ("part of", record.joined_into),
        ("impact", f"order {record.impact.order}, {record.impact.customer}" if record.impact.order else ""),
    )
    for name, value in rows:
        if value.strip():
            facts.add_row(name, value)
    parts = table("Parts", "#", "from", "to", "class", "reason", "shift", "order", "cost centre", "by")
    for p in record.parts:
        parts.add_row(
            str(p.number), f"{p.started_at:%H:%M:%S}", f"{p.ended_at:%H:%M:%S}" if p.ended_at else "",
            p.time_class.value, p.reason_text, p.shift, p.order, p.cost_centre, p.by,
        )  # fmt: skip
    alarms = table("Alarms", "at", "station", "code", "text", "first")
    for alarm in fact.alarms:
        alarms.add_row(
            f"{alarm.at:%H:%M:%S}", alarm.station, alarm.code, alarm.text, "first fault" if alarm.first else ""
        )
    ladder = table("Ladder", "timer", "step", "who", "due", "called")
    for rung in record.rungs:
        ladder.add_row(
            rung.timer, str(rung.level), ", ".join((*rung.roles, *rung.users)), f"{rung.due_at:%m-%d %H:%M:%S}",
            f"{rung.fired_at:%m-%d %H:%M:%S}" if rung.fired_at else "",
        )  # fmt: skip
    booked = table("ERP", "what", "state", "document", "message")
    for posting in record.postings:
        booked.add_row(posting.what, posting.state, posting.document, posting.message)
    moves = table("Reallocation", "order", "quantity", "source", "late", "state")
    for move in record.reallocations:
        moves.add_row(move.order, f"{move.quantity:f} {move.unit}", move.source, move.late_customer, move.state)
    history = table("History", "at", "what", "text", "by")
    for event in record.history:
        history.add_row(f"{event.at:%Y-%m-%d %H:%M:%S}", event.what, event.text, event.by)
    found = (
        facts, parts if record.parts else None, alarms if fact.alarms else None, ladder if record.rungs else None,
        booked if record.postings else None, moves if record.reallocations else None, history,
    )  # fmt: skip
    return Group(*(part for part in found if part is not None))


def reasons_tree(config: DowntimeConfig) -> list[dict[str, Any]]:
    """Declared reasons in their order, then what the classes say by themselves."""
    found: list[dict[str, Any]] = [
        {
            "reason": r.id, "text": reason_text(config, r.id), "parent": r.parent,
            "level": len(line_of_descent(config, r.id)), "class": time_class(config, r.id, TimeClass.STOP).value,
            "cost_centre": cost_centre(config, r.id), "owner": owner_role(config, r.id), "automatic": r.is_automatic,
        }
        for r in config.reasons
    ]  # fmt: skip
    known = {r["reason"] for r in found}
    own = [
        {"reason": c.value, "text": text, "parent": "", "level": 1, "class": c.value, "cost_centre": "",
         "owner": owner_role(config, c.value), "automatic": True}
        for c, text in CLASS_TEXTS.items() if c.value not in known
    ]  # fmt: skip
    return [*found, *own]


def reasons_table(reasons: Sequence[dict[str, Any]]) -> RenderableType:
    made = table("Reasons", "reason", "text", "class", "cost centre", "owner", "by itself")
    for r in reasons:
        made.add_row(r["reason"], r["text"], r["class"], r["cost_centre"], r["owner"], "yes" if r["automatic"] else "")
    return made


async def losses_of(
    place: Office, found: Sequence[StopRecord], by: By, since: datetime, until: datetime
) -> dict[str, Any]:
    """Losses in a period, summed; stops that reach into it count with the part that lies in it."""
    lost = lost_parts(within(found, place.plant, since, until))
    materials: dict[str, str] = {}
    for order in sorted({one.part.order for one in lost if one.part.order}) if by is By.SKU else ():
        data = await place.ledger.order_data(place.plant_id, order)
        if data is not None:
            materials[order] = data.material
    sums = pareto(lost, by, place.plant.downtime, materials=materials)
    return {
        "plant": place.plant_id, "by": by.value, "since": since.isoformat(), "until": until.isoformat(),
        "seconds": f"{sum((one.seconds for one in sums), Decimal(0)):f}",
        "stops": len({(one.line, one.stop) for one in lost}),
        "losses": [
            {"key": one.key, "text": one.text, "seconds": f"{one.seconds:f}", "stops": one.stops,
             "share": f"{one.share:.4f}", "running_share": f"{one.running_share:.4f}"}
            for one in sums
        ],
    }  # fmt: skip


def losses_table(result: dict[str, Any]) -> RenderableType:
    title = f"Losses by {result['by']}, {result['since'][:10]} to {result['until'][:10]}"
    made = table(title, result["by"], "minutes", "stops", "share", "sum",
                 numbers=("minutes", "stops", "share", "sum"))  # fmt: skip
    for one in result["losses"]:
        made.add_row(
            one["text"] or one["key"] or "none", f"{Decimal(one['seconds']) / 60:.1f}", str(one["stops"]),
            f"{Decimal(one['share']) * 100:.1f} %", f"{Decimal(one['running_share']) * 100:.1f} %",
        )  # fmt: skip
    return made
