"""The state a Compensation workflow carries: what is still to be taken back, and what stands before the end."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from domain.state import State
from signals.base import UtcTime
from signals.documents import Case
from signals.exceptions import CompensationPlan, CompensationStatus

SHORTEST_LOOK = timedelta(seconds=30)
LONGEST_LOOK = timedelta(minutes=10)


class CompensationState(State):
    """Small: documents by number, cases that are open."""

    plant: str
    order: str
    plan: CompensationPlan | None = None
    passed_over: list[str] = Field(default_factory=list[str], description="reversals of this pass that wait for a case")
    announced: list[str] = Field(default_factory=list[str], description="cases whose ErpException was started")
    progressed: bool = Field(default=False, description="this pass has settled something: plan anew after it")
    next_try_at: UtcTime | None = None
    next_look_at: UtcTime | None = None
    look_pause: timedelta = SHORTEST_LOOK
    declared: bool = False
    first_pass_done: bool = False
    tell_first_pass: bool = False
    checked: bool = False
    finished: bool = False

    def take(self, plan: CompensationPlan) -> None:
        """A new plan begins a new pass."""
        self.plan, self.passed_over, self.progressed = plan, [], False
        self.next_look_at = self.next_try_at = None
        self.announced = [c for c in self.announced if c in {case.case_id for case in plan.cases}]

    def look_soon(self) -> None:
        """Something may have changed: plan again, and look more often again."""
        self.plan, self.look_pause = None, SHORTEST_LOOK

    def due_reversals(self) -> list[int]:
        """Indexes of the reversals that this pass has not come to, newest booking first."""
        found = self.plan.reversals if self.plan is not None else ()
        return [n for n, intent in enumerate(found) if str(intent.key) not in self.passed_over]

    def unannounced(self) -> list[Case]:
        cases = self.plan.cases if self.plan is not None else ()
        return [c for c in cases if c.posting_key is not None and c.case_id not in self.announced]

    @property
    def is_through(self) -> bool:
        """This pass has come to its end: everything was tried."""
        return self.plan is not None and not self.plan.unsettled and not self.due_reversals()

    @property
    def stands_something(self) -> bool:
        """Something waits for a person still."""
        return self.plan is None or bool(self.plan.cases or self.passed_over or self.plan.unsettled)

    def status(self) -> CompensationStatus:
        plan = self.plan or CompensationPlan()
        waiting = [getattr(intent.transaction, "document", "") for intent in plan.reversals]
        return CompensationStatus(
            plant=self.plant,
            order=self.order,
            reversed=plan.reversed,
            waiting=tuple(waiting),
            left=plan.left,
            cases=plan.cases,
            first_pass_done=self.first_pass_done,
            finished=self.finished,
        )
