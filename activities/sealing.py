"""Whether what a person did carries the house's seal: one judgement for decisions, acts on stops and on handovers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from activities.people import CLOCKS_AGREE_WITHIN, granted_actor
from activities.signatures import seal_fits, was_valid
from domain.plant import PlantConfig
from domain.roles import role_named
from ledger.people_port import PeopleLedger
from signals.decisions import DecideCase, Decided, VoidOrder
from signals.downtime import StopAct
from signals.handover import AcknowledgeHandover
from signals.people import Actor
from signals.sealing import Sealable, is_about

SEAL_COUNTS_FOR = timedelta(days=1)
"""An older seal is none: what was decided before a long outage is decided again."""

A = TypeVar("A", bound=StopAct | AcknowledgeHandover)


async def act_refusal(
    ledger: PeopleLedger, config: PlantConfig, act: A, place: str, may: Callable[[A], str], now: datetime
) -> str:
    """Empty where an act on a stop or a handover of this plant may take effect, else why not, as a sentence.

    User, service flag, role and lines are the ledger's, whatever the act says. As long as the ledger has no users, and
    where the plant wants no signatures, `may` alone is asked, of whom the act claims.
    """
    if config.quality.signatures == "off" or not await ledger.has_users():
        return may(act)
    plant = config.plant.id
    actor, why = granted_actor(await ledger.user(act.actor.user), act.actor, plant)
    if actor is None:
        return why
    forbidden = may(act.model_copy(update={"actor": actor}))
    return forbidden or await seal_refusal(ledger, act, actor, is_about(plant, act, place), now)


async def seal_refusal(ledger: PeopleLedger, said: Sealable, actor: Actor, about: str, now: datetime) -> str:
    """Empty where a key that counts has sealed just this for this actor, about just that, within a day.

    Else why not, and what to do.
    """
    seal = said.seal
    what, do = ("decision", "decide") if isinstance(said, Decided) else ("act", "act")
    if seal is None:
        return f"the {what} of {actor.user} is not sealed: {do} in the console, by the API, or on the command line"
    again = f"{do} again"
    if isinstance(said, Decided) and said.by != actor.user:
        return f"the decision is {said.by}'s, its seal {actor.user}'s: {again} as {actor.user}"
    if isinstance(said, DecideCase | VoidOrder) and role_named(said.role) is not role_named(actor.role):
        return f"the decision is made as {said.role or 'nobody'}, its seal is for {actor.role}: {again} as {actor.role}"
    if seal.about != about:
        return f"the seal is for {seal.about} and not for {about}: {again}"
    if seal.sealed_at > now + CLOCKS_AGREE_WITHIN:
        dated = f"the seal is dated {seal.sealed_at:%Y-%m-%d %H:%M}, which is still to come"
        return f"{dated}: set the clocks of console and worker right, and {again}"
    if seal.sealed_at < now - SEAL_COUNTS_FOR:
        return f"the seal of {seal.sealed_at:%Y-%m-%d %H:%M} is too old: {again}"
    key = next((k for k in await ledger.signing_keys() if k.key_id == seal.key_id), None)
    if key is None:
        unknown = f"the seal is by key {seal.key_id}, which this house does not know"
        return f"{unknown}: an administrator adds it (`plantwright users key add`), then {again}"
    if key.valid_to is not None and key.valid_to <= now:
        return f"key {key.key_id} was retired: {again}"
    if not was_valid(key, seal.sealed_at):
        return f"key {key.key_id} was not valid at {seal.sealed_at:%Y-%m-%d %H:%M}: {again}"
    if not seal_fits(seal, said, key):
        return f"the seal does not fit, the {what} was changed after it was sealed: {again}"
    return ""
