"""What workflows answer when asked how things stand: status of an order and of a line, for people and programs."""

from __future__ import annotations

from pydantic import Field

from signals.base import ZERO, Amount, Message, UtcTime
from signals.decisions import PostingMode
from signals.documents import Case
from signals.orders import OrderPhase
from signals.packml import MachineState


class OperationStatus(Message):
    """Quantities of one operation: reported by the line, posted by us."""

    operation: str
    planned: Amount = ZERO
    unit: str = ""
    reported_yield: Amount = ZERO
    reported_scrap: Amount = ZERO
    reported_rework: Amount = ZERO
    posted_yield: Amount = ZERO
    posted_scrap: Amount = ZERO
    posted_rework: Amount = ZERO
    ended: bool = False
    final: bool = False
    waits_for: str = ""


class OrderStatus(Message):
    """An order as its workflow sees it now."""

    plant: str
    order: str
    phase: OrderPhase
    mode: PostingMode
    material: str = ""
    operations: tuple[OperationStatus, ...] = ()
    cases: tuple[Case, ...] = ()
    pending_reports: int = 0
    erp: str = "up"
    next_try_at: UtcTime | None = None
    postings: int = Field(default=0, description="settled by this workflow, over all its runs")
    busy: bool = Field(default=False, description="something will happen without anybody doing anything")
    locked: bool = Field(default=False, description="locked in the ERP: nothing new is posted until it is free again")
    erp_changes: tuple[str, ...] = Field(default=(), description="what the ERP changed of the order, latest last")
    waiting_approval: tuple[str, ...] = Field(default=(), description="keys of postings that wait for approval")
    holds: tuple[str, ...] = Field(default=(), description="open quality holds on the order")


class StationStatus(Message):
    """A station as the Line sees it."""

    station: str
    state: MachineState
    since: UtcTime | None = None
    order: str = ""
    operation: str = ""
    batch: str = ""
    counters: dict[str, int] = Field(default_factory=dict)


class LineStatus(Message):
    """A line as its workflow sees it now."""

    plant: str
    line: str
    watermark: UtcTime | None = None
    high_water: dict[str, int] = Field(default_factory=dict)
    stations: tuple[StationStatus, ...] = ()
    open_pieces: Amount = ZERO
    outbox: int = 0
    checks: int = 0
    parked: int = 0
    revision: int = 0
    applied_events: int = 0
