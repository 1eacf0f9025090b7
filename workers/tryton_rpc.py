"""Tryton's JSON-RPC as an administrator uses it: for seeding a database and for reading its books.

Shares nothing with the adapter in `erp/tryton`, which these books judge. The protocol: `trytond.protocols.jsonrpc`.
"""

from __future__ import annotations

import base64
import functools
import ssl
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import httpx

from workers.tryton_environment import TrytonUnusable

DATABASE = "plant"
MOST_LOOKS = 5
MARK = "plantwright:"
"""Opens the line of a note that a program reads: JSON behind it."""
Row = dict[str, Any]
Domain = list[Any]


@functools.cache
def _tls() -> ssl.SSLContext:
    """Made once: reading the authorities takes longer than a call."""
    return ssl.create_default_context()


class TrytonRefused(RuntimeError):
    """Tryton answered with an error: what it said is the message."""


class TrytonAdmin:
    """One session of an administrator. Every call is one transaction of Tryton's."""

    def __init__(self, url: str, user: str, password: str, *, timeout: float = 60.0) -> None:
        self._user, self._password = user, password
        self._http = httpx.AsyncClient(base_url=url, timeout=timeout, trust_env=False, verify=_tls())
        self._session = ""
        self.context: dict[str, Any] = {}

    async def aclose(self) -> None:
        await self._http.aclose()

    async def log_in(self) -> None:
        """Opens the session. Raises TrytonUnusable where the password is not this database's."""
        answer = await self._http.post(
            f"/{DATABASE}/rpc/",
            json={
                "id": 0,
                "method": "common.db.login",
                "params": [self._user, {"password": self._password}, "en"],
            },
        )
        if answer.status_code != 200 or not answer.json().get("result"):
            raise TrytonUnusable(
                f"Tryton does not let {self._user} in (HTTP {answer.status_code}); give the password this database "
                "was set up with, or start with --reset"
            )
        user, token, *_ = answer.json()["result"]
        self._session = "Session " + base64.b64encode(f"{self._user}:{user}:{token}".encode()).decode()

    async def call(self, method: str, *parameters: Any, **context: Any) -> Any:
        """`model.production.run` and so on. Raises TrytonRefused."""
        body = {"id": 0, "method": method, "params": _encoded([*parameters, {**self.context, **context}])}
        answer = await self._send(body)
        if answer.status_code == 401:  # the session ran out
            await self.log_in()
            answer = await self._send(body)
        if answer.status_code != 200:
            raise TrytonRefused(f"{method}: HTTP {answer.status_code}")
        payload = answer.json()
        if "error" in payload:
            raise TrytonRefused(f"{method}: {payload['error']}")
        return _decoded(payload["result"])

    async def _send(self, body: Row) -> httpx.Response:
        return await self._http.post(f"/{DATABASE}/rpc/", json=body, headers={"authorization": self._session})

    async def rows(self, model: str, domain: Domain, fields: Iterable[str], order: str = "id") -> list[Row]:
        """All records that match, in that order; fields of what they point to as `name.field`."""
        for looks_left in reversed(range(MOST_LOOKS)):
            try:
                found = await self.call(f"model.{model}.search_read", domain, 0, None, [[order, "ASC"]], list(fields))
                return [_flat(row) for row in found]
            except TrytonRefused as refused:
                # Tryton lists and then reads; somebody deleted one in between.
                if not looks_left or "don't exist" not in str(refused):
                    raise
        raise AssertionError("the last look answers or raises")

    async def find(self, model: str, domain: Domain) -> int | None:
        """The id of the first match."""
        ids = await self.call(f"model.{model}.search", domain, 0, 1, [["id", "ASC"]])
        return ids[0] if ids else None

    async def create(self, model: str, values: Mapping[str, Any]) -> int:
        return (await self.call(f"model.{model}.create", [dict(values)]))[0]

    async def ensure(self, model: str, domain: Domain, values: Mapping[str, Any]) -> int:
        """The id of the match, made with these values where there is none."""
        return await self.find(model, domain) or await self.create(model, values)


def _flat(row: Row) -> Row:
    """`{"product.": {"code": "A"}}` as `{"product.code": "A"}`."""
    flat: Row = {}
    for name, value in row.items():
        if name.endswith("."):
            inner = _flat(value) if isinstance(value, dict) else {}
            flat |= {f"{name}{key}": item for key, item in inner.items()}
        else:
            flat[name] = value
    return flat


def _encoded(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _encoded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_encoded(item) for item in value]
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": str(value)}
    if isinstance(value, date):
        return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
    return value


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value.get("__class__"):
        case "Decimal":
            return Decimal(value["decimal"])
        case "date":
            return date(value["year"], value["month"], value["day"])
        case "timedelta":
            return timedelta(seconds=value["seconds"])
        case "datetime":
            text = "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{microsecond:06}Z"
            return text.format(**value)
        case _:
            return {key: _decoded(item) for key, item in value.items()}
