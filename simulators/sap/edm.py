"""The entity types of production orders, confirmations, material documents and stock.

Property names, types and lengths follow the public contracts of the OData V2 services.
"""

from simulators.sap.entity_types import EntityType, Navigation, joined, properties

ORDER_SERVICE = "API_PRODUCTION_ORDER_2_SRV"
CONFIRMATION_SERVICE = "API_PROD_ORDER_CONFIRMATION_2_SRV"
DOCUMENT_SERVICE = "API_MATERIAL_DOCUMENT_SRV"
STOCK_SERVICE = "API_MATERIAL_STOCK_SRV"

PROCESS_SERVICE = "API_PROCESS_ORDER_2_SRV"

PRODUCTION, PROCESS = "10", "40"
_BY_ORDER = joined("ManufacturingOrder")
# Process orders live in the same tables and are shown by another service.
_NO_PROCESS_ORDER = f"ManufacturingOrderCategory = '{PRODUCTION}'"

ORDER = EntityType(
    ORDER_SERVICE,
    "A_ProductionOrder_2",
    "production_order",
    ("ManufacturingOrder",),
    properties(
        "ManufacturingOrder:s12 ManufacturingOrderCategory:s2 ManufacturingOrderType:s4 OrderIsCreated:s1"
        " OrderIsReleased:s1 OrderIsPrinted:s1 OrderIsConfirmed:s1 OrderIsPartiallyConfirmed:s1 OrderIsDelivered:s1"
        " OrderIsDeleted:s1 OrderIsPreCosted:s1 SettlementRuleIsCreated:s1 OrderIsPartiallyReleased:s1"
        " OrderIsLocked:s1 OrderIsTechnicallyCompleted:s1 OrderIsClosed:s1 OrderIsPartiallyDelivered:s1"
        " OrderIsMarkedForDeletion:s1 OrderIsScheduled:s1 MfgOrderCreationDate:d MfgOrderCreationTime:t"
        " LastChangeDateTime:s14 Material:s40 StorageLocation:s4 OrderInternalBillOfOperations:n10"
        " ProductionPlant:s4 Plant:s4 MRPArea:s10 MRPController:s3 ProductionSupervisor:s3 ProductionVersion:s4"
        " SalesOrder:s10 SalesOrderItem:n6 CompanyCode:s4 ProfitCenter:s10 MfgOrderPlannedStartDate:d"
        " MfgOrderPlannedStartTime:t MfgOrderPlannedEndDate:d MfgOrderPlannedEndTime:t MfgOrderScheduledStartDate:d"
        " MfgOrderScheduledStartTime:t MfgOrderScheduledEndDate:d MfgOrderScheduledEndTime:t"
        " MfgOrderActualReleaseDate:d ProductionUnit:s3 TotalQuantity:q MfgOrderPlannedScrapQty:q"
        " MfgOrderConfirmedYieldQty:q OrderLongText:s1333"
    ),
    {
        "to_ProductionOrderOperation": Navigation("A_ProductionOrderOperation_2", _BY_ORDER),
        "to_ProductionOrderComponent": Navigation("A_ProductionOrderComponent_2", _BY_ORDER),
        "to_ProductionOrderComponentExt": Navigation("A_ProductionOrderComponent_3", _BY_ORDER),
        "to_ProductionOrderComponentExt4": Navigation("A_ProductionOrderComponent_4", _BY_ORDER),
        "to_ProductionOrderItem": Navigation("A_ProductionOrderItem_2", _BY_ORDER),
        "to_ProductionOrderStatus": Navigation("A_ProductionOrderStatus_2", _BY_ORDER),
    },
    etag="LastChangeDateTime",
    private=(
        "_over INTEGER, _under INTEGER NOT NULL, _group TEXT NOT NULL, _count INTEGER NOT NULL DEFAULT 0,"
        " _inspection TEXT NOT NULL DEFAULT '', _characteristics TEXT NOT NULL DEFAULT '[]'"
    ),
    only=_NO_PROCESS_ORDER,
)

OPERATION = EntityType(
    ORDER_SERVICE,
    "A_ProductionOrderOperation_2",
    "production_operation",
    ("OrderInternalBillOfOperations", "OrderIntBillOfOperationsItem"),
    properties(
        "OrderInternalBillOfOperations:n10 OrderIntBillOfOperationsItem:n8 ManufacturingOrder:s12"
        " ManufacturingOrderSequence:n6 ManufacturingOrderOperation:s4 ManufacturingOrderSubOperation:s4"
        " ManufacturingOrderCategory:s2 ManufacturingOrderType:s4 MfgOrderOperationText:s40 OperationIsCreated:s1"
        " OperationIsReleased:s1 OperationIsPrinted:s1 OperationIsConfirmed:s1 OperationIsPartiallyConfirmed:s1"
        " OperationIsDeleted:s1 OperationIsTechlyCompleted:s1 OperationIsClosed:s1 OperationIsScheduled:s1"
        " OperationIsPartiallyDelivered:s1 OperationIsDelivered:s1 ProductionPlant:s4 WorkCenterInternalID:n8"
        " WorkCenterTypeCode:s2 WorkCenter:s8 OperationControlProfile:s4 OpErlstSchedldExecStrtDte:d"
        " OpErlstSchedldExecStrtTme:t OpErlstSchedldExecEndDte:d OpErlstSchedldExecEndTme:t"
        " OpActualExecutionStartDate:d OpActualExecutionStartTime:t OpActualExecutionEndDate:d"
        " OpActualExecutionEndTime:t OperationUnit:s3 OpPlannedTotalQuantity:q OpTotalConfirmedYieldQty:q"
        " LastChangeDateTime:s14"
    ),
    {"to_ProductionOrder": Navigation("A_ProductionOrder_2", _BY_ORDER)},
    etag="LastChangeDateTime",
    private=(
        "_group TEXT NOT NULL, _count INTEGER NOT NULL DEFAULT 0, _overlap INTEGER NOT NULL DEFAULT 0,"
        " _scrap INTEGER NOT NULL DEFAULT 0, _rework INTEGER NOT NULL DEFAULT 0, _final INTEGER NOT NULL DEFAULT 0,"
        " _confirmations INTEGER NOT NULL DEFAULT 0, _activities TEXT NOT NULL DEFAULT '{}'"
    ),
    only=_NO_PROCESS_ORDER,
)

_COMPONENT = properties(
    "Reservation:n10 ReservationItem:n4 ReservationRecordType:s1 ManufacturingOrder:s12"
    " ManufacturingOrderSequence:n6 ManufacturingOrderOperation:s4 OrderInternalBillOfOperations:n10 BOMItem:n8"
    " BillOfMaterialItemNumber:s4 Material:s40 Plant:s4 ManufacturingOrderCategory:s2 ManufacturingOrderType:s4"
    " ProductionPlant:s4 MatlCompRequirementDate:d MatlCompRequirementTime:t ReservationIsFinallyIssued:b"
    " IsBulkMaterialComponent:b MatlCompIsMarkedForBackflush:b BOMItemCategory:s1 BOMItemDescription:s40"
    " StorageLocation:s4 Batch:s10 GoodsMovementType:s3 SupplyArea:s10 QuantityIsFixed:b BaseUnit:s3"
    " RequiredQuantity:q WithdrawnQuantity:q ConfirmedAvailableQuantity:q LastChangeDateTime:s14"
)


def _component_set(set_name: str, etag: str = "") -> EntityType:
    keys = ("Reservation", "ReservationItem", "ReservationRecordType")
    private = "_seq INTEGER NOT NULL DEFAULT 0"
    return EntityType(
        ORDER_SERVICE, set_name, "component", keys, _COMPONENT, etag=etag, private=private, only=_NO_PROCESS_ORDER
    )


COMPONENT = _component_set("A_ProductionOrderComponent_4", "LastChangeDateTime")
COMPONENTS = (
    _component_set("A_ProductionOrderComponent_2"),
    _component_set("A_ProductionOrderComponent_3", "LastChangeDateTime"),
    COMPONENT,
)

ITEM = EntityType(
    ORDER_SERVICE,
    "A_ProductionOrderItem_2",
    "order_item",
    ("ManufacturingOrder", "ManufacturingOrderItem"),
    properties(
        "ManufacturingOrder:s12 ManufacturingOrderItem:n4 ManufacturingOrderCategory:s2 ManufacturingOrderType:s4"
        " IsCompletelyDelivered:b Material:s40 ProductionPlant:s4 Plant:s4 MRPArea:s10 StorageLocation:s4 Batch:s10"
        " InventoryUsabilityCode:s1 ProductionUnit:s3 MfgOrderItemPlannedTotalQty:q MfgOrderItemPlannedScrapQty:q"
        " MfgOrderItemGoodsReceiptQty:q MfgOrderItemActualDeviationQty:q"
    ),
    private="_stock_type TEXT NOT NULL DEFAULT '01'",
    only=_NO_PROCESS_ORDER,
)

STATUS = EntityType(
    ORDER_SERVICE,
    "A_ProductionOrderStatus_2",
    "order_status",
    ("ManufacturingOrder", "StatusCode"),
    properties("ManufacturingOrder:s12 StatusCode:s5 IsUserStatus:b StatusShortName:s4 StatusName:s30"),
    only=("ManufacturingOrder IN (SELECT ManufacturingOrder FROM production_order WHERE " + _NO_PROCESS_ORDER + ")"),
)

PROCESS_ORDER = EntityType(
    PROCESS_SERVICE,
    "A_ProcessOrder_2",
    "process_order",
    ("ManufacturingOrder",),
    properties(
        "ManufacturingOrder:s12 ManufacturingOrderCategory:s2 ManufacturingOrderType:s4 OrderIsReleased:s1"
        " OrderIsTechnicallyCompleted:s1 LastChangeDateTime:s14 Material:s40 ProductionPlant:s4 Plant:s4"
        " ProductionUnit:s3 TotalQuantity:q"
    ),
    view=(
        "SELECT ManufacturingOrder, ManufacturingOrderCategory, ManufacturingOrderType, OrderIsReleased,"
        " OrderIsTechnicallyCompleted, LastChangeDateTime, Material, ProductionPlant, Plant, ProductionUnit,"
        f" TotalQuantity FROM production_order WHERE ManufacturingOrderCategory = '{PROCESS}'"
    ),
)

_SLOTS = " ".join(
    f"OpWorkQuantityUnit{n}:s3 OpConfirmedWorkQuantity{n}:a NoFurtherOpWorkQuantity{n}IsExpd:b" for n in range(1, 7)
)
CONFIRMATION_KEYS = joined("ConfirmationGroup", "ConfirmationCount")

CONFIRMATION = EntityType(
    CONFIRMATION_SERVICE,
    "ProdnOrdConf2",
    "confirmation",
    ("ConfirmationGroup", "ConfirmationCount"),
    properties(
        "ConfirmationGroup:n10 ConfirmationCount:n8 OrderID:s12 Sequence:n6 OrderOperation:s4 OrderSuboperation:s4"
        " OrderType:s4 OrderOperationInternalID:n8 ConfirmationText:s40 Language:s2 Material:s40"
        " OrderPlannedTotalQty:q ProductionUnit:s3 FinalConfirmationType:s1 IsFinalConfirmation:b"
        " OpenReservationsIsCleared:b IsReversed:b IsReversal:b APIConfHasNoGoodsMovements:b"
        " OrderConfirmationRecordType:s3 ConfirmationEntryDate:d ConfirmationEntryTime:t EnteredByUser:s12"
        " LastChangeDate:d LastChangedByUser:s12 ConfirmationExternalEntryDate:d ConfirmationExternalEntryTime:t"
        " EnteredByExternalUser:s12 ExternalSystemConfirmation:g Plant:s4 WorkCenterTypeCode:s2 WorkCenter:s8"
        " CapacityCategoryCode:s3 CapacityRequirementSplit:i Personnel:n8 TimeRecording:n12 EmployeeWageType:s4"
        " EmployeeWageGroup:s3 BreakDurationUnit:s3 ConfirmedBreakDuration:a EmployeeSuitability:s2"
        " NumberOfEmployees:a PostingDate:d ConfirmedExecutionStartDate:d ConfirmedExecutionStartTime:t"
        " ConfirmedSetupEndDate:d ConfirmedSetupEndTime:t ConfirmedProcessingStartDate:d"
        " ConfirmedProcessingStartTime:t ConfirmedProcessingEndDate:d ConfirmedProcessingEndTime:t"
        " ConfirmedTeardownStartDate:d ConfirmedTeardownStartTime:t ConfirmedExecutionEndDate:d"
        " ConfirmedExecutionEndTime:t ConfirmationUnit:s3 ConfirmationUnitISOCode:s3 ConfirmationUnitSAPCode:s3"
        " ConfirmationYieldQuantity:q ConfirmationScrapQuantity:q ConfirmationReworkQuantity:q VarianceReasonCode:s4 "
        + _SLOTS
        + " BusinessProcessEntryUnit:s3 BusinessProcessConfirmedQty:a NoFurtherBusinessProcQtyIsExpd:b"
    ),
    {"to_ProdnOrdConfMatlDocItm": Navigation("ProdnOrdConfMatlDocItm", CONFIRMATION_KEYS)},
    private=(
        "_manual INTEGER NOT NULL DEFAULT 0, _automatic_of TEXT NOT NULL DEFAULT '',"
        " _reverses TEXT NOT NULL DEFAULT '', _at TEXT NOT NULL DEFAULT ''"
    ),
)

CONFIRMATION_ITEM = EntityType(
    CONFIRMATION_SERVICE,
    "ProdnOrdConfMatlDocItm",
    "confirmation_item",
    ("ConfirmationGroup", "ConfirmationCount", "MaterialDocument", "MaterialDocumentItem", "MaterialDocumentYear"),
    properties(
        "ConfirmationGroup:n10 ConfirmationCount:n8 MaterialDocument:s10 MaterialDocumentItem:n4"
        " MaterialDocumentYear:s4 OrderType:s4 OrderID:s12 OrderItem:n4 ManufacturingOrderCategory:s2 Material:s40"
        " Plant:s4 Reservation:n10 ReservationItem:n4 StorageLocation:s4 ProductionSupplyArea:s10 Batch:s10"
        " InventoryValuationType:s10 GoodsMovementType:s3 GoodsMovementRefDocType:s1 InventoryUsabilityCode:s1"
        " InventorySpecialStockType:s1 SalesOrder:s10 SalesOrderItem:n6 WBSElementExternalID:s24 Supplier:s10"
        " Customer:s10 ReservationIsFinallyIssued:b IsCompletelyDelivered:b ShelfLifeExpirationDate:d"
        " ManufactureDate:d StorageType:s3 StorageBin:s10 MaterialDocumentItemText:s50 EntryUnit:s3"
        " EntryUnitISOCode:s3 EntryUnitSAPCode:s3 QuantityInEntryUnit:q"
    ),
)

DOCUMENT_KEYS = joined("MaterialDocumentYear", "MaterialDocument")

DOCUMENT = EntityType(
    DOCUMENT_SERVICE,
    "A_MaterialDocumentHeader",
    "material_document",
    ("MaterialDocumentYear", "MaterialDocument"),
    properties(
        "MaterialDocumentYear:s4 MaterialDocument:s10 InventoryTransactionType:s2 DocumentDate:d PostingDate:d"
        " CreationDate:d CreationTime:t CreatedByUser:s12 MaterialDocumentHeaderText:s25 ReferenceDocument:s16"
        " VersionForPrintingSlip:s1 ManualPrintIsTriggered:s1 CtrlPostgForExtWhseMgmtSyst:s1 GoodsMovementCode:s2"
    ),
    {"to_MaterialDocumentItem": Navigation("A_MaterialDocumentItem", DOCUMENT_KEYS)},
    private="_at TEXT NOT NULL DEFAULT '', _manual INTEGER NOT NULL DEFAULT 0",
)

DOCUMENT_ITEM = EntityType(
    DOCUMENT_SERVICE,
    "A_MaterialDocumentItem",
    "material_document_item",
    ("MaterialDocumentYear", "MaterialDocument", "MaterialDocumentItem"),
    properties(
        "MaterialDocumentYear:s4 MaterialDocument:s10 MaterialDocumentItem:n4 Material:s40 Plant:s4"
        " StorageLocation:s4 StorageType:s3 StorageBin:s10 Batch:s10 GoodsMovementType:s3 InventoryStockType:s2"
        " InventoryValuationType:s10 InventorySpecialStockType:s1 Supplier:s10 Customer:s10 SalesOrder:s10"
        " SalesOrderItem:n6 PurchaseOrder:s10 PurchaseOrderItem:n5 GoodsMovementRefDocType:s1"
        " InventoryUsabilityCode:s1 IsCompletelyDelivered:b MaterialDocumentItemText:s50 GoodsRecipientName:s12"
        " UnloadingPointName:s25 CostCenter:s10 ControllingArea:s4 GLAccount:s10 GoodsMovementReasonCode:n4"
        " Reservation:n10 ReservationItem:n4 ReservationIsFinallyIssued:b ManufacturingOrder:s12"
        " ManufacturingOrderItem:n4 MaterialBaseUnit:s3 QuantityInBaseUnit:q EntryUnit:s3 QuantityInEntryUnit:q"
        " IssgOrRcvgMaterial:s40 IssgOrRcvgBatch:s10 IssuingOrReceivingPlant:s4 IssuingOrReceivingStorageLoc:s4"
        " IssuingOrReceivingStockType:s2 MaterialDocumentPostingType:s1 EWMWarehouse:s4 EWMStorageBin:s18"
        " ManufactureDate:d ShelfLifeExpirationDate:d GoodsMovementIsCancelled:b ReversedMaterialDocumentYear:s4"
        " ReversedMaterialDocument:s10 ReversedMaterialDocumentItem:n4"
    ),
    {
        "to_MaterialDocumentHeader": Navigation("A_MaterialDocumentHeader", DOCUMENT_KEYS),
        "to_SerialNumbers": Navigation(
            "A_SerialNumberMaterialDocument",
            joined("MaterialDocumentYear", "MaterialDocument", "MaterialDocumentItem"),
        ),
    },
    private=(
        "_group TEXT NOT NULL DEFAULT '', _count TEXT NOT NULL DEFAULT '', _order_type TEXT NOT NULL DEFAULT '',"
        " _lot TEXT NOT NULL DEFAULT ''"
    ),
)

SERIAL = EntityType(
    DOCUMENT_SERVICE,
    "A_SerialNumberMaterialDocument",
    "serial_movement",
    ("Material", "SerialNumber", "MaterialDocumentYear", "MaterialDocument", "MaterialDocumentItem"),
    properties(
        "Material:s40 SerialNumber:s18 MaterialDocumentYear:s4 MaterialDocument:s10 MaterialDocumentItem:n4"
        " ManufacturerSerialNumber:s30"
    ),
)

STOCK = EntityType(
    STOCK_SERVICE,
    "A_MatlStkInAcctMod",
    "stock",
    (
        "Material",
        "Plant",
        "StorageLocation",
        "Batch",
        "Supplier",
        "Customer",
        "WBSElementInternalID",
        "SDDocument",
        "SDDocumentItem",
        "InventorySpecialStockType",
        "InventoryStockType",
    ),
    properties(
        "Material:s40 Plant:s4 StorageLocation:s4 Batch:s10 Supplier:s10 Customer:s10 WBSElementInternalID:n24"
        " SDDocument:s10 SDDocumentItem:n6 InventorySpecialStockType:s1 InventoryStockType:s2 MaterialBaseUnit:s3"
        " MatlWrhsStkQtyInMatlBaseUnit:q"
    ),
)

ENTITIES = (
    ORDER,
    OPERATION,
    *COMPONENTS,
    ITEM,
    STATUS,
    PROCESS_ORDER,
    CONFIRMATION,
    CONFIRMATION_ITEM,
    DOCUMENT,
    DOCUMENT_ITEM,
    SERIAL,
    STOCK,
)
