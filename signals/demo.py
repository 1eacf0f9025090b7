"""What a demo shows of itself: its line, three sets of books, its processes. The demo fills it, a console draws it."""

from __future__ import annotations

from pydantic import Field

from signals.base import ZERO, Amount, Code, Message, UtcTime


class DemoPieces(Message):
    """Good and scrapped pieces in one set of books."""

    good: Amount = ZERO
    scrap: Amount = ZERO

    @property
    def total(self) -> Amount:
        return self.good + self.scrap


class DemoFigures(Message):
    """One operation of an order: what the machine really made, what Plantwright knows, what the ERP believes."""

    order: Code
    operation: Code
    phase: str = ""
    planned: Amount = ZERO
    machine: DemoPieces = DemoPieces()
    plantwright: DemoPieces = DemoPieces()
    erp: DemoPieces = DemoPieces()

    @property
    def behind(self) -> Amount:
        """Pieces that the machine has made and the ERP does not know."""
        return self.machine.total - self.erp.total


class DemoStation(Message):
    """A station of the line, from the line itself. `in_line` are pieces that entered it and were not judged yet."""

    name: str
    state: str
    order: str = ""
    batch: str = ""
    good: int = 0
    reject: int = 0
    in_line: int = 0


class DemoProcess(Message):
    """A process of the demo."""

    name: str
    alive: bool
    what: str = Field(default="", description="what it is for, in a few words")


class DemoHold(Message):
    """A quality hold as the ledger has it."""

    hold: Code
    state: str
    reason: str = ""
    quantity: Amount = ZERO
    unit: str = ""
    erp: str = ""


class DemoView(Message):
    """Everything at one moment. `at` is wall time, seconds are wall seconds."""

    at: UtcTime
    seconds: float
    erp_title: str
    erp_up: bool
    erp_away_seconds: float = 0
    stations: tuple[DemoStation, ...] = ()
    figures: tuple[DemoFigures, ...] = ()
    processes: tuple[DemoProcess, ...] = ()
    holds: tuple[DemoHold, ...] = ()
    open_cases: int = 0
    hand_entries: int = Field(default=0, description="open cases about entries by hand, which `adopt` decides")
    happened: tuple[str, ...] = Field(default=(), description="latest last")
    finished: bool = Field(default=False, description="the line has made everything")
    closed: bool = Field(default=False, description="all orders are closed")

    @property
    def totals(self) -> tuple[Amount, Amount, Amount]:
        """Pieces over all operations: machine, Plantwright, ERP."""
        sides = [(f.machine.total, f.plantwright.total, f.erp.total) for f in self.figures]
        return sum((s[0] for s in sides), ZERO), sum((s[1] for s in sides), ZERO), sum((s[2] for s in sides), ZERO)

    @property
    def planned(self) -> Amount:
        """Pieces over all operations that the orders ask for."""
        return sum((f.planned for f in self.figures), ZERO)

    @property
    def agree(self) -> bool:
        """All three sets of books say the same of every operation."""
        return all(f.machine == f.plantwright == f.erp for f in self.figures)
