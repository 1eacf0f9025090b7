"""`users token add|list|revoke`: tokens for the HTTP API and for commands without a person at a terminal."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from domain.permissions import Action
from ledger.people_port import ApiToken, Grant
from signals.errors import BadInput
from workers.cli.office import office
from workers.cli.options import AsJson, DataFolder, LedgerUrl, PlantFile
from workers.cli.output import say_result, table
from workers.cli.running import run_result
from workers.cli.who import people_of

app = typer.Typer(help="API tokens: add, list, revoke.", no_args_is_help=True)


@app.command("add")
def add_token(
    login: Annotated[str, typer.Argument(help="A service account, or yourself.", metavar="LOGIN")],
    plant: PlantFile,
    role: Annotated[str, typer.Option("--role", help="The role it acts in; the user must have it.")],
    line: Annotated[list[str] | None, typer.Option("--line", help="Only for this line; may be repeated.")] = None,
    days: Annotated[int, typer.Option("--days", help="How long it is valid, at most 366.")] = 90,
    note: Annotated[str, typer.Option("--note", help="What it is for.")] = "",
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make a token. It is shown this once."""

    async def add() -> dict[str, Any]:
        async with office(plant, data, ledger) as place:
            who = await place.who()
            if who.user != login.strip().lower():
                who.require(Action.TOKENS_MANAGE)
            grant = Grant(user=login.strip().lower(), plant=place.plant_id, role=role, lines=tuple(line or ()))
            people = people_of(place.ledger, place.settings)
            text, kept = await people.add_token(grant, by=who.user, days=days, note=note)
            return {"secret": text, **told(kept)}

    result = run_result(add())
    say_result(result, f"{result['secret']}\nvalid until {result['expires_at']}; keep it, it is not shown again",
               as_json=as_json)  # fmt: skip


@app.command("list")
def list_tokens(plant: PlantFile, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False) -> None:
    """Tokens of the plant, without their secrets."""
    result = run_result(_list(plant, data, ledger))
    shown = table("Tokens", "token", "user", "role", "lines", "note", "until", "state")
    for token in result["tokens"]:
        shown.add_row(
            token["token"], token["user"], token["role"], ", ".join(token["lines"]), token["note"],
            token["expires_at"][:16], token["state"],
        )  # fmt: skip
    say_result(result, shown if result["tokens"] else "no tokens", as_json=as_json)


async def _list(plant: Path, data: Path | None, ledger: str | None) -> dict[str, Any]:
    async with office(plant, data, ledger) as place:
        await place.look(Action.TOKENS_MANAGE)
        return {"plant": place.plant_id, "tokens": [told(t) for t in await place.ledger.api_tokens(place.plant_id)]}


@app.command("revoke")
def revoke_token(
    token: Annotated[str, typer.Argument(help="The token's id: the part between the underscores.", metavar="TOKEN")],
    plant: PlantFile,
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """End a token at once."""

    async def revoke() -> dict[str, Any]:
        async with office(plant, data, ledger) as place:
            who, kept = await place.who(), await place.ledger.api_token(token)
            if kept is None or kept.user != who.user:
                who.require(Action.TOKENS_MANAGE)
            if not await place.ledger.revoke_api_token(place.plant_id, token, datetime.now(UTC)):
                hint = "`plantwright users token list --plant …` shows their ids"
                raise BadInput(f"plant {place.plant_id} has no token {token}", subject=token, hint=hint)
            return {"plant": place.plant_id, "token": token, "revoked": True}

    say_result(run_result(revoke()), f"token {token} is revoked", as_json=as_json)


def told(token: ApiToken) -> dict[str, Any]:
    """What is told of a token."""
    state = "revoked" if token.revoked_at else "expired" if token.expires_at <= datetime.now(UTC) else "valid"
    return {**token.model_dump(mode="json", exclude={"secret_hash"}), "state": state}
