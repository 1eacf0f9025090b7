"""Where something belongs on the floor, so that visibility can be asked by line. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from domain.plant import PlantConfig
from signals.orders import ProductionOrder
from signals.reports import LineMessage


def lines_of_order(
    plant: PlantConfig, order: ProductionOrder | None, messages: Iterable[LineMessage] = ()
) -> tuple[str, ...]:
    """Lines that have reported for the order, or whose stations do its operations, by work centre else by number.

    None where nobody knows: the order then belongs to the plant as a whole.
    """
    reported = {message.line for message in messages}
    operations = order.operations if order is not None else ()
    centres = {operation.work_centre for operation in operations if operation.work_centre}
    numbers = {operation.operation for operation in operations}
    return tuple(
        line.id
        for line in plant.lines
        if line.id in reported
        or any(
            station.work_centre in centres
            if station.work_centre
            else bool(station.operation) and station.operation in numbers
            for station in line.stations
        )
    )
