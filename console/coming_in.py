"""What every way of signing in ends with: a session, and a page of ours."""

from __future__ import annotations

import time
from http import HTTPStatus

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from console.problems import Refused
from console.render import texts_of
from console.security import SESSION_COOKIE, VISIT_COOKIE
from console.who import services_of


def local(path: str) -> str:
    """The path when it is one of ours, else the start page: a link from outside must not lead elsewhere."""
    ours = path.startswith("/") and not path.startswith(("//", "/\\", "/sign-")) and path.isprintable()
    return path if ours else "/"


async def come_in(request: Request, user: str, path: str) -> Response:
    """Open a session for somebody who has proved who they are; an older one of this browser ends."""
    services = services_of(request)
    if before := request.cookies.get(SESSION_COOKIE):
        await services.accounts.close_session(before)
    secret = await services.accounts.open_session(user)
    answer = RedirectResponse(path, HTTPStatus.SEE_OTHER)
    answer.set_cookie(SESSION_COOKIE, secret, httponly=True, samesite="lax", secure=services.secure, path="/")
    answer.delete_cookie(VISIT_COOKIE)
    return answer


def limit_tries(request: Request) -> None:
    """Raises 429 where one address tries too often."""
    who = request.client.host if request.client else ""
    wait = request.app.state.sign_ins.wait(who, time.monotonic())
    if wait:
        detail = texts_of(request)("too many tries; wait {seconds} seconds", seconds=wait)
        raise Refused(HTTPStatus.TOO_MANY_REQUESTS, detail, headers={"retry-after": str(wait)})
