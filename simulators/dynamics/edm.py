"""Types of the simulated OData service: enums, properties with their kinds, entity sets, navigations.

Entity sets are declared as text in `entities_*.py`; this reads it. Standard: OData V4 as the original speaks it.
"""

from dataclasses import dataclass, field
from enum import StrEnum

NAMESPACE = "Microsoft.Dynamics.DataEntities"
EMPTY_DATE = "1900-01-01T12:00:00Z"
EMPTY_INSTANT = "1900-01-01T00:00:00Z"

ENUMS: dict[str, tuple[str, ...]] = {
    "NoYes": ("No", "Yes"),
    "ProdStatus": (
        "Created",
        "CostEstimated",
        "Scheduled",
        "Released",
        "StartedUp",
        "ReportedFinished",
        "Completed",
    ),
    "ProdBackStatus": ("None", "Material", "Route", "ReportedFinished", "Completed"),
    "ProdFlushingPrincipBOM": ("Manual", "Start", "Finish", "AvailableAtLocation"),
    "ProdPostingType": ("ItemAndResource", "ItemCategory", "ItemGroup"),
    "ProdErrorCause": ("None", "Material", "Machine", "OperatingStaff"),
    "PmfProductType": ("None", "MainItem", "Formula", "BOM", "Co_Product", "By_Product"),
    "ProdJournalType": ("Picklist", "ReportFinished", "RouteCard", "JobCard"),
    "ProdJobStatus": ("NotStarted", "Started", "Completed"),
    "RouteOprPriority": ("Primary", *(f"Secondary{number}" for number in range(1, 21))),
    "RouteJobType": ("QueueBefore", "Setup", "Process", "Overlap", "Transport", "QueueAfter", "Burden"),
    "BOMType": ("Item", "BOM", "Phantom", "Vendor"),
    "InventTestReferenceType": (
        "Inventory",
        "Sales",
        "Purchase",
        "Production",
        "Quarantine",
        "RouteOpr",
        "CoProductProduction",
    ),
    "InventTestOrderStatus": ("Open", "Pass", "Fail"),
    "InventTestResult": ("Fail", "Pass"),
    "InventTestNonConformanceType": (
        "Internal",
        "Customer",
        "Vendor",
        "ServiceRequest",
        "Production",
        "CoProduct",
    ),
    "InventTestQuarantineType": ("RestrictedUsage", "Unusable"),
    "InventTestApproval": ("New", "Approved", "Refused"),
    "PdsDispositionStatus": ("Available", "Unavailable"),
    "WorkTimeControl": ("Open", "Closed"),
    "WrkCtrType": ("Machine", "Vendor", "Tool", "Location", "HumanResource", "Facility"),
}


class Edm(StrEnum):
    STRING = "Edm.String"
    DECIMAL = "Edm.Decimal"
    INT32 = "Edm.Int32"
    DATE = "Edm.DateTimeOffset"
    INSTANT = "Edm.DateTimeOffset "
    ENUM = "enum"


_KINDS = {"dec": Edm.DECIMAL, "int": Edm.INT32, "date": Edm.DATE, "instant": Edm.INSTANT}
_EMPTY: dict[Edm, str | int] = {
    Edm.STRING: "",
    Edm.DECIMAL: 0,
    Edm.INT32: 0,
    Edm.DATE: EMPTY_DATE,
    Edm.INSTANT: EMPTY_INSTANT,
}


@dataclass(frozen=True)
class Property:
    """`length` of a string; longer values are cut without a word, as the original's table fields do."""

    name: str
    kind: Edm
    enum: str = ""
    length: int | None = None

    @property
    def empty(self) -> str | int:
        return ENUMS[self.enum][0] if self.kind is Edm.ENUM else _EMPTY[self.kind]

    @property
    def column(self) -> str:
        numeric = self.kind in (Edm.DECIMAL, Edm.INT32)
        kind = "INTEGER" if numeric else "TEXT COLLATE NOCASE" if self.kind is Edm.STRING else "TEXT"
        empty = self.empty if numeric else f"'{self.empty}'"
        return f'"{self.name}" {kind} NOT NULL DEFAULT {empty}'

    @property
    def edm_type(self) -> str:
        return f"{NAMESPACE}.{self.enum}" if self.kind is Edm.ENUM else self.kind.value.strip()


@dataclass(frozen=True)
class Navigation:
    """`pairs`: own property to the target's property; rows that agree in all of them belong together."""

    target: str
    pairs: tuple[tuple[str, str], ...]
    many: bool


@dataclass(frozen=True)
class EntityType:
    """`public` False: the set answers 404 until the setting `public_entities` names it. `methods` may write."""

    set_name: str
    type_name: str
    table: str
    keys: tuple[str, ...]
    properties: dict[str, Property]
    methods: frozenset[str]
    navigations: dict[str, Navigation] = field(default_factory=dict[str, Navigation])
    private: str = ""
    public: bool = True
    references: frozenset[str] = frozenset()

    @property
    def full_type(self) -> str:
        return f"{NAMESPACE}.{self.type_name}"


def _property(text: str) -> Property:
    name, _, kind = text.partition(":")
    if not kind:
        return Property(name, Edm.STRING)
    if kind.isdigit():
        return Property(name, Edm.STRING, length=int(kind))
    if kind in _KINDS:
        return Property(name, _KINDS[kind])
    if kind not in ENUMS:
        raise ValueError(f"{text}: unknown kind")
    return Property(name, Edm.ENUM, enum=kind)


def entity(
    set_name: str,
    type_name: str,
    table: str,
    properties: str,
    *,
    keys: str,
    methods: str = "",
    private: str = "",
    navigations: dict[str, Navigation] | None = None,
    public: bool = True,
    references: str = "",
) -> EntityType:
    """`properties` is words `Name`, `Name:length`, `Name:dec|int|date|instant` or `Name:EnumName`; `keys` names the
    key properties among them, dataAreaId is added to both.
    """
    parsed = {prop.name: prop for prop in map(_property, ["dataAreaId:4", *properties.split()])}
    key_names = ("dataAreaId", *keys.split())
    missing = [name for name in key_names if name not in parsed]
    if missing:
        raise ValueError(f"{set_name}: key {missing} is no property")
    return EntityType(
        set_name,
        type_name,
        table,
        key_names,
        parsed,
        frozenset(methods.split()),
        navigations or {},
        private,
        public,
        frozenset(references.split()),
    )
