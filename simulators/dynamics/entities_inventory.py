"""Entity sets of inventory and quality: on-hand, batches, inventory journals, quality orders, released products.

On-hand sets are views over the stock; field names as in the reference, 3.4 and 3.5.
"""

from simulators.dynamics.edm import EntityType, Navigation, entity

_VARIANT = "ProductColorId ProductConfigurationId ProductSizeId ProductStyleId ProductVersionId"
_ON_HAND = (
    " ProductName OnHandQuantity:dec AvailableOnHandQuantity:dec ReservedOnHandQuantity:dec OrderedQuantity:dec"
    " OnOrderQuantity:dec AvailableOrderedQuantity:dec ReservedOrderedQuantity:dec TotalAvailableQuantity:dec"
    " AreWarehouseManagementProcessesUsed:NoYes"
)
_JOURNAL_HEADER = (
    "JournalNumber:20 JournalNameId:10 Description:60 IsPosted:NoYes PostedDateTime:instant PostedUserId:20"
    " DefaultInventorySiteId:10 DefaultWarehouseId:10 AreLinesDeletedAfterPosting:NoYes VoucherNumberSequenceCode:10"
)
_HEADER_PRIVATE = (
    "_stuck INTEGER NOT NULL DEFAULT 0, _error TEXT NOT NULL DEFAULT '', _voucher TEXT NOT NULL DEFAULT '',"
    " _at TEXT NOT NULL DEFAULT '', _user TEXT NOT NULL DEFAULT '', _manual INTEGER NOT NULL DEFAULT 0"
)


def _sides(names: str) -> str:
    return " ".join(f"{side}{name}" for side in ("Source", "Destination") for name in names.split())


def _lines(target: str) -> Navigation:
    return Navigation(target, (("dataAreaId", "dataAreaId"), ("JournalNumber", "JournalNumber")), many=True)


def _header(target: str) -> Navigation:
    return Navigation(target, (("dataAreaId", "dataAreaId"), ("JournalNumber", "JournalNumber")), many=False)


SITES_ON_HAND = entity(
    "InventorySitesOnHandV2",
    "InventorySiteOnHandV2",
    "on_hand_site",
    f"ItemNumber:20 {_VARIANT} InventorySiteId:10{_ON_HAND}",
    keys=f"ItemNumber {_VARIANT} InventorySiteId",
)
WAREHOUSES_ON_HAND = entity(
    "WarehousesOnHandV2",
    "WarehouseOnHandV2",
    "on_hand_warehouse",
    f"ItemNumber:20 {_VARIANT} InventorySiteId:10 InventoryWarehouseId:10{_ON_HAND}",
    keys=f"ItemNumber {_VARIANT} InventorySiteId InventoryWarehouseId",
)
STATUSES_ON_HAND = entity(
    "WarehouseInventoryStatusesOnHandV2",
    "WarehouseInventoryStatusOnHandV2",
    "on_hand_status",
    f"ItemNumber:20 {_VARIANT} InventorySiteId:10 InventoryWarehouseId:10 InventoryStatusId:10{_ON_HAND}",
    keys=f"ItemNumber {_VARIANT} InventorySiteId InventoryWarehouseId InventoryStatusId",
)
ON_HAND: tuple[EntityType, ...] = (SITES_ON_HAND, WAREHOUSES_ON_HAND, STATUSES_ON_HAND)

BATCH = entity(
    "ItemBatches",
    "ItemBatch",
    "item_batch",
    "ItemNumber:20 BatchNumber:20 BatchDispositionCode:10 BatchDescription:60 ManufacturingDate:date"
    " BatchExpirationDate:date BestBeforeDate:date ShelfLifeAdviceDate:date VendorBatchNumber:20 VendorBatchDate:date"
    " VendorExpirationDate:date PrimaryVendorOriginCountryRegionId:10 MostRecentTestDate:date"
    " AreBatchAttributesInherited:NoYes AreShelfLifeDatesInherited:NoYes IsBatchConsolidated:NoYes",
    keys="ItemNumber BatchNumber",
    methods="POST PATCH DELETE",
)
DISPOSITION = entity(
    "PdsBatchDispositions",
    "PdsBatchDisposition",
    "disposition_code",
    "DispositionCode:10 Description:60 DispositionStatus:PdsDispositionStatus IsReservationBlocked:NoYes"
    " IsPickingBlocked:NoYes IsShippingBlocked:NoYes IsProductionPickingBlocked:NoYes IsNettable:NoYes",
    keys="DispositionCode",
    public=False,
)
TRANSFER_HEADER = entity(
    "InventoryTransferJournalHeaders",
    "InventoryTransferJournalHeader",
    "transfer_header",
    _JOURNAL_HEADER,
    keys="JournalNumber",
    methods="POST PATCH DELETE",
    private=_HEADER_PRIVATE,
    navigations={"InventoryTransferJournalEntry": _lines("InventoryTransferJournalEntries")},
    references="Description",
)
_SIDE = (
    "InventorySiteId:10 WarehouseId:10 WarehouseLocationId:10 ItemBatchNumber:20 InventoryStatusId:10"
    " LicensePlateNumber:25 ItemSerialNumber:20 ProductConfigurationId ProductColorId ProductSizeId ProductStyleId"
    " ProductVersionId InventoryOwnerId"
)
TRANSFER_LINE = entity(
    "InventoryTransferJournalEntries",
    "InventoryTransferJournalEntry",
    "transfer_line",
    f"JournalNumber:20 LineNumber:dec JournalNameId:10 ItemNumber:20 {_sides(_SIDE)} InventoryQuantity:dec"
    " CatchWeightQuantity:dec UnitCostQuantity:dec TransactionDate:date DefaultLedgerDimensionDisplayValue",
    keys="JournalNumber LineNumber",
    methods="POST PATCH DELETE",
    private="_stock TEXT NOT NULL DEFAULT '[]'",
    navigations={"InventoryTransferJournalHeader": _header("InventoryTransferJournalHeaders")},
)
MOVEMENT_HEADER = entity(
    "InventoryMovementJournalHeaders",
    "InventoryMovementJournalHeader",
    "movement_header",
    _JOURNAL_HEADER,
    keys="JournalNumber",
    methods="POST PATCH DELETE",
    private=_HEADER_PRIVATE,
    references="Description",
)
MOVEMENT_LINE = entity(
    "InventoryMovementJournalEntries",
    "InventoryMovementJournalEntry",
    "movement_line",
    "JournalNumber:20 ItemNumber:20 ProductConfigurationId ProductColorId ProductSizeId ProductStyleId"
    " InventorySiteId:10 InventoryWarehouseId:10 ItemBatchNumber:20 ItemSerialNumber:20 WarehouseLocationId:10"
    " LicensePlateNumber:25 InventoryStatusId:10 LineNumber:dec JournalNameId:10 InventoryQuantity:dec UnitCost:dec"
    " UnitCostQuantity:dec CostAmount:dec FixedCostCharges:dec CatchWeightQuantity:dec TransactionDate:date"
    " OffsetMainAccountIdDisplayValue DefaultLedgerDimensionDisplayValue",
    keys=(
        "JournalNumber ItemNumber ProductConfigurationId ProductColorId ProductSizeId ProductStyleId InventorySiteId"
        " InventoryWarehouseId ItemBatchNumber ItemSerialNumber WarehouseLocationId LicensePlateNumber"
        " InventoryStatusId"
    ),
    methods="POST PATCH DELETE",
    private="_stock TEXT NOT NULL DEFAULT '[]'",
)
QUALITY_ORDER = entity(
    "QualityOrderHeaders",
    "QualityOrderHeader",
    "quality_order",
    "QualityOrderNumber:20 QualityOrderPolicyType:InventTestReferenceType QualityOrderStatus:InventTestOrderStatus"
    " ItemNumber:20 ProductName InventoryQuantity:dec CatchWeightQuantity:dec QualityTestGroupId:10 ItemSamplingId:10"
    " ProductionOrderNumber:20 ProductionOrderRouteOperationNumber:int RouteOperationId:10 RouteId OperationsResourceId"
    " InventorySiteId:10 WarehouseId:10 WarehouseLocationId:10 ItemBatchNumber:20 ItemSerialNumber:20"
    " LicensePlateNumber:25 InventoryStatusId:10 InventoryLotId:20 ReferenceInventoryLotId:20 InventoryOwnerId"
    " PassedBatchDispositionCode:10 FailedBatchDispositionCode:10 PassedInventoryStatusId:10"
    " FailedOrderInventoryStatusId:10 IsDestructiveTest:NoYes AcceptableQualityLevelPercentage:dec"
    " ValidatedDateTime:instant ValidatingPersonnelNumber:25 PurchaseOrderNumber SalesOrderNumber"
    f" {_VARIANT} DefaultLedgerDimensionDisplayValue",
    keys="QualityOrderNumber",
    methods="POST PATCH DELETE",
    private="_at TEXT NOT NULL DEFAULT '', _user TEXT NOT NULL DEFAULT '', _manual INTEGER NOT NULL DEFAULT 0",
    navigations={
        "ProductionOrderHeader": Navigation(
            "ProductionOrderHeaders",
            (("dataAreaId", "dataAreaId"), ("ProductionOrderNumber", "ProductionOrderNumber")),
            many=False,
        )
    },
)
QUALITY_RESULT = entity(
    "QualityOrderLineResults",
    "QualityOrderLineResult",
    "quality_result",
    "QualityOrderNumber:20 QualityOrderSequenceNumber:int ResultLineNumber:dec QualityTestId:10"
    " TestResult:InventTestResult ResultValue:dec ResultInventoryQuantity:dec QualityTestVariableOutcomeId:10",
    keys="QualityOrderNumber QualityOrderSequenceNumber ResultLineNumber",
    methods="POST PATCH DELETE",
)
NONCONFORMANCE = entity(
    "InventNonConformance",
    "InventNonConformanceTable",
    "nonconformance",
    "InventNonConformanceId:20 InventNonConformanceType:InventTestNonConformanceType InventTestProblemTypeId:10"
    " ItemId:20 InventRefId:20 InventBatchId:20 TestDefectQty:dec UnitId:10"
    " InventTestQuarantineType:InventTestQuarantineType QuarantineZoneId:10 Approval:InventTestApproval Closed:NoYes"
    " Description:60",
    keys="InventNonConformanceId",
    methods="POST PATCH",
    public=False,
    references="Description",
)
PRODUCT = entity(
    "ReleasedProductsV2",
    "ReleasedProductV2",
    "item",
    "ItemNumber:20 ProductName:60 InventoryUnitSymbol:10 BOMUnitSymbol:10 TrackingDimensionGroupName:10"
    " StorageDimensionGroupName:10 ItemModelGroupId:10 UnitCost:dec UnitCostQuantity:dec CostGroupId:10",
    keys="ItemNumber",
    private="_batch_managed INTEGER NOT NULL DEFAULT 0, _negative INTEGER NOT NULL DEFAULT 0",
)
ENTITIES: tuple[EntityType, ...] = (
    *ON_HAND,
    BATCH,
    DISPOSITION,
    TRANSFER_HEADER,
    TRANSFER_LINE,
    MOVEMENT_HEADER,
    MOVEMENT_LINE,
    QUALITY_ORDER,
    QUALITY_RESULT,
    NONCONFORMANCE,
    PRODUCT,
)
