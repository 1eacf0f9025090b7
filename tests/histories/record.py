"""Records the histories that every later release must replay: `make record-histories`, on a server of its own.

A release that is out is never recorded again: its files are what its workflows really wrote.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
import tempfile
import tomllib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from temporalio.client import Client

from activities.orders import PlantRef
from ledger.connect import open_ledger
from ledger.port import LedgerPort
from signals.decisions import Answer, AssignOrder, CancelOrderRequest, DecideCase, VoidOrder
from signals.documents import CaseAction
from signals.downtime import AcknowledgeStop, CapacityState, DecideCapacity, EstimateRecovery, SplitStop
from signals.holds import CommentHold, HoldState
from signals.ids import (
    compensation_workflow_id,
    handover_tick_id,
    handover_workflow_id,
    hold_workflow_id,
    intake_workflow_id,
    line_workflow_id,
    notification_workflow_id,
    order_workflow_id,
    plant_task_queue,
)
from signals.notify import Notification, NotificationKind
from signals.transactions import ConfirmProduction, Reverse
from tests.workflows.bench import INSPECT, LINE, PRESS, T0, Bench, plant_config
from tests.workflows.hold_bench import HoldBench, K, StockErp, hold_plant
from tests.workflows.refusing_erp import CLOSED, RefusingErp, decided, decision, the_case
from tests.workflows.shift_bench import ShiftBench, hourly_plant
from tests.workflows.stop_bench import StopBench, UpkeepErp, stop_plant
from workers.data_converter import data_converter
from workers.plant_worker import WorkerOptions
from workers.temporal_server import EmbeddedTemporal, ServerOptions

HISTORIES = Path(__file__).parent
ROOT = HISTORIES.parents[1]
ORDER = "1000001"
SECONDS = 120


async def plain_order(bench: Bench) -> None:
    """Two stations, from release to close; the second one assigned by a person."""
    await bench.start_order(ORDER, planned=12)
    bench.feed.order(ORDER, PRESS, batch="B-1")
    await bench.feed.send()
    wish = AssignOrder(decision_id="a1", equipment=INSPECT, order=ORDER, valid_from=bench.feed.now, by="shift-lead")
    assert (await bench.line().execute_update("assign_order", wish, result_type=Answer)).accepted
    bench.feed.make(12)
    bench.feed.make(11, scrap=1, station=INSPECT)
    bench.feed.order("", PRESS)
    bench.feed.order("", INSPECT)
    await bench.feed.send(most=10)
    await bench.closed(ORDER)


async def outage(bench: Bench) -> None:
    """The ERP goes away with a posting due, and loses an answer when it is back."""
    await bench.start_order(ORDER, planned=20)
    bench.feed.order(ORDER)
    await bench.until(ORDER, lambda s: s.material != "" and not s.busy)
    bench.erp.away = True
    bench.feed.make(20)
    bench.feed.order("")
    await bench.feed.send()
    await bench.until(ORDER, lambda s: s.next_try_at is not None)
    bench.erp.away, bench.erp.lost_answers = False, 1
    await bench.closed(ORDER)


async def manual_entry(bench: Bench) -> None:
    """Somebody confirmed in the ERP itself; a person adopts it."""
    await bench.start_order(ORDER, planned=20)
    bench.feed.order(ORDER)
    bench.erp.by_hand(ORDER, "0010", 6)
    bench.feed.make(20)
    bench.feed.order("")
    await bench.feed.send()
    [case] = (await bench.until(ORDER, lambda s: bool(s.cases))).cases
    wish = DecideCase(decision_id="d1", case_id=case.case_id, action=CaseAction.ADOPT, by="shift-lead", reason="mine")
    assert (await bench.order(ORDER).execute_update("decide_case", wish, result_type=Answer)).accepted
    await bench.closed(ORDER)


async def chain(bench: Bench) -> None:
    """Line and order continue as new several times."""
    await bench.start_line(history_limit=60)
    await bench.start_order(ORDER, planned=60, history_limit=40)
    bench.feed.order(ORDER)
    for window in range(1, 7):
        bench.feed.make(10)
        await bench.feed.send()
        await bench.until(ORDER, lambda s, n=window: s.postings == n and not s.busy)
    bench.feed.order("")
    await bench.feed.send()
    await bench.closed(ORDER)


async def cancel(bench: Bench) -> None:
    """A short close with pieces still at the line."""
    await bench.start_order(ORDER, planned=50)
    bench.feed.order(ORDER)
    bench.feed.make(13, scrap=1)
    await bench.feed.send()
    await bench.until(ORDER, lambda s: s.postings == 1 and not s.busy)
    wish = CancelOrderRequest(decision_id="c1", by="planner", reason="customer withdrew")
    assert (await bench.order(ORDER).execute_update("cancel", wish, result_type=Answer)).accepted
    await bench.closed(ORDER)


async def intake(bench: Bench) -> None:
    """A tick takes one order in and refuses another."""
    bench.release(ORDER, 10)
    bench.erp.unreadable["0999999"] = "the order has no operations"
    await bench.client.execute_workflow(
        "OrderIntake", PlantRef(plant=bench.id), id=intake_workflow_id(bench.id), task_queue=plant_task_queue(bench.id)
    )


async def refused(bench: Bench) -> None:
    """A confirmation is refused; after one more try a person amends it."""
    erp = bench.erp
    assert isinstance(erp, RefusingErp)
    erp.refuses, erp.why = (lambda t: isinstance(t, ConfirmProduction)), CLOSED
    await bench.start_order(ORDER, planned=10)
    bench.feed.order(ORDER)
    bench.feed.make(10)
    bench.feed.order("")
    await bench.feed.send()
    case = await the_case(bench, ORDER)
    assert (await decided(bench, decision(case, CaseAction.RETRY), case)).accepted
    await erp.until(lambda: erp.calls["post"] >= 2)
    case = await the_case(bench, ORDER)
    erp.refuses = lambda t: False
    posting = await bench.ledger.posting(case.posting_key) if case.posting_key else None
    assert posting is not None and isinstance(posting.transaction, ConfirmProduction)
    less = posting.transaction.model_copy(update={"yield_quantity": posting.transaction.yield_quantity - 1})
    assert (await decided(bench, decision(case, CaseAction.AMEND, "d2", amended=less), case)).accepted
    await bench.closed(ORDER)


async def void(bench: Bench) -> None:
    """An order is declared void; one of its reversals is refused until a person has it tried again."""
    erp = bench.erp
    assert isinstance(erp, RefusingErp)
    await bench.start_order(ORDER, planned=100)
    bench.feed.order(ORDER)
    for window in (1, 2):
        bench.feed.make(10)
        await bench.feed.send()
        await bench.until(ORDER, lambda s, n=window: s.postings == n and not s.busy)
    first = erp.books[0].document
    erp.refuses = lambda t: isinstance(t, Reverse) and t.document == first
    wish = VoidOrder(decision_id="v1", by="planner", role="planner", reason="wrong material")
    assert (await bench.order(ORDER).execute_update("void", wish, result_type=Answer)).accepted
    case = await the_case(bench, ORDER)
    erp.refuses = lambda t: False
    assert (await decided(bench, decision(case, CaseAction.RETRY), case)).accepted
    await bench.client.get_workflow_handle(compensation_workflow_id(bench.id, ORDER)).result()


async def told(bench: Bench) -> None:
    """People are told something, by the inbox alone."""
    note = Notification(
        id="case:1:1", plant=bench.id, kind=NotificationKind.CASE_ESCALATED, roles=("planner",),
        facts={"subject": "1"}, at=T0,
    )  # fmt: skip
    name = notification_workflow_id(bench.id, note.id)
    queue = plant_task_queue(bench.id)
    await bench.client.execute_workflow("Notify", note, id=name, task_queue=queue)
    bench.workflows.add(name)


async def held(bench: Bench) -> None:
    """Blocked, a second reason, decided by two, reworked, inspected, released; in several runs."""
    assert isinstance(bench, HoldBench)
    bench.delivered(10)
    await bench.open(bench.trigger(8, "t1"), history_limit=60)
    await bench.until_hold(lambda r: r.erp == "blocked")
    await bench.open(bench.trigger(10, "t2"))
    await bench.until_hold(lambda r: len(r.reasons) == 2 and r.erp == "blocked")
    engineer = bench.actor("inspector-1", "quality engineer")
    for number in range(3):
        await bench.act(CommentHold(action_id=f"note{number}", actor=engineer, comment="looked at it"))
    await bench.decide((K.REWORK, 4), (K.SCRAP, 1), (K.RELEASE, 5))
    await bench.until_hold(lambda r: r.state is HoldState.AWAITS_INSPECTION)
    await bench.inspected("i1", passed=True)
    await bench.until_hold(lambda r: r.state is HoldState.BLOCKED)
    await bench.decide((K.RELEASE, 4))
    await bench.ended()


Scenario = Callable[[Bench], Awaitable[None]]
ORDERS: dict[str, tuple[Scenario, dict[str, Any]]] = {
    "plain-order": (plain_order, {"stations": (PRESS, INSPECT)}),
    "outage": (outage, {}),
    "manual-entry": (manual_entry, {}),
    "chain": (chain, {}),
    "cancel": (cancel, {}),
}
"""Recorded of Line and ProductionOrder: scenario and plant."""


EXCEPTIONS: dict[str, tuple[Scenario, str]] = {"refused": (refused, "ErpException"), "void": (void, "Compensation")}
"""Recorded of the workflows that take care of what an ERP refused: scenario and workflow."""

RECORDED_HERE = {"erp-exception": "ErpException", "compensation": "Compensation", "order": "ProductionOrder"}


async def record_exceptions(client: Client, ledger: LedgerPort, options: WorkerOptions, release: str) -> list[Path]:
    written: list[Path] = []
    for name, (scenario, kind) in EXCEPTIONS.items():
        bench = Bench(client, ledger, plant_config(name=f"rec-{name}"), erp=RefusingErp(), options=options)
        await play(bench, scenario)
        for workflow_id in sorted(bench.workflows | {compensation_workflow_id(bench.id, ORDER)}):
            found = RECORDED_HERE.get(workflow_id.split(":")[0])
            if found is not None:
                written += await write(bench, found, workflow_id, f"{release}-{name}")
        assert any(p.parent.name == kind for p in written)
    return written


async def record_holds(client: Client, ledger: LedgerPort, options: WorkerOptions, release: str) -> list[Path]:
    bench = HoldBench(client, ledger, hold_plant("rec-held"), erp=StockErp(), options=options)
    await play(bench, held)
    return await write(bench, "QualityHold", hold_workflow_id(bench.id, bench.hold), f"{release}-held")


async def stopped(bench: StopBench) -> None:
    """A breakdown through short runs: acknowledged, told to maintenance and planning, split, over, closed."""
    bench.alarm = "E17"
    await bench.stands(history_limit=40)
    await bench.until_stop(lambda r: any(x.fired_at for x in r.rungs))
    await bench.done(AcknowledgeStop)
    recovery = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=3)
    await bench.done(EstimateRecovery, recovery_at=recovery)
    await bench.done(DecideCapacity, approve=True, recovery_at=recovery, user="planner-1", role="planner")
    await bench.until_stop(lambda r: r.capacity is CapacityState.POSTED)
    await bench.done(SplitStop, at=bench.since + timedelta(seconds=20), reason="material")
    await bench.tell(end=datetime.now(UTC))
    await bench.ended()


async def record_stops(client: Client, ledger: LedgerPort, options: WorkerOptions, release: str) -> list[Path]:
    bench = StopBench(client, ledger, stop_plant("rec-stopped"), erp=UpkeepErp(), options=options)
    bench.release(ORDER, 20)
    await ledger.take_order(bench.erp.orders[ORDER])
    async with asyncio.timeout(SECONDS), bench.working():
        await stopped(bench)
    return await write(bench, "Downtime", bench.workflow_id, f"{release}-stopped")


async def handed_over(bench: ShiftBench) -> None:
    """Two shifts are over: a Line that is behind is waited for, corrected, refused to a planner, taken over."""
    first, second = (await bench.since(2))[-2:]
    bench.feed.now = first.start + timedelta(minutes=5)
    bench.feed.order(ORDER)
    bench.feed.make(3)
    bench.feed.now = second.start + timedelta(minutes=5)
    bench.feed.make(2)
    await bench.feed.send()
    await bench.tick()
    await bench.made(2)
    bench.feed.now = second.end
    bench.feed.make(1)
    await bench.feed.send()
    await bench.until(second, lambda r: r.revision == 2)
    assert not (await bench.take_over(second, role="planner", action="p1")).accepted
    for span in (first, second):
        assert (await bench.take_over(span)).accepted
        await bench.handle(span).result()


async def record_handovers(client: Client, ledger: LedgerPort, options: WorkerOptions, release: str) -> list[Path]:
    bench = ShiftBench(client, ledger, hourly_plant("rec-handover"), options=options)
    bench.patience = bench.patience.model_copy(update={"answer_seconds": 10})
    async with asyncio.timeout(SECONDS), bench.working():
        await handed_over(bench)
    written = await write(bench, "HandoverTick", f"{handover_tick_id(bench.id)}-1", f"{release}-handover")
    for number, report in enumerate(await bench.made(2), start=1):
        name = handover_workflow_id(bench.id, report.shift)
        written += await write(bench, "ShiftHandover", name, f"{release}-handover{number}")
    return written


async def record(release: str, folder: Path, *, only: str = "") -> list[Path]:
    """Play all scenarios and write their histories; the files written."""
    written: list[Path] = []
    async with EmbeddedTemporal(folder, ServerOptions(headless=True)) as server:
        client = await Client.connect(
            server.address, namespace=server.namespace, data_converter=data_converter, identity="recorder"
        )
        ledger = await open_ledger(f"sqlite:///{folder / 'ledger.db'}")
        options = WorkerOptions(graceful_seconds=5, identity="worker")
        try:
            if only:
                return await PARTS[only](client, ledger, options, release)
            for name, (scenario, keywords) in ORDERS.items():
                bench = Bench(client, ledger, plant_config(name=f"rec-{name}", **keywords), options=options)
                await play(bench, scenario)
                for kind, workflow_id in (
                    ("Line", line_workflow_id(bench.id, LINE)),
                    ("ProductionOrder", order_workflow_id(bench.id, ORDER)),
                ):
                    written += await write(bench, kind, workflow_id, f"{release}-{name}")
            bench = Bench(client, ledger, plant_config(name="rec-intake"), options=options)
            await play(bench, intake)
            written += await write(bench, "OrderIntake", intake_workflow_id(bench.id), f"{release}-intake")
            bench = Bench(client, ledger, plant_config(name="rec-told"), options=options)
            await play(bench, told)
            written += await write(bench, "Notify", notification_workflow_id(bench.id, "case:1:1"), f"{release}-told")
            written += await record_exceptions(client, ledger, options, release)
            written += await record_holds(client, ledger, options, release)
            written += await record_stops(client, ledger, options, release)
            written += await record_handovers(client, ledger, options, release)
        finally:
            await ledger.close()
    return written


PARTS = {"exceptions": record_exceptions, "holds": record_holds, "stops": record_stops, "handover": record_handovers}
"""What can be recorded alone."""


async def play(bench: Bench, scenario: Scenario) -> None:
    async with asyncio.timeout(SECONDS), bench.working():
        await scenario(bench)


async def write(bench: Bench, kind: str, workflow_id: str, name: str) -> list[Path]:
    """One file a run of the workflow's chain."""
    runs = await bench.runs(workflow_id)
    written: list[Path] = []
    for number, run in enumerate(runs, start=1):
        path = HISTORIES / kind / (f"{name}.json" if len(runs) == 1 else f"{name}-{number}.json")
        text = json.dumps(cleaned(run.to_json_dict()), indent=1) + "\n"
        for telltale in (f"@{platform.node()}", f'"{platform.node()}', str(ROOT), f"{Path.home()}/"):
            assert telltale not in text, f"{path.name} tells {telltale}"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        written.append(path)
    return written


def cleaned(part: Any) -> Any:
    """Without stack traces: they tell where the code lies on the recording machine, and replay reads none."""
    if isinstance(part, dict):
        return {key: cleaned(value) for key, value in part.items() if key != "stackTrace"}
    return [cleaned(each) for each in part] if isinstance(part, list) else part


def main() -> None:
    """Replace this release's files; with a name of PARTS as argument only those of its workflows."""
    only = sys.argv[1] if sys.argv[1:2] and sys.argv[1] in PARTS else ""
    release = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    with tempfile.TemporaryDirectory() as folder:
        written = asyncio.run(record(release, Path(folder), only=only))
    for old in HISTORIES.glob(f"*/{release}-*.json"):
        if old not in written and not only:
            old.unlink()
    sys.stderr.write(f"{len(written)} histories of release {release} written below {HISTORIES.relative_to(ROOT)}\n")
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
