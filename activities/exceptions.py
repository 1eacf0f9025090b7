"""What the ErpException and Compensation workflows ask for: a posting's cases, rungs, plans of taking back, void."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from pydantic import Field
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.erp_cases import NEVER_BLOCKS_A_RETRY
from domain.compensation import VOIDED, Booked, Standing, reversal_of, standing_documents
from domain.error_catalogue import judge
from domain.plant import PlantConfig
from erp.port import ErpPort
from ledger.port import LedgerPort, PostingRecord
from signals.base import Code, Message, UtcTime
from signals.decisions import PostingMode, VoidOrder
from signals.documents import Case, CaseKind, ErpDocument, PostingState
from signals.errors import ErpError, ErpUnavailable, ErrorType
from signals.exceptions import CaseSearch, CompensationPlan, ListedCase
from signals.ids import case_id
from signals.transactions import PostingIntent, Reverse, Transaction

RETRY_AFTER = timedelta(seconds=5)
GIVEN_UP = (PostingState.CLAIMED, PostingState.REFUSED)
REVERSED = (PostingState.POSTED, PostingState.ADOPTED)
LET_STAND = (PostingState.CANCELLED, PostingState.SHADOW)


class ExceptionRef(Message):
    """The posting an ErpException is about."""

    plant: Code
    posting_key: UUID


class ExceptionLoaded(Message):
    """A posting with its open cases, as the ledger has it now."""

    cases: tuple[ListedCase, ...] = ()
    order: str = ""
    material: str = ""
    transaction: Transaction | None = None
    state: PostingState | None = None
    document: str = ""
    message: str = ""
    mode: PostingMode = PostingMode.POST
    attempt_seconds: float = 60


class RungClimbed(Message):
    """A rung of a case's ladder."""

    plant: Code
    case_id: Code
    level: int
    roles: tuple[str, ...] = ()


class CompensationRef(Message):
    """What is to be taken back: the business step of a posting, or a whole order where no posting is named."""

    plant: Code
    order: str
    posting_key: UUID | None = None
    case_id: str = ""
    text: str = Field(default="", description="why, for the ERP's text field and the ledger")


class VoidRequest(Message):
    """An order and its declaration."""

    plant: Code
    order: Code
    request: VoidOrder


class VoidCheck(Message):
    """What the ERP's own totals say of a void order. No case means that they are zero."""

    case: Case | None = None
    next_try_at: UtcTime | None = None


class ExceptionActivities:
    """Reads and writes the ledger; asks the ERP for totals only."""

    def __init__(self, erp: ErpPort, ledger: LedgerPort, plant: PlantConfig, *, now: Callable[[], datetime]) -> None:
        self._erp = erp
        self._ledger = ledger
        self._plant = plant
        self._now = now

    @activity.defn(name="load_exception")
    async def load_exception(self, ref: ExceptionRef) -> ExceptionLoaded:
        """The posting's open cases, and what was asked of the ERP."""
        found = await self._ledger.find_cases(ref.plant, CaseSearch(posting_key=ref.posting_key))
        posting = await self._ledger.posting(ref.posting_key)
        return ExceptionLoaded(
            cases=tuple(found),
            order=posting.order if posting else "",
            material=next((listed.material for listed in found if listed.material), ""),
            transaction=posting.transaction if posting else None,
            state=posting.state if posting else None,
            document=posting.document if posting else "",
            message=posting.message if posting else "",
            mode=self._plant.posting.mode,
            attempt_seconds=self._plant.erp.timeout_seconds * 8 + 5,
        )

    @activity.defn(name="climb_rung")
    async def climb_rung(self, rung: RungClimbed) -> None:
        """Note whom a case was brought before."""
        await self._ledger.note_rung(rung.plant, rung.case_id, rung.level, rung.roles)

    # --- taking back -------------------------------------------------------------------------------------
    @activity.defn(name="declare_void")
    async def declare_void(self, void: VoidRequest) -> VoidOrder:
        """Note an order as void; the first declaration stands."""
        return await self._ledger.declare_void(void.plant, void.order, void.request)

    @activity.defn(name="plan_compensation")
    async def plan_compensation(self, ref: CompensationRef) -> CompensationPlan:
        """Give up what was never sent, and say what stands and is to be reversed. Safe to repeat at any time."""
        postings = await self._ledger.order_postings(ref.plant, await self._lane(ref))
        scope = await self._scope(ref, postings)
        given_up = [p.key for p in scope if p.state in GIVEN_UP and p.key != ref.posting_key]
        if given_up:
            await self._ledger.give_up_postings(ref.plant, given_up, ref.text)
        standing = await self._standing(ref, scope)
        reversals = {p.transaction.document: p for p in postings if isinstance(p.transaction, Reverse)}
        return CompensationPlan(
            reversals=tuple(
                self._reversal(ref, s, reversals.get(s.document)) for s in standing if _is_due(s, reversals)
            ),
            unsettled=tuple(p.key for p in scope if p.state is PostingState.SENT),
            cases=await self._cases(ref, scope, standing, reversals),
            reversed=tuple(r.transaction.document for r in reversals.values()
                           if isinstance(r.transaction, Reverse) and r.state in REVERSED),
            left=tuple(s.document for s in standing if _state(reversals.get(s.document)) in LET_STAND),
        )  # fmt: skip

    async def _lane(self, ref: CompensationRef) -> str:
        if ref.posting_key is None:
            return ref.order
        posting = await self._ledger.posting(ref.posting_key)
        if posting is None:
            raise _bad_input(f"the ledger knows no posting {ref.posting_key}")
        return posting.order

    async def _scope(self, ref: CompensationRef, postings: list[PostingRecord]) -> list[PostingRecord]:
        """The postings of the business step, or of the order; reversals are the means, not the matter."""
        if ref.posting_key is None:
            return [p for p in postings if p.type in VOIDED]
        mine = next((p for p in postings if p.key == ref.posting_key), None)
        family = {p.key for p in await self._ledger.family(mine.main_key or mine.key)} if mine else set[UUID]()
        return [p for p in postings if p.key in family and not isinstance(p.transaction, Reverse)]

    async def _standing(self, ref: CompensationRef, scope: list[PostingRecord]) -> list[Standing]:
        lane = scope[0].order if scope else ref.order
        documents = await self._ledger.own_documents(ref.plant, lane)
        entries: list[ErpDocument] = []
        if ref.posting_key is None:
            entries = [d for d in documents if d.key is None]
            undecided = await self._ledger.find_cases(
                ref.plant, CaseSearch(order=ref.order, kind=CaseKind.MANUAL_ENTRY.value)
            )
            entries += [_entered(listed.case) for listed in undecided if listed.case.document]
        booked = [
            Booked(key=p.key, order=p.order, operation=p.operation, state=p.state, transaction=p.transaction,
                   document=p.document, sent_at=p.sent_at)
            for p in scope
        ]  # fmt: skip
        return standing_documents(booked, documents, entries=entries)

    def _reversal(self, ref: CompensationRef, standing: Standing, known: PostingRecord | None) -> PostingIntent:
        intent = reversal_of(ref.plant, standing, today=self._now().date(), text=ref.text[:40])
        if known is None:
            return intent
        return intent.model_copy(update={"key": known.key, "transaction": known.transaction})

    async def _cases(
        self,
        ref: CompensationRef,
        scope: list[PostingRecord],
        standing: list[Standing],
        reversals: dict[str, PostingRecord],
    ) -> tuple[Case, ...]:
        """Open cases that stand before the end: postings in doubt, reversals that were refused."""
        keys = {p.key for p in scope} | {r.key for s in standing if (r := reversals.get(s.document)) is not None}
        found = await self._ledger.cases(ref.plant, order=scope[0].order if scope else ref.order)
        return tuple(
            c
            for c in found
            if c.posting_key in keys
            and c.case_id != ref.case_id
            and c.kind not in (*NEVER_BLOCKS_A_RETRY, CaseKind.GOODS_MOVEMENT_SHORTFALL)
        )

    @activity.defn(name="finish_compensation")
    async def finish_compensation(self, ref: CompensationRef) -> None:
        """Nothing stands any more: the case's posting is cancelled and the case closed; a void order's cases too."""
        if ref.case_id:
            await self._ledger.finish_compensation(ref.plant, ref.case_id, ref.text)
        else:
            await self._ledger.close_void_cases(ref.plant, ref.order, ref.text)

    @activity.defn(name="check_void")
    async def check_void(self, ref: CompensationRef) -> VoidCheck:
        """The ERP's totals of a void order must be zero; what is not is a case."""
        if not self._erp.capabilities.totals.supported:
            return VoidCheck()
        try:
            totals = await self._erp.totals(ref.order)
        except ErpUnavailable as error:
            wait = timedelta(seconds=error.retry_after) if error.retry_after else RETRY_AFTER
            return VoidCheck(next_try_at=self._now() + wait)
        except ErpError as error:
            raise ApplicationError(str(error), type=error.type.value) from error
        left = [t for t in totals if t.yield_quantity or t.scrap_quantity or t.rework_quantity]
        if not left:
            return VoidCheck()
        said = "; ".join(f"operation {t.operation}: yield {t.yield_quantity:f}" for t in left)
        verdict = judge(CaseKind.TOTALS_DIFFER)
        case = Case(
            case_id=case_id(ref.plant, ref.order, CaseKind.TOTALS_DIFFER.value, f"void:{said}"),
            plant=ref.plant,
            order=ref.order,
            kind=CaseKind.TOTALS_DIFFER,
            owner_role=verdict.owner.value,
            summary=f"the order is void and its documents are reversed, but the ERP still shows {said}",
            allowed=verdict.trouble.actions,
        )
        return VoidCheck(case=await self._ledger.open_case(case))


def _is_due(standing: Standing, reversals: dict[str, PostingRecord]) -> bool:
    """To be reversed now: not tried yet, or on its way."""
    return _state(reversals.get(standing.document)) in (None, PostingState.CLAIMED, PostingState.SENT)


def _state(posting: PostingRecord | None) -> PostingState | None:
    return posting.state if posting is not None else None


def _entered(case: Case) -> ErpDocument:
    return ErpDocument(document=case.document, order=case.order, operation=case.operation, unit=case.unit)


def _bad_input(message: str) -> ApplicationError:
    return ApplicationError(message, type=ErrorType.BAD_INPUT.value, non_retryable=True)
