"""Makes the pictures of the demo page, from a running demo: `python -m tests.console.demo_pictures [FOLDER]`."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page, expect

from tests.console.browsing import DESKTOP, PHONE, ROOT, launched, page_of
from tests.console.running_demo import RunningDemo, running_demo

PICTURES = ROOT / "docs" / "images"
OUTAGE_MS, LONG_MS = 9_000, 60_000


async def take(folder: Path) -> None:
    """The page in the middle of an outage with a hold, on a desk and on a phone; and what is behind a figure."""
    with tempfile.TemporaryDirectory() as data:
        async with (
            running_demo(Path(data), "--seed", "11", "--speed", "4") as demo,
            launched() as browser,
            page_of(browser, DESKTOP) as desk,
            page_of(browser, PHONE, "de-DE") as phone,
        ):
            await _stage(demo, desk)
            await demo.visit(phone, "operator-1")
            await desk.wait_for_timeout(OUTAGE_MS)
            await desk.screenshot(path=folder / "demo-page.png", full_page=True)
            await phone.screenshot(path=folder / "demo-page-phone.png", full_page=True)
            await desk.click("#act-plug")
            await desk.click("table.three tbody tr[data-row] td a >> nth=0")
            await expect(desk.locator("section.link").first).to_be_visible()
            await desk.screenshot(path=folder / "demo-figure.png")


async def _stage(demo: RunningDemo, page: Page) -> None:
    await demo.visit(page, "quality-1")
    await expect(page.locator('[data-total="erp"]')).not_to_have_text("0", timeout=LONG_MS)
    await page.click("#act-drift")
    await expect(page.locator(".hold-card li a").first).to_be_visible(timeout=LONG_MS)
    await page.click("#act-unplug")


if __name__ == "__main__":
    asyncio.run(take(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES))
