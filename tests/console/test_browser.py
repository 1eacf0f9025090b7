"""What people do in a real browser: a hold arrives, is claimed, decided, co-signed; what is refused; how it looks."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from signals.documents import Case, CaseAction, CaseKind
from signals.holds import HoldState
from signals.people import content_hash
from signals.reports import ParkedItem, ParkedWhy
from tests.console.browsing import DESKTOP, PHONE, page_of, served, sign_in
from tests.console.house import NORTH, PASSWORD, START, House, trigger

HELD = "press force above 105 kN (B7)"


@pytest_asyncio.fixture(loop_scope="session")
async def address(house: House) -> AsyncIterator[str]:
    async with served(house.app) as url:
        yield url


async def as_user(page: Page, address: str, user: str) -> None:
    await sign_in(page, address, user, PASSWORD)


async def decide(page: Page, kind: str, quantity: str, password: str = PASSWORD) -> None:
    await page.fill(f"#q-{kind}", quantity)
    await page.fill("#password-decide", password)
    await page.click("#decide button.primary")


async def test_a_hold_arrives_is_claimed_decided_and_signed_by_a_second_person(
    house: House, address: str, browser: Browser
) -> None:
    async with page_of(browser) as first, page_of(browser) as second:
        await as_user(first, address, "engineer-1")
        await expect(first.get_by_text("Nothing waits for you.")).to_be_visible()
        await first.evaluate("window.here = true")
        hold = await house.hold(name="B7")
        await expect(first.get_by_role("link", name=HELD)).to_be_visible()
        await expect(first.locator("#announce")).to_contain_text(HELD)
        assert await first.evaluate("window.here"), "the page was loaded again"

        await first.get_by_role("button", name="Claim").click()
        await expect(first.get_by_text("You have taken it on.")).to_be_visible()
        await expect(first.locator("[data-left-shown]")).to_have_text("8 left to decide")
        await first.click("[data-rest=q-release]")
        await expect(first.locator("[data-left-shown]")).to_have_text("0 left to decide")
        await first.fill("#password-decide", PASSWORD)
        await first.click("#decide button.primary")
        await expect(first.get_by_text("Your decision is kept.")).to_be_visible()
        await expect(first.get_by_text("It waits for another person.")).to_be_visible()

        await as_user(second, address, "manager-1")
        await second.get_by_role("link", name=HELD).click()
        await second.fill("#password-cosign", PASSWORD)
        await second.click("#cosign button.primary")
        await expect(second.get_by_text("Your second signature is kept.")).to_be_visible()
        await expect(first.locator("#hold-head .badge")).to_have_text("closed")
    record = await house.ledger.hold(NORTH, hold)
    assert record is not None
    assert record.state is HoldState.CLOSED
    [decision] = record.decisions
    assert [s.user for s in decision.signatures] == ["engineer-1", "manager-1"]


async def test_what_is_refused_is_told_on_the_page_and_changes_nothing(
    house: House, address: str, browser: Browser
) -> None:
    own = await house.hold(name="B1", opened_by="engineer-1")
    hold = await house.hold(name="B2")
    async with page_of(browser) as page:
        await as_user(page, address, "engineer-1")
        where = f"{address}/p/{NORTH}/holds"
        await page.goto(f"{where}/{hold}")
        await decide(page, "scrap", "8", "not my password")
        await expect(page.locator("#refused")).to_contain_text("Login and password do not fit")
        assert await page.input_value("#q-scrap") == "8"
        await decide(page, "scrap", "7")
        await expect(page.locator("#refused")).to_contain_text("8 PC are held, the dispositions sum to 7")
        await page.goto(f"{where}/{own}")
        await decide(page, "scrap", "8")
        await expect(page.locator("#refused")).to_contain_text("opened the hold: another person decides")
    async with page_of(browser) as page:
        await as_user(page, address, "operator-1")
        await page.goto(f"{where}/{hold}")
        await expect(page.get_by_role("heading", name="Evidence")).to_be_visible()
        await expect(page.locator("#decide")).to_have_count(0)
    assert house.desk.acts == []


async def test_content_that_changed_while_somebody_decides_is_not_signed(
    house: House, address: str, browser: Browser
) -> None:
    first = trigger("B7")
    hold = (await house.ledger.open_hold(first)).hold
    async with page_of(browser) as page:
        await as_user(page, address, "engineer-1")
        await page.goto(f"{address}/p/{NORTH}/holds/{hold}")
        await page.fill("#q-scrap", "8")
        before = await house.ledger.hold(NORTH, hold)
        assert before is not None
        second = trigger("B7")
        await house.ledger.open_hold(second)
        changed = before.model_copy(update={"revision": 1, "reasons": (first.reason, second.reason)})
        assert content_hash(changed.content()) != content_hash(before.content())
        await house.ledger.record_hold(changed)
        await expect(page.locator("#changed")).to_contain_text("This page has changed since you opened it.")
        assert await page.input_value("#q-scrap") == "8", "what was typed was taken away"
        await decide(page, "scrap", "8")
        await expect(page.locator("#refused")).to_contain_text("has changed since you opened it")
    assert house.desk.acts == []


async def test_a_broken_stream_is_said_with_the_time_and_heals_by_itself(house: House, browser: Browser) -> None:
    from console.app import build_app

    async with page_of(browser) as page:
        async with served(house.app) as address:
            await as_user(page, address, "engineer-1")
            await expect(page.locator("#stale")).to_be_hidden()
        await expect(page.locator("#stale")).to_contain_text("Stale since")
        await house.hold(name="B7")
        again = build_app(house.services)
        async with served(again, port=int(address.rpartition(":")[2])):
            await expect(page.locator("#stale")).to_be_hidden()
            await expect(page.get_by_role("link", name=HELD)).to_be_visible()


async def test_the_keyboard_alone_is_enough_to_sign_in_and_open_a_hold(
    house: House, address: str, browser: Browser
) -> None:
    await house.hold(name="B7")
    async with page_of(browser) as page:
        await page.goto(f"{address}/sign-in")
        await page.keyboard.type("engineer-1")
        await page.keyboard.press("Tab")
        await page.keyboard.type(PASSWORD)
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{address}/")
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.activeElement.className") == "skip"
        await page.keyboard.press("Enter")
        for _ in range(20):
            await page.keyboard.press("Tab")
            if await page.evaluate("document.activeElement.className") == "task-title":
                break
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="What is held")).to_be_visible()


async def furnished(house: House) -> dict[str, str]:
    """Something of everything, and the page of each."""
    hold = await house.hold(name="B7")
    await house.hold(name="B8", line="line-2")
    case = Case(
        case_id="case-1", plant=NORTH, order="1000017", operation="0010", kind=CaseKind.ERP_REJECTED,
        owner_role="quality engineer", summary="SAP refused 12 PC of order 1000017: posting period 011/2026 is closed",
        error_code="M7/053", erp_answer="Posting only possible in periods 2026/12 and 2026/11 in company code 1010",
        allowed=(CaseAction.RETRY, CaseAction.SKIP, CaseAction.ADOPT), consequence="12 PC stay unconfirmed",
    )  # fmt: skip
    await house.ledger.open_case(case)
    parked = ParkedItem(
        item="item-1", plant=NORTH, line="line-1", order="1000017", operation="0010", why=ParkedWhy.IMPLAUSIBLE_COUNT,
        detail="counter Good went from 40 to 900 in two seconds", at=START,
    )  # fmt: skip
    await house.ledger.park((parked,))
    at = f"/p/{NORTH}"
    return {
        "sign-in": "/sign-in", "inbox": "/?all=1", "lines": f"{at}/lines", "orders": f"{at}/orders",
        "order": f"{at}/orders/1000017", "holds": f"{at}/holds", "hold": f"{at}/holds/{hold}",
        "label": f"{at}/holds/{hold}/label", "new-hold": f"{at}/holds/new", "exceptions": f"{at}/cases",
        "exception": f"{at}/cases/case-1", "parked": f"{at}/parked/item-1", "flows": "/flows",
        "missing": f"{at}/holds/nothing",
    }  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(
    ("size", "language", "scheme"),
    [(DESKTOP, "en-GB", "light"), (PHONE, "de-DE", "light"), (DESKTOP, "de-DE", "dark"), (PHONE, "en-GB", "dark")],
    ids=["desktop", "phone-german", "desktop-german-dark", "phone-dark"],
)
async def test_every_page_fits_its_screen_and_can_be_read(
    house: House, address: str, browser: Browser, tmp_path_factory: pytest.TempPathFactory, size: tuple[int, int],
    language: str, scheme: str,
) -> None:  # fmt: skip
    """No page is wider than the screen, each control has a name, and text stands out against what is behind it."""
    pages = await furnished(house)
    pictures = tmp_path_factory.getbasetemp() / "pictures"
    pictures.mkdir(exist_ok=True)
    async with page_of(browser, size, language) as page:
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        await as_user(page, address, "engineer-1")
        for name, path in pages.items():
            await page.goto(address + path)
            await page.screenshot(path=pictures / f"{name}-{size[0]}-{language}-{scheme}.png", full_page=True)
            wide, seen = await page.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
            assert wide <= seen, f"{name} is {wide} wide on {seen}"
            assert await page.evaluate(UNNAMED) == [], name
            assert await page.evaluate(FAINT) == [], name
            assert size != PHONE or await page.evaluate(SLIGHT) == [], name


UNNAMED = """() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a, img")]
  .filter((e) => e.checkVisibility())
  .filter((e) => !(e.labels?.length || e.textContent.trim() || e.alt || e.getAttribute("aria-label")))
  .map((e) => e.outerHTML)"""
"""Controls that a screen reader could only call by their kind."""

FAINT = """() => {
  const rgb = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const linear = (v) => v / 255 <= .04045 ? v / 255 / 12.92 : ((v / 255 + .055) / 1.055) ** 2.4;
  const light = (c) => { const [r, g, b] = c.map(linear);
    return .2126 * r + .7152 * g + .0722 * b; };
  const behind = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length && c[3] !== 0) return c.slice(0, 3); } return [255, 255, 255]; };
  return [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility() && !e.closest("svg") &&
      [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
    .map((e) => { const a = light(rgb(getComputedStyle(e).color).slice(0, 3)), b = light(behind(e));
      return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.outerHTML.slice(0, 120)]; })
    .filter(([ratio]) => ratio < 4.5); }"""
"""Text with a contrast below 4.5:1 (WCAG 2.2, 1.4.3)."""


SLIGHT = """() => [...document.querySelectorAll("button, .button, summary, select, nav a, .filters a, a.task-title")]
  .filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 40).map((e) => e.outerHTML.slice(0, 120))"""
"""What a finger would miss: controls that stand alone and are less than 40 px high."""


async def test_colours_and_language_are_a_choice_that_stays(address: str, browser: Browser) -> None:
    async with page_of(browser) as page:
        await as_user(page, address, "engineer-1")
        light = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        await page.click(".menu summary")
        await page.get_by_role("link", name="dark").click()
        await page.click(".menu summary")
        await page.get_by_role("link", name="Deutsch").click()
        await expect(page.get_by_role("heading", name="Eingang")).to_be_visible()
        await page.goto(f"{address}/flows")
        await expect(page.get_by_role("heading", name="Verzeichnis der Abläufe")).to_be_visible()
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") != light
