"""`TrytonErp`: one Tryton warehouse as `erp.port.ErpPort`. Wiring only; the work is in the modules beside it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import httpx

from erp.port import CallBudget, ErpCapabilities, OrderHead, SendGuard
from erp.tryton.bookings import Bookings
from erp.tryton.capabilities import capabilities
from erp.tryton.client import TrytonClient
from erp.tryton.documents import STATUS, documents_of, order_of, totals_of
from erp.tryton.drafts import Drafts
from erp.tryton.lifecycle import Lifecycle
from erp.tryton.productions import RELEASED, Productions, change_mark
from erp.tryton.reads import Reads
from erp.tryton.reversals import Reversals
from erp.tryton.settings import TrytonSettings
from erp.tryton.wire import Row
from signals.bookings import StockKind
from signals.documents import Booking, ErpDocument, GoodsMovement, OperationTotals, Snapshot
from signals.erp_reads import AlternateWorkCentre, Demand, MaterialCost, Probe, StockLine
from signals.errors import ErpMisconfigured, ErpRejected, Reason
from signals.orders import ProductionOrder
from signals.stock import IssueComponents, ReceiveGoods, ReturnComponents
from signals.transactions import (
    CompleteOrder,
    ConfirmProduction,
    PostingIntent,
    Reverse,
    StartOrder,
    Transaction,
)


class TrytonErp:
    """One warehouse of one company in one Tryton database."""

    def __init__(self, settings: TrytonSettings, plant_id: str, client: TrytonClient) -> None:
        self._client = client
        self._plant_id = plant_id
        self._ours: Mapping[str, str] = {their: our for our, their in settings.units.items()}
        self._productions = Productions(client, settings)
        drafts = Drafts(client)
        self._lifecycle = Lifecycle(client, self._productions, drafts)
        self._bookings = Bookings(client, self._productions, drafts, self._lifecycle, settings)
        self._reversals = Reversals(client, self._productions, drafts, self._lifecycle, self._ours)
        self._reads = Reads(client, settings, self._ours)
        self._capabilities = capabilities(settings.settle_seconds)

    @property
    def capabilities(self) -> ErpCapabilities:
        return self._capabilities

    # --- reading -----------------------------------------------------------------------------------------

    async def released_orders(self, changed_after: str = "") -> list[OrderHead]:
        """Productions that wait, are assigned or run."""
        return await self._heads(changed_after, [("state", "in", list(RELEASED))])

    async def changed_orders(self, changed_after: str) -> list[OrderHead]:
        """Productions in any state whose own record changed; bookings do not change it."""
        return await self._heads(changed_after, [])

    async def read_order(self, order: str) -> ProductionOrder:
        """The whole production. Raises ErpRejected: order_not_found, order_of_other_plant, order_incomplete."""
        production = await self._productions.read(order)
        try:
            return order_of(production, self._plant_id, self._client.user_id, self._ours)
        except ValueError as error:
            raise ErpRejected(
                f"production {order} lacks what Plantwright needs of it: {error}",
                code="order_incomplete",
                reason=Reason.MASTER_DATA,
            ) from error

    async def totals(self, order: str) -> list[OperationTotals]:
        production = await self._productions.read(order)
        return totals_of(production, self._client.user_id, self._ours)

    async def documents(self, order: str, operation: str) -> list[ErpDocument]:
        """Confirmations of an operation (of the whole production for an empty one), hand entries among them."""
        production = await self._productions.read(order)
        return documents_of(production, self._client.user_id, self._ours, operation)

    async def stock(self, material: str, batch: str = "") -> list[StockLine]:
        return await self._reads.stock(material, batch)

    async def pegging(self, order: str) -> list[Demand]:
        """Nobody: see capabilities."""
        return []

    async def alternates(self, work_centre: str) -> list[AlternateWorkCentre]:
        return await self._reads.alternates(work_centre)

    async def material_cost(self, material: str) -> MaterialCost | None:
        return await self._reads.material_cost(material)

    async def probe(self) -> list[Probe]:
        return await self._reads.probe()

    # --- booking -----------------------------------------------------------------------------------------

    async def check(self, intent: PostingIntent) -> str:
        """What has no place in Tryton, without a call."""
        match intent.transaction:
            case ConfirmProduction(receipt_stock=kind) | ReceiveGoods(stock=kind) if kind != StockKind.UNRESTRICTED:
                return f"tryton-held-receipt/1: Tryton has no {kind.value} stock to receive into"
            case ConfirmProduction(serials=serials) | ReceiveGoods(serials=serials) if serials:
                return "tryton-serials/1: Tryton has no serial numbers; use a lot for each piece"
            case _:
                return ""

    async def snapshot(self, intent: PostingIntent) -> Snapshot:
        """Nothing: notes carry our key, and states show the rest."""
        return Snapshot()

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        """By key; start and completion by the production's state."""
        match intent.transaction:
            case StartOrder():
                return Booking(document=await self._lifecycle.find_start(intent))
            case CompleteOrder():
                return Booking(document=await self._lifecycle.find_completion(intent))
            case Reverse() as transaction:
                return Booking(document=await self._reversals.find(intent, transaction))
            case ConfirmProduction() | IssueComponents() | ReturnComponents() | ReceiveGoods():
                return Booking(document=await self._bookings.find(intent))
            case _:
                return Booking()

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        """Drafts with the key first, then one booking call behind the guard."""
        match intent.transaction:
            case StartOrder():
                return Booking(document=await self._lifecycle.start(intent, guard))
            case ConfirmProduction() as transaction:
                return Booking(document=await self._bookings.confirm(intent, transaction, guard))
            case IssueComponents() | ReturnComponents() | ReceiveGoods() as transaction:
                return Booking(document=await self._bookings.move_goods(intent, transaction, guard))
            case Reverse() as transaction:
                return Booking(document=await self._reversals.reverse(intent, transaction, guard))
            case CompleteOrder():
                return Booking(document=await self._lifecycle.complete(intent, guard))
            case other:
                reason = self.capabilities.can(other.type).reason
                raise ErpRejected(reason, code="not_supported", reason=Reason.NOT_SUPPORTED)

    async def read_back(self, document: ErpDocument) -> ErpDocument:
        """The document as Tryton has it now; states have nothing more to show."""
        if document.kind not in ("confirmation", "goods_movement") or document.reversal:
            return document
        return await self._bookings.read_back(document)

    async def expected_movements(self, intent: PostingIntent) -> list[GoodsMovement]:
        """What a confirmation should move. Goods movements name theirs themselves."""
        if not isinstance(intent.transaction, ConfirmProduction):
            return []
        return await self._bookings.expected(intent.transaction)

    async def follow_ups(self, intent: PostingIntent) -> list[Transaction]:
        """None: one call books all moves."""
        return []

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _heads(self, changed_after: str, domain: list[object]) -> list[OrderHead]:
        if changed_after:
            mark = _wire_time(changed_after)
            domain = [*domain, ["OR", ("write_date", ">=", mark), ("create_date", ">=", mark)]]
        heads = [
            OrderHead(order=row["number"], status=STATUS[row["state"]], change_mark=change_mark(row))
            for row in await self._productions.heads(domain)
        ]
        return sorted(heads, key=lambda head: (head.change_mark, head.order))


def _wire_time(mark: str) -> Row:
    """A change mark as Tryton compares it."""
    at = datetime.fromisoformat(mark)
    parts = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    return {"__class__": "datetime", **{part: getattr(at, part) for part in parts}}


def create_tryton(
    config: TrytonSettings,
    plant_id: str,
    environ: Mapping[str, str],
    *,
    transport: httpx.AsyncBaseTransport | None = None,
    budget: CallBudget | None = None,
) -> TrytonErp:
    """The adapter for a plant's `[erp]` table. Raises ErpMisconfigured naming the variables that are not set."""
    missing = [name for name in (config.user_env, config.password_env) if not environ.get(name)]
    if missing:
        raise ErpMisconfigured(
            f"the Tryton credentials of plant {plant_id} are missing: set {' and '.join(missing)} in the environment",
            code="credentials_missing",
        )
    user, password = environ[config.user_env], environ[config.password_env]
    client = TrytonClient(config, user, password, transport=transport, budget=budget)
    return TrytonErp(config, plant_id, client)
