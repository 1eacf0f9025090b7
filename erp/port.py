"""What any ERP must do for Plantwright: say what it can, be read, be found in, post once, be read back.

Not for retries, claims or waiting: that is the posting procedure's work (activities). Methods raise the ErpError
family of signals.errors only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from pydantic import Field

from signals.base import Message
from signals.documents import ErpDocument, GoodsMovement, OperationTotals
from signals.orders import ErpOrderStatus, ProductionOrder
from signals.transactions import PostingIntent, TransactionType

SendGuard = Callable[[], None]
"""Called by the adapter at the last moment before bytes leave; raises ErpUnavailable when the deadline has passed."""


class Capability(Message):
    """Whether the ERP can do something; a no carries its reason."""

    supported: bool
    reason: str = ""


class ErpCapabilities(Message):
    """What an adapter declares of its ERP."""

    erp: str
    transactions: dict[TransactionType, Capability]
    find_by_key: Capability = Field(description="whether a document can be found by our key")
    totals: Capability = Field(description="whether running totals per operation can be read")
    reversal: Capability
    settle_seconds: float = Field(description="longest time after the request's deadline until a commit shows")


class OrderHead(Message):
    """An order as a list read gives it."""

    order: str
    status: ErpOrderStatus
    change_mark: str = ""


class ErpPort(Protocol):
    """One connection to one ERP for one plant."""

    @property
    def capabilities(self) -> ErpCapabilities: ...

    async def released_orders(self, changed_after: str = "") -> list[OrderHead]:
        """Orders of the plant that are released and not technically complete, changed after the given mark."""
        ...

    async def read_order(self, order: str) -> ProductionOrder:
        """The whole order. Raises ErpRejected with code `order_not_found` where the ERP does not know it."""
        ...

    async def totals(self, order: str) -> list[OperationTotals]:
        """The ERP's running totals per operation."""
        ...

    async def documents(self, order: str, operation: str) -> list[ErpDocument]:
        """All confirmations of an operation, by whomever, oldest first; reversed pairs carry their flags."""
        ...

    async def find(self, intent: PostingIntent) -> ErpDocument | None:
        """The document that carries the intent's key (or whose effect is the ERP's state, for completions)."""
        ...

    async def post(self, intent: PostingIntent, guard: SendGuard) -> ErpDocument:
        """Book the transaction. Calls `guard` right before the bytes of the booking request leave.

        Raises ErpUnavailable/ErpBusy (certainly not booked), ErpRejected, ErpMisconfigured, ErpInDoubt (unknown).
        """
        ...

    async def read_back(self, document: ErpDocument) -> ErpDocument:
        """The document again, with its goods movements."""
        ...

    async def expected_movements(self, intent: PostingIntent) -> list[GoodsMovement]:
        """Goods movements that this posting should cause, by the order's own components and receipt control."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
