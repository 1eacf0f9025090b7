"""Wire habits of Dynamics against a scripted transport: tokens, throttling, scope, paging, error bodies, budget."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from erp.dynamics import DynamicsErp, create_dynamics
from erp.dynamics.client import DynamicsClient
from erp.dynamics.failures import EntityNotPublic
from erp.port import CallBudget
from signals.errors import (
    ErpBusy,
    ErpError,
    ErpInDoubt,
    ErpMisconfigured,
    ErpRejected,
    ErpUnavailable,
    Reason,
)
from tests.dynamics.conftest import ENVIRON, config_for, free

URL = "https://plantwright.operations.dynamics.example"
TOKEN = "https://login.example/token"
Answerer = Callable[[httpx.Request], httpx.Response]


class Scripted(httpx.AsyncBaseTransport):
    """Answers the token endpoint by itself and every other call by the given function."""

    def __init__(self, answer: Answerer) -> None:
        self._answer = answer
        self.calls: list[httpx.Request] = []
        self.tokens_seen: list[str] = []
        self.tokens = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if str(request.url) == TOKEN:
            self.tokens += 1
            return httpx.Response(200, json={"access_token": f"t{self.tokens}", "expires_in": 3599})
        self.calls.append(request)
        self.tokens_seen.append(request.headers["authorization"])
        response = self._answer(request)
        response.request = request
        return response


def connect(answer: Answerer, budget: CallBudget | None = None, **changes: Any) -> tuple[DynamicsErp, Scripted]:
    transport = Scripted(answer)
    config = config_for(URL, token_url=TOKEN, **changes)
    return create_dynamics(config, "demo", ENVIRON, transport=transport, budget=budget), transport


def client_of(answer: Answerer, budget: CallBudget | None = None) -> tuple[DynamicsClient, Scripted]:
    erp, transport = connect(answer, budget)
    return erp._client, transport


def rows(*found: dict[str, Any], link: str = "") -> httpx.Response:
    body: dict[str, Any] = {"value": list(found)}
    return httpx.Response(200, json=body | ({"@odata.nextLink": link} if link else {}))


def infolog(text: str, status: int = 500) -> httpx.Response:
    inner = {"message": f"Write failed for table row of type 'X'. Infolog: {text}", "type": "AxODataWriteException"}
    return httpx.Response(
        status, json={"error": {"code": "", "message": "An error has occurred.", "innererror": inner}}
    )


class Counting:
    """A budget that only writes down what it was told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    async def take(self, longest_wait: float) -> None:
        self.told.append("take")

    async def answered(self) -> None:
        self.told.append("answered")

    async def failed(self) -> None:
        self.told.append("failed")

    async def close_for(self, seconds: float) -> None:
        self.told.append(f"close {seconds:g}")


async def test_every_read_names_the_company_and_crosses_it() -> None:
    client, transport = client_of(lambda _: rows())
    await client.read_entities("ProductionOrderHeaders", "ItemNumber eq 'O''Neill'")
    query = transport.calls[0].url.params
    assert query["cross-company"] == "true"
    assert query["$filter"] == "dataAreaId eq 'usmf' and ItemNumber eq 'O''Neill'"


async def test_a_record_is_addressed_by_all_its_keys() -> None:
    client, transport = client_of(lambda _: httpx.Response(200, json={"ItemNumber": "A"}))
    await client.read_entity("ItemBatches", ItemNumber="A/1", BatchNumber="B 1")
    assert "ItemBatches(dataAreaId='usmf',ItemNumber='A/1',BatchNumber='B%201')" in str(transport.calls[0].url)


async def test_pages_are_followed_on_our_own_address() -> None:
    pages = [rows({"n": 1}, link="https://inner.host/data/Things?$skiptoken=2"), rows({"n": 2})]
    client, transport = client_of(lambda _: pages.pop(0))
    assert [row["n"] for row in await client.read_entities("Things")] == [1, 2]
    assert str(transport.calls[1].url).startswith(f"{URL}/data/Things?")


async def test_a_token_is_fetched_once_and_renewed_once_when_it_died() -> None:
    answers = [rows(), httpx.Response(401), rows(), rows()]
    client, transport = client_of(lambda _: answers.pop(0))
    await client.read_entities("Things")
    await client.read_entities("Things")
    await client.read_entities("Things")
    assert transport.tokens == 2
    assert transport.tokens_seen == ["Bearer t1", "Bearer t1", "Bearer t2", "Bearer t2"]


async def test_a_second_401_is_the_set_up_s_fault() -> None:
    client, transport = client_of(lambda _: httpx.Response(401))
    with pytest.raises(ErpMisconfigured, match="register the app id"):
        await client.read_entities("Things")
    assert len(transport.calls) == 2


async def test_a_throttle_closes_the_budget_for_as_long_as_dynamics_asks() -> None:
    budget = Counting()
    client, _ = client_of(lambda _: httpx.Response(429, headers={"retry-after": "7"}), budget)
    with pytest.raises(ErpBusy) as busy:
        await client.service("A/B/C", {}, free)
    assert busy.value.retry_after == 7
    assert budget.told == ["take", "answered", "close 7"]


async def test_the_guard_is_asked_when_token_and_slot_are_at_hand_and_stops_the_bytes() -> None:
    budget = Counting()
    client, transport = client_of(lambda _: rows(), budget)

    def guard() -> None:
        assert budget.told == ["take"]
        assert transport.tokens == 1
        raise ErpUnavailable("too late")

    with pytest.raises(ErpUnavailable, match="too late"):
        await client.service("A/B/C", {}, guard)
    assert transport.calls == []


@pytest.mark.parametrize(
    ("text", "error", "reason"),
    [
        ("Error: An update conflict occurred due to another user process", ErpBusy, None),
        ("Error: deadlock victim", ErpInDoubt, None),
        ("Error: Cannot create a record in X. The record already exists.", ErpInDoubt, None),
        ("Error: 5.00 cannot be picked because only 2.00 is/are available from the inventory.", ErpRejected, "stock"),
        ("Error: 5,00 kann nicht entnommen werden, da nur 2,00 im Lagerbestand verfügbar ist.", ErpRejected, "stock"),
        ("Warning: a; Error: Inventory dimension Location must be specified.", ErpRejected, "master"),
        ("Error: The value 'X' in field 'Y' is not found in the related table 'Z'.", ErpRejected, "master"),
        ("Error: Fiscal period for 2026-11-01 is not open.", ErpRejected, "period"),
        ("Error: Ein Satz, den niemand kennt.", ErpRejected, "other"),
    ],
)
async def test_an_infolog_is_read_by_its_text_and_an_unknown_one_stays_a_refusal(
    text: str, error: type[ErpError], reason: str | None
) -> None:
    client, _ = client_of(lambda _: infolog(text))
    with pytest.raises(error) as raised:
        await client.create("Things", {}, free)
    assert type(raised.value) is error or issubclass(type(raised.value), error)
    if reason is not None:
        known = {"stock": Reason.STOCK_SHORT, "master": Reason.MASTER_DATA, "period": Reason.PERIOD_CLOSED}
        assert raised.value.reason == known.get(reason, Reason.OTHER)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_a_server_error_without_an_infolog_leaves_a_booking_in_doubt_and_a_read_unavailable(status: int) -> None:
    client, _ = client_of(lambda _: httpx.Response(status, text="<html>"))
    with pytest.raises(ErpInDoubt):
        await client.service("A/B/C", {}, free)
    with pytest.raises(ErpUnavailable):
        await client.read_entities("Things")


@pytest.mark.parametrize("kind", ["NullReferenceException", "DuplicateKeyException"])
async def test_an_exception_of_the_message_service_is_a_doubt(kind: str) -> None:
    body = {"Message": "An exception occured when invoking the operation - X", "ExceptionType": kind, "ActivityId": "g"}
    client, _ = client_of(lambda _: httpx.Response(500, json=body))
    with pytest.raises(ErpInDoubt):
        await client.service("A/B/C", {}, free)


async def test_a_wrong_company_or_queue_is_the_set_up_s_fault_and_certainly_not_queued() -> None:
    body = {
        "Message": "An exception occured when invoking the operation - Company XX does not exist.",
        "ExceptionType": "ErrorException",
        "ActivityId": "g",
    }
    client, _ = client_of(lambda _: httpx.Response(500, json=body))
    with pytest.raises(ErpMisconfigured, match="Company XX does not exist"):
        await client.service("A/B/C", {}, free)


async def test_an_entity_that_is_not_public_is_told_from_a_record_that_is_not_there() -> None:
    absent = {"error": {"code": "", "message": "Resource not found for the segment 'Things'."}}
    gone = {"error": {"code": "", "message": "No resources were found when selecting for update."}}
    client, _ = client_of(lambda _: httpx.Response(404, json=absent))
    with pytest.raises(EntityNotPublic):
        await client.read_entities("Things")
    client, _ = client_of(lambda _: httpx.Response(404, json=gone))
    with pytest.raises(ErpRejected):
        await client.read_entity("Things", Id="1")


@pytest.mark.parametrize("broken", [httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("closed")])
async def test_a_lost_answer_is_a_doubt_and_a_connection_that_never_stood_is_not(broken: Exception) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise broken

    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    client, _ = client_of(fail)
    with pytest.raises(ErpInDoubt):
        await client.service("A/B/C", {}, free)
    client, _ = client_of(refuse)
    with pytest.raises(ErpUnavailable):
        await client.service("A/B/C", {}, free)


@pytest.mark.parametrize("body", ["", '""', "true", '{"MessageId": 7}', "<ok/>"])
async def test_whatever_stands_in_the_body_a_success_means_queued(body: str) -> None:
    client, transport = client_of(lambda _: httpx.Response(200, text=body))
    assert (
        await client.service("SysMessageServices/SysMessageService/SendMessage", {"_companyId": "USMF"}, free) == body
    )
    assert json.loads(transport.calls[0].content) == {"_companyId": "USMF"}


async def test_a_change_set_that_failed_is_refused_by_its_own_answer() -> None:
    inner = json.dumps({"error": {"code": "", "innererror": {"message": "Infolog: Error: X must be filled in."}}})
    body = (
        "--b\r\nContent-Type: application/http\r\n\r\nHTTP/1.1 400 Bad Request\r\n"
        f"Content-Type: application/json\r\n\r\n{inner}\r\n--b--\r\n"
    )
    answer = httpx.Response(200, text=body, headers={"content-type": "multipart/mixed; boundary=b"})
    client, _ = client_of(lambda _: answer)
    with pytest.raises(ErpRejected, match="must be filled in") as refused:
        await client.change_set([], "POST lines", free)
    assert refused.value.reason is Reason.CLIENT_BUG


async def test_a_batch_that_cannot_be_read_is_a_doubt() -> None:
    client, _ = client_of(lambda _: httpx.Response(200, text="ok"))
    with pytest.raises(ErpInDoubt):
        await client.change_set([], "POST lines", free)


def test_missing_credentials_are_named() -> None:
    config = config_for(URL, token_url="")
    with pytest.raises(ErpMisconfigured, match="DYNAMICS_CLIENT_SECRET and DYNAMICS_TENANT"):
        create_dynamics(config, "demo", {"DYNAMICS_CLIENT_ID": "x"})
