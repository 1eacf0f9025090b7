"""The posting procedure with the real ledger on a simulated Dynamics: what the house promises holds for a queue too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from activities.posting import PostingDraft, PostingProcedure
from erp.dynamics import DynamicsErp
from ledger.connect import open_ledger
from ledger.port import PostingRecord
from ledger.store import SqlLedger
from signals.decisions import PostingMode
from signals.documents import Case, CaseKind, PostingState
from signals.transactions import ActivityAmount, PostingIntent, Reverse
from tests.dynamics.conftest import PLANT, TODAY, DynamicsProcess, Endpoint, confirmation, intent_for, until


@dataclass
class Desk:
    """A plant's procedure and its ledger."""

    procedure: PostingProcedure
    ledger: SqlLedger
    erp: DynamicsErp

    async def draft(self, intent: PostingIntent) -> None:
        await self.ledger.take_order(await self.erp.read_order(intent.transaction.order))
        await self.procedure.settle(PostingDraft(plant=PLANT, intent=intent))

    async def settle(self, intent: PostingIntent) -> PostingRecord:
        """Draft it and ask again until nothing more will happen by itself."""
        await self.draft(intent)
        return await self.end_of(intent)

    async def end_of(self, intent: PostingIntent) -> PostingRecord:
        async def look() -> PostingRecord:
            await self.procedure.resume(intent.key, PostingMode.POST)
            record = await self.ledger.posting(intent.key)
            assert record is not None
            return record

        return await until(look, lambda record: record.state.is_settled, seconds=40)

    async def verified(self, intent: PostingIntent) -> bool:
        async def look() -> bool:
            return (await self.procedure.verify(intent.key)).complete

        return await until(look, bool, seconds=30)

    async def cases(self, order: str) -> dict[CaseKind, Case]:
        return {case.kind: case for case in await self.ledger.cases(PLANT, order=order)}


async def desk_of(erp: DynamicsErp, directory: Path) -> Desk:
    ledger = await open_ledger(f"sqlite:///{directory / 'ledger.db'}")
    procedure = PostingProcedure(
        erp,
        ledger,
        now=lambda: datetime.now(UTC),
        new_token=lambda: uuid4().hex,
        timeout_seconds=2,
        settle_seconds=erp.capabilities.settle_seconds,
        retry_seconds=[1],
        goods_movement_wait_seconds=5,
    )
    return Desk(procedure, ledger, erp)


@pytest_asyncio.fixture(loop_scope="session")
async def desk(
    dynamics: DynamicsProcess, endpoint: Endpoint, hearing: DynamicsErp, tmp_path: Path
) -> AsyncIterator[Desk]:
    made = await desk_of(hearing, tmp_path)
    yield made
    await made.ledger.close()


async def test_the_first_confirmation_starts_the_order_and_both_are_booked_once(
    desk: Desk, dynamics: DynamicsProcess, order: str
) -> None:
    record = await desk.settle(confirmation(order, "0010", "5"))
    assert record.state is PostingState.POSTED
    assert record.document.startswith("ROUTE/")
    assert [m["type"] for m in await dynamics.messages(order)] == [
        "ProdProductionOrderStart",
        "ProdProductionOrderRouteCard",
    ]
    assert await desk.cases(order) == {}


async def test_a_confirmation_whose_answer_is_lost_is_posted_once(
    desk: Desk, dynamics: DynamicsProcess, started: str
) -> None:
    await dynamics.fault("timeout_after_commit", path="/api/services", calls=1, seconds=5)
    record = await desk.settle(confirmation(started, "0030", "5", "1", reason="SCRATCH"))
    assert record.state is PostingState.POSTED
    assert len(await dynamics.messages(started)) == 1
    operations = (await dynamics.order(started))["operations"]
    assert (operations[2]["yield"], operations[2]["scrap"]) == ("5", "1")
    assert await desk.verified(confirmation_of(record))


async def test_a_message_that_nobody_can_see_is_in_doubt_and_never_sent_again(
    desk: Desk, dynamics: DynamicsProcess, started: str
) -> None:
    await dynamics.settings(processing_paused=True)
    await dynamics.fault("timeout_after_commit", path="/api/services", calls=1, seconds=5)
    record = await desk.settle(confirmation(started, "0010", "5"))
    assert record.state is PostingState.IN_DOUBT
    assert "cannot be read" in record.message
    assert CaseKind.ERP_IN_DOUBT in await desk.cases(started)
    assert len(await dynamics.messages(started)) == 1


async def test_a_message_that_failed_is_refused_with_its_class(
    desk: Desk, dynamics: DynamicsProcess, started: str
) -> None:
    await dynamics.settings(open_periods=["2001-01"])
    record = await desk.settle(confirmation(started, "0010", "5"))
    assert record.state is PostingState.REFUSED
    assert record.error_code == "infolog/period"
    case = (await desk.cases(started))[CaseKind.ERP_REJECTED]
    assert "requeues or cancels" in case.summary + case.erp_answer


async def test_a_message_that_waits_too_long_is_a_case_and_closes_when_it_shows(
    desk: Desk, dynamics: DynamicsProcess, started: str
) -> None:
    await dynamics.settings(processing_paused=True)
    intent = confirmation(started, "0010", "5")
    await desk.draft(intent)

    async def cases() -> dict[CaseKind, Case]:
        await desk.procedure.resume(intent.key, PostingMode.POST)
        return await desk.cases(started)

    await until(cases, lambda found: CaseKind.ERP_PENDING in found)
    await dynamics.settings(processing_paused=False)
    assert (await desk.end_of(intent)).state is PostingState.POSTED
    assert CaseKind.ERP_PENDING not in await desk.cases(started)


async def test_lot_and_time_follow_their_confirmation(desk: Desk, dynamics: DynamicsProcess, started: str) -> None:
    timed = (ActivityAmount(slot=1, amount=Decimal(30), unit="MIN"),)
    last = confirmation(started, "0030", "4", activities=timed)
    assert (await desk.settle(last)).state is PostingState.POSTED
    assert await desk.verified(last)
    welded = confirmation(started, "0020", "4", component_lot="B1", component_material="LOT-1")
    assert (await desk.settle(welded)).state is PostingState.POSTED
    assert await desk.verified(welded)
    books = await dynamics.order(started)
    assert books["operations"][2]["activities"]["process"]["confirmed"] == "0.5"
    issued = {c["material"]: c["withdrawn"] for c in books["components"]}
    assert issued["LOT-1"] == "4"


async def test_a_hand_entry_stops_the_operation_until_a_person_decides(
    desk: Desk, dynamics: DynamicsProcess, started: str
) -> None:
    await dynamics.by_hand(order=started, operation="0010", **{"yield": "3"})
    intent = confirmation(started, "0010", "5")
    await desk.draft(intent)
    cases = await desk.cases(started)
    assert cases[CaseKind.MANUAL_ENTRY].yield_quantity == 3
    assert await dynamics.messages(started) == []


async def test_a_confirmation_is_taken_back_by_a_person(desk: Desk, dynamics: DynamicsProcess, started: str) -> None:
    done = confirmation(started, "0030", "4")
    record = await desk.settle(done)
    back = Reverse(
        plant=PLANT,
        order=started,
        operation="0030",
        posting_date=TODAY,
        document=record.document,
        original=done.transaction,  # type: ignore[arg-type]
        original_key=done.key,
    )
    await desk.draft(intent_for(back))
    case = (await desk.cases(started))[CaseKind.REVERSAL_BY_PERSON]
    assert case.document == record.document
    assert len(await dynamics.messages(started)) == 1


@pytest.mark.parametrize("lost", [0.0, 1.0])
async def test_an_outage_of_the_service_delays_and_doubles_nothing(
    dynamics: DynamicsProcess, endpoint: Endpoint, tmp_path: Path, started: str, lost: float
) -> None:
    await dynamics.settings(event_loss={"probability": lost})
    desk = await desk_of(dynamics.adapter(events=endpoint.events), tmp_path)
    try:
        intent = confirmation(started, "0010", "5")
        await desk.ledger.take_order(await desk.erp.read_order(started))
        await dynamics.fault("down", calls=3, path="/data", method="GET")
        await desk.procedure.settle(PostingDraft(plant=PLANT, intent=intent))
        assert (await desk.end_of(intent)).state is PostingState.POSTED
        assert (await dynamics.order(started))["operations"][0]["yield"] == "5"
    finally:
        await desk.ledger.close()


def confirmation_of(record: PostingRecord) -> PostingIntent:
    return PostingIntent(key=record.key, transaction=record.transaction)
