"""The comparison at the end: what the machine made, what Plantwright knows, what the ERP believes. Pure.

Nothing may cancel out: pieces are compared per order, operation and kind, and components, stock and document keys
on their own, so that one missing and one double posting are two differences and not none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from typing import Any, NamedTuple

from ledger.port import OrderTrace
from signals.base import ZERO
from signals.decisions import PostingMode
from signals.documents import PostingState
from signals.transactions import ConfirmProduction

SMALLEST = Decimal("0.001")
UNLISTED = "unlisted/"
KEYLESS = frozenset({"report_as_finished", "route_card"})
CONFIRMATIONS = KEYLESS | {"confirmation"}
"""What the ERPs' books call a confirmation; Dynamics has a journal for each kind of operation."""
BOOKED = (PostingState.POSTED, PostingState.ADOPTED)
UNKNOWN = (PostingState.IN_DOUBT, PostingState.SENT)


class Pieces(NamedTuple):
    """Good and scrapped pieces of one operation."""

    good: Decimal = ZERO
    scrap: Decimal = ZERO

    def plus(self, good: Decimal, scrap: Decimal) -> Pieces:
        return Pieces(self.good + good, self.scrap + scrap)

    def text(self) -> str:
        return f"{_text(self.good)} good and {_text(self.scrap)} scrap"


class Place(NamedTuple):
    """An operation of an order."""

    order: str
    operation: str

    def text(self) -> str:
        return f"order {self.order} operation {self.operation}"


Figures = Mapping[Place, Pieces]


@dataclass(frozen=True)
class OwnBooks:
    """What Plantwright's ledger says, reduced to what is compared."""

    counted: Figures
    booked: Figures
    shadow: Figures
    keys: frozenset[str]
    documents: frozenset[str]
    in_doubt: int
    unlisted: tuple[tuple[Place, Pieces], ...] = ()
    would_post: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Comparison:
    """The verdict. `differences` are sentences; none means that the books agree."""

    operations: tuple[dict[str, Any], ...]
    missing: int
    duplicate: int
    documents: int
    differences: tuple[str, ...]

    @property
    def agree(self) -> bool:
        return not self.differences


def machine_figures(truth: Mapping[str, Any]) -> dict[Place, Pieces]:
    """What was really made, from the line's own control side."""
    return {
        Place(order["order"], o["operation"]): Pieces(Decimal(o["yield"]), Decimal(o["scrap"]))
        for order in truth.get("orders", ())
        for o in order["operations"]
    }


def erp_figures(books: Mapping[str, Any]) -> dict[Place, Pieces]:
    """What the ERP has confirmed."""
    return {
        Place(order["order"], o["operation"]): Pieces(Decimal(o["yield"]), Decimal(o["scrap"]))
        for order in books.get("orders", ())
        for o in order["operations"]
    }


def own_books(traces: Mapping[str, OrderTrace], totals: Figures) -> OwnBooks:
    """The ledger's side: what was counted, what is booked (`totals`), and the keys it stands for."""
    counted: dict[Place, Pieces] = defaultdict(Pieces)
    shadow: dict[Place, Pieces] = defaultdict(Pieces)
    would_post: list[dict[str, Any]] = []
    for order, trace in traces.items():
        for report in (m.report for m in trace.messages if m.report is not None):
            place = Place(order, report.bucket.operation)
            counted[place] = counted[place].plus(report.yield_quantity, report.scrap_quantity)
        for posting in trace.postings:
            if posting.state is PostingState.SHADOW:
                would_post.append(_would_post(order, posting))
                if isinstance(posting.transaction, ConfirmProduction):
                    place = Place(order, posting.operation)
                    t = posting.transaction
                    shadow[place] = shadow[place].plus(t.yield_quantity, t.scrap_quantity)
    postings = [p for trace in traces.values() for p in trace.postings]
    return OwnBooks(
        counted=dict(counted),
        booked=dict(totals),
        shadow=dict(shadow),
        keys=frozenset(str(p.key).lower() for p in postings if p.state in BOOKED),
        documents=frozenset(d.document for trace in traces.values() for d in trace.documents),
        unlisted=tuple(
            (Place(order, d.operation), Pieces(d.yield_quantity, d.scrap_quantity))
            for order, trace in traces.items()
            for d in trace.documents
            if d.document.startswith(UNLISTED)
        ),
        in_doubt=sum(p.state in UNKNOWN for p in postings),
        would_post=tuple(would_post),
    )


def _would_post(order: str, posting: Any) -> dict[str, Any]:
    t = posting.transaction
    quantities: dict[str, Any] = {}
    if isinstance(t, ConfirmProduction):
        quantities = {"yield": _text(t.yield_quantity), "scrap": _text(t.scrap_quantity), "final": t.final}
    return {
        "order": order,
        "operation": posting.operation,
        "type": posting.type.value,
        **quantities,
        "posting_date": t.posting_date.isoformat(),
        "reports": len(posting.report_ids),
    }


def compare(
    truth: Mapping[str, Any],
    own: OwnBooks,
    books: Mapping[str, Any],
    stock_before: Iterable[Mapping[str, Any]],
    mode: PostingMode,
) -> Comparison:
    """Compare the three. In mode shadow the ERP must be untouched, and what would have been posted is compared."""
    machine, erp = machine_figures(truth), erp_figures(books)
    ours = own.shadow if mode is PostingMode.SHADOW else own.booked
    judged = ours if mode is PostingMode.SHADOW else erp
    places = sorted({*machine, *erp, *ours, *own.counted})
    differences = [*_counted_differences(places, machine, own.counted), *_piece_differences(places, machine, ours)]
    if mode is PostingMode.SHADOW:
        differences += _touched(books)
    else:
        differences += _piece_differences(places, machine, erp, who="the ERP")
        differences += _component_differences(machine, books)
        differences += _receipt_differences(machine, books)
        differences += _stock_differences(machine, books, stock_before)
        differences += key_differences(own, books)
        differences += _unsettled(books)
    gaps = [gap for place in places for gap in _gaps(machine.get(place, Pieces()), judged.get(place, Pieces()))]
    return Comparison(
        operations=tuple(_row(place, machine, ours, erp) for place in places),
        missing=_whole(sum((gap for gap in gaps if gap > 0), ZERO)),
        duplicate=_whole(-sum((gap for gap in gaps if gap < 0), ZERO)),
        documents=len(standing(books)),
        differences=tuple(differences),
    )


def _gaps(machine: Pieces, judged: Pieces) -> tuple[Decimal, Decimal]:
    return machine.good - judged.good, machine.scrap - judged.scrap


def _row(place: Place, machine: Figures, ours: Figures, erp: Figures) -> dict[str, Any]:
    sides = {"machine": machine, "plantwright": ours, "erp": erp}
    return {
        "order": place.order,
        "operation": place.operation,
        **{name: _shown(side.get(place, Pieces())) for name, side in sides.items()},
    }


def _shown(pieces: Pieces) -> dict[str, str]:
    return {"yield": _text(pieces.good), "scrap": _text(pieces.scrap)}


def _text(quantity: Decimal) -> str:
    """Without an exponent and without zeros behind the point."""
    return f"{quantity.normalize():f}" if quantity else "0"


def _whole(pieces: Decimal) -> int:
    return int(pieces.to_integral_value(rounding=ROUND_CEILING))


def _counted_differences(places: list[Place], machine: Figures, counted: Figures) -> Iterator[str]:
    yield from _piece_differences(places, machine, counted, who="the count")


def _piece_differences(
    places: list[Place], machine: Figures, other: Figures, who: str = "Plantwright"
) -> Iterator[str]:
    for place in places:
        made, said = machine.get(place, Pieces()), other.get(place, Pieces())
        if made != said:
            yield (
                f"{place.text()}: the machine made {made.text()}, {who} has {_text(said.good)} and {_text(said.scrap)}"
            )


def _touched(books: Mapping[str, Any]) -> Iterator[str]:
    for document in books.get("documents", ()):
        if not document.get("manual"):
            yield f"mode shadow posts nothing, but the ERP has {document['kind']} {document['id']}"


def _component_differences(machine: Figures, books: Mapping[str, Any]) -> Iterator[str]:
    for order, component, expected in _consumption(machine, books):
        withdrawn = Decimal(component["withdrawn"])
        if abs(withdrawn - expected) >= SMALLEST:
            yield (
                f"order {order} component {component['material']} of operation {component['operation']}: "
                f"{_text(expected)} should have been withdrawn, {_text(withdrawn)} were"
            )


def _consumption(machine: Figures, books: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], Decimal]]:
    """Per component of an order: what the pieces really made should have taken, by the order's own ratio."""
    for order in books.get("orders", ()):
        planned = {o["operation"]: Decimal(o["planned"]) for o in order["operations"]}
        for component in order["components"]:
            made = machine.get(Place(order["order"], component["operation"]), Pieces())
            base = planned.get(component["operation"], ZERO)
            ratio = Decimal(component["required"]) / base if base else ZERO
            yield order["order"], component, ratio * (made.good + made.scrap)


def _receipts(machine: Figures, books: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], Decimal]]:
    for order in books.get("orders", ()):
        last = max(o["operation"] for o in order["operations"])
        made = machine.get(Place(order["order"], last), Pieces()).good
        for item in order["items"]:
            if item["material"] == order["material"]:
                yield order["order"], item, made


def _receipt_differences(machine: Figures, books: Mapping[str, Any]) -> Iterator[str]:
    for order, item, expected in _receipts(machine, books):
        received = Decimal(item["received"])
        if received != expected:
            yield (
                f"order {order}: {_text(expected)} of {item['material']} should have been received, "
                f"{_text(received)} were"
            )


def _stock_differences(
    machine: Figures, books: Mapping[str, Any], before: Iterable[Mapping[str, Any]]
) -> Iterator[str]:
    """Stock of every material: what was there, less what was used, plus what came in."""
    expected: dict[str, Decimal] = defaultdict(Decimal)
    for row in before:
        expected[row["material"]] += Decimal(str(row["quantity"]))
    for _, component, used in _consumption(machine, books):
        expected[component["material"]] -= used
    for _, item, received in _receipts(machine, books):
        expected[item["material"]] += received
    there: dict[str, Decimal] = defaultdict(Decimal)
    for row in books.get("stock", ()):
        there[row["material"]] += Decimal(row["quantity"])
    for material in sorted({*expected, *there}):
        want, have = expected[material], there[material]
        if abs(want - have) >= SMALLEST:
            yield f"stock of {material}: {_text(want)} expected, {_text(have)} in the ERP's books"


def standing(books: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Our confirmations that count: no reversed ones, reversals or hand entries, and nothing booked along with one."""
    return [
        d
        for d in books.get("documents", ())
        if d["kind"] in CONFIRMATIONS
        and d.get("counts", True)
        and not (d["reversed"] or d["reversal"] or d["manual"])
        and not d.get("automatic_of")
    ]


def key_differences(own: OwnBooks, books: Mapping[str, Any]) -> Iterator[str]:
    """Documents of the ERP that the ledger does not stand for, and keys on more than one."""
    found: Counter[str] = Counter()
    for document in standing(books):
        key = str(document["key"] or "").lower()
        if not key and document["kind"] not in KEYLESS:
            yield f"confirmation {document['id']} carries no key"
        elif key and key not in own.keys:
            yield f"confirmation {document['id']} carries key {key}, which the ledger does not know as booked"
        found[key] += 1
        if not own.documents & _names(document) and key not in own.keys:
            yield f"confirmation {document['id']} is not in the ledger"
    for key, count in found.items():
        if key and count > 1:
            yield f"key {key} stands on {count} confirmations"
    unlisted = list(own.unlisted)
    for document in books.get("documents", ()):
        by_hand = document["kind"] in CONFIRMATIONS and document["manual"] and not document["reversed"]
        if not by_hand or document["reversal"] or own.documents & _names(document):
            continue
        # An ERP that lists no documents shows a hand entry by its quantity alone.
        pieces = Pieces(Decimal(document["yield"]), Decimal(document["scrap"]))
        entry = (Place(document["order"], document["operation"]), pieces)
        if entry in unlisted:
            unlisted.remove(entry)
        else:
            yield f"confirmation {document['id']} was entered by hand and nobody has decided on it"


def _names(document: Mapping[str, Any]) -> set[str]:
    """What the ledger may call it: the ERP's own number, for a journal of Dynamics with its kind before it."""
    number, operation = str(document["id"]).split("/")[0], document["operation"]
    return {str(document["id"]), f"RAF/{number}", f"ROUTE/{number}/{operation}"}


def _unsettled(books: Mapping[str, Any]) -> Iterator[str]:
    for entry in books.get("cogi", ()):
        what = f"a goods movement of {entry['material']} failed: {entry['message']}"
        yield f"confirmation {entry['confirmation']}: {what}"
    for entry in books.get("pending_goods_movements", ()):
        yield f"confirmation {entry['confirmation']}: its goods movements are still to come"
