"""Notifications: people are told that something waits for them. What is told lives in the inbox too; this only rings.

`id` is the identity: the same id again is delivered nowhere twice.
"""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from signals.base import Code, Message, UtcTime


class NotificationKind(StrEnum):
    """What happened; each has one template per language (domain.notification_texts)."""

    HOLD_OPENED = "hold_opened"
    HOLD_ESCALATED = "hold_escalated"
    SECOND_SIGNATURE = "second_signature"
    HOLD_CLOSED = "hold_closed"
    CASE_ESCALATED = "case_escalated"
    STOP_ESCALATED = "stop_escalated"
    HANDOVER = "handover"


class Notification(Message):
    """Somebody is to be told. Addressed to roles and users; the plant file says which channels reach them.

    `facts` fill the template: `subject` (hold, case or stop), `what` (one sentence), and where known `order`,
    `material`, `batch`, `quantity`, `line`, `owner`, `due`, `by`, `result`. Never secrets: facts go by mail.
    """

    id: str = Field(min_length=1, max_length=160, description="for example hold:H-1:opened; not an attempt number")
    plant: Code
    kind: NotificationKind
    roles: tuple[str, ...] = ()
    users: tuple[str, ...] = Field(default=(), description="logins; beside the roles")
    facts: dict[str, str] = Field(default_factory=dict)
    severity: int = Field(default=3, ge=1, le=4, description="1 is the most urgent")
    link: str = Field(default="", description="path among the plant's pages at the console, for example /holds/H-1")
    at: UtcTime


class DeliveryState(StrEnum):
    """Where the delivery by one channel stands."""

    PENDING = "pending"
    SENDING = "sending"
    DELIVERED = "delivered"
    REFUSED = "refused"


class Delivery(Message):
    """One notification by one channel, as the ledger remembers it. `error` never holds an address's secret."""

    channel: Code
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    error: str = ""
    delivered_at: UtcTime | None = None


class ToldPeople(Message):
    """How a notification stands by each of its channels."""

    id: str
    deliveries: tuple[Delivery, ...] = ()

    @property
    def is_over(self) -> bool:
        """Nothing is left to try."""
        return all(d.state in (DeliveryState.DELIVERED, DeliveryState.REFUSED) for d in self.deliveries)
