"""SAP's own rules, told before anything is sent: by a name, a version and what to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest

from erp.sap import SapErp, create_sap
from signals.bookings import ActivityAmount, ComponentUse, StockKind
from signals.errors import ErpRejected, Reason
from signals.orders import OutputKind
from signals.quality import DecideInspection, Disposition, DispositionKind, RecordNonconformance
from signals.stock import IssueComponents, MaterialPosition, MoveStock, PlaceHold, ReceiveGoods, ReleaseHold
from signals.transactions import ConfirmProduction, OpenDowntime, ReportTime, Reverse, Transaction
from signals.upkeep import AdjustCapacity
from tests.erp.conftest import ENVIRON, config_for
from tests.erp.scenes import OPTIONS, common, intent_of

MORNING = datetime(2026, 12, 1, 6, tzinfo=UTC)


def unreachable(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"a rule needs no call, this one made {request.method} {request.url}")


def adapter(**options: Any) -> SapErp:
    config = config_for("https://sap.example", sap=OPTIONS | options)
    return create_sap(config, "demo", ENVIRON, transport=httpx.MockTransport(unreachable))


def confirmation(**changes: Any) -> ConfirmProduction:
    fields = common("1000001") | {"operation": "0010", "yield_quantity": Decimal(2), "unit": "PC"}
    return ConfirmProduction(**fields | changes)


def receipt(**changes: Any) -> ReceiveGoods:
    fields = common("1000001") | {"material": "FG", "quantity": Decimal(2), "unit": "PC"}
    return ReceiveGoods(**fields | changes)


def hold(kind: type[PlaceHold] | type[ReleaseHold], **changes: Any) -> PlaceHold | ReleaseHold:
    fields = {"hold": "H1", "material": "FG", "quantity": Decimal(2), "unit": "PC", "storage_location": "FG01"}
    position = {"position": MaterialPosition.UNRESTRICTED}
    return kind(**common("") | fields | position | changes)


def capacity(hours: float, percent: str = "50") -> AdjustCapacity:
    return AdjustCapacity(
        **common(""),
        change="K1",
        work_centre="PRESS",
        starts_at=MORNING,
        ends_at=MORNING + timedelta(hours=hours),
        available_percent=Decimal(percent),
    )


def issue(**changes: Any) -> IssueComponents:
    use = {"material": "RM", "quantity": Decimal(2), "unit": "KG"} | changes
    return IssueComponents(**common("1000001"), lines=(ComponentUse(**use),))


def decide(*kinds: DispositionKind, **changes: Any) -> DecideInspection:
    fields = {"inspection": "I1", "inspection_lot": "40000000001", "material": "FG", "unit": "PC"}
    parts = tuple(Disposition(kind=kind, quantity=Decimal(1)) for kind in kinds)
    return DecideInspection(**common("") | fields | {"dispositions": parts} | changes)


def time(*slots: int) -> ReportTime:
    amounts = tuple(ActivityAmount(slot=slot, amount=Decimal(1), unit="MIN") for slot in slots)
    return ReportTime(**common("1000001"), operation="0010", activities=amounts)


def move(start: str, end: str) -> MoveStock:
    fields = {"material": "FG", "quantity": Decimal(1), "unit": "PC"}
    return MoveStock(**common("") | fields, from_location=start, to_location=end)


def defect(code: str) -> RecordNonconformance:
    fields = {"nonconformance": "N1", "material": "FG", "quantity": Decimal(1), "unit": "PC", "defect": code}
    return RecordNonconformance(**common("") | fields)


IN_LOT = {"position": MaterialPosition.IN_INSPECTION}
NAMED = IN_LOT | {"inspection_lot": "40000000001"}
BROKEN: list[tuple[Transaction, str]] = [
    (confirmation(yield_quantity=Decimal("1.2345")), "sap-quantity/1"),
    (issue(quantity=Decimal("0.0001")), "sap-quantity/1"),
    (issue(batch="ELEVEN-LONG"), "sap-length/1"),
    (receipt(storage_location="FGOOD"), "sap-length/1"),
    (receipt(serials=("x" * 19, "y"), quantity=Decimal(2)), "sap-length/1"),
    (confirmation(unit="PIECE"), "sap-unit/1"),
    (OpenDowntime(**common(""), stop="D1", asset="A" * 41, started_at=MORNING), "sap-length/1"),
    (time(1, 2, 1), "sap-activity-slot/1"),
    (receipt(serials=("1",)), "sap-serials/1"),
    (confirmation(serials=("1", "2", "3")), "sap-serials/1"),
    (receipt(output=OutputKind.BY_PRODUCT, stock=StockKind.INSPECTION), "sap-by-product/1"),
    (move("FG01", "FG01"), "sap-transfer/1"),
    (hold(PlaceHold, position=MaterialPosition.IN_WORK), "sap-hold-in-work/1"),
    (hold(ReleaseHold, position=MaterialPosition.CONSUMED), "sap-hold-consumed/1"),
    (hold(PlaceHold, storage_location=""), "sap-hold-location/1"),
    (hold(PlaceHold, **IN_LOT), "sap-hold-inspection/1"),
    (hold(ReleaseHold, **NAMED), "sap-release-inspection/1"),
    (Reverse(**common(""), document="LOT/1", original=hold(PlaceHold, **NAMED)), "sap-release-inspection/1"),
    (decide(DispositionKind.SCRAP), "sap-usage-decision/1"),
    (decide(DispositionKind.ACCEPT, code="no-such-code"), "sap-usage-decision/1"),
    (capacity(1), "sap-capacity-days/1"),
    (capacity(24, "33.3"), "sap-capacity-percent/1"),
]
KEPT: list[Transaction] = [
    confirmation(),
    confirmation(serials=("1", "2")),
    confirmation(yield_quantity=Decimal("1.234")),
    receipt(stock=StockKind.BLOCKED),
    time(1, 2, 3, 4, 5, 6),
    move("FG01", "FG02"),
    hold(PlaceHold),
    hold(PlaceHold, **NAMED),
    decide(DispositionKind.ACCEPT),
    decide(DispositionKind.ACCEPT, DispositionKind.REJECT),
    decide(DispositionKind.SCRAP, code="01/S"),
    defect("SCRATCH"),
    defect("QX/0009"),
    capacity(24),
]


@pytest.mark.parametrize(("transaction", "rule"), BROKEN, ids=[rule for _, rule in BROKEN])
async def test_a_broken_rule_is_told_by_name_without_a_call_and_nothing_is_sent(transaction, rule):
    erp = adapter()
    told = await erp.check(intent_of(transaction))
    assert told.startswith(f"{rule}: ")
    with pytest.raises(ErpRejected) as refused:
        await erp.post(intent_of(transaction), lambda: pytest.fail("nothing may be sent"))
    assert (refused.value.code, refused.value.reason) == (rule, Reason.RULE)
    await erp.aclose()


@pytest.mark.parametrize("transaction", KEPT, ids=lambda t: t.type.value)
async def test_what_sap_can_take_breaks_no_rule(transaction):
    erp = adapter()
    assert await erp.check(intent_of(transaction)) == ""
    await erp.aclose()


async def test_a_code_that_the_plant_has_not_configured_is_told_with_the_key_to_set():
    erp = adapter(defect_code_group="", usage_decision_set="")
    assert "defect_code_group" in await erp.check(intent_of(defect("0001")))
    assert "usage_decision_set" in await erp.check(intent_of(decide(DispositionKind.ACCEPT)))
    await erp.aclose()


async def test_a_unit_that_sap_writes_otherwise_is_mapped():
    config = config_for("https://sap.example", units={"PIECE": "PC"})
    erp = create_sap(config, "demo", ENVIRON, transport=httpx.MockTransport(unreachable))
    assert await erp.check(intent_of(confirmation(unit="PIECE"))) == ""
    await erp.aclose()
