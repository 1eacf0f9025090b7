"""Lots and their material status: inventoryItemLots, and the deprecated materialStatusUpdates that still answers.

A status change of something without lot control is refused: the route for it is a move to a hold subinventory.
"""

from typing import Any

from simulators.oracle import stock
from simulators.oracle.books import Books
from simulators.oracle.call import Call, Job
from simulators.oracle.errors import BAD_REQUEST, LineError, Refusal
from simulators.oracle.framework import ITEM, JSON, Answer, parse_json, require_media
from simulators.oracle.payload import unknown
from simulators.oracle.posting import Posting
from simulators.oracle.resources import LOT
from simulators.oracle.rows import existing, existing_row, read_values, shown
from simulators.oracle.values import attributes, now_text, stored

UPDATE = attributes(
    "InventoryItemId:i ItemNumber:s300 OrganizationId:i OrganizationCode:s18 LotNumber:s80 LocatorId:i"
    " SubinventoryCode:s18 MaterialStatusId:i Result:s30 ErrorCode:s240 ErrorExplanation:s2000"
)


def create_lot(call: Call) -> Job:
    require_media(call.media, (ITEM, JSON))
    values = read_values(LOT, parse_json(call.raw), LOT.create)

    def work(posting: Posting) -> Answer:
        books = posting.books
        plant, item = _place(books, values), _item(books, values)
        number = values.get("LotNumber")
        if not number:
            raise Refusal("27530", "Attribute LotNumber is required", path="/LotNumber")
        if books.one(f"SELECT 1 FROM item_lot WHERE {_KEY}", plant, item["InventoryItemId"], number):
            raise Refusal("INV_LOT_EXISTS", f"The lot {number} exists already", path="/LotNumber")
        stock.ensure_lot(books, plant, item, number, posting.user)
        _change(books, (plant, item["InventoryItemId"], number), values, posting.user)
        return shown(call, LOT, _lot(books, plant, item["InventoryItemId"], number), 201)

    return Job(work)


_KEY = "OrganizationId = ? AND InventoryItemId = ? AND LotNumber = ?"


def change_lot(call: Call) -> Job:
    existing(call, LOT)
    require_media(call.media, (ITEM, JSON))
    changes = read_values(LOT, parse_json(call.raw), LOT.update)

    def work(posting: Posting) -> Answer:
        row = existing(call, LOT)
        key = (row["OrganizationId"], row["InventoryItemId"], row["LotNumber"])
        _change(posting.books, key, changes, posting.user)
        return shown(call, LOT, existing_row(call, LOT), 200)

    return Job(work)


def _change(books: Books, key: tuple[int, int, str], values: dict[str, Any], user: str) -> None:
    changes = {name: values[name] for name in ("ExpirationDate", "OriginationDate") if name in values}
    if "ActiveLotCode" in values:
        changes |= {
            "ActiveLotCode": values["ActiveLotCode"],
            "ActiveLot": "No" if values["ActiveLotCode"] == "1" else "Yes",
        }
    if values.get("MaterialStatusId") is not None or values.get("MaterialStatusCode") is not None:
        status = material_status(books, values.get("MaterialStatusId"), values.get("MaterialStatusCode"))
        changes |= {"MaterialStatusId": status["MaterialStatusId"], "MaterialStatusCode": status["StatusCode"]}
    stamp = {"LastUpdateDate": now_text(), "LastUpdatedBy": user}
    books.update("item_lot", changes | stamp, OrganizationId=key[0], InventoryItemId=key[1], LotNumber=key[2])


def material_status(books: Books, number: Any, code: Any) -> dict[str, Any]:
    column, value = ("MaterialStatusId", number) if number is not None else ("StatusCode", code)
    row = books.one(f"SELECT * FROM material_status WHERE {column} = ?", value)
    if row is None:
        raise Refusal(BAD_REQUEST, f"The material status {value} is not valid", path="/MaterialStatusId")
    return row


def _place(books: Books, values: dict[str, Any]) -> int:
    row = books.one(
        "SELECT OrganizationId FROM organization WHERE OrganizationId = ? OR OrganizationCode = ?",
        *(values.get("OrganizationId"), values.get("OrganizationCode")),
    )
    if row is None:
        raise Refusal(BAD_REQUEST, "The organization is not valid", path="/OrganizationId")
    return row["OrganizationId"]


def _item(books: Books, values: dict[str, Any]) -> dict[str, Any]:
    try:
        item = stock.find_item(books, number=values.get("ItemNumber"), item_id=values.get("InventoryItemId"))
    except LineError as error:
        raise Refusal(error.name, error.text, path="/InventoryItemId") from None
    if not item["lot"]:
        text = f"Item {item['ItemNumber']} isn't lot controlled"
        raise Refusal("INV_ITEM_NOT_LOT_CONTROLLED", text, path="/InventoryItemId")
    return item


def _lot(books: Books, plant: int, item: int, number: Any) -> dict[str, Any]:
    row = books.one(f"SELECT * FROM item_lot WHERE {_KEY}", plant, item, number)
    if row is None:
        raise Refusal("INV_INVALID_LOT", f"The lot {number or '(none)'} does not exist", path="/LotNumber")
    return row


def status_update(call: Call) -> Job:
    """The deprecated form: 201, and whether it worked stands in Result, ErrorCode and ErrorExplanation."""
    require_media(call.media, (ITEM, JSON))
    values: dict[str, Any] = {}
    for name, value in parse_json(call.raw).items():
        if name not in UPDATE:
            raise unknown(name, "")
        values[name] = stored(UPDATE[name], value)

    def work(posting: Posting) -> Answer:
        books = posting.books
        body = {name: values.get(name) for name in UPDATE} | {"ErrorCode": None, "ErrorExplanation": None}
        refusal: tuple[str, str] | None = None
        try:
            if posting.refuse is not None:
                raise posting.refuse
            plant, item = _place(books, values), _item(books, values)
            lot = _lot(books, plant, item["InventoryItemId"], values.get("LotNumber"))
            status = {
                "MaterialStatusId": material_status(books, values.get("MaterialStatusId"), None)["MaterialStatusId"]
            }
            _change(books, (plant, item["InventoryItemId"], lot["LotNumber"]), status, posting.user)
        except Refusal as error:
            refusal = error.code, error.message
        except LineError as error:
            refusal = error.name, error.text
        if refusal:
            body |= {"Result": "ERROR", "ErrorCode": refusal[0], "ErrorExplanation": refusal[1]}
        else:
            body["Result"] = "SUCCESS"
        return Answer(201, body, ITEM, refused=refusal is not None)

    return Job(work, tells_errors=True)
