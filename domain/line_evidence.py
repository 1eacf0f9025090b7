"""Second evidence: the source's own counters, read again at the start and the end of an operation (design section 2).

The reading is compared with what came by event once the watermark has passed it; the workflow does the asking.
"""

from __future__ import annotations

from datetime import datetime

from domain.counters import CounterState, continues
from domain.line_parking import difference_item
from domain.line_state import EvidenceCheck, LineState
from domain.plant import CounterConfig, LineConfig
from domain.reporting import park, send_end

AGREES = "agrees"
UNAVAILABLE = "unavailable"

READINGS_OF_A_DIFFERENCE = 2
"""A piece may be made while the source is read: only a difference that shows again is one."""


def settle_checks(state: LineState, line: LineConfig) -> None:
    """Compare second readings whose time the watermark has passed; release the ends that waited for them."""
    for check in list(state.checks):
        if check.read_at is None or state.watermark is None or check.read_at > state.watermark:
            continue
        found = _differences(state, line, check, check.read_at)
        if found and check.attempts < READINGS_OF_A_DIFFERENCE:
            check.readings, check.read_at = {}, None
            continue
        if found:
            park(state, difference_item(state, check, found, check.read_at))
        _release(state, check, AGREES if not found else "differs: " + "; ".join(found))


def give_up(state: LineState, check: EvidenceCheck) -> None:
    """The source did not answer: the end goes out saying so, and the order asks a person before final."""
    _release(state, check, UNAVAILABLE)


def _release(state: LineState, check: EvidenceCheck, note: str) -> None:
    state.checks.remove(check)
    if check.end is not None:
        send_end(state, check.end.model_copy(update={"second_evidence": note}))


def _differences(state: LineState, line: LineConfig, check: EvidenceCheck, read_at: datetime) -> list[str]:
    config = line.station(check.station)
    tags = {t.name: t.counter for t in config.tags} if config else {}
    counters = state.station(check.station).counters
    return [
        f"{check.station}.{tag} reads {total}, events say {counters.get(tag, CounterState()).total}"
        for tag, total in sorted(check.readings.items())
        if not _agrees(tags.get(tag), counters.get(tag), total, read_at)
    ]


def _agrees(config: CounterConfig | None, known: CounterState | None, total: int, read_at: datetime) -> bool:
    """The events' total at the reading's time is the reading, or a later one goes on from it."""
    if config is None or known is None or known.total is None or known.at is None:
        return False
    if known.at <= read_at:
        return known.total == total
    return continues(config, total, read_at, known.total, known.at)
