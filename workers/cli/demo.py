"""`demo`: the whole house on this machine, for a visitor or, with --auto, for a script."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from signals.decisions import PostingMode
from signals.errors import BadInput, NoAnswer
from workers.cli.options import AsJson, DataFolder
from workers.cli.outcome import ExitCode
from workers.cli.output import say_progress, say_result
from workers.cli.running import run_result

FASTEST = 60.0
"""Plant seconds per wall second; beyond it the line is done before anything can be broken."""


def demo(
    auto: Annotated[
        bool, typer.Option("--auto", help="Play an outage and more without a key press, then leave.")
    ] = False,
    mode: Annotated[
        PostingMode, typer.Option("--mode", help="shadow posts nothing, approve asks, post posts.")
    ] = PostingMode.POST,
    seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed makes the same pieces.")] = 1,
    speed: Annotated[
        float | None, typer.Option("--speed", help="Plant seconds per wall second. Default: 6 with --auto, else 3.")
    ] = None,
    erp: Annotated[str, typer.Option("--erp", help="sap, oracle, dynamics (simulated) or tryton (real).")] = "sap",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Of the console; 0 picks a free one.")] = 0,
    data: DataFolder = None,
    as_json: AsJson = False,
    screenshot: Annotated[
        Path | None, typer.Option("--screenshot", hidden=True, help="SVG of the screen in the outage.")
    ] = None,
) -> int:
    """A simulated line, an ERP and everything between them; break it in the browser or by single keys."""
    from workers.cli.demo_console import serving
    from workers.demo.children import StageFailed
    from workers.demo.erp import TITLES
    from workers.demo.performance import DemoOptions, perform
    from workers.demo.screen import closing_table

    if erp not in TITLES:
        raise BadInput(f"no ERP is named {erp!r}", subject="--erp", hint=f"there are {', '.join(TITLES)}")
    pace = (6.0 if auto else 3.0) if speed is None else speed
    if not 0.1 <= pace <= FASTEST:
        raise BadInput(f"--speed {pace:g} is not usable", subject="--speed", hint=f"from 0.1 to {FASTEST:g}")
    options = DemoOptions(auto=auto, mode=mode, seed=seed, speed=pace, erp=erp, data=data, screenshot=screenshot)
    try:
        result = run_result(perform(options, say_progress, watched=sys.stderr.isatty(), serving=serving(port)))
    except StageFailed as error:
        raise NoAnswer(str(error)) from error
    say_result(result, closing_table(result), as_json=as_json)
    return ExitCode.DONE if result["agree"] and not result["open_cases"] and not result["in_doubt"] else ExitCode.NO
