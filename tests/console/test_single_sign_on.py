"""Single sign-on against a provider of our own: coming in, signing, and every answer that proves nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
import pytest_asyncio
from joserfc.jwk import ECKey

from console.app import build_app
from console.ports import OidcSettings
from console.security import SESSION_COOKIE
from ledger.people_port import Grant
from signals.holds import DecideHold
from tests.console.browsing import served
from tests.console.house import NORTH, House
from tests.console.identity_provider import CLIENT, IdentityProvider
from tests.console.visits import send

OURS = "http://console.test"


@dataclass
class SignOn:
    house: House
    provider: IdentityProvider

    async def follow(self, client: httpx.AsyncClient, answer: httpx.Response) -> httpx.Response:
        """Where the browser goes: to the provider, and back to us."""
        async with httpx.AsyncClient(trust_env=False) as outside:
            sent_back = await outside.get(answer.headers["location"])
        assert sent_back.headers["location"].startswith(f"{OURS}/sign-on/back"), sent_back.headers
        return await client.get(sent_back.headers["location"])

    async def come_in(self, client: httpx.AsyncClient, where: str = "/") -> httpx.Response:
        return await self.follow(client, await client.get("/sign-on", params={"next": where}))


@pytest_asyncio.fixture(loop_scope="session")
async def sign_on(house: House, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SignOn]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    provider = IdentityProvider()
    async with served(provider.app()) as issuer:
        provider.issuer = issuer
        for user, subject in (("single-1", "sub-1"), ("single-2", "sub-2")):
            grant = Grant(user=user, plant=NORTH, role="quality engineer")
            await house.people.add_user(user, subject=f"{issuer}|{subject}", grants=(grant,))
        oidc = OidcSettings(issuer=issuer, client_id=CLIENT, name="the company")
        services = replace(house.services, oidc=oidc, public_url=OURS)
        yield SignOn(House(house.ledger, house.people, house.desk, services, build_app(services)), provider)


async def test_a_known_identity_comes_in_where_it_wanted_to(sign_on: SignOn) -> None:
    async with sign_on.house.client() as client:
        assert "Sign in with the company" in (await client.get("/sign-in")).text
        answer = await sign_on.come_in(client, "/flows")
        assert (answer.status_code, answer.headers["location"]) == (303, "/flows")
        assert "single-1" in (await client.get("/flows")).text
    [asked] = sign_on.provider.asked
    assert asked["code_challenge_method"] == "S256"
    assert "prompt" not in asked


async def test_who_is_no_user_here_stays_outside(sign_on: SignOn) -> None:
    sign_on.provider.who = "a-stranger"
    async with sign_on.house.client() as client:
        answer = await sign_on.come_in(client)
        assert answer.status_code == 409
        assert "Nobody here has this identity" in answer.text
        assert SESSION_COOKIE not in client.cookies


@pytest.mark.parametrize(
    "change",
    [{"aud": "another-client"}, {"iss": "https://elsewhere.test"}, {"nonce": "another"}, {"exp": 1}, {"sub": None}],
    ids=["audience", "issuer", "nonce", "expired", "no subject"],
)
async def test_an_id_token_that_is_not_for_this_sign_on_proves_nothing(sign_on: SignOn, change: dict[str, Any]) -> None:
    sign_on.provider.change = change
    async with sign_on.house.client() as client:
        assert (await sign_on.come_in(client)).status_code == 409
        assert SESSION_COOKIE not in client.cookies


async def test_an_id_token_by_another_key_proves_nothing(sign_on: SignOn) -> None:
    sign_on.provider.signs_with = ECKey.generate_key("P-256", {"kid": "k1"})
    async with sign_on.house.client() as client:
        assert (await sign_on.come_in(client)).status_code == 409
        assert SESSION_COOKIE not in client.cookies


async def test_a_provider_that_says_it_is_another_is_not_believed(sign_on: SignOn) -> None:
    sign_on.provider.said_issuer = "https://elsewhere.test"
    async with sign_on.house.client() as client:
        assert (await client.get("/sign-on")).status_code == 409


async def test_the_answer_to_somebody_elses_sign_on_is_refused(sign_on: SignOn) -> None:
    """A code that another browser was given (CSRF at sign-in) opens no session here."""
    async with sign_on.house.client() as mine, sign_on.house.client() as theirs:
        there = await theirs.get("/sign-on")
        await mine.get("/sign-on")
        assert (await sign_on.follow(mine, there)).status_code == 400
        assert SESSION_COOKIE not in mine.cookies


async def decide(client: httpx.AsyncClient, hold: str) -> httpx.Response:
    path = f"/p/{NORTH}/holds/{hold}"
    return await send(client, path, f"{path}/decide", action_id="d-1", quantity_scrap="8", meaning="approval")


async def test_a_decision_is_signed_by_a_sign_on_of_its_own(sign_on: SignOn) -> None:
    house = sign_on.house
    hold = await house.hold()
    async with house.client() as client:
        await sign_on.come_in(client)
        assert "Sign on again" in (await decide(client, hold)).text
        assert house.desk.acts == []
        answer = await sign_on.follow(client, await client.get("/sign-on/sign"))
        assert (answer.status_code, answer.headers["location"]) == (303, f"/p/{NORTH}/holds/{hold}?done=decide")
    assert {k: sign_on.provider.asked[-1][k] for k in ("prompt", "max_age")} == {"prompt": "login", "max_age": "0"}
    [act] = house.desk.acts
    assert isinstance(act, DecideHold)
    assert act.signature is not None
    assert (act.signature.user, await house.people.verify(act.signature, act)) == ("single-1", "")


@pytest.mark.parametrize(
    ("who", "authenticated", "change"),
    [("sub-1", 600.0, {}), ("sub-2", 0.0, {}), ("sub-1", 0.0, {"auth_time": None})],
    ids=["an old sign-on", "another person", "no time"],
)
async def test_an_old_or_foreign_sign_on_signs_nothing(
    sign_on: SignOn, who: str, authenticated: float, change: dict[str, Any]
) -> None:
    hold = await sign_on.house.hold()
    async with sign_on.house.client() as client:
        await sign_on.come_in(client)
        await decide(client, hold)
        sign_on.provider.who, sign_on.provider.authenticated, sign_on.provider.change = who, authenticated, change
        answer = await sign_on.follow(client, await client.get("/sign-on/sign"))
        assert answer.status_code == 409
    assert sign_on.house.desk.acts == []
