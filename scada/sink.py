"""Where the forwarder sends batches: Temporal in production, a file for a dry run, a list in tests."""

from __future__ import annotations

from typing import Protocol

from signals.events import BatchReceipt, EventBatch


class SinkUnavailable(Exception):
    """The receiver did not answer; the batch stays in the log and is sent again."""


class Sink(Protocol):
    """Receives batches at least once, in order, one in flight per source."""

    async def send(self, batch: EventBatch) -> BatchReceipt:
        """Deliver one batch. Raises SinkUnavailable when nobody knows whether it arrived."""
        ...
