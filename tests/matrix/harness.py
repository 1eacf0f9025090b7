"""Every canonical transaction under every fault mode, judged by the simulator's own books.

A world is one ERP: its simulator, its adapter, its scenes. The posting procedure runs with a clock that only the test
moves and a ledger of its own; what counts is what changed in the ERP's books, names left out: exactly what one
undisturbed posting changes, or nothing.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol
from uuid import UUID, uuid4

from activities.posting import PostingDraft, PostingProcedure, SettleResult
from erp.port import ErpPort, FoundBy, ReversedBy
from ledger.port import LedgerPort
from signals.documents import CaseKind, PostingState
from signals.transactions import ConfirmProduction, PostingIntent, Reverse, Transaction, TransactionType

TIMEOUT, SETTLE, MOVEMENT_WAIT = 10.0, 60.0, 30.0
MOST_ATTEMPTS = 120

MODES: dict[str, tuple[dict[str, Any], ...]] = {
    "none": (),
    "refuse": ({"mode": "refuse", "calls": 2},),
    "timeout_before_commit": ({"mode": "timeout_before_commit", "calls": 1, "seconds": 0},),
    "timeout_after_commit": ({"mode": "timeout_after_commit", "calls": 1, "seconds": 0},),
    "error_after_commit": ({"mode": "error_after_commit", "calls": 1},),
    "business_error": ({"mode": "business_error", "calls": 1},),
    "partial": ({"mode": "partial", "calls": 1},),
    "duplicate_answer": ({"mode": "duplicate_answer", "calls": 1},),
    "slow": ({"mode": "slow", "calls": 1, "seconds": 0.05},),
    "throttle": ({"mode": "throttle", "calls": 1, "retry_after": 1},),
    "forget_keys": ({"mode": "forget_keys"}, {"mode": "timeout_after_commit", "calls": 1, "seconds": 0}),
    "key_not_searchable": ({"mode": "key_not_searchable"}, {"mode": "timeout_after_commit", "calls": 1, "seconds": 0}),
    "down": ({"mode": "down", "calls": 3},),
}
"""Faults a case switches on, by the name of its mode; all that change state are limited, so that a case ends."""


class World(Protocol):
    """One ERP with its simulator."""

    name: str
    erp: ErpPort

    async def books(self) -> dict[str, Any]: ...

    async def fault(self, **fault: Any) -> None: ...

    async def heal(self) -> None:
        """No faults, settings as new, and no patience left over from a throttle."""
        ...

    async def quiet(self) -> None:
        """What the ERP has accepted it has also processed."""
        ...

    async def person_clears_the_way(self) -> None:
        """What a person does in the ERP before a refused posting is tried again."""
        ...

    async def person_finishes(self, tag: str) -> None:
        """What a person does in the ERP about a posting that it has accepted and left lying."""
        ...


@dataclass(frozen=True)
class Scene:
    """One way to use a transaction. `build` seeds what it needs under names that hold `tag`, and returns it."""

    name: str
    type: TransactionType
    build: Callable[[Any, str], Awaitable[Transaction]]

    def __str__(self) -> str:
        return self.name


class Clock:
    """Stands still until the test moves it."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def now(self) -> datetime:
        return self.at

    def reach(self, at: datetime) -> None:
        self.at = max(self.at, at)


Effect = Mapping[tuple[str, ...], Decimal]
_AMOUNT = re.compile(
    r"quantity|yield|scrap|rework|withdrawn|received|confirmed|issued|unrestricted|blocked|utili[sz]ation|capacit"
    r"|percent|hours|good|error|started|remaining|amount|usage|efficiency|restricted|defects",
    re.IGNORECASE,
)
"""Fields whose numbers are amounts; other numbers name things."""
_NAMES_A_THING = re.compile(
    r"(^|_)(id|at|key|time|date|text|note|user|number|etag|mark|document|reference|voucher|link|stamp|confirmation)s?$|\d{5,}",
    re.IGNORECASE,
)
"""Fields and values that two postings of the same thing do not share."""
_BY_WHOM = "manual"
"""What a person finishes in the ERP is the same effect."""


def figures(books: Mapping[str, Any], tag: str) -> Counter[tuple[str, ...]]:
    """All that a book's lists say of things named with `tag`: rows counted, numbers summed, by what identifies them."""
    sums: Counter[tuple[str, ...]] = Counter()
    for name, rows in books.items():
        if isinstance(rows, list) and name not in IGNORED:
            for row in rows:
                if isinstance(row, dict) and tag in str(row):
                    _add_row(sums, (name,), row, tag)
    return sums


IGNORED = frozenset({"locks", "messages", "events", "pending_goods_movements", "calls"})


def _add_row(sums: Counter[tuple[str, ...]], place: tuple[str, ...], row: Mapping[str, Any], tag: str) -> None:
    words = {k: str(v).replace(tag, "#") for k, v in row.items() if isinstance(v, (str, bool)) and _number(v) is None}
    words.pop(_BY_WHOM, None)
    labels = [f"{k}={v}" for k, v in words.items() if not _NAMES_A_THING.search(k) and not _NAMES_A_THING.search(v)]
    where = (*place, *sorted(labels))
    sums[(*where, "rows")] += Decimal(1)
    for field_name, value in row.items():
        names = not _AMOUNT.search(field_name) or _NAMES_A_THING.search(str(value))
        number = None if names else _number(value)
        if number is not None:
            sums[(*where, field_name)] += number
        elif isinstance(value, list) and field_name != "goods_movements":
            for part in value:
                if isinstance(part, dict):
                    _add_row(sums, (*where[:1], field_name), part, tag)
        elif isinstance(value, dict):
            for part in value.values():
                if isinstance(part, dict):
                    _add_row(sums, (*where[:1], field_name), part, tag)


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or value is None:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def change(before: Counter[tuple[str, ...]], after: Counter[tuple[str, ...]]) -> dict[tuple[str, ...], Decimal]:
    """What is different after, in figures."""
    places = {*before, *after}
    differences = {place: Decimal(after[place]) - Decimal(before[place]) for place in places}
    return {place: value for place, value in differences.items() if value}


def quantities(effect: Effect) -> dict[tuple[str, ...], Decimal]:
    """Only what a reversal must bring back to zero: figures of orders and stock, no counts of rows and documents."""
    return {p: v for p, v in effect.items() if p[0] in ("orders", "stock", "holds") and p[-1] != "rows"}


@dataclass
class Run:
    """One posting driven to its end."""

    world: World
    ledger: LedgerPort
    tag: str
    clock: Clock = field(default_factory=Clock)
    states: list[PostingState] = field(default_factory=list)
    _tokens: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def worker(self) -> PostingProcedure:
        """Fresh for every attempt, as after a restart."""
        return PostingProcedure(
            self.world.erp,
            self.ledger,
            now=self.clock.now,
            new_token=lambda: f"token-{next(self._tokens)}-{uuid4().hex[:6]}",
            timeout_seconds=TIMEOUT,
            settle_seconds=SETTLE,
            retry_seconds=(1, 2, 5),
            goods_movement_wait_seconds=MOVEMENT_WAIT,
        )

    def draft(self, transaction: Transaction) -> PostingDraft:
        key = uuid4()
        intent = PostingIntent(key=key, transaction=transaction, report_ids=(f"report-{key}",))
        return PostingDraft(plant=transaction.plant, intent=intent)

    async def settle(self, draft: PostingDraft) -> SettleResult:
        """As a workflow does: ask, wait for `next_try_at`, ask again; then look after what follows.

        What the ERP has accepted and leaves lying is finished there by a person, once a case has told of it.
        """
        for _ in range(MOST_ATTEMPTS):
            result = await self.worker().settle(draft)
            self.states = [o.state for o in result.outcomes]
            if result.next_try_at is None:
                await self.verified(draft.intent.key)
                return result
            if any(case.kind is CaseKind.ERP_PENDING for case in result.cases):
                await self.world.person_finishes(self.tag)
            await self.world.quiet()
            self.clock.reach(result.next_try_at)
        raise AssertionError(f"not settled after {MOST_ATTEMPTS} attempts: {result}")

    async def verified(self, key: UUID) -> None:
        """Follow-ups are settled and goods movements seen, or a case says what is missing."""
        for _ in range(MOST_ATTEMPTS):
            found = await self.worker().verify(key)
            if found.outcome is None or found.complete or found.case is not None or found.next_try_at is None:
                return
            await self.world.quiet()
            self.clock.reach(found.next_try_at)
        raise AssertionError(f"posting {key} is never verified")

    async def cases(self, draft: PostingDraft) -> list[CaseKind]:
        lane = draft.intent.transaction.lane
        return [case.kind for case in await self.ledger.cases(draft.plant, order=lane)]

    def pass_(self, seconds: float) -> None:
        self.clock.at += timedelta(seconds=seconds)


def may_end_in_doubt(world: World, transaction: Transaction, mode: str) -> bool:
    """Where the reference says that nobody can know: no key to find it by, or the key was forgotten."""
    if is_invisible(world, transaction, mode):
        return True
    found_by = world.erp.capabilities.can(transaction.type).found_by
    if mode == "forget_keys":
        # A hold by state may be a transfer that carries our reference, where there is no lot to restrict.
        return found_by is FoundBy.KEY or transaction.type in (TransactionType.PLACE_HOLD, TransactionType.RELEASE_HOLD)
    return found_by is FoundBy.NOTHING


BY_MESSAGE = (
    TransactionType.START_ORDER,
    TransactionType.CONFIRM_PRODUCTION,
    TransactionType.ISSUE_COMPONENTS,
    TransactionType.RETURN_COMPONENTS,
    TransactionType.RECEIVE_GOODS,
    TransactionType.REPORT_TIME,
    TransactionType.COMPLETE_ORDER,
    TransactionType.CLOSE_ORDER,
)
"""What Dynamics' message service does, later and in a queue that nobody can read (reference erp.md 3.3)."""


def is_invisible(world: World, transaction: Transaction, mode: str) -> bool:
    """A message that may wait in Dynamics' queue shows nowhere: its absence proves nothing (reference erp.md 3.7).

    A failure without infolog may come after the message was taken (3.8), so `refuse` is no proof either.
    """
    lost = mode in ("refuse", "timeout_before_commit")
    return world.name == "dynamics" and lost and transaction.type in BY_MESSAGE


def is_reversible(world: World, transaction: Transaction) -> bool:
    reversed_by = world.erp.capabilities.can(transaction.type).reversed_by
    return reversed_by not in (ReversedBy.PERSON, ReversedBy.NEVER)


def reversal_of(transaction: Transaction, document: str, key: UUID) -> Reverse:
    """The reversal of a posting, naming its original."""
    assert not isinstance(transaction, Reverse)
    return Reverse(
        plant=transaction.plant,
        order=transaction.order,
        operation=transaction.operation,
        posting_date=transaction.posting_date,
        document=document,
        original=transaction,
        original_key=key,
    )


def is_confirmation(transaction: Transaction) -> bool:
    return isinstance(transaction, ConfirmProduction)


__all__ = [
    "MODES",
    "Clock",
    "Run",
    "Scene",
    "World",
    "change",
    "figures",
    "is_confirmation",
    "is_invisible",
    "is_reversible",
]
