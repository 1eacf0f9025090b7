"""What this adapter declares of SAP: call, how a lost answer is found, how it is taken back, and where it is weaker."""

from __future__ import annotations

from erp.port import Capability, ErpCapabilities, FoundBy
from erp.sap.reversals import TAKEN_BACK
from erp.sap.settings import SapSettings
from signals.transactions import TransactionType

_T = TransactionType
_CALLS: dict[TransactionType, tuple[str, FoundBy, str]] = {
    _T.START_ORDER: (
        "none: reads OrderIsReleased",
        FoundBy.STATE,
        "nothing is sent; an order that is not released is refused",
    ),
    _T.CONFIRM_PRODUCTION: (
        "POST ProdnOrdConf2",
        FoundBy.KEY,
        "serial numbers cannot go with it: its automatic receipt becomes a posting of its own",
    ),
    _T.ISSUE_COMPONENTS: ("POST A_MaterialDocumentHeader (261, code 03)", FoundBy.KEY, ""),
    _T.RETURN_COMPONENTS: ("POST A_MaterialDocumentHeader (262, code 06)", FoundBy.KEY, ""),
    _T.RECEIVE_GOODS: ("POST A_MaterialDocumentHeader (101, code 02; 531, code 05)", FoundBy.KEY, ""),
    _T.REPORT_TIME: ("POST ProdnOrdConf2 with activities alone", FoundBy.KEY, ""),
    _T.MOVE_STOCK: ("POST A_MaterialDocumentHeader (311, code 04)", FoundBy.KEY, ""),
    _T.PLACE_HOLD: (
        "POST A_MaterialDocumentHeader (344; 342 for a batch)",
        FoundBy.KEY,
        "a batch is restricted as a whole, wherever it lies; in inspection nothing is sent, the decision is withheld; "
        "in work or consumed it is refused by name",
    ),
    _T.RELEASE_HOLD: (
        "POST A_MaterialDocumentHeader (343; 341 for a batch)",
        FoundBy.KEY,
        "stock of an inspection lot is released by its usage decision only",
    ),
    _T.SCRAP_STOCK: (
        "POST A_MaterialDocumentHeader (555; 551 out of a restricted batch)",
        FoundBy.KEY,
        "stock of an inspection lot is scrapped by its usage decision only",
    ),
    _T.RECORD_INSPECTION: (
        "POST A_InspectionResultValue",
        FoundBy.KEY,
        "one characteristic a request; the lot must exist in SAP",
    ),
    _T.RECORD_NONCONFORMANCE: ("POST A_Defect", FoundBy.KEY, "found by its text among the material's defects"),
    _T.DECIDE_INSPECTION: (
        "POST A_InspLotUsageDecision, then A_InspLotMatlDocItem for each quantity",
        FoundBy.STATE,
        "a decision carries no reference: the same code on the lot counts as ours; SAP dates the stock postings itself",
    ),
    _T.OPEN_DOWNTIME: ("POST MaintenanceNotification", FoundBy.KEY, ""),
    _T.CLOSE_DOWNTIME: (
        "PATCH MaintenanceNotification, then CompleteMaintNotification where asked",
        FoundBy.STATE,
        "an end that maintenance has written stands",
    ),
    _T.ADJUST_CAPACITY: (
        "POST WorkCenterCapacityInterval (V4)",
        FoundBy.STATE,
        "whole days: every day that the change touches, in the ERP's zone",
    ),
    _T.COMPLETE_ORDER: ("POST TechlyCmpltOrder", FoundBy.STATE, ""),
    _T.CLOSE_ORDER: ("POST CloseOrder", FoundBy.STATE, ""),
    _T.REVERSE: ("as the original says", FoundBy.KEY, "a cancelled document is found by the one that cancelled it"),
}


def capabilities_of(settings: SapSettings) -> ErpCapabilities:
    """Everything is supported but what this plant has not configured."""
    return ErpCapabilities(
        erp="sap",
        transactions={kind: _declared(kind) for kind in _CALLS},
        find_by_key=Capability(
            supported=True,
            call="$filter on ExternalSystemConfirmation",
            note="where it cannot be filtered, the operation's confirmations are listed instead",
        ),
        totals=Capability(supported=True, call="A_ProductionOrderOperation_2"),
        reversal=Capability(supported=True, call="CancelProdnOrdConf, Cancel"),
        settle_seconds=settings.settle_seconds,
        documents=Capability(supported=True, call="ProdnOrdConf2 by order and operation"),
        reads=_reads(settings),
    )


def _declared(kind: TransactionType) -> Capability:
    call, found_by, note = _CALLS[kind]
    back = TAKEN_BACK[kind]
    return Capability(
        supported=True, call=call, found_by=found_by, reversed_by=back.by, reason=f"reversal: {back.how}", note=note
    )


def _reads(settings: SapSettings) -> dict[str, Capability]:
    field = settings.sap.capability_field
    return {
        "stock": Capability(supported=True, call="API_MATERIAL_STOCK_SRV/A_MatlStkInAcctMod"),
        "pegging": Capability(
            supported=True,
            call="API_MRP_MATERIALS_SRV_01/SupplyDemandItems",
            note="demands of the order's material; MRP pegs by date, an order of a sales order to that alone",
        ),
        "alternates": Capability(
            supported=bool(field),
            reason="" if field else "SAP keeps no alternates of a work centre; set capability_field in [erp.sap]",
            call="WorkCenter (V4)",
        ),
        "cost": Capability(supported=True, call="API_PRODUCT_SRV/A_ProductValuation"),
        "order_changes": Capability(
            supported=True,
            call="A_ProductionOrder_2 by LastChangeDateTime",
            note="the stamp has whole seconds: its own second is read again",
        ),
        "process_orders": Capability(
            supported=False,
            reason="process orders are confirmed through another service; they are refused by name at intake",
        ),
    }
