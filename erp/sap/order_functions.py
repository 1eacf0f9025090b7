"""What is done to an order as a whole: its start (no posting in SAP), technical completion, financial close.

Function imports answer HTTP 200 with a FunctionMessage; `client` raises one that refuses (reference erp.md 1.2).
"""

from __future__ import annotations

from dataclasses import dataclass

from erp.port import SendGuard
from erp.sap.client import SapClient
from erp.sap.failures import message_code, message_text, refused
from erp.sap.odata import UnreadableAnswer, complex_result, text_literal, text_of
from erp.sap.order_rows import status_of
from erp.sap.orders import Orders
from erp.sap.settings import ORDER_SERVICE
from signals.documents import ErpDocument
from signals.errors import ErpInDoubt
from signals.orders import ErpOrderStatus
from signals.transactions import PostingIntent


@dataclass(frozen=True)
class OrderFunction:
    """A function import, the mark of its document, and the statuses that show its effect."""

    name: str
    mark: str
    kind: str
    shown_by: tuple[ErpOrderStatus, ...]


COMPLETE = OrderFunction(
    "TechlyCmpltOrder",
    "TECO",
    "technical_completion",
    (ErpOrderStatus.TECHNICALLY_COMPLETE, ErpOrderStatus.CLOSED),
)
CLOSE = OrderFunction("CloseOrder", "CLSD", "close", (ErpOrderStatus.CLOSED,))
START = OrderFunction("", "REL", "release", (ErpOrderStatus.RELEASED,))


class OrderFunctions:
    """Acts on orders and recognises what was done by their status."""

    def __init__(self, client: SapClient, orders: Orders) -> None:
        self._client = client
        self._orders = orders

    async def find(self, intent: PostingIntent, function: OrderFunction) -> ErpDocument | None:
        """The effect is the ERP's state: an order that is complete needs no second completion."""
        head = await self._orders.head(intent.transaction.order)
        return _document(intent, function) if status_of(head) in function.shown_by else None

    async def start(self, intent: PostingIntent) -> ErpDocument:
        """Nothing is sent: an order that is released may be confirmed. Releasing belongs to planning."""
        order = intent.transaction.order
        status = status_of(await self._orders.head(order))
        if status not in START.shown_by:
            raise refused(
                f"order {order} is {status.value.replace('_', ' ')} in SAP, not released; release it there first",
                "order_not_released",
            )
        return _document(intent, START)

    async def post(self, intent: PostingIntent, function: OrderFunction, guard: SendGuard) -> ErpDocument:
        order = intent.transaction.order
        answer = await self._client.call(
            ORDER_SERVICE, function.name, {"ManufacturingOrder": text_literal(order)}, guard=guard, intent=intent
        )
        try:
            message = complex_result(answer.payload, function.name)
        except UnreadableAnswer as error:
            raise ErpInDoubt(f"{function.name} of order {order} was answered unreadably: {error}") from error
        is_warning = text_of(message, "SystemMessageType").upper() == "W"
        warnings = (f"{message_code(message)}: {message_text(message)}",) if is_warning else answer.warnings
        return _document(intent, function).model_copy(update={"warnings": warnings})


def _document(intent: PostingIntent, function: OrderFunction) -> ErpDocument:
    order = intent.transaction.order
    return ErpDocument(document=f"{function.mark}/{order}", kind=function.kind, order=order, key=intent.key)
