"""One production as Tryton has it: works with their cycles, stock moves, and the notes on it. Reading only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from erp.tryton.client import TrytonClient
from erp.tryton.settings import TrytonSettings
from erp.tryton.told import (
    Booked,
    Confirmation,
    Movement,
    PlanLine,
    Reversal,
    Start,
    Told,
    operations_told_by,
    told_by,
)
from erp.tryton.wire import Row, quantity_of
from signals.base import ZERO
from signals.errors import ErpMisconfigured, ErpRejected, Reason

OPEN = ("staging", "draft", "assigned")
RELEASED = ("waiting", "assigned", "running")

_MOVE = (
    "state", "quantity", "product", "product.code", "unit", "unit.symbol", "unit.digits", "from_location",
    "from_location.code", "to_location", "to_location.code", "to_location.type", "lot.number", "create_uid",
    "create_uid.login", "write_uid.login", "create_date",
)  # fmt: skip
_FIELDS = (
    "number", "state", "quantity", "product", "product.code", "unit", "unit.symbol", "unit.digits", "location",
    "warehouse", "warehouse.code", "warehouse.storage_location", "warehouse.waste_locations", "company",
    "company.currency", "bom", "bom.tolerance", "planned_start_date", "planned_date", "write_date", "create_date",
    "works.sequence", "works.state", "works.operation.name", "works.work_center.name", "works.cycles.state",
    "works.cycles.create_uid", *(f"inputs.{name}" for name in _MOVE), *(f"outputs.{name}" for name in _MOVE),
)  # fmt: skip


@dataclass(frozen=True)
class Cycle:
    """One run of an operation."""

    id: int
    state: str
    creator: int


@dataclass(frozen=True)
class Work:
    """An operation of this production. `number` is its sequence with four digits."""

    id: int
    number: str
    text: str
    centre: str
    state: str
    cycles: tuple[Cycle, ...]


@dataclass(frozen=True)
class Move:
    """A stock move into the production (a component) or out of it (good pieces, scrap)."""

    id: int
    state: str
    is_input: bool
    product: int
    material: str
    quantity: Decimal
    unit: str
    unit_id: int
    digits: int
    source: int
    source_code: str
    target: int
    target_code: str
    is_scrap: bool
    lot: str
    creator: int
    entered_by: str
    entered_at: datetime


@dataclass(frozen=True)
class Note:
    """A note of ours on the production."""

    id: int
    told: Told
    entered_by: str
    entered_at: datetime


@dataclass(frozen=True)
class Production:
    """A production with everything that hangs on it."""

    id: int
    number: str
    state: str
    product: int
    material: str
    quantity: Decimal
    unit: str
    unit_id: int
    digits: int
    location: int
    plant: str
    storage: int
    waste: int | None
    company: int
    currency: int
    tolerance: Decimal | None
    planned_start: date | None
    planned_end: date | None
    change_mark: str
    works: tuple[Work, ...]
    moves: Mapping[int, Move]
    notes: tuple[Note, ...]
    used_at: Mapping[str, str]

    @property
    def last_work(self) -> Work | None:
        return self.works[-1] if self.works else None

    def work(self, operation: str) -> Work:
        """Raises ErpRejected where the production has no such operation."""
        for work in self.works:
            if work.number == operation:
                return work
        known = ", ".join(work.number for work in self.works) or "none"
        raise ErpRejected(
            f"production {self.number} has no operation {operation}; its works are {known}",
            code="operation_unknown",
            reason=Reason.MASTER_DATA,
        )

    # --- the plan ----------------------------------------------------------------------------------------

    @property
    def start(self) -> Start | None:
        return next((note.told for note in self.notes if isinstance(note.told, Start)), None)

    def planned_moves(self, us: int) -> list[Move]:
        """What the planner planned: open moves that are not ours."""
        return [move for move in self.moves.values() if move.state in OPEN and move.creator != us]

    def plan(self, us: int) -> Start:
        """The plan as noted at the start, else as it stands in the planned moves."""
        if self.start is not None and (self.state == "running" or not self.planned_moves(us)):
            return self.start
        told = {number for note in self.notes for number in _moves_of(note.told)}
        source = self.planned_moves(us) or [m for m in self.moves.values() if m.id not in told and m.state == "done"]
        lines: dict[tuple[int, int], PlanLine] = {}
        for move in (move for move in source if move.is_input):
            known = lines.get((move.product, move.source))
            quantity = move.quantity + (known.quantity if known else ZERO)
            lines[move.product, move.source] = PlanLine(
                material=move.material, product=move.product, quantity=quantity, unit=move.unit,
                unit_id=move.unit_id, digits=move.digits, location=move.source, location_code=move.source_code,
            )  # fmt: skip
        outputs = [m for m in source if not m.is_input and not m.is_scrap and m.product == self.product]
        return Start(components=tuple(lines.values()), output_location=outputs[0].target if outputs else None)

    def operation_of(self, material: str) -> str:
        """Where a component is used: by the note on the bill of material, else at the first operation."""
        first = self.works[0].number if self.works else ""
        named = self.used_at.get(material, "")
        return named if any(work.number == named for work in self.works) else first

    # --- what is booked ----------------------------------------------------------------------------------

    def is_booked(self, told: Booked) -> bool:
        """All its moves were done by one call (cancelled ones were taken back later). Without moves the note counts."""
        moves = [self.moves.get(number) for number in told.moves]
        return all(move is not None and move.state in ("done", "cancelled") for move in moves)

    def is_reversed(self, note: Note) -> bool:
        """Its moves are cancelled, by whomever; where it has none, a note of ours says so."""
        told = note.told
        if not isinstance(told, Confirmation | Movement):
            return False
        if told.moves:
            states = [move.state for number in told.moves if (move := self.moves.get(number)) is not None]
            return bool(states) and all(state == "cancelled" for state in states)
        document = self.document_number(note)
        return any(isinstance(n.told, Reversal) and n.told.reverses == document for n in self.notes)

    def booked_notes(self) -> list[Note]:
        """Documents, oldest first; a note that was written twice for one key counts once."""
        found: dict[UUID, Note] = {}
        for note in self.notes:
            if isinstance(note.told, Confirmation | Movement) and self.is_booked(note.told):
                found.setdefault(note.told.key, note)
        return list(found.values())

    def booked_note(self, key: UUID) -> Note | None:
        return next((note for note in self.booked_notes() if _key_of(note.told) == key), None)

    def prepared(self, key: UUID) -> Note | None:
        """What an earlier attempt of this posting left ready to be done: its note, with components reserved."""
        for note in self.notes:
            if not isinstance(note.told, Confirmation | Movement) or note.told.key != key or not note.told.moves:
                continue
            moves = [self.moves.get(number) for number in note.told.moves]
            if all(move is not None and move.state in (("assigned",) if move.is_input else OPEN) for move in moves):
                return note
        return None

    def reversal(self, key: UUID) -> Note | None:
        """A reversal of ours whose original is taken back."""
        for note in self.notes:
            if isinstance(note.told, Reversal) and note.told.key == key and self._is_taken_back(note.told):
                return note
        return None

    def booked_reversals(self) -> list[Note]:
        return [note for note in self.notes if isinstance(note.told, Reversal) and self.reversal(note.told.key) is note]

    def _is_taken_back(self, told: Reversal) -> bool:
        if told.reverses.startswith("move/"):
            move = self.moves.get(int(told.reverses.removeprefix("move/")))
            return move is not None and move.state == "cancelled"
        original = self.note_of(told.reverses)
        return original is not None and self.is_reversed(original)

    def unbooked_notes(self, us: int) -> list[Note]:
        """Notes of attempts that came to nothing."""
        booked = {note.id for note in (*self.booked_notes(), *self.booked_reversals())}
        return [n for n in self.notes if not isinstance(n.told, Start) and n.id not in booked]

    def hand_moves(self) -> list[Move]:
        """Moves that somebody did in Tryton itself."""
        told = {number for note in self.notes for number in _moves_of(note.told)}
        return [move for move in self.moves.values() if move.state == "done" and move.id not in told]

    def withdrawn(self, product: int) -> Decimal:
        """Components that went in, less those that came back."""
        done = [m for m in self.moves.values() if m.state == "done" and m.product == product]
        return sum((m.quantity if m.is_input else -m.quantity for m in done), ZERO)

    def received(self, product: int) -> Decimal:
        """Good pieces that went to stock."""
        return sum(
            (
                m.quantity
                for m in self.moves.values()
                if m.state == "done" and not m.is_input and not m.is_scrap and m.product == product
            ),
            ZERO,
        )

    def document_number(self, note: Note) -> str:
        return f"{self.number}/{note.id}"

    def note_of(self, document: str) -> Note | None:
        return next((note for note in self.notes if self.document_number(note) == document), None)


class Productions:
    """Reads productions of one warehouse."""

    def __init__(self, client: TrytonClient, settings: TrytonSettings) -> None:
        self._client = client
        self._plant = settings.plant

    async def heads(self, domain: list[object]) -> list[Row]:
        """Numbered productions of the warehouse with state and change times."""
        wanted = [("warehouse.code", "=", self._plant), ("number", "!=", None), *domain]
        return await self._client.rows("production", wanted, ("number", "state", "write_date", "create_date"))

    async def read(self, number: str) -> Production:
        """Raises ErpRejected `order_not_found` or `order_of_other_plant`."""
        rows = await self._client.rows("production", [("number", "=", number)], _FIELDS)
        ours = [row for row in rows if row["warehouse."]["code"] == self._plant]
        if not ours:
            raise self._unknown(number, rows)
        row = ours[0]
        resources = [f"production,{row['id']}"] + ([f"production.bom,{row['bom']}"] if row["bom"] else [])
        notes = await self._client.rows(
            "ir.note", [("resource", "in", resources)], ("resource", "message", "create_uid.login", "create_date")
        )
        return _production(row, notes)

    def _unknown(self, number: str, rows: list[Row]) -> ErpRejected:
        if rows:
            other = rows[0]["warehouse."]["code"]
            return ErpRejected(
                f"production {number} belongs to warehouse {other}, this connection serves {self._plant}",
                code="order_of_other_plant",
                reason=Reason.MASTER_DATA,
            )
        return ErpRejected(
            f"Tryton does not know production {number}", code="order_not_found", reason=Reason.MASTER_DATA
        )


def change_mark(row: Row) -> str:
    """When the production record changed last, by Tryton's clock."""
    return (row["write_date"] or row["create_date"]).isoformat()


def _production(row: Row, notes: list[Row]) -> Production:
    warehouse = row["warehouse."]
    if row["unit"] is None or row["product"] is None:
        raise ErpRejected(
            f"production {row['number']} has no product or no unit", code="order_incomplete", reason=Reason.MASTER_DATA
        )
    if warehouse["storage_location"] is None:
        raise ErpMisconfigured(f"warehouse {warehouse['code']} has no storage location", code="no_storage")
    ours = [note for note in notes if note["resource"].startswith("production,")]
    used_at: dict[str, str] = {}
    for note in notes:
        if note["resource"].startswith("production.bom,"):
            used_at |= operations_told_by(note["message"])
    moves = [*_moves(row.get("inputs."), is_input=True), *_moves(row.get("outputs."), is_input=False)]
    return Production(
        id=row["id"],
        number=row["number"],
        state=row["state"],
        product=row["product"],
        material=row["product."]["code"] or "",
        quantity=quantity_of(row["quantity"]),
        unit=row["unit."]["symbol"],
        unit_id=row["unit"],
        digits=row["unit."]["digits"],
        location=row["location"],
        plant=warehouse["code"] or "",
        storage=warehouse["storage_location"],
        waste=min(warehouse["waste_locations"], default=None),
        company=row["company"],
        currency=row["company."]["currency"],
        tolerance=quantity_of(row["bom."]["tolerance"]) if _has_tolerance(row) else None,
        planned_start=row["planned_start_date"],
        planned_end=row["planned_date"],
        change_mark=change_mark(row),
        works=tuple(_works(row.get("works.") or ())),
        moves={move.id: move for move in moves},
        notes=tuple(_notes(ours)),
        used_at=used_at,
    )


def _has_tolerance(row: Row) -> bool:
    bom = row.get("bom.")
    return isinstance(bom, dict) and bom.get("tolerance") is not None


def _works(rows: Iterable[Row]) -> list[Work]:
    """In the order of their sequence; works without one keep their place and count on in tens."""
    ordered = sorted(rows, key=lambda row: (row["sequence"] is None, row["sequence"] or 0, row["id"]))
    return [
        Work(
            id=row["id"],
            number=f"{row['sequence'] if row['sequence'] is not None else 10 * place:04d}",
            text=row["operation."]["name"],
            centre=(row.get("work_center.") or {}).get("name") or "",
            state=row["state"],
            cycles=tuple(Cycle(c["id"], c["state"], c["create_uid"]) for c in row.get("cycles.") or ()),
        )
        for place, row in enumerate(ordered, start=1)
    ]


def _moves(rows: Iterable[Row] | None, *, is_input: bool) -> list[Move]:
    return [
        Move(
            id=row["id"],
            state=row["state"],
            is_input=is_input,
            product=row["product"],
            material=row["product."]["code"] or "",
            quantity=quantity_of(row["quantity"]),
            unit=row["unit."]["symbol"],
            unit_id=row["unit"],
            digits=row["unit."]["digits"],
            source=row["from_location"],
            source_code=row["from_location."]["code"] or "",
            target=row["to_location"],
            target_code=row["to_location."]["code"] or "",
            is_scrap=row["to_location."]["type"] == "lost_found",
            lot=(row.get("lot.") or {}).get("number") or "",
            creator=row["create_uid"],
            entered_by=((row.get("write_uid.") or row.get("create_uid.")) or {}).get("login") or "",
            entered_at=row["create_date"],
        )
        for row in sorted(rows or (), key=lambda row: row["id"])
    ]


def _notes(rows: Iterable[Row]) -> list[Note]:
    read = [(row, told_by(row["message"])) for row in rows]
    return [
        Note(row["id"], told, (row.get("create_uid.") or {}).get("login") or "", row["create_date"])
        for row, told in read
        if told is not None
    ]


def _moves_of(told: Told) -> tuple[int, ...]:
    return told.moves if isinstance(told, Confirmation | Movement) else ()


def _key_of(told: Told) -> UUID | None:
    return None if isinstance(told, Start) else told.key
