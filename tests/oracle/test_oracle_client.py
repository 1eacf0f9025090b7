"""Wire habits of Oracle's REST, on a scripted transport: headers, error shapes, flags, paging, tokens, the guard."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from erp.oracle import OracleErp, create_oracle
from signals.documents import Snapshot
from signals.errors import ErpBusy, ErpError, ErpInDoubt, ErpMisconfigured, ErpRejected, ErpUnavailable, Reason
from tests.oracle.conftest import ENVIRON, config_for
from tests.oracle.postings import confirmed, free, intent

ORDER = {
    "WorkOrderId": 300000012345678901,
    "WorkOrderNumber": "WO1",
    "OrganizationCode": "M1",
    "ItemNumber": "FG-100",
    "WorkOrderSystemStatusCode": "RELEASED",
    "PlannedStartQuantity": 100,
    "UOMCode": "EA",
    "WorkOrderOperation": [{"OperationSequenceNumber": 10, "CompletedQuantity": 0.1}],
    "WorkOrderMaterial": [],
    "WorkOrderResource": [],
}
DETAIL = "OperationTransactionDetail"
Handler = Callable[[httpx.Request], httpx.Response]


def answer_of(request: httpx.Request) -> httpx.Response | None:
    """Reads that every confirmation makes."""
    if request.method != "GET":
        return None
    rows = [ORDER] if request.url.path.endswith("/workOrders") else []
    return httpx.Response(200, json={"items": rows, "count": len(rows), "hasMore": False})


def adapter(handler: Handler, **changes: Any) -> OracleErp:
    def handle(request: httpx.Request) -> httpx.Response:
        return answer_of(request) or handler(request)

    return create_oracle(
        config_for("https://oracle.example", **changes), "demo", ENVIRON, transport=httpx.MockTransport(handle)
    )


def line(**more: Any) -> dict[str, Any]:
    return {"ErrorMessages": None, "ErrorMessageNames": None, **more}


def created(flag: str, *lines: dict[str, Any]) -> httpx.Response:
    return httpx.Response(201, json={"ErrorsExistFlag": flag, DETAIL: {"items": list(lines), "hasMore": False}})


async def posted(response: httpx.Response | Handler, **more: Any) -> Any:
    handler = response if callable(response) else lambda _: response
    erp = adapter(handler)
    try:
        return (await erp.post(intent(confirmed("WO1", "5", **more)), free)).document
    finally:
        await erp.aclose()


# --- what leaves -----------------------------------------------------------------------------------------------------


async def test_every_call_pins_the_framework_version_and_names_its_media_types() -> None:
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer_of(request) or created("false", line())

    erp = create_oracle(config_for("https://oracle.example"), "demo", ENVIRON, transport=httpx.MockTransport(handle))
    await erp.post(intent(confirmed("WO1", "0.1")), free)
    await erp.aclose()
    assert {request.headers["rest-framework-version"] for request in seen} == {"4"}
    reads = [request for request in seen if request.method == "GET"]
    assert all("resourcecollection+json" in request.headers["accept"] for request in reads)
    booking = next(request for request in seen if request.method == "POST")
    assert booking.headers["content-type"] == "application/vnd.oracle.adf.resourceitem+json"
    assert "upsert-mode" not in booking.headers
    body = json.loads(booking.content)
    assert body["SourceSystemCode"] == "PLANTWRIGHT"
    row = body[DETAIL][0]
    assert (row["WoOperationSequenceNumber"], row["TransactionQuantity"], row["TransactionUOMCode"]) == (10, 0.1, "EA")
    assert (row["FromDispatchState"], row["ToDispatchState"]) == ("READY", "COMPLETE")
    assert str(reads[0].url.query, "ascii").startswith("q=OrganizationCode='M1'%20and%20WorkOrderNumber='WO1'")


async def test_the_guard_runs_last_and_stops_the_bytes() -> None:
    sent: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        sent.append(request.method)
        return created("false", line())

    def late() -> None:
        assert "POST" not in sent
        raise ErpUnavailable("the deadline passed")

    erp = adapter(handle)
    with pytest.raises(ErpUnavailable, match="deadline"):
        await erp.post(intent(confirmed("WO1")), late)
    assert sent == []
    await erp.aclose()


async def test_a_quantity_that_a_json_number_cannot_hold_is_refused_before_anything_is_sent() -> None:
    erp = adapter(lambda _: created("false", line()))
    wanted = intent(confirmed("WO1", "1234567890.123456"))
    assert (await erp.check(wanted)).startswith("oracle-quantity-digits/1")
    with pytest.raises(ErpRejected) as caught:
        await erp.post(wanted, free)
    assert caught.value.reason is Reason.RULE
    await erp.aclose()


# --- what comes back -------------------------------------------------------------------------------------------------


async def test_numbers_stay_exact_and_ids_stay_whole() -> None:
    erp = adapter(lambda _: created("false", line()))
    assert (await erp.totals("WO1"))[0].yield_quantity == Decimal("0.1")
    await erp.aclose()


@pytest.mark.parametrize("flag", ["false", "False", "FALSE"])
async def test_a_201_without_errors_is_booked(flag: str) -> None:
    assert (await posted(created(flag, line()))).yield_quantity == 5


async def test_lines_may_come_as_a_plain_array() -> None:
    answer = httpx.Response(201, json={"ErrorsExistFlag": "false", DETAIL: [line()]})
    assert (await posted(answer)).yield_quantity == 5


@pytest.mark.parametrize(
    "answer",
    [
        created("true", line(ErrorMessages="Not enough on-hand quantity", ErrorMessageNames="INV_X")),
        created("true", line(ErrorMessages=["Not enough on-hand quantity"], ErrorMessageNames=["INV_X"])),
        created("false", line(ErrorMessages="Not enough on-hand quantity", ErrorMessageNames="INV_X")),
    ],
)
async def test_a_201_whose_line_has_errors_is_a_refusal(answer: httpx.Response) -> None:
    with pytest.raises(ErpRejected, match="on-hand") as caught:
        await posted(answer)
    assert (caught.value.code, caught.value.reason) == ("INV_X", Reason.STOCK_SHORT)


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(201, json={DETAIL: [line()]}),
        httpx.Response(201, json={"ErrorsExistFlag": "false"}),
        httpx.Response(201, json={"ErrorsExistFlag": "false", DETAIL: []}),
        created("true", line()),
        httpx.Response(201, content=b""),
        httpx.Response(200, text="<html>signed out</html>"),
        httpx.Response(500, text="Internal Server Error"),
        httpx.Response(503, text="Service Unavailable"),
        httpx.Response(504, text="Gateway Timeout"),
        created("true", line(ErrorMessages="The transaction has been processed before", ErrorMessageNames="DUPLICATE")),
    ],
)
async def test_an_answer_that_proves_nothing_leaves_a_doubt(answer: httpx.Response) -> None:
    with pytest.raises(ErpInDoubt):
        await posted(answer)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (httpx.Response(429, headers={"retry-after": "7"}, text="Too Many Requests"), ErpBusy, "HTTP/429"),
        (httpx.Response(401, text=""), ErpMisconfigured, "HTTP/401"),
        (httpx.Response(403, json={"title": "Forbidden"}), ErpMisconfigured, "HTTP/403"),
        (httpx.Response(404, text="Not Found"), ErpMisconfigured, "HTTP/404"),
        (httpx.Response(302, headers={"location": "/login"}), ErpMisconfigured, "HTTP/302"),
        (httpx.Response(415, json={"title": "Unsupported"}), ErpRejected, "HTTP/415"),
    ],
)
async def test_http_refusals_have_their_class(answer: httpx.Response, kind: type[ErpError], code: str) -> None:
    with pytest.raises(kind) as caught:
        await posted(answer)
    assert caught.value.code == code
    if isinstance(caught.value, ErpBusy):
        assert caught.value.retry_after == 7


@pytest.mark.parametrize(
    "body",
    [
        {"json": {"title": "Bad Request", "status": "400", "o:errorDetails": [{"detail": "period is closed"}]}},
        {"json": {"title": "Bad Request", "detail": "period is closed"}},
        {"json": {"title": "period is closed"}},
        {"text": "period is closed"},
    ],
)
async def test_every_shape_of_an_error_is_read(body: dict[str, Any]) -> None:
    with pytest.raises(ErpRejected, match="period is closed") as caught:
        await posted(httpx.Response(400, **body))
    assert caught.value.reason is Reason.PERIOD_CLOSED


async def test_a_row_that_somebody_else_holds_is_busy() -> None:
    detail = {"detail": "JBO-26030: Failed to lock the record", "o:errorCode": "JBO-26030"}
    with pytest.raises(ErpBusy):
        await posted(httpx.Response(400, json={"o:errorDetails": [detail]}))


async def test_a_connection_that_never_stood_books_nothing_and_one_that_broke_leaves_a_doubt() -> None:
    def refused(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    def broken(request: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout("", request=request)

    with pytest.raises(ErpUnavailable):
        await posted(refused)
    with pytest.raises(ErpInDoubt):
        await posted(broken)


async def test_pages_are_followed_until_there_are_no_more() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        offset = int(request.url.params["offset"])
        head = {"WorkOrderNumber": f"WO{offset}", "WorkOrderSystemStatusCode": "RELEASED", "LastUpdateDate": "x"}
        return httpx.Response(200, json={"items": [head], "hasMore": offset < 2})

    erp = create_oracle(config_for("https://oracle.example"), "demo", ENVIRON, transport=httpx.MockTransport(handle))
    assert [head.order for head in await erp.released_orders()] == ["WO0", "WO1", "WO2"]
    await erp.aclose()


async def test_pages_that_never_end_are_no_answer() -> None:
    erp = create_oracle(
        config_for("https://oracle.example"),
        "demo",
        ENVIRON,
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json={"items": [], "hasMore": True})),
    )
    with pytest.raises(ErpUnavailable, match="never end"):
        await erp.released_orders()
    await erp.aclose()


async def test_an_expired_token_is_renewed_once_and_the_booking_sent_once() -> None:
    tokens = iter(["old", "new"])
    bookings: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/oauth2/v1/token":
            return httpx.Response(200, json={"access_token": next(tokens), "expires_in": 3600})
        if request.method == "GET":
            return answer_of(request) or httpx.Response(500)
        if request.headers["authorization"] == "Bearer old":
            return httpx.Response(401, text="")
        bookings.append(request.headers["authorization"])
        return created("false", line())

    erp = create_oracle(
        config_for("https://oracle.example", auth="oauth"), "demo", ENVIRON, transport=httpx.MockTransport(handle)
    )
    assert (await erp.post(intent(confirmed("WO1")), free)).document is not None
    assert bookings == ["Bearer new"]
    await erp.aclose()


async def test_links_to_an_inner_host_are_asked_at_our_address() -> None:
    hosts: set[str] = set()

    def handle(request: httpx.Request) -> httpx.Response:
        hosts.add(request.url.host)
        link = {"rel": "self", "href": "http://inner:7001/fscmRestApi/resources/11.13.18.05/inventoryItemLots/0002HASH"}
        if request.url.path.endswith("/0002HASH"):
            return httpx.Response(200, json={"MaterialStatusCode": "Hold"}, headers={"etag": '"A"'})
        item = {"ItemNumber": "RM-1", "OrganizationId": 1, "ItemId": 2, "MaterialStatusCode": "Hold", "links": [link]}
        return httpx.Response(200, json={"items": [item], "hasMore": False})

    erp = create_oracle(config_for("https://oracle.example"), "demo", ENVIRON, transport=httpx.MockTransport(handle))
    from signals.stock import MaterialPosition
    from tests.oracle.test_oracle_stock import held

    hold = intent(held("RM-1", MaterialPosition.BATCH, batch="L1"))
    assert (await erp.post(hold, free)).document is not None
    assert hosts == {"oracle.example"}
    await erp.aclose()


async def test_a_read_that_cannot_be_read_is_no_answer_and_books_nothing() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"items": [ORDER | {"PlannedStartQuantity": "many"}], "hasMore": False})

    erp = create_oracle(config_for("https://oracle.example"), "demo", ENVIRON, transport=httpx.MockTransport(handle))
    with pytest.raises(ErpUnavailable, match="many"):
        await erp.find(intent(confirmed("WO1")), Snapshot(figures=_FIGURES))
    await erp.aclose()


_FIGURES = {f"operation 10 {name}": "0" for name in ("completed", "scrapped", "rejected")}


def test_missing_credentials_are_named() -> None:
    with pytest.raises(ErpMisconfigured, match="ORACLE_USER and ORACLE_PASSWORD"):
        create_oracle(config_for("https://oracle.example"), "demo", {})
    with pytest.raises(ErpMisconfigured, match="ORACLE_CLIENT_ID and ORACLE_CLIENT_SECRET"):
        create_oracle(config_for("https://oracle.example", auth="oauth"), "demo", {})
    with pytest.raises(ErpMisconfigured, match="ca_file"):
        create_oracle(config_for("https://oracle.example", ca_file="/nowhere.pem"), "demo", ENVIRON)


async def test_operations_between_count_points_are_left_to_oracle() -> None:
    rows = [{"OperationSequenceNumber": n, "CountPointOperationFlag": n != 10} for n in (30, 10, 20)]

    def handle(request: httpx.Request) -> httpx.Response:
        found = [ORDER | {"WorkOrderOperation": rows}] if request.url.path.endswith("/workOrders") else []
        return httpx.Response(200, json={"items": found, "hasMore": False})

    erp = create_oracle(config_for("https://oracle.example"), "demo", ENVIRON, transport=httpx.MockTransport(handle))
    order = await erp.read_order("WO1")
    assert [(o.operation, o.confirmation.value) for o in order.operations] == [
        ("0010", "none"),
        ("0020", "milestone"),
        ("0030", "milestone"),
    ]
    await erp.aclose()


async def test_a_movement_that_only_waits_in_the_interface_is_pending() -> None:
    from tests.oracle.test_oracle_stock import moved

    staged = {"TransactionInterfaceId": 300000012345678999, "ProcessStatus": 1}

    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(201, json=staged)
        if request.url.path.endswith("/300000012345678999"):
            return httpx.Response(200, json=staged)
        item = {"ItemNumber": "RM-1", "OrganizationId": 1, "ItemId": 2}
        found = [item] if request.url.path.endswith("/itemsV2") else []
        return httpx.Response(200, json={"items": found, "hasMore": False})

    erp = create_oracle(config_for("https://oracle.example"), "demo", ENVIRON, transport=httpx.MockTransport(handle))
    booking = await erp.post(intent(moved("RM-1")), free)
    assert (booking.document, booking.pending, booking.receipt) == (None, True, "300000012345678999")
    await erp.aclose()


async def test_a_look_that_fails_after_a_booking_takes_nothing_back() -> None:
    reads = iter([ORDER])

    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return created("false", line())
        if not request.url.path.endswith("/workOrders"):
            return httpx.Response(200, json={"items": [], "hasMore": False})
        order = next(reads, None)
        return httpx.Response(200, json={"items": [order]}) if order else httpx.Response(503, text="down")

    erp = create_oracle(config_for("https://oracle.example"), "demo", ENVIRON, transport=httpx.MockTransport(handle))
    document = (await erp.post(intent(confirmed("WO1")), free)).document
    assert document is not None
    assert "not read after the booking" in document.warnings[0]
    await erp.aclose()


async def test_a_duplicate_that_cannot_be_looked_at_stays_a_doubt() -> None:
    from tests.oracle.test_oracle_records import opened

    def handle(request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(503, text="down")
        return httpx.Response(400, json={"o:errorDetails": [{"detail": "exists already", "o:errorCode": "JBO-25013"}]})

    erp = create_oracle(config_for("https://oracle.example"), "demo", ENVIRON, transport=httpx.MockTransport(handle))
    with pytest.raises(ErpInDoubt):
        await erp.post(intent(opened()), free)
    await erp.aclose()
