"""The console as an ASGI application: pages, API, live updates, static files, and how errors are told."""

from __future__ import annotations

import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException
from starlette.responses import Response

from console import api, oidc, pages
from console.live import Newsroom
from console.pages import demo
from console.ports import Services
from console.problems import Problem, Refused, as_json, is_for_programs, refusal_of
from console.render import page
from console.security import BodyTooLarge, StrictHeaders, TooMany
from console.who import SignInFirst
from signals.errors import PlantwrightError

_log = structlog.get_logger(__name__)


def build_app(services: Services) -> FastAPI:
    """The application over these services. It opens nothing and closes nothing of theirs."""
    changes = services.ledger if services.demo is None else demo.DemoNews(services.ledger, services.demo)
    news = Newsroom(changes, tuple(services.plants))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with news:
            yield

    app = FastAPI(
        title="Plantwright",
        description="Holds, stops, exceptions, orders and lines of a plant; the same actions as the console's pages.",
        version="1",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        responses={
            code: {
                "model": Problem,
                "description": HTTPStatus(code).phrase,
                "content": {"application/problem+json": {}},
            }
            for code in (400, 401, 403, 404, 409, 422, 503)
        },
    )
    app.state.services = services
    app.state.news = news
    app.state.sign_ins = TooMany(most=20, seconds=60.0)
    app.add_middleware(StrictHeaders, secure=services.secure)
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    for router in pages.routers():
        app.include_router(router, include_in_schema=False)
    if services.demo is not None:
        app.include_router(demo.router, include_in_schema=False)
    if services.oidc is not None:
        app.include_router(oidc.router, include_in_schema=False)
    app.include_router(api.router, prefix="/api/v1")
    _tell_errors(app)
    return app


def _tell_errors(app: FastAPI) -> None:
    @app.exception_handler(SignInFirst)
    async def to_sign_in(request: Request, _: SignInFirst) -> Response:
        wanted = request.url.path if request.method == "GET" else "/"
        if request.headers.get("accept", "").startswith("text/event-stream"):
            return Response(status_code=HTTPStatus.UNAUTHORIZED)
        return RedirectResponse(f"/sign-in?next={quote(wanted)}", HTTPStatus.SEE_OTHER)

    async def told(request: Request, error: Exception) -> Response:
        refused = refusal_of(error)
        if refused.status is HTTPStatus.INTERNAL_SERVER_ERROR:
            # As text: a traceback with local variables would write passwords into the log.
            said = "".join(traceback.format_exception(error))
            _log.error("console request failed", path=request.url.path, traceback=said)
        return tell(request, refused)

    for kind in (Refused, PlantwrightError):
        app.add_exception_handler(kind, told)
    app.add_exception_handler(Exception, told)

    @app.exception_handler(HTTPException)
    async def of_the_framework(request: Request, error: HTTPException) -> Response:
        status = HTTPStatus(error.status_code)
        known = status is HTTPStatus.NOT_FOUND
        detail = "there is no such thing here, or not for you" if known else str(error.detail)
        return tell(request, Refused(status, detail, headers=error.headers))

    @app.exception_handler(RequestValidationError)
    async def misshapen(request: Request, error: RequestValidationError) -> Response:
        faults = [
            {"field": ".".join(str(part) for part in fault["loc"]), "problem": fault["msg"]} for fault in error.errors()
        ]
        first = f"{faults[0]['field']}: {faults[0]['problem']}" if faults else ""
        return tell(request, Refused(HTTPStatus.UNPROCESSABLE_ENTITY, first, errors=faults))

    @app.exception_handler(BodyTooLarge)
    async def too_large(request: Request, _: BodyTooLarge) -> Response:
        return tell(request, Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the request is larger than 2 MB"))


def tell(request: Request, refused: Refused) -> Response:
    """An error as problem+json for programs, as a page for people."""
    if is_for_programs(request):
        return as_json(refused)
    answer = page(request, "problem.html", code=refused.status.value, refused=refused)
    answer.headers.update(refused.headers)
    return answer
