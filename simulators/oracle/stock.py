"""On-hand stock: what each inventory transaction does to subinventories, lots and serials, and the rows that record it.

Knows nothing of HTTP or dispatch states; a move that cannot be made raises a LineError, and its line is undone.
"""

import json
from dataclasses import dataclass
from typing import Any

from simulators.oracle.books import ACTIVE, Books
from simulators.oracle.errors import NEGATIVE, STATUS_BLOCKS, TEXTS, LineError
from simulators.oracle.posting import Posting
from simulators.oracle.values import MICRO, now_text, quantity_text


@dataclass(frozen=True)
class TransactionType:
    """`rule` is the word that a material status may disallow; `sign` of the quantity at the subinventory."""

    name: str
    source: str
    rule: str
    sign: int
    needs_account: bool = False


TYPES = {
    "MATERIAL_ISSUE": TransactionType("Work in Process Material Issue", "Work Order", "issue", -1),
    "MATERIAL_RETURN": TransactionType("Work in Process Material Return", "Work Order", "return", 1),
    "PRODUCT_COMPLETION": TransactionType("Work in Process Product Completion", "Work Order", "completion", 1),
    "PRODUCT_RETURN": TransactionType("Work in Process Product Return", "Work Order", "product_return", -1),
    "SUBINVENTORY_TRANSFER": TransactionType("Subinventory Transfer", "Inventory", "transfer", -1),
    "MISCELLANEOUS_ISSUE": TransactionType("Miscellaneous Issue", "Inventory", "issue", -1, needs_account=True),
    "MISCELLANEOUS_RECEIPT": TransactionType("Miscellaneous Receipt", "Inventory", "receipt", 1, needs_account=True),
    "ACCOUNT_ALIAS_ISSUE": TransactionType("Account Alias Issue", "Account Alias", "issue", -1, needs_account=True),
    "ACCOUNT_ALIAS_RECEIPT": TransactionType(
        "Account Alias Receipt", "Account Alias", "receipt", 1, needs_account=True
    ),
}


@dataclass(frozen=True)
class Move:
    """One inventory transaction; `quantity` and the lots' are positive, the type gives the direction."""

    type: str
    organization: int
    item: dict[str, Any]
    quantity: int
    subinventory: str
    date: str
    locator: str = ""
    lots: tuple[tuple[str, int], ...] = ()
    serials: tuple[str, ...] = ()
    transfer: str = ""
    transfer_locator: str = ""
    reference: str = ""
    source_reference: str = ""
    reason: str = ""
    account: str = ""
    text: str = ""
    work_order: int | None = None
    source: str = ""
    operation: int | None = None
    material: int | None = None
    document: int | None = None


def find_item(books: Books, *, number: Any = None, item_id: Any = None) -> dict[str, Any]:
    column, value = ("InventoryItemId", item_id) if item_id is not None else ("ItemNumber", number)
    row = books.one(f"SELECT * FROM item WHERE {column} = ?", value)
    if row is None:
        raise LineError("INV_INVALID_ITEM", f"The item {value or '(none)'} is not valid in the organization.")
    return row


def check_unit(books: Books, item: dict[str, Any], unit: Any, code: Any) -> None:
    """The transaction's unit is the item's, by name or by code; there are no conversions here."""
    given = code or unit
    name = books.one("SELECT name FROM uom WHERE code = ?", item["uom"])
    if given and given not in (item["uom"], name["name"] if name else item["uom"]):
        raise LineError("INV_INVALID_UOM", f"The unit of measure {given} is not valid for item {item['ItemNumber']}.")


def apply(posting: Posting, move: Move) -> int:
    """Changes stock and records the transaction; its TransactionId."""
    books, kind = posting.books, TYPES[move.type]
    if move.quantity <= 0:
        raise LineError("INV_INVALID_QUANTITY", "The transaction quantity must be greater than zero.")
    if not move.subinventory:
        raise LineError("INV_SUBINVENTORY_REQUIRED", "Enter a subinventory.")
    _check_lots(move)
    _check_serials(move)
    for lot, quantity in move.lots or (("", move.quantity),):
        if kind.sign > 0 and lot:
            ensure_lot(books, move.organization, move.item, lot, posting.user)
        elif lot and not _lot(books, move, lot):
            text = f"The lot {lot} does not exist for item {move.item['ItemNumber']}."
            raise LineError("INV_INVALID_LOT", text)
        _check_status(books, move, kind.rule, move.subinventory, lot)
        _change(books, move, move.subinventory, move.locator, lot, kind.sign * quantity)
        if move.transfer:
            _check_status(books, move, kind.rule, move.transfer, "")
            _change(books, move, move.transfer, move.transfer_locator, lot, quantity)
    _move_serials(books, move, kind)
    number = _record(posting, move, kind, kind.sign)
    if move.transfer:
        _record(posting, move, kind, 1, incoming_of=number)
    return number


def on_hand(books: Books, organization: int, item: int, subinventory: str, locator: str = "", lot: str = "") -> int:
    row = books.one(
        "SELECT quantity FROM onhand WHERE organization = ? AND item = ? AND subinventory = ? AND locator = ?"
        " AND lot = ?",
        *(organization, item, subinventory, locator, lot),
    )
    return row["quantity"] if row else 0


def set_on_hand(
    books: Books, organization: int, item: int, subinventory: str, locator: str, lot: str, quantity: int
) -> None:
    books.execute(
        "INSERT INTO onhand VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (organization, item, subinventory, locator, lot) DO UPDATE SET quantity = excluded.quantity",
        *(organization, item, subinventory, locator, lot, quantity),
    )


def ensure_subinventory(books: Books, organization: int, code: str) -> None:
    books.execute("INSERT OR IGNORE INTO subinventory VALUES (?, ?, ?, 0)", organization, code, ACTIVE)


def ensure_lot(books: Books, organization: int, item: dict[str, Any], lot: str, user: str) -> None:
    """A lot comes into being, in status Active, with its first receipt."""
    known = books.one(
        "SELECT 1 FROM item_lot WHERE OrganizationId = ? AND InventoryItemId = ? AND LotNumber = ?",
        *(organization, item["InventoryItemId"], lot),
    )
    if known:
        return
    plant = books.one("SELECT OrganizationCode FROM organization WHERE OrganizationId = ?", organization)
    row = {
        "OrganizationId": organization,
        "OrganizationCode": plant["OrganizationCode"] if plant else "",
        "InventoryItemId": item["InventoryItemId"],
        "ItemNumber": item["ItemNumber"],
        "LotNumber": lot,
        "ActiveLot": "Yes",
        "ActiveLotCode": "2",
        "MaterialStatusId": ACTIVE,
        "MaterialStatusCode": "Active",
        "OriginationDate": now_text(),
    }
    books.insert("item_lot", row | books.created_by(user))


def _lot(books: Books, move: Move, lot: str) -> dict[str, Any] | None:
    return books.one(
        "SELECT * FROM item_lot WHERE OrganizationId = ? AND InventoryItemId = ? AND LotNumber = ?",
        *(move.organization, move.item["InventoryItemId"], lot),
    )


def _check_lots(move: Move) -> None:
    name = move.item["ItemNumber"]
    if not move.item["lot"]:
        if move.lots:
            raise LineError("INV_ITEM_NOT_LOT_CONTROLLED", f"Item {name} isn't lot controlled; send no lots.")
        return
    if not move.lots or any(not lot or quantity <= 0 for lot, quantity in move.lots):
        raise LineError("INV_LOT_REQUIRED", f"Item {name} is lot controlled; every lot needs a number and a quantity.")
    if sum(quantity for _, quantity in move.lots) != move.quantity:
        text = f"The lot quantities of item {name} don't add up to {quantity_text(move.quantity)}."
        raise LineError("INV_LOT_QUANTITY_MISMATCH", text)


def _check_serials(move: Move) -> None:
    name = move.item["ItemNumber"]
    if not move.item["serial"]:
        if move.serials:
            raise LineError("INV_ITEM_NOT_SERIAL_CONTROLLED", f"Item {name} isn't serial controlled; send no serials.")
        return
    if len(set(move.serials)) * MICRO != move.quantity:
        text = f"Item {name} is serial controlled; send {quantity_text(move.quantity)} different serial numbers."
        raise LineError("INV_SERIAL_QUANTITY_MISMATCH", text)


def _check_status(books: Books, move: Move, rule: str, subinventory: str, lot: str) -> None:
    ensure_subinventory(books, move.organization, subinventory)
    place = books.one(
        "SELECT s.* FROM subinventory b JOIN material_status s ON s.MaterialStatusId = b.status"
        " WHERE b.organization = ? AND b.code = ?",
        *(move.organization, subinventory),
    )
    if place and rule in place["_disallowed"].split():
        text = f"Subinventory {subinventory} in material status {place['StatusCode']} doesn't allow this transaction."
        raise LineError(STATUS_BLOCKS, text)
    if not lot:
        return
    status = books.one(
        "SELECT s.* FROM item_lot l JOIN material_status s ON s.MaterialStatusId = l.MaterialStatusId"
        " WHERE l.OrganizationId = ? AND l.InventoryItemId = ? AND l.LotNumber = ?",
        *(move.organization, move.item["InventoryItemId"], lot),
    )
    if status and rule in status["_disallowed"].split():
        text = f"Lot {lot} in material status {status['StatusCode']} doesn't allow this transaction."
        raise LineError(STATUS_BLOCKS, text)


def _change(books: Books, move: Move, subinventory: str, locator: str, lot: str, change: int) -> None:
    item = move.item["InventoryItemId"]
    after = on_hand(books, move.organization, item, subinventory, locator, lot) + change
    if change < 0 and after < 0 and not (move.item["negative"] or books.setting("negative_stock")):
        missing = f" (item {move.item['ItemNumber']}, subinventory {subinventory}, short of {quantity_text(-after)})"
        raise LineError(NEGATIVE, TEXTS[NEGATIVE] + missing)
    set_on_hand(books, move.organization, item, subinventory, locator, lot, after)


def _move_serials(books: Books, move: Move, kind: TransactionType) -> None:
    for serial in move.serials:
        row = books.one("SELECT * FROM item_serial WHERE item = ? AND serial = ?", move.item["InventoryItemId"], serial)
        there = bool(row and row["in_stock"])
        if kind.sign > 0 and there:
            raise LineError("INV_SERIAL_IN_STOCK", f"The serial number {serial} is already in stores.")
        if kind.sign < 0 and not (there and row and row["subinventory"] == move.subinventory):
            raise LineError(
                "INV_INVALID_SERIAL", f"The serial number {serial} isn't in subinventory {move.subinventory}."
            )
        place, stays = (move.transfer, 1) if move.transfer else (move.subinventory, int(kind.sign > 0))
        lot = move.lots[0][0] if len(move.lots) == 1 else ""
        books.execute(
            "INSERT OR REPLACE INTO item_serial VALUES (?, ?, ?, ?, ?, ?)",
            *(move.item["InventoryItemId"], serial, move.organization, place, lot, stays),
        )


def _record(posting: Posting, move: Move, kind: TransactionType, sign: int, *, incoming_of: int | None = None) -> int:
    books = posting.books
    plant = books.one("SELECT OrganizationCode FROM organization WHERE OrganizationId = ?", move.organization)
    number = books.new_id()
    place, other = (move.subinventory, move.transfer) if incoming_of is None else (move.transfer, move.subinventory)
    row = {
        "TransactionId": number,
        "OrganizationId": move.organization,
        "Organization": plant["OrganizationCode"] if plant else None,
        "InventoryItemId": move.item["InventoryItemId"],
        "Item": move.item["ItemNumber"],
        "SubinventoryCode": place,
        "Locator": (move.locator if incoming_of is None else move.transfer_locator) or None,
        "TransactionDate": move.date,
        "TransactionType": kind.name,
        "TransactionSourceType": kind.source,
        "TransactionSource": move.source or None,
        "SourceReference": posting.kept(move.source_reference) or None,
        "Reason": move.reason or None,
        "Reference": posting.kept(move.reference) or None,
        "TransactionQuantity": sign * move.quantity,
        "TransactionUOM": move.item["uom"],
        "TransferSubinventoryCode": other or None,
        "AccountCombination": move.account or None,
        "CreationDate": now_text(),
        "CreatedBy": posting.user,
        "_type": move.type if incoming_of is None else "",
        "_work_order": move.work_order,
        "_operation": move.operation,
        "_material": move.material,
        "_document": move.document,
        "_serials": json.dumps(move.serials),
        "_manual": int(posting.manual),
        "_text": posting.kept(move.text),
    }
    original = _original(books, move) if incoming_of is None else None
    if original is not None:
        books.update("inventory_transaction", {"_cancelled": 1}, TransactionId=original)
    books.insert("inventory_transaction", row | {"_reverses": original})
    for lot, quantity in move.lots:
        lot_row = {"TransactionLotId": books.new_id(), "TransactionId": number, "LotNumber": lot}
        books.insert("inventory_transaction_lot", lot_row | {"TransactionQuantity": sign * quantity})
    return number


def _original(books: Books, move: Move) -> int | None:
    """The books' own pairing: a return meets the latest standing issue (or completion) of exactly its quantity."""
    opposite = {"MATERIAL_RETURN": "MATERIAL_ISSUE", "PRODUCT_RETURN": "PRODUCT_COMPLETION"}.get(move.type)
    if opposite is None:
        return None
    row = books.one(
        "SELECT TransactionId FROM inventory_transaction WHERE _type = ? AND _work_order = ? AND InventoryItemId = ?"
        " AND ABS(TransactionQuantity) = ? AND _cancelled = 0 AND _operation IS ? ORDER BY TransactionId DESC LIMIT 1",
        *(opposite, move.work_order, move.item["InventoryItemId"], move.quantity, move.operation),
    )
    return row["TransactionId"] if row else None
