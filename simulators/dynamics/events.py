"""Business events: an outbox written with the posting that causes it, and the deliverer that sends it to endpoints.

At least once: sent again until an endpoint answers 2xx; settings make some come twice, or never.
"""

import asyncio
import contextlib
import json
import random
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import structlog

from simulators.common.database import instant
from simulators.dynamics.books import Books

log = structlog.get_logger("simulators.dynamics")
PROCESSED = "SysMessageProcessorMessageProcessedBusinessEvent"
RELEASED = "ProductionOrderReleasedBusinessEvent"
STATUS_CHANGED = "ProductionOrderStatusChangedBusinessEvent"
_USER = "{3F2504E0-4F89-11D3-9A0C-0305E82C3301}"
_FIRST_CONTROL_NUMBER = 5_637_144_576


def emit(books: Books, company: str, business_event: str, own: dict[str, Any], subject: str = "") -> None:
    """Call it inside the transaction of what happened. Endpoints are those configured at that moment."""
    event_id = str(uuid.uuid4()).upper()
    control = books.next_number("business_event", _FIRST_CONTROL_NUMBER)
    milliseconds = time.time_ns() // 1_000_000
    payload = {
        "BusinessEventId": business_event,
        "BusinessEventLegalEntity": company.upper(),
        "ContextRecordSubject": subject,
        "ControlNumber": control,
        "EventId": event_id,
        "EventTime": f"/Date({milliseconds})/",
        "EventTimeIso8601": datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat().replace("+00:00", "Z"),
        "InitiatingUserAADObjectId": _USER,
        "MajorVersion": 0,
        "MinorVersion": 0,
        "ParentContextRecordSubjects": [],
    }
    lost = _hits(books.setting("event_loss"), control)
    row = {"event_id": event_id, "business_event": business_event, "payload": json.dumps(payload | own)}
    books.insert("business_event", row | {"lost": int(lost), "at": instant()})
    if lost:
        return
    number = books.one("SELECT last_insert_rowid() AS id")
    copies = 2 if _hits(books.setting("event_duplicates"), control) else 1
    for endpoint in books.setting("business_event_endpoints"):
        books.insert("event_delivery", {"event": number and number["id"], "endpoint": endpoint, "copies": copies})


def order_event(books: Books, order: dict[str, Any], business_event: str) -> None:
    names = (
        "ProductionOrderNumber",
        "ItemNumber",
        "ProductionSiteId",
        "ProductionWarehouseId",
        "ProductionOrderStatus",
    )
    own = {name: order[name] for name in names}
    own |= {"LegalEntity": order["dataAreaId"].upper(), "Resource": "", "ProductionOrderType": "Standard"}
    emit(books, order["dataAreaId"], business_event, own, order["ProductionOrderNumber"])


def _hits(chance: dict[str, Any], control: int) -> bool:
    probability = float(chance.get("probability", 0))
    return probability > 0 and random.Random(f"{chance.get('seed', 0)}:{control}").random() < probability


def shown(books: Books) -> list[dict[str, Any]]:
    rows = books.all("SELECT * FROM business_event ORDER BY id")
    deliveries: dict[int, list[dict[str, Any]]] = {}
    for row in books.all("SELECT * FROM event_delivery ORDER BY id"):
        told = {"endpoint": row["endpoint"], "tries": row["tries"], "delivered": bool(row["delivered"])}
        deliveries.setdefault(row["event"], []).append(told)
    return [
        {
            "id": row["id"],
            "at": row["at"],
            "lost": bool(row["lost"]),
            "event": json.loads(row["payload"]),
            "deliveries": deliveries.get(row["id"], []),
        }
        for row in rows
    ]


class Deliverer:
    """Sends what the outbox holds, oldest first; an endpoint that does not answer 2xx is asked again later."""

    def __init__(self, books: Books, is_down: Callable[[], bool]) -> None:
        self._books = books
        self._is_down = is_down
        self._one_at_a_time = asyncio.Lock()
        self._client: httpx.AsyncClient | None = None

    async def run(self) -> None:
        while True:
            try:
                await self.deliver()
            except Exception:
                log.exception("the simulated D365 failed to deliver business events")
            await asyncio.sleep(float(self._books.setting("event_retry_seconds")))

    @property
    def due(self) -> int:
        """Deliveries that no endpoint has taken yet."""
        found = self._books.one("SELECT COUNT(*) AS due FROM event_delivery WHERE delivered = 0")
        return int(found["due"]) if found else 0

    async def aclose(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def deliver(self) -> None:
        """One round: what is due goes out, and stays due where an endpoint does not take it."""
        async with self._one_at_a_time:
            await self._round()

    async def _round(self) -> None:
        due: dict[str, list[dict[str, Any]]] = {}
        for row in self._books.all(
            "SELECT d.*, e.payload FROM event_delivery d JOIN business_event e ON e.id = d.event"
            " WHERE d.delivered = 0 ORDER BY d.id LIMIT 500"
        ):
            due.setdefault(row["endpoint"], []).append(row)
        if not due:
            return
        if self._client is None:
            unshared = httpx.Limits(max_keepalive_connections=0)
            self._client = httpx.AsyncClient(timeout=5, trust_env=False, limits=unshared)
        await asyncio.gather(*(self._deliver(self._client, rows) for rows in due.values()))

    async def _deliver(self, client: httpx.AsyncClient, rows: list[dict[str, Any]]) -> None:
        """One endpoint's events in their order, until it refuses one."""
        for row in rows:
            if self._is_down():
                return
            delivered = await self._send(client, row)
            with self._books.transaction():
                self._books.execute(
                    "UPDATE event_delivery SET tries = tries + 1, delivered = ? WHERE id = ?", int(delivered), row["id"]
                )
            if not delivered:
                return

    async def _send(self, client: httpx.AsyncClient, row: dict[str, Any]) -> bool:
        headers = {"content-type": "application/json"}
        if secret := self._books.setting("business_event_secret"):
            headers[self._books.setting("business_event_secret_header")] = secret
        accepted = False
        for _ in range(row["copies"]):
            with contextlib.suppress(httpx.HTTPError, httpx.InvalidURL):
                answer = await client.post(row["endpoint"], content=row["payload"], headers=headers)
                accepted = answer.is_success or accepted
        return accepted
