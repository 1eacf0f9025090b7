"""A real browser before a running demo: what one breaks is seen at once, and it heals."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.console.browsing import PHONE, launched, page_of
from tests.console.running_demo import running_demo

pytestmark = [pytest.mark.proof, pytest.mark.timeout(480)]

LONG_MS = 60_000


async def total(page: Page, side: str) -> int:
    return int(await page.inner_text(f'[data-total="{side}"]'))


async def grows(page: Page, side: str, above: int) -> None:
    await page.wait_for_function(
        "([side, above]) => Number(document.querySelector(`[data-total=${side}]`)?.textContent) > above",
        arg=[side, above], timeout=LONG_MS,
    )  # fmt: skip


async def test_buttons_of_the_demo_page_break_the_house_and_the_figures_show_it(tmp_path: Path) -> None:
    async with (
        running_demo(tmp_path, "--seed", "11", "--speed", "4") as demo,
        launched() as browser,
        page_of(browser) as page,
    ):
        await demo.visit(page, "quality-1")
        await grows(page, "erp", 0)

        await page.click("#act-unplug")
        await expect(page.locator("#totals .badge.bad")).to_contain_text("ERP unplugged", timeout=LONG_MS)
        erp, machine = await total(page, "erp"), await total(page, "machine")
        await grows(page, "machine", machine + 5)
        assert await total(page, "erp") == erp

        await page.click("#act-kill-worker")
        await expect(page.locator('[data-process="worker"].dead')).to_be_visible(timeout=LONG_MS)
        await expect(page.locator('[data-process="worker"].alive')).to_be_visible(timeout=LONG_MS)

        await page.click("#act-plug")
        await grows(page, "erp", erp)

        await page.click("#act-drift")
        hold = page.locator(".hold-card li a").first
        await expect(hold).to_be_visible(timeout=LONG_MS)
        await expect(page.locator("#said")).to_contain_text("drift")

        await page.click("table.three tbody tr[data-row] td a >> nth=0")
        await expect(page.locator("section.link table tbody tr").first).to_be_visible()
        assert await page.locator("section.link h2 .mono").count() > 0

        async with page_of(browser, PHONE, "de-DE") as phone:
            await demo.visit(phone, "operator-1")
            await expect(phone.locator("h1")).to_have_text("Von der Maschine bis ins ERP, live")
            wide = await phone.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert wide <= 0, f"{wide} pixels do not fit on a phone"
