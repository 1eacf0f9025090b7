"""Stock movements and holds: references first, balances where they cannot be searched, statuses of lots."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from erp.oracle import OracleErp
from signals.documents import Snapshot
from signals.errors import ErpInDoubt, ErpRejected, Reason
from signals.ids import short_key
from signals.stock import MaterialPosition
from signals.transactions import MoveStock, PlaceHold, ReleaseHold
from tests.oracle.conftest import OracleProcess
from tests.oracle.postings import DAY, booked, free, intent, lost, reversed_

_materials = itertools.count(1)


@pytest.fixture
def material() -> str:
    """A material that no other test moves."""
    return f"MOVED-{next(_materials)}"


async def seed_stock(oracle: OracleProcess, material: str, lot: str = "", quantity: str = "100") -> None:
    row = {"material": material, "plant": "M1", "storage_location": "RM01", "quantity": quantity, "unit": "KG"}
    await oracle.seed(stock=[row | ({"batch": lot} if lot else {})])


def moved(material: str, quantity: str = "8", **more: Any) -> MoveStock:
    return MoveStock(
        plant="demo",
        posting_date=DAY,
        material=material,
        quantity=Decimal(quantity),
        unit="KG",
        from_location="RM01",
        to_location="LINE",
        **more,
    )


def held(material: str, position: MaterialPosition, kind: Callable[..., Any] = PlaceHold, **more: Any) -> Any:
    return kind(
        plant="demo",
        posting_date=DAY,
        hold="H-1",
        material=material,
        quantity=Decimal(8),
        unit="KG",
        position=position,
        storage_location=more.pop("storage_location", "RM01"),
        **more,
    )


async def test_a_movement_carries_our_key_and_is_found_by_it(
    oracle: OracleProcess, erp: OracleErp, material: str
) -> None:
    await seed_stock(oracle, material)
    wanted = intent(moved(material))
    assert (await erp.find(wanted, Snapshot())).document is None
    document = await booked(erp, wanted)
    found = (await erp.find(wanted, Snapshot())).document
    assert found is not None
    assert found.document == document.document
    rows = [d for d in (await oracle.books())["documents"] if d.get("reference") == short_key(wanted.key)]
    assert {row["key"] for row in rows} == {str(wanted.key)}
    assert await oracle.on_hand(material, "LINE") == 8


@pytest.mark.parametrize("searchable", [True, False])
async def test_a_movement_is_posted_once_when_the_answer_is_lost(
    oracle: OracleProcess, erp: OracleErp, material: str, searchable: bool
) -> None:
    await seed_stock(oracle, material, "L1")
    await oracle.settings(reference_searchable=searchable)
    await oracle.fault("timeout_after_commit", calls=1, path="inventoryStagedTransactions")
    wanted = intent(moved(material, batch="L1"))
    _, found = await lost(erp, wanted)
    assert found.document is not None
    assert await oracle.on_hand(material, "LINE", "L1") == 8
    back = intent(reversed_(found.document, wanted.transaction))
    await oracle.fault("error_after_commit", calls=1, path="inventoryStagedTransactions")
    _, undone = await lost(erp, back)
    assert undone.document is not None
    assert await oracle.on_hand(material, "RM01", "L1") == 100
    assert await oracle.on_hand(material, "LINE", "L1") == 0


@pytest.mark.parametrize("searchable", [True, False])
async def test_a_movement_that_never_arrived_is_not_there(
    oracle: OracleProcess, erp: OracleErp, material: str, searchable: bool
) -> None:
    await seed_stock(oracle, material)
    await oracle.settings(reference_searchable=searchable)
    await oracle.fault("timeout_before_commit", calls=1, path="inventoryStagedTransactions")
    _, found = await lost(erp, intent(moved(material)))
    assert found.document is None
    assert not found.unknowable


async def test_a_movement_whose_reference_was_forgotten_is_a_doubt_and_not_sent_again(
    oracle: OracleProcess, erp: OracleErp, material: str
) -> None:
    await seed_stock(oracle, material)
    wanted = intent(moved(material))
    before = await erp.snapshot(wanted)
    await oracle.fault("forget_keys", calls=1, path="inventoryStagedTransactions")
    await oracle.fault("timeout_after_commit", calls=1, path="inventoryStagedTransactions")
    with pytest.raises(ErpInDoubt):
        await erp.post(wanted, free)
    found = await erp.find(wanted, before)
    assert found.document is None
    assert "the balances moved exactly so" in found.unknowable


async def test_a_movement_that_oracle_refused_can_be_sent_again_and_leaves_nothing_behind(
    oracle: OracleProcess, erp: OracleErp, material: str
) -> None:
    await seed_stock(oracle, material, quantity="5")
    wanted = intent(moved(material))
    with pytest.raises(ErpRejected) as caught:
        await erp.post(wanted, free)
    assert caught.value.reason is Reason.STOCK_SHORT
    assert (await erp.find(wanted, Snapshot())).refused == ""
    await seed_stock(oracle, material, quantity="50")
    await booked(erp, wanted)
    assert await oracle.on_hand(material, "LINE") == 8
    pending = (await oracle.books())["pending_goods_movements"]
    assert not [row for row in pending if row["confirmation"] == short_key(wanted.key)]


async def test_a_dry_run_refuses_before_anything_is_staged(oracle: OracleProcess, material: str) -> None:
    await seed_stock(oracle, material, quantity="5")
    careful = oracle.adapter(oracle={"quantity_check": True})
    wanted = intent(moved(material))
    with pytest.raises(ErpRejected, match="quantity check") as caught:
        await careful.post(wanted, free)
    assert caught.value.reason is Reason.STOCK_SHORT
    pending = (await oracle.books())["pending_goods_movements"]
    assert not [row for row in pending if row["confirmation"] == short_key(wanted.key)]
    await careful.aclose()


# --- holds -----------------------------------------------------------------------------------------------------------


async def status_of(oracle: OracleProcess, material: str) -> str:
    rows = [r for r in (await oracle.books())["stock"] if r["material"] == material]
    return rows[0]["material_status"]


async def test_a_lot_is_held_and_freed_by_its_material_status(
    oracle: OracleProcess, erp: OracleErp, material: str
) -> None:
    await seed_stock(oracle, material, "L1")
    place = intent(held(material, MaterialPosition.BATCH, batch="L1"))
    before = await erp.snapshot(place)
    await oracle.fault("timeout_after_commit", calls=1, path="inventoryItemLots")
    with pytest.raises(ErpInDoubt):
        await erp.post(place, free)
    document = (await erp.find(place, before)).document
    assert document is not None
    assert await status_of(oracle, material) == "Hold"
    line = (await erp.stock(material, "L1"))[0]
    assert (line.kind.value, line.hold) == ("blocked", "Hold")
    with pytest.raises(ErpRejected) as caught:
        await erp.post(intent(moved(material, batch="L1")), free)
    assert caught.value.reason is Reason.RULE
    await booked(erp, intent(reversed_(document, place.transaction)))
    assert await status_of(oracle, material) == "Active"
    release = intent(held(material, MaterialPosition.BATCH, ReleaseHold, batch="L1"))
    assert (await erp.find(release, Snapshot())).document is not None  # it is free already


async def test_a_lot_that_somebody_changed_meanwhile_is_read_again(
    oracle: OracleProcess, erp: OracleErp, material: str
) -> None:
    await seed_stock(oracle, material, "L1")
    place = intent(held(material, MaterialPosition.BATCH, batch="L1"))
    guarded: list[str] = []

    def somebody_holds_it_first() -> None:
        guarded.append("sent")
        if len(guarded) == 1:
            row = _lot_row(oracle, material)
            _patch_directly(oracle, row, {"ActiveLotCode": "1"})

    document = (await erp.post(place, somebody_holds_it_first)).document
    assert document is not None
    assert len(guarded) == 2
    assert await status_of(oracle, material) == "Hold"


def _lot_row(oracle: OracleProcess, material: str) -> str:
    import httpx

    from tests.oracle.conftest import PASSWORD, USER

    with httpx.Client(auth=(USER, PASSWORD), trust_env=False) as client:
        url = f"{oracle.url}/fscmRestApi/resources/11.13.18.05/inventoryItemLots?q=ItemNumber='{material}'"
        answer = client.get(url, headers={"REST-Framework-Version": "4"}).json()
        return next(link["href"] for link in answer["items"][0]["links"] if link["rel"] == "self")


def _patch_directly(oracle: OracleProcess, url: str, body: dict[str, str]) -> None:
    import httpx

    from tests.oracle.conftest import PASSWORD, USER

    with httpx.Client(auth=(USER, PASSWORD), trust_env=False) as client:
        media = {"content-type": "application/vnd.oracle.adf.resourceitem+json", "REST-Framework-Version": "4"}
        client.patch(url, json=body, headers=media).raise_for_status()


async def test_material_without_lots_is_held_by_moving_it(oracle: OracleProcess, erp: OracleErp, material: str) -> None:
    await seed_stock(oracle, material)
    place = held(material, MaterialPosition.UNRESTRICTED)
    await booked(erp, intent(place))
    assert await oracle.on_hand(material, "HOLD") == 8
    await booked(erp, intent(held(material, MaterialPosition.UNRESTRICTED, ReleaseHold)))
    assert await oracle.on_hand(material, "HOLD") == 0
    assert await oracle.on_hand(material, "RM01") == 100


@pytest.mark.parametrize(
    ("position", "rule"),
    [
        (MaterialPosition.IN_WORK, "oracle-hold-in-work/1"),
        (MaterialPosition.CONSUMED, "oracle-hold-consumed/1"),
        (MaterialPosition.IN_INSPECTION, "oracle-hold-in-inspection/1"),
    ],
)
async def test_a_position_without_a_route_is_refused_by_a_named_rule(
    erp: OracleErp, position: MaterialPosition, rule: str
) -> None:
    wanted = intent(held("RM-1", position))
    assert (await erp.check(wanted)).startswith(rule)
    with pytest.raises(ErpRejected) as caught:
        await erp.post(wanted, free)
    assert (caught.value.code, caught.value.reason) == (rule, Reason.RULE)


async def test_held_stock_of_which_nobody_knows_where_it_came_from_is_not_moved_to_where_it_lies(
    erp: OracleErp,
) -> None:
    there = intent(held("RM-1", MaterialPosition.UNRESTRICTED, ReleaseHold, storage_location="HOLD"))
    assert (await erp.check(there)).startswith("oracle-hold-origin/1")


async def test_a_hold_that_has_no_place_is_refused_by_a_named_rule(oracle: OracleProcess, erp: OracleErp) -> None:
    nowhere = intent(held("RM-1", MaterialPosition.UNRESTRICTED, storage_location=""))
    assert (await erp.check(nowhere)).startswith("oracle-hold-place/1")
    unset = oracle.adapter(oracle={})
    assert (await unset.check(intent(held("RM-1", MaterialPosition.UNRESTRICTED)))).startswith("oracle-hold-place/1")
    await unset.aclose()
