"""Pages from templates: language, theme and form token of the visitor go into each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from console import shown
from console.security import LANGUAGE_COOKIE, THEME_COOKIE, VISIT_COOKIE, form_token, new_visit
from console.texts import LANGUAGES, Translate, choose, translator
from console.who import Visitor, services_of
from domain.permissions import Action

HERE = Path(__file__).parent
THEMES = ("auto", "light", "dark")


@cache
def environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["words"] = shown.words
    made.filters["paragraphs"] = shown.paragraphs
    made.filters["capitalise"] = shown.capitalise
    made.filters["class_words"] = shown.class_words
    made.filters["wall"] = shown.wall
    made.globals["asset"] = asset
    made.globals["Action"] = Action
    return made


@cache
def asset(name: str) -> str:
    """The address of a static file; it changes with the content, so that it may be cached for ever."""
    digest = hashlib.sha256((HERE / "static" / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def language_of(request: Request) -> str:
    return choose(request.cookies.get(LANGUAGE_COOKIE, ""), request.headers.get("accept-language", ""))


def texts_of(request: Request) -> Translate:
    return translator(language_of(request))


def theme_of(request: Request) -> str:
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else "auto"


def page(
    request: Request,
    template: str,
    *,
    code: int = HTTPStatus.OK,
    zone: str = "UTC",
    **values: Any,
) -> HTMLResponse:
    """Render a page. `zone` is the plant's, for its times."""
    services = services_of(request)
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    language, now = language_of(request), services.now()
    t = translator(language)
    visit = request.cookies.get(VISIT_COOKIE) or new_visit()
    bound_to = visitor.session if visitor else visit
    helpers: dict[str, Callable[..., Any]] = {
        "qty": lambda value: shown.quantity(value, language),
        "money": lambda value, currency: shown.money(value, currency, language),
        "moment": lambda value, of=zone: shown.moment(value, of, language, now=now),
        "clock": lambda value: shown.clock(value, zone),
        "since": lambda value: shown.duration(now - value, t) if value is not None else shown.DASH,
        "span": lambda value: shown.duration(shown.as_span(value), t),
        "line_name": lambda config, line: shown.line_name(config, line),
        "due": lambda value: shown.due(value, now, t),
    }
    body = (
        environment()
        .get_template(template)
        .render(
            t=t,
            language=language,
            languages=LANGUAGES,
            theme=theme_of(request),
            themes=THEMES,
            visitor=visitor,
            services=services,
            path=request.url.path,
            here=str(request.url.path) + (f"?{request.url.query}" if request.url.query else ""),
            form_token=form_token(services.secret, bound_to),
            now=now,
            zone=zone,
            done=request.query_params.get("done", ""),
            **helpers,
            **values,
        )
    )
    answer = HTMLResponse(body, status_code=code)
    if visitor is None and VISIT_COOKIE not in request.cookies:
        answer.set_cookie(VISIT_COOKIE, visit, httponly=True, samesite="lax", secure=services.secure)
    return answer
