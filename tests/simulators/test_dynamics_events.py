"""Business events of the simulated D365: what they say, at least once, sometimes twice, sometimes never."""

import asyncio
import json
import re
from collections.abc import AsyncIterator

import pytest

from tests.simulators.dynamics_bench import (
    erp_fixture,
    order,
    start_dynamics_fixture,
    started_fixture,
    until,
)

__all__ = ["erp_fixture", "start_dynamics_fixture", "started_fixture"]
PROCESSED = "SysMessageProcessorMessageProcessedBusinessEvent"
RELEASED = "ProductionOrderReleasedBusinessEvent"
CHANGED = "ProductionOrderStatusChangedBusinessEvent"


class Endpoint:
    """A receiver on a port of its own; it answers 503 as often as `refusals` says."""

    def __init__(self) -> None:
        self.events: list[dict] = []
        self.secrets: list[str] = []
        self.refusals = 0
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        body = await reader.readexactly(int(length[1]) if length else 0)
        refused, self.refusals = self.refusals > 0, max(0, self.refusals - 1)
        if not refused:
            self.events.append(json.loads(body))
            secret = re.search(r"x-own-secret: (\S+)", head, re.IGNORECASE)
            self.secrets.append(secret[1] if secret else "")
        status = b"503 Service Unavailable" if refused else b"202 Accepted"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    def named(self, business_event: str) -> list[dict]:
        return [event for event in self.events if event["BusinessEventId"] == business_event]


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    receiver = Endpoint()
    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/events"
    yield receiver
    server.close()
    await server.wait_closed()


async def listen(erp, endpoint, **more):
    await erp.settings(business_event_endpoints=[endpoint.url], event_retry_seconds=0.02, **more)


async def received(endpoint, business_event, count):
    async def enough() -> bool:
        return len(endpoint.named(business_event)) >= count

    await until(enough)
    return endpoint.named(business_event)


async def test_the_outcome_of_a_message_comes_with_its_whole_content(started, endpoint):
    await listen(started, endpoint, business_event_secret="s3", business_event_secret_header="X-Own-Secret")
    await started.report(5, PlantwrightKey="k-1")
    await started.report(5, ItemBatchNumber="B-1")
    await started.process()
    good, bad = await received(endpoint, PROCESSED, 2)
    assert (good["MessageState"], good["MessageProcessingResult"], good["MessageInfolog"]) == (
        "Processed",
        "Success",
        "",
    )
    assert json.loads(good["MessageContent"])["ReportFinishedLines"][0]["PlantwrightKey"] == "k-1"
    assert (good["MessageType"], good["MessageQueue"]) == ("ProdProductionOrderReportFinished", "JmgMES3P")
    assert (good["MessageSourceCompanyId"], good["BusinessEventLegalEntity"]) == ("USMF", "USMF")
    assert (bad["MessageState"], "Batch number is not active" in bad["MessageInfolog"]) == ("Failed", True)
    assert re.fullmatch(r"/Date\(\d{13}\)/", good["EventTime"])
    assert good["EventId"] != bad["EventId"] and bad["ControlNumber"] == good["ControlNumber"] + 1
    assert {"EventTimeIso8601", "MajorVersion", "MinorVersion", "ContextRecordSubject"} <= set(good)
    assert "MessageId" not in good
    assert set(endpoint.secrets) == {"s3"}


async def test_release_and_every_change_of_status_are_told(erp, endpoint):
    await listen(erp, endpoint)
    await erp.seed(order("P000041", status=["CRTD"]))
    await erp.control("manual", {"action": "release", "order": "P000041"})
    await erp.start("P000041")
    await erp.report(5, "P000041", EndJob="Yes")
    await erp.end("P000041")
    await erp.process()
    changes = await received(endpoint, CHANGED, 4)
    assert [event["ProductionOrderStatus"] for event in changes] == [
        "Released", "StartedUp", "ReportedFinished", "Completed"
    ]  # fmt: skip
    [released] = endpoint.named(RELEASED)
    assert (released["ProductionOrderNumber"], released["ItemNumber"]) == ("P000041", "FG1")


async def test_a_released_order_that_is_seeded_is_told(erp, endpoint):
    await listen(erp, endpoint)
    await erp.seed(order("P000042"))
    assert (await received(endpoint, RELEASED, 1))[0]["ProductionOrderNumber"] == "P000042"


async def test_an_event_is_sent_again_until_it_is_taken_and_keeps_its_id(erp, endpoint):
    endpoint.refusals = 3
    await listen(erp, endpoint)
    await erp.start()
    await erp.process()
    [event] = await received(endpoint, PROCESSED, 1)
    shown = (await erp.http.get("/_control/events")).json()["events"]
    own = next(row for row in shown if row["event"]["EventId"] == event["EventId"])

    async def marked() -> bool:
        rows = (await erp.http.get("/_control/events")).json()["events"]
        return all(one["delivered"] for row in rows for one in row["deliveries"])

    await until(marked)
    assert own["lost"] is False
    tries = (await erp.http.get("/_control/events")).json()["events"]
    assert sum(one["tries"] for row in tries for one in row["deliveries"]) >= 5


async def test_events_may_come_twice_or_not_at_all_by_chance_from_a_seed(erp, endpoint):
    await listen(erp, endpoint, event_duplicates={"probability": 1, "seed": 1})
    await erp.start()
    await erp.process()
    twice = await received(endpoint, PROCESSED, 2)
    assert twice[0] == twice[1]
    await erp.settings(event_duplicates={"probability": 0}, event_loss={"probability": 1, "seed": 1})
    await erp.report(1)
    await erp.process()
    await erp.settings(event_loss={"probability": 0})
    await erp.report(2)
    await erp.process()
    events = await received(endpoint, PROCESSED, 3)
    assert "2" in events[2]["MessageContent"]
    shown = (await erp.http.get("/_control/events")).json()["events"]
    assert [row["lost"] for row in shown][-2:] == [True, False]
    assert shown[-2]["deliveries"] == []


async def test_nothing_is_delivered_while_the_network_is_down_and_everything_after_it(erp, endpoint):
    await listen(erp, endpoint)
    await erp.start()
    await erp.fault("down")
    await erp.process()
    assert endpoint.named(PROCESSED) == []
    await erp.http.delete("/_control/faults")
    assert len(await received(endpoint, PROCESSED, 1)) == 1


async def test_an_endpoint_that_is_away_holds_up_no_other(erp, endpoint):
    await erp.settings(business_event_endpoints=["http://127.0.0.1:9/away", endpoint.url], event_retry_seconds=0.02)
    await erp.start()
    await erp.process()
    assert len(await received(endpoint, PROCESSED, 1)) == 1
