"""Postings that go through the message queue: start, confirm, issue, time, complete, end. What is provable of them.

Found by the message's event, by the order's state, or by the journals that came since; a queued message is invisible,
so that nothing seen proves nothing. Never a guess: what may be ours is named as a candidate.
"""

from __future__ import annotations

from erp.dynamics.contents import Contents, Outgoing
from erp.dynamics.journals import KIND_OF_MESSAGE, PICK_KIND, Journal, Journals, made_by
from erp.dynamics.odata import decimal_of, text_of, yes
from erp.dynamics.plan import Plans
from erp.dynamics.queue import KNOWN_EVENTS, MessageQueue, Verdict
from erp.dynamics.settings import DynamicsSettings, Units, operation_text
from erp.port import SendGuard
from signals.documents import Booking, ErpDocument, Snapshot
from signals.errors import ErpRejected, Reason
from signals.transactions import (
    CloseOrder,
    CompleteOrder,
    ConfirmProduction,
    IssueComponents,
    PostingIntent,
    ReceiveGoods,
    ReportTime,
    ReturnComponents,
    StartOrder,
)

KNOWN_JOURNALS = "journals"
"""Figure of a snapshot: the journals that were there before the request, posted or not."""
STARTED = ("StartedUp", "ReportedFinished", "Completed")
FINISHED = ("ReportedFinished", "Completed")
INVISIBLE = (
    "no journal and no event shows it, and that proves nothing: Dynamics's message queue cannot be read, and the "
    "message may still wait there. Look at the message processor's messages in Dynamics before deciding"
)


class MessagePostings:
    """Postings of one plant that Dynamics does later, in a batch job."""

    def __init__(self, settings: DynamicsSettings, plans: Plans, journals: Journals, queue: MessageQueue) -> None:
        self._plans = plans
        self._journals = journals
        self._queue = queue
        self._contents = Contents(settings)
        self._units = Units(settings.units)

    async def outgoing(self, intent: PostingIntent) -> Outgoing:
        """The message of an intent: always the same one. Raises ErpRejected for what no message can say."""
        key = intent.key
        match intent.transaction:
            case StartOrder() as t:
                return self._contents.start(key, t)
            case ConfirmProduction() as t:
                return self._contents.confirm(key, t, await self._plans.of(t.order))
            case IssueComponents() | ReturnComponents() as t:
                return self._contents.issue(key, t)
            case ReportTime() as t:
                return self._contents.time(key, t)
            case ReceiveGoods() as t:
                return self._contents.receive(key, t)
            case CompleteOrder() as t:
                return self._contents.complete(key, t, await self._plans.of(t.order))
            case CloseOrder() as t:
                return self._contents.end(key, t)
            case other:
                told = f"no message of the MES integration books {other.type.value}"
                raise ErpRejected(told, code="not_supported", reason=Reason.NOT_SUPPORTED)

    async def snapshot(self, intent: PostingIntent) -> Snapshot:
        """Journals of the message's kind and equal events so far, and the counters for people to compare."""
        message = await self.outgoing(intent)
        header = await self._plans.header(message.order)
        names = ("StartedQuantity", "RemainingReportAsFinishedQuantity")
        figures = {name: f"{decimal_of(header.get(name)):f}" for name in names}
        kind = KIND_OF_MESSAGE.get(message.type)
        if kind is not None and message.lines:
            there = await self._journals.of_kind(kind, message.order)
            figures[KNOWN_JOURNALS] = " ".join(journal.document for journal in there)
        if kind == PICK_KIND:
            bom = await self._plans.bom(message.order)
            figures |= {f"RemainingBOMLineQuantity/{line.number:f}": f"{line.remaining:f}" for line in bom}
        if known := await self._queue.known(message):
            figures[KNOWN_EVENTS] = known
        return Snapshot(figures=figures)

    async def post(self, intent: PostingIntent, guard: SendGuard) -> Booking:
        message = await self.outgoing(intent)
        return Booking(pending=True, receipt=await self._queue.send(message, guard))

    # --- finding -----------------------------------------------------------------------------------------------------

    async def find(self, intent: PostingIntent, before: Snapshot) -> Booking:
        """What the books, the journals and the events say. Before anything was sent only a state can show it."""
        message = await self.outgoing(intent)
        standing = await self._by_state(intent)
        if standing is not None:
            return Booking(document=standing)
        if before.sent_at is None:
            return Booking()
        verdict = await self._queue.verdict(message, before)
        if verdict is not None and verdict.state in ("failed", "canceled"):
            return _refused(verdict, message)
        if not message.lines:
            return await self._by_event_alone(message, before, verdict)
        return await self._by_journals(intent, message, before, verdict)

    async def _by_state(self, intent: PostingIntent) -> ErpDocument | None:
        """Start, completion and end are states of the order, whoever brought them about."""
        match intent.transaction:
            case StartOrder(quantity=quantity) as t:
                header = await self._plans.header(t.order)
                enough = quantity is None or decimal_of(header.get("StartedQuantity")) >= quantity
                reached = enough and text_of(header, "ProductionOrderStatus") in STARTED
                return _state(intent, "STARTED", "start") if reached else None
            case CompleteOrder() as t:
                status = text_of(await self._plans.header(t.order), "ProductionOrderStatus")
                return _state(intent, "FINISHED", "technical_completion") if status in FINISHED else None
            case CloseOrder() as t:
                status = text_of(await self._plans.header(t.order), "ProductionOrderStatus")
                return _state(intent, "ENDED", "close") if status == "Completed" else None
            case ConfirmProduction() as t if t.final and not (t.yield_quantity + t.scrap_quantity):
                return await self._final_by_state(intent, t)
            case _:
                return None

    async def _final_by_state(self, intent: PostingIntent, final: ConfirmProduction) -> ErpDocument | None:
        """A final confirmation of nothing is a state too: the job, or the operation, is ended."""
        plan = await self._plans.fresh(final.order)
        if int(final.operation) == plan.last:
            ended = text_of(plan.header, "ProductionOrderStatus") in FINISHED
        else:
            row = next((r for r in plan.route if str(r.get("OperationNumber")) == str(int(final.operation))), {})
            ended = yes(row, "IsOperationCompleted")
        return _state(intent, "FINAL", "confirmation") if ended else None

    async def _by_event_alone(self, message: Outgoing, before: Snapshot, verdict: Verdict | None) -> Booking:
        """A message that leaves no journal, whose state does not show (yet)."""
        if verdict is not None:
            told = f"event {verdict.event_id}: processed, but the order does not show it yet"
            return Booking(pending=True, receipt=told)
        return await self._unseen(message, before)

    async def _by_journals(
        self, intent: PostingIntent, message: Outgoing, before: Snapshot, verdict: Verdict | None
    ) -> Booking:
        old = set(before.figures.get(KNOWN_JOURNALS, "").split())
        came = await self._journals.of_kind(KIND_OF_MESSAGE[message.type], message.order)
        ours, others = made_by(message, [j for j in came if j.document not in old])
        posted = [j for j in ours if j.is_posted]
        if len(posted) == 1 and (verdict is not None or not others):
            return Booking(document=await self._document(intent, message, posted[0], verdict))
        if posted:
            return Booking(candidates=tuple(j.document for j in posted), unknowable=_several(posted, others, verdict))
        if ours:
            numbers = ", ".join(j.number for j in ours)
            return Booking(pending=True, receipt=f"journal {numbers} was made and is not posted; post it in Dynamics")
        if verdict is not None:
            return Booking(pending=True, receipt=f"event {verdict.event_id}: processed, but no journal shows yet")
        return await self._unseen(message, before)

    async def _unseen(self, message: Outgoing, before: Snapshot) -> Booking:
        """Neither journal nor event: accepted ones wait in the queue, of others nobody knows."""
        if not before.accepted:
            return Booking(unknowable=INVISIBLE)
        blocked = await self._queue.blocked_by(message.order)
        if blocked is None:
            return Booking(pending=True, receipt=before.receipt)
        told = f"message {blocked.message_type} of this order failed (event {blocked.event_id}) and blocks its queue"
        return Booking(pending=True, receipt=f"{told}: requeue or cancel it in Dynamics")

    async def _document(
        self, intent: PostingIntent, message: Outgoing, journal: Journal, verdict: Verdict | None
    ) -> ErpDocument:
        plan = await self._plans.of(message.order)
        warnings = verdict.warnings if verdict is not None else ()
        if isinstance(intent.transaction, ConfirmProduction):
            told = warnings + self._contents.unsaid(intent.transaction)
            return self._journals.document(journal, plan).model_copy(update={"key": intent.key, "warnings": told})
        return ErpDocument(
            document=journal.document,
            kind=_KINDS.get(type(intent.transaction), "message"),
            order=message.order,
            operation=operation_text(message.operation) if message.operation else intent.transaction.operation,
            key=intent.key,
            warnings=warnings,
        )


_KINDS: dict[type, str] = {
    IssueComponents: "goods_issue",
    ReturnComponents: "goods_return",
    ReceiveGoods: "goods_receipt",
    ReportTime: "time",
}


def _state(intent: PostingIntent, name: str, kind: str) -> ErpDocument:
    transaction = intent.transaction
    return ErpDocument(
        document=f"{name}/{transaction.order}" + (f"/{transaction.operation}" if name == "FINAL" else ""),
        kind=kind,
        order=transaction.order,
        operation=transaction.operation,
        final=name == "FINAL",
        key=intent.key,
    )


def _refused(verdict: Verdict, message: Outgoing) -> Booking:
    if verdict.state == "canceled":
        return Booking(
            refused=f"message {message.type} was cancelled in Dynamics's queue (event {verdict.event_id})",
            code="message_cancelled",
            reason=Reason.OTHER,
        )
    return Booking(
        refused=(
            f"message {message.type} failed after three attempts: {verdict.told}. It blocks every later message of "
            f"order {message.order} until somebody requeues or cancels it in Dynamics (event {verdict.event_id}). "
            "Cancel it there before the posting is tried again here: a requeued message and a new one would both post"
        ),
        code=verdict.meaning.code,
        reason=verdict.meaning.reason,
    )


def _several(posted: list[Journal], others: list[Journal], verdict: Verdict | None) -> str:
    numbers = ", ".join(j.number for j in posted)
    if len(posted) > 1:
        known = "its event says that it was booked, but " if verdict is not None else ""
        return f"{known}journals {numbers} all came since and have its quantities: one was entered by somebody else"
    strangers = ", ".join(j.number for j in others)
    return (
        f"journal {numbers} has its quantities, but {strangers} came too and no event says that it was processed: "
        "somebody else was booking at the same time"
    )
