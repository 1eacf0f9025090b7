"""A real browser before a served console."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from fastapi import FastAPI
from playwright.async_api import Browser, Page, async_playwright

from console.serving import serve

ROOT = Path(__file__).parents[2]
DESKTOP, PHONE = (1280, 900), (390, 844)
WAIT_MS = 20_000


def chromium() -> str:
    """The path of a Chromium; a test that needs one fails with the reason where there is none."""
    found = subprocess.run([ROOT / "deploy" / "browser"], capture_output=True, text=True, check=False)
    if found.returncode:
        pytest.fail(found.stderr.strip(), pytrace=False)
    return found.stdout.strip()


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    path = await asyncio.to_thread(chromium)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def served(app: FastAPI, port: int = 0) -> AsyncIterator[str]:
    """The application on a port of its own; its address."""
    ready: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(app, port, on_ready=ready.set_result))
    await asyncio.wait({ready, serving}, return_when=asyncio.FIRST_COMPLETED)
    try:
        yield ready.result()
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


@asynccontextmanager
async def page_of(browser: Browser, size: tuple[int, int] = DESKTOP, language: str = "en-GB") -> AsyncIterator[Page]:
    """A fresh visitor. What goes wrong in the page's script fails the test."""
    width, height = size
    context = await browser.new_context(
        viewport={"width": width, "height": height}, locale=language, timezone_id="Europe/Berlin"
    )
    context.set_default_timeout(WAIT_MS)
    page = await context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
    try:
        yield page
    finally:
        await context.close()
    assert not faults, faults


async def sign_in(page: Page, address: str, user: str, password: str) -> None:
    await page.goto(f"{address}/sign-in")
    await page.fill("#login", user)
    await page.fill("#password", password)
    await page.click("main form button")
    await page.wait_for_url(f"{address}/")
