"""Line: the entity that turns a line's events into verified production (design section 4).

Everything it decides is `domain.line`. What it does itself: take batches by update, put what became known into the
ledger first and deliver it after that (transactional outbox), ask the source again as second evidence.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, FailureError

with workflow.unsafe.imports_passed_through():
    from activities.holds import HoldActivities
    from activities.ledger import (
        DecideParkedRequest,
        LedgerActivities,
        LineLoaded,
        LineRef,
        ParkedDecided,
        without_evidence,
    )
    from activities.source import READ_SOURCE, ReadSource, SourceReadings
    from domain import line_shifts
    from domain.line import LineBook
    from domain.line_state import EvidenceCheck, LineState
    from domain.plant import PlantConfig
    from domain.reporting import close_all, park
    from ledger.hold_port import OpenedHold
    from ledger.port import LineRecord
    from signals.base import Code, Message
    from signals.decisions import Answer, AssignOrder, DecideParked
    from signals.events import BatchReceipt, EventBatch
    from signals.handover import LineHandedOver, ShiftOver
    from signals.holds import HoldTrigger
    from signals.ids import edge_task_queue, order_workflow_id, parked_item_id
    from signals.reports import LineMessage, ParkedItem, ParkedWhy
    from signals.status import LineStatus
    from workflows.common import FEW_ATTEMPTS, LEDGER_TIMEOUT, LINE_ID, LOADING_TIMEOUT, PAUSE, PLANT_ID, wants_new_run
    from workflows.exception_messages import tell
    from workflows.handover_messages import LINE_HANDED_OVER
    from workflows.hold_messages import start_hold
    from workflows.line_status import line_details, line_status
    from workflows.stop_messages import start_or_tell
    from workflows.verifying import not_verified, refusal

STOPS_TRACKED = "stops-tracked/1"
"""Change marker: a run from before stops were tracked finds none until it continues as new."""
RE_TRIPS_ALIKE = "re-trips-alike/1"
"""Change marker: a run from before takes any standing soon after a stop for a re-trip of it."""
STOPS_SETTLE = "stops-settle/1"
"""Change marker: a run from before does not say when a stop is over for good; its process goes by the clock."""
MOST_NEWS = 2000
"""Events that may wait for the ledger; beyond that a batch waits, and with it the gateway."""

CHECK_ATTEMPTS = 3
SOURCE_TIMEOUT = timedelta(seconds=10)


class LineInput(Message):
    """`state` is None at a first start: the Line then loads its newest checkpoint from the ledger."""

    plant: Code
    line: Code
    state: str | None = None
    history_limit: int = 10_000


@workflow.defn(name="Line")
class Line:
    """One line, for ever."""

    @workflow.init
    def __init__(self, given: LineInput) -> None:
        self._given = given
        self._plant: PlantConfig | None = None
        self._book: LineBook | None = None
        self._deliverable = 0
        self._deliverable_holds = 0
        self._deliverable_stops = 0
        self._hand_overs: deque[str] = deque()
        self._shift_asks: deque[ShiftOver] = deque()
        self._parked_decisions: deque[DecideParked] = deque()
        self._reconfigure = False
        self._recording = False
        self._applied = 0

    @workflow.run
    async def run(self, given: LineInput) -> None:
        await self._load(given)
        while True:
            with suppress(TimeoutError):  # a timeout is a wake-up like any other
                await workflow.wait_condition(self._has_work, timeout=self._check_pause())
            await self._answer_people()
            over = line_shifts.answers(self._ready_book().state)
            await self._record(anyway=bool(over))
            await self._deliver_holds()
            await self._deliver_stops()
            await self._deliver()
            await self._hand_shifts_over(over)
            await self._second_evidence()
            self._show()
            if wants_new_run(given.history_limit):
                await self._continue_as_new()

    # --- the process, step by step -----------------------------------------------------------------------
    async def _load(self, given: LineInput) -> None:
        loaded = await self._ask_ledger(given)
        state = LineState(plant=given.plant, line=given.line)
        if given.state is not None:
            state = LineState.model_validate_json(given.state)
        elif loaded.checkpoint is not None:
            state = LineState.model_validate_json(loaded.checkpoint.checkpoint)
        self._use(state, loaded.plant)
        if given.state is None:
            workflow.upsert_search_attributes([PLANT_ID.value_set(given.plant), LINE_ID.value_set(given.line)])

    async def _ask_ledger(self, given: LineInput) -> LineLoaded:
        ref = LineRef(plant=given.plant, line=given.line)
        while True:
            try:
                return await workflow.execute_activity_method(
                    LedgerActivities.load_line, ref, start_to_close_timeout=LOADING_TIMEOUT, retry_policy=FEW_ATTEMPTS
                )
            except ActivityError as error:
                workflow.logger.warning("line not loaded, trying again: %s", error.cause)
                await workflow.sleep(PAUSE)

    def _use(self, state: LineState, plant: PlantConfig) -> None:
        self._plant = plant
        self._book = LineBook(
            state,
            plant,
            stops=workflow.patched(STOPS_TRACKED),
            alike=workflow.patched(RE_TRIPS_ALIKE),
            settling=workflow.patched(STOPS_SETTLE),
        )
        self._deliverable = len(state.outbox) - len(state.new_messages)
        self._deliverable_holds = len(state.hold_outbox) - len(state.new_holds)
        self._deliverable_stops = len(state.stop_outbox) - len(state.new_stops)

    async def _answer_people(self) -> None:
        book = self._ready_book()
        while self._hand_overs:
            book.hand_over(self._hand_overs.popleft())
        while self._shift_asks:
            line_shifts.take(book.state, self._shift_asks.popleft())
        while self._parked_decisions:
            await self._decide_parked(self._parked_decisions[0])
            self._parked_decisions.popleft()
        if self._reconfigure:
            self._reconfigure = False
            loaded = await self._ask_ledger(self._given)
            # The state as it is now: batches and assignments went on while the ledger was asked.
            self._use(self._ready_book().state, loaded.plant)

    async def _record(self, *, anyway: bool = False) -> None:
        """The ledger first: what it does not hold is not delivered (a checkpoint, its outbox and its evidence).

        Once per turn of the loop: while a backlog streams in there is always more, and delivery must have its turn.
        """
        book = self._ready_book()
        if not (book.has_news() or anyway):
            return
        self._recording = True
        news = book.take_news()
        checkpoint = book.state.model_dump_json()
        undelivered, untold = len(book.state.outbox), len(book.state.hold_outbox)
        stops = len(book.state.stop_outbox)
        record = LineRecord(
            plant=book.state.plant,
            line=book.state.line,
            revision=book.state.revision,
            checkpoint=checkpoint,
            messages=news.messages,
            parked=news.parked,
            refusals=news.refusals,
            events=news.events,
            holds=news.holds,
            stops=news.stops,
        )
        adopted = await self._store(record)
        self._recording = False
        if adopted is not None and self._plant is not None:
            workflow.logger.warning("the ledger holds a newer checkpoint of this line; going on from there")
            self._use(LineState.model_validate_json(adopted), self._plant)
        else:
            self._deliverable, self._deliverable_holds, self._deliverable_stops = undelivered, untold, stops

    async def _store(self, record: LineRecord) -> str | None:
        while True:
            try:
                stored = await workflow.execute_activity_method(
                    LedgerActivities.record_line,
                    record,
                    start_to_close_timeout=LEDGER_TIMEOUT,
                    retry_policy=FEW_ATTEMPTS,
                )
            except ActivityError as error:
                workflow.logger.warning("checkpoint not stored, trying again: %s", error.cause)
                await workflow.sleep(PAUSE)
            else:
                return stored.adopt.checkpoint if stored.adopt is not None else None

    async def _deliver_holds(self) -> None:
        """The ledger blocks already, since the record; now the hold's own process takes over from there."""
        book = self._ready_book()
        while self._deliverable_holds and book.state.hold_outbox:
            trigger = book.state.hold_outbox[0]
            opened = await self._opened(trigger)
            await start_hold(trigger.scope.plant, opened.hold, trigger)
            book.state.hold_outbox.pop(0)
            self._deliverable_holds -= 1
            if wants_new_run(self._given.history_limit):
                return

    async def _deliver_stops(self) -> None:
        """A stop's own process takes over; a micro-stop stays in the ledger, where it is counted."""
        book = self._ready_book()
        while self._deliverable_stops and book.state.stop_outbox:
            fact = book.state.stop_outbox[0]
            if not fact.micro:
                await start_or_tell(fact)
            book.state.stop_outbox.pop(0)
            self._deliverable_stops -= 1
            if wants_new_run(self._given.history_limit):
                return

    async def _opened(self, trigger: HoldTrigger) -> OpenedHold:
        """Which hold the ledger gave it to."""
        while True:
            try:
                return await workflow.execute_activity_method(
                    HoldActivities.open_hold,
                    trigger,
                    start_to_close_timeout=LEDGER_TIMEOUT,
                    retry_policy=FEW_ATTEMPTS,
                )
            except ActivityError as error:
                workflow.logger.warning("hold not started, trying again: %s", error.cause)
                await workflow.sleep(PAUSE)

    async def _deliver(self) -> None:
        """One awaited signal at a time: concurrent ones arrive reordered (measured, reference temporal.md).

        Not beyond the run's length: an outbox filled by a long outage goes on in the next run.
        """
        book = self._ready_book()
        while self._deliverable and book.state.outbox:
            message = book.state.outbox[0]
            try:
                order = workflow.get_external_workflow_handle(order_workflow_id(book.state.plant, message.order))
                await order.signal("line_message", without_evidence(message))
            except FailureError:
                self._park_undelivered(message)
            book.state.outbox.pop(0)
            self._deliverable -= 1
            if wants_new_run(self._given.history_limit):
                return

    async def _hand_shifts_over(self, over: list[tuple[ShiftOver, LineHandedOver]]) -> None:
        """Answer handovers, once the ledger has the shift and the orders were told of it; else in the next turn."""
        for ask, told in over:
            if self._deliverable or wants_new_run(self._given.history_limit):
                return
            waits = await tell(ask.reply_to, LINE_HANDED_OVER, told)
            line_shifts.settle(self._ready_book().state, ask, told, waits=waits)

    def _park_undelivered(self, message: LineMessage) -> None:
        """The ledger has the message, and the order loads it when it starts; until then a person can see it waits."""
        report = message.report
        if report is None:
            return
        book = self._ready_book()
        item = ParkedItem(
            item=parked_item_id(book.state.plant, ParkedWhy.ORDER_NOT_RUNNING.value, report.report_id),
            plant=book.state.plant,
            line=book.state.line,
            order=message.order,
            operation=report.bucket.operation,
            why=ParkedWhy.ORDER_NOT_RUNNING,
            detail=f"report {report.number} waits in the ledger: order {message.order} is not running here",
            at=report.last_at,
            unit=report.unit,
        )
        park(book.state, item)

    async def _second_evidence(self) -> None:
        book = self._ready_book()
        book.settle_checks()
        for check in list(book.state.checks):
            if check.read_at is None:
                await self._ask_source(check)
        book.settle_checks()

    async def _ask_source(self, check: EvidenceCheck) -> None:
        book = self._ready_book()
        tags = tuple(sorted(book.state.station(check.station).counters))
        if not tags or check.attempts >= CHECK_ATTEMPTS:
            book.give_up_check(check)
            return
        check.attempts += 1
        question = ReadSource(plant=book.state.plant, line=book.state.line, station=check.station, tags=tags)
        try:
            answer = await workflow.execute_activity(
                READ_SOURCE,
                question,
                result_type=SourceReadings,
                task_queue=edge_task_queue(book.state.plant, book.state.line),
                schedule_to_start_timeout=SOURCE_TIMEOUT,
                start_to_close_timeout=SOURCE_TIMEOUT,
                retry_policy=RetryPolicy(maximum_attempts=1),
                summary=f"second reading of {check.station}",
            )
        except ActivityError as error:
            workflow.logger.warning("no second reading of %s: %s", check.station, error.cause)
            return
        check.readings, check.read_at = answer.totals, answer.at

    async def _continue_as_new(self) -> None:
        """No handler and no activity may be outstanding. News and outbox travel in the state.

        Waiting until a backlog leaves no news would never end; a new run loads the plant file anyway.
        """
        while self._people_wait() or not workflow.all_handlers_finished():
            await self._answer_people()
            await self._record()
            await self._deliver_holds()
            await self._deliver_stops()
            await self._deliver()
            await workflow.wait_condition(lambda: self._is_waited_for() or workflow.all_handlers_finished())
        book = self._ready_book()
        workflow.continue_as_new(self._given.model_copy(update={"state": book.state.model_dump_json()}))

    def _people_wait(self) -> bool:
        return bool(self._hand_overs or self._parked_decisions or self._shift_asks)

    def _is_waited_for(self) -> bool:
        people = self._people_wait() or self._reconfigure
        waiting = people or self._deliverable or self._deliverable_holds or self._deliverable_stops
        return bool(waiting) or self._ready_book().has_news()

    async def _decide_parked(self, decision: DecideParked) -> None:
        book = self._ready_book()
        request = DecideParkedRequest(plant=book.state.plant, decision=decision)
        try:
            refused = await refusal(book.state.plant, decision, book.state.line)
            decided = ParkedDecided(refused=refused)
            if not refused:
                decided = await workflow.execute_activity_method(
                    LedgerActivities.decide_parked,
                    request,
                    start_to_close_timeout=LEDGER_TIMEOUT,
                    retry_policy=FEW_ATTEMPTS,
                )
        except ActivityError as error:
            decided = ParkedDecided(refused=f"the ledger did not answer: {error.cause}")
        if decided.item is not None and decision.accept:
            order = decision.order or decided.item.order
            book.accept_parked(decided.item, decision, order, decision.operation or decided.item.operation)
        book.state.answered[decision.decision_id] = Answer(
            decision_id=decision.decision_id, accepted=decided.item is not None, message=decided.refused or "recorded"
        )

    # --- waking ------------------------------------------------------------------------------------------
    def _has_work(self) -> bool:
        book = self._ready_book()
        state = book.state
        due = any(c.read_at and state.watermark and c.read_at <= state.watermark for c in state.checks)
        unread = any(c.read_at is None and c.attempts == 0 for c in state.checks)
        waits = self._is_waited_for() or due or unread or line_shifts.due(state)
        return bool(waits) or wants_new_run(self._given.history_limit)

    def _check_pause(self) -> timedelta | None:
        unread = any(c.read_at is None for c in self._ready_book().state.checks)
        return PAUSE if unread else None

    def _ready_book(self) -> LineBook:
        assert self._book is not None
        return self._book

    def _show(self) -> None:
        workflow.set_current_details(line_details(self._ready_book().state))

    # --- messages ----------------------------------------------------------------------------------------
    @workflow.update(name="ingest", description="A batch of events from the line's edge gateway")
    async def ingest(self, batch: EventBatch) -> BatchReceipt:
        """Apply a batch once; the answer names how far this line has taken the source in."""
        await workflow.wait_condition(self._can_ingest)
        self._applied += len(batch.events)
        return self._ready_book().ingest(batch)

    def _can_ingest(self) -> bool:
        return self._book is not None and len(self._book.state.new_events) < MOST_NEWS

    @workflow.update(name="assign_order", description="Assign an order to a station from an instant of event time on")
    async def assign_order(self, wish: AssignOrder) -> Answer:
        """A person's assignment; the same decision id gets the same answer again."""
        await workflow.wait_condition(lambda: self._book is not None)
        book = self._ready_book()
        known = book.state.answered.get(wish.decision_id)
        if known is not None:
            return known
        try:
            refused = await refusal(book.state.plant, wish, book.state.line)
        except ActivityError as error:
            return not_verified(wish, error)
        book = self._ready_book()  # batches went on meanwhile, and the same wish may have come twice
        if refused or wish.decision_id in book.state.answered:
            answer = Answer(decision_id=wish.decision_id, accepted=False, message=refused)
            return book.state.answered.setdefault(wish.decision_id, answer)
        if book.line.station(wish.equipment) is None:
            stations = ", ".join(s.id for s in book.line.stations)
            return Answer(
                decision_id=wish.decision_id,
                accepted=False,
                message=f"line {book.line.id} has no station {wish.equipment}; it has {stations}",
            )
        book.assign(wish)
        answer = Answer(decision_id=wish.decision_id, accepted=True, message="assigned")
        book.state.answered[wish.decision_id] = answer
        return answer

    @workflow.update(name="decide_parked", description="Accept or reject a parked item")
    async def decide_parked(self, decision: DecideParked) -> Answer:
        """Accepting turns the item into a report with the decision as its evidence."""
        await workflow.wait_condition(lambda: self._book is not None)
        if decision.decision_id not in self._ready_book().state.answered:
            self._parked_decisions.append(decision)
        await workflow.wait_condition(lambda: decision.decision_id in self._ready_book().state.answered)
        return self._ready_book().state.answered[decision.decision_id]

    @workflow.update(name="flush", description="Hand over everything counted so far (end of a recording)")
    async def flush(self) -> LineStatus:
        """Close all open buckets and answer when everything is recorded and delivered."""
        await workflow.wait_condition(lambda: self._book is not None)
        close_all(self._ready_book().state)
        await workflow.wait_condition(self._is_quiet)
        return line_status(self._ready_book().state, self._applied)

    def _is_quiet(self) -> bool:
        book = self._ready_book()
        undelivered = book.state.outbox or book.state.hold_outbox
        return not (book.has_news() or self._recording or undelivered or self._parked_decisions)

    @workflow.signal(name="hand_over", description="An order asks for what was counted for it so far")
    def hand_over(self, order: str) -> None:
        self._hand_overs.append(order)

    @workflow.signal(name="shift_over", description="A handover waits until the line has seen the end of its shift")
    def shift_over(self, ask: ShiftOver) -> None:
        self._shift_asks.append(ask)

    @workflow.signal(name="configure", description="Load the plant file again")
    def configure(self) -> None:
        self._reconfigure = True

    @workflow.query(name="status", description="How the line stands")
    def status(self) -> LineStatus:
        """State, context and counters per station."""
        if self._book is None:
            return LineStatus(plant=self._given.plant, line=self._given.line)
        return line_status(self._book.state, self._applied)
