"""SAP's wire habits beyond one request: OAuth, repeatable requests, ETags, `$batch`, OData V4, bodies as they leave."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest

from erp.sap import SapErp, create_sap
from signals.bookings import StockKind
from signals.documents import ErpDocument, Snapshot
from signals.errors import ErpBusy, ErpInDoubt, ErpMisconfigured, ErpRejected, ErpUnavailable, Reason
from signals.transactions import CloseOrder, ConfirmProduction, MoveStock, PostingIntent, Reverse
from signals.upkeep import AdjustCapacity, CloseDowntime
from tests.erp.conftest import config_for
from tests.erp.scenes import OPTIONS, common

ENVIRON = {"SAP_USER": "u", "SAP_PASSWORD": "p", "SAP_CLIENT_ID": "plantwright", "SAP_CLIENT_SECRET": "s3cret-here"}
KEY = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
OAUTH = {"auth": "oauth", "token_url": "https://id.example/token", "scope": "erp"}
Handler = Callable[[httpx.Request], httpx.Response]


class Sap:
    """Answers tokens by itself and everything else by its routes: (method, end of the path) to answers, in turn."""

    def __init__(self, **routes: Any) -> None:
        self.requests: list[httpx.Request] = []
        self.tokens = 0
        self.routes: dict[tuple[str, str], list[httpx.Response]] = {}

    def on(self, method: str, end: str, *answers: httpx.Response) -> Sap:
        self.routes[(method, end)] = list(answers)
        return self

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "id.example":
            self.tokens += 1
            return httpx.Response(200, json={"access_token": f"t{self.tokens}", "expires_in": 3600})
        self.requests.append(request)
        for (method, end), answers in self.routes.items():
            if request.method == method and request.url.path.endswith(end):
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        if request.method == "GET":
            return httpx.Response(200, json={"d": {"EntitySets": []}}, headers={"x-csrf-token": "t0k"})
        return httpx.Response(201, json={"d": booked()})

    def sent(self, method: str = "POST") -> list[httpx.Request]:
        return [request for request in self.requests if request.method == method]


def booked(**changes: Any) -> dict[str, Any]:
    return {
        "ConfirmationGroup": "207",
        "ConfirmationCount": "1",
        "OrderID": "1000001",
        "OrderOperation": "0010",
    } | changes


def adapter(sap: Handler, *, options: dict[str, Any] | None = None, **changes: Any) -> SapErp:
    config = config_for("https://sap.example", sap=OPTIONS | (options or {}), **changes)
    return create_sap(config, "demo", ENVIRON, transport=httpx.MockTransport(sap))


def confirm(**changes: Any) -> PostingIntent:
    fields = common("1000001") | {"operation": "0010", "yield_quantity": Decimal(5), "unit": "PC"}
    return PostingIntent(key=KEY, transaction=ConfirmProduction(**fields | changes))


def go() -> None:
    """A guard that lets the request go."""


# --- OAuth -----------------------------------------------------------------------------------------------------------


async def test_with_oauth_every_call_carries_the_token_and_basic_is_never_sent():
    sap = Sap()
    await adapter(sap, **OAUTH).post(confirm(), go)
    assert {r.headers["authorization"] for r in sap.requests} == {"Bearer t1"}
    assert sap.tokens == 1


async def test_a_token_that_sap_refuses_is_renewed_once_and_the_guard_is_asked_again():
    sap = Sap().on("POST", "ProdnOrdConf2", httpx.Response(401), httpx.Response(201, json={"d": booked()}))
    asked: list[int] = []
    await adapter(sap, **OAUTH).post(confirm(), lambda: asked.append(len(sap.sent())))
    assert [r.headers["authorization"] for r in sap.sent()] == ["Bearer t1", "Bearer t2"]
    assert asked == [0, 1]


async def test_a_token_that_is_refused_again_is_a_matter_of_set_up():
    sap = Sap().on("POST", "ProdnOrdConf2", httpx.Response(401))
    with pytest.raises(ErpMisconfigured) as raised:
        await adapter(sap, **OAUTH).post(confirm(), go)
    assert len(sap.sent()) == 2
    assert "s3cret-here" not in str(raised.value)


def test_oauth_names_what_it_lacks():
    config = config_for("https://sap.example", **OAUTH)
    with pytest.raises(ErpMisconfigured, match="SAP_CLIENT_ID and SAP_CLIENT_SECRET"):
        create_sap(config, "demo", {})
    with pytest.raises(ErpMisconfigured, match="token_url"):
        create_sap(config_for("https://sap.example", auth="oauth"), "demo", ENVIRON)


# --- repeatable requests ---------------------------------------------------------------------------------------------


async def test_a_retry_of_the_same_intent_is_the_same_request_to_the_byte():
    sap = Sap()
    for _ in range(2):
        await adapter(sap, options={"repeatability": True}).post(confirm(), go)
    first, second = sap.sent()
    assert first.content == second.content
    for name in ("requestid", "repeatabilitycreation"):
        assert first.headers[name] == second.headers[name]
    assert first.headers["requestid"] == KEY.hex.upper()
    assert len(first.headers["requestid"]) == 32
    created = datetime.fromisoformat(first.headers["repeatabilitycreation"])
    assert created.date() == date(2026, 11, 22)


async def test_without_the_option_no_request_id_is_sent_and_questions_never_carry_one():
    sap = Sap()
    await adapter(sap).post(confirm(), go)
    assert "requestid" not in sap.sent()[0].headers


@pytest.mark.parametrize("result", ["accepted", "unsupported"])
async def test_a_result_that_only_tells_of_the_framework_changes_nothing(result):
    answer = httpx.Response(201, json={"d": booked()}, headers={"RepeatabilityResult": result})
    sap = Sap().on("POST", "ProdnOrdConf2", answer)
    booking = await adapter(sap, options={"repeatability": True}).post(confirm(), go)
    assert booking.document is not None


async def test_a_rejected_or_outdated_request_id_leaves_a_doubt():
    rejected = httpx.Response(201, json={"d": booked()}, headers={"RepeatabilityResult": "rejected"})
    outdated = httpx.Response(400, json={"error": {"code": "/IWBEP/CM_COS/005", "message": {"value": "outdated"}}})
    for answer in (rejected, outdated):
        with pytest.raises(ErpInDoubt):
            await adapter(Sap().on("POST", "ProdnOrdConf2", answer), options={"repeatability": True}).post(
                confirm(), go
            )


async def test_where_repeatability_is_not_set_up_a_person_is_told():
    answer = httpx.Response(400, json={"error": {"code": "/IWBEP/CM_COS/001", "message": {"value": "not configured"}}})
    with pytest.raises(ErpMisconfigured):
        await adapter(Sap().on("POST", "ProdnOrdConf2", answer), options={"repeatability": True}).post(confirm(), go)


async def test_a_repeated_request_gets_the_stored_answer_and_books_once(sap, order):
    await sap.settings(repeatability=True)
    erp = sap.adapter(sap={"repeatability": True})
    intent = confirm(order=order)
    first, second = await erp.post(intent, go), await erp.post(intent, go)
    assert first.document == second.document
    assert len(await sap.standing(order)) == 1
    await erp.aclose()


# --- ETags -----------------------------------------------------------------------------------------------------------


def notification(**changes: Any) -> httpx.Response:
    row = {"MaintenanceNotification": "10000001", "__metadata": {"etag": 'W/"7"'}} | changes
    return httpx.Response(200, json={"d": row}, headers={"x-csrf-token": "t0k"})


def ending() -> PostingIntent:
    times = {"started_at": datetime(2026, 11, 22, 7, tzinfo=UTC), "ended_at": datetime(2026, 11, 22, 8, tzinfo=UTC)}
    return PostingIntent(
        key=KEY, transaction=CloseDowntime(**common(""), stop="D1", asset="EQ1", notification="10000001", **times)
    )


NOTIFICATION = "MaintenanceNotification('10000001')"


async def test_a_change_carries_the_etag_that_was_read_and_an_empty_answer_is_a_success():
    sap = Sap().on("GET", NOTIFICATION, notification()).on("PATCH", NOTIFICATION, httpx.Response(204))
    booking = await adapter(sap).post(ending(), go)
    assert booking.document is not None
    (patch,) = sap.sent("PATCH")
    assert patch.headers["if-match"] == 'W/"7"'
    assert set(json.loads(patch.content)) == {"MalfunctionEndDate", "MalfunctionEndTime"}


@pytest.mark.parametrize("status", [412, 428])
async def test_a_stale_or_missing_etag_was_not_processed_and_is_read_again(status):
    fresh = notification(__metadata={"etag": 'W/"8"'})
    sap = Sap().on("GET", NOTIFICATION, notification(), fresh)
    sap.on("PATCH", NOTIFICATION, httpx.Response(status), httpx.Response(204))
    erp = adapter(sap)
    with pytest.raises(ErpUnavailable) as raised:
        await erp.post(ending(), go)
    assert raised.value.code == f"HTTP/{status}"
    await erp.post(ending(), go)
    assert [r.headers["if-match"] for r in sap.sent("PATCH")] == ['W/"7"', 'W/"8"']


# --- $batch ----------------------------------------------------------------------------------------------------------


def order_with_milestone() -> httpx.Response:
    operations = [
        {"ManufacturingOrderOperation": "0010", "OperationControlProfile": "PP01"},
        {"ManufacturingOrderOperation": "0020", "OperationControlProfile": "PP05"},
    ]
    head = {
        "ManufacturingOrder": "1000001",
        "ProductionPlant": "1010",
        "Material": "FG",
        "TotalQuantity": "10",
        "ProductionUnit": "PC",
        "OrderIsReleased": "X",
        "to_ProductionOrderOperation": {"results": [o | {"OperationUnit": "PC"} for o in operations]},
        "to_ProductionOrderComponentExt4": {"results": []},
        "to_ProductionOrderItem": {"results": []},
    }
    return httpx.Response(200, json={"d": head})


def batch_answer(*bodies: dict[str, Any], status: str = "200 OK") -> httpx.Response:
    parts = [
        "--B\r\nContent-Type: application/http\r\nContent-Length: 9999\r\ncontent-transfer-encoding: binary\r\n\r\n"
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n\r\n{json.dumps(body)}\r\n"
        for body in bodies
    ]
    return httpx.Response(
        202, headers={"content-type": "multipart/mixed; boundary=B"}, text="".join(parts) + "--B--\r\n"
    )


MILESTONE = ErpDocument(document="207/1", order="1000001", operation="0020")


async def test_reads_of_one_service_share_a_call_where_sap_takes_a_batch():
    own = {"d": booked(OrderOperation="0020", to_ProdnOrdConfMatlDocItm={"results": []})}
    sap = Sap().on("GET", "A_ProductionOrder_2('1000001')", order_with_milestone())
    sap.on("POST", "$batch", batch_answer(own, {"d": {"results": [own["d"]]}}))
    read = await adapter(sap).read_back(MILESTONE)
    assert read.document == "207/1"
    (asked,) = sap.sent()
    assert asked.headers["content-type"].startswith("multipart/mixed")
    assert asked.content.count(b"GET ProdnOrdConf2") == 2


async def test_a_system_without_batch_is_read_one_by_one_and_not_asked_again():
    own = {"d": booked(OrderOperation="0020", to_ProdnOrdConfMatlDocItm={"results": []})}
    sap = Sap().on("GET", "A_ProductionOrder_2('1000001')", order_with_milestone())
    sap.on("POST", "$batch", httpx.Response(501, json={"error": {"code": "X", "message": {"value": "no"}}}))
    sap.on("GET", "ConfirmationCount='1')", httpx.Response(200, json=own))
    sap.on("GET", "ProdnOrdConf2", httpx.Response(200, json={"d": {"results": []}}))
    erp = adapter(sap)
    for _ in range(2):
        assert (await erp.read_back(MILESTONE)).document == "207/1"
    assert len(sap.sent()) == 1


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(202, headers={"content-type": "text/html"}, text="<html>"),
        httpx.Response(
            202, headers={"content-type": "multipart/mixed; boundary=B"}, text="--B\r\n\r\nnonsense\r\n--B--"
        ),
        batch_answer({"d": {}}),
    ],
)
async def test_a_batch_answer_that_cannot_be_read_is_asked_for_one_by_one(answer):
    own = {"d": booked(OrderOperation="0020", to_ProdnOrdConfMatlDocItm={"results": []})}
    sap = Sap().on("GET", "A_ProductionOrder_2('1000001')", order_with_milestone()).on("POST", "$batch", answer)
    sap.on("GET", "ConfirmationCount='1')", httpx.Response(200, json=own))
    sap.on("GET", "ProdnOrdConf2", httpx.Response(200, json={"d": {"results": []}}))
    assert (await adapter(sap).read_back(MILESTONE)).document == "207/1"


async def test_a_failure_inside_a_batch_is_a_failure_of_that_read():
    error = {"error": {"code": "SY/530", "message": {"value": "dump"}}}
    sap = Sap().on("GET", "A_ProductionOrder_2('1000001')", order_with_milestone())
    sap.on("POST", "$batch", batch_answer(error, error, status="500 Internal Server Error"))
    with pytest.raises(ErpUnavailable):
        await adapter(sap).read_back(MILESTONE)


# --- V4 and messages in successes ------------------------------------------------------------------------------------


def capacity_change() -> PostingIntent:
    change = AdjustCapacity(
        **common(""),
        change="K1",
        work_centre="PRESS",
        starts_at=datetime(2026, 12, 1, tzinfo=UTC),
        ends_at=datetime(2026, 12, 2, tzinfo=UTC),
        available_percent=Decimal(0),
    )
    return PostingIntent(key=KEY, transaction=change)


def centre() -> httpx.Response:
    key = {"WorkCenterInternalID": "1", "WorkCenterTypeCode": "A"}
    capacity = key | {"CapacityInternalID": "2", "CapacityCategoryCode": "001", "CapacityNumberOfCapacities": 3}
    row = key | {"WorkCenter": "PRESS", "_WorkCenterCapacity": [capacity]}
    return httpx.Response(200, json={"value": [row]}, headers={"x-csrf-token": "t0k"})


async def test_a_v4_refusal_keeps_its_code_and_the_cause_in_its_details():
    body = {"error": {"code": "CR/300", "message": "no", "details": [{"code": "CR/301", "message": "it overlaps"}]}}
    sap = (
        Sap()
        .on("GET", "WorkCenter", centre())
        .on("POST", "_WorkCenterCapacityInterval", httpx.Response(400, json=body))
    )
    with pytest.raises(ErpRejected, match="it overlaps") as raised:
        await adapter(sap).post(capacity_change(), go)
    assert raised.value.reason is Reason.RULE
    (post,) = sap.sent()
    assert post.url.path.startswith(
        "/sap/opu/odata4/sap/api_work_center/srvd_a2x/sap/workcenter/0001/WorkCenterCapacity("
    )
    assert post.headers["x-csrf-token"] == "t0k"
    assert json.loads(post.content) == {
        "CapacityActiveVersion": "01",
        "IntervalStartDate": "2026-12-01",
        "IntervalEndDate": "2026-12-01",
        "CapacityPlanUtilizationPercent": "0",
        "CapacityNumberOfCapacities": 3,
    }


async def test_v4_messages_of_a_success_are_kept_as_warnings():
    row = {
        "WorkCenterInternalID": "1",
        "WorkCenterTypeCode": "A",
        "CapacityInternalID": "2",
        "CapacityActiveVersion": "01",
        "IntervalEndDate": "2026-12-01",
        "SAP__Messages": [{"code": "CR/9", "message": "shifts are missing", "numericSeverity": 3}],
    }
    sap = Sap().on("GET", "WorkCenter", centre())
    sap.on("POST", "_WorkCenterCapacityInterval", httpx.Response(201, json=row))
    booking = await adapter(sap).post(capacity_change(), go)
    assert booking.document is not None
    assert booking.document.document == "1/A/2/01/2026-12-01@"
    assert booking.document.warnings == ("CR/9: shifts are missing",)


@pytest.mark.parametrize(("number", "error"), [("688", ErpRejected), ("006", ErpBusy)])
async def test_a_refusal_inside_http_200_is_one_whichever_function_answers(number, error):
    message = {
        "SystemMessageType": "E",
        "SystemMessageIdentification": "ME" if number == "006" else "BS",
        "SystemMessageNumber": number,
        "SystemMessageLongText": "not now",
    }
    for name in ("CloseOrder", "CancelProdnOrdConf"):
        sap = Sap().on("POST", name, httpx.Response(200, json={"d": {name: message}}))
        transaction = (
            CloseOrder(**common("1000001")) if name == "CloseOrder" else Reverse(**common("1000001"), document="207/1")
        )
        with pytest.raises(error) as raised:
            await adapter(sap).post(PostingIntent(key=KEY, transaction=transaction), go)
        assert type(raised.value) is error
        assert raised.value.reason in (Reason.ORDER_STATUS, Reason.OTHER)


# --- bodies ----------------------------------------------------------------------------------------------------------


def receiving_order() -> httpx.Response:
    answer = order_with_milestone().json()
    answer["d"]["to_ProductionOrderOperation"]["results"] = [
        {"ManufacturingOrderOperation": "0010", "OperationControlProfile": "PP03", "OperationUnit": "PC"}
    ]
    answer["d"]["to_ProductionOrderItem"] = {
        "results": [{"ManufacturingOrderItem": "1", "Material": "FG", "ProductionUnit": "PC"}]
    }
    return httpx.Response(200, json=answer)


PROPOSAL = httpx.Response(
    200,
    json={
        "d": {
            "results": [
                {"Material": "RM", "GoodsMovementType": "261", "QuantityInEntryUnit": "5", "EntryUnit": "KG"},
                {"Material": "FG", "GoodsMovementType": "101", "QuantityInEntryUnit": "5", "EntryUnit": "PC"},
            ]
        }
    },
)


@pytest.mark.parametrize(("stock", "code"), [(StockKind.BLOCKED, "S"), (StockKind.INSPECTION, "X")])
async def test_a_receipt_of_a_held_scope_is_proposed_by_sap_and_sent_to_the_other_stock(stock, code):
    sap = Sap().on("GET", "A_ProductionOrder_2('1000001')", receiving_order()).on("POST", "GetGdsMvtProposal", PROPOSAL)
    await adapter(sap).post(confirm(receipt_stock=stock), go)
    issue, receipt = json.loads(sap.sent()[-1].content)["to_ProdnOrdConfMatlDocItm"]
    assert "InventoryUsabilityCode" not in issue
    assert receipt["InventoryUsabilityCode"] == code


async def test_an_operation_that_receives_nothing_asks_for_no_proposal():
    sap = Sap().on("GET", "A_ProductionOrder_2('1000001')", order_with_milestone())
    await adapter(sap).post(confirm(receipt_stock=StockKind.BLOCKED), go)
    assert [r.url.path.rpartition("/")[2] for r in sap.sent()] == ["ProdnOrdConf2"]


async def test_units_are_mapped_on_the_way_out_and_back():
    sap = Sap().on("POST", "ProdnOrdConf2", httpx.Response(201, json={"d": booked(ConfirmationUnit="ST")}))
    erp = adapter(sap, units={"PC": "ST"})
    document = (await erp.post(confirm(), go)).document
    assert json.loads(sap.sent()[0].content)["ConfirmationUnit"] == "ST"
    assert document is not None
    assert document.unit == "PC"


async def test_finding_asks_for_guid_and_text_in_one_call():
    sap = Sap().on("GET", "ProdnOrdConf2", httpx.Response(200, json={"d": {"results": []}}))
    booking = await adapter(sap).find(confirm(), Snapshot())
    assert booking.document is None
    (asked,) = sap.requests
    condition = asked.url.params["$filter"]
    assert str(KEY) in condition
    assert "startswith(ConfirmationText" in condition


async def test_a_cancellation_is_told_by_the_originals_flags_where_it_cannot_be_searched():
    item = {"MaterialDocument": "4900000001", "MaterialDocumentYear": "2026", "GoodsMovementIsCancelled": True}
    header = {"MaterialDocument": "4900000001", "MaterialDocumentYear": "2026"}
    shown = header | {"to_MaterialDocumentItem": {"results": [item | {"Material": "X", "GoodsMovementType": "311"}]}}
    sap = Sap().on("GET", "A_MaterialDocumentItem", httpx.Response(400, json={"error": {"code": "X"}}))
    sap.on("GET", "MaterialDocument='4900000001')", httpx.Response(200, json={"d": shown}))
    fields = {"material": "X", "quantity": Decimal(1), "unit": "PC", "from_location": "A", "to_location": "B"}
    reverse = Reverse(**common(""), document="4900000001/2026", original=MoveStock(**common(""), **fields))
    booking = await adapter(sap).find(PostingIntent(key=KEY, transaction=reverse), Snapshot())
    assert booking.document is not None
    assert booking.document.reversal
