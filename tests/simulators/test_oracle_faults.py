"""Every fault mode of the simulated Oracle on its writing resources, judged by its own books; a killed process."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.simulators.oracle_bench import (
    ACTION,
    STOCK_ROWS,
    Oracle,
    issue,
    line,
    oracle_fixture,
    order,
    start_oracle_fixture,
    until,
)

__all__ = ["oracle_fixture", "start_oracle_fixture"]
HOME = Path(__file__).parents[2]
EVENTS = "/api/scm-core/operational-data/v1/events"
KEY = "0f8fad5b-d9cb-469f-a165-70867728950e"
CHARGE = {
    "OrganizationCode": "M1", "WorkOrderNumber": "1000040", "OperationSequenceNumber": 10, "ResourceCode": "PRESS",
    "TransactionTypeCode": "RESOURCE_CHARGE", "TransactionQuantity": 5, "TransactionNote": KEY,
}  # fmt: skip
MOVE = {
    "TransactionMode": "1", "SourceCode": "PW", "SourceHeaderId": 1, "SourceLineId": 1, "ItemNumber": "RM1",
    "TransactionTypeName": "Subinventory Transfer", "OrganizationName": "M1", "SubinventoryCode": "RM01",
    "TransferSubinventory": "RM02", "TransactionQuantity": -1, "TransactionReference": KEY,
}  # fmt: skip
ISSUE = {
    "Name": "Burr",
    "QualityTypeCode": "X",
    "Severity": "H",
    "Source": "Q",
    "OrganizationCode": "M1",
    "IssueNumber": KEY,
}
DOWN = {"OrganizationCode": "M1", "AssetNumber": "PRESS", "WorkOrderNumber": KEY}
FAILURE = {"AssetNumber": "PRESS", "FailureDate": "2026-03-02T06:00:00Z", "FailureEventNumber": KEY}
CAPACITY = {"OrganizationCode": "M1", "WorkCenterCode": "PRESS", "StartDate": "2026-03-02", "EndDate": "2026-03-02"}
INSPECTION = {"OrganizationCode": "M1", "InspectionEventNumber": KEY}
EVENT = {"entityCode": "P", "eventTypeCode": "CA_FAULT", "eventTime": "2026-03-02T06:00:00Z", "data": {"code": 1}}


@dataclass(frozen=True)
class Way:
    """One writing path: how to write once, and how the books show how often it took effect."""

    write: Callable[..., Awaitable[httpx.Response]]
    count: Callable[[Any], int]


def _batch(name: str, detail: str, one: dict[str, Any]) -> Callable[..., Awaitable[httpx.Response]]:
    def write(oracle: Oracle, **more: Any) -> Awaitable[httpx.Response]:
        return oracle.post(name, {"SourceSystemCode": "PLANTWRIGHT", detail: [one]}, **more)

    return write


def _post(name: str, body: dict[str, Any]) -> Callable[..., Awaitable[httpx.Response]]:
    return lambda oracle, **more: oracle.post(name, body, **more)


def _kind(kind: str) -> Callable[[Any], int]:
    return lambda books: sum(row["kind"] == kind for row in books["documents"])


async def _patch_order(oracle: Oracle, **more: Any) -> httpx.Response:
    return await oracle.patch(f"workOrders/{await oracle.order_id()}", {"WorkOrderStatusCode": "ORA_ON_HOLD"}, **more)


async def _hold_lot(oracle: Oracle, **more: Any) -> httpx.Response:
    found = await oracle.read("inventoryItemLots", q="ItemNumber='WIRE' and LotNumber='W1'")
    return await oracle.http.patch(found["items"][0]["links"][0]["href"], json={"MaterialStatusId": 2}, **more)


async def _process(oracle: Oracle, **more: Any) -> httpx.Response:
    waiting = await oracle.items("inventoryStagedTransactions")
    return await oracle.post(
        "inventoryStagedTransactions/action/processByHeader",
        {"headerId": waiting[0]["TransactionHeaderId"]}, media=ACTION, **more,
    )  # fmt: skip


LOTS = [{"LotNumber": "W1", "TransactionQuantity": 2}]
STATUS = {"OrganizationCode": "M1", "ItemNumber": "WIRE", "LotNumber": "W1", "MaterialStatusId": 2}
WAYS = {
    "operationTransactions": Way(
        _batch("operationTransactions", "OperationTransactionDetail", line(10, 1, TransactionNote=KEY)),
        _kind("confirmation"),
    ),
    "materialTransactions": Way(
        _batch("materialTransactions", "MaterialTransactionDetail", issue(20, "WIRE", 2, TransactionLot=LOTS)),
        _kind("material_document"),
    ),
    "resourceTransactions": Way(
        _batch("resourceTransactions", "ResourceTransactionDetail", CHARGE), _kind("resource_transaction")
    ),
    "inventoryStagedTransactions": Way(_post("inventoryStagedTransactions", MOVE), _kind("material_document")),
    "processByHeader": Way(_process, _kind("material_document")),
    "workOrders": Way(_patch_order, lambda books: int(books["orders"][0]["status"] == ["ON_HOLD"])),
    "inventoryItemLots": Way(_hold_lot, lambda books: len(books["holds"])),
    "materialStatusUpdates": Way(_post("materialStatusUpdates", STATUS), lambda books: len(books["holds"])),
    "qualityIssues": Way(_post("qualityIssues", ISSUE), lambda books: len(books["quality"]["issues"])),
    "inspectionEvents": Way(_post("inspectionEvents", INSPECTION), lambda books: len(books["quality"]["inspections"])),
    "maintenanceWorkOrders": Way(
        _post("maintenanceWorkOrders", DOWN), lambda books: len(books["maintenance"]["orders"])
    ),
    "assetFailureEvents": Way(
        _post("assetFailureEvents", FAILURE), lambda books: len(books["maintenance"]["failures"])
    ),
    "workCenterResourceExceptions": Way(
        _post("workCenterResourceExceptions", CAPACITY), lambda books: len(books["maintenance"]["capacity"])
    ),
    "events": Way(
        lambda oracle, **more: oracle.http.post(EVENTS, json=EVENT, **more),
        lambda books: len(books["maintenance"]["events"]),
    ),
}


async def _ready(oracle: Oracle, name: str) -> None:
    if name == "processByHeader":
        await oracle.created("inventoryStagedTransactions", MOVE | {"TransactionMode": "3"})


async def counted(oracle: Oracle, way: Way) -> int:
    return way.count(await oracle.books())


@pytest.mark.parametrize("name", WAYS)
async def test_what_fails_before_the_commit_leaves_nothing_on_any_writing_path(oracle, name):
    way = WAYS[name]
    await _ready(oracle, name)
    before = await counted(oracle, way)
    await oracle.fault("refuse", calls=1)
    assert (await way.write(oracle)).status_code == 503
    await oracle.fault("throttle", calls=1, retry_after=7)
    answer = await way.write(oracle)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    await oracle.fault("timeout_before_commit", calls=1, seconds=0.02)
    assert (await way.write(oracle)).status_code == 504
    if name not in ("processByHeader", "inventoryStagedTransactions"):
        await oracle.fault("business_error", calls=1, code="XX_NO")
        assert "XX_NO" in (await way.write(oracle)).text
    assert await counted(oracle, way) == before
    assert (await way.write(oracle)).status_code in (200, 201)
    assert await counted(oracle, way) == 1


@pytest.mark.parametrize("name", WAYS)
async def test_what_fails_after_the_commit_has_committed_on_every_writing_path(oracle, name):
    way = WAYS[name]
    for mode, status in (("error_after_commit", 500), ("duplicate_answer", None), ("timeout_after_commit", 504)):
        await oracle.http.delete("/_control/faults")
        fresh = await counted(oracle, way)
        if fresh and name in ("workOrders", "inventoryItemLots", "materialStatusUpdates", "maintenanceWorkOrders",
                              "qualityIssues", "inspectionEvents", "assetFailureEvents"):  # fmt: skip
            continue
        await _ready(oracle, name)
        await oracle.fault(mode, calls=1, seconds=0.02)
        answer = await way.write(oracle)
        if status is not None:
            assert answer.status_code == status
        elif answer.status_code == 201:
            assert answer.json()["ErrorsExistFlag"] == "true"
        else:
            assert answer.json()["o:errorDetails"][0]["o:errorCode"] == "JBO-25013"
        assert await counted(oracle, way) == fresh + 1


async def test_a_business_error_of_staged_rows_is_in_the_row_and_nothing_moves(oracle):
    await oracle.fault("business_error", calls=2, code="XX_NO")
    made = await oracle.created("inventoryStagedTransactions", MOVE)
    assert (made["ProcessStatus"], made["ErrorCode"]) == (3, "XX_NO")
    refused = await oracle.post("inventoryStagedTransactions", MOVE | {"TransactionMode": "3"})
    assert refused.json()["o:errorDetails"][0]["o:errorCode"] == "XX_NO"
    assert await oracle.stock("RM1") == {"RM01": "1000"}


async def test_a_business_error_of_a_batch_is_on_every_line_of_a_201(oracle):
    await oracle.fault("business_error", calls=1)
    assert await oracle.refused(line(10, 1), line(10, 2)) == ["INV_NEGATIVE_BALANCES_NOT_ALLOWED"] * 2
    assert (await oracle.books())["documents"] == []


async def test_a_duplicate_answer_lies_about_what_was_booked(oracle):
    await oracle.fault("duplicate_answer", calls=1)
    assert await oracle.refused(line(10, 1)) == ["WIE_DUPLICATE_TRANSACTION"]
    assert (await oracle.operations())["0010"]["yield"] == "1"


async def test_partial_completes_and_leaves_the_pull_components_short(oracle):
    await oracle.fault("partial", calls=1)
    await oracle.moved(line(10, 10))
    books = await oracle.books()
    assert [(row["material"], row["quantity"]) for row in books["cogi"]] == [("RM1", "20"), ("RM2", "1.25")]
    assert (books["orders"][0]["operations"][0]["yield"], await oracle.stock("RM1")) == ("10", {"RM01": "1000"})
    assert (await oracle.withdrawn())["RM1"] == "0"
    await oracle.fault("partial", calls=1)
    made = await oracle.material(issue(10, "RM1", 1), issue(10, "RM1", 2))
    assert [row["ErrorMessageNames"] for row in made["MaterialTransactionDetail"]["items"]] == [
        None, "INV_NEGATIVE_BALANCES_NOT_ALLOWED"
    ]  # fmt: skip


async def test_forgotten_keys_are_stored_empty_and_a_record_gets_another_number(oracle):
    await oracle.fault("forget_keys")
    await oracle.moved(line(10, 1, TransactionNote=KEY))
    await oracle.created("inventoryStagedTransactions", MOVE)
    assert await oracle.items("inventoryCompletedTransactions", q=f"Reference='{KEY}'") == []
    assert [row["key"] for row in (await oracle.books())["documents"] if row["kind"] == "confirmation"] == [None]
    numbers = [(await oracle.created("qualityIssues", ISSUE))["IssueNumber"] for _ in range(2)]
    assert KEY not in numbers
    assert len(set(numbers)) == 2
    assert (await oracle.created("maintenanceWorkOrders", DOWN))["WorkOrderNumber"] != KEY


async def test_key_not_searchable_refuses_the_reference_and_nothing_else(oracle):
    await oracle.created("inventoryStagedTransactions", MOVE)
    await oracle.fault("key_not_searchable")
    for name in ("Reference", "SourceReference"):
        answer = await oracle.get("inventoryCompletedTransactions", q=f"{name}='{KEY}'")
        assert (answer.status_code, "not queryable" in answer.text) == (400, True)
    assert len(await oracle.items("inventoryCompletedTransactions", q="Item='RM1'")) == 2


async def test_down_drops_every_connection_while_people_go_on_in_oracles_screens(oracle):
    await oracle.fault("down")
    for _ in range(2):
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)):
            await oracle.get("workOrders")
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)):
            await oracle.operate(line(10, 1))
    await oracle.control("manual", {"order": "1000040", "operation": "0010", "yield": "2"})
    await oracle.clear()
    assert (await oracle.operations())["0010"]["yield"] == "2"
    await oracle.moved(line(10, 1))


async def test_a_slow_posting_holds_its_operation_and_commits_though_its_client_has_gone(oracle):
    await oracle.moved(line(10, 10))
    await oracle.fault("slow", calls=1, seconds=0.8, path="/operationTransactions")
    with pytest.raises(httpx.ReadTimeout):
        await oracle.operate(line(10, 5), timeout=0.15)
    assert (await oracle.books())["locks"] == ["1000040/0010"]
    assert await oracle.refused(line(10, 1)) == ["WIE_RECORD_LOCKED"]
    locked = await oracle.patch(f"workOrders/{await oracle.order_id()}", {"WorkOrderStatusCode": "ORA_ON_HOLD"})
    assert (locked.status_code, locked.json()["o:errorDetails"][0]["o:errorCode"]) == (400, "JBO-26030")
    await oracle.moved(line(20, 1))
    by_hand = await oracle.control("manual", {"order": "1000040", "operation": "0010", "yield": "1"})
    assert by_hand["documents"]
    assert (await oracle.operations())["0010"]["yield"] == "16"


async def test_a_commit_may_come_after_the_client_has_given_up(oracle):
    await oracle.fault("timeout_after_commit", calls=1, commit_delay=0.5)
    with pytest.raises(httpx.ReadTimeout):
        await oracle.operate(line(10, 5), timeout=0.15)
    assert (await oracle.operations())["0010"]["yield"] == "0"

    async def committed() -> bool:
        return (await oracle.operations())["0010"]["yield"] == "5"

    await until(committed)


async def test_refused_calls_do_not_use_up_a_fault(oracle):
    await oracle.fault("error_after_commit", calls=1)
    await oracle.refused(line(99, 1))
    assert (await oracle.operate(line(10, "many"))).status_code == 400
    assert (await oracle.get("workOrders")).status_code == 200
    validated = {"OrganizationCode": "M1", "ItemNumber": "RM1", "SubinventoryCode": "RM01", "TransactionQuantity": -1}
    await oracle.created("validateInventoryTransactionQuantities", validated)
    assert (await oracle.operate(line(10, 1))).status_code == 500


async def test_faults_of_one_seed_hit_the_same_calls_again(start_oracle, tmp_path):
    patterns = []
    for name in ("a", "b"):
        oracle = await start_oracle(tmp_path / f"{name}.db")
        await oracle.seed(order(), stock=STOCK_ROWS)
        await oracle.fault("refuse", probability=0.4, seed=7)
        patterns.append([(await oracle.operate(line(10, 1))).status_code for _ in range(25)])
        assert (await oracle.operations())["0010"]["yield"] == str(patterns[-1].count(201))
    assert patterns[0] == patterns[1]
    assert set(patterns[0]) == {201, 503}


async def test_path_and_method_narrow_a_fault_under_both_roots(oracle):
    await oracle.fault("refuse", path="materialTransactions")
    await oracle.fault("refuse", path="/fscmRestApi/resources/11.13.18.05/workOrders", method="GET")
    await oracle.moved(line(10, 1))
    body = {"SourceSystemCode": "PLANTWRIGHT", "MaterialTransactionDetail": [issue(10, "RM1", 1)]}
    assert (await oracle.post("materialTransactions", body)).status_code == 503
    assert (await oracle.get("workOrders")).status_code == 503
    assert (await oracle.http.get("/fscmRestApi/resources/latest/workOrders")).status_code == 503
    assert (await oracle.get("itemsV2")).status_code == 200


@pytest.fixture
async def start_process():
    """Starts Oracles of their own process; what a failing test leaves behind is killed."""
    started: list[asyncio.subprocess.Process] = []

    async def start(db: Path) -> tuple[asyncio.subprocess.Process, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "simulators.oracle", "--port", "0", "--db", str(db),
            cwd=HOME, stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"ORACLE_USER": "SHOP", "ORACLE_PASSWORD": "floor-secret"},
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        ready = (await process.stdout.readline()).decode()
        assert ready.startswith("ready ")
        return process, json.loads(ready.removeprefix("ready "))["url"]

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_books_survive_sigkill_and_a_posting_in_work_is_gone_as_a_whole(start_process, tmp_path):
    db = tmp_path / "killed.db"
    process, url = await start_process(db)
    client = Oracle(url, db)
    await client.seed(order(), stock=STOCK_ROWS)
    await client.moved(line(10, 10))
    link = (await client.read("inventoryItemLots", q="LotNumber='W1'"))["items"][0]["links"][0]["href"]
    await client.control("settings", {"posting_seconds": 30})
    in_work = asyncio.create_task(client.operate(line(10, 20), line(20, 5)))

    async def locked() -> bool:
        return (await client.books())["locks"] == ["1000040/0010", "1000040/0020"]

    await until(locked)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    with pytest.raises(httpx.TransportError):
        await in_work
    await client.http.aclose()

    process, url = await start_process(db)
    client = Oracle(url, db)
    await client.control("settings", {"posting_seconds": 0})
    assert (await client.operations())["0010"]["yield"] == "10"
    assert (await client.withdrawn())["RM1"] == "20"
    assert (
        link.rsplit("/", 1)[-1]
        in (await client.read("inventoryItemLots", q="LotNumber='W1'"))["items"][0]["links"][0]["href"]
    )
    await client.moved(line(10, 20), line(20, 5))
    assert (await client.stock("RM1")) == {"RM01": "940"}
    await client.http.aclose()
    process.terminate()
    assert await process.wait() == 0
