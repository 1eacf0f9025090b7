"""Looking at an operation in the ERP before anything is sent, and opening cases for what people did there meanwhile."""

from __future__ import annotations

from activities import erp_cases
from activities.erp_books import Look, known_by_short_key, owner_key, unlisted_entry
from erp.port import ErpPort
from ledger.port import LedgerPort, PostingRecord
from signals.documents import Case, CaseKind, ErpDocument, OperationTotals, PostingState
from signals.transactions import CompleteOrder, ConfirmProduction

STAY_WHEN_BOOKED = (CaseKind.GOODS_MOVEMENT_SHORTFALL, CaseKind.PARTLY_BOOKED)
"""Cases that say what a booked posting lacks."""


class ErpWatch:
    """Reads the ERP, writes cases to the ledger. Raises ErpErrors of reads only."""

    def __init__(self, erp: ErpPort, ledger: LedgerPort) -> None:
        self._erp = erp
        self._ledger = ledger

    @property
    def erp(self) -> str:
        """Which kind of ERP it is, for the catalogue."""
        return self._erp.capabilities.erp

    async def look(self, record: PostingRecord) -> Look:
        """The ERP's totals and documents (these last: nothing is read between them and the request)."""
        plant, order, operation = record.plant, record.order, record.operation
        own = {d.document: d for d in await self._ledger.own_documents(plant, order, operation)}
        known = known_by_short_key(await self._ledger.known_keys(plant, order))
        wants_totals = isinstance(record.transaction, ConfirmProduction) and self._erp.capabilities.totals.supported
        totals = tuple(await self._erp.totals(order)) if wants_totals else ()
        documents = await self._documents(record, totals, own)
        postings: dict[str, PostingRecord] = {}
        for document in documents:
            key = None if document.document in own else owner_key(document, known)
            owner = await self._ledger.posting(key) if key is not None else None
            if owner is not None:
                postings[document.document] = owner
        return Look(operation=operation, documents=documents, totals=totals, own=own, postings=postings)

    async def _documents(
        self, record: PostingRecord, totals: tuple[OperationTotals, ...], own: dict[str, ErpDocument]
    ) -> tuple[ErpDocument, ...]:
        """As the ERP lists them; where it cannot, ours, and what its totals show beyond them as one hand entry."""
        if self._erp.capabilities.documents.supported:
            return tuple(await self._erp.documents(record.order, record.operation))
        shown = next((t for t in totals if t.operation == record.operation), None)
        known = await self._ledger.totals(record.plant, record.order, beside=True)
        entry = unlisted_entry(record, shown, next((t for t in known if t.operation == record.operation), None))
        return (*own.values(), *([entry] if entry is not None else []))

    async def is_stopped(self, record: PostingRecord, look: Look) -> bool:
        """Open cases for what the look shows; True while any open case stops this confirmation."""
        for document in look.foreign():
            owner = look.postings.get(document.document)
            first = owner.document if owner is not None else ""
            entry = erp_cases.manual_entry(record, document)
            await self._ledger.open_case(erp_cases.second_document(record, document, first) if first else entry)
        for document in look.reversed_by_hand():
            await self._note_reversal(record, document)
        await self.totals_case(record, look)
        await self._close_reversed_entries(record, look)
        cases = await self.cases_of_order(record)
        return any(erp_cases.blocks_posting(case, record) for case in cases if not case.completion_only)

    async def totals_case(self, record: PostingRecord, look: Look) -> Case | None:
        """The open case where totals and documents differ; a second look rules out a booking between two reads."""
        if not any(look.drift()):
            return None
        drift = (await self.look(record)).drift()
        if not any(drift):
            return None
        case = await self._ledger.open_case(erp_cases.totals_differ(record, drift))
        is_open = any(c.case_id == case.case_id for c in await self.cases_of_order(record))
        return case if is_open else None

    async def close_settled(self, record: PostingRecord, reversed_document: str = "") -> None:
        """The ERP has booked the posting: cases about it, about set-up, and about what it reversed are over."""
        for case in await self.cases_of_order(record):
            if case.kind is CaseKind.MANUAL_ENTRY and reversed_document and case.document == reversed_document:
                note = f"document {case.document} is reversed"
            elif case.kind is CaseKind.ERP_MISCONFIGURED:
                note = "the ERP answers and books again"
            elif case.posting_key == record.key and case.kind not in STAY_WHEN_BOOKED:
                note = "the ERP has booked the posting"
            else:
                continue
            await self._ledger.close_case(record.plant, case.case_id, note)

    async def close_shortfall(self, record: PostingRecord) -> None:
        for case in await self.cases_of_order(record):
            if case.kind is CaseKind.GOODS_MOVEMENT_SHORTFALL and case.posting_key == record.key:
                await self._ledger.close_case(record.plant, case.case_id, "the goods movements are posted")

    async def cases_of_order(self, record: PostingRecord) -> list[Case]:
        return await self._ledger.cases(record.plant, order=record.order)

    async def cases_for(self, record: PostingRecord) -> list[Case]:
        """Open cases a posting's driver must know: of its operation or the order; a completion needs them all."""
        cases = await self.cases_of_order(record)
        if isinstance(record.transaction, CompleteOrder):
            return cases
        return [c for c in cases if c.operation in ("", record.operation) or c.posting_key == record.key]

    async def _note_reversal(self, record: PostingRecord, document: ErpDocument) -> None:
        """A document of ours was reversed in the ERP itself: a person is told, then the ledger's totals follow.

        In this order: once the ledger has it, no look finds it anew, so a worker that died before the case would
        leave nobody told. A case opened twice is one case.
        """
        await self._ledger.open_case(erp_cases.reversed_by_hand(record, document))
        if document.key is not None and await self._ledger.posting(document.key) is not None:
            gone = document.model_copy(update={"reversed": True})
            await self._ledger.mark_outcome(document.key, state=PostingState.POSTED, document=gone)

    async def _close_reversed_entries(self, record: PostingRecord, look: Look) -> None:
        gone = {d.document for d in look.documents if d.reversed}
        for case in await self.cases_of_order(record):
            if case.kind is CaseKind.MANUAL_ENTRY and case.document in gone:
                await self._ledger.close_case(record.plant, case.case_id, f"document {case.document} is reversed")
