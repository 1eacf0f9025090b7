"""`DynamicsErp`: Dynamics 365 SCM as `erp.port.ErpPort`. Wiring only; the work is in the modules beside it."""

from __future__ import annotations

from collections.abc import Mapping

import httpx

from erp.dynamics.capabilities import capabilities_of
from erp.dynamics.capacity import Capacity
from erp.dynamics.client import DynamicsClient
from erp.dynamics.forecast import Forecast
from erp.dynamics.holds import Holds, Step
from erp.dynamics.journals import Journals
from erp.dynamics.message_postings import MessagePostings
from erp.dynamics.orders import Orders
from erp.dynamics.plan import Plans
from erp.dynamics.probe import Prober
from erp.dynamics.quality import Inspections, Nonconformances
from erp.dynamics.queue import MessageQueue
from erp.dynamics.rules import Rules
from erp.dynamics.settings import DynamicsSettings, Units
from erp.dynamics.stock import Stock
from erp.dynamics.transfers import TRANSFER, Move, Transfers
from erp.dynamics.upkeep import Downtimes
from erp.port import CallBudget, ErpCapabilities, ErpEvents, OrderHead, ReversedBy, SendGuard
from signals.documents import Booking, ErpDocument, GoodsMovement, OperationTotals, Snapshot
from signals.erp_reads import AlternateWorkCentre, Demand, MaterialCost, Probe, StockLine
from signals.errors import ErpMisconfigured, ErpRejected, Reason
from signals.orders import ProductionOrder
from signals.transactions import (
    AdjustCapacity,
    CloseDowntime,
    MoveStock,
    OpenDowntime,
    PlaceHold,
    PostingIntent,
    RecordInspection,
    RecordNonconformance,
    ReleaseHold,
    Reverse,
    Transaction,
)

JOURNALS = ("RAF/", "ROUTE/", "JOB/", "PICK/")


class DynamicsErp:
    """One company and site. Quantities go out and come back in the units Dynamics keeps them in, by our names."""

    def __init__(
        self, settings: DynamicsSettings, plant_id: str, client: DynamicsClient, events: ErpEvents | None
    ) -> None:
        self._client = client
        units = Units(settings.units)
        self._plans = Plans(client, settings)
        self._journals = Journals(client, units)
        self._orders = Orders(client, settings, plant_id, self._plans, self._journals, events)
        queue = MessageQueue(client, settings, events)
        self._messages = MessagePostings(settings, self._plans, self._journals, queue)
        self._forecast = Forecast(self._plans, units)
        self._transfers = Transfers(client, settings)
        self._holds = Holds(client, settings, self._transfers)
        self._inspections = Inspections(client)
        self._nonconformances = Nonconformances(client, settings)
        self._downtimes = Downtimes(client, settings)
        self._capacity = Capacity(client, settings)
        self._stock = Stock(client, settings)
        self._rules = Rules(settings, self._plans)
        self._prober = Prober(client, settings, hears_events=queue.hears)
        self._capabilities = capabilities_of(settings, hears_events=queue.hears)

    @property
    def capabilities(self) -> ErpCapabilities:
        return self._capabilities

    # --- reading -----------------------------------------------------------------------------------------------------

    async def released_orders(self, changed_after: str = "") -> list[OrderHead]:
        """All released and started orders of the site, whatever the mark: the entity has no time of change."""
        return await self._orders.released()

    async def changed_orders(self, changed_after: str) -> list[OrderHead]:
        return await self._orders.changed(changed_after)

    async def read_order(self, order: str) -> ProductionOrder:
        return await self._orders.read(order)

    async def totals(self, order: str) -> list[OperationTotals]:
        return await self._orders.totals(order)

    async def documents(self, order: str, operation: str) -> list[ErpDocument]:
        """Posted journals that confirm an operation, by whomever, oldest first; of the order for an empty operation."""
        return await self._journals.documents(await self._plans.of(order), operation)

    async def stock(self, material: str, batch: str = "") -> list[StockLine]:
        return await self._stock.of(material, batch)

    async def pegging(self, order: str) -> list[Demand]:
        return await self._orders.pegging(order)

    async def alternates(self, work_centre: str) -> list[AlternateWorkCentre]:
        raise self._cannot_read("alternates")

    async def material_cost(self, material: str) -> MaterialCost | None:
        raise self._cannot_read("cost")

    async def probe(self) -> list[Probe]:
        return await self._prober.run()

    def _cannot_read(self, name: str) -> ErpRejected:
        return ErpRejected(self._capabilities.reads[name].reason, code="not_supported", reason=Reason.NOT_SUPPORTED)

    # --- booking -----------------------------------------------------------------------------------------------------

    async def check(self, intent: PostingIntent) -> str:
        return await self._rules.check(intent)

    async def snapshot(self, intent: PostingIntent) -> Snapshot:
        match intent.transaction:
            case PlaceHold() | ReleaseHold() as hold:
                return await self._holds.snapshot(Step(hold, isinstance(hold, PlaceHold)))
            case RecordInspection() as recorded:
                return await self._inspections.snapshot(recorded)
            case AdjustCapacity() as change:
                return await self._capacity.snapshot(change)
            case OpenDowntime() as stop:
                return await self._downtimes.snapshot(stop)
            case MoveStock() as moved:
                return await self._transfers.snapshot(_move(moved))
            case Reverse(original=MoveStock() as moved):
                return await self._transfers.snapshot(_move(moved, opposite=True))
            case Reverse(original=(PlaceHold() | ReleaseHold()) as hold):
                return await self._holds.snapshot(Step(hold, not isinstance(hold, PlaceHold)))
            case CloseDowntime() | RecordNonconformance() | Reverse():
                return Snapshot()
            case _:
                return await self._messages.snapshot(intent)

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        match intent.transaction:
            case PlaceHold() | ReleaseHold() as hold:
                return await self._holds.find(intent, Step(hold, isinstance(hold, PlaceHold)), before)
            case MoveStock() as moved:
                return await self._transfers.find(intent, _move(moved), before)
            case RecordInspection() as recorded:
                return await self._inspections.find(intent, recorded, before)
            case RecordNonconformance() as told:
                return await self._nonconformances.find(intent, told)
            case OpenDowntime() as stop:
                return await self._downtimes.find_opened(intent, stop, before)
            case CloseDowntime() as stop:
                return await self._downtimes.find_closed(intent, stop)
            case AdjustCapacity() as change:
                return await self._capacity.find(intent, change, before)
            case Reverse() as back:
                return await self._find_reversed(intent, back, before)
            case _:
                return await self._messages.find(intent, before)

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        capability = self._capabilities.can(intent.transaction.type)
        if not capability.supported:
            raise ErpRejected(capability.reason, code="not_supported", reason=Reason.NOT_SUPPORTED)
        match intent.transaction:
            case PlaceHold() | ReleaseHold() as hold:
                return await self._holds.post(intent, Step(hold, isinstance(hold, PlaceHold)), guard)
            case MoveStock() as moved:
                return await self._transfers.post(intent, _move(moved), guard)
            case RecordInspection() as recorded:
                return await self._inspections.post(intent, recorded, guard)
            case RecordNonconformance() as told:
                return await self._nonconformances.post(intent, told, guard)
            case OpenDowntime() as stop:
                return await self._downtimes.open(intent, stop, guard)
            case CloseDowntime() as stop:
                return await self._downtimes.close(intent, stop, guard)
            case AdjustCapacity() as change:
                return await self._capacity.post(intent, change, guard)
            case Reverse() as back:
                return await self._reverse(intent, back, guard)
            case _:
                return await self._messages.post(intent, guard)

    async def _find_reversed(self, intent: PostingIntent, back: Reverse, before: Snapshot) -> Booking:
        match back.original:
            case MoveStock() as moved:
                return await self._transfers.find(intent, _move(moved, opposite=True), before)
            case PlaceHold() | ReleaseHold() as hold:
                return await self._holds.find(intent, Step(hold, not isinstance(hold, PlaceHold)), before)
            case AdjustCapacity() as change:
                return await self._capacity.find_reversed(intent, change, back.document)
            case _:
                return Booking()

    async def _reverse(self, intent: PostingIntent, back: Reverse, guard: SendGuard) -> Booking:
        match back.original:
            case MoveStock() as moved:
                return await self._transfers.post(intent, _move(moved, opposite=True), guard)
            case PlaceHold() | ReleaseHold() as hold:
                return await self._holds.post(intent, Step(hold, not isinstance(hold, PlaceHold)), guard)
            case AdjustCapacity() as change:
                return await self._capacity.reverse(intent, change, back.document, guard)
            case _:
                known = self._capabilities.can(back.original_type)
                told = f"dynamics-reversal/1: document {back.document} cannot be taken back by a call: {known.note}"
                code = "reversal_by_person" if known.reversed_by is ReversedBy.PERSON else "not_supported"
                raise ErpRejected(told, code=code, reason=Reason.REVERSAL)

    async def read_back(self, document: ErpDocument) -> ErpDocument:
        """A production journal with its movements, a transfer with its lines; a state has nothing more to show."""
        if document.document.startswith(JOURNALS):
            return await self._journals.read_back(document, await self._plans.of(document.order))
        if document.document.startswith(f"{TRANSFER}/"):
            return await self._transfers.movements(document)
        return document

    async def expected_movements(self, intent: PostingIntent) -> list[GoodsMovement]:
        return await self._forecast.movements(intent)

    async def follow_ups(self, intent: PostingIntent) -> list[Transaction]:
        return await self._forecast.follow_ups(intent)

    async def aclose(self) -> None:
        await self._client.aclose()


def _move(moved: MoveStock, *, opposite: bool = False) -> Move:
    places = (moved.to_location, moved.from_location) if opposite else (moved.from_location, moved.to_location)
    return Move(
        material=moved.material,
        quantity=moved.quantity,
        unit=moved.unit,
        from_place=places[0],
        to_place=places[1],
        day=moved.posting_date,
        batch=moved.batch,
        serials=moved.serials,
        text=moved.order,
    )


def create_dynamics(
    config: DynamicsSettings,
    plant_id: str,
    environ: Mapping[str, str],
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    budget: CallBudget | None = None,
    events: ErpEvents | None = None,
) -> DynamicsErp:
    """The adapter for a plant's `[erp]` table. Raises ErpMisconfigured naming the variables that are not set.

    `events` are the business events received for this plant; None where no endpoint is served.
    """
    tenant_names = [] if config.token_url else [config.tenant_env]
    missing = [n for n in (config.client_id_env, config.client_secret_env, *tenant_names) if not environ.get(n)]
    if missing:
        raise ErpMisconfigured(
            f"the Dynamics credentials of plant {plant_id} are missing: set {' and '.join(missing)} in the environment",
            code="credentials_missing",
        )
    client = DynamicsClient(
        config,
        environ[config.client_id_env],
        environ[config.client_secret_env],
        environ.get(config.tenant_env, ""),
        transport=transport,
        budget=budget,
    )
    return DynamicsErp(config, plant_id, client, events)
