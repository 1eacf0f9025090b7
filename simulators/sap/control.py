"""The control side: seeding, books, faults, settings, people at the SAP GUI. It never goes through OData.

Malformed input answers 400 with {"error": {"code", "message"}} and changes nothing.
"""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from simulators.common.teaching import teach
from simulators.sap import cogi, confirmations, people
from simulators.sap.confirmation_rules import Posting
from simulators.sap.messages import Refusal
from simulators.sap.order_changes import OrderChange, change_by_hand
from simulators.sap.orders import find_order, milli
from simulators.sap.report import books_report
from simulators.sap.seed import ManualEntry, SeedDocument, SettingsChange
from simulators.sap.seeding import seed
from simulators.sap.system import SapSystem

_SEED_EXAMPLE = (
    '{"orders": [{"order": "1000040", "plant": "1010", "material": "FG1", "quantity": "30", "unit": "PC",'
    ' "operations": [{"operation": "0010", "work_centre": "PRESS"}]}]}'
)
_MANUAL_EXAMPLE = '{"order": "1000040", "operation": "0010", "yield": "5"}'
_SETTINGS_EXAMPLE = '{"repeatability": true}'
_CHANGE_EXAMPLE = '{"order": "1000040", "quantity": "80", "lock": true}'
_COGI_EXAMPLE = '{"id": 1, "batch": "B7"}'


_Model = TypeVar("_Model", bound=BaseModel)


class CogiEntry(BaseModel):
    """`drop` deletes the line instead of posting it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: int
    batch: str | None = Field(default=None, max_length=10)
    storage_location: str | None = Field(default=None, max_length=4)
    serials: list[str] | None = None
    drop: bool = False


class Control:
    def __init__(self, system: SapSystem) -> None:
        self._system = system
        self._books = system.books

    def routes(self) -> list[Route]:
        return [
            Route("/_control/books", self._taught(self.books), methods=["GET"]),
            Route("/_control/orders", self._taught(self.orders), methods=["POST"]),
            Route("/_control/orders/change", self._taught(self.change_order), methods=["POST"]),
            Route("/_control/movements", self._taught(self.movements), methods=["POST"]),
            Route("/_control/decisions", self._taught(self.decisions), methods=["POST"]),
            Route("/_control/notifications", self._taught(self.notifications), methods=["POST"]),
            Route("/_control/faults", self._taught(self.faults), methods=["GET", "POST", "DELETE"]),
            Route("/_control/manual", self._taught(self.manual), methods=["POST"]),
            Route("/_control/cogi", self._taught(self.cogi), methods=["GET", "POST"]),
            Route("/_control/settings", self._taught(self.settings), methods=["GET", "POST"]),
        ]

    def _taught(self, handler: Callable[[Request], Awaitable[Any]]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                return JSONResponse(await handler(request))
            except Refusal as refusal:
                return _problem(refusal.code, refusal.message, refusal.status)
            except ValueError as error:
                return _problem("bad_request", str(error), 400)

        return endpoint

    async def books(self, request: Request) -> dict[str, Any]:
        self._system.settle()
        report = books_report(self._books, request.query_params.get("order"))
        return report | {"locks": self._system.locks.held()}

    async def orders(self, request: Request) -> dict[str, Any]:
        document = _validated(SeedDocument, await _body(request), _SEED_EXAMPLE)
        with self._books.transaction():
            answer = seed(self._books, document)
            if document.periods is not None:
                self._books.change_settings({"open_periods": document.periods.open})
            if document.settings is not None:
                self._books.change_settings(document.settings.model_dump(exclude_unset=True))
        return answer

    async def change_order(self, request: Request) -> dict[str, Any]:
        """As soon as no posting holds the order."""
        change = _validated(OrderChange, await _body(request), _CHANGE_EXAMPLE)
        order = find_order(self._books, change.order)["ManufacturingOrder"]
        return await self._by_hand(order, change.user, lambda own: change_by_hand(own.books, change))

    async def movements(self, request: Request) -> dict[str, Any]:
        movement = _validated(people.HandMovement, await _body(request), people.MOVEMENT_EXAMPLE)
        order = find_order(self._books, movement.order)["ManufacturingOrder"] if movement.order else ""
        return await self._by_hand(order, movement.user, lambda own: people.move(own, movement))

    async def decisions(self, request: Request) -> dict[str, Any]:
        decision = _validated(people.HandDecision, await _body(request), people.DECISION_EXAMPLE)
        return await self._by_hand("", decision.user, lambda own: people.decide(own, decision))

    async def notifications(self, request: Request) -> dict[str, Any]:
        move = _validated(people.NotificationMove, await _body(request), people.PHASE_EXAMPLE)
        return await self._by_hand("", "GUI_USER", lambda own: people.move_on(own.books, move))

    async def _by_hand(self, order: str, user: str, work: Callable[[Posting], Any]) -> Any:
        return await self._system.enter_by_hand(order, Posting(self._books, user, manual=True), work)

    async def faults(self, request: Request) -> Any:
        if request.method == "DELETE":
            self._system.faults.clear()
        elif request.method == "POST":
            return self._system.faults.add(await _body(request))
        return {"faults": self._system.faults.shown()}

    async def manual(self, request: Request) -> dict[str, Any]:
        """Each of `count` entries is a transaction of its own; a refusal keeps the earlier ones and names them."""
        entry = _validated(ManualEntry, await _body(request), _MANUAL_EXAMPLE)
        order = find_order(self._books, entry.order)["ManufacturingOrder"]
        documents: list[str] = []
        for _ in range(entry.count):
            posting = Posting(self._books, entry.user, manual=True)
            try:
                key = await self._system.enter_by_hand(
                    order, posting, lambda own: confirmations.confirm(own, _fields(entry), None)
                )
            except Refusal as refusal:
                posted = f" (posted before: {', '.join(documents)})" if documents else ""
                raise Refusal(refusal.code, refusal.message + posted, status=refusal.status) from None
            documents.append("/".join(key))
        return {"documents": documents}

    async def cogi(self, request: Request) -> dict[str, Any]:
        if request.method == "POST":
            entry = _validated(CogiEntry, await _body(request), _COGI_EXAMPLE)
            with self._books.transaction():
                given = {"batch": entry.batch, "storage_location": entry.storage_location, "serials": entry.serials}
                cogi.reprocess(self._books, entry.id, given, drop=entry.drop)
        return {"cogi": books_report(self._books)["cogi"]}

    async def settings(self, request: Request) -> dict[str, Any]:
        if request.method == "POST":
            change = _validated(SettingsChange, await _body(request), _SETTINGS_EXAMPLE)
            with self._books.transaction():
                self._books.change_settings(change.model_dump(exclude_unset=True))
        return self._books.settings()


def _fields(entry: ManualEntry) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "OrderID": entry.order,
        "Sequence": entry.sequence.lstrip("0") or "0",
        "OrderOperation": entry.operation,
        "ConfirmationYieldQuantity": milli(entry.yield_),
        "ConfirmationScrapQuantity": milli(entry.scrap),
        "ConfirmationReworkQuantity": milli(entry.rework),
        "ConfirmationText": entry.text,
        "VarianceReasonCode": entry.reason,
        "IsFinalConfirmation": int(entry.final),
        "OpenReservationsIsCleared": int(entry.clear_reservations),
        "APIConfHasNoGoodsMovements": int(not entry.goods_movements),
    }
    if entry.unit:
        fields["ConfirmationUnit"] = entry.unit
    if entry.posting_date:
        day = datetime.combine(entry.posting_date, datetime.min.time(), UTC)
        fields["PostingDate"] = int(day.timestamp() * 1000)
    for slot, quantity in entry.activities.items():
        fields[f"OpConfirmedWorkQuantity{slot}"] = milli(quantity)
    return fields


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


def _problem(code: str, message: str, status: int) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, status)
