"""Handovers as a visitor may see them, and taking one over: for pages and API alike."""

from __future__ import annotations

from console import forms
from console.problems import not_found
from console.who import Visitor
from domain.handover_view import visible_part
from domain.permissions import Action
from signals.decisions import Answer
from signals.errors import BadInput
from signals.handover import AcknowledgeHandover, HandoverReport, HandoverSearch


async def handover_of(visitor: Visitor, plant: str, shift: str) -> HandoverReport:
    """The handover, its rows those that the visitor may know of. Raises 404."""
    visitor.plant(plant)
    report = await visitor.services.ledger.handover(plant, shift)
    if report is None:
        raise not_found()
    return seen(visitor, report)


async def handovers_seen(visitor: Visitor, plant: str, search: HandoverSearch) -> list[HandoverReport]:
    """The latest first."""
    visitor.plant(plant)
    return [seen(visitor, report) for report in await visitor.services.ledger.handovers(plant, search)]


def seen(visitor: Visitor, report: HandoverReport) -> HandoverReport:
    plant = report.plant

    def sees(lines: tuple[str, ...]) -> bool:
        return visitor.sees_any(plant, lines)

    return visible_part(report, sees, exceptions=visitor.may(Action.VIEW_CASES, plant))


async def take_over(visitor: Visitor, report: HandoverReport, action: str, comment: str) -> Answer:
    """Send the acknowledgement. Raises Refused where no role of the visitor may, BadInput, NoAnswer."""
    actor = visitor.acting(Action.HANDOVER_ACKNOWLEDGE, report.plant)
    act = forms.built(AcknowledgeHandover, action_id=action, actor=actor, comment=comment)
    answer = await visitor.services.desk.acknowledge_handover(report.plant, report.shift, act)
    if not answer.accepted:
        raise BadInput(answer.message, subject=report.shift)
    return answer
