"""Technical completion of an order (TECO). Not the financial close, which belongs to finance.

Function imports answer HTTP 200 with a FunctionMessage whose type E or A is a refusal (reference erp.md 1.2).
"""

from __future__ import annotations

from erp.port import SendGuard
from erp.sap.client import SapClient
from erp.sap.failures import LOCK_CODES
from erp.sap.odata import UnreadableAnswer, complex_result, text_literal, text_of
from erp.sap.orders import Orders, status_of
from erp.sap.settings import ORDER_SERVICE
from signals.documents import ErpDocument
from signals.errors import ErpBusy, ErpInDoubt, ErpRejected
from signals.orders import ErpOrderStatus
from signals.transactions import PostingIntent

FUNCTION = "TechlyCmpltOrder"
_DONE = (ErpOrderStatus.TECHNICALLY_COMPLETE, ErpOrderStatus.CLOSED)


class Completion:
    """Completes orders technically and recognises completed ones by their status."""

    def __init__(self, client: SapClient, orders: Orders) -> None:
        self._client = client
        self._orders = orders

    async def find(self, intent: PostingIntent) -> ErpDocument | None:
        """The effect is the ERP's state: an order that is complete needs no second completion."""
        order = intent.transaction.order
        head = await self._orders.head(order)
        return _document(intent) if status_of(head) in _DONE else None

    async def complete(self, intent: PostingIntent, guard: SendGuard) -> ErpDocument:
        order = intent.transaction.order
        answer = await self._client.call(
            ORDER_SERVICE, FUNCTION, {"ManufacturingOrder": text_literal(order)}, guard=guard
        )
        try:
            message = complex_result(answer.payload, FUNCTION)
        except UnreadableAnswer as error:
            raise ErpInDoubt(f"{FUNCTION} of order {order} was answered unreadably: {error}") from error
        severity = text_of(message, "SystemMessageType").upper()
        code = f"{text_of(message, 'SystemMessageIdentification')}/{text_of(message, 'SystemMessageNumber')}"
        text = text_of(message, "SystemMessageLongText") or text_of(message, "SystemMessageVariable1")
        if severity in ("E", "A", "X"):
            refusal = ErpBusy if code in LOCK_CODES else ErpRejected
            raise refusal(f"SAP refused to complete order {order}: {code} {text}".rstrip(), code=code)
        warnings = (f"{code}: {text}",) if severity == "W" else answer.warnings
        return _document(intent).model_copy(update={"warnings": warnings})


def _document(intent: PostingIntent) -> ErpDocument:
    order = intent.transaction.order
    return ErpDocument(document=f"TECO/{order}", kind="technical_completion", order=order, key=intent.key)
