"""Contents of the five message types: members, their kinds, and what is wrong with a value. Reference 3.3.

Read when a message is processed, never when it is enqueued.
"""

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from simulators.dynamics.edm import ENUMS
from simulators.dynamics.refusals import Refusal
from simulators.dynamics.values import date_text, instant_text, micro

START = "ProdProductionOrderStart"
REPORT = "ProdProductionOrderReportFinished"
PICK = "ProdProductionOrderPickingList"
ROUTE = "ProdProductionOrderRouteCard"
END = "ProdProductionOrderEnd"

_YES_NO = "No|Yes"
_BOM_RULE = "FlushingPrincip|Always|Never"
_ROUTE_RULE = "RouteDependent|Always|Never"
_CAUSE = "|".join(ENUMS["ProdErrorCause"])
_DIMENSIONS = " ".join(f"InventoryDimension{number}:s" for number in range(1, 13))
_VARIANT = "ProductColorId:s ProductConfigurationId:s ProductSizeId:s ProductStyleId:s ProductVersionId:s"
_PLACE = "ProductionSiteId:s ProductionWarehouseId:s ProductionWarehouseLocationId:s"
_TRACKING = "ItemBatchNumber:s ProductSerialNumber:s LicensePlateNumber:s InventoryStatusId:s"


@dataclass(frozen=True)
class Contract:
    """Members by name with their kind (`s`, `real`, `int`, `date`, `datetime`, or an enum's members); `lines` names
    the member that holds the list of lines.
    """

    members: dict[str, str]
    mandatory: tuple[str, ...]
    lines: str = ""
    line: "Contract | None" = None


@dataclass(frozen=True)
class Content:
    """A read content: quantities in millionths, dates as stored text, absent members absent."""

    fields: dict[str, Any]
    lines: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def order(self) -> str:
        return self.fields["ProductionOrderNumber"]


def _contract(words: str, mandatory: str = "", lines: str = "", line: Contract | None = None) -> Contract:
    members = {name: kind for name, _, kind in (word.partition(":") for word in words.split())}
    return Contract(members, tuple(mandatory.split()), lines, line)


_RAF_LINE = _contract(
    "LineNumber:real ItemNumber:s ProductionType:MainItem|Formula|BOM|Co_Product|By_Product|None"
    " ReportedGoodQuantity:real ReportedErrorQuantity:real ReportedGoodCatchWeightQuantity:real"
    f" ReportedErrorCatchWeightQuantity:real AcceptError:{_YES_NO} EndJob:{_YES_NO} EndPickingList:{_YES_NO}"
    f" EndRouteCard:{_YES_NO} PostNow:{_YES_NO} AutoUpdate:{_YES_NO} GenerateLicensePlate:{_YES_NO}"
    f" RespectFlushingPrincipleDuringOverproduction:{_YES_NO} ErrorCause:{_CAUSE} ReportAsFinishedDate:date"
    f" ExecutedDateTime:datetime AutomaticBOMConsumptionRule:{_BOM_RULE} AutomaticRouteConsumptionRule:{_ROUTE_RULE}"
    " JournalNameId:s PickingListJournalNameId:s RouteCardJournalNameId:s FromOperationNumber:int ToOperationNumber:int"
    f" InventoryLotId:s BaseValue:s {_TRACKING} {_PLACE} {_VARIANT} {_DIMENSIONS}"
)
_PICK_OLD = (
    "ItemNumber:s ConsumptionBOMQuantity:real ProposalBOMQuantity:real ScrapBOMQuantity:real BOMUnitSymbol:s"
    " ConsumptionInventoryQuantity:real ProposalInventoryQuantity:real ConsumptionCatchWeightQuantity:real"
    " ProposalCatchWeightQuantity:real ConsumptionDate:date OperationNumber:int LineNumber:real PositionNumber:s"
    f" IsConsumptionEnded:{_YES_NO} ErrorCause:{_CAUSE} InventoryLotId:s"
)
_ROUTE_LINE = _contract(
    f"OperationNumber:int OperationPriority:{'|'.join(ENUMS['RouteOprPriority'])} OperationId:s OperationsResourceId:s"
    " Worker:s Hours:real HourlyRate:real GoodQuantity:real ErrorQuantity:real GoodCatchWeightQuantity:real"
    " ErrorCatchWeightQuantity:real HoursRouteCostCategoryId:s QuantityRouteCostCategoryId:s QuantityPrice:real"
    f" ProcessingPercentage:real ConsumptionDate:date TaskType:{'|'.join(ENUMS['RouteJobType'])} ErrorCause:{_CAUSE}"
    f" OperationCompleted:{_YES_NO} BOMConsumption:{_YES_NO} ReportAsFinished:{_YES_NO}",
    "OperationNumber",
)
_START = _contract(
    "ProductionOrderNumber:s StartedQuantity:real StartedDate:date"
    f" AutomaticBOMConsumptionRule:{_BOM_RULE} AutomaticRouteConsumptionRule:{_ROUTE_RULE}",
    "ProductionOrderNumber",
)
_REPORT = _contract(
    f"ProductionOrderNumber:s PrintLabel:{_YES_NO}", "ProductionOrderNumber", "ReportFinishedLines", _RAF_LINE
)
_PICK = {
    version: _contract(
        "ProductionOrderNumber:s JournalNameId:s",
        "ProductionOrderNumber",
        "PickingListLines",
        _contract(words, "ItemNumber"),
    )
    for version, words in (("old", _PICK_OLD), ("new", f"{_PICK_OLD} {_TRACKING} {_PLACE} {_VARIANT} {_DIMENSIONS}"))
}
_ROUTE = _contract("ProductionOrderNumber:s JournalNameId:s", "ProductionOrderNumber", "RouteCardLines", _ROUTE_LINE)
_END = _contract(
    "ProductionOrderNumber:s ExecutedDateTime:datetime EndedDate:date"
    f" UseTimeAndAttendanceCost:{_YES_NO} AutoReportAsFinished:{_YES_NO} AutoUpdate:{_YES_NO}",
    "ProductionOrderNumber",
)
TYPES = (START, REPORT, PICK, ROUTE, END)


def contract_of(message_type: str, version: str) -> Contract | None:
    """`version` of the picking list: the documented list of members, or the newer one with batch and location."""
    return {START: _START, REPORT: _REPORT, PICK: _PICK[version], ROUTE: _ROUTE, END: _END}.get(message_type)


def decode(text: str) -> Any:
    """JSON with exact decimals. Raises Refusal."""
    try:
        return json.loads(text, parse_float=Decimal)
    except ValueError:
        raise Refusal("content") from None


def order_named_in(text: str) -> str:
    """The order a message belongs to, as far as its content can be read without judging it."""
    try:
        content = json.loads(text)
    except ValueError:
        return ""
    order = content.get("ProductionOrderNumber") if isinstance(content, dict) else None
    return order if isinstance(order, str) else ""


def known_members_only(message_type: str, version: str, text: str) -> str:
    """The content without members its contract does not have, as a store that forgets references would keep it."""
    contract = contract_of(message_type, version)
    try:
        content = json.loads(text)
    except ValueError:
        return text
    if contract is None or not isinstance(content, dict):
        return text
    kept = {name: value for name, value in content.items() if name in (*contract.members, contract.lines)}
    if contract.line and isinstance(kept.get(contract.lines), list):
        members = contract.line.members
        kept[contract.lines] = [
            {name: value for name, value in line.items() if name in members} if isinstance(line, dict) else line
            for line in kept[contract.lines]
        ]
    return json.dumps(kept)


def read(message_type: str, queue: str, text: str, *, version: str, reject_unknown: bool) -> Content:
    """Raises Refusal for an unknown type, missing members, wrong values and, where asked for, unknown members."""
    contract = contract_of(message_type, version)
    if contract is None or queue.lower() != "jmgmes3p":
        raise Refusal("type", type=message_type, queue=queue)
    body = decode(text)
    fields = _read_members(contract, body, message_type, reject_unknown=reject_unknown)
    if contract.line is None:
        return Content(fields)
    rows = body.get(contract.lines)
    if not isinstance(rows, list) or not rows:
        raise Refusal("filled", field=contract.lines)
    lines = [_read_members(contract.line, row, message_type, reject_unknown=reject_unknown) for row in rows]
    return Content(fields, lines)


def _read_members(contract: Contract, body: Any, message_type: str, *, reject_unknown: bool) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Refusal("content")
    fields: dict[str, Any] = {}
    for name, value in body.items():
        if name == contract.lines:
            continue
        kind = contract.members.get(name)
        if kind is not None and value is not None:
            fields[name] = _value(name, kind, value)
        elif kind is None and reject_unknown:
            raise Refusal("member", name=name, type=message_type)
    for name in contract.mandatory:
        if fields.get(name) in (None, ""):
            raise Refusal("filled", field=name)
    return fields


def _value(name: str, kind: str, value: Any) -> Any:
    wrong = Refusal("value", value=repr(value), name=name, kind=kind)
    try:
        match kind:
            case "s" if isinstance(value, str):
                return value
            case "real" if isinstance(value, int | Decimal) and not isinstance(value, bool):
                return micro(value)
            case "int" if isinstance(value, int) and not isinstance(value, bool):
                return value
            case "date" if isinstance(value, str):
                return date_text(value)
            case "datetime" if isinstance(value, str):
                return instant_text(value)
            case _ if isinstance(value, str) and value in kind.split("|"):
                return value
            case _:
                raise wrong
    except ValueError:
        raise wrong from None
