"""Production reports: verified quantities that a Line hands to a production order, and what it could not verify.

A report never crosses operation, batch, component lot, reason, person, shift or posting date (design section 4).
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from pydantic import Field, model_validator

from signals.base import ZERO, Amount, Code, Message, UtcTime


class SourceRange(Message):
    """Sequence numbers of one source, both ends included."""

    source: str
    first_seq: int
    last_seq: int

    def text(self) -> str:
        return f"{self.source}:{self.first_seq}-{self.last_seq}"


class Evidence(Message):
    """Why a quantity is believed: the named, versioned rule and what it looked at."""

    rule: str = Field(description="rule id and version, for example counter-increment/1")
    detail: str = ""
    counter: str = ""
    from_total: int | None = None
    to_total: int | None = None
    event_ids: tuple[str, ...] = ()


class ReportBucket(Message):
    """What one report, and one posting, may not mix."""

    order: Code
    operation: Code
    batch: str = ""
    component_lot: str = ""
    component_material: str = ""
    reason: str = ""
    reason_origin: str = ""
    person: str = ""
    shift: str = ""
    posting_date: date


class ProductionReport(Message):
    """Verified production of one bucket within a window of event time."""

    report_id: str
    plant: Code
    line: Code
    number: int = Field(ge=1, description="numbered per line and order; the order keeps the high-water")
    bucket: ReportBucket
    yield_quantity: Amount = ZERO
    scrap_quantity: Amount = ZERO
    rework_quantity: Amount = ZERO
    unit: Code
    first_at: UtcTime
    last_at: UtcTime
    machine_seconds: Amount = ZERO
    serials: tuple[str, ...] = ()
    ranges: tuple[SourceRange, ...] = ()
    evidence: tuple[Evidence, ...] = ()

    @model_validator(mode="after")
    def _one_reason_one_window(self) -> ProductionReport:
        if self.last_at < self.first_at:
            raise ValueError(f"report {self.report_id}: its window ends before it starts")
        return self


class OperationEnd(Message):
    """The Line says: up to the watermark, this operation of the order has left its station.

    It is no final confirmation by itself; the order decides that (design section 4: final means final).
    """

    plant: Code
    line: Code
    number: int = Field(ge=1, description="from the same numbering as the reports")
    order: Code
    operation: Code
    ended_at: UtcTime
    watermark: UtcTime
    in_line: int = Field(default=0, description="pieces that entered the station and did not leave it")
    second_evidence: str = Field(default="", description="agrees, unavailable, `differs: …`, or empty where not asked")


class HandOver(Message):
    """The Line's answer to a request to hand over: all it had counted for the order up to the watermark was sent."""

    plant: Code
    line: Code
    number: int = Field(ge=1)
    order: Code
    watermark: UtcTime | None = None


class LineMessage(Message):
    """One entry of the Line's outbox; exactly one of its parts is set."""

    report: ProductionReport | None = None
    operation_end: OperationEnd | None = None
    hand_over: HandOver | None = None

    @property
    def content(self) -> ProductionReport | OperationEnd | HandOver:
        """The part that is set."""
        found = self.report or self.operation_end or self.hand_over
        if found is None:
            raise ValueError("a Line message without content")
        return found

    @property
    def order(self) -> str:
        content = self.content
        return content.bucket.order if isinstance(content, ProductionReport) else content.order

    @property
    def line(self) -> str:
        return self.content.line

    @property
    def number(self) -> int:
        return self.content.number


class ParkedWhy(StrEnum):
    """Why something waits for a person; each with a text in docs/errors.md."""

    NO_ORDER = "no_order"
    ORDER_NOT_RUNNING = "order_not_running"
    UNKNOWN_OPERATION = "unknown_operation"
    OTHER_PLANT = "other_plant"
    IMPLAUSIBLE_COUNT = "implausible_count"
    COUNTER_RESET = "counter_reset"
    EVIDENCE_DISAGREES = "evidence_disagrees"
    RUN_INCOMPLETE = "run_incomplete"
    EVENT_FROM_THE_FUTURE = "event_from_the_future"
    BAD_QUALITY = "bad_quality"
    OVERFLOW = "overflow"
    LATE_EVENT = "late_event"
    BEYOND_TOLERANCE = "beyond_tolerance"
    UNIT_MISMATCH = "unit_mismatch"
    GAP = "gap"
    OVERLAPPING_REPORT = "overlapping_report"
    NO_SERIAL = "no_serial"


class ParkedItem(Message):
    """Production or evidence that nobody may guess about. `item` derives from the evidence: the same in every run."""

    item: str
    plant: Code
    line: str = ""
    order: str = ""
    operation: str = ""
    why: ParkedWhy
    detail: str
    at: UtcTime
    yield_quantity: Amount = Field(default=ZERO, description="what accepting it would count as yield")
    scrap_quantity: Amount = ZERO
    unit: str = ""
    batch: str = ""
    serial: str = ""
    evidence: tuple[Evidence, ...] = ()
    ranges: tuple[SourceRange, ...] = ()

    @property
    def counts_pieces(self) -> bool:
        """Whether a Line waits for the decision. A piece of an inspection was counted elsewhere."""
        return self.why is not ParkedWhy.NO_SERIAL


class Refusal(Message):
    """Evidence that a named rule settled without a person: nothing is counted for it."""

    rule: str
    at: UtcTime
    order: str = ""
    operation: str = ""
    serial: str = ""
    detail: str
    event_ids: tuple[str, ...] = ()
