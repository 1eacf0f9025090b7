"""A Tryton database in a folder: its configuration file, its SQLite file and its passwords. Not for what is in it.

The modules are set up once into a template beside the environment (half a minute); a new database is a copy of that.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from workers.temporal_binary import Progress
from workers.tryton_environment import TrytonEnvironment, TrytonUnusable, held, run_with_progress
from workers.tryton_rpc import DATABASE

MODULES = (
    "ir",
    "res",
    "company",
    "production",
    "production_routing",
    "production_work",
    "stock_lot",
    "quality",
)
ADMIN, ADMIN_PASSWORD = "admin", "TRYTON_ADMIN_PASSWORD"
USER, PASSWORD = "TRYTON_USER", "TRYTON_PASSWORD"
DEFAULT_USER = "plantwright"
SET_UP_LIMIT_SECONDS = 600.0


@dataclass(frozen=True)
class Passwords:
    """Who may log in. Kept in a file that only its owner reads, so that a later start finds them again."""

    admin: str
    user: str
    user_password: str

    def __repr__(self) -> str:
        return f"Passwords(user={self.user!r})"


class TrytonDatabase:
    """The files of one database under `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.configuration = folder / "trytond.conf"
        self.file = folder / "db" / f"{DATABASE}.sqlite"
        self.log = folder / "trytond.log"
        self.secrets = folder / "passwords.json"

    @property
    def exists(self) -> bool:
        return self.file.exists()

    def discard(self) -> None:
        """Delete the database and its passwords."""
        self.secrets.unlink(missing_ok=True)
        for file in self.file.parent.glob(f"{self.file.name}*"):
            file.unlink()

    def configure(self, host: str, port: int) -> None:
        """Write Tryton's configuration file for this address."""
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as refused:
            raise TrytonUnusable(f"the folder {self.folder} cannot be made: {refused.strerror}") from refused
        self.configuration.write_text(_configuration(self.file.parent, f"{host}:{port}"), encoding="utf-8")

    def passwords(self, environ: Mapping[str, str]) -> Passwords:
        """From the environment, else those of the last start, else new random ones."""
        kept: dict[str, str] = {}
        with contextlib.suppress(OSError, json.JSONDecodeError):
            kept = json.loads(self.secrets.read_text(encoding="utf-8"))
        return Passwords(
            admin=environ.get(ADMIN_PASSWORD) or kept.get("admin") or secrets.token_urlsafe(18),
            user=environ.get(USER) or kept.get("user") or DEFAULT_USER,
            user_password=environ.get(PASSWORD) or kept.get("password") or secrets.token_urlsafe(18),
        )

    def is_current(self, passwords: Passwords) -> bool:
        """Whether the database was last set up with these."""
        with contextlib.suppress(OSError, json.JSONDecodeError):
            return json.loads(self.secrets.read_text(encoding="utf-8")) == _kept(passwords)
        return False

    def keep(self, passwords: Passwords) -> None:
        descriptor = os.open(self.secrets, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(_kept(passwords), file)

    async def create(self, environment: TrytonEnvironment, progress: Progress) -> None:
        """A new database with all modules. A rename at the end: a kill in between leaves none."""
        template = await _template(environment, progress)
        copy = self.file.with_suffix(".new")
        await asyncio.to_thread(shutil.copyfile, template, copy)
        os.replace(copy, self.file)

    async def set_admin_password(self, environment: TrytonEnvironment, password: str, progress: Progress) -> None:
        """By Tryton's own program, which needs no earlier password."""
        await _admin(environment, self.configuration, password, ["--password", "--administrator"], progress)


async def _template(environment: TrytonEnvironment, progress: Progress) -> Path:
    template = environment.folder.parent / f"{DATABASE}.sqlite"
    if template.exists():
        return template
    with closing(await asyncio.to_thread(held, template.with_suffix(".lock"))):
        if template.exists():
            return template
        progress(f"Tryton: setting up its modules ({', '.join(MODULES)}), half a minute to a minute, once")
        with tempfile.TemporaryDirectory(dir=template.parent) as staging:
            made = Path(staging) / template.name
            made.touch()  # trytond-admin fills a database, it does not make the file
            configuration = Path(staging) / "trytond.conf"
            configuration.write_text(_configuration(Path(staging), "127.0.0.1:0"), encoding="utf-8")
            options = ["-u", *MODULES, "--activate-dependencies", "--email", "admin@plant.invalid"]
            await _admin(environment, configuration, secrets.token_urlsafe(18), options, progress)
            os.replace(made, template)
    return template


async def _admin(
    environment: TrytonEnvironment, configuration: Path, password: str, options: list[str], progress: Progress
) -> None:
    descriptor, passfile = tempfile.mkstemp(prefix=".tryton-", dir=configuration.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(password)
        command = environment.command("trytond-admin", "-c", str(configuration), "-d", DATABASE, *options)
        surroundings = {**os.environ, "TRYTONPASSFILE": passfile}
        await run_with_progress(command, surroundings, progress, SET_UP_LIMIT_SECONDS)
    finally:
        os.unlink(passfile)


def _kept(passwords: Passwords) -> dict[str, str]:
    return {"admin": passwords.admin, "user": passwords.user, "password": passwords.user_password}


def _configuration(databases: Path, listen: str) -> str:
    return f"[database]\nuri = sqlite://\npath = {databases}\n\n[web]\nlisten = {listen}\n"
