"""The loop back: what an ERP may still change of a running order, and what it may not."""

from __future__ import annotations

from decimal import Decimal

import pytest

from domain.order_changes import judge_change
from signals.orders import Component, ErpOrderStatus, Operation, ProductionOrder


def order(**changes) -> ProductionOrder:
    fields = {
        "plant": "demo",
        "erp_plant": "1010",
        "order": "1000001",
        "material": "FG",
        "quantity": Decimal(100),
        "unit": "PC",
        "status": ErpOrderStatus.RELEASED,
        "operations": (
            Operation(operation="0010", planned=Decimal(100), unit="PC"),
            Operation(operation="0020", planned=Decimal(100), unit="PC"),
        ),
        "components": (
            Component(material="RM", required=Decimal(200), unit="KG", reservation="7", reservation_item="1"),
        ),
    }
    return ProductionOrder(**(fields | changes))


def test_nothing_changed_is_no_change_whatever_was_confirmed_meanwhile():
    confirmed = tuple(o.model_copy(update={"confirmed_yield": Decimal(7)}) for o in order().operations)
    assert judge_change(order(), order(operations=confirmed, change_mark="later"), {"0010"}).is_empty


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"quantity": Decimal(80)}, "quantity 100 -> 80"),
        ({"status": ErpOrderStatus.LOCKED}, "status released -> locked"),
        ({"status": ErpOrderStatus.TECHNICALLY_COMPLETE}, "status released -> technically_complete"),
    ],
)
def test_quantity_dates_and_status_are_the_erps_to_change(change, told):
    verdict = judge_change(order(), order(**change), {"0010", "0020"})
    assert (verdict.changes, verdict.refused) == ((told,), "")


def test_a_new_component_is_named():
    more = (*order().components, Component(material="RM-2", required=Decimal(5), unit="KG", reservation_item="2"))
    assert judge_change(order(), order(components=more), {"0010"}).changes == ("component RM-2 added (5)",)


@pytest.mark.parametrize("change", [{"material": "FG-2"}, {"unit": "KG"}, {"erp_plant": "2020"}])
def test_what_booked_quantities_mean_never_changes_under_a_running_order(change):
    verdict = judge_change(order(), order(**change), {"0010"})
    assert verdict.refused
    assert verdict.changes == ()


def test_an_operation_with_bookings_cannot_go_and_one_without_can():
    left = order(operations=order().operations[:1])
    assert "0020 is gone" in judge_change(order(), left, {"0020"}).refused
    assert judge_change(order(), left, {"0010"}).changes == ("operation 0020 removed",)


def test_an_operation_with_bookings_keeps_its_unit():
    first = order().operations[0].model_copy(update={"unit": "KG"})
    assert judge_change(order(), order(operations=(first, order().operations[1])), {"0010"}).refused
