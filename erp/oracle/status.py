"""Statuses of work orders: start, completion, close and their way back, by PATCH with the ETag (erp.md 2.2, 4).

The status itself is the proof: what stands there already is found, and nothing is sent twice.
"""

from __future__ import annotations

from dataclasses import dataclass

from erp.oracle.client import OracleClient
from erp.oracle.failures import OracleStale
from erp.oracle.orders import Orders
from erp.oracle.settings import OracleSettings
from erp.oracle.wire import Row, text_of
from erp.port import SendGuard
from signals.documents import Booking, ErpDocument, Snapshot
from signals.errors import ErpBusy
from signals.ids import short_key
from signals.transactions import CloseOrder, CompleteOrder, PostingIntent, Reverse, StartOrder, Transaction

TRIES = 3
RELEASED, UNRELEASED = "ORA_RELEASED", "ORA_UNRELEASED"


@dataclass(frozen=True)
class Target:
    """Status to be set; where only `system` counts, any status of that kind is as good."""

    code: str
    system: str = ""
    also: tuple[str, ...] = ()

    def is_reached(self, row: Row) -> bool:
        if text_of(row, "WorkOrderStatusCode") == self.code:
            return True
        system = text_of(row, "WorkOrderSystemStatusCode").removeprefix("ORA_")
        return bool(system) and system in (self.system, *self.also)


class Statuses:
    """Start, complete and close work orders."""

    def __init__(self, client: OracleClient, orders: Orders, settings: OracleSettings) -> None:
        self._client = client
        self._orders = orders
        self._choices = settings.oracle

    def _target(self, t: Transaction) -> Target:
        match t:
            case StartOrder():
                own = self._choices.started_status
                return Target(own) if own else Target(RELEASED, "RELEASED")
            case CompleteOrder():
                return Target(self._choices.completed_status, "COMPLETED", also=("CLOSED",))
            case CloseOrder():
                return Target(self._choices.closed_status, "CLOSED")
            case Reverse(original=StartOrder()):
                return Target(RELEASED) if self._choices.started_status else Target(UNRELEASED, "UNRELEASED")
            case Reverse(original=CompleteOrder()):
                return Target(RELEASED, "RELEASED")
            case _:
                raise AssertionError(f"{t.type} is no change of an order's status")

    async def snapshot(self, intent: PostingIntent) -> Snapshot:
        row = await self._orders.header(_order_of(intent.transaction))
        return Snapshot(figures={"status": text_of(row, "WorkOrderStatusCode")})

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        target = self._target(intent.transaction)
        row = await self._orders.header(_order_of(intent.transaction))
        return Booking(document=_document(intent, target)) if target.is_reached(row) else Booking()

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        """PATCH the status as it was read; a 412 was not processed, and the order is looked at again."""
        target = self._target(intent.transaction)
        order = _order_of(intent.transaction)
        for _ in range(TRIES):
            item = await self._orders.head_item(order)
            if target.is_reached(item.row):
                break
            try:
                await self._client.change(item, {"WorkOrderStatusCode": target.code}, guard)
                break
            except OracleStale:
                continue
        else:
            raise ErpBusy(f"work order {order} changed at each of {TRIES} tries; nothing was booked", code="stale")
        return Booking(document=_document(intent, target))


def _order_of(t: Transaction) -> str:
    return t.original.order if isinstance(t, Reverse) and t.original is not None else t.order


def _document(intent: PostingIntent, target: Target) -> ErpDocument:
    t = intent.transaction
    return ErpDocument(
        document=f"{target.code}:{short_key(intent.key)}",
        kind="order_status",
        order=_order_of(t),
        key=intent.key,
        text=short_key(intent.key),
        reversal=isinstance(t, Reverse),
    )
