"""What people, and orders on their behalf, ask of a Line: assign an order, accept a parked item, hand over.

Each becomes evidence like any other: an assignment is an event, an acceptance a report that names who decided.
"""

from __future__ import annotations

from domain.line_state import BufferedEvent, LineState
from domain.plant import PlantConfig
from domain.reporting import close_order, next_number, park, send
from domain.shifts import production_day, shift_at
from signals.decisions import AssignOrder, DecideParked
from signals.events import OrderAspect, OrderEvent, SequencedEvent
from signals.ids import parked_item_id, report_id, short_hash
from signals.reports import Evidence, HandOver, LineMessage, ParkedItem, ProductionReport, ReportBucket

PERSON_DECISION = "person-decision/1"
"""A person with the right to do so accepted the quantity."""


def hand_over(state: LineState, order: str) -> None:
    """Send what was counted for an order so far, and say so behind it."""
    close_order(state, order)
    message = HandOver(
        plant=state.plant,
        line=state.line,
        number=next_number(state, order),
        order=order,
        watermark=state.watermark,
    )
    send(state, LineMessage(hand_over=message))


def assignment_events(wish: AssignOrder) -> list[BufferedEvent]:
    """The order events that an assignment stands for."""
    aspects = {OrderAspect.ORDER: wish.order or ""}
    if wish.operation:
        aspects[OrderAspect.OPERATION] = wish.operation
    if wish.batch is not None:
        aspects[OrderAspect.BATCH] = wish.batch
    return [
        BufferedEvent(
            source=f"person:{wish.decision_id}",
            event=SequencedEvent(
                seq=number,
                event=OrderEvent(
                    event_id=short_hash("assign", wish.decision_id, aspect.value, length=26),
                    at=wish.valid_from,
                    equipment=wish.equipment,
                    tag=f"assigned by {wish.by}"[:80],
                    aspect=aspect,
                    value=value,
                ),
            ),
        )
        for number, (aspect, value) in enumerate(aspects.items(), start=1)
    ]


def accept_parked(
    state: LineState, plant: PlantConfig, item: ParkedItem, decision: DecideParked, order: str, operation: str
) -> None:
    """Report an accepted item with the decision as its evidence. Without an order it is parked again, never guessed."""
    if item.yield_quantity == 0 and item.scrap_quantity == 0:
        return
    if not order or not operation:
        park(state, _still_without_order(state, item, decision, order))
        return
    first = item.evidence[0].model_copy(update={"event_ids": ()}) if item.evidence else None
    decided = Evidence(rule=PERSON_DECISION, detail=f"{decision.by}: {decision.reason}")
    report = ProductionReport(
        report_id=report_id(state.plant, state.line, order, operation, [], f"parked:{item.item}"),
        plant=state.plant,
        line=state.line,
        number=next_number(state, order),
        bucket=ReportBucket(
            order=order,
            operation=operation,
            batch=item.batch,
            person=decision.by,
            shift=shift_at(plant.plant, plant.shifts, item.at).label,
            posting_date=production_day(plant.plant, item.at),
        ),
        yield_quantity=item.yield_quantity,
        scrap_quantity=item.scrap_quantity,
        unit=item.unit,
        first_at=item.at,
        last_at=item.at,
        serials=(item.serial,) if item.serial else (),
        ranges=item.ranges,
        evidence=(decided, *((first,) if first else ()), *item.evidence[1:]),
    )
    send(state, LineMessage(report=report))


def _still_without_order(state: LineState, item: ParkedItem, decision: DecideParked, order: str) -> ParkedItem:
    missing = "operation" if order else "order"
    return item.model_copy(
        update={
            "item": parked_item_id(state.plant, item.why.value, item.item, decision.decision_id),
            "order": order,
            "detail": f"{decision.by} accepted item {item.item}, but it names no {missing} to count it for; "
            f"assign one and decide this item instead. It was parked because: {item.detail}",
        }
    )
