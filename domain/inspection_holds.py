"""From findings about inspected pieces to hold triggers and parked items. Ids derive from the results alone."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from domain.inspections import Finding, natural_order, outside_limits
from domain.roles import Role
from signals.holds import HoldCause, HoldReason, HoldScope, HoldTrigger, Measurement
from signals.ids import parked_item_id, short_hash
from signals.inspections import InspectedPiece, PieceState, Verdict
from signals.reports import Evidence, ParkedItem, ParkedWhy

MOST_EVIDENCE = 60
MOST_NAMED = 12
RULE = "inspection-result/1"
NO_SERIAL_RULE = "inspection-without-serial/1"
CONFLICT_RULE = "inspections-disagree/1"


def triggers_of(found: Sequence[Finding], pieces: Mapping[str, InspectedPiece], now: datetime) -> list[HoldTrigger]:
    """One trigger per document, material and cause, for the findings that hold something. `now` is plant time."""
    groups: dict[tuple[str, str, HoldCause, str], list[Finding]] = defaultdict(list)
    for f in found:
        if f.state is not PieceState.HELD:
            continue
        piece = pieces[f.mark.inspection]
        scope = "\x1f".join((piece.outcome.order, piece.outcome.operation, piece.outcome.batch))
        for cause in _causes(f):
            groups[f.mark.document, f.mark.material, cause, scope].append(f)
    return [_trigger(cause, members, pieces, now) for (_, _, cause, _), members in sorted(groups.items())]


def _causes(found: Finding) -> list[HoldCause]:
    causes = [HoldCause.INSPECTION if found.mark.verdict is Verdict.FAILED else HoldCause.CONFLICT]
    return causes if found.mark.serial else [*causes, HoldCause.NO_SERIAL]


def _trigger(
    cause: HoldCause, found: Sequence[Finding], pieces: Mapping[str, InspectedPiece], now: datetime
) -> HoldTrigger:
    found = sorted(found, key=lambda f: (natural_order(f.mark.serial), f.mark.inspection))
    members = [pieces[f.mark.inspection] for f in found]
    first = members[0].outcome
    plant = members[0].plant
    evidence_ids = sorted({m.inspection for f in found for m in (f.mark, *f.against)})
    name = short_hash(plant, cause.value, members[0].document, first.material, *evidence_ids, length=26)
    failing = Counter(r.characteristic for m in members for r in m.outcome.results if not r.passed)
    return HoldTrigger(
        trigger=name,
        scope=HoldScope(
            plant=plant,
            order=first.order,
            operation=first.operation,
            material=first.material,
            batch=first.batch,
            serials=tuple(dict.fromkeys(serial_or_stand_in(m) for m in members)),
        ),
        reason=HoldReason(
            reason=name,
            cause=cause,
            rule={HoldCause.INSPECTION: RULE, HoldCause.NO_SERIAL: NO_SERIAL_RULE}.get(cause, CONFLICT_RULE),
            text=_text(cause, found, members, failing),
            characteristic=next(iter(failing), "") if len(failing) == 1 else "",
            release_role=(Role.QUALITY_MANAGER if cause is HoldCause.CONFLICT else Role.QUALITY_ENGINEER).value,
            found_at=max(m.outcome.at for m in members),
            evidence=_evidence(members),
        ),
        quantity=Decimal(len(members)),
        at=now,
    )


def serial_or_stand_in(piece: InspectedPiece) -> str:
    """The serial number; for a piece without one a name that no other piece has, so that it is counted and held."""
    return piece.outcome.serial or f"unnamed-{piece.outcome.inspection[:8]}"


def _text(
    cause: HoldCause, found: Sequence[Finding], members: Sequence[InspectedPiece], failing: Mapping[str, int]
) -> str:
    count, material = len(members), members[0].outcome.material
    pieces = f"{count} piece{'s' if count != 1 else ''} of {material}"
    if cause is HoldCause.NO_SERIAL:
        hints = [m.hint for m in members if m.hint]
        return f"{pieces} without a serial number" + (f"; the source refers to {_listed(hints)}" if hints else "")
    if cause is HoldCause.INSPECTION:
        return f"{pieces} failed inspection: {_listed([f'{name} ({n})' for name, n in failing.items()]) or 'no values'}"
    against = sorted({m.serial or m.inspection for f in found for m in f.against})
    if against:
        return f"{pieces} passed, but another inspection says otherwise of {_listed(against)}, which may be the same"
    return f"{pieces}: the inspection contradicts itself, or does not say pass or fail"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _evidence(members: Sequence[InspectedPiece]) -> tuple[Measurement, ...]:
    """What fails or is beyond its limits, oldest first; for pieces that passed, nothing is."""
    found = [
        Measurement(
            at=r.measured_at or m.outcome.at,
            value=r.value,
            lower=r.lower,
            upper=r.upper,
            unit=r.unit,
            passed=r.passed,
            event_id=f"{m.outcome.inspection}:{r.characteristic}",
            serial=serial_or_stand_in(m),
        )
        for m in members
        for r in m.outcome.results
        if not r.passed or outside_limits(r)
    ]
    return tuple(sorted(found, key=lambda e: e.at)[:MOST_EVIDENCE])


def parked_of(found: Sequence[Finding], pieces: Mapping[str, InspectedPiece]) -> list[ParkedItem]:
    """Pieces that may be good, but nobody can say which they are: a person has to."""
    return [_parked(pieces[f.mark.inspection]) for f in found if f.state is PieceState.PARKED]


def _parked(piece: InspectedPiece) -> ParkedItem:
    outcome = piece.outcome
    says = "passed inspection" if piece.verdict is Verdict.PASSED else "is judged in two ways by its inspection"
    hint = f"; the source refers to {piece.hint}" if piece.hint else ""
    return ParkedItem(
        item=parked_item_id(piece.plant, ParkedWhy.NO_SERIAL.value, outcome.inspection),
        plant=piece.plant,
        order=outcome.order,
        operation=outcome.operation,
        why=ParkedWhy.NO_SERIAL,
        detail=f"a piece of {outcome.material} {says} and has no serial number, so it is not released{hint}",
        at=outcome.at,
        unit="PC",
        batch=outcome.batch,
        evidence=(Evidence(rule=NO_SERIAL_RULE, detail=f"inspection {outcome.inspection}"),),
    )
