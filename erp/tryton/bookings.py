"""Confirmations and goods movements: drafts with the key first, then one call that does all their moves at once.

`stock.move.do` over the moves of one posting is a single transaction: components out of stock, good pieces in, scrap to
waste, all or nothing. Tryton refuses to do a move twice. An operation that moves nothing is booked by its note alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import cast

from erp.port import SendGuard
from erp.tryton.client import TrytonClient
from erp.tryton.documents import INPUT, OUTPUT, RETURN, SCRAP, document_of
from erp.tryton.drafts import Drafts, Flow, component, good_pieces, rounded, scrapped_pieces, with_done
from erp.tryton.lifecycle import Lifecycle
from erp.tryton.productions import Production, Productions, Work
from erp.tryton.settings import TrytonSettings
from erp.tryton.told import Booked, Confirmation, Movement, PlanLine
from signals.base import ZERO
from signals.bookings import ComponentUse, StockKind
from signals.documents import ErpDocument, GoodsMovement
from signals.errors import ErpInDoubt, ErpRejected, ErpUnavailable, Reason
from signals.stock import IssueComponents, ReceiveGoods, ReturnComponents
from signals.transactions import ConfirmProduction, PostingIntent

Goods = IssueComponents | ReturnComponents | ReceiveGoods


class Bookings:
    """Posts and finds what moves goods of a production."""

    def __init__(
        self,
        client: TrytonClient,
        productions: Productions,
        drafts: Drafts,
        lifecycle: Lifecycle,
        settings: TrytonSettings,
    ) -> None:
        self._client, self._productions, self._drafts, self._lifecycle = client, productions, drafts, lifecycle
        self._theirs = settings.units
        self._ours: Mapping[str, str] = {their: our for our, their in settings.units.items()}
        self._reasons = settings.scrap_reasons

    async def find(self, intent: PostingIntent) -> ErpDocument | None:
        """By key: the note whose moves are done."""
        production = await self._productions.read(intent.transaction.order)
        note = production.booked_note(intent.key)
        return document_of(production, note, self._ours) if note is not None else None

    async def read_back(self, document: ErpDocument) -> ErpDocument:
        """The document with the moves that are done now; as given where Tryton no longer has it."""
        production = await self._productions.read(document.order)
        note = production.note_of(document.document)
        return document_of(production, note, self._ours) if note is not None else document

    async def confirm(self, intent: PostingIntent, transaction: ConfirmProduction, guard: SendGuard) -> ErpDocument:
        self._refuse_what_has_no_place(transaction)
        production = await self._ready(transaction.order)
        if (note := production.booked_note(intent.key)) is not None:
            return document_of(production, note, self._ours)
        work = production.work(transaction.operation)
        flows = self._flows(production, transaction)
        note = production.prepared(intent.key)
        if note is None:
            await self._drafts.clear(production)
            moves = await self._moves(production, flows, transaction.posting_date)
            told = self._confirmation(intent, transaction, production, moves)
            note_id = await self._drafts.note(production, told) if moves else 0
        else:
            note_id, told = note.id, cast(Confirmation, note.told)
        if told.moves:
            await self._do(production, told, guard)
        else:
            note_id = await self._note_books(production, told, guard)
        await self._lifecycle.afterwards(self._follow(with_done(production, flows), work, told))
        return self._posted(production, note_id, told, flows)

    async def move_goods(self, intent: PostingIntent, transaction: Goods, guard: SendGuard) -> ErpDocument:
        production = await self._ready(transaction.order)
        if (note := production.booked_note(intent.key)) is not None:
            return document_of(production, note, self._ours)
        flows, what = await self._goods(production, transaction)
        note = production.prepared(intent.key)
        if note is None:
            await self._drafts.clear(production)
            moves = await self._moves(production, flows, transaction.posting_date)
            told = Movement(key=intent.key, operation=transaction.operation, what=what,
                            posting_date=transaction.posting_date, moves=moves)  # fmt: skip
            note_id = await self._drafts.note(production, told)
        else:
            note_id, told = note.id, cast(Movement, note.told)
        await self._do(production, told, guard)
        await self._lifecycle.afterwards(self._drafts.plan_the_rest(with_done(production, flows)))
        return self._posted(production, note_id, told, flows)

    async def expected(self, transaction: ConfirmProduction) -> list[GoodsMovement]:
        """What a confirmation will move, by the production's own plan."""
        production = await self._productions.read(transaction.order)
        return [self._movement(flow, production) for flow in self._flows(production, transaction)]

    # --- the parts of a booking --------------------------------------------------------------------------

    async def _ready(self, order: str) -> Production:
        """The production, running. A start of unknown fate leaves the posting itself certainly unbooked."""
        try:
            return await self._lifecycle.running(order)
        except ErpInDoubt as error:
            raise ErpUnavailable(f"{error}; the posting was not sent", code=error.code) from error

    async def _moves(self, production: Production, flows: list[Flow], on: date) -> tuple[int, ...]:
        """Draft moves, the components among them reserved."""
        moves = await self._drafts.moves(production, flows, on)
        if any(flow.is_input for flow in flows):
            moves = await self._drafts.reserve(production)
        return tuple(moves)

    async def _do(self, production: Production, told: Booked, guard: SendGuard) -> None:
        """The one call that books. A refusal may mean that an earlier attempt's call was late and has just booked."""
        try:
            await self._client.book("model.stock.move.do", list(told.moves), guard=guard)
        except ErpRejected:
            if (await self._productions.read(production.number)).booked_note(told.key) is None:
                raise

    async def _note_books(self, production: Production, told: Confirmation, guard: SendGuard) -> int:
        values = self._drafts.note_values(production, told)
        return (await self._client.book("model.ir.note.create", [values], guard=guard))[0]

    async def _follow(self, production: Production, work: Work, told: Confirmation) -> None:
        await self._lifecycle.follow(production, work, told)
        await self._drafts.plan_the_rest(production)

    def _posted(
        self, production: Production, note_id: int, told: Confirmation | Movement, flows: list[Flow]
    ) -> ErpDocument:
        """The document as it was just booked; the read-back shows it as Tryton has it."""
        quantities = {}
        if isinstance(told, Confirmation):
            quantities = {
                "yield_quantity": told.yield_quantity,
                "scrap_quantity": told.scrap_quantity,
                "rework_quantity": told.rework_quantity,
                "unit": self._ours.get(told.unit, told.unit),
                "final": told.final,
            }
        return ErpDocument(
            document=f"{production.number}/{note_id}",
            kind="confirmation" if isinstance(told, Confirmation) else "goods_movement",
            order=production.number,
            operation=told.operation,
            key=told.key,
            goods_movements=tuple(self._movement(flow, production) for flow in flows),
            **quantities,
        )

    def _confirmation(
        self, intent: PostingIntent, transaction: ConfirmProduction, production: Production, moves: tuple[int, ...]
    ) -> Confirmation:
        return Confirmation(
            key=intent.key,
            operation=transaction.operation,
            yield_quantity=transaction.yield_quantity,
            scrap_quantity=transaction.scrap_quantity,
            rework_quantity=transaction.rework_quantity,
            unit=production.unit,
            final=transaction.final,
            reason=self._reasons.get(transaction.reason, transaction.reason),
            person=transaction.person,
            shift=transaction.shift,
            posting_date=transaction.posting_date,
            started_at=transaction.started_at,
            ended_at=transaction.ended_at,
            moves=moves,
        )

    def _movement(self, flow: Flow, production: Production) -> GoodsMovement:
        kind = INPUT if flow.is_input else SCRAP if flow.is_scrap else OUTPUT
        if kind == OUTPUT and flow.product != production.product:
            kind = RETURN
        unit = self._ours.get(flow.unit, flow.unit)
        return GoodsMovement(
            material=flow.material, movement_type=kind, quantity=flow.quantity, unit=unit, batch=flow.lot
        )

    # --- quantities --------------------------------------------------------------------------------------

    def _flows(self, production: Production, transaction: ConfirmProduction) -> list[Flow]:
        """Components in proportion to the pieces made (or as measured), good pieces of the last operation, scrap."""
        work = production.work(transaction.operation)
        self._check_unit(transaction.unit, production)
        pieces = transaction.yield_quantity + transaction.scrap_quantity
        plan = production.plan(self._client.user_id)
        flows: list[Flow] = []
        measured = {use.material for use in transaction.components}
        for line in plan.components:
            if production.operation_of(line.material) != work.number or line.material in measured:
                continue
            share = line.quantity * pieces / production.quantity if production.quantity else ZERO
            flows.append(component(line, rounded(share, line.digits), self._lot_of(transaction, line)))
        flows += [self._use(production, plan.components, use) for use in transaction.components]
        if work is production.last_work:
            place = plan.output_location or production.storage
            good = rounded(transaction.yield_quantity, production.digits)
            flows.append(good_pieces(production, good, place, transaction.batch))
        if transaction.scrap_quantity:
            flows.append(scrapped_pieces(production, rounded(transaction.scrap_quantity, production.digits)))
        return [flow for flow in flows if flow.quantity > 0]

    def _lot_of(self, transaction: ConfirmProduction, line: PlanLine) -> str:
        """The loaded lot goes to its own material; to any where the plant file names none."""
        named = transaction.component_material
        return transaction.component_lot if named in ("", line.material) else ""

    def _use(self, production: Production, plan: tuple[PlanLine, ...], use: ComponentUse) -> Flow:
        """A measured use, taken from where the component was planned. Raises ErpRejected for an unplanned material."""
        line = next((line for line in plan if line.material == use.material), None)
        if line is None:
            raise ErpRejected(
                f"production {production.number} plans no {use.material}; add it to the production in Tryton first",
                code="component_unplanned",
                reason=Reason.MASTER_DATA,
            )
        if self._theirs.get(use.unit, use.unit) != line.unit:
            raise ErpRejected(
                f"{use.material} is planned in {line.unit}, not in {use.unit}", code="unit", reason=Reason.MASTER_DATA
            )
        return component(line, rounded(use.quantity, line.digits), use.batch)

    async def _goods(self, production: Production, transaction: Goods) -> tuple[list[Flow], str]:
        if isinstance(transaction, ReceiveGoods):
            return [self._receipt(production, transaction)], f"received {transaction.quantity:f} {transaction.material}"
        plan = production.plan(self._client.user_id).components
        flows = [self._use(production, plan, use) for use in transaction.lines]
        amounts = ", ".join(f"{use.quantity:f} {use.unit} {use.material}" for use in transaction.lines)
        if isinstance(transaction, IssueComponents):
            return flows, f"issued {amounts}"
        return [flow.turned_back() for flow in flows], f"returned {amounts}"

    def _receipt(self, production: Production, transaction: ReceiveGoods) -> Flow:
        if transaction.material != production.material:
            raise ErpRejected(
                f"production {production.number} makes {production.material}, not {transaction.material}",
                code="output_unplanned",
                reason=Reason.MASTER_DATA,
            )
        self._refuse_held(transaction.stock)
        self._check_unit(transaction.unit, production)
        place = production.plan(self._client.user_id).output_location or production.storage
        quantity: Decimal = rounded(transaction.quantity, production.digits)
        return good_pieces(production, quantity, place, transaction.batch)

    def _check_unit(self, unit: str, production: Production) -> None:
        if self._theirs.get(unit, unit) != production.unit:
            raise ErpRejected(
                f"production {production.number} counts in {production.unit}, the posting in {unit}; map it in "
                "[erp.units]",
                code="unit",
                reason=Reason.MASTER_DATA,
            )

    def _refuse_what_has_no_place(self, transaction: ConfirmProduction) -> None:
        self._refuse_held(transaction.receipt_stock)
        if transaction.serials:
            raise ErpRejected(
                "Tryton has no serial numbers without a lot for each piece; receive the pieces by lot",
                code="serials_not_supported",
                reason=Reason.NOT_SUPPORTED,
            )

    def _refuse_held(self, kind: StockKind) -> None:
        if kind is not StockKind.UNRESTRICTED:
            raise ErpRejected(
                f"Tryton has no {kind.value} stock to receive into; release the hold first, or receive in Tryton into "
                "a location of your own",
                code="held_receipt_not_supported",
                reason=Reason.NOT_SUPPORTED,
            )
