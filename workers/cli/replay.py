"""`replay PROFILE FILE`: a recorded log through the same way as a live line; the work is workers.replay's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType

from workers.cli.options import AsJson, DataFolder
from workers.cli.outcome import ExitCode
from workers.cli.output import say_progress, say_result, table
from workers.cli.running import run_result
from workers.settings import resolve_settings


def replay(
    profile: Annotated[str, typer.Argument(help="A shipped profile (hurco, mazak) or a profile's TOML file.")],
    file: Annotated[Path, typer.Argument(help="The recording: a log, an archive of logs, or a folder.")],
    erp: Annotated[str, typer.Option("--erp", help="Which simulated ERP to post to: sap, oracle or dynamics.")] = "sap",
    decisions: Annotated[
        Path | None, typer.Option("--decisions", help="TOML file with decisions on parked items.", metavar="FILE")
    ] = None,
    data: DataFolder = None,
    as_json: AsJson = False,
) -> int:
    """Play a recorded machine log and post exactly what was really completed."""
    from workers.replay import run_replay

    folder = resolve_settings(os.environ, data).ensure_data() if data else None
    result = run_result(run_replay(profile, file, erp=erp, decisions=decisions, data=folder, progress=say_progress))
    say_result(result, _shown(result), as_json=as_json)
    return ExitCode.DONE if result.get("agree", True) else ExitCode.NO


def _shown(result: dict[str, Any]) -> RenderableType:
    figures = table("Replay", "figure", "value")
    for name, value in result.items():
        if not isinstance(value, list | dict):
            figures.add_row(name, str(value))
    parts: list[RenderableType] = [figures]
    if result.get("timeline"):
        time = table("Time of the day", "class", "seconds")
        for name, seconds in result["timeline"].items():
            time.add_row(str(name), str(seconds))
        time.add_row("incidents", str(len(result.get("incidents", []))))
        parts.append(time)
    if result.get("parked"):
        waiting = table("Waits for a decision", "item", "why", "evidence")
        for item in result["parked"]:
            waiting.add_row(str(item.get("item", "")), str(item.get("why", "")), str(item.get("evidence", "")))
        parts.append(waiting)
    if result.get("settled_by_rule"):
        settled = table("Settled by rule", "rule", "what")
        for entry in _entries(result["settled_by_rule"]):
            settled.add_row(*entry)
        parts.append(settled)
    return Group(*parts)


def _entries(settled: Any) -> list[tuple[str, str]]:
    if isinstance(settled, dict):
        return [(str(rule), str(what)) for rule, what in settled.items()]
    if isinstance(settled, list):
        return [
            (str(e.get("rule", "")), str(e.get("detail", e))) if isinstance(e, dict) else ("", str(e)) for e in settled
        ]
    return [("", str(settled))]
