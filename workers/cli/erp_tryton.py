"""`erp tryton up`: a real Tryton in the foreground, with orders to produce."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from signals.errors import BadInput
from workers.cli.options import Host
from workers.cli.output import say_progress, say_ready
from workers.cli.running import run_process

app = typer.Typer(help="A real Tryton ERP, to try the adapter out.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """A real Tryton ERP, to try the adapter out."""


@app.command("up")
def up(
    data: Annotated[Path, typer.Option("--data", help="Folder that keeps its database.", metavar="DIR")],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 picks a free one.")] = 0,
    host: Host = "127.0.0.1",
    orders: Annotated[
        Path | None,
        typer.Option("--orders", help="JSON with orders and stock, as the simulated ERPs take.", metavar="FILE"),
    ] = None,
    reset: Annotated[bool, typer.Option("--reset", help="Begin with new books.")] = False,
) -> None:
    """Set up Tryton on SQLite where there is none, and serve it until SIGTERM.

    TRYTON_ADMIN_PASSWORD, TRYTON_USER and TRYTON_PASSWORD say who may log on; what is not set is made up and kept in
    a file of DIR that only you can read.
    """
    from workers.tryton_orders_file import SeedFile
    from workers.tryton_server import serve

    seed = SeedFile.of(_content(orders)) if orders is not None else None
    run_process(serve(data, port, host, orders=seed, reset=reset, on_ready=say_ready, progress=say_progress))


def _content(file: Path) -> object:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        hint = "docs/simulators.md shows the form"
        raise BadInput(f"the orders in {file} cannot be read: {error}", subject=str(file), hint=hint) from error
