"""What `POST /_control/orders` accepts: the same orders and stock as the simulated SAP, and what only D365 has.

Unknown fields are refused and errors say what is wrong; docs/simulators-dynamics.md shows one example.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Quantity = Annotated[Decimal, Field(ge=0, max_digits=13, decimal_places=3)]
Positive = Annotated[Decimal, Field(gt=0, max_digits=13, decimal_places=3)]
Hours = Annotated[Decimal, Field(ge=0, max_digits=13, decimal_places=6)]
Name = Annotated[str, Field(max_length=10)]
Batch = Annotated[str, Field(max_length=20)]
Unit = Annotated[str, Field(min_length=1, max_length=10)]
Item = Annotated[str, Field(min_length=1, max_length=20)]
Company = Annotated[str, Field(pattern=r"^[A-Za-z0-9]{1,4}$")]
Period = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
Status = Literal[
    "CRTD", "REL", "TECO", "CLSD", "Created", "CostEstimated", "Scheduled", "Released", "StartedUp",
    "ReportedFinished", "Completed",
]  # fmt: skip


class Seed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SeedActivity(Seed):
    planned: Quantity = Decimal(0)
    unit: Literal["S", "SEC", "MIN", "H", "HUR"] = "MIN"


class SeedOperation(Seed):
    """`activities`: 1 is the process time, 2 the setup time, others are kept but planned nowhere."""

    operation: Annotated[str, Field(pattern=r"^\d{1,4}$")]
    sequence: str = "0"
    text: Annotated[str, Field(max_length=60)] = ""
    work_centre: Annotated[str, Field(max_length=20)] = ""
    control_profile: Annotated[str, Field(max_length=10)] = ""
    planned: Positive | None = None
    unit: Unit | None = None
    overlap: bool = False
    activities: dict[Annotated[str, Field(pattern=r"^[1-6]$")], SeedActivity] = Field(
        default_factory=dict[str, SeedActivity]
    )
    operation_id: Name = ""
    cost_category: Name = ""


class SeedComponent(Seed):
    """`flushing` wins over `backflush` (true is Finish, false Manual); `at_operation`: the route card consumes it."""

    material: Item
    required: Quantity
    unit: Unit
    operation: Annotated[str, Field(pattern=r"^\d{1,4}$")] | None = None
    sequence: str = "0"
    reservation: Annotated[str, Field(max_length=20)] | None = None
    item: Annotated[str, Field(pattern=r"^\d{1,4}$")] | None = None
    batch: Batch = ""
    plant: Name | None = None
    storage_location: Name = ""
    movement_type: Literal["261", "531"] = "261"
    backflush: bool = True
    bulk: bool = False
    fixed: bool = False
    batch_managed: bool = False
    flushing: Literal["Manual", "Start", "Finish", "AvailableAtLocation"] | None = None
    at_operation: bool = False
    location: Name = ""
    status: Name = ""


class SeedItem(Seed):
    """The first one is the order's own product; the others are co- or by-products."""

    material: Item | None = None
    item: Annotated[str, Field(pattern=r"^\d{1,4}$")] | None = None
    planned: Positive | None = None
    unit: Unit | None = None
    storage_location: Name | None = None
    batch: Batch | None = None
    stock_type: Literal["01", "02", "07"] = "01"
    production_type: Literal["Co_Product", "By_Product"] = "Co_Product"


class SeedOrder(Seed):
    order: Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[A-Za-z0-9_-]+$")]
    plant: Annotated[str, Field(min_length=1, max_length=10)]
    material: Item
    quantity: Positive
    unit: Unit = "PC"
    type: Name = ""
    storage_location: Name = ""
    batch: Batch = ""
    status: list[Status] = Field(default_factory=lambda: ["REL"])
    over_delivery_tolerance: Annotated[Decimal, Field(ge=0, decimal_places=3)] = Decimal(0)
    unlimited_over_delivery: bool = False
    under_delivery_tolerance: Annotated[Decimal, Field(ge=0, le=100, decimal_places=3)] = Decimal(0)
    scheduled_start: datetime | None = None
    scheduled_end: datetime | None = None
    company_code: str = ""
    profit_center: str = ""
    text: Annotated[str, Field(max_length=60)] = ""
    operations: Annotated[list[SeedOperation], Field(min_length=1)]
    components: list[SeedComponent] = Field(default_factory=list[SeedComponent])
    items: Annotated[list[SeedItem], Field(min_length=1)] | None = None
    company: Company | None = None
    location: Name = ""
    inventory_status: Name = ""
    dimension: str = ""
    demand_sales_order: str = ""
    demand_order: str = ""


class SeedStock(Seed):
    """`status` wins over `stock_type` (01 Available, 02 Inspection, 07 Blocking)."""

    material: Item
    plant: Annotated[str, Field(min_length=1, max_length=10)]
    quantity: Annotated[Decimal, Field(decimal_places=3, max_digits=13)]
    unit: Unit
    storage_location: Name = ""
    batch: Batch = ""
    stock_type: Literal["01", "02", "07"] = "01"
    company: Company | None = None
    location: Name = ""
    license_plate: Annotated[str, Field(max_length=25)] = ""
    status: Name = ""


class SeedMaterial(Seed):
    unit: Unit | None = None
    batch_managed: bool | None = None
    negative_stock: bool | None = None
    unit_cost: Annotated[Decimal, Field(ge=0, decimal_places=4)] | None = None
    text: str | None = None


class SeedProfile(Seed):
    confirmation: Literal["required", "milestone", "none", "external"]
    automatic_receipt: bool = False


class SeedPeriods(Seed):
    open: list[Period] | None = None


class SeedWarehouse(Seed):
    location_mandatory: bool = False


class SeedStatus(Seed):
    blocking: bool = False


class SeedDisposition(Seed):
    available: bool = True
    production_picking_blocked: bool = False
    text: str = ""


class Chance(Seed):
    probability: Annotated[float, Field(ge=0, le=1)] = 0
    seed: int = 0


class SettingsChange(Seed):
    default_company: Company = "usmf"
    page_size: Annotated[int, Field(ge=1, le=10_000)] = 10_000
    token_seconds: Annotated[int, Field(ge=0, le=86_400)] = 3599
    registered_apps: list[str] | None = None
    unregistered_answer: Literal[401, 403] = 401
    secret_expired: bool = False
    environment_urls: list[str] = Field(default_factory=list[str])
    public_entities: list[str] = Field(default_factory=list[str])
    send_message_body: str = ""
    batch_seconds: Annotated[float, Field(ge=0.01, le=3600)] = 0.2
    processing_seconds: Annotated[float, Field(ge=0, le=600)] = 0
    processing_paused: bool = False
    unknown_members: Literal["ignore", "reject"] = "ignore"
    picking_list_version: Literal["old", "new"] = "old"
    negative_quantities: Literal["refuse", "accept"] = "refuse"
    journal_post_action: bool = False
    journal_autopost: bool = True
    quality_validation: Literal["person", "patch"] = "person"
    receive_into_blocking_status: bool = False
    negative_stock: bool = False
    language: str = "en-us"
    open_periods: list[Period] | None = None
    business_event_endpoints: list[str] = Field(default_factory=list[str])
    business_event_secret: str = ""
    business_event_secret_header: str = "X-Business-Event-Secret"
    event_retry_seconds: Annotated[float, Field(ge=0.01, le=3600)] = 0.5
    event_loss: Chance = Chance()
    event_duplicates: Chance = Chance()


class SeedDocument(Seed):
    """`control_profiles` is by plant, then by profile; the plant "" holds for every plant."""

    orders: list[SeedOrder] = Field(default_factory=list[SeedOrder])
    stock: list[SeedStock] = Field(default_factory=list[SeedStock])
    materials: dict[str, SeedMaterial] = Field(default_factory=dict[str, SeedMaterial])
    control_profiles: dict[str, dict[str, SeedProfile]] = Field(default_factory=dict[str, dict[str, SeedProfile]])
    periods: SeedPeriods | None = None
    settings: SettingsChange | None = None
    warehouses: dict[str, SeedWarehouse] = Field(default_factory=dict[str, SeedWarehouse])
    inventory_statuses: dict[str, SeedStatus] = Field(default_factory=dict[str, SeedStatus])
    disposition_codes: dict[str, SeedDisposition] = Field(default_factory=dict[str, SeedDisposition])
    stop_types: dict[str, str] = Field(default_factory=dict[str, str])
