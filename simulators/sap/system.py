"""One running SAP: answers OData calls with sessions, locks, faults and transactions in the order the original has.

Business rules are in confirmations, goods and orders; this decides who may run when, and what the client gets to see.
"""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import structlog
from starlette.requests import Request

from simulators.common.faults import Fault, Faults, Mode, Plan
from simulators.sap import cogi
from simulators.sap.access import require_service, wrong_client
from simulators.sap.batch import Part, Reply, batch_answer, parse_batch
from simulators.sap.books import Books
from simulators.sap.call import Call, call_of
from simulators.sap.confirmation_rules import Posting
from simulators.sap.job import Job
from simulators.sap.messages import (
    BUSINESS_CONTAINER,
    DEFICIT,
    DOCUMENT_CONTAINER,
    REPEATED,
    TEXTS,
    Refusal,
    order_locked,
)
from simulators.sap.odata import ROOT, ROOT4, Answer, error_answer
from simulators.sap.odata4 import error_answer_v4
from simulators.sap.reading import REFERENCE_FIELDS, Reader, filter_names
from simulators.sap.reading4 import read_v4
from simulators.sap.session import OrderLocks, Sessions
from simulators.sap.writing import find_job

log = structlog.get_logger("simulators.sap")
_HANG_SECONDS = 30.0
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class _Committed:
    """What one commit answered, and whether `partial` left something out of it."""

    answers: list[Answer]
    spoiled: bool


class SapSystem:
    def __init__(self, books: Books, user: str, password: str) -> None:
        self.books = books
        self.faults = Faults(ROOT)
        self.locks = OrderLocks()
        self._user = user
        self._sessions = Sessions(user, password, lambda: str(books.setting("client")))
        self._postings: set[asyncio.Task[Any]] = set()

    async def stop(self) -> None:
        """Postings still in work are rolled back with their process, as in the original."""
        for task in self._postings:
            task.cancel()
        await asyncio.gather(*self._postings, return_exceptions=True)

    def settle(self) -> None:
        """Posts delayed goods movements that are due; whoever looks at the books calls it first."""
        if cogi.has_due(self.books):
            with self.books.transaction():
                cogi.settle(self.books)

    async def answer(self, request: Request) -> Answer | None:
        """The answer to one OData call; None means that the connection is to be dropped without one."""
        raw = await request.body() if request.url.path.rstrip("/").endswith("/$batch") else b""
        call = call_of(request, raw)
        self.settle()
        plan = self._plan(call)
        try:
            if plan.before and plan.before.request.mode is not Mode.BUSINESS_ERROR:
                return await self._fail_early(request, plan.before)
            return await self._answer(request, call, plan)
        except Refusal as refusal:
            return _refused(call, refusal)
        except Exception:
            log.exception("the simulated SAP failed at a call", method=call.method, path=call.path)
            return _refused(call, Refusal("SY/530", "An exception was raised", status=500))

    def _plan(self, call: Call) -> Plan:
        """A batch is known to faults by its own address and by those of its parts."""
        parts: list[Call] = [call]
        if call.is_batch:
            with contextlib.suppress(Refusal):
                parts += _calls_of(parse_batch(call))
        addresses = [
            (part.method, path, not part.is_reading and not part.is_batch)
            for part in parts
            for path in _addresses(part)
        ]
        writing = any(address[2] for address in addresses)
        return self.faults.plan(call.method, call.path, writing=writing, also=addresses[1:])

    async def _fail_early(self, request: Request, fault: Fault) -> Answer | None:
        match fault.request.mode:
            case Mode.DOWN:
                return None
            case Mode.REFUSE:
                return Answer(503, "Service Unavailable", {"content-type": "text/plain"})
            case Mode.THROTTLE:
                headers = {"retry-after": str(fault.request.retry_after), "content-type": "text/plain"}
                return Answer(429, "Too Many Requests", headers)
            case _:
                return await self._hang(request, fault)

    async def _hang(self, request: Request, fault: Fault) -> Answer:
        """Until the time is over or the client has gone; who still waits gets a gateway's 504."""
        seconds = _HANG_SECONDS if fault.request.seconds is None else fault.request.seconds
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (await request.receive())["type"] != "http.disconnect":
                    pass
        return Answer(504, "Gateway Timeout", {"content-type": "text/plain"})

    async def _answer(self, request: Request, call: Call, plan: Plan) -> Answer:
        seconds = float(self.books.setting("session_seconds"))
        refused = wrong_client(self.books, call) or self._sessions.refuse_login(request, seconds)
        if refused:
            plan.give_back()
            return refused
        try:
            require_service(self.books, call)
        except Refusal:
            plan.give_back()
            raise
        if call.method in ("GET", "HEAD"):
            answer = self._read(call)
            if request.headers.get("x-csrf-token", "").lower() == "fetch":
                answer = self._with_token(request, answer, seconds)
            return await self._deliver(request, plan, answer)
        if refused := self._sessions.refuse_token(request, seconds):
            plan.give_back()
            return refused
        if call.is_batch:
            return await self._batch(request, call, plan)
        if plan.before:
            raise _business_fault(plan.before, call)
        call = replace(call, raw=await request.body())
        return await self._write(request, call, plan)

    def _with_token(self, request: Request, answer: Answer, seconds: float) -> Answer:
        token, cookies = self._sessions.fetch(request, seconds)
        return Answer(
            answer.status, answer.body, answer.headers | {"x-csrf-token": token, "set-cookie": "\n".join(cookies)}
        )

    def _read(self, call: Call) -> Answer:
        """A refused read is an answer like any other: it may carry a fetched token."""
        try:
            if not call.v4:
                _require_json(call)
            names = filter_names(call.options) & REFERENCE_FIELDS
            if names and any(self.faults.unsearchable(path) for path in _addresses(call)):
                text = f"Property '{sorted(names)[0]}' is not filterable"
                raise Refusal("/IWBEP/CM_MGW_RT/176", text)
            return read_v4(self.books, call) if call.v4 else Reader(self.books, call).answer()
        except Refusal as refusal:
            return _refused(call, refusal)

    def _accept(self, calls: Sequence[Call]) -> list[Job]:
        """Finds what the calls ask for and takes the locks of all of them, or none."""
        jobs = [find_job(self.books, call) for call in calls]
        orders = frozenset().union(*(job.orders for job in jobs))
        if locked := self.locks.blocking(orders):
            raise order_locked(locked, self.books.setting("lock_answer"))
        self.locks.take(orders)
        return jobs

    async def _write(self, request: Request, call: Call, plan: Plan) -> Answer:
        try:
            jobs = self._accept([call])
        except Refusal:
            plan.give_back()
            raise
        try:
            committed = await self._finish(self._post(jobs, plan, plan.delay, call.headers.get("requestid", "")))
        except Refusal:
            plan.give_back()
            raise
        _keep_unspoiled(plan, spoiled=committed.spoiled)
        return await self._deliver(request, plan, committed.answers[0])

    async def _finish(self, posting: Coroutine[Any, Any, _Result]) -> _Result:
        """The client may go; what SAP has accepted it finishes."""
        task = asyncio.create_task(posting)
        self._postings.add(task)
        task.add_done_callback(self._postings.discard)
        return await asyncio.shield(task)

    async def _post(self, jobs: list[Job], plan: Plan, delay: float, request_id: str = "") -> _Committed:
        """One commit for all jobs; the locks are held from acceptance to commit, also while a slow posting runs."""
        postings = [self._posting(plan) for _ in jobs]
        orders = frozenset().union(*(job.orders for job in jobs))
        try:
            delay += float(self.books.setting("posting_seconds")) if orders else 0
            if delay:
                await asyncio.sleep(delay)
            with self.books.transaction():
                pairs = zip(jobs, postings, strict=True)
                answers = [self._once(job, posting, request_id) for job, posting in pairs]
        finally:
            self.locks.release(orders)
        return _Committed(answers, any(posting.spoiled for posting in postings))

    def _posting(self, plan: Plan) -> Posting:
        return Posting(
            self.books,
            self._user,
            forget_keys=Mode.FORGET_KEYS in plan.modifiers,
            partial=Mode.PARTIAL in plan.modifiers,
        )

    async def _batch(self, request: Request, call: Call, plan: Plan) -> Answer:
        try:
            parts = parse_batch(call)
        except Refusal:
            plan.give_back()
            raise
        replies, committed = await self._finish(self._run_batch(parts, plan))
        if committed:
            _keep_unspoiled(plan, spoiled=any(one.spoiled for one in committed))
        else:
            plan.give_back()
            plan.after = None
        return await self._deliver(request, plan, batch_answer(replies, v4=call.v4))

    async def _run_batch(self, parts: list[Part], plan: Plan) -> tuple[list[Reply], list[_Committed]]:
        """Parts one after the other. A fault's delay comes before the first change set, its refusal is that set's."""
        replies: list[Reply] = []
        committed: list[_Committed] = []
        for part in parts:
            if isinstance(part, Call):
                replies.append(Reply((("", self._read_part(part)),), is_set=False))
                continue
            calls = [change.call for change in part.changes]
            try:
                if plan.before and calls:
                    refusal, plan.before = _business_fault(plan.before, calls[0]), None
                    raise refusal
                committed.append(await self._post_set(calls, plan, 0.0 if committed else plan.delay))
                names = [change.content_id for change in part.changes]
                replies.append(Reply(tuple(zip(names, committed[-1].answers, strict=True)), is_set=True))
            except Refusal as refusal:
                answer = _refused(calls[0], refusal) if calls else error_answer(refusal)
                replies.append(Reply((("", answer),), is_set=False))
        return replies, committed

    def _read_part(self, call: Call) -> Answer:
        try:
            require_service(self.books, call)
        except Refusal as refusal:
            return _refused(call, refusal)
        return self._read(call)

    async def _post_set(self, calls: list[Call], plan: Plan, delay: float) -> _Committed:
        for call in calls:
            require_service(self.books, call)
        return await self._post(self._accept(calls), plan, delay)

    def _once(self, job: Job, posting: Posting, request_id: str) -> Answer:
        """Runs the call, or replays its stored answer when request repetition is configured and the id is known."""
        if not request_id:
            return job.work(posting)
        if not self.books.setting("repeatability"):
            answer = job.work(posting)
            return Answer(answer.status, answer.body, answer.headers | {"repeatabilityresult": "unsupported"})
        known = self.books.one("SELECT * FROM repeatable_request WHERE id = ?", request_id)
        accepted = {"repeatabilityresult": "accepted"}
        if known is None:
            answer = job.work(posting)
            row = {"id": request_id, "at": time.time(), "status": answer.status, "body": json.dumps(answer.body)}
            self.books.insert("repeatable_request", row)
            return Answer(answer.status, answer.body, answer.headers | accepted)
        if time.time() - known["at"] > float(self.books.setting("repeatability_seconds")):
            raise Refusal(REPEATED, TEXTS[REPEATED], headers={"repeatabilityresult": "rejected"})
        return Answer(known["status"], json.loads(known["body"]), accepted)

    async def _deliver(self, request: Request, plan: Plan, answer: Answer) -> Answer:
        """What the client sees of a call that has been committed."""
        if request.method in ("GET", "HEAD") and plan.delay:
            await asyncio.sleep(plan.delay)
        if plan.after is None:
            return answer
        match plan.after.request.mode:
            case Mode.TIMEOUT_AFTER_COMMIT:
                return await self._hang(request, plan.after)
            case Mode.DUPLICATE_ANSWER:
                raise Refusal(REPEATED, TEXTS[REPEATED])
            case _:
                raise Refusal("SY/530", "An exception was raised while the answer was being written", status=500)

    async def enter_by_hand(self, order: str, posting: Posting, work: Any, patience: float = 60.0) -> Any:
        """A person's transaction in the SAP GUI: waits for a locked order, needs no network."""
        orders = frozenset({order} if order else ())
        if not await self.locks.wait_free(orders, patience):
            raise order_locked(order, "423")
        self.settle()
        with self.books.transaction():
            return work(posting)


def _keep_unspoiled(plan: Plan, *, spoiled: bool) -> None:
    """A partial fault that found nothing to leave out keeps its calls."""
    partial = plan.modifiers.get(Mode.PARTIAL)
    if partial and not spoiled:
        partial.give_back()


def _addresses(call: Call) -> list[str]:
    """The path, and for V4 also the path as if it were below the V2 root, which faults may leave out."""
    return [call.path, ROOT + call.path.removeprefix(ROOT4)] if call.v4 else [call.path]


def _calls_of(parts: list[Part]) -> list[Call]:
    calls: list[Call] = []
    for part in parts:
        calls += [part] if isinstance(part, Call) else [change.call for change in part.changes]
    return calls


def _refused(call: Call, refusal: Refusal) -> Answer:
    return error_answer_v4(refusal) if call.v4 else error_answer(refusal, call.service)


def _require_json(call: Call) -> None:
    """The original answers Atom XML unless JSON is asked for; this one speaks JSON only, and says so."""
    path = call.path.rstrip("/")
    free = path.count("/") <= 5 or re.search(r"(\$metadata|\$count)$", path)
    if free or call.options.get("$format") == "json" or "application/json" in call.headers.get("accept", ""):
        return
    text = "Only JSON is spoken here: send Accept: application/json or $format=json (without it SAP answers Atom XML)"
    raise Refusal("/IWFND/CM_COS/406", text, status=406)


def _business_fault(fault: Fault, call: Call) -> Refusal:
    code = fault.request.code or DEFICIT
    container = DOCUMENT_CONTAINER if "MATERIAL_DOCUMENT" in call.path else BUSINESS_CONTAINER
    return Refusal(code, TEXTS.get(code, f"Business error {code}"), container=container)
