"""`trace ORDER`: lineage of an order, from the machine's events to the ERP's documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType

from domain.permissions import Action
from domain.places import lines_of_order
from ledger.port import OrderTrace
from signals.errors import BadInput
from signals.ids import short_key
from signals.reports import ProductionReport
from signals.transactions import ConfirmProduction
from workers.cli.office import office, plain
from workers.cli.options import AsJson, DataFolder, LedgerUrl, PlantFile
from workers.cli.orders import OrderNumber
from workers.cli.output import amount, say_result, table
from workers.cli.running import run_result


def trace(
    order: OrderNumber, plant: PlantFile, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False
) -> None:
    """Events, reports, postings and documents of an order, each with what it was made of. Asks the ledger only."""
    found = run_result(_trace(order, plant, data, ledger))
    result = lineage(order, found)
    say_result(result, _shown(result), as_json=as_json)


async def _trace(order: str, plant: Path, data: Path | None, ledger: str | None) -> OrderTrace:
    async with office(plant, data, ledger) as place:
        who = await place.look(Action.VIEW_ORDERS)
        found = await place.ledger.trace(place.plant_id, order)
        seen = who.sees(lines_of_order(place.plant, found.order, found.messages))
        if not seen or (found.order is None and not found.messages):
            hint = "`plantwright orders list --plant …` shows the orders that were taken in"
            raise BadInput(f"plant {place.plant_id} knows no order {order}", subject=order, hint=hint)
        return found


def lineage(order: str, found: OrderTrace) -> dict[str, Any]:
    """The trace as a closing object: every level names the ids of the level before it."""
    reports = [m.report for m in found.messages if m.report is not None]
    return {
        "order": order,
        "material": found.order.material if found.order else "",
        "phase": found.phase,
        "documents": [plain(document) for document in found.documents],
        "postings": [_posting(posting) for posting in found.postings],
        "reports": [_report(report) for report in reports],
        "events": [
            {"source": e.source, "seq": e.event.seq, **e.event.event.model_dump(mode="json")} for e in found.events
        ],
        "cases": [plain(case) for case in found.cases],
        "amendments": [plain(amendment) for amendment in found.amendments],
        "parked": [plain(item) for item in found.parked],
    }


def _posting(posting: Any) -> dict[str, Any]:
    transaction = posting.transaction
    confirms = isinstance(transaction, ConfirmProduction)
    return {
        "key": str(posting.key),
        "short_key": short_key(posting.key),
        "type": posting.type.value,
        "operation": posting.operation,
        "state": posting.state.value,
        "yield": amount(transaction.yield_quantity) if confirms else "0",
        "scrap": amount(transaction.scrap_quantity) if confirms else "0",
        "final": confirms and transaction.final,
        "posting_date": transaction.posting_date.isoformat(),
        "attempts": posting.attempts,
        "reports": list(posting.report_ids),
        "document": posting.document,
        "message": posting.message,
    }


def _report(report: ProductionReport) -> dict[str, Any]:
    return {
        "report": report.report_id,
        "line": report.line,
        "number": report.number,
        "operation": report.bucket.operation,
        "batch": report.bucket.batch,
        "shift": report.bucket.shift,
        "yield": amount(report.yield_quantity),
        "scrap": amount(report.scrap_quantity),
        "reason": report.bucket.reason,
        "first_at": report.first_at.isoformat(),
        "last_at": report.last_at.isoformat(),
        "rules": sorted({e.rule for e in report.evidence}),
        "events": [event for e in report.evidence for event in e.event_ids],
        "ranges": [r.text() for r in report.ranges],
    }


def _shown(result: dict[str, Any]) -> RenderableType:
    reports = {r["report"]: r for r in result["reports"]}
    chain = table(
        f"Order {result['order']} · {result['material']} · {result['phase']}",
        "operation", "events", "reports", "from", "to", "yield", "scrap", "posting", "state", "document",
        numbers=("events", "reports", "yield", "scrap"),
    )  # fmt: skip
    claimed: set[str] = set()
    for posting in result["postings"]:
        mine = [reports[i] for i in posting["reports"] if i in reports]
        claimed |= {r["report"] for r in mine}
        chain.add_row(
            posting["operation"] or posting["type"], str(sum(len(r["events"]) for r in mine)), str(len(mine)),
            _time(min((r["first_at"] for r in mine), default="")), _time(max((r["last_at"] for r in mine), default="")),
            posting["yield"], posting["scrap"], posting["short_key"], posting["state"], posting["document"],
        )  # fmt: skip
    for report in result["reports"]:
        if report["report"] not in claimed:
            chain.add_row(
                report["operation"], str(len(report["events"])), "1", _time(report["first_at"]),
                _time(report["last_at"]), report["yield"], report["scrap"], "not posted yet", "", "",
            )  # fmt: skip
    parts: list[RenderableType] = [chain]
    others = [d for d in result["documents"] if d["key"] is None]
    if others:
        by_hand = table(
            "Entered in the ERP itself", "document", "operation", "yield", "scrap", numbers=("yield", "scrap")
        )
        for document in others:
            by_hand.add_row(
                document["document"], document["operation"], document["yield_quantity"], document["scrap_quantity"]
            )
        parts.append(by_hand)
    parts += [f"posting {a['key']} was amended by {a['by']}: {a['reason']}" for a in result["amendments"]]
    if result["parked"]:
        parts.append(f"{len(result['parked'])} parked items: `plantwright parked list --all`")
    return Group(*parts)


def _time(text: str) -> str:
    return text[11:19]
