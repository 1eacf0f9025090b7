"""The error catalogue: for every trouble its class, owner role, deadline, runbook, what a person may decide, what a
skip leaves as it is (needs 10 and 39, D3). docs/errors.md shows it; a test keeps both alike.

Pure. What an ERP's code means is `domain.error_codes`; who is asked next is `domain.roles`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.error_classes import REFUSALS, TROUBLES, A, TroubleClass
from domain.error_codes import CodeEntry, find_entry
from domain.roles import LADDER, Role, role_named
from signals.documents import Case, CaseAction, CaseKind
from signals.errors import Reason
from signals.transactions import (
    ConfirmProduction,
    IssueComponents,
    PlaceHold,
    ReceiveGoods,
    ReleaseHold,
    ReturnComponents,
    Reverse,
    ScrapStock,
    Transaction,
    TransactionType,
)

NOT_AMENDABLE = (TransactionType.REVERSE, TransactionType.COMPLETE_ORDER, TransactionType.CLOSE_ORDER)
NOTHING_STANDS = (TransactionType.REVERSE, TransactionType.COMPLETE_ORDER, TransactionType.CLOSE_ORDER)
"""A posting of these kinds is a step of its own: there is nothing beside it to compensate."""


@dataclass(frozen=True)
class Verdict:
    """What the catalogue says of one trouble."""

    trouble: TroubleClass
    owner: Role
    runbook: str
    code: CodeEntry | None = None


def judge(kind: CaseKind, *, code: str = "", reason: Reason = Reason.OTHER, erp: str = "", answer: str = "") -> Verdict:
    """Class, owner and runbook. The reason that the adapter gave goes before what its code usually means."""
    entry = find_entry(code, erp=erp, answer=answer) if code or answer else None
    trouble = TROUBLES.get(kind.value)
    if trouble is None:
        known = reason if reason is not Reason.OTHER else entry.reason if entry is not None else Reason.OTHER
        trouble = REFUSALS[known]
    owner = entry.owner if entry is not None and entry.owner is not None else trouble.owner
    steps = [entry.do if entry is not None and not entry.do.startswith("nothing") else "", trouble.runbook]
    return Verdict(trouble, owner, ". ".join(s for s in steps if s), entry)


def actions_for(trouble: TroubleClass, transaction: Transaction | None) -> tuple[CaseAction, ...]:
    """What a person may decide about a posting of this kind: the class's actions as far as they make sense."""
    allowed = trouble.actions
    if transaction is None:
        return allowed
    if isinstance(transaction, Reverse) and A.RETRY in allowed and A.ADOPT not in allowed and A.SKIP in allowed:
        allowed = (*allowed, A.ADOPT)  # "I reversed it in the ERP"
    if transaction.type in NOT_AMENDABLE:
        allowed = tuple(a for a in allowed if a is not A.AMEND)
    if transaction.type in NOTHING_STANDS:
        allowed = tuple(a for a in allowed if a is not A.COMPENSATE)
    return allowed


def consequence_of_skip(trouble: TroubleClass, transaction: Transaction | None) -> str:
    """What a skip leaves as it is, in the posting's own quantities; shown before, kept with the decision."""
    if not trouble.skip:
        return ""
    said = _left_undone(transaction) if transaction is not None else ""
    return f"{said}; {trouble.skip}" if said else trouble.skip


def _left_undone(transaction: Transaction) -> str:
    t = transaction
    match t:
        case ConfirmProduction():
            parts = [(t.yield_quantity, "yield"), (t.scrap_quantity, "scrap"), (t.rework_quantity, "rework")]
            said = ", ".join(f"{value:f} {t.unit} {name}" for value, name in parts if value) or "the final confirmation"
            return f"{said} of order {t.order} operation {t.operation} stay unconfirmed, with their backflush"
        case IssueComponents() | ReturnComponents():
            lines = ", ".join(f"{line.quantity:f} {line.unit} {line.material}" for line in t.lines)
            done = "issued to" if isinstance(t, IssueComponents) else "returned from"
            return f"{lines} are not {done} order {t.order}: the stock in the ERP is wrong by them"
        case ReceiveGoods():
            return f"{t.quantity:f} {t.unit} {t.material} of order {t.order} are not received into stock"
        case PlaceHold():
            return f"{t.quantity:f} {t.unit} {t.material} stay free in the ERP although hold {t.hold} blocks them here"
        case ReleaseHold():
            return f"{t.quantity:f} {t.unit} {t.material} stay blocked in the ERP although hold {t.hold} is released"
        case ScrapStock():
            return f"{t.quantity:f} {t.unit} {t.material} that hold {t.hold} scrapped stay in the ERP's stock"
        case Reverse():
            return f"document {t.document} stands in the ERP's books"
        case _:
            what = t.type.value.replace("_", " ")
            return f"the ERP hears nothing of `{what}` of {t.lane}"


def completed(case: Case, now: datetime) -> Case:
    """The case with everything the catalogue knows and its opener did not say."""
    verdict = judge(case.kind, code=case.error_code, answer=case.erp_answer)
    trouble = trouble_named(case.error_class) or verdict.trouble
    opened = case.opened_at or now
    return case.model_copy(
        update={
            "opened_at": opened,
            "error_class": case.error_class or trouble.name,
            "due_at": case.due_at or opened + trouble.deadline,
            "runbook": case.runbook or verdict.runbook,
            "consequence": case.consequence or (trouble.skip if A.SKIP in case.allowed else ""),
        }
    )


def trouble_named(name: str) -> TroubleClass | None:
    """The class with this name."""
    refusal = next((c for c in REFUSALS.values() if c.name == name), None)
    return refusal or TROUBLES.get(name)


def trouble_of(case: Case) -> TroubleClass:
    """A case's class; cases of earlier releases carry none."""
    return trouble_named(case.error_class) or judge(case.kind, code=case.error_code, answer=case.erp_answer).trouble


# --- who decides, and who is asked when nobody does ------------------------------------------------------------------


def deciders(case: Case) -> tuple[Role, ...]:
    """Roles that may decide the case: its owner, those above it on the ladder, and whoever administers."""
    owner = role_named(case.owner_role) or trouble_of(case).owner
    return tuple(dict.fromkeys((owner, *LADDER[owner], Role.ADMIN)))


def ladder_roles(owner: Role) -> tuple[Role, ...]:
    """Who is asked after the owner."""
    return LADDER[owner]


def may_decide(case: Case, role: str) -> str:
    """Empty where the role may decide this case, else why not."""
    named = role_named(role)
    if named is None:
        return f"there is no role {role!r}; roles are {', '.join(r.value for r in Role)}"
    allowed = deciders(case)
    if named in allowed:
        return ""
    return f"case {case.case_id} is decided by {' or '.join(r.value for r in allowed)}, not by {named.value}"


class RungKind(StrEnum):
    """What happens at a rung."""

    REMIND = "remind"
    ESCALATE = "escalate"


@dataclass(frozen=True)
class Rung:
    """One step of the ladder, at an absolute time."""

    level: int
    at: datetime
    kind: RungKind
    role: Role


def ladder_of(case: Case) -> tuple[Rung, ...]:
    """Reminder at half time, then the next role at each deadline that passes. The times follow from the case alone."""
    if case.opened_at is None or case.due_at is None:
        return ()
    owner = role_named(case.owner_role) or trouble_of(case).owner
    span = max(case.due_at - case.opened_at, timedelta(minutes=1))
    rungs = [Rung(1, case.opened_at + span / 2, RungKind.REMIND, owner)]
    rungs += [
        Rung(2 + n, case.opened_at + span * (n + 1), RungKind.ESCALATE, role) for n, role in enumerate(LADDER[owner])
    ]
    return tuple(rungs)


def rungs_due(case: Case, level: int, now: datetime) -> tuple[Rung, ...]:
    """Rungs above `level` that have come, lowest first: after an outage none is skipped."""
    return tuple(rung for rung in ladder_of(case) if rung.level > level and rung.at <= now)


def next_rung_at(case: Case, level: int) -> datetime | None:
    """When the next rung above `level` comes."""
    return next((rung.at for rung in ladder_of(case) if rung.level > level), None)


def severity_of(case: Case, level: int) -> int:
    """The class's severity, more urgent by one for every rung after the reminder."""
    return max(1, trouble_of(case).severity - max(0, level - 1))


def roles_at(case: Case, level: int) -> tuple[str, ...]:
    """Roles that have the case on their list at this level: the owner and everybody it was escalated to."""
    climbed = [rung.role.value for rung in ladder_of(case) if rung.level <= level]
    return tuple(dict.fromkeys((case.owner_role, *climbed)))
