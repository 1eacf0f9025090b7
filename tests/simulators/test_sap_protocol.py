"""The simulated SAP's transport: sessions, wrapping, filters, paging, refused methods."""

import httpx
import pytest

pytestmark = pytest.mark.filterwarnings("error")
_KEY = "0f8fad5b-d9cb-469f-a165-70867728950e"


async def test_every_call_needs_basic_authentication(sap):
    async with httpx.AsyncClient(base_url=sap.url, trust_env=False) as stranger:
        for auth in (None, ("SHOP", "wrong"), ("OTHER", "floor-secret")):
            answer = await stranger.get(f"{sap.orders}/A_ProductionOrder_2?$format=json", auth=auth)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Basic")


async def test_a_post_without_token_is_refused_and_says_required(sap):
    body = {"OrderID": "1000040", "OrderOperation": "0010", "ConfirmationYieldQuantity": "1"}
    answer = await sap.http.post(f"{sap.confirmations}/ProdnOrdConf2", json=body)
    assert (answer.status_code, answer.headers["x-csrf-token"]) == (403, "Required")
    assert "CSRF token required" in answer.text
    assert (await sap.books())["documents"] == []


async def test_token_is_worthless_without_each_of_its_cookies(sap):
    token = await sap.sign_on()
    cookies = dict(sap.http.cookies)
    assert len(cookies) == 2
    for missing in cookies:
        rest = {name: value for name, value in cookies.items() if name != missing}
        async with httpx.AsyncClient(base_url=sap.url, auth=sap.http.auth, cookies=rest, trust_env=False) as other:
            answer = await other.post(f"{sap.confirmations}/ProdnOrdConf2", json={}, headers={"x-csrf-token": token})
        assert (answer.status_code, answer.headers["x-csrf-token"]) == (403, "Required")


async def test_token_dies_with_its_session_and_a_new_one_works(sap):
    await sap.sign_on()
    await sap.control("settings", {"session_seconds": 0.000001})
    assert (await sap.confirm("1000040", "0010", "1")).status_code == 403
    await sap.control("settings", {"session_seconds": 60})
    sap.token = ""
    await sap.confirmed("1000040", "0010", "1")


async def test_entities_and_collections_are_wrapped_and_typed_as_v2(sap):
    found = await sap.read(
        f"{sap.orders}/A_ProductionOrder_2('1000040')",
        _expand="to_ProductionOrderOperation,to_ProductionOrderComponentExt4,to_ProductionOrderItem,"
        "to_ProductionOrderStatus,to_ProductionOrderComponent",
    )
    assert (found["TotalQuantity"], found["OrderIsReleased"], found["OrderIsClosed"]) == ("100", "X", "")
    assert found["__metadata"]["type"] == "API_PRODUCTION_ORDER_2_SRV.A_ProductionOrder_2Type"
    assert found["__metadata"]["etag"] == f"W/\"'{found['LastChangeDateTime']}'\""
    assert found["MfgOrderActualReleaseDate"].startswith("/Date(")
    assert len(found["LastChangeDateTime"]) == 14
    operations = found["to_ProductionOrderOperation"]["results"]
    assert [row["ManufacturingOrderOperation"] for row in operations] == ["0010", "0020", "0030"]
    assert operations[0]["OpPlannedTotalQuantity"] == "100"
    component = found["to_ProductionOrderComponentExt4"]["results"][1]
    assert (component["RequiredQuantity"], component["MatlCompIsMarkedForBackflush"]) == ("12.5", True)
    assert component["GoodsMovementType"] == "261"
    assert found["to_ProductionOrderItem"]["results"][0]["MfgOrderItemPlannedTotalQty"] == "100"
    statuses = {row["StatusCode"]: row["StatusShortName"] for row in found["to_ProductionOrderStatus"]["results"]}
    assert statuses["I0002"] == "REL"


async def test_navigations_are_deferred_until_expanded_and_can_be_followed(sap):
    found = await sap.read(f"{sap.orders}/A_ProductionOrder_2('1000040')")
    uri = found["to_ProductionOrderOperation"]["__deferred"]["uri"]
    rows = (await sap.http.get(uri)).json()["d"]["results"]
    assert len(rows) == 3
    own = (await sap.http.get(rows[0]["__metadata"]["uri"])).json()["d"]
    assert own["WorkCenter"] == "PRESS"


async def test_orders_are_filtered_by_plant_release_and_last_change(sap, make_order):
    await sap.seed(make_order("2000001", plant="2020"), make_order("2000002", status=["CRTD"]))
    path = f"{sap.orders}/A_ProductionOrder_2"

    async def numbers(text: str) -> list[str]:
        found = await sap.read(path, _filter=text, _select="ManufacturingOrder", _orderby="ManufacturingOrder desc")
        return [row["ManufacturingOrder"] for row in found["results"]]

    assert await numbers("ProductionPlant eq '2020'") == ["2000001"]
    assert await numbers("ProductionPlant eq '1010' and OrderIsReleased eq 'X'") == ["1000040"]
    assert await numbers("LastChangeDateTime gt '99990101000000'") == []
    assert await numbers("LastChangeDateTime gt '20000101000000' and not (ProductionPlant eq '2020')") == [
        "2000002",
        "1000040",
    ]
    assert await numbers("substringof('0000',ManufacturingOrder) or startswith(ManufacturingOrder,'1')") == [
        "2000002",
        "2000001",
        "1000040",
    ]
    assert await numbers("TotalQuantity ge 100M and TotalQuantity lt 100.001m") == ["2000002", "2000001", "1000040"]


@pytest.mark.parametrize(
    "text",
    [
        "NoSuchProperty eq 'x'",
        "ExternalSystemConfirmation eq 'not-typed'",
        "OrderID eq guid'0f8fad5b-d9cb-469f-a165-70867728950e'",
        "OrderID eq",
        "OrderID like 'x'",
        "(OrderID eq 'x'",
        "OrderID eq 'x'; DROP TABLE confirmation",
    ],
)
async def test_a_wrong_filter_is_a_400_with_an_odata_error(sap, text):
    answer = await sap.get(f"{sap.confirmations}/ProdnOrdConf2", _filter=text)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["code"] and error["message"]["value"] and error["innererror"]["errordetails"]


async def test_top_level_sets_count_select_top_and_skip(sap):
    path = f"{sap.orders}/A_ProductionOrderOperation_2"
    found = await sap.read(
        path, _filter="ManufacturingOrder eq '1000040'", _inlinecount="allpages", _top="1", _skip="1"
    )
    assert found["__count"] == "3"
    assert [row["ManufacturingOrderOperation"] for row in found["results"]] == ["0020"]
    assert "__next" not in found
    chosen = await sap.read(path, _select="WorkCenter")
    assert set(chosen["results"][0]) == {"__metadata", "WorkCenter"}
    assert (await sap.get(f"{path}/$count")).text == "3"
    for name in ("A_ProductionOrderComponent_4", "A_ProductionOrderItem_2", "A_ProductionOrderStatus_2"):
        assert (await sap.read(f"{sap.orders}/{name}", _filter="ManufacturingOrder eq '1000040'"))["results"]


async def test_more_than_a_hundred_rows_come_in_pages_that_cover_each_row_once(sap):
    await sap.control("manual", {"order": "1000040", "operation": "0010", "yield": "0.1", "count": 230})
    path, seen, pages = f"{sap.url}{sap.confirmations}/ProdnOrdConf2?$filter=OrderID eq '1000040'", [], 0
    while path:
        found = (await sap.http.get(path)).json()["d"]
        seen += [(row["ConfirmationGroup"], row["ConfirmationCount"]) for row in found["results"]]
        path, pages = found.get("__next"), pages + 1
        assert path is None or "skiptoken" in path
    assert pages == 3
    assert len(seen) == len(set(seen)) == 230
    limited = await sap.read(f"{sap.confirmations}/ProdnOrdConf2", _top="100")
    assert len(limited["results"]) == 100
    assert "__next" not in limited


async def test_numbers_are_refused_where_decimals_have_to_be_strings(sap):
    for wrong in (5, 5.5, "1.2345", "12345678901", "abc", "1e3", ""):
        answer = await sap.confirm("1000040", "0010", wrong)
        assert answer.status_code == 400, wrong
    answer = await sap.confirm("1000040", "0010", "1", NoSuchField="x")
    assert answer.json()["error"]["innererror"]["errordetails"][0]["target"] == "NoSuchField"
    assert (await sap.confirm("1000040", "0010", "1", ConfirmationText="x" * 41)).status_code == 400
    assert (await sap.confirm("1000040", "0010", "1", ExternalSystemConfirmation="no-guid")).status_code == 400
    assert (await sap.books())["documents"] == []


async def test_confirmations_cannot_be_changed_or_deleted(sap):
    made = await sap.confirmed("1000040", "0010", "1")
    for method in ("PATCH", "DELETE", "PUT", "MERGE"):
        answer = await sap.http.request(method, made["__metadata"]["uri"], json={}, headers={"x-csrf-token": sap.token})
        assert answer.status_code == 405
        assert answer.json()["error"]["message"]["lang"] == "en"
    tunnelled = await sap.post(made["__metadata"]["uri"], {}, headers={"x-http-method": "MERGE"})
    assert tunnelled.status_code == 405


async def test_unknown_sets_and_unknown_services_are_refused_clearly(sap):
    assert (await sap.get(f"{sap.orders}/NoSuchSet")).status_code == 404
    assert (await sap.get(f"{sap.orders}/A_ProductionOrder_2('999')")).status_code == 404
    assert (await sap.get("/sap/opu/odata/sap/NO_SUCH_SRV/X")).json()["error"]["code"] == "/IWFND/MED/170"


async def test_atom_is_not_answered_with_json_by_accident(sap):
    async with httpx.AsyncClient(base_url=sap.url, auth=sap.http.auth, trust_env=False) as plain:
        path = f"{sap.orders}/A_ProductionOrder_2"
        assert (await plain.get(path)).status_code == 406
        assert (await plain.get(path, params={"$format": "json"})).status_code == 200


async def test_the_service_describes_itself(sap):
    described = await sap.get(f"{sap.confirmations}/$metadata")
    assert 'Name="ExternalSystemConfirmation" Type="Edm.Guid"' in described.text
    assert "ProdnOrdConf2" in (await sap.read(f"{sap.confirmations}/"))["EntitySets"]


async def test_a_confirmation_is_found_by_its_guid(sap):
    made = await sap.confirmed("1000040", "0010", "2", ExternalSystemConfirmation=_KEY.upper())
    await sap.confirmed("1000040", "0010", "3")
    text = f"ExternalSystemConfirmation eq guid'{_KEY}' and OrderID eq '1000040' and IsReversed eq false"
    found = (await sap.read(f"{sap.confirmations}/ProdnOrdConf2", _filter=text))["results"]
    assert [row["ConfirmationCount"] for row in found] == [made["ConfirmationCount"]]
    assert found[0]["ExternalSystemConfirmation"] == _KEY
    assert found[0]["PostingDate"].startswith("/Date(")
    assert found[0]["ConfirmationEntryTime"].startswith("PT")


async def test_request_ids_are_replayed_only_when_repeatability_is_switched_on(sap):
    headers = {"RequestID": "A" * 32, "RepeatabilityCreation": "2026-01-01T00:00:00Z"}
    body = {"OrderID": "1000040", "OrderOperation": "0010", "ConfirmationYieldQuantity": "1"}
    path = f"{sap.confirmations}/ProdnOrdConf2"
    for _ in range(2):
        answer = await sap.post(path, body, headers=headers)
        assert answer.headers["repeatabilityresult"] == "unsupported"
    assert len((await sap.books())["documents"][0]["goods_movements"]) == 2
    await sap.control("settings", {"repeatability": True})
    first, second = [await sap.post(path, body, headers=headers) for _ in range(2)]
    assert first.json() == second.json()
    books = await sap.books()
    assert sum(document["kind"] == "confirmation" for document in books["documents"]) == 3
    await sap.control("settings", {"repeatability_seconds": 0})
    outdated = await sap.post(path, body, headers=headers)
    assert outdated.json()["error"]["code"] == "/IWBEP/CM_COS/005"
