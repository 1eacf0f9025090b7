"""The ledger's outbox of notifications, as activities and the console ask for it. `ledger.notifications` answers."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from signals.notify import Delivery, Notification


class NotificationLedger(Protocol):
    """Who was told what, and by which channel it came through."""

    async def record_notification(self, notification: Notification, channels: Collection[str]) -> list[Delivery]:
        """Store it with a pending delivery per channel, once per id. Returns how its deliveries stand.

        The first text of an id stays; channels that were not asked before are added.
        """
        ...

    async def claim_delivery(self, plant: str, notification: str, channel: str, until: datetime) -> bool:
        """Begin an attempt: False where it is over, or where another attempt has it and its time is not up."""
        ...

    async def note_delivery(
        self, plant: str, notification: str, channel: str, *, delivered: bool, final: bool = False, error: str = ""
    ) -> None:
        """End an attempt: delivered, refused for good (`final`), or to be tried again. A delivered one stays so."""
        ...

    async def deliveries(self, plant: str, notification: str) -> list[Delivery]: ...

    async def notifications(
        self, plant: str, *, roles: Collection[str] = (), user: str = "", limit: int = 50
    ) -> list[Notification]:
        """The latest first; those addressed to any of the roles or to the user, all where neither is given."""
        ...
