"""A plant that wants signatures: what reaches a hold, by update or by signal, counts as ledger and table say."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest_asyncio
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from temporalio.client import Client

from activities.signatures import key_id_of, public_text, signed
from ledger.connect import open_ledger
from ledger.people_port import Grant
from signals.holds import ClaimHold, CommentHold, DecisionState, HoldAction, HoldState
from signals.people import Actor, Signature, SignatureMeaning, content_hash
from tests.domain.permission_table import COLUMNS, MAY
from tests.workflows.hold_bench import HoldBench, K, hold_bench
from workers.people import People

PASSWORD = "four words are enough"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@dataclass
class Signers:
    """A bench with people; `forge` signs with the house's own key, past everything that People checks."""

    bench: HoldBench
    people: People
    key: Ed25519PrivateKey

    async def add(self, login: str, role: str, *lines: str, plant: str = "", service: bool = False) -> Actor:
        grant = Grant(user=login, plant=plant or self.bench.id, role=role, lines=lines)
        await self.people.add_user(login, password="" if service else PASSWORD, service=service, grants=(grant,))
        return Actor(user=login, role=role, plant=self.bench.id)

    async def sign(self, act: Any) -> Any:
        shown = (await self.bench.record()).content()
        return await self.people.sign(act.actor, PASSWORD, act, shown, SignatureMeaning.APPROVAL)

    async def forge(self, act: Any) -> Any:
        shown = (await self.bench.record()).content()
        draft = Signature(
            user=act.actor.user, name="somebody", role=act.actor.role, meaning=SignatureMeaning.APPROVAL,
            signed_at=datetime.now(UTC), content_hash=content_hash(shown), key_id=key_id_of(public_text(self.key)),
            value="",
        )  # fmt: skip
        return act.model_copy(update={"signature": signed(self.key, draft, act)})

    async def signal(self, act: Any) -> None:
        await self.bench.handle().signal("act_by_signal", HoldAction(act=act))


@pytest_asyncio.fixture(loop_scope="session")
async def signers(temporal_client: Client, tmp_path: Path) -> AsyncIterator[Signers]:
    """A ledger of its own: from the first user on everybody who decides in it must be one."""
    ledger = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    async with hold_bench(temporal_client, ledger, signatures="required") as bench:
        key = Ed25519PrivateKey.generate()
        people = People(ledger, lambda: key, hasher=CHEAP)
        await people.add_key(key)
        bench.delivered(10)
        await bench.open(bench.trigger(10))
        await bench.until_hold(lambda r: r.erp == "blocked")
        yield Signers(bench, people, key)
    await ledger.close()


async def test_two_people_sign_what_they_saw_and_the_material_is_free(signers: Signers) -> None:
    bench = signers.bench
    await signers.add("inspector-1", "quality engineer")
    await signers.add("manager-1", "quality manager")
    bare = bench.decision((K.RELEASE, 10))
    answer = await bench.act(bare)
    assert not answer.accepted and "has not signed" in answer.message

    first = await signers.sign(bench.decision((K.RELEASE, 10)))
    changed = first.model_copy(update={"action_id": "other", "comment": "and more"})
    answer = await bench.act(changed)
    assert not answer.accepted and "changed after signing" in answer.message
    assert (await bench.act(first)).accepted
    stale = await signers.forge(bench.second(first))
    second = await signers.sign(bench.second(first))
    assert (await bench.act(second)).accepted
    closed = await bench.ended()
    assert closed.state is HoldState.CLOSED and closed.erp == "released"
    [made] = closed.decisions
    assert made.state is DecisionState.IN_FORCE and [s.user for s in made.signatures] == ["inspector-1", "manager-1"]
    for signature, act in zip(made.signatures, (first, second), strict=True):
        assert await signers.people.verify(signature, act) == ""
    answer = await bench.act(stale)
    assert not answer.accepted


async def test_the_worker_refuses_what_the_table_refuses_by_update_and_by_signal(signers: Signers) -> None:
    bench = signers.bench
    actors = {role: await signers.add(f"user-{n}", role) for n, role in enumerate(COLUMNS)}
    limited = await signers.add("limited-1", "quality engineer", "line-1")
    stranger = await signers.add("stranger-1", "quality engineer", plant="elsewhere")
    service = await signers.add("service-1", "quality engineer", service=True)
    gone = await signers.add("gone-1", "quality engineer")
    await bench.ledger.set_user_active("gone-1", False)
    nobody = stranger.model_copy(update={"user": "nobody"})
    posing = actors["operator"].model_copy(update={"role": "quality manager"})

    refused = [actor for role, actor in actors.items() if not MAY[role, "release held material"]]
    for actor in (*refused, limited, stranger, service, gone, nobody, posing):
        act = bench.decision((K.RELEASE, 10)).model_copy(update={"actor": actor})
        answer = await bench.act(await signers.forge(act))
        assert not answer.accepted, actor
        await signers.signal(await signers.forge(act.model_copy(update={"action_id": f"s-{actor.user}-{actor.role}"})))
        await signers.signal(ClaimHold(action_id=f"c-{actor.user}-{actor.role}", actor=actor))
    for role, actor in actors.items():
        said = await bench.act(CommentHold(action_id=f"say-{actor.user}", actor=actor, comment="seen"))
        assert said.accepted is MAY[role, "comment a hold"], (role, said)
        claimed = await bench.act(ClaimHold(action_id=f"claim-{actor.user}", actor=actor))
        assert claimed.accepted is MAY[role, "claim a hold"], (role, claimed)
    record = await bench.record()
    assert record.decisions == () and record.state is HoldState.BLOCKED
    able = {actors[role].user for role in COLUMNS if MAY[role, "claim a hold"]}
    assert {e.by for e in record.history if e.what == "claim"} <= able

    strangers = [await bench.act(ClaimHold(action_id=f"x-{a.user}", actor=a)) for a in (stranger, nobody)]
    assert strangers[0].message.replace("stranger-1", "nobody") == strangers[1].message
    await signers.signal(await signers.sign(bench.decision((K.RELEASE, 10), user=actors["quality engineer"].user)))
    awaits = await bench.until_hold(lambda r: r.state is HoldState.AWAITS_SECOND)
    assert awaits.decisions[0].by.user == actors["quality engineer"].user
