"""`users key list|add|rotate|retire`: the keys by which the house signs. The ledger holds their public parts only."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from activities.signatures import key_id_of, public_text
from domain.permissions import Action
from ledger.people_port import SigningKey
from signals.errors import BadInput
from workers.cli.office import office
from workers.cli.options import AsJson, DataFolder, LedgerUrl, PlantFile
from workers.cli.output import say_result, table
from workers.cli.running import run_result
from workers.cli.who import people_of

app = typer.Typer(help="Signing keys: list, add, rotate, retire.", no_args_is_help=True)


@app.command("list")
def list_keys(plant: PlantFile, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False) -> None:
    """All keys that ever signed; retired ones still prove what they signed."""

    async def keys() -> Sequence[SigningKey]:
        async with office(plant, data, ledger) as place:
            await place.look(Action.VIEW_USERS)
            return await place.ledger.signing_keys()

    _say(run_result(keys()), as_json=as_json)


@app.command("add")
def add_key(plant: PlantFile, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False) -> None:
    """Let the key of this data folder, or of PLANTWRIGHT_SIGNING_KEY, sign beside the others."""
    _say(run_result(_add(plant, data, ledger)), as_json=as_json)


async def _add(plant: Path, data: Path | None, ledger: str | None) -> Sequence[SigningKey]:
    from workers.signing_key import load_signing_key

    async with office(plant, data, ledger) as place:
        (await place.who()).require(Action.USERS_MANAGE)
        people = people_of(place.ledger, place.settings)
        await people.add_key(load_signing_key(place.settings.environ, place.settings.data))
        return await place.ledger.signing_keys()


@app.command("rotate")
def rotate_key(plant: PlantFile, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False) -> None:
    """Replace the key of this data folder: the new one signs from now on, the old one nothing any more."""
    _say(run_result(_rotate(plant, data, ledger)), as_json=as_json)


async def _rotate(plant: Path, data: Path | None, ledger: str | None) -> Sequence[SigningKey]:
    from workers.signing_key import KEY_VARIABLE, load_signing_key, replace_signing_key

    if os.environ.get(KEY_VARIABLE):
        hint = "put a new value there, then `users key add`, then `users key retire` the old one"
        raise BadInput(f"the signing key is in {KEY_VARIABLE}, not in a file", subject=KEY_VARIABLE, hint=hint)
    async with office(plant, data, ledger) as place:
        (await place.who()).require(Action.USERS_MANAGE)
        people, now = people_of(place.ledger, place.settings), datetime.now(UTC)
        old = key_id_of(public_text(load_signing_key({}, place.settings.data)))
        await people.add_key(replace_signing_key(place.settings.data))
        await place.ledger.retire_signing_key(old, now)
        return await place.ledger.signing_keys()


@app.command("retire")
def retire_key(
    key: Annotated[str, typer.Argument(help="Its id, as `users key list` shows it.", metavar="KEY")],
    plant: PlantFile,
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Let a key sign nothing any more, for example because somebody may have read it."""

    async def retire() -> Sequence[SigningKey]:
        async with office(plant, data, ledger) as place:
            (await place.who()).require(Action.USERS_MANAGE)
            if not await place.ledger.retire_signing_key(key, datetime.now(UTC)):
                hint = "`plantwright users key list --plant …` shows them"
                raise BadInput(f"there is no signing key {key}", subject=key, hint=hint)
            return await place.ledger.signing_keys()

    _say(run_result(retire()), as_json=as_json)


def _say(keys: Sequence[SigningKey], *, as_json: bool) -> None:
    result: dict[str, Any] = {"keys": [key.model_dump(mode="json") for key in keys]}
    shown = table("Signing keys", "key", "from", "until")
    for key in keys:
        until = f"{key.valid_to:%Y-%m-%d %H:%M}" if key.valid_to else "signs"
        shown.add_row(key.key_id, f"{key.valid_from:%Y-%m-%d %H:%M}", until)
    say_result(result, shown if keys else "no key has signed yet", as_json=as_json)
