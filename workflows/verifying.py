"""Who decides is asked before a decision takes effect: the one way from a workflow to the table, ledger and seal."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.decisions import DecisionActivities, DecisionToVerify
    from signals.decisions import Answer, Decision
    from workflows.common import FEW_ATTEMPTS, LEDGER_TIMEOUT

DECISIONS_VERIFIED = "decisions-verified/1"
"""Change marker: a run that has taken decisions without asking goes on so until it continues as new."""


async def refusal(plant: str, decision: Decision, place: str = "") -> str:
    """Empty where the decision may take effect, else why not; `place` is the order or line that was told.

    Raises ActivityError where the ledger does not answer: nothing is decided then.
    """
    if not workflow.patched(DECISIONS_VERIFIED):
        return ""
    return await workflow.execute_activity_method(
        DecisionActivities.verify_decision,
        DecisionToVerify(plant=plant, place=place, decision=decision),
        start_to_close_timeout=LEDGER_TIMEOUT,
        retry_policy=FEW_ATTEMPTS,
    )


def not_verified(decision: Decision, error: ActivityError) -> Answer:
    """Nothing has happened, and nothing is kept: the same decision may be sent again."""
    message = f"who decides could not be asked: {error.cause}"
    return Answer(decision_id=decision.decision_id, accepted=False, message=message)
