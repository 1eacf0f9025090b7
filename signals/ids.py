"""Names and keys that several processes must derive alike: workflow ids, task queues, event ids, posting keys.

All are pure functions of business facts: never an attempt number, never the wall clock (design section 3).
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime

POSTING_NAMESPACE = uuid.UUID("6c1a3f0e-6f0b-5d53-9a55-0d7a8a3a8c11")
"""Namespace of all posting keys; changing it would make every earlier posting unknown."""


def _digest(parts: Iterable[str]) -> bytes:
    joined = "\x1f".join(parts)
    return hashlib.sha256(joined.encode()).digest()


def short_hash(*parts: str, length: int = 16) -> str:
    """Base32 of a SHA-256 over the parts, lower case; 16 characters carry 80 bits."""
    return base64.b32encode(_digest(parts)).decode().lower()[:length]


def time_text(at: datetime) -> str:
    """The one spelling of an instant inside ids: UTC, microseconds."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def event_id(server_uri: str, node: str, source_time: str, status: str, value: str) -> str:
    """Identity of one reading: what republishing, re-subscribing or replaying repeats, has the same id.

    `source_time` is the source's own text (recordings carry 100 ns, more than a datetime holds).
    """
    return short_hash(server_uri, node, source_time, status, value, length=26)


def line_workflow_id(plant: str, line: str) -> str:
    return f"line:{plant}:{line}"


def order_workflow_id(plant: str, order: str) -> str:
    return f"order:{plant}:{order}"


def handover_workflow_id(plant: str, shift: str) -> str:
    """One per shift; `shift` is its label, `2026-11-22/early`."""
    return f"handover:{plant}:{shift}"


def handover_tick_id(plant: str) -> str:
    """The schedule that looks for shifts to hand over, and its workflow."""
    return f"handover-tick:{plant}"


def intake_workflow_id(plant: str) -> str:
    return f"order-intake:{plant}"


def exception_workflow_id(plant: str, posting_key: uuid.UUID | str) -> str:
    """One per posting that was refused or whose fate is unknown."""
    return f"erp-exception:{plant}:{posting_key}"


def hold_workflow_id(plant: str, hold: str) -> str:
    """One per quality hold; the ledger gives the hold its id."""
    return f"hold:{plant}:{hold}"


def hold_id(plant: str, trigger: str) -> str:
    """Identity of the hold that a trigger makes: 12 characters base32."""
    return short_hash(plant, "hold", trigger, length=12)


def downtime_workflow_id(plant: str, line: str, stop: str) -> str:
    """One per stop that outlives the micro-stop threshold; the start's instant is part of the stop's id."""
    return f"downtime:{plant}:{line}:{stop}"


def stop_id(started_at: datetime) -> str:
    """Identity of a stop on its line: its start, UTC, to the microsecond: `20261122T061500.250000Z`."""
    return started_at.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")


def notification_workflow_id(plant: str, notification: str) -> str:
    """One per notification: the same one again is told once."""
    return f"notify:{plant}:{notification}"


def compensation_workflow_id(plant: str, subject: str) -> str:
    """`subject` is a void order, or the key of the posting whose business step is taken back."""
    return f"compensation:{plant}:{subject}"


def plant_task_queue(plant: str) -> str:
    """Workflows, ledger and notification work of a plant."""
    return f"plantwright.{plant}"


def erp_task_queue(plant: str) -> str:
    """Postings and other calls to the plant's ERP."""
    return f"plantwright.{plant}.erp"


def edge_task_queue(plant: str, line: str) -> str:
    """Read-only questions to the machines, answered by the line's edge gateway (it polls, nobody dials in)."""
    return f"plantwright.{plant}.edge.{line}"


def report_id(plant: str, line: str, order: str, operation: str, ranges: Iterable[str], part: str) -> str:
    """Identity of a production report: the source sequence ranges it was made of and what it says of them."""
    return short_hash(plant, line, order, operation, *sorted(ranges), part, length=26)


def posting_key(
    plant: str, order: str, operation: str, transaction_type: str, report_ids: Iterable[str], revision: int
) -> uuid.UUID:
    """The key of a posting (design section 3): fixed at the claim, UUIDv5 for the ERP's GUID fields."""
    name = "\x1f".join([plant, order, operation, transaction_type, *sorted(report_ids), str(revision)])
    return uuid.uuid5(POSTING_NAMESPACE, name)


def short_key(key: uuid.UUID) -> str:
    """The same key for short reference fields: 16 characters base32, upper case, 80 bits."""
    return base64.b32encode(hashlib.sha256(key.bytes).digest()).decode()[:16]


def case_id(plant: str, order: str, kind: str, subject: str) -> str:
    """Identity of a case: the same trouble found twice is one case."""
    return short_hash(plant, order, kind, subject)


def parked_item_id(plant: str, kind: str, *evidence: str) -> str:
    """Identity of a parked item, derived from its evidence, so that it is the same in every run."""
    return short_hash(plant, kind, *evidence)
