"""The books of the simulated D365 add up, survive a killed process, and are what the documentation says."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simulators.dynamics import production, reversal, seeding
from simulators.dynamics.books import Books
from simulators.dynamics.posting import Posting, share
from simulators.dynamics.refusals import Refusal
from simulators.dynamics.report import books_report
from simulators.dynamics.seed import SeedDocument, SettingsChange
from simulators.dynamics.values import MICRO, micro, text_of
from tests.simulators.dynamics_bench import (
    CLIENT,
    SECRET,
    STOCK_ROWS,
    TENANT,
    Dynamics,
    order,
    start_dynamics_fixture,
    until,
)

__all__ = ["start_dynamics_fixture"]
ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs" / "simulators-dynamics.md"
NEVER = {"AutomaticRouteConsumptionRule": "Never"}


# Arithmetic ---------------------------------------------------------------------------------------------------------


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=6, allow_nan=False))
def test_a_number_keeps_its_value_through_books_and_text(number):
    assert Decimal(text_of(micro(number))) == number


@given(
    st.integers(0, 10**6).map(lambda n: n * 1000), st.integers(1, 10**5), st.integers(0, 10**5), st.integers(0, 10**5)
)
def test_a_share_is_symmetric_and_never_off_by_more_than_half_a_thousandth(required, planned, first, second):
    part = share(required, first, planned)
    assert share(required, -first, planned) == -part
    assert abs(part * planned - required * first) <= planned * 500
    assert abs(part + share(required, second, planned) - share(required, first + second, planned)) <= 1000


_STEPS = st.one_of(
    st.tuples(st.just("report"), st.integers(-5, 30), st.integers(-2, 5), st.booleans()),
    st.tuples(st.just("route"), st.sampled_from([10, 20, 30, 40]), st.integers(-5, 30), st.integers(0, 5)),
    st.tuples(st.just("pick"), st.sampled_from(["RM1", "RM2", "XX"]), st.integers(-50, 700), st.booleans()),
    st.tuples(st.just("start"), st.integers(1, 60), st.just(0), st.booleans()),
    st.tuples(st.just("reset"), st.just(0), st.just(0), st.booleans()),
    st.tuples(st.just("end"), st.just(0), st.just(0), st.booleans()),
)


def perform(posting, step):
    kind, first, second, flag = step
    number = "P000040"
    match kind:
        case "report":
            line = {"ReportedGoodQuantity": first * MICRO, "ReportedErrorQuantity": second * MICRO}
            line["EndJob"] = "Yes" if flag and first > 20 else "No"
            production.report_finished(posting, number, [line if flag else line | NEVER])
        case "route":
            line = {"OperationNumber": first, "GoodQuantity": second * MICRO, "ErrorQuantity": flag * MICRO}
            production.route_card(posting, number, {}, [line | {"Hours": 250_000}])
        case "pick":
            line = {"ItemNumber": first, "ConsumptionBOMQuantity": second * MICRO}
            production.pick(posting, number, {}, [line])
        case "start":
            rule = {"AutomaticRouteConsumptionRule": "Always"} if flag else {}
            production.start(posting, number, {"StartedQuantity": first * MICRO} | rule)
        case "reset":
            reversal.reset(posting, number, "Released")
        case _:
            production.end(posting, number, {"AutoReportAsFinished": "No"})


def check(books: Books) -> None:
    """Totals are the sums of the posted documents; stock is what was seeded and what the documents moved."""
    report = books_report(books)
    [shown] = report["orders"]
    documents = [one for one in report["documents"] if one["posted"]]
    for operation in shown["operations"]:
        own = [one for one in documents if one["counts"] and one["operation"] == operation["operation"]]
        own = [one for one in own if one["kind"] != "picking_list"]
        assert Decimal(operation["yield"]) == sum(Decimal(one["yield"]) for one in own)
        assert Decimal(operation["scrap"]) == sum(Decimal(one["scrap"]) for one in own)
    picked = [line for one in documents if one["kind"] == "picking_list" for line in one["lines"]]
    for component in shown["components"]:
        lines = [line for line in picked if line["reservation"] == component["reservation"]]
        assert Decimal(component["withdrawn"]) == sum(Decimal(line["quantity"]) for line in lines)
    moved: dict[str, Decimal] = {row["material"]: Decimal(row["quantity"]) for row in STOCK_ROWS}
    for document in documents:
        for line in document["goods_movements"]:
            if document["kind"] == "picking_list" or line["movement_type"].startswith("receipt"):
                sign = 1 if line["movement_type"] in ("receipt", "issue_return") else -1
                moved[line["material"]] = moved.get(line["material"], Decimal(0)) + sign * Decimal(line["quantity"])
    stock: dict[str, Decimal] = {}
    for row in report["stock"]:
        stock[row["material"]] = stock.get(row["material"], Decimal(0)) + Decimal(row["quantity"])
    assert {name: quantity for name, quantity in moved.items() if quantity} == {
        name: quantity for name, quantity in stock.items() if quantity
    }
    assert all(quantity >= 0 for quantity in stock.values())
    received = sum(Decimal(one["yield"]) for one in documents if one["kind"] == "report_as_finished")
    assert Decimal(shown["items"][0]["received"]) == received == stock.get("FG1", Decimal(0))
    errors = sum(Decimal(one["scrap"]) for one in documents if one["kind"] == "report_as_finished")
    if shown["status"] == ["StartedUp"]:
        assert Decimal(shown["remaining"]) == max(Decimal(0), Decimal(shown["started"]) - received - errors)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(_STEPS, max_size=8), st.booleans())
def test_whatever_is_posted_the_books_add_up_and_a_refusal_changes_nothing(tmp_path_factory, steps, negative):
    books = Books(tmp_path_factory.mktemp("books") / "dynamics.db")
    with contextlib.closing(books):
        with books.transaction():
            seeding.apply(books, SeedDocument.model_validate({"orders": [order()], "stock": STOCK_ROWS}))
            production.start(Posting(books, "usmf", "TEST"), "P000040", {"StartedQuantity": 50 * MICRO})
        for step in steps:
            before = books_report(books)
            try:
                with books.transaction():
                    perform(Posting(books, "usmf", "TEST", negative=negative), step)
            except Refusal:
                assert books_report(books) == before
            check(books)


# A killed process ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def start_process():
    """Starts D365s in processes of their own; what a failing test leaves behind is killed."""
    started: list[asyncio.subprocess.Process] = []

    async def start(db: Path) -> tuple[asyncio.subprocess.Process, Dynamics]:
        names = {"DYNAMICS_CLIENT_ID": CLIENT, "DYNAMICS_CLIENT_SECRET": SECRET, "DYNAMICS_TENANT": TENANT}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "simulators.dynamics", "--port", "0", "--db", str(db),
            cwd=ROOT, stdout=asyncio.subprocess.PIPE, env=os.environ | names,
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        assert line.startswith("ready ")
        ready = json.loads(line.removeprefix("ready "))
        assert {"url", "host", "port", "client_id", "tenant"} <= set(ready)
        return process, Dynamics(ready["url"], db)

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_queue_books_and_events_survive_sigkill_and_a_posting_in_work_is_gone_as_a_whole(start_process, tmp_path):
    db = tmp_path / "killed.db"
    process, erp = await start_process(db)
    await erp.seed(order(), stock=STOCK_ROWS, settings={"processing_paused": True})
    await erp.settings(business_event_endpoints=["http://127.0.0.1:9/away"])
    await erp.start()
    await erp.report(10)
    await erp.process()
    token = erp.token
    await erp.settings(processing_seconds=1, batch_seconds=0.02, processing_paused=False)
    await erp.report(20)
    await erp.report(30)

    async def in_work() -> bool:
        return (await erp.books())["locks"] == ["p000040"]

    await until(in_work)
    process.send_signal(signal.SIGKILL)
    await process.wait()
    await erp.http.aclose()

    process, erp = await start_process(db)
    erp.token = token
    assert len(await erp.read("ReportAsFinishedProductionJournalEntries")) == 1
    books = await erp.books()
    assert [one["state"] for one in books["messages"]] == ["Processed", "Processed", "Queued", "Queued"]
    await erp.settings(processing_seconds=0)

    async def drained() -> bool:
        return {one["state"] for one in (await erp.books())["messages"]} == {"Processed"}

    await until(drained)
    shown = await erp.order()
    assert (shown["operations"][2]["yield"], shown["remaining"]) == ("60", "40")
    assert [await erp.stock_of(name) for name in ("RM1", "FG1")] == ["880", "60"]
    events = (await erp.http.get("/_control/events")).json()["events"]
    assert not any(one["delivered"] for row in events for one in row["deliveries"])
    assert sum(len(row["deliveries"]) for row in events) == 5
    await erp.http.aclose()
    process.terminate()
    assert await process.wait() == 0


async def test_a_process_killed_over_and_over_posts_every_message_once(start_process, tmp_path):
    db = tmp_path / "again.db"
    process, erp = await start_process(db)
    await erp.seed(order(quantity="400"), stock=STOCK_ROWS, settings={"batch_seconds": 0.01})
    await erp.start()
    for _ in range(20):
        await erp.report(1)
    for _ in range(2):
        before = sum(one["state"] == "Processed" for one in (await erp.books())["messages"])
        await erp.settings(processing_seconds=0.01)

        async def moved(known: int = before, own: Dynamics = erp) -> bool:
            done = sum(one["state"] == "Processed" for one in (await own.books())["messages"])
            return done > known or done == 21

        await until(moved)
        process.kill()
        await process.wait()
        await erp.http.aclose()
        process, erp = await start_process(db)

    async def drained() -> bool:
        return {one["state"] for one in (await erp.books())["messages"]} == {"Processed"}

    await until(drained)
    books = await erp.books()
    assert books["orders"][0]["operations"][2]["yield"] == "20"
    posted = [one["message"] for one in books["documents"] if one["kind"] == "report_as_finished"]
    assert len(posted) == len(set(posted)) == 20
    await erp.http.aclose()


# Documentation and borders ------------------------------------------------------------------------------------------


def example(heading: str) -> dict:
    section = DOCS.read_text(encoding="utf-8").split(f"## {heading}", 1)[1]
    return json.loads(section.split("```json", 1)[1].split("```", 1)[0])


async def test_the_documented_seed_is_accepted_whole(start_dynamics, tmp_path):
    erp = await start_dynamics(tmp_path / "docs.db")
    assert await erp.control("orders", example("Orders")) == {"created": ["P000040"], "kept": []}
    assert (await erp.http.get("/_control/settings")).json()["open_periods"] == ["2026-03", "2026-04"]


async def test_the_documented_books_have_the_fields_that_books_have(start_dynamics, tmp_path):
    erp = await start_dynamics(tmp_path / "docs.db")
    await erp.control("orders", example("Orders") | {"settings": {"processing_paused": True}})
    await erp.start(StartedDate="2026-03-02")
    await erp.report(98, ReportedErrorQuantity=2, ReportAsFinishedDate="2026-03-02", LicensePlateNumber="LP-7")
    await erp.process()
    plate = await erp.create(
        "QualityOrderHeaders",
        {"ItemNumber": "FG1", "InventorySiteId": "1", "WarehouseId": "11", "InventoryQuantity": 5},
    )
    assert plate["QualityOrderNumber"] == "QO-000001"
    await erp.create("AssetMaintenanceRequestsV2", {"RequestTypeId": "Breakdown"})
    shown, real = example("Books"), await erp.books()
    assert set(shown) == set(real)
    assert set(shown["orders"][0]) == set(real["orders"][0])
    for part in ("operations", "components", "items"):
        assert set(shown["orders"][0][part][0]) == set(real["orders"][0][part][0])
    for part in ("stock", "holds", "messages", "maintenance"):
        assert set(shown[part][0]) == set(real[part][0])
    described = {one["kind"]: one for one in shown["documents"]}
    found = {one["kind"]: one for one in real["documents"]}
    assert set(described) == set(found) == {"report_as_finished", "picking_list"}
    for kind, one in described.items():
        assert set(one) == set(found[kind])
        assert set(one["goods_movements"][0]) == set(found[kind]["goods_movements"][0])


async def test_every_setting_is_documented_with_its_default(start_dynamics, tmp_path):
    erp = await start_dynamics(tmp_path / "docs.db")
    text = DOCS.read_text(encoding="utf-8").split("## Settings", 1)[1].split("\n## ", 1)[0]
    own = (await erp.http.get("/_control/settings")).json()
    assert SettingsChange().model_dump(mode="json") == own
    for name, value in own.items():
        assert f"| `{name}` | `{json.dumps(value)}` |" in text, name


def test_the_simulator_imports_none_of_our_rooms():
    ours = "signals|domain|erp|ledger|activities|workflows|workers|scada|temporalio"
    for file in sorted((ROOT / "simulators" / "dynamics").glob("*.py")):
        assert not re.search(rf"^\s*(?:from|import)\s+(?:{ours})\b", file.read_text(encoding="utf-8"), re.MULTILINE), (
            file
        )
