"""The simulated Oracle's own books in SQLite (WAL): tables, ids, settings. It records; rules live elsewhere.

Quantities are millionths; columns that start with `_` never leave through the REST resources.
"""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from simulators.common.database import Database
from simulators.oracle.catalogue import RESOURCES
from simulators.oracle.resources import Resource
from simulators.oracle.values import now_text

# Beyond 2**53: a client that reads ids as floating point loses them, as with the original's.
FIRST_ID = 300_000_012_345_678_901
_OTHER_TABLES = """
CREATE TABLE IF NOT EXISTS organization (OrganizationId INTEGER PRIMARY KEY, OrganizationCode TEXT UNIQUE NOT NULL);
CREATE TABLE IF NOT EXISTS item (InventoryItemId INTEGER PRIMARY KEY, ItemNumber TEXT UNIQUE NOT NULL,
    description TEXT NOT NULL DEFAULT '', uom TEXT NOT NULL, lot INTEGER NOT NULL DEFAULT 0,
    serial INTEGER NOT NULL DEFAULT 0, negative INTEGER NOT NULL DEFAULT 0, standard_cost INTEGER);
CREATE TABLE IF NOT EXISTS uom (code TEXT PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS subinventory (organization INTEGER, code TEXT, status INTEGER NOT NULL,
    hold INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (organization, code));
CREATE TABLE IF NOT EXISTS onhand (organization INTEGER, item INTEGER, subinventory TEXT, locator TEXT, lot TEXT,
    quantity INTEGER NOT NULL, PRIMARY KEY (organization, item, subinventory, locator, lot));
CREATE TABLE IF NOT EXISTS item_serial (item INTEGER, serial TEXT, organization INTEGER, subinventory TEXT, lot TEXT,
    in_stock INTEGER NOT NULL, PRIMARY KEY (item, serial));
CREATE TABLE IF NOT EXISTS asset (organization INTEGER, number TEXT, account TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (organization, number));
CREATE TABLE IF NOT EXISTS wip_transaction (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, batch INTEGER NOT NULL,
    work_order INTEGER NOT NULL, operation INTEGER, from_state TEXT, to_state TEXT, quantity INTEGER NOT NULL, uom TEXT,
    resource INTEGER, date TEXT NOT NULL, reason TEXT NOT NULL, note TEXT NOT NULL, source TEXT NOT NULL,
    complete INTEGER NOT NULL DEFAULT 0, manual INTEGER NOT NULL, user TEXT NOT NULL, at TEXT NOT NULL,
    reversed_by INTEGER, reverses INTEGER, pulled INTEGER NOT NULL DEFAULT 0, automatic_of INTEGER);
CREATE TABLE IF NOT EXISTS pull_error (id INTEGER PRIMARY KEY, document INTEGER NOT NULL, work_order INTEGER NOT NULL,
    operation INTEGER NOT NULL, material INTEGER NOT NULL, quantity INTEGER NOT NULL, date TEXT NOT NULL,
    name TEXT NOT NULL, text TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS operational_event (id INTEGER PRIMARY KEY, entity TEXT NOT NULL, type TEXT NOT NULL,
    time TEXT NOT NULL, body TEXT NOT NULL, user TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS maintenance_transaction (id INTEGER PRIMARY KEY, kind TEXT NOT NULL, number TEXT NOT NULL,
    body TEXT NOT NULL, user TEXT NOT NULL, at TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS secret (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS order_number ON work_order ("OrganizationId", "WorkOrderNumber");
CREATE INDEX IF NOT EXISTS order_changed ON work_order ("LastUpdateDate");
CREATE UNIQUE INDEX IF NOT EXISTS operation_order
    ON work_order_operation ("WorkOrderId", "OperationSequenceNumber");
CREATE INDEX IF NOT EXISTS material_operation ON work_order_material ("WorkOrderId", "OperationSequenceNumber");
CREATE INDEX IF NOT EXISTS resource_operation ON work_order_resource ("WorkOrderId", "OperationSequenceNumber");
CREATE INDEX IF NOT EXISTS wip_order ON wip_transaction (work_order, operation);
CREATE INDEX IF NOT EXISTS transaction_order ON inventory_transaction (_work_order, "InventoryItemId");
CREATE INDEX IF NOT EXISTS transaction_document ON inventory_transaction (_document);
CREATE INDEX IF NOT EXISTS transaction_reference ON inventory_transaction ("Reference");
CREATE INDEX IF NOT EXISTS transaction_source ON inventory_transaction ("SourceReference");
CREATE INDEX IF NOT EXISTS transaction_lots ON inventory_transaction_lot ("TransactionId");
CREATE VIEW IF NOT EXISTS items_v2 AS SELECT i.InventoryItemId AS ItemId, i.ItemNumber AS ItemNumber,
    i.description AS ItemDescription, o.OrganizationId AS OrganizationId, o.OrganizationCode AS OrganizationCode,
    COALESCE(u.name, i.uom) AS PrimaryUOMValue, 'Active' AS ItemStatusValue,
    CASE i.lot WHEN 1 THEN 'Full lot control' ELSE 'No lot control' END AS LotControlValue,
    CASE i.serial WHEN 1 THEN 'Predefined' ELSE 'No serial number control' END AS SerialGenerationValue,
    i.lot AS LotStatusEnabledFlag, i.standard_cost AS StandardCost
    FROM item i CROSS JOIN organization o LEFT JOIN uom u ON u.code = i.uom;
CREATE VIEW IF NOT EXISTS onhand_balance AS SELECT h.organization AS OrganizationId,
    o.OrganizationCode AS OrganizationCode, h.item AS InventoryItemId, i.ItemNumber AS ItemNumber,
    h.subinventory AS SubinventoryCode, h.locator AS Locator, h.lot AS LotNumber,
    COALESCE(l.MaterialStatusCode, s.StatusCode) AS MaterialStatusCode, h.quantity AS PrimaryQuantity,
    i.uom AS PrimaryUOMCode
    FROM onhand h JOIN item i ON i.InventoryItemId = h.item JOIN organization o ON o.OrganizationId = h.organization
    LEFT JOIN item_lot l ON l.OrganizationId = h.organization AND l.InventoryItemId = h.item AND l.LotNumber = h.lot
    LEFT JOIN subinventory b ON b.organization = h.organization AND b.code = h.subinventory
    LEFT JOIN material_status s ON s.MaterialStatusId = b.status;
"""

DEFAULT_SETTINGS: dict[str, Any] = {
    "framework_version": 1,
    "posting_seconds": 0.0,
    "lock_answer": "line",
    "source_systems": ["PLANTWRIGHT"],
    "open_periods": None,
    "negative_stock": False,
    "pull_shortage": "pending",
    "overcompletion": False,
    "auto_complete": False,
    "reference_searchable": True,
    "background_seconds": None,
    "token_seconds": 3600.0,
    "page_size": 25,
    "forbidden_resources": [],
}
ACTIVE, HOLD, QUARANTINE = 1, 2, 3
_EVERYTHING = "issue return transfer completion product_return receipt"
_STATUSES = (
    (ACTIVE, "Active", "Every transaction is allowed", 1, 1, ""),
    (HOLD, "Hold", "No transaction is allowed", 0, 0, _EVERYTHING),
    (QUARANTINE, "Quarantine", "May be received and transferred, not issued", 0, 0, "issue"),
)
_ORDER_STATUSES = (
    ("ORA_UNRELEASED", "Unreleased", "UNRELEASED"),
    ("ORA_RELEASED", "Released", "RELEASED"),
    ("ORA_ON_HOLD", "On Hold", "ON_HOLD"),
    ("ORA_COMPLETED", "Completed", "COMPLETED"),
    ("ORA_CLOSED", "Closed", "CLOSED"),
    ("ORA_CANCELED", "Canceled", "CANCELED"),
)


def _table(resource: Resource) -> str:
    columns = [attribute.column for attribute in resource.attributes.values()]
    columns += [resource.private] if resource.private else []
    keys = ", ".join(f'"{key}"' for key in resource.keys)
    return f"CREATE TABLE IF NOT EXISTS {resource.table} ({', '.join(columns)}, PRIMARY KEY ({keys}));\n"


class Books(Database):
    """Oracle's tables on top of the database that all simulated ERPs have."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, DEFAULT_SETTINGS)
        tables = "".join(_table(resource) for resource in RESOURCES.values() if resource.own_table)
        # One transaction: a file system flush for each of the tables would take longer than all of them.
        self.script(f"BEGIN;{tables}{_OTHER_TABLES}COMMIT;")
        with self.transaction():
            self._seed_lookups()
        row = self.one("SELECT value FROM secret WHERE name = 'links'")
        self._salt = str(row["value"]) if row else ""
        self._connection.create_function("link_hash", -1, self.link_hash, deterministic=True)

    def _seed_lookups(self) -> None:
        self.execute("INSERT OR IGNORE INTO secret VALUES ('links', ?)", secrets.token_hex(16))
        for number, code, text, nettable, promised, disallowed in _STATUSES:
            self.execute(
                "INSERT OR IGNORE INTO material_status VALUES (?, ?, ?, ?, ?, ?)",
                *(number, code, text, nettable, promised, disallowed),
            )
        if self.one("SELECT 1 FROM work_order_status") is None:
            for code, name, system in _ORDER_STATUSES:
                self.add_order_status(code, name, system)

    def add_order_status(self, code: str, name: str, system: str, user: str = "SEED_DATA_FROM_APPLICATION") -> None:
        row = {"WoStatusId": self.new_id(), "WoStatusCode": code, "WoStatusName": name, "WoSystemStatusCode": system}
        self.insert("work_order_status", row | self.created_by(user))

    def new_id(self) -> int:
        return self.next_number("id", FIRST_ID)

    def created_by(self, user: str) -> dict[str, Any]:
        at = now_text()
        return {"CreationDate": at, "CreatedBy": user, "LastUpdateDate": at, "LastUpdatedBy": user}

    def link_hash(self, *parts: Any) -> str:
        """The opaque id of a row whose key is composite: nobody without these books can build it."""
        text = "\x1f".join([self._salt, *("" if part is None else str(part) for part in parts)])
        return "0002000000" + hashlib.sha256(text.encode()).hexdigest()[:40].upper()

    @contextmanager
    def line(self) -> Iterator[None]:
        """One line of a batch: undone by itself when it fails, kept with the batch's transaction otherwise."""
        self.execute("SAVEPOINT line")
        try:
            yield
        except BaseException:
            self.execute("ROLLBACK TO line")
            self.execute("RELEASE line")
            raise
        self.execute("RELEASE line")
