"""Where a process keeps its state and whom it talks to: options first, then the environment, then defaults.

The plant itself is described by its plant file (workers.plant_file), Temporal by its own variables (workers.client).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from domain.clock import PlantClock
from signals.errors import BadInput

HOME_VARIABLE = "PLANTWRIGHT_HOME"
LEDGER_VARIABLE = "PLANTWRIGHT_LEDGER_URL"
CLOCK_VARIABLE = "PLANTWRIGHT_CLOCK"
LEDGER_FILE = "ledger.sqlite"


@dataclass(frozen=True)
class Settings:
    """What the environment and the options of one command come to."""

    environ: Mapping[str, str]
    data: Path
    ledger_url: str
    clock: PlantClock

    def ensure_data(self) -> Path:
        """The data folder, made if need be. Raises BadInput where it cannot be written."""
        hint = f"name a folder that can be written with --data or {HOME_VARIABLE}"
        try:
            self.data.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            problem = f"the data folder {self.data} cannot be made: {error.strerror}"
            raise BadInput(problem, subject=str(self.data), hint=hint) from error
        if not os.access(self.data, os.W_OK | os.X_OK):
            raise BadInput(f"the data folder {self.data} cannot be written", subject=str(self.data), hint=hint)
        return self.data

    def require_ledger(self) -> None:
        """Raises BadInput where the ledger's file does not exist: a typing error, not an empty plant."""
        from sqlalchemy.engine import make_url

        url = make_url(self.ledger_url)
        file = url.database if url.get_backend_name() == "sqlite" else None
        if file and file != ":memory:" and not Path(file).exists():
            raise BadInput(
                f"there is no ledger at {file}",
                subject=file,
                hint=f"the worker makes it; name its folder with --data, or its database by {LEDGER_VARIABLE}",
            )


def resolve_settings(environ: Mapping[str, str], data: Path | None = None, ledger: str | None = None) -> Settings:
    """Options win over the environment. Raises BadInput for a ledger URL or a clock that cannot be read."""
    folder = (data.expanduser() if data else data_directory(environ)).absolute()
    url = ledger or environ.get(LEDGER_VARIABLE) or f"sqlite:///{folder / LEDGER_FILE}"
    if "://" not in url:
        hint = "use sqlite:///FILE or postgresql://USER@HOST/DATABASE"
        raise BadInput(f"{url!r} is no database URL", subject="ledger", hint=hint)
    try:
        clock = PlantClock.parse(environ.get(CLOCK_VARIABLE, ""))
    except ValueError as error:
        raise BadInput(str(error), subject=CLOCK_VARIABLE, hint=f"correct or unset {CLOCK_VARIABLE}") from error
    return Settings(environ=environ, data=folder, ledger_url=url, clock=clock)


def data_directory(environ: Mapping[str, str]) -> Path:
    """`PLANTWRIGHT_HOME`, else the platform's data folder (XDG Base Directory Specification 0.8; macOS, Windows)."""
    if own := environ.get(HOME_VARIABLE):
        return Path(own).expanduser()
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "plantwright"
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "plantwright"
    xdg = environ.get("XDG_DATA_HOME", "")
    base = Path(xdg) if xdg and Path(xdg).is_absolute() else home / ".local" / "share"
    return base / "plantwright"
