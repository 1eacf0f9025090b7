"""Machine and labour time on an operation's resources (resourceTransactions, erp.md 2.3).

Nothing of it can be read back: ActualResourceUsage before and after decides. The reversal is the opposite charge.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from erp.oracle.arithmetic import as_figures, booking
from erp.oracle.lines import Line, TransactionLines
from erp.oracle.order_rows import OracleOrder, Resource
from erp.oracle.orders import Orders
from erp.oracle.settings import OracleSettings, Units, sequence_number
from erp.oracle.wire import Row, amount_of, day_at, decimal_of, decimal_text, number_json
from erp.port import SendGuard
from signals.base import ZERO
from signals.documents import Booking, ErpDocument, Snapshot
from signals.errors import ErpRejected, Reason
from signals.ids import short_key
from signals.transactions import ActivityAmount, PostingIntent, ReportTime, Reverse, Transaction

RESOURCE, DETAIL = "resourceTransactions", "ResourceTransactionDetail"
CHARGE, UNCHARGE = "RESOURCE_CHARGE", "RESOURCE_REVERSE"
UNREADABLE = "Oracle's resource transactions cannot be read back, and the actual usages do not tell"


@dataclass(frozen=True)
class Effect:
    reported: ReportTime
    posting_date: date
    at: datetime | None
    is_reversal: bool

    @property
    def sign(self) -> int:
        return -1 if self.is_reversal else 1


def effect_of(t: Transaction) -> Effect:
    reported = t.original if isinstance(t, Reverse) else t
    assert isinstance(reported, ReportTime)
    at = None if isinstance(t, Reverse) else reported.ended_at
    return Effect(reported, t.posting_date, at, isinstance(t, Reverse))


class Times:
    """Time of one organization's work orders."""

    def __init__(self, lines: TransactionLines, orders: Orders, settings: OracleSettings) -> None:
        self._lines = lines
        self._orders = orders
        self._settings = settings
        self._units = Units(settings.units)
        self._zone = ZoneInfo(settings.zone)

    async def snapshot(self, intent: PostingIntent) -> Snapshot:
        effect = effect_of(intent.transaction)
        known = await self._orders.read(effect.reported.order)
        return Snapshot(figures=as_figures(self._figures(effect, known)))

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        if not before.figures:
            return Booking()
        effect = effect_of(intent.transaction)
        known = await self._orders.read(effect.reported.order)
        ours: dict[str, Decimal] = {}
        for resource, activity in self._charges(effect, known):
            name = _figure(effect, resource)
            ours[name] = ours.get(name, ZERO) + effect.sign * activity.amount
        document = self._document(intent, effect)
        return booking(before.figures, self._figures(effect, known), ours, document, UNREADABLE)

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        effect = effect_of(intent.transaction)
        known = await self._orders.read(effect.reported.order)
        lines = [
            Line(
                self._row(effect, resource, activity),
                f"{decimal_text(activity.amount)} {activity.unit} on {resource.code}",
            )
            for resource, activity in self._charges(effect, known)
        ]
        await self._lines.post(RESOURCE, DETAIL, lines, guard)
        return Booking(document=self._document(intent, effect))

    def _charges(self, effect: Effect, known: OracleOrder) -> list[tuple[Resource, ActivityAmount]]:
        resources = known.resources.get(effect.reported.operation, ())
        charges: list[tuple[Resource, ActivityAmount]] = []
        for activity in effect.reported.activities:
            resource = next((r for r in resources if r.slot == activity.slot), None)
            if resource is None:
                raise ErpRejected(
                    f"operation {effect.reported.operation} of work order {effect.reported.order} has no resource for "
                    f"activity {activity.slot} that Oracle lets be charged; assign one, or report no time on it",
                    code="resource_not_assigned",
                    reason=Reason.MASTER_DATA,
                )
            charges.append((resource, activity))
        return charges

    def _figures(self, effect: Effect, known: OracleOrder) -> dict[str, Decimal]:
        wanted = sequence_number(effect.reported.operation)
        rows = {
            int(decimal_of(row.get("ResourceSequenceNumber"))): row
            for row in known.resource_rows
            if decimal_of(row.get("OperationSequenceNumber")) == wanted
        }
        return {
            _figure(effect, resource): amount_of(rows[resource.sequence].get("ActualResourceUsage"))
            for resource, _ in self._charges(effect, known)
        }

    def _row(self, effect: Effect, resource: Resource, activity: ActivityAmount) -> Row:
        return {
            "OrganizationCode": self._settings.plant,
            "WorkOrderNumber": effect.reported.order,
            "OperationSequenceNumber": sequence_number(effect.reported.operation),
            "ResourceSequenceNumber": resource.sequence,
            "ResourceCode": resource.code,
            "TransactionTypeCode": UNCHARGE if effect.is_reversal else CHARGE,
            "TransactionQuantity": number_json(activity.amount),
            "TransactionUnitOfMeasure": self._units.oracle(activity.unit),
            "TransactionDate": day_at(effect.posting_date, self._zone, effect.at),
        }

    def _document(self, intent: PostingIntent, effect: Effect) -> ErpDocument:
        kind = UNCHARGE if effect.is_reversal else CHARGE
        return ErpDocument(
            document=f"{effect.reported.operation}:{kind}:{short_key(intent.key)}",
            kind="time",
            order=effect.reported.order,
            operation=effect.reported.operation,
            key=intent.key,
            text=short_key(intent.key),
            reversal=effect.is_reversal,
        )


def _figure(effect: Effect, resource: Resource) -> str:
    return f"usage of {resource.code} (sequence {resource.sequence}) at operation {effect.reported.operation}"
