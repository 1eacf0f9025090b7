"""Signing in and out, and what a visitor chooses for themselves: language and light or dark."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import RedirectResponse, Response

from console.coming_in import come_in, limit_tries, local
from console.render import THEMES, page
from console.security import LANGUAGE_COOKIE, SESSION_COOKIE, THEME_COOKIE, VISIT_COOKIE
from console.texts import LANGUAGES
from console.who import check_form, our_form, services_of
from signals.errors import BadInput

router = APIRouter()
YEAR = 365 * 24 * 3600


@router.get("/sign-in")
async def form(request: Request, next: str = "/") -> Response:
    return page(request, "sign_in.html", next=local(next), login="", problem="")


@router.post("/sign-in")
async def sign_in(
    request: Request,
    login: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=2000)] = "",
    next: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    services = services_of(request)
    await check_form(request, services, request.cookies.get(VISIT_COOKIE, ""))
    limit_tries(request)
    try:
        identity = await services.accounts.check_password(login, password)
    except BadInput as error:
        return page(
            request, "sign_in.html", code=HTTPStatus.UNAUTHORIZED, next=local(next), login=login,
            problem=f"{error}. {error.hint}".rstrip(". ") + ".",
        )  # fmt: skip
    return await come_in(request, identity.user, local(next))


@router.post("/sign-out", dependencies=[Depends(our_form)])
async def sign_out(request: Request) -> Response:
    services = services_of(request)
    await services.accounts.close_session(request.cookies.get(SESSION_COOKIE, ""))
    answer = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
    answer.delete_cookie(SESSION_COOKIE, path="/")
    return answer


@router.get("/choose")
async def choose(request: Request, language: str = "", theme: str = "", next: str = "/") -> Response:
    """Language and theme are a browser's own choice: nothing of Plantwright's changes, so no form token is needed."""
    services = services_of(request)
    answer = RedirectResponse(local(next) if not next.startswith("/sign-in") else "/sign-in", HTTPStatus.SEE_OTHER)
    for name, value, known in ((LANGUAGE_COOKIE, language, LANGUAGES), (THEME_COOKIE, theme, THEMES)):
        if value in known:
            answer.set_cookie(name, value, max_age=YEAR, httponly=True, samesite="lax", secure=services.secure)
    return answer


@router.get("/healthz")
async def alive() -> dict[str, str]:
    return {"status": "ok"}
