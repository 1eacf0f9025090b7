"""Which lines an order runs on, so that people who are limited to lines see what is theirs. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from domain.plant import PlantConfig
from signals.orders import ProductionOrder
from signals.reports import LineMessage


def lines_of_order(
    config: PlantConfig, order: ProductionOrder | None, messages: Iterable[LineMessage] = ()
) -> tuple[str, ...]:
    """Lines that have reported for the order, or whose stations do its operations by work centre or number."""
    reported = {message.line for message in messages}
    operations = order.operations if order is not None else ()
    centres = {operation.work_centre for operation in operations if operation.work_centre}
    numbers = {operation.operation for operation in operations}
    return tuple(
        line.id
        for line in config.lines
        if line.id in reported
        or any(
            (station.work_centre and station.work_centre in centres)
            or (not station.work_centre and station.operation and station.operation in numbers)
            for station in line.stations
        )
    )
