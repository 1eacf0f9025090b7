"""Dynamics's own rules against a transaction, each by name and version, before anything is sent.

Without a call, but for what the order's plan says, which is read once per order.
"""

from __future__ import annotations

from zoneinfo import ZoneInfo

from erp.dynamics.capacity import days_of, knows_what_was
from erp.dynamics.contents import HOURS, Contents
from erp.dynamics.forecast import AUTOMATIC, lot_line, manual_lines
from erp.dynamics.plan import OrderPlan, Plans
from erp.dynamics.settings import DynamicsSettings, operation_number
from signals.bookings import ActivityAmount, ComponentUse, StockKind
from signals.orders import OutputKind
from signals.stock import MaterialPosition, PlaceHold, ReleaseHold
from signals.transactions import (
    AdjustCapacity,
    ConfirmProduction,
    IssueComponents,
    MoveStock,
    PostingIntent,
    ReceiveGoods,
    RecordInspection,
    ReportTime,
    ReturnComponents,
    Reverse,
)

BATCH_LENGTH = 20
NO_ROUTE = (MaterialPosition.IN_WORK, MaterialPosition.CONSUMED)


class Rules:
    """Rules of one plant."""

    def __init__(self, settings: DynamicsSettings, plans: Plans) -> None:
        self._settings = settings
        self._options = settings.dynamics
        self._plans = plans
        self._contents = Contents(settings)
        self._zone = ZoneInfo(settings.zone)

    async def check(self, intent: PostingIntent) -> str:
        """`rule-id/version: sentence`, empty if nothing speaks against it."""
        transaction = intent.transaction
        if transaction.operation and not transaction.operation.isdigit():
            return f"dynamics-operation/1: operation {transaction.operation} is no number; Dynamics counts 10, 20, 30"
        match transaction:
            case ConfirmProduction() as t:
                return await self._confirmation(t)
            case ReportTime() as t:
                return self._activities(t.activities)
            case IssueComponents() | ReturnComponents() as t:
                return self._lines(t.lines)
            case ReceiveGoods() as t:
                return self._receipt(t)
            case PlaceHold() | ReleaseHold() as t:
                return self._hold(t)
            case MoveStock() as t:
                return _batch(t.batch)
            case AdjustCapacity() as t:
                return self._capacity(t)
            case RecordInspection() as t if not t.inspection_lot:
                return f"dynamics-inspection/1: inspection {t.inspection} names no quality order to hold its results"
            case Reverse() as t:
                return self._reversal(t)
            case _:
                return ""

    # --- confirmations -----------------------------------------------------------------------------------------------

    async def _confirmation(self, done: ConfirmProduction) -> str:
        plan = await self._plans.of(done.order)
        operation = operation_number(done.operation)
        if operation not in plan.operations:
            return f"dynamics-operation/1: order {done.order} has no operation {done.operation} in Dynamics"
        if done.rework_quantity:
            return (
                f"dynamics-rework/1: order {done.order} operation {done.operation}: Dynamics has no rework quantity; "
                "report the pieces as good or error when their rework is done"
            )
        return (
            self._activities(done.activities)
            or _output(plan, done)
            or self._lines(done.components)
            or self._components(plan, done)
        )

    def _activities(self, activities: tuple[ActivityAmount, ...]) -> str:
        for activity in activities:
            if not self._contents.task(activity.slot):
                return (
                    f"dynamics-activity/1: activity slot {activity.slot} has no task type; "
                    "name it in [erp.dynamics.task_types] or as machine_activity"
                )
            if activity.unit.upper() not in HOURS:
                return f"dynamics-activity/1: Dynamics takes hours; {activity.unit} is no unit of time known here"
        return ""

    def _lines(self, uses: tuple[ComponentUse, ...]) -> str:
        for use in uses:
            tracked = use.batch or use.serials or use.storage_location
            if self._options.picking_list_version == "old" and tracked:
                return (
                    f"dynamics-lot/1: the tenant's picking list message (version old) names no batch, serial number or "
                    f"location; {use.material} must be issued by a person"
                )
            if use.reservation_item and not _is_number(use.reservation_item):
                return f"dynamics-line/1: {use.reservation_item} is no line number of {use.material}"
            if told := _batch(use.batch):
                return told
        return ""

    def _components(self, plan: OrderPlan, done: ConfirmProduction) -> str:
        """What Dynamics flushes must not be told as well: it would be consumed twice."""
        told = {use.material for use in done.components}
        line = lot_line(plan, done) if done.component_lot else None
        if done.component_lot and self._options.picking_list_version == "old":
            return (
                f"dynamics-lot/1: the tenant's picking list message (version old) names no batch; lot "
                f"{done.component_lot} cannot be issued"
            )
        if line is not None:
            told.add(line.item)
        elif done.component_lot and len(manual_lines(plan, done)) > 1:
            return (
                f"dynamics-lot/1: lot {done.component_lot} fits several components of operation {done.operation}; "
                "name its material at the station's tag"
            )
        twice = next((row for row in plan.bom if row.item in told and row.principle in AUTOMATIC), None)
        if twice is None:
            return _batch(done.component_lot)
        return (
            f"dynamics-flushing/1: {twice.item} of order {plan.order} is consumed by its flushing principle "
            f"{twice.principle}, so its actual use would be consumed twice; set the line to Manual"
        )

    def _receipt(self, received: ReceiveGoods) -> str:
        if received.output is OutputKind.MAIN:
            return (
                f"dynamics-receipt/1: order {received.order}: the main item is received by the report as finished of "
                "the last operation, never apart from it"
            )
        if len(received.serials) > 1:
            return f"dynamics-serial/1: {received.material}: one report per serial number"
        if received.stock is not StockKind.UNRESTRICTED:
            return _receipt_status(received.order)
        return _batch(received.batch)

    # --- the others --------------------------------------------------------------------------------------------------

    def _hold(self, hold: PlaceHold | ReleaseHold) -> str:
        if hold.position in NO_ROUTE:
            return (
                f"dynamics-hold-route/1: {hold.material} is {hold.position.value.replace('_', ' ')}: Dynamics holds "
                "stock only; hold the order or the next operation instead"
            )
        if hold.position is MaterialPosition.UNRESTRICTED and hold.batch:
            return (
                f"dynamics-hold-route/1: batch {hold.batch} of {hold.material} is held by its disposition code, "
                "position `batch`; an inventory status would hold a part of it only"
            )
        if hold.position is MaterialPosition.IN_INSPECTION and not hold.inspection_lot:
            return f"dynamics-hold-route/1: {hold.material} is in inspection, but no quality order is named"
        by_order = self._options.hold_route == "quality_order" and hold.position is MaterialPosition.UNRESTRICTED
        if isinstance(hold, ReleaseHold) and by_order:
            return (
                f"dynamics-hold-route/1: hold {hold.hold} is a quality order; a person validates it in Dynamics, no "
                "call for that is known"
            )
        if hold.position is MaterialPosition.UNRESTRICTED and not hold.storage_location and not self._options.warehouse:
            return f"dynamics-hold-route/1: {hold.material} lies nowhere: name its warehouse"
        return _batch(hold.batch)

    def _capacity(self, change: AdjustCapacity) -> str:
        start, end = days_of(change, self._zone)
        midnight = end.hour == end.minute == end.second == 0 and (end.date() - start.date()).days == 1
        if end.date() != start.date() and not midnight:
            return (
                f"dynamics-capacity/1: change {change.change} crosses midnight; calendar intervals belong to one day, "
                "so it is one change per day"
            )
        return ""

    def _reversal(self, back: Reverse) -> str:
        """What is left to a person by its kind is the procedure's matter; here is what this one document lacks."""
        match back.original:
            case AdjustCapacity() if not knows_what_was(back.document):
                return f"dynamics-reversal/1: {back.document} does not say what the interval held before"
            case PlaceHold() | ReleaseHold() as hold:
                if hold.position is MaterialPosition.IN_INSPECTION:
                    return f"dynamics-reversal/1: quality order {hold.inspection_lot} is validated by a person"
                if hold.position is not MaterialPosition.BATCH and self._options.hold_route == "quality_order":
                    return f"dynamics-reversal/1: {back.document} is a quality order; a person validates or deletes it"
                return ""
            case _:
                return ""


def _output(plan: OrderPlan, done: ConfirmProduction) -> str:
    if len(done.serials) > 1:
        return f"dynamics-serial/1: order {done.order}: one report as finished per serial number"
    if plan.is_last(operation_number(done.operation)) and done.receipt_stock is not StockKind.UNRESTRICTED:
        return _receipt_status(done.order)
    return _batch(done.batch)


def _receipt_status(order: str) -> str:
    return (
        f"dynamics-receipt-status/1: order {order}: Dynamics receives no production into a blocking status; "
        "receive it free and hold it then, by batch or by status"
    )


def _batch(batch: str) -> str:
    if len(batch) <= BATCH_LENGTH:
        return ""
    return f"dynamics-batch/1: batch {batch} has more than {BATCH_LENGTH} characters"


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit()
