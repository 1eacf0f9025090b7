"""The environment that Tryton runs in: made once from a hashed lock, kept in the cache, never part of ours.

Tryton is GPL-3 and has its own versions of libraries: it is a program we start and speak to over JSON-RPC, and nothing
of ours imports it. Only packages by name from PyPI are needed. For the database and the process see tryton_server.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import IO

from workers.child_process import dies_with_parent
from workers.temporal_binary import Progress, cache_directory, to_stderr

LOCK = "tryton_requirements.lock"
CHECKOUT_UV = Path(__file__).parent.parent / "deploy" / "uv"
INSTALL_LIMIT_SECONDS = 900.0
PROGRESS_SECONDS = 10.0


class TrytonUnusable(ConnectionError):
    """Tryton could not be installed, set up or started. The message says what was tried and what to do."""


@dataclass(frozen=True)
class TrytonEnvironment:
    """An environment that holds Tryton. `made_seconds` is 0 where it was there already."""

    folder: Path
    made_seconds: float = 0.0

    def command(self, script: str, *arguments: str) -> list[str]:
        """The command line of one of Tryton's programs (trytond, trytond-admin)."""
        return [str(self.folder / "bin" / "python"), str(self.folder / "bin" / script), *arguments]


async def obtain_environment(
    environ: Mapping[str, str] | None = None, progress: Progress = to_stderr
) -> TrytonEnvironment:
    """The environment of this release's lock, made if need be. Raises TrytonUnusable."""
    environ = dict(os.environ) if environ is None else environ
    lock = files("workers") / LOCK
    pins = lock.read_bytes()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    root = cache_directory(environ) / "tryton" / f"py{version}-{hashlib.sha256(pins).hexdigest()[:16]}"
    made = root / ".made"
    if made.exists():
        return TrytonEnvironment(root / "env")
    try:
        root.mkdir(parents=True, exist_ok=True)
    except OSError as refused:
        raise TrytonUnusable(
            f"the cache {root} cannot be written ({refused.strerror}); name another folder by PLANTWRIGHT_CACHE"
        ) from refused
    started = time.monotonic()
    with closing(await asyncio.to_thread(held, root / ".lock")):
        if made.exists():  # whoever held the lock before us made it
            return TrytonEnvironment(root / "env")
        progress("Tryton: installing it from PyPI into an environment of its own, once")
        requirements = root / LOCK
        requirements.write_bytes(pins)
        await _make(root / "env", requirements, environ, progress)
        made.touch()
    seconds = time.monotonic() - started
    progress(f"Tryton: installed in {seconds:.0f} s, kept in {root}")
    return TrytonEnvironment(root / "env", seconds)


async def _make(folder: Path, requirements: Path, environ: Mapping[str, str], progress: Progress) -> None:
    """By uv where there is one, else by Python's own venv and pip."""
    uv = _uv(environ)
    python = folder / "bin" / "python"
    shutil.rmtree(folder, ignore_errors=True)
    if uv is not None:
        await run_with_progress([*uv, "venv", "--quiet", "--python", sys.executable, str(folder)], environ, progress)
        install = [*uv, "pip", "install", "--quiet", "--require-hashes", "--python", str(python)]
    else:
        await run_with_progress([sys.executable, "-m", "venv", str(folder)], environ, progress)
        install = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes"]
    await run_with_progress([*install, "-r", str(requirements)], environ, progress, INSTALL_LIMIT_SECONDS)


def _uv(environ: Mapping[str, str]) -> list[str] | None:
    """The checkout's own way to uv (it fetches it from PyPI where absent), else the one named or on PATH."""
    if CHECKOUT_UV.is_file():
        return [str(CHECKOUT_UV)]
    named = environ.get("UV") or shutil.which("uv", path=environ.get("PATH", os.defpath))
    return [named] if named else None


async def run_with_progress(
    command: list[str], environ: Mapping[str, str], progress: Progress, limit: float = 300.0
) -> None:
    """Run a command to its end, with a line every ten seconds. Raises TrytonUnusable with the end of its output."""
    name = Path(command[1] if command[0].endswith("python") and len(command) > 1 else command[0]).name
    started = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *dies_with_parent(command),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=dict(environ),
    )
    output = asyncio.ensure_future(process.communicate())
    try:
        while not (await asyncio.wait({output}, timeout=PROGRESS_SECONDS))[0]:
            elapsed = time.monotonic() - started
            if elapsed > limit:
                raise TrytonUnusable(f"{name} was not done after {elapsed:.0f} s; try again, what it had made is kept")
            progress(f"Tryton: {name} has been working for {elapsed:.0f} s")
    finally:
        if process.returncode is None:
            process.kill()
        text = (await output)[0].decode(errors="replace").strip()
    if process.returncode != 0:
        raise TrytonUnusable(f"{name} left with exit code {process.returncode}: {text[-1500:] or 'it said nothing'}")


def held(path: Path) -> IO[bytes]:
    """The lock file, held until it is closed: one process at a time; the kernel frees that of a process that died."""
    handle = path.open("wb")
    fcntl.flock(handle.fileno(), fcntl.LOCK_EX)
    return handle
