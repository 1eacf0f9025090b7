"""The simulated SAP's own books in SQLite (WAL): tables, number ranges, settings. It records; rules live elsewhere.

Quantities are thousandths, dates are milliseconds since 1970; columns that start with `_` never leave through OData.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from simulators.common.database import Database, instant, now_ms
from simulators.sap import edm

__all__ = ["Books", "clock_text", "instant", "now_ms", "stamp", "today_ms"]

_PRIVATE = {
    "production_order": (
        "_over INTEGER, _under INTEGER NOT NULL, _group TEXT NOT NULL, _count INTEGER NOT NULL DEFAULT 0"
    ),
    "production_operation": (
        "_group TEXT NOT NULL, _count INTEGER NOT NULL DEFAULT 0, _overlap INTEGER NOT NULL DEFAULT 0,"
        " _scrap INTEGER NOT NULL DEFAULT 0, _rework INTEGER NOT NULL DEFAULT 0, _final INTEGER NOT NULL DEFAULT 0,"
        " _confirmations INTEGER NOT NULL DEFAULT 0, _activities TEXT NOT NULL DEFAULT '{}'"
    ),
    "component": "_seq INTEGER NOT NULL DEFAULT 0",
    "order_item": "_stock_type TEXT NOT NULL DEFAULT '01'",
    "order_status": "",
    "confirmation": (
        "_manual INTEGER NOT NULL DEFAULT 0, _automatic_of TEXT NOT NULL DEFAULT '',"
        " _reverses TEXT NOT NULL DEFAULT '', _at TEXT NOT NULL"
    ),
    "material_document": "_at TEXT NOT NULL, _manual INTEGER NOT NULL DEFAULT 0",
    "material_document_item": (
        "_group TEXT NOT NULL DEFAULT '', _count TEXT NOT NULL DEFAULT '', _order_type TEXT NOT NULL DEFAULT ''"
    ),
    "stock": "",
}
_OTHER_TABLES = """
CREATE TABLE IF NOT EXISTS material (material TEXT PRIMARY KEY, unit TEXT NOT NULL,
    batch_managed INTEGER NOT NULL DEFAULT 0, negative_stock INTEGER NOT NULL DEFAULT 0);
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
"""
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
}
DEFAULT_PROFILES = {
    "PP01": ("required", False),
    "PP02": ("external", False),
    "PP03": ("milestone", False),
    "PP04": ("none", False),
    "PP11": ("required", True),
    "PP13": ("milestone", True),
}


class Books(Database):
    """SAP's tables on top of the database that all simulated ERPs have."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, DEFAULT_SETTINGS)
        self._create_tables()

    def _create_tables(self) -> None:
        declared: set[str] = set()
        for entity in edm.ENTITIES.values():
            if entity.table in declared or entity is edm.CONFIRMATION_ITEM:
                continue
            declared.add(entity.table)
            columns = [prop.column for prop in entity.properties.values()]
            columns += [_PRIVATE[entity.table]] if _PRIVATE[entity.table] else []
            keys = ", ".join(f'"{key}"' for key in entity.keys)
            body = ", ".join(columns)
            self._connection.execute(f"CREATE TABLE IF NOT EXISTS {entity.table} ({body}, PRIMARY KEY ({keys}))")
        self._connection.executescript(_OTHER_TABLES)
        self._create_confirmation_items()
        for name, (confirmation, receipt) in DEFAULT_PROFILES.items():
            self.execute("INSERT OR IGNORE INTO control_profile VALUES ('', ?, ?, ?)", name, confirmation, int(receipt))

    def _create_confirmation_items(self) -> None:
        known = edm.DOCUMENT_ITEM.properties
        columns: list[str] = []
        for prop in edm.CONFIRMATION_ITEM.properties.values():
            default = "NULL" if prop.kind is edm.Edm.DATE else "0" if prop.kind is edm.Edm.NUMC else "''"
            source = _RENAMED.get(prop.name) or (f'"{prop.name}"' if prop.name in known else default)
            columns.append(f'{source} AS "{prop.name}"')
        self._connection.execute(
            f"CREATE VIEW IF NOT EXISTS confirmation_item AS SELECT {', '.join(columns)}"
            " FROM material_document_item WHERE _group <> ''"
        )


def today_ms() -> int:
    """Midnight UTC of today, the way SAP keeps a date in a DateTime."""
    return now_ms() // 86_400_000 * 86_400_000


def stamp() -> str:
    """LastChangeDateTime: `YYYYMMDDHHMMSS`, UTC, whole seconds as in the original."""
    return datetime.now(UTC).strftime("%Y%m%d%H%M%S")


def clock_text() -> str:
    return datetime.now(UTC).strftime("PT%HH%MM%SS")
