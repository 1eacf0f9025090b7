"""Worker, console, ERP or Temporal die between any two steps of a hold; it ends as if nothing had happened.

Real processes: Temporal, simulated SAP, worker, console; people sign in their browsers' sessions, which outlive the
console. Each victim is killed without warning after every step, started again, and the next step follows at once.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from ledger.connect import open_ledger
from ledger.people_port import Grant
from ledger.store import SqlLedger
from signals.holds import DecisionState, HoldRecord, HoldState
from signals.ids import hold_workflow_id
from tests.console.visits import send, token_in
from tests.house.plant_house import PlantHouse
from tests.workflows.bench import eventually
from workers.people import People
from workers.server_ports import free_port

MATERIAL, PLACE, NAME = "HELD-1", "FG01", "killed"
PASSWORD = "a password for tests only"
ROLES = {"supervisor-1": "supervisor", "inspector-1": "quality engineer", "manager-1": "quality manager"}
SLOW = 60

PLANT = f"""
schema = 1
[plant]
id = "{NAME}"
[[line]]
id = "line1"
[[line.station]]
id = "press"
operation = "0010"
[[line.station.tag]]
name = "Order"
kind = "order"
[erp]
kind = "sap"
url = "http://127.0.0.1:1"
plant = "1010"
timeout_seconds = 3
settle_seconds = 2
[posting]
retry_seconds = [1]
"""

STOCK = {"stock": [{"material": MATERIAL, "plant": "1010", "storage_location": PLACE, "quantity": "40", "unit": "PC"}]}


@dataclass
class Floor:
    """The house, its ledger, and a browser session for each person."""

    house: PlantHouse
    ledger: SqlLedger
    browsers: dict[str, httpx.AsyncClient]

    async def until(self, hold: str, what: Callable[[HoldRecord], object]) -> HoldRecord:
        async def ask() -> HoldRecord | None:
            return await self.ledger.hold(NAME, hold)

        found = await eventually(ask, lambda r: r is not None and what(r), SLOW)
        assert found is not None
        return found

    async def act(self, who: str, hold: str, what: str, **fields: str) -> None:
        """Filled in and sent; where nobody took it in, the page says so, and it is sent again: the same act."""
        page = f"/p/{NAME}/holds/{hold}"

        async def sent() -> httpx.Response:
            return await send(self.browsers[who], page, f"{page}/{what}", action_id=f"{what}-1", **fields)

        answer = await eventually(sent, lambda a: a.status_code != httpx.codes.SERVICE_UNAVAILABLE, SLOW)
        assert answer.status_code == httpx.codes.SEE_OTHER, answer.text

    async def open(self) -> str:
        """By the command line, as somebody at the line does."""
        wish = ("--material", MATERIAL, "--quantity", "10", "--location", PLACE, "--why", "crack")
        who = ("--user", "supervisor-1", "--password-env", "PW", "--role", "supervisor")
        plant = ("--plant", str(self.house.plant_file), "--data", str(self.house.folder), "--json")
        code, out, err = await self.house.command("holds", "open", *wish, *who, *plant, PW=PASSWORD)
        assert code == 0, err
        return out.split('"hold": "')[1].split('"')[0]

    async def stock(self) -> dict[str, float]:
        rows = (await self.house.sap("books"))["stock"]
        return {r["stock_type"]: float(r["quantity"]) for r in rows if float(r["quantity"])}


@asynccontextmanager
async def floor(folder: Path) -> AsyncIterator[Floor]:
    async with PlantHouse(folder, plant=PLANT) as house, AsyncExitStack() as stack:
        house.orders = ()
        house.env["PLANTWRIGHT_HOME"] = str(folder)
        await house.start_sap(STOCK)
        ledger = await open_ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
        stack.push_async_callback(ledger.close)
        people = People(ledger, now=lambda: datetime.now(UTC))
        for user, role in ROLES.items():
            await people.add_user(user, password=PASSWORD, grants=(Grant(user=user, plant=NAME, role=role),))
        await house.start_worker()
        at = ("--plant", str(house.plant_file), "--data", str(folder), "--port", str(free_port()))
        console = await house.start("console", "console", *at)
        browsers = {
            user: await stack.enter_async_context(
                httpx.AsyncClient(base_url=console.ready["url"], trust_env=False, timeout=30)
            )
            for user in ROLES
        }
        for user, browser in browsers.items():
            form = await browser.get("/sign-in")
            fields = {"form_token": token_in(form.text), "login": user, "password": PASSWORD}
            assert (await browser.post("/sign-in", data=fields)).status_code == 303
        yield Floor(house, ledger, browsers)


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("victims", [("worker",), ("console",), ("sap",), ("temporal",)], ids="+".join)
async def test_who_is_killed_between_any_two_steps_changes_nothing_in_the_books(
    tmp_path: Path, victims: tuple[str, ...]
) -> None:
    async with floor(tmp_path) as place:
        hold = await place.open()
        steps: tuple[Callable[[], Awaitable[object]], ...] = (
            lambda: place.until(hold, lambda r: r.history),
            lambda: place.until(hold, lambda r: r.postings),
            lambda: place.until(hold, lambda r: r.erp == "blocked"),
            lambda: place.act("inspector-1", hold, "claim"),
            lambda: place.act("inspector-1", hold, "segregate", counted="10", location="cage"),
            lambda: place.act(
                "inspector-1", hold, "decide", quantity_release="6", quantity_scrap="4", password=PASSWORD
            ),
            lambda: place.act("manager-1", hold, "cosign", decision="decide-1", password=PASSWORD),
            lambda: place.until(hold, lambda r: any(p.what == "scrap" for p in r.postings) or r.state.is_over),
            lambda: place.until(hold, lambda r: any(p.what == "release" for p in r.postings) or r.state.is_over),
        )
        for victim in victims:
            await place.house.strike(victim, pause=0)
        for step in steps:
            await step()
            for victim in victims:
                await place.house.strike(victim, pause=0)
        record = await place.until(hold, lambda r: r.state.is_over)
        await place.house.client.get_workflow_handle(hold_workflow_id(NAME, hold)).result()
        assert record.state is HoldState.CLOSED
        assert await place.stock() == {"01": 36}
        assert [e.number for e in record.history] == list(range(1, len(record.history) + 1))
        assert [(p.what, p.state) for p in record.postings] == [
            ("block", "done"), ("scrap", "done"), ("release", "done"),
        ]  # fmt: skip
        [decision] = [d for d in record.decisions if d.state is DecisionState.IN_FORCE]
        assert [s.user for s in decision.signatures] == ["inspector-1", "manager-1"]
        assert await place.ledger.blocks(NAME) == []
