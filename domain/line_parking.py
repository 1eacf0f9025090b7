"""What a Line parks, built from its evidence: the same trouble gives the same item in every run.

Nothing is decided here. A parked item says what accepting it would count.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.context import StationContext
from domain.counters import RULE
from domain.cycle_state import ParkedDraft
from domain.line_state import EvidenceCheck, LineState, StationState
from domain.plant import CounterConfig, CounterRole, LineConfig, PlantConfig, StationConfig
from domain.reporting import park
from signals.base import ZERO
from signals.events import CountEvent, MachineEvent, SequencedEvent
from signals.ids import parked_item_id
from signals.reports import Evidence, ParkedItem, ParkedWhy, SourceRange


@dataclass(frozen=True, slots=True)
class StationEvent:
    """An event on its way through a station of the line."""

    state: LineState
    plant: PlantConfig
    line: LineConfig
    config: StationConfig
    source: str
    sequenced: SequencedEvent

    @property
    def event(self) -> MachineEvent:
        return self.sequenced.event

    @property
    def station(self) -> StationState:
        return self.state.station(self.config.id)


@dataclass(frozen=True, slots=True)
class Doubt:
    """Pieces of a counter that nobody may book without a person."""

    counts: int
    counter: CounterConfig
    from_total: int | None
    context: StationContext
    at: datetime

    @property
    def amount(self) -> Decimal:
        return self.counts * self.counter.per_count

    @property
    def yield_quantity(self) -> Decimal:
        return self.amount if self.counter.role is CounterRole.GOOD else ZERO

    @property
    def scrap_quantity(self) -> Decimal:
        return self.amount if self.counter.role is CounterRole.REJECT else ZERO


def park_event(at_station: StationEvent, why: ParkedWhy, detail: str, doubt: Doubt | None = None) -> None:
    """Park an event of a station, with the pieces it leaves in doubt."""
    context = doubt.context if doubt else at_station.station.context
    item = event_item(at_station.state, at_station.source, at_station.sequenced, why, detail)
    update: dict[str, object] = {
        "order": context.order,
        "operation": context.operation_at(at_station.config),
        "batch": context.batch,
    }
    if doubt is not None:
        evidence = item.evidence[0].model_copy(update={"from_total": doubt.from_total})
        update |= {
            "at": doubt.at,
            "yield_quantity": doubt.yield_quantity,
            "scrap_quantity": doubt.scrap_quantity,
            "unit": doubt.counter.unit,
            "evidence": (evidence,),
        }
    park(at_station.state, item.model_copy(update=update))


def event_item(state: LineState, source: str, sequenced: SequencedEvent, why: ParkedWhy, detail: str) -> ParkedItem:
    """An event as a parked item, without a station's context."""
    event = sequenced.event
    total = event.total if isinstance(event, CountEvent) else None
    return ParkedItem(
        item=parked_item_id(state.plant, why.value, event.event_id),
        plant=state.plant,
        line=state.line,
        why=why,
        detail=detail,
        at=event.at,
        evidence=(Evidence(rule=RULE, detail=detail, counter=event.tag, to_total=total, event_ids=(event.event_id,)),),
        ranges=(SourceRange(source=source, first_seq=sequenced.seq, last_seq=sequenced.seq),),
    )


def missing_item(state: LineState, source: str, first: int, last: int, at: datetime) -> ParkedItem:
    """Events that the edge log gave a number and can never send again."""
    return ParkedItem(
        item=parked_item_id(state.plant, "gap", source, str(first), str(last)),
        plant=state.plant,
        line=state.line,
        why=ParkedWhy.GAP,
        detail=f"the edge log no longer holds events {first} to {last}; counters show what they counted",
        at=at,
        ranges=(SourceRange(source=source, first_seq=first, last_seq=last),),
    )


def cycle_item(at_station: StationEvent, draft: ParkedDraft) -> ParkedItem:
    """What judging a cycle could not settle."""
    assert at_station.config.cycle is not None
    state, seq = at_station.state, at_station.sequenced.seq
    return ParkedItem(
        item=parked_item_id(state.plant, draft.why.value, *draft.identity),
        plant=state.plant,
        line=state.line,
        order=draft.context.order,
        operation=draft.context.operation_at(at_station.config),
        why=draft.why,
        detail=draft.detail,
        at=draft.at,
        yield_quantity=draft.yield_quantity,
        unit=at_station.config.cycle.unit,
        batch=draft.context.batch,
        serial=draft.context.serial,
        evidence=draft.evidence,
        ranges=(SourceRange(source=at_station.source, first_seq=seq, last_seq=seq),),
    )


def difference_item(state: LineState, check: EvidenceCheck, differences: list[str], at: datetime) -> ParkedItem:
    """A second reading that the events do not explain."""
    detail = "; ".join(differences)
    return ParkedItem(
        item=parked_item_id(state.plant, "evidence_disagrees", check.station, check.order, *differences),
        plant=state.plant,
        line=state.line,
        order=check.order,
        operation=check.end.operation if check.end else "",
        why=ParkedWhy.EVIDENCE_DISAGREES,
        detail=detail,
        at=at,
        evidence=(Evidence(rule="second-evidence/1", detail=detail),),
    )
