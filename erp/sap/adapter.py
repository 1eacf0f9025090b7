"""`SapErp`: SAP S/4HANA as `erp.port.ErpPort`. Wiring only; the work is in the modules beside it."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from erp.port import CallBudget, ErpCapabilities, OrderHead, SendGuard
from erp.sap.bookings import Bookings
from erp.sap.capabilities import capabilities_of
from erp.sap.checks import broken_rule
from erp.sap.client import SapClient
from erp.sap.confirmations import Confirmations
from erp.sap.failures import refused
from erp.sap.logon import logon_for
from erp.sap.material_documents import KIND as MATERIAL_DOCUMENT
from erp.sap.orders import Orders
from erp.sap.planning import Planning
from erp.sap.probe import Prober
from erp.sap.settings import SapSettings, Units
from erp.sap.stock import Stock
from erp.sap.wire import http_client
from signals.documents import Booking, ErpDocument, GoodsMovement, OperationTotals, Snapshot
from signals.erp_reads import AlternateWorkCentre, Demand, MaterialCost, Probe, StockLine
from signals.orders import ProductionOrder
from signals.transactions import PostingIntent, Transaction


class SapErp:
    """One SAP plant. Quantities go out and come back in our units; `[erp.units]` maps SAP's."""

    def __init__(self, settings: SapSettings, plant_id: str, client: SapClient) -> None:
        self._client = client
        self._settings = settings
        self._orders = Orders(client, settings, plant_id)
        self._confirmations = Confirmations(client, settings)
        self._stock = Stock(client, Units(settings.units), settings.plant)
        self._planning = Planning(client, settings, self._orders)
        self._bookings = Bookings(client, settings, self._orders, self._confirmations, self._stock)
        self._capabilities = capabilities_of(settings)

    @property
    def capabilities(self) -> ErpCapabilities:
        return self._capabilities

    # --- reading -----------------------------------------------------------------------------------------------------

    async def released_orders(self, changed_after: str = "") -> list[OrderHead]:
        """Orders of the plant that are released and not technically complete; the mark's own second is included."""
        return await self._orders.released(changed_after)

    async def changed_orders(self, changed_after: str) -> list[OrderHead]:
        """Orders of the plant in any status, changed at or after the mark: every change moves LastChangeDateTime."""
        return await self._orders.changed(changed_after)

    async def read_order(self, order: str) -> ProductionOrder:
        """The whole order. Raises ErpRejected: order_not_found, order_of_other_plant, process_order_not_supported."""
        return (await self._orders.read(order)).order

    async def totals(self, order: str) -> list[OperationTotals]:
        return await self._orders.totals(order)

    async def documents(self, order: str, operation: str) -> list[ErpDocument]:
        """All confirmations of an operation, oldest first; of the whole order for an empty operation."""
        return await self._confirmations.of_operation(order, operation)

    async def stock(self, material: str, batch: str = "") -> list[StockLine]:
        return await self._stock.lines(material, batch)

    async def pegging(self, order: str) -> list[Demand]:
        return await self._planning.pegging(order)

    async def alternates(self, work_centre: str) -> list[AlternateWorkCentre]:
        """Raises ErpRejected `not_supported` where no capability field is configured."""
        return await self._planning.alternates(work_centre)

    async def material_cost(self, material: str) -> MaterialCost | None:
        return await self._planning.material_cost(material)

    async def probe(self) -> list[Probe]:
        return await Prober(self._client, self._settings).probe()

    # --- booking -----------------------------------------------------------------------------------------------------

    async def check(self, intent: PostingIntent) -> str:
        return broken_rule(intent.transaction, self._settings)

    async def snapshot(self, intent: PostingIntent) -> Snapshot:
        """Little: SAP's documents carry our key, and its states say what they are."""
        return await self._bookings.snapshot(intent)

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        return await self._bookings.find(intent, before)

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        """What `check` would refuse is refused here too, before anything is sent."""
        told = broken_rule(intent.transaction, self._settings)
        if told:
            raise refused(told, told.partition(":")[0])
        self._orders.forget_fresh(intent.transaction.order)
        return Booking(document=await self._bookings.post(intent, guard))

    async def read_back(self, document: ErpDocument) -> ErpDocument:
        """Confirmations and material documents with their goods movements; other documents have nothing more to show.

        A milestone's movements include those of the predecessors that SAP confirmed along with it.
        """
        if document.kind == MATERIAL_DOCUMENT:
            found = await self._bookings.documents.read_back(document.document)
            return found.model_copy(update={"key": document.key, "operation": document.operation})
        if document.kind != "confirmation":
            return document
        if document.order and document.operation:
            predecessors = await self._orders.milestone_predecessors(document.order, document.operation)
            if predecessors:
                return await self._confirmations.read_back_milestone(document, predecessors)
        return await self._confirmations.read_back(document)

    async def expected_movements(self, intent: PostingIntent) -> list[GoodsMovement]:
        """What the posting should move. For a milestone ask before posting, while its predecessors are open."""
        return await self._bookings.expected_movements(intent)

    async def follow_ups(self, intent: PostingIntent) -> list[Transaction]:
        """Stock of a decided lot, further characteristics, a notification's completion, a serialised receipt."""
        return await self._bookings.follow_ups(intent)

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
    oauth = config.auth == "oauth"
    logon = logon_for(config, plant_id, environ, http_client(config, config.token_url, transport) if oauth else None)
    client = SapClient(config, logon, transport=transport, budget=budget)
    return SapErp(config, plant_id, client)
