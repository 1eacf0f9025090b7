"""The message queue of the MES integration: sending into it, and what its events say of a message.

SendMessage only enqueues; a batch job tries three times. The outcome comes as a business event with the whole content,
which is all there is to recognise it by (reference erp.md 3.3). The queue itself cannot be read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any

from erp.dynamics.client import DynamicsClient
from erp.dynamics.contents import Outgoing
from erp.dynamics.infolog import Meaning, errors_in, lines_of, meaning_of
from erp.dynamics.settings import MESSAGE_PROCESSED, SEND_MESSAGE, DynamicsSettings
from erp.port import ErpEvent, ErpEvents, SendGuard
from signals.documents import Snapshot

CLOCK_TOLERANCE = timedelta(seconds=120)
"""Dynamics's clock may be behind ours by this; older events are another message's."""
RECEIPT_LENGTH = 200
KNOWN_EVENTS = "events"
"""Figure of a snapshot: ids of events with the same content that were there before the request."""


@dataclass(frozen=True)
class Verdict:
    """What became of a message, by its newest event."""

    state: str
    event_id: str
    infolog: str = ""

    @property
    def warnings(self) -> tuple[str, ...]:
        return lines_of(self.infolog)

    @property
    def meaning(self) -> Meaning:
        return meaning_of(self.infolog)

    @property
    def told(self) -> str:
        return errors_in(self.infolog) or self.infolog or "no infolog came with the event"


@dataclass(frozen=True)
class Blocked:
    """A message of the order that failed and that nothing was processed after: it holds up all later ones."""

    event_id: str
    message_type: str
    infolog: str = field(repr=False, default="")


class MessageQueue:
    """Messages of one plant."""

    def __init__(self, client: DynamicsClient, settings: DynamicsSettings, events: ErpEvents | None) -> None:
        self._client = client
        self._options = settings.dynamics
        self._events = events

    @property
    def hears(self) -> bool:
        """Whether events reach us at all."""
        return self._events is not None

    async def send(self, message: Outgoing, guard: SendGuard) -> str:
        """Enqueue a message; what the service answered, for people: a success is undocumented and proves enqueueing."""
        body = {
            "_companyId": self._options.company,
            "_messageQueue": self._options.queue,
            "_messageType": message.type,
            "_messageContent": message.text,
        }
        answer = await self._client.service(SEND_MESSAGE, body, guard)
        return f"queued in {self._options.queue}" + (f": {answer[:RECEIPT_LENGTH]}" if answer not in ("", '""') else "")

    async def known(self, message: Outgoing) -> str:
        """Ids of the events that have this content already, as the figure of a snapshot."""
        return " ".join(event.event_id for event, _ in await self._events_with(message))

    async def verdict(self, message: Outgoing, before: Snapshot) -> Verdict | None:
        """The newest event of this message, or None. Processed and Canceled are final, Failed may be requeued."""
        assert before.sent_at is not None
        old = set(before.figures.get(KNOWN_EVENTS, "").split())
        since = before.sent_at - CLOCK_TOLERANCE
        ours = [
            (event, body)
            for event, body in await self._events_with(message)
            if event.event_id not in old and event.at is not None and event.at >= since
        ]
        if not ours:
            return None
        final = [pair for pair in ours if _state(pair[1]) in ("processed", "canceled")]
        event, body = (final or ours)[-1]
        return Verdict(_state(body), event.event_id, _infolog(body))

    async def blocked_by(self, order: str) -> Blocked | None:
        """The failed message at the head of the order's queue, as far as events tell."""
        head: Blocked | None = None
        for event in await self._all_of(order):
            body = _json(event.body)
            if _state(body) == "failed":
                head = head or Blocked(event.event_id, str(body.get("MessageType") or ""), _infolog(body))
            elif _state(body) in ("processed", "canceled"):
                head = None
        return head

    async def _all_of(self, order: str) -> list[ErpEvent]:
        if self._events is None:
            return []
        return list(await self._events.events_of(order, MESSAGE_PROCESSED, None))

    async def _events_with(self, message: Outgoing) -> list[tuple[ErpEvent, dict[str, Any]]]:
        pairs = [(event, _json(event.body)) for event in await self._all_of(message.order)]
        return [(event, body) for event, body in pairs if self._is_of_us(body) and _carries(body, message)]

    def _is_of_us(self, body: dict[str, Any]) -> bool:
        company = str(body.get("MessageSourceCompanyId") or body.get("BusinessEventLegalEntity") or "")
        queue = str(body.get("MessageQueue") or "")
        same_company = not company or company.lower() == self._options.company.lower()
        return same_company and (not queue or queue.lower() == self._options.queue.lower())


def _carries(body: dict[str, Any], message: Outgoing) -> bool:
    """Whether the event's content is this message's: all members alike, whatever their order and spelling of numbers.

    A member for correlation that did not survive is no reason to differ; one that holds another key is.
    """
    if str(body.get("MessageType") or message.type) != message.type:
        return False
    told = _json(body.get("MessageContent"))
    ours = _json(message.text)
    if message.member and message.member not in told:
        ours = {name: value for name, value in ours.items() if name != message.member}
    return bool(told) and told == ours


def _json(text: object) -> dict[str, Any]:
    try:
        found = json.loads(str(text or ""), parse_float=Decimal)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _state(body: dict[str, Any]) -> str:
    """Lower case, `canceled` in either spelling."""
    state = str(body.get("MessageState") or "").lower()
    return "canceled" if state == "cancelled" else state


def _infolog(body: dict[str, Any]) -> str:
    told = body.get("MessageInfolog") or body.get("MessageProcessingResult") or ""
    if isinstance(told, list):
        return "; ".join(str(line) for line in told)
    return str(told)
