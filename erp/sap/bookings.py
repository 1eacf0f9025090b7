"""Which part of the adapter books, finds and takes back which transaction. One request books one intent."""

from __future__ import annotations

from erp.port import SendGuard
from erp.sap.capacity import Capacity
from erp.sap.client import SapClient
from erp.sap.confirmations import Confirmations
from erp.sap.defects import Defects
from erp.sap.forecast import expected_movements, movements_of_goods
from erp.sap.goods_bodies import GoodsBodies, GoodsBody
from erp.sap.holds import Holds
from erp.sap.inspection_lots import InspectionLots
from erp.sap.inspections import Inspections
from erp.sap.material_documents import MaterialDocuments
from erp.sap.notifications import Notifications
from erp.sap.order_functions import CLOSE, COMPLETE, START, OrderFunctions
from erp.sap.orders import Orders
from erp.sap.reversals import Reversals
from erp.sap.settings import SapSettings, Units
from erp.sap.steps import following_steps, is_completion, is_lot_posting, receives_apart
from erp.sap.stock import Stock
from signals.bookings import StockKind
from signals.documents import Booking, ErpDocument, GoodsMovement, Snapshot
from signals.orders import OutputKind
from signals.quality import DecideInspection, RecordInspection, RecordNonconformance
from signals.stock import (
    IssueComponents,
    MoveStock,
    PlaceHold,
    ReceiveGoods,
    ReleaseHold,
    ReturnComponents,
    ScrapStock,
)
from signals.transactions import (
    CloseOrder,
    CompleteOrder,
    ConfirmProduction,
    PostingIntent,
    ReportTime,
    Reverse,
    StartOrder,
    Transaction,
)
from signals.upkeep import AdjustCapacity, CloseDowntime, OpenDowntime

NAMELESS = "nameless"
Goods = IssueComponents | ReturnComponents | ReceiveGoods | MoveStock | ScrapStock


class Bookings:
    """Books for one plant."""

    def __init__(
        self,
        client: SapClient,
        settings: SapSettings,
        orders: Orders,
        confirmations: Confirmations,
        stock: Stock,
    ) -> None:
        self._orders = orders
        self._confirmations = confirmations
        self._functions = OrderFunctions(client, orders)
        self._units = Units(settings.units)
        self._bodies = GoodsBodies(settings)
        self.documents = MaterialDocuments(client, self._units, settings.plant)
        lots = InspectionLots(client, settings.plant)
        self._holds = Holds(self.documents, self._bodies, stock, lots)
        self._inspections = Inspections(client, settings, lots, self.documents)
        self._defects = Defects(client, settings)
        self._notifications = Notifications(client, settings)
        self._capacity = Capacity(client, settings)
        self._reversals = Reversals(confirmations, self.documents, self._holds, self._defects, self._capacity)

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        """What SAP's books show of the intent now, against what they showed before it was sent."""
        document = await self._find(intent, sent=before.sent_at is not None)
        if document is not None:
            return Booking(document=document)
        known = before.figures.get(NAMELESS, "").split()
        nameless = [found for found in await self._nameless(intent) if found not in known]
        if not nameless:
            return Booking()
        why = f"{', '.join(nameless)}: the same quantity, but no text that would say whose it is"
        return Booking(unknowable=why, candidates=tuple(nameless))

    async def snapshot(self, intent: PostingIntent) -> Snapshot:
        """Records that could be taken for ours later, because the only reference they would have is empty."""
        nameless = await self._nameless(intent)
        return Snapshot(figures={NAMELESS: " ".join(nameless)} if nameless else {})

    async def _nameless(self, intent: PostingIntent) -> list[str]:
        match intent.transaction:
            case RecordNonconformance() as nonconformance:
                return await self._defects.nameless(nonconformance)
            case DecideInspection() as decision if is_lot_posting(decision):
                return await self._inspections.nameless_postings(decision)
            case _:
                return []

    async def _find(self, intent: PostingIntent, *, sent: bool) -> ErpDocument | None:
        match intent.transaction:
            case ConfirmProduction() | ReportTime():
                return await self._confirmations.find(intent)
            case StartOrder():
                return await self._functions.find(intent, START)
            case CompleteOrder():
                return await self._functions.find(intent, COMPLETE)
            case CloseOrder():
                return await self._functions.find(intent, CLOSE)
            case IssueComponents() | ReturnComponents() | ReceiveGoods() | MoveStock() | ScrapStock() as goods:
                return await self.documents.find(intent, self._body(goods).code)
            case PlaceHold() | ReleaseHold() as hold:
                return await self._holds.find(intent, hold)
            case RecordInspection() as inspection:
                return await self._inspections.find_result(intent, inspection)
            case RecordNonconformance() as nonconformance:
                return await self._defects.find(intent, nonconformance)
            case DecideInspection() as decision if is_lot_posting(decision):
                return await self._inspections.find_posting(intent, decision)
            case DecideInspection() as decision:
                return await self._inspections.find_decision(intent, decision)
            case OpenDowntime() as stop:
                return await self._notifications.find_opening(intent, stop)
            case CloseDowntime() as stop if is_completion(stop):
                return await self._notifications.find_completion(intent, stop)
            case CloseDowntime() as stop:
                return await self._notifications.find_end(intent, stop)
            case AdjustCapacity() as change:
                return await self._capacity.find(intent, change, sent=sent)
            case Reverse() as reverse:
                return await self._reversals.find(intent, reverse)

    async def post(self, intent: PostingIntent, guard: SendGuard) -> ErpDocument:
        """Book it by one request; reads before it may refuse it."""
        match intent.transaction:
            case ConfirmProduction() as confirmation:
                receives = await self._receives(confirmation)
                return await self._confirmations.confirm(intent, confirmation, guard, receives=receives)
            case ReportTime() as time:
                return await self._confirmations.report_time(intent, time, guard)
            case StartOrder():
                return await self._functions.start(intent)
            case CompleteOrder():
                return await self._functions.post(intent, COMPLETE, guard)
            case CloseOrder():
                return await self._functions.post(intent, CLOSE, guard)
            case IssueComponents() | ReturnComponents() | ReceiveGoods() | MoveStock() | ScrapStock() as goods:
                return await self.documents.post(intent, await self._complete_body(goods), guard)
            case PlaceHold() | ReleaseHold() as hold:
                return await self._holds.post(intent, hold, guard)
            case RecordInspection() as inspection:
                return await self._inspections.record(intent, inspection, guard)
            case RecordNonconformance() as nonconformance:
                return await self._defects.record(intent, nonconformance, guard)
            case DecideInspection() as decision if is_lot_posting(decision):
                return await self._inspections.post_stock(intent, decision, guard)
            case DecideInspection() as decision:
                return await self._inspections.decide(intent, decision, guard)
            case OpenDowntime() as stop:
                return await self._notifications.open(intent, stop, guard)
            case CloseDowntime() as stop if is_completion(stop):
                return await self._notifications.complete(intent, stop, guard)
            case CloseDowntime() as stop:
                return await self._notifications.end(intent, stop, guard)
            case AdjustCapacity() as change:
                return await self._capacity.adjust(intent, change, guard)
            case Reverse() as reverse:
                return await self._reversals.post(intent, reverse, guard)

    async def follow_ups(self, intent: PostingIntent) -> list[Transaction]:
        """The steps that come after it; a routing is read only where a receipt may have to be posted apart."""
        transaction = intent.transaction
        needs_order = isinstance(transaction, ConfirmProduction) and receives_apart(transaction)
        return following_steps(transaction, await self._orders.routing(transaction.order) if needs_order else None)

    async def expected_movements(self, intent: PostingIntent) -> list[GoodsMovement]:
        match intent.transaction:
            case ConfirmProduction() as confirmation:
                return expected_movements(await self._orders.read_for_posting(confirmation.order), confirmation)
            case IssueComponents() | ReturnComponents() | ReceiveGoods() | MoveStock() | ScrapStock() as goods:
                return movements_of_goods(self._body(goods).items, self._units)
            case _:
                return []

    async def _receives(self, confirmation: ConfirmProduction) -> bool:
        """Asked only where it matters: for serial numbers, or a receipt that must not be unrestricted."""
        if not receives_apart(confirmation) and confirmation.receipt_stock is StockKind.UNRESTRICTED:
            return False
        operation = (await self._orders.routing(confirmation.order)).find_operation(confirmation.operation)
        return operation is not None and operation.automatic_receipt

    def _body(self, goods: Goods) -> GoodsBody:
        match goods:
            case ReceiveGoods():
                return self._bodies.receipt(goods)
            case MoveStock():
                return self._bodies.transfer(goods)
            case ScrapStock():
                return self._bodies.scrap(goods)
            case _:
                return self._bodies.issue(goods)

    async def _complete_body(self, goods: Goods) -> GoodsBody:
        """A by-product is received against the order's reservation, whose number only the order knows."""
        if isinstance(goods, ReceiveGoods) and goods.output is OutputKind.BY_PRODUCT:
            return self._bodies.receipt(goods, await self._orders.reservation_of(goods.order, goods.item))
        return self._body(goods)
