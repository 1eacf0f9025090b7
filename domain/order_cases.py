"""What an order finds in the Line's messages that only a person can settle, and what the decision then allows.

Cases that the ERP gives rise to are opened by the posting procedure, not here.
"""

from __future__ import annotations

from decimal import Decimal

from domain.order_plan import confirmed_operations, evidence_trouble, exceeds_predecessors, expected_pieces
from domain.order_state import OperationState, OrderState
from signals.documents import Case, CaseAction, CaseKind
from signals.ids import case_id
from signals.reports import ProductionReport

FOUND_HERE = (
    CaseKind.BEYOND_TOLERANCE,
    CaseKind.SECOND_EVIDENCE,
    CaseKind.UNKNOWN_OPERATION,
    CaseKind.UNIT_MISMATCH,
)
"""An order that loads its messages once more finds these again."""

OWNER = "supervisor"


def note_case(state: OrderState, case: Case) -> None:
    """Note an open case once."""
    if all(c.case_id != case.case_id for c in state.cases):
        state.cases.append(case)


def remember_decision(state: OrderState, case: Case) -> None:
    """A person decided this in an earlier run of the order: it is not asked again."""
    if case.kind in FOUND_HERE and case.case_id not in state.decided_cases:
        state.decided_cases.append(case.case_id)
        note_acceptance(state, case)


def note_acceptance(state: OrderState, case: Case) -> None:
    """What a person's acceptance allows from now on."""
    operation = state.operations.get(case.operation)
    if operation is None:
        return
    if case.kind is CaseKind.SECOND_EVIDENCE:
        operation.evidence_accepted = True
    elif case.kind is CaseKind.BEYOND_TOLERANCE:
        if case.case_id == _beyond_predecessor(state, operation).case_id:
            operation.beyond_predecessor_accepted = True
        else:
            operation.over_accepted = True


def check_tolerance(state: OrderState, operation: OperationState) -> None:
    """Yield beyond what the order allows waits for a person."""
    order = state.order
    assert order is not None
    declared = order.find_operation(operation.operation)
    if declared is None or order.unlimited_over_delivery or operation.over_accepted:
        return
    percent = order.over_delivery_percent
    if percent is None:
        percent = state.settings.over_delivery_percent
    limit = declared.planned * (1 + percent / Decimal(100))
    if operation.reported_yield > limit:
        detail = f"yield {operation.reported_yield} is beyond {declared.planned} plus {percent} %"
        _find(state, _case(state, CaseKind.BEYOND_TOLERANCE, operation.operation, detail, CaseAction.ACCEPT, "over"))


def check_evidence(state: OrderState, operation: OperationState) -> None:
    """An operation that looks complete, but whose evidence does not agree, is not confirmed final by itself."""
    assert state.order is not None
    trouble = evidence_trouble(operation)
    declared = state.order.find_operation(operation.operation)
    if not trouble or operation.evidence_accepted or declared is None:
        return
    if operation.reported_total >= expected_pieces(state, declared):
        _find(state, _case(state, CaseKind.SECOND_EVIDENCE, operation.operation, trouble, CaseAction.ACCEPT, trouble))


def check_predecessors(state: OrderState) -> None:
    """What can never be posted under `predecessor-yield/1` is a person's decision, not an endless wait."""
    if state.order is None:
        return
    for declared in confirmed_operations(state.order):
        if exceeds_predecessors(state, declared):
            _find(state, _beyond_predecessor(state, state.operations[declared.operation]))


def refuse(state: OrderState, report: ProductionReport, kind: CaseKind, detail: str) -> None:
    """A report that does not fit the order is kept as a case and never posted."""
    summary = f"report {report.number} of {report.line}: {detail}"
    case = _case(state, kind, report.bucket.operation, summary, CaseAction.SKIP, report.report_id)
    quantities = {
        "yield_quantity": report.yield_quantity,
        "scrap_quantity": report.scrap_quantity,
        "rework_quantity": report.rework_quantity,
        "unit": report.unit,
    }
    _find(state, case.model_copy(update=quantities))


def _find(state: OrderState, case: Case) -> None:
    if case.case_id not in state.decided_cases:
        note_case(state, case)


def _beyond_predecessor(state: OrderState, operation: OperationState) -> Case:
    detail = f"{operation.reported_total} pieces were reported, more than the operation before it delivered"
    return _case(state, CaseKind.BEYOND_TOLERANCE, operation.operation, detail, CaseAction.ACCEPT, "predecessor")


def _case(state: OrderState, kind: CaseKind, operation: str, summary: str, action: CaseAction, subject: str) -> Case:
    return Case(
        case_id=case_id(state.plant, state.order_id, kind.value, f"{operation}:{subject}"),
        plant=state.plant,
        order=state.order_id,
        operation=operation,
        kind=kind,
        owner_role=OWNER,
        summary=summary,
        allowed=(action,),
    )
