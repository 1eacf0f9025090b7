"""The protocol of the simulated D365 against the reference: tokens, addresses, queries, etags, batches, errors."""

import json

import httpx
import pytest

from tests.simulators.dynamics_bench import (
    CLIENT,
    enum,
    erp_fixture,
    order,
    shared_fixture,
    start_dynamics_fixture,
    until,
)

__all__ = ["erp_fixture", "shared_fixture", "start_dynamics_fixture"]
HEADERS = "ProductionOrderHeaders"
KEY = "ProductionOrderHeaders(dataAreaId='usmf',ProductionOrderNumber='P000040')"


async def seed_many(erp, count=5):
    await erp.seed(*(order(f"P10000{number}") for number in range(count)))


# Tokens -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tenant", "changes", "status", "error", "code"),
    [
        ("elsewhere", {}, 400, "invalid_request", 90002),
        ("factory.example", {"grant_type": ""}, 400, "invalid_request", 900144),
        ("factory.example", {"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ("factory.example", {"client_id": ""}, 400, "invalid_request", 900144),
        ("factory.example", {"client_id": "unknown"}, 400, "unauthorized_client", 700016),
        ("factory.example", {"client_secret": ""}, 401, "invalid_client", 7000218),
        ("factory.example", {"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ("factory.example", {"scope": ""}, 400, "invalid_request", 900144),
        ("factory.example", {"scope": "https://other.example/.default"}, 400, "invalid_resource", 500011),
        ("factory.example", {"scope": "https://other.example/user"}, 400, "invalid_scope", 1002012),
    ],
)
async def test_a_wrong_token_request_is_answered_with_the_providers_code(shared, tenant, changes, status, error, code):
    answer = await shared.token_answer(tenant, **changes)
    body = answer.json()
    assert (answer.status_code, body["error"], body["error_codes"]) == (status, error, [code])
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    assert {"trace_id", "correlation_id", "timestamp"} <= set(body)


async def test_a_token_is_a_bearer_with_its_lifetime(shared):
    body = (await shared.token_answer()).json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3599)
    assert (await shared.token_answer(scope=f"{shared.url}//.default")).status_code == 200
    assert (await shared.token_answer(scope="https://x.operations.dynamics.com/.default")).status_code == 200


async def test_no_token_and_a_forged_one_are_401_with_a_challenge(shared):
    for headers in ({}, {"authorization": "Basic eDp5"}, {"authorization": "Bearer a.b.c"}):
        answer = await shared.http.get(f"/data/{HEADERS}", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_an_expired_token_is_401_until_a_new_one_is_fetched(erp):
    await erp.sign_on()
    await erp.settings(token_seconds=0)
    assert (await erp.get(HEADERS)).status_code == 401
    await erp.settings(token_seconds=3599)
    assert (await erp.get(HEADERS)).status_code == 200


async def test_an_app_that_is_not_registered_inside_is_refused_though_its_token_is_good(erp):
    await erp.settings(registered_apps=[])
    assert (await erp.get(HEADERS)).status_code == 401
    await erp.settings(unregistered_answer=403)
    assert (await erp.get(HEADERS)).status_code == 403
    await erp.settings(registered_apps=[CLIENT])
    assert (await erp.get(HEADERS)).status_code == 200


async def test_an_expired_secret_gets_no_token(erp):
    await erp.settings(secret_expired=True)
    assert (await erp.token_answer()).json()["error_codes"] == [7000222]


async def test_health_needs_no_token(shared):
    assert (await shared.http.get("/healthz")).json() == {"status": "ok"}


# Addresses ----------------------------------------------------------------------------------------------------------


async def test_one_order_shows_enums_by_name_empty_dates_and_seconds_of_the_day(erp):
    await erp.seed(order("P000041", scheduled_start="2026-03-02T06:30:00Z", scheduled_end="2026-03-02T14:00:00Z"))
    row = await erp.read(KEY.replace("P000040", "P000041"))
    assert row["@odata.etag"].startswith('W/"')
    assert row["dataAreaId"] == "usmf"
    assert row["ProductionOrderStatus"] == "Released"
    assert row["EndedDate"] == "1900-01-01T12:00:00Z"
    assert (row["ScheduledStartDate"], row["ScheduledStartTime"]) == ("2026-03-02T12:00:00Z", 23_400)
    assert row["ScheduledQuantity"] == 100
    assert row["@odata.context"].endswith("/data/$metadata#ProductionOrderHeaders/$entity")


@pytest.mark.parametrize(
    "key", ["'P000040'", "ProductionOrderNumber='P000040'", "dataAreaId='usmf'", "dataAreaId='usmf',Number='P000040'"]
)
async def test_every_key_field_must_be_named(shared, key):
    answer = await shared.get(f"{HEADERS}({key})")
    assert answer.status_code == 404
    assert "No HTTP resource was found" in answer.json()["Message"]


async def test_operations_are_keyed_by_number_and_priority(shared):
    key = "dataAreaId='usmf',ProductionOrderNumber='P000040',OperationNumber=10,OperationPriority="
    path = f"ProductionOrderRouteOperations({key}{enum('RouteOprPriority', 'Primary')})"
    assert (await shared.read(path))["CostingOperationResourceId"] == "PRESS"
    assert (await shared.get(f"ProductionOrderRouteOperations({key}'Secondary1')")).status_code == 404


async def test_lines_have_decimal_keys_and_quantities_are_numbers(shared):
    path = "ProductionOrderBillOfMaterialLines(dataAreaId='usmf',ProductionOrderNumber='P000040',LineNumber=2)"
    line = await shared.read(path)
    assert (line["ItemNumber"], line["EstimatedBOMLineQuantity"]) == ("RM2", 12.5)
    assert (line["FlushingPrinciple"], line["RouteOperationNumber"]) == ("Finish", 10)


async def test_the_default_company_is_all_there_is_until_a_call_crosses(erp):
    await erp.seed(order("P000040", company="DEMF", material="FG9"))
    assert len(await erp.read(HEADERS)) == 1
    assert await erp.read(HEADERS, _filter="dataAreaId eq 'demf'") == []
    rows = await erp.read(HEADERS, crossing="true", _filter="ProductionOrderNumber eq 'P000040'")
    assert sorted(row["dataAreaId"] for row in rows) == ["demf", "usmf"]
    other = KEY.replace("usmf", "demf")
    assert (await erp.get(other)).status_code == 404
    assert (await erp.read(other, crossing="true"))["ItemNumber"] == "FG9"


async def test_an_order_that_is_not_there_is_404_with_an_empty_code(shared):
    answer = await shared.get(KEY.replace("P000040", "P999999"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "")


@pytest.mark.parametrize("name", ["Nonsense", "InventNonConformance", "PdsBatchDispositions", "InventBlockings"])
async def test_what_is_not_public_is_404(shared, name):
    answer = await shared.get(name)
    assert answer.status_code == 404
    assert "No HTTP resource was found" in answer.json()["Message"]


async def test_a_setting_makes_an_entity_public(erp):
    await erp.settings(public_entities=["InventNonConformance", "PdsBatchDispositions"])
    assert await erp.read("InventNonConformance") == []
    assert [row["DispositionCode"] for row in await erp.read("PdsBatchDispositions")] == ["Available", "Blocked"]


async def test_metadata_names_the_types_and_the_misspelt_navigations(shared):
    text = (await shared.get("$metadata")).text
    assert 'EntityType Name="ProductionOrderHeader"' in text
    assert 'NavigationProperty Name="ProdutionOrderBOMLines"' in text
    assert 'Property Name="StartedQuantity" Type="Edm.Decimal"' in text
    assert 'EnumType Name="ProdStatus"' in text
    assert "InventNonConformance" not in text
    sets = {row["name"] for row in await shared.read("")}
    assert {"ProductionOrderHeaders", "ItemBatches", "WorkCalendarTimeIntervals", "OperationsResources"} <= sets
    listed = await shared.call("GET", "/Metadata/DataEntities")
    assert {"PublicCollectionName", "IsReadOnly"} <= set(listed.json()["value"][0])


async def test_navigations_lead_from_an_order_to_its_parts(shared):
    rows = await shared.read(f"{KEY}/ProdutionOrderRouteOperations")
    assert [row["OperationNumber"] for row in rows] == [10, 20, 30]
    jobs = await shared.read(f"{KEY}/ProductionOrderRouteJobs")
    path = f"ProductionOrderRouteJobs(dataAreaId='usmf',JobId='{jobs[0]['JobId']}')/ProductionOrderHeader"
    assert (await shared.read(path))["ItemNumber"] == "FG1"
    assert (await shared.get(f"{KEY}/ProductionOrderRouteOperations")).status_code == 404


# Queries ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("ProductionOrderNumber eq 'P100001'", 1),
        ("productionOrderNumber eq 'P100001'", None),
        ("ProductionOrderNumber ne 'P000040'", 5),
        ("ProductionOrderNumber eq 'P1*'", 5),
        ("ProductionOrderNumber eq '*0040*'", 1),
        ("ProductionOrderNumber ne '*0040*'", 5),
        ("ProductionOrderNumber gt 'P100002' and ScheduledQuantity ge 100", 2),
        ("ProductionOrderNumber lt 'P100002' or ProductionOrderNumber eq 'P100004'", 4),
        ("not (ProductionOrderNumber le 'P100002')", 2),
        ("(ScheduledQuantity lt 100 or ScheduledQuantity eq 100.0) and ItemNumber eq 'fg1'", 6),
        (f"ProductionOrderStatus eq {enum('ProdStatus', 'Released')}", 6),
        (f"{enum('ProdStatus', 'Created')} eq ProductionOrderStatus", 0),
        (f"ProductionOrderStatus ne {enum('ProdStatus', 'Completed')}", 6),
        ("EndedDate eq 1900-01-01T12:00:00Z", 6),
        ("ReleasedDate gt 2020-01-01T00:00:00Z", 6),
        ("ScheduledStartTime eq 0", 6),
        ("ProductionOrderStatus eq 'Released'", None),
        (f"ProductionOrderStatus eq {enum('NoYes', 'Yes')}", None),
        (f"ProductionOrderStatus eq {enum('ProdStatus', 'Invented')}", None),
        ("contains(ProductionOrderNumber,'4')", None),
        ("startswith(ProductionOrderNumber,'P')", None),
        ("ProductionOrderNumber in ('P000040')", None),
        ("ProductionOrderStatus has 'Released'", None),
        ("ProductionOrderNumber eq 4", None),
        ("ScheduledQuantity eq '100'", None),
        ("Invented eq 'x'", None),
        ("EndedDate eq 2026-01-01", None),
        ("ProdutionOrderBOMLines/ItemNumber eq 'RM1'", None),
        ("ProductionOrderNumber eq", None),
        ("ProductionOrderNumber eq 'P000040", None),
        ("(ScheduledQuantity eq 100", None),
        ("(" * 3000, None),
        ("ScheduledStartTime eq 99999999999999999999", None),
    ],
)
async def test_filter(shared, text, count):
    answer = await shared.get(HEADERS, _filter=text)
    if count is None:
        assert answer.status_code == 400
        error = answer.json()["error"]
        assert (error["code"], "not valid" in error["message"]) == ("", True)
    else:
        assert len(answer.json()["value"]) == count


async def test_a_quote_and_a_wildcard_in_a_value_are_values(erp):
    await erp.seed(order("P000050", text="O'Neil 5%_a"))
    assert len(await erp.read(HEADERS, _filter="ProductionOrderName eq 'O''Neil 5%_a'")) == 1
    assert len(await erp.read(HEADERS, _filter="ProductionOrderName eq '*%_a'")) == 1
    assert len(await erp.read(HEADERS, _filter="ProductionOrderName eq '*_b'")) == 0


async def test_order_top_skip_select_and_count(shared):
    answer = await shared.get(
        HEADERS,
        _orderby="ProductionOrderNumber desc",
        _top="2",
        _skip="1",
        _select="ProductionOrderNumber",
        _count="true",
    )
    body = answer.json()
    assert body["@odata.count"] == 6
    assert [row["ProductionOrderNumber"] for row in body["value"]] == ["P100003", "P100002"]
    assert set(body["value"][0]) == {"@odata.etag", "ProductionOrderNumber"}
    assert (await shared.get(f"{HEADERS}/$count")).text == "6"
    for option in (
        {"_select": "Invented"},
        {"_orderby": "Invented"},
        {"_top": "many"},
        {"_skip": "9" * 30},
        {"_search": "x"},
    ):
        assert (await shared.get(HEADERS, **option)).status_code == 400


async def test_expand_reaches_the_first_level_only(shared):
    row = await shared.read(
        KEY, _expand="ProdutionOrderBOMLines,ProdutionOrderRouteOperations($select=OperationNumber)"
    )
    assert [line["ItemNumber"] for line in row["ProdutionOrderBOMLines"]] == ["RM1", "RM2"]
    assert set(row["ProdutionOrderRouteOperations"][0]) == {"@odata.etag", "OperationNumber"}
    for text in (
        "ProdutionOrderRouteOperations($expand=ProductionOrderRouteJobs)",
        "ProdutionOrderRouteOperations/ProductionOrderRouteJobs",
        "ProductionOrderRouteOperations",
    ):
        assert (await shared.get(KEY, _expand=text)).status_code == 400


async def test_a_large_set_comes_in_pages_that_lead_on(erp):
    await seed_many(erp)
    await erp.settings(page_size=2)
    seen, path, pages = [], f"/data/{HEADERS}?$select=ProductionOrderNumber&$count=true", 0
    while path:
        body = (await erp.call("GET", path)).json()
        seen += [row["ProductionOrderNumber"] for row in body["value"]]
        path, pages = body.get("@odata.nextLink"), pages + 1
    assert (len(seen), len(set(seen)), pages) == (6, 6, 3)
    body = (await erp.get(HEADERS, _top="3")).json()
    assert "@odata.nextLink" in body
    following = (await erp.call("GET", body["@odata.nextLink"])).json()
    assert (len(following["value"]), "@odata.nextLink" in following) == (1, False)
    answer = await erp.call("GET", f"/data/{HEADERS}", headers={"prefer": "odata.maxpagesize=1"})
    assert len(answer.json()["value"]) == 1


# Writes -------------------------------------------------------------------------------------------------------------


async def test_an_order_is_created_from_an_item_and_numbered_by_the_server(erp):
    answer = await erp.call("POST", f"/data/{HEADERS}", json={"ItemNumber": "FG1"})
    made = answer.json()
    assert (answer.status_code, made["ProductionOrderStatus"]) == (201, "Created")
    assert (made["ProductionOrderNumber"], made["dataAreaId"]) == ("P000001", "usmf")
    found = await erp.call("GET", answer.headers["location"])
    assert found.json()["@odata.etag"] == made["@odata.etag"]
    assert "released product" in (await erp.refused(HEADERS, {"ItemNumber": "UNKNOWN"})).lower()


async def test_change_and_delete_answer_204_and_respect_the_etag(erp):
    row = await erp.read(KEY)
    changed = await erp.call("PATCH", f"/data/{KEY}", json={"ProductionPoolId": "A"})
    assert (changed.status_code, changed.text) == (204, "")
    old = {"if-match": row["@odata.etag"]}
    refused = await erp.call("PATCH", f"/data/{KEY}", json={"ProductionPoolId": "B"}, headers=old)
    assert refused.status_code == 412
    new = {"if-match": (await erp.read(KEY))["@odata.etag"]}
    assert (await erp.call("PATCH", f"/data/{KEY}", json={"ProductionPoolId": "C"}, headers=new)).status_code == 204
    made = await erp.create(HEADERS, {"ItemNumber": "FG1"})
    path = f"/data/{KEY.replace('P000040', made['ProductionOrderNumber'])}"
    assert (await erp.call("DELETE", path)).status_code == 204
    assert (await erp.call("DELETE", path)).status_code == 404


async def test_status_and_counters_of_an_order_cannot_be_written(erp):
    told = await erp.refused(KEY, {"ProductionOrderStatus": "StartedUp"}, "PATCH")
    assert "ProductionOrderHeaderEntity" in told and "Infolog: Error: " in told
    assert "StartedQuantity" in await erp.refused(KEY, {"StartedQuantity": 5}, "PATCH")
    assert (await erp.order())["status"] == ["Released"]


async def test_a_wrong_payload_teaches_and_changes_nothing(erp):
    for body in (
        {"ScheduledQuantity": -5},
        {"Invented": 1},
        {"ItemNumber": 5},
        {"ScheduledQuantity": "5"},
        {"ProductionOrderStatus": "Odd"},
    ):
        answer = await erp.call("POST", f"/data/{HEADERS}", json={"ItemNumber": "FG1"} | body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "")
    assert (await erp.call("POST", f"/data/{HEADERS}", content=b"{")).status_code == 400
    assert (await erp.call("PUT", f"/data/{KEY}", json={})).status_code == 405
    assert (await erp.call("POST", "/data/WarehousesOnHandV2", json={})).status_code == 405
    assert len(await erp.read(HEADERS)) == 1


def part(method: str, path: str, body: dict | None = None, content_id: str = "") -> str:
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    lines += [f"Content-ID: {content_id}"] if content_id else []
    lines += ["", f"{method} {path} HTTP/1.1", "Content-Type: application/json", "", json.dumps(body) if body else ""]
    return "\r\n".join(lines)


def multipart(boundary: str, *parts: str) -> str:
    return "".join(f"--{boundary}\r\n{one}\r\n" for one in parts) + f"--{boundary}--\r\n"


def change_set(*parts: str) -> str:
    return "Content-Type: multipart/mixed; boundary=cs\r\n\r\n" + multipart("cs", *parts)


async def post_batch(erp, *parts: str, **headers: str) -> httpx.Response:
    own = {"content-type": "multipart/mixed; boundary=b1"} | headers
    return await erp.call("POST", "/data/$batch", content=multipart("b1", *parts).encode(), headers=own)


async def test_a_change_set_is_written_whole_and_later_calls_may_name_earlier_ones(erp):
    header = {"JournalNumber": "T1", "JournalNameId": "ITrf", "Description": "key-1"}
    line = {"JournalNumber": "T1", "ItemNumber": "RM1", "InventoryQuantity": 1}
    answer = await post_batch(
        erp,
        change_set(
            part("POST", "InventoryTransferJournalHeaders", header, "1"),
            part("POST", "InventoryTransferJournalEntries", line, "2"),
            part("PATCH", "$1", {"Description": "key-2"}, "3"),
        ),
        part("GET", "/data/InventoryTransferJournalHeaders?$filter=Description%20eq%20'key-2'"),
    )
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("multipart/mixed; boundary=batchresponse_")
    assert (answer.text.count("HTTP/1.1 201"), answer.text.count("HTTP/1.1 204")) == (2, 1)
    assert '"Description": "key-2"' in answer.text
    assert len(await erp.read("InventoryTransferJournalEntries")) == 1


async def test_a_change_set_with_one_wrong_call_leaves_nothing_behind(erp):
    answer = await post_batch(
        erp,
        change_set(
            part("POST", "InventoryTransferJournalHeaders", {"JournalNumber": "T1"}),
            part("POST", "InventoryTransferJournalEntries", {"JournalNumber": "T1", "ItemNumber": "UNKNOWN"}),
        ),
        part("GET", "InventoryTransferJournalHeaders"),
    )
    assert answer.text.count("HTTP/1.1") == 1
    assert "HTTP/1.1 400" in answer.text and "Infolog" in answer.text
    assert await erp.read("InventoryTransferJournalHeaders") == []


async def test_calls_of_a_batch_outside_a_change_set_stand_for_themselves(erp):
    parts = (
        part("POST", "InventoryTransferJournalHeaders", {"JournalNumber": "T1"}),
        part("POST", "InventoryTransferJournalHeaders", {"JournalNumber": "T1"}),
        part("GET", "InventoryTransferJournalHeaders"),
    )
    assert (await post_batch(erp, *parts)).text.count("HTTP/1.1") == 2
    await erp.call("DELETE", "/data/InventoryTransferJournalHeaders(dataAreaId='usmf',JournalNumber='T1')")
    goes_on = await post_batch(erp, *parts, prefer="odata.continue-on-error")
    assert [goes_on.text.count(f"HTTP/1.1 {status}") for status in (201, 400, 200)] == [1, 1, 1]
    assert (await erp.call("POST", "/data/$batch", json={"requests": []})).status_code == 400


async def test_calls_are_counted_per_second(erp):
    await erp.get(HEADERS)
    await erp.http.get("/_control/books")

    async def two() -> bool:
        return sum(count for _, count in (await erp.http.get("/_control/calls")).json()) == 2

    await until(two)
