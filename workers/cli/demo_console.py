"""The console beside a demo: in the demo's own process, so that its buttons are the demo's own acts."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from console.app import build_app
from console.ports import Services
from console.serving import serve
from signals.errors import BadInput
from workers.accounts import HouseAccounts
from workers.demo.performance import Serving
from workers.demo.show import Show
from workers.demo.stage import Stage

NOTICE = "This is a demo on one machine: nothing here is real, everything may be broken."


def serving(port: int) -> Serving:
    """Serves on this port of the loopback interface; 0 picks a free one."""

    @asynccontextmanager
    async def served(stage: Stage, show: Show) -> AsyncIterator[str]:
        app = build_app(services_of(stage, show))
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(serve(app, port, on_ready=address.set_result))
        await asyncio.wait({task, address}, return_when=asyncio.FIRST_COMPLETED)
        if task.done() and isinstance(error := task.exception(), OSError):
            hint = "name another port with --port, or leave it out"
            raise BadInput(f"the console cannot listen on port {port}: {error}", subject="--port", hint=hint) from error
        try:
            yield await address
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return served


def services_of(stage: Stage, show: Show) -> Services:
    """What the console works with, all of it the demo's own."""
    return Services(
        plants={stage.plant_id: stage.plant},
        ledger=stage.ledger,
        desk=stage.desk,
        accounts=HouseAccounts(stage.people.people),
        secret=secrets.token_bytes(32),
        now=stage.now,
        pace=stage.clock.factor,
        temporal_ui=f"{stage.temporal.ui_url}/workflows" if stage.temporal.ui_url else "",
        notices=(NOTICE,),
        demo_users=tuple((user.login, user.role) for user in stage.people.users),
        demo=show,
    )
