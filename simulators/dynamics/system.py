"""One running D365: answers calls with authentication, faults and transactions in the order the original has.

Business rules are in production, consumption, route_cards and the rules of the entity sets; this decides who may run
when, and what the client gets to see.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

import structlog
from starlette.requests import Request

from simulators.common.faults import Fault as FaultSwitch
from simulators.common.faults import Faults, Mode, Plan
from simulators.dynamics import batch, contents, queue
from simulators.dynamics.auth import Answer, Identity
from simulators.dynamics.books import Books
from simulators.dynamics.events import Deliverer
from simulators.dynamics.odata import ROOT, Fault, bad_query, error, service_error, write_failed
from simulators.dynamics.processor import OrderLocks, Processor
from simulators.dynamics.reading import Reader
from simulators.dynamics.refusals import Refusal
from simulators.dynamics.rules import RULES
from simulators.dynamics.writing import Context, Writer

log = structlog.get_logger("simulators.dynamics")
_HANG_SECONDS = 30.0
_PLAIN = {"content-type": "text/plain; charset=utf-8"}
_ENVELOPE = ("_companyId", "_messageQueue", "_messageType", "_messageContent")
SEND_MESSAGE = "/api/services/SysMessageServices/SysMessageService/SendMessage"


class DynamicsSystem:
    def __init__(self, books: Books, client_id: str, client_secret: str, tenant: str) -> None:
        self.books = books
        self.faults = Faults(ROOT)
        self.locks = OrderLocks()
        self.identity = Identity(books, client_id, client_secret, tenant)
        self.processor = Processor(books, self.locks)
        self._deliverer = Deliverer(books, self.is_down)
        self._user = client_id
        self._background: list[asyncio.Task[None]] = []
        self._writes: set[asyncio.Task[Answer]] = set()

    def start(self) -> None:
        self._background = [asyncio.create_task(self.processor.run()), asyncio.create_task(self._deliverer.run())]

    async def stop(self) -> None:
        """Whatever is under way is rolled back with its process; the queue and the outbox keep the rest."""
        tasks = [*self._background, *self._writes]
        for task in tasks:
            task.cancel()
        await self.processor.stop()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._deliverer.aclose()

    async def finish(self) -> dict[str, Any]:
        """All that needs no person happens now: the queue is worked off and its events are told. What is left."""
        await self.processor.finish()
        await self._deliverer.deliver()
        failed = [head["id"] for head in queue.heads(self.books) if head["state"] == queue.FAILED]
        return {"failed": failed, "undelivered": self._deliverer.due}

    def is_down(self) -> bool:
        return any(fault["mode"] == Mode.DOWN and fault["left"] != 0 for fault in self.faults.shown())

    async def token(self, request: Request, tenant: str) -> Answer | None:
        """Faults reach the token endpoint only with `"method": "TOKEN"`, `down` always."""
        plan = self.faults.plan("TOKEN", _path(request), writing=False)
        if plan.before and plan.before.request.mode is not Mode.BUSINESS_ERROR:
            return await self._fail_early(request, plan.before)
        raw = await request.body()
        return self.identity.token(tenant, raw, request.headers.get("content-type", ""), _base(request))

    async def odata(self, request: Request) -> Answer | None:
        """The answer to one OData call; None means that the connection is to be dropped without one."""
        return await self._guarded(request, self._odata)

    async def service(self, request: Request) -> Answer | None:
        return await self._guarded(request, self._service)

    async def _guarded(self, request: Request, work: Callable[[Request, Plan], Any]) -> Answer | None:
        reading = request.method in ("GET", "HEAD")
        plan = self.faults.plan(request.method, _path(request), writing=not reading)
        try:
            if plan.before and plan.before.request.mode is not Mode.BUSINESS_ERROR:
                return await self._fail_early(request, plan.before)
            if refused := self.identity.refuse(request.headers):
                _give_back(plan)
                return refused
            return await work(request, plan)
        except Fault as fault:
            return fault.answer
        except Exception:
            log.exception("the simulated D365 failed at a call", path=_path(request))
            return error(500, "Exception has been thrown by the target of an invocation.", "System.Exception")

    async def _fail_early(self, request: Request, fault: FaultSwitch) -> Answer | None:
        match fault.request.mode:
            case Mode.DOWN:
                return None
            case Mode.REFUSE:
                return Answer(503, "Service Unavailable", dict(_PLAIN))
            case Mode.THROTTLE:
                text = "Too many requests. The system is experiencing high resource utilization."
                return Answer(429, {"Message": text}, {"retry-after": str(fault.request.retry_after)})
            case _:
                return await self._hang(request, fault)

    async def _hang(self, request: Request, fault: FaultSwitch) -> Answer:
        """Until the time is over or the client has gone; who still waits gets a gateway's 504."""
        seconds = _HANG_SECONDS if fault.request.seconds is None else fault.request.seconds
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (await request.receive())["type"] != "http.disconnect":
                    pass
        return Answer(504, "Gateway Timeout", dict(_PLAIN))

    async def _odata(self, request: Request, plan: Plan) -> Answer:
        if request.method in ("GET", "HEAD"):
            answer = self._read(request)
            if plan.delay:
                await asyncio.sleep(plan.delay)
            return await self._deliver(request, plan, answer, _odata_failures)
        raw = await request.body()
        if plan.before:
            refusal = Refusal("fault", text=plan.before.request.code)
            raise Fault(write_failed(None, refusal, str(self.books.setting("language"))))
        return await self._commit(request, plan, lambda: self._write(request, plan, raw), _odata_failures)

    def _read(self, request: Request) -> Answer:
        options = dict(request.query_params)
        reader = Reader(self.books, _base(request), _path(request), options, self._page_size(request))
        names = reader.referenced()
        if names and self.faults.unsearchable(_path(request)):
            raise bad_query(f"The property '{sorted(names)[0]}' cannot be used in the query option.")
        return reader.answer()

    def _page_size(self, request: Request) -> int:
        own = int(self.books.setting("page_size"))
        for part in request.headers.get("prefer", "").split(","):
            name, _, value = part.strip().partition("=")
            if name == "odata.maxpagesize" and value.isdigit() and int(value):
                return min(own, int(value))
        return own

    def writer(self, request: Request, plan: Plan) -> Writer:
        context = Context(
            self.books,
            str(self.books.setting("default_company")).lower(),
            self._user,
            lambda company, order: self.locks.is_held(f"{company.lower()}/{order.lower()}"),
            partial=Mode.PARTIAL in plan.modifiers,
            forget_keys=Mode.FORGET_KEYS in plan.modifiers,
        )
        crosses = request.query_params.get("cross-company", "").lower() == "true"
        return Writer(RULES, _base(request), context, crosses=crosses)

    def _write(self, request: Request, plan: Plan, raw: bytes) -> Answer:
        writer = self.writer(request, plan)
        if _path(request) == f"{ROOT}/$batch":
            headers = dict(request.headers)
            return batch.run(self.books, writer, _base(request), headers, raw, int(self.books.setting("page_size")))
        with self.books.transaction():
            return writer.run(request.method, _path(request), dict(request.headers), raw)

    async def _service(self, request: Request, plan: Plan) -> Answer:
        if _path(request).rstrip("/").lower() != SEND_MESSAGE.lower() or request.method != "POST":
            _give_back(plan)
            text = f"No HTTP resource was found that matches the request URI '{_path(request)}'."
            return Answer(404, {"Message": text})
        try:
            envelope = self._envelope(await request.body())
        except Fault:
            _give_back(plan)
            raise
        return await self._commit(request, plan, lambda: self._enqueue(envelope, plan), _service_failures)

    def _envelope(self, raw: bytes) -> dict[str, str]:
        """The parameters of the operation; of the content only that it is a text."""
        kind = "XppServicesDeserializationException"
        try:
            body = json.loads(raw)
        except ValueError:
            raise Fault(service_error("The request body is not valid JSON.", kind)) from None
        for name in _ENVELOPE:
            if not isinstance(body, dict) or not isinstance(body.get(name), str) or not body[name]:
                raise Fault(service_error(f"Parameter '{name}' is missing or of another type than String.", kind))
        if not self.books.knows_company(body["_companyId"]):
            raise Fault(service_error(f"Company {body['_companyId']} does not exist.", "ErrorException"))
        if body["_messageQueue"].lower() != "jmgmes3p":
            raise Fault(service_error(f"Message queue {body['_messageQueue']} does not exist.", "ErrorException"))
        return body

    def _enqueue(self, envelope: dict[str, str], plan: Plan) -> Answer:
        content, message_type = envelope["_messageContent"], envelope["_messageType"]
        fault: dict[str, str] = {}
        if plan.before:
            fault = {"fault": "business_error", "fault_text": plan.before.request.code}
        elif Mode.PARTIAL in plan.modifiers:
            fault = {"fault": "partial"}
        if Mode.FORGET_KEYS in plan.modifiers:
            version = str(self.books.setting("picking_list_version"))
            content = contents.known_members_only(message_type, version, content)
        with self.books.transaction():
            company, name = envelope["_companyId"], envelope["_messageQueue"]
            queue.enqueue(self.books, company, name, message_type, content, **fault)
        body = str(self.books.setting("send_message_body"))
        return Answer(200, body, {"content-type": "application/json; charset=utf-8"})

    async def _commit(
        self, request: Request, plan: Plan, work: Callable[[], Answer], failures: Callable[[str], Answer]
    ) -> Answer:
        """Runs the write in a task of its own: the client may go; what has been accepted is finished."""

        async def run() -> Answer:
            if plan.delay:
                await asyncio.sleep(plan.delay)
            return work()

        task = asyncio.create_task(run())
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        try:
            answer = await asyncio.shield(task)
        except Fault:
            _give_back(plan)
            raise
        return await self._deliver(request, plan, answer, failures)

    async def _deliver(self, request: Request, plan: Plan, answer: Answer, failures: Callable[[str], Answer]) -> Answer:
        """What the client sees of a call that has been committed."""
        if plan.after is None:
            return answer
        if plan.after.request.mode is Mode.TIMEOUT_AFTER_COMMIT:
            return await self._hang(request, plan.after)
        return failures(plan.after.request.mode)


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _path(request: Request) -> str:
    """Decoded once, as the server hands it over."""
    return request.scope["path"]


def _give_back(plan: Plan) -> None:
    """The call came to nothing by itself, so no fault had anything to spoil."""
    plan.give_back()
    if plan.before:
        plan.before.give_back()


def _odata_failures(mode: str) -> Answer:
    if mode == Mode.DUPLICATE_ANSWER:
        return write_failed(None, Refusal("exists", table="the table"), "en-us")
    return error(500, "Exception has been thrown by the target of an invocation.", "System.Exception")


def _service_failures(mode: str) -> Answer:
    if mode == Mode.DUPLICATE_ANSWER:
        return service_error("Cannot create a record in Messages. The record already exists.", "DuplicateKeyException")
    return service_error("Object reference not set to an instance of an object.", "NullReferenceException")
