"""What Dynamics can, by which call, how it is found and how it is taken back. Declarations only."""

from __future__ import annotations

from erp.dynamics.settings import DynamicsSettings
from erp.dynamics.stock import NO_BATCHES
from erp.port import Capability, ErpCapabilities, FoundBy, ReversedBy
from signals.transactions import TransactionType as Kind

YES = Capability(supported=True)
BY_PERSON = (
    "Dynamics documents no reversal of a message; a person reverses the order's status, or posts a negative journal"
)


def capabilities_of(settings: DynamicsSettings, *, hears_events: bool) -> ErpCapabilities:
    """By the plant file: some things are there only where the tenant has been proved to have them."""
    options = settings.dynamics
    unsure = "" if hears_events else "; no events reach us, so journals alone show it"
    by_event = FoundBy.EVENT if hears_events else FoundBy.ARITHMETIC

    def message(name: str, note: str = "", found_by: FoundBy = by_event, back: ReversedBy = ReversedBy.PERSON):
        told = f"{note or BY_PERSON}{unsure}"
        return Capability(supported=True, call=name, found_by=found_by, reversed_by=back, note=told)

    def direct(call: str, found_by: FoundBy, back: ReversedBy, note: str = "") -> Capability:
        return Capability(supported=True, call=call, found_by=found_by, reversed_by=back, note=note)

    def no(reason: str) -> Capability:
        return Capability(supported=False, reason=reason, found_by=FoundBy.NOTHING, reversed_by=ReversedBy.NEVER)

    transfer = "POST InventoryTransferJournalHeaders, …Entries, Post"
    hold_note = "by position: batch disposition code, inventory status or quality order"
    transactions = {
        Kind.START_ORDER: message("ProdProductionOrderStart", found_by=FoundBy.STATE),
        Kind.CONFIRM_PRODUCTION: message("ProdProductionOrderReportFinished, ProdProductionOrderRouteCard"),
        Kind.ISSUE_COMPONENTS: message("ProdProductionOrderPickingList"),
        Kind.RETURN_COMPONENTS: message("ProdProductionOrderPickingList")
        if options.negative_quantities
        else no("negative picking lists are not documented; prove them on the tenant, then set negative_quantities"),
        Kind.RECEIVE_GOODS: message(
            "ProdProductionOrderReportFinished", "co- and by-products only; the main item comes with its report"
        ),
        Kind.REPORT_TIME: message("ProdProductionOrderRouteCard"),
        Kind.MOVE_STOCK: direct(transfer, FoundBy.KEY, ReversedBy.MIRROR, "by the opposite transfer"),
        Kind.PLACE_HOLD: direct("PATCH ItemBatches | transfer", FoundBy.STATE, ReversedBy.STATE, hold_note),
        Kind.RELEASE_HOLD: direct("PATCH ItemBatches | transfer", FoundBy.STATE, ReversedBy.STATE, hold_note),
        Kind.SCRAP_STOCK: no("held stock is written off by an inventory journal, which is not built"),
        Kind.RECORD_INSPECTION: direct(
            "POST QualityOrderLineResults", FoundBy.ARITHMETIC, ReversedBy.PERSON, "results are corrected by a person"
        ),
        Kind.RECORD_NONCONFORMANCE: direct(
            f"POST {options.nonconformance_entity}", FoundBy.KEY, ReversedBy.PERSON, "a person closes it"
        )
        if options.nonconformance_entity
        else no("the nonconformance entity is not public by default; name it as nonconformance_entity where it is"),
        Kind.DECIDE_INSPECTION: no("no call that validates a quality order is known; a person validates it"),
        Kind.OPEN_DOWNTIME: direct(
            "POST AssetMaintenanceRequestsV2", FoundBy.KEY, ReversedBy.PERSON, "maintenance cancels its request"
        ),
        Kind.CLOSE_DOWNTIME: direct(
            "PATCH AssetMaintenanceRequestsV2", FoundBy.STATE, ReversedBy.PERSON, "maintenance corrects the end"
        ),
        Kind.ADJUST_CAPACITY: direct(
            "POST, PATCH WorkCalendarTimeIntervals", FoundBy.STATE, ReversedBy.STATE, "our own unchanged interval only"
        ),
        Kind.COMPLETE_ORDER: message(
            "ProdProductionOrderReportFinished, EndJob",
            "Dynamics has no technical completion: the order becomes Reported as finished",
            FoundBy.STATE,
        ),
        Kind.CLOSE_ORDER: message("ProdProductionOrderEnd", "Ended is final", FoundBy.STATE, ReversedBy.NEVER),
        Kind.REVERSE: direct(transfer, FoundBy.STATE, ReversedBy.NEVER, "transfers, holds and capacity only"),
    }
    return ErpCapabilities(
        erp="dynamics",
        transactions=transactions,
        find_by_key=Capability(
            supported=False, reason="production journals carry no reference of ours; events, state and arithmetic find"
        ),
        totals=YES,
        reversal=Capability(supported=False, reason=BY_PERSON, reversed_by=ReversedBy.PERSON),
        settle_seconds=max(settings.settle_seconds, options.pending_seconds),
        reads={
            "stock": Capability(supported=True, note=NO_BATCHES),
            "pegging": Capability(supported=True, note="fixed pegs in the order's header"),
            "alternates": no("no entity says which resources can take an operation over"),
            "cost": no("no entity with a valuation is known; the journals carry costs of movements only"),
            "order_changes": Capability(
                supported=True,
                note="by business events and re-reading" if hears_events else "open orders only: no events reach us",
            ),
            "process_orders": no("batch (formula) orders are another entity; they are refused at intake"),
        },
        start_required=True,
        pending_seconds=options.pending_seconds,
    )
