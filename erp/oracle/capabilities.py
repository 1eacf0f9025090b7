"""What the adapter declares of Oracle: the call of each posting, how it is found and taken back, and why not."""

from __future__ import annotations

from erp.oracle.settings import OracleSettings
from erp.port import Capability, ErpCapabilities, FoundBy, ReversedBy
from signals.bookings import TransactionType as T

OPERATIONS, MATERIALS, TIMES = "POST operationTransactions", "POST materialTransactions", "POST resourceTransactions"
NO_READ = "transaction resources answer no GET (reference erp.md 2.3)"


def _can(call: str, found: FoundBy, taken_back: ReversedBy, note: str = "") -> Capability:
    return Capability(supported=True, call=call, found_by=found, reversed_by=taken_back, note=note)


_TRANSACTIONS = {
    T.START_ORDER: _can("PATCH workOrders status", FoundBy.STATE, ReversedBy.STATE),
    T.CONFIRM_PRODUCTION: _can(
        f"{OPERATIONS} READY→COMPLETE, →SCRAP, →REJECT",
        FoundBy.ARITHMETIC,
        ReversedBy.MIRROR,
        "lot or serial components, measured uses and times are follow-ups; no final confirmation without quantity",
    ),
    T.ISSUE_COMPONENTS: _can(
        f"{MATERIALS} MATERIAL_ISSUE",
        FoundBy.ARITHMETIC,
        ReversedBy.MIRROR,
        "issued quantities decide; they do not show which lot",
    ),
    T.RETURN_COMPONENTS: _can(f"{MATERIALS} MATERIAL_RETURN", FoundBy.ARITHMETIC, ReversedBy.MIRROR),
    T.RECEIVE_GOODS: _can(
        f"{MATERIALS} PRODUCT_COMPLETION",
        FoundBy.ARITHMETIC,
        ReversedBy.MIRROR,
        "by completed transactions since the request, else by the balance where it was put; discrete orders only",
    ),
    T.REPORT_TIME: _can(
        f"{TIMES} RESOURCE_CHARGE",
        FoundBy.ARITHMETIC,
        ReversedBy.MIRROR,
        "resources that Oracle charges automatically have no activity slot",
    ),
    T.MOVE_STOCK: _can(
        "POST inventoryStagedTransactions",
        FoundBy.KEY,
        ReversedBy.MIRROR,
        "by arithmetic on balances where the tenant cannot search references",
    ),
    T.PLACE_HOLD: _can(
        "PATCH inventoryItemLots material status; without lots a transfer to the hold subinventory",
        FoundBy.STATE,
        ReversedBy.STATE,
        "a status blocks the whole lot; a transfer is found by its reference and reversed by its mirror",
    ),
    T.RELEASE_HOLD: _can(
        "PATCH inventoryItemLots material status; without lots a transfer back", FoundBy.STATE, ReversedBy.STATE
    ),
    T.SCRAP_STOCK: Capability(supported=False, reason="the warehouse writes held stock off; no call for it is proved"),
    T.RECORD_INSPECTION: _can("POST inspectionEvents (upsert)", FoundBy.KEY, ReversedBy.PERSON),
    T.RECORD_NONCONFORMANCE: _can("POST qualityIssues (upsert)", FoundBy.KEY, ReversedBy.PERSON),
    T.DECIDE_INSPECTION: _can(
        "PATCH inspectionEvents EventDisposition",
        FoundBy.STATE,
        ReversedBy.PERSON,
        "one disposition per event, and a decided event is decided anew; stock is moved or held by postings of its own",
    ),
    T.OPEN_DOWNTIME: _can(
        "POST maintenanceWorkOrders", FoundBy.KEY, ReversedBy.STATE, "WorkOrderNumber is ours; reversal cancels it"
    ),
    T.CLOSE_DOWNTIME: _can("PATCH maintenanceWorkOrders", FoundBy.STATE, ReversedBy.STATE),
    T.ADJUST_CAPACITY: _can(
        "POST workCenterResourceExceptions",
        FoundBy.KEY,
        ReversedBy.CALL,
        "reversal deletes our own exception as long as nobody changed it",
    ),
    T.COMPLETE_ORDER: _can("PATCH workOrders status", FoundBy.STATE, ReversedBy.STATE),
    T.CLOSE_ORDER: _can("PATCH workOrders status", FoundBy.STATE, ReversedBy.NEVER, "final in Oracle"),
    T.REVERSE: _can(
        "the opposite booking of the original", FoundBy.ARITHMETIC, ReversedBy.NEVER, "found as its original is found"
    ),
}


def capabilities_of(settings: OracleSettings) -> ErpCapabilities:
    yes = Capability(supported=True)
    return ErpCapabilities(
        erp="oracle",
        transactions=_TRANSACTIONS,
        find_by_key=Capability(supported=False, reason=f"a confirmation cannot be found by our key: {NO_READ}"),
        totals=yes,
        reversal=Capability(supported=True, note="by mirrored transactions", reversed_by=ReversedBy.MIRROR),
        settle_seconds=settings.settle_seconds,
        documents=Capability(supported=False, reason=f"confirmations cannot be listed: {NO_READ}"),
        reads={
            "stock": Capability(supported=True, call="GET inventoryOnhandBalances"),
            "pegging": Capability(
                supported=True, call="GET workOrders/{id}/child/WorkOrderReservation", note="reservations only"
            ),
            "alternates": Capability(
                supported=True,
                call="GET workCenters, productionResources",
                note="centres with resources of the same classes; since when they are free is not shown",
            ),
            "cost": Capability(supported=False, reason="no cost resource is known to us; costs stay in the plant file"),
            "order_changes": Capability(supported=True, call="GET workOrders by LastUpdateDate"),
            "process_orders": Capability(
                supported=False, reason="workOrders serves discrete orders only; process orders are refused at intake"
            ),
        },
    )
