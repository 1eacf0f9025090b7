"""Inspection results in: files (QIF 2.1) and single results from the API. They are recorded, hold what failed or is
disputed, and park what cannot be named. The block stands in the ledger before any process is told of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from domain.hold_scope import covers
from domain.inspection_holds import parked_of, triggers_of
from domain.inspections import (
    FAIL,
    PASS,
    Finding,
    PieceStatement,
    decimal_of,
    findings,
    identities,
    may_be_one_material,
    piece_of,
    serial_in,
    time_said,
    verdict_of,
)
from domain.plant import PlantConfig
from domain.plant_inspection import named_by_the_plant
from ledger.hold_port import OpenedHold
from ledger.port import LedgerPort
from scada.qif import QifDocument, read_qif
from signals.errors import BadInput
from signals.holds import (
    DecisionState,
    HoldDispositionKind,
    HoldRecord,
    HoldSearch,
    HoldState,
    HoldTrigger,
    InspectionOutcome,
)
from signals.inspections import InspectedPiece, PieceState, Verdict

Kind = Literal["incoming", "in_process", "first_article", "final"]

CHECKED_AGAIN = (HoldDispositionKind.REWORK, HoldDispositionKind.REPAIR)
FIRST_ARTICLE = "FAI"
"""QIF's InspectionMode of first articles begins so (FAI_Full, FAI_Partial)."""


class HoldDesk(Protocol):
    """How holds' processes are told. Both answer False where nobody took it; the ledger has it all the same."""

    async def opened(self, trigger: HoldTrigger, opened: OpenedHold) -> bool: ...

    async def inspected(self, plant: str, hold: str, outcome: InspectionOutcome) -> bool: ...


@dataclass(frozen=True)
class Told:
    """What the person who imports knows beside the files. Empty: nothing."""

    order: str = ""
    operation: str = ""
    batch: str = ""
    kind: Kind | None = None
    by: str = ""


@dataclass
class FileResult:
    """What one file came to. `passed`: as its inspection says, and not held; it may be parked all the same."""

    file: str
    material: str
    document: str
    parts: int = 0
    passed: int = 0
    held: int = 0
    parked: int = 0
    characteristics_passed: int = 0
    verdicts: dict[str, int] = field(default_factory=dict)
    """What the inspection itself says of the pieces: passed, failed, disputed."""
    characteristics_failed: int = 0
    characteristics_unjudged: int = 0
    """Neither said to pass nor to fail: not measured, not calculated."""
    new: int = 0
    why: list[dict[str, str]] = field(default_factory=list)


@dataclass
class ImportResult:
    """`untold` are holds whose process could not be told now: blocked in the ledger all the same."""

    files: list[FileResult]
    holds: list[str]
    parked_items: list[str]
    untold: list[str]


@dataclass(frozen=True)
class RecordedResult:
    """What became of a single result. `against` are inspections of what may be the same piece that say otherwise."""

    inspection: str
    state: PieceState
    against: list[str]
    holds: list[str]
    parked_items: list[str]
    untold: list[str]


@dataclass(frozen=True)
class _Read:
    """One file as read: its pieces under the plant's names."""

    file: str
    document: str
    pieces: tuple[InspectedPiece, ...]
    source: QifDocument


class Inspections:
    """Takes inspection results in for one plant. Everything may be repeated: the same results change nothing."""

    def __init__(
        self, ledger: LedgerPort, plant: PlantConfig, now: Callable[[], datetime], desk: HoldDesk | None = None
    ) -> None:
        self._ledger = ledger
        self._plant = plant
        self._now = now
        self._desk = desk

    async def import_files(self, files: Sequence[Path], told: Told | None = None) -> ImportResult:
        """All files or none: one that cannot be read is BadInput before anything is stored."""
        known = told or Told()
        read = [await asyncio.to_thread(self._read, file, known) for file in files]
        pieces = [piece for one in read for piece in one.pieces]
        new = await self._ledger.record_inspections(pieces)
        found, result = await self._settle({one.document for one in read}, pieces, new)
        states = {f.mark.inspection: f for f in found}
        result.files = [_file_result(one, states, new) for one in read]
        return result

    async def record(self, outcome: InspectionOutcome) -> RecordedResult:
        """One result, as the API gives it. Raises BadInput where its id is taken by another, or a number is none."""
        plant = self._plant.plant.id
        material, serial = named_by_the_plant(
            self._plant.quality.parts, outcome.material, serial_in(outcome.serial.strip())
        )
        _check_numbers(outcome)
        statement = PieceStatement(material, serial, "", PASS if outcome.passed else FAIL, outcome.results)
        # A single result may say no more than good or bad.
        verdict = verdict_of(statement) if outcome.results else _plain_verdict(outcome)
        passed = verdict is Verdict.PASSED
        named = outcome.model_copy(update={"material": material, "serial": serial, "passed": passed})
        piece = piece_of(plant, outcome.inspection, verdict, named)
        stored = await self._ledger.inspection(plant, outcome.inspection)
        if stored is not None and _said(stored) != _said(piece):
            raise BadInput(
                f"inspection {outcome.inspection} is known with another result",
                subject=outcome.inspection,
                hint="a second look is another inspection: give it an id of its own",
            )
        new = await self._ledger.record_inspections([piece])
        found, result = await self._settle({piece.document}, [piece], new)
        mine = next(f for f in found if f.mark.inspection == outcome.inspection)
        return RecordedResult(
            inspection=outcome.inspection,
            state=mine.state,
            against=[m.inspection for m in mine.against],
            holds=result.holds,
            parked_items=result.parked_items,
            untold=result.untold,
        )

    # --- reading ---------------------------------------------------------------------------------------------
    def _read(self, file: Path, told: Told) -> _Read:
        try:
            with file.open("rb") as source:
                document = read_qif(source, str(file))
        except OSError as error:
            hint = "name files with inspection results in QIF 2.1"
            raise BadInput(f"cannot read {file}: {error.strerror}", subject=str(file), hint=hint) from error
        plant, now = self._plant.plant, self._now()
        name, ids = identities(plant.id, document.qpid, document.pieces)
        kind: Kind = told.kind or ("first_article" if document.mode.startswith(FIRST_ARTICLE) else "in_process")
        at = time_said(document.created, plant.zone, now)
        source = f"QIF {document.qpid or name}" + (f", taken in by {told.by}" if told.by else "")
        pieces = [
            self._piece(statement, name, identity, told, kind, at, source)
            for statement, identity in zip(document.pieces, ids, strict=True)
        ]
        return _Read(str(file), name, tuple(pieces), document)

    def _piece(
        self, said: PieceStatement, document: str, identity: str, told: Told, kind: Kind, at: datetime, source: str
    ) -> InspectedPiece:
        material, serial = named_by_the_plant(self._plant.quality.parts, said.material, said.serial)
        verdict = verdict_of(said)
        outcome = InspectionOutcome(
            inspection=identity,
            material=material,
            serial=serial,
            batch=told.batch,
            order=told.order,
            operation=told.operation,
            passed=verdict.value == "passed",
            results=said.results,
            source=source[:200],
            at=at,
            kind=kind,
        )
        return piece_of(self._plant.plant.id, document, verdict, outcome, said.hint)

    # --- deciding --------------------------------------------------------------------------------------------
    async def _settle(
        self, documents: set[str], pieces: Sequence[InspectedPiece], new: frozenset[str]
    ) -> tuple[list[Finding], ImportResult]:
        """Findings over everything the ledger knows of what may be the same material; then holds and parked items."""
        plant = self._plant.plant.id
        # As first recorded: the plant file's names may have changed since.
        mine = {p.outcome.material for p in await self._pieces_of(documents)}
        known = await self._ledger.inspected_materials(plant)
        names = {n for n in known if any(may_be_one_material(n, m) for m in mine)}
        held = [h for n in sorted(names) for h in await self._all_holds(n)]
        marks = await self._ledger.inspection_marks(plant, names)
        found = findings(marks, documents, _settled(held, pieces))
        wanted = {f.mark.document for f in found if f.state is not PieceState.PASSED}
        full = {p.outcome.inspection: p for p in await self._pieces_of(wanted)}
        result = ImportResult([], [], [], [])
        for trigger in triggers_of(found, full, self._now()):
            opened = await self._ledger.open_hold(trigger)
            result.holds.append(opened.hold)
            if self._desk is None or not await self._desk.opened(trigger, opened):
                result.untold.append(opened.hold)
        parked = parked_of(found, full)
        await self._ledger.park(tuple(parked))
        result.parked_items = [item.item for item in parked]
        await self._tell(held, [p for p in pieces if p.outcome.inspection in new], result)
        result.holds = list(dict.fromkeys(result.holds))
        result.untold = list(dict.fromkeys(result.untold))
        return found, result

    async def _all_holds(self, material: str) -> list[HoldRecord]:
        return await self._ledger.holds(self._plant.plant.id, HoldSearch(material=material, open_only=False))

    async def _pieces_of(self, documents: set[str]) -> list[InspectedPiece]:
        if not documents:
            return []
        return await self._ledger.inspections(self._plant.plant.id, documents=sorted(documents))

    async def _tell(self, held: Iterable[HoldRecord], pieces: Sequence[InspectedPiece], result: ImportResult) -> None:
        """Holds that were open before hear of new results on what they hold."""
        for hold in held:
            for piece in pieces:
                if hold.state.is_over or not _is_about(hold, piece):
                    continue
                if self._desk is None or not await self._desk.inspected(hold.plant, hold.hold, piece.outcome):
                    result.untold.append(hold.hold)


def _is_about(hold: HoldRecord, piece: InspectedPiece) -> bool:
    """Whether the result is about pieces that the hold names; a nameless piece is none of them."""
    o = piece.outcome
    if not o.serial and hold.scope.serials:
        return False
    serials = (o.serial,) if o.serial else ()
    return covers(hold.scope, order=o.order, operation=o.operation, material=o.material, batch=o.batch, serials=serials)


def _settled(held: Iterable[HoldRecord], pieces: Sequence[InspectedPiece]) -> set[str]:
    """Results that came after rework or repair was decided: they are the wanted second look, not a contradiction."""
    settled: set[str] = set()
    for hold in held:
        decided_at = min(
            (
                d.at
                for d in hold.decisions
                if d.state is DecisionState.IN_FORCE and any(x.kind in CHECKED_AGAIN for x in d.dispositions)
            ),
            default=None,
        )
        if decided_at is None:
            continue
        looked = [i for i in hold.inspections if i.at >= decided_at]
        if hold.state is HoldState.AWAITS_INSPECTION:
            looked += [p.outcome for p in pieces if p.outcome.at >= decided_at and _is_about(hold, p)]
        settled |= {i.inspection for i in looked}
    return settled


def _check_numbers(outcome: InspectionOutcome) -> None:
    """A value with limits is a number, and so are they: what only looks like one would be judged by none."""
    for r in outcome.results:
        texts = {"value": r.value, "lower": r.lower, "upper": r.upper} if r.lower or r.upper else {}
        for name, text in texts.items():
            if text and decimal_of(text) is None:
                raise BadInput(
                    f"{r.characteristic} says {name} {text[:80]!r}, which is no number",
                    subject=outcome.inspection,
                    hint="decimals are written with a point; a value that is a word has no limits",
                )


def _plain_verdict(outcome: InspectionOutcome) -> Verdict:
    return Verdict.PASSED if outcome.passed else Verdict.FAILED


def _said(piece: InspectedPiece) -> tuple[object, ...]:
    o = piece.outcome
    return o.material, o.serial, o.batch, o.order, o.operation, o.passed, o.results


def _file_result(read: _Read, found: dict[str, Finding], new: frozenset[str]) -> FileResult:
    materials = sorted({p.outcome.material for p in read.pieces})
    result = FileResult(
        file=read.file,
        material=", ".join(materials),
        document=read.document,
        parts=len(read.pieces),
        characteristics_passed=read.source.measured_passed,
        verdicts={v.value: sum(p.verdict is v for p in read.pieces) for v in Verdict},
        characteristics_failed=read.source.measured_failed,
        characteristics_unjudged=read.source.measured_unjudged,
        new=sum(p.outcome.inspection in new for p in read.pieces),
    )
    for piece in read.pieces:
        finding = found[piece.outcome.inspection]
        result.held += finding.state is PieceState.HELD
        result.parked += finding.state is PieceState.PARKED
        result.passed += finding.state is not PieceState.HELD and piece.verdict is Verdict.PASSED
        if finding.state is not PieceState.PASSED:
            against = ", ".join(sorted({m.serial or m.inspection for m in finding.against}))
            result.why.append(
                {
                    "serial": piece.outcome.serial,
                    "state": finding.state.value,
                    "verdict": piece.verdict.value,
                    "against": against,
                    "hint": piece.hint if not piece.outcome.serial else "",
                }
            )
    return result
