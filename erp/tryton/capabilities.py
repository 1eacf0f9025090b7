"""What Tryton can be asked to book, and why the rest has no place in it (docs/tryton.md has the table)."""

from __future__ import annotations

from erp.port import Capability, ErpCapabilities, FoundBy, ReversedBy
from signals.transactions import TransactionType

T = TransactionType

_BY_MOVES = "model.stock.move.do"
_NO_MAINTENANCE = "Tryton's production modules know no machines to maintain and no stops"
_NO_HOLD = "Tryton knows no blocked stock; a location to put it in would be a convention of the plant"


def _no(reason: str) -> Capability:
    return Capability(supported=False, reason=reason, found_by=FoundBy.NOTHING, reversed_by=ReversedBy.NEVER)


TRANSACTIONS: dict[TransactionType, Capability] = {
    T.START_ORDER: Capability(
        supported=True,
        call="model.production.run",
        found_by=FoundBy.STATE,
        reversed_by=ReversedBy.PERSON,
        note="the plan is noted and taken out first, so that Tryton does not consume it all at once",
    ),
    T.CONFIRM_PRODUCTION: Capability(
        supported=True,
        call=_BY_MOVES,
        note="found by a note on the production; rework is told there and moves nothing",
    ),
    T.ISSUE_COMPONENTS: Capability(supported=True, call=_BY_MOVES),
    T.RETURN_COMPONENTS: Capability(supported=True, call=_BY_MOVES),
    T.RECEIVE_GOODS: Capability(supported=True, call=_BY_MOVES, note="the production's own product only"),
    T.REVERSE: Capability(
        supported=True,
        call="model.stock.move.cancel",
        reversed_by=ReversedBy.NEVER,
        note="the moves are cancelled; the time of the operation stays",
    ),
    T.COMPLETE_ORDER: Capability(
        supported=True,
        call="model.production.do",
        found_by=FoundBy.STATE,
        reversed_by=ReversedBy.NEVER,
        note="a production of which nothing was made is cancelled instead",
    ),
    T.REPORT_TIME: _no("the time of an operation is that of its work cycle, which ends with the final confirmation"),
    T.CLOSE_ORDER: _no("a production that is done has no second, financial end"),
    T.MOVE_STOCK: _no("internal shipments are the warehouse's own work in Tryton; not built"),
    T.PLACE_HOLD: _no(_NO_HOLD),
    T.RELEASE_HOLD: _no(_NO_HOLD),
    T.SCRAP_STOCK: _no(_NO_HOLD),
    T.RECORD_INSPECTION: _no("module quality inspects by its own control points, at moments it chooses; not built"),
    T.RECORD_NONCONFORMANCE: _no("alerts of module quality hang on its own inspections; not built"),
    T.DECIDE_INSPECTION: _no("an inspection of module quality is passed or failed, without quantities"),
    T.OPEN_DOWNTIME: _no(_NO_MAINTENANCE),
    T.CLOSE_DOWNTIME: _no(_NO_MAINTENANCE),
    T.ADJUST_CAPACITY: _no("work centres have a cost and no capacity"),
}


def capabilities(settle_seconds: float) -> ErpCapabilities:
    """The declaration for one connection."""
    return ErpCapabilities(
        erp="tryton",
        transactions=TRANSACTIONS,
        find_by_key=Capability(supported=True, note="notes on the production carry the key"),
        totals=Capability(
            supported=True, note="Tryton keeps no quantity per operation: the notes do; the last one's yield is stock"
        ),
        reversal=Capability(supported=True, call="model.stock.move.cancel"),
        settle_seconds=settle_seconds,
        reads={
            "stock": Capability(supported=True),
            "pegging": _no("productions are not tied to demands without module sale_supply_production"),
            "alternates": Capability(supported=True, note="work centres of the same category"),
            "cost": Capability(supported=True),
            "order_changes": Capability(supported=True),
            "process_orders": _no("Tryton has one kind of production"),
        },
        start_required=True,
    )
