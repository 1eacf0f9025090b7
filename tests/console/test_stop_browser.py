"""Stops in a real browser: two taps at a phone say why, the ladder climbs before one's eyes, and how the pages look."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from domain.line_state import LineState
from ledger.port import LineRecord
from signals.downtime import CapacityState, ClassifyStop, Reallocation, StopRecord, StopState
from signals.people import Actor
from tests.console.browsing import DESKTOP, PHONE, page_of, served, sign_in
from tests.console.house import NORTH, PASSWORD, House
from tests.console.stop_floor import act_on_stop, fact, live_on, stands, tell
from tests.console.test_browser import FAINT, UNNAMED

BOARD = f"/p/{NORTH}/stops"


@pytest_asyncio.fixture(loop_scope="session")
async def address(house: House) -> AsyncIterator[str]:
    async with served(house.app) as url:
        yield url


async def stop_in(house: House, **more: Any) -> StopRecord:
    return await stands(house.ledger, house.services.plants[NORTH], house.now[0], **more)


async def test_an_operator_says_why_with_two_taps_at_a_phone(house: House, address: str, browser: Browser) -> None:
    record = await stop_in(house, minutes=3)
    async with page_of(browser, PHONE) as page:
        await sign_in(page, address, "operator-1", PASSWORD)
        await page.goto(address + BOARD)
        await page.get_by_role("link", name="Say why").click()
        button = page.get_by_role("button", name="Die broken")
        box = await button.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 48, "a glove needs room"
        assert await page.evaluate("scrollY") == 0
        assert box["y"] + box["height"] < PHONE[1], "the reasons begin below the screen"
        await button.click()
        await expect(page.get_by_text("The reason is kept.")).to_be_visible()
        await expect(page.get_by_role("link", name="Equipment / Die broken")).to_be_visible()
    found = await house.ledger.stop(NORTH, "line-1", record.stop)
    assert found is not None
    assert [(p.reason, p.by) for p in found.parts] == [("die", "operator-1")]


async def test_a_supervisor_sees_a_stop_arrive_its_clock_run_and_its_ladder_climb_without_loading_again(
    house: House, address: str, browser: Browser
) -> None:
    async with page_of(browser) as page:
        await sign_in(page, address, "supervisor-1", PASSWORD)
        await page.goto(address + BOARD)
        await expect(page.get_by_text("does not stand")).to_have_count(2)
        await page.evaluate("window.here = true")
        record = await stop_in(house, minutes=9.9)
        card = page.locator("article.stop")
        await expect(card).to_contain_text("step 1 (response): operator, maintenance")
        await expect(page.locator("#announce")).to_contain_text("Line 1")
        clock = card.locator(".clock")
        first = await clock.text_content()
        await expect(clock).not_to_have_text(first or "")
        house.now[0] += timedelta(seconds=10)
        await live_on(house.ledger, house.services.plants[NORTH], "line-1", record.stop, house.now[0])
        await expect(card).to_contain_text("step 2 (response): maintenance, supervisor")
        await expect(card).to_contain_text("step 3 (response) in 19 min")
        assert await page.evaluate("window.here"), "the page was loaded again"


async def test_without_scripts_the_timers_say_what_the_server_said(
    house: House, address: str, browser: Browser
) -> None:
    await stop_in(house, minutes=12)
    context = await browser.new_context(java_script_enabled=False, locale="en-GB")
    try:
        page = await context.new_page()
        await sign_in(page, address, "operator-1", PASSWORD)
        await page.goto(address + BOARD)
        await expect(page.locator(".clock")).to_have_text("12 min")
    finally:
        await context.close()


async def furnished(house: House) -> dict[str, str]:
    """A shift's worth of stops, and the page of each kind."""
    config, now = house.services.plants[NORTH], house.now[0]
    house.now[0] = now = now + timedelta(hours=7)
    began = now - timedelta(hours=5)
    short = [
        fact(
            NORTH, "line-1", began + timedelta(minutes=9 * n), began + timedelta(minutes=9 * n, seconds=40), micro=True
        )
        for n in range(12)
    ]
    await tell(house.ledger, *short)
    said = [
        ("changeover", 280, 22, "line-1"), ("no-coil", 170, 35, "line-1"), ("sensor", 100, 12, "line-1"),
        ("hydraulics", 200, 55, "line-2"), ("break", 120, 15, "line-2"), ("no-pallet", 60, 6, "line-2"),
    ]  # fmt: skip
    actor = Actor(user="operator-1", role="operator", plant=NORTH)
    for reason, minutes, lasted, line in said:
        order = "1000018" if "no" in reason else "1000017"
        own = await stop_in(house, minutes=minutes, lasted=lasted, line=line, order=order)
        act = ClassifyStop(action_id=f"f-{reason}", actor=actor, reason=reason)
        await act_on_stop(house.ledger, config, line, own.stop, act, now)
        await live_on(house.ledger, config, line, own.stop, now)
    for line in ("line-1", "line-2"):
        state = LineState(plant=NORTH, line=line)
        state.stops.at = now - timedelta(seconds=5)
        stored = await house.ledger.load_line(NORTH, line)
        assert stored is not None
        record = LineRecord(plant=NORTH, line=line, revision=stored.revision + 1, checkpoint=state.model_dump_json())
        await house.ledger.record_line(record)
    over = await stop_in(house, minutes=70, lasted=9, line="line-1")
    stop = await stop_in(house, minutes=34, alarm="E-1702", alarm_count=14, flood=True)
    proposal = Reallocation(
        order="1000018", material="PLATE", quantity=Decimal(40), source="stock 0001", late_customer="Werk Süd",
        due_at=now + timedelta(days=1),
    )  # fmt: skip
    await house.ledger.record_stop(
        stop.model_copy(
            update={
                "revision": 50, "reallocations": (proposal,), "expected_recovery": now + timedelta(hours=2),
                "capacity": CapacityState.PROPOSED, "state": StopState.ACKNOWLEDGED, "assigned_to": "maintenance-1",
                "acknowledged_at": now - timedelta(minutes=20),
                "acknowledged_until": now + timedelta(minutes=40), "notification": "10003456",
            }
        )
    )  # fmt: skip
    at = f"{BOARD}/line-1/{stop.stop}"
    return {
        "stops": BOARD, "stop": at, "stop-reasons": f"{at}/reasons", "stop-over": f"{BOARD}/line-1/{over.stop}",
        "losses": f"{BOARD}/losses", "timeline": f"{BOARD}/timeline",
        "timeline-shift": f"{BOARD}/timeline?shift=2026-11-20/early",
        "inbox-stops": "/?all=1", "lines-stops": f"/p/{NORTH}/lines",
    }  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize(
    ("size", "language", "scheme"),
    [(DESKTOP, "en-GB", "light"), (PHONE, "de-DE", "light"), (DESKTOP, "de-DE", "dark"), (PHONE, "en-GB", "dark")],
    ids=["desktop", "phone-german", "desktop-german-dark", "phone-dark"],
)
async def test_every_page_of_stops_fits_its_screen_and_can_be_read(
    house: House, address: str, browser: Browser, tmp_path_factory: pytest.TempPathFactory, size: tuple[int, int],
    language: str, scheme: str,
) -> None:  # fmt: skip
    """As the other pages: not wider than the screen, each control named, text that stands out."""
    pages = await furnished(house)
    pictures = tmp_path_factory.getbasetemp() / "pictures"
    pictures.mkdir(exist_ok=True)
    async with page_of(browser, size, language) as page:
        await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
        await sign_in(page, address, "supervisor-1", PASSWORD)
        for name, path in pages.items():
            answer = await page.goto(address + path)
            assert answer is not None
            assert answer.status == 200, name
            await page.screenshot(path=pictures / f"{name}-{size[0]}-{language}-{scheme}.png", full_page=True)
            wide, seen = await page.evaluate("[document.scrollingElement.scrollWidth, innerWidth]")
            assert wide <= seen, f"{name} is {wide} wide on {seen}"
            assert await page.evaluate(UNNAMED) == [], name
            assert await page.evaluate(FAINT) == [], name
