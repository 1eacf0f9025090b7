"""What an order shows of itself: status page, search attributes, and its phase and cases in the ledger.

Part of the ProductionOrder workflow; it decides nothing. Each is written only when it changed.
"""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.ledger import CaseRef, Cases, LedgerActivities, PhaseChange
    from domain.order_book import OrderBook
    from signals.documents import Case
    from workflows.common import (
        EXCEPTION_CLASS,
        FEW_ATTEMPTS,
        LEDGER_TIMEOUT,
        OPEN_TASK_ROLES,
        PAUSE,
        PHASE,
    )
    from workflows.order_status import order_details


class OrderPage:
    """The outside of one order. `noted` are the cases that the ledger knows."""

    def __init__(self, book: OrderBook) -> None:
        self._book = book
        self._shown: tuple[str, ...] = ()
        self.noted = {c.case_id for c in book.state.cases}

    async def show(self) -> None:
        """The status page at once; search attributes and the ledger only where something changed."""
        state = self._book.state
        workflow.set_current_details(order_details(self._book.status()))
        new = [c for c in state.cases if c.case_id not in self.noted]
        if new:
            self.noted.update(c.case_id for c in new)
            await self._note(new)
        kinds = sorted({c.kind.value for c in state.cases})
        roles = tuple(sorted({c.owner_role for c in state.cases}))
        shown = (state.phase.value, *kinds, *roles)
        if shown == self._shown:
            return
        self._shown = shown
        changes = [PHASE.value_set(state.phase.value), OPEN_TASK_ROLES.value_set(list(roles))]
        changes.append(EXCEPTION_CLASS.value_set(kinds[0]) if kinds else EXCEPTION_CLASS.value_unset())
        workflow.upsert_search_attributes(changes)
        if state.order is not None:
            await self._set_phase(state.phase.value)

    async def close_case(self, case_id: str) -> None:
        """A case whose cause has gone, here and in the ledger."""
        self._book.close(case_id)
        if not case_id:
            return
        ref = CaseRef(plant=self._book.state.plant, case_id=case_id, note="settled")
        try:
            await workflow.execute_activity_method(
                LedgerActivities.close_case, ref, start_to_close_timeout=LEDGER_TIMEOUT, retry_policy=FEW_ATTEMPTS
            )
        except ActivityError as error:
            workflow.logger.warning("case %s not closed in the ledger: %s", case_id, error.cause)

    async def _note(self, cases: list[Case]) -> None:
        try:
            await workflow.execute_activity_method(
                LedgerActivities.note_cases,
                Cases(cases=tuple(cases)),
                start_to_close_timeout=LEDGER_TIMEOUT,
                retry_policy=FEW_ATTEMPTS,
            )
        except ActivityError as error:
            self.noted.difference_update(c.case_id for c in cases)
            workflow.logger.warning("cases not noted in the ledger: %s", error.cause)
            await workflow.sleep(PAUSE)

    async def _set_phase(self, phase: str) -> None:
        change = PhaseChange(plant=self._book.state.plant, order=self._book.state.order_id, phase=phase)
        try:
            await workflow.execute_activity_method(
                LedgerActivities.set_phase, change, start_to_close_timeout=LEDGER_TIMEOUT, retry_policy=FEW_ATTEMPTS
            )
        except ActivityError as error:
            workflow.logger.warning("phase not noted in the ledger: %s", error.cause)
            self._shown = ()
