"""Signatures on a hold, from the password to the ERP: what is unsigned, forged or stale has no effect."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from temporalio.client import Client

from ledger.connect import open_ledger
from ledger.people_port import Grant
from signals.holds import DecideHold, DecisionState, HoldState
from signals.people import Actor, SignatureMeaning
from tests.workflows.hold_bench import HoldBench, K, hold_bench
from workers.people import People

PASSWORD = "a long enough password"


@pytest_asyncio.fixture(loop_scope="session")
async def signed(temporal_client: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[HoldBench]:
    """A ledger of its own: its users would be asked for by everybody else."""
    ledger = await open_ledger(f"sqlite:///{tmp_path_factory.mktemp('signed') / 'ledger.db'}")
    async with hold_bench(temporal_client, ledger, signatures="required") as bench:
        yield bench
    await ledger.close()


async def test_what_is_not_signed_for_what_is_shown_has_no_effect_and_two_signatures_release(
    signed: HoldBench,
) -> None:
    key = Ed25519PrivateKey.generate()
    fast = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    people = People(signed.ledger, lambda: key, hasher=fast)
    for login, role in (("inspector-1", "quality engineer"), ("manager-1", "quality manager")):
        grant = Grant(user=login, plant=signed.id, role=role)
        await people.add_user(login, password=PASSWORD, grants=(grant,))
    signed.delivered(10)
    await signed.open(signed.trigger(10))
    record = await signed.until_hold(lambda r: r.erp == "blocked")

    async def sign(act, shown=record):
        return await people.sign(act.actor, PASSWORD, act, shown.content(), SignatureMeaning.APPROVAL)

    async def refused(act, said: str) -> None:
        answer = await signed.act(act)
        assert not answer.accepted and said in answer.message, answer.message

    await refused(signed.decision((K.RELEASE, 10)), "not signed")
    good = await sign(signed.decision((K.RELEASE, 10)))
    assert isinstance(good, DecideHold)
    scrap = good.dispositions[0].model_copy(update={"kind": K.SCRAP})
    await refused(good.model_copy(update={"dispositions": (scrap,), "action_id": good.action_id + "x"}), "changed")
    stranger = Actor(user="stranger-1", role="quality manager", plant=signed.id)
    await refused(good.model_copy(update={"actor": stranger, "action_id": "s1"}), "no user")

    # What was signed before a new reason came is late: recorded, without effect.
    await signed.open(signed.trigger(10))
    record = await signed.until_hold(lambda r: len(r.reasons) == 2)
    await refused(good, "too late")
    late = await signed.until_hold(lambda r: bool(r.decisions))
    assert late.decisions[0].state is DecisionState.LATE and late.state is HoldState.BLOCKED

    first = await sign(signed.decision((K.RELEASE, 10)), await signed.record())
    assert isinstance(first, DecideHold) and (await signed.act(first)).accepted
    second = await sign(signed.second(first), await signed.record())
    assert (await signed.act(second)).accepted
    ended = await signed.ended()
    made = next(d for d in ended.decisions if d.decision == first.action_id)
    assert [s.user for s in made.signatures] == ["inspector-1", "manager-1"]
    assert [e.signature.user for e in ended.history if e.signature and e.what in ("decision", "cosigned")] == [
        "inspector-1", "manager-1",
    ]  # fmt: skip
    assert signed.stock_erp.movements == [("place_hold", Decimal(10)), ("release_hold", Decimal(10))]
