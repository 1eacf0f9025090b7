"""A simulated D365 per test, in this process, with a plain HTTP client that knows nothing of the product."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulators.dynamics.app import serve

CLIENT, SECRET, TENANT = "0f8fad5b-d9cb-469f-a165-70867728950e", "floor-secret", "factory.example"
SEND = "/api/services/SysMessageServices/SysMessageService/SendMessage"
NEVER = {"AutomaticRouteConsumptionRule": "Never"}


def enum(kind: str, member: str) -> str:
    return f"Microsoft.Dynamics.DataEntities.{kind}'{member}'"


class Dynamics:
    """What a test needs of one D365: tokens, typed calls in the shapes of the services, and the control side."""

    def __init__(self, url: str, db: Path) -> None:
        self.url = url
        self.db = db
        self.http = httpx.AsyncClient(base_url=url, timeout=20, trust_env=False, verify=False)
        self.token = ""

    async def token_answer(self, tenant: str = TENANT, **changes: str) -> httpx.Response:
        form = {
            "grant_type": "client_credentials",
            "client_id": CLIENT,
            "client_secret": SECRET,
            "scope": f"{self.url}/.default",
        } | changes
        return await self.http.post(f"/{tenant}/oauth2/v2.0/token", data={k: v for k, v in form.items() if v})

    async def sign_on(self) -> str:
        answer = await self.token_answer()
        assert answer.status_code == 200, answer.text
        self.token = answer.json()["access_token"]
        return self.token

    async def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        if not self.token:
            await self.sign_on()
        headers = {"authorization": f"Bearer {self.token}"} | more.pop("headers", {})
        return await self.http.request(method, path, headers=headers, **more)

    async def get(self, path: str, **options: str) -> httpx.Response:
        params = {name.replace("_", "$", 1): value for name, value in options.items()}
        if params.pop("crossing", ""):
            params["cross-company"] = "true"
        return await self.call("GET", f"/data/{path}", params=params)

    async def read(self, path: str, **options: str) -> Any:
        answer = await self.get(path, **options)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        return body.get("value", body)

    async def create(self, path: str, body: dict[str, Any], **more: Any) -> Any:
        answer = await self.call("POST", f"/data/{path}", json=body, **more)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def refused(self, path: str, body: dict[str, Any], method: str = "POST") -> str:
        """The infolog of a write that is refused."""
        answer = await self.call(method, f"/data/{path}", json=body)
        assert answer.status_code == 400, answer.text
        error = answer.json()["error"]
        assert (error["code"], error["message"]) == ("", "An error has occurred.")
        return error["innererror"]["message"]

    async def send(self, kind: str, content: Any, **more: Any) -> httpx.Response:
        text = content if isinstance(content, str) else json.dumps(content)
        envelope = {"_companyId": "USMF", "_messageQueue": "JmgMES3P", "_messageType": kind, "_messageContent": text}
        return await self.call("POST", SEND, json=envelope | more.pop("envelope", {}), **more)

    async def sent(self, kind: str, content: Any) -> None:
        answer = await self.send(kind, content)
        assert answer.status_code == 200, answer.text

    async def start(self, order: str = "P000040", **fields: Any) -> None:
        await self.sent("ProdProductionOrderStart", {"ProductionOrderNumber": order, **fields})

    async def report(self, good: float = 0, order: str = "P000040", **fields: Any) -> None:
        line = {"ReportedGoodQuantity": good} | NEVER | fields
        await self.sent(
            "ProdProductionOrderReportFinished", {"ProductionOrderNumber": order, "ReportFinishedLines": [line]}
        )

    async def pick(self, *lines: dict[str, Any], order: str = "P000040") -> None:
        content = {"ProductionOrderNumber": order, "PickingListLines": list(lines)}
        await self.sent("ProdProductionOrderPickingList", content)

    async def route(self, *lines: dict[str, Any], order: str = "P000040") -> None:
        content = {"ProductionOrderNumber": order, "RouteCardLines": list(lines)}
        await self.sent("ProdProductionOrderRouteCard", content)

    async def end(self, order: str = "P000040", **fields: Any) -> None:
        await self.sent("ProdProductionOrderEnd", {"ProductionOrderNumber": order, **fields})

    async def process(self) -> list[dict[str, Any]]:
        """Runs the batch job until no message can be processed any more; the messages."""
        messages: list[dict[str, Any]] = []
        for _ in range(4):
            messages = (await self.control("messages", {"action": "process"}))["messages"]
            if not any(one["state"] == "Queued" and one["blocked_by"] is None for one in messages):
                break
        return messages

    async def control(self, name: str, body: Any) -> Any:
        answer = await self.http.post(f"/_control/{name}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def problem(self, name: str, body: Any) -> str:
        answer = await self.http.post(f"/_control/{name}", json=body)
        assert answer.status_code == 400, answer.text
        return answer.json()["error"]["message"]

    async def settings(self, **changes: Any) -> Any:
        return await self.control("settings", changes)

    async def fault(self, mode: str, **fields: Any) -> Any:
        return await self.control("faults", {"mode": mode, **fields})

    async def seed(self, *orders: dict[str, Any], **rest: Any) -> Any:
        return await self.control("orders", {"orders": list(orders), **rest})

    async def books(self, order: str | None = None) -> Any:
        answer = await self.http.get("/_control/books", params={"order": order} if order else {})
        assert answer.status_code == 200
        return answer.json()

    async def order(self, number: str = "P000040") -> Any:
        return (await self.books(number))["orders"][0]

    async def stock_of(self, material: str, **where: str) -> str:
        rows = [row for row in (await self.books())["stock"] if row["material"] == material]
        rows = [row for row in rows if all(row[name] == value for name, value in where.items())]
        return str(sum(float(row["quantity"]) for row in rows)).removesuffix(".0")


def order(number: str = "P000040", **changes: Any) -> dict[str, Any]:
    """Press, weld, pack of 100 pieces; two components of the press, flushed when the order is reported."""
    return {
        "order": number,
        "plant": "1",
        "material": "FG1",
        "quantity": "100",
        "unit": "PC",
        "storage_location": "11",
        "over_delivery_tolerance": "10",
        "operations": [
            {"operation": "0010", "work_centre": "PRESS", "activities": {"1": {"planned": "200", "unit": "MIN"}}},
            {"operation": "0020", "work_centre": "WELD"},
            {"operation": "0030", "work_centre": "PACK"},
        ],
        "components": [
            {"material": "RM1", "required": "200", "unit": "PC", "storage_location": "12", "operation": "0010"},
            {"material": "RM2", "required": "12.5", "unit": "KG", "storage_location": "12", "operation": "0010"},
        ],
    } | changes


STOCK_ROWS = [
    {"material": "RM1", "plant": "1", "storage_location": "12", "quantity": "1000", "unit": "PC"},
    {"material": "RM2", "plant": "1", "storage_location": "12", "quantity": "50", "unit": "KG"},
]
StartDynamics = Callable[[Path], Awaitable[Dynamics]]


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[StartDynamics]:
    """Starts D365s in this process and stops them all at the end."""
    running: list[tuple[asyncio.Task[None], Dynamics]] = []

    async def start(db: Path) -> Dynamics:
        ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        access = {"client_id": CLIENT, "client_secret": SECRET, "tenant": TENANT}
        task = asyncio.create_task(serve(0, db, **access, on_ready=ready.set_result))
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        started = Dynamics(ready.result()["url"], db)
        running.append((task, started))
        return started

    yield start
    for task, started in running:
        await started.http.aclose()
        task.cancel()
    await asyncio.gather(*(task for task, _ in running), return_exceptions=True)


@pytest.fixture(name="start_dynamics", scope="module")
async def start_dynamics_fixture() -> AsyncIterator[StartDynamics]:
    """Every test has D365s of its own; they stop together at the module's end, which costs one waiting, not many."""
    async with serving() as start:
        yield start


@pytest.fixture(name="shared", scope="module")
async def shared_fixture(start_dynamics: StartDynamics, tmp_path_factory: pytest.TempPathFactory) -> Dynamics:
    """One D365 for the tests of a module that only look: P000040 and five more orders, P100000 to P100004."""
    started = await start_dynamics(tmp_path_factory.mktemp("shared") / "dynamics.db")
    orders = [order(), *(order(f"P10000{number}") for number in range(5))]
    await started.seed(*orders, stock=STOCK_ROWS, settings={"processing_paused": True})
    return started


@pytest.fixture(name="erp")
async def erp_fixture(start_dynamics: StartDynamics, tmp_path: Path) -> Dynamics:
    """Order P000040 released, with stock of its components; the batch job runs when a test says so."""
    started = await start_dynamics(tmp_path / "dynamics.db")
    await started.seed(order(), stock=STOCK_ROWS, settings={"processing_paused": True})
    return started


@pytest.fixture(name="started")
async def started_fixture(erp: Dynamics) -> Dynamics:
    """The same with the order started."""
    await erp.start()
    await erp.process()
    return erp


async def until(condition: Callable[[], Awaitable[bool]], limit: float = 30.0) -> None:
    """Polls the control side until the condition holds; the books are the only thing to look at."""
    async with asyncio.timeout(limit):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
