"""`SapErp`: SAP S/4HANA as `erp.port.ErpPort`. Wiring only; the work is in the modules beside it."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from erp.port import CallBudget, Capability, ErpCapabilities, OrderHead, SendGuard
from erp.sap.client import SapClient
from erp.sap.completion import Completion
from erp.sap.confirmations import Confirmations
from erp.sap.forecast import expected_movements
from erp.sap.orders import Orders
from erp.sap.settings import SapSettings
from signals.documents import Booking, ErpDocument, GoodsMovement, OperationTotals, Snapshot
from signals.erp_reads import AlternateWorkCentre, Demand, MaterialCost, Probe, StockLine
from signals.errors import ErpMisconfigured, ErpRejected, Reason
from signals.orders import ProductionOrder
from signals.transactions import (
    CompleteOrder,
    ConfirmProduction,
    PostingIntent,
    Reverse,
    Transaction,
    TransactionType,
)

YES = Capability(supported=True)


class SapErp:
    """One SAP plant. Quantities go out and come back in the units SAP is asked in."""

    def __init__(self, settings: SapSettings, plant_id: str, client: SapClient) -> None:
        self._client = client
        self._orders = Orders(client, settings, plant_id)
        self._confirmations = Confirmations(client, settings)
        self._completion = Completion(client, self._orders)
        self._capabilities = ErpCapabilities(
            erp="sap",
            transactions={
                TransactionType.CONFIRM_PRODUCTION: YES,
                TransactionType.REVERSE: YES,
                TransactionType.COMPLETE_ORDER: YES,
            },
            find_by_key=YES,
            totals=YES,
            reversal=YES,
            settle_seconds=settings.settle_seconds,
        )

    @property
    def capabilities(self) -> ErpCapabilities:
        return self._capabilities

    async def released_orders(self, changed_after: str = "") -> list[OrderHead]:
        """Orders of the plant that are released and not technically complete; the mark's own second is included."""
        return await self._orders.released(changed_after)

    async def read_order(self, order: str) -> ProductionOrder:
        """The whole order. Raises ErpRejected: order_not_found, order_of_other_plant, process_order_not_supported."""
        return (await self._orders.read(order)).order

    async def totals(self, order: str) -> list[OperationTotals]:
        return await self._orders.totals(order)

    async def documents(self, order: str, operation: str) -> list[ErpDocument]:
        """All confirmations of an operation, oldest first; of the whole order for an empty operation."""
        return await self._confirmations.of_operation(order, operation)

    async def changed_orders(self, changed_after: str) -> list[OrderHead]:
        """Orders of the plant in any status, changed at or after the mark."""
        return await self._orders.changed(changed_after)

    async def stock(self, material: str, batch: str = "") -> list[StockLine]:
        return []

    async def pegging(self, order: str) -> list[Demand]:
        return []

    async def alternates(self, work_centre: str) -> list[AlternateWorkCentre]:
        return []

    async def material_cost(self, material: str) -> MaterialCost | None:
        return None

    async def probe(self) -> list[Probe]:
        return []

    async def check(self, intent: PostingIntent) -> str:
        return ""

    async def snapshot(self, intent: PostingIntent) -> Snapshot:
        """Nothing: SAP's documents carry our key."""
        return Snapshot()

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        """By GUID filter, then by list; a completion is found by the order's status."""
        if isinstance(intent.transaction, CompleteOrder):
            return Booking(document=await self._completion.find(intent))
        return Booking(document=await self._confirmations.find(intent))

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        match intent.transaction:
            case ConfirmProduction() as transaction:
                return Booking(document=await self._confirmations.confirm(intent, transaction, guard))
            case Reverse() as transaction:
                return Booking(document=await self._confirmations.cancel(intent, transaction, guard))
            case CompleteOrder():
                return Booking(document=await self._completion.complete(intent, guard))
            case other:
                reason = self.capabilities.can(other.type).reason
                raise ErpRejected(reason, code="not_supported", reason=Reason.NOT_SUPPORTED)

    async def follow_ups(self, intent: PostingIntent) -> list[Transaction]:
        """None: SAP books lots and activities with the confirmation."""
        return []

    async def read_back(self, document: ErpDocument) -> ErpDocument:
        """The confirmation with its posted goods movements; other documents have nothing more to show.

        A milestone's movements include those of the predecessors that SAP confirmed along with it.
        """
        if document.kind != "confirmation":
            return document
        booked = await self._confirmations.read_back(document)
        predecessors = await self._orders.milestone_predecessors(booked.order, booked.operation)
        return await self._confirmations.with_automatic(booked, predecessors) if predecessors else booked

    async def expected_movements(self, intent: PostingIntent) -> list[GoodsMovement]:
        """What a confirmation should move. For a milestone ask before posting, while its predecessors are open."""
        if not isinstance(intent.transaction, ConfirmProduction):
            return []
        known = await self._orders.read(intent.transaction.order)
        return expected_movements(known, intent.transaction)

    async def aclose(self) -> None:
        await self._client.aclose()


def create_sap(
    config: SapSettings,
    plant_id: str,
    environ: Mapping[str, str],
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    budget: CallBudget | None = None,
) -> SapErp:
    """The adapter for a plant's `[erp]` table. Raises ErpMisconfigured naming the variables that are not set."""
    missing = [name for name in (config.user_env, config.password_env) if not environ.get(name)]
    if missing:
        raise ErpMisconfigured(
            f"the SAP credentials of plant {plant_id} are missing: set {' and '.join(missing)} in the environment",
            code="credentials_missing",
        )
    client = SapClient(
        config, environ[config.user_env], environ[config.password_env], transport=transport, budget=budget
    )
    return SapErp(config, plant_id, client)
