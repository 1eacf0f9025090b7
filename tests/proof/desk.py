"""An order's process without Temporal: the real book drafts, the real procedure settles, the ledger is the memory.

What `workflows.production_order` does between a report and its posting, step by step; messages of people come as what
the ledger holds after them, as at an order that was terminated and started again.
"""

from __future__ import annotations

import asyncio
import tomllib
from datetime import UTC, datetime
from typing import Any

from activities.ledger import LedgerActivities, OrderRef
from activities.posting import PostingDraft, PostingProcedure, SettleResult
from domain.order_book import SETTLED, OrderBook
from domain.order_plan import blocking_cases, next_intent
from domain.order_state import OrderState
from domain.plant import PlantConfig
from ledger.port import LedgerPort
from signals.documents import PostingState
from signals.reports import LineMessage
from signals.transactions import PostingIntent
from tests.matrix.worlds import REPOSITORY
from tests.proof.bench import Bench, wait_until
from tests.proof.plan import PLANT


def plant_of(bench: Bench, max_quantity: int) -> PlantConfig:
    """The demo plant's file, with this ERP and these posting rules."""
    file: dict[str, Any] = tomllib.loads((REPOSITORY / "plants" / "demo.toml").read_text())
    told = bench.config().model_dump(mode="json", by_alias=True)
    posting = file["posting"] | {"max_quantity": max_quantity, "goods_movement_wait_seconds": 20}
    return PlantConfig.model_validate(file | {"erp": told, "posting": posting})


class OrderDesk:
    """One production order: at most one posting in flight."""

    def __init__(self, order: str, ledger: LedgerPort, procedure: PostingProcedure, plant: PlantConfig) -> None:
        self.order = order
        self._loader = LedgerActivities(ledger, plant)
        self._procedure = procedure
        self.book = OrderBook(OrderState(plant=PLANT, order_id=order))
        self.postings = 0

    # --- messages ----------------------------------------------------------------------------------------------------

    def receive(self, message: LineMessage) -> None:
        """A report from the Line, as its signal brings it."""
        self.book.receive(message)

    async def load(self) -> None:
        """Begin anew from what the ledger knows."""
        loaded = await self._loader.load_order(OrderRef(plant=PLANT, order=self.order))
        assert loaded.order is not None
        self.book = OrderBook(OrderState(plant=PLANT, order_id=self.order))
        self.book.load(
            loaded.order,
            loaded.settings,
            loaded.messages,
            frozenset(loaded.settled),
            loaded.totals,
            loaded.credits,
            loaded.cases,
            frozenset(loaded.finals),
            loaded.closed_cases,
            loaded.unsettled,
        )

    # --- the process -------------------------------------------------------------------------------------------------

    @property
    def is_done(self) -> bool:
        state = self.book.state
        return not (state.reload or state.pending or state.current or state.verify)

    async def run(self, closed: asyncio.Event | None = None) -> None:
        """Post until nothing waits any more, and with `closed` until that says that nothing more will come."""
        while True:
            if self.book.state.reload:
                await self.load()
            await wait_until(self.book.state.next_try_at or datetime.now(UTC))
            intent = next_intent(self.book.state, datetime.now(UTC).date())
            if intent is not None:
                await self._settle(intent)
            elif self.book.state.verify:
                await self._verify()
            elif self.book.state.pending:
                await wait_until(None)  # a case stands before it: a person decides, and tells the order
                await self.load()
            elif closed is None or closed.is_set():
                return
            else:
                await asyncio.sleep(0.05)

    async def _settle(self, intent: PostingIntent) -> None:
        state = self.book.state
        state.current, state.next_try_at = intent, None
        draft = PostingDraft(plant=PLANT, intent=intent, mode=state.settings.mode)
        self._read(intent, await self._procedure.settle(draft))

    def _read(self, intent: PostingIntent, result: SettleResult) -> None:
        state, book = self.book.state, self.book
        state.current = None
        for case in result.cases:
            book.open(case)
        for outcome in result.outcomes:
            if outcome.state in SETTLED or (outcome.state is PostingState.CANCELLED and outcome.report_ids):
                self.postings += 1
                book.settled(intent, outcome)
                if outcome.state is not PostingState.CANCELLED and outcome.key == intent.key:
                    book.use_credit(intent)
                if outcome.state is PostingState.POSTED and outcome.key not in result.verified:
                    book.watch_movements(intent, outcome.document, datetime.now(UTC))
            elif outcome.state is PostingState.CANCELLED:
                book.redraft(intent)
            elif outcome.state in (PostingState.REFUSED, PostingState.IN_DOUBT) or self._is_stopped(intent):
                book.put_aside(intent)
            else:
                state.current, state.next_try_at = intent, result.next_try_at
        book.take_totals(result.totals)

    def _is_stopped(self, intent: PostingIntent) -> bool:
        return bool(blocking_cases(self.book.state, intent.transaction.operation))

    async def _verify(self) -> None:
        check = self.book.state.verify[0]
        found = await self._procedure.verify(check.intent.key)
        if found.complete or found.case is not None or found.next_try_at is None:
            self.book.state.verify.remove(check)
        else:
            self.book.state.next_try_at = found.next_try_at
