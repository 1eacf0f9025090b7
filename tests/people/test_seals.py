"""The seal on a decision: what is unsealed, changed, stale, for something else or by a retired key has no effect."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from activities.decisions import DecisionActivities, DecisionToVerify
from ledger.connect import open_ledger
from ledger.people_port import Grant
from ledger.store import SqlLedger
from signals.decisions import CancelOrderRequest, CompleteOrderRequest, DecideCase, Decision, decides_about
from signals.documents import Case, CaseAction, CaseKind
from signals.orders import ErpOrderStatus, Operation, ProductionOrder
from signals.people import Actor
from tests.workflows.hold_bench import hold_plant
from workers.people import People

PLANT, ORDER = "north", "100"
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ME = Actor(user="planner-1", role="planner", plant=PLANT)
WISH = CompleteOrderRequest(decision_id="d-1", by="planner-1", actor=ME)


@dataclass
class House:
    """A ledger with one planner, one supervisor, an order and a case."""

    ledger: SqlLedger
    signatures: str = "required"
    now: list[datetime] = field(default_factory=lambda: [NOON])
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def __post_init__(self) -> None:
        cheap = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
        self.people = People(self.ledger, lambda: self.key, now=lambda: self.now[0], hasher=cheap)

    async def furnish(self) -> None:
        step = Operation(operation="0010", planned=Decimal(1), unit="PC")
        await self.ledger.take_order(
            ProductionOrder(
                plant=PLANT, order=ORDER, material="FRAME", quantity=Decimal(1), unit="PC",
                status=ErpOrderStatus.RELEASED, operations=(step,),
            )
        )  # fmt: skip
        await self.ledger.open_case(
            Case(
                case_id="case-1", plant=PLANT, order=ORDER, kind=CaseKind.TOTALS_DIFFER, owner_role="planner",
                summary="?", allowed=(CaseAction.ACCEPT,),
            )
        )  # fmt: skip

    async def hire(self) -> None:
        for user, role in (("planner-1", "planner"), ("supervisor-1", "supervisor")):
            await self.people.add_user(
                user, password="four words are enough", grants=(Grant(user=user, plant=PLANT, role=role),)
            )

    async def seal(self, decision: Decision, about: str = f"order:{PLANT}:{ORDER}") -> Any:
        return await self.people.seal(decision, about)

    async def verify(self, decision: Any, place: str = ORDER) -> str:
        plant = hold_plant(name=PLANT, signatures=self.signatures)
        gate = DecisionActivities(self.ledger, plant, now=lambda: self.now[0])
        asked = DecisionToVerify(plant=PLANT, place=place, decision=decision)
        return await gate.verify_decision(DecisionToVerify.model_validate_json(asked.model_dump_json()))


@pytest_asyncio.fixture(loop_scope="session")
async def bare(tmp_path: Path) -> AsyncIterator[House]:
    ledger = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    house = House(ledger)
    await house.furnish()
    yield house
    await ledger.close()


@pytest_asyncio.fixture(loop_scope="session")
async def house(bare: House) -> House:
    await bare.hire()
    return bare


async def test_a_decision_sealed_for_who_is_signed_in_takes_effect(house: House) -> None:
    assert await house.verify(await house.seal(WISH)) == ""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seal": None}, "is not sealed"),
        ({"actor": None}, "nobody has proved to be planner-1"),
        ({"reason": "and more"}, "changed after it was sealed"),
        ({"by": "supervisor-1"}, "the decision is supervisor-1's"),
        ({"actor": ME.model_copy(update={"user": "supervisor-1", "role": "supervisor"})}, "is planner-1's"),
        ({"actor": ME.model_copy(update={"role": "admin"})}, "is not admin"),
        ({"actor": ME.model_copy(update={"user": "stranger"})}, "has no user stranger"),
    ],
)
async def test_what_was_changed_after_sealing_is_refused(house: House, changes: dict[str, Any], said: str) -> None:
    sealed = await house.seal(WISH)
    assert said in await house.verify(sealed.model_copy(update=changes))


async def test_a_seal_counts_for_one_thing_one_kind_of_decision_and_one_day(house: House) -> None:
    sealed = await house.seal(WISH)
    assert "the seal is for" in await house.verify(await house.seal(WISH, f"order:{PLANT}:200"))
    other = CancelOrderRequest(decision_id="d-1", by="planner-1", actor=ME, reason="x", seal=sealed.seal)
    assert "changed after it was sealed" in await house.verify(other)
    house.now[0] = NOON + timedelta(days=1, minutes=1)
    assert "too old" in await house.verify(sealed)
    house.now[0] = NOON - timedelta(minutes=3)
    assert "still to come" in await house.verify(sealed)


async def test_a_strangers_key_and_a_retired_one_seal_nothing(house: House) -> None:
    sealed = await house.seal(WISH)
    own = house.key
    house.key = Ed25519PrivateKey.generate()
    with pytest.raises(Exception, match="is not known here"):
        await house.seal(WISH)
    house.key = own
    forged = sealed.seal.model_copy(update={"key_id": "ed25519-0000000000000000"})
    assert "does not know" in await house.verify(sealed.model_copy(update={"seal": forged}))
    await house.ledger.retire_signing_key(sealed.seal.key_id, NOON)
    assert "was retired" in await house.verify(sealed)


async def test_a_case_is_decided_in_the_sealed_role_and_its_recorded_decision_may_come_again(house: House) -> None:
    wish = DecideCase(
        decision_id="d-2", case_id="case-1", action=CaseAction.ACCEPT, by="planner-1", role="planner", reason="seen",
        actor=ME,
    )  # fmt: skip
    about = decides_about(PLANT, wish)
    as_another = await house.seal(wish.model_copy(update={"role": "supervisor"}), about)
    assert "its seal is for planner" in await house.verify(as_another)
    first = await house.seal(wish, about)
    assert await house.verify(first) == ""
    await house.ledger.decide_case(PLANT, first)
    house.now[0] += timedelta(days=3)
    again = await house.seal(wish, about)
    await house.ledger.decide_case(PLANT, again)
    assert await house.verify(first) == "", "what is recorded was verified then"


async def test_as_long_as_nobody_is_a_user_whoever_reaches_the_ledger_decides(bare: House) -> None:
    unsealed = WISH.model_copy(update={"actor": None})
    assert await bare.verify(unsealed) == ""
    await bare.hire()
    assert "nobody has proved" in await bare.verify(unsealed)
    bare.signatures = "off"
    assert await bare.verify(unsealed) == ""
    auditor = ME.model_copy(update={"role": "auditor"})
    assert "may not" in await bare.verify(WISH.model_copy(update={"actor": auditor}))
