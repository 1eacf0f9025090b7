"""Machine events: what leaves the edge filter. Raw telemetry never does (requirement 1).

`at` is the source timestamp (OPC UA Part 4, 7.11); it alone orders events and decides durations, shifts and
attributions. `equipment` names the station (ISA-95 work cell) of the line that the tag belongs to.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from signals.base import Amount, Code, Message, UtcTime
from signals.packml import MachineState


class Quality(StrEnum):
    """OPC UA status class of a reading (top two bits of the StatusCode)."""

    GOOD = "good"
    UNCERTAIN = "uncertain"
    BAD = "bad"


class EventBase(Message):
    """What every event carries."""

    event_id: str = Field(description="identity, see signals.ids.event_id")
    at: UtcTime = Field(description="source timestamp")
    equipment: Code = Field(description="station or machine of the line")
    tag: Code = Field(description="tag name in the plant file")
    quality: Quality = Quality.GOOD
    received_at: UtcTime | None = Field(default=None, description="edge receive time in plant time, if known")


class StateEvent(EventBase):
    """A machine state change; `raw` keeps the machine's own word."""

    kind: Literal["state"] = "state"
    state: MachineState
    raw: str = ""


class CountEvent(EventBase):
    """A reading of an accumulating counter: the total, never a difference."""

    kind: Literal["count"] = "count"
    counter: Code = Field(description="counter name in the plant file")
    total: int
    overflow: bool = Field(default=False, description="the server's queue overflowed before this value")


class MeasurementEvent(EventBase):
    """A measured value that left its deadband; `value` is exact as read."""

    kind: Literal["measurement"] = "measurement"
    characteristic: Code
    value: str = Field(description="decimal text, or a state word for text tags")
    unit: str = ""


class AlarmEvent(EventBase):
    """An alarm raised or cleared. Severity follows OPC UA, 1 to 1000."""

    kind: Literal["alarm"] = "alarm"
    code: str
    active: bool
    severity: int = Field(default=500, ge=0, le=1000)
    text: str = ""


class OrderAspect(StrEnum):
    """What an order event tells of a station's context."""

    ORDER = "order"
    OPERATION = "operation"
    BATCH = "batch"
    SERIAL = "serial"
    RUN = "run"


class OrderEvent(EventBase):
    """The context a station works in changed from `at` on; an empty value means nothing is assigned.

    A `run` is one pass of an operation over one piece where the source knows such passes (machine tools); an empty
    run value ends it.
    """

    kind: Literal["order"] = "order"
    aspect: OrderAspect
    value: str = ""


class ReasonEvent(EventBase):
    """The reject reason, or the station that caused it, valid from `at` on for the station's next rejects."""

    kind: Literal["reason"] = "reason"
    aspect: Literal["reason", "origin"] = "reason"
    value: str = ""


class OperatorEvent(EventBase):
    """An operator's input at the machine: log-on, manual quantity, comment."""

    kind: Literal["operator"] = "operator"
    operator: str
    input: str = ""


class ProgramEvent(EventBase):
    """A machine tool's program name or its execution word (MTConnect `program`, `execution`)."""

    kind: Literal["program"] = "program"
    aspect: Literal["name", "status"]
    value: str


class GapEvent(EventBase):
    """Nothing is known between `gap_from` and `at`: lost session, queue overflow, unrecorded time."""

    kind: Literal["gap"] = "gap"
    gap_from: UtcTime | None = None
    reason: str


class MaterialLoadedEvent(EventBase):
    """A component lot was loaded at a position; it is consumed until the next lot is loaded there."""

    kind: Literal["material_loaded"] = "material_loaded"
    material: str
    lot: str
    quantity: Amount | None = None
    unit: str = ""


class MaterialConsumedEvent(EventBase):
    """Consumption measured by a scale or totaliser (running total)."""

    kind: Literal["material_consumed"] = "material_consumed"
    material: str
    lot: str | None = None
    total: Amount
    unit: str


class PieceIdentifiedEvent(EventBase):
    """A piece was identified by its serial number."""

    kind: Literal["piece"] = "piece"
    serial: str


MachineEvent = Annotated[
    StateEvent
    | CountEvent
    | MeasurementEvent
    | AlarmEvent
    | OrderEvent
    | ReasonEvent
    | OperatorEvent
    | ProgramEvent
    | GapEvent
    | MaterialLoadedEvent
    | MaterialConsumedEvent
    | PieceIdentifiedEvent,
    Field(discriminator="kind"),
]


class SequencedEvent(Message):
    """An event with the number that the edge log gave it (gapless per source, from 1)."""

    seq: int = Field(ge=1)
    event: MachineEvent


class EventBatch(Message):
    """What one update carries to the Line: at most 200 events or 64 KB (design section 2)."""

    source: Code = Field(description="gateway, line and identity of the edge log file")
    first_seq: int = Field(ge=1, description="first number of the batch; for an empty one the next to come")
    last_seq: int = Field(ge=0, description="last number; first_seq - 1 for an empty batch")
    oldest_seq: int = Field(default=1, ge=1, description="oldest number the sender could still send")
    watermark: UtcTime | None = Field(default=None, description="no event of this source before it is to come")
    sent_at: UtcTime | None = Field(default=None, description="plant time of sending, by the edge's clock")
    events: tuple[SequencedEvent, ...] = ()


class BatchReceipt(Message):
    """The Line's answer. `applied` is false when earlier numbers are missing: send again from `high_water` + 1."""

    high_water: int
    applied: bool
    duplicates: int = 0
