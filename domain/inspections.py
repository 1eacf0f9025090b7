"""What an inspection says of each piece, where two inspections contradict each other, and what that holds or parks.

Nothing here knows a file, a part or a serial by its name. Only a clear PASS about a piece that can be named, which no
other inspection contradicts, lets a piece go on; everything else waits for a person.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from signals.holds import InspectionOutcome
from signals.ids import short_hash
from signals.inspections import InspectedPiece, PieceState, Verdict
from signals.quality import CharacteristicResult

PASS, FAIL = "PASS", "FAIL"
"""QIF's words (ANSI/DMSC QIF 2.1, InspectionStatusEnumType); any other word is no pass."""

NUMBER = re.compile(r"\d+")
WORD = re.compile(r"[^\W_]+")
DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)
"""Decimals as XML and JSON write them, also with an exponent. Never with a comma."""
LONGEST_DECIMAL = 80


@dataclass(frozen=True)
class PieceStatement:
    """What a source says of one piece, in the source's own words. Empty: it says nothing."""

    material: str
    serial: str
    own_status: str
    result_status: str
    results: tuple[CharacteristicResult, ...] = ()
    shared: bool = False
    """The result names several pieces: its measurements cannot be told apart between them."""
    fails: bool = False
    """The source says of some characteristic that it fails, in so many words."""
    namesake: bool = False
    """Another piece of the source has the same serial number."""
    hint: str = ""


def decimal_of(text: str) -> Decimal | None:
    """The number that the text is; None where it is none."""
    return Decimal(text) if len(text) <= LONGEST_DECIMAL and DECIMAL.fullmatch(text) else None


def outside_limits(result: CharacteristicResult) -> bool:
    """Whether the value is beyond a limit that is stated with it. What is no number is beyond none."""
    value, lower, upper = decimal_of(result.value), decimal_of(result.lower), decimal_of(result.upper)
    if value is None:
        return False
    return (lower is not None and value < lower) or (upper is not None and value > upper)


def serial_in(text: str) -> str:
    """The serial number in what a source writes; empty where no letter and no digit is in it (`-`, `?`)."""
    return text if WORD.search(text) else ""


def verdict_of(piece: PieceStatement) -> Verdict:
    """Passed where everything said about the piece passes; failed where it fails; disputed where the words differ.

    A piece with no measurements of its own, or with a status that is neither pass nor fail, is disputed; so is one
    that passes with a value beyond its limits, or under a serial number that another piece of the source has too.
    """
    verdict = _as_said(piece)
    return Verdict.DISPUTED if verdict is Verdict.PASSED and piece.namesake else verdict


def _as_said(piece: PieceStatement) -> Verdict:
    said = [s for s in (piece.own_status, piece.result_status) if s]
    measured = [PASS if r.passed and not outside_limits(r) else FAIL for r in piece.results]
    if piece.shared and piece.own_status:
        if piece.own_status == piece.result_status == FAIL:
            return Verdict.FAILED
        passes = piece.own_status == piece.result_status == PASS and FAIL not in measured
        return Verdict.PASSED if passes and measured else Verdict.DISPUTED
    if not said and piece.fails:
        return Verdict.FAILED
    if not said or not measured or any(s not in (PASS, FAIL) for s in said):
        return Verdict.FAILED if FAIL in said and set(said) == {FAIL} else Verdict.DISPUTED
    words = {*said, FAIL if FAIL in measured else PASS}
    if words == {PASS}:
        return Verdict.PASSED
    return Verdict.FAILED if words == {FAIL} else Verdict.DISPUTED


@dataclass(frozen=True)
class Mark:
    """As much of a recorded result as conflicts need. `inspection` is its identity, `document` what it came in."""

    inspection: str
    document: str
    material: str
    serial: str
    verdict: Verdict


@dataclass(frozen=True)
class Finding:
    """What becomes of one inspected piece, and why."""

    mark: Mark
    state: PieceState
    against: tuple[Mark, ...] = field(default=())
    """Results about what may be the same piece that say otherwise."""


def findings(marks: Iterable[Mark], documents: Collection[str], settled: Collection[str] = ()) -> list[Finding]:
    """What follows for the pieces of `documents`, and for those of other documents that these contradict.

    `settled` are results that people have looked at since (a check after rework): they contradict nothing.
    The order in which results came in makes no difference.
    """
    known = sorted(set(marks), key=lambda m: (m.document, m.inspection))
    by_trace: dict[str, list[Mark]] = defaultdict(list)
    for mark in known:
        if mark.serial:
            by_trace[_trace(mark.serial)].append(mark)
    found: list[Finding] = []
    for mark in known:
        others = by_trace[_trace(mark.serial)] if mark.serial and mark.verdict is Verdict.PASSED else []
        against = tuple(o for o in others if _contradicts(o, mark) and not {o.inspection, mark.inspection} & {*settled})
        if mark.document in documents or any(o.document in documents for o in against):
            found.append(Finding(mark, _state(mark, against), against))
    return found


def _contradicts(other: Mark, passed: Mark) -> bool:
    return (
        other.verdict is not Verdict.PASSED
        and other.inspection != passed.inspection
        and may_be_one_material(other.material, passed.material)
        and may_be_one_serial(other.serial, passed.serial)
    )


def _state(mark: Mark, against: Sequence[Mark]) -> PieceState:
    if mark.verdict is Verdict.FAILED:
        return PieceState.HELD
    if not mark.serial:
        return PieceState.PARKED
    passes = mark.verdict is Verdict.PASSED and not against
    return PieceState.PASSED if passes else PieceState.HELD


def may_be_one_material(one: str, other: str) -> bool:
    """Whether two inspections may mean the same material: equal names, or one goes on where the other ends.

    Programs name a part after its drawing, its model or its program, often with something behind it. Wrongly taken
    for one, two parts cost a person a look; wrongly taken for two, a bad piece would go on.
    """
    a, b = WORD.findall(one.casefold()), WORD.findall(other.casefold())
    if not a or not b:
        return one.casefold() == other.casefold()
    shorter, longer = sorted((a, b), key=len)
    return longer[: len(shorter)] == shorter


def may_be_one_serial(one: str, other: str) -> bool:
    """Whether two spellings may mean the same piece: equal, or their numbers are, counted from the end.

    `12`, `0012` and `A12` may be one piece; so may `2017-12` and `12`, but not `2017-12` and `2018-12`.
    """
    if one.casefold() == other.casefold():
        return True
    a, b = _numbers(one), _numbers(other)
    if not a or not b:
        return False
    shorter, longer = sorted((a, b), key=len)
    return longer[len(longer) - len(shorter) :] == shorter


def _numbers(serial: str) -> list[str]:
    return [number.lstrip("0") or "0" for number in NUMBER.findall(serial)]


def natural_order(serial: str) -> list[tuple[int, str]]:
    """Sort key: numbers inside serials count as numbers; those without a serial come last."""
    words = re.findall(r"\d+|\D+", serial) or ["\uffff"]
    return [(int(w), "") if w.isdecimal() else (1 << 62, w) for w in words]


def _trace(serial: str) -> str:
    """Equal for all serials that may be one."""
    numbers = _numbers(serial)
    return numbers[-1] if numbers else serial.casefold()


def piece_of(plant: str, document: str, verdict: Verdict, outcome: InspectionOutcome, hint: str = "") -> InspectedPiece:
    """A piece's result as the ledger keeps it."""
    return InspectedPiece(
        plant=plant,
        document=document,
        verdict=verdict,
        outcome=outcome,
        hint=hint,
        failed_count=sum(not r.passed for r in outcome.results),
        result_count=len(outcome.results),
    )


def identities(plant: str, source: str, statements: Sequence[PieceStatement]) -> tuple[str, list[str]]:
    """Id of a document and of each of its pieces, made from what they say: names of files and order make no difference.

    `source` is the document's own id, where it has one.
    """
    seen: dict[str, int] = defaultdict(int)
    ids: list[str] = []
    for s in statements:
        measured = sorted(f"{r.characteristic}\x1e{r.value}\x1e{r.passed}" for r in s.results)
        said = short_hash(
            plant, source, s.material, s.serial, s.own_status, s.result_status, s.hint, *measured, length=26
        )
        seen[said] += 1
        ids.append(said if seen[said] == 1 else short_hash(said, str(seen[said]), length=26))
    return short_hash(plant, source, *sorted(ids), length=26), ids


def time_said(text: str, zone: str, otherwise: datetime) -> datetime:
    """A document's time; without a zone it is the plant's wall clock. What is no time, or to come, is `otherwise`."""
    try:
        said = datetime.fromisoformat(text)
    except ValueError:
        return otherwise
    aware = said if said.tzinfo is not None else said.replace(tzinfo=ZoneInfo(zone))
    return min(aware, otherwise)
