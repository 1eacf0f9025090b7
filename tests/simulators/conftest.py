"""A simulated SAP per test, in this process, with a plain HTTP client that knows nothing of the product."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from simulators.sap.app import serve

ORDERS = "/sap/opu/odata/sap/API_PRODUCTION_ORDER_2_SRV"
CONFIRMATIONS = "/sap/opu/odata/sap/API_PROD_ORDER_CONFIRMATION_2_SRV"
DOCUMENTS = "/sap/opu/odata/sap/API_MATERIAL_DOCUMENT_SRV"
STOCK = "/sap/opu/odata/sap/API_MATERIAL_STOCK_SRV"
MAINTENANCE = "/sap/opu/odata/sap/API_MAINTNOTIFICATION"
INSPECTION = "/sap/opu/odata/sap/API_INSPECTIONLOT_SRV"
DEFECTS = "/sap/opu/odata/sap/API_DEFECT_SRV/A_Defect"
WORK_CENTRES = "/sap/opu/odata4/sap/api_work_center/srvd_a2x/sap/workcenter/0001"
QUALITY = "/sap/opu/odata4/sap/api_qualitynotification/srvd_a2x/sap/qualitynotification/0001/QualityNotification"
AUTH = ("SHOP", "floor-secret")


class Sap:
    """What a test needs of one SAP: typed calls in the shapes of the OData services, and the control side."""

    orders, confirmations, documents, stock = ORDERS, CONFIRMATIONS, DOCUMENTS, STOCK
    notifications = f"{MAINTENANCE}/MaintenanceNotification"
    maintenance, inspection, defects = MAINTENANCE, INSPECTION, DEFECTS
    work_centres, quality = WORK_CENTRES, QUALITY

    def __init__(self, url: str, db: Path) -> None:
        self.url = url
        self.db = db
        self.http = httpx.AsyncClient(
            base_url=url, auth=AUTH, headers={"accept": "application/json"}, timeout=20, trust_env=False, verify=False
        )
        self.token = ""

    async def sign_on(self) -> str:
        answer = await self.http.get(f"{ORDERS}/", headers={"x-csrf-token": "Fetch"})
        assert answer.status_code == 200
        self.token = answer.headers["x-csrf-token"]
        return self.token

    async def get(self, path: str, **options: str) -> httpx.Response:
        return await self.http.get(path, params={name.replace("_", "$", 1): value for name, value in options.items()})

    async def read(self, path: str, **options: str) -> Any:
        answer = await self.get(path, **options)
        assert answer.status_code == 200, answer.text
        return answer.json()["d"]

    async def read4(self, path: str, **options: str) -> Any:
        answer = await self.get(path, **options)
        assert answer.status_code == 200, answer.text
        assert answer.headers["odata-version"] == "4.0"
        return answer.json()

    async def post(self, path: str, body: Any = None, **more: Any) -> httpx.Response:
        if not self.token:
            await self.sign_on()
        headers = {"x-csrf-token": self.token} | more.pop("headers", {})
        return await self.http.post(path, json=body if body is not None else {}, headers=headers, **more)

    async def change(self, method: str, path: str, body: Any = None, match: str = "") -> httpx.Response:
        """PATCH, PUT or DELETE, with If-Match where `match` is given."""
        if not self.token:
            await self.sign_on()
        headers = {"x-csrf-token": self.token} | ({"if-match": match} if match else {})
        return await self.http.request(method, path, json=body, headers=headers)

    async def move(self, code: str, *items: dict[str, Any], **header: Any) -> httpx.Response:
        """POSTs one material document."""
        body = {"GoodsMovementCode": code, "to_MaterialDocumentItem": list(items), **header}
        return await self.post(f"{DOCUMENTS}/A_MaterialDocumentHeader", body)

    async def moved(self, code: str, *items: dict[str, Any], **header: Any) -> dict[str, str]:
        """The arguments of Cancel for the document that was posted."""
        answer = await self.move(code, *items, **header)
        assert answer.status_code == 201, answer.text
        made = answer.json()["d"]
        return {name: f"'{made[name]}'" for name in ("MaterialDocumentYear", "MaterialDocument")}

    async def batch(self, service: str, body: str, boundary: str = "b", **more: Any) -> httpx.Response:
        if not self.token:
            await self.sign_on()
        headers = {"x-csrf-token": self.token, "content-type": f"multipart/mixed; boundary={boundary}"}
        return await self.http.post(f"{service}/$batch", content=body.encode(), headers=headers, **more)

    async def confirm(self, order: str, operation: str, good: str = "0", **fields: Any) -> httpx.Response:
        body = {"OrderID": order, "OrderOperation": operation, "ConfirmationYieldQuantity": good, **fields}
        body.setdefault("ExternalSystemConfirmation", str(uuid.uuid4()))
        return await self.post(f"{CONFIRMATIONS}/ProdnOrdConf2", body)

    async def confirmed(self, order: str, operation: str, good: str = "0", **fields: Any) -> Any:
        answer = await self.confirm(order, operation, good, **fields)
        assert answer.status_code == 201, answer.text
        return answer.json()["d"]

    async def cancel(self, confirmation: Any, **arguments: str) -> httpx.Response:
        params = {name: f"'{confirmation[name]}'" for name in ("ConfirmationGroup", "ConfirmationCount")}
        return await self.post(f"{CONFIRMATIONS}/CancelProdnOrdConf", params=params | arguments)

    async def control(self, name: str, body: Any) -> Any:
        answer = await self.http.post(f"/_control/{name}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def fault(self, mode: str, **fields: Any) -> Any:
        return await self.control("faults", {"mode": mode, **fields})

    async def seed(self, *orders: dict[str, Any], **rest: Any) -> None:
        await self.control("orders", {"orders": list(orders), **rest})

    async def books(self, order: str | None = None) -> Any:
        answer = await self.http.get("/_control/books", params={"order": order} if order else {})
        assert answer.status_code == 200
        return answer.json()


def order(number: str = "1000040", **changes: Any) -> dict[str, Any]:
    """Press, weld, pack of 100 pieces; the last one receives; two backflushed components at the press."""
    return {
        "order": number,
        "plant": "1010",
        "material": "FG1",
        "quantity": "100",
        "unit": "PC",
        "storage_location": "FG01",
        "operations": [
            {"operation": "0010", "work_centre": "PRESS", "activities": {"1": {"planned": "200", "unit": "MIN"}}},
            {"operation": "0020", "work_centre": "WELD"},
            {"operation": "0030", "work_centre": "PACK", "control_profile": "PP11"},
        ],
        "components": [
            {"material": "RM1", "required": "200", "unit": "PC", "storage_location": "RM01", "operation": "0010"},
            {"material": "RM2", "required": "12.5", "unit": "KG", "storage_location": "RM01", "operation": "0010"},
        ],
    } | changes


STOCK_ROWS = [
    {"material": "RM1", "plant": "1010", "storage_location": "RM01", "quantity": "1000", "unit": "PC"},
    {"material": "RM2", "plant": "1010", "storage_location": "RM01", "quantity": "50", "unit": "KG"},
]


@pytest.fixture
def make_order() -> Callable[..., dict[str, Any]]:
    return order


@pytest.fixture
def stock_rows() -> list[dict[str, Any]]:
    return [dict(row) for row in STOCK_ROWS]


StartSap = Callable[[Path], Awaitable[Sap]]


@pytest.fixture
async def start_sap() -> AsyncIterator[StartSap]:
    running: list[tuple[asyncio.Task[None], Sap]] = []

    async def start(db: Path) -> Sap:
        ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(serve(0, db, user=AUTH[0], password=AUTH[1], on_ready=ready.set_result))
        await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
        sap = Sap(ready.result()["url"], db)
        running.append((task, sap))
        return sap

    yield start
    for task, sap in running:
        await sap.http.aclose()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def sap(start_sap: StartSap, tmp_path: Path) -> Sap:
    """Order 1000040 released, with stock of its components."""
    started = await start_sap(tmp_path / "sap.db")
    await started.seed(order(), stock=STOCK_ROWS)
    return started
