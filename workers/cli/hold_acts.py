"""How a command acts on a hold: in whose name, signed where the plant wants it, through the hold's own process."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from domain.permissions import may_act
from domain.roles import role_named
from signals.decisions import Answer
from signals.errors import BadInput
from signals.holds import CosignHold, DecideHold, DecisionState, HoldAct, HoldRecord, WithdrawHold
from signals.people import Actor, SignatureMeaning
from workers.cli.credentials import GIVEN
from workers.cli.office import Office
from workers.cli.who import HOW, Who, people_of, this_person
from workers.holds import act_on_hold, unknown_hold

MakeAct = Callable[[Actor], HoldAct]


async def named_hold(place: Office, hold: str) -> HoldRecord:
    """Raises BadInput where it does not exist for who asks."""
    who = await place.who()
    record = await place.ledger.hold(place.plant_id, hold)
    if record is None or not who.sees((record.scope.line,) if record.scope.line else ()):
        raise unknown_hold(place.plant_id, hold)
    return record


async def act(
    place: Office, hold: str, make: MakeAct, *, by: str, role: str, meaning: SignatureMeaning
) -> tuple[HoldRecord, Answer]:
    """Act, and how the hold stands after it. Raises BadInput for what is refused."""
    record = await named_hold(place, hold)
    who = await place.who()
    wish = make(_actor(who, record, make, by=by, role=role))
    if isinstance(wish, DecideHold | CosignHold | WithdrawHold) and place.plant.quality.signatures == "required":
        wish = await _signed(place, who, record, wish, meaning)
    client = await place.client()
    answer = await act_on_hold(client, place.ledger, place.plant_id, hold, wish, now=datetime.now(UTC))
    if not answer.accepted:
        raise BadInput(f"hold {hold}: {answer.message}", subject=hold, hint=f"`plantwright holds show {hold} …`")
    after = await place.ledger.hold(place.plant_id, hold)
    return after or record, answer


def _actor(who: Who, record: HoldRecord, make: MakeAct, *, by: str, role: str) -> Actor:
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
    refusals = [may_act(make(a), plant=who.plant, line=record.scope.line) for a in actors]
    able = next((a for a, said in zip(actors, refusals, strict=True) if not said), None)
    if able is None:
        raise BadInput(refusals[0], subject=who.user, hint="ask somebody who may")
    return able


async def _signed(
    place: Office, who: Who, record: HoldRecord, wish: DecideHold | CosignHold | WithdrawHold, meaning: SignatureMeaning
) -> HoldAct:
    """Signed over what the ledger shows now. The password is proved again for it."""
    given = GIVEN.get()
    if who.free:
        hint = 'add them with `plantwright users add`; a demo\'s plant file may say [quality] signatures = "off"'
        raise BadInput(f"plant {who.plant} wants signatures and has no users", subject=record.hold, hint=hint)
    if not given.user:
        raise BadInput("a token cannot sign: a decision on a hold needs a person", subject=who.user, hint=HOW)
    people = people_of(place.ledger, place.settings)
    return await people.sign(wish.actor, given.password, wish, record.content(), meaning)


def waiting_decision(record: HoldRecord) -> str:
    """The decision that waits for its second signature. Raises BadInput where none does."""
    found = next((d.decision for d in record.decisions if d.state is DecisionState.AWAITS_SECOND), "")
    if not found:
        raise BadInput(
            f"no decision on hold {record.hold} waits for a second signature", subject=record.hold,
            hint=f"`plantwright holds show {record.hold} …` shows its decisions",
        )  # fmt: skip
    return found


def closing(record: HoldRecord, answer: Answer) -> dict[str, Any]:
    """What a command that acted ends with."""
    return {
        "plant": record.plant,
        "hold": record.hold,
        "state": record.state.value,
        "erp": record.erp,
        "action": answer.decision_id,
        "accepted": answer.accepted,
        "message": answer.message,
    }
