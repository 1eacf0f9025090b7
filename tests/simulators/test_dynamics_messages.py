"""The message service of the simulated D365: accept, then process; order within an order; three attempts; blocking."""

import asyncio
import json

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
REPORT = "ProdProductionOrderReportFinished"
START = "ProdProductionOrderStart"


def states(messages):
    return [one["state"] for one in messages]


async def test_a_message_is_accepted_without_a_word_and_processed_later(erp):
    answer = await erp.send(START, {"ProductionOrderNumber": "P000040"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert (await erp.order())["status"] == ["Released"]
    [message] = await erp.process()
    assert (message["state"], message["attempts"], message["infolog"]) == ("Processed", 1, "")
    shown = await erp.order()
    assert (shown["status"], shown["started"], shown["remaining"]) == (["StartedUp"], "100", "100")


async def test_the_success_body_is_what_the_setting_says(erp):
    await erp.settings(send_message_body='{"$id": "1"}')
    answer = await erp.send(START, {"ProductionOrderNumber": "P000040"})
    assert answer.json() == {"$id": "1"}


async def test_nothing_of_the_content_is_judged_when_it_is_accepted(erp):
    for content in ("no json", {}, {"ProductionOrderNumber": "NONE"}, [1]):
        assert (await erp.send(START, content)).status_code == 200
    assert (await erp.send("ProdInventedType", {"ProductionOrderNumber": "P000040"})).status_code == 200
    messages = await erp.process()
    assert states(messages) == ["Failed"] * 5
    assert "not valid JSON" in messages[0]["infolog"]
    assert "'ProductionOrderNumber' must be filled in" in messages[1]["infolog"]
    assert "The value 'NONE' in field 'Production' is not found in the related table" in messages[2]["infolog"]
    assert "ProdInventedType" in messages[4]["infolog"]


@pytest.mark.parametrize(
    "changes",
    [
        {"_companyId": None},
        {"_messageType": ""},
        {"_messageContent": {"ProductionOrderNumber": "P000040"}},
        {"_messageQueue": "Invented"},
        {"_companyId": "XXXX"},
    ],
)
async def test_a_wrong_envelope_is_a_500_with_an_exception_type(erp, changes):
    answer = await erp.send(START, {"ProductionOrderNumber": "P000040"}, envelope=changes)
    assert answer.status_code == 500
    body = answer.json()
    assert body["Message"].startswith("An exception occured when invoking the operation - ")
    assert set(body) == {"Message", "ExceptionType", "ActivityId"}
    assert (await erp.books())["messages"] == []


async def test_other_services_and_methods_are_not_there(erp):
    assert (await erp.call("POST", "/api/services/A/B/C", json={})).status_code == 404
    assert (await erp.call("GET", SEND)).status_code == 404
    assert (await erp.http.post(SEND, json={})).status_code == 401


async def test_messages_of_one_order_run_in_the_order_of_their_arrival(erp):
    await erp.start()
    await erp.report(30)
    await erp.report(10, EndJob="Yes")
    await erp.end()
    assert states(await erp.process()) == ["Processed"] * 4
    assert (await erp.order())["status"] == ["Completed"]
    journals = await erp.read("ReportAsFinishedProductionJournalEntries")
    assert [row["ReportedGoodInventoryQuantity"] for row in journals] == [30, 10]


async def test_a_failed_message_blocks_its_order_and_no_other_until_somebody_acts(erp):
    await erp.seed(order("P000041"))
    await erp.start()
    await erp.start("P000041")
    await erp.report(30, ItemBatchNumber="B1")
    await erp.report(5)
    await erp.report(7, "P000041")
    messages = await erp.process()
    assert states(messages) == ["Processed", "Processed", "Failed", "Queued", "Processed"]
    assert (messages[2]["attempts"], messages[3]["blocked_by"], messages[3]["attempts"]) == (3, 3, 0)
    assert [(await erp.order(number))["operations"][2]["yield"] for number in ("P000040", "P000041")] == ["0", "7"]
    assert states(await erp.process()) == ["Processed", "Processed", "Failed", "Queued", "Processed"]
    answer = await erp.control("messages", {"id": 3, "action": "cancel"})
    assert answer["message"]["state"] == "Canceled"
    assert states(await erp.process()) == ["Processed", "Processed", "Canceled", "Processed", "Processed"]
    assert (await erp.order())["operations"][2]["yield"] == "5"


async def test_a_requeued_message_has_three_attempts_again_and_its_old_place(erp):
    await erp.report(5)
    await erp.start()
    assert states(await erp.process()) == ["Failed", "Queued"]
    await erp.control("messages", {"id": 1, "action": "requeue"})
    assert states(await erp.process()) == ["Failed", "Queued"]
    await erp.control("manual", {"action": "start", "order": "P000040", "quantity": "50"})
    await erp.control("messages", {"id": 1, "action": "requeue"})
    assert states(await erp.process()) == ["Processed", "Processed"]
    assert (await erp.order())["started"] == "100"


async def test_only_what_is_open_can_be_requeued_or_cancelled(erp):
    await erp.start()
    assert "requeue takes Failed" in await erp.problem("messages", {"id": 1, "action": "requeue"})
    await erp.process()
    assert "Processed" in await erp.problem("messages", {"id": 1, "action": "cancel"})
    assert "no message 9" in await erp.problem("messages", {"id": 9, "action": "cancel"})
    assert "name the message" in await erp.problem("messages", {"action": "cancel"})
    assert "for example" in await erp.problem("messages", {"action": "explode"})


async def test_a_failed_attempt_leaves_nothing_of_its_posting(started):
    await started.seed(
        stock=[{"material": "RM2", "plant": "1", "storage_location": "12", "quantity": "1", "unit": "KG"}]
    )
    await started.report(40)
    messages = await started.process()
    assert messages[1]["state"] == "Failed"
    told = messages[1]["infolog"]
    assert "5.00 cannot be picked because only 1.00 is/are available from the inventory." in told
    assert "Warning: Item number: RM2, Inventory dimensions: Site=1, Warehouse=12" in told
    books = await started.books()
    assert books["documents"] == []
    assert await started.stock_of("RM1") == "1000"
    assert await started.read("ProductionPickingListJournalEntries") == []


async def test_the_infolog_speaks_the_language_of_its_user(started):
    await started.settings(language="de")
    await started.seed(
        stock=[{"material": "RM2", "plant": "1", "storage_location": "12", "quantity": "1", "unit": "KG"}]
    )
    await started.report(40)
    assert "kann nicht entnommen werden, da nur 1.00" in (await started.process())[1]["infolog"]


async def test_the_same_message_twice_posts_twice(started):
    for _ in range(2):
        await started.report(10)
    assert states(await started.process()) == ["Processed"] * 3
    shown = await started.order()
    assert (shown["operations"][2]["yield"], shown["remaining"]) == ("20", "80")
    assert await started.stock_of("RM1") == "960"


async def test_unknown_members_are_ignored_or_rejected_as_the_setting_says(started):
    await started.report(1, PlantwrightKey="k-1")
    assert (await started.process())[1]["state"] == "Processed"
    await started.settings(unknown_members="reject")
    await started.report(1, PlantwrightKey="k-2")
    message = (await started.process())[2]
    assert message["state"] == "Failed"
    assert "'PlantwrightKey'" in message["infolog"]
    assert json.loads(message["content"])["ReportFinishedLines"][0]["PlantwrightKey"] == "k-2"


async def test_batch_and_location_of_a_picking_list_need_the_newer_version(started):
    line = {"ItemNumber": "RM1", "ConsumptionBOMQuantity": 2, "ProductionWarehouseLocationId": "L9"}
    await started.seed(
        stock=[
            {"material": "RM1", "plant": "1", "storage_location": "12", "location": "L9", "quantity": "5", "unit": "PC"}
        ]
    )
    await started.pick(line)
    await started.process()
    assert await started.stock_of("RM1", location="L9") == "5"
    await started.settings(picking_list_version="new")
    await started.pick(line)
    await started.process()
    assert await started.stock_of("RM1", location="L9") == "3"


WRONG_REPORTS = [
    ({"ReportedGoodQuantity": "5"}, "'ReportedGoodQuantity' is not a valid real"),
    ({"ReportedGoodQuantity": True}, "'ReportedGoodQuantity'"),
    ({"ReportedGoodQuantity": 1.0005}, "more decimals than the unit allows"),
    ({"EndJob": "Maybe"}, "'EndJob' is not a valid No|Yes"),
    ({"ErrorCause": "Rust"}, "'ErrorCause'"),
    ({"ReportAsFinishedDate": "2026-13-01"}, "'ReportAsFinishedDate' is not a valid date"),
    ({"ReportedGoodQuantity": -1}, "must not be negative"),
    ({"ReportedGoodQuantity": 0}, "must be different from zero"),
    ({"ItemNumber": "RM1"}, "Production order outputs"),
    ({"InventoryStatusId": "Blocking"}, "is a blocking status"),
    ({"InventoryStatusId": "Invented"}, "Inventory statuses"),
    ({"ItemBatchNumber": "B1"}, "Batch number is not active for item FG1"),
]


async def test_a_wrong_value_fails_in_processing(started):
    for fields, told in WRONG_REPORTS:
        await started.report(5, **fields)
        message = (await started.process())[-1]
        assert (message["state"], told in message["infolog"]) == ("Failed", True), message["infolog"]
        await started.control("messages", {"id": message["id"], "action": "cancel"})
    assert (await started.books())["documents"] == []


async def test_a_report_without_lines_fails(started):
    for content in ({"ReportFinishedLines": []}, {}, {"ReportFinishedLines": {}}):
        await started.sent(REPORT, {"ProductionOrderNumber": "P000040"} | content)
    assert states(await started.process())[1] == "Failed"


async def test_the_batch_job_runs_by_itself_unless_it_is_paused(erp):
    await erp.settings(batch_seconds=0.05)
    await erp.start()
    await erp.control("messages", {"action": "resume"})

    async def started() -> bool:
        return (await erp.order())["status"] == ["StartedUp"]

    await until(started)
    assert (await erp.control("messages", {"action": "pause"}))["paused"] is True


async def test_eight_orders_at_most_are_worked_on_side_by_side(erp):
    numbers = [f"P2000{number:02d}" for number in range(10)]
    await erp.seed(*(order(number) for number in numbers))
    await erp.settings(processing_seconds=0.3)
    for number in numbers:
        await erp.start(number)
    working = asyncio.create_task(erp.process())

    async def held() -> bool:
        return len((await erp.books())["locks"]) == 8

    await until(held)
    assert states(await working) == ["Processed"] * 10


async def test_an_order_under_way_is_an_update_conflict_for_others_and_a_person_waits(erp):
    await erp.settings(processing_seconds=0.3)
    await erp.start()
    working = asyncio.create_task(erp.process())

    async def held() -> bool:
        return (await erp.books())["locks"] == ["p000040"]

    await until(held)
    path = "/data/ProductionOrderHeaders(dataAreaId='usmf',ProductionOrderNumber='P000040')"
    answer = await erp.call("PATCH", path, json={"ProductionPoolId": "A"})
    assert answer.status_code == 500
    assert "An update conflict occurred" in answer.json()["error"]["innererror"]["message"]
    made = await erp.control("manual", {"order": "P000040", "operation": "0010", "yield": "1"})
    assert len(made["documents"]) == 1
    await working
