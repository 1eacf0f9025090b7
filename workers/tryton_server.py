"""A real Tryton as a child process, with orders to produce: for tests, for the demo and for trying the adapter out.

Not for production, where somebody else runs Tryton. What is set up is in tryton_seed, the books in tryton_books.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from workers.child_process import dies_with_parent
from workers.server_ports import free_port
from workers.temporal_binary import Progress, to_stderr
from workers.tryton_books import read_books
from workers.tryton_database import ADMIN, PASSWORD, USER, Passwords, TrytonDatabase
from workers.tryton_environment import TrytonEnvironment, TrytonUnusable, obtain_environment
from workers.tryton_hand import enter_by_hand
from workers.tryton_orders_file import SeedFile
from workers.tryton_rpc import DATABASE, TrytonAdmin
from workers.tryton_seed import SeededOrders, seed_orders, set_up_company

START_SECONDS = 60.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.1
LOG_TAIL_BYTES = 2000


@dataclass(frozen=True)
class StartTimes:
    """What a start took, in seconds."""

    environment: float
    database: float
    server: float


class TrytonServer:
    """One Tryton with its own books in `directory`. Dies with this process, also when that is killed (Linux).

    As an async context manager it serves inside the block. `kill()` then `start()` keep address and books.
    """

    def __init__(
        self,
        directory: Path,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        environ: Mapping[str, str] | None = None,
        progress: Progress = to_stderr,
    ) -> None:
        self.database = TrytonDatabase(directory.absolute() / "tryton")
        self.host, self.port = host, port
        self.started_in = StartTimes(0, 0, 0)
        self._environ = dict(os.environ) if environ is None else dict(environ)
        self._progress = progress
        self._environment: TrytonEnvironment | None = None
        self._passwords: Passwords | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._admin: TrytonAdmin | None = None

    async def __aenter__(self) -> TrytonServer:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        """Where the adapter connects; the database's name is `plant`."""
        return f"http://{self.host}:{self.port}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self.running and self._process else None

    @property
    def credentials(self) -> dict[str, str]:
        """The adapter's user and password as the environment variables it reads."""
        known = self._known_passwords()
        return {USER: known.user, PASSWORD: known.user_password}

    async def admin(self) -> TrytonAdmin:
        """The administrator's session, opened once and closed by `stop`."""
        if self._admin is None:
            admin = TrytonAdmin(self.url, ADMIN, self._known_passwords().admin)
            try:
                await admin.log_in()
            except BaseException:
                await admin.aclose()
                raise
            self._admin = admin
        return self._admin

    async def start(self, *, reset: bool = False) -> None:
        """Returns when orders can be seeded and posted to. Raises TrytonUnusable. `reset` begins with new books."""
        if self.running:
            return
        if self._environment is None:
            self._environment = await obtain_environment(self._environ, self._progress)
        self.port = self.port or free_port(self.host)
        if reset:
            self.database.discard()
        self.database.configure(self.host, self.port)
        began = time.monotonic()
        self._passwords = self.database.passwords(self._environ)
        known = self.database.is_current(self._passwords)
        if not self.database.exists:
            await self.database.create(self._environment, self._progress)
            known = False
        if not known:
            await self.database.set_admin_password(self._environment, self._passwords.admin, self._progress)
        made = time.monotonic()
        await self._start_process(self._environment)
        if not known:
            await self._set_up(self._passwords)
        self.started_in = StartTimes(self._environment.made_seconds, made - began, time.monotonic() - made)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when that takes too long."""
        if self._admin is not None:
            await self._admin.aclose()
            self._admin = None
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            await self.kill()

    async def kill(self) -> None:
        """SIGKILL, as a power cut would do it."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGKILL)
        await self._process.wait()

    async def wait(self) -> int:
        """Waits until the process ends, whoever ended it; its exit code."""
        assert self._process is not None, "the server was not started"
        return await self._process.wait()

    async def seed(self, orders: SeedFile, *, stock: bool = True) -> SeededOrders:
        """Create orders that are not there yet, with what they need; with `stock`, set the stock rows."""
        return await seed_orders(await self.admin(), orders, stock=stock)

    async def books(self, order: str = "") -> dict[str, Any]:
        """What Tryton's own records say, in the shape of the simulators' books; of one order where it is named."""
        return await read_books(await self.admin(), order)

    async def enter_by_hand(self, order: str, operation: str, pieces: int) -> str:
        """A person moves goods in Tryton itself; the number of the document that shows it."""
        return await enter_by_hand(await self.admin(), order, operation, pieces)

    def log_tail(self) -> str:
        """The end of Tryton's log."""
        if not self.database.log.exists():
            return ""
        with self.database.log.open("rb") as log:
            log.seek(max(0, self.database.log.stat().st_size - LOG_TAIL_BYTES))
            return log.read().decode(errors="replace").strip()

    def _known_passwords(self) -> Passwords:
        if self._passwords is None:
            raise TrytonUnusable("this Tryton was not started yet; call start() first")
        return self._passwords

    async def _start_process(self, environment: TrytonEnvironment) -> None:
        command = environment.command("trytond", "-c", str(self.database.configuration), "-d", DATABASE)
        with self.database.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *dies_with_parent(command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C ends us first, and we end Tryton
            )
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._serving()
        except TimeoutError:
            await self.kill()
            raise TrytonUnusable(f"Tryton did not serve in {START_SECONDS:.0f} s: {self.log_tail()}") from None
        except BaseException:
            await self.kill()
            raise

    async def _serving(self) -> None:
        """Returns when it answers for our database, which it loads with the first call."""
        question = {"id": 0, "method": "common.server.version", "params": []}
        async with httpx.AsyncClient(base_url=self.url, trust_env=False, timeout=5) as http:
            while True:
                if not self.running:
                    raise TrytonUnusable(f"Tryton ended before it served; {self.database.log} ends: {self.log_tail()}")
                with contextlib.suppress(httpx.HTTPError):
                    if (await http.post("/rpc/", json=question)).status_code == 200:
                        break
                await asyncio.sleep(POLL_SECONDS)
        await (await self.admin()).find("res.user", [])

    async def _set_up(self, passwords: Passwords) -> None:
        await set_up_company(await self.admin(), passwords.user, passwords.user_password)
        self.database.keep(passwords)


async def serve(
    directory: Path,
    port: int = 0,
    host: str = "127.0.0.1",
    *,
    orders: SeedFile | None = None,
    reset: bool = False,
    on_ready: Callable[[dict[str, Any]], None],
    progress: Progress = to_stderr,
) -> None:
    """`plantwright erp tryton up`: serves until cancelled. Raises TrytonUnusable when Tryton ends by itself."""
    server = TrytonServer(directory, port=port, host=host, progress=progress)
    try:
        await server.start(reset=reset)
        seeded = await server.seed(orders, stock=False) if orders is not None else SeededOrders()
        on_ready(
            {
                "url": server.url,
                "pid": server.pid,
                "database": DATABASE,
                "file": str(server.database.file),
                "user": server.credentials[USER],
                "passwords": str(server.database.secrets),
                "orders": {"created": list(seeded.created), "kept": list(seeded.kept)},
            }
        )
        code = await server.wait()
        raise TrytonUnusable(f"Tryton ended by itself with exit code {code}; its log ends: {server.log_tail()}")
    finally:
        await server.stop()
