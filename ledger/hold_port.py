"""What is asked of the ledger about quality holds: opened in one transaction, recorded, searched, blocking."""

from __future__ import annotations

from typing import Protocol

from pydantic import Field

from signals.base import Code, Message
from signals.holds import Block, HoldRecord, HoldSearch, HoldTrigger


class OpenedHold(Message):
    """Where a trigger went. The same trigger is always answered alike, only `news` is False from then on."""

    hold: Code
    created: bool = Field(description="the trigger made this hold; else it was added to an open one")
    news: bool = Field(description="the ledger did not know the trigger before")
    reopens: str = Field(default="", description="the closed hold of the same scope that it follows")


class HoldLedger(Protocol):
    """Holds of one or more plants."""

    async def open_hold(self, trigger: HoldTrigger) -> OpenedHold:
        """Give the trigger a hold, and block its scope, in one transaction.

        An open hold of the same plant, line, order, operation, batch and material takes the trigger in; else a new
        one is made, which has its id from the trigger. The block is widened by what the trigger names.
        """
        ...

    async def record_hold(self, record: HoldRecord) -> bool:
        """Store what the hold's workflow says; all history entries are kept; the block ends when the hold is over.

        False, and nothing is stored, where the ledger has a newer revision, or where the record ends the hold
        without knowing all of its triggers (`HoldRecord.triggers`): a reason that came in the last moment.
        """
        ...

    async def hold(self, plant: str, hold: str) -> HoldRecord | None:
        """A hold with its whole history; None for an unknown one."""
        ...

    async def holds(self, plant: str, search: HoldSearch) -> list[HoldRecord]:
        """Holds that fit, by deadline (those without one last), without their history."""
        ...

    async def hold_triggers(self, plant: str, hold: str) -> list[HoldTrigger]:
        """A hold's triggers in the order in which the ledger took them."""
        ...

    async def blocks(self, plant: str, *, order: str = "", material: str = "", batch: str = "") -> list[Block]:
        """Active blocks that could concern these; what is empty does not restrict, on either side."""
        ...
