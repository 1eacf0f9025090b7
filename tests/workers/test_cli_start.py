"""A command starts quickly because it loads what it runs and nothing else."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("temporalio", "sqlalchemy", "asyncua", "workers.cli.office")


@pytest.mark.parametrize("command", ["simulate", "edge", "worker", "check"])
def test_a_command_that_has_not_begun_has_loaded_no_other_command_s_rooms(command: str) -> None:
    asked = (
        f"import sys; from workers.cli import run; run([{command!r}, '--help']); print(*sys.modules, file=sys.stderr)"
    )
    process = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, timeout=60, check=True)
    assert command in process.stdout
    loaded = process.stderr.split()
    assert [name for name in HEAVY if name in loaded] == []
