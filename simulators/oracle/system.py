"""One running Oracle: answers REST calls with access, locks, faults and transactions in the order the original has.

Business rules are in operations, materials, stock and records; this decides who may run when, and what the client sees.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import structlog
from starlette.requests import Request

from simulators.common.faults import Fault, Faults, Mode, Plan
from simulators.oracle import staged
from simulators.oracle.access import Access
from simulators.oracle.books import Books
from simulators.oracle.call import Call, Job
from simulators.oracle.errors import DUPLICATE, NEGATIVE, TEXTS, LineError, Refusal, locked
from simulators.oracle.framework import (
    EVENTS,
    JSON,
    LATEST,
    ROOT,
    TOKEN,
    Answer,
    error_answer,
    framework_version,
    require_acceptable,
)
from simulators.oracle.locks import OperationLocks
from simulators.oracle.posting import LockKey, Posting
from simulators.oracle.reading import Address, Reader, parse_address, refuse_reading_transactions
from simulators.oracle.writing import find_event, find_job, is_reading

log = structlog.get_logger("simulators.oracle")
_HANG_SECONDS = 30.0
_DUPLICATE_LINE = LineError("WIE_DUPLICATE_TRANSACTION", "The transaction has been processed before.")


class OracleSystem:
    def __init__(self, books: Books, access: Access) -> None:
        self.books = books
        self.faults = Faults(ROOT)
        self.locks = OperationLocks()
        self._access = access
        self._postings: set[asyncio.Task[Answer]] = set()

    async def stop(self) -> None:
        """Postings still in work are rolled back with their process, as in the original."""
        for task in self._postings:
            task.cancel()
        await asyncio.gather(*self._postings, return_exceptions=True)

    def settle(self) -> None:
        """Processes what is due in the background; whoever looks at the books calls it first."""
        for number in staged.due(self.books):
            with self.books.transaction():
                staged.process(Posting(self.books, "BACKGROUND"), number)

    async def answer(self, request: Request) -> Answer | None:
        """The answer to one REST call; None means that the connection is to be dropped without one."""
        method, path = request.method, _normal(request.url.path)
        self.settle()
        version = 1
        plan = self.faults.plan(method, path, writing=path != TOKEN and not is_reading(method, path))
        try:
            if plan.before and plan.before.request.mode is not Mode.BUSINESS_ERROR:
                return await self._fail_early(request, plan.before)
            if path == TOKEN:
                return await self._token(request)
            version = int(self.books.setting("framework_version"))
            version = framework_version(request.headers.get("rest-framework-version"), version)
            answer = await self._answer(request, method, path, version, plan)
        except Refusal as refusal:
            answer = error_answer(refusal, version)
        except Exception:
            log.exception("the simulated Oracle failed at a call", method=method, path=path)
            answer = error_answer(Refusal("500", "Internal Server Error", status=500), version)
        return Answer(
            answer.status,
            answer.body,
            answer.media,
            {"rest-framework-version": str(version), **answer.headers},
            answer.refused,
        )

    async def _fail_early(self, request: Request, fault: Fault) -> Answer | None:
        match fault.request.mode:
            case Mode.DOWN:
                return None
            case Mode.REFUSE:
                return Answer(503, "Service Unavailable", "text/plain")
            case Mode.THROTTLE:
                return Answer(429, "Too Many Requests", "text/plain", {"retry-after": str(fault.request.retry_after)})
            case _:
                return await self._hang(request, fault)

    async def _hang(self, request: Request, fault: Fault) -> Answer:
        """Until the time is over or the client has gone; who still waits gets a gateway's 504."""
        seconds = _HANG_SECONDS if fault.request.seconds is None else fault.request.seconds
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (await request.receive())["type"] != "http.disconnect":
                    pass
        return Answer(504, "Gateway Timeout", "text/plain")

    async def _token(self, request: Request) -> Answer:
        if request.method != "POST":
            return Answer(405, {"error": "invalid_request"}, JSON, refused=True)
        headers = request.headers
        seconds = float(self.books.setting("token_seconds"))
        authorization, media = headers.get("authorization", ""), headers.get("content-type", "")
        return self._access.token(authorization, media, await request.body(), seconds)

    async def _answer(self, request: Request, method: str, path: str, version: int, plan: Plan) -> Answer:
        authorization = request.headers.get("authorization", "")
        user = self._access.caller(authorization)
        if user is None:
            plan.give_back()
            return self._access.refused(authorization)
        require_acceptable(request.headers.get("accept", ""))
        address = parse_address(path.removeprefix(ROOT)) if path != EVENTS else Address(())
        name = address.segments[0].name if address.segments else path.rsplit("/", 1)[-1]
        if name in self.books.setting("forbidden_resources"):
            plan.give_back()
            raise Refusal("403", f"The account {user} has no privilege for {name}", status=403)
        if method in ("GET", "HEAD") and path != EVENTS:
            return await self._deliver(request, plan, self._read(request, path, address, version))
        return await self._write(request, method, path, address, version, user, plan)

    def _read(self, request: Request, path: str, address: Address, version: int) -> Answer:
        options = dict(request.query_params)
        if not address.segments:
            raise Refusal("404", f"Not Found: {path}", status=404)
        refuse_reading_transactions(address)
        reader = Reader(self.books, _base(request), version, options)
        answer = reader.answer(address)
        if reader.reference_names:
            name = sorted(reader.reference_names)[0]
            if not self.books.setting("reference_searchable") or self.faults.unsearchable(path):
                raise Refusal("27524", f"URL request parameter q cannot be used: attribute {name} is not queryable")
        return answer

    async def _write(
        self, request: Request, method: str, path: str, address: Address, version: int, user: str, plan: Plan
    ) -> Answer:
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(
            self.books, method, address, _base(request), version, headers, await request.body(),
            dict(request.query_params),
        )  # fmt: skip
        try:
            job = find_job(call) if path != EVENTS else find_event(call)
            blocked = self.locks.blocked(job.locks)
            if blocked and not (job.per_line and self.books.setting("lock_answer") == "line"):
                raise locked()
        except Refusal:
            plan.give_back()
            raise
        mine = job.locks - blocked
        self.locks.take(mine)
        task = asyncio.create_task(self._post(job, plan, user, mine, blocked))
        self._postings.add(task)
        task.add_done_callback(self._postings.discard)
        # The client may go; what Oracle has accepted it finishes.
        answer = await asyncio.shield(task)
        return answer if answer.refused else await self._deliver(request, plan, answer)

    async def _post(
        self, job: Job, plan: Plan, user: str, mine: frozenset[LockKey], blocked: frozenset[LockKey]
    ) -> Answer:
        """Holds the locks from acceptance to commit, also while a slow posting is under way."""
        business = plan.before
        posting = Posting(
            self.books,
            user,
            forget_keys=Mode.FORGET_KEYS in plan.modifiers,
            fail_pull=Mode.PARTIAL in plan.modifiers,
            refuse=_business_fault(business) if business else None,
            locked=blocked,
        )
        try:
            delay = plan.delay + (float(self.books.setting("posting_seconds")) if mine else 0)
            if delay and (mine or not blocked):
                await asyncio.sleep(delay)
            if business and not job.tells_errors:
                fault = _business_fault(business)
                raise Refusal(fault.name, fault.text)
            with self.books.transaction():
                answer = job.work(posting)
            if answer.refused:
                plan.give_back()
            return answer
        except Refusal:
            plan.give_back()
            raise
        finally:
            self.locks.release(mine)

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
                return _as_duplicate(answer)
            case _:
                raise Refusal("500", "Internal Server Error", status=500)

    async def enter_by_hand(self, keys: frozenset[LockKey], work: Callable[[], Any], patience: float = 60.0) -> Any:
        """A person's transaction in Oracle's screen: waits for a locked operation, needs no network."""
        if not await self.locks.wait_free(keys, patience):
            raise locked()
        self.settle()
        with self.books.transaction():
            return work()


def _normal(path: str) -> str:
    """`latest` is another name of the one version that is served."""
    return ROOT + path.removeprefix(LATEST) if path == LATEST or path.startswith(LATEST + "/") else path


def _base(request: Request) -> str:
    root = LATEST if request.url.path.startswith(LATEST) else ROOT
    return str(request.base_url).rstrip("/") + root


def _business_fault(fault: Fault) -> LineError:
    return LineError(fault.request.code or NEGATIVE)


def _as_duplicate(answer: Answer) -> Answer:
    """A transaction resource says so inside its 201, every other one by a key that exists already."""
    if not isinstance(answer.body, dict) or "ErrorsExistFlag" not in answer.body:
        raise Refusal(DUPLICATE, f"{DUPLICATE}: {TEXTS[DUPLICATE]}")
    told = {"ErrorMessages": _DUPLICATE_LINE.text, "ErrorMessageNames": _DUPLICATE_LINE.name}
    body: dict[str, Any] = answer.body | {"ErrorsExistFlag": "true"}
    for name, lines in answer.body.items():
        if isinstance(lines, dict) and "items" in lines:
            body[name] = lines | {"items": [line | told for line in lines["items"]]}
        elif isinstance(lines, list) and name != "links":
            body[name] = [line | told for line in lines]
    return Answer(answer.status, body, answer.media, answer.headers)
