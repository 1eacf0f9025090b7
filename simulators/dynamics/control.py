"""The control side: seeding, books, faults, settings, the queue, and people in D365's own screens.

It never goes through the services. Malformed input answers 400 with {"error": {"code", "message"}} and changes nothing.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators.common.teaching import teach
from simulators.dynamics import events, manual, queue, reversal, seeding
from simulators.dynamics.posting import Posting
from simulators.dynamics.refusals import Refusal
from simulators.dynamics.report import books_report
from simulators.dynamics.seed import Company, Seed, SeedDocument, SettingsChange
from simulators.dynamics.system import DynamicsSystem

_SEED_EXAMPLE = (
    '{"orders": [{"order": "P000040", "plant": "1", "material": "FG1", "quantity": "30", "unit": "PC",'
    ' "operations": [{"operation": "0010", "work_centre": "PRESS"}]}]}'
)
_MANUAL_EXAMPLE = '{"order": "P000040", "operation": "0010", "yield": "5"}'
_SETTINGS_EXAMPLE = '{"picking_list_version": "new"}'
_MESSAGE_EXAMPLE = '{"id": 1, "action": "requeue"}, {"id": 1, "action": "cancel"} or {"action": "process"}'
_REVERSE_EXAMPLE = '{"order": "P000040", "to": "Released"}'
_Model = TypeVar("_Model", bound=BaseModel)


class MessageAction(Seed):
    """`process` runs the batch job once, also while it is paused; `pause` and `resume` stop and start its schedule.

    `finish` runs it until what is left waits for a person, sends the events that are due, and says what is left.
    """

    action: Literal["requeue", "cancel", "process", "finish", "pause", "resume"]
    id: int | None = None


class ReverseRequest(Seed):
    order: str
    to: Literal["Created", "CostEstimated", "Scheduled", "Released"] = "Released"
    user: Annotated[str, Field(max_length=20)] = "PERSON"
    company: Company | None = None


class Control:
    def __init__(self, system: DynamicsSystem) -> None:
        self._system = system
        self._books = system.books

    def routes(self) -> list[Route]:
        return [
            Route("/_control/books", self._taught(self.books), methods=["GET"]),
            Route("/_control/orders", self._taught(self.orders), methods=["POST"]),
            Route("/_control/faults", self._taught(self.faults), methods=["GET", "POST", "DELETE"]),
            Route("/_control/manual", self._taught(self.manual), methods=["POST"]),
            Route("/_control/reverse", self._taught(self.reverse), methods=["POST"]),
            Route("/_control/messages", self._taught(self.messages), methods=["GET", "POST"]),
            Route("/_control/events", self._taught(self.events), methods=["GET"]),
            Route("/_control/settings", self._taught(self.settings), methods=["GET", "POST"]),
        ]

    def _taught(self, handler: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                return JSONResponse(await handler(request))
            except Refusal as refusal:
                return _problem(refusal.name, "; ".join(refusal.lines()))
            except ValueError as error:
                return _problem("bad_request", str(error))

        return endpoint

    async def books(self, request: Request) -> dict[str, Any]:
        report = books_report(self._books, request.query_params.get("order"))
        return report | {"locks": self._system.locks.held()}

    async def orders(self, request: Request) -> dict[str, Any]:
        document = _validated(SeedDocument, await _body(request), _SEED_EXAMPLE)
        with self._books.transaction():
            if document.settings is not None:
                self._books.change_settings(document.settings.model_dump(exclude_unset=True))
                self._books.add_company(str(self._books.setting("default_company")))
            answer = seeding.apply(self._books, document)
            if document.periods is not None:
                self._books.change_settings({"open_periods": document.periods.open})
        return answer

    async def faults(self, request: Request) -> Any:
        if request.method == "DELETE":
            self._system.faults.clear()
        elif request.method == "POST":
            return self._system.faults.add(await _body(request))
        return {"faults": self._system.faults.shown()}

    async def manual(self, request: Request) -> dict[str, Any]:
        """Each of `count` entries is a transaction of its own; a refusal keeps the earlier ones and names them."""
        entry = _validated(manual.ManualEntry, await _body(request), _MANUAL_EXAMPLE)
        documents: list[str] = []
        for _ in range(entry.count):
            await self._wait_free(entry.company, entry.order)
            try:
                with self._books.transaction():
                    documents += manual.perform(self._books, entry)
            except Refusal as refusal:
                posted = f" (posted before: {', '.join(documents)})" if documents else ""
                return _raise(refusal, posted)
        return {"documents": documents}

    async def reverse(self, request: Request) -> dict[str, Any]:
        asked = _validated(ReverseRequest, await _body(request), _REVERSE_EXAMPLE)
        company = (asked.company or str(self._books.setting("default_company"))).lower()
        await self._wait_free(asked.company, asked.order)
        with self._books.transaction():
            posting = Posting(self._books, company, asked.user, manual=True, negative=True)
            return {"documents": reversal.reset(posting, asked.order, asked.to)}

    async def _wait_free(self, company: str | None, order: str) -> None:
        own = (company or str(self._books.setting("default_company"))).lower()
        if not await self._system.locks.wait_free(f"{own}/{order.lower()}"):
            raise Refusal("conflict")

    async def messages(self, request: Request) -> dict[str, Any]:
        if request.method == "POST":
            asked = _validated(MessageAction, await _body(request), _MESSAGE_EXAMPLE)
            if asked.action == "process":
                await self._system.processor.drain()
            elif asked.action == "finish":
                return await self._system.finish()
            elif asked.action in ("pause", "resume"):
                with self._books.transaction():
                    self._books.change_settings({"processing_paused": asked.action == "pause"})
            elif asked.id is None:
                raise ValueError(f"id: name the message to {asked.action}; for example {_MESSAGE_EXAMPLE}")
            else:
                with self._books.transaction():
                    return {"message": queue.act(self._books, asked.id, asked.action)}
        order = request.query_params.get("order")
        paused = bool(self._books.setting("processing_paused"))
        return {"messages": queue.shown(self._books, order), "paused": paused}

    async def events(self, _: Request) -> dict[str, Any]:
        return {"events": events.shown(self._books)}

    async def settings(self, request: Request) -> dict[str, Any]:
        if request.method == "POST":
            change = _validated(SettingsChange, await _body(request), _SETTINGS_EXAMPLE)
            with self._books.transaction():
                self._books.change_settings(change.model_dump(exclude_unset=True))
                self._books.add_company(str(self._books.setting("default_company")))
        return self._books.settings()


def _raise(refusal: Refusal, posted: str) -> dict[str, Any]:
    raise Refusal(refusal.name, text="; ".join(refusal.lines()).removeprefix("Error: ") + posted) from None


async def _body(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except ValueError:
        raise ValueError("the body is not JSON; send one JSON object with Content-Type: application/json") from None


def _validated(model: type[_Model], body: Any, example: str) -> _Model:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        raise ValueError(teach(error, example)) from None


def _problem(code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, 400)
