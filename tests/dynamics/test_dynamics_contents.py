"""What a transaction says in Dynamics's words: always the same, and never the same twice where that can be."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from erp.dynamics.contents import Contents, Outgoing
from erp.dynamics.infolog import meaning_of
from erp.dynamics.odata import date_of, equal, instant_at, instant_of, number
from erp.dynamics.plan import BomLine, OrderPlan
from erp.dynamics.settings import operation_number, operation_text, place_of
from signals.errors import Reason
from signals.transactions import ActivityAmount, CloseOrder, ConfirmProduction
from tests.dynamics.conftest import PLANT, config_for

KEY, OTHER = UUID(int=123_456_789), UUID(int=123_456_790)
DAY = date(2026, 11, 26)
ENDED = datetime(2026, 11, 26, 9, 30, 15, 250_000, tzinfo=UTC)


def line(**changes: Any) -> BomLine:
    fields: dict[str, Any] = {
        "number": Decimal(1),
        "item": "RM-1",
        "operation": 30,
        "estimated": Decimal(200),
        "remaining": Decimal(200),
        "unit": "KG",
        "principle": "Finish",
        "at_operation": False,
        "constant": False,
        "ended": False,
        "lot": "L1",
        "batch": "",
        "warehouse": "WH1",
        "location": "",
    }
    return BomLine(**(fields | changes))


def plan(*bom: BomLine) -> OrderPlan:
    header = {"ProductionOrderNumber": "P1", "ItemNumber": "FG", "ScheduledQuantity": 100}
    return OrderPlan(header, ({"OperationNumber": 10}, {"OperationNumber": 30}), bom, "PC")


def confirm(
    key: UUID = KEY,
    operation: str = "0030",
    of: OrderPlan | None = None,
    options: dict[str, Any] | None = None,
    **more: Any,
) -> Outgoing:
    fields: dict[str, Any] = {
        "plant": PLANT,
        "order": "P1",
        "operation": operation,
        "posting_date": DAY,
        "yield_quantity": Decimal("4.5"),
        "unit": "PC",
        "ended_at": ENDED,
    }
    contents = Contents(config_for("https://x.example", options))
    return contents.confirm(key, ConfirmProduction(**(fields | more)), of or plan(line()))


def row(message: Outgoing) -> dict[str, Any]:
    return json.loads(message.text)["ReportFinishedLines"][0]


def test_operation_numbers_of_the_house_and_of_dynamics() -> None:
    assert (operation_number("0010"), operation_text(10), operation_text(10_000)) == (10, "0010", "10000")


def test_a_content_is_the_same_whenever_it_is_built() -> None:
    assert confirm().text == confirm().text


def test_two_reports_of_one_moment_and_quantity_differ_in_the_fraction_of_the_second_only() -> None:
    one, two = row(confirm()), row(confirm(OTHER))
    assert one.pop("ExecutedDateTime") == "2026-11-26T09:30:15.456789Z"
    assert two.pop("ExecutedDateTime") == "2026-11-26T09:30:15.456790Z"
    assert one == two
    assert confirm().is_unique


def test_a_tenant_that_takes_no_fraction_gets_whole_seconds_and_messages_are_no_longer_unique() -> None:
    message = confirm(options={"unique_times": False})
    assert row(message)["ExecutedDateTime"] == "2026-11-26T09:30:15Z"
    assert not message.is_unique


def test_the_plant_s_own_member_carries_the_key() -> None:
    message = confirm(options={"correlation_member": "OurKey"}, operation="0010")
    assert json.loads(message.text)["OurKey"] == str(KEY)
    assert message.is_unique


def test_a_measured_time_replaces_the_automatic_rule() -> None:
    assert row(confirm())["AutomaticRouteConsumptionRule"] == "RouteDependent"
    timed = confirm(activities=(ActivityAmount(slot=1, amount=Decimal(5), unit="MIN"),))
    assert row(timed)["AutomaticRouteConsumptionRule"] == "Never"


def test_the_range_is_limited_to_the_last_operation_unless_that_would_leave_components_out() -> None:
    told = row(confirm())
    assert (told["FromOperationNumber"], told["ToOperationNumber"]) == (30, 30)
    wide = row(confirm(of=plan(line(operation=10))))
    assert "FromOperationNumber" not in wide
    assert wide["AutomaticRouteConsumptionRule"] == "Never"


def test_journal_names_are_spelt_as_the_tenant_s_version_spells_them() -> None:
    names = {"production_journal": "PRF", "picking_journal": "PPL", "route_journal": "PRC"}
    new, old = row(confirm(options=names)), row(confirm(options=names | {"journal_names": "2022"}))
    assert (new["JournalNameId"], new["PickingListJournalNameId"], new["RouteCardJournalNameId"]) == (
        "PRF",
        "PPL",
        "PRC",
    )
    assert (old["ProductionJournalNameId"], old["PickingListProductionJournalNameId"]) == ("PRF", "PPL")
    assert "JournalNameId" not in old


def test_error_causes_are_those_of_the_plant_file() -> None:
    scrap = {"scrap_quantity": Decimal(1)}
    assert row(confirm(reason="SCRATCH", **scrap))["ErrorCause"] == "Machine"
    assert row(confirm(reason="UNHEARD", **scrap))["ErrorCause"] == "None"


def test_the_end_of_an_order_says_nothing_that_would_report_more() -> None:
    contents = Contents(config_for("https://x.example"))
    told = json.loads(contents.end(KEY, CloseOrder(plant=PLANT, order="P1", posting_date=DAY)).text)
    assert told["AutoReportAsFinished"] == "No"
    assert told["EndedDate"] == "2026-11-26"


def test_empty_dates_are_none_and_times_are_in_the_erp_s_zone() -> None:
    assert instant_of("1900-01-01T12:00:00Z") is None
    assert date_of("1900-01-01T12:00:00Z") is None
    at = instant_at("2026-07-01T12:00:00Z", 6 * 3600, ZoneInfo("Europe/Berlin"))
    assert at == datetime(2026, 7, 1, 4, 0, tzinfo=UTC)
    assert instant_at("1900-01-01T12:00:00Z", 0, ZoneInfo("UTC")) is None


def test_literals_and_numbers() -> None:
    assert equal("Name", "O'Neill") == "Name eq 'O''Neill'"
    assert (number(Decimal("5.000")), number(Decimal("0.1"))) == (5, 0.1)
    assert (place_of("WH1/A-01", "X"), place_of("/A-01", "X"), place_of("WH1", "")) == (
        ("WH1", "A-01"),
        ("X", "A-01"),
        ("WH1", ""),
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Production order P1 has the status Released; it must be StartedUp.", Reason.ORDER_STATUS),
        ("The good quantity 12.00 of production order P exceeds the started quantity 10.00", Reason.TOLERANCE),
        ("Die Steuerperiode für 2026-11-01 ist nicht geöffnet.", Reason.PERIOD_CLOSED),
        ("Batch B of item I has the disposition code H, which blocks production picking.", Reason.STOCK_SHORT),
        ("The member 'X' was not found in the data contract of message type Y.", Reason.CLIENT_BUG),
        (
            "Warning: 5.00 cannot be picked because only 1; Error: Fiscal period for X is not open.",
            Reason.PERIOD_CLOSED,
        ),
    ],
)
def test_infolog_texts_have_classes(text: str, reason: Reason) -> None:
    assert meaning_of(text).reason is reason


def test_a_batch_is_reported_where_the_order_is_planned_for_one_or_the_plant_says_so() -> None:
    tracked = plan(line())
    tracked.header["ItemBatchNumber"] = "B-OLD"
    assert "ItemBatchNumber" not in row(confirm(batch="B-7"))
    assert row(confirm(batch="B-7", of=tracked))["ItemBatchNumber"] == "B-7"
    assert row(confirm(batch="B-7", options={"report_batches": True}))["ItemBatchNumber"] == "B-7"
