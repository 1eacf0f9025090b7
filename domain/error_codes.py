"""What each ERP answers when it refuses, and what is to be done there: the rows of the error catalogue.

Codes that are known from documents or from one party's field notes only are the reference's (erp.md 1.8, 2.8, 3.8);
Dynamics has no codes: its adapter names the infolog's meaning (`infolog/…`), and texts stand in where it cannot. Not for what happens then: `domain.error_catalogue`.
"""

# ruff: noqa: E501  (a table is read by its rows)
from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase

from domain.roles import Role
from signals.errors import ErrorType, Reason

REJECTED = ErrorType.ERP_REJECTED
BUSY = ErrorType.ERP_BUSY
UNAVAILABLE = ErrorType.ERP_UNAVAILABLE
DOUBT = ErrorType.ERP_IN_DOUBT
SET_UP = ErrorType.ERP_MISCONFIGURED


@dataclass(frozen=True)
class CodeEntry:
    """One answer of an ERP. `erp` is empty for what any of them, or Plantwright itself, gives."""

    erp: str
    code: str
    """Shell pattern; empty where only the text tells."""
    means: str
    do: str
    reason: Reason = Reason.OTHER
    owner: Role | None = None
    """None takes the owner of the class."""
    type: ErrorType = REJECTED
    text: str = ""
    """Regular expression on the ERP's answer, for those without codes."""

    def fits(self, erp: str, code: str, answer: str) -> bool:
        if erp and self.erp and erp != self.erp:
            return False
        if self.code:
            return fnmatchcase(code, self.code)
        return re.search(self.text, answer, re.IGNORECASE) is not None


def find_entry(code: str, *, erp: str = "", answer: str = "") -> CodeEntry | None:
    """The row that fits best: its own code, a family of codes, a text, and last what only HTTP says.

    Without `erp` any ERP's row fits.
    """
    fitting = [entry for entry in CODES if entry.fits(erp, code, answer)]
    return min(fitting, key=lambda e: (_vagueness(e, code), -len(e.code)), default=None)


def _vagueness(entry: CodeEntry, code: str) -> int:
    if entry.code == code and code:
        return 0
    if not entry.code:
        return 2
    return 3 if entry.code.startswith("HTTP/") else 1


P, S, M, O = Reason.PERIOD_CLOSED, Reason.STOCK_SHORT, Reason.MASTER_DATA, Reason.ORDER_STATUS  # noqa: E741

SAP = (
    CodeEntry("sap", "M7/053", "posting period not open",
              "MMPV or OB52: open the period and retry, or amend the posting date to the next open one", P),
    CodeEntry("sap", "M8/147", "account determination missing", "OBYC: maintain it, retry", M, Role.FINANCE),
    CodeEntry("sap", "M7/021", "stock deficit",
              "MMBE: post the missing receipt or correct the stock (MIGO, MI07), retry", S),
    CodeEntry("sap", "RU/505", "backflush shortage", "MMBE, COGI: bring the component's stock in order, retry", S),
    CodeEntry("sap", "M7/001", "missing entry in a table", "correct the order's or material's master data, retry", M),
    CodeEntry("sap", "M7/175", "serial numbers do not match", "IQ03, CO02: correct the serial numbers, retry", M),
    CodeEntry("sap", "M7/360", "order and material do not match", "CO03, MM03: correct order or material, retry", M),
    CodeEntry("sap", "M7/022", "more than planned or reserved", "compare with the reservation (MB25), then amend", Reason.TOLERANCE),
    CodeEntry("sap", "BS/013", "the order's status forbids it", "CO03, status: take the lock or TECO back, retry", O),
    CodeEntry("sap", "CO/*", "the order does not allow it", "CO03: look at its status and dates, retry", O),
    CodeEntry("sap", "RU/*", "the confirmation does not fit the order", "CO14, CO03: compare, then retry or amend"),
    CodeEntry("sap", "MM_IM_ODATA_API_MDOC/011", "a property is not supported for the movement",
              "read the kept answer; the call does not fit the movement", Reason.CLIENT_BUG),
    CodeEntry("sap", "MM_IM_ODATA_API_MDOC/014", "container with nothing inside",
              "read the kept answer and SAP's error log (/IWFND/ERROR_LOG)", Reason.CLIENT_BUG),
    CodeEntry("sap", "/IW*", "SAP Gateway itself refused",
              "read the kept answer and SAP's error log (/IWFND/ERROR_LOG)", Reason.CLIENT_BUG),
    CodeEntry("sap", "/IWBEP/CM_COS/005", "processed before, its result is no longer stored", "look for the document", type=DOUBT),
    CodeEntry("sap", "/IWBEP/CM_COS/001", "idempotent services are not set up", "set them up or switch repeatability off",
              type=SET_UP),
    CodeEntry("sap", "/IWFND/MED/*", "the service is not activated", "/IWFND/MAINT_SERVICE: activate it", type=SET_UP),
    CodeEntry("sap", "ME/006", "order locked by a user", "nothing: tried again", type=BUSY),
    CodeEntry("sap", "M3/68[2]", "material locked by a user", "nothing: tried again", type=BUSY),
    CodeEntry("sap", "M3/02[34]", "valuation or stock locked by a user", "nothing: tried again", type=BUSY),
    CodeEntry("sap", "repeatability_rejected", "the repeated request id was rejected", "nothing: looked for, then a case", type=DOUBT),
    CodeEntry("sap", "csrf", "no token is taken", "nothing: tried again", type=UNAVAILABLE),
)  # fmt: skip

ORACLE = (
    CodeEntry("oracle", "INV_NO_OPEN_PERIOD", "accounting or inventory period closed",
              "Manage Accounting Periods: open it and retry, or amend the posting date", P),
    CodeEntry("oracle", "INV_NEGATIVE_BALANCES_NOT_ALLOWED", "stock would become negative",
              "Manage Item Quantities: receive or correct the component, retry", S),
    CodeEntry("oracle", "", "the same, by its text", "Manage Item Quantities: receive or correct the component, retry", S,
              text=r"negative inventory balances"),
    CodeEntry("oracle", "INV_MATERIAL_STATUS_DISALLOWS", "the lot's material status forbids the transaction",
              "Manage Item Lots: release the lot or take another one, retry", S, Role.QUALITY_ENGINEER),
    CodeEntry("oracle", "JBO-25013", "a record with this key exists already", "look for it; skip if it is ours", owner=Role.INTEGRATION),
    CodeEntry("oracle", "27520", "the request does not fit the resource", "read the kept answer", Reason.CLIENT_BUG),
    CodeEntry("oracle", "operation_not_found", "the work order has no such operation", "Manage Work Orders: compare the routing", M),
    CodeEntry("oracle", "not_found", "the resource or its id is not there", "Manage Work Orders: compare numbers", M),
    CodeEntry("oracle", "WIE_*", "the work order does not allow the transaction", "Manage Work Orders: status and quantities", O),
    CodeEntry("oracle", "refused", "a line was refused without a message name", "read the kept answer"),
    CodeEntry("oracle", "", "accounting period closed, by its text", "open the period and retry, or amend the posting date", P,
              text=r"not in an open (accounting )?period|period is (closed|not open)"),
    CodeEntry("oracle", "JBO-26030", "row locked by another user", "nothing: tried again", type=BUSY),
    CodeEntry("oracle", "WIE_RECORD_LOCKED", "row locked by another user", "nothing: tried again", type=BUSY),
    CodeEntry("oracle", "stale", "ETag or link out of date", "nothing: read again", type=UNAVAILABLE),
)  # fmt: skip

DYNAMICS = (
    CodeEntry("dynamics", "infolog/stock", "component not on hand", "On-hand list: receive or correct the component, retry", S),
    CodeEntry("dynamics", "infolog/blocked", "batch or inventory status blocks it",
              "Batches: decide about the disposition code or take another batch, retry", S, Role.QUALITY_ENGINEER),
    CodeEntry("dynamics", "infolog/period", "fiscal period closed",
              "Ledger calendars: open the period and retry, or amend the posting date", P),
    CodeEntry("dynamics", "infolog/dimension", "inventory dimension missing (typical: picking work not finished)",
              "finish open warehouse work, or complete the BOM line's dimensions, retry", M),
    CodeEntry("dynamics", "infolog/related", "a value is not in its table", "correct plant file or master data, retry", M),
    CodeEntry("dynamics", "infolog/unit", "no conversion between units", "Unit conversions: add it, retry", M),
    CodeEntry("dynamics", "infolog/quantity", "more than started or allowed",
              "Production orders: start more or allow overproduction and retry, or amend", Reason.TOLERANCE),
    CodeEntry("dynamics", "infolog/status", "the order's status forbids it", "Production orders: bring it to the needed status, retry", O),
    CodeEntry("dynamics", "infolog/exists", "the record exists already", "look for it; skip if it is ours", Reason.CLIENT_BUG),
    CodeEntry("dynamics", "infolog/*", "another refusal, in the infolog's words", "read the kept answer, remove the cause, retry"),
    CodeEntry("dynamics", "message_cancelled", "somebody cancelled the message in the queue",
              "Message processor messages: ask who cancelled it and why, then retry or skip"),
    CodeEntry("dynamics", "batch_unknown", "no such batch", "Batches: correct the number, retry", M),
    CodeEntry("dynamics", "request_unknown", "no such maintenance request", "Maintenance requests: look the number up", M),
    CodeEntry("dynamics", "downtime_ended", "somebody else ended the stop", "compare both ends; skip", O, Role.MAINTENANCE),
    CodeEntry("dynamics", "hold_*", "the hold is not in the state this needs", "Quality orders, batches: decide there, then retry or skip", O,
              Role.QUALITY_ENGINEER),
    CodeEntry("dynamics", "AADSTS*", "Entra gave no token", "check client id, secret, tenant, scope", type=SET_UP),
    CodeEntry("dynamics", "not_public", "the environment does not offer the entity", "publish it, or skip", type=SET_UP),
    CodeEntry("dynamics", "", "component not on hand, by its text", "On-hand list: receive or correct the component, retry", S,
              text=r"cannot be picked because only|kann nicht entnommen werden"),
    CodeEntry("dynamics", "", "inventory dimension missing, by its text", "finish open warehouse work, or complete the BOM line, retry", M,
              text=r"inventory dimension .* (must be specified|is mandatory)"),
    CodeEntry("dynamics", "", "fiscal period closed, by its text", "Ledger calendars: open the period and retry, or amend the posting date", P,
              text=r"period .*not open|Steuerperiode .* nicht geöffnet"),
)  # fmt: skip

TRYTON = (
    CodeEntry("tryton", "UserError/period_closed", "period closed",
              "Stock periods, fiscal years: reopen the period and retry, or amend the posting date", P),
    CodeEntry("tryton", "UserError/state", "the production's state forbids it", "Productions: bring it to the needed state, retry", O),
    CodeEntry("tryton", "UserError/work_not_finished", "works are not finished", "Works: finish them, retry", O),
    CodeEntry("tryton", "UserError/field", "a field cannot be written so", "read the kept answer", Reason.CLIENT_BUG),
    CodeEntry("tryton", "UserError/*", "a record is missing or not as expected", "read the kept answer, correct it in Tryton, retry", M),
    CodeEntry("tryton", "UserError", "a business rule of Tryton", "read the kept answer, remove the cause, retry"),
    CodeEntry("tryton", "UserWarning*", "Tryton asks a person to confirm", "do it once in Tryton and choose `always ignore`, retry", Reason.RULE),
    CodeEntry("tryton", "stock_short", "components cannot be assigned", "correct the stock in Tryton, retry", S),
    CodeEntry("tryton", "lot_unknown", "no such lot", "enter or correct the lot, retry", M),
    CodeEntry("tryton", "component_unplanned", "the production does not plan the component", "add it to the production, retry", M),
    CodeEntry("tryton", "output_unplanned", "the production does not plan the output", "add it to the production, retry", M),
    CodeEntry("tryton", "unit", "counted in another unit", "map the unit in the plant file, retry", M),
    CodeEntry("tryton", "run_by_hand", "somebody ran the production in Tryton", "cancel it there and release a new one, or confirm it there and skip", O),
    CodeEntry("tryton", "*_not_supported", "Tryton has no such booking", "do it in Tryton, then skip", Reason.NOT_SUPPORTED),
    CodeEntry("tryton", "partly_reversed", "a part of the document is cancelled already", "cancel the rest in Tryton, then adopt", Reason.REVERSAL),
    CodeEntry("tryton", "AccessError*", "the user may not do it", "give the user's groups the right, retry", type=SET_UP),
    CodeEntry("tryton", "access", "a group is missing for taking back", "put the user into group Stock Cancellation", type=SET_UP),
    CodeEntry("tryton", "LoginException*", "log-on refused", "check user and password", type=SET_UP),
    CodeEntry("tryton", "module_missing", "a module is not active", "activate the modules that the answer names", type=SET_UP),
    CodeEntry("tryton", "no_*", "company, storage or waste location missing", "add it in Tryton or name it in the plant file", type=SET_UP),
    CodeEntry("tryton", "locked", "record changed by another user", "nothing: tried again", type=BUSY),
    CodeEntry("tryton", "changed_meanwhile", "changed while cleared away", "nothing: tried again", type=BUSY),
    CodeEntry("tryton", "warnings", "asks again and again", "nothing: tried again", type=UNAVAILABLE),
    CodeEntry("tryton", "fault", "Tryton failed", "nothing: looked for, then a case", type=DOUBT),
)  # fmt: skip

OURS = (
    CodeEntry("", "not_supported", "this ERP cannot book that", "do it by hand in the ERP, then skip", Reason.NOT_SUPPORTED),
    CodeEntry("", "[a-z]*-*/[0-9]*", "a validation rule of ours, named by the code",
              "correct what the sentence names in order, plant file or posting; then retry or amend", Reason.RULE),
    CodeEntry("", "reversal_by_person", "this ERP reverses such a document by a person only",
              "reverse it in the ERP, then adopt; or skip: the document stands", Reason.REVERSAL),
    CodeEntry("", "capacity_*", "the work centre's capacity is not as we left it: somebody changed it, or it was there before us",
              "compare it in the ERP (SAP: CR02, Oracle: work centre exceptions, Dynamics: working times), then skip: it stays",
              Reason.REVERSAL, Role.PLANNER),
    CodeEntry("", "document_not_found", "a reversal names no document of the ERP's form", "look the number up in the ERP", Reason.REVERSAL),
    CodeEntry("", "quantity_not_representable", "more decimals or digits than the ERP's field", "correct the unit's decimals, or amend",
              Reason.RULE, Role.INTEGRATION),
    CodeEntry("", "component_lot_ambiguous", "the loaded lot may belong to several components",
              "name the material of the lot tag in the plant file, retry", M, Role.SUPERVISOR),
    CodeEntry("", "*_not_found", "a record that the posting names is not there", "look it up in the ERP; correct plant file or order, retry", M),
    CodeEntry("", "*_unknown", "a record that the posting names is not there", "look it up in the ERP; correct plant file or order, retry", M),
    CodeEntry("", "resource_not_assigned", "the resource does not belong to the work centre", "assign it in the ERP, retry", M),
    CodeEntry("", "original_key_missing", "the reversal does not name what it takes back", "reverse it in the ERP, then adopt", Reason.REVERSAL),
    CodeEntry("", "paging", "the ERP's pages never end", "nothing: tried again", type=UNAVAILABLE),
    CodeEntry("", "order_not_found", "the ERP does not know the order", "check the order's number and plant", M),
    CodeEntry("", "order_of_other_plant", "the order belongs to another plant", "check the order's plant and the plant file", M),
    CodeEntry("", "order_incomplete", "the order cannot be read completely", "complete the order's operations in the ERP", M),
    CodeEntry("", "process_order_not_supported", "a process order", "confirm it in the ERP; skip", Reason.NOT_SUPPORTED, Role.PLANNER),
    CodeEntry("", "HTTP/401", "log-on refused", "check user and password", type=SET_UP),
    CodeEntry("", "HTTP/403", "authorisation missing", "check rights and communication arrangement", type=SET_UP),
    CodeEntry("", "HTTP/404", "address or service not there", "check the url and whether the service is active", type=SET_UP),
    CodeEntry("", "HTTP/4*", "the ERP's web layer refused the call", "read the kept answer", Reason.CLIENT_BUG),
    CodeEntry("", "HTTP/429", "throttled", "nothing: tried again when it said", type=BUSY),
    CodeEntry("", "HTTP/5*", "the ERP's server failed", "nothing: looked for, then a case", type=DOUBT),
    CodeEntry("", "credentials_missing", "no user or secret is set", "set the environment variables the plant file names", type=SET_UP),
    CodeEntry("", "oauth_*", "the token endpoint gave no token", "check client id, secret, tenant, scope", type=SET_UP),
    CodeEntry("", "tls", "certificate not trusted", "set ca_file to the authority that signed it", type=SET_UP),
    CodeEntry("", "url", "the address is no web address", "correct the plant file", type=SET_UP),
    CodeEntry("", "own_limit", "our own limit of calls", "nothing: tried again", type=BUSY),
    CodeEntry("", "throttled", "the ERP asked for patience", "nothing: tried again when it said", type=BUSY),
    CodeEntry("", "circuit_open", "the ERP has not answered for a while", "nothing: tried again", type=UNAVAILABLE),
    CodeEntry("", "no_connection", "no connection", "nothing: tried again", type=UNAVAILABLE),
    CodeEntry("", "no_answer", "the request left, no answer came", "nothing: looked for, then a case", type=DOUBT),
    CodeEntry("", "unreadable", "the answer cannot be read", "nothing: looked for, then a case", type=DOUBT),
)  # fmt: skip

CODES = (*SAP, *ORACLE, *DYNAMICS, *TRYTON, *OURS)
