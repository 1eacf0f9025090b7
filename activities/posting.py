"""Activities that ask the ERP: settle and verify postings, read orders, totals and documents.

Business results are returned, not raised; the procedure itself is `activities.posting_procedure`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.posting_holds import HoldOptions
from activities.posting_messages import PostingDraft, SettleResult, VerifyRequest, VerifyResult
from activities.posting_procedure import PostingProcedure
from domain.plant import PlantConfig
from erp.port import ErpPort, OrderHead
from ledger.port import LedgerPort
from signals.base import Code, Message
from signals.decisions import PostingMode
from signals.documents import ErpDocument, OperationTotals
from signals.errors import BadInput, ErpError, ErpUnavailable
from signals.orders import ProductionOrder

__all__ = [
    "DocumentsRequest",
    "ErpActivities",
    "ErpDocuments",
    "ErpTotals",
    "OrderRequest",
    "PostingDraft",
    "PostingProcedure",
    "ReleasedOrders",
    "ReleasedOrdersRequest",
    "ResumeRequest",
    "SettleResult",
    "VerifyRequest",
    "VerifyResult",
]


class ResumeRequest(Message):
    """A posting that the ledger knows, to be settled by its key."""

    plant: Code
    key: UUID
    mode: PostingMode = PostingMode.POST
    approved: bool = False


class OrderRequest(Message):
    """An order in the plant's ERP."""

    plant: Code
    order: Code


class DocumentsRequest(Message):
    """Documents of an operation; of the whole order where none is named."""

    plant: Code
    order: Code
    operation: str = ""


class ReleasedOrdersRequest(Message):
    """Released orders, changed since the ERP's own change mark."""

    plant: Code
    changed_after: str = ""


class ReleasedOrders(Message):
    """Heads of released orders."""

    orders: tuple[OrderHead, ...] = ()


class ErpTotals(Message):
    """The ERP's running totals of an order."""

    totals: tuple[OperationTotals, ...] = ()


class ErpDocuments(Message):
    """Documents as the ERP lists them, oldest first."""

    documents: tuple[ErpDocument, ...] = ()


class ErpActivities:
    """What workflows may ask of the plant's ERP."""

    def __init__(self, plant: str, erp: ErpPort, procedure: PostingProcedure) -> None:
        self._plant = plant
        self._erp = erp
        self._procedure = procedure

    @classmethod
    def for_plant(
        cls, erp: ErpPort, ledger: LedgerPort, plant: PlantConfig, *, now: Callable[[], datetime]
    ) -> ErpActivities:
        """Wired by the plant file."""
        procedure = PostingProcedure(
            erp,
            ledger,
            now=now,
            new_token=lambda: uuid4().hex,
            timeout_seconds=plant.erp.timeout_seconds,
            settle_seconds=erp.capabilities.settle_seconds,
            retry_seconds=plant.posting.retry_seconds,
            goods_movement_wait_seconds=plant.posting.goods_movement_wait_seconds,
            holds=HoldOptions.of(plant),
        )
        return cls(plant.plant.id, erp, procedure)

    @activity.defn(name="settle_posting")
    async def settle_posting(self, draft: PostingDraft) -> SettleResult:
        """Bring a posting as far as it goes now; `next_try_at` says when to ask again."""
        self._check(draft.plant)
        try:
            return await self._procedure.settle(draft)
        except BadInput as error:
            raise _bad_input(error) from error

    @activity.defn(name="resume_posting")
    async def resume_posting(self, request: ResumeRequest) -> SettleResult:
        """The same for a posting of which only the key is known."""
        self._check(request.plant)
        try:
            return await self._procedure.resume(request.key, request.mode, approved=request.approved)
        except BadInput as error:
            raise _bad_input(error) from error

    @activity.defn(name="verify_posting")
    async def verify_posting(self, request: VerifyRequest) -> VerifyResult:
        """Look for the goods movements of a booked posting."""
        self._check(request.plant)
        return await self._procedure.verify(request.intent.key, last_try=request.last_try)

    @activity.defn(name="read_order")
    async def read_order(self, request: OrderRequest) -> ProductionOrder:
        """The order as the ERP has it. An order the ERP does not know fails as ErpRejected, for good."""
        self._check(request.plant)
        try:
            return await self._erp.read_order(request.order)
        except ErpError as error:
            raise _failure(error) from error

    @activity.defn(name="released_orders")
    async def released_orders(self, request: ReleasedOrdersRequest) -> ReleasedOrders:
        """Heads of the plant's released orders."""
        self._check(request.plant)
        try:
            return ReleasedOrders(orders=tuple(await self._erp.released_orders(request.changed_after)))
        except ErpError as error:
            raise _failure(error) from error

    @activity.defn(name="erp_totals")
    async def erp_totals(self, request: OrderRequest) -> ErpTotals:
        """The ERP's running totals per operation."""
        self._check(request.plant)
        try:
            return ErpTotals(totals=tuple(await self._erp.totals(request.order)))
        except ErpError as error:
            raise _failure(error) from error

    @activity.defn(name="erp_documents")
    async def erp_documents(self, request: DocumentsRequest) -> ErpDocuments:
        """The ERP's documents, by whomever they were booked."""
        self._check(request.plant)
        try:
            return ErpDocuments(documents=tuple(await self._erp.documents(request.order, request.operation)))
        except ErpError as error:
            raise _failure(error) from error

    def _check(self, plant: str) -> None:
        if plant != self._plant:
            message = f"this worker serves plant {self._plant}, not {plant}; start it by its own plant"
            raise _bad_input(BadInput(message, subject=plant))


def _bad_input(error: BadInput) -> ApplicationError:
    text = f"{error}; {error.hint}" if error.hint else str(error)
    return ApplicationError(text, error.subject, type="BadInput", non_retryable=True)


def _failure(error: ErpError) -> ApplicationError:
    """The stable type; only what is unavailable is worth another attempt, when the ERP said so."""
    pause = timedelta(seconds=error.retry_after) if error.retry_after else None
    return ApplicationError(
        str(error),
        error.code,
        type=error.type.value,
        non_retryable=not isinstance(error, ErpUnavailable),
        next_retry_delay=pause,
    )
