"""The simulated SAP's own books in SQLite (WAL): tables, number ranges, settings. It records; rules live elsewhere.

Quantities are thousandths, dates are milliseconds since 1970; columns that start with `_` never leave through OData.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from simulators.common.database import Database, instant, now_ms
from simulators.sap import edm
from simulators.sap.catalogue import ENTITIES
from simulators.sap.entity_types import Edm, EntityType

__all__ = [
    "Books",
    "clock_text",
    "entered_now",
    "instant",
    "later_instant",
    "later_stamp",
    "local_ms",
    "local_parts",
    "now_ms",
    "stamp",
    "today_ms",
]

_OTHER_TABLES = """
CREATE TABLE IF NOT EXISTS material (material TEXT PRIMARY KEY, unit TEXT NOT NULL,
    batch_managed INTEGER NOT NULL DEFAULT 0, negative_stock INTEGER NOT NULL DEFAULT 0,
    serial_managed INTEGER NOT NULL DEFAULT 0, inspected INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS restricted_batch (material TEXT, batch TEXT, at TEXT NOT NULL,
    PRIMARY KEY (material, batch));
CREATE TABLE IF NOT EXISTS serial_number (material TEXT, serial TEXT, plant TEXT NOT NULL DEFAULT '',
    storage_location TEXT NOT NULL DEFAULT '', batch TEXT NOT NULL DEFAULT '', stock_type TEXT NOT NULL DEFAULT '',
    order_id TEXT NOT NULL DEFAULT '', PRIMARY KEY (material, serial));
CREATE TABLE IF NOT EXISTS demand (id INTEGER PRIMARY KEY, material TEXT NOT NULL, plant TEXT NOT NULL, day INTEGER,
    category TEXT NOT NULL, name TEXT NOT NULL, element TEXT NOT NULL, item TEXT NOT NULL, customer TEXT NOT NULL,
    quantity INTEGER NOT NULL, unit TEXT NOT NULL, UNIQUE (material, plant, element, item));
CREATE TABLE IF NOT EXISTS technical_object (object TEXT PRIMARY KEY, kind TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS usage_decision_code (code_group TEXT, code TEXT, valuation TEXT NOT NULL,
    posting TEXT NOT NULL DEFAULT '', PRIMARY KEY (code_group, code));
CREATE TABLE IF NOT EXISTS control_profile (plant TEXT, profile TEXT, confirmation TEXT NOT NULL,
    automatic_receipt INTEGER NOT NULL, PRIMARY KEY (plant, profile));
CREATE TABLE IF NOT EXISTS cogi (id INTEGER PRIMARY KEY, order_id TEXT, operation TEXT, confirmation TEXT,
    line TEXT NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS pending_goods (id INTEGER PRIMARY KEY, due REAL NOT NULL, confirmation TEXT NOT NULL,
    lines TEXT NOT NULL, posting_date INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS repeatable_request (id TEXT PRIMARY KEY, at REAL NOT NULL, status INTEGER, body TEXT);
CREATE INDEX IF NOT EXISTS confirmation_key ON confirmation ("ExternalSystemConfirmation");
CREATE INDEX IF NOT EXISTS confirmation_order ON confirmation ("OrderID", "OrderOperation");
CREATE INDEX IF NOT EXISTS confirmation_automatic ON confirmation (_automatic_of) WHERE _automatic_of <> '';
CREATE INDEX IF NOT EXISTS document_reference ON material_document ("ReferenceDocument");
CREATE INDEX IF NOT EXISTS document_item_confirmation ON material_document_item (_group, _count);
CREATE INDEX IF NOT EXISTS operation_order ON production_operation ("ManufacturingOrder");
CREATE INDEX IF NOT EXISTS component_order ON component ("ManufacturingOrder");
CREATE INDEX IF NOT EXISTS order_changed ON production_order ("LastChangeDateTime");
CREATE INDEX IF NOT EXISTS lot_order ON inspection_lot ("ManufacturingOrder");
CREATE INDEX IF NOT EXISTS notification_reference ON maintenance_notification ("MaintNotifExtReferenceNumber");
"""
_LATER_COLUMNS = {
    "material": {
        "serial_managed": "INTEGER NOT NULL DEFAULT 0",
        "inspected": "INTEGER NOT NULL DEFAULT 0",
    },
}
# The confirmation's goods movements are the material document's own lines under other names.
_RENAMED = {
    "ConfirmationGroup": "_group",
    "ConfirmationCount": "_count",
    "OrderType": "_order_type",
    "OrderID": '"ManufacturingOrder"',
    "OrderItem": '"ManufacturingOrderItem"',
}

DEFAULT_SETTINGS: dict[str, Any] = {
    "lock_answer": "423",
    "posting_seconds": 0.0,
    "goods_movement_delay_seconds": 0.0,
    "negative_stock": False,
    "repeatability": False,
    "repeatability_seconds": 3600.0,
    "session_seconds": 1800.0,
    "page_size": 100,
    "open_periods": None,
    "client": "100",
    "time_zone": "UTC",
    "inactive_services": [],
    "forbidden_services": [],
    "batch_hold_route": "status",
}
DEFAULT_PROFILES = {
    "PP01": ("required", False),
    "PP02": ("external", False),
    "PP03": ("milestone", False),
    "PP04": ("none", False),
    "PP11": ("required", True),
    "PP13": ("milestone", True),
}
DEFAULT_DECISIONS = (("01", "A", "A"), ("01", "R", "R"))


class Books(Database):
    """SAP's tables on top of the database that all simulated ERPs have."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, DEFAULT_SETTINGS)
        self._create_tables()

    def _create_tables(self) -> None:
        views = [entity for entity in ENTITIES.values() if entity.view]
        for name in ("confirmation_item", *(entity.table for entity in views)):
            self._connection.execute(f"DROP VIEW IF EXISTS {name}")
        declared: set[str] = set()
        for entity in ENTITIES.values():
            if entity.table in declared or entity.view or entity is edm.CONFIRMATION_ITEM:
                continue
            declared.add(entity.table)
            self._create_table(entity)
        self._connection.executescript(_OTHER_TABLES)
        for table, columns in _LATER_COLUMNS.items():
            self._add_missing(table, columns)
        self._create_confirmation_items()
        for entity in views:
            self._connection.execute(f"CREATE VIEW {entity.table} AS {entity.view}")
        for name, (confirmation, receipt) in DEFAULT_PROFILES.items():
            self.execute("INSERT OR IGNORE INTO control_profile VALUES ('', ?, ?, ?)", name, confirmation, int(receipt))
        for group, code, valuation in DEFAULT_DECISIONS:
            self.execute("INSERT OR IGNORE INTO usage_decision_code VALUES (?, ?, ?, '')", group, code, valuation)

    def _create_table(self, entity: EntityType) -> None:
        columns = [prop.column for prop in entity.properties.values()]
        private = [column.strip() for column in entity.private.split(",") if column.strip()]
        keys = ", ".join(f'"{key}"' for key in entity.keys)
        body = ", ".join(columns + private)
        self._connection.execute(f"CREATE TABLE IF NOT EXISTS {entity.table} ({body}, PRIMARY KEY ({keys}))")
        definitions = [column.partition(" ") for column in columns + private]
        self._add_missing(entity.table, {name.strip('"'): rest for name, _, rest in definitions})

    def _add_missing(self, table: str, columns: dict[str, str]) -> None:
        """A file written before a column existed gets it with its default."""
        present = {row["name"] for row in self.all(f"PRAGMA table_info({table})")}
        for name, definition in columns.items():
            if name not in present:
                self._connection.execute(f'ALTER TABLE {table} ADD COLUMN "{name}" {definition}')

    def _create_confirmation_items(self) -> None:
        known = edm.DOCUMENT_ITEM.properties
        columns: list[str] = []
        for prop in edm.CONFIRMATION_ITEM.properties.values():
            default = "NULL" if prop.kind is Edm.DATE else "0" if prop.kind is Edm.NUMC else "''"
            source = _RENAMED.get(prop.name) or (f'"{prop.name}"' if prop.name in known else default)
            columns.append(f'{source} AS "{prop.name}"')
        self._connection.execute(
            f"CREATE VIEW confirmation_item AS SELECT {', '.join(columns)}"
            " FROM material_document_item WHERE _group <> ''"
        )


def today_ms() -> int:
    """Midnight UTC of today, the way SAP keeps a date in a DateTime."""
    return now_ms() // 86_400_000 * 86_400_000


def stamp() -> str:
    """LastChangeDateTime: `YYYYMMDDHHMMSS`, UTC, whole seconds as in the original."""
    return datetime.now(UTC).strftime("%Y%m%d%H%M%S")


def later_stamp(earlier: str) -> str:
    """A LastChangeDateTime after `earlier`, also within the same second: the clock, or one second after it."""
    now = stamp()
    if now > earlier:
        return now
    moment = datetime.strptime(earlier, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    return (moment + timedelta(seconds=1)).strftime("%Y%m%d%H%M%S")


def later_instant(earlier: int | None) -> int:
    return max(now_ms(), (earlier or 0) + 1)


def local_ms(day: int | None, clock: str, zone: str) -> int | None:
    """The instant of a date and an Edm.Time in the system's zone; None without a date."""
    if day is None:
        return None
    hours, minutes, seconds = (int(part) for part in clock[2:-1].replace("H", " ").replace("M", " ").split())
    date = datetime.fromtimestamp(day / 1000, UTC)
    local = datetime(date.year, date.month, date.day, hours, minutes, seconds, tzinfo=ZoneInfo(zone))
    return int(local.timestamp() * 1000)


def local_parts(moment: int, zone: str) -> tuple[int, str]:
    """Date and Edm.Time of an instant in the system's zone."""
    local = datetime.fromtimestamp(moment / 1000, ZoneInfo(zone))
    day = datetime(local.year, local.month, local.day, tzinfo=UTC)
    return int(day.timestamp() * 1000), local.strftime("PT%HH%MM%SS")


def entered_now(books: Books) -> dict[str, Any]:
    """When a confirmation is entered: date and time of day in the system's zone."""
    day, clock = local_parts(now_ms(), books.setting("time_zone"))
    return {"ConfirmationEntryDate": day, "ConfirmationEntryTime": clock}


def clock_text() -> str:
    return datetime.now(UTC).strftime("PT%HH%MM%SS")
