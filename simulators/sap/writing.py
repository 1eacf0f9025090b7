"""Writing calls on the simulated services: finds the business call behind an address and says which orders it locks.

The call itself runs later, inside one transaction and under its locks, where system.py decides.
"""

from collections.abc import Callable
from typing import Any

from simulators.sap import (
    cancellations,
    capacity,
    confirmations,
    defects,
    edm,
    edm_maintenance,
    inspection,
    maintenance,
    material_documents,
    order_actions,
    order_changes,
    proposals,
    quality_notifications,
)
from simulators.sap.books import Books
from simulators.sap.call import Call
from simulators.sap.catalogue import ENTITIES
from simulators.sap.client_lines import client_line
from simulators.sap.confirmation_rules import Posting
from simulators.sap.confirmations import find_confirmation
from simulators.sap.edm_capacity import WORK_CENTRE_SERVICE
from simulators.sap.edm_quality import DEFECT_SERVICE, INSPECTION_SERVICE, QUALITY_NOTIFICATION_SERVICE
from simulators.sap.job import Job, created, locked, shown
from simulators.sap.messages import method_not_allowed, not_found
from simulators.sap.odata import Answer
from simulators.sap.orders import find_order
from simulators.sap.payload import arguments, parse_body, parse_entity, required
from simulators.sap.reading import Address, find_entity, parse_address
from simulators.sap.reading4 import parse_address4

_CONFIRMATION = edm.CONFIRMATION.properties
_DOCUMENT_ITEM = edm.DOCUMENT_ITEM.properties


def find_job(books: Books, call: Call) -> Job:
    """Raises Refusal where no service takes the call."""
    if call.v4:
        service, _ = parse_address4(call.path)
        return _V4_SERVICES[service](books, call)
    address = parse_address(call.path)
    job = _SERVICES.get(address.service, _no_call)(books, call, address)
    if job is not None:
        return job
    name = address.segments[0].name if address.segments else ""
    known = name in ENTITIES and ENTITIES[name].service == address.service
    if known or call.method != "POST":
        raise method_not_allowed(call.method, name)
    raise not_found(name)


def _no_call(books: Books, call: Call, address: Address) -> Job | None:
    return None


def _one_name(call: Call, address: Address) -> str:
    """The set or function import of a POST that goes no deeper; "" for anything else."""
    alone = len(address.segments) == 1 and address.segments[0].predicate is None
    return address.segments[0].name if call.method == "POST" and alone else ""


def _confirmation_call(books: Books, call: Call, address: Address) -> Job | None:
    match _one_name(call, address):
        case "ProdnOrdConf2":
            return _create_confirmation(books, call)
        case "CancelProdnOrdConf":
            return _cancel_confirmation(books, call)
        case "GetConfProposal":
            return Job(frozenset(), lambda posting: proposals.confirmation(posting.books, call.options))
        case "GetGdsMvtProposal":
            return Job(frozenset(), lambda posting: proposals.goods_movements(posting.books, call.options))
        case _:
            return None


def _document_call(books: Books, call: Call, address: Address) -> Job | None:
    match _one_name(call, address):
        case "A_MaterialDocumentHeader":
            return _create_document(books, call)
        case "Cancel" | "CancelItem" as name:
            return _cancel_document(books, call, item=name == "CancelItem")
        case _:
            return None


def _order_call(books: Books, call: Call, address: Address) -> Job | None:
    name = _one_name(call, address)
    if name in order_actions.ACTIONS:
        return _order_action(books, name, call.options)
    return order_changes.find_job(books, call, address)


_SERVICES: dict[str, Callable[[Books, Call, Address], Job | None]] = {
    edm.CONFIRMATION_SERVICE: _confirmation_call,
    edm.DOCUMENT_SERVICE: _document_call,
    edm.ORDER_SERVICE: _order_call,
    edm_maintenance.MAINTENANCE_SERVICE: maintenance.find_job,
    INSPECTION_SERVICE: inspection.find_job,
    DEFECT_SERVICE: defects.find_job,
}
_V4_SERVICES: dict[str, Callable[[Books, Call], Job]] = {
    WORK_CENTRE_SERVICE: capacity.find_job,
    QUALITY_NOTIFICATION_SERVICE: quality_notifications.find_job,
}


def _create_confirmation(books: Books, call: Call) -> Job:
    fields, rows = parse_entity(edm.CONFIRMATION, parse_body(call), "to_ProdnOrdConfMatlDocItm")

    def work(posting: Posting) -> Answer:
        order = find_order(posting.books, fields.get("OrderID", ""))
        lines = None if rows is None else [client_line(posting.books, order, row) for row in rows]
        # An empty list is how clients say "no items": the standard control applies, as when the array is absent.
        key = confirmations.confirm(posting, dict(fields), lines or None)
        row = find_confirmation(posting.books, *key)
        return created(call, edm.CONFIRMATION, row, posting)

    return Job(locked(books, fields.get("OrderID", "")), work)


_CANCEL_ARGUMENTS = {
    name: _CONFIRMATION[name]
    for name in (
        "ConfirmationGroup",
        "ConfirmationCount",
        "PostingDate",
        "ConfirmationText",
        "ExternalSystemConfirmation",
    )
}


def _cancel_confirmation(books: Books, call: Call) -> Job:
    values = arguments(call.options, _CANCEL_ARGUMENTS)
    required(values, "ConfirmationGroup", "ConfirmationCount")
    original = find_confirmation(books, values["ConfirmationGroup"], values["ConfirmationCount"])

    def work(posting: Posting) -> Answer:
        key = cancellations.cancel(
            posting,
            values["ConfirmationGroup"],
            values["ConfirmationCount"],
            posting_date=values.get("PostingDate"),
            text=values.get("ConfirmationText") or "",
            key=values.get("ExternalSystemConfirmation") or "",
        )
        row = find_confirmation(posting.books, *key)
        return shown(call, edm.CONFIRMATION, row, posting)

    return Job(frozenset({original["OrderID"]}), work)


def _create_document(books: Books, call: Call) -> Job:
    header, rows = parse_entity(edm.DOCUMENT, parse_body(call), "to_MaterialDocumentItem")
    items = [_document_item(row) for row in rows or []]

    def work(posting: Posting) -> Answer:
        year, number = material_documents.create(posting, header, items)
        row = find_entity(posting.books, edm.DOCUMENT, {"MaterialDocumentYear": year, "MaterialDocument": number})
        # The original's answer may leave the items out; clients have to read the document back.
        return created(call, edm.DOCUMENT, row, posting, {"to_MaterialDocumentItem": {"results": []}})

    return Job(locked(books, *(item.get("ManufacturingOrder", "") for item in items)), work)


def _document_item(body: dict[str, Any]) -> dict[str, Any]:
    item, rows = parse_entity(edm.DOCUMENT_ITEM, body, "to_SerialNumbers")
    serials = [parse_entity(edm.SERIAL, row, "")[0].get("SerialNumber", "") for row in rows or []]
    return item | {"_serials": tuple(serials)}


_DOCUMENT_ARGUMENTS = {
    name: _DOCUMENT_ITEM[name] for name in ("MaterialDocumentYear", "MaterialDocument", "MaterialDocumentItem")
} | {"PostingDate": edm.DOCUMENT.properties["PostingDate"]}


def _cancel_document(books: Books, call: Call, *, item: bool) -> Job:
    values = arguments(call.options, _DOCUMENT_ARGUMENTS)
    names = ("MaterialDocumentYear", "MaterialDocument", "MaterialDocumentItem")
    required(values, *(names if item else names[:2]))
    rows = material_documents.items_of(books, values["MaterialDocumentYear"], values["MaterialDocument"])

    def work(posting: Posting) -> Answer:
        chosen = values["MaterialDocumentItem"] if item else None
        year, number = material_documents.cancel(
            posting, values["MaterialDocumentYear"], values["MaterialDocument"], chosen, values.get("PostingDate")
        )
        key = {"MaterialDocumentYear": year, "MaterialDocument": number}
        if item:
            row = find_entity(posting.books, edm.DOCUMENT_ITEM, key | {"MaterialDocumentItem": "1"})
            return shown(call, edm.DOCUMENT_ITEM, row, posting)
        row = find_entity(posting.books, edm.DOCUMENT, key)
        return shown(call, edm.DOCUMENT, row, posting)

    return Job(locked(books, *(row["ManufacturingOrder"] for row in rows)), work)


def _order_action(books: Books, name: str, options: dict[str, str]) -> Job:
    values = arguments(options, {"ManufacturingOrder": edm.ORDER.properties["ManufacturingOrder"]})
    required(values, "ManufacturingOrder")
    order = values["ManufacturingOrder"]

    def work(posting: Posting) -> Answer:
        return Answer(200, {"d": {name: order_actions.run(posting.books, name, order)}})

    return Job(locked(books, order), work)
