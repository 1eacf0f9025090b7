"""Stops as people look at them: cards of the board, where the ladder stands, the reasons to tap. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from domain.machine_time import DOWNTIME
from domain.plant import LineConfig, PlantConfig
from domain.plant_downtime import INVALID, UNKNOWN, DowntimeConfig, StopReasonConfig
from domain.stop_reasons import CLASS_TEXTS, SEPARATOR, line_of_descent
from domain.stop_review import looked_at
from signals.downtime import LadderRung, ReasonStatus, StopPart, StopRecord

TAPPED_AGAIN = 3
"""So many of a line's latest reasons stand first."""


@dataclass(frozen=True)
class StopCard:
    """A stop with what the board says of it."""

    record: StopRecord

    @property
    def stands(self) -> bool:
        return self.record.fact.ended_at is None

    @property
    def part(self) -> StopPart | None:
        """What it is now, or was last."""
        lost = [p for p in self.record.parts if p.time_class in DOWNTIME]
        return (lost or list(self.record.parts) or [None])[-1]

    @property
    def reason(self) -> str:
        """In words; "unknown" and "invalid" are words of their own."""
        part = self.part
        if part is None or part.status is ReasonStatus.UNKNOWN:
            return UNKNOWN
        return part.reason_text or (INVALID if part.status is ReasonStatus.INVALID else part.time_class.value)

    @property
    def is_explained(self) -> bool:
        return bool(self.record.parts) and self.record.is_classified

    @property
    def fired(self) -> LadderRung | None:
        """The step of the ladder that called last."""
        called = [r for r in self.record.rungs if r.fired_at is not None]
        return max(called, key=lambda r: (r.fired_at, r.timer, r.level), default=None)

    @property
    def next(self) -> LadderRung | None:
        """The step that is due next."""
        waiting = [r for r in self.record.rungs if r.fired_at is None]
        return min(waiting, key=lambda r: (r.due_at, r.timer, r.level), default=None)


@dataclass(frozen=True)
class LineStops:
    """A line on the board: what stands, and what is over and still to be explained or booked."""

    line: str
    name: str
    standing: list[StopCard]
    ended: list[StopCard]


def line_stops(line: LineConfig, records: Iterable[StopRecord], plant: PlantConfig, now: datetime) -> LineStops:
    cards = [StopCard(looked_at(r, plant, now)) for r in records if r.line == line.id and not r.fact.micro]
    cards.sort(key=lambda card: card.record.fact.started_at, reverse=True)
    return LineStops(
        line.id, line.name or line.id, [c for c in cards if c.stands], [c for c in cards if not c.stands]
    )  # fmt: skip


@dataclass(frozen=True)
class ReasonChoice:
    """A button: a reason's id, and its name below its group's."""

    id: str
    text: str


@dataclass(frozen=True)
class ReasonGroup:
    """A root of the tree with everything below it; no name: reasons that stand alone."""

    text: str
    choices: tuple[ReasonChoice, ...]


def reason_groups(config: DowntimeConfig) -> list[ReasonGroup]:
    """The tree as groups of buttons; deeper levels carry their path. What the classes say by themselves comes last."""
    below = {r.parent for r in config.reasons if r.parent}
    groups: dict[str, list[ReasonChoice]] = {"": []}
    texts: dict[str, str] = {}
    for reason in config.reasons:
        root = line_of_descent(config, reason.id)[-1]
        texts[root.id] = root.text or root.id
        if reason is root:
            if root.id not in below:
                groups[""].append(ReasonChoice(root.id, texts[root.id]))
            else:
                groups.setdefault(root.id, [])
        else:
            groups.setdefault(root.id, []).append(ReasonChoice(reason.id, _below_root(config, reason)))
    found = [
        ReasonGroup(texts[root], (*choices, ReasonChoice(root, "not known more exactly")))
        for root, choices in groups.items()
        if root
    ]
    if groups[""]:
        found.append(ReasonGroup("", tuple(groups[""])))
    own = [ReasonChoice(c.value, text) for c, text in CLASS_TEXTS.items() if config.reason(c.value) is None]
    return [*found, ReasonGroup("other", tuple(own))]


def _below_root(config: DowntimeConfig, reason: StopReasonConfig) -> str:
    path = line_of_descent(config, reason.id)[:-1]
    return SEPARATOR.join(r.text or r.id for r in reversed(path))


def latest_reasons(records: Iterable[StopRecord], config: DowntimeConfig) -> list[ReasonChoice]:
    """What people have said of the line lately, the latest first, each once."""
    said = [m for r in records for m in r.marks if m.by and config.reason(m.reason) is not None]
    ids = dict.fromkeys(m.reason for m in sorted(said, key=lambda m: m.at, reverse=True))
    return [ReasonChoice(i, _text(config, i)) for i in list(ids)[:TAPPED_AGAIN]]


def _text(config: DowntimeConfig, reason: str) -> str:
    found = config.reason(reason)
    return (found.text or found.id) if found is not None else reason
