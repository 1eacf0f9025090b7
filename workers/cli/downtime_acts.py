"""How a command finds a stop and acts on it: in whose name, through the stop's own process. Times are the plant's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ValidationError

from domain.plant import PlantConfig
from domain.roles import role_named
from domain.shifts import production_day, production_day_begins
from domain.stop_permissions import may_act_on_stop
from domain.stop_review import looked_at
from signals.decisions import Answer
from signals.downtime import StopAct, StopRecord, StopSearch
from signals.errors import BadInput
from signals.people import Actor
from signals.sealing import stop_place
from workers.cli.office import Office, office
from workers.cli.output import say_result
from workers.cli.running import run_result
from workers.cli.who import Who, this_person

M = TypeVar("M", bound=BaseModel)
MakeAct = Callable[[Actor, PlantConfig], StopAct]


def plant_now(place: Office) -> datetime:
    """Plant time: what stops and their deadlines are in."""
    return place.settings.clock.plant_time(datetime.now(UTC))


async def named_stop(place: Office, name: str) -> StopRecord:
    """A stop by `LINE/STOP`, or by its id alone where one line only has it. Raises BadInput where it is none's."""
    from workers.stop_desk import unknown_stop

    who = await place.who()
    line, slash, stop = name.rpartition("/")
    if slash:
        record = await place.ledger.stop(place.plant_id, line, stop)
        found = [record] if record is not None else []
    else:
        lines = [known.id for known in place.plant.lines]
        asked = [await place.ledger.stop(place.plant_id, known, stop) for known in lines]
        found = [record for record in asked if record is not None]
    seen = [record for record in found if who.sees((record.line,))]
    if len(seen) > 1:
        names = ", ".join(f"{r.line}/{r.stop}" for r in seen)
        raise BadInput(f"{name} is a stop of several lines", subject=name, hint=f"one of {names}")
    if not seen:
        raise unknown_stop(place.plant_id, line or "-", stop)
    return looked_at(seen[0], place.plant, plant_now(place))


async def stops_seen(place: Office, who: Who, search: StopSearch) -> list[StopRecord]:
    """The stops that exist for who asks, the latest first, their parts as they are now."""
    found = await place.ledger.stops(place.plant_id, search)
    return [looked_at(r, place.plant, plant_now(place)) for r in found if who.sees((r.line,))]


async def act(place: Office, name: str, make: MakeAct, *, by: str, role: str) -> tuple[StopRecord, Answer]:
    """Act, and how the stop stands after it. Raises BadInput for what is refused."""
    from workers.stop_desk import act_on_stop

    record = await named_stop(place, name)
    wish = make(_actor(await place.who(), record, make, place.plant, by=by, role=role), place.plant)
    wish = await place.sealed(wish, stop_place(record.line, record.stop))
    client = await place.client()
    answer = await act_on_stop(client, place.ledger, place.plant_id, record.line, record.stop, wish)
    if not answer.accepted:
        hint = f"`plantwright downtime show {record.line}/{record.stop} …`"
        raise BadInput(f"stop {record.line}/{record.stop}: {answer.message}", subject=record.stop, hint=hint)
    return await place.ledger.stop(place.plant_id, record.line, record.stop) or record, answer


def carry_out(
    name: str, make: MakeAct, plant: Path, role: str, by: str, data: Path | None, ledger: str | None, *, as_json: bool
) -> None:
    """A command that acts, to its closing object."""

    async def work() -> dict[str, Any]:
        async with office(plant, data, ledger) as place:
            return closing(*await act(place, name, make, by=by, role=role))

    result = run_result(work())
    say_result(result, f"stop {result['line']}/{result['stop']}: {result['message']}", as_json=as_json)


def closing(record: StopRecord, answer: Answer) -> dict[str, Any]:
    """What a command that acted ends with."""
    return {
        "plant": record.plant,
        "line": record.line,
        "stop": record.stop,
        "state": record.state.value,
        "action": answer.decision_id,
        "accepted": answer.accepted,
        "message": answer.message,
    }


def _actor(who: Who, record: StopRecord, make: MakeAct, plant: PlantConfig, *, by: str, role: str) -> Actor:
    """The first of the person's roles that may do it. Raises BadInput with the reason where none may."""
    if who.free:
        if role_named(role) is None:
            raise BadInput(f"act in a role; {role!r} is none", subject="--role", hint="for example --role supervisor")
        return Actor(user=this_person(by), role=role, plant=who.plant)
    if by and by != who.user:
        raise BadInput(f"you are signed in as {who.user}, not as {by}", subject="--by", hint="leave --by out")
    actors = [a for a in who.actors if not role or role_named(a.role) is role_named(role)]
    if not actors:
        held = ", ".join(a.role for a in who.actors)
        raise BadInput(f"{who.user} is not {role} at plant {who.plant}", subject="--role", hint=f"you are {held}")
    refusals = [may_act_on_stop(make(a, plant), plant=who.plant, line=record.line) for a in actors]
    able = next((a for a, said in zip(actors, refusals, strict=True) if not said), None)
    if able is None:
        raise BadInput(refusals[0], subject=who.user, hint="ask somebody who may")
    return able


def built(model: type[M], **fields: Any) -> M:
    """Raises BadInput that names the field."""
    try:
        return model(**fields)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"]) or model.__name__
        raise BadInput(f"{place}: {fault['msg']}", subject=place, hint="see `--help`") from error


def instant(text: str, plant: PlantConfig, option: str) -> datetime:
    """An instant in ISO 8601; without a zone it is the plant's own time. Raises BadInput."""
    try:
        at = datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=ZoneInfo(plant.plant.zone))).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        hint = f"write it like 2026-11-20T14:30 ({plant.plant.zone}) or 2026-11-20T13:30Z"
        raise BadInput(f"{text!r} is no time", subject=option, hint=hint) from error


def days(plant: PlantConfig, first: str, last: str, now: datetime) -> tuple[datetime, datetime]:
    """Production days, both included, as instants; by default the latest seven. Raises BadInput."""
    try:
        end = date.fromisoformat(last) if last else production_day(plant.plant, now)
        start = date.fromisoformat(first) if first else end - timedelta(days=6)
        if start > end:
            raise BadInput(f"{start} lies after {end}", subject="--from", hint="give the earlier day with --from")
        site = plant.plant
        return production_day_begins(site, start), production_day_begins(site, end + timedelta(days=1))
    except (ValueError, OverflowError) as error:
        said = f"{first!r} to {last!r} are no days"
        raise BadInput(said, subject="--from", hint="write them like 2026-11-20") from error
