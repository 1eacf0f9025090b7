"""Moves, holds, inspections, nonconformances, downtime and capacity, each once, also when the answer is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from erp.dynamics import DynamicsErp
from signals.bookings import StockKind
from signals.documents import Booking, ErpDocument, Snapshot
from signals.errors import ErpBusy, ErpInDoubt, ErpRejected
from signals.quality import CharacteristicResult, RecordInspection, RecordNonconformance
from signals.stock import MaterialPosition
from signals.transactions import (
    AdjustCapacity,
    CloseDowntime,
    MoveStock,
    OpenDowntime,
    PlaceHold,
    PostingIntent,
    ReleaseHold,
    Reverse,
    TransactionType,
)
from tests.dynamics.conftest import (
    PLANT,
    SITE,
    TODAY,
    DynamicsProcess,
    before_sending,
    free,
    intent_for,
    until,
)


@pytest.fixture
async def item(dynamics: DynamicsProcess, order_number: str) -> str:
    """A material of its own with stock, and a batch-managed one beside it."""
    name = f"M{order_number[-9:]}"
    rows = [
        {"material": name, "plant": SITE, "storage_location": "WH1", "quantity": "100", "unit": "PC"},
        {
            "material": f"{name}B",
            "plant": SITE,
            "storage_location": "WH1",
            "quantity": "40",
            "unit": "PC",
            "batch": "B7",
        },
    ]
    await dynamics.seed(stock=rows)
    return name


def moved(material: str, quantity: str = "10", **more: Any) -> PostingIntent:
    fields: dict[str, Any] = {
        "plant": PLANT,
        "posting_date": TODAY,
        "material": material,
        "quantity": Decimal(quantity),
        "unit": "PC",
        "from_location": "WH1",
        "to_location": "WH2",
    }
    return intent_for(MoveStock(**(fields | more)))


def hold(material: str, position: MaterialPosition, kind: type[PlaceHold] | type[ReleaseHold] = PlaceHold, **more: Any):
    fields: dict[str, Any] = {
        "plant": PLANT,
        "posting_date": TODAY,
        "hold": "H1",
        "material": material,
        "quantity": Decimal(5),
        "unit": "PC",
        "position": position,
        "storage_location": "WH1",
    }
    return intent_for(kind(**(fields | more)))


async def stock_of(dynamics: DynamicsProcess, material: str) -> dict[tuple[str, str], str]:
    rows = [r for r in (await dynamics.books())["stock"] if r["material"] == material]
    return {(r["storage_location"], r["status"]): r["quantity"] for r in rows if Decimal(r["quantity"])}


# --- moves -----------------------------------------------------------------------------------------------------------


async def test_a_move_waits_for_the_unattended_posting_and_is_found_by_our_key(
    dynamics: DynamicsProcess, erp: DynamicsErp, item: str
) -> None:
    await dynamics.settings(journal_autopost=False)
    intent = moved(item)
    booking = await erp.post(intent, free)
    assert booking.pending
    assert (await erp.find(intent, Snapshot())).pending
    await dynamics.settings(journal_autopost=True)
    found = await until(lambda: erp.find(intent, Snapshot()), lambda b: b.document is not None)
    assert found.document is not None
    assert await stock_of(dynamics, item) == {("WH1", "Available"): "90", ("WH2", "Available"): "10"}
    assert [m.quantity for m in (await erp.read_back(found.document)).goods_movements] == [10]


async def test_a_move_is_posted_by_the_action_where_the_environment_has_one(
    dynamics: DynamicsProcess, erp: DynamicsErp, item: str
) -> None:
    await dynamics.settings(journal_autopost=False, journal_post_action=True)
    booking = await erp.post(moved(item), free)
    assert booking.document is not None
    assert (await stock_of(dynamics, item))[("WH2", "Available")] == "10"


@pytest.mark.parametrize("path", ["/data/InventoryTransferJournalHeaders", "/data/$batch"])
@pytest.mark.parametrize("mode", ["timeout_after_commit", "error_after_commit", "timeout_before_commit"])
async def test_a_move_happens_once_whichever_answer_is_lost(
    dynamics: DynamicsProcess, erp: DynamicsErp, item: str, path: str, mode: str
) -> None:
    await dynamics.settings(journal_post_action=True, journal_autopost=False)
    intent = moved(item)
    await dynamics.fault(mode, path=path, calls=1, method="POST", seconds=4)
    found: ErpDocument | None = None
    for _ in range(4):
        found = found or (await erp.find(intent, Snapshot())).document
        if found is not None:
            break
        try:
            found = (await erp.post(intent, free)).document
        except Exception as error:
            assert error.__class__.__name__ in ("ErpInDoubt", "ErpUnavailable"), error
    assert found is not None
    assert await stock_of(dynamics, item) == {("WH1", "Available"): "90", ("WH2", "Available"): "10"}


async def test_a_move_that_stock_does_not_allow_is_refused_and_says_what_stays(
    dynamics: DynamicsProcess, erp: DynamicsErp, item: str
) -> None:
    await dynamics.settings(journal_post_action=True, journal_autopost=False)
    with pytest.raises(ErpRejected, match="stays unposted") as refused:
        await erp.post(moved(item, "500"), free)
    assert refused.value.reason == "stock_short"


async def test_a_move_is_taken_back_by_the_opposite_one(dynamics: DynamicsProcess, erp: DynamicsErp, item: str) -> None:
    intent = moved(item)
    await erp.post(intent, free)
    document = (await until(lambda: erp.find(intent, Snapshot()), lambda b: b.document is not None)).document
    assert document is not None
    transaction = intent.transaction
    assert isinstance(transaction, MoveStock)
    back = intent_for(Reverse(plant=PLANT, posting_date=TODAY, document=document.document, original=transaction))
    assert (await erp.find(back, Snapshot())).document is None
    await erp.post(back, free)
    await until(lambda: erp.find(back, Snapshot()), lambda b: b.document is not None)
    assert await stock_of(dynamics, item) == {("WH1", "Available"): "100"}


@pytest.mark.parametrize("path", ["/data/$batch", "/data/InventoryTransferJournalHeaders("])
@pytest.mark.parametrize("make", [moved, lambda item: hold(item, MaterialPosition.UNRESTRICTED)], ids=["move", "hold"])
async def test_a_journal_that_lost_its_key_before_its_answer_was_lost_is_for_a_person_and_not_made_twice(
    dynamics: DynamicsProcess, erp: DynamicsErp, item: str, path: str, make: Any
) -> None:
    await dynamics.settings(journal_post_action=True, journal_autopost=False)
    await erp.post(make(item), free)
    intent = make(item)
    before = await before_sending(erp, intent)
    await dynamics.fault("forget_keys", path="/data/InventoryTransferJournalHeaders", calls=1)
    await dynamics.fault("timeout_after_commit", path=path, calls=1, seconds=4)
    with pytest.raises(ErpInDoubt):
        await erp.post(intent, free)
    await erp.post(make(item), free)
    found = await erp.find(intent, before)
    assert found.document is None and "not our key" in found.unknowable
    journals = [d for d in (await dynamics.books())["documents"] if item in str(d)]
    [lost] = [d["journal"] for d in journals if f"TRANSFER/{d['journal']}" in found.candidates]
    assert found.candidates == (f"TRANSFER/{lost}",) and len(journals) == 3


async def test_a_journal_that_the_batch_job_posts_before_our_request_is_posted_and_not_refused(
    dynamics: DynamicsProcess, erp: DynamicsErp, item: str
) -> None:
    await dynamics.settings(journal_post_action=True, journal_autopost=False)
    await dynamics.fault("timeout_after_commit", path="/data/$batch", calls=1, seconds=4)
    intent = moved(item)
    with pytest.raises(ErpInDoubt):
        await erp.post(intent, free)
    [journal] = [d["journal"] for d in (await dynamics.books())["documents"] if item in str(d)]
    await dynamics.by_hand(action="post_transfer", journal=journal)
    booking = await erp.post(intent, free)
    assert booking.document is not None and booking.document.document == f"TRANSFER/{journal}"
    assert (await stock_of(dynamics, item))[("WH2", "Available")] == "10"


async def test_a_reversal_that_lost_its_key_is_for_a_person_and_its_original_is_not_taken_for_it(
    dynamics: DynamicsProcess, erp: DynamicsErp, item: str
) -> None:
    await dynamics.settings(journal_post_action=True, journal_autopost=False)
    intent = moved(item)
    document = (await erp.post(intent, free)).document
    transaction = intent.transaction
    assert document is not None and isinstance(transaction, MoveStock)
    reversal = Reverse(plant=PLANT, posting_date=TODAY, document=document.document, original=transaction)
    back = intent_for(reversal)
    before = await before_sending(erp, back)
    assert await erp.find(back, before) == Booking()
    await dynamics.fault("forget_keys", path="/data/InventoryTransferJournalHeaders", calls=1)
    await dynamics.fault("error_after_commit", path="/data/$batch", calls=1)
    with pytest.raises(ErpInDoubt):
        await erp.post(back, free)
    assert len((await erp.find(back, before)).candidates) == 1


async def test_ours_is_found_where_descriptions_cannot_be_searched(
    dynamics: DynamicsProcess, erp: DynamicsErp, item: str
) -> None:
    intent = moved(item)
    await erp.post(intent, free)
    await dynamics.fault("key_not_searchable")
    await until(lambda: erp.find(intent, Snapshot()), lambda b: b.document is not None)


# --- holds -----------------------------------------------------------------------------------------------------------


async def test_a_batch_is_held_and_released_by_its_disposition_code(
    dynamics: DynamicsProcess, erp: DynamicsErp, item: str
) -> None:
    placing = hold(f"{item}B", MaterialPosition.BATCH, batch="B7")
    before = await before_sending(erp, placing)
    assert before.figures == {"disposition": "Available"}
    assert (await erp.find(placing, Snapshot())).document is None
    await dynamics.fault("timeout_after_commit", path="/data/ItemBatches", method="PATCH", calls=1, seconds=4)
    with pytest.raises(ErpInDoubt):
        await erp.post(placing, free)
    assert (await erp.find(placing, before)).document is not None
    release = hold(f"{item}B", MaterialPosition.BATCH, ReleaseHold, batch="B7")
    assert (await erp.find(release, Snapshot())).document is None
    assert (await erp.post(release, free)).document is not None
    assert (await erp.find(placing, Snapshot())).document is None


async def test_a_hold_s_state_is_read_in_more_than_one_place_and_disagreement_is_said(
    dynamics: DynamicsProcess, erp: DynamicsErp, item: str
) -> None:
    material = f"{item}B"
    await _quality_order(erp, material, batch="B7")
    orders = [h for h in (await dynamics.books())["holds"] if h.get("material") == material]
    assert orders, "the quality order blocks"
    placing = hold(material, MaterialPosition.BATCH, batch="B7")
    await erp.post(placing, free)
    document = (await erp.find(placing, Snapshot())).document
    assert document is not None
    assert document.warnings == ()
    release = hold(material, MaterialPosition.BATCH, ReleaseHold, batch="B7")
    await erp.post(release, free)
    released = (await erp.find(release, Snapshot())).document
    assert released is not None
    assert "is released by its disposition code, but quality order" in released.warnings[0]


async def test_a_batch_that_somebody_else_decided_on_is_not_released(
    dynamics: DynamicsProcess, erp: DynamicsErp, item: str
) -> None:
    release = hold(f"{item}B", MaterialPosition.BATCH, ReleaseHold, batch="B7")
    elsewhere = dynamics.adapter({"free_disposition": "Other"})
    with pytest.raises(ErpRejected, match="somebody decided otherwise"):
        await elsewhere.post(release, free)


async def test_stock_without_batches_is_held_by_a_blocking_status(
    dynamics: DynamicsProcess, erp: DynamicsErp, item: str
) -> None:
    placing = hold(item, MaterialPosition.UNRESTRICTED)
    await erp.post(placing, free)
    await until(lambda: erp.find(placing, Snapshot()), lambda b: b.document is not None)
    assert await stock_of(dynamics, item) == {("WH1", "Available"): "95", ("WH1", "Blocking"): "5"}
    lines = {(line.kind, line.hold): line.quantity for line in await erp.stock(item)}
    assert lines == {(StockKind.UNRESTRICTED, ""): 95, (StockKind.BLOCKED, "Blocking"): 5}
    release = hold(item, MaterialPosition.UNRESTRICTED, ReleaseHold)
    await erp.post(release, free)
    await until(lambda: erp.find(release, Snapshot()), lambda b: b.document is not None)
    assert await stock_of(dynamics, item) == {("WH1", "Available"): "100"}


async def test_a_quality_order_holds_the_quantity_it_names_and_is_found_when_the_answer_is_lost(
    dynamics: DynamicsProcess, item: str
) -> None:
    erp = dynamics.adapter({"hold_route": "quality_order"})
    placing = hold(item, MaterialPosition.UNRESTRICTED)
    before = await before_sending(erp, placing)
    await dynamics.fault("timeout_after_commit", path="/data/QualityOrderHeaders", calls=1, seconds=4)
    with pytest.raises(ErpInDoubt):
        await erp.post(placing, free)
    found = (await erp.find(placing, before)).document
    assert found is not None
    assert {line.kind: line.quantity for line in await erp.stock(item)} == {
        StockKind.UNRESTRICTED: 95,
        StockKind.BLOCKED: 5,
    }
    release = hold(item, MaterialPosition.UNRESTRICTED, ReleaseHold, placed=found.document)
    assert (await erp.check(release)).startswith("dynamics-hold-route/1")


async def test_material_in_an_open_quality_order_is_held_already(
    dynamics: DynamicsProcess, erp: DynamicsErp, item: str
) -> None:
    number = await _quality_order(erp, item)
    placing = hold(item, MaterialPosition.IN_INSPECTION, inspection_lot=number)
    assert (await erp.find(placing, Snapshot())).document is not None
    await dynamics.by_hand(action="validate_quality_order", journal=number)
    assert (await erp.find(placing, Snapshot())).document is None
    with pytest.raises(ErpRejected, match="validated by a person"):
        await erp.post(placing, free)


@pytest.mark.parametrize("position", [MaterialPosition.IN_WORK, MaterialPosition.CONSUMED])
async def test_where_dynamics_has_no_hold_a_named_rule_says_so(erp: DynamicsErp, position: MaterialPosition) -> None:
    assert (await erp.check(hold("M", position))).startswith("dynamics-hold-route/1")


async def test_a_batch_is_not_held_by_status(erp: DynamicsErp) -> None:
    told = await erp.check(hold("M", MaterialPosition.UNRESTRICTED, batch="B7"))
    assert told.startswith("dynamics-hold-route/1: batch B7 of M is held by its disposition code")


# --- quality ---------------------------------------------------------------------------------------------------------


async def test_results_of_an_inspection_are_recorded_all_and_once(
    dynamics: DynamicsProcess, erp: DynamicsErp, item: str
) -> None:
    number = await _quality_order(erp, item)
    results = (
        CharacteristicResult(characteristic="10/DIAMETER", value="9.98", passed=True),
        CharacteristicResult(characteristic="20/COLOUR", value="GREEN", passed=False),
    )
    recorded = RecordInspection(
        plant=PLANT, posting_date=TODAY, inspection="I1", inspection_lot=number, material=item, results=results
    )
    intent = intent_for(recorded)
    before = await before_sending(erp, intent)
    assert (await erp.find(intent, before)).document is None
    await dynamics.fault("timeout_after_commit", path="/data/$batch", calls=1, seconds=4)
    with pytest.raises(ErpInDoubt):
        await erp.post(intent, free)
    assert (await erp.find(intent, before)).document is not None
    again = intent_for(recorded)
    assert (await erp.find(again, await before_sending(erp, again))).document is None


async def test_a_nonconformance_is_recorded_where_the_entity_is_public(
    dynamics: DynamicsProcess, erp: DynamicsErp, item: str
) -> None:
    told = RecordNonconformance(
        plant=PLANT,
        posting_date=TODAY,
        nonconformance="N1",
        material=item,
        quantity=Decimal(2),
        unit="PC",
        defect="SCRATCH",
        text="seen at the press",
    )
    assert "public" in erp.capabilities.can(told.type).reason
    public = dynamics.adapter({"nonconformance_entity": "InventNonConformance"})
    hidden = next(p for p in await public.probe() if p.name == "nonconformances")
    assert not hidden.ok
    await dynamics.settings(public_entities=["InventNonConformance"])
    intent = intent_for(told)
    assert (await public.find(intent, Snapshot())).document is None
    await dynamics.fault("timeout_after_commit", path="/data/InventNonConformance", calls=1, seconds=4)
    with pytest.raises(ErpInDoubt):
        await public.post(intent, free)
    assert (await public.find(intent, Snapshot())).document is not None
    with pytest.raises(ErpInDoubt, match="already exists"):
        await public.post(intent, free)


async def test_the_decision_on_a_quality_order_is_a_person_s(erp: DynamicsErp) -> None:
    known = erp.capabilities.can(TransactionType.DECIDE_INSPECTION)
    assert not known.supported
    assert "person" in known.reason


# --- machines --------------------------------------------------------------------------------------------------------


async def test_a_stop_is_told_once_and_its_end_is_ours_alone(
    dynamics: DynamicsProcess, erp: DynamicsErp, item: str
) -> None:
    start = datetime(2026, 11, 26, 8, 0, 0, tzinfo=UTC)
    opened = OpenDowntime(
        plant=PLANT,
        posting_date=TODAY,
        stop="S1",
        asset=f"A-{item}",
        started_at=start,
        breakdown=True,
        reason="E42",
        text="main drive",
    )
    intent = intent_for(opened)
    await dynamics.fault("timeout_after_commit", path="/data/AssetMaintenanceRequestsV2", calls=1, seconds=4)
    with pytest.raises(ErpInDoubt):
        await erp.post(intent, free)
    document = (await erp.find(intent, Snapshot())).document
    assert document is not None
    closed = CloseDowntime(
        plant=PLANT,
        posting_date=TODAY,
        stop="S1",
        asset=f"A-{item}",
        notification=document.document,
        started_at=start,
        ended_at=start + timedelta(minutes=20),
        complete=True,
    )
    ending = intent_for(closed)
    assert (await erp.find(ending, Snapshot())).document is None
    assert (await erp.post(ending, free)).document is not None
    assert (await erp.find(ending, Snapshot())).document is not None
    assert (await erp.find(intent, Snapshot())).document is not None
    other = intent_for(closed.model_copy(update={"ended_at": start + timedelta(minutes=45)}))
    with pytest.raises(ErpRejected, match="not overwritten"):
        await erp.post(other, free)


async def test_capacity_is_taken_and_given_back_where_nobody_touched_it(
    dynamics: DynamicsProcess, erp: DynamicsErp, item: str
) -> None:
    calendar = item[-10:]
    erp = dynamics.adapter({"calendars": {"PRESS": calendar}})
    await _calendar_day(erp, calendar)
    start = datetime(2026, 12, 1, 6, 0, 0, tzinfo=UTC)
    change = AdjustCapacity(
        plant=PLANT,
        posting_date=TODAY,
        change="C1",
        work_centre="PRESS",
        starts_at=start,
        ends_at=start + timedelta(hours=8),
        available_percent=Decimal(50),
    )
    intent = intent_for(change)
    before = await before_sending(erp, intent)
    await dynamics.fault("timeout_after_commit", path="/data/WorkCalendarTimeIntervals", calls=1, seconds=4)
    with pytest.raises(ErpInDoubt):
        await erp.post(intent, free)
    document = (await erp.find(intent, before)).document
    assert document is not None
    assert document.document.endswith("/new")
    less = intent_for(change.model_copy(update={"available_percent": Decimal(20), "change": "C2"}))
    second = (await erp.post(less, free)).document
    assert second is not None
    back = Reverse(plant=PLANT, posting_date=TODAY, document=document.document, original=change)
    with pytest.raises(ErpRejected, match="was changed since"):
        await erp.post(intent_for(back), free)
    assert less.transaction.type == change.type
    undo = Reverse(plant=PLANT, posting_date=TODAY, document=second.document, original=less.transaction)  # type: ignore[arg-type]
    undoing = intent_for(undo)
    assert (await erp.find(undoing, Snapshot())).document is None
    await erp.post(undoing, free)
    assert (await erp.find(undoing, Snapshot())).document is not None
    await erp.post(intent_for(back), free)
    assert (await erp.find(intent, Snapshot())).document is None


async def test_capacity_over_midnight_is_one_change_per_day(erp: DynamicsErp) -> None:
    start = datetime(2026, 12, 1, 20, 0, 0, tzinfo=UTC)
    change = AdjustCapacity(
        plant=PLANT,
        posting_date=TODAY,
        change="C1",
        work_centre="PRESS",
        starts_at=start,
        ends_at=start + timedelta(hours=8),
        available_percent=Decimal(0),
    )
    assert (await erp.check(intent_for(change))).startswith("dynamics-capacity/1")


async def test_a_record_that_changed_since_it_was_read_is_busy_and_not_overwritten(
    dynamics: DynamicsProcess, erp: DynamicsErp, item: str
) -> None:
    client = erp._client
    address = client.address("ItemBatches", ItemNumber=f"{item}B", BatchNumber="B7")
    with pytest.raises(ErpBusy):
        await client.change(address, {"BatchDispositionCode": "Blocked"}, 'W/"older"', free)


async def _quality_order(erp: DynamicsErp, material: str, batch: str = "") -> str:
    body: dict[str, Any] = {
        "QualityOrderPolicyType": "Inventory",
        "ItemNumber": material,
        "InventoryQuantity": 5,
        "InventorySiteId": SITE,
        "WarehouseId": "WH1",
    }
    made = await erp._client.create("QualityOrderHeaders", body | ({"ItemBatchNumber": batch} if batch else {}), free)
    return made["QualityOrderNumber"]


async def _calendar_day(erp: DynamicsErp, calendar: str) -> None:
    body = {"WorkCalendarId": calendar, "CalendarDate": "2026-12-01T12:00:00Z"}
    await erp._client.create("WorkCalendarDays", body, free)
