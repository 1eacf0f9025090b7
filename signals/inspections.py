"""Inspection results as they come in: what one inspection says of one piece, and what became of it.

Times are the source's where it names any. A piece without a serial number is nobody's: it never releases.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from signals.base import Code, Message
from signals.holds import InspectionOutcome


class Verdict(StrEnum):
    """What the inspection says. `disputed`: its own statements about the piece contradict each other."""

    PASSED = "passed"
    FAILED = "failed"
    DISPUTED = "disputed"


class InspectedPiece(Message):
    """One piece of one inspection, as the ledger keeps it. `outcome.inspection` is its identity."""

    plant: Code
    document: Code = Field(description="identity of what it came in: a file's content, an API request, a tag's event")
    verdict: Verdict
    outcome: InspectionOutcome
    hint: str = Field(default="", description="what else the source says about which piece it is, for people")
    failed_count: int = Field(default=0, ge=0, description="characteristics out of tolerance")
    result_count: int = Field(default=0, ge=0, description="characteristics measured")


class PieceState(StrEnum):
    """What became of an inspected piece: it may go on, it is held, or a person has to say which piece it is."""

    PASSED = "passed"
    HELD = "held"
    PARKED = "parked"
