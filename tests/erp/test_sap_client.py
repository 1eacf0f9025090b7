"""SAP's wire habits, played by a scripted transport: tokens, cookies, paging, error bodies, the call budget."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.plant_erp import ErpConfig
from erp.budget import LocalBudget
from erp.sap import SapErp, create_sap
from erp.sap.odata import (
    date_of,
    decimal_literal,
    guid_of,
    instant_of,
    json_date,
    json_time,
    key_predicate,
    quantity_text,
    query_text,
    text_literal,
    time_of,
)
from signals.errors import (
    ErpBusy,
    ErpError,
    ErpInDoubt,
    ErpMisconfigured,
    ErpRejected,
    ErpUnavailable,
)
from signals.transactions import CompleteOrder, ConfirmProduction, PostingIntent, TransactionType

Handler = Callable[[httpx.Request], httpx.Response]
ENVIRON = {"SAP_USER": "u", "SAP_PASSWORD": "p"}
_rates = iter(range(5000, 9000))


def adapter(handler: Handler, **changes: Any) -> SapErp:
    settings = {"kind": "sap", "url": "https://sap.example/", "plant": "1010", "calls_per_second": next(_rates)}
    config = ErpConfig.model_validate(settings | changes)
    return create_sap(config, "demo", ENVIRON, transport=httpx.MockTransport(handler))


def confirm(**changes: Any) -> PostingIntent:
    fields: dict[str, Any] = {
        "plant": "demo",
        "order": "1000001",
        "operation": "0010",
        "posting_date": date(2026, 11, 22),
        "yield_quantity": Decimal(5),
        "unit": "PC",
    }
    return PostingIntent(key=uuid4(), transaction=ConfirmProduction(**(fields | changes)))


def booked(request: httpx.Request, **changes: Any) -> httpx.Response:
    row = {"ConfirmationGroup": "0000000207", "ConfirmationCount": "00000001", "OrderID": "1000001"}
    return httpx.Response(201, json={"d": row | changes})


def token(request: httpx.Request) -> httpx.Response:
    headers = [("x-csrf-token", "t0k"), ("set-cookie", "SESSION=1; path=/"), ("set-cookie", "usercontext=2; path=/")]
    return httpx.Response(200, json={"d": {"EntitySets": []}}, headers=headers)


def error_body(code: str, text: str = "no", details: list[dict[str, str]] | None = None) -> dict[str, Any]:
    return {
        "error": {
            "code": code,
            "message": {"lang": "en", "value": text},
            "innererror": {"errordetails": details or []},
        }
    }


class Script:
    """Answers a token to every read and the script's answers to the bookings, in turn."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self._answers = list(answers)
        self.sent: list[httpx.Request] = []
        self.tokens = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            self.tokens += 1
            return token(request)
        self.sent.append(request)
        answer = self._answers.pop(0) if self._answers else booked(request)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_booking_carries_the_token_all_cookies_the_client_and_the_language():
    script = Script()
    erp = adapter(script, client="100", language="DE")
    await erp.post(confirm(), lambda: None)
    (request,) = script.sent
    assert request.headers["x-csrf-token"] == "t0k"
    assert {c.strip() for c in request.headers["cookie"].split(";")} == {"SESSION=1", "usercontext=2"}
    assert request.headers["authorization"].startswith("Basic ")
    assert request.url.params["sap-client"] == "100"
    assert request.url.params["sap-language"] == "DE"


async def test_a_token_that_died_is_fetched_again_once_and_the_guard_is_asked_again():
    dead = httpx.Response(403, headers={"x-csrf-token": "Required"}, text="CSRF token required")
    script, asked = Script(dead), []
    await adapter(script).post(confirm(), lambda: asked.append(len(script.sent)))
    assert (len(script.sent), script.tokens, asked) == (2, 2, [0, 1])


async def test_a_token_refused_twice_was_certainly_not_processed():
    dead = httpx.Response(403, headers={"x-csrf-token": "Required"})
    with pytest.raises(ErpUnavailable):
        await adapter(Script(dead, dead)).post(confirm(), lambda: None)


async def test_the_guard_is_the_last_thing_before_the_bytes_leave():
    script = Script()
    seen: list[tuple[int, int]] = []
    await adapter(script).post(confirm(), lambda: seen.append((script.tokens, len(script.sent))))
    assert seen == [(1, 0)]


REFUSALS: list[tuple[httpx.Response | Exception, type[ErpError], str]] = [
    (httpx.ConnectError("refused"), ErpUnavailable, "no_connection"),
    (httpx.ConnectTimeout("slow"), ErpUnavailable, "no_connection"),
    (httpx.ReadTimeout("no answer"), ErpInDoubt, "no_answer"),
    (httpx.WriteError("broken pipe"), ErpInDoubt, "no_answer"),
    (httpx.RemoteProtocolError("disconnected"), ErpInDoubt, "no_answer"),
    (httpx.Response(500, text="dump"), ErpInDoubt, "HTTP/500"),
    (httpx.Response(503, text="overload"), ErpInDoubt, "HTTP/503"),
    (httpx.Response(201, text="<html>"), ErpInDoubt, "unreadable"),
    (httpx.Response(201, json={"d": {}}), ErpInDoubt, ""),
    (httpx.Response(400, json=error_body("/IWBEP/CM_COS/005")), ErpInDoubt, "/IWBEP/CM_COS/005"),
    (httpx.Response(423), ErpBusy, "HTTP/423"),
    (httpx.Response(400, json=error_body("ME/006")), ErpBusy, "ME/006"),
    (httpx.Response(400, json=error_body("CO/999", "Order 1 is already locked by MEIER")), ErpBusy, "CO/999"),
    (httpx.Response(401), ErpMisconfigured, "HTTP/401"),
    (httpx.Response(403), ErpMisconfigured, "HTTP/403"),
    (httpx.Response(302, headers={"location": "https://sso"}), ErpMisconfigured, "HTTP/302"),
    (httpx.Response(404, text="not here"), ErpMisconfigured, "HTTP/404"),
    (httpx.Response(403, json=error_body("/IWFND/MED/170")), ErpMisconfigured, "/IWFND/MED/170"),
    (httpx.Response(400, json=error_body("M7/053", "period")), ErpRejected, "M7/053"),
    (httpx.Response(400, json={"error": {"message": "plain"}}), ErpRejected, "HTTP/400"),
    (httpx.Response(400, text="not even JSON"), ErpRejected, "HTTP/400"),
]


@pytest.mark.parametrize(("answer", "error", "code"), REFUSALS)
async def test_a_booking_that_fails_is_classed_by_whether_it_was_certainly_not_processed(answer, error, code):
    with pytest.raises(ErpError) as raised:
        await adapter(Script(answer)).post(confirm(), lambda: None)
    assert type(raised.value) is error or (error is ErpRejected and isinstance(raised.value, ErpRejected))
    assert raised.value.code == code


async def test_the_cause_is_taken_from_inside_the_container_and_its_text_is_kept():
    details = [
        {"code": "MM_IM_ODATA_API_MDOC/014", "message": "see details", "severity": "error"},
        {"code": "M7/018", "message": "just so you know", "severity": "warning"},
        {"code": "M7/021", "message": "Deficit of BA Unrestricted-use 5 PC", "severity": "error"},
        {"code": "/IWBEP/CX_MGW_BUSI_EXCEPTION", "message": "Error", "severity": "error"},
    ]
    answer = httpx.Response(400, json=error_body("MM_IM_ODATA_API_MDOC/014", "An error occurred", details))
    with pytest.raises(ErpRejected) as raised:
        await adapter(Script(answer)).post(confirm(), lambda: None)
    assert raised.value.code == "M7/021"
    assert "Deficit of BA" in str(raised.value)


async def test_a_certificate_nobody_knows_is_a_matter_of_set_up():
    failure = httpx.ConnectError("[SSL: CERTIFICATE_VERIFY_FAILED] unable to get local issuer")
    failure.__cause__ = ssl.SSLCertVerificationError("unable to get local issuer certificate")
    with pytest.raises(ErpMisconfigured, match="ca_file"):
        await adapter(Script(failure)).post(confirm(), lambda: None)


def test_a_ca_file_that_is_not_there_is_named():
    with pytest.raises(ErpMisconfigured, match="nowhere"):
        adapter(Script(), ca_file="nowhere/ca.pem")


async def test_reads_never_leave_a_doubt():
    for answer in (httpx.Response(500), httpx.Response(200, text="<html>"), httpx.Response(200, json={"x": 1})):
        with pytest.raises(ErpUnavailable):
            await adapter(lambda _, a=answer: a).documents("1", "0010")


async def test_warnings_of_a_success_are_kept():
    message = '{"code":"RU/110","message":"Quantity is below planned","severity":"warning","details":[]}'
    answer = httpx.Response(
        201, json={"d": {"ConfirmationGroup": "1", "ConfirmationCount": "2"}}, headers={"sap-message": message}
    )
    document = (await adapter(Script(answer)).post(confirm(), lambda: None)).document
    assert document is not None
    assert document.warnings == ("RU/110: Quantity is below planned",)


async def test_pages_are_followed_on_our_address_though_sap_names_its_inner_host():
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        row = {"ConfirmationGroup": "1", "ConfirmationCount": str(len(asked)), "OrderID": "1"}
        body: dict[str, Any] = {"results": [row]}
        if len(asked) == 1:
            body["__next"] = "http://s4-inner:8000/sap/opu/odata/sap/API_PROD_ORDER_CONFIRMATION_2_SRV/X?$skiptoken=1"
        return httpx.Response(200, json={"d": body})

    erp = adapter(handler, url="https://gateway.example/s4", client="100")
    assert len(await erp.documents("1", "0010")) == 2
    assert asked[1].startswith("https://gateway.example/s4/sap/opu/odata/sap/API_PROD_ORDER_CONFIRMATION_2_SRV/X?")
    assert "sap-client=100" in asked[1]


async def test_pages_that_lead_round_in_a_circle_end():
    link = "https://sap.example/sap/opu/odata/sap/API_PROD_ORDER_CONFIRMATION_2_SRV/X?$skiptoken=1"
    page = {"d": {"results": [], "__next": link}}
    with pytest.raises(ErpUnavailable, match="circle"):
        await adapter(lambda _: httpx.Response(200, json=page)).documents("1", "0010")


async def test_a_process_order_is_refused_with_the_reason():
    head = {"ManufacturingOrder": "7", "ManufacturingOrderCategory": "40", "ProductionPlant": "1010"}
    with pytest.raises(ErpRejected, match="process order") as refused:
        await adapter(lambda _: httpx.Response(200, json={"d": head})).read_order("7")
    assert refused.value.code == "process_order_not_supported"


async def test_older_systems_are_read_by_the_component_navigation_they_have():
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        expand = request.url.params["$expand"]
        asked.append(expand)
        if "ComponentExt" in expand:
            return httpx.Response(400, json=error_body("/IWBEP/CM_MGW_EXP/001", "invalid navigation"))
        operation = {"ManufacturingOrderOperation": "0010", "OperationUnit": "PC", "OpPlannedTotalQuantity": "4"}
        component = {"Material": "RM", "RequiredQuantity": "8", "BaseUnit": "KG", "MatlCompIsMarkedForBackflush": True}
        head = {
            "ManufacturingOrder": "7",
            "ProductionPlant": "1010",
            "Material": "FG",
            "TotalQuantity": "4",
            "ProductionUnit": "PC",
            "OrderIsReleased": "X",
            "to_ProductionOrderOperation": {"results": [operation]},
            "to_ProductionOrderComponent": {"results": [component]},
            "to_ProductionOrderItem": {"results": []},
        }
        return httpx.Response(200, json={"d": head})

    erp = adapter(handler)
    order = await erp.read_order("7")
    await erp.read_order("7")
    assert [c.material for c in order.components] == ["RM"]
    assert len(asked) == 4


async def test_an_order_that_lacks_a_unit_is_refused_with_its_number():
    head = {"ManufacturingOrder": "7", "ProductionPlant": "1010", "Material": "FG", "TotalQuantity": "4"}
    with pytest.raises(ErpRejected, match="order 7") as refused:
        await adapter(lambda _: httpx.Response(200, json={"d": head})).read_order("7")
    assert refused.value.code == "order_incomplete"


async def test_a_completion_refused_inside_http_200_says_why():
    message = {
        "SystemMessageType": "E",
        "SystemMessageIdentification": "CO",
        "SystemMessageNumber": "688",
        "SystemMessageLongText": "Order has open reservations",
    }
    answer = httpx.Response(200, json={"d": {"TechlyCmpltOrder": message}})
    transaction = CompleteOrder(plant="demo", order="7", posting_date=date(2026, 11, 22))
    with pytest.raises(ErpRejected, match="open reservations") as refused:
        await adapter(Script(answer)).post(PostingIntent(key=uuid4(), transaction=transaction), lambda: None)
    assert refused.value.code == "CO/688"


def test_the_adapter_declares_what_it_can():
    capabilities = adapter(Script()).capabilities
    assert capabilities.find_by_key.supported
    assert set(capabilities.transactions) == set(TransactionType)


# --- the budget ------------------------------------------------------------------------------------------------------


async def test_calls_are_spaced_so_that_no_second_holds_more_than_the_limit():
    budget = LocalBudget(100)
    started = asyncio.get_running_loop().time()
    await asyncio.gather(*(budget.take(10) for _ in range(21)))
    assert asyncio.get_running_loop().time() - started >= 0.19


async def test_a_wait_that_would_be_too_long_is_refused_before_anything_is_sent():
    budget = LocalBudget(1)
    await budget.take(0.5)
    with pytest.raises(ErpBusy) as busy:
        await budget.take(0.5)
    assert busy.value.retry_after is not None
    assert busy.value.retry_after > 0.5


async def test_after_a_429_nobody_calls_before_its_time():
    answers = iter([httpx.Response(429, headers={"retry-after": "7"})])
    calls: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        calls.append(request.method)
        return next(answers)

    erp = adapter(handler)
    with pytest.raises(ErpBusy) as first:
        await erp.documents("1", "0010")
    with pytest.raises(ErpBusy) as second:
        await erp.documents("1", "0010")
    assert first.value.retry_after == 7
    assert second.value.retry_after is not None
    assert 6 < second.value.retry_after <= 7
    assert len(calls) == 1


# --- OData V2 --------------------------------------------------------------------------------------------------------


def test_literals_are_quoted_as_gateway_wants_them():
    assert text_literal("O'Neill") == "'O''Neill'"
    assert key_predicate(ManufacturingOrder="1") == "('1')"
    assert key_predicate(A="1", B="2") == "(A='1',B='2')"
    assert decimal_literal(Decimal("10.50")) == "10.5M"
    assert "+" not in query_text({"$filter": "A eq '1' and B eq '2'"})


def test_dates_and_times_are_read_in_every_form_sap_uses():
    assert date_of("/Date(1474416000000)/") == date(2016, 9, 21)
    assert date_of("/Date(1474416000000+0000)/") == date(2016, 9, 21)
    assert date_of("2016-09-21T09:00:00+09:00") == date(2016, 9, 21)
    assert date_of("") is date_of(None) is None
    assert time_of("PT15H51M04S") == time(15, 51, 4)
    assert time_of("PT00H00M00S") == time_of(None) == time()
    zone = ZoneInfo("Europe/Berlin")
    assert instant_of("/Date(1782864000000)/", "PT00H30M00S", zone) == datetime(2026, 6, 30, 22, 30, tzinfo=UTC)


def test_an_initial_guid_is_no_key():
    assert guid_of("00000000-0000-0000-0000-000000000000") is guid_of("") is guid_of(None) is None
    assert guid_of("FA163EAB-1234-1EDA-8000-000000000001") == UUID("fa163eab-1234-1eda-8000-000000000001")


@given(st.decimals(min_value=0, max_value=Decimal("9999999999.999"), places=3))
def test_quantities_survive_the_way_to_sap_and_back(value):
    written = quantity_text(value)
    assert "E" not in written.upper()
    assert Decimal(written) == value


@given(st.dates(min_value=date(1970, 1, 1), max_value=date(2099, 12, 31)), st.times())
def test_dates_and_times_survive_the_way_to_sap_and_back(day, at):
    assert date_of(json_date(day)) == day
    assert time_of(json_time(at)) == at.replace(microsecond=0)
