"""The error catalogue as the tables of docs/errors.md; a test keeps the document alike."""

from __future__ import annotations

from domain.error_catalogue import ladder_roles
from domain.error_classes import REFUSALS, TROUBLES, TroubleClass
from domain.error_codes import CODES, REJECTED, CodeEntry

ERPS = {"sap": "SAP S/4HANA", "oracle": "Oracle Fusion", "dynamics": "Dynamics 365", "tryton": "Tryton", "": "any"}


def class_table() -> str:
    """Classes: owner, deadline, who is asked next, actions, what a skip leaves."""
    rows = [
        "| class | means | owner | hours | then | a person may | what to do | a skip leaves |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    rows += [_class_row(trouble) for trouble in (*REFUSALS.values(), *TROUBLES.values())]
    return "\n".join(rows)


def _class_row(t: TroubleClass) -> str:
    actions = ", ".join(f"`{a.value}`" for a in t.actions)
    then = ", ".join(role.value for role in ladder_roles(t.owner))
    cells = (f"`{t.name}`", t.means, t.owner.value, f"{t.hours:g}", then, actions, t.runbook, t.skip or "–")
    return f"| {' | '.join(cells)} |"


def code_table(erp: str) -> str:
    """What the ERP's codes mean, and what is done about each."""
    rows = ["| code | meaning | class | owner | what to do |", "| --- | --- | --- | --- | --- |"]
    rows += [_code_row(entry) for entry in CODES if entry.erp == erp]
    return "\n".join(rows)


def _code_row(entry: CodeEntry) -> str:
    code = f"`{entry.code}`" if entry.code else f"text `{entry.text}`".replace("|", "\\|")
    if entry.type is not REJECTED:
        return f"| {code} | {entry.means} | `{entry.type.value}` | – | {entry.do} |"
    trouble = REFUSALS[entry.reason]
    owner = entry.owner or trouble.owner
    return f"| {code} | {entry.means} | `{trouble.name}` | {owner.value} | {entry.do} |"


def tables() -> dict[str, str]:
    """By the name that marks its place in the document."""
    return {"classes": class_table(), **{f"codes {erp or 'any'}": code_table(erp) for erp in ERPS}}
