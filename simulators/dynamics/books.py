"""The simulated D365's own books in SQLite (WAL): tables, views, sequences, settings. It records; rules live elsewhere.

Decimals are millionths, dates and instants text; columns that start with `_` never leave through OData.
"""

from pathlib import Path
from typing import Any

from simulators.common.database import Database
from simulators.dynamics.catalogue import ENTITIES
from simulators.dynamics.edm import Edm, EntityType
from simulators.dynamics.entities_inventory import ON_HAND, SITES_ON_HAND, WAREHOUSES_ON_HAND

_OTHER_TABLES = """
CREATE TABLE IF NOT EXISTS company (company TEXT PRIMARY KEY COLLATE NOCASE);
CREATE TABLE IF NOT EXISTS warehouse (company TEXT COLLATE NOCASE, warehouse TEXT COLLATE NOCASE,
    location_mandatory INTEGER NOT NULL,    PRIMARY KEY (company, warehouse));
CREATE TABLE IF NOT EXISTS inventory_status (status TEXT PRIMARY KEY COLLATE NOCASE, blocking INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS order_item (_id INTEGER PRIMARY KEY, company TEXT COLLATE NOCASE,
    order_id TEXT COLLATE NOCASE, item INTEGER, material TEXT COLLATE NOCASE, kind TEXT NOT NULL,
    planned INTEGER NOT NULL, received INTEGER NOT NULL DEFAULT 0,
    unit TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS stock (_id INTEGER PRIMARY KEY, company TEXT NOT NULL COLLATE NOCASE,
    item TEXT NOT NULL COLLATE NOCASE, site TEXT NOT NULL COLLATE NOCASE,
    warehouse TEXT NOT NULL COLLATE NOCASE, location TEXT NOT NULL COLLATE NOCASE,
    batch TEXT NOT NULL COLLATE NOCASE, license_plate TEXT NOT NULL COLLATE NOCASE,
    status TEXT NOT NULL COLLATE NOCASE,
    quantity INTEGER NOT NULL, UNIQUE (company, item, site, warehouse, location, batch, license_plate, status));
CREATE TABLE IF NOT EXISTS blocking (_id INTEGER PRIMARY KEY, company TEXT NOT NULL, quality_order TEXT NOT NULL,
    stock_id INTEGER NOT NULL, quantity INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS message (id INTEGER PRIMARY KEY, company TEXT NOT NULL, queue TEXT NOT NULL,
    type TEXT NOT NULL, content TEXT NOT NULL, order_id TEXT NOT NULL DEFAULT '' COLLATE NOCASE, state TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0, infolog TEXT NOT NULL DEFAULT '', fault TEXT NOT NULL DEFAULT '',
    fault_text TEXT NOT NULL DEFAULT '', at TEXT NOT NULL, changed TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS business_event (id INTEGER PRIMARY KEY, event_id TEXT NOT NULL, business_event TEXT NOT NULL,
    payload TEXT NOT NULL, lost INTEGER NOT NULL DEFAULT 0, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS event_delivery (id INTEGER PRIMARY KEY, event INTEGER NOT NULL, endpoint TEXT NOT NULL,
    copies INTEGER NOT NULL DEFAULT 1, tries INTEGER NOT NULL DEFAULT 0, delivered INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS message_open ON message (state, company, order_id);
CREATE INDEX IF NOT EXISTS event_open ON event_delivery (delivered) WHERE delivered = 0;
CREATE INDEX IF NOT EXISTS raf_order ON raf_journal ("ProductionOrderNumber");
CREATE INDEX IF NOT EXISTS picking_order ON picking_journal ("ProductionOrderNumber");
CREATE INDEX IF NOT EXISTS route_order ON route_journal ("ProductionOrderNumber");
"""

STATUSES = (("Available", 0), ("Blocking", 1), ("Inspection", 1))
DISPOSITIONS = (("Available", "Available", "No"), ("Blocked", "Unavailable", "Yes"))

DEFAULT_SETTINGS: dict[str, Any] = {
    "default_company": "usmf",
    "page_size": 10_000,
    "token_seconds": 3599,
    "registered_apps": None,
    "unregistered_answer": 401,
    "secret_expired": False,
    "environment_urls": [],
    "public_entities": [],
    "send_message_body": "",
    "batch_seconds": 0.2,
    "processing_seconds": 0.0,
    "processing_paused": False,
    "unknown_members": "ignore",
    "picking_list_version": "old",
    "negative_quantities": "refuse",
    "journal_post_action": False,
    "journal_autopost": True,
    "quality_validation": "person",
    "receive_into_blocking_status": False,
    "negative_stock": False,
    "language": "en-us",
    "open_periods": None,
    "business_event_endpoints": [],
    "business_event_secret": "",
    "business_event_secret_header": "X-Business-Event-Secret",
    "event_retry_seconds": 0.5,
    "event_loss": {"probability": 0, "seed": 0},
    "event_duplicates": {"probability": 0, "seed": 0},
}


class Books(Database):
    """The tables of the simulated D365 on top of the database that all simulated ERPs have."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, DEFAULT_SETTINGS)
        self._create_tables()

    def _create_tables(self) -> None:
        for entity in ENTITIES.values():
            if entity in ON_HAND:
                continue
            columns = [prop.column for prop in entity.properties.values()]
            columns += ["_id INTEGER PRIMARY KEY", "_version INTEGER NOT NULL DEFAULT 0"]
            columns += [entity.private] if entity.private else []
            keys = ", ".join(f'"{key}"' for key in entity.keys)
            body = ", ".join(columns)
            self.execute(f"CREATE TABLE IF NOT EXISTS {entity.table} ({body}, UNIQUE ({keys}))")
        self.script(_OTHER_TABLES)
        for view in ON_HAND:
            self.execute(_on_hand_view(view))
        for status, blocking in STATUSES:
            self.execute("INSERT OR IGNORE INTO inventory_status VALUES (?, ?)", status, blocking)
        self.add_company(self.setting("default_company"))

    def add_company(self, company: str) -> None:
        if not self.execute("INSERT OR IGNORE INTO company VALUES (?)", company.lower()):
            return
        for code, status, blocked in DISPOSITIONS:
            row: dict[str, Any] = {"dataAreaId": company.lower(), "DispositionCode": code, "DispositionStatus": status}
            row |= {"IsProductionPickingBlocked": blocked, "IsReservationBlocked": blocked, "IsPickingBlocked": blocked}
            row |= {"IsShippingBlocked": blocked, "IsNettable": "No" if blocked == "Yes" else "Yes"}
            self.insert("disposition_code", row)

    def knows_company(self, company: str) -> bool:
        return self.one("SELECT 1 FROM company WHERE company = ?", company) is not None

    def sequence(self, company: str, name: str, form: str, first: int = 1) -> str:
        """The next number of a company's own sequence: numbers repeat across companies, as in the original."""
        return form.format(self.next_number(f"{name}:{company.lower()}", first))

    def change(self, table: str, row_id: int, changes: dict[str, Any]) -> None:
        """Updates one row of an entity and moves its version on, so that its etag changes."""
        sets = ", ".join(f'"{name}" = ?' for name in changes)
        self.execute(f"UPDATE {table} SET {sets}, _version = _version + 1 WHERE _id = ?", *changes.values(), row_id)


def _on_hand_view(view: EntityType) -> str:
    dimensions = {"ItemNumber": "s.item", "InventorySiteId": "s.site"}
    if view is not SITES_ON_HAND:
        dimensions["InventoryWarehouseId"] = "s.warehouse"
    if view is not SITES_ON_HAND and view is not WAREHOUSES_ON_HAND:
        dimensions["InventoryStatusId"] = "s.status"
    available = "SUM(CASE WHEN t.blocking = 1 THEN 0 ELSE s.quantity - COALESCE(b.quantity, 0) END)"
    known = dimensions | {
        "dataAreaId": "s.company",
        "ProductName": "COALESCE(MAX(i.ProductName), '')",
        "OnHandQuantity": "SUM(s.quantity)",
        "AvailableOnHandQuantity": available,
        "TotalAvailableQuantity": available,
    }
    columns = ["MIN(s._id) AS _id", "SUM(s.quantity) + 7 * COALESCE(SUM(b.quantity), 0) AS _version"]
    for prop in view.properties.values():
        empty = "0" if prop.kind is Edm.DECIMAL else f"'{prop.empty}'"
        columns.append(f'{known.get(prop.name, empty)} AS "{prop.name}"')
    groups = ", ".join(["s.company", *dimensions.values()])
    return (
        f"CREATE VIEW IF NOT EXISTS {view.table} AS SELECT {', '.join(columns)} FROM stock s"
        " LEFT JOIN (SELECT stock_id, SUM(quantity) AS quantity FROM blocking GROUP BY stock_id) b"
        " ON b.stock_id = s._id"
        " LEFT JOIN inventory_status t ON t.status = s.status"
        ' LEFT JOIN item i ON i."dataAreaId" = s.company AND i."ItemNumber" = s.item'
        f" GROUP BY {groups}"
    )
