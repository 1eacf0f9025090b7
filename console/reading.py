"""Finding one thing for a visitor: what does not exist and what they may not know of are the same 404."""

from __future__ import annotations

from collections.abc import Iterable

from console.problems import not_found
from console.who import Visitor
from domain.places import lines_of_order
from domain.stop_review import looked_at
from ledger.port import OrderRecord
from signals.downtime import StopRecord, StopSearch
from signals.errors import NoAnswer, PlantwrightError
from signals.exceptions import CaseFile, ListedCase
from signals.holds import HoldRecord
from signals.orders import ProductionOrder
from signals.reports import ParkedItem
from signals.status import OrderStatus


async def hold_of(visitor: Visitor, plant: str, hold: str) -> HoldRecord:
    """The hold with its history. Raises 404."""
    visitor.plant(plant)
    record = await visitor.services.ledger.hold(plant, hold)
    if record is None or not visitor.sees(plant, record.scope.line):
        raise not_found()
    return record


async def stop_of(visitor: Visitor, plant: str, line: str, stop: str) -> StopRecord:
    """The stop with its history, its parts as they are now. Raises 404."""
    config, services = visitor.plant(plant), visitor.services
    record = await services.ledger.stop(plant, line, stop) if visitor.sees(plant, line) else None
    if record is None:
        raise not_found()
    return looked_at(record, config, services.now())


async def stops_seen(visitor: Visitor, plant: str, search: StopSearch) -> list[StopRecord]:
    """Those of the stops that the visitor may know of, the latest first."""
    found = await visitor.services.ledger.stops(plant, search)
    return [record for record in found if visitor.sees(plant, record.line)]


async def order_of(visitor: Visitor, plant: str, order: str) -> OrderRecord:
    """The order with its messages. Raises 404."""
    config = visitor.plant(plant)
    record = await visitor.services.ledger.load_order(plant, order)
    if record.order is None or not visitor.sees_any(plant, lines_of_order(config, record.order, record.messages)):
        raise not_found()
    return record


async def case_of(visitor: Visitor, plant: str, case_id: str) -> CaseFile:
    """The case with all that belongs to it. Raises 404."""
    visitor.plant(plant)
    file = await visitor.services.ledger.case_file(plant, case_id)
    if file is None or not visitor.sees_any(plant, await lines_of_case(visitor, plant, file.case.order)):
        raise not_found()
    return file


async def parked_of(visitor: Visitor, plant: str, item: str) -> tuple[ParkedItem, bool]:
    """The parked item, and whether it still waits. Raises 404."""
    visitor.plant(plant)
    ledger = visitor.services.ledger
    found = next((i for i in await ledger.parked(plant, open_only=False) if i.item == item), None)
    if found is None or not visitor.sees(plant, found.line):
        raise not_found()
    return found, any(i.item == item for i in await ledger.parked(plant))


async def lines_of_case(visitor: Visitor, plant: str, order: str) -> tuple[str, ...]:
    """Lines of the case's order; none for a case about the plant as a whole."""
    if not order:
        return ()
    config = visitor.plant(plant)
    return lines_of_order(config, await visitor.services.ledger.order_data(plant, order))


async def orders_seen(visitor: Visitor, plant: str) -> list[tuple[str, ProductionOrder]]:
    """The plant's orders that the visitor may know of, each with its phase."""
    config = visitor.plant(plant)
    return [
        (record.phase, record.order)
        for record in await visitor.services.ledger.orders(plant)
        if record.order is not None and visitor.sees_any(plant, lines_of_order(config, record.order))
    ]


async def cases_seen(visitor: Visitor, plant: str, listed: Iterable[ListedCase]) -> list[ListedCase]:
    """Those of the cases that the visitor may know of."""
    if visitor.sees(plant):
        return list(listed)
    lines: dict[str, tuple[str, ...]] = {}
    seen: list[ListedCase] = []
    for one in listed:
        order = one.case.order
        if order not in lines:
            lines[order] = await lines_of_case(visitor, plant, order)
        if visitor.sees_any(plant, lines[order]):
            seen.append(one)
    return seen


async def status_of(visitor: Visitor, plant: str, order: str) -> tuple[OrderStatus | None, str]:
    """What the order's process says, and why it says nothing."""
    try:
        return await visitor.services.desk.order_status(plant, order), ""
    except (NoAnswer, PlantwrightError) as error:
        return None, str(error)
