"""`console`: the web pages and the HTTP API for people and programs. It serves until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from signals.errors import BadInput
from workers.cli.options import DataFolder, Host, LedgerUrl
from workers.cli.output import say_ready
from workers.cli.running import run_process
from workers.settings import Settings, resolve_settings

if TYPE_CHECKING:
    from console.ports import OidcSettings

TEMPORAL_UI = "PLANTWRIGHT_TEMPORAL_UI"
PUBLIC_URL = "PLANTWRIGHT_CONSOLE_URL"
OIDC = "PLANTWRIGHT_OIDC_"


def console(
    plant: Annotated[list[Path], typer.Option("--plant", help="Plant file; may be repeated.", metavar="FILE")],
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 picks a free one.")] = 8080,
    host: Host = "127.0.0.1",
) -> None:
    """The web console and HTTP API of one or more plants."""
    run_process(_serve(plant, resolve_settings(os.environ, data, ledger), host, port))


async def _serve(plant_files: list[Path], settings: Settings, host: str, port: int) -> None:
    from temporalio.client import Client

    from console.app import build_app
    from console.ports import Services
    from console.serving import serve
    from ledger.connect import open_ledger
    from workers.accounts import HouseAccounts
    from workers.client import connect_temporal
    from workers.console_desk import ConsoleDesk
    from workers.people import People
    from workers.plant_file import load_plant
    from workers.signing_key import load_signing_key

    loaded = [load_plant(file, settings.environ) for file in plant_files]
    plants = {config.plant.id: config for config in loaded}
    if len(plants) < len(loaded):
        raise BadInput("two of the plant files are of the same plant", subject="--plant", hint="name each plant once")
    oidc = oidc_settings(settings.environ)
    settings.ensure_data()
    key = load_signing_key(settings.environ, settings.data)
    books = await open_ledger(settings.ledger_url)
    connecting = asyncio.Lock()
    connected: list[Client] = []

    async def client() -> Client:
        """One connection, made when it is first needed: pages from the ledger work while Temporal is away."""
        async with connecting:
            if not connected:
                connected.append(await connect_temporal(settings.environ))
            return connected[0]

    def now() -> datetime:
        return settings.clock.plant_time(datetime.now(UTC))

    people = People(books, key=lambda: load_signing_key(settings.environ, settings.data))
    services = Services(
        plants=plants,
        ledger=books,
        desk=ConsoleDesk(client, books, plants, now, people),
        accounts=HouseAccounts(people),
        secret=hashlib.sha256(b"plantwright console forms" + key.private_bytes_raw()).digest(),
        now=now,
        pace=settings.clock.factor,
        temporal_ui=settings.environ.get(TEMPORAL_UI, ""),
        public_url=_public_url(settings.environ),
        oidc=oidc,
    )

    def ready(address: str) -> None:
        say_ready(
            {"url": services.public_url or address, "address": address, "plants": list(plants), "pid": os.getpid()}
        )

    try:
        await serve(build_app(services), port, host=host, on_ready=ready)
    except OSError as error:
        raise BadInput(
            f"port {port} cannot be used: {error.strerror}", subject="--port", hint="0 takes a free one"
        ) from error
    finally:
        await books.close()


def _public_url(environ: Mapping[str, str]) -> str:
    url = environ.get(PUBLIC_URL, "").rstrip("/")
    if url and not url.startswith(("https://", "http://")):
        raise BadInput(f"{url!r} is no address", subject=PUBLIC_URL, hint="for example https://plantwright.example.com")
    return url


def oidc_settings(environ: Mapping[str, str]) -> OidcSettings | None:
    """OpenID Connect from `PLANTWRIGHT_OIDC_ISSUER`, `_CLIENT_ID`, `_CLIENT_SECRET`, `_SCOPE`, `_NAME`.

    None where no issuer is set. Raises BadInput where something is missing.
    """
    from console.ports import OidcSettings

    issuer = environ.get(f"{OIDC}ISSUER", "").rstrip("/")
    if not issuer:
        return None
    client_id = environ.get(f"{OIDC}CLIENT_ID", "")
    if not client_id:
        raise BadInput(f"{OIDC}CLIENT_ID is not set", subject=OIDC, hint="the identity provider gave it to you")
    if not _public_url(environ):
        raise BadInput(
            f"{PUBLIC_URL} is not set", subject=PUBLIC_URL, hint="the identity provider sends people back there"
        )
    given = {"scope": environ.get(f"{OIDC}SCOPE", ""), "name": environ.get(f"{OIDC}NAME", "")}
    return OidcSettings(
        issuer=issuer, client_id=client_id, client_secret=environ.get(f"{OIDC}CLIENT_SECRET", ""),
        **{name: value for name, value in given.items() if value},
    )  # fmt: skip
