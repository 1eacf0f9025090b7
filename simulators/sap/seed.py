"""What `POST /_control/orders` and its neighbours accept; unknown fields are refused and errors say what is wrong.

docs/simulators-sap.md shows one example of each.
"""

from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

Quantity = Annotated[Decimal, Field(ge=0, max_digits=13, decimal_places=3)]
Positive = Annotated[Decimal, Field(gt=0, max_digits=13, decimal_places=3)]
Short = Annotated[str, Field(max_length=4)]
Batch = Annotated[str, Field(max_length=10)]
Serial = Annotated[str, Field(min_length=1, max_length=18)]
Unit = Annotated[str, Field(min_length=1, max_length=3)]
MaterialNumber = Annotated[str, Field(min_length=1, max_length=40)]
StatusName = Literal["CRTD", "REL", "TECO", "CLSD", "LKD", "DLFL"]


class Seed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SeedActivity(Seed):
    planned: Quantity = Decimal(0)
    unit: Unit = "MIN"


class SeedOperation(Seed):
    operation: Annotated[str, Field(min_length=1, max_length=4)]
    sequence: Annotated[str, Field(pattern=r"^\d{1,6}$")] = "0"
    text: Annotated[str, Field(max_length=40)] = ""
    work_centre: Annotated[str, Field(max_length=8)] = ""
    control_profile: Annotated[str, Field(min_length=1, max_length=4)] = "PP01"
    planned: Positive | None = None
    unit: Unit | None = None
    overlap: bool = False
    activities: dict[Annotated[str, Field(pattern=r"^[1-6]$")], SeedActivity] = Field(
        default_factory=dict[str, SeedActivity]
    )


class SeedComponent(Seed):
    material: MaterialNumber
    required: Quantity
    unit: Unit
    operation: Annotated[str, Field(max_length=4)] | None = None
    sequence: Annotated[str, Field(pattern=r"^\d{1,6}$")] = "0"
    reservation: Annotated[str, Field(pattern=r"^\d{1,10}$")] | None = None
    item: Annotated[str, Field(pattern=r"^\d{1,4}$")] | None = None
    batch: Batch = ""
    plant: Short | None = None
    storage_location: Short = ""
    movement_type: Literal["261", "531"] = "261"
    backflush: bool = True
    bulk: bool = False
    fixed: bool = False
    batch_managed: bool = False


class SeedItem(Seed):
    material: MaterialNumber | None = None
    item: Annotated[str, Field(pattern=r"^\d{1,4}$")] | None = None
    planned: Positive | None = None
    unit: Unit | None = None
    storage_location: Short | None = None
    batch: Batch | None = None
    stock_type: Literal["01", "02", "07"] = "01"


class SeedCharacteristic(Seed):
    """One characteristic of the inspection plan; `operation` defaults to the last one."""

    characteristic: Annotated[str, Field(pattern=r"^\d{1,4}$")]
    operation: Annotated[str, Field(max_length=4)] | None = None
    text: Annotated[str, Field(max_length=40)] = ""
    quantitative: bool = True
    target: Decimal | None = None
    lower: Decimal | None = None
    upper: Decimal | None = None
    unit: Annotated[str, Field(max_length=3)] = ""
    required: bool = True


class SeedOrder(Seed):
    """`category` "process" makes a process order, which the services of production orders refuse."""

    order: Annotated[str, Field(min_length=1, max_length=12, pattern=r"^[A-Za-z0-9_-]+$")]
    plant: Annotated[str, Field(min_length=1, max_length=4)]
    material: MaterialNumber
    quantity: Positive
    unit: Unit = "PC"
    type: Short = "PP01"
    storage_location: Short = ""
    batch: Batch = ""
    status: list[StatusName] = Field(default_factory=lambda: ["REL"])
    over_delivery_tolerance: Annotated[Decimal, Field(ge=0, decimal_places=3)] = Decimal(0)
    unlimited_over_delivery: bool = False
    under_delivery_tolerance: Annotated[Decimal, Field(ge=0, le=100, decimal_places=3)] = Decimal(0)
    scheduled_start: datetime | None = None
    scheduled_end: datetime | None = None
    company_code: Short = ""
    profit_center: Annotated[str, Field(max_length=10)] = ""
    text: str = ""
    category: Literal["production", "process"] = "production"
    sales_order: Annotated[str, Field(max_length=10)] = ""
    sales_order_item: Annotated[str, Field(pattern=r"^\d{1,6}$")] = "0"
    inspection_type: Annotated[str, Field(max_length=8)] = ""
    inspection_characteristics: list[SeedCharacteristic] = Field(default_factory=list[SeedCharacteristic])
    operations: Annotated[list[SeedOperation], Field(min_length=1)]
    components: list[SeedComponent] = Field(default_factory=list[SeedComponent])
    items: Annotated[list[SeedItem], Field(min_length=1)] | None = None


class SeedStock(Seed):
    material: MaterialNumber
    plant: Annotated[str, Field(min_length=1, max_length=4)]
    quantity: Annotated[Decimal, Field(decimal_places=3, max_digits=13)]
    unit: Unit
    storage_location: Short = ""
    batch: Batch = ""
    stock_type: Literal["01", "02", "07", "08"] = "01"
    serials: list[Serial] = Field(default_factory=list[str])

    @model_validator(mode="after")
    def _is_consistent(self) -> "SeedStock":
        if self.stock_type == "08" and not self.batch:
            raise ValueError("restricted-use stock (08) belongs to a batch; give one")
        if self.serials and len(set(self.serials)) != self.quantity:
            raise ValueError(
                f"{len(set(self.serials))} different serials for a quantity of {self.quantity}; give one each"
            )
        return self


class SeedMaterial(Seed):
    unit: Unit | None = None
    batch_managed: bool | None = None
    negative_stock: bool | None = None
    serial_managed: bool | None = None
    inspected: bool | None = None


class SeedTechnicalObject(Seed):
    object: Annotated[str, Field(min_length=1, max_length=40)]
    kind: Literal["EAMS_EQUI", "EAMS_FL"] = "EAMS_EQUI"


class SeedDecisionCode(Seed):
    """`posting`: where the decision itself posts the lot's whole stock; without it, the client posts."""

    group: Annotated[str, Field(min_length=1, max_length=8)] = "01"
    code: Annotated[str, Field(min_length=1, max_length=4)]
    valuation: Literal["A", "R"]
    posting: Literal["", "VMENGE01", "VMENGE02", "VMENGE04"] = ""


class SeedDemand(Seed):
    """An independent requirement; dependent ones follow from the orders' components."""

    material: MaterialNumber
    plant: Annotated[str, Field(min_length=1, max_length=4)]
    quantity: Positive
    unit: Unit = "PC"
    due: date | None = None
    kind: Literal["sales_order", "forecast"] = "sales_order"
    element: Annotated[str, Field(min_length=1, max_length=12)]
    item: Annotated[str, Field(pattern=r"^\d{1,6}$")] = "10"
    customer: Annotated[str, Field(max_length=10)] = ""


class SeedValuation(Seed):
    """`price_control` S takes the standard price, V the moving average, each per `price_unit`."""

    material: MaterialNumber
    plant: Annotated[str, Field(min_length=1, max_length=4)]
    price_control: Literal["S", "V"] = "S"
    standard_price: Quantity = Decimal(0)
    moving_price: Quantity = Decimal(0)
    price_unit: Annotated[int, Field(ge=1, le=10000)] = 1
    currency: Annotated[str, Field(min_length=3, max_length=5)] = "EUR"


class SeedCostCentre(Seed):
    cost_centre: Annotated[str, Field(min_length=1, max_length=10)]
    activity_type: Annotated[str, Field(max_length=6)] = ""
    controlling_area: Short = ""
    valid_from: date = date(2000, 1, 1)
    valid_to: date = date(9999, 12, 31)


class SeedInterval(Seed):
    start: date
    end: date
    capacities: Annotated[int, Field(ge=0, le=999)] | None = None
    utilisation: Annotated[int, Field(ge=0, le=999)] | None = None


class SeedWorkCentre(Seed):
    """`group` joins work centres that can do each other's work."""

    work_centre: Annotated[str, Field(min_length=1, max_length=8)]
    plant: Annotated[str, Field(min_length=1, max_length=4)]
    text: Annotated[str, Field(max_length=40)] = ""
    category: Annotated[str, Field(max_length=4)] = "0001"
    group: Annotated[str, Field(max_length=10)] = ""
    capacities: Annotated[int, Field(ge=0, le=999)] = 1
    utilisation: Annotated[int, Field(ge=0, le=999)] = 100
    starts: time = time(6)
    ends: time = time(22)
    cost_centres: list[SeedCostCentre] = Field(default_factory=list[SeedCostCentre])
    intervals: list[SeedInterval] = Field(default_factory=list[SeedInterval])


class SeedProfile(Seed):
    confirmation: Literal["required", "milestone", "none", "external"]
    automatic_receipt: bool = False


class SeedPeriods(Seed):
    open: list[Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]] | None = None


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is no time zone; for example Europe/Berlin")
    return name


class SettingsChange(Seed):
    lock_answer: Literal["423", "ME/006"] = "423"
    posting_seconds: Annotated[float, Field(ge=0, le=600)] = 0
    goods_movement_delay_seconds: Annotated[float, Field(ge=0, le=86400)] = 0
    negative_stock: bool = False
    repeatability: bool = False
    repeatability_seconds: Annotated[float, Field(ge=0)] = 3600
    session_seconds: Annotated[float, Field(gt=0)] = 1800
    page_size: Annotated[int, Field(ge=1, le=5000)] = 100
    open_periods: list[Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]] | None = None
    client: Annotated[str, Field(pattern=r"^\d{3}$")] = "100"
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    inactive_services: list[str] = Field(default_factory=list[str])
    forbidden_services: list[str] = Field(default_factory=list[str])
    batch_hold_route: Literal["status", "any"] = "status"


class SeedDocument(Seed):
    """`control_profiles` is by plant, then by profile; the plant "" holds for every plant."""

    orders: list[SeedOrder] = Field(default_factory=list[SeedOrder])
    stock: list[SeedStock] = Field(default_factory=list[SeedStock])
    materials: dict[str, SeedMaterial] = Field(default_factory=dict[str, SeedMaterial])
    control_profiles: dict[str, dict[str, SeedProfile]] = Field(default_factory=dict[str, dict[str, SeedProfile]])
    technical_objects: list[SeedTechnicalObject] = Field(default_factory=list[SeedTechnicalObject])
    usage_decision_codes: list[SeedDecisionCode] = Field(default_factory=list[SeedDecisionCode])
    demands: list[SeedDemand] = Field(default_factory=list[SeedDemand])
    valuations: list[SeedValuation] = Field(default_factory=list[SeedValuation])
    work_centres: list[SeedWorkCentre] = Field(default_factory=list[SeedWorkCentre])
    periods: SeedPeriods | None = None
    settings: SettingsChange | None = None


class ManualEntry(Seed):
    """What a person types into the confirmation screen; `count` repeats it."""

    order: str
    operation: str = ""
    sequence: Annotated[str, Field(pattern=r"^\d{1,6}$")] = "0"
    yield_: Annotated[Quantity, Field(alias="yield")] = Decimal(0)
    scrap: Quantity = Decimal(0)
    rework: Quantity = Decimal(0)
    unit: Unit | None = None
    text: Annotated[str, Field(max_length=40)] = ""
    reason: Short = ""
    final: bool = False
    clear_reservations: bool = False
    goods_movements: bool = True
    posting_date: date | None = None
    activities: dict[Annotated[str, Field(pattern=r"^[1-6]$")], Quantity] = Field(default_factory=dict[str, Decimal])
    user: Annotated[str, Field(max_length=12)] = "GUI_USER"
    count: Annotated[int, Field(ge=1, le=10000)] = 1
