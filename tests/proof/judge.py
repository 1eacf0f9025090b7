"""The judge of a proof: the ERP's own books against the plan. Our ledger is asked only whether it agrees."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ledger.store import SqlLedger
from signals.documents import PostingState
from tests.proof.plan import FIRST, LAST, ON_STOCK, PLANT, Booked, Plan, component

_PRODUCTION = {
    "sap": ("confirmation",),
    "oracle": ("confirmation",),
    "dynamics": ("report_as_finished", "route_card"),
}
"""Kinds of documents that say what was made."""


def production_documents(erp: str, books: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Documents that count pieces; in Dynamics the posted ones."""
    return [d for d in books["documents"] if d["kind"] in _PRODUCTION[erp] and d.get("counts", True)]


def lines_of_books(erp: str, books: Mapping[str, Any]) -> Counter[Booked]:
    """What was made by whichever document, each quantity as often as it was booked."""
    found: Counter[Booked] = Counter()
    for document in production_documents(erp, books):
        for what in ("yield", "scrap"):
            if Decimal(document[what]):
                found[document["order"], document["operation"], what, Decimal(document[what])] += 1
    return found


def document_name(erp: str, document: Mapping[str, Any]) -> str:
    """The document's number as our adapter writes it."""
    if erp != "dynamics":
        return str(document["id"])
    route = document["kind"] == "route_card"
    return f"ROUTE/{document['journal']}/{document['operation']}" if route else f"RAF/{document['journal']}"


@dataclass
class Verdict:
    """What is wrong, each as a list of sentences; all empty where the books are exact."""

    missing: int = 0
    duplicate: int = 0
    wrong: list[str] = field(default_factory=list[str])


def judge(erp: str, plan: Plan, books: Mapping[str, Any]) -> Verdict:
    """Every planned line once, sums, components, stock, and one document per key where documents carry keys."""
    planned, booked = plan.booked(), lines_of_books(erp, books)
    verdict = Verdict((planned - booked).total(), (booked - planned).total())
    say = verdict.wrong.append
    orders = {o["order"]: o for o in books["orders"]}
    stock: dict[str, Decimal] = defaultdict(Decimal)
    for row in books["stock"]:
        stock[row["material"]] += Decimal(row["quantity"])
    for (order, operation), (good, scrap) in plan.totals().items():
        shown = next(o for o in orders[order]["operations"] if o["operation"] == operation)
        if (Decimal(shown["yield"]), Decimal(shown["scrap"])) != (good, scrap):
            say(f"{order}/{operation}: {shown['yield']} and {shown['scrap']} booked, {good} and {scrap} made")
    for order in plan.orders:
        for operation in (FIRST, LAST):
            material = component(order, operation)
            wanted = plan.withdrawn(order, operation, at_receipt=erp == "dynamics")
            taken = sum(Decimal(c["withdrawn"]) for c in orders[order]["components"] if c["material"] == material)
            if taken != wanted or stock[material] != ON_STOCK - wanted:
                say(f"{material}: {taken} withdrawn, {stock[material]} left, {wanted} used")
        if stock[f"F{order}"] != plan.received(order):
            say(f"F{order}: {stock[f'F{order}']} on stock, {plan.received(order)} made")
    for document in production_documents(erp, books):
        if document["reversed"] or document["reversal"] or document["manual"]:
            say(f"{document['id']} was reversed or entered by hand")
    if erp != "dynamics":
        _judge_keys(erp, plan, books, say)
    return verdict


def _judge_keys(erp: str, plan: Plan, books: Mapping[str, Any], say: Any) -> None:
    """Each posting's key stands on its own documents: one, or in Oracle one per state that pieces went to."""
    shown = Counter(d["key"] for d in production_documents(erp, books))
    for posting in plan.postings:
        key = str(posting.key)
        wanted = len(posting.lines) if erp == "oracle" else 1
        if shown.pop(key, 0) != wanted:
            say(f"{posting.order} number {posting.number}: its key does not stand on {wanted} document(s)")
    if shown:
        say(f"{shown.total()} documents carry no key of the plan: {list(shown)[:3]}")


async def unsettled(ledger: SqlLedger, plan: Plan) -> list[str]:
    """Postings that the ledger does not hold as booked, and open cases."""
    found: list[str] = []
    for order in plan.orders:
        postings = await ledger.order_postings(PLANT, order)
        booked = (PostingState.POSTED, PostingState.ADOPTED)
        found += [f"{p.order} {p.type} {p.key} is {p.state}: {p.message}" for p in postings if p.state not in booked]
    return found + [f"open: {c.kind} {c.order} {c.summary}" for c in await ledger.cases(PLANT)]
