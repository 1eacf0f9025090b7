"""OAuth client credentials: one token for all, renewed in time, and no secret in anything that is written down."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from erp.oauth import ClientCredentials
from signals.errors import ErpBusy, ErpMisconfigured, ErpUnavailable

SECRET = "s3cret-of-this-test"
Answer = httpx.Response | Exception


class Endpoint:
    """A token endpoint that counts its requests and answers as told; the last answer repeats."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.asked = asyncio.Event()
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.asked.set()
        await self.gate.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)

    def form(self, number: int = 0) -> dict[str, list[str]]:
        return parse_qs(self.requests[number].content.decode())


def token(text: str = "t1", expires_in: Any = 3600) -> httpx.Response:
    return httpx.Response(200, json={"access_token": text, "token_type": "Bearer", "expires_in": expires_in})


def refusal(status: int, error: str, description: str = "") -> httpx.Response:
    return httpx.Response(status, json={"error": error, "error_description": description})


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def credentials(endpoint: Endpoint, clock: Callable[[], float] | None = None, **more: Any) -> ClientCredentials:
    http = httpx.AsyncClient(transport=httpx.MockTransport(endpoint))
    more |= {"clock": clock} if clock else {}
    return ClientCredentials(http, "https://id.example/oauth/token", "plantwright", SECRET, "erp.post", **more)


async def test_a_token_is_asked_for_once_and_used_until_shortly_before_it_expires():
    clock = Clock()
    endpoint = Endpoint(token("t1"), token("t2"))
    tokens = credentials(endpoint, clock)
    assert await tokens.header() == "Bearer t1"
    clock.now = 3539
    assert await tokens.header() == "Bearer t1"
    clock.now = 3541
    assert await tokens.header() == "Bearer t2"
    assert len(endpoint.requests) == 2
    assert endpoint.form() == {"grant_type": ["client_credentials"], "scope": ["erp.post"]}


async def test_a_short_lived_token_is_renewed_a_tenth_of_its_life_early_however_its_life_is_written():
    clock = Clock()
    endpoint = Endpoint(token("t1", "30"), token("t2", None), token("t3"))
    tokens = credentials(endpoint, clock)
    await tokens.header()
    clock.now = 26.9
    assert await tokens.header() == "Bearer t1"
    clock.now = 27.1
    assert await tokens.header() == "Bearer t2"
    clock.now = 27.1 + 271
    assert await tokens.header() == "Bearer t3"


@pytest.mark.parametrize("place", ["header", "form"])
async def test_id_and_secret_go_where_the_endpoint_reads_them_and_only_there(place):
    endpoint = Endpoint(token())
    await credentials(endpoint, credentials_in=place).header()
    basic = "Basic " + base64.b64encode(f"plantwright:{SECRET}".encode()).decode()
    assert endpoint.requests[0].headers.get("authorization") == (basic if place == "header" else None)
    assert (endpoint.form().get("client_secret") == [SECRET]) == (place == "form")


async def test_many_callers_share_one_request_and_a_caller_that_gives_up_stops_nobody():
    endpoint = Endpoint(token())
    endpoint.gate.clear()
    tokens = credentials(endpoint)
    callers = [asyncio.create_task(tokens.header()) for _ in range(20)]
    await endpoint.asked.wait()
    callers[0].cancel()
    endpoint.gate.set()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert isinstance(answers[0], asyncio.CancelledError)
    assert set(answers[1:]) == {"Bearer t1"}
    assert len(endpoint.requests) == 1


async def test_many_callers_share_one_failure():
    endpoint = Endpoint(httpx.ConnectError("refused"))
    endpoint.gate.clear()
    tokens = credentials(endpoint)
    callers = [asyncio.create_task(tokens.header()) for _ in range(5)]
    await endpoint.asked.wait()
    endpoint.gate.set()
    answers = await asyncio.gather(*callers, return_exceptions=True)
    assert {type(a) for a in answers} == {ErpUnavailable}
    assert len(endpoint.requests) == 1


async def test_a_forgotten_token_is_fetched_anew_but_a_newer_one_than_the_refused_is_kept():
    endpoint = Endpoint(token("t1"), token("t2"), token("t3"))
    tokens = credentials(endpoint)
    refused = await tokens.header()
    tokens.forget(refused)
    assert await tokens.header() == "Bearer t2"
    tokens.forget(refused)
    assert await tokens.header() == "Bearer t2"
    tokens.forget()
    assert await tokens.header() == "Bearer t3"


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (refusal(401, "invalid_client"), ErpMisconfigured, "client secret, and whether the secret has expired"),
        (refusal(400, "invalid_scope"), ErpMisconfigured, "check scope"),
        (refusal(400, "unsupported_grant_type"), ErpMisconfigured, "check token_url"),
        (httpx.Response(404, text="<html>"), ErpMisconfigured, "HTTP 404"),
        (httpx.Response(302, headers={"location": "https://login.example"}), ErpMisconfigured, "HTTP 302"),
        (httpx.Response(200, text="<html>"), ErpMisconfigured, "without an access token"),
        (httpx.Response(200, json=["t1"]), ErpMisconfigured, "without an access token"),
        (httpx.Response(503), ErpUnavailable, "HTTP 503"),
        (httpx.Response(429, headers={"retry-after": "7"}), ErpBusy, "HTTP 429"),
        (httpx.ConnectTimeout("slow"), ErpUnavailable, "id.example/oauth/token does not answer"),
        (httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED]"), ErpMisconfigured, "ca_file"),
        (httpx.UnsupportedProtocol("no scheme"), ErpMisconfigured, "token_url"),
    ],
)
async def test_each_failure_says_whether_to_wait_or_what_to_change(answer, error, said):
    with pytest.raises(ErpUnavailable if error is ErpBusy else error) as raised:
        await credentials(Endpoint(answer)).header()
    assert type(raised.value) is error
    assert said in str(raised.value)


async def test_no_message_and_no_repr_holds_the_secret_or_a_token():
    echoing = refusal(401, "invalid_client", f"the secret {SECRET} is not known")
    tokens = credentials(Endpoint(echoing))
    with pytest.raises(ErpMisconfigured) as raised:
        await tokens.header()
    assert SECRET not in str(raised.value)
    assert "***" in str(raised.value)
    fresh = credentials(Endpoint(token("token-of-this-test")))
    await fresh.header()
    shown = repr(fresh) + repr(vars(fresh))
    assert SECRET not in shown
    assert "token-of-this-test" not in shown


async def test_after_a_failure_the_next_caller_asks_again():
    endpoint = Endpoint(httpx.Response(503), token())
    tokens = credentials(endpoint)
    with pytest.raises(ErpUnavailable):
        await tokens.header()
    assert await tokens.header() == "Bearer t1"
