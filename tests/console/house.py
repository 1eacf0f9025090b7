"""A console in one process: the real ledger and people, two plants, a desk that decides by the house's own rules."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
from argon2 import PasswordHasher
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import FastAPI

from console.app import build_app
from console.ports import Services
from domain import handover
from domain.hold_decisions import DecisionRules, judge_cosign, judge_decision
from domain.plant import PlantConfig
from ledger.people_port import Grant
from ledger.store import SqlLedger
from signals.decisions import Answer, DecideCase, DecideParked
from signals.documents import Case
from signals.downtime import StopAct
from signals.errors import BadInput, NoAnswer
from signals.handover import AcknowledgeHandover
from signals.holds import (
    ClaimHold,
    CommentHold,
    ConfirmSegregation,
    CosignHold,
    DecideHold,
    DecisionState,
    HoldAct,
    HoldCause,
    HoldEvent,
    HoldReason,
    HoldRecord,
    HoldScope,
    HoldState,
    HoldTrigger,
    InspectionOutcome,
    Measurement,
    ReassignHold,
    WithdrawHold,
)
from signals.orders import ErpOrderStatus, Operation, ProductionOrder
from signals.packml import MachineState
from signals.reports import ParkedItem
from signals.status import LineStatus, OperationStatus, OrderStatus, StationStatus
from tests.console.stop_floor import DOWNTIME, SHIFTS, act_on_stop
from workers.accounts import HouseAccounts
from workers.people import People

NORTH, SOUTH = "north", "south"
PASSWORD = "a password for tests only"
START = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)
_numbers = itertools.count(1)

PEOPLE: dict[str, tuple[tuple[str, str, tuple[str, ...]], ...]] = {
    "engineer-1": ((NORTH, "quality engineer", ()),),
    "engineer-2": ((NORTH, "quality engineer", ()),),
    "manager-1": ((NORTH, "quality manager", ()),),
    "supervisor-1": ((NORTH, "supervisor", ()),),
    "operator-1": ((NORTH, "operator", ("line-1",)),),
    "maintenance-1": ((NORTH, "maintenance", ()),),
    "planner-1": ((NORTH, "planner", ()),),
    "integration-1": ((NORTH, "integration ops", ()),),
    "auditor-1": ((NORTH, "auditor", ()),),
    "admin-1": ((NORTH, "admin", ()),),
    "both-1": ((NORTH, "quality engineer", ()), (SOUTH, "supervisor", ())),
    "engineer-s": ((SOUTH, "quality engineer", ()),),
}


def plant(name: str) -> PlantConfig:
    counter = {"max_per_minute": 6000, "reset": "park"}
    tags = [
        {"name": "Order", "kind": "order"},
        {"name": "Good", "kind": "count", "counter": {"role": "good", **counter}},
    ]
    station = {"operation": "0010", "work_centre": f"WC-{name}", "tag": tags}
    return PlantConfig.model_validate(
        {
            "schema": 1,
            "plant": {"id": name, "name": f"Plant {name.capitalize()}", "zone": "Europe/Berlin"},
            "line": [
                {"id": "line-1", "name": "Line 1", "station": [{"id": "press", **station}]},
                {"id": "line-2", "name": "Line 2", "station": [{"id": "press", **station, "work_centre": "WC-2"}]},
            ],
            "shift": SHIFTS,
            "downtime": DOWNTIME,
            "erp": {"kind": "sap", "url": "http://127.0.0.1:9", "plant": "1010"},
        }
    )


def order(number: str = "1000017", at: str = NORTH, **changes: Any) -> ProductionOrder:
    return ProductionOrder(
        plant=at, order=number, material="FRAME", quantity=Decimal(100), unit="PC", status=ErpOrderStatus.RELEASED,
        due=START + timedelta(days=2),
        operations=(
            Operation(operation="0010", text="Press", work_centre=f"WC-{at}", planned=Decimal(100), unit="PC"),
        ),
    ).model_copy(update=changes)  # fmt: skip


def trigger(
    name: str = "", *, at: str = NORTH, line: str = "line-1", of: str = "1000017", **changes: Any
) -> HoldTrigger:
    number = next(_numbers)
    values = ("101.2", "101.9", "102.4", "103.1", "106.8", "107.2")
    evidence = tuple(
        Measurement(
            at=START + timedelta(seconds=10 * n), value=value, lower="95", upper="105", unit="kN",
            passed=Decimal(value) <= 105, serial=f"S{n:03}",
        )
        for n, value in enumerate(values)
    )  # fmt: skip
    reason = HoldReason(
        reason=f"reason-{number}", cause=HoldCause.LIMIT, rule="press-force/1", characteristic="press force",
        text=f"press force above 105 kN ({name or number})", found_at=START + timedelta(minutes=1), evidence=evidence,
    )  # fmt: skip
    scope = HoldScope(
        plant=at, line=line, station="press", order=of, operation="0010", material="FRAME", batch=name or f"B{number}",
        since=START, serials=tuple(f"S{n:03}" for n in range(4, 12)),
    )  # fmt: skip
    return HoldTrigger(
        trigger=f"trigger-{number}", scope=scope, reason=reason, quantity=Decimal(8), at=START + timedelta(minutes=1)
    ).model_copy(update=changes)


class HouseDesk:
    """Decides as the workflows do, by the same pure rules, and writes the ledger; it never signs or verifies."""

    def __init__(self, ledger: SqlLedger, plants: Mapping[str, PlantConfig]) -> None:
        self._ledger = ledger
        self._plants = plants
        self.silent = False
        self.clock = [START + timedelta(minutes=5)]
        self.acts: list[HoldAct] = []
        self.stop_acts: list[StopAct] = []
        self.case_decisions: list[DecideCase] = []
        self.parked_decisions: list[DecideParked] = []
        self.inspections: list[InspectionOutcome] = []
        self.lines: dict[tuple[str, str], LineStatus] = {}
        self.orders: dict[tuple[str, str], OrderStatus] = {}
        self._answers: dict[str, Answer] = {}

    def _speak(self) -> None:
        if self.silent:
            raise NoAnswer("no worker took the decision in", hint="start one with `plantwright worker --plant …`")

    async def line_status(self, plant: str, line: str) -> LineStatus | None:
        self._speak()
        return self.lines.get((plant, line))

    async def order_status(self, plant: str, order: str) -> OrderStatus | None:
        self._speak()
        return self.orders.get((plant, order))

    async def open_hold(self, trigger: HoldTrigger) -> str:
        return (await self._ledger.open_hold(trigger)).hold

    async def act_on_hold(self, plant: str, hold: str, act: HoldAct) -> Answer:
        self._speak()
        if act.action_id in self._answers:
            return self._answers[act.action_id]
        record = await self._ledger.hold(plant, hold)
        assert record is not None
        changes, said = self._judged(record, act)
        event = HoldEvent(
            number=len(record.history) + 1, at=START, what=act.kind, text=said or act.comment, by=act.actor.user,
            role=act.actor.role, signature=getattr(act, "signature", None),
        )  # fmt: skip
        changed = record.model_copy(
            update={**changes, "revision": record.revision + 1, "history": (*record.history, event)}
        )
        await self._ledger.record_hold(changed)
        self.acts.append(act)
        self._answers[act.action_id] = Answer(decision_id=act.action_id, accepted=True)
        return self._answers[act.action_id]

    def _judged(self, record: HoldRecord, act: HoldAct) -> tuple[dict[str, Any], str]:
        rules = DecisionRules(quality=self._plants[record.plant].quality)
        match act:
            case ClaimHold():
                return {"assigned_to": act.actor.user}, "taken on"
            case ReassignHold():
                return {"assigned_to": act.to}, f"handed on to {act.to}"
            case CommentHold():
                return {}, ""
            case ConfirmSegregation():
                return {"segregated": act.counted, "segregated_at": act.location}, f"{act.counted} at {act.location}"
            case WithdrawHold():
                return {"state": HoldState.WITHDRAWN, "closed_at": START}, "withdrawn"
            case DecideHold() | CosignHold():
                judge = judge_decision if isinstance(act, DecideHold) else judge_cosign
                verdict = judge(record, act, rules, START)  # pyright: ignore[reportArgumentType]
                if verdict.decision is None:
                    raise BadInput(verdict.refused or verdict.late, subject=record.hold)
                kept = tuple(d for d in record.decisions if d.decision != verdict.decision.decision)
                state = {
                    DecisionState.AWAITS_SECOND: HoldState.AWAITS_SECOND,
                    DecisionState.IN_FORCE: HoldState.CLOSED,
                }.get(verdict.decision.state, HoldState.BLOCKED)
                closed = START if state is HoldState.CLOSED else None
                return {"decisions": (*kept, verdict.decision), "state": state, "closed_at": closed}, "decided"

    async def act_on_stop(self, plant: str, line: str, stop: str, act: StopAct) -> Answer:
        self._speak()
        if act.action_id not in self._answers:
            now = self.clock[0]
            self._answers[act.action_id] = await act_on_stop(self._ledger, self._plants[plant], line, stop, act, now)
            self.stop_acts.append(act)
        return self._answers[act.action_id]

    async def decide_case(self, plant: str, case: Case, decision: DecideCase) -> Answer:
        self._speak()
        await self._ledger.decide_case(plant, decision)
        self.case_decisions.append(decision)
        return Answer(decision_id=decision.decision_id, accepted=True)

    async def decide_parked(self, plant: str, item: ParkedItem, decision: DecideParked) -> Answer:
        self._speak()
        await self._ledger.decide_parked(plant, decision)
        self.parked_decisions.append(decision)
        return Answer(decision_id=decision.decision_id, accepted=True)

    async def acknowledge_handover(self, plant: str, shift: str, act: AcknowledgeHandover) -> Answer:
        self._speak()
        report = await self._ledger.handover(plant, shift)
        assert report is not None and not handover.may_acknowledge(act, plant)
        stands = await self._ledger.record_handover(handover.acknowledged(report, act, START))
        answer = handover.answer_for(stands, act)
        assert answer is not None
        return answer

    async def record_inspection(self, plant: str, outcome: InspectionOutcome) -> Mapping[str, object]:
        self._speak()
        self.inspections.append(outcome)
        return {"inspection": outcome.inspection, "state": "passed" if outcome.passed else "held", "holds": []}


@dataclass
class House:
    """The application with what a test looks at behind it."""

    ledger: SqlLedger
    people: People
    desk: HouseDesk
    services: Services
    app: FastAPI
    now: list[datetime] = field(default_factory=lambda: [START + timedelta(minutes=5)])

    def client(self, **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url="http://console.test", headers=headers)

    async def token(self, user: str, at: str, role: str, lines: tuple[str, ...] = ()) -> str:
        text, _ = await self.people.add_token(Grant(user=user, plant=at, role=role, lines=lines), by=user)
        return text

    async def api(self, user: str, at: str, role: str) -> httpx.AsyncClient:
        return self.client(authorization=f"Bearer {await self.token(user, at, role)}")

    async def hold(self, **changes: Any) -> str:
        return (await self.ledger.open_hold(trigger(**changes))).hold


def people_of(ledger: SqlLedger, seed: bytes = b"k" * 32) -> People:
    """Passwords are hashed quickly here; the house's own cost is `workers.people`'s."""
    key = Ed25519PrivateKey.from_private_bytes(seed)
    return People(ledger, key=lambda: key, hasher=PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


async def settle(ledger: SqlLedger) -> None:
    """People and orders, as every test finds them."""
    people = people_of(ledger)
    for user, grants in PEOPLE.items():
        given = tuple(Grant(user=user, plant=at, role=role, lines=lines) for at, role, lines in grants)
        await people.add_user(user, name=user.replace("-", " ").title(), password=PASSWORD, grants=given)
    await people.add_user(
        "gauge-1", service=True, grants=(Grant(user="gauge-1", plant=NORTH, role="quality engineer"),)
    )
    for at in (NORTH, SOUTH):
        await ledger.take_order(order(at=at))
    await ledger.take_order(order("1000018", material="PLATE"))


async def build_house(ledger: SqlLedger, **changes: Any) -> House:
    """A console over the ledger, which is settled if nobody lives there yet."""
    if not await ledger.has_users():
        await settle(ledger)
    people = people_of(ledger)
    plants = {name: plant(name) for name in (NORTH, SOUTH)}
    desk = HouseDesk(ledger, plants)
    clock = desk.clock
    given = {
        "plants": plants, "ledger": ledger, "desk": desk, "accounts": HouseAccounts(people), "secret": b"s" * 32,
        "now": lambda: clock[0], "temporal_ui": "http://127.0.0.1:8233/namespaces/plantwright/workflows",
    }  # fmt: skip
    services = Services(**{**given, **changes})
    return House(ledger, people, desk, services, build_app(services), clock)


async def furnish(house: House) -> None:
    """A line that runs."""
    station = StationStatus(
        station="press", state=MachineState.EXECUTE, since=START, order="1000017", operation="0010", batch="B1",
        counters={"Good": 42},
    )  # fmt: skip
    house.desk.lines[NORTH, "line-1"] = LineStatus(
        plant=NORTH, line="line-1", watermark=house.now[0] - timedelta(seconds=2), stations=(station,)
    )
    house.desk.orders[NORTH, "1000017"] = OrderStatus.model_validate(
        {
            "plant": NORTH, "order": "1000017", "phase": "running", "mode": "post", "material": "FRAME",
            "operations": (
                OperationStatus(operation="0010", planned=Decimal(100), unit="PC", reported_yield=Decimal(42)),
            ),
        }
    )  # fmt: skip
