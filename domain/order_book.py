"""What an order decides: take reports in once, check them against the order, and read the answers of its postings.

Deterministic over its state; the workflow does the waiting and the asking.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from domain import order_cases
from domain.order_changes import ENDED
from domain.order_plan import CONFIRMED, confirmed_operations, everything_final
from domain.order_state import OperationState, OrderSettings, OrderState, PendingCheck, PendingReport
from signals.base import ZERO
from signals.documents import Case, CaseAction, CaseKind, Credit, OperationTotals, PostingOutcome, PostingState
from signals.orders import ErpOrderStatus, OrderChange, OrderPhase, ProductionOrder
from signals.reports import LineMessage, OperationEnd, ProductionReport
from signals.status import OperationStatus, OrderStatus
from signals.transactions import ConfirmProduction, PostingIntent

KEPT_CHANGES = 20


class OrderBook:
    """An order's state and the rules that change it."""

    def __init__(self, state: OrderState) -> None:
        self.state = state

    # --- loading -----------------------------------------------------------------------------------------
    def load(
        self,
        order: ProductionOrder,
        settings: OrderSettings,
        messages: tuple[LineMessage, ...],
        settled: frozenset[str],
        totals: tuple[OperationTotals, ...],
        credits: tuple[Credit, ...],
        cases: tuple[Case, ...],
        finals: frozenset[str],
        closed_cases: tuple[Case, ...] = (),
        unsettled: tuple[PostingIntent, ...] = (),
    ) -> None:
        """Take over what the ledger knows: `settled` are reports whose posting needs nothing more.

        `closed_cases` are the order's cases that were decided: what a person has settled is not asked again.
        `unsettled` are claims without an outcome: they go on as they were claimed, and are not drafted anew.
        Idempotent: called at the start and whenever a message number is missing.
        """
        state = self.state
        state.order, state.settings = order, settings
        state.locked = order.status is ErpOrderStatus.LOCKED
        for operation in order.operations:
            state.operations.setdefault(operation.operation, OperationState(operation=operation.operation))
        for case in closed_cases:
            order_cases.remember_decision(state, case)
        self.take_totals(totals)
        for message in sorted(messages, key=lambda m: (m.line, m.number)):
            self.receive(message)
        state.pending = [r for r in state.pending if r.report_id not in settled]
        for credit in credits:
            self._take_credit(credit)
        for number in finals:
            if number in state.operations:
                state.operations[number].final_posted = True
        for case in cases:
            self.open(case)
        for intent in unsettled:
            self._go_on_with(intent)
        order_cases.check_predecessors(state)
        state.reload = False

    def _go_on_with(self, intent: PostingIntent) -> None:
        operation = self.state.operations.get(_operation_of(intent))
        if operation is None or operation.waiting is not None or not is_confirmation(intent):
            return
        if intent.revision < operation.revision:
            return  # a decision has released it since
        if self.state.current is None or self.state.current.key != intent.key:
            operation.waiting = intent

    def _take_credit(self, credit: Credit) -> None:
        """The ledger's word, but for a posting on its way: whether it has taken its part off yet is not known here."""
        operation = self.state.operations.get(credit.operation)
        if operation is None:
            return
        on_its_way = [self.state.current, operation.waiting]
        if not any(
            i is not None and i.credit is not None and i.credit.operation == credit.operation for i in on_its_way
        ):
            operation.credit = credit

    # --- from the line -----------------------------------------------------------------------------------
    def receive(self, message: LineMessage) -> None:
        """Apply a Line's message once, in number order; a hole asks the ledger for what is missing."""
        known = self.state.high_water.get(message.line, 0)
        if message.number <= known:
            return
        if message.number > known + 1 or self.state.order is None:
            self.state.reload = True
            return
        self.state.high_water[message.line] = message.number
        if message.report is not None:
            self._take_report(message.report)
        elif message.operation_end is not None:
            self._take_end(message.operation_end)
        elif message.line in self.state.handing_over:
            self.state.handing_over.remove(message.line)

    def _take_report(self, report: ProductionReport) -> None:
        operation = self.state.operations.get(report.bucket.operation)
        if operation is None:
            order_cases.refuse(self.state, report, CaseKind.UNKNOWN_OPERATION, "the order has no such operation")
            return
        assert self.state.order is not None
        declared = self.state.order.find_operation(operation.operation)
        if declared is not None and declared.unit != report.unit:
            detail = f"counted in {report.unit}, the order is in {declared.unit}"
            order_cases.refuse(self.state, report, CaseKind.UNIT_MISMATCH, detail)
            return
        operation.reported_yield += report.yield_quantity
        operation.reported_scrap += report.scrap_quantity
        operation.reported_rework += report.rework_quantity
        operation.last_posting_date = max(operation.last_posting_date or date.min, report.bucket.posting_date)
        operation.last_at = max(operation.last_at or report.last_at, report.last_at)
        self._judge_end(operation)
        if self.state.phase in (OrderPhase.RELEASED, OrderPhase.READY):
            self.state.phase = OrderPhase.RUNNING
        if declared is None or declared.confirmation not in CONFIRMED:
            return  # counted for the plant; this ERP takes no confirmation of the operation
        self.state.pending.append(
            PendingReport(
                report_id=report.report_id,
                line=report.line,
                number=report.number,
                bucket=report.bucket,
                yield_quantity=report.yield_quantity,
                scrap_quantity=report.scrap_quantity,
                rework_quantity=report.rework_quantity,
                unit=report.unit,
                first_at=report.first_at,
                last_at=report.last_at,
                machine_seconds=report.machine_seconds,
            )
        )
        order_cases.check_tolerance(self.state, operation)
        order_cases.check_evidence(self.state, operation)
        order_cases.check_predecessors(self.state)

    def _take_end(self, end: OperationEnd) -> None:
        operation = self.state.operations.get(end.operation)
        if operation is None:
            return
        operation.ended_at = max(operation.ended_at or end.ended_at, end.ended_at)
        operation.in_line += end.in_line
        operation.second_evidence = end.second_evidence
        self._judge_end(operation)
        order_cases.check_evidence(self.state, operation)

    def _judge_end(self, operation: OperationState) -> None:
        """Pieces made after an end take it back: the order has returned to a station, or never left another one."""
        if operation.ended_at is not None:
            operation.ended = operation.last_at is None or operation.last_at <= operation.ended_at

    # --- cases -------------------------------------------------------------------------------------------
    def open(self, case: Case) -> None:
        """Note an open case once."""
        order_cases.note_case(self.state, case)

    def close(self, case_id_: str) -> None:
        """A case is settled."""
        self.state.cases = [c for c in self.state.cases if c.case_id != case_id_]

    def case(self, case_id_: str) -> Case | None:
        """The open case with this id, or None."""
        return next((c for c in self.state.cases if c.case_id == case_id_), None)

    def unannounced(self) -> list[Case]:
        """Open cases about a posting whose ErpException was not started yet."""
        return [c for c in self.state.cases if c.posting_key is not None and c.case_id not in self.state.announced]

    def settled_exceptions(self) -> dict[str, str]:
        """Announced cases that are open no more, with their posting's key."""
        still_open = {c.case_id for c in self.state.cases}
        return {case: key for case, key in self.state.announced.items() if case not in still_open}

    def become_void(self) -> None:
        """Nothing more is posted; what is on its way, and all that stands, is the compensation's."""
        state = self.state
        state.current, state.next_try_at, state.resuming = None, None, []
        state.verify, state.reversals, state.closing_cases = [], {}, []
        for operation in state.operations.values():
            operation.waiting, operation.awaits_approval = None, False

    # --- the loop back -----------------------------------------------------------------------------------
    def erp_changed(self, change: OrderChange) -> None:
        """The ERP changed the order: its new data is loaded from the ledger; a lock waits, an end is a short close."""
        state = self.state
        state.erp_changes = [*state.erp_changes, *change.changes][-KEPT_CHANGES:]
        state.locked = change.status is ErpOrderStatus.LOCKED
        state.reload = True
        asked_for = state.complete_requested or state.completion_proposed or state.cancel_requested
        if change.status in ENDED and not asked_for:
            state.ask_lines = not self.is_final()
            state.cancel_requested = True

    # --- from the ERP ------------------------------------------------------------------------------------
    def take_totals(self, totals: tuple[OperationTotals, ...]) -> None:
        """The ledger's totals are the truth of what is posted, whichever run of this workflow posted it."""
        for total in totals:
            operation = self.state.operations.get(total.operation)
            if operation is None:
                continue
            operation.posted_yield = total.yield_quantity
            operation.posted_scrap = total.scrap_quantity or ZERO
            operation.posted_rework = total.rework_quantity or ZERO
        order_cases.check_predecessors(self.state)

    def overstated(self, totals: tuple[OperationTotals, ...]) -> list[OperationState]:
        """Operations of which the ledger, asked for all, names none any more: everything of them was reversed."""
        named = {t.operation for t in totals}
        return [o for o in self.state.operations.values() if o.posted_total and o.operation not in named]

    def settled(self, intent: PostingIntent, outcome: PostingOutcome) -> None:
        """A posting reached its end: its reports are taken, and what it changed is noted."""
        state = self.state
        taken = set(outcome.report_ids)
        state.pending = [r for r in state.pending if r.report_id not in taken]
        state.postings += 1
        if outcome.key != intent.key:
            state.reload = True  # what the other posting took off a credit, only the ledger knows
        operation = state.operations.get(outcome.operation or _operation_of(intent))
        if operation is not None:
            if outcome.final:
                operation.final_posted = True
            if operation.waiting is not None and operation.waiting.key == outcome.key:
                operation.waiting = None
                operation.awaits_approval = False

    def use_credit(self, intent: PostingIntent) -> None:
        """Take off what the posting used of an adopted hand entry."""
        operation = self.state.operations.get(_operation_of(intent))
        if operation is None or operation.credit is None or intent.credit is None:
            return
        left, used = operation.credit, intent.credit
        operation.credit = left.model_copy(
            update={
                "yield_quantity": max(left.yield_quantity - used.yield_quantity, ZERO),
                "scrap_quantity": max(left.scrap_quantity - used.scrap_quantity, ZERO),
                "rework_quantity": max(left.rework_quantity - used.rework_quantity, ZERO),
            }
        )

    def put_aside(self, intent: PostingIntent, *, approval: bool = False) -> None:
        """The posting is claimed, but a case or an approval stands before it; other operations go on."""
        operation = self.state.operations.get(_operation_of(intent))
        if operation is not None and is_confirmation(intent):
            operation.waiting = intent
            operation.awaits_approval = approval

    def redraft(self, intent: PostingIntent) -> None:
        """The claim was released by a decision: the same reports are drafted anew under a new key."""
        operation = self.state.operations.get(_operation_of(intent))
        if operation is not None:
            operation.revision += 1
            operation.waiting = None
            operation.awaits_approval = False

    def apply_decision(self, case: Case, action: CaseAction) -> None:
        """What a person's decision changes here; the ledger has recorded it already."""
        operation = self.state.operations.get(case.operation)
        if action not in (CaseAction.REVERSE, CaseAction.COMPENSATE):
            self.close(case.case_id)
        if operation is None:
            return
        if case.kind is CaseKind.MANUAL_ENTRY and action is CaseAction.ADOPT:
            operation.revision += 1
            operation.waiting = None
            operation.awaits_approval = False
        else:
            order_cases.note_acceptance(self.state, case)

    def is_final(self) -> bool:
        """Every operation is confirmed final."""
        return self.state.order is not None and everything_final(self.state)

    def watch_movements(self, intent: PostingIntent, document: str, now: datetime) -> None:
        """Goods movements may post later than their confirmation: look again before completion."""
        wait = timedelta(seconds=self.state.settings.goods_movement_wait_seconds)
        self.state.verify.append(PendingCheck(intent=intent, document=document, due_at=now, give_up_at=now + wait))

    # --- asking ------------------------------------------------------------------------------------------
    def status(self) -> OrderStatus:
        """How the order stands."""
        state = self.state
        planned = {o.operation: (o.planned, o.unit) for o in state.order.operations} if state.order else {}
        return OrderStatus(
            plant=state.plant,
            order=state.order_id,
            phase=state.phase,
            mode=state.settings.mode,
            material=state.order.material if state.order else "",
            operations=tuple(
                OperationStatus(
                    operation=o.operation,
                    planned=planned.get(o.operation, (ZERO, ""))[0],
                    unit=planned.get(o.operation, (ZERO, ""))[1],
                    reported_yield=o.reported_yield,
                    reported_scrap=o.reported_scrap,
                    reported_rework=o.reported_rework,
                    posted_yield=o.posted_yield,
                    posted_scrap=o.posted_scrap,
                    posted_rework=o.posted_rework,
                    ended=o.ended,
                    final=o.final_posted,
                    waits_for=self._waits_for(o),
                )
                for o in state.operations.values()
            ),
            cases=tuple(state.cases),
            pending_reports=len(state.pending),
            erp=state.erp,
            next_try_at=state.next_try_at,
            locked=state.locked,
            erp_changes=tuple(state.erp_changes),
            holds=tuple(state.holds),
            postings=state.postings,
            waiting_approval=tuple(
                str(o.waiting.key)
                for o in state.operations.values()
                if o.waiting is not None and o.awaits_approval and str(o.waiting.key) not in state.approved
            ),
        )

    def _waits_for(self, operation: OperationState) -> str:
        blocking = next((c for c in self.state.cases if c.operation == operation.operation), None)
        if blocking is not None:
            return f"case {blocking.case_id} ({blocking.kind.value})"
        if operation.awaits_approval:
            return "approval"
        if operation.final_posted:
            return ""
        pending = any(r.bucket.operation == operation.operation for r in self.state.pending)
        return "erp" if pending else "line"

    def is_completion_blocked(self) -> bool:
        """Open cases, unseen goods movements and open holds block completion."""
        held = bool(self.state.holds) and not self.state.settings.complete_with_holds
        return bool(self.state.cases) or bool(self.state.verify) or held

    def untouched(self) -> bool:
        """Nothing was reported and nothing posted."""
        assert self.state.order is not None
        return all(
            self.state.operations[o.operation].reported_total == 0 for o in confirmed_operations(self.state.order)
        )


def _operation_of(intent: PostingIntent) -> str:
    return intent.transaction.operation


def is_confirmation(intent: PostingIntent) -> bool:
    """Whether the posting is a production confirmation (and so may move goods)."""
    return isinstance(intent.transaction, ConfirmProduction)


SETTLED = (PostingState.POSTED, PostingState.ADOPTED, PostingState.SHADOW)
"""States in which a posting needs nothing more and its reports are done."""
