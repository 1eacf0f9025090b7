"""`OracleErp`: Oracle Fusion Cloud SCM as `erp.port.ErpPort`. Wiring and routing only."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

import httpx

from erp.oracle.capabilities import capabilities_of
from erp.oracle.capacity import Capacities
from erp.oracle.client import OracleClient
from erp.oracle.completed import CompletedTransactions
from erp.oracle.confirmations import Confirmations
from erp.oracle.downtime import Downtimes
from erp.oracle.items import Items
from erp.oracle.lines import TransactionLines
from erp.oracle.lots import LotStatuses, hold_of
from erp.oracle.materials import Materials
from erp.oracle.orders import Orders
from erp.oracle.probing import Probing
from erp.oracle.quality import Inspections, Nonconformances
from erp.oracle.reads import Reads
from erp.oracle.rules import objection
from erp.oracle.settings import OracleSettings
from erp.oracle.status import Statuses
from erp.oracle.times import Times
from erp.oracle.transfers import Transfers
from erp.oracle.wire import UnreadableAnswer
from erp.port import CallBudget, ErpCapabilities, OrderHead, SendGuard
from signals.documents import Booking, ErpDocument, GoodsMovement, OperationTotals, Snapshot
from signals.erp_reads import AlternateWorkCentre, Demand, MaterialCost, Probe, StockLine
from signals.errors import ErpInDoubt, ErpMisconfigured, ErpRejected, ErpUnavailable, Reason
from signals.orders import ProductionOrder
from signals.transactions import (
    ConfirmProduction,
    IssueComponents,
    PostingIntent,
    ReportTime,
    ReturnComponents,
    Reverse,
    Transaction,
    TransactionType,
)

T = TransactionType
Value = TypeVar("Value")


class Handler(Protocol):
    """What a module of one kind of posting offers."""

    async def snapshot(self, intent: PostingIntent) -> Snapshot: ...

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking: ...

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking: ...


@dataclass(frozen=True)
class Way:
    """How one kind of posting is looked at before, found, and booked."""

    snapshot: Callable[[PostingIntent], Awaitable[Snapshot]]
    find: Callable[[PostingIntent, Snapshot], Awaitable[Booking]]
    post: Callable[[PostingIntent, SendGuard], Awaitable[Booking]]


class OracleErp:
    """One Oracle organization."""

    def __init__(self, settings: OracleSettings, plant_id: str, client: OracleClient) -> None:
        self._client = client
        self._settings = settings
        self._capabilities = capabilities_of(settings)
        items = Items(client, settings)
        completed = CompletedTransactions(client, settings)
        lines = TransactionLines(client, settings)
        self._orders = Orders(client, settings, plant_id, items)
        self._confirmations = Confirmations(lines, self._orders, settings)
        self._reads = Reads(client, self._orders, settings)
        self._probing = Probing(client, lines, completed, settings)
        self._lots = _way(LotStatuses(client, items, settings))
        self._transfers = _way(Transfers(client, completed, items, settings))
        inspections = Inspections(client, settings)
        statuses = _way(Statuses(client, self._orders, settings))
        materials = _way(Materials(lines, self._orders, completed, settings))
        downtimes = _way(Downtimes(client, settings))
        self._ways = {
            T.CONFIRM_PRODUCTION: _way(self._confirmations),
            T.ISSUE_COMPONENTS: materials,
            T.RETURN_COMPONENTS: materials,
            T.RECEIVE_GOODS: materials,
            T.REPORT_TIME: _way(Times(lines, self._orders, settings)),
            T.MOVE_STOCK: self._transfers,
            T.RECORD_INSPECTION: Way(inspections.snapshot, inspections.find_results, inspections.post_results),
            T.DECIDE_INSPECTION: Way(inspections.snapshot, inspections.find_decision, inspections.post_decision),
            T.RECORD_NONCONFORMANCE: _way(Nonconformances(client, settings)),
            T.OPEN_DOWNTIME: downtimes,
            T.CLOSE_DOWNTIME: downtimes,
            T.ADJUST_CAPACITY: _way(Capacities(client, settings)),
            T.START_ORDER: statuses,
            T.COMPLETE_ORDER: statuses,
            T.CLOSE_ORDER: statuses,
        }

    @property
    def capabilities(self) -> ErpCapabilities:
        return self._capabilities

    # --- reading -----------------------------------------------------------------------------------------------------

    async def released_orders(self, changed_after: str = "") -> list[OrderHead]:
        """Released work orders of the organization; the mark's own instant is included."""
        return await self._orders.released(changed_after)

    async def changed_orders(self, changed_after: str) -> list[OrderHead]:
        """Work orders of the organization in any status, changed at or after the mark."""
        return await self._orders.changed(changed_after)

    async def read_order(self, order: str) -> ProductionOrder:
        """The whole order. Raises ErpRejected: order_not_found, process_order_not_supported, order_incomplete."""
        return (await self._orders.read(order)).order

    async def totals(self, order: str) -> list[OperationTotals]:
        return await self._orders.totals(order)

    async def documents(self, order: str, operation: str) -> list[ErpDocument]:
        """Never called: `capabilities.documents` says no."""
        raise ErpRejected(self.capabilities.documents.reason, code="not_supported", reason=Reason.NOT_SUPPORTED)

    async def stock(self, material: str, batch: str = "") -> list[StockLine]:
        return await self._reads.stock(material, batch)

    async def pegging(self, order: str) -> list[Demand]:
        return await self._reads.pegging(order)

    async def alternates(self, work_centre: str) -> list[AlternateWorkCentre]:
        return await self._reads.alternates(work_centre)

    async def material_cost(self, material: str) -> MaterialCost | None:
        """None: `capabilities.reads` says why."""
        return None

    async def probe(self) -> list[Probe]:
        return await self._probing.probe()

    # --- booking -----------------------------------------------------------------------------------------------------

    async def check(self, intent: PostingIntent) -> str:
        return objection(intent.transaction, self._settings)

    async def snapshot(self, intent: PostingIntent) -> Snapshot:
        """Figures of what the request will change. Raises ErpRejected where the order or item is not there."""
        self._refuse_what_breaks_a_rule(intent)
        return await _readable(self._way(intent.transaction).snapshot(intent))

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        """What breaks a rule was never sent, so nothing of it can be there."""
        if objection(intent.transaction, self._settings):
            return Booking()
        return await _readable(self._way(intent.transaction).find(intent, before))

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        self._refuse_what_breaks_a_rule(intent)
        try:
            return await self._way(intent.transaction).post(intent, guard)
        except ErpRejected as error:
            if isinstance(intent.transaction, Reverse) and error.reason in (Reason.OTHER, Reason.TOLERANCE):
                error.reason = Reason.REVERSAL
            raise
        except UnreadableAnswer as error:
            raise ErpInDoubt(f"Oracle's answer cannot be read: {error}", code="unreadable") from error

    async def read_back(self, document: ErpDocument) -> ErpDocument:
        """A confirmation with the issues that can be attributed to it; other documents have nothing more to show."""
        return await self._confirmations.read_back(document) if document.kind == "confirmation" else document

    async def expected_movements(self, intent: PostingIntent) -> list[GoodsMovement]:
        """Issues that Oracle pulls with a confirmation. Receipts leave no figure that could be attributed."""
        if not isinstance(intent.transaction, ConfirmProduction):
            return []
        return await _readable(self._confirmations.expected_movements(intent.transaction))

    async def follow_ups(self, intent: PostingIntent) -> list[Transaction]:
        """Lot and serial components, measured differences, times; of a reversal the opposites of the original's."""
        match intent.transaction:
            case ConfirmProduction() as t:
                return await _readable(self._confirmations.follow_ups(t))
            case Reverse(original=ConfirmProduction() as original) as t:
                beside = await _readable(self._confirmations.follow_ups(original))
                return [_opposite(each, t, place) for place, each in enumerate(beside, start=1)]
            case _:
                return []

    async def aclose(self) -> None:
        await self._client.aclose()

    def _way(self, t: Transaction) -> Way:
        """A reversal goes the way of its original; a hold by its lot, or by its place."""
        kind = t.original_type if isinstance(t, Reverse) else t.type
        if kind in (T.PLACE_HOLD, T.RELEASE_HOLD):
            return self._lots if hold_of(t).batch else self._transfers
        return self._ways[kind]

    def _refuse_what_breaks_a_rule(self, intent: PostingIntent) -> None:
        told = objection(intent.transaction, self._settings)
        if told:
            reason = Reason.REVERSAL if isinstance(intent.transaction, Reverse) else Reason.RULE
            raise ErpRejected(told, code=told.partition(":")[0], reason=reason)


def _way(handler: Handler) -> Way:
    return Way(handler.snapshot, handler.find, handler.post)


async def _readable(asked: Awaitable[Value]) -> Value:
    """A number that cannot be read leaves no doubt about a booking: nothing was sent by a read."""
    try:
        return await asked
    except UnreadableAnswer as error:
        raise ErpUnavailable(f"Oracle's answer cannot be read: {error}", code="unreadable") from error


def _opposite(t: Transaction, reversal: Reverse, place: int) -> Transaction:
    """What takes one follow-up of the original back, in the reversal's period."""
    date = reversal.posting_date
    match t:
        case IssueComponents():
            return ReturnComponents(
                plant=t.plant, order=t.order, posting_date=date, operation=t.operation, lines=t.lines
            )
        case ReturnComponents():
            return IssueComponents(
                plant=t.plant, order=t.order, posting_date=date, operation=t.operation, lines=t.lines
            )
        case ReportTime():
            return Reverse(
                plant=t.plant,
                order=t.order,
                operation=t.operation,
                posting_date=date,
                document=f"{reversal.document[:60]} time {place}",
                original=t,
            )
        case _:
            raise AssertionError(f"{t.type} is no follow-up of a confirmation")


def create_oracle(
    config: OracleSettings,
    plant_id: str,
    environ: Mapping[str, str],
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    budget: CallBudget | None = None,
) -> OracleErp:
    """The adapter for a plant's `[erp]` table. Raises ErpMisconfigured naming the variables that are not set."""
    missing = [name for name in config.secret_names if not environ.get(name)]
    if missing:
        raise ErpMisconfigured(
            f"the Oracle credentials of plant {plant_id} are missing: set {' and '.join(missing)} in the environment",
            code="credentials_missing",
        )
    names = (
        (config.client_id_env, config.client_secret_env)
        if config.auth == "oauth"
        else (config.user_env, config.password_env)
    )
    client = OracleClient(config, environ[names[0]], environ[names[1]], transport=transport, budget=budget)
    return OracleErp(config, plant_id, client)
