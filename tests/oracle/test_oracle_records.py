"""Quality, maintenance, capacity and statuses: found by our number or by the state, taken back where Oracle can."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from erp.oracle import OracleErp
from erp.oracle.client import ITEM, ROOT
from signals.documents import Snapshot
from signals.errors import ErpInDoubt, ErpRejected, Reason
from signals.ids import short_key
from signals.orders import ErpOrderStatus
from signals.quality import CharacteristicResult, Disposition, DispositionKind
from signals.transactions import (
    AdjustCapacity,
    CloseDowntime,
    CloseOrder,
    CompleteOrder,
    DecideInspection,
    OpenDowntime,
    RecordInspection,
    RecordNonconformance,
    StartOrder,
)
from tests.oracle.conftest import PASSWORD, USER, OracleProcess
from tests.oracle.postings import DAY, NOON, booked, free, intent, lost, reversed_


async def ask(oracle: OracleProcess, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """What somebody else reads or changes in Oracle."""
    headers = {"REST-Framework-Version": "4", "content-type": ITEM}
    async with httpx.AsyncClient(auth=(USER, PASSWORD), trust_env=False, headers=headers) as client:
        url = f"{oracle.url}{ROOT}/{path}"
        answer = await (client.get(url) if body is None else client.patch(url, json=body))
        return answer.raise_for_status().json()


# --- statuses --------------------------------------------------------------------------------------------------------


def completed(order: str) -> CompleteOrder:
    return CompleteOrder(plant="demo", order=order, posting_date=DAY)


async def test_a_completion_is_sent_once_when_the_answer_is_lost_and_can_be_taken_back(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    wanted = intent(completed(order))
    await oracle.fault("timeout_after_commit", calls=1, path="workOrders")
    _, found = await lost(erp, wanted)
    assert found.document is not None
    assert (await oracle.order(order))["order_status"] == "ORA_COMPLETED"
    assert (await erp.read_order(order)).status is ErpOrderStatus.TECHNICALLY_COMPLETE
    assert (await erp.find(intent(completed(order)), Snapshot())).document is not None
    await booked(erp, intent(reversed_(found.document, wanted.transaction)))
    assert (await oracle.order(order))["order_status"] == "ORA_RELEASED"


async def test_a_released_order_has_started_and_an_unreleased_one_is_released(
    oracle: OracleProcess, erp: OracleErp, order_number: str
) -> None:
    await oracle.seed_order(order_number, status=["CRTD"])
    start = StartOrder(plant="demo", order=order_number, posting_date=DAY, started_at=NOON)
    wanted = intent(start)
    assert (await erp.find(wanted, Snapshot())).document is None
    document = await booked(erp, wanted)
    assert (await erp.find(intent(start), Snapshot())).document is not None
    await booked(erp, intent(reversed_(document, start)))
    assert (await oracle.order(order_number))["order_status"] == "ORA_UNRELEASED"


async def test_a_status_of_the_plants_own_marks_a_start(oracle: OracleProcess, order: str) -> None:
    await oracle.seed(statuses=[{"code": "IN_PROCESS", "name": "In process", "system_status": "RELEASED"}])
    own = oracle.adapter(oracle={"started_status": "IN_PROCESS"})
    start = StartOrder(plant="demo", order=order, posting_date=DAY, started_at=NOON)
    assert (await own.find(intent(start), Snapshot())).document is None
    await booked(own, intent(start))
    assert (await oracle.order(order))["order_status"] == "IN_PROCESS"
    assert (await own.read_order(order)).status is ErpOrderStatus.RELEASED
    await own.aclose()


async def test_a_close_is_final(oracle: OracleProcess, erp: OracleErp, order: str) -> None:
    close = CloseOrder(plant="demo", order=order, posting_date=DAY)
    document = await booked(erp, intent(close))
    assert (await oracle.order(order))["order_status"] == "ORA_CLOSED"
    assert (await erp.check(intent(reversed_(document, close)))).startswith("oracle-reverse-never/1")
    with pytest.raises(ErpRejected) as caught:
        await erp.post(intent(StartOrder(plant="demo", order=order, posting_date=DAY, started_at=NOON)), free)
    assert caught.value.reason is Reason.ORDER_STATUS


# --- quality ---------------------------------------------------------------------------------------------------------


def nonconformance(text: str = "scratched") -> RecordNonconformance:
    return RecordNonconformance(
        plant="demo",
        posting_date=DAY,
        nonconformance="NC-1",
        material="FG-100",
        quantity=Decimal(2),
        unit="PC",
        severity="high",
        text=text,
    )


def inspected(lot: str = "", **more: Any) -> RecordInspection:
    result = CharacteristicResult(characteristic="Length", value="12.03", unit="MM", passed=True, measured_at=NOON)
    return RecordInspection(
        plant="demo",
        posting_date=DAY,
        inspection="I-1",
        inspection_lot=lot,
        material="FG-100",
        results=(result,),
        **more,
    )


def decided(lot: str, *kinds: DispositionKind) -> DecideInspection:
    return DecideInspection(
        plant="demo",
        posting_date=DAY,
        inspection="I-1",
        inspection_lot=lot,
        material="FG-100",
        unit="PC",
        dispositions=tuple(Disposition(kind=kind, quantity=Decimal(1)) for kind in kinds),
    )


@pytest.mark.parametrize("mode", ["timeout_after_commit", "duplicate_answer"])
async def test_a_nonconformance_is_recorded_once_when_the_answer_is_lost(
    oracle: OracleProcess, erp: OracleErp, order: str, mode: str
) -> None:
    wanted = intent(nonconformance())
    await oracle.fault(mode, calls=1, path="qualityIssues")
    _, found = await lost(erp, wanted)
    assert found.document is not None
    assert found.document.document == short_key(wanted.key)
    issues = (await oracle.books())["quality"]["issues"]
    assert len([issue for issue in issues if issue["IssueNumber"] == short_key(wanted.key)]) == 1
    assert (await erp.check(intent(reversed_(found.document, wanted.transaction)))).startswith("oracle-reverse-never/1")


async def test_an_inspection_is_recorded_once_and_decided_by_its_disposition(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    wanted = intent(inspected(order=order, operation="0010", quantity=Decimal(3)))
    await oracle.fault("timeout_after_commit", calls=1, path="inspectionEvents")
    _, found = await lost(erp, wanted)
    assert found.document is not None
    event = found.document.document
    more = intent(inspected(event, serial="S1").model_copy(update={"results": (_result("Width", "4.5"),)}))
    assert (await erp.find(more, Snapshot())).document is None
    await booked(erp, more)
    assert (await erp.find(more, Snapshot())).document is not None

    decision = intent(decided(event, DispositionKind.REJECT, DispositionKind.SCRAP))
    await oracle.fault("timeout_after_commit", calls=1, path="inspectionEvents")
    _, stands = await lost(erp, decision)
    assert stands.document is not None
    shown = [e for e in (await oracle.books())["quality"]["inspections"] if e["InspectionEventNumber"] == event]
    assert [e["EventDisposition"] for e in shown] == ["REJECT"]


def _result(name: str, value: str) -> CharacteristicResult:
    return CharacteristicResult(characteristic=name, value=value, passed=True)


async def test_an_inspection_nobody_knows_is_refused(erp: OracleErp, order: str) -> None:
    with pytest.raises(ErpRejected) as caught:
        await erp.post(intent(decided("NOWHERE", DispositionKind.ACCEPT)), free)
    assert caught.value.reason is Reason.MASTER_DATA


async def test_one_event_has_one_disposition(erp: OracleErp) -> None:
    mixed = intent(decided("E-1", DispositionKind.ACCEPT, DispositionKind.SCRAP))
    assert (await erp.check(mixed)).startswith("oracle-disposition-mixed/1")


# --- maintenance -----------------------------------------------------------------------------------------------------


def opened() -> OpenDowntime:
    return OpenDowntime(
        plant="demo", posting_date=DAY, stop="S-1", asset="PRESS", started_at=NOON, breakdown=True, text="jammed"
    )


def closed(number: str, *, complete: bool) -> CloseDowntime:
    return CloseDowntime(
        plant="demo",
        posting_date=DAY,
        stop="S-1",
        asset="PRESS",
        notification=number,
        started_at=NOON,
        ended_at=NOON + timedelta(minutes=30),
        complete=complete,
    )


async def maintenance_order(oracle: OracleProcess, number: str) -> list[dict[str, Any]]:
    return [o for o in (await oracle.books())["maintenance"]["orders"] if o["WorkOrderNumber"] == number]


@pytest.mark.parametrize("mode", ["timeout_after_commit", "error_after_commit"])
async def test_a_stop_is_told_once_when_the_answer_is_lost(
    oracle: OracleProcess, erp: OracleErp, order: str, mode: str
) -> None:
    wanted = intent(opened())
    await oracle.fault(mode, calls=1, path="maintenanceWorkOrders")
    _, found = await lost(erp, wanted)
    assert found.document is not None
    assert found.document.document == short_key(wanted.key)
    assert len(await maintenance_order(oracle, short_key(wanted.key))) == 1


async def test_a_stop_under_a_number_of_oracles_own_is_found_for_a_person_and_not_told_twice(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    earlier, wanted = intent(opened()), intent(opened())
    await booked(erp, earlier)
    await oracle.fault("forget_keys", calls=1, path="maintenanceWorkOrders")
    await oracle.fault("duplicate_answer", calls=1, path="maintenanceWorkOrders")
    before, _ = await lost(erp, wanted)
    found = await erp.find(wanted, before.model_copy(update={"sent_at": datetime.now(UTC)}))
    assert found.document is None and "not our number" in found.unknowable
    [number] = found.candidates
    assert number not in (short_key(wanted.key), short_key(earlier.key))
    assert len(await maintenance_order(oracle, number)) == 1


async def test_a_stop_that_oracle_numbers_itself_is_closed_under_that_number(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    wanted = intent(opened())
    await oracle.fault("forget_keys", calls=1, path="maintenanceWorkOrders")
    number = (await booked(erp, wanted)).document
    assert number != short_key(wanted.key)
    await booked(erp, intent(closed(number, complete=False)))
    assert (await maintenance_order(oracle, number))[0]["ActualCompletionDate"].startswith("2026-11-22T12:30:00")


async def test_a_duplicate_answer_means_that_the_stop_is_told(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    wanted = intent(opened())
    first = await booked(erp, wanted)
    again = await erp.post(wanted, free)
    assert again.document is not None
    assert again.document.document == first.document
    assert len(await maintenance_order(oracle, first.document)) == 1


@pytest.mark.parametrize("complete", [False, True])
async def test_the_end_of_a_stop_is_found_by_its_time_and_taken_back(
    oracle: OracleProcess, erp: OracleErp, order: str, complete: bool
) -> None:
    number = (await booked(erp, intent(opened()))).document
    end = intent(closed(number, complete=complete))
    assert (await erp.find(end, Snapshot())).document is None
    await oracle.fault("timeout_after_commit", calls=1, path="maintenanceWorkOrders")
    _, found = await lost(erp, end)
    assert found.document is not None
    row = (await maintenance_order(oracle, number))[0]
    assert row["ActualCompletionDate"].startswith("2026-11-22T12:30:00")
    assert row["WorkOrderSystemStatusCode"] == ("COMPLETED" if complete else "RELEASED")
    await booked(erp, intent(reversed_(found.document, end.transaction)))
    row = (await maintenance_order(oracle, number))[0]
    assert (row["ActualCompletionDate"], row["WorkOrderSystemStatusCode"]) == (None, "RELEASED")


async def test_a_stop_told_by_mistake_is_cancelled(oracle: OracleProcess, erp: OracleErp, order: str) -> None:
    wanted = intent(opened())
    document = await booked(erp, wanted)
    await booked(erp, intent(reversed_(document, wanted.transaction)))
    assert (await maintenance_order(oracle, document.document))[0]["WorkOrderSystemStatusCode"] == "CANCELED"


# --- capacity --------------------------------------------------------------------------------------------------------


def adjusted(percent: str = "50") -> AdjustCapacity:
    return AdjustCapacity(
        plant="demo",
        posting_date=DAY,
        change="C-1",
        work_centre="PRESS",
        starts_at=NOON,
        ends_at=NOON + timedelta(hours=4),
        available_percent=Decimal(percent),
    )


async def exceptions(oracle: OracleProcess, key: str) -> list[dict[str, Any]]:
    return [c for c in (await oracle.books())["maintenance"]["capacity"] if c["Reason"].startswith(key)]


async def test_capacity_is_changed_once_when_the_answer_is_lost_and_deleted_again(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    wanted = intent(adjusted())
    await oracle.fault("timeout_after_commit", calls=1, path="workCenterResourceExceptions")
    _, found = await lost(erp, wanted)
    assert found.document is not None
    assert len(await exceptions(oracle, short_key(wanted.key))) == 1
    back = intent(reversed_(found.document.model_copy(update={"key": wanted.key}), wanted.transaction))
    await oracle.fault("timeout_after_commit", calls=1, path="workCenterResourceExceptions")
    _, gone = await lost(erp, back)
    assert gone.document is not None
    assert await exceptions(oracle, short_key(wanted.key)) == []


async def test_a_capacity_that_somebody_changed_since_is_left_as_it_is(
    oracle: OracleProcess, erp: OracleErp, order: str
) -> None:
    wanted = intent(adjusted())
    document = await booked(erp, wanted)
    await ask(oracle, f"workCenterResourceExceptions/{document.document}", {"EndDate": "2026-11-30"})
    with pytest.raises(ErpRejected) as caught:
        await erp.post(intent(reversed_(document, wanted.transaction)), free)
    assert caught.value.reason is Reason.REVERSAL
    assert len(await exceptions(oracle, short_key(wanted.key))) == 1


async def test_a_work_centre_nobody_knows_is_refused_before_anything_is_sent(erp: OracleErp, order: str) -> None:
    nowhere = intent(adjusted().model_copy(update={"work_centre": "NOWHERE"}))
    with pytest.raises(ErpRejected) as caught:
        await erp.post(nowhere, free)
    assert caught.value.reason is Reason.MASTER_DATA


async def test_a_broken_server_leaves_a_record_in_doubt(oracle: OracleProcess, erp: OracleErp, order: str) -> None:
    await oracle.fault("refuse", calls=1, path="qualityIssues")
    with pytest.raises(ErpInDoubt):
        await erp.post(intent(nonconformance()), free)
