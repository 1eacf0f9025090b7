"""What the hold workflow asks before an act takes effect: who acts, may they, and is the signature what it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from pydantic import Field
from temporalio import activity

from activities.signatures import signature_fault
from domain.permissions import may_act, visible
from domain.roles import role_named
from ledger.people_port import Grant, PeopleLedger, SigningKey, User
from signals.base import Code, Message
from signals.holds import CosignHold, DecideHold, HoldAct, WithdrawHold
from signals.people import Actor, Signature

CLOCKS_AGREE_WITHIN = timedelta(minutes=2)
"""A signature from further in the future is none."""


class ActToVerify(Message):
    """An act as it arrived at a hold, and the hold as it stands now."""

    plant: Code
    act: HoldAct
    content_hash: str = Field(description="`signals.people.content_hash(record.content())` of the hold as it stands")
    line: str = Field(default="", description="the hold's line; empty where it concerns the whole plant")
    hold: str = Field(default="", description="the hold, as the answer for one that does not exist names it")


class PeopleActivities:
    """Reads the people's ledger; holds no key that could sign."""

    def __init__(self, ledger: PeopleLedger, *, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._now = now

    @activity.defn(name="verify_act")
    async def verify_act(self, asked: ActToVerify) -> str:
        """Empty where the act may take effect, else why it is refused, as a sentence.

        Nothing that the act says of its actor is believed: user, service flag, role, and lines are the ledger's.
        """
        claimed = asked.act.actor
        user = await self._ledger.user(claimed.user)
        actor, why = granted_actor(user, claimed, asked.plant)
        if actor is None:
            return why
        if asked.hold and not visible(actor, asked.plant, asked.line):
            return f"plant {asked.plant} has no hold {asked.hold}"
        forbidden = may_act(asked.act.model_copy(update={"actor": actor}), plant=asked.plant, line=asked.line)
        if forbidden:
            return forbidden
        if not isinstance(asked.act, DecideHold | CosignHold | WithdrawHold):
            return ""
        if asked.act.signature is None:
            return f"{claimed.user} has not signed: a decision on a hold needs a signature"
        signature = asked.act.signature
        if signature.content_hash != asked.content_hash:
            return "the hold has changed since it was shown: look at it again and sign anew"
        return sealing_fault(signature, asked.act, await self._ledger.signing_keys(), self._now())


def granted_actor(user: User | None, claimed: Actor, plant: str) -> tuple[Actor | None, str]:
    """The actor as the ledger knows him in the claimed role, or why there is none.

    Somebody of another plant is answered like somebody who does not exist.
    """
    grants = user.grants_at(plant) if user is not None else ()
    if user is None or claimed.plant != plant or not grants:
        return None, f"plant {plant} has no user {claimed.user}"
    if not user.active:
        return None, f"{user.user} is disabled"
    grant = grant_of(user, plant, claimed.role)
    if grant is None:
        held = ", ".join(g.role for g in grants)
        return None, f"{user.user} is not {claimed.role or 'in any role'} at plant {plant}, but {held}"
    return actor_of(user, grant).model_copy(update={"channel": claimed.channel}), ""


def grant_of(user: User, plant: str, role: str) -> Grant | None:
    """The user's grant of this role at the plant; a role is granted once, for some lines or for all."""
    wanted = role_named(role)
    return next((g for g in user.grants_at(plant) if wanted is not None and role_named(g.role) is wanted), None)


def actor_of(user: User, grant: Grant) -> Actor:
    """A user in one granted role."""
    return Actor(
        user=user.user, name=user.name or user.user, role=grant.role, plant=grant.plant, lines=grant.lines,
        service=user.service,
    )  # fmt: skip


def sealing_fault(
    signature: Signature, act: DecideHold | CosignHold | WithdrawHold, keys: Sequence[SigningKey], now: datetime
) -> str:
    """Empty where a signature that arrives now may take effect. A retired key counts for what is recorded only."""
    if signature.user != act.actor.user or role_named(signature.role) is not role_named(act.actor.role):
        return f"the signature is {signature.user}'s ({signature.role}), the act {act.actor.user}'s ({act.actor.role})"
    if signature.signed_at > now + CLOCKS_AGREE_WITHIN:
        return (
            f"the signature of {signature.user} is dated {signature.signed_at:%Y-%m-%d %H:%M}, which is still to come"
        )
    usable = [k for k in keys if k.valid_to is None or k.valid_to > now]
    if signature.key_id in {k.key_id for k in keys} - {k.key_id for k in usable}:
        return f"key {signature.key_id} was retired: sign anew"
    return signature_fault(signature, act, usable)
