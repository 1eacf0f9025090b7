"""One reading of one tag, live or from a recording, before the edge filter decides what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from domain.plant import TagConfig
from signals.events import Quality

Value = int | float | str | bool | None
"""What a tag may hold; None where the source gave nothing usable."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A value with its source time. `at_text` is the source's own spelling (recordings carry 100 ns)."""

    equipment: str
    tag: TagConfig
    value: Value
    at: datetime
    at_text: str
    quality: Quality = Quality.GOOD
    overflow: bool = False
    received_at: datetime | None = None
