"""The processes of a plant: `server`, `worker`, `edge`. They serve until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from workers.cli.options import DataFolder, HealthPort, LedgerUrl, PlantFile
from workers.cli.output import say_progress, say_ready
from workers.cli.running import run_process
from workers.settings import Settings, resolve_settings


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
) -> None:
    """The plant's worker: orders, lines, ledger and postings to the ERP."""
    run_process(_work(plant, resolve_settings(os.environ, data, ledger), health_port))


async def _work(plant_file: Path, settings: Settings, health_port: int | None) -> None:
    from erp.sap.adapter import create_sap
    from ledger.connect import open_ledger
    from workers.client import connect_temporal
    from workers.plant_file import load_plant
    from workers.plant_worker import run_plant_worker

    plant = load_plant(plant_file, settings.environ)
    erp = create_sap(plant.erp, plant.plant.id, settings.environ)
    client = await connect_temporal(settings.environ)
    settings.ensure_data()
    ledger = await open_ledger(settings.ledger_url)
    state: dict[str, Any] = {"status": "starting", "plant": plant.plant.id, "mode": plant.posting.mode.value}

    def ready(addresses: Mapping[str, Any]) -> None:
        state["status"] = "ok"
        say_ready({**addresses, "mode": plant.posting.mode.value, "pid": os.getpid()})

    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(run_plant_worker(client, plant, ledger, erp, on_ready=ready))
            if health_port is not None:
                from workers.health import serve_health

                tasks.create_task(serve_health(health_port, lambda: state))
    finally:
        await ledger.close()
        await erp.aclose()


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
    chosen = lines or tuple(line.id for line in plant.lines)
    await run_edge(
        plant,
        chosen,
        lambda: connect_temporal(settings.environ),
        settings.ensure_data(),
        settings.environ,
        settings.clock,
        dry_run,
        health_port,
        say_ready,
    )
