"""The classes of the error catalogue: owner, deadline, severity, runbook, actions, and what a skip leaves as it is.

Tables only; `domain.error_catalogue` judges by them.
"""

# ruff: noqa: E501  (a table is read by its rows)
from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from domain.roles import Role
from signals.documents import CaseAction, CaseKind
from signals.errors import Reason

A = CaseAction
EVERYTHING = (A.RETRY, A.AMEND, A.SKIP, A.COMPENSATE)


@dataclass(frozen=True)
class TroubleClass:
    """One class of the catalogue."""

    name: str
    owner: Role
    hours: float
    """Until its owner should have decided; the same again for every further rung of the ladder."""
    severity: int
    """1 stops the plant's books from being known, 4 can wait."""
    means: str
    runbook: str
    skip: str
    """What a skip leaves as it is; empty where nothing can be skipped."""
    actions: tuple[CaseAction, ...] = EVERYTHING

    @property
    def deadline(self) -> timedelta:
        return timedelta(hours=self.hours)


def _kind(kind: CaseKind, owner: Role, hours: float, severity: int, means: str, runbook: str, actions: tuple[CaseAction, ...],
          skip: str = "") -> TroubleClass:  # fmt: skip
    return TroubleClass(kind.value, owner, hours, severity, means, runbook, skip, actions)


REFUSALS = {
    reason: TroubleClass(reason.value, owner, hours, severity, means, runbook, "the posting is not in the ERP's books and is not asked about again")
    for reason, owner, hours, severity, means, runbook in (
        (Reason.PERIOD_CLOSED, Role.FINANCE, 8, 2, "the posting period is closed",
         "decide once for all cases of the code: open the period and retry, or amend the posting date"),
        (Reason.STOCK_SHORT, Role.PLANNER, 4, 2, "a component's stock does not cover it",
         "compare the ERP's stock with the floor; post what is missing, then retry"),
        (Reason.TOLERANCE, Role.SUPERVISOR, 4, 3, "more or less than the ERP's tolerance allows",
         "compare machine, report and order; raise the order's quantity and retry, or amend"),
        (Reason.MASTER_DATA, Role.PLANNER, 8, 3, "master data are missing or do not match",
         "correct them in the ERP, then retry"),
        (Reason.ORDER_STATUS, Role.PLANNER, 4, 2, "the order's status forbids it",
         "bring the order to a status that takes postings, then retry"),
        (Reason.RULE, Role.PLANNER, 8, 3, "a validation rule speaks against it; nothing was sent",
         "the code names the rule and its version; correct its cause, then retry or amend"),
        (Reason.NOT_SUPPORTED, Role.INTEGRATION, 24, 3, "this ERP cannot book such a transaction",
         "`plantwright erp capabilities` says why; book it by hand where it matters, then skip"),
        (Reason.REVERSAL, Role.SUPERVISOR, 4, 2, "a document cannot be taken back",
         "look at the document in the ERP; remove what hangs on it and retry, or reverse it there and adopt"),
        (Reason.CLIENT_BUG, Role.INTEGRATION, 8, 2, "the call does not fit the ERP's interface",
         "read the kept answer; a fault of set-up or of Plantwright: report it, retry after the repair"),
        (Reason.OTHER, Role.PLANNER, 4, 3, "a business rule of the ERP",
         "read the kept answer, remove the cause, then retry"),
    )
}  # fmt: skip
"""Classes of what an ERP, or a rule of ours, refused."""

TROUBLES = {
    c.name: c
    for c in (
        _kind(CaseKind.ERP_IN_DOUBT, Role.SUPERVISOR, 1, 1, "settle time is over and the books do not tell whether it was booked",
              "look in the ERP for the order's newest documents: adopt the one that is ours, retry if there is none",
              (A.ADOPT, A.RETRY, A.SKIP, A.COMPENSATE),
              "if the ERP has booked it, that document stands and becomes a hand entry at the next look"),
        _kind(CaseKind.ERP_PENDING, Role.INTEGRATION, 1, 2, "the ERP accepted it and has not processed it for too long",
              "look at the ERP's own queue and its batch job: accept waits on; retry only after the request was cancelled there",
              (A.ACCEPT, A.ADOPT, A.RETRY, A.SKIP),
              "cancel the request in the ERP's queue first: what is processed later stands and becomes a hand entry"),
        _kind(CaseKind.ERP_MISCONFIGURED, Role.INTEGRATION, 1, 1, "log-on, rights, certificate, address or activation",
              "repair the set-up; nothing was booked and nothing is lost; it closes by itself with the next booking",
              (A.RETRY,)),
        _kind(CaseKind.REVERSAL_BY_PERSON, Role.SUPERVISOR, 4, 2, "this ERP takes such a document back by a person's hand only",
              "reverse the named document in the ERP, then adopt", (A.ADOPT, A.SKIP),
              "the document stands in the ERP's books"),
        _kind(CaseKind.GOODS_MOVEMENT_SHORTFALL, Role.PLANNER, 8, 3, "confirmed, but goods movements are missing",
              "reprocess the ERP's error list (SAP: COGI), then accept; seen later, it closes by itself", (A.ACCEPT,)),
        _kind(CaseKind.PARTLY_BOOKED, Role.SUPERVISOR, 8, 3, "booked, but the ERP left out part of what was asked",
              "complete the named document in the ERP by hand, then accept", (A.ACCEPT,)),
        _kind(CaseKind.MANUAL_ENTRY, Role.SUPERVISOR, 4, 2, "a document in the ERP is nobody's here",
              "ask who entered it and what for: adopt takes it for ours, post lets it stand beside, reverse takes it back",
              (A.ADOPT, A.POST, A.REVERSE)),
        _kind(CaseKind.TOTALS_DIFFER, Role.SUPERVISOR, 4, 2, "the ERP's totals are not the sum of its documents, or not ours",
              "find the booking that is not listed (whole order, other unit or sequence), then accept", (A.ACCEPT,)),
        _kind(CaseKind.SECOND_EVIDENCE, Role.SUPERVISOR, 4, 3, "two readings of the counters disagree",
              "count what lies at the station; accept lets the order's quantities stand", (A.ACCEPT,)),
        _kind(CaseKind.BEYOND_TOLERANCE, Role.SUPERVISOR, 4, 3, "more was made than the order allows",
              "accept lets it be posted", (A.ACCEPT,)),
        _kind(CaseKind.UNKNOWN_OPERATION, Role.SUPERVISOR, 8, 3, "a report of an operation the order does not have",
              "correct the station's operation in the plant file for what comes", (A.SKIP,),
              "the report's pieces are not posted to this order"),
        _kind(CaseKind.UNIT_MISMATCH, Role.SUPERVISOR, 8, 3, "counted in another unit than the order's",
              "correct the unit in plant file or order for what comes", (A.SKIP,),
              "the report's pieces are not posted to this order"),
        _kind(CaseKind.OVERLAPPING_REPORT, Role.SUPERVISOR, 8, 3, "two reports hold the same events",
              "compare both reports", (A.SKIP,), "the second report's pieces are not posted"),
        _kind(CaseKind.ORDER_CHANGE_REFUSED, Role.PLANNER, 4, 2, "the ERP changed the order in a way that cannot be followed",
              "compare order and floor; correct the order in the ERP, then accept", (A.ACCEPT,)),
        _kind(CaseKind.HOLD_COUNT_DIFFERS, Role.SUPERVISOR, 4, 2, "the operator segregated another quantity than is held",
              "count again and look for the rest of the held pieces; accept lets the count stand beside the books", (A.ACCEPT,)),
        _kind(CaseKind.HOLD_BY_HAND, Role.PLANNER, 4, 2, "what was decided about held material cannot be booked from here",
              "book it in the ERP by hand, then accept; the hold waits for it", (A.ACCEPT,)),
        _kind(CaseKind.HELD_MATERIAL, Role.QUALITY_ENGINEER, 4, 2, "it would use, move or free material that is held",
              "decide the named hold; released, it goes out by itself; other material may be used instead", (A.SKIP,),
              "the posting is not in the ERP's books and is not asked about again"),
    )
}  # fmt: skip
"""Classes of trouble that is no refusal: one per kind of case."""
