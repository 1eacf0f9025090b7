"""Contents of MES messages (reference erp.md 3.3): what a transaction says in Dynamics's words. Pure.

A content is a function of the intent and the order's plan only, because a lost answer is recognised by the content
that comes back. Two postings must not have one content: the key spells the fraction of a second of ExecutedDateTime,
where the message has it, or stands in the plant's own member.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from erp.dynamics.odata import date_text, number, yes_no
from erp.dynamics.plan import OrderPlan
from erp.dynamics.settings import DynamicsSettings, Units, operation_number, place_of
from signals.bookings import ActivityAmount, ComponentUse
from signals.ids import short_key
from signals.orders import OutputKind
from signals.transactions import (
    CloseOrder,
    CompleteOrder,
    ConfirmProduction,
    IssueComponents,
    ReceiveGoods,
    ReportTime,
    ReturnComponents,
    StartOrder,
)

START = "ProdProductionOrderStart"
REPORT = "ProdProductionOrderReportFinished"
PICK = "ProdProductionOrderPickingList"
ROUTE = "ProdProductionOrderRouteCard"
END = "ProdProductionOrderEnd"

HOURS = {"H": 1, "HUR": 1, "STD": 1, "HR": 1, "MIN": 60, "S": 3600, "SEC": 3600}
SMALLEST_HOURS = Decimal("0.0001")
ERROR_CAUSES = ("None", "Material", "Machine", "OperatingStaff")
ZERO = Decimal(0)

Signature = tuple[str | Decimal, ...]
"""What a line becomes in the journal, in the terms in which journals are compared."""


@dataclass(frozen=True)
class Outgoing:
    """A message: its content, and the journal lines that its processing makes."""

    type: str
    order: str
    content: dict[str, Any]
    lines: tuple[Signature, ...] = ()
    operation: int = 0
    is_unique: bool = False
    member: str = field(default="", repr=False)

    @property
    def text(self) -> str:
        return json.dumps(self.content, ensure_ascii=False)


class Contents:
    """Builds messages for one plant."""

    def __init__(self, settings: DynamicsSettings) -> None:
        self._settings = settings
        self._options = settings.dynamics
        self._units = Units(settings.units)
        self._zone = ZoneInfo(settings.zone)

    def start(self, key: UUID, started: StartOrder) -> Outgoing:
        content: dict[str, Any] = {"ProductionOrderNumber": started.order}
        if started.quantity is not None:
            content["StartedQuantity"] = number(started.quantity)
        day = started.started_at.astimezone(self._zone).date()
        content |= {"StartedDate": date_text(day), "AutomaticBOMConsumptionRule": "FlushingPrincip"}
        return self._message(key, START, started.order, content)

    def confirm(self, key: UUID, done: ConfirmProduction, plan: OrderPlan) -> Outgoing:
        """The report as finished for the last operation, a route card for the ones before it."""
        if plan.is_last(operation_number(done.operation)):
            return self._report(key, done, plan)
        return self._route_card(key, done)

    def _report(self, key: UUID, done: ConfirmProduction, plan: OrderPlan) -> Outgoing:
        last = operation_number(done.operation)
        base = self._report_base(key, done.posting_date, done.ended_at, final=done.final) | {
            "ItemNumber": plan.item,
            "ProductionType": "MainItem",
            "ErrorCause": self.error_cause(done.reason),
            "AutomaticBOMConsumptionRule": "FlushingPrincip",
        }
        limited = not any(plan.before_last(line) for line in plan.bom)
        # The automatic rule reports every operation of its range again: only where that is the last one alone.
        by_route = "RouteDependent" if limited and not done.activities else "Never"
        base["AutomaticRouteConsumptionRule"] = by_route
        if limited:
            base |= {"FromOperationNumber": last, "ToOperationNumber": last}
        if done.batch and (self._options.report_batches or plan.batch):
            base["ItemBatchNumber"] = done.batch
        if self._options.license_plates:
            base["LicensePlateNumber"] = short_key(key)
        if done.serials:
            base["ProductSerialNumber"] = done.serials[0]
        row = {
            "LineNumber": 1,
            "ReportedGoodQuantity": number(done.yield_quantity),
            "ReportedErrorQuantity": number(done.scrap_quantity),
            **base,
        }
        content = {"ProductionOrderNumber": done.order, "ReportFinishedLines": [row]}
        lines = ((plan.item.lower(), done.yield_quantity, done.scrap_quantity, date_text(done.posting_date)),)
        unique = self._options.unique_times or self._options.license_plates
        return self._message(key, REPORT, done.order, content, lines, last, unique)

    def _report_base(self, key: UUID, day: date, ended_at: datetime | None, *, final: bool) -> dict[str, Any]:
        return {
            "AcceptError": "No",
            "EndJob": yes_no(final),
            "EndPickingList": "No",
            "EndRouteCard": "No",
            "PostNow": "Yes",
            "ReportAsFinishedDate": date_text(day),
            "ExecutedDateTime": self._executed(key, ended_at, day),
            **self._journal_names(),
        }

    def _route_card(self, key: UUID, done: ConfirmProduction) -> Outgoing:
        process = next((a for a in done.activities if self.task(a.slot) == "Process"), None)
        row = self._route_row(done.operation, "Process", done.posting_date) | {
            "GoodQuantity": number(done.yield_quantity),
            "ErrorQuantity": number(done.scrap_quantity),
            "Hours": number(hours_of(process)) if process else 0,
            "ErrorCause": self.error_cause(done.reason),
            "OperationCompleted": yes_no(done.final),
            "BOMConsumption": "Yes",
        }
        others = [a for a in done.activities if a is not process]
        day = date_text(done.posting_date)
        own = hours_of(process) if process else ZERO
        lines = ((done.yield_quantity, done.scrap_quantity, own, "Process", day), *self._time_lines(others, day))
        rows = [row, *self._time_rows(done.operation, others, done.posting_date)]
        return self._card(key, done.order, done.operation, rows, lines)

    def time(self, key: UUID, told: ReportTime) -> Outgoing:
        rows = self._time_rows(told.operation, list(told.activities), told.posting_date)
        lines = self._time_lines(list(told.activities), date_text(told.posting_date))
        return self._card(key, told.order, told.operation, rows, tuple(lines))

    def _card(
        self, key: UUID, order: str, operation: str, rows: list[dict[str, Any]], lines: tuple[Signature, ...]
    ) -> Outgoing:
        content: dict[str, Any] = {"ProductionOrderNumber": order, "RouteCardLines": rows}
        if self._options.route_journal:
            content["JournalNameId"] = self._options.route_journal
        return self._message(key, ROUTE, order, content, lines, operation_number(operation))

    def _route_row(self, operation: str, task: str, day: date) -> dict[str, Any]:
        return {
            "OperationNumber": operation_number(operation),
            "OperationPriority": "Primary",
            "TaskType": task,
            "ConsumptionDate": date_text(day),
        }

    def _time_rows(self, operation: str, amounts: list[ActivityAmount], day: date) -> list[dict[str, Any]]:
        return [
            self._route_row(operation, self.task(a.slot), day)
            | {"Hours": number(hours_of(a)), "OperationCompleted": "No", "BOMConsumption": "No"}
            for a in amounts
        ]

    def _time_lines(self, amounts: list[ActivityAmount], day: str) -> list[Signature]:
        return [(ZERO, ZERO, hours_of(a), self.task(a.slot), day) for a in amounts]

    def issue(self, key: UUID, moved: IssueComponents | ReturnComponents) -> Outgoing:
        sign = -1 if isinstance(moved, ReturnComponents) else 1
        rows: list[dict[str, Any]] = []
        lines: list[Signature] = []
        for use in moved.lines:
            for quantity, serial in _by_serial(use):
                rows.append(self._pick_row(moved, use, sign * quantity, serial))
                batch = use.batch if self._options.picking_list_version == "new" else ""
                lines.append((use.material.lower(), sign * quantity, batch.lower(), date_text(moved.posting_date)))
        content: dict[str, Any] = {"ProductionOrderNumber": moved.order, "PickingListLines": rows}
        if self._options.picking_journal:
            content["JournalNameId"] = self._options.picking_journal
        return self._message(key, PICK, moved.order, content, tuple(lines))

    def _pick_row(
        self, moved: IssueComponents | ReturnComponents, use: ComponentUse, quantity: Decimal, serial: str
    ) -> dict[str, Any]:
        row: dict[str, Any] = {
            "ItemNumber": use.material,
            "ConsumptionBOMQuantity": number(quantity),
            "BOMUnitSymbol": self._units.theirs(use.unit),
            "ConsumptionDate": date_text(moved.posting_date),
        }
        if moved.operation:
            row["OperationNumber"] = operation_number(moved.operation)
        if use.reservation_item:
            row["LineNumber"] = number(Decimal(use.reservation_item))
        if self._options.picking_list_version == "new":
            warehouse, location = place_of(use.storage_location, self._options.warehouse)
            given = {
                "ItemBatchNumber": use.batch,
                "ProductSerialNumber": serial,
                "ProductionWarehouseId": warehouse if use.storage_location else "",
                "ProductionWarehouseLocationId": location,
            }
            row |= {name: value for name, value in given.items() if value}
        return row

    def receive(self, key: UUID, received: ReceiveGoods) -> Outgoing:
        kind = "Co_Product" if received.output is OutputKind.CO_PRODUCT else "By_Product"
        row = self._report_base(key, received.posting_date, None, final=False) | {
            "LineNumber": 1,
            "ItemNumber": received.material,
            "ProductionType": kind,
            "ReportedGoodQuantity": number(received.quantity),
            "AutomaticBOMConsumptionRule": "Never",
            "AutomaticRouteConsumptionRule": "Never",
        }
        if received.batch:
            row["ItemBatchNumber"] = received.batch
        content = {"ProductionOrderNumber": received.order, "ReportFinishedLines": [row]}
        lines = ((received.material.lower(), received.quantity, ZERO, date_text(received.posting_date)),)
        return self._message(key, REPORT, received.order, content, lines, 0, self._options.unique_times)

    def complete(self, key: UUID, transaction: CompleteOrder, plan: OrderPlan) -> Outgoing:
        """A report of nothing that ends the job: the nearest that Dynamics has to a technical completion."""
        row = self._report_base(key, transaction.posting_date, None, final=True) | {
            "LineNumber": 1,
            "ItemNumber": plan.item,
            "ProductionType": "MainItem",
            "ReportedGoodQuantity": 0,
            "ReportedErrorQuantity": 0,
            "AutomaticBOMConsumptionRule": "Never",
            "AutomaticRouteConsumptionRule": "Never",
        }
        content = {"ProductionOrderNumber": transaction.order, "ReportFinishedLines": [row]}
        return self._message(key, REPORT, transaction.order, content, unique=self._options.unique_times)

    def end(self, key: UUID, transaction: CloseOrder) -> Outgoing:
        content = {
            "ProductionOrderNumber": transaction.order,
            "ExecutedDateTime": self._executed(key, None, transaction.posting_date),
            "EndedDate": date_text(transaction.posting_date),
            "AutoReportAsFinished": "No",
            "AutoUpdate": "No",
        }
        return self._message(key, END, transaction.order, content, unique=self._options.unique_times)

    # --- words -------------------------------------------------------------------------------------------------------

    def error_cause(self, reason: str) -> str:
        """Enum ProdErrorCause of a machine reason; None where the plant file maps none, or what Dynamics has not."""
        cause = self._settings.scrap_reasons.get(reason, "None")
        return cause if cause in ERROR_CAUSES else "None"

    def unsaid(self, done: ConfirmProduction) -> tuple[str, ...]:
        """What of a confirmation Dynamics has no word for, as warnings of its document."""
        cause = self._settings.scrap_reasons.get(done.reason, "")
        if not done.scrap_quantity or not cause or cause in ERROR_CAUSES:
            return ()
        return (f"reason {done.reason} is mapped to {cause}, which is no error cause of Dynamics: None was reported",)

    def task(self, slot: int) -> str:
        """Task type of an activity's hours; empty where the plant file says nothing of the slot."""
        if slot == self._settings.machine_activity:
            return "Process"
        return self._options.task_types.get(str(slot), "")

    def _journal_names(self) -> dict[str, str]:
        names = (self._options.production_journal, self._options.picking_journal, self._options.route_journal)
        members = {
            "2024": ("JournalNameId", "PickingListJournalNameId", "RouteCardJournalNameId"),
            "2022": (
                "ProductionJournalNameId",
                "PickingListProductionJournalNameId",
                "RouteCardProductionJournalNameId",
            ),
        }[self._options.journal_names]
        return {member: name for member, name in zip(members, names, strict=True) if name}

    def _executed(self, key: UUID, ended_at: datetime | None, day: date) -> str:
        at = ended_at if ended_at is not None else datetime.combine(day, time(12), UTC)
        fraction = f".{key.int % 1_000_000:06d}" if self._options.unique_times else ""
        return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}{fraction}Z"

    def _message(
        self,
        key: UUID,
        kind: str,
        order: str,
        content: dict[str, Any],
        lines: tuple[Signature, ...] = (),
        operation: int = 0,
        unique: bool = False,
    ) -> Outgoing:
        member = self._options.correlation_member
        own = content | {member: str(key)} if member else content
        return Outgoing(kind, order, own, lines, operation, unique or bool(member), member)


def hours_of(activity: ActivityAmount) -> Decimal:
    """Hours of an amount of time; the unit is one of HOURS, which `erp.dynamics.rules` has made sure."""
    return (activity.amount / HOURS[activity.unit.upper()]).quantize(SMALLEST_HOURS, ROUND_HALF_UP)


def _by_serial(use: ComponentUse) -> list[tuple[Decimal, str]]:
    return [(Decimal(1), serial) for serial in use.serials] if use.serials else [(use.quantity, "")]
