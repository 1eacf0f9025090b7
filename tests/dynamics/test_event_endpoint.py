"""The event endpoint: stored before it says yes, once, for this plant only, and for nobody without the secret."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy.exc import OperationalError

from ledger.connect import open_ledger
from ledger.erp_events import ErpEventBooks, StoredEvent
from workers.erp_events import LARGEST_BODY, PlantEvents, events_application, read_event, serve_events

SECRET = "correct horse"
NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
KIND = "SysMessageProcessorMessageProcessedBusinessEvent"


def event(**changes: Any) -> dict[str, Any]:
    content = {"ProductionOrderNumber": "P000040", "ReportFinishedLines": [{"ReportedGoodQuantity": 5}]}
    return {
        "BusinessEventId": KIND,
        "EventId": "2B1F0E55-1",
        "EventTime": "/Date(1795608000123)/",
        "EventTimeIso8601": "2026-11-25T12:00:00.123Z",
        "MessageContent": json.dumps(content),
        "MessageState": "Processed",
    } | changes


@pytest_asyncio.fixture(loop_scope="session")
async def books(tmp_path: Path) -> AsyncIterator[ErpEventBooks]:
    ledger = await open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", now=lambda: NOW)
    yield ErpEventBooks(ledger._db)
    await ledger.close()


def client_of(books: ErpEventBooks, secret: str | None = SECRET) -> httpx.AsyncClient:
    application = events_application(books, ["demo", "other"], SECRET, now=lambda: NOW)
    headers = {} if secret is None else {"x-plantwright-secret": secret}
    transport = httpx.ASGITransport(application)
    return httpx.AsyncClient(transport=transport, base_url="http://plant", headers=headers)


async def post(books: ErpEventBooks, body: Any, plant: str = "demo", secret: str | None = SECRET) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with client_of(books, secret) as http:
        return await http.post(f"/erp-events/{plant}", content=content)


async def test_an_event_is_stored_with_its_order_time_and_whole_body(books: ErpEventBooks) -> None:
    answer = await post(books, event())
    assert (answer.status_code, answer.json()) == (200, {"stored": True, "new": True})
    (found,) = await books.events_of("demo", "P000040", KIND)
    assert found.at == datetime(2026, 11, 25, 12, 0, 0, 123_000, tzinfo=UTC)
    assert json.loads(found.body) == event()


async def test_an_event_that_comes_again_is_answered_yes_and_stored_once(books: ErpEventBooks) -> None:
    await post(books, event())
    answer = await post(books, event(MessageState="Failed"))
    assert (answer.status_code, answer.json()["new"]) == (200, False)
    (found,) = await books.events_of("demo")
    assert json.loads(found.body)["MessageState"] == "Processed"


async def test_many_copies_at_once_are_one_event(books: ErpEventBooks) -> None:
    answers = await asyncio.gather(*(post(books, event()) for _ in range(8)))
    assert {a.status_code for a in answers} == {200}
    assert sum(a.json()["new"] for a in answers) == 1


async def test_a_plant_never_sees_another_one_s_events(books: ErpEventBooks) -> None:
    await post(books, event())
    await post(books, event(), plant="other")
    assert len(await books.events_of("demo")) == 1
    assert len(await books.events_of("other")) == 1
    assert len(await PlantEvents(books, "demo").events_of("P000040", KIND)) == 1


@pytest.mark.parametrize("secret", [None, "", "wrong", SECRET[:-1], SECRET + "x"])
async def test_nobody_without_the_secret_gets_in(books: ErpEventBooks, secret: str | None) -> None:
    answer = await post(books, event(), secret=secret)
    assert answer.status_code == 401
    assert SECRET not in answer.text
    assert await books.events_of("demo") == []


def test_an_endpoint_without_a_secret_is_not_served(books: ErpEventBooks) -> None:
    with pytest.raises(ValueError, match="shared secret"):
        events_application(books, ["demo"], "")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1]",
        b'"text"',
        b'{"EventId": "x"}',
        b'{"BusinessEventId": "x"}',
        b'{"EventId": 7, "BusinessEventId": "x"}',
        b'{"EventId": "' + b"x" * 81 + b'", "BusinessEventId": "x"}',
        b"\xff\xfe{}",
        b"[" * 100_000,
        b'{"EventId": "a\\u0000", "BusinessEventId": "x"}',
        b'{"EventId": "a\\ud800", "BusinessEventId": "x"}',
        b'{"EventId": "a", "BusinessEventId": "' + b"x" * 81 + b'"}',
    ],
)
async def test_what_is_no_event_is_refused_and_changes_nothing(books: ErpEventBooks, body: bytes) -> None:
    answer = await post(books, body)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert await books.events_of("demo") == []


async def test_a_body_that_is_too_large_is_not_read(books: ErpEventBooks) -> None:
    assert (await post(books, b" " * (LARGEST_BODY + 1))).status_code == 413

    async def dripping() -> AsyncIterator[bytes]:
        for _ in range(LARGEST_BODY // 1024 + 1):
            yield b" " * 1024

    async with client_of(books) as http:
        answer = await http.post("/erp-events/demo", content=dripping())
    assert answer.status_code == 413


async def test_an_unknown_plant_and_other_methods_are_refused(books: ErpEventBooks) -> None:
    assert (await post(books, event(), plant="nowhere")).status_code == 404
    async with client_of(books) as http:
        assert (await http.get("/erp-events/demo")).status_code == 405


async def test_an_event_that_cannot_be_stored_is_to_be_sent_again() -> None:
    class Away(ErpEventBooks):
        def __init__(self) -> None: ...

        async def record_event(self, plant: str, event: StoredEvent) -> bool:
            raise OperationalError("insert", {}, Exception("the database is away"))

    answer = await post(Away(), event())
    assert answer.status_code == 503
    assert answer.json()["stored"] is False


async def test_events_are_told_by_order_kind_and_time_oldest_first(books: ErpEventBooks) -> None:
    for number, at in (("3", "2026-11-25T14:00:00Z"), ("1", "2026-11-25T12:00:00Z"), ("2", "2026-11-25T13:00:00Z")):
        await post(books, event(EventId=number, EventTimeIso8601=at))
    await post(books, event(EventId="4", BusinessEventId="Other", MessageContent="", ProductionOrderNumber="P2"))
    assert [e.event_id for e in await books.events_of("demo", "P000040", KIND)] == ["1", "2", "3"]
    since = datetime(2026, 11, 25, 13, 0, tzinfo=UTC)
    assert [e.event_id for e in await books.events_of("demo", "P000040", "", since)] == ["2", "3"]
    assert [e.event_id for e in await books.events_of("demo", "P2")] == ["4"]


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"EventTimeIso8601": ""}, datetime(2026, 11, 25, 12, 0, 0, 123_000, tzinfo=UTC)),
        ({"EventTimeIso8601": "x", "EventTime": "y"}, NOW),
        ({"EventTimeIso8601": "", "EventTime": "/Date(99999999999999999)/"}, NOW),
        ({"EventTimeIso8601": "2026-11-25T12:00:00"}, datetime(2026, 11, 25, 12, 0, tzinfo=UTC)),
        ({"EventTimeIso8601": "0001-01-01T00:00:00+23:00", "EventTime": ""}, NOW),
    ],
)
def test_an_event_s_time_is_read_in_each_spelling_and_receipt_stands_in(changes: dict[str, str], at: datetime) -> None:
    assert read_event(json.dumps(event(**changes)).encode(), NOW).at == at


@pytest.mark.parametrize(
    "content",
    ["", "no json", "[1]", '{"ProductionOrderNumber": 7}', '{"ProductionOrderNumber": "P\\u0000"}', ["a", "list"]],
)
def test_content_that_names_no_order_is_kept_without_one(content: object) -> None:
    assert read_event(json.dumps(event(MessageContent=content)).encode(), NOW).order == ""


async def test_the_endpoint_serves_until_it_is_cancelled(books: ErpEventBooks) -> None:
    address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve_events(books, ["demo"], SECRET, 0, on_ready=address.set_result))
    url = await asyncio.wait_for(address, 10)
    async with httpx.AsyncClient(trust_env=False, headers={"x-plantwright-secret": SECRET}) as http:
        assert (await http.post(f"{url}/demo", json=event())).status_code == 200
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    with pytest.raises(httpx.ConnectError):
        async with httpx.AsyncClient(trust_env=False) as http:
            await http.post(f"{url}/demo", json=event())
