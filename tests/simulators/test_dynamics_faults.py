"""Every fault mode of the simulated D365 on its two writing paths, judged by its own books."""

import asyncio
import json

import httpx
import pytest

from tests.simulators.dynamics_bench import (
    SEND,
    erp_fixture,
    order,
    start_dynamics_fixture,
    started_fixture,
    until,
)

__all__ = ["erp_fixture", "start_dynamics_fixture", "started_fixture"]
RAF = "ReportAsFinishedProductionJournalEntries"
ROUTE = "RouteCardProductionJournalEntries"
HEADERS = "InventoryTransferJournalHeaders"
START = {"ProductionOrderNumber": "P000040"}
CARD = {"ProductionOrderNumber": "P000040", "JournalName": "Own", "RouteOperationNumber": 10}


async def queued(erp) -> int:
    return len((await erp.books())["messages"])


async def journals(erp) -> int:
    return len((await erp.books())["documents"])


async def test_refuse_and_throttle_answer_without_accepting(erp):
    await erp.fault("refuse", calls=2)
    assert (await erp.send("ProdProductionOrderStart", START)).status_code == 503
    assert (await erp.call("POST", f"/data/{ROUTE}", json=CARD)).status_code == 503
    await erp.fault("throttle", calls=2, retry_after=7)
    for answer in (
        await erp.send("ProdProductionOrderStart", START),
        await erp.call("POST", f"/data/{ROUTE}", json=CARD),
    ):
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
        assert "high resource utilization" in answer.json()["Message"]
    assert (await queued(erp), await journals(erp)) == (0, 0)


async def test_timeout_before_commit_never_accepts(erp):
    await erp.sign_on()
    await erp.fault("timeout_before_commit", calls=1)
    with pytest.raises(httpx.ReadTimeout):
        await erp.send("ProdProductionOrderStart", START, timeout=0.2)
    await erp.fault("timeout_before_commit", calls=1, seconds=0.05)
    assert (await erp.call("POST", f"/data/{ROUTE}", json=CARD)).status_code == 504
    assert (await queued(erp), await journals(erp)) == (0, 0)


async def test_timeout_after_commit_has_accepted_and_the_message_is_processed(erp):
    await erp.sign_on()
    await erp.fault("timeout_after_commit", calls=2)
    with pytest.raises(httpx.ReadTimeout):
        await erp.send("ProdProductionOrderStart", START, timeout=0.3)
    with pytest.raises(httpx.ReadTimeout):
        await erp.call("POST", f"/data/{ROUTE}", json=CARD, timeout=0.3)
    assert (await queued(erp), await journals(erp)) == (1, 1)
    assert (await erp.process())[0]["state"] == "Processed"


async def test_a_delayed_commit_comes_after_the_client_has_gone(erp):
    await erp.sign_on()
    await erp.fault("timeout_after_commit", calls=1, commit_delay=0.5)
    with pytest.raises(httpx.ReadTimeout):
        await erp.send("ProdProductionOrderStart", START, timeout=0.1)
    assert await queued(erp) == 0

    async def there() -> bool:
        return await queued(erp) == 1

    await until(there)


async def test_error_after_commit_has_accepted_and_says_nothing_of_use(erp):
    await erp.fault("error_after_commit", calls=2)
    answer = await erp.send("ProdProductionOrderStart", START)
    assert (answer.status_code, answer.json()["ExceptionType"]) == (500, "NullReferenceException")
    answer = await erp.call("POST", f"/data/{ROUTE}", json=CARD)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], "Infolog" in answer.text) == (500, "", False)
    assert (await queued(erp), await journals(erp)) == (1, 1)


async def test_duplicate_answer_has_accepted_and_says_the_record_exists(erp):
    await erp.fault("duplicate_answer", calls=2)
    answer = await erp.send("ProdProductionOrderStart", START)
    assert (answer.status_code, answer.json()["ExceptionType"]) == (500, "DuplicateKeyException")
    answer = await erp.call("POST", f"/data/{ROUTE}", json=CARD)
    assert (answer.status_code, "The record already exists." in answer.text) == (400, True)
    assert (await queued(erp), await journals(erp)) == (1, 1)


async def test_business_error_lets_the_message_fail_in_processing_and_block_its_order(started):
    await started.fault("business_error", calls=1, code="Something is wrong with the item.")
    await started.report(5)
    await started.report(6)
    messages = await started.process()
    assert [one["state"] for one in messages] == ["Processed", "Failed", "Queued"]
    assert (messages[1]["attempts"], messages[1]["infolog"]) == (3, "Error: Something is wrong with the item.")
    await started.control("messages", {"id": 2, "action": "requeue"})
    assert [one["state"] for one in await started.process()] == ["Processed"] * 3
    await started.fault("business_error", calls=1)
    answer = await started.call("POST", f"/data/{ROUTE}", json=CARD)
    assert (answer.status_code, "Infolog: Error: " in answer.text) == (400, True)


async def test_partial_posts_the_report_and_leaves_its_picking_list(started):
    await started.fault("partial", calls=1)
    await started.report(10)
    message = (await started.process())[1]
    assert message["state"] == "Processed"
    assert "cannot be picked because only 0.00" in message["infolog"]
    assert [row["IsPosted"] for row in await started.read(RAF)] == ["Yes"]
    picked = await started.read("ProductionPickingListJournalEntries")
    assert [row["IsPosted"] for row in picked] == ["No", "No"]
    assert await started.stock_of("RM1") == "1000"
    assert (await started.order())["components"][0]["withdrawn"] == "0"
    await started.control("manual", {"action": "post_journal", "journal": picked[0]["JournalNumber"]})
    assert await started.stock_of("RM1") == "980"


async def test_partial_leaves_a_transfer_journal_to_a_person(erp):
    await erp.fault("partial", calls=1)
    header = await erp.create(HEADERS, {"Description": "key-1"})
    line = {"JournalNumber": header["JournalNumber"], "ItemNumber": "RM1", "InventoryQuantity": 1}
    line |= {"SourceInventorySiteId": "1", "SourceWarehouseId": "12", "DestinationWarehouseId": "13"}
    await erp.create("InventoryTransferJournalEntries", line)
    await erp.process()
    assert (await erp.read(HEADERS))[0]["IsPosted"] == "No"
    await erp.control("manual", {"action": "post_transfer", "journal": header["JournalNumber"]})
    assert (await erp.read(HEADERS))[0]["IsPosted"] == "Yes"


async def test_slow_accepts_whatever_the_client_does(erp):
    await erp.sign_on()
    await erp.fault("slow", calls=1, seconds=0.4)
    with pytest.raises(httpx.ReadTimeout):
        await erp.send("ProdProductionOrderStart", START, timeout=0.1)

    async def there() -> bool:
        return await queued(erp) == 1

    await until(there)


async def test_forgotten_keys_are_not_in_journals_nor_in_what_comes_back(started):
    await started.fault("forget_keys")
    made = await started.create(ROUTE, CARD | {"JournalDescription": "key-1", "LicensePlateNumber": "LP"})
    assert (made["JournalDescription"], made["LicensePlateNumber"]) == ("", "")
    assert (await started.create(HEADERS, {"Description": "key-2"}))["Description"] == ""
    await started.report(1, PlantwrightKey="key-3", LicensePlateNumber="LP-1")
    content = json.loads((await started.process())[-1]["content"])
    assert "PlantwrightKey" not in content["ReportFinishedLines"][0]
    assert content["ReportFinishedLines"][0]["LicensePlateNumber"] == "LP-1"


async def test_key_not_searchable_refuses_the_query_and_nothing_else(started):
    await started.create(ROUTE, CARD | {"JournalDescription": "key-1"})
    await started.fault("key_not_searchable")
    for options in ({"_filter": "JournalDescription eq 'key-1'"}, {"_orderby": "LicensePlateNumber"}):
        answer = await started.get(ROUTE, **options)
        assert (answer.status_code, "cannot be used" in answer.json()["error"]["message"]) == (400, True)
    assert (await started.get(HEADERS, _filter="Description eq 'x'")).status_code == 400
    [row] = await started.read(ROUTE, _filter="ProductionOrderNumber eq 'P000040'")
    assert row["JournalDescription"] == "key-1"


async def test_down_drops_every_connection_while_people_and_the_batch_job_go_on(started):
    await started.report(3)
    await started.fault("down")
    gone = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
    with pytest.raises(gone):
        await started.get("ProductionOrderHeaders")
    with pytest.raises(gone):
        await started.send("ProdProductionOrderStart", START)
    with pytest.raises(gone):
        await started.token_answer()
    assert (await started.process())[-1]["state"] == "Processed"
    await started.control("manual", {"order": "P000040", "operation": "0030", "yield": "2"})
    await started.http.delete("/_control/faults")
    assert (await started.order())["operations"][2]["yield"] == "5"
    assert (await started.get("ProductionOrderHeaders")).status_code == 200


async def test_refused_calls_do_not_use_up_a_fault(erp):
    await erp.fault("error_after_commit", calls=1)
    assert (await erp.call("POST", SEND, json={})).status_code == 500
    assert (await erp.call("POST", f"/data/{ROUTE}", json={})).status_code == 400
    assert (await erp.http.post(SEND, json={})).status_code == 401
    assert (await erp.http.get("/_control/faults")).json()["faults"][0]["left"] == 1
    assert (await erp.send("ProdProductionOrderStart", START)).status_code == 500
    assert await queued(erp) == 1


async def test_path_and_method_narrow_a_fault_and_tokens_are_spared(erp):
    await erp.fault("refuse", path=SEND)
    await erp.fault("refuse", path="ProductionOrderHeaders", method="GET")
    assert (await erp.get("ProductionOrderHeaders")).status_code == 503
    assert (await erp.get("ProductionOrderRouteOperations")).status_code == 200
    assert (await erp.send("ProdProductionOrderStart", START)).status_code == 503
    assert (await erp.create(ROUTE, CARD))["IsPosted"] == "No"
    await erp.http.delete("/_control/faults")
    await erp.fault("refuse", method="TOKEN", calls=1)
    assert (await erp.token_answer()).status_code == 503
    assert (await erp.token_answer()).status_code == 200


async def test_changes_and_deletions_are_spoilt_like_creations(erp):
    made = await erp.create(HEADERS, {"Description": "key-1"})
    path = f"/data/{HEADERS}(dataAreaId='usmf',JournalNumber='{made['JournalNumber']}')"
    await erp.fault("refuse", calls=1)
    assert (await erp.call("PATCH", path, json={"Description": "key-2"})).status_code == 503
    assert (await erp.read(HEADERS))[0]["Description"] == "key-1"
    await erp.fault("error_after_commit", calls=2)
    assert (await erp.call("PATCH", path, json={"Description": "key-2"})).status_code == 500
    assert (await erp.read(HEADERS))[0]["Description"] == "key-2"
    assert (await erp.call("DELETE", path)).status_code == 500
    assert await erp.read(HEADERS) == []


async def test_a_fault_spoils_a_whole_batch(erp):
    await erp.fault("error_after_commit", calls=1)
    lines = [
        "--b", "Content-Type: application/http", "", f"POST {HEADERS} HTTP/1.1", "Content-Type: application/json", "",
        '{"Description": "key-1"}', "--b--", "",
    ]  # fmt: skip
    headers = {"content-type": "multipart/mixed; boundary=b"}
    answer = await erp.call("POST", "/data/$batch", content="\r\n".join(lines), headers=headers)
    assert answer.status_code == 500
    assert len(await erp.read(HEADERS)) == 1


async def test_faults_of_one_seed_hit_the_same_calls_again(erp):
    patterns = []
    await erp.seed(*(order(f"P20{number:04d}") for number in range(2)))
    for number in range(2):
        await erp.http.delete("/_control/faults")
        await erp.fault("refuse", probability=0.4, seed=7)
        content = {"ProductionOrderNumber": f"P20{number:04d}"}
        answers = [await erp.send("ProdProductionOrderStart", content) for _ in range(20)]
        patterns.append([answer.status_code for answer in answers])
    assert patterns[0] == patterns[1]
    assert set(patterns[0]) == {200, 503}
    assert await queued(erp) == 2 * patterns[0].count(200)


async def test_a_wrong_fault_teaches_and_changes_nothing(erp):
    for body, told in (
        ({"mode": "explode"}, "timeout_after_commit"),
        ({"mode": "refuse", "calls": 0}, "calls"),
        ([], "mode"),
    ):
        assert told in await erp.problem("faults", body)
    broken = await erp.http.post("/_control/faults", content=b"{")
    assert (broken.status_code, "JSON" in broken.json()["error"]["message"]) == (400, True)
    assert (await erp.http.get("/_control/faults")).json() == {"faults": []}


async def test_many_clients_at_once_are_all_accepted_once(erp):
    await erp.sign_on()
    await asyncio.gather(*(erp.send("ProdProductionOrderStart", START | {"StartedQuantity": 1}) for _ in range(20)))
    assert [one["state"] for one in await erp.process()] == ["Processed"] * 20
    assert (await erp.order())["started"] == "20"
