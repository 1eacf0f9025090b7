"""`users add|list|grant|revoke|disable|enable|password|roles`: who people are at a plant.

The first user of a ledger must be an administrator of the whole plant; from then on one of them has to be there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from domain.permissions import TABLE, Action, roles_of
from domain.roles import Role, role_named
from ledger.people_port import Grant, User
from signals.errors import BadInput
from workers.cli import signing_keys, tokens
from workers.cli.credentials import password_from
from workers.cli.office import Office, office
from workers.cli.options import AsJson, DataFolder, LedgerUrl, PlantFile
from workers.cli.output import say_result, table
from workers.cli.running import run_result
from workers.cli.who import people_of

app = typer.Typer(help="Users, roles, API tokens, signing keys.", no_args_is_help=True)
app.add_typer(tokens.app, name="token")
app.add_typer(signing_keys.app, name="key")

Login = Annotated[str, typer.Argument(help="The login name.", metavar="LOGIN")]
RoleName = Annotated[str, typer.Argument(help="One of `users roles`.", metavar="ROLE")]
Lines = Annotated[list[str] | None, typer.Option("--line", help="Only for this line; may be repeated.")]
NewPassword = Annotated[
    str,
    typer.Option(
        "--new-password-env", help="Variable that holds the user's password. Default: it is asked for.",
        metavar="VARIABLE",
    ),
]  # fmt: skip


@app.command("add")
def add_user(
    login: Login,
    plant: PlantFile,
    role: Annotated[str, typer.Option("--role", help="One of `users roles`.")],
    line: Lines = None,
    name: Annotated[str, typer.Option("--name", help="Printed name, as signatures show it.")] = "",
    service: Annotated[bool, typer.Option("--service", help="A machine: it reports, and can never sign.")] = False,
    subject: Annotated[
        str, typer.Option("--subject", help="OpenID Connect, instead of a password.", metavar="ISSUER|SUB")
    ] = "",
    language: Annotated[str, typer.Option("--language", help="Of the console: en or de.")] = "en",
    new_password_env: NewPassword = "",
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Add a user with a role. A login is given once, for ever."""
    password = "" if service or subject else _new_password(login, new_password_env)
    added = run_result(_add(login, role, line or [], name, service, subject, language, password, plant, data, ledger))
    say_result(added, f"{added['user']} is {role} at plant {added['plant']}", as_json=as_json)


async def _add(
    login: str, role: str, lines: list[str], name: str, service: bool, subject: str, language: str, password: str,
    plant: Path, data: Path | None, ledger: str | None,
) -> dict[str, Any]:  # fmt: skip
    async with office(plant, data, ledger, ledger_must_exist=False) as place:
        who = await place.who()
        if who.free and (role_named(role) is not Role.ADMIN or lines or service):
            hint = "`plantwright users add LOGIN --role admin`, then the others with --user LOGIN"
            raise BadInput("the first user must be an administrator of the whole plant", subject=login, hint=hint)
        who.require(Action.USERS_MANAGE)
        grants = (Grant(user=login, plant=place.plant_id, role=role, lines=known_lines(place, lines)),)
        added = await people_of(place.ledger, place.settings).add_user(
            login, name, password=password, subject=subject, service=service, grants=grants, language=language,
            by=who.user,
        )  # fmt: skip
        return _shown(added, place.plant_id)


@app.command("list")
def list_users(plant: PlantFile, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False) -> None:
    """Users of the plant with their roles there."""
    result = run_result(_list(plant, data, ledger))
    shown = table("Users", "login", "name", "roles", "signs in by", "active")
    for user in result["users"]:
        roles = "; ".join(f"{g['role']}{' of ' + ', '.join(g['lines']) if g['lines'] else ''}" for g in user["roles"])
        shown.add_row(user["user"], user["name"], roles, user["signs_in_by"], "yes" if user["active"] else "no")
    say_result(result, shown if result["users"] else "no users yet: `plantwright users add`", as_json=as_json)


async def _list(plant: Path, data: Path | None, ledger: str | None) -> dict[str, Any]:
    async with office(plant, data, ledger) as place:
        await place.look(Action.VIEW_USERS)
        users = await place.ledger.users(place.plant_id)
        return {"plant": place.plant_id, "users": [_shown(user, place.plant_id) for user in users]}


@app.command("grant")
def grant_role(
    login: Login, role: RoleName, plant: PlantFile, line: Lines = None, data: DataFolder = None,
    ledger: LedgerUrl = None, as_json: AsJson = False,
) -> None:  # fmt: skip
    """Give a role at the plant; given again, its lines are replaced."""

    async def grant() -> dict[str, Any]:
        async with office(plant, data, ledger) as place:
            who = await managing(place)
            lines = known_lines(place, line or [])
            wanted = Grant(user=login, plant=place.plant_id, role=role, lines=lines)
            if lines and role_named(role) is Role.ADMIN:
                await _not_the_last_admin(place, login)
            await people_of(place.ledger, place.settings).grant(wanted, by=who)
            return await _now(place, login)

    user = run_result(grant())
    say_result(user, f"{user['user']} is {role} at plant {user['plant']}", as_json=as_json)


@app.command("revoke")
def revoke_role(
    login: Login, role: RoleName, plant: PlantFile, data: DataFolder = None, ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:  # fmt: skip
    """Take a role at the plant away. What was signed in it stays valid, what was not decided yet is refused."""

    async def revoke() -> dict[str, Any]:
        async with office(plant, data, ledger) as place:
            await managing(place)
            user = await own_user(place, login)
            named = role_named(role)
            if named is Role.ADMIN:
                await _not_the_last_admin(place, user.user)
            if named is None or not await place.ledger.revoke_role(user.user, place.plant_id, named.value):
                held = ", ".join(g.role for g in user.grants_at(place.plant_id)) or "nothing there"
                raise BadInput(f"{user.user} is not {role} at plant {place.plant_id}", subject=role, hint=f"is {held}")
            return await _now(place, login)

    user = run_result(revoke())
    say_result(user, f"{user['user']} is no longer {role}", as_json=as_json)


@app.command("disable")
def disable_user(
    login: Login, plant: PlantFile, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False
) -> None:
    """Let a user in no more; sessions and tokens end at once. The login stays theirs."""
    user = run_result(_set_active(login, False, plant, data, ledger))
    say_result(user, f"{user['user']} is disabled", as_json=as_json)


@app.command("enable")
def enable_user(
    login: Login, plant: PlantFile, data: DataFolder = None, ledger: LedgerUrl = None, as_json: AsJson = False
) -> None:
    """Let a disabled user in again; tokens stay revoked."""
    user = run_result(_set_active(login, True, plant, data, ledger))
    say_result(user, f"{user['user']} is enabled", as_json=as_json)


async def _set_active(login: str, active: bool, plant: Path, data: Path | None, ledger: str | None) -> dict[str, Any]:
    async with office(plant, data, ledger) as place:
        await managing(place)
        user = await own_user(place, login, whole=True)
        if not active:
            await _not_the_last_admin(place, user.user)
        await place.ledger.set_user_active(user.user, active)
        return await _now(place, user.user)


@app.command("password")
def set_password(
    login: Login,
    plant: PlantFile,
    new_password_env: NewPassword = "",
    data: DataFolder = None,
    ledger: LedgerUrl = None,
    as_json: AsJson = False,
) -> None:
    """Give a new password, one's own or, as administrator, another user's; their sessions end."""
    password = _new_password(login, new_password_env)

    async def change() -> dict[str, Any]:
        async with office(plant, data, ledger) as place:
            who = await place.who()
            if who.user != login.strip().lower():
                await managing(place)
                await own_user(place, login, whole=True)
            await people_of(place.ledger, place.settings).set_password(login, password)
            return await _now(place, login)

    user = run_result(change())
    say_result(user, f"{user['user']} has a new password", as_json=as_json)


@app.command("roles")
def roles(as_json: AsJson = False) -> None:
    """The permission table: which role may do what."""
    names = [role.value for role in Role]
    shown = table("Permissions", "action", *names)
    for action in Action:
        shown.add_row(action.value, *("x" if role in TABLE[action] else "" for role in Role))
    result = {"actions": {action.value: [role.value for role in roles_of(action)] for action in Action}}
    say_result(result, shown, as_json=as_json)


# --- who may manage whom ----------------------------------------------------------------------------------------------


async def managing(place: Office) -> str:
    """The administrator who is there. Raises BadInput where it is none, or where there are no users yet."""
    who = await place.who()
    if who.free:
        hint = "`plantwright users add LOGIN --role admin --plant …`"
        raise BadInput(f"the ledger of plant {place.plant_id} has no users yet", subject="users", hint=hint)
    who.require(Action.USERS_MANAGE)
    return who.user


async def own_user(place: Office, login: str, *, whole: bool = False) -> User:
    """A user of this plant, one of another plant being unknown here. Raises BadInput.

    `whole`: what is done concerns the user everywhere, so no other plant may have a say in it.
    """
    user = await place.ledger.user(login.strip().lower())
    if user is None or (user.grants and not user.grants_at(place.plant_id)):
        hint = "`plantwright users list --plant …` shows the users of the plant"
        raise BadInput(f"plant {place.plant_id} has no user {login}", subject=login, hint=hint)
    elsewhere = [grant for grant in user.grants if grant.plant != place.plant_id]
    me = await place.ledger.user((await place.who()).user)
    mine = {g.plant for g in me.grants if role_named(g.role) is Role.ADMIN and not g.lines} if me else set[str]()
    if whole and any(grant.plant not in mine for grant in elsewhere):
        hint = "take the roles of your plant away with `users revoke`; the rest is for who administers both"
        raise BadInput(f"{user.user} also works where you are no administrator", subject=user.user, hint=hint)
    return user


async def _not_the_last_admin(place: Office, login: str) -> None:
    """Raises BadInput where nobody else could administer the plant's users."""
    admins = {
        user.user
        for user in await place.ledger.users(place.plant_id)
        for grant in user.grants_at(place.plant_id)
        if user.active and not user.service and role_named(grant.role) is Role.ADMIN and not grant.lines
    }
    if admins == {login.strip().lower()}:
        hint = "make another one first: `plantwright users grant LOGIN admin`"
        raise BadInput(f"{login} is the last administrator of plant {place.plant_id}", subject=login, hint=hint)


def known_lines(place: Office, lines: list[str]) -> tuple[str, ...]:
    """Lines as the plant file has them. Raises BadInput for one that it has not."""
    known = [line.id for line in place.plant.lines]
    for line in lines:
        if line not in known:
            raise BadInput(f"plant {place.plant_id} has no line {line}", subject="--line", hint=f"it has {known}")
    return tuple(sorted(set(lines)))


def _new_password(login: str, variable: str) -> str:
    again = f"password of {login} again: "
    password = password_from(os.environ, variable, f"new password of {login}: ", option="--new-password-env")
    if not variable and password_from(os.environ, "", again, option="--new-password-env") != password:
        raise BadInput("the two passwords differ", subject="password", hint="type the same one twice")
    return password


async def _now(place: Office, login: str) -> dict[str, Any]:
    user = await place.ledger.user(login.strip().lower())
    assert user is not None
    return _shown(user, place.plant_id)


def _shown(user: User, plant: str) -> dict[str, Any]:
    """What is told of a user: never a hash, and no role at another plant."""
    return {
        "user": user.user,
        "name": user.name,
        "plant": plant,
        "active": user.active,
        "service": user.service,
        "language": user.language,
        "signs_in_by": "API token" if user.service else "OpenID Connect" if user.subject else "password",
        "roles": [{"role": grant.role, "lines": list(grant.lines)} for grant in user.grants_at(plant)],
    }
