"""An order's living page in the Temporal UI (current details, markdown)."""

from __future__ import annotations

from signals.status import OrderStatus

CASES_SHOWN = 10


def order_details(status: OrderStatus) -> str:
    """Markdown: phase, quantities per operation, cases with what may be decided."""
    head = [
        f"**Order {status.order}** · {status.material} · phase **{status.phase.value}** · mode {status.mode.value}",
        "",
        f"ERP {status.erp} · {status.pending_reports} reports not posted yet · {status.postings} postings settled",
        *(["", "**Locked in the ERP**: nothing new is posted until it is free again"] if status.locked else []),
        *(["", f"**Held**: {', '.join(status.holds)}; completion waits for what is decided"] if status.holds else []),
        *(["", f"The ERP changed: {'; '.join(status.erp_changes[-3:])}"] if status.erp_changes else []),
        "",
        "| operation | planned | reported (yield / scrap) | posted (yield / scrap) | waits for |",
        "| --- | --- | --- | --- | --- |",
    ]
    rows = [
        f"| {o.operation} | {o.planned:f} {o.unit} | {o.reported_yield:f} / {o.reported_scrap:f} "
        f"| {o.posted_yield:f} / {o.posted_scrap:f} | {'final' if o.final else o.waits_for} |"
        for o in status.operations
    ]
    cases = [
        f"- **{c.kind.value}** `{c.case_id}` ({c.owner_role}): {c.summary} – may {' or '.join(c.allowed)}"
        for c in status.cases[:CASES_SHOWN]
    ]
    if len(status.cases) > CASES_SHOWN:
        cases.append(f"- and {len(status.cases) - CASES_SHOWN} more (`plantwright cases list --order {status.order}`)")
    commands = [
        "On the command line:",
        "",
        f"`plantwright orders show {status.order}` · `plantwright trace {status.order}`",
        "",
        f"`plantwright cases list --order {status.order}`",
        "",
    ]
    return "\n".join([*head, *rows, "", *(["Cases:", "", *cases, ""] if cases else []), *commands])
