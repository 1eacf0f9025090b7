"""A plant whose ERP refuses what a test says it refuses, and books components beside confirmations where asked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from temporalio.client import Client

from erp.port import SendGuard
from ledger.port import LedgerPort
from signals.decisions import Answer, DecideCase
from signals.documents import Booking, Case, CaseAction, ErpDocument
from signals.errors import ErpRejected, Reason
from signals.exceptions import ExceptionStatus
from signals.ids import exception_workflow_id
from signals.stock import IssueComponents
from signals.transactions import ComponentUse, ConfirmProduction, PostingIntent, Reverse, Transaction
from tests.workflows.bench import Bench, eventually, plant_config
from tests.workflows.memory_erp import MemoryErp

Refuses = Callable[[Transaction], bool]

CLOSED = ("M7/053", Reason.PERIOD_CLOSED, "Posting only possible in periods that are open")
SHORT = ("M7/021", Reason.STOCK_SHORT, "Deficit of SL Unrestricted-use 1 PC")


@dataclass
class RefusingErp(MemoryErp):
    """`refuses` and `why` are switched while a test runs."""

    refuses: Refuses = lambda transaction: False
    why: tuple[str, Reason, str] = SHORT
    components: bool = False
    """Every confirmation wants its components issued by a request of their own."""
    issued: list[ErpDocument] = field(default_factory=list)

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        if not self.away and self.refuses(intent.transaction):
            await self._call("post")
            code, reason, text = self.why
            raise ErpRejected(text, code=code, reason=reason)
        return await super().post(intent, guard)

    async def follow_ups(self, intent: PostingIntent) -> list[Transaction]:
        t = intent.transaction
        if not self.components or not isinstance(t, ConfirmProduction) or not t.yield_quantity:
            return []
        use = ComponentUse(material="SHEET", quantity=t.yield_quantity, unit="PC", batch="L-1")
        return [
            IssueComponents(
                plant=t.plant, order=t.order, operation=t.operation, posting_date=t.posting_date, lines=(use,)
            )
        ]

    def _book(self, intent: PostingIntent) -> ErpDocument:
        t = intent.transaction
        original = next((d for d in self.issued if isinstance(t, Reverse) and d.document == t.document), None)
        if not isinstance(t, IssueComponents) and original is None:
            return super()._book(intent)
        made = ErpDocument(
            document=f"4900{self._number()}",
            kind="goods_movement",
            order=t.order,
            operation=t.operation,
            key=intent.key,
            reversal=original is not None,
        )
        if original is not None:
            self.issued[self.issued.index(original)] = original.model_copy(update={"reversed": True})
        self.issued.append(made)
        return made

    async def find(self, intent: PostingIntent, before: Any) -> Booking:
        reversal = isinstance(intent.transaction, Reverse)
        mine = [d for d in self.issued if d.key == intent.key and d.reversal == reversal]
        return Booking(document=mine[0]) if mine else await super().find(intent, before)


@asynccontextmanager
async def refusing_plant(
    client: Client, ledger: LedgerPort, **keywords: Any
) -> AsyncIterator[tuple[Bench, RefusingErp]]:
    """A bench on a refusing ERP; after a test that passed its histories are replayed."""
    erp = RefusingErp()
    bench = Bench(client, ledger, plant_config(**keywords), erp=erp)
    try:
        async with bench.working():
            yield bench, erp
        assert await bench.replay()
    finally:
        await bench.end()


def decision(case: Case, action: CaseAction, number: str = "d1", **changes: Any) -> DecideCase:
    return DecideCase(
        decision_id=f"{number}:{case.case_id}",
        case_id=case.case_id,
        action=action,
        by="somebody",
        role=case.owner_role,
        reason="looked at it",
    ).model_copy(update=changes)


async def the_case(bench: Bench, order: str, seconds: float = 60) -> Case:
    """The order's only open case about a posting, once its ErpException runs."""
    found = await eventually(
        lambda: bench.ledger.cases(bench.id, order=order), lambda cases: any(c.posting_key for c in cases), seconds
    )
    [case] = [c for c in found if c.posting_key]
    bench.workflows.add(exception_workflow_id(bench.id, str(case.posting_key)))
    await running(bench, case)
    return case


async def running(bench: Bench, case: Case) -> ExceptionStatus:
    """Wait until the case's ErpException shows it."""

    async def ask() -> ExceptionStatus | None:
        try:
            handle = exception_of(bench, case)
            return await handle.query("status", result_type=ExceptionStatus, rpc_timeout=timedelta(seconds=10))
        except Exception as error:
            if "not found" in str(error).lower():
                return None
            raise

    found = await eventually(ask, lambda s: s is not None and any(c.case_id == case.case_id for c in s.cases))
    assert found is not None
    return found


def exception_of(bench: Bench, case: Case):
    return bench.client.get_workflow_handle(
        exception_workflow_id(bench.id, str(case.posting_key)), result_type=ExceptionStatus
    )


async def decided(bench: Bench, wish: DecideCase, case: Case) -> Answer:
    return await exception_of(bench, case).execute_update("decide", wish, result_type=Answer)
