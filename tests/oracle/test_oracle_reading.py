"""Orders and other reads in the house's terms, and what a probe says of a connection."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from erp.oracle import OracleErp
from erp.port import FoundBy
from signals.bookings import StockKind, TransactionType
from signals.documents import Snapshot
from signals.erp_reads import Probe
from signals.errors import ErpRejected, Reason
from signals.orders import ErpOrderStatus
from signals.transactions import Reverse
from tests.oracle.conftest import ENVIRON, OracleProcess, config_for
from tests.oracle.postings import DAY, booked, confirmed, intent, reversed_


async def test_an_order_says_what_the_house_needs(oracle: OracleProcess, erp: OracleErp, order_number: str) -> None:
    await oracle.seed_order(order_number, over_delivery_tolerance="5")
    order = await erp.read_order(order_number)
    assert (order.erp_plant, order.material, order.quantity, order.unit) == ("M1", "FG-100", 100, "PC")
    assert order.status is ErpOrderStatus.RELEASED
    assert order.over_delivery_percent == 5
    assert [o.operation for o in order.operations] == ["0010", "0020", "0030"]
    assert [o.predecessors for o in order.operations] == [(), ("0010",), ("0020",)]
    assert [o.automatic_receipt for o in order.operations] == [False, False, True]
    assert [(a.slot, a.name, a.unit) for a in order.operations[0].activities] == [
        (1, "PRESS", "MIN"),
        (2, "CREW", "MIN"),
    ]
    assert [(c.material, c.operation, c.required, c.backflush) for c in order.components] == [
        ("RM-1", "0010", 200, True),
        ("RM-2", "0020", Decimal("33.333"), True),
    ]
    await booked(erp, intent(confirmed(order_number, "5", scrap_quantity=Decimal(1))))
    totals = await erp.totals(order_number)
    assert (totals[0].operation, totals[0].yield_quantity, totals[0].scrap_quantity) == ("0010", 5, 1)
    assert not totals[0].final


async def test_what_oracle_charges_by_itself_has_no_activity(
    oracle: OracleProcess, erp: OracleErp, order_number: str
) -> None:
    resources = [{"code": "PRESS", "charge": "AUTOMATIC", "usage": "50"}, {"code": "CREW", "type": "LABOR"}]
    operation = {"operation": "0010", "work_centre": "PRESS", "resources": resources}
    await oracle.seed_order(order_number, operations=[operation], components=[])
    activities = (await erp.read_order(order_number)).operations[0].activities
    assert [(a.slot, a.name) for a in activities] == [(2, "CREW")]


async def test_a_serialised_product_of_a_lot_is_received_with_both(
    oracle: OracleProcess, erp: OracleErp, order_number: str
) -> None:
    await oracle.seed(materials={"FG-SER": {"unit": "EA", "batch_managed": True, "serial_managed": True}})
    last = [{"operation": "0010", "work_centre": "PRESS"}]
    await oracle.seed_order(order_number, material="FG-SER", operations=last, components=[])
    assert (await erp.read_order(order_number)).serial_profile
    pieces = confirmed(order_number, "2", batch="B-7", serials=("S1", "S2"))
    document = await booked(erp, intent(pieces))
    assert await oracle.on_hand("FG-SER", "FG01", "B-7") == 2
    await booked(erp, intent(reversed_(document, pieces)))
    assert await oracle.on_hand("FG-SER", "FG01", "B-7") == 0


async def test_orders_are_listed_by_their_change_and_read_page_by_page(
    oracle: OracleProcess, erp: OracleErp, order_number: str
) -> None:
    await oracle.settings(page_size=1)
    await oracle.seed_order(order_number)
    await oracle.seed_order(f"{order_number}-2", status=["CRTD"])
    released = [head.order for head in await erp.released_orders()]
    assert order_number in released
    assert f"{order_number}-2" not in released
    mark = next(h.change_mark for h in await erp.changed_orders("") if h.order == order_number)
    changed = {head.order: head.status for head in await erp.changed_orders(mark)}
    assert changed[f"{order_number}-2"] is ErpOrderStatus.CREATED
    assert order_number in changed  # the mark's own instant is read again
    whole = await erp.read_order(order_number)
    assert len(whole.operations) == 3
    assert len(whole.components) == 2


async def test_process_orders_and_unknown_orders_are_refused_by_name(
    oracle: OracleProcess, erp: OracleErp, order_number: str
) -> None:
    await oracle.seed_order(order_number, category="process")
    with pytest.raises(ErpRejected) as caught:
        await erp.read_order(order_number)
    assert (caught.value.code, caught.value.reason) == ("process_order_not_supported", Reason.NOT_SUPPORTED)
    with pytest.raises(ErpRejected) as caught:
        await erp.read_order("NOWHERE")
    assert caught.value.code == "order_not_found"


async def test_stock_pegging_and_alternates(oracle: OracleProcess, erp: OracleErp, order: str) -> None:
    row = {"material": "LOTTED", "plant": "M1", "storage_location": "RM01", "quantity": "10", "unit": "KG"}
    await oracle.seed(stock=[row | {"batch": "L1"}, row | {"batch": "L2", "storage_location": "HOLD"}])
    lines = await erp.stock("LOTTED")
    assert [(line.batch, line.kind, line.quantity) for line in lines] == [
        ("L2", StockKind.BLOCKED, 10),
        ("L1", StockKind.UNRESTRICTED, 10),
    ]
    assert [(d.source, d.quantity) for d in await erp.pegging(order)] == [("SO-1/1", 100)]
    lasers = [("LASER-1", "L1"), ("LASER-2", "L2"), ("MILL", "M")]
    await oracle.seed(
        work_centres=[
            {"work_centre": name, "plant": "M1", "resources": [{"code": code, "resource_class": code[0]}]}
            for name, code in lasers
        ]
    )
    assert [a.work_centre for a in await erp.alternates("LASER-1")] == ["LASER-2"]
    assert await erp.alternates("NOWHERE") == []


def test_every_kind_of_posting_is_declared(oracle: OracleProcess, erp: OracleErp) -> None:
    declared = erp.capabilities
    assert set(declared.transactions) == set(TransactionType)
    assert [kind for kind, c in declared.transactions.items() if not c.supported] == [TransactionType.SCRAP_STOCK]
    assert declared.can(TransactionType.SCRAP_STOCK).reason
    for capability in (c for c in declared.transactions.values() if c.supported):
        assert capability.call
        assert capability.found_by is not FoundBy.EVENT
    assert not declared.documents.supported
    assert not declared.find_by_key.supported
    assert all(
        c.reason for c in (declared.documents, declared.find_by_key, *declared.reads.values()) if not c.supported
    )


async def test_a_bare_number_has_no_way_back(erp: OracleErp) -> None:
    bare = Reverse(plant="demo", posting_date=DAY, document="X")
    assert (await erp.check(intent(bare))).startswith("oracle-reverse-original/1")
    assert (await erp.find(intent(bare), Snapshot())).document is None


# --- probe -----------------------------------------------------------------------------------------------------------


async def probed(oracle: OracleProcess, environ: dict[str, str] | None = None, **changes: Any) -> dict[str, Probe]:
    from erp.oracle import create_oracle

    adapter = create_oracle(config_for(changes.pop("url", oracle.url), **changes), "demo", environ or ENVIRON)
    try:
        return {probe.name: probe for probe in await adapter.probe()}
    finally:
        await adapter.aclose()


async def test_a_connection_that_works_is_all_yes_and_books_nothing(oracle: OracleProcess, order: str) -> None:
    before = len((await oracle.books())["documents"])
    found = await probed(oracle)
    assert {name for name, probe in found.items() if not probe.ok} == set()
    assert {"log-on", "organization", "source-system", "reference", "operationTransactions"} <= set(found)
    assert len((await oracle.books())["documents"]) == before


async def test_oauth_client_credentials_log_on(oracle: OracleProcess, order: str) -> None:
    erp = oracle.adapter(auth="oauth")
    assert (await erp.read_order(order)).order == order
    await booked(erp, intent(confirmed(order)))
    await erp.aclose()


async def test_each_wrong_thing_has_one_clear_message(oracle: OracleProcess, order: str) -> None:
    wrong = await probed(oracle, {**ENVIRON, "ORACLE_PASSWORD": "wrong"})
    assert list(wrong) == ["log-on"]
    assert "check user and password" in wrong["log-on"].hint
    away = await probed(oracle, url="http://127.0.0.1:9")
    assert list(away) == ["log-on"]
    assert not away["log-on"].ok
    unknown = await probed(oracle, plant="NOWHERE")
    assert not unknown["organization"].ok
    await oracle.settings(forbidden_resources=["qualityIssues", "resourceTransactions"])
    forbidden = await probed(oracle)
    assert [name for name, probe in forbidden.items() if not probe.ok] == ["qualityIssues", "resourceTransactions"]
    assert "privilege" in forbidden["qualityIssues"].hint
    await oracle.settings(forbidden_resources=[], source_systems=["SOMEBODY"], reference_searchable=False)
    unregistered = await probed(oracle)
    assert [name for name, probe in unregistered.items() if not probe.ok] == ["source-system", "reference"]
    assert "Trading Community" in unregistered["source-system"].hint
    assert "balances" in unregistered["reference"].hint
