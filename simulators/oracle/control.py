"""The control side: seeding, books, faults, settings and people at Oracle's screens. It never goes through REST.

Malformed input answers 400 with {"error": {"code", "message"}} and changes nothing.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators.common.teaching import teach
from simulators.oracle import manual, pull
from simulators.oracle.documents import label
from simulators.oracle.entries import ManualEntry, PullErrorEntry
from simulators.oracle.errors import LineError, Refusal
from simulators.oracle.posting import Posting
from simulators.oracle.report import books_report
from simulators.oracle.seed import SeedDocument, SettingsChange
from simulators.oracle.seeding import seed
from simulators.oracle.system import OracleSystem

_SEED_EXAMPLE = (
    '{"orders": [{"order": "1000040", "plant": "M1", "material": "FG1", "quantity": "30", "unit": "PC",'
    ' "operations": [{"operation": "0010", "work_centre": "PRESS"}]}]}'
)
_MANUAL_EXAMPLE = '{"order": "1000040", "operation": "0010", "yield": "5"}'
_SETTINGS_EXAMPLE = '{"source_systems": ["PLANTWRIGHT"]}'
_ERROR_EXAMPLE = '{"id": 1, "storage_location": "RM02"}'

_Model = TypeVar("_Model", bound=BaseModel)


class Control:
    def __init__(self, system: OracleSystem) -> None:
        self._system = system
        self._books = system.books

    def routes(self) -> list[Route]:
        return [
            Route("/_control/books", self._taught(self.books), methods=["GET"]),
            Route("/_control/orders", self._taught(self.orders), methods=["POST"]),
            Route("/_control/faults", self._taught(self.faults), methods=["GET", "POST", "DELETE"]),
            Route("/_control/manual", self._taught(self.manual), methods=["POST"]),
            Route("/_control/cogi", self._taught(self.pull_errors), methods=["GET", "POST"]),
            Route("/_control/settings", self._taught(self.settings), methods=["GET", "POST"]),
        ]

    def _taught(self, handler: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                return JSONResponse(await handler(request))
            except Refusal as refusal:
                return _problem(refusal.code, refusal.message)
            except LineError as error:
                return _problem(error.name, error.text)
            except ValueError as error:
                return _problem("bad_request", str(error))

        return endpoint

    async def books(self, request: Request) -> dict[str, Any]:
        self._system.settle()
        report = books_report(self._books, request.query_params.get("order"))
        orders = {row["WorkOrderId"]: row["WorkOrderNumber"] for row in self._books.all("SELECT * FROM work_order")}
        locks = [f"{orders.get(order, '')}/{label(operation)}" for order, operation in self._system.locks.held()]
        return report | {"locks": sorted(locks)}

    async def orders(self, request: Request) -> dict[str, Any]:
        document = _validated(SeedDocument, await _body(request), _SEED_EXAMPLE)
        with self._books.transaction():
            answer = seed(self._books, document)
            if document.periods is not None:
                self._books.change_settings({"open_periods": document.periods.open})
            if document.settings is not None:
                self._books.change_settings(document.settings.model_dump(exclude_unset=True))
        return answer

    async def faults(self, request: Request) -> Any:
        if request.method == "DELETE":
            self._system.faults.clear()
        elif request.method == "POST":
            return self._system.faults.add(await _body(request))
        return {"faults": self._system.faults.shown()}

    async def manual(self, request: Request) -> dict[str, Any]:
        """Each of `count` entries is a transaction of its own; a refusal keeps the earlier ones and names them."""
        entry = _validated(ManualEntry, await _body(request), _MANUAL_EXAMPLE)
        key = manual.lock_key(self._books, entry)
        documents: list[str] = []
        posting = Posting(self._books, entry.user, manual=True)
        for _ in range(entry.count):
            try:
                documents += await self._system.enter_by_hand(frozenset({key}), lambda: manual.enter(posting, entry))
            except LineError as error:
                posted = f" (posted before: {', '.join(documents)})" if documents else ""
                raise LineError(error.name, error.text + posted) from None
        return {"documents": documents}

    async def pull_errors(self, request: Request) -> dict[str, Any]:
        if request.method == "POST":
            entry = _validated(PullErrorEntry, await _body(request), _ERROR_EXAMPLE)
            posting = Posting(self._books, "SHOP_FLOOR_USER", manual=True)
            with self._books.transaction():
                pull.retry_error(posting, entry.id, subinventory=entry.storage_location, drop=entry.drop)
        return {"cogi": books_report(self._books)["cogi"]}

    async def settings(self, request: Request) -> dict[str, Any]:
        if request.method == "POST":
            change = _validated(SettingsChange, await _body(request), _SETTINGS_EXAMPLE)
            with self._books.transaction():
                self._books.change_settings(change.model_dump(exclude_unset=True))
        return self._books.settings()


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
