"""What `POST /_control/orders` and its neighbours accept; unknown fields are refused and errors say what is wrong.

The simulated SAP's seed is accepted as it is; docs/simulators-oracle.md says what each field means here.
"""

from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Quantity = Annotated[Decimal, Field(ge=0, max_digits=15, decimal_places=6)]
Positive = Annotated[Decimal, Field(gt=0, max_digits=15, decimal_places=6)]
Plant = Annotated[str, Field(min_length=1, max_length=18)]
Place = Annotated[str, Field(max_length=18)]
Lot = Annotated[str, Field(max_length=80)]
Unit = Annotated[str, Field(min_length=1, max_length=3)]
ItemNumber = Annotated[str, Field(min_length=1, max_length=300)]
OperationLabel = Annotated[str, Field(pattern=r"^\d{1,4}$")]
Slot = Annotated[str, Field(pattern=r"^[1-9]\d?$")]
StatusName = Literal["CRTD", "REL", "TECO", "CLSD", "LKD", "DLFL"]
SystemStatus = Literal["UNRELEASED", "RELEASED", "ON_HOLD", "COMPLETED", "CLOSED", "CANCELED"]
Rule = Literal["issue", "return", "transfer", "completion", "product_return", "receipt"]
Month = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]


class Seed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SeedActivity(Seed):
    planned: Quantity = Decimal(0)
    unit: Unit = "MIN"


class SeedResource(Seed):
    """`AUTOMATIC` is charged with the operation's moves, `MANUAL` by resourceTransactions."""

    code: Annotated[str, Field(min_length=1, max_length=30)]
    type: Literal["EQUIPMENT", "LABOR"] = "EQUIPMENT"
    usage: Quantity = Decimal(0)
    unit: Unit = "MIN"
    charge: Literal["MANUAL", "AUTOMATIC"] = "MANUAL"


class SeedOperation(Seed):
    operation: OperationLabel
    sequence: Literal["0"] = "0"
    text: Annotated[str, Field(max_length=120)] = ""
    work_centre: Annotated[str, Field(max_length=30)] = ""
    control_profile: Annotated[str, Field(max_length=4)] = ""
    planned: Positive | None = None
    unit: Unit | None = None
    overlap: bool = False
    activities: dict[Slot, SeedActivity] = Field(default_factory=dict[str, SeedActivity])
    resources: list[SeedResource] = Field(default_factory=list[SeedResource])


class SeedComponent(Seed):
    material: ItemNumber
    required: Quantity
    unit: Unit
    operation: OperationLabel | None = None
    sequence: Literal["0"] = "0"
    reservation: Annotated[str, Field(pattern=r"^\d{1,18}$")] | None = None
    item: Annotated[str, Field(pattern=r"^\d{1,4}$")] | None = None
    batch: Lot = ""
    plant: Plant | None = None
    storage_location: Place = ""
    movement_type: Literal["261"] = "261"
    backflush: bool = True
    bulk: bool = False
    fixed: bool = False
    batch_managed: bool = False
    serial_managed: bool = False


class SeedItem(Seed):
    material: ItemNumber | None = None
    item: str | None = None
    planned: Positive | None = None
    unit: Unit | None = None
    storage_location: Place | None = None
    batch: Lot | None = None
    stock_type: Literal["01"] = "01"


class SeedReservation(Seed):
    """A demand that the order's output is pegged to."""

    demand: Annotated[str, Field(min_length=1, max_length=80)]
    line: str = "1"
    type: str = "Sales Order"
    customer: str = ""
    quantity: Positive
    required: datetime | None = None


class SeedOrder(Seed):
    order: Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[A-Za-z0-9_-]+$")]
    plant: Plant
    material: ItemNumber
    quantity: Positive
    unit: Unit = "PC"
    type: Annotated[str, Field(max_length=30)] = ""
    storage_location: Place = ""
    batch: Lot = ""
    status: list[StatusName] = Field(default_factory=lambda: ["REL"])
    order_status: str | None = None
    over_delivery_tolerance: Quantity = Decimal(0)
    unlimited_over_delivery: bool = False
    under_delivery_tolerance: Quantity = Decimal(0)
    scheduled_start: datetime | None = None
    scheduled_end: datetime | None = None
    company_code: str = ""
    profit_center: str = ""
    text: Annotated[str, Field(max_length=240)] = ""
    category: Literal["production", "process"] = "production"
    inspection_type: str = ""
    inspection_characteristics: list[Any] = Field(default_factory=list[Any])
    sales_order: Annotated[str, Field(max_length=80)] = ""
    sales_order_item: Annotated[str, Field(max_length=30)] = "1"
    operations: Annotated[list[SeedOperation], Field(min_length=1)]
    components: list[SeedComponent] = Field(default_factory=list[SeedComponent])
    items: Annotated[list[SeedItem], Field(min_length=1, max_length=1)] | None = None
    reservations: list[SeedReservation] = Field(default_factory=list[SeedReservation])

    @model_validator(mode="after")
    def _fits_one_discrete_order(self) -> "SeedOrder":
        labels = [int(one.operation) for one in self.operations]
        if len(set(labels)) != len(labels) or 0 in labels:
            raise ValueError("operations need different numbers greater than 0")
        for one in self.operations:
            if one.unit not in (None, self.unit):
                raise ValueError(f"operation {one.operation}: a work order has one unit, {self.unit}")
        for component in self.components:
            if component.operation is not None and int(component.operation) not in labels:
                raise ValueError(f"component {component.material}: the order has no operation {component.operation}")
            if component.plant not in (None, self.plant):
                raise ValueError(f"component {component.material}: components come from the order's organization")
        for item in self.items or []:
            if item.material not in (None, self.material) or item.planned not in (None, self.quantity):
                raise ValueError("a discrete work order has one product, in the order's quantity")
        return self


class SeedStock(Seed):
    material: ItemNumber
    plant: Plant
    quantity: Annotated[Decimal, Field(decimal_places=6, max_digits=15)]
    unit: Unit
    storage_location: Place = ""
    locator: Annotated[str, Field(max_length=800)] = ""
    batch: Lot = ""
    stock_type: Literal["01"] = "01"
    serials: list[str] = Field(default_factory=list[str])


class SeedMaterial(Seed):
    unit: Unit | None = None
    description: str | None = None
    batch_managed: bool | None = None
    serial_managed: bool | None = None
    negative_stock: bool | None = None
    inspected: bool | None = None
    standard_cost: Quantity | None = None


class SeedPeriods(Seed):
    open: list[Month] | None = None


class SeedStatus(Seed):
    """A work order status of one's own; it behaves as the system status it maps to."""

    code: Annotated[str, Field(min_length=1, max_length=30)]
    name: Annotated[str, Field(min_length=1, max_length=80)]
    system_status: SystemStatus


class SeedMaterialStatus(Seed):
    status: Annotated[str, Field(min_length=1, max_length=30)]
    description: str = ""
    disallowed: list[Rule] = Field(default_factory=list[Rule])


class SeedSubinventory(Seed):
    plant: Plant
    subinventory: Annotated[str, Field(min_length=1, max_length=18)]
    material_status: str = "Active"
    hold: bool = False


class SeedWorkCentreResource(Seed):
    code: Annotated[str, Field(min_length=1, max_length=30)]
    name: str = ""
    type: Literal["EQUIPMENT", "LABOR"] = "EQUIPMENT"
    resource_class: str = ""
    quantity: Positive = Decimal(1)
    unit: Unit = "HR"


class SeedWorkCentre(Seed):
    """The simulated SAP's `group` is the class of resources that stand in for each other, `capacities` how many."""

    work_centre: Annotated[str, Field(min_length=1, max_length=30)]
    plant: Plant
    name: str = ""
    text: str = ""
    area: str = ""
    category: str = ""
    group: Annotated[str, Field(max_length=30)] = ""
    capacities: Annotated[int, Field(ge=1)] = 1
    utilisation: Annotated[int, Field(ge=1, le=100)] = 100
    starts: time | None = None
    ends: time | None = None
    cost_centres: list[Any] = Field(default_factory=list[Any])
    intervals: list[Any] = Field(default_factory=list[Any])
    resources: list[SeedWorkCentreResource] = Field(default_factory=list[SeedWorkCentreResource])


class SeedAsset(Seed):
    asset: Annotated[str, Field(min_length=1, max_length=80)]
    plant: Plant
    account: str = ""


class SeedTechnicalObject(Seed):
    """The simulated SAP's name for an asset; it is one in every organization."""

    object: Annotated[str, Field(min_length=1, max_length=80)]
    kind: str = ""


class SeedDemand(Seed):
    """An independent demand, pegged to the work orders of its item in the order in which they were seeded."""

    material: ItemNumber
    plant: Plant
    quantity: Positive
    unit: Unit = "PC"
    due: date | None = None
    kind: Literal["sales_order", "forecast"] = "sales_order"
    element: Annotated[str, Field(min_length=1, max_length=80)]
    item: str = "10"
    customer: str = ""


class SeedValuation(Seed):
    """The standard cost of an item is its standard price, or its moving price under control V, for one unit."""

    material: ItemNumber
    plant: Plant
    price_control: Literal["S", "V"] = "S"
    standard_price: Quantity = Decimal(0)
    moving_price: Quantity = Decimal(0)
    price_unit: Annotated[int, Field(ge=1, le=10000)] = 1
    currency: str = "EUR"


class SeedException(Seed):
    """A production exception somebody raised at the line."""

    plant: Plant
    type: str = "RESOURCE_DOWN"
    severity: str = "HIGH"
    work_centre: str = ""
    order: str = ""
    operation: OperationLabel | None = None
    text: str = ""


class SettingsChange(Seed):
    framework_version: Annotated[int, Field(ge=1, le=7)] = 1
    posting_seconds: Annotated[float, Field(ge=0, le=600)] = 0
    lock_answer: Literal["line", "400"] = "line"
    source_systems: list[Annotated[str, Field(min_length=1, max_length=30)]] = Field(default_factory=list[str])
    open_periods: list[Month] | None = None
    negative_stock: bool = False
    pull_shortage: Literal["pending", "refuse"] = "pending"
    overcompletion: bool = False
    auto_complete: bool = False
    reference_searchable: bool = True
    background_seconds: Annotated[float, Field(ge=0, le=86400)] | None = None
    token_seconds: Annotated[float, Field(gt=0, le=86400)] = 3600
    page_size: Annotated[int, Field(ge=1, le=500)] = 25
    forbidden_resources: list[str] = Field(default_factory=list[str])


class SeedDocument(Seed):
    """`control_profiles` and `usage_decision_codes` are the SAP's and mean nothing here."""

    orders: list[SeedOrder] = Field(default_factory=list[SeedOrder])
    stock: list[SeedStock] = Field(default_factory=list[SeedStock])
    materials: dict[str, SeedMaterial] = Field(default_factory=dict[str, SeedMaterial])
    units: dict[Unit, str] = Field(default_factory=dict[str, str])
    statuses: list[SeedStatus] = Field(default_factory=list[SeedStatus])
    material_statuses: list[SeedMaterialStatus] = Field(default_factory=list[SeedMaterialStatus])
    subinventories: list[SeedSubinventory] = Field(default_factory=list[SeedSubinventory])
    work_centres: list[SeedWorkCentre] = Field(default_factory=list[SeedWorkCentre])
    assets: list[SeedAsset] = Field(default_factory=list[SeedAsset])
    production_exceptions: list[SeedException] = Field(default_factory=list[SeedException])
    control_profiles: dict[str, Any] = Field(default_factory=dict[str, Any])
    usage_decision_codes: list[Any] = Field(default_factory=list[Any])
    technical_objects: list[SeedTechnicalObject] = Field(default_factory=list[SeedTechnicalObject])
    demands: list[SeedDemand] = Field(default_factory=list[SeedDemand])
    valuations: list[SeedValuation] = Field(default_factory=list[SeedValuation])
    periods: SeedPeriods | None = None
    settings: SettingsChange | None = None
