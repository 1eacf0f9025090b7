"""The console before real processes: what is decided and signed on it is carried out; and the command itself."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import httpx
import pytest_asyncio
from temporalio.client import Client

from console.app import build_app
from console.ports import Services
from ledger.connect import open_ledger
from ledger.people_port import Grant
from signals.bookings import StockKind
from signals.holds import HoldState
from tests.console.house import PASSWORD, House, HouseDesk, people_of
from tests.console.visits import send, signed_in
from tests.workflows.hold_bench import MATERIAL, ORDER, HoldBench, hold_bench
from workers.accounts import HouseAccounts
from workers.console_desk import ConsoleDesk

ROOT = Path(__file__).parents[2]
PLANT = ROOT / "workers" / "defaults" / "demo.toml"
ROLES = {"engineer-1": "quality engineer", "manager-1": "quality manager", "supervisor-1": "supervisor"}


@pytest_asyncio.fixture(loop_scope="session")
async def bench(temporal_client: Client, tmp_path: Path):
    ledger = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    async with hold_bench(temporal_client, ledger, signatures="required") as made:
        yield made
    await ledger.close()


async def house_of(bench: HoldBench) -> House:
    """The console of the bench's plant, with people and the real desk."""
    ledger = bench.ledger
    people = people_of(ledger)  # type: ignore[arg-type]
    for user, role in ROLES.items():
        await people.add_user(user, password=PASSWORD, grants=(Grant(user=user, plant=bench.id, role=role),))

    async def client() -> Client:
        return bench.client

    def now() -> datetime:
        return datetime.now(UTC)

    plants = {bench.id: bench.plant}
    services = Services(
        plants=plants, ledger=ledger, desk=ConsoleDesk(client, ledger, plants, now),  # type: ignore[arg-type]
        accounts=HouseAccounts(people), secret=b"s" * 32, now=now,
    )  # fmt: skip
    return House(ledger, people, HouseDesk(ledger, plants), services, build_app(services))  # type: ignore[arg-type]


async def test_a_hold_opened_over_the_api_is_decided_and_signed_on_its_page_and_carried_out(bench: HoldBench) -> None:
    bench.delivered(10)
    await bench.ledger.take_order(bench.erp.orders[ORDER])
    house = await house_of(bench)
    async with await house.api("supervisor-1", bench.id, "supervisor") as program:
        wish = {"text": "dents on the rim", "order": ORDER, "operation": "0010", "material": MATERIAL, "quantity": "10"}
        key = {"Idempotency-Key": "k-1"}
        where = f"/api/v1/plants/{bench.id}/holds"
        answers = [await program.post(where, json=wish, headers=key) for _ in range(2)]
        assert [a.status_code for a in answers] == [201, 201], answers[0].text
        assert answers[0].json() == answers[1].json()
    bench.hold = answers[0].json()["hold"]
    bench.workflows.add(f"hold:{bench.id}:{bench.hold}")
    await bench.until_hold(lambda r: r.erp == "blocked")
    assert bench.stock_erp.amount(StockKind.BLOCKED) == 10
    path = f"/p/{bench.id}/holds/{bench.hold}"
    release = {"quantity_release": "7", "quantity_scrap": "3", "password": PASSWORD}
    async with signed_in(house, "supervisor-1") as opener:
        refused = await send(opener, path, f"{path}/decide", action_id="d-0", **release)
        assert refused.status_code == 409
    async with signed_in(house, "engineer-1") as first:
        for act, fields in (("claim", {}), ("segregate", {"counted": "10", "location": "cage 4"}), ("decide", release)):
            answer = await send(first, path, f"{path}/{act}", action_id=f"a-{act}", **fields)
            assert answer.status_code == 303, answer.text
    await bench.until_hold(lambda r: r.state is HoldState.AWAITS_SECOND)
    async with signed_in(house, "manager-1") as second:
        answer = await send(second, path, f"{path}/cosign", action_id="c-1", decision="a-decide", password=PASSWORD)
        assert answer.status_code == 303, answer.text
        record = await bench.ended()
        page = (await second.get(path)).text
    assert record.state is HoldState.CLOSED
    assert (bench.stock_erp.amount(StockKind.UNRESTRICTED), bench.stock_erp.amount(StockKind.BLOCKED)) == (7, 0)
    assert page.count("signed: approval") == 2
    [decision] = record.decisions
    assert [s.user for s in decision.signatures] == ["engineer-1", "manager-1"]
    assert sum((d.quantity for d in decision.dispositions), Decimal(0)) == 10


async def test_the_command_serves_until_it_is_asked_to_end(tmp_path: Path) -> None:
    environ = {**os.environ, "PLANTWRIGHT_HOME": str(tmp_path), "TEMPORAL_ADDRESS": "127.0.0.1:1"}
    for name in ("PLANTWRIGHT_LEDGER_URL", "PLANTWRIGHT_CONSOLE_URL", "PLANTWRIGHT_OIDC_ISSUER"):
        environ.pop(name, None)
    command = [sys.executable, "-m", "workers.cli", "console", "--plant", str(PLANT), "--port", "0"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=ROOT, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        ready = json.loads(line.removeprefix("ready "))
        async with httpx.AsyncClient(trust_env=False, base_url=ready["url"]) as client:
            assert (await client.get("/healthz")).json() == {"status": "ok"}
            assert (await client.get("/")).headers["location"].startswith("/sign-in")
            assert "Sign in" in (await client.get("/sign-in")).text
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 20) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
