"""Material documents of API_MATERIAL_DOCUMENT_SRV: creation and cancellation, all lines or none."""

from typing import Any

from simulators.sap import goods, goods_documents
from simulators.sap.books import Books, today_ms
from simulators.sap.confirmation_rules import Posting
from simulators.sap.messages import DOCUMENT_CONTAINER, Refusal
from simulators.sap.movements import MOVEMENTS, USABILITY, Header, Line
from simulators.sap.orders import refresh

_STOCK_TYPES = ("", "01", "02", "07")
_UNSUPPORTED = "MM_IM_ODATA_API_MDOC/011"


def create(posting: Posting, header: dict[str, Any], items: list[dict[str, Any]]) -> tuple[str, str]:
    """Posts every item or refuses with the first reason, hidden behind the container code as in the original."""
    try:
        return _create(posting, header, items)
    except Refusal as refusal:
        raise refusal.inside(DOCUMENT_CONTAINER) from None


def _create(posting: Posting, header: dict[str, Any], items: list[dict[str, Any]]) -> tuple[str, str]:
    if not items:
        raise Refusal("M7/061", "The document contains no items")
    code = header.get("GoodsMovementCode", "")
    date = today_ms() if header.get("PostingDate") is None else header["PostingDate"]
    goods.check_period(posting.books, date)
    lines = [posted for item in items for posted in goods.post(posting.books, _line(code, item))]
    document = Header(
        date,
        header.get("DocumentDate"),
        code,
        "" if posting.forget_keys else header.get("ReferenceDocument", ""),
        header.get("MaterialDocumentHeaderText", ""),
        posting.user,
        posting.manual,
    )
    key = goods_documents.record(posting.books, document, lines)
    for order in {line.order for line in lines if line.order}:
        refresh(posting.books, order)
    return key


def _line(code: str, item: dict[str, Any]) -> Line:
    kind = item.get("GoodsMovementType", "")
    movement = MOVEMENTS.get(kind)
    if movement is None:
        raise Refusal("M7/202", f"Movement type {kind or '(none)'} is not provided for", target="GoodsMovementType")
    if code not in movement.codes:
        text = f"Movement type {kind} is not allowed with goods movement code '{code}' ({' or '.join(movement.codes)})"
        raise Refusal(_UNSUPPORTED, text, target="GoodsMovementCode")
    if kind == "262" and item.get("MaterialDocumentPostingType") != "1":
        text = "Movement type 262 with code 06 needs MaterialDocumentPostingType '1'"
        raise Refusal(_UNSUPPORTED, text, target="MaterialDocumentPostingType")
    usability = item.get("InventoryUsabilityCode", "")
    if usability:
        if usability not in USABILITY or not movement.receipt or item.get("InventoryStockType"):
            text = f"Property InventoryUsabilityCode '{usability}' is not supported for movement type {kind}"
            raise Refusal(_UNSUPPORTED, text, target="InventoryUsabilityCode")
        item = item | {"InventoryStockType": USABILITY[usability]}
    _check_item(kind, item)
    return Line(
        movement=kind,
        material=item.get("Material", ""),
        plant=item.get("Plant", ""),
        quantity=item.get("QuantityInEntryUnit", 0),
        unit=item.get("EntryUnit", ""),
        storage_location=item.get("StorageLocation", ""),
        batch=item.get("Batch", ""),
        stock_type="" if item.get("InventoryStockType") == "01" else item.get("InventoryStockType", ""),
        order=item.get("ManufacturingOrder", ""),
        order_item=item.get("ManufacturingOrderItem", "0"),
        reservation=item.get("Reservation", "0"),
        reservation_item=item.get("ReservationItem", "0"),
        finally_issued=bool(item.get("ReservationIsFinallyIssued")),
        completely_delivered=bool(item.get("IsCompletelyDelivered")),
        other_location=item.get("IssuingOrReceivingStorageLoc", "") if kind in ("311", "312") else "",
        reason=item.get("GoodsMovementReasonCode", "0"),
        cost_centre=item.get("CostCenter", ""),
        account=item.get("GLAccount", ""),
        text=item.get("MaterialDocumentItemText", ""),
        serials=item.get("_serials", ()),
    )


def _check_item(kind: str, item: dict[str, Any]) -> None:
    movement = MOVEMENTS[kind]
    if movement.for_order and not item.get("ManufacturingOrder"):
        raise Refusal("M7/018", "Enter Order", target="ManufacturingOrder")
    if kind in ("101", "102") and item.get("GoodsMovementRefDocType") != "F":
        text = f"Movement type {kind} for an order needs GoodsMovementRefDocType 'F'"
        raise Refusal(_UNSUPPORTED, text, target="GoodsMovementRefDocType")
    if kind in ("201", "202") and not item.get("CostCenter"):
        raise Refusal("M7/018", "Enter Cost Center", target="CostCenter")
    if not movement.receipt and item.get("InventoryStockType", "") not in ("", "01", movement.source, movement.target):
        text = f"Property InventoryStockType is not supported for movement type {kind}"
        raise Refusal(_UNSUPPORTED, text, target="InventoryStockType")
    if item.get("InventoryStockType", "") not in _STOCK_TYPES:
        text = f"Stock type {item['InventoryStockType']} is not 01, 02 or 07"
        raise Refusal(_UNSUPPORTED, text, target="InventoryStockType")


def items_of(books: Books, year: str, number: str) -> list[dict[str, Any]]:
    rows = books.all(
        "SELECT * FROM material_document_item WHERE MaterialDocumentYear = ? AND MaterialDocument = ?"
        " ORDER BY CAST(MaterialDocumentItem AS INTEGER)",
        year,
        number,
    )
    if not rows:
        raise Refusal("M7/001", f"Material document {number} {year} does not exist", container=DOCUMENT_CONTAINER)
    return rows


def cancel(posting: Posting, year: str, number: str, item: str | None, posting_date: int | None) -> tuple[str, str]:
    """Posts the opposite of a document, or of one of its items, and marks what it cancelled."""
    try:
        return _cancel(posting, year, number, item, posting_date)
    except Refusal as refusal:
        raise refusal.inside(DOCUMENT_CONTAINER) from None


def _cancel(posting: Posting, year: str, number: str, item: str | None, posting_date: int | None) -> tuple[str, str]:
    rows = items_of(posting.books, year, number)
    if item is not None:
        rows = [row for row in rows if row["MaterialDocumentItem"] == item]
        if not rows:
            raise Refusal("M7/001", f"Material document {number} {year} has no item {item}")
    if rows[0]["_group"]:
        confirmation = f"{rows[0]['_group']}/{rows[0]['_count']}"
        raise Refusal(
            "M7/103", f"Material document {number} {year} belongs to confirmation {confirmation}: cancel that"
        )
    if any(row["_lot"] and row["GoodsMovementType"] != "101" for row in rows):
        raise Refusal("QA/203", f"Material document {number} {year} posted stock of an inspection lot: it stands")
    if any(row["ReversedMaterialDocument"] for row in rows):
        raise Refusal("M7/102", f"Material document {number} {year} is a cancellation and cannot be cancelled")
    rows = [row for row in rows if not row["GoodsMovementIsCancelled"]]
    if not rows:
        raise Refusal("M7/102", f"Material document {number} {year} has already been cancelled")
    date = today_ms() if posting_date is None else posting_date
    goods.check_period(posting.books, date)
    header = Header(date, code="06", user=posting.user, manual=posting.manual)
    documents = goods_documents.reverse_rows(posting.books, header, rows)
    for order in {row["ManufacturingOrder"] for row in rows if row["ManufacturingOrder"]}:
        refresh(posting.books, order)
    return documents[0]
