"""The processes of a plant: `server`, `worker`, `edge`. They serve until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from signals.errors import BadInput
from workers.cli.options import DataFolder, HealthPort, LedgerUrl, PlantFile
from workers.cli.output import say_progress, say_ready
from workers.cli.running import run_process
from workers.settings import Settings, resolve_settings

if TYPE_CHECKING:
    from domain.plant import PlantConfig
    from ledger.port import LedgerPort
    from ledger.store import SqlLedger

EVENTS_SECRET = "PLANTWRIGHT_EVENTS_SECRET"
WATCH_SECONDS = 5.0


def server(
    data: DataFolder = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Frontend (gRPC); 0 picks a free one.")] = 7233,
    ui_port: Annotated[int, typer.Option("--ui-port", min=0, max=65535, help="Web UI; 0 picks a free one.")] = 8233,
    headless: Annotated[bool, typer.Option("--headless", help="Without the web UI.")] = False,
) -> None:
    """The embedded Temporal server, with its state in the data folder."""
    from workers.server_ports import ServerPorts
    from workers.temporal_server import ServerOptions, serve

    settings = resolve_settings(os.environ, data)
    options = ServerOptions(ports=ServerPorts(frontend=port, ui=ui_port), headless=headless)
    run_process(serve(settings.ensure_data(), options, on_ready=say_ready, progress=say_progress))


def worker(
    plant: PlantFile,
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    health_port: HealthPort = None,
    events_port: Annotated[
        int | None,
        typer.Option(
            "--events-port",
            min=0,
            max=65535,
            help="Take the ERP's business events there (Dynamics 365); PLANTWRIGHT_EVENTS_SECRET holds the secret.",
        ),
    ] = None,
) -> None:
    """The plant's worker: orders, lines, ledger and postings to the ERP."""
    run_process(_work(plant, resolve_settings(os.environ, data, ledger), health_port, events_port))


async def _work(plant_file: Path, settings: Settings, health_port: int | None, events_port: int | None) -> None:
    from erp.factory import create_erp
    from ledger.connect import open_ledger
    from workers.client import connect_temporal
    from workers.erp_connection import connect_erp
    from workers.notify.factory import open_channels
    from workers.plant_file import load_plant
    from workers.plant_worker import run_plant_worker

    plant = load_plant(plant_file, settings.environ)
    secret = settings.environ.get(EVENTS_SECRET, "")
    if events_port is not None and not secret:
        raise BadInput(f"{EVENTS_SECRET} is not set", subject="--events-port", hint="it holds the senders' secret")
    # Credentials that are missing are told before anything is connected to.
    await create_erp(plant.erp, plant.plant.id, settings.environ).aclose()
    client = await connect_temporal(settings.environ)
    settings.ensure_data()
    books = await open_ledger(settings.ledger_url)
    try:
        erp = connect_erp(plant, settings.environ, books, hears_events=events_port is not None)
    except BaseException:
        await books.close()
        raise
    state: dict[str, Any] = {"healthy": False, "plant": plant.plant.id, "mode": plant.posting.mode.value}
    try:
        async with open_channels(plant.notify, settings.environ) as channels, asyncio.TaskGroup() as tasks:
            health = await start_health(tasks, health_port, lambda: state)
            events = await start_events(tasks, events_port, books, plant.plant.id, secret)
            tasks.create_task(watch_erp(plant, books, state))

            def ready(addresses: Mapping[str, Any]) -> None:
                state["healthy"] = True
                say_ready(
                    {
                        **addresses,
                        "mode": plant.posting.mode.value,
                        "health": health,
                        "events": events,
                        "pid": os.getpid(),
                    }
                )

            tasks.create_task(
                run_plant_worker(client, plant, books, erp, channels=channels, clock=settings.clock, on_ready=ready)
            )
    finally:
        await books.close()
        await erp.aclose()


async def watch_erp(plant: PlantConfig, books: LedgerPort, state: dict[str, Any]) -> None:
    """Keep circuit, pace and backlog on the health page, for probes and alerts."""
    from workers.erp_connection import erp_status

    while True:
        state["erp"] = await erp_status(plant, books)
        await asyncio.sleep(WATCH_SECONDS)


async def start_events(
    tasks: asyncio.TaskGroup, port: int | None, books: SqlLedger, plant: str, secret: str
) -> str | None:
    """Take events beside the work; the endpoint's address, None where no port was asked for."""
    from workers.erp_events import serve_events

    if port is None:
        return None
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = tasks.create_task(serve_events(books, (plant,), secret, port, on_ready=listening.set_result))
    await asyncio.wait({listening, serving}, return_when=asyncio.FIRST_COMPLETED)
    return listening.result() if listening.done() else str(serving.result())


async def start_health(
    tasks: asyncio.TaskGroup, port: int | None, report: Callable[[], Mapping[str, Any]]
) -> str | None:
    """Serve the health page beside the work; its address, None where no port was asked for."""
    from workers.health import serve_health

    if port is None:
        return None
    listening: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = tasks.create_task(serve_health(port, report, on_ready=listening.set_result))
    await asyncio.wait({listening, serving}, return_when=asyncio.FIRST_COMPLETED)
    return listening.result() if listening.done() else serving.result()


def edge(
    plant: PlantFile,
    data: DataFolder = None,
    line: Annotated[
        list[str] | None, typer.Option("--line", help="Only this line; may be repeated. Default: all.")
    ] = None,
    dry_run: Annotated[
        Path | None,
        typer.Option("--dry-run", help="Forward to this file, one event a line; no Temporal.", metavar="FILE.ndjson"),
    ] = None,
    health_port: HealthPort = None,
) -> None:
    """The edge gateway: reads the lines over OPC UA, keeps what it read, forwards it. It never writes to a machine."""
    run_process(_gather(plant, resolve_settings(os.environ, data), tuple(line or ()), dry_run, health_port))


async def _gather(
    plant_file: Path, settings: Settings, lines: tuple[str, ...], dry_run: Path | None, health_port: int | None
) -> None:
    from workers.client import connect_temporal
    from workers.edge import run_edge
    from workers.plant_file import load_plant

    plant = load_plant(plant_file, settings.environ)
    await run_edge(
        plant,
        lines,
        None if dry_run is not None else lambda: connect_temporal(settings.environ),
        settings.ensure_data(),
        settings.environ,
        settings.clock,
        dry_run,
        health_port,
        say_ready,
    )
