"""What is written before a booking and books nothing: draft moves, notes, the remaining plan. All of it repeatable.

An attempt that was cut off leaves drafts behind. The next one goes on with them where they were ready, else it deletes
them before it writes its own; a late booking of the earlier attempt then finds its moves gone, or the deletion fails.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal

from erp.tryton.client import TrytonClient
from erp.tryton.productions import OPEN, Move, Production
from erp.tryton.told import PlanLine, Told, message_of
from erp.tryton.wire import Row
from signals.base import ZERO
from signals.errors import ErpBusy, ErpMisconfigured, ErpRejected, Reason


@dataclass(frozen=True)
class Flow:
    """A quantity into or out of a production."""

    product: int
    material: str
    quantity: Decimal
    unit: str
    unit_id: int
    is_input: bool
    place: int
    """Storage location, or the waste location for scrap."""
    is_scrap: bool = False
    lot: str = ""

    def turned_back(self) -> Flow:
        """A component out of the production, to where it came from."""
        return replace(self, is_input=False)


def component(line: PlanLine, quantity: Decimal, lot: str = "") -> Flow:
    """A planned component, from where the planner takes it."""
    return Flow(line.product, line.material, quantity, line.unit, line.unit_id, True, line.location, lot=lot)


def good_pieces(production: Production, quantity: Decimal, place: int, lot: str = "") -> Flow:
    return Flow(
        production.product, production.material, quantity, production.unit, production.unit_id, False, place, lot=lot
    )


def scrapped_pieces(production: Production, quantity: Decimal) -> Flow:
    """Pieces that left the production as scrap, wherever on the way. Raises ErpMisconfigured without waste location."""
    if production.waste is None:
        raise ErpMisconfigured(
            f"warehouse {production.plant} has no waste location to put scrap in; add one to it in Tryton",
            code="no_waste_location",
        )
    return Flow(production.product, production.material, quantity, production.unit, production.unit_id, False,
                production.waste, is_scrap=True)  # fmt: skip


def rounded(quantity: Decimal, digits: int) -> Decimal:
    """To what the unit can hold, half up."""
    return quantity.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP).normalize() + 0


def with_done(production: Production, flows: list[Flow]) -> Production:
    """The production as it is right after these were done, without asking Tryton again. The ids are none of its own."""
    done = {
        -place: Move(
            id=-place, state="done", is_input=flow.is_input, product=flow.product, material=flow.material,
            quantity=flow.quantity, unit=flow.unit, unit_id=flow.unit_id, digits=production.digits,
            source=flow.place if flow.is_input else production.location, source_code="",
            target=production.location if flow.is_input else flow.place, target_code="",
            is_scrap=flow.is_scrap, lot=flow.lot, creator=0, entered_by="", entered_at=datetime.now(UTC),
        )
        for place, flow in enumerate(flows, start=1)
    }  # fmt: skip
    return replace(production, moves={**production.moves, **done})


class Drafts:
    """Writes and deletes drafts of one connection's user."""

    def __init__(self, client: TrytonClient) -> None:
        self._client = client

    async def clear(self, production: Production) -> None:
        """Delete open moves and unbooked notes of earlier attempts. Raises ErpBusy where one of them just booked."""
        ours = [m for m in production.moves.values() if m.state in OPEN and m.creator == self._client.user_id]
        assigned = [move.id for move in ours if move.state == "assigned"]
        notes = [note.id for note in production.unbooked_notes(self._client.user_id)]
        try:
            if assigned:
                await self._client.call("model.stock.move.draft", assigned)
            if ours:
                await self._client.call("model.stock.move.delete", [move.id for move in ours])
            if notes:
                await self._client.call("model.ir.note.delete", notes)
        except ErpRejected as error:
            told = f"production {production.number} changed while an earlier attempt was cleared away; look again"
            raise ErpBusy(f"{told} ({error})", code="changed_meanwhile", retry_after=1.0) from error

    async def moves(self, production: Production, flows: list[Flow], on: date | None) -> list[int]:
        """Draft moves on the production."""
        values = [await self._values(production, flow, on) for flow in flows]
        return await self._client.create("stock.move", *values) if values else []

    async def note(self, production: Production, told: Told) -> int:
        return (await self._client.create("ir.note", self.note_values(production, told)))[0]

    def note_values(self, production: Production, told: Told) -> Row:
        return {"resource": f"production,{production.id}", "message": message_of(told)}

    async def reserve(self, production: Production) -> list[int]:
        """Let Tryton assign the components from stock; the ids of all our moves then (it splits one over two bins).

        Raises ErpRejected where stock is short; nothing stays reserved then.
        """
        await self._client.call("model.production.assign_try", [production.id])
        ours = [
            ("production", "=", production.id),
            ("state", "in", list(OPEN)),
            ("create_uid", "=", self._client.user_id),
        ]
        fields = ("state", "quantity", "product.code", "unit.symbol", "from_location.code", "production_input")
        rows = await self._client.rows("stock.move", ours, fields)
        short = [row for row in rows if row["production_input"] and row["state"] != "assigned"]
        if not short:
            return [row["id"] for row in rows]
        assigned = [row["id"] for row in rows if row["state"] == "assigned"]
        if assigned:
            await self._client.call("model.stock.move.draft", assigned)
        await self._client.call("model.stock.move.delete", [row["id"] for row in rows])
        parts = [
            f"{row['quantity']:g} {row['unit.']['symbol']} of {row['product.']['code']} at "
            f"{row['from_location.']['code'] or 'its location'}"
            for row in short
        ]
        raise ErpRejected(
            f"production {production.number}: Tryton's stock is short of {'; '.join(parts)}; correct the stock there "
            "and retry",
            code="stock_short",
            reason=Reason.STOCK_SHORT,
        )

    async def plan_the_rest(self, production: Production) -> None:
        """Draft moves for what is still to come, so that Tryton's forecast keeps it. The next booking deletes them."""
        start = production.plan(self._client.user_id)
        rest = [component(line, line.quantity - production.withdrawn(line.product)) for line in start.components]
        out = [m for m in production.moves.values() if not m.is_input and m.product == production.product]
        gone = sum((move.quantity for move in out if move.state == "done"), ZERO)
        place = start.output_location or production.storage
        rest.append(good_pieces(production, production.quantity - gone, place))
        await self.moves(production, [flow for flow in rest if flow.quantity > 0], None)

    async def _values(self, production: Production, flow: Flow, on: date | None) -> Row:
        side = "production_input" if flow.is_input else "production_output"
        priced = not flow.is_input and not flow.is_scrap
        values: Row = {
            "product": flow.product,
            "quantity": float(flow.quantity),
            "unit": flow.unit_id,
            "from_location": flow.place if flow.is_input else production.location,
            "to_location": production.location if flow.is_input else flow.place,
            "company": production.company,
            side: production.id,
            "effective_date": on,
            # Tryton sets the price from what went in when the production is done.
            "unit_price": Decimal(0) if priced else None,
            "currency": production.currency if priced else None,
        }
        if on is None:
            values["planned_date"] = production.planned_start if flow.is_input else production.planned_end
        if flow.lot:
            values["lot"] = await self._lot(flow)
        return values

    async def _lot(self, flow: Flow) -> int:
        """The lot with this number; of finished pieces it is made where it is new."""
        domain = [("number", "=", flow.lot), ("product", "=", flow.product)]
        found = await self._client.call("model.stock.lot.search", domain, 0, 1, [["id", "ASC"]])
        if found:
            return found[0]
        if flow.is_input:
            raise ErpRejected(
                f"Tryton knows no lot {flow.lot} of {flow.material}; correct the lot or enter it in Tryton",
                code="lot_unknown",
                reason=Reason.MASTER_DATA,
            )
        return (await self._client.create("stock.lot", {"number": flow.lot, "product": flow.product}))[0]
