"""Start and end of a production, and the runs (cycles) of its operations.

Tryton consumes the whole plan when a production is run. Ours is run with nothing in it: the plan is noted, and each
confirmation consumes its share. Running it ourselves also keeps anybody from running it a second time.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import structlog

from erp.port import SendGuard
from erp.tryton.client import TrytonClient
from erp.tryton.drafts import Drafts
from erp.tryton.productions import OPEN, RELEASED, Production, Productions, Work
from erp.tryton.told import Confirmation
from signals.documents import ErpDocument
from signals.errors import ErpError, ErpRejected, Reason
from signals.transactions import PostingIntent

log = structlog.get_logger(__name__)

ENDED = ("done", "cancelled")


class Lifecycle:
    """Runs and finishes productions."""

    def __init__(self, client: TrytonClient, productions: Productions, drafts: Drafts) -> None:
        self._client, self._productions, self._drafts = client, productions, drafts

    # --- start -------------------------------------------------------------------------------------------

    async def find_start(self, intent: PostingIntent) -> ErpDocument | None:
        """The effect is the state."""
        production = await self._productions.read(intent.transaction.order)
        return _state_document(production, intent, "start") if production.state in ("running", "done") else None

    async def start(self, intent: PostingIntent, guard: SendGuard) -> ErpDocument:
        production = await self._productions.read(intent.transaction.order)
        if production.state != "running":
            await self.run(production, guard)
        return _state_document(production, intent, "start")

    async def running(self, number: str) -> Production:
        """The production, running. Running it moves no stock: its plan is noted and taken out first."""
        production = await self._productions.read(number)
        if production.state == "running":
            return self._startable(production)
        await self.run(production, lambda: None)
        return await self._productions.read(number)

    async def run(self, production: Production, guard: SendGuard) -> None:
        """From waiting to running, with nothing consumed."""
        self._startable(production)
        await self._note_plan(production)
        planned = [move for move in production.moves.values() if move.state in OPEN]
        reserved = [move.id for move in planned if move.state == "assigned"]
        if reserved:
            await self._client.call("model.stock.move.draft", reserved)
        if planned:
            sides = {
                "inputs": [["delete", [move.id for move in planned if move.is_input]]],
                "outputs": [["delete", [move.id for move in planned if not move.is_input]]],
            }
            await self._client.call("model.production.write", [production.id], sides)
        if production.state == "waiting":
            await self._client.call("model.production.assign_try", [production.id])
        await self._transition("run", production, ("running",), guard)
        await self.afterwards(self._drafts.plan_the_rest(await self._productions.read(production.number)))

    async def _transition(
        self, button: str, production: Production, reached: tuple[str, ...], guard: SendGuard
    ) -> None:
        """The one call that books. A refusal may mean that an earlier attempt's call was late and has just booked."""
        try:
            await self._client.book(f"model.production.{button}", [production.id], guard=guard)
        except ErpRejected:
            if (await self._productions.read(production.number)).state not in reached:
                raise

    def _startable(self, production: Production) -> Production:
        if production.state not in RELEASED:
            raise ErpRejected(
                f"production {production.number} is {production.state} in Tryton; it must be waiting, assigned or "
                "running",
                code=f"state_{production.state}",
                reason=Reason.ORDER_STATUS,
            )
        if production.state == "running" and production.start is None:
            raise ErpRejected(
                f"production {production.number} was run in Tryton itself, which consumed its whole plan; Plantwright "
                "would consume it again. Cancel it and release a new one, or confirm it in Tryton",
                code="run_by_hand",
                reason=Reason.ORDER_STATUS,
            )
        return production

    async def _note_plan(self, production: Production) -> None:
        """The plan outlives its moves in a note, rewritten where the planner has planned anew."""
        start = production.plan(self._client.user_id)
        if start == production.start:
            return
        stale = [note.id for note in production.notes if note.told == production.start]
        await self._drafts.note(production, start)
        if stale:
            await self._client.call("model.ir.note.delete", stale)

    # --- operations --------------------------------------------------------------------------------------

    async def follow(self, production: Production, work: Work, told: Confirmation) -> None:
        """The operation's cycle: begun with the first confirmation, ended with the final one."""
        if told.final:
            await self._end_cycles(work, _seconds(production, told))
        elif not any(cycle.state == "running" for cycle in work.cycles):
            await self._begin_cycle(work)

    async def _begin_cycle(self, work: Work) -> None:
        drafts = [cycle.id for cycle in work.cycles if cycle.state == "draft"]
        cycles = drafts[:1] or await self._client.create("production.work.cycle", {"work": work.id})
        await self._client.call("model.production.work.cycle.run", cycles)

    async def _end_cycles(self, work: Work, seconds: float | None) -> None:
        """End what runs; an operation that never had a cycle gets one."""
        mine = [cycle for cycle in work.cycles if cycle.creator == self._client.user_id]
        begun = [cycle.id for cycle in mine if cycle.state == "running"]
        drafts = [cycle.id for cycle in mine if cycle.state == "draft"]
        if not begun and not drafts and not any(cycle.state == "done" for cycle in work.cycles):
            drafts = await self._client.create("production.work.cycle", {"work": work.id})
        if drafts:
            await self._client.call("model.production.work.cycle.run", drafts)
        if begun or drafts:
            await self._finish([*begun, *drafts], seconds)

    async def _finish(self, cycles: list[int], seconds: float | None) -> None:
        if seconds is not None:
            first, *others = cycles
            for part, ids in ((seconds, [first]), (0.0, others)):
                if ids:
                    duration = {"duration": timedelta(seconds=part)}
                    await self._client.call("model.production.work.cycle.write", ids, duration)
        await self._client.call("model.production.work.cycle.do", cycles)

    async def afterwards(self, work: object) -> None:
        """What follows a booking that stands: a failure here is made good by the next booking or by the completion."""
        try:
            await work  # type: ignore[misc]
        except ErpError as error:
            log.warning("tryton_aftercare_failed", reason=str(error), error=error.type)

    # --- completion --------------------------------------------------------------------------------------

    async def find_completion(self, intent: PostingIntent) -> ErpDocument | None:
        production = await self._productions.read(intent.transaction.order)
        return _state_document(production, intent, "done") if production.state in ENDED else None

    async def complete(self, intent: PostingIntent, guard: SendGuard) -> ErpDocument:
        """Done, with what was really made; a production of which nothing was ever confirmed is cancelled."""
        production = await self._productions.read(intent.transaction.order)
        if production.state in ENDED:
            return _state_document(production, intent, "done")
        nothing_made = not any(m.state == "done" for m in production.moves.values()) and not production.booked_notes()
        if nothing_made and all(cycle.state == "cancelled" for work in production.works for cycle in work.cycles):
            await self._transition("cancel", production, ENDED, guard)
            return _state_document(production, intent, "done")
        if production.state != "running":
            production = await self.running(intent.transaction.order)
        await self._drafts.clear(production)
        worked = {n.told.operation for n in production.booked_notes() if isinstance(n.told, Confirmation)}
        for work in production.works:
            if work.number in worked or work.cycles:
                await self._end_cycles(work, _seconds_of(production, work.number))
        untouched = [work.id for work in production.works if work.number not in worked and not work.cycles]
        if untouched:
            # Tryton finishes only productions whose works are all finished; nobody worked on these.
            await self._client.call("model.production.work.delete", untouched)
        await self._transition("do", production, ENDED, guard)
        return _state_document(production, intent, "done")


def _seconds(production: Production, now: Confirmation) -> float | None:
    """Time of the operation as the confirmations tell it, the one just booked included."""
    before = _seconds_of(production, now.operation)
    own = _span(now)
    return before if own is None else (before or 0.0) + own


def _seconds_of(production: Production, operation: str) -> float | None:
    spans = [
        span
        for note in production.booked_notes()
        if isinstance(note.told, Confirmation) and note.told.operation == operation and not production.is_reversed(note)
        if (span := _span(note.told)) is not None
    ]
    return sum(spans) if spans else None


def _span(told: Confirmation) -> float | None:
    if told.started_at is None or told.ended_at is None or told.ended_at < told.started_at:
        return None
    return (told.ended_at - told.started_at).total_seconds()


def _state_document(production: Production, intent: PostingIntent, what: str) -> ErpDocument:
    """The production's state is the document."""
    kind = "start" if what == "start" else "technical_completion"
    return ErpDocument(
        document=f"{production.number}/{what}", kind=kind, order=production.number, key=intent.key,
        yield_quantity=Decimal(0),
    )  # fmt: skip
