"""`plantwright exceptions` and `orders void`: people work what an ERP refused, one by one and 200 by one decision."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from temporalio.client import Client

from activities.erp_cases import rejected
from ledger.connect import open_ledger
from ledger.people_port import Grant
from ledger.port import PostingRecord
from ledger.store import SqlLedger
from signals.documents import Case, PostingState
from signals.errors import ErpRejected, Reason
from signals.ids import posting_key
from signals.transactions import ConfirmProduction, TransactionType
from tests.workers.commands import Command, as_a_process, in_this_process, started
from tests.workflows.bench import Bench, eventually, plant_config
from tests.workflows.refusing_erp import RefusingErp
from workers.cli import run
from workers.people import People
from workers.plant_worker import WorkerOptions

SLOW = 100
DEFAULTS = Path(__file__).resolve().parents[2] / "workers" / "defaults"


@dataclass
class Desk:
    """A person's terminal beside a plant whose workers poll."""

    bench: Bench
    erp: RefusingErp
    file: Path
    environ: dict[str, str]
    folder: Path

    def arguments(self, *given: str) -> list[str]:
        return [*given, "--plant", str(self.file), "--json"]

    async def say(self, *given: str, command: Command = in_this_process) -> tuple[int, dict[str, Any], str]:
        """Exit code, closing object and stderr of a command."""
        code, out, err = await asyncio.wait_for(command(self.arguments(*given), self.environ), SLOW)
        lines = out.splitlines()
        assert "Traceback" not in err, err
        return code, json.loads(lines[-1]) if lines else {}, err

    async def refused(self, number: int, *, code: str = "M7/053", reason: Reason = Reason.PERIOD_CLOSED) -> Case:
        """A posting of an order of its own that the ERP refused; the order does not run any more."""
        order = f"2{number:06}"
        await self.bench.ledger.take_order(self.bench.release(order, 10))
        claim = [f"report-{number}"]
        kind = TransactionType.CONFIRM_PRODUCTION
        key = posting_key(self.bench.id, order, "0010", kind.value, claim, 0)
        transaction = ConfirmProduction(
            plant=self.bench.id, order=order, operation="0010", posting_date=date(2026, 10, 31),
            yield_quantity=Decimal(10), unit="PC",
        )  # fmt: skip
        record = PostingRecord(
            key=key, plant=self.bench.id, order=order, operation="0010", type=kind, state=PostingState.CLAIMED,
            transaction=transaction, report_ids=tuple(claim),
        )  # fmt: skip
        await self.bench.ledger.claim(record)
        await self.bench.ledger.mark_outcome(key, state=PostingState.REFUSED, error_code=code)
        refusal = ErpRejected("Posting only possible in periods that are open", code=code, reason=reason)
        return await self.bench.ledger.open_case(rejected(record, refusal))


@pytest_asyncio.fixture(loop_scope="session")
async def desk(tmp_path: Path, temporal_server, temporal_client: Client) -> AsyncIterator[Desk]:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    ledger: SqlLedger = await open_ledger(url)
    erp = RefusingErp()
    bench = Bench(temporal_client, ledger, plant_config(), erp=erp, options=WorkerOptions(graceful_seconds=5))
    file = tmp_path / "plant.toml"
    file.write_text((DEFAULTS / "demo.toml").read_text().replace('id = "demo"', f'id = "{bench.id}"'))
    environ = {
        **os.environ,
        "TEMPORAL_ADDRESS": temporal_server.address,
        "TEMPORAL_NAMESPACE": temporal_server.namespace,
        "PLANTWRIGHT_HOME": str(tmp_path),
        "PLANTWRIGHT_LEDGER_URL": url,
        "SAP_USER": "U",
        "SAP_PASSWORD": "P",
    }
    try:
        async with bench.working():
            yield Desk(bench, erp, file, environ, tmp_path)
    finally:
        await bench.end()
        await ledger.close()


WHO = ("--by", "somebody", "--role", "finance")


@pytest.mark.long
@pytest.mark.timeout(300)
@pytest.mark.parametrize("number", [200])
async def test_many_cases_of_one_cause_are_one_decision_that_goes_on_where_it_was_killed(desk: Desk, number: int):
    cases = [await desk.refused(one) for one in range(number)]
    other = await desk.refused(900, code="M7/021", reason=Reason.STOCK_SHORT)
    asked = ("exceptions", "retry", "--code", "M7/053", "--reason", "period opened", "--decision-id", "bulk-1", *WHO)

    first = await started(desk.arguments(*asked), desk.environ)
    assert first.stderr is not None
    async with asyncio.timeout(SLOW):
        while not (await first.stderr.readline()).startswith(f"50 of {number}".encode()):
            assert first.returncode is None
    first.send_signal(signal.SIGKILL)
    await first.wait()

    code, result, said = await desk.say(*asked, command=as_a_process)
    assert code == 0, said
    assert result["decided_before"] >= 50 and result["refused"] == {}
    assert result["decided_before"] + len(result["decided"]) >= number and result["asked"] <= number - 50
    assert result["open_left"] == 0
    assert f"{result['asked']} of {result['asked']}, 0 refused" in said

    await desk.erp.until(lambda: len(desk.erp.books) == number, SLOW)
    assert {d.key for d in desk.erp.books} == {c.posting_key for c in cases}
    assert await desk.bench.ledger.decisions_under(desk.bench.id, "bulk-1:") == number
    assert [c.case_id for c in await desk.bench.ledger.cases(desk.bench.id)] == [other.case_id]
    code, again, _ = await desk.say(*asked)
    assert (code, again["asked"], again["decided_before"]) == (0, 0, number)


@pytest.mark.timeout(180)
async def test_cases_are_found_shown_amended_and_skipped(desk: Desk):
    period, short = await desk.refused(1), await desk.refused(2, code="M7/021", reason=Reason.STOCK_SHORT)
    code, found, said = await desk.say("exceptions", "list", "--code", "M7/0*", "--class", "stock_short")
    assert (code, found["count"]) == (0, 1), said
    [listed] = found["cases"]
    assert (listed["case_id"], listed["owner_role"], listed["overdue"]) == (short.case_id, "planner", False)
    assert listed["roles"] == ["planner", "supervisor", "admin"] and listed["material"] == "HOUSING-1"

    code, amended, said = await desk.say(
        "exceptions", "amend", period.case_id, "--set", "posting_date=2026-11-02", "--set", "yield_quantity=8",
        "--reason", "two were counted twice", *WHO,
    )  # fmt: skip
    assert (code, amended["accepted"]) == (0, True), said
    await desk.erp.until(lambda: len(desk.erp.books) == 1)
    assert (desk.erp.books[0].key, desk.erp.books[0].yield_quantity) == (period.posting_key, 8)
    _, shown, _ = await desk.say("exceptions", "show", period.case_id)
    _, traced, _ = await desk.say("trace", period.order, command=as_a_process)
    assert shown["transaction"]["yield_quantity"] == "8" and "OB52" in shown["case"]["runbook"]
    [kept] = shown["amendments"]
    assert (kept["before"]["posting_date"], kept["after"]["posting_date"]) == ("2026-10-31", "2026-11-02")
    assert kept["reason"] == "two were counted twice"
    assert traced["amendments"] == shown["amendments"]

    code, skipped, said = await desk.say(
        "exceptions", "skip", short.case_id, "--reason", "scrapped since", "--by", "somebody", "--role", "planner"
    )
    assert code == 0 and "stay unconfirmed" in said, "the consequence is shown before"
    assert "10 PC yield" in skipped["consequences"][short.case_id]
    file = await desk.bench.ledger.case_file(desk.bench.id, short.case_id)
    assert file is not None and (file.is_open, file.posting_state) == (False, PostingState.CANCELLED)
    assert file.note == short.consequence and [d.decision.action.value for d in file.decisions] == ["skip"]


@pytest.mark.timeout(180)
async def test_what_the_ledger_refuses_is_told_and_changes_nothing(desk: Desk):
    case = await desk.refused(1)
    decide = ("--reason", "r", "--by", "somebody")
    mistakes = (
        (("exceptions", "retry", case.case_id, *decide, "--role", "operator"), 2, "finance"),
        (("exceptions", "amend", case.case_id, "--set", "yield_quantity=11", *decide, "--role", "finance"), 2,
         "amend-quantity/1"),
        (("exceptions", "retry", "--owner", "finance", *decide, "--role", "operator"), 1, "refused"),
    )  # fmt: skip
    for arguments, expected, word in mistakes:
        code, _, said = await desk.say(*arguments)
        assert (code, word in said) == (expected, True), (arguments, code, said)
    assert await desk.bench.ledger.cases(desk.bench.id) == [case]
    assert desk.erp.books == []


def test_mistakes_are_told_before_anybody_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """No Temporal server is needed to say what is wrong."""
    for name, value in {"SAP_USER": "U", "SAP_PASSWORD": "P", "TEMPORAL_ADDRESS": "127.0.0.1:9"}.items():
        monkeypatch.setenv(name, value)
    data = ("--plant", str(DEFAULTS / "demo.toml"), "--ledger", f"sqlite:///{tmp_path / 'ledger.db'}")
    asyncio.run(_empty(f"sqlite:///{tmp_path / 'ledger.db'}"))
    decide = (*data, "--reason", "r", "--by", "somebody")
    finance = (*decide, "--role", "finance")
    mistakes = (
        (("exceptions", "retry", "c1", *decide), "--role"),
        (("exceptions", "retry", "c1", *data, "--by", "x", "--role", "finance"), "--reason"),
        (("exceptions", "retry", "c1", *decide, "--role", "boss"), "no role"),
        (("exceptions", "retry", *finance), "choose them by cause"),
        (("exceptions", "retry", "c1", "--code", "M7/053", *finance), "choose them"),
        (("exceptions", "retry", "nowhere", *finance), "no case nowhere"),
        (("exceptions", "show", "nowhere", *data), "no case nowhere"),
        (("exceptions", "amend", "nowhere", "--set", "a=1", *finance), "no case nowhere"),
        (("cases", "decide", "nowhere", "retry", *decide), "no case nowhere"),
        (("orders", "void", "4711", *decide), "knows no order 4711"),
        (("orders", "void", "4711", *decide, "--role", "operator"), "planner"),
    )
    for arguments, word in mistakes:
        code = run(arguments)
        said = capsys.readouterr()
        assert (code, word in said.err, said.out) == (2, True, ""), (arguments, code, said.err)
    assert run(("exceptions", "list", *data, "--json")) == 0
    assert json.loads(capsys.readouterr().out)["count"] == 0


async def _empty(url: str) -> None:
    await (await open_ledger(url)).close()


@pytest.mark.timeout(180)
async def test_cases_decide_goes_the_same_way_and_an_ended_order_can_be_void(desk: Desk):
    case = await desk.refused(1)
    code, answer, said = await desk.say(
        "cases", "decide", case.case_id, "retry", "--reason", "opened", "--by", "somebody", "--decision-id", "d1"
    )
    assert (code, answer["accepted"]) == (0, True), said
    await desk.erp.until(lambda: len(desk.erp.books) == 1)
    await eventually(lambda: desk.bench.ledger.own_documents(desk.bench.id, case.order), lambda found: len(found) == 1)
    [made] = (await desk.bench.ledger.case_file(desk.bench.id, case.case_id)).decisions  # type: ignore[union-attr]
    assert (made.decision.role, made.decision.decision_id) == ("finance", "d1") and made.at < datetime.now(UTC)

    code, answer, said = await desk.say("orders", "void", case.order, "--reason", "never made", "--by", "somebody")
    assert (code, answer["accepted"]) == (0, True), said
    await desk.erp.until(lambda: desk.erp.standing(case.order) == [], SLOW)
    await desk.bench.client.get_workflow_handle(answer["workflow"]).result()
    record = await desk.bench.ledger.load_order(desk.bench.id, case.order)
    assert (record.phase, record.totals) == ("cancelled", ())


@pytest.mark.timeout(180)
async def test_with_users_a_decision_carries_who_proved_to_be_there(desk: Desk):
    case = await desk.refused(1)
    people, password = People(desk.bench.ledger), "four words are enough"
    for role in ("planner", "finance"):
        grant = Grant(user=f"{role}-1", plant=desk.bench.id, role=role)
        await people.add_user(grant.user, password=password, grants=(grant,))
    await people.grant(Grant(user="finance-1", plant=desk.bench.id, role="operator"))
    desk.environ["PW"] = password
    asked = ("exceptions", "retry", case.case_id, "--reason", "period opened")

    code, _, said = await desk.say(*asked, *WHO)
    assert code == 2 and "nobody has said who is deciding" in said
    code, _, said = await desk.say(*asked, "--role", "finance", "--user", "planner-1", "--password-env", "PW")
    assert code == 2 and "planner-1 is not finance" in said
    code, _, said = await desk.say(*asked, "--role", "planner", "--user", "planner-1", "--password-env", "PW")
    assert code == 2 and "decided by finance" in said, "the finer rule is asked after the table"
    code, _, said = await desk.say(*asked, "--role", "finance", "--user", "finance-1", "--password-env", "PW")
    assert code == 0, said
    file = await desk.bench.ledger.case_file(desk.bench.id, case.case_id)
    assert file is not None
    assert [(d.decision.by, d.decision.role) for d in file.decisions] == [("finance-1", "finance")]
