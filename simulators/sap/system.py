"""One running SAP: answers OData calls with sessions, locks, faults and transactions in the order the original has.

Business rules are in confirmations, goods and orders; this decides who may run when, and what the client gets to see.
"""

import asyncio
import contextlib
import json
import re
import time
from typing import Any

import structlog
from starlette.requests import Request

from simulators.common.faults import Fault, Faults, Mode, Plan
from simulators.sap import cogi
from simulators.sap.books import Books
from simulators.sap.confirmation_rules import Posting
from simulators.sap.messages import (
    BUSINESS_CONTAINER,
    DEFICIT,
    DOCUMENT_CONTAINER,
    REPEATED,
    TEXTS,
    Refusal,
    order_locked,
)
from simulators.sap.odata import ROOT, Answer, error_answer
from simulators.sap.reading import REFERENCE_FIELDS, Reader, parse_address
from simulators.sap.session import OrderLocks, Sessions
from simulators.sap.writing import Job, find_job, is_reading, method_not_allowed

log = structlog.get_logger("simulators.sap")
_HANG_SECONDS = 30.0


class SapSystem:
    def __init__(self, books: Books, user: str, password: str) -> None:
        self.books = books
        self.faults = Faults(ROOT)
        self.locks = OrderLocks()
        self._user = user
        self._sessions = Sessions(user, password)
        self._postings: set[asyncio.Task[Answer]] = set()

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
        path = request.url.path
        service = path.split("/")[5] if path.count("/") >= 5 else ""
        method = _effective_method(request)
        self.settle()
        plan = self.faults.plan(method, path, writing=not is_reading(method, path))
        try:
            if plan.before and plan.before.request.mode is not Mode.BUSINESS_ERROR:
                return await self._fail_early(request, plan.before)
            return await self._answer(request, method, plan)
        except Refusal as refusal:
            return error_answer(refusal, service)
        except Exception:
            log.exception("the simulated SAP failed at a call", method=method, path=path)
            return error_answer(Refusal("SY/530", "An exception was raised", status=500), service)

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

    async def _answer(self, request: Request, method: str, plan: Plan) -> Answer:
        seconds = float(self.books.setting("session_seconds"))
        if refused := self._sessions.refuse_login(request, seconds):
            plan.give_back()
            return refused
        if method in ("GET", "HEAD"):
            answer = self._read(request)
            if request.headers.get("x-csrf-token", "").lower() == "fetch":
                answer = self._with_token(request, answer, seconds)
            return await self._deliver(request, plan, answer)
        if refused := self._sessions.refuse_token(request, seconds):
            plan.give_back()
            return refused
        if plan.before:
            raise _business_fault(plan.before, request.url.path)
        return await self._write(request, method, plan)

    def _with_token(self, request: Request, answer: Answer, seconds: float) -> Answer:
        token, cookies = self._sessions.fetch(request, seconds)
        return Answer(
            answer.status, answer.body, answer.headers | {"x-csrf-token": token, "set-cookie": "\n".join(cookies)}
        )

    def _read(self, request: Request) -> Answer:
        options = dict(request.query_params)
        base = str(request.base_url).rstrip("/")
        reader = Reader(self.books, base, request.url.path, options)
        _require_json(request, options)
        names = reader.filter_names() & REFERENCE_FIELDS
        if names and self.faults.unsearchable(request.url.path):
            text = f"Property '{sorted(names)[0]}' is not filterable"
            raise Refusal("/IWBEP/CM_MGW_RT/176", text)
        try:
            return reader.answer()
        except Refusal as refusal:
            return error_answer(refusal, request.url.path.split("/")[5] if request.url.path.count("/") >= 5 else "")

    async def _write(self, request: Request, method: str, plan: Plan) -> Answer:
        base = str(request.base_url).rstrip("/")
        raw = await request.body()
        try:
            address = parse_address(request.url.path)
            if method != "POST":
                raise method_not_allowed(method, address.segments[0].name if address.segments else "")
            job = find_job(self.books, base, request, address, raw)
            if locked := self.locks.blocking(job.orders):
                raise order_locked(locked, self.books.setting("lock_answer"))
        except Refusal:
            plan.give_back()
            raise
        self.locks.take(job.orders)
        task = asyncio.create_task(self._post(job, plan, request.headers.get("requestid", "")))
        self._postings.add(task)
        task.add_done_callback(self._postings.discard)
        # The client may go; what SAP has accepted it finishes.
        answer = await asyncio.shield(task)
        return await self._deliver(request, plan, answer)

    async def _post(self, job: Job, plan: Plan, request_id: str) -> Answer:
        """Holds the locks from acceptance to commit, also while a slow posting is under way."""
        posting = Posting(
            self.books,
            self._user,
            forget_keys=Mode.FORGET_KEYS in plan.modifiers,
            fail_goods=Mode.PARTIAL in plan.modifiers,
        )
        try:
            delay = plan.delay + (float(self.books.setting("posting_seconds")) if job.orders else 0)
            if delay:
                await asyncio.sleep(delay)
            with self.books.transaction():
                return self._once(job, posting, request_id)
        except Refusal:
            plan.give_back()
            raise
        finally:
            self.locks.release(job.orders)

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
        orders = frozenset({order})
        if not await self.locks.wait_free(orders, patience):
            raise order_locked(order, "423")
        self.settle()
        with self.books.transaction():
            return work(posting)


def _effective_method(request: Request) -> str:
    """Gateway honours `X-HTTP-Method: MERGE` in a POST tunnel."""
    tunnelled = request.headers.get("x-http-method", "")
    return tunnelled.upper() if tunnelled and request.method == "POST" else request.method


def _require_json(request: Request, options: dict[str, str]) -> None:
    """The original answers Atom XML unless JSON is asked for; this one speaks JSON only, and says so."""
    path = request.url.path.rstrip("/")
    free = path.count("/") <= 5 or re.search(r"(\$metadata|\$count)$", path)
    if free or options.get("$format") == "json" or "application/json" in request.headers.get("accept", ""):
        return
    text = "Only JSON is spoken here: send Accept: application/json or $format=json (without it SAP answers Atom XML)"
    raise Refusal("/IWFND/CM_COS/406", text, status=406)


def _business_fault(fault: Fault, path: str) -> Refusal:
    code = fault.request.code or DEFICIT
    container = DOCUMENT_CONTAINER if "MATERIAL_DOCUMENT" in path else BUSINESS_CONTAINER
    return Refusal(code, TEXTS.get(code, f"Business error {code}"), container=container)
