"""A browser without scripts: signs in, keeps cookies, fills in forms."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from tests.console.house import PASSWORD, House

TOKEN = re.compile(r'name="form_token" value="([0-9a-f]+)"')
HASH = re.compile(r'name="shown_hash" value="([0-9a-f]+)"')


def token_in(page: str) -> str:
    found = TOKEN.search(page)
    assert found, "the page has no form token"
    return found.group(1)


def hash_in(page: str) -> str:
    found = HASH.search(page)
    assert found, "the page shows nothing to sign"
    return found.group(1)


@asynccontextmanager
async def signed_in(house: House, user: str, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client with a session, as its sign-in form gives it."""
    async with house.client(**headers) as client:
        form = await client.get("/sign-in")
        sent = {"form_token": token_in(form.text), "login": user, "password": PASSWORD}
        answer = await client.post("/sign-in", data=sent)
        assert answer.status_code == 303, answer.text
        yield client


async def send(client: httpx.AsyncClient, page: str, action: str, /, **fields: Any) -> httpx.Response:
    """Fill in a form of the page: its token, and its hash where it has one."""
    text = (await client.get(page)).text
    shown = HASH.search(text)
    given = {"form_token": token_in(text), **({"shown_hash": shown.group(1)} if shown else {})}
    return await client.post(action, data={**given, **fields})
