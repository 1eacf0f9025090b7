"""What holds make of a posting right before it leaves: as it is, received into blocked stock, later, or not at all.

A hold restricts use, not bookkeeping: consumption, time and confirmations go on (design section 4).
"""

from __future__ import annotations

import calendar
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from activities.posting_records import intent_of
from domain.hold_scope import blocked_form
from domain.plant import PlantConfig
from erp.port import ErpPort
from ledger.port import LedgerPort, PostingRecord
from signals.bookings import StockKind
from signals.holds import Block
from signals.orders import ProductionOrder
from signals.stock import ReceiveGoods
from signals.transactions import CompleteOrder, ConfirmProduction, Transaction


@dataclass(frozen=True)
class HoldOptions:
    """The plant's choices. `zone` decides when a posting period's last day begins."""

    withhold: bool = False
    complete: bool = False
    zone: str = "UTC"

    @classmethod
    def of(cls, plant: PlantConfig) -> HoldOptions:
        """As the plant file says."""
        quality = plant.quality
        return cls(withhold=quality.withhold_postings, complete=quality.complete_with_holds, zone=plant.plant.zone)


@dataclass(frozen=True)
class Guarded:
    """`form` is how the posting may go out now. `refused`: not while held, a person is told. `waits`: not yet."""

    form: Transaction
    reason: str = ""
    refused: str = ""
    waits: str = ""


class HoldGuard:
    """Asks the ledger's blocks. They stand before anything else happens, so an ERP outage never delays one."""

    def __init__(self, erp: ErpPort, ledger: LedgerPort, options: HoldOptions, *, now: Callable[[], datetime]) -> None:
        self._erp = erp
        self._ledger = ledger
        self._options = options
        self._now = now

    async def look(self, record: PostingRecord) -> Guarded:
        """What the blocks of this moment say."""
        transaction = record.transaction
        blocks = await self._blocks(transaction)
        if isinstance(transaction, CompleteOrder):
            return self._completion(transaction, blocks)
        drafted = await self._as_drafted(record)
        if not blocks:
            return Guarded(drafted, "no hold concerns it any more")
        order = await self._ledger.order_data(record.plant, transaction.order) if transaction.order else None
        form = blocked_form(drafted, blocks, material=order.material if order is not None else "")
        if isinstance(form, str):
            return Guarded(transaction, refused=form)
        if form == drafted or not _receives(drafted, order):
            return Guarded(drafted, "no hold concerns it any more")
        holds = ", ".join(b.hold for b in blocks if _concerns(drafted, b, order))
        if self._options.withhold and self._may_wait(drafted.posting_date):
            return Guarded(transaction, waits=f"withheld until hold {holds} is decided, or the period ends")
        if await self._erp.check(intent_of(record.model_copy(update={"transaction": form}))):
            # What this ERP does not receive as blocked is received free, and held as stock by the hold's own posting.
            return Guarded(drafted, f"hold {holds}: this ERP cannot receive it blocked")
        return Guarded(form, f"hold {holds}: received into blocked stock")

    async def _blocks(self, transaction: Transaction) -> list[Block]:
        if isinstance(transaction, ConfirmProduction | ReceiveGoods):
            return await self._ledger.blocks(transaction.plant, order=transaction.order, batch=transaction.batch)
        if isinstance(transaction, CompleteOrder):
            return await self._ledger.blocks(transaction.plant, order=transaction.order)
        return await self._ledger.blocks(transaction.plant)

    async def _as_drafted(self, record: PostingRecord) -> Transaction:
        """Without what an earlier look changed, where it did."""
        transaction = record.transaction
        match transaction:
            case ConfirmProduction(receipt_stock=StockKind.BLOCKED) | ReceiveGoods(stock=StockKind.BLOCKED):
                return await self._ledger.form_before(record.key) or transaction
            case _:
                return transaction

    def _completion(self, transaction: CompleteOrder, blocks: list[Block]) -> Guarded:
        holds = [b.hold for b in blocks if b.active and b.scope.order == transaction.order]
        if self._options.complete or not holds:
            return Guarded(transaction)
        return Guarded(transaction, waits=f"order {transaction.order} is not completed before hold {holds[0]} is over")

    def _may_wait(self, posting_date: date) -> bool:
        """A period is a month: on its last day whatever waits goes out, as a receipt into blocked stock."""
        today = self._now().astimezone(ZoneInfo(self._options.zone)).date()
        last = calendar.monthrange(posting_date.year, posting_date.month)[1]
        return today < posting_date.replace(day=last)


def _receives(transaction: Transaction, order: ProductionOrder | None) -> bool:
    """Whether the confirmation brings goods into stock; of an order that nobody knows it may."""
    if not isinstance(transaction, ConfirmProduction) or order is None:
        return True
    operation = order.find_operation(transaction.operation)
    return operation is None or operation.automatic_receipt


def _concerns(transaction: Transaction, block: Block, order: ProductionOrder | None) -> bool:
    return blocked_form(transaction, [block], material=order.material if order is not None else "") != transaction
