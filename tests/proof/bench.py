"""What worker processes of a proof are made of: ledger, adapter with the shared budget, posting procedure.

Each process gets one JSON file that says all of it; a fresh one of the same file goes on where a killed one ended.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import structlog
from pydantic import BaseModel

from activities.posting import PostingDraft, PostingProcedure
from domain.plant_erp import ErpConfig
from erp.factory import create_erp
from erp.port import ErpPort
from ledger.connect import open_ledger
from ledger.port import LedgerPort
from ledger.store import SqlLedger
from signals.documents import PostingOutcome
from tests.matrix.worlds import CONFIGS, ENVIRON, TENANT
from tests.proof.mortal import Death, Mortal, MortalLedger, MortalTransport
from tests.proof.plan import PLANT
from workers.call_budget import SharedBudget
from workers.erp_events import PlantEvents

PERSON_SECONDS = 0.2
"""How often a lane that waits for a person looks whether that person has decided."""


class Bench(BaseModel):
    """Everything a worker process is told."""

    erp: str
    url: str
    ledger: str
    folder: Path
    plan: Path
    parts: int = 2
    lanes: int = 6
    calls_per_second: float = 10_000
    timeout_seconds: float = 1.0
    settle_seconds: float = 2.0
    retry_seconds: tuple[float, ...] = (0.05, 0.1, 0.2)
    goods_movement_wait_seconds: float = 2.0

    def config(self) -> ErpConfig:
        """The plant file's `[erp]` table, with the short waits of a proof."""
        given: dict[str, Any] = {
            "kind": self.erp,
            "url": self.url,
            "timeout_seconds": self.timeout_seconds,
            "settle_seconds": self.settle_seconds,
            "calls_per_second": self.calls_per_second,
        }
        own = dict(CONFIGS[self.erp])
        if self.erp == "dynamics":
            given["token_url"] = f"{self.url}/{TENANT}/oauth2/v2.0/token"
            own["dynamics"] = own["dynamics"] | {"pending_seconds": 2 * self.settle_seconds}
        return ErpConfig.model_validate(given | own)


@dataclass
class Worker:
    """One process at its bench."""

    bench: Bench
    part: int
    ledger: LedgerPort
    erp: ErpPort
    procedure: PostingProcedure

    # --- what a workflow's own state would hold ----------------------------------------------------------------------

    @property
    def _diary(self) -> Path:
        return self.bench.folder / f"done-{self.part}.txt"

    def done(self) -> set[str]:
        """Keys that a process of this part brought to their end before; a torn last line is none."""
        if not self._diary.exists():
            return set()
        return {line for line in self._diary.read_text().splitlines() if len(line) == 36}

    def note(self, key: UUID) -> None:
        with self._diary.open("a") as diary:
            diary.write(f"{key}\n")
            diary.flush()
            os.fsync(diary.fileno())

    # --- one posting -------------------------------------------------------------------------------------------------

    async def settle(self, draft: PostingDraft) -> PostingOutcome:
        """As a workflow does: ask, wait until `next_try_at` or for a person, ask again."""
        while True:
            result = await self.procedure.settle(draft)
            outcome = next(o for o in result.outcomes if o.key == draft.intent.key)
            if outcome.state.value in ("posted", "adopted"):
                if outcome.key not in result.verified:
                    await self.verified(outcome.key)
                return outcome
            await wait_until(result.next_try_at)

    async def verified(self, key: UUID) -> None:
        """Follow-ups are settled and goods movements seen, or a case says what is missing."""
        while True:
            found = await self.procedure.verify(key)
            if found.complete or found.case is not None or found.next_try_at is None:
                return
            await wait_until(found.next_try_at)


async def wait_until(at: datetime | None) -> None:
    pause = PERSON_SECONDS if at is None else (at - datetime.now(UTC)).total_seconds()
    await asyncio.sleep(max(pause, 0.01))


@asynccontextmanager
async def worker(bench: Bench, part: int, death: Death | None) -> AsyncIterator[Worker]:
    """The process's connections, opened and closed."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    mortal = Mortal(death)
    ledger: SqlLedger = await open_ledger(bench.ledger)
    books: LedgerPort = MortalLedger(ledger, mortal)  # pyright: ignore[reportAssignmentType]
    erp = create_erp(
        bench.config(),
        PLANT,
        ENVIRON,
        transport=MortalTransport(mortal),
        budget=SharedBudget(ledger, PLANT, bench.erp, bench.calls_per_second),
        events=PlantEvents(ledger, PLANT) if bench.erp == "dynamics" else None,
    )
    procedure = PostingProcedure(
        erp,
        books,
        now=lambda: datetime.now(UTC),
        new_token=lambda: uuid4().hex,
        timeout_seconds=bench.timeout_seconds,
        settle_seconds=erp.capabilities.settle_seconds,
        retry_seconds=bench.retry_seconds,  # pyright: ignore[reportArgumentType] - fractions make a proof short
        goods_movement_wait_seconds=bench.goods_movement_wait_seconds,
    )
    try:
        yield Worker(bench, part, books, erp, procedure)
    finally:
        await erp.aclose()
        await ledger.close()
