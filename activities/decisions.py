"""What a workflow asks before a person's decision takes effect: who decides, may they, and does the seal fit.

Acts on holds have `activities.people`; what is finer than the permission table is judged where it is recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from pydantic import Field
from temporalio import activity

from activities.people import granted_actor
from activities.sealing import seal_refusal
from domain.permissions import decision_action, may_on_any, visible_on_any
from domain.places import lines_of_order
from domain.plant import PlantConfig
from ledger.port import LedgerPort
from signals.base import Code, Message
from signals.decisions import AnyDecision, AssignOrder, DecideCase, DecideParked, Decision
from signals.people import Actor
from signals.sealing import is_about


class DecisionToVerify(Message):
    """A decision as it arrived at a process."""

    plant: Code
    place: str = Field(default="", description="the order or line whose process was told")
    decision: AnyDecision


class Found(Message):
    """What a decision is about: the lines it concerns, none for the plant as a whole."""

    lines: tuple[str, ...] = ()
    recorded: bool = Field(default=False, description="the ledger has just this decision: it was verified then")


class DecisionActivities:
    """Reads the ledger of people and of the plant; holds no key that could seal."""

    def __init__(self, ledger: LedgerPort, plant: PlantConfig, *, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._plant = plant
        self._now = now

    @activity.defn(name="verify_decision")
    async def verify_decision(self, asked: DecisionToVerify) -> str:
        """Empty where the decision may take effect, else why it is refused, as a sentence.

        Nothing that it says of its maker is believed: user, service flag, role and lines are the ledger's. What the
        maker may not know of is answered like what does not exist. As long as the ledger has no users, whoever reaches
        it decides as they say; where the plant wants no signatures, the table alone is asked, of whom it claims.
        """
        decision, claimed = asked.decision, asked.decision.actor
        unsigned = self._plant.quality.signatures == "off"
        if (unsigned and claimed is None) or not (unsigned or await self._ledger.has_users()):
            return ""
        found = await self._found(asked)
        if found is not None and found.recorded:
            return ""
        if claimed is None:
            return f"nobody has proved to be {decision.by}: decide in the console, by the API, or on the command line"
        actor, why = (claimed, "") if unsigned else await self._actor(claimed, asked.plant)
        if actor is None:
            return why
        if found is None or not visible_on_any(actor, asked.plant, found.lines):
            return self._unknown(asked)
        forbidden = may_on_any(actor, decision_action(decision), plant=asked.plant, lines=found.lines)
        return forbidden or ("" if unsigned else await self._seal_refusal(asked, actor))

    async def _actor(self, claimed: Actor, plant: str) -> tuple[Actor | None, str]:
        return granted_actor(await self._ledger.user(claimed.user), claimed, plant)

    async def _seal_refusal(self, asked: DecisionToVerify, actor: Actor) -> str:
        about = is_about(asked.plant, asked.decision, asked.place)
        return await seal_refusal(self._ledger, asked.decision, actor, about, self._now())

    # --- what it is about --------------------------------------------------------------------------------
    async def _found(self, asked: DecisionToVerify) -> Found | None:
        """None where there is no such thing."""
        match asked.decision:
            case DecideCase() as decision:
                file = await self._ledger.case_file(asked.plant, decision.case_id)
                if file is None:
                    return None
                lines = await self._lines_of(asked.plant, file.case.order) if file.case.order else ()
                recorded = any(_says_the_same(made.decision, decision) for made in file.decisions)
                return Found(lines=lines or (), recorded=recorded)
            case DecideParked() as decision:
                items = await self._ledger.parked(asked.plant, open_only=False)
                item = next((i for i in items if i.item == decision.item), None)
                return None if item is None else Found(lines=(item.line,) if item.line else ())
            case AssignOrder():
                return None if self._plant.line(asked.place) is None else Found(lines=(asked.place,))
            case _:
                lines = await self._lines_of(asked.plant, asked.place)
                return None if lines is None else Found(lines=lines)

    async def _lines_of(self, plant: str, order: str) -> tuple[str, ...] | None:
        record = await self._ledger.load_order(plant, order)
        return None if record.order is None else lines_of_order(self._plant, record.order, record.messages)

    def _unknown(self, asked: DecisionToVerify) -> str:
        match asked.decision:
            case DecideCase() as decision:
                return f"plant {asked.plant} has no case {decision.case_id}"
            case DecideParked() as decision:
                return f"plant {asked.plant} has no parked item {decision.item}"
            case AssignOrder():
                return f"plant {asked.plant} has no line {asked.place}"
            case _:
                return f"plant {asked.plant} knows no order {asked.place}"


def _says_the_same(made: Decision, decision: Decision) -> bool:
    return made.unsealed() == decision.unsealed()
