"""The resources of the simulated Oracle: one declaration serves tables, payload checks, `q` and answers.

Attribute names follow Oracle's public REST guides where the reference gives them; nothing here posts anything.
"""

from dataclasses import dataclass, field

from simulators.oracle.values import Attribute, attributes


@dataclass(frozen=True)
class Child:
    """`join` pairs the parent's attribute with the child's."""

    resource: str
    join: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Resource:
    """`keys` with `hashed` make an opaque link id that only the server can build. `own_table` False reads a view."""

    name: str
    table: str
    keys: tuple[str, ...]
    attributes: dict[str, Attribute]
    children: dict[str, Child] = field(default_factory=dict[str, Child])
    finders: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    hashed: bool = False
    own_table: bool = True
    top: bool = True
    private: str = ""
    condition: str = ""
    create: frozenset[str] = frozenset()
    update: frozenset[str] = frozenset()
    required: frozenset[str] = frozenset()
    upsert: tuple[str, ...] = ()
    deletable: bool = False
    references: frozenset[str] = frozenset()


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_HEADER_KEY = (("WorkOrderId", "WorkOrderId"),)
_OPERATION_KEY = (("WorkOrderOperationId", "WorkOrderOperationId"),)
_AUDIT = " CreationDate:t CreatedBy LastUpdateDate:t LastUpdatedBy"

WORK_ORDER = Resource(
    "workOrders",
    "work_order",
    ("WorkOrderId",),
    attributes(
        "WorkOrderId:i WorkOrderNumber:s120 WorkOrderDescription:s240 OrganizationId:i OrganizationCode"
        " OrganizationName WorkOrderType WorkOrderSubType WorkMethodCode WorkOrderStatusId:i"
        " WorkOrderStatusCode WorkOrderStatusName WorkOrderSystemStatusCode InventoryItemId:i ItemNumber"
        " WorkDefinitionId:i WorkDefinitionCode WorkDefinitionName PlannedStartQuantity:n CompletedQuantity:n"
        " ScrappedQuantity:n RejectedQuantity:n UOMCode UnitOfMeasure PlannedStartDate:t"
        " PlannedCompletionDate:t ActualStartDate:t ActualCompletionDate:t ComplSubinventoryCode"
        " CompletionLocator SerialTrackingFlag:b SupplyType OvercompletionTolerancePercent:n" + _AUDIT
    ),
    children={
        "WorkOrderOperation": Child("WorkOrderOperation", _HEADER_KEY),
        "WorkOrderMaterial": Child("WorkOrderMaterial", _HEADER_KEY),
        "WorkOrderResource": Child("WorkOrderResource", _HEADER_KEY),
        "WorkOrderActiveOperation": Child("WorkOrderActiveOperation", _HEADER_KEY),
        "WorkOrderReservation": Child("WorkOrderReservation", _HEADER_KEY),
    },
    private="_batch TEXT NOT NULL DEFAULT ''",
    update=_names(
        "WorkOrderStatusId WorkOrderStatusCode WorkOrderDescription PlannedStartDate PlannedCompletionDate"
        " ComplSubinventoryCode CompletionLocator"
    ),
)
_OPERATION_ATTRIBUTES = attributes(
    "WorkOrderOperationId:i WorkOrderId:i OperationSequenceNumber:i OperationName OperationDescription WorkCenterId:i"
    " WorkCenterCode WorkCenterName WorkAreaCode CountPointOperationFlag:b PlannedStartDate:t PlannedCompletionDate:t"
    " ActualStartDate:t ActualCompletionDate:t PlannedQuantity:n ReadyQuantity:n CompletedQuantity:n ScrappedQuantity:n"
    " RejectedQuantity:n UnitOfMeasure UOMCode LastUpdateDate:t"
)
OPERATION = Resource(
    "WorkOrderOperation",
    "work_order_operation",
    ("WorkOrderOperationId",),
    _OPERATION_ATTRIBUTES,
    children={
        "WorkOrderOperationMaterial": Child("WorkOrderMaterial", _OPERATION_KEY),
        "WorkOrderOperationResource": Child("WorkOrderResource", _OPERATION_KEY),
    },
    top=False,
    private="_final INTEGER NOT NULL DEFAULT 0",
)
ACTIVE_OPERATION = Resource(
    "WorkOrderActiveOperation",
    "work_order_operation",
    ("WorkOrderOperationId",),
    _OPERATION_ATTRIBUTES,
    top=False,
    own_table=False,
    condition="ReadyQuantity > 0",
)
MATERIAL = Resource(
    "WorkOrderMaterial",
    "work_order_material",
    ("WorkOrderOperationMaterialId",),
    attributes(
        "WorkOrderOperationMaterialId:i WorkOrderId:i WorkOrderOperationId:i OperationSequenceNumber:i"
        " MaterialSequenceNumber:i InventoryItemId:i ItemNumber Quantity:n QuantityPerProduct:n IssuedQuantity:n"
        " UOMCode UnitOfMeasure SupplyType SupplySubinventory SupplyLocator BasisType RequiredDate:t LastUpdateDate:t"
    ),
    top=False,
    private="_reservation TEXT NOT NULL DEFAULT ''",
)
WORK_ORDER_RESOURCE = Resource(
    "WorkOrderResource",
    "work_order_resource",
    ("WorkOrderOperationResourceId",),
    attributes(
        "WorkOrderOperationResourceId:i WorkOrderId:i WorkOrderOperationId:i OperationSequenceNumber:i"
        " ResourceSequenceNumber:i ResourceId:i ResourceCode ResourceType ChargeType RequiredUsage:n"
        " ActualResourceUsage:n UOMCode UnitOfMeasure LastUpdateDate:t"
    ),
    top=False,
)
RESERVATION = Resource(
    "WorkOrderReservation",
    "work_order_reservation",
    ("ReservationId",),
    attributes(
        "ReservationId:i WorkOrderId:i DemandSourceType DemandOrderNumber DemandOrderLineNumber CustomerName"
        " ReservationQuantity:n UOMCode RequirementDate:t"
    ),
    top=False,
)
STATUS = Resource(
    "workOrderStatuses",
    "work_order_status",
    ("WoStatusId",),
    attributes(
        "WoStatusId:i WoStatusCode:s30 WoStatusName:s80 WoStatusDescription:s240 WoSystemStatusCode:s30" + _AUDIT
    ),
    create=_names("WoStatusCode WoStatusName WoStatusDescription WoSystemStatusCode"),
    update=_names("WoStatusName WoStatusDescription"),
    required=_names("WoStatusCode WoStatusName WoSystemStatusCode"),
    upsert=("WoStatusCode",),
)
PROCESS_WORK_ORDER = Resource(
    "processWorkOrders",
    "process_work_order",
    ("WorkOrderId",),
    attributes(
        "WorkOrderId:i WorkOrderNumber:s120 WorkOrderDescription OrganizationId:i OrganizationCode WorkOrderStatusCode"
        " WorkOrderSystemStatusCode WorkMethodCode PlannedStartQuantity:n UOMCode LastUpdateDate:t"
    ),
)
WORK_CENTER = Resource(
    "workCenters",
    "work_center",
    ("WorkCenterId",),
    attributes(
        "WorkCenterId:i WorkCenterCode:s30 WorkCenterName:s120 WorkCenterDescription OrganizationId:i OrganizationCode"
        " WorkAreaCode InactiveDate:d" + _AUDIT
    ),
    children={"WorkCenterResource": Child("workCenterResources", (("WorkCenterId", "WorkCenterId"),))},
)
WORK_CENTER_RESOURCE = Resource(
    "workCenterResources",
    "work_center_resource",
    ("WorkCenterId", "ResourceId"),
    attributes(
        "ResourceId:i ResourceCode:s30 ResourceType ResourceClassCode WorkCenterId:i WorkCenterCode OrganizationId:i"
        " OrganizationCode ResourceQuantity:n Available24HoursFlag:b EfficiencyPercentage:n UtilizationPercentage:n"
    ),
    hashed=True,
)
PRODUCTION_RESOURCE = Resource(
    "productionResources",
    "production_resource",
    ("ResourceId",),
    attributes(
        "ResourceId:i ResourceCode:s30 ResourceName:s120 ResourceDescription ResourceType ResourceClassCode"
        " OrganizationId:i OrganizationCode UOMCode" + _AUDIT
    ),
    finders={"findByWorkCenterId": ("WorkCenterId",)},
)
ITEM = Resource(
    "itemsV2",
    "items_v2",
    ("OrganizationId", "ItemId"),
    attributes(
        "ItemId:i ItemNumber:s300 ItemDescription OrganizationId:i OrganizationCode PrimaryUOMValue ItemStatusValue"
        " LotControlValue SerialGenerationValue LotStatusEnabledFlag:b StandardCost:n"
    ),
    hashed=True,
    own_table=False,
)
ONHAND = Resource(
    "inventoryOnhandBalances",
    "onhand_balance",
    ("OrganizationId", "InventoryItemId", "SubinventoryCode", "Locator", "LotNumber"),
    attributes(
        "OrganizationId:i OrganizationCode InventoryItemId:i ItemNumber SubinventoryCode Locator LotNumber"
        " MaterialStatusCode PrimaryQuantity:n PrimaryUOMCode"
    ),
    hashed=True,
    own_table=False,
)
COMPLETED_TRANSACTION = Resource(
    "inventoryCompletedTransactions",
    "inventory_transaction",
    ("TransactionId",),
    attributes(
        "TransactionId:i OrganizationId:i Organization InventoryItemId:i Item SubinventoryCode Locator"
        " TransactionDate:t TransactionType TransactionSourceType TransactionSource SourceReference Reason Reference"
        " TransactionQuantity:n TransactionUOM TransferSubinventoryCode AccountCombination CreationDate:t CreatedBy"
    ),
    children={"lots": Child("lots", (("TransactionId", "TransactionId"),))},
    private=(
        "_type TEXT NOT NULL, _work_order INTEGER, _operation INTEGER, _material INTEGER, _document INTEGER,"
        " _cancelled INTEGER NOT NULL DEFAULT 0, _serials TEXT NOT NULL DEFAULT '[]',"
        " _manual INTEGER NOT NULL DEFAULT 0, _reverses INTEGER, _text TEXT NOT NULL DEFAULT ''"
    ),
    references=_names("Reference SourceReference"),
)
TRANSACTION_LOT = Resource(
    "lots",
    "inventory_transaction_lot",
    ("TransactionLotId",),
    attributes("TransactionLotId:i TransactionId:i LotNumber TransactionQuantity:n"),
    top=False,
)
_STAGED = attributes(
    "TransactionInterfaceId:i TransactionHeaderId:i TransactionMode:s1 SourceCode:s50 SourceHeaderId:i SourceLineId:i"
    " TransactionReference:s240 ExternalSystemTransactionReference:s300 TransactionTypeName:s80 OrganizationId:i"
    " OrganizationName:s240 OrganizationCode:s18 InventoryItemId:i ItemNumber:s300 SubinventoryCode:s18 Locator:s800"
    " TransferSubinventory:s18 TransferLocator:s800 TransactionQuantity:n TransactionUnitOfMeasure:s25"
    " TransactionUOM:s3 TransactionDate:t AccountCombination:s240 AccountAliasCombination:s240 UseCurrentCostFlag:b"
    " ReasonName:s30 ProcessStatus:i ErrorCode:s240 ErrorExplanation:s2000" + _AUDIT
)
STAGED_TRANSACTION = Resource(
    "inventoryStagedTransactions",
    "staged_transaction",
    ("TransactionInterfaceId",),
    _STAGED,
    private="_lots TEXT NOT NULL DEFAULT '[]', _serials TEXT NOT NULL DEFAULT '[]', _due REAL",
    create=frozenset(_STAGED)
    - _names("TransactionInterfaceId ProcessStatus ErrorCode ErrorExplanation CreationDate CreatedBy LastUpdateDate")
    - _names("LastUpdatedBy"),
    update=frozenset(_STAGED)
    - _names("TransactionInterfaceId ErrorCode ErrorExplanation CreationDate CreatedBy LastUpdateDate LastUpdatedBy"),
    required=_names("SourceCode SourceHeaderId SourceLineId TransactionTypeName ItemNumber TransactionQuantity"),
    upsert=("TransactionInterfaceId",),
    deletable=True,
    references=_names("TransactionReference ExternalSystemTransactionReference"),
)
LOT = Resource(
    "inventoryItemLots",
    "item_lot",
    ("OrganizationId", "InventoryItemId", "LotNumber"),
    attributes(
        "OrganizationId:i OrganizationCode InventoryItemId:i ItemNumber LotNumber:s80 ActiveLot ActiveLotCode"
        " MaterialStatusId:i MaterialStatusCode OriginationDate:t ExpirationDate:t" + _AUDIT
    ),
    hashed=True,
    create=_names(
        "OrganizationId OrganizationCode InventoryItemId ItemNumber LotNumber ActiveLotCode MaterialStatusId"
        " MaterialStatusCode OriginationDate ExpirationDate"
    ),
    update=_names("ActiveLotCode MaterialStatusId MaterialStatusCode ExpirationDate"),
    required=_names("LotNumber"),
)
MATERIAL_STATUS = Resource(
    "materialStatuses",
    "material_status",
    ("MaterialStatusId",),
    attributes("MaterialStatusId:i StatusCode Description NettableFlag:b AvailableToPromiseFlag:b"),
    private="_disallowed TEXT NOT NULL DEFAULT ''",
)
