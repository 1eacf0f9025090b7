"""Stops in the demo: who takes care of them in `--auto`, and how they stand in the closing comparison."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from signals.downtime import AcknowledgeStop, ClassifyStop, ReasonStatus, StopAct, StopRecord
from signals.ids import short_hash
from workers.demo.holds import text
from workers.demo.stage import Stage

OPERATOR = "operator-1"
BROKEN, ELSE = "torch", "material"
"""What the operator at the line says of the welding station's breakdown, and of all else."""
WELD = "weld"


async def take_care(stage: Stage, stop: StopRecord) -> str:
    """The operator acknowledges and says why; what was done, as a sentence. Raises BadInput, NoAnswer."""
    actor = stage.people.actor(OPERATOR)
    done: list[str] = []
    if stop.acknowledged_at is None and stop.fact.ended_at is None:
        act = AcknowledgeStop(action_id=short_hash("demo", stop.stop, "acknowledge"), actor=actor)
        done += ["acknowledged"] if await _act(stage, stop, act) else []
    if any(part.status is ReasonStatus.UNKNOWN for part in stop.parts):
        reason = BROKEN if any(s.station == WELD for s in stop.fact.stretches) else ELSE
        act = ClassifyStop(action_id=short_hash("demo", stop.stop, "classify"), actor=actor, reason=reason)
        done += [f"classified as {reason}"] if await _act(stage, stop, act) else []
    return f"stop of {stop.line}: {' and '.join(done)} by {OPERATOR}" if done else ""


async def _act(stage: Stage, stop: StopRecord, act: StopAct) -> bool:
    answer = await stage.desk.act_on_stop(stage.plant_id, stop.line, stop.stop, act)
    return answer.accepted


def stopped(stops: Iterable[StopRecord]) -> dict[str, Any]:
    """For the closing object: `count`, `states`, seconds by reason, cost centres, and the ERP's notifications."""
    records = list(stops)
    seconds: dict[str, Decimal] = defaultdict(Decimal)
    for part in (p for r in records for p in r.parts if p.reason):
        seconds[part.reason] += part.seconds or Decimal(0)
    return {
        "count": len(records),
        "states": dict(sorted(Counter(r.state.value for r in records).items())),
        "seconds": {reason: text(s) for reason, s in sorted(seconds.items())},
        "cost_centres": sorted({p.cost_centre for r in records for p in r.parts if p.cost_centre}),
        "notifications": [r.notification for r in records if r.notification],
    }


def stop_differences(stops: Iterable[StopRecord]) -> Iterator[str]:
    """What should not be at the end: a stop that is over, and that nobody has explained or closed."""
    for record in stops:
        if record.fact.ended_at is not None and not record.state.is_over:
            unknown = [p for p in record.parts if p.status is not ReasonStatus.CLASSIFIED]
            why = "nobody has said why" if unknown else f"its bookings are {[p.state for p in record.postings]}"
            yield f"stop {record.stop} of {record.line} is {record.state.value}: {why}"
