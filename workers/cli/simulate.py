"""`simulate line|sap|oracle|dynamics`: counterparts with their own books, as processes. Nothing else imports them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from signals.errors import BadInput
from workers.cli.options import Host
from workers.cli.output import say_progress, say_ready
from workers.cli.running import run_process

app = typer.Typer(help="Simulated machines and ERPs, for trying things out.", no_args_is_help=True)

Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 picks a free one.")]


@app.command("line")
def line(
    scenario: Annotated[Path, typer.Option("--scenario", help="TOML file, see docs/simulators.md.", metavar="FILE")],
    port: Port = 0,
    host: Host = "127.0.0.1",
    speed: Annotated[float, typer.Option("--speed", help="Plant seconds per wall second.")] = 1.0,
    seed: Annotated[int | None, typer.Option("--seed", help="The same seed makes the same pieces.")] = None,
    clock: Annotated[
        str | None, typer.Option("--clock", help="WALL_ISO,PLANT_ISO,FACTOR instead of --speed.", metavar="CLOCK")
    ] = None,
) -> None:
    """A production line with an OPC UA server and a control side."""
    from simulators.line.server import serve

    try:
        run_process(serve(scenario, port, host, speed=speed, seed=seed, clock=clock, on_ready=say_ready))
    except ValueError as error:
        raise BadInput(str(error), subject=str(scenario), hint="docs/simulators.md describes scenarios") from error
    except OSError as error:
        raise _cannot_listen(host, port, error) from error


Db = Annotated[Path, typer.Option("--db", help="SQLite file with its books.", metavar="FILE")]
Orders = Annotated[
    Path | None, typer.Option("--orders", help="JSON with orders and stock for new books.", metavar="FILE")
]
Ready = Callable[[dict[str, Any]], None]


@app.command("sap")
def sap(db: Db, port: Port = 0, host: Host = "127.0.0.1", orders: Orders = None) -> None:
    """An SAP S/4HANA with OData services and a control side. SAP_USER and SAP_PASSWORD say who may log on."""
    from simulators.sap.__main__ import DEMO_PASSWORD, DEMO_USER
    from simulators.sap.app import serve

    access = _access({"user": ("SAP_USER", DEMO_USER), "password": ("SAP_PASSWORD", DEMO_PASSWORD)}, db)
    _serve(lambda ready: serve(port, db, host, **access, on_ready=ready), db, port, host, orders)


@app.command("oracle")
def oracle(db: Db, port: Port = 0, host: Host = "127.0.0.1", orders: Orders = None) -> None:
    """An Oracle Fusion SCM with REST resources and a control side. ORACLE_USER and ORACLE_PASSWORD say who may."""
    from simulators.oracle import __main__ as known
    from simulators.oracle.app import serve

    access = _access(
        {
            "user": ("ORACLE_USER", known.DEMO_USER),
            "password": ("ORACLE_PASSWORD", known.DEMO_PASSWORD),
            "client_id": ("ORACLE_CLIENT_ID", known.DEMO_CLIENT_ID),
            "client_secret": ("ORACLE_CLIENT_SECRET", known.DEMO_CLIENT_SECRET),
        },
        db,
    )
    _serve(lambda ready: serve(port, db, host, **access, on_ready=ready), db, port, host, orders)


@app.command("dynamics")
def dynamics(db: Db, port: Port = 0, host: Host = "127.0.0.1", orders: Orders = None) -> None:
    """A Dynamics 365 SCM with its message queue and a control side. DYNAMICS_CLIENT_ID and _SECRET say who may."""
    from simulators.dynamics import __main__ as known
    from simulators.dynamics.app import serve

    access = _access(
        {
            "client_id": ("DYNAMICS_CLIENT_ID", known.DEMO_CLIENT_ID),
            "client_secret": ("DYNAMICS_CLIENT_SECRET", known.DEMO_CLIENT_SECRET),
            "tenant": ("DYNAMICS_TENANT", known.DEMO_TENANT),
        },
        db,
    )
    _serve(lambda ready: serve(port, db, host, **access, on_ready=ready), db, port, host, orders)


def _access(names: Mapping[str, tuple[str, str]], db: Path) -> dict[str, str]:
    """Log-on data from the environment, else the well-known demo ones; where a secret is one of those, it is said."""
    if not db.absolute().parent.is_dir():
        raise BadInput(f"the folder of {db} does not exist", subject=str(db), hint="make it, or name another --db")
    secrets = [name for name, _ in names.values() if name.endswith(("PASSWORD", "SECRET")) and not os.environ.get(name)]
    if secrets:
        say_progress(f"{', '.join(secrets)} not set: the well-known demo value logs on")
    return {key: os.environ.get(name) or default for key, (name, default) in names.items()}


def _serve(
    start: Callable[[Ready], Coroutine[Any, Any, None]], db: Path, port: int, host: str, orders: Path | None
) -> None:
    seed = _read_orders(orders) if orders is not None and not db.exists() else None
    seeding: list[asyncio.Task[None]] = []

    def ready(addresses: Mapping[str, Any]) -> None:
        if seed is not None:
            seeding.append(asyncio.get_running_loop().create_task(_seed(addresses, seed)))
        else:
            say_ready(addresses)

    try:
        run_process(start(ready))
    except OSError as error:
        raise _cannot_listen(host, port, error) from error


def _read_orders(file: Path) -> object:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        hint = "docs/simulators.md shows the form"
        raise BadInput(f"the orders in {file} cannot be read: {error}", subject=str(file), hint=hint) from error


async def _seed(addresses: Mapping[str, Any], seed: object) -> None:
    """New books get their orders before anybody is told that the ERP serves."""
    own = f"http://127.0.0.1:{addresses['port']}"
    async with httpx.AsyncClient(base_url=own, timeout=30) as client:
        answer = await client.post("/_control/orders", json=seed)
    if answer.is_error:
        say_progress(f"the orders were refused: {answer.text}")
        os.kill(os.getpid(), signal.SIGTERM)
        return
    say_ready(addresses)


def _cannot_listen(host: str, port: int, error: OSError) -> BadInput:
    return BadInput(
        f"cannot listen on {host}:{port}: {error.strerror or error}", hint="--port 0 picks a free port of this machine"
    )
