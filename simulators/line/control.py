"""The control side of a simulated line: what was really made, and a person's hands. HTTP, JSON, never OPC UA.

Bad requests get 400 and a sentence that says what to send instead; nothing has changed then.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from .happenings import Standstill
from .model import Run, Scenario, explain

if TYPE_CHECKING:
    from .server import LineRunner

M = TypeVar("M", bound=BaseModel)
Handler = Callable[[Request], Awaitable[dict[str, Any]]]


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Nothing(_Body):
    """No fields; an empty body will do."""


class Break(Standstill):
    station: str
    seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None


class Repair(_Body):
    station: str


class BadPart(_Body):
    reason: Annotated[str, Field(min_length=1)] = "BAD-PART"


class DriftWish(_Body):
    station: str | None = None
    tag: str | None = None
    offset: Annotated[float, Field(allow_inf_nan=False)] | None = None
    pieces: Annotated[int, Field(ge=1, le=10_000)] = 3
    ramp: Annotated[int, Field(ge=0)] = 0


class Pace(_Body):
    speed: Annotated[float, Field(gt=0, le=1e6)]


def control_app(runner: LineRunner) -> Starlette:
    process = runner.process

    async def truth(request: Request) -> dict[str, Any]:
        told = process.truth()
        drifted = [{**entry, "at": _time(runner, entry["at"])} for entry in told["drifted"]]
        stood = process.stop_book.as_json(lambda at: _time(runner, at))
        return {"plant_time": _time(runner, process.kernel.now), **told, "drifted": drifted, "stood": stood}

    async def start(request: Request) -> dict[str, Any]:
        await _body(request, Nothing)
        await runner.intervene(process.start)
        return {"feeding": True}

    async def stop(request: Request) -> dict[str, Any]:
        await _body(request, Nothing)
        await runner.intervene(process.stop)
        return {"feeding": False}

    async def break_down(request: Request) -> dict[str, Any]:
        asked = await _body(request, Break)
        await runner.intervene(lambda: process.break_down(asked.station, asked.seconds, asked))
        return {"station": asked.station, "down": True, "seconds": asked.seconds}

    async def repair(request: Request) -> dict[str, Any]:
        asked = await _body(request, Repair)
        await runner.intervene(lambda: process.repair(asked.station))
        return {"station": asked.station, "down": False}

    async def bad_part(request: Request) -> dict[str, Any]:
        asked = await _body(request, BadPart)
        defect = await runner.intervene(lambda: process.order_bad_part(asked.reason))
        found = process.stations[process.scenario.found_at(defect)].plan.name
        return {"origin": defect.origin, "found": found, "reason": defect.reason}

    async def drift(request: Request) -> dict[str, Any]:
        asked = await _body(request, DriftWish)
        station, tag = _measured(process.scenario, asked)
        offset = await runner.intervene(lambda: process.drift(station, tag, asked.offset, asked.pieces, asked.ramp))
        return {"station": station, "tag": tag, "offset": offset, "pieces": asked.pieces}

    async def runs(request: Request) -> dict[str, Any]:
        run = await _body(request, Run)
        position = await runner.intervene(lambda: process.append_run(run))
        return {"run": position, **run.model_dump()}

    async def change_over(request: Request) -> dict[str, Any]:
        await _body(request, Nothing)
        run = await runner.intervene(process.change_over)
        return run.model_dump()

    async def pace(request: Request) -> dict[str, Any]:
        asked = await _body(request, Pace)
        if not runner.pace_is_free:
            raise ValueError("the plant clock was given from outside and is shared; start the line without it to pace")
        await runner.intervene(lambda: runner.clock.change_pace(asked.speed))
        return {"speed": asked.speed}

    posts: dict[str, Handler] = {
        "start": start, "stop": stop, "break": break_down, "repair": repair,
        "bad-part": bad_part, "drift": drift, "runs": runs,
        "change-over": change_over, "pace": pace,
    }  # fmt: skip
    return Starlette(
        routes=[
            Route("/_control/truth", _answering(truth), methods=["GET"]),
            *(Route(f"/_control/{name}", _answering(handler), methods=["POST"]) for name, handler in posts.items()),
        ]
    )


def _time(runner: LineRunner, at: int) -> str:
    return (runner.origin + timedelta(microseconds=at)).isoformat().replace("+00:00", "Z")


def _measured(scenario: Scenario, asked: DriftWish) -> tuple[str, str]:
    """What is to drift: by default the first measurement of the first station that has one."""
    stations = [s for s in scenario.station if asked.station in (None, s.name)]
    if asked.station is not None:
        scenario.position(asked.station)
    found = [(s.name, m.tag) for s in stations for m in s.measurement if asked.tag in (None, m.tag)]
    if not found:
        known = ", ".join(f"{s.name}/{m.tag}" for s in scenario.station for m in s.measurement) or "none"
        raise ValueError(f"no such measurement; measured is {known}")
    return found[0]


def _answering(handler: Handler) -> Callable[[Request], Awaitable[JSONResponse]]:
    async def answer(request: Request) -> JSONResponse:
        try:
            return JSONResponse(await handler(request))
        except ValueError as error:
            return JSONResponse({"error": f"{request.url.path}: {error}"}, status_code=400)

    return answer


async def _body(request: Request, model: type[M]) -> M:
    """The request's JSON object as a model; an empty body is an empty object. Raises ValueError with the fix."""
    raw = await request.body()
    try:
        sent = json.loads(raw) if raw.strip() else {}
    except ValueError as error:
        raise ValueError(f"the body is not JSON ({error}); send {_form(model)}") from error
    if not isinstance(sent, dict):
        raise ValueError(f"the body is not a JSON object; send {_form(model)}")
    try:
        return model.model_validate(sent)
    except ValidationError as error:
        raise ValueError(f"{explain(error)}; send {_form(model)}") from error


def _form(model: type[BaseModel]) -> str:
    named = model.model_fields.items()
    fields = [name for name, field in named if field.is_required()]
    fields += [f"{name} (optional)" for name, field in named if not field.is_required()]
    return f"an object with {', '.join(fields)}" if fields else "no body at all"
