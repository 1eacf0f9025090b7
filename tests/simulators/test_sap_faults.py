"""Every fault mode of the simulated SAP, judged by its own books; locks, disconnects and a killed process."""

import asyncio
import json
import os
import signal
import sys
import uuid
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]


async def counted(sap) -> int:
    books = await sap.books()
    return sum(row["kind"] == "confirmation" for row in books["documents"])


async def until(condition, limit: float = 10.0):
    """Polls the control side until the condition holds; the books are the only thing to look at."""
    async with asyncio.timeout(limit):
        while not await condition():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_refuse_and_throttle_answer_without_processing(sap):
    await sap.sign_on()
    await sap.fault("refuse", calls=1)
    assert (await sap.confirm("1000040", "0010", "1")).status_code == 503
    await sap.fault("throttle", calls=1, retry_after=7)
    answer = await sap.confirm("1000040", "0010", "1")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert await counted(sap) == 0
    await sap.confirmed("1000040", "0010", "1")


async def test_timeout_before_commit_never_commits(sap):
    await sap.sign_on()
    await sap.fault("timeout_before_commit", calls=2)
    with pytest.raises(httpx.ReadTimeout):
        await sap.post(f"{sap.confirmations}/ProdnOrdConf2", {}, timeout=0.2)
    await sap.http.delete("/_control/faults")
    await sap.fault("timeout_before_commit", calls=1, seconds=0.05)
    assert (await sap.confirm("1000040", "0010", "1")).status_code == 504
    await sap.confirmed("1000040", "0010", "1")
    assert await counted(sap) == 1


async def test_timeout_after_commit_has_committed(sap):
    await sap.sign_on()
    await sap.fault("timeout_after_commit", calls=1)
    body = {"OrderID": "1000040", "OrderOperation": "0010", "ConfirmationYieldQuantity": "1"}
    with pytest.raises(httpx.ReadTimeout):
        await sap.post(f"{sap.confirmations}/ProdnOrdConf2", body, timeout=0.3)
    assert await counted(sap) == 1


async def test_timeout_after_a_delayed_commit_commits_after_the_client_has_gone(sap):
    await sap.sign_on()
    await sap.fault("timeout_after_commit", calls=1, commit_delay=0.6)
    body = {"OrderID": "1000040", "OrderOperation": "0010", "ConfirmationYieldQuantity": "1"}
    with pytest.raises(httpx.ReadTimeout):
        await sap.post(f"{sap.confirmations}/ProdnOrdConf2", body, timeout=0.15)
    assert await counted(sap) == 0
    await until(lambda: _has(sap, 1))


async def _has(sap, count: int) -> bool:
    return await counted(sap) == count


async def test_error_after_commit_and_duplicate_answer_have_committed(sap):
    await sap.sign_on()
    await sap.fault("error_after_commit", calls=1)
    assert (await sap.confirm("1000040", "0010", "1")).status_code == 500
    await sap.fault("duplicate_answer", calls=1)
    answer = await sap.confirm("1000040", "0010", "1")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "/IWBEP/CM_COS/005")
    assert await counted(sap) == 2


async def test_business_error_hides_its_code_in_a_container(sap):
    await sap.sign_on()
    await sap.fault("business_error", calls=1, code="M8/147")
    answer = await sap.confirm("1000040", "0010", "1")
    error = answer.json()["error"]
    assert (answer.status_code, error["innererror"]["errordetails"][0]["code"]) == (400, "M8/147")
    assert error["code"] != "M8/147"
    await sap.fault("business_error", calls=1)
    answer = await sap.confirm("1000040", "0010", "1")
    assert answer.json()["error"]["innererror"]["errordetails"][0]["code"] == "M7/021"
    assert await counted(sap) == 0


async def test_partial_confirms_and_leaves_every_goods_movement_in_the_error_list(sap):
    await sap.fault("partial", calls=1)
    answer = await sap.confirm("1000040", "0010", "10")
    assert answer.status_code == 201
    books = await sap.books()
    assert [(row["material"], row["quantity"]) for row in books["cogi"]] == [("RM1", "20"), ("RM2", "1.25")]
    assert books["documents"][0]["goods_movements"] == []
    assert books["orders"][0]["operations"][0]["yield"] == "10"


async def test_forgotten_keys_are_stored_empty(sap):
    await sap.fault("forget_keys")
    key = str(uuid.uuid4())
    await sap.confirmed("1000040", "0010", "1", ExternalSystemConfirmation=key)
    found = await sap.read(f"{sap.confirmations}/ProdnOrdConf2", _filter=f"ExternalSystemConfirmation eq guid'{key}'")
    assert found["results"] == []
    assert (await sap.books())["documents"][0]["key"] is None


async def test_key_not_searchable_refuses_the_filter_and_nothing_else(sap):
    await sap.confirmed("1000040", "0010", "1")
    await sap.fault("key_not_searchable")
    text = "ExternalSystemConfirmation eq guid'0f8fad5b-d9cb-469f-a165-70867728950e'"
    answer = await sap.get(f"{sap.confirmations}/ProdnOrdConf2", _filter=text)
    assert answer.status_code == 400
    assert "not filterable" in answer.json()["error"]["message"]["value"]
    answer = await sap.get(f"{sap.documents}/A_MaterialDocumentHeader", _filter="ReferenceDocument eq 'X'")
    assert answer.status_code == 400
    assert (await sap.read(f"{sap.confirmations}/ProdnOrdConf2", _filter="OrderID eq '1000040'"))["results"]


async def test_down_drops_every_connection_while_people_go_on_in_the_gui(sap):
    await sap.sign_on()
    await sap.fault("down")
    for _ in range(2):
        with pytest.raises(httpx.RemoteProtocolError):
            await sap.get(f"{sap.orders}/A_ProductionOrder_2")
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)):
            await sap.confirm("1000040", "0010", "1")
    await sap.control("manual", {"order": "1000040", "operation": "0010", "yield": "2"})
    await sap.http.delete("/_control/faults")
    assert await counted(sap) == 1
    await sap.confirmed("1000040", "0010", "1")


async def test_slow_posting_locks_the_whole_order_and_commits_though_its_client_has_gone(sap, make_order):
    await sap.seed(make_order("1000041"))
    await sap.sign_on()
    await sap.fault("slow", calls=1, seconds=1.0, path="/API_PROD_ORDER_CONFIRMATION_2_SRV/ProdnOrdConf2")
    body = {"OrderID": "1000040", "OrderOperation": "0010", "ConfirmationYieldQuantity": "10"}
    with pytest.raises(httpx.ReadTimeout):
        await sap.post(f"{sap.confirmations}/ProdnOrdConf2", body, timeout=0.2)
    assert (await sap.confirm("1000040", "0020", "1")).status_code == 423
    teco = await sap.post(f"{sap.orders}/TechlyCmpltOrder", params={"ManufacturingOrder": "'1000040'"})
    assert teco.status_code == 423
    await sap.confirmed("1000041", "0010", "1")
    await sap.control("settings", {"lock_answer": "ME/006"})
    answer = await sap.confirm("1000040", "0020", "1")
    assert answer.status_code == 400
    assert answer.json()["error"]["innererror"]["errordetails"][0]["code"] == "ME/006"
    by_hand = await sap.control("manual", {"order": "1000040", "operation": "0020", "yield": "1"})
    assert by_hand["documents"]
    books = await sap.books("1000040")
    assert [row["yield"] for row in books["orders"][0]["operations"]] == ["10", "1", "0"]


async def test_two_confirmations_at_once_never_both_run_on_one_order(sap):
    await sap.control("settings", {"posting_seconds": 0.3})
    await sap.sign_on()
    answers = await asyncio.gather(*(sap.confirm("1000040", "0010", "1") for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [201, 423, 423]
    assert await counted(sap) == 1


async def test_refused_calls_do_not_use_up_a_fault(sap):
    await sap.sign_on()
    await sap.fault("error_after_commit", calls=1)
    assert (await sap.confirm("1000040", "0099", "1")).status_code == 400
    arguments = {"OrderID": "'1000040'", "OrderOperation": "'0010'"}
    assert (await sap.post(f"{sap.confirmations}/GetConfProposal", params=arguments)).status_code == 200
    assert (await sap.confirm("1000040", "0010", "1")).status_code == 500


async def test_faults_of_one_seed_hit_the_same_calls_again(start_sap, make_order, stock_rows, tmp_path):
    patterns = []
    for name in ("a", "b"):
        sap = await start_sap(tmp_path / f"{name}.db")
        await sap.seed(make_order(), stock=stock_rows)
        await sap.sign_on()
        await sap.fault("refuse", probability=0.4, seed=7)
        patterns.append([(await sap.confirm("1000040", "0010", "1")).status_code for _ in range(25)])
        assert (await sap.books())["orders"][0]["operations"][0]["yield"] == str(patterns[-1].count(201))
    assert patterns[0] == patterns[1]
    assert set(patterns[0]) == {201, 503}


async def test_path_and_method_narrow_a_fault(sap):
    await sap.sign_on()
    await sap.fault("refuse", path="/sap/opu/odata/sap/API_MATERIAL_DOCUMENT_SRV")
    await sap.fault("refuse", path="API_PRODUCTION_ORDER_2_SRV/A_ProductionOrder_2", method="GET")
    await sap.confirmed("1000040", "0010", "1")
    assert (await sap.post(f"{sap.documents}/A_MaterialDocumentHeader")).status_code == 503
    assert (await sap.get(f"{sap.orders}/A_ProductionOrder_2")).status_code == 503
    assert (await sap.get(f"{sap.orders}/A_ProductionOrderItem_2")).status_code == 200


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"mode": "explode"}, "timeout_after_commit"),
        ({"mode": "refuse", "seed": "seven"}, "seed"),
        ({"mode": "refuse", "probability": 1.5}, "probability"),
        ({"mode": "refuse", "calls": 0}, "calls"),
        ({"mode": "refuse", "often": True}, "often"),
        ({}, "mode"),
        ([1], "for example"),
    ],
)
async def test_a_wrong_fault_teaches_and_changes_nothing(sap, body, told):
    answer = await sap.http.post("/_control/faults", json=body)
    assert answer.status_code == 400
    assert told in answer.json()["error"]["message"]
    broken = await sap.http.post("/_control/faults", content=b"{")
    assert (broken.status_code, "JSON" in broken.json()["error"]["message"]) == (400, True)
    assert (await sap.http.get("/_control/faults")).json() == {"faults": []}


@pytest.fixture
async def start_process():
    """Starts SAPs of their own process; what a failing test leaves behind is killed."""
    started: list[asyncio.subprocess.Process] = []

    async def start(db: Path) -> tuple[asyncio.subprocess.Process, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "simulators.sap", "--port", "0", "--db", str(db),
            cwd=ROOT, stdout=asyncio.subprocess.PIPE,
            env=os.environ | {"SAP_USER": "SHOP", "SAP_PASSWORD": "floor-secret"},
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        assert line.startswith("ready ")
        return process, json.loads(line.removeprefix("ready "))["url"]

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_books_survive_sigkill_and_a_posting_in_work_is_gone_as_a_whole(
    sap, start_process, make_order, stock_rows, tmp_path
):
    db = tmp_path / "killed.db"
    process, url = await start_process(db)
    client = type(sap)(url, db)
    await client.seed(make_order(), stock=stock_rows)
    made = await client.confirmed("1000040", "0010", "10")
    await client.control("settings", {"posting_seconds": 30})
    in_work = asyncio.create_task(client.confirm("1000040", "0010", "20"))
    await until(lambda: _locked(client))
    process.send_signal(signal.SIGKILL)
    await process.wait()
    with pytest.raises(httpx.TransportError):
        await in_work
    await client.http.aclose()

    process, url = await start_process(db)
    client = type(sap)(url, db)
    assert (await client.http.get("/_control/settings")).json()["posting_seconds"] == 30
    await client.control("settings", {"posting_seconds": 0})
    books = await client.books()
    assert books["orders"][0]["operations"][0]["yield"] == "10"
    assert books["documents"][0]["id"] == f"{made['ConfirmationGroup']}/{made['ConfirmationCount']}"
    again = await client.confirmed("1000040", "0010", "20")
    assert again["ConfirmationCount"] == "2"
    await client.http.aclose()
    process.terminate()
    assert await process.wait() == 0


async def _locked(client) -> bool:
    return (await client.books())["locks"] == ["1000040"]
