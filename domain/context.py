"""Context assignment: which order, operation, batch, lot and reason a station works with at an instant.

Contexts hold per station, because at a changeover the stations of a line change over at different times.
"""

from __future__ import annotations

from pydantic import Field

from domain.plant import StationConfig
from signals.base import Message, UtcTime
from signals.events import MachineEvent, MaterialLoadedEvent, OperatorEvent, OrderAspect, OrderEvent, ReasonEvent


class StationContext(Message):
    """What is known of a station's work, as of the last event applied."""

    order: str = ""
    operation: str = ""
    batch: str = ""
    serial: str = ""
    run: str = ""
    component_lot: str = ""
    component_material: str = ""
    reason: str = ""
    reason_origin: str = ""
    person: str = ""
    since: UtcTime | None = Field(default=None, description="event time of the last change of order or operation")

    def operation_at(self, station: StationConfig) -> str:
        """The operation by the station's tag, else by its configuration."""
        return self.operation or station.operation


def apply_context(context: StationContext, event: MachineEvent) -> StationContext:
    """The context after a context-bearing event; any other event leaves it as it is."""
    match event:
        case OrderEvent(aspect=OrderAspect.ORDER):
            changed = event.value != context.order
            fresh = {"order": event.value, "since": event.at} if changed else {}
            return context.model_copy(update=fresh)
        case OrderEvent():
            return context.model_copy(update={event.aspect.value: event.value})
        case ReasonEvent():
            field = "reason" if event.aspect == "reason" else "reason_origin"
            return context.model_copy(update={field: event.value})
        case OperatorEvent():
            return context.model_copy(update={"person": event.operator})
        case MaterialLoadedEvent():
            return context.model_copy(update={"component_lot": event.lot, "component_material": event.material})
        case _:
            return context
