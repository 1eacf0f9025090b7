"""What any ERP must do for Plantwright: say what it can, be read, be found in, post once, be read back.

Not for retries, claims or waiting: that is the posting procedure's work (activities). Methods raise the ErpError
family of signals.errors only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

from pydantic import Field

from signals.base import Message, UtcTime
from signals.documents import Booking, ErpDocument, GoodsMovement, OperationTotals, Snapshot
from signals.erp_reads import AlternateWorkCentre, Demand, MaterialCost, Probe, StockLine
from signals.orders import ErpOrderStatus, ProductionOrder
from signals.transactions import PostingIntent, Transaction, TransactionType

SendGuard = Callable[[], None]
"""Called by the adapter at the last moment before bytes leave; raises ErpUnavailable when the deadline has passed."""


class FoundBy(StrEnum):
    """How a booked transaction is recognised when its answer was lost."""

    KEY = "key"
    STATE = "state"
    ARITHMETIC = "arithmetic"
    EVENT = "event"
    NOTHING = "nothing"


class ReversedBy(StrEnum):
    """How a booked transaction is taken back."""

    CALL = "call"
    MIRROR = "mirror"
    STATE = "state"
    PERSON = "person"
    NEVER = "never"


class Capability(Message):
    """Whether the ERP can do something; a no carries its reason. `plantwright erp capabilities` shows all of it."""

    supported: bool
    reason: str = ""
    call: str = Field(default="", description="the ERP's own call")
    found_by: FoundBy = FoundBy.KEY
    reversed_by: ReversedBy = ReversedBy.CALL
    note: str = ""


class ErpCapabilities(Message):
    """What an adapter declares of its ERP."""

    erp: str
    transactions: dict[TransactionType, Capability]
    find_by_key: Capability = Field(description="whether a confirmation can be found by our key")
    totals: Capability = Field(description="whether running totals per operation can be read")
    reversal: Capability
    settle_seconds: float = Field(description="longest time after the request's deadline until a commit shows")
    documents: Capability = Field(
        default=Capability(supported=True), description="whether confirmations by whomever can be listed"
    )
    reads: dict[str, Capability] = Field(
        default_factory=dict, description="stock, pegging, alternates, cost, order_changes, process_orders"
    )
    start_required: bool = Field(default=False, description="an order must be started before its first confirmation")
    pending_seconds: float = Field(
        default=3600, description="an accepted request that waits longer in the ERP's own queue becomes a case"
    )

    def can(self, kind: TransactionType) -> Capability:
        """The declaration for a kind of posting; one that is not declared is not supported."""
        return self.transactions.get(kind) or Capability(
            supported=False, reason=f"{self.erp} declares nothing for {kind.value}"
        )


class CallBudget(Protocol):
    """The limit on calls to one ERP, shared by all that call it for a plant (`erp.budget`, `ledger.budget`)."""

    async def take(self, longest_wait: float) -> None:
        """Wait for a slot. Raises ErpBusy where the wait would be too long or the ERP asked for patience."""
        ...

    async def answered(self) -> None:
        """The ERP answered, with whatever: it is reachable."""
        ...

    async def failed(self) -> None:
        """No connection, no answer: counts towards opening the circuit."""
        ...

    async def close_for(self, seconds: float) -> None:
        """The ERP throttled us: nobody calls before that time has passed, and slower after it for a while."""
        ...


class ErpEvent(Message):
    """An event that an ERP sent us (Dynamics business event); `event_id` dedupes, `body` is the ERP's JSON."""

    event_id: str
    kind: str
    order: str = ""
    at: UtcTime | None = None
    body: str


class ErpEvents(Protocol):
    """Events received from the ERP, oldest first."""

    async def events_of(self, order: str, kind: str, since: UtcTime | None = None) -> Sequence[ErpEvent]: ...


class OrderHead(Message):
    """An order as a list read gives it."""

    order: str
    status: ErpOrderStatus
    change_mark: str = ""


class ErpPort(Protocol):
    """One connection to one ERP for one plant."""

    @property
    def capabilities(self) -> ErpCapabilities: ...

    # --- reading -----------------------------------------------------------------------------------------
    async def released_orders(self, changed_after: str = "") -> list[OrderHead]:
        """Orders of the plant that are released and not technically complete, changed after the given mark."""
        ...

    async def changed_orders(self, changed_after: str) -> list[OrderHead]:
        """Orders of the plant in any status, changed at or after the mark (the ERP's own clock), by mark."""
        ...

    async def read_order(self, order: str) -> ProductionOrder:
        """The whole order. Raises ErpRejected with code `order_not_found` where the ERP does not know it."""
        ...

    async def totals(self, order: str) -> list[OperationTotals]:
        """The ERP's running totals per operation."""
        ...

    async def documents(self, order: str, operation: str) -> list[ErpDocument]:
        """All confirmations of an operation, by whomever, oldest first; reversed pairs carry their flags.

        Never called where `capabilities.documents` says no.
        """
        ...

    async def stock(self, material: str, batch: str = "") -> list[StockLine]:
        """On-hand lines of a material in the plant, blocked and restricted ones with their kind."""
        ...

    async def pegging(self, order: str) -> list[Demand]:
        """Who waits for the order's output."""
        ...

    async def alternates(self, work_centre: str) -> list[AlternateWorkCentre]:
        """Work centres that could take its operations over."""
        ...

    async def material_cost(self, material: str) -> MaterialCost | None:
        """What a material costs; None where the ERP has no valuation of it."""
        ...

    async def probe(self) -> list[Probe]:
        """Try the connection: log-on, client or company, plant, each service, whether our reference can be searched.

        What is wrong is a Probe with ok=False and one clear message; nothing raises, nothing is booked.
        """
        ...

    # --- booking -----------------------------------------------------------------------------------------
    async def check(self, intent: PostingIntent) -> str:
        """What this ERP's own rules say against the transaction, as `rule-id/version: sentence`; empty if nothing.

        Without a call where possible: quantities that a field cannot hold, a position without a hold route.
        """
        ...

    async def snapshot(self, intent: PostingIntent) -> Snapshot:
        """What `find` will need from before the request, beside totals and documents (the caller reads those)."""
        ...

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        """What the books say of the intent: by key, by state, by arithmetic against `before`, or by event.

        Before anything was sent `before` is empty: then only key and state can show it.
        """
        ...

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        """Book the transaction by ONE request. Calls `guard` right before the bytes of that request leave.

        Answers with the document, or `pending` where the ERP only accepted it. Raises ErpUnavailable/ErpBusy
        (certainly not booked), ErpRejected, ErpMisconfigured, ErpInDoubt (unknown).
        """
        ...

    async def read_back(self, document: ErpDocument) -> ErpDocument:
        """The document again, with its goods movements."""
        ...

    async def expected_movements(self, intent: PostingIntent) -> list[GoodsMovement]:
        """Goods movements that this posting should cause, by the order's own components and receipt control."""
        ...

    async def follow_ups(self, intent: PostingIntent) -> list[Transaction]:
        """What must be booked beside it by requests of its own, in order: lot components, time.

        Each becomes a posting with its own key, sent after this one stands in the books. Deterministic: the same
        intent always gives the same list.
        """
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
