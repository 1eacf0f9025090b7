"""One performance of the demo: stage up, script or keys, curtain, comparison of the books, stage down."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console
from rich.live import Live

from signals.decisions import PostingMode
from signals.errors import BadInput
from workers.demo.books import Pieces, Place, compare, own_books
from workers.demo.holds import held, hold_differences
from workers.demo.keys import has_keyboard, pressed_keys
from workers.demo.screen import plain_line, render, save_screenshot
from workers.demo.script import Acts, curtain_up, play
from workers.demo.show import Show
from workers.demo.stage import Stage
from workers.demo.stops import stop_differences, stopped
from workers.demo.watch import Snapshot, WaitedInVain, Watch

PLAIN_SECONDS = 5.0
"""Without a screen, a line of figures this often."""


@dataclass(frozen=True)
class DemoOptions:
    """What the command was asked for. `speed` is plant seconds per wall second."""

    auto: bool
    mode: PostingMode
    seed: int
    speed: float
    erp: str = "sap"
    data: Path | None = None
    screenshot: Path | None = None


class Journal:
    """What happened, with its second; told at once where there is no screen."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.lines: list[str] = []
        self.seconds: Callable[[], float] = lambda: 0.0
        self.quiet = False
        self._say = say

    def tell(self, what: str) -> None:
        """Only for who started the demo: not kept, so that no page shows it."""
        if not self.quiet:
            self._say(what)

    def note(self, what: str) -> None:
        line = f"{self.seconds():6.1f} s  {what}"
        self.lines.append(line)
        if not self.quiet:
            self._say(line)


class Serving(Protocol):
    """Serves the console beside the demo for as long as the context lasts; gives its address."""

    def __call__(self, stage: Stage, show: Show) -> AbstractAsyncContextManager[str]: ...


async def perform(
    options: DemoOptions, say: Callable[[str], None], *, watched: bool, serving: Serving | None = None
) -> dict[str, Any]:
    """Play the demo and return its closing object (design section 11).

    `serving` puts the console beside it.
    `watched`: there is a terminal for the live screen. Raises StageFailed when a process does not start or ends.
    """
    began = datetime.now(UTC)
    journal = Journal(say)
    folder = _folder(options)
    stage = Stage(folder, mode=options.mode, seed=options.seed, speed=options.speed, say=say, erp=options.erp)
    worth_keeping = True
    try:
        await stage.set_up()
        result = await _perform(stage, options, journal, watched=watched, serving=serving)
        worth_keeping = not result["agree"]
    except asyncio.CancelledError:
        worth_keeping = False
        raise
    finally:
        await stage.strike()
        if options.data is not None or worth_keeping:
            say(f"logs and databases are kept in {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return {**result, "seconds": round((datetime.now(UTC) - began).total_seconds(), 1)}


def _folder(options: DemoOptions) -> Path:
    """A fresh folder: under --data, where it stays, else a temporary one, which goes when all went well."""
    if options.data is None:
        return Path(tempfile.mkdtemp(prefix="plantwright-demo-"))
    folder = options.data.expanduser().absolute() / f"demo-{datetime.now(UTC):%Y%m%dT%H%M%S}"
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        problem = f"the folder {folder} cannot be made: {error.strerror}"
        raise BadInput(problem, subject=str(folder), hint="name a folder that can be written with --data") from error
    return folder


async def _perform(
    stage: Stage, options: DemoOptions, journal: Journal, *, watched: bool, serving: Serving | None
) -> dict[str, Any]:
    watch = Watch(stage)
    journal.seconds = lambda: watch.seconds
    acts = Acts(stage, watch, journal.note)
    keys = has_keyboard() and watched and not options.auto
    failure = ""
    async with (
        _console(stage, Show(stage, watch, acts, journal.lines), journal, serving),
        _audience(watch, journal, stage, watched=watched, keys=keys) as audience,
    ):

        def screenshot() -> None:
            if options.screenshot is not None:
                screen = render(watch.last, journal.lines, stage.addresses, keys=True)
                save_screenshot(screen, options.screenshot)

        approving = asyncio.create_task(acts.approve_for_ever()) if stage.mode is PostingMode.APPROVE else None
        script = asyncio.create_task(_script(stage, watch, acts, journal, screenshot, auto=options.auto, keys=keys))
        try:
            await asyncio.wait({script, audience}, return_when=asyncio.FIRST_COMPLETED)
            if audience.done():
                audience.result()
            await script
        except WaitedInVain as error:
            failure = str(error)
            journal.note(failure)
        finally:
            await _cancelled(*(task for task in (script, approving) if task is not None))
    await acts.worker_is_back()
    last = await watch.look()
    return await _closing(stage, options, last, failure)


@contextlib.asynccontextmanager
async def _console(stage: Stage, show: Show, journal: Journal, serving: Serving | None) -> AsyncIterator[None]:
    """The console's address and the users are told before anything happens."""
    if serving is None:
        yield
        return
    async with serving(stage, show) as address:
        stage.addresses = {"Demo page": f"{address}/p/{stage.plant_id}/demo", **stage.addresses}
        journal.note(f"the console is at {address}, the demo's own page at {stage.addresses['Demo page']}")
        for user in stage.people.users:
            journal.tell(f"sign in as {user.login} ({user.role}), password {user.password}")
        words = ", ".join(f"{user.login} {user.password}" for user in stage.people.users)
        stage.addresses["Sign in"] = words
        yield


async def _script(
    stage: Stage,
    watch: Watch,
    acts: Acts,
    journal: Journal,
    screenshot: Callable[[], None],
    *,
    auto: bool,
    keys: bool,
) -> None:
    await curtain_up(stage, watch, journal.note)
    if auto:
        await play(stage, watch, acts, journal.note, screenshot)
    elif keys:
        await _listen(acts, journal, screenshot)
    else:
        await watch.until(lambda seen: seen.all_closed and seen.truth["finished"], "closing both orders", 86_400)


async def _listen(acts: Acts, journal: Journal, screenshot: Callable[[], None]) -> None:
    """Do what the keys say until `q`."""
    by_key = {
        "u": acts.unplug, "p": acts.plug_in, "k": acts.kill_worker, "b": acts.break_machine,
        "s": acts.bad_part, "m": acts.enter_by_hand, "a": acts.adopt, "d": acts.drift, "c": acts.change_over,
        "h": acts.decide_holds,
    }  # fmt: skip
    async for key in pressed_keys():
        if key == "q":
            await acts.plug_in()
            return
        act = by_key.get(key)
        if act is None:
            continue
        try:
            await act()
        except Exception as error:  # a key that cannot do its work now must not end the show
            journal.note(f"{key}: {error}")
        if key == "u":
            screenshot()


@contextlib.asynccontextmanager
async def _audience(
    watch: Watch, journal: Journal, stage: Stage, *, watched: bool, keys: bool
) -> AsyncIterator[asyncio.Task[None]]:
    """Look at the stage for as long as the block lasts: on the screen, or in plain lines now and then."""
    if not watched:
        task = asyncio.create_task(watch.run(_plainly(journal)))
        try:
            yield task
        finally:
            await _cancelled(task)
        return
    journal.quiet = True
    with Live(
        console=Console(stderr=True, markup=False, highlight=False), auto_refresh=False, screen=keys, transient=False
    ) as live:

        def show(seen: Snapshot) -> None:
            live.update(render(seen, journal.lines, stage.addresses, keys=keys), refresh=True)

        task = asyncio.create_task(watch.run(show))
        try:
            yield task
        finally:
            await _cancelled(task)
            journal.quiet = False


def _plainly(journal: Journal) -> Callable[[Snapshot], None]:
    last = -PLAIN_SECONDS

    def show(seen: Snapshot) -> None:
        nonlocal last
        if seen.seconds - last >= PLAIN_SECONDS:
            last = seen.seconds
            journal.tell(f"{seen.seconds:6.1f} s  {plain_line(seen)}")

    return show


async def _cancelled(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _closing(stage: Stage, options: DemoOptions, last: Snapshot, failure: str) -> dict[str, Any]:
    traces = {order: await stage.ledger.trace(stage.plant_id, order) for order in stage.orders}
    totals: dict[Place, Pieces] = {}
    for order in stage.orders:
        for total in await stage.ledger.totals(stage.plant_id, order):
            totals[Place(order, total.operation)] = Pieces(total.yield_quantity, total.scrap_quantity or Pieces().scrap)
    own = own_books(traces, totals)
    compared = compare(last.truth, own, last.books, stage.seed_data["stock"], options.mode)
    differences = [*([failure] if failure else []), *compared.differences,
                   *hold_differences(last.holds, last.books), *stop_differences(last.stops)]  # fmt: skip
    return {
        "agree": not differences,
        "missing": compared.missing,
        "duplicate": compared.duplicate,
        "in_doubt": own.in_doubt,
        "open_cases": len(last.cases),
        "holds": held(last.holds),
        "stops": stopped(last.stops),
        "parked": len(await stage.ledger.parked(stage.plant_id)),
        "order": stage.orders[0],
        "orders": stage.orders,
        "mode": options.mode.value,
        "erp": options.erp,
        "operations": list(compared.operations),
        "documents": compared.documents,
        "manual_entries": sum(bool(d["manual"]) for d in last.confirmations),
        "would_post": list(own.would_post),
        "differences": differences,
        "erp_outage_seconds": round(last.outage_seconds, 1),
        "temporal": {
            "version": stage.temporal.version,
            "address": stage.temporal.address,
            "ui": stage.temporal.ui_url,
        },
    }
