"""The state an ErpException workflow carries: one posting, its open cases, how far the ladder was climbed."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from pydantic import Field

from domain.error_catalogue import Rung, next_rung_at, roles_at, rungs_due, severity_of
from domain.state import State
from signals.base import UtcTime
from signals.decisions import Answer, PostingMode
from signals.documents import Case, PostingState
from signals.exceptions import ExceptionStatus, ListedCase
from signals.transactions import Transaction

SHORTEST_LOOK = timedelta(minutes=1)
LONGEST_LOOK = timedelta(hours=1)


class ExceptionState(State):
    """Constant in size but for the answers to decisions, of which the latest are kept."""

    plant: str
    posting_key: UUID
    order: str = ""
    report_to: str = ""
    material: str = ""
    mode: PostingMode = PostingMode.POST
    attempt_seconds: float = 60
    transaction: Transaction | None = None
    posting_state: PostingState | None = None
    posting_document: str = ""
    posting_message: str = ""
    cases: list[Case] = Field(default_factory=list[Case])
    levels: dict[str, int] = Field(default_factory=dict, description="by case: the rung that was climbed last")
    answered: dict[str, Answer] = Field(default_factory=dict)
    look: bool = True
    loaded: bool = Field(default=False, description="the last look at the ledger succeeded")
    next_look_at: UtcTime | None = None
    look_pause: timedelta = SHORTEST_LOOK
    driving: bool = Field(default=False, description="nobody else settles the posting")
    verifying: bool = Field(default=False, description="booked by us; its goods movements are still to be seen")
    next_try_at: UtcTime | None = None

    def take(self, listed: tuple[ListedCase, ...], now: datetime) -> None:
        """The ledger's open cases are the ones; what it knows of the ladder is never taken back."""
        self.cases = [entry.case for entry in listed]
        self.levels = {e.case.case_id: max(e.level, self.levels.get(e.case.case_id, 0)) for e in listed}
        self.look, self.loaded, self.next_look_at = False, True, now + self.look_pause
        self.look_pause = min(self.look_pause * 2, LONGEST_LOOK)

    def look_soon(self) -> None:
        """Something may have changed: look now, and more often again."""
        self.look, self.look_pause = True, SHORTEST_LOOK

    def next_rung(self, now: datetime) -> tuple[Case, Rung] | None:
        """The lowest rung that has come and was not climbed yet."""
        due = [(c, rungs[0]) for c in self.cases if (rungs := rungs_due(c, self.level_of(c), now))]
        return min(due, key=lambda pair: (pair[1].at, pair[0].case_id), default=None)

    def level_of(self, case: Case) -> int:
        return self.levels.get(case.case_id, 0)

    @property
    def is_over(self) -> bool:
        """No open case, and nothing that this workflow has to bring to its end."""
        return self.loaded and not (self.cases or self.look or self.driving or self.verifying)

    @property
    def wakes_at(self) -> list[datetime]:
        """Instants at which something is due without anybody doing anything."""
        rungs = [next_rung_at(c, self.level_of(c)) for c in self.cases]
        tries = [self.next_try_at] if self.driving or self.verifying else []
        return [at for at in (*rungs, *tries, self.next_look_at) if at is not None]

    @property
    def roles(self) -> list[str]:
        return sorted({role for c in self.cases for role in roles_at(c, self.level_of(c))})

    @property
    def due_at(self) -> datetime | None:
        return min((c.due_at for c in self.cases if c.due_at is not None), default=None)

    @property
    def severity(self) -> int | None:
        """The most urgent case's; None where nothing is open."""
        return min((severity_of(c, self.level_of(c)) for c in self.cases), default=None)

    def status(self, *, busy: bool) -> ExceptionStatus:
        rungs = [at for c in self.cases if (at := next_rung_at(c, self.level_of(c))) is not None]
        return ExceptionStatus(
            plant=self.plant,
            posting_key=self.posting_key,
            order=self.order,
            material=self.material,
            cases=tuple(self.cases),
            level=max(self.levels.values(), default=0),
            next_rung_at=min(rungs, default=None),
            posting_state=self.posting_state,
            posting_document=self.posting_document,
            driving=self.driving or self.verifying,
            decided=tuple(self.answered),
            busy=busy,
        )
