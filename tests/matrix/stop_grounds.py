"""Where a stop happens in each simulated ERP: what is seeded for it, and what that ERP's books then say of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from domain.plant_erp import ErpConfig
from erp.dynamics.odata import Raw
from erp.factory import create_erp
from erp.port import ErpPort
from erp.sap import odata4
from erp.sap.capacity import INTERVAL_SET
from erp.sap.settings import WORK_CENTRE_SERVICE
from tests.erp import scenes
from tests.matrix import scenes_dynamics, scenes_oracle
from tests.matrix.worlds import CONFIGS, ENVIRON, SimulatedWorld

Books = Mapping[str, Any]
MORNING = 9


@dataclass(frozen=True)
class Notice:
    """What maintenance has. Oracle's order has no field for a breakdown: its words say so."""

    words: str
    breakdown: bool
    started_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True)
class Reduced:
    """What planning has: so much capacity until then. `until` is a day where the ERP knows no part of one."""

    percent: Decimal
    until: str


@dataclass(frozen=True)
class Ground:
    """One ERP's part of the plant file, and its books read for people."""

    name: str
    asset: Callable[[str], str]
    work_centre: Callable[[str], str]
    seed: Callable[[SimulatedWorld, str, date], Awaitable[None]]
    notices: Callable[[Books, str], list[Notice]]
    reduced: Callable[[Books, str], list[Reduced]]
    minutes: Callable[[Books, str], Decimal]
    by_hand: Callable[[ErpPort, str, Decimal], Awaitable[None]]
    """Somebody gives the work centre another percentage, in the ERP."""
    whole_days: bool = False
    options: Callable[[str], dict[str, Any]] = field(default=lambda tag: {})

    def config(self, world: SimulatedWorld, tag: str, zone: str, timeout: float, settle: float) -> ErpConfig:
        """The `[erp]` of a plant of its own."""
        settings: dict[str, Any] = {
            "kind": self.name, "url": world.simulator.url, "timeout_seconds": timeout, "settle_seconds": settle,
            "calls_per_second": 1000, "zone": zone,
        }  # fmt: skip
        if self.name == "dynamics":
            settings["token_url"] = f"{world.simulator.url}/{ENVIRON['DYNAMICS_TENANT']}/oauth2/v2.0/token"
        own = CONFIGS[self.name]
        more = self.options(tag)
        return ErpConfig.model_validate(settings | own | {k: {**own.get(k, {}), **v} for k, v in more.items()})

    def adapter(self, world: SimulatedWorld, plant: str, config: ErpConfig) -> ErpPort:
        return create_erp(config, plant, ENVIRON, events=world.events)

    def until(self, at: datetime, zone: str) -> str:
        """How this ERP says an instant at which capacity comes back."""
        local = at.astimezone(ZoneInfo(zone))
        return f"{local:%Y-%m-%d}" if self.whole_days else f"{local:%Y-%m-%d %H:%M:%S}"


def zone_of_morning(now: datetime) -> str:
    """A zone in which it is morning now: some ERPs know days only, and no change of theirs crosses midnight."""
    east = (MORNING - now.hour + 11) % 24 - 11
    return f"Etc/GMT{-east:+d}" if east else "UTC"


def instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))


# --- SAP -------------------------------------------------------------------------------------------------------------


def sap_centre(tag: str) -> str:
    return f"W{tag}"[-8:]


async def seed_sap(world: SimulatedWorld, tag: str, day: date) -> None:
    planned = {"1": {"planned": "60", "unit": "MIN"}}
    operation = {"operation": "0010", "work_centre": sap_centre(tag), "control_profile": "PP01", "activities": planned}
    await scenes.seed(world.simulator, tag, operations=[operation])


def sap_notices(books: Books, tag: str) -> list[Notice]:
    return [
        Notice(
            n["long_text"] or n["text"], n["down"], _known(instant(n["started"])), instant(n["ended"]),
        )
        for n in books["notifications"]
        if n["object"] == f"EQ{tag}"
    ]  # fmt: skip


def sap_reduced(books: Books, tag: str) -> list[Reduced]:
    rows = [row for row in books["capacity_intervals"] if row["work_centre"] == sap_centre(tag)]
    return [Reduced(Decimal(row["utilisation"]), row["end"]) for row in rows]


def sap_minutes(books: Books, tag: str) -> Decimal:
    return sum((Decimal(o["activities"]["1"]["confirmed"]) for o in _operations(books, tag)), Decimal(0))


async def sap_by_hand(erp: Any, tag: str, percent: Decimal) -> None:
    client = erp._client
    rows = await client.read_entities(
        WORK_CENTRE_SERVICE,
        "WorkCenter",
        {"$filter": f"WorkCenter eq '{sap_centre(tag)}'", "$expand": "_WorkCenterCapacity"},
    )
    [capacity] = await client.expanded(WORK_CENTRE_SERVICE, rows[0], "_WorkCenterCapacity")
    names = ("WorkCenterInternalID", "WorkCenterTypeCode", "CapacityInternalID")
    path = "WorkCenterCapacity" + odata4.key_predicate(**{n: (rows[0] | capacity)[n] for n in names})
    [row] = await client.read_entities(WORK_CENTRE_SERVICE, f"{path}/_WorkCenterCapacityInterval")
    key = odata4.key_predicate(
        **{n: row[n] for n in (*names, "CapacityActiveVersion")},
        IntervalEndDate=datetime.fromisoformat(row["IntervalEndDate"]).date(),
    )
    await client.call(
        WORK_CENTRE_SERVICE, INTERVAL_SET + key, method="PATCH", guard=lambda: None, etag=odata4.etag_of(row),
        body={"CapacityPlanUtilizationPercent": str(percent)},
    )  # fmt: skip


# --- Oracle ----------------------------------------------------------------------------------------------------------


async def seed_oracle(world: SimulatedWorld, tag: str, day: date) -> None:
    await scenes_oracle.seed(world, tag)


def oracle_notices(books: Books, tag: str) -> list[Notice]:
    return [
        Notice(
            words := n["WorkOrderDescription"], words.startswith("breakdown:"), _known(instant(n["PlannedStartDate"])),
            instant(n["ActualCompletionDate"]),
        )
        for n in books["maintenance"]["orders"]
        if n["AssetNumber"] == f"W{tag}"
    ]  # fmt: skip


def oracle_reduced(books: Books, tag: str) -> list[Reduced]:
    """Each work centre has one resource of one unit."""
    return [
        Reduced(Decimal(row["resources"][0]["units"]) * 100, f"{row['EndDate']} {row['ExceptionEndTime']}")
        for row in books["maintenance"]["capacity"]
        if row["WorkCenterCode"] == f"W{tag}"
    ]


def oracle_minutes(books: Books, tag: str) -> Decimal:
    return sum(
        (
            Decimal(amount)
            for document in books["documents"]
            if document["order"] == tag and document["kind"] == "resource_transaction"
            for amount in document["activities"].values()
        ),
        Decimal(0),
    )


async def oracle_by_hand(erp: Any, tag: str, percent: Decimal) -> None:
    client = erp._client
    row = await client.first("workCenterResourceExceptions", {"q": f"WorkCenterCode='W{tag}'"})
    number = row["WorkCenterResourceExceptionId"]
    path = f"workCenterResourceExceptions/{number}/child/resourceAvailabilityOverrides"
    [override] = await client.items(path, {})
    item = await client.item(f"{path}/{override['ResourceAvailabilityOverrideId']}")
    await client.change(item, {"UnitsAvailable": float(percent / 100)}, lambda: None)


# --- Dynamics --------------------------------------------------------------------------------------------------------

CENTRE = "PRESS"


async def seed_dynamics(world: SimulatedWorld, tag: str, day: date) -> None:
    """The order is started, and the day is in the calendar."""
    await scenes_dynamics.seed(world, tag)
    await scenes_dynamics.begin(world, tag)
    erp: Any = world.erp
    open_day = {"WorkCalendarId": f"C{tag}", "CalendarDate": f"{day:%Y-%m-%d}T12:00:00Z"}
    await erp._client.create("WorkCalendarDays", open_day, lambda: None)


def dynamics_notices(books: Books, tag: str) -> list[Notice]:
    return [
        Notice(n["text"], n["stop_from"] is not None, _known(instant(n["start"])), instant(n["end"]))
        for n in books["maintenance"]
        if n["asset"] == f"EQ{tag}"
    ]


def dynamics_reduced(books: Books, tag: str) -> list[Reduced]:
    return [
        Reduced(Decimal(row["percent"]), f"{row['date']} {timedelta(seconds=row['end'])!s:0>8}")
        for row in books["capacity"]
        if row["calendar"] == f"C{tag}"
    ]


def dynamics_minutes(books: Books, tag: str) -> Decimal:
    hours = (
        Decimal(hours)
        for document in books["documents"]
        if document["order"] == tag and document["counts"]
        for hours in document["activities"].values()
    )
    return (sum(hours, Decimal(0)) * 60).quantize(Decimal("0.001"))


async def dynamics_by_hand(erp: Any, tag: str, percent: Decimal) -> None:
    client = erp._client
    [row] = await client.read_entities("WorkCalendarTimeIntervals", f"WorkCalendarId eq 'C{tag}'")
    address = client.address(
        "WorkCalendarTimeIntervals",
        WorkCalendarId=row["WorkCalendarId"],
        WorkCalendarDate=Raw(row["WorkCalendarDate"]),
        StartTime=row["StartTime"],
    )
    await client.change(address, {"EfficiencyPercentage": float(percent)}, "*", lambda: None)


# --- all of them -----------------------------------------------------------------------------------------------------


def _known(at: datetime | None) -> datetime:
    assert at is not None
    return at


def _operations(books: Books, tag: str) -> list[Any]:
    return [o for order in books["orders"] if order["order"] == tag for o in order["operations"]]


GROUNDS = {
    "sap": Ground(
        "sap", lambda tag: f"EQ{tag}", sap_centre, seed_sap, sap_notices, sap_reduced, sap_minutes, sap_by_hand,
        whole_days=True,
    ),
    "oracle": Ground(
        "oracle", lambda tag: f"W{tag}", lambda tag: f"W{tag}", seed_oracle, oracle_notices, oracle_reduced,
        oracle_minutes, oracle_by_hand,
    ),
    "dynamics": Ground(
        "dynamics", lambda tag: f"EQ{tag}", lambda tag: CENTRE, seed_dynamics, dynamics_notices, dynamics_reduced,
        dynamics_minutes, dynamics_by_hand,
        options=lambda tag: {"dynamics": {"calendars": {CENTRE: f"C{tag}"}, "pending_seconds": 5}},
    ),
}  # fmt: skip
