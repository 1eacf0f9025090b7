"""What goes where: results and `ready` lines to stdout, everything else to stderr (design section 11)."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import structlog
from rich.console import Console, RenderableType
from rich.table import Table

WIDE = 200
"""Columns where no terminal says how many there are."""


def say_ready(addresses: Mapping[str, Any]) -> None:
    """The one line a process prints once it serves."""
    sys.stdout.write(f"ready {json.dumps(dict(addresses), default=str)}\n")
    sys.stdout.flush()


def say_result(result: Mapping[str, Any], shown: RenderableType | str, *, as_json: bool) -> None:
    """The closing object as one line of JSON, or what a person reads."""
    if as_json:
        sys.stdout.write(json.dumps(dict(result), default=str) + "\n")
    else:
        # Into a file or a pipe there is no edge to wrap at.
        width = None if sys.stdout.isatty() else WIDE
        Console(file=sys.stdout, highlight=False, markup=False, width=width).print(shown)
    sys.stdout.flush()


def say_progress(line: str) -> None:
    """A line about what is going on."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def say_failure(message: str, hint: str) -> None:
    """One line and a hint; a message of several lines keeps them."""
    sys.stderr.write(f"error: {message}\n" + (f"hint: {hint}\n" if hint else ""))
    sys.stderr.flush()


def amount(quantity: Decimal | None) -> str:
    """A quantity without an exponent and without zeros behind the point; None is none."""
    return f"{quantity.normalize():f}" if quantity else "0"


def table(title: str, *columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """A table in the one look all commands share."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in columns:
        made.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    return made


def set_up_logging(level: int) -> None:
    """Logs of ours and of libraries on stderr, from `level` on."""
    logging.basicConfig(stream=sys.stderr, level=max(level, logging.INFO), format="%(levelname)s %(name)s %(message)s")
    for chatty in ("httpx", "alembic", "uvicorn"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("asyncua").setLevel(logging.ERROR if level > logging.DEBUG else logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        # Whatever stderr is when something is said: a stream of an hour ago may be closed by then.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )


def only_findings_are_told() -> None:
    """Adapters log what failed in their own words; a command that tells it as a finding says so once, unless -v."""
    if logging.getLogger().getEffectiveLevel() > logging.INFO:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
