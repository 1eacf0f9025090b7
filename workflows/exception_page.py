"""An ErpException's living page in the Temporal UI (current details, markdown)."""

from __future__ import annotations

from domain.error_catalogue import deciders, next_rung_at, trouble_of
from domain.exception_state import ExceptionState
from signals.documents import Case
from signals.transactions import Transaction

HIDDEN = ("type", "plant")


def exception_details(state: ExceptionState) -> str:
    """Markdown: what was asked, what the ERP answered, who owns it until when, the runbook, the choices."""
    where = f"order {state.order}" if state.order else "no order"
    stands = f"{state.posting_state.value}" if state.posting_state else "unknown"
    document = f" as {state.posting_document}" if state.posting_document else ""
    head = [
        f"**Posting {state.posting_key}** · {where} · {state.material} · {stands}{document}",
        "",
        *([f"**Asked:** {asked(state.transaction)}", ""] if state.transaction is not None else []),
    ]
    if not state.cases:
        doing = "It is being settled from here." if state.driving else "No case is open any more."
        return "\n".join([*head, doing])
    return "\n".join(head + [line for case in state.cases for line in _case(state, case)])


def asked(transaction: Transaction) -> str:
    """The posting in one line: what differs from a field's default."""
    fields = type(transaction).model_fields
    said = [
        f"{name} {getattr(transaction, name)}"
        for name, field in fields.items()
        if name not in HIDDEN and getattr(transaction, name) not in (field.default, "", (), None)
    ]
    return f"{transaction.type.value.replace('_', ' ')}: {', '.join(said)}"


def _case(state: ExceptionState, case: Case) -> list[str]:
    next_at = next_rung_at(case, state.level_of(case))
    escalates = f", asked again or escalated at {next_at:%Y-%m-%d %H:%M} UTC" if next_at else ""
    due = f" until {case.due_at:%Y-%m-%d %H:%M} UTC" if case.due_at else ""
    who = " or ".join(role.value for role in deciders(case))
    lines = [
        f"### {trouble_of(case).name} ({case.kind.value}) `{case.case_id}`",
        "",
        case.summary,
        "",
        *([f"**The ERP answered:** {case.erp_answer}", ""] if case.erp_answer else []),
        f"**Owner:** {case.owner_role}{due}{escalates}",
        "",
        f"**What to do:** {case.runbook}",
        "",
        f"**Choices** (as {who}):",
        "",
    ]
    for action in case.allowed:
        consequence = f": {case.consequence}" if action.value == "skip" and case.consequence else ""
        lines.append(f"- `{_command(action.value, case.case_id)}`{consequence}")
    return [*lines, ""]


def _command(action: str, case: str) -> str:
    if action in ("retry", "skip", "compensate"):
        return f"plantwright exceptions {action} {case} --role … --reason …"
    if action == "amend":
        return f"plantwright exceptions amend {case} --set FIELD=VALUE --role … --reason …"
    return f"plantwright cases decide {case} {action} --reason …"
