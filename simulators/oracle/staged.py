"""inventoryStagedTransactions: rows of the interface table, processed at once, by action, or in the background.

An outcome stands in ProcessStatus, ErrorCode and ErrorExplanation; a processed row leaves the interface.
"""

import json
import time
from typing import Any

from simulators.oracle import stock
from simulators.oracle.books import Books
from simulators.oracle.call import Call, Job
from simulators.oracle.errors import BAD_REQUEST, LineError, Refusal
from simulators.oracle.framework import ACTION, ACTION_RESULT, ITEM, JSON, Answer, parse_json, require_media
from simulators.oracle.payload import line_values, unknown
from simulators.oracle.posting import Posting, checked_date
from simulators.oracle.reading import Address, Reader, Segment, item_answer
from simulators.oracle.resources import STAGED_TRANSACTION as STAGED
from simulators.oracle.rows import existing, existing_row, read_values, shown
from simulators.oracle.values import MICRO, attributes, now_text, quantity_text, stored

PENDING, ERROR, SUCCEEDED = 1, 3, 7
ONLINE, BACKGROUND, CONCURRENT = "1", "2", "3"
_CHILDREN = frozenset({"lots", "serials"})
_LOT = attributes("LotNumber:s80 TransactionQuantity:n")
_SERIAL = attributes("SerialNumber:s80 FromSerialNumber:s80 ToSerialNumber:s80")
_BY_NAME = {kind.name: code for code, kind in stock.TYPES.items() if kind.source != "Work Order"}


def create(call: Call) -> Job:
    """POST: mode 1 is processed at once, 2 and 3 wait for processByHeader or the background."""
    require_media(call.media, (ITEM, JSON))
    body = parse_json(call.raw)
    known = body.pop("TransactionInterfaceId", None) if call.upsert else None
    if isinstance(known, int) and _staged(call.books, known):
        return change(_at(call, known, body))
    values, children = _values(body, STAGED.create), _children(body)
    missing = sorted(name for name in STAGED.required if values.get(name) is None)
    if missing:
        raise Refusal("27530", f"Attribute {missing[0]} is required", path=f"/{missing[0]}")
    mode = values.get("TransactionMode") or CONCURRENT
    if mode not in (ONLINE, BACKGROUND, CONCURRENT):
        raise Refusal(BAD_REQUEST, f"TransactionMode {mode} is not valid; valid are 1, 2, 3", path="/TransactionMode")

    def work(posting: Posting) -> Answer:
        books = posting.books
        if posting.refuse is not None and mode != ONLINE:
            raise Refusal(posting.refuse.name, posting.refuse.text)
        number = books.new_id()
        row = values | {
            "TransactionInterfaceId": number,
            "TransactionHeaderId": values.get("TransactionHeaderId") or books.new_id(),
            "TransactionMode": mode,
            "TransactionReference": posting.kept(values.get("TransactionReference") or "") or None,
            "ExternalSystemTransactionReference": posting.kept(values.get("ExternalSystemTransactionReference") or "")
            or None,
            "ProcessStatus": PENDING,
            "_lots": json.dumps(children["lots"]),
            "_serials": json.dumps(children["serials"]),
            "_due": _due(books, mode),
        }
        books.insert(STAGED.table, row | books.created_by(posting.user))
        if mode == ONLINE:
            process(posting, number)
        row = _staged(books, number) or _processed(row, books.created_by(posting.user))
        body = Reader(books, call.base, call.version, {}).render(STAGED, row, f"{call.base}/{STAGED.name}/{number}")
        answer = item_answer(201, body, STAGED, row)
        refused = mode == ONLINE and row["ProcessStatus"] == ERROR
        return Answer(answer.status, answer.body, answer.media, answer.headers, refused=refused)

    return Job(work, tells_errors=True)


def _at(call: Call, number: int, body: dict[str, Any]) -> Call:
    """An upsert that found its row: the same call as a PATCH of it."""
    address = Address((Segment(STAGED.name, str(number)),))
    raw = json.dumps(body, default=str).encode()
    return Call(call.books, "PATCH", address, call.base, call.version, call.headers, raw, call.options)


def change(call: Call) -> Job:
    """PATCH: corrects a row in error; ProcessStatus 1 makes it wait again."""
    existing(call, STAGED)
    require_media(call.media, (ITEM, JSON))
    body = parse_json(call.raw)
    changes = _values(body, STAGED.update)
    children = _children(body)
    if changes.get("ProcessStatus") not in (None, PENDING):
        raise Refusal(BAD_REQUEST, "ProcessStatus can only be set to 1 (pending)", path="/ProcessStatus")

    def work(posting: Posting) -> Answer:
        row = existing(call, STAGED)
        after = changes | {"LastUpdateDate": now_text(), "LastUpdatedBy": posting.user}
        after |= {f"_{name}": json.dumps(children[name]) for name in _CHILDREN if name in body}
        if changes.get("ProcessStatus") == PENDING:
            after |= {"ErrorCode": None, "ErrorExplanation": None}
        posting.books.update(STAGED.table, after, TransactionInterfaceId=row["TransactionInterfaceId"])
        return shown(call, STAGED, existing_row(call, STAGED), 200)

    return Job(work)


def process_by_header(call: Call) -> Job:
    """The action: processes what waits under one TransactionHeaderId; the outcome is in the rows that stay."""
    require_media(call.media, (ACTION, JSON))
    body = parse_json(call.raw)
    header = stored(STAGED.attributes["TransactionHeaderId"], body.get("headerId"))
    if header is None:
        raise Refusal(BAD_REQUEST, "headerId is required", path="/headerId")
    waiting = "SELECT * FROM staged_transaction WHERE TransactionHeaderId = ? AND ProcessStatus = ?"

    def work(posting: Posting) -> Answer:
        rows = posting.books.all(waiting + " ORDER BY TransactionInterfaceId", header, PENDING)
        if not rows:
            raise Refusal(BAD_REQUEST, f"There is nothing to process for header {header}", path="/headerId")
        failed = sum(not process(posting, row["TransactionInterfaceId"]) for row in rows)
        result = {
            "ReturnStatus": "ERROR" if failed else "SUCCESS",
            "ProcessedCount": len(rows) - failed,
            "ErrorCount": failed,
        }
        return Answer(200, {"result": result}, ACTION_RESULT, refused=failed == len(rows))

    return Job(work, tells_errors=True)


def due(books: Books) -> list[int]:
    """Rows whose background processing is due."""
    rows = books.all(
        "SELECT TransactionInterfaceId AS n FROM staged_transaction WHERE ProcessStatus = ? AND _due <= ?",
        *(PENDING, time.time()),
    )
    return [row["n"] for row in rows]


def process(posting: Posting, number: int) -> bool:
    """Posts one staged row, or leaves it with its error."""
    books = posting.books
    row = _staged(books, number)
    if row is None:
        return False
    try:
        with books.line():
            posting.check_line(None)
            stock.apply(posting, _move(books, row))
    except LineError as error:
        told = {"ProcessStatus": ERROR, "ErrorCode": error.name, "ErrorExplanation": error.text}
        books.update(STAGED.table, told | {"LastUpdateDate": now_text()}, TransactionInterfaceId=number)
        return False
    books.execute("DELETE FROM staged_transaction WHERE TransactionInterfaceId = ?", number)
    return True


def _move(books: Books, row: dict[str, Any]) -> stock.Move:
    code = _BY_NAME.get(row["TransactionTypeName"])
    if code is None:
        text = f"The transaction type {row['TransactionTypeName']} is not valid; valid are {', '.join(_BY_NAME)}."
        raise LineError("INV_INVALID_TRANSACTION_TYPE", text)
    kind = stock.TYPES[code]
    quantity = row["TransactionQuantity"]
    if quantity == 0 or (quantity > 0) != (kind.sign > 0):
        expected = "positive" if kind.sign > 0 else "negative"
        text = f"The quantity of a {kind.name} must be {expected}, not {quantity_text(quantity)}."
        raise LineError("INV_INVALID_QUANTITY_SIGN", text)
    account = row["AccountCombination"] or row["AccountAliasCombination"] or ""
    if kind.needs_account and not account:
        raise LineError("INV_ACCOUNT_REQUIRED", f"A {kind.name} needs an account combination.")
    transfer = row["TransferSubinventory"] or ""
    if code == "SUBINVENTORY_TRANSFER" and (not transfer or transfer == row["SubinventoryCode"]):
        raise LineError("INV_TRANSFER_SUBINVENTORY_REQUIRED", "Enter another subinventory to transfer to.")
    item = stock.find_item(books, number=row["ItemNumber"], item_id=row["InventoryItemId"])
    stock.check_unit(books, item, row["TransactionUnitOfMeasure"], row["TransactionUOM"])
    return stock.Move(
        type=code,
        organization=_organization(books, row),
        item=item,
        quantity=abs(quantity),
        subinventory=row["SubinventoryCode"] or "",
        date=checked_date(books, row["TransactionDate"]),
        locator=row["Locator"] or "",
        lots=tuple((lot["LotNumber"] or "", abs(lot["TransactionQuantity"] or 0)) for lot in json.loads(row["_lots"])),
        serials=tuple(json.loads(row["_serials"])),
        transfer=transfer if code == "SUBINVENTORY_TRANSFER" else "",
        transfer_locator=row["TransferLocator"] or "",
        reference=row["TransactionReference"] or "",
        source_reference=row["ExternalSystemTransactionReference"] or "",
        reason=row["ReasonName"] or "",
        account=account,
        source=row["SourceCode"],
    )


def _organization(books: Books, row: dict[str, Any]) -> int:
    known = books.one(
        "SELECT OrganizationId AS n FROM organization WHERE OrganizationId = ? OR OrganizationCode IN (?, ?)",
        *(row["OrganizationId"], row["OrganizationName"], row["OrganizationCode"]),
    )
    if known is None:
        raise LineError("INV_INVALID_ORGANIZATION", "The organization is not valid.")
    return known["n"]


def _values(body: dict[str, Any], allowed: frozenset[str]) -> dict[str, Any]:
    return read_values(STAGED, {name: value for name, value in body.items() if name not in _CHILDREN}, allowed)


def _children(body: dict[str, Any]) -> dict[str, list[Any]]:
    lots = [line_values(lot, _LOT, "/lots", frozenset()) for lot in _rows(body, "lots")]
    serials: list[str] = []
    for row in _rows(body, "serials"):
        values = line_values(row, _SERIAL, "/serials", frozenset())
        serials.append(values.get("SerialNumber") or values.get("FromSerialNumber") or "")
    return {
        "lots": [
            {"LotNumber": lot.get("LotNumber"), "TransactionQuantity": lot.get("TransactionQuantity")} for lot in lots
        ],
        "serials": serials,
    }


def _rows(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = body.get(name) or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Refusal(BAD_REQUEST, f"{name} must be an array", path=f"/{name}")
    return rows


def _due(books: Books, mode: str) -> float | None:
    seconds = books.setting("background_seconds")
    return None if seconds is None or mode == ONLINE else time.time() + float(seconds)


def _staged(books: Books, number: int) -> dict[str, Any] | None:
    return books.one("SELECT * FROM staged_transaction WHERE TransactionInterfaceId = ?", number)


def _processed(row: dict[str, Any], audit: dict[str, Any]) -> dict[str, Any]:
    """The row as it was when it was processed; it cannot be read any more."""
    whole = dict.fromkeys(STAGED.attributes) | row | audit
    return whole | {"ProcessStatus": SUCCEEDED, "ErrorCode": None, "ErrorExplanation": None}


_VALIDATION = attributes(
    "OrganizationId:i OrganizationCode:s18 InventoryItemId:i ItemNumber:s300 SubinventoryCode:s18 Locator:s800"
    " LotNumber:s80 TransactionTypeName:s80 TransactionQuantity:n TransactionUnitOfMeasure:s25 TransactionUOM:s3"
    " TransferSubinventory:s18"
)


class _Nothing(Exception):
    """Undoes what a validation tried."""


def validate(call: Call) -> Job:
    """validateInventoryTransactionQuantities: says whether a transaction would go through, and posts nothing."""
    require_media(call.media, (ITEM, JSON))
    values: dict[str, Any] = {}
    for name, value in parse_json(call.raw).items():
        if name not in _VALIDATION:
            raise unknown(name, "")
        values[name] = stored(_VALIDATION[name], value)

    def work(posting: Posting) -> Answer:
        told = {"ReturnStatus": "SUCCESS", "ReturnMessageName": None, "ReturnMessageText": None}
        try:
            with posting.books.line():
                _try(posting, values)
                raise _Nothing
        except LineError as error:
            told = {"ReturnStatus": "ERROR", "ReturnMessageName": error.name, "ReturnMessageText": error.text}
        except _Nothing:
            pass
        shown_values = {name: values.get(name) for name in _VALIDATION}
        quantity = values.get("TransactionQuantity") or 0
        return Answer(201, shown_values | {"TransactionQuantity": quantity / MICRO} | told, ITEM)

    return Job(work)


def _try(posting: Posting, values: dict[str, Any]) -> None:
    row = dict.fromkeys((*STAGED.attributes, *_VALIDATION)) | values
    row |= {"AccountCombination": "validation", "_serials": "[]", "SourceCode": "validation"}
    lot, quantity = values.get("LotNumber"), values.get("TransactionQuantity") or 0
    row["TransactionQuantity"] = quantity
    row["TransactionTypeName"] = values.get("TransactionTypeName") or "Miscellaneous Issue"
    row["_lots"] = json.dumps([{"LotNumber": lot, "TransactionQuantity": quantity}] if lot else [])
    stock.apply(posting, _move(posting.books, row))
