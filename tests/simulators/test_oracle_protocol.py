"""The simulated Oracle's protocol, row by row of the reference: access, framework versions, queries, paging, ETags."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.oracle.books import Books
from simulators.oracle.errors import Refusal
from simulators.oracle.query import compile_query
from simulators.oracle.resources import WORK_ORDER
from tests.simulators.oracle_bench import (
    ACTION,
    CLIENT,
    ITEM,
    ROOT,
    line,
    oracle_fixture,
    order,
    start_oracle_fixture,
)

__all__ = ["oracle_fixture", "start_oracle_fixture"]
LATEST = "/fscmRestApi/resources/latest"
TOKEN = "/oauth2/v1/token"


async def raw(oracle, path: str, *, version: str | None = None, **options: Any) -> httpx.Response:
    """A GET with exactly the headers given; none of the bench's own."""
    headers = {"rest-framework-version": version} if version else {}
    async with httpx.AsyncClient(base_url=oracle.url, trust_env=False) as http:
        return await http.get(path, headers=headers | options.pop("headers", {}), **options)


async def token(oracle, **form: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=oracle.url, trust_env=False) as http:
        return await http.post(TOKEN, data={"grant_type": "client_credentials"} | form, auth=CLIENT)


async def test_both_roots_answer_and_health_needs_no_password(oracle):
    for root in (ROOT, LATEST):
        answer = await oracle.http.get(f"{root}/workOrders", params={"limit": "1"})
        assert answer.status_code == 200
        assert answer.json()["items"][0]["links"][0]["href"].startswith(oracle.url + root)
    assert (await raw(oracle, "/healthz")).status_code == 200


async def test_without_the_right_password_or_token_everything_is_401(oracle):
    for options in ({}, {"auth": ("SHOP", "wrong")}, {"headers": {"authorization": "Bearer nonsense"}}):
        answer = await raw(oracle, f"{ROOT}/workOrders", **options)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith(("Basic", "Bearer"))


async def test_an_oauth_token_opens_until_it_expires(oracle):
    granted = (await token(oracle)).json()
    assert (granted["token_type"], granted["expires_in"]) == ("Bearer", 3600)
    headers = {"authorization": f"Bearer {granted['access_token']}"}
    assert (await raw(oracle, f"{ROOT}/workOrders", headers=headers)).status_code == 200
    await oracle.control("settings", {"token_seconds": 0.05})
    short = {"authorization": f"Bearer {(await token(oracle)).json()['access_token']}"}
    async with asyncio.timeout(5):
        while (await raw(oracle, f"{ROOT}/workOrders", headers=short)).status_code == 200:
            pass
    assert (await raw(oracle, f"{ROOT}/workOrders", headers=headers)).status_code == 200


async def test_the_token_endpoint_refuses_in_the_words_of_oauth(oracle):
    async with httpx.AsyncClient(base_url=oracle.url, trust_env=False) as http:
        wrong = await http.post(TOKEN, data={"grant_type": "client_credentials"}, auth=("shop-client", "wrong"))
        assert (wrong.status_code, wrong.json()["error"]) == (401, "invalid_client")
        form = {"grant_type": "client_credentials", "client_id": CLIENT[0], "client_secret": CLIENT[1]}
        assert (await http.post(TOKEN, data=form)).status_code == 200
        other = await http.post(TOKEN, data=form | {"grant_type": "password"})
        assert (other.status_code, other.json()["error"]) == (400, "unsupported_grant_type")
        assert (await http.post(TOKEN, json=form)).status_code == 400


async def test_a_resource_the_account_may_not_use_is_403(oracle):
    await oracle.control("settings", {"forbidden_resources": ["operationTransactions", "itemsV2"]})
    assert (await oracle.operate(line(10, 1))).status_code == 403
    assert (await oracle.get("itemsV2")).status_code == 403
    assert (await oracle.get("workOrders")).status_code == 200


async def test_version_1_is_the_default_and_speaks_query_by_example_and_plain_text(oracle):
    good = await raw(oracle, f"{ROOT}/workOrders?q=OrganizationCode=M1;WorkOrderNumber=1000040", auth=oracle.http.auth)
    assert (good.status_code, good.json()["count"]) == (200, 1)
    quoted = await raw(oracle, f"{ROOT}/workOrders?q=WorkOrderNumber='1000040'", auth=oracle.http.auth)
    assert quoted.json()["count"] == 1
    ranged = await oracle.get("workOrders", version=1, q="PlannedStartQuantity>=50 and <=100;ItemNumber like 'FG*'")
    assert ranged.json()["count"] == 1
    bad = await oracle.get("workOrders", version=1, q="OrganizationCode='M1' and WorkOrderNumber='1000040'")
    assert (bad.status_code, bad.headers["content-type"].partition(";")[0]) == (400, "text/plain")


async def test_from_version_2_on_q_is_an_expression_and_the_old_form_is_400(oracle):
    for version in (2, 3, 4, 7):
        good = await oracle.get("workOrders", version=version, q="OrganizationCode='M1' and WorkOrderNumber='1000040'")
        assert (good.status_code, good.json()["count"]) == (200, 1)
        assert good.headers["rest-framework-version"] == str(version)
        old = await oracle.get("workOrders", version=version, q="OrganizationCode=M1;WorkOrderNumber=1000040")
        assert old.status_code == 400


EXPRESSIONS = [
    ("WorkOrderNumber = '1000040' or WorkOrderNumber = '1000041'", 2),
    ("WorkOrderNumber != '1000040'", 1),
    ("PlannedStartQuantity >= 50 and PlannedStartQuantity < 100", 1),
    ("WorkOrderNumber in ('1000040', '1000041') and not (WorkOrderNumber = '1000040')", 1),
    ("WorkOrderNumber like '10000%'", 2),
    ("WorkOrderDescription is null", 2),
    ("ActualStartDate is not null", 0),
    ("PlannedStartQuantity between 40 and 60", 1),
    ("LastUpdateDate >= '2020-01-01T00:00:00Z' and (ItemNumber = 'FG1')", 2),
    ("WorkOrderOperation.OperationSequenceNumber = 30", 2),
    ("SerialTrackingFlag = false", 2),
]


async def test_an_expression_finds_what_it_says(oracle):
    await oracle.seed(order("1000041", quantity="50"))
    for expression, count in EXPRESSIONS:
        assert len(await oracle.items("workOrders", q=expression)) == count, expression


WRONG_EXPRESSIONS = [
    "Nonsense = 1",
    "OrganizationCode = M1",
    "WorkOrderNumber = '1' and",
    "WorkOrderNumber",
    "(WorkOrderNumber = '1'",
    "PlannedStartQuantity = 'many'",
    "LastUpdateDate > 'yesterday'",
    "",
    "NoChild.Attribute = 1",
    "ItemNumber = 'x''",
]


async def test_a_wrong_expression_is_400_with_its_place(oracle):
    for expression in WRONG_EXPRESSIONS:
        answer = await oracle.get("workOrders", q=expression)
        assert answer.status_code == 400, expression
        assert answer.headers["content-type"] == "application/vnd.oracle.adf.error+json"
        error = answer.json()
        assert (error["title"], error["status"]) == ("Bad Request", "400")
        assert error["o:errorDetails"][0]["o:errorPath"] == "/q"


async def test_children_are_plain_arrays_before_version_3_and_collections_after(oracle):
    for version in (1, 2):
        shown = (await oracle.get("workOrders", version=version, expand="WorkOrderOperation")).json()["items"][0]
        assert [row["OperationSequenceNumber"] for row in shown["WorkOrderOperation"]] == [10, 20, 30]
    shown = (await oracle.get("workOrders", version=3, expand="WorkOrderOperation")).json()["items"][0]
    nested = shown["WorkOrderOperation"]
    assert (nested["count"], nested["hasMore"], len(nested["items"])) == (3, False, 3)
    await oracle.control("settings", {"page_size": 2})
    shown = (await oracle.get("workOrders", version=4, expand="WorkOrderOperation")).json()["items"][0]
    assert (len(shown["WorkOrderOperation"]["items"]), shown["WorkOrderOperation"]["hasMore"]) == (2, True)


async def test_errors_are_text_then_title_and_detail_then_error_details(oracle):
    for version in (1, 2, 3, 4):
        answer = await oracle.get("workOrders/7", version=version)
        assert answer.status_code == 404
        if version == 1:
            assert not answer.text.startswith("{")
        elif version < 4:
            assert set(answer.json()) == {"title", "status", "detail"}
        else:
            assert set(answer.json()) == {"title", "status", "o:errorDetails"}
    for header in ("8", "0", "four"):
        answer = await oracle.http.get(f"{ROOT}/workOrders", headers={"rest-framework-version": header})
        assert answer.status_code == 400


async def test_the_framework_default_of_a_system_can_be_another_one(oracle):
    await oracle.control("settings", {"framework_version": 3})
    answer = await raw(oracle, f"{ROOT}/workOrders", auth=oracle.http.auth)
    assert answer.headers["rest-framework-version"] == "3"


async def test_collections_come_in_pages_and_say_whether_there_is_more(oracle):
    await oracle.seed(*(order(str(1000041 + number)) for number in range(30)))
    first = await oracle.read("workOrders")
    assert (first["count"], first["limit"], first["hasMore"], "totalResults" in first) == (25, 25, True, False)
    rest = await oracle.read("workOrders", offset="25", limit="500", totalResults="true", onlyData="true")
    assert (rest["count"], rest["hasMore"], rest["totalResults"], rest["offset"]) == (6, False, 31, 25)
    assert "links" not in rest["items"][0]
    down = await oracle.items("workOrders", orderBy="WorkOrderNumber:desc", limit="1")
    assert down[0]["WorkOrderNumber"] == "1000070"
    assert (await oracle.read("workOrders", limit="9999"))["limit"] == 500
    assert (await oracle.get("workOrders", limit="many")).status_code == 400
    assert (await oracle.get("workOrders", sort="up")).status_code == 400


async def test_fields_choose_attributes_and_those_of_children(oracle):
    [shown] = await oracle.items(
        "workOrders", fields="WorkOrderNumber,ItemNumber;WorkOrderOperation:OperationSequenceNumber,ReadyQuantity"
    )
    assert set(shown) == {"WorkOrderNumber", "ItemNumber", "WorkOrderOperation"}
    assert shown["WorkOrderOperation"]["items"][0] == {"OperationSequenceNumber": 10, "ReadyQuantity": 100}
    [shown] = await oracle.items("workOrders", fields="WorkOrderNumber", expand="WorkOrderOperation")
    assert set(shown) == {"WorkOrderNumber"}
    for wrong in (
        {"fields": "Colour"},
        {"fields": "Nobody:A"},
        {"expand": "Nobody"},
        {"fields": "WorkOrderOperation:Hue"},
    ):
        assert (await oracle.get("workOrders", **wrong)).status_code == 400


async def test_links_lead_to_the_row_and_its_children_and_can_be_limited(oracle):
    shown = (await oracle.read("workOrders"))["items"][0]
    own = shown["links"][0]
    assert (own["rel"], own["kind"]) == ("self", "item")
    answer = await oracle.http.get(own["href"])
    assert answer.headers["etag"].strip('"') == own["properties"]["changeIndicator"]
    child = next(link for link in shown["links"] if link["name"] == "WorkOrderOperation")
    rows = (await oracle.http.get(child["href"])).json()["items"]
    assert [row["OperationSequenceNumber"] for row in rows] == [10, 20, 30]
    one = await oracle.http.get(rows[0]["links"][0]["href"])
    assert one.json()["WorkOrderOperationId"] == rows[0]["WorkOrderOperationId"]
    limited = (await oracle.read("workOrders", links="canonical"))["items"][0]["links"]
    assert [link["rel"] for link in limited] == ["canonical"]


async def test_finders_find_and_unknown_ones_are_refused(oracle):
    number = await oracle.order_id()
    found = await oracle.items("workOrders", finder=f"PrimaryKey;WorkOrderId={number}")
    assert [row["WorkOrderId"] for row in found] == [number]
    [centre] = await oracle.items("workCenters", q="WorkCenterCode='WELD'")
    resources = await oracle.items(
        "productionResources", finder=f"findByWorkCenterId;WorkCenterId={centre['WorkCenterId']}"
    )
    assert {row["ResourceCode"] for row in resources} == {"WELD", "ROBOT"}
    assert (await oracle.get("workOrders", finder="findByMood;Mood=1")).status_code == 400
    assert (await oracle.get("workOrders", finder="PrimaryKey;Mood=1")).status_code == 400


async def test_a_stale_if_match_is_412_and_tells_the_current_etag(oracle):
    url = f"workOrders/{await oracle.order_id()}"
    seen = (await oracle.get(url)).headers["etag"]
    changed = await oracle.patch(url, {"WorkOrderDescription": "rush"}, headers={"if-match": seen})
    assert changed.status_code == 200
    stale = await oracle.patch(url, {"WorkOrderDescription": "no rush"}, headers={"if-match": seen})
    assert (stale.status_code, stale.headers["etag"]) == (412, changed.headers["etag"])
    assert (await oracle.get(url)).json()["WorkOrderDescription"] == "rush"
    assert (await oracle.patch(url, {"WorkOrderDescription": "any"}, headers={"if-match": "*"})).status_code == 200
    await oracle.moved(line(10, 1))
    assert (await oracle.get(url)).headers["etag"] != changed.headers["etag"]


POSTED_ONLY = [
    "operationTransactions",
    "materialTransactions",
    "resourceTransactions",
    "maintenanceOperationTransactions",
    "materialStatusUpdates",
    "operationTransactions/0002/child/OperationTransactionDetail",
]


async def test_get_is_refused_on_what_can_only_be_posted(oracle):
    for name in POSTED_ONLY:
        answer = await oracle.get(name)
        assert (answer.status_code, "not supported" in answer.text) == (405, True), name


async def test_the_wrong_media_type_is_415_and_a_client_without_json_406(oracle):
    body = {"SourceSystemCode": "PLANTWRIGHT", "OperationTransactionDetail": [line(10, 1)]}
    for media in ("text/plain", ACTION, "application/vnd.oracle.adf.batch+json"):
        assert (await oracle.post("operationTransactions", body, media=media)).status_code == 415
    for media in ("application/json", ITEM, ITEM + ";charset=utf-8"):
        assert (await oracle.post("operationTransactions", body, media=media)).status_code == 201
    answer = await oracle.http.get(f"{ROOT}/workOrders", headers={"accept": "text/xml"})
    assert answer.status_code == 406
    answer = await oracle.http.get(f"{ROOT}/workOrders")
    assert answer.headers["content-type"] == "application/vnd.oracle.adf.resourcecollection+json"


async def test_the_error_flag_inside_a_201_is_a_string(oracle):
    good = (await oracle.operate(line(10, 1))).json()
    bad = (await oracle.operate(line(10, 1000))).json()
    assert (good["ErrorsExistFlag"], bad["ErrorsExistFlag"]) == ("false", "true")
    detail = bad["OperationTransactionDetail"]["items"][0]
    assert "exceeds" in detail["ErrorMessages"]
    assert "TransactionId" not in json.dumps(good)
    assert good["OperationTransactionDetail"]["items"][0]["ErrorMessages"] is None


WRONG_BODIES = [
    {"SourceSystemCode": "PLANTWRIGHT"},
    {"SourceSystemCode": "PLANTWRIGHT", "OperationTransactionDetail": []},
    {"SourceSystemCode": "PLANTWRIGHT", "OperationTransactionDetail": [line(10, "many")]},
    {"SourceSystemCode": "PLANTWRIGHT", "OperationTransactionDetail": [line(10, 1, Colour="red")]},
    {"SourceSystemCode": "PLANTWRIGHT", "OperationTransactionDetail": [line(10, 1, TransactionDate="soon")]},
    {"SourceSystemCode": "X" * 31, "OperationTransactionDetail": [line(10, 1)]},
    {"Colour": "red", "OperationTransactionDetail": [line(10, 1)]},
    {"SourceSystemCode": "PLANTWRIGHT", "OperationTransactionDetail": [line(10, True)]},
]


async def test_a_body_of_the_wrong_shape_is_400_and_posts_nothing(oracle):
    for body in WRONG_BODIES:
        assert (await oracle.post("operationTransactions", body)).status_code == 400, body
    assert (await oracle.books())["documents"] == []


async def test_broken_bodies_and_unknown_addresses_are_refused(oracle):
    headers = {"content-type": ITEM}
    for broken in (b"{", b"[1]", b"\xff\xfe"):
        answer = await oracle.http.post(f"{ROOT}/operationTransactions", content=broken, headers=headers)
        assert answer.status_code == 400
    for path in ("nothingHere", "WorkOrderOperation", "workOrders/abc", "workOrders/1/child/Nothing", "workOrders/1/2"):
        assert (await oracle.get(path)).status_code == 404, path
    assert (await oracle.post("workOrders", {})).status_code == 405
    assert (await oracle.patch("itemsV2", {})).status_code == 405
    assert (await oracle.http.delete(f"{ROOT}/workOrders/{await oracle.order_id()}")).status_code == 405
    batch = {"content-type": "application/vnd.oracle.adf.batch+json"}
    assert (await oracle.http.post(f"{ROOT}/", json={"parts": []}, headers=batch)).status_code == 501


async def test_hostile_input_is_refused_and_never_an_error_of_the_server(oracle):
    huge = "9" * 30
    for path in (f"workOrders/{huge}", "workOrders/%F0%9F%8F%AD", "workOrders/²"):
        assert (await oracle.get(path)).status_code == 404
    for options in (
        {"offset": huge},
        {"limit": "²"},
        {"q": f"WorkOrderId = {huge}"},
        {"orderBy": "1; drop table item"},
    ):
        assert (await oracle.get("workOrders", **options)).status_code == 400
    headers = {"content-type": ITEM}
    for text in ('{"SourceSystemCode": "\\ud800", "OperationTransactionDetail": [{}]}', "[" * 100_000, '{"a": NaN}'):
        answer = await oracle.http.post(f"{ROOT}/operationTransactions", content=text, headers=headers)
        assert answer.status_code == 400
    process = "inventoryStagedTransactions/action/processByHeader"
    for header in (huge, int(huge), None, [1], 1.5):
        assert (await oracle.post(process, {"headerId": header}, media=ACTION)).status_code == 400
    assert await oracle.refused({}) == ["WIE_INVALID_ORGANIZATION"]


_NAMES = ("WorkOrderNumber", "PlannedStartQuantity", "LastUpdateDate", "WorkOrderOperation.ReadyQuantity", "Nobody")
_OPERATORS = ("and", "or", "not", "(", ")", "=", "!=", ">=", "<", "like", "in", "between", "is", "null", "true")
_LITERALS = ("'x'", "'2026-03-02'", "1", "-2.5", ",", ";", "'", '"')
_WORDS = st.sampled_from([*_NAMES, *_OPERATORS, *_LITERALS])


@settings(max_examples=300, deadline=None)
@given(words=st.lists(_WORDS, max_size=9), version=st.sampled_from([1, 2, 4]))
def test_any_query_is_compiled_to_sql_that_runs_or_refused(query_books, words, version):
    try:
        compiled = compile_query(WORK_ORDER, " ".join(words), version)
    except Refusal as refusal:
        assert refusal.status == 400
    else:
        query_books.all(f"SELECT * FROM work_order t WHERE {compiled.sql}", *compiled.parameters)


@pytest.fixture(scope="module")
def query_books(tmp_path_factory):
    books = Books(tmp_path_factory.mktemp("queries") / "oracle.db")
    yield books
    books.close()


async def test_upsert_mode_is_ignored_where_it_is_not_listed(oracle):
    for _ in range(2):
        await oracle.moved(line(10, 5), headers={"upsert-mode": "true"})
    assert (await oracle.operations())["0010"]["yield"] == "10"


async def test_process_orders_are_listed_so_that_an_intake_can_refuse_them_by_name(oracle):
    await oracle.seed(order("P-1", category="process"))
    [found] = await oracle.items("processWorkOrders", q="WorkOrderSystemStatusCode='RELEASED'")
    assert (found["WorkOrderNumber"], found["WorkMethodCode"]) == ("P-1", "PROCESS_MANUFACTURING")
    assert [row["WorkOrderNumber"] for row in await oracle.items("workOrders")] == ["1000040"]


async def test_calls_are_counted_per_second_by_the_simulator_itself(oracle):
    await oracle.http.delete("/_control/calls")
    for _ in range(5):
        await oracle.get("workOrders")
    await oracle.books()
    counted = (await oracle.http.get("/_control/calls")).json()
    assert sum(count for _, count in counted) == 5


async def test_malformed_control_bodies_teach_and_change_nothing(oracle):
    stray = {"material": "A", "required": 1, "unit": "PC", "operation": "99"}
    for name, body, told in (
        ("orders", {"orders": [{"order": "X"}]}, "orders.0.plant"),
        ("orders", {"orders": [order("9", components=[stray])]}, "99"),
        ("orders", {"stock": [{"material": "RM1", "plant": "M1", "quantity": 1, "unit": "KG"}]}, "PC"),
        ("settings", {"page_size": 0}, "page_size"),
        ("manual", {"order": "1000040"}, "operation"),
        ("faults", {"mode": "explode"}, "timeout_after_commit"),
        ("cogi", {}, "id"),
    ):  # fmt: skip
        answer = await oracle.http.post(f"/_control/{name}", json=body)
        assert (answer.status_code, told in answer.json()["error"]["message"]) == (400, True), answer.text
    assert len((await oracle.books())["orders"]) == 1
