"""Who comes in: sign-in, sessions, form tokens, headers, and what the door refuses."""

from __future__ import annotations

import pytest

from console.security import SESSION_COOKIE
from tests.console.house import NORTH, PASSWORD, House
from tests.console.visits import send, signed_in, token_in


async def test_nobody_sees_a_page_without_signing_in(house: House) -> None:
    hold = await house.hold()
    async with house.client() as client:
        for page in ("/", "/flows", "/live", f"/p/{NORTH}/lines", f"/p/{NORTH}/holds/{hold}", f"/p/{NORTH}/cases"):
            answer = await client.get(page)
            assert answer.status_code == 303, page
            assert answer.headers["location"].startswith("/sign-in"), page


async def test_signing_in_opens_a_session_in_a_cookie_that_scripts_cannot_read(house: House) -> None:
    async with house.client() as client:
        form = await client.get("/sign-in?next=/flows")
        sent = {"form_token": token_in(form.text), "login": "engineer-1", "password": PASSWORD, "next": "/flows"}
        answer = await client.post("/sign-in", data=sent)
        assert (answer.status_code, answer.headers["location"]) == (303, "/flows")
        cookie = next(c for c in answer.headers.get_list("set-cookie") if c.startswith(SESSION_COOKIE))
        assert "HttpOnly" in cookie
        assert "samesite=lax" in cookie.lower()
        assert (await client.get("/flows")).status_code == 200


async def test_behind_https_cookies_are_secure_and_browsers_are_told_to_stay_there(house: House) -> None:
    secure = await build_secure(house)
    async with secure.client() as client:
        answer = await client.get("/sign-in")
        assert all("Secure" in cookie for cookie in answer.headers.get_list("set-cookie"))
        assert "max-age" in answer.headers["strict-transport-security"]


async def build_secure(house: House) -> House:
    from dataclasses import replace

    from console.app import build_app

    services = replace(house.services, public_url="https://console.test")
    return House(house.ledger, house.people, house.desk, services, build_app(services), house.now)


@pytest.mark.parametrize("login", ["engineer-1", "nobody-at-all"])
async def test_a_wrong_password_and_an_unknown_login_are_told_alike(house: House, login: str) -> None:
    async with house.client() as client:
        form = await client.get("/sign-in")
        sent = {"form_token": token_in(form.text), "login": login, "password": "not the password"}
        answer = await client.post("/sign-in", data=sent)
        assert answer.status_code == 401
        assert "Login and password do not fit." in answer.text
        assert SESSION_COOKIE not in client.cookies


async def test_signing_in_too_often_from_one_address_is_slowed_down(house: House) -> None:
    async with house.client() as client:
        token = token_in((await client.get("/sign-in")).text)
        sent = {"form_token": token, "login": "nobody", "password": "x"}
        codes = [(await client.post("/sign-in", data={**sent, "login": f"nobody-{n}"})).status_code for n in range(21)]
        assert codes == [401] * 20 + [429]
        assert int((await client.post("/sign-in", data=sent)).headers["retry-after"]) > 0


async def test_signing_out_ends_the_session_on_the_server(house: House) -> None:
    async with signed_in(house, "engineer-1") as client:
        secret = client.cookies[SESSION_COOKIE]
        await send(client, "/", "/sign-out")
        async with house.client() as again:
            again.cookies.set(SESSION_COOKIE, secret)
            assert (await again.get("/")).status_code == 303


@pytest.mark.parametrize(
    "page", ["//elsewhere.test", "https://elsewhere.test", "/\\elsewhere.test", "javascript:alert(1)"]
)
async def test_signing_in_never_leads_to_another_site(house: House, page: str) -> None:
    async with house.client() as client:
        form = await client.get("/sign-in")
        sent = {"form_token": token_in(form.text), "login": "engineer-1", "password": PASSWORD, "next": page}
        assert (await client.post("/sign-in", data=sent)).headers["location"] == "/"


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({}, {}),
        ({"form_token": "0" * 64}, {}),
        ({"form_token": "für ihn"}, {}),
        (None, {"sec-fetch-site": "cross-site"}),
        (None, {"origin": "https://elsewhere.test"}),
    ],
    ids=["no token", "another token", "no ASCII", "sent by another site", "of another origin"],
)
async def test_a_form_that_is_not_ours_changes_nothing(
    house: House, fields: dict[str, str] | None, headers: dict[str, str]
) -> None:
    hold = await house.hold()
    path = f"/p/{NORTH}/holds/{hold}"
    async with signed_in(house, "engineer-1") as client:
        token = token_in((await client.get(path)).text)
        given = {"form_token": token} if fields is None else fields
        answer = await client.post(f"{path}/claim", data={**given, "action_id": "a-1"}, headers=headers)
        assert answer.status_code == 403
    assert house.desk.acts == []


async def test_the_token_of_one_session_is_no_token_of_another(house: House) -> None:
    hold = await house.hold()
    path = f"/p/{NORTH}/holds/{hold}"
    async with signed_in(house, "manager-1") as other:
        token = token_in((await other.get(path)).text)
    async with signed_in(house, "engineer-1") as client:
        answer = await client.post(f"{path}/claim", data={"form_token": token, "action_id": "a-1"})
        assert answer.status_code == 403


async def test_every_answer_carries_the_strict_headers(house: House) -> None:
    async with signed_in(house, "engineer-1") as client:
        for page in ("/", "/sign-in", "/static/console.css", "/nowhere", "/api/v1/openapi.json", "/api/v1/plants"):
            headers = (await client.get(page)).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy, page
            assert "frame-ancestors 'none'" in policy, page
            assert "unsafe" not in policy, page
            assert headers["x-content-type-options"] == "nosniff", page
            assert headers["referrer-policy"] == "same-origin", page


async def test_no_page_has_a_script_or_a_style_of_its_own(house: House) -> None:
    hold = await house.hold()
    async with signed_in(house, "engineer-1") as client:
        for page in ("/", f"/p/{NORTH}/holds/{hold}", f"/p/{NORTH}/lines", f"/p/{NORTH}/orders/1000017"):
            text = (await client.get(page)).text
            assert " style=" not in text, page
            assert "<style" not in text, page
            assert text.count("<script") == 1, page
            assert "http://" not in text.replace("http://127.0.0.1:8233", "").replace("http://www.w3.org", ""), page


async def test_a_body_larger_than_any_of_ours_is_refused(house: House) -> None:
    async with house.client() as client:
        answer = await client.post("/sign-in", content=b"x" * (3 * 1024 * 1024))
        assert answer.status_code == 413


async def test_users_of_a_disabled_account_are_out_at_once(house: House) -> None:
    async with signed_in(house, "engineer-1") as client:
        assert (await client.get("/")).status_code == 200
        await house.ledger.set_user_active("engineer-1", False)
        assert (await client.get("/")).status_code == 303


async def test_two_consoles_with_one_secret_take_each_others_forms(house: House) -> None:
    from console.app import build_app

    twin = House(house.ledger, house.people, house.desk, house.services, build_app(house.services), house.now)
    hold = await house.hold()
    path = f"/p/{NORTH}/holds/{hold}"
    async with signed_in(house, "engineer-1") as client, twin.client() as other:
        token = token_in((await client.get(path)).text)
        other.cookies = client.cookies
        answer = await other.post(f"{path}/claim", data={"form_token": token, "action_id": "a-1"})
        assert answer.status_code == 303
