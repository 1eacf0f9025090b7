"""Entity sets of production control: orders, operations, bill of material lines, jobs and the four production journals.

Field names as in the reference, 3.2 and 3.3; columns that start with `_` never leave through OData.
"""

from simulators.dynamics.edm import EntityType, Navigation, entity

_ORDER = (("dataAreaId", "dataAreaId"), ("ProductionOrderNumber", "ProductionOrderNumber"))
_OPERATION = (*_ORDER, ("OperationNumber", "OperationNumber"), ("OperationPriority", "OperationPriority"))


def _many(target: str) -> Navigation:
    return Navigation(target, _ORDER, many=True)


_TO_ORDER = {"ProductionOrderHeader": Navigation("ProductionOrderHeaders", _ORDER, many=False)}
_DIMENSIONS = "ProductConfigurationId ProductColorId ProductSizeId ProductStyleId ProductVersionId"
_DEMAND = (
    "DemandProductionOrderNumber DemandProductionOrderLineNumber DemandProductionOrderHeaderInventoryLotId"
    " DemandProductionOrderLineInventoryLotId DemandSalesOrderNumber DemandSalesOrderLineInventoryLotId"
    " DemandTransferOrderNumber DemandInventoryJournalNumber"
)

HEADER = entity(
    "ProductionOrderHeaders",
    "ProductionOrderHeader",
    "production_order",
    "ProductionOrderNumber:20 ProductionOrderName:60 ItemNumber:20 ProductionOrderStatus:ProdStatus"
    " ProductionOrderRemainderStatus:ProdBackStatus ScheduledQuantity:dec EstimatedQuantity:dec StartedQuantity:dec"
    " RemainingReportAsFinishedQuantity:dec ScheduledDate:date ScheduledStartDate:date ScheduledStartTime:int"
    " ScheduledEndDate:date ScheduledEndTime:int DeliveryDate:date DeliveryTime:int EstimatedDate:date"
    " LastSchedulingDate:date LastSchedulingTime:int ReleasedDate:date StartedDate:date ReportedAsFinishedDate:date"
    " EndedDate:date ItemBatchNumber:20 ProductSerialNumber:20 LicensePlateNumber:25 InventoryLotId:20"
    " InventoryStatusId:10 InventoryOwnerId ProductionSiteId:10 ProductionWarehouseId:10"
    " ProductionWarehouseLocationId:10 SourceBOMId SourceRouteId SourcePlannedOrderNumber SourceMasterPlanId"
    " ProductionPoolId:10 ProductionGroupId:10 ProductionOrderPriority:int ProductionLevel:int"
    f" ParentProductionOrderNumber:20 {_DIMENSIONS} {_DEMAND} AreRouteJobsGenerated:NoYes"
    " IsProductionOrderSchedulingLocked:NoYes ProductionOrderLedgerPostingRule:ProdPostingType"
    " DefaultLedgerDimensionDisplayValue WorkingTimeSchedulingPropertyId GanttChartColorNumber:int",
    keys="ProductionOrderNumber",
    methods="POST PATCH DELETE",
    private=(
        "_over INTEGER, _under INTEGER NOT NULL DEFAULT 0, _unit TEXT NOT NULL DEFAULT 'PC',"
        " _good INTEGER NOT NULL DEFAULT 0, _error INTEGER NOT NULL DEFAULT 0, _final INTEGER NOT NULL DEFAULT 0,"
        " _type TEXT NOT NULL DEFAULT ''"
    ),
    navigations={
        "ProdutionOrderBOMLines": _many("ProductionOrderBillOfMaterialLines"),
        "ProdutionOrderRouteOperations": _many("ProductionOrderRouteOperations"),
        "ProductionOrderRouteJobs": _many("ProductionOrderRouteJobs"),
        "RouteCardProductionJournalEntries": _many("RouteCardProductionJournalEntries"),
        "JobCardProductionJournalEntries": _many("JobCardProductionJournalEntries"),
        "ProductionPickingListJournalEntries": _many("ProductionPickingListJournalEntries"),
        "ReportAsFinishedProductionJournalEntries": _many("ReportAsFinishedProductionJournalEntries"),
        "QualityOrderHeaders": _many("QualityOrderHeaders"),
    },
)
OPERATION = entity(
    "ProductionOrderRouteOperations",
    "ProductionOrderRouteOperation",
    "route_operation",
    "ProductionOrderNumber:20 OperationNumber:int OperationPriority:RouteOprPriority OperationId:10"
    " NextOperationNumber:int RouteOperationSequence:int RouteGroupId:10 CostingOperationResourceId:20"
    " ResourceQuantity:int LoadPercentage:dec ProcessTime:dec ProcessQuantity:dec SetupTime:dec"
    " OperationsTimeToHourConversionFactor:dec EstimatedProcessTime:dec EstimatedSetupTime:dec"
    " EstimatedOperationQuantity:dec ScrapPercentage:dec AccumulatedScrapPercentage:dec ProcessCostCategoryId:10"
    " SetupCostCategoryId:10 QuantityCostCategoryId:10 ScheduledFromDate:date ScheduledFromTime:int"
    " ScheduledEndDate:date ScheduledEndTime:int IsOperationStarted:NoYes IsOperationCompleted:NoYes"
    " RouteOperationRemainderStatus:ProdBackStatus ProcessCompletionPercentage:dec SetupCompletionPercentage:dec"
    " SetupProductionJobId:20 ProcessProductionJobId:20 DefaultLedgerDimensionDisplayValue"
    " WorkingTimeSchedulingPropertyId",
    keys="ProductionOrderNumber OperationNumber OperationPriority",
    private=(
        "_planned INTEGER NOT NULL DEFAULT 0, _yield INTEGER NOT NULL DEFAULT 0, _scrap INTEGER NOT NULL DEFAULT 0,"
        " _setup_hours INTEGER NOT NULL DEFAULT 0, _process_hours INTEGER NOT NULL DEFAULT 0,"
        " _unit TEXT NOT NULL DEFAULT 'PC', _profile TEXT NOT NULL DEFAULT '', _name TEXT NOT NULL DEFAULT '',"
        " _feedback TEXT NOT NULL DEFAULT 'required'"
    ),
    navigations={
        **_TO_ORDER,
        "ProductionOrderRouteJobs": Navigation("ProductionOrderRouteJobs", _OPERATION, many=True),
    },
)
BOM_LINE = entity(
    "ProductionOrderBillOfMaterialLines",
    "ProductionOrderBillOfMaterialLine",
    "bom_line",
    "ProductionOrderNumber:20 LineNumber:dec ItemNumber:20 BOMLineQuantity:dec BOMLineQuantityDenominator:dec"
    " BOMLineUnitSymbol:10 EstimatedBOMLineQuantity:dec EstimatedInventoryQuantity:dec StartedBOMLineQuantity:dec"
    " StartedInventoryQuantity:dec RemainingBOMLineQuantity:dec RemainingInventoryQuantity:dec"
    " ReleasedBOMLineQuantity:dec FlushingPrinciple:ProdFlushingPrincipBOM IsConsumedAtOperationComplete:NoYes"
    " IsConstantConsumptionReleased:NoYes IsFullyConsumed:NoYes RouteOperationNumber:int PositionNumber:20"
    " ConsumptionSiteId:10 ConsumptionWarehouseId:10 ConsumptionWarehouseLocationId:10 ItemBatchNumber:20"
    f" InventoryLotId:20 InventoryStatusId:10 LineType:BOMType LineRemainderStatus:ProdBackStatus"
    f" VariableScrapPercentage:dec ConstantScrapBOMLineQuantity:dec {_DIMENSIONS} {_DEMAND}"
    " RawMaterialScheduledConsumptionDate:date RawMaterialScheduledConsumptionTime:int DefaultDimensionDisplayValue",
    keys="ProductionOrderNumber LineNumber",
    private="_consumed INTEGER NOT NULL DEFAULT 0",
    navigations=_TO_ORDER,
)
JOB = entity(
    "ProductionOrderRouteJobs",
    "ProductionOrderRouteJob",
    "route_job",
    "JobId:20 ProductionOrderNumber:20 OperationNumber:int OperationPriority:RouteOprPriority RouteJobType:RouteJobType"
    " JobStatus:ProdJobStatus JobSequence:int OperationsResourceId:20 PrimaryJobNumber:int SecondaryJobNumber:int"
    " ScheduledFromDate:date ScheduledFromTime:int ScheduledEndDate:date ScheduledEndTime:int"
    " ScheduledJobDurationHours:dec CalculatedJobDurationHours:dec ActualFromDate:date ActualFromTime:int"
    " ActualEndDate:date ActualEndTime:int JobProcessingPercentage:dec IsJobEnded:NoYes IsJobCancelled:NoYes"
    " IsJobManagementUsed:NoYes WorkingTimeSchedulingPropertyId",
    keys="JobId",
    navigations={
        **_TO_ORDER,
        "ProductionOrderRouteOperation": Navigation("ProductionOrderRouteOperations", _OPERATION, many=False),
    },
)

_JOURNAL = (
    "JournalNumber:20 JournalLineNumber:dec JournalName:10 JournalDescription:60 ProductionOrderNumber:20"
    " IsPosted:NoYes PostedDateTime:instant PostedUserId:20 VoucherNumber:20 ErrorCause:ProdErrorCause"
    f" DefaultDimensionDisplayValue {_DIMENSIONS} InventoryOwnerId ItemSerialNumber:20 ItemBatchNumber:20"
    " LicensePlateNumber:25"
)
_JOURNAL_PRIVATE = (
    "_manual INTEGER NOT NULL DEFAULT 0, _message INTEGER, _at TEXT NOT NULL DEFAULT '',"
    " _user TEXT NOT NULL DEFAULT '', _stock TEXT NOT NULL DEFAULT '[]', _reversed INTEGER NOT NULL DEFAULT 0,"
    " _reverses TEXT NOT NULL DEFAULT '',"
    " _counts INTEGER NOT NULL DEFAULT 0"
)
_REFERENCES = "JournalDescription LicensePlateNumber"
_TIME = (
    " ConsumptionDate:date OperationsResourceId:20 RouteOperationNumber:int RouteOperationPriority:RouteOprPriority"
    " RouteOperationId:10 RouteJobType:RouteJobType RegisteredHours:dec ReportedGoodInventoryQuantity:dec"
    " ReportedErrorInventoryQuantity:dec ReportedGoodCatchWeightQuantity:dec ReportedErrorCatchWeightQuantity:dec"
    " HourlyCostCategoryRate:dec QuantityCostCategoryUnitCost:dec HoursRouteCostCategoryId:10"
    " QuantityRouteCostCategoryId:10 JobProcessingPercentage:dec IsOperationCompleted:NoYes"
    " WillRouteCardPostingAutomaticallyPostPickingList:NoYes WillLastOperationEndingExecuteReportAsFinished:NoYes"
    " ReportAsFinishedProductionJournalNumber:20 ReceivedInventoryStatusId:10 ProductionSiteId:10 WarehouseId:10"
)

RAF = entity(
    "ReportAsFinishedProductionJournalEntries",
    "ReportAsFinishedProductionJournalEntry",
    "raf_journal",
    f"{_JOURNAL} ReportAsFinishedDate:date ItemNumber:20 InventoryLotId:20 ProductionType:PmfProductType"
    " ReportedGoodInventoryQuantity:dec ReportedErrorInventoryQuantity:dec ReportedGoodCatchWeightQuantity:dec"
    " ReportedErrorCatchWeightQuantity:dec IsLastReportAsFinished:NoYes IsReceiptReturned:NoYes"
    " WillAsFinishedPostingAcceptQuantityError:NoYes WillReportAsFinishedPostingAutomaticallyPostPickingList:NoYes"
    " ProductionPickingListJournalNumber:20 ReceivedInventoryStatusId:10 ProductionSiteId:10 WarehouseId:10"
    " WarehouseLocationId:10",
    keys="JournalNumber JournalLineNumber",
    methods="POST PATCH DELETE",
    private=_JOURNAL_PRIVATE,
    navigations=_TO_ORDER,
    references=_REFERENCES,
)
PICKING = entity(
    "ProductionPickingListJournalEntries",
    "ProductionPickingListJournalEntry",
    "picking_journal",
    f"{_JOURNAL} JournalType:ProdJournalType ConsumptionDate:date ItemNumber:20 OperationNumber:int PositionNumber:20"
    " ConsumptionBOMQuantity:dec ProposalBOMQuantity:dec ScrapBOMQuantity:dec BOMUnitSymbol:10"
    " ConsumptionInventoryQuantity:dec ProposalInventoryQuantity:dec ConsumptionCatchWeightQuantity:dec"
    " ProposalCatchWeightQuantity:dec IsConsumptionEnded:NoYes IsConsumptionReturned:NoYes InventoryLotId:20"
    " InventoryStatusId:10 ProductionSiteId:10 WarehouseId:10 WarehouseLocationId:10",
    keys="JournalNumber JournalLineNumber",
    methods="POST PATCH DELETE",
    private=_JOURNAL_PRIVATE + ", _bom_line INTEGER",
    navigations=_TO_ORDER,
    references=_REFERENCES,
)
ROUTE_CARD = entity(
    "RouteCardProductionJournalEntries",
    "RouteCardProductionJournalEntry",
    "route_journal",
    f"{_JOURNAL}{_TIME} ProductionPickingListJournalNumber:20 IsJobCancelled:NoYes WarehouseLocationId:10",
    keys="JournalNumber JournalLineNumber",
    methods="POST PATCH DELETE",
    private=_JOURNAL_PRIVATE,
    navigations=_TO_ORDER,
    references=_REFERENCES,
)
JOB_CARD = entity(
    "JobCardProductionJournalEntries",
    "JobCardProductionJournalEntry",
    "job_journal",
    f"{_JOURNAL}{_TIME} PickingListJournalNumber:20 ProductionJobId:20 IsJobEnded:NoYes ScheduledStartTime:int"
    " ScheduledEndTime:int",
    keys="JournalNumber JournalLineNumber",
    methods="POST PATCH DELETE",
    private=_JOURNAL_PRIVATE,
    navigations=_TO_ORDER,
    references=_REFERENCES,
)
JOURNALS: tuple[EntityType, ...] = (RAF, PICKING, ROUTE_CARD, JOB_CARD)
ENTITIES: tuple[EntityType, ...] = (HEADER, OPERATION, BOM_LINE, JOB, *JOURNALS)
