"""POST on the simulated services: finds the business call behind an address and says which orders it locks.

The call itself runs later, inside one transaction and under its locks, where app.py decides.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from simulators.sap import cancellations, confirmations, edm, material_documents, order_actions, proposals
from simulators.sap.books import Books
from simulators.sap.client_lines import client_line
from simulators.sap.confirmation_rules import Posting
from simulators.sap.confirmations import find_confirmation
from simulators.sap.messages import Refusal, not_found
from simulators.sap.odata import Answer, entity_uri, render
from simulators.sap.orders import find_order
from simulators.sap.payload import arguments, parse_body, parse_entity, required
from simulators.sap.reading import Address, find_entity

PROPOSALS = ("GetConfProposal", "GetGdsMvtProposal")
_CONFIRMATION = edm.CONFIRMATION.properties
_DOCUMENT_ITEM = edm.DOCUMENT_ITEM.properties


@dataclass(frozen=True)
class Job:
    """`work` runs inside a transaction; `orders` are locked from acceptance to commit."""

    orders: frozenset[str]
    work: Callable[[Posting], Answer]


def is_reading(method: str, path: str) -> bool:
    """Proposals are POSTed but write nothing."""
    return method in ("GET", "HEAD") or path.rstrip("/").rsplit("/", 1)[-1] in PROPOSALS


def find_job(books: Books, base: str, request: Request, address: Address, raw: bytes) -> Job:
    name = address.segments[0].name if address.segments else ""
    if name == "$batch":
        text = "$batch is not available here; send the calls one by one"
        raise Refusal("/IWBEP/CM_MGW_RT/501", text, status=501)
    if len(address.segments) > 1 or (address.segments and address.segments[0].predicate is not None):
        raise method_not_allowed(request.method, name)
    options = dict(request.query_params)
    match address.service, name:
        case edm.CONFIRMATION_SERVICE, "ProdnOrdConf2":
            return _create_confirmation(books, base, parse_body(request, raw))
        case edm.CONFIRMATION_SERVICE, "CancelProdnOrdConf":
            return _cancel_confirmation(books, base, options)
        case edm.CONFIRMATION_SERVICE, "GetConfProposal":
            return Job(frozenset(), lambda posting: proposals.confirmation(posting.books, options))
        case edm.CONFIRMATION_SERVICE, "GetGdsMvtProposal":
            return Job(frozenset(), lambda posting: proposals.goods_movements(posting.books, options))
        case edm.DOCUMENT_SERVICE, "A_MaterialDocumentHeader":
            return _create_document(books, base, parse_body(request, raw))
        case edm.DOCUMENT_SERVICE, "Cancel" | "CancelItem":
            return _cancel_document(books, base, options, item=name == "CancelItem")
        case edm.ORDER_SERVICE, action if action in order_actions.ACTIONS:
            return _order_action(books, action, options)
        case _:
            if name in edm.ENTITIES and edm.ENTITIES[name].service == address.service:
                raise method_not_allowed(request.method, name)
            raise not_found(name)


def method_not_allowed(method: str, name: str) -> Refusal:
    text = f"Method '{method}' is not supported for '{name}'"
    return Refusal("/IWBEP/CM_MGW_RT/021", text, status=405, headers={"allow": "GET"})


def _locked(books: Books, numbers: set[str]) -> frozenset[str]:
    return frozenset(find_order(books, number)["ManufacturingOrder"] for number in numbers if number)


def _created(base: str, entity: edm.EntityType, row: dict[str, Any], posting: Posting, extra: dict[str, Any]) -> Answer:
    headers = {"location": entity_uri(base, entity, row)} | posting.warning_header()
    return Answer(201, {"d": render(base, entity, row) | extra}, headers)


def _create_confirmation(books: Books, base: str, body: dict[str, Any]) -> Job:
    fields, rows = parse_entity(edm.CONFIRMATION, body, "to_ProdnOrdConfMatlDocItm")

    def work(posting: Posting) -> Answer:
        order = find_order(posting.books, fields.get("OrderID", ""))
        lines = None if rows is None else [client_line(posting.books, order, row) for row in rows]
        # An empty list is how clients say "no items": the standard control applies, as when the array is absent.
        key = confirmations.confirm(posting, dict(fields), lines or None)
        row = find_confirmation(posting.books, *key)
        return _created(base, edm.CONFIRMATION, row, posting, {})

    return Job(_locked(books, {fields.get("OrderID", "")}), work)


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


def _cancel_confirmation(books: Books, base: str, options: dict[str, str]) -> Job:
    values = arguments(options, _CANCEL_ARGUMENTS)
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
        return Answer(200, {"d": render(base, edm.CONFIRMATION, row)}, posting.warning_header())

    return Job(frozenset({original["OrderID"]}), work)


def _create_document(books: Books, base: str, body: dict[str, Any]) -> Job:
    header, rows = parse_entity(edm.DOCUMENT, body, "to_MaterialDocumentItem")
    items = [parse_entity(edm.DOCUMENT_ITEM, row, "", ignored=frozenset({"to_SerialNumbers"}))[0] for row in rows or []]

    def work(posting: Posting) -> Answer:
        year, number = material_documents.create(posting, header, items)
        row = find_entity(posting.books, edm.DOCUMENT, {"MaterialDocumentYear": year, "MaterialDocument": number})
        # The original's answer may leave the items out; clients have to read the document back.
        return _created(base, edm.DOCUMENT, row, posting, {"to_MaterialDocumentItem": {"results": []}})

    return Job(_locked(books, {item.get("ManufacturingOrder", "") for item in items}), work)


_DOCUMENT_ARGUMENTS = {
    name: _DOCUMENT_ITEM[name] for name in ("MaterialDocumentYear", "MaterialDocument", "MaterialDocumentItem")
} | {"PostingDate": edm.DOCUMENT.properties["PostingDate"]}


def _cancel_document(books: Books, base: str, options: dict[str, str], *, item: bool) -> Job:
    values = arguments(options, _DOCUMENT_ARGUMENTS)
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
            return Answer(200, {"d": render(base, edm.DOCUMENT_ITEM, row)})
        row = find_entity(posting.books, edm.DOCUMENT, key)
        return Answer(200, {"d": render(base, edm.DOCUMENT, row)})

    return Job(_locked(books, {row["ManufacturingOrder"] for row in rows}), work)


def _order_action(books: Books, name: str, options: dict[str, str]) -> Job:
    values = arguments(options, {"ManufacturingOrder": edm.ORDER.properties["ManufacturingOrder"]})
    required(values, "ManufacturingOrder")
    order = values["ManufacturingOrder"]

    def work(posting: Posting) -> Answer:
        return Answer(200, {"d": {name: order_actions.run(posting.books, name, order)}})

    return Job(_locked(books, {order}), work)
