"""A simulated Oracle per test, in this process, with a plain HTTP client that knows nothing of the product."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulators.oracle.app import serve

ROOT = "/fscmRestApi/resources/11.13.18.05"
AUTH = ("SHOP", "floor-secret")
CLIENT = ("shop-client", "client-secret")
ITEM = "application/vnd.oracle.adf.resourceitem+json"
ACTION = "application/vnd.oracle.adf.action+json"


class Oracle:
    """What a test needs of one Oracle: calls in the shapes of the REST resources, and the control side."""

    def __init__(self, url: str, db: Path) -> None:
        self.url = url
        self.db = db
        self.http = httpx.AsyncClient(
            base_url=url, auth=AUTH, headers={"rest-framework-version": "4"}, timeout=20, trust_env=False, verify=False
        )

    async def get(self, path: str, *, version: int = 4, **params: Any) -> httpx.Response:
        return await self.http.get(f"{ROOT}/{path}", params=params, headers={"rest-framework-version": str(version)})

    async def read(self, path: str, **params: Any) -> Any:
        answer = await self.get(path, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def items(self, path: str, **params: Any) -> list[Any]:
        return (await self.read(path, onlyData="true", **params))["items"]

    async def post(self, path: str, body: Any, *, media: str = ITEM, **more: Any) -> httpx.Response:
        headers = {"content-type": media} | more.pop("headers", {})
        return await self.http.post(f"{ROOT}/{path}", json=body, headers=headers, **more)

    async def patch(self, path: str, body: Any, **more: Any) -> httpx.Response:
        headers = {"content-type": ITEM} | more.pop("headers", {})
        return await self.http.patch(f"{ROOT}/{path}", json=body, headers=headers, **more)

    async def created(self, path: str, body: Any, **more: Any) -> Any:
        answer = await self.post(path, body, **more)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def operate(self, *lines: dict[str, Any], **more: Any) -> httpx.Response:
        body = {"SourceSystemCode": "PLANTWRIGHT", "OperationTransactionDetail": list(lines)}
        return await self.post("operationTransactions", body | more.pop("header", {}), **more)

    async def moved(self, *lines: dict[str, Any], **more: Any) -> Any:
        """The lines of an operation transaction that Oracle took as a whole."""
        answer = await self.operate(*lines, **more)
        assert (answer.status_code, answer.json()["ErrorsExistFlag"]) == (201, "false"), answer.text
        return answer.json()["OperationTransactionDetail"]["items"]

    async def refused(self, *lines: dict[str, Any], **more: Any) -> list[str]:
        """The message names of an operation transaction's lines; at least one was refused."""
        answer = await self.operate(*lines, **more)
        assert (answer.status_code, answer.json()["ErrorsExistFlag"]) == (201, "true"), answer.text
        return [line["ErrorMessageNames"] for line in answer.json()["OperationTransactionDetail"]["items"]]

    async def material(self, *lines: dict[str, Any], **more: Any) -> Any:
        body = {"SourceSystemCode": "PLANTWRIGHT", "MaterialTransactionDetail": list(lines)}
        return await self.created("materialTransactions", body | more.pop("header", {}), **more)

    async def charge(self, *lines: dict[str, Any], **more: Any) -> Any:
        body = {"SourceSystemCode": "PLANTWRIGHT", "ResourceTransactionDetail": list(lines)}
        return await self.created("resourceTransactions", body | more.pop("header", {}), **more)

    async def control(self, name: str, body: Any) -> Any:
        answer = await self.http.post(f"/_control/{name}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def fault(self, mode: str, **fields: Any) -> Any:
        return await self.control("faults", {"mode": mode, **fields})

    async def clear(self) -> None:
        await self.http.delete("/_control/faults")

    async def seed(self, *orders: dict[str, Any], **rest: Any) -> None:
        await self.control("orders", {"orders": list(orders), **rest})

    async def books(self, order: str | None = None) -> Any:
        answer = await self.http.get("/_control/books", params={"order": order} if order else {})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def operations(self, order: str = "1000040") -> dict[str, Any]:
        found = (await self.books(order))["orders"][0]["operations"]
        return {row["operation"]: row for row in found}

    async def withdrawn(self, order: str = "1000040") -> dict[str, str]:
        return {row["material"]: row["withdrawn"] for row in (await self.books(order))["orders"][0]["components"]}

    async def stock(self, material: str) -> dict[str, str]:
        rows = (await self.books())["stock"]
        return {row["storage_location"] + row["batch"]: row["quantity"] for row in rows if row["material"] == material}

    async def order_id(self, order: str = "1000040") -> int:
        found = await self.items("workOrders", q=f"WorkOrderNumber='{order}'")
        return found[0]["WorkOrderId"]


def line(operation: int, quantity: Any, to: str = "COMPLETE", frm: str = "READY", **fields: Any) -> dict[str, Any]:
    """One detail of an operation transaction."""
    return {
        "OrganizationCode": "M1",
        "WorkOrderNumber": "1000040",
        "WoOperationSequenceNumber": operation,
        "TransactionQuantity": quantity,
        "FromDispatchState": frm,
        "ToDispatchState": to,
    } | fields


def issue(operation: int, item: str, quantity: Any, kind: str = "MATERIAL_ISSUE", **fields: Any) -> dict[str, Any]:
    """One detail of a material transaction."""
    return {
        "OrganizationCode": "M1",
        "WorkOrderNumber": "1000040",
        "WoOperationSequenceNumber": operation,
        "InventoryItemNumber": item,
        "TransactionTypeCode": kind,
        "TransactionQuantity": quantity,
    } | fields


ROBOT = {"code": "ROBOT", "usage": "50", "charge": "AUTOMATIC"}


def order(number: str = "1000040", **changes: Any) -> dict[str, Any]:
    """Press, weld, pack of 100 pieces; two pull components at the press, a lot controlled one at the welder."""
    return {
        "order": number,
        "plant": "M1",
        "material": "FG1",
        "quantity": "100",
        "unit": "PC",
        "storage_location": "FG01",
        "operations": [
            {"operation": "0010", "work_centre": "PRESS", "activities": {"1": {"planned": "200", "unit": "MIN"}}},
            {"operation": "0020", "work_centre": "WELD", "resources": [ROBOT]},
            {"operation": "0030", "work_centre": "PACK"},
        ],
        "components": [
            {"material": "RM1", "required": "200", "unit": "PC", "storage_location": "RM01", "operation": "0010"},
            {"material": "RM2", "required": "12.5", "unit": "KG", "storage_location": "RM01", "operation": "0010"},
            {
                "material": "WIRE",
                "required": "100",
                "unit": "M",
                "storage_location": "RM01",
                "operation": "0020",
                "batch_managed": True,
            },
        ],
    } | changes  # fmt: skip


STOCK_ROWS = [
    {"material": "RM1", "plant": "M1", "storage_location": "RM01", "quantity": "1000", "unit": "PC"},
    {"material": "RM2", "plant": "M1", "storage_location": "RM01", "quantity": "50", "unit": "KG"},
    {"material": "WIRE", "plant": "M1", "storage_location": "RM01", "batch": "W1", "quantity": "60", "unit": "M"},
    {"material": "WIRE", "plant": "M1", "storage_location": "RM01", "batch": "W2", "quantity": "500", "unit": "M"},
]

StartOracle = Callable[[Path], Awaitable[Oracle]]


@pytest.fixture(name="start_oracle")
async def start_oracle_fixture() -> AsyncIterator[StartOracle]:
    running: list[tuple[asyncio.Task[None], Oracle]] = []

    async def start(db: Path) -> Oracle:
        ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        access = {"user": AUTH[0], "password": AUTH[1], "client_id": CLIENT[0], "client_secret": CLIENT[1]}
        task = asyncio.create_task(serve(0, db, **access, on_ready=ready.set_result))
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        oracle = Oracle(ready.result()["url"], db)
        running.append((task, oracle))
        return oracle

    yield start
    for task, oracle in running:
        await oracle.http.aclose()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(name="oracle")
async def oracle_fixture(start_oracle: StartOracle, tmp_path: Path) -> Oracle:
    """Order 1000040 released, with stock of its components."""
    started = await start_oracle(tmp_path / "oracle.db")
    await started.seed(order(), stock=STOCK_ROWS)
    return started


async def until(condition: Callable[[], Awaitable[bool]], limit: float = 10.0) -> None:
    """Polls the control side until the condition holds; the books are the only thing to look at."""
    async with asyncio.timeout(limit):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
