"""Dynamics's own rules: each refuses by its name and says what to do, before anything is sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from erp.dynamics import DynamicsErp
from erp.port import FoundBy, ReversedBy
from signals.bookings import StockKind
from signals.errors import ErpRejected
from signals.transactions import (
    ActivityAmount,
    ComponentUse,
    DecideInspection,
    ReceiveGoods,
    Reverse,
    TransactionType,
)
from tests.dynamics.conftest import PLANT, TODAY, DynamicsProcess, booked, confirmation, free, intent_for

LOT = ComponentUse(material="LOT-1", quantity=Decimal(2), unit="PC", batch="B1")
STEEL = ComponentUse(material="RM-1", quantity=Decimal(2), unit="KGM")


@pytest.mark.parametrize(
    ("rule", "fields"),
    [
        ("dynamics-rework/1", {"rework_quantity": Decimal(1)}),
        ("dynamics-operation/1", {"operation": "0099"}),
        ("dynamics-operation/1", {"operation": "A10"}),
        ("dynamics-activity/1", {"activities": (ActivityAmount(slot=6, amount=Decimal(1), unit="H"),)}),
        ("dynamics-activity/1", {"activities": (ActivityAmount(slot=1, amount=Decimal(1), unit="DAY"),)}),
        ("dynamics-serial/1", {"good": "2", "serials": ("S1", "S2")}),
        ("dynamics-receipt-status/1", {"receipt_stock": StockKind.BLOCKED}),
        ("dynamics-flushing/1", {"components": (STEEL,)}),
        ("dynamics-batch/1", {"batch": "B" * 21}),
    ],
)
async def test_a_confirmation_is_refused_by_a_named_rule(
    erp: DynamicsErp, order: str, rule: str, fields: dict[str, Any]
) -> None:
    told = await erp.check(confirmation(order, **({"operation": "0030"} | fields)))
    assert told.startswith(f"{rule}: ")


async def test_a_plain_confirmation_passes(erp: DynamicsErp, order: str) -> None:
    assert await erp.check(confirmation(order, "0030", "5", "1", reason="SCRATCH")) == ""
    assert await erp.check(confirmation(order, "0020", "5", components=(LOT,))) == ""


async def test_an_old_picking_list_names_no_lot(dynamics: DynamicsProcess, order: str) -> None:
    erp = dynamics.adapter({"picking_list_version": "old"})
    assert (await erp.check(confirmation(order, "0020", components=(LOT,)))).startswith("dynamics-lot/1")
    loaded = confirmation(order, "0020", component_lot="B1", component_material="LOT-1")
    assert (await erp.check(loaded)).startswith("dynamics-lot/1")


async def test_a_mapped_cause_that_dynamics_does_not_have_is_said_and_stops_nothing(
    dynamics: DynamicsProcess, started: str
) -> None:
    erp = dynamics.adapter(scrap_reasons={"SCRATCH": "0042"})
    intent = confirmation(started, "0030", "5", "1", reason="SCRATCH")
    assert await erp.check(intent) == ""
    document = (await booked(erp, intent)).document
    assert document is not None
    assert "is mapped to 0042" in document.warnings[0]
    told = next(p for p in await erp.probe() if p.name == "scrap reasons")
    assert (told.ok, told.required) == (False, False)


async def test_the_main_item_is_never_received_apart(erp: DynamicsErp, order: str) -> None:
    received = ReceiveGoods(
        plant=PLANT, order=order, posting_date=TODAY, material="FG-100", quantity=Decimal(1), unit="PC"
    )
    assert (await erp.check(intent_for(received))).startswith("dynamics-receipt/1")


async def test_a_message_is_taken_back_by_a_person(erp: DynamicsErp, order: str) -> None:
    original = confirmation(order).transaction
    back = Reverse(plant=PLANT, order=order, posting_date=TODAY, document="RAF/1", original=original)  # type: ignore[arg-type]
    assert erp.capabilities.can(TransactionType.CONFIRM_PRODUCTION).reversed_by is ReversedBy.PERSON
    with pytest.raises(ErpRejected, match="dynamics-reversal/1") as refused:
        await erp.post(intent_for(back), free)
    assert refused.value.code == "reversal_by_person"


async def test_every_kind_of_posting_is_declared_and_a_no_has_its_reason(erp: DynamicsErp) -> None:
    for kind in TransactionType:
        known = erp.capabilities.transactions[kind]
        assert known.supported or known.reason
        assert known.call or not known.supported


async def test_what_finds_a_message_depends_on_whether_events_reach_us(
    dynamics: DynamicsProcess, erp: DynamicsErp
) -> None:
    class Nothing:
        async def events_of(self, order: str, kind: str, since: object = None) -> list[Any]:
            return []

    hearing = dynamics.adapter(events=Nothing())
    kind = TransactionType.CONFIRM_PRODUCTION
    assert erp.capabilities.can(kind).found_by is FoundBy.ARITHMETIC
    assert hearing.capabilities.can(kind).found_by is FoundBy.EVENT


async def test_what_cannot_be_read_says_why(erp: DynamicsErp) -> None:
    with pytest.raises(ErpRejected, match="valuation"):
        await erp.material_cost("FG-100")
    with pytest.raises(ErpRejected, match="take an operation over"):
        await erp.alternates("PRESS")
    with pytest.raises(ErpRejected, match="no batch"):
        await erp.stock("LOT-1", "B1")


async def test_an_unsupported_posting_is_not_sent(erp: DynamicsErp, dynamics: DynamicsProcess) -> None:
    decided = DecideInspection(
        plant=PLANT,
        posting_date=TODAY,
        inspection="I1",
        inspection_lot="QO-1",
        material="FG-100",
        unit="PC",
        dispositions=({"kind": "accept", "quantity": "1"},),  # type: ignore[arg-type]
    )
    with pytest.raises(ErpRejected, match="validates a quality order"):
        await erp.post(intent_for(decided), free)


async def test_who_waits_for_the_order_s_output_is_in_its_header(
    dynamics: DynamicsProcess, erp: DynamicsErp, order_number: str
) -> None:
    await dynamics.seed_order(order_number, demand_sales_order="SO-77")
    (demand,) = await erp.pegging(order_number)
    assert (demand.source, demand.kind, demand.quantity) == ("SO-77", "sales order", 100)
