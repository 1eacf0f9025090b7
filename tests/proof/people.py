"""The people of a proof: they look into the ERP's own books and decide the cases that the worker processes open."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from decimal import Decimal
from typing import Any

from ledger.port import PostingRecord
from ledger.store import SqlLedger
from signals.decisions import DecideCase
from signals.documents import Case, CaseAction, CaseKind, PostingState
from signals.errors import BadInput
from signals.transactions import ConfirmProduction, StartOrder
from tests.matrix.worlds import Simulator
from tests.proof.judge import Booked, document_name, lines_of_books, production_documents
from tests.proof.plan import PLANT

LOOK_SECONDS = 0.2
BOOKED = (PostingState.POSTED, PostingState.ADOPTED)
LEFT_ALONE = (CaseKind.ERP_PENDING, CaseKind.ERP_MISCONFIGURED)
"""They close by themselves when the ERP goes on."""


class People:
    """Decide what the ERP refused, what is in doubt, and what lacks its goods movements. Anything else is a find."""

    def __init__(self, simulator: Simulator, ledger: SqlLedger, *, adopt: bool = False) -> None:
        self._simulator = simulator
        self._adopt = adopt
        self._ledger = ledger
        self.decided: Counter[str] = Counter()
        """Decisions by the kind of their case and by what was decided."""
        self.decided_at: list[float] = []
        """Unix time of each decision."""
        self.unforeseen: list[Case] = []

    async def work(self) -> None:
        """Until cancelled."""
        while True:
            for case in await self._ledger.cases(PLANT):
                if case.kind not in LEFT_ALONE:
                    await self._decide(case)
            await asyncio.sleep(LOOK_SECONDS)

    async def _decide(self, case: Case) -> None:
        match case.kind:
            case CaseKind.ERP_REJECTED:
                await self._clear_the_way(case.order)
                await self._answer(case, CaseAction.RETRY)
            case CaseKind.MANUAL_ENTRY if self._adopt:
                await self._answer(case, CaseAction.ADOPT)
            case CaseKind.ERP_IN_DOUBT:
                await self._look_whether_it_is_there(case)
            case CaseKind.GOODS_MOVEMENT_SHORTFALL:
                await self._post_what_is_missing(case.order)
                await self._answer(case, CaseAction.ACCEPT)
            case _ if all(c.case_id != case.case_id for c in self.unforeseen):
                self.unforeseen.append(case)

    async def _answer(self, case: Case, action: CaseAction, document: str = "") -> None:
        number = sum(self.decided.values())
        decision = DecideCase(
            decision_id=f"{case.case_id}:{number}",
            case_id=case.case_id,
            action=action,
            by="inspector",
            reason="compared with the ERP's own books",
            document=document,
        )
        try:
            await self._ledger.decide_case(PLANT, decision)
        except BadInput:
            return  # it has moved on meanwhile; the next look shows where
        self.decided[f"{case.kind.value}/{action.value}"] += 1
        self.decided_at.append(time.time())

    async def _books(self, order: str) -> dict[str, Any]:
        answer = await self._simulator.control.get("/_control/books", params={"order": order})
        return answer.raise_for_status().json()

    # --- in doubt ----------------------------------------------------------------------------------------------------

    async def _look_whether_it_is_there(self, case: Case) -> None:
        """One posting of an order is on its way at a time: what the books hold beyond the settled ones is its."""
        posting = await self._ledger.posting(case.posting_key) if case.posting_key else None
        if posting is None or posting.state is not PostingState.IN_DOUBT or await self._is_in_the_queue(case.order):
            return
        books = await self._books(case.order)
        match posting.transaction:
            case StartOrder():
                started = any(o["status"] == ["StartedUp"] for o in books["orders"])
                await self._answer(case, CaseAction.ADOPT if started else CaseAction.RETRY)
            case ConfirmProduction():
                document = await self._document_of(posting, books)
                await self._answer(case, CaseAction.ADOPT if document else CaseAction.RETRY, document)
            case _:
                self.unforeseen.append(case)

    async def _document_of(self, posting: PostingRecord, books: dict[str, Any]) -> str:
        """The number of the document that is this posting's, empty where none is."""
        beyond = lines_of_books(self._simulator.name, books)
        for other in await self._ledger.order_postings(PLANT, posting.order):
            if other.state in BOOKED:
                beyond -= Counter(lines_of(other))
        wanted = lines_of(posting)
        if not wanted or Counter(wanted) - beyond:
            return ""
        documents = production_documents(self._simulator.name, books)
        fitting = [d for d in documents if (posting.order, posting.operation) == (d["order"], d["operation"])]
        same = [d for d in fitting if wanted[0][3] in (Decimal(d["yield"]), Decimal(d["scrap"]))]
        return document_name(self._simulator.name, (same or fitting)[-1])

    async def _messages(self, order: str) -> list[dict[str, Any]]:
        answer = await self._simulator.control.get("/_control/messages")
        return [m for m in answer.raise_for_status().json()["messages"] if m["order"] == order]

    async def _is_in_the_queue(self, order: str) -> bool:
        if self._simulator.name != "dynamics":
            return False
        return any(m["state"] == "Queued" for m in await self._messages(order))

    # --- in the ERP's own screens ------------------------------------------------------------------------------------

    async def _clear_the_way(self, order: str) -> None:
        """A failed message blocks its order's queue until somebody cancels it."""
        if self._simulator.name != "dynamics":
            return
        for message in await self._messages(order):
            if message["state"] == "Failed":
                await self._simulator.ask("messages", {"id": message["id"], "action": "cancel"})

    async def _post_what_is_missing(self, order: str) -> None:
        books = await self._books(order)
        if self._simulator.name == "dynamics":
            lists = [d for d in books["documents"] if d["kind"] == "picking_list" and not d["posted"]]
            for journal in dict.fromkeys(d["journal"] for d in lists):
                await self._simulator.ask("manual", {"action": "post_journal", "order": order, "journal": journal})
            return
        for entry in books["cogi"]:
            if entry["order"] == order:
                await self._simulator.ask("cogi", {"id": entry["id"]})


def lines_of(posting: PostingRecord) -> list[Booked]:
    """What a confirmation books, as the judge compares it."""
    transaction = posting.transaction
    if not isinstance(transaction, ConfirmProduction):
        return []
    parts = (("yield", transaction.yield_quantity), ("scrap", transaction.scrap_quantity))
    return [(posting.order, posting.operation, what, quantity) for what, quantity in parts if quantity]
