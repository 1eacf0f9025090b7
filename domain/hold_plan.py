"""What the ERP is asked for a hold, by where the material is (reference erp.md 4.2). Pure.

In work there is no stock: the local block is all there is, receipts go to blocked stock, scrap is confirmed. Free stock
goes to blocked stock, a batch is restricted as a whole, stock of an inspection lot leaves by the lot's decision only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from pydantic import Field

from domain.hold_decisions import COMES_BACK
from signals.base import ZERO, Amount, Message
from signals.holds import HoldDisposition, HoldDispositionKind, HoldRecord
from signals.quality import DecideInspection, Disposition, DispositionKind
from signals.stock import MaterialPosition, PlaceHold, ReleaseHold, ScrapStock
from signals.transactions import ConfirmProduction, Transaction

K = HoldDispositionKind
P = MaterialPosition

ORDER_OF_WORK = (K.SCRAP, K.RETURN, K.REWORK, K.REPAIR, K.RELEASE)
"""What becomes usable is freed last: until then all of it is held."""

IN_A_LOT = {
    K.RELEASE: DispositionKind.ACCEPT,
    K.REWORK: DispositionKind.REWORK,
    K.REPAIR: DispositionKind.REWORK,
    K.SCRAP: DispositionKind.SCRAP,
    K.RETURN: DispositionKind.RETURN,
}


class StockPlace(Message):
    """What of the held material lies at one storage location, by what may be done with it."""

    storage_location: str
    free: Amount = ZERO
    blocked: Amount = ZERO
    restricted: Amount = Field(default=ZERO, description="of a batch that is restricted as a whole")


class Located(Message):
    """Where the held material is, as the ERP's books and the order say."""

    position: MaterialPosition = P.IN_WORK
    material: str = ""
    places: tuple[StockPlace, ...] = ()
    own: Amount = Field(
        default=ZERO, description="put or received into blocked stock because of this hold, and not taken out since"
    )
    came: Amount = Field(default=ZERO, description="all that was ever received into blocked stock because of this hold")
    batchless: bool = Field(default=False, description="the ERP keeps no batches of it: bookings name none")
    inspection_lot: str = ""
    scrap_operation: str = Field(default="", description="where scrap that is still in work is confirmed")
    sequence: str = "0"
    work_centre: str = ""

    @property
    def free(self) -> Decimal:
        """Held stock that is still usable in the ERP."""
        return sum((p.free for p in self.places), ZERO)

    @property
    def in_stock(self) -> Decimal:
        return sum((p.free + p.blocked + p.restricted for p in self.places), ZERO)


@dataclass(frozen=True)
class Planned:
    """One thing to do: a transaction, or a sentence that tells a person what to book by hand."""

    what: str
    transaction: Transaction | None = None
    by_hand: str = ""
    quantity: Decimal = ZERO


def plan_block(record: HoldRecord, located: Located, day: date) -> list[Planned]:
    """Everything of the hold that the ERP would still let anybody use."""
    plan = _Plan(record, located, day)
    if located.position is P.IN_INSPECTION:
        quantity, lot = record.quantity or located.in_stock, located.inspection_lot or record.inspection_lot
        # Without the lot's number nothing can be withheld by name; its stock is not free all the same.
        return [plan.hold(PlaceHold, "block", quantity, P.IN_INSPECTION, "")] if quantity and lot else []
    if located.position is P.BATCH:
        first = next((p for p in located.places if p.free), None)
        return [plan.hold(PlaceHold, "block", located.free, P.BATCH, first.storage_location)] if first else []
    if located.position is P.UNRESTRICTED:
        return [
            plan.hold(PlaceHold, "block", place.free, P.UNRESTRICTED, place.storage_location, record.scope.serials)
            for place in located.places
            if place.free
        ]
    return []


def plan_dispositions(
    record: HoldRecord, located: Located, dispositions: tuple[HoldDisposition, ...], day: date
) -> list[Planned]:
    """All that a decision asks, in the order in which it is booked."""
    if located.position is P.IN_INSPECTION:
        return _Plan(record, located, day).lot_decision(dispositions)
    wanted = sorted((d for d in dispositions if d.quantity), key=lambda d: ORDER_OF_WORK.index(d.kind))
    kept = sum((d.quantity for d in wanted if d.kind is not K.RELEASE), ZERO)
    first = _still_free(located, kept)
    steps = plan_block(record, first, day) if kept else []
    plan = _Plan(record, _as_blocked(located, first) if kept else located, day)
    rest = any(d.kind in COMES_BACK for d in wanted)
    steps += [step for d in wanted for step in plan.disposition(d, rest=rest)]
    # What is reworked keeps its receipt blocked: then all of it is freed with the last decision.
    return steps if rest else [*steps, *plan.received_along()]


def plan_late(record: HoldRecord, located: Located, late: Decimal, day: date) -> list[Planned]:
    """Free what a posting on its way has brought into blocked stock after the decision was planned."""
    plan = _Plan(record, located, day)
    steps: list[Planned] = []
    for place in located.places:
        quantity = min(place.blocked, late)
        if quantity > 0:
            late -= quantity
            steps.append(plan.hold(ReleaseHold, "release", quantity, P.UNRESTRICTED, place.storage_location))
    return steps


def _still_free(located: Located, kept: Decimal) -> Located:
    """What a decision does not release, and the ERP has not blocked yet: that comes first. A batch is blocked whole."""
    if located.position is P.BATCH:
        return located
    missing = max(ZERO, kept - sum((p.blocked for p in located.places), ZERO))
    places: list[StockPlace] = []
    for place in located.places:
        free = min(place.free, missing)
        missing -= free
        places.append(place.model_copy(update={"free": free}))
    return located.model_copy(update={"places": tuple(places)})


def _as_blocked(located: Located, first: Located) -> Located:
    """The places after that."""
    batch = located.position is P.BATCH
    name = "restricted" if batch else "blocked"
    places = tuple(
        p.model_copy(update={"free": p.free - b.free, name: getattr(p, name) + b.free})
        for p, b in zip(located.places, first.places, strict=True)
    )
    return located.model_copy(update={"places": places})


@dataclass
class _Plan:
    record: HoldRecord
    located: Located
    day: date
    left: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    """By place: stock that the ERP has blocked and no disposition has taken yet; what is free need not be freed."""
    taken: Decimal = ZERO
    """Of it, what dispositions have taken."""

    def __post_init__(self) -> None:
        self.left = {p.storage_location: p.blocked + p.restricted for p in self.located.places}

    def disposition(self, d: HoldDisposition, *, rest: bool) -> Iterator[Planned]:
        batch = self.located.position is P.BATCH
        if d.kind is K.RELEASE and batch:
            yield from self._release_batch(d, rest=rest)
            return
        found = list(self._take(d.quantity))
        in_work = d.quantity - sum((quantity for _, quantity in found), ZERO)
        if d.kind is K.RETURN:
            yield Planned("return", by_hand=self._said(d, "returned to the supplier"), quantity=d.quantity)
        elif d.kind is K.RELEASE:
            for place, quantity in found:
                yield self.hold(ReleaseHold, "release", quantity, P.UNRESTRICTED, place, d.serials)
        elif d.kind is K.SCRAP:
            for place, quantity in found:
                position = P.BATCH if batch and self._restricted(place) else P.UNRESTRICTED
                yield self.hold(ScrapStock, "scrap", quantity, position, place, d.serials)
            if in_work:
                yield self._scrap_in_work(d, in_work)

    def _release_batch(self, d: HoldDisposition, *, rest: bool) -> Iterator[Planned]:
        """A batch is free or it is not: as long as a part of it comes back from rework, all of it stays restricted."""
        if rest:
            return
        restricted = sum((min(p.restricted, self.left[p.storage_location]) for p in self.located.places), ZERO)
        first = next((p.storage_location for p in self.located.places if p.restricted), "")
        if restricted:
            yield self.hold(ReleaseHold, "release", restricted, P.BATCH, first)
        for place in self.located.places:
            if place.blocked:
                quantity = min(place.blocked, d.quantity)
                self.left[place.storage_location] = place.blocked - quantity
                self.taken += quantity
                yield self.hold(ReleaseHold, "release", quantity, P.UNRESTRICTED, place.storage_location, d.serials)

    def received_along(self) -> Iterator[Planned]:
        """Pieces that were received as blocked together with the held ones, and of which nobody had to decide."""
        along = self.located.own - self.taken
        for place in self.located.places:
            quantity = min(self.left[place.storage_location], place.blocked, along)
            if quantity > 0:
                along -= quantity
                yield self.hold(ReleaseHold, "release", quantity, P.UNRESTRICTED, place.storage_location)

    def lot_decision(self, dispositions: tuple[HoldDisposition, ...]) -> list[Planned]:
        record = self.record
        lot = self.located.inspection_lot or record.inspection_lot
        parts: dict[DispositionKind, Decimal] = {}
        for d in dispositions:
            if d.quantity:
                parts[IN_A_LOT[d.kind]] = parts.get(IN_A_LOT[d.kind], ZERO) + d.quantity
        if not parts:
            return []
        if not lot:
            said = ", ".join(f"{q:f} {kind.value}" for kind, q in parts.items())
            return [Planned("decide", by_hand=f"decide the inspection lot of {self._material()}: {said}")]
        transaction = DecideInspection(
            plant=record.plant,
            order="",
            posting_date=self.day,
            inspection=record.hold,
            inspection_lot=lot,
            material=self._material(),
            unit=record.unit,
            batch=record.scope.batch,
            dispositions=tuple(Disposition(kind=kind, quantity=quantity) for kind, quantity in parts.items()),
            text=f"hold {record.hold}",
        )
        steps = [Planned("decide", transaction, quantity=sum(parts.values(), ZERO))]
        returned = [d for d in dispositions if d.kind is K.RETURN and d.quantity]
        hands = [
            Planned("return", by_hand=self._said(d, "returned to the supplier"), quantity=d.quantity) for d in returned
        ]
        return [*steps, *hands]

    def hold(
        self,
        kind: type[PlaceHold] | type[ReleaseHold] | type[ScrapStock],
        what: str,
        quantity: Decimal,
        position: MaterialPosition,
        place: str,
        serials: tuple[str, ...] = (),
    ) -> Planned:
        """A posting of its own lane: a hold waits for no order's postings, and its trouble blocks none of them."""
        record = self.record
        transaction = kind(
            plant=record.plant,
            order="",
            posting_date=self.day,
            hold=record.hold,
            material=self._material(),
            quantity=quantity,
            unit=record.unit,
            position=position,
            storage_location=place,
            batch="" if self.located.batchless else record.scope.batch,
            serials=serials if len(serials) == quantity else (),
            inspection_lot=self.located.inspection_lot or record.inspection_lot,
            reason=(record.reasons[0].text if record.reasons else "")[:40],
        )
        return Planned(what, transaction, quantity=quantity)

    def _scrap_in_work(self, d: HoldDisposition, quantity: Decimal) -> Planned:
        """Scrap posts where it is found: at the operation after the one that made it. At the last one, by a person."""
        record, located = self.record, self.located
        if not record.scope.order or not located.scrap_operation:
            what = self._said(d, "scrapped", quantity)
            return Planned(
                "scrap_in_work",
                by_hand=f"{what}; they are still in work, correct their confirmation",
                quantity=quantity,
            )
        transaction = ConfirmProduction(
            plant=record.plant,
            order=record.scope.order,
            operation=located.scrap_operation,
            sequence=located.sequence,
            work_centre=located.work_centre,
            posting_date=self.day,
            batch=record.scope.batch,
            scrap_quantity=quantity,
            unit=record.unit,
            reason=d.reason_code,
        )
        return Planned("scrap_in_work", transaction, quantity=quantity)

    def _take(self, quantity: Decimal) -> Iterator[tuple[str, Decimal]]:
        for place, there in self.left.items():
            part = min(there, quantity)
            if part > 0:
                self.left[place] = there - part
                self.taken += part
                quantity -= part
                yield place, part

    def _restricted(self, place: str) -> bool:
        return any(p.storage_location == place and p.restricted for p in self.located.places)

    def _material(self) -> str:
        return self.record.scope.material or self.located.material or "unknown"

    def _said(self, d: HoldDisposition, done: str, quantity: Decimal | None = None) -> str:
        marks = f" batch {self.record.scope.batch}" if self.record.scope.batch else ""
        marks += f" ({', '.join(d.serials)})" if d.serials else ""
        amount = d.quantity if quantity is None else quantity
        return f"{amount:f} {self.record.unit} {self._material()}{marks} of hold {self.record.hold} are to be {done}"
