"""Entity sets of asset management and capacity: requests, work orders, stop types, calendars, resources.

Field names as in the reference, 3.6.
"""

from simulators.dynamics.edm import EntityType, Navigation, entity

REQUEST = entity(
    "AssetMaintenanceRequestsV2",
    "AssetMaintenanceRequestV2",
    "maintenance_request",
    "RequestId:20 RequestTypeId:20 Description:60 Notes MaintenanceAssetId:30 FunctionalLocationId:60"
    " WorkOrderPriority:int ActualStart:instant ActualEnd:instant ProductionStopFrom:instant JobTypeId:20"
    " JobVariantId:20 JobTradeId:20 StartedByWorkerPersonnelNumber:25 ResponsibleWorkerPersonnelNumber:25"
    " WorkerGroupId:20 RequestLifecycleStateId:20 NextRequestLifecycleStateId:20 WorkOrderId:20 IsRequestActive:NoYes",
    keys="RequestId",
    methods="POST PATCH DELETE",
    private="_at TEXT NOT NULL DEFAULT '', _user TEXT NOT NULL DEFAULT ''",
    references="Description Notes",
)
FAULT = entity(
    "AssetMaintenanceRequestAssetFaults",
    "AssetMaintenanceRequestAssetFault",
    "maintenance_fault",
    "RequestId:20 LineNumber:int FaultSymptomId:20 FaultAreaId:20 FaultTypeId:20 Description:60",
    keys="RequestId LineNumber",
    methods="POST PATCH DELETE",
)
WORK_ORDER = entity(
    "AssetMaintenanceWorkOrderTablesV2",
    "AssetMaintenanceWorkOrderTableV2",
    "maintenance_order",
    "WorkOrderId:20 Description:60 WorkOrderTypeId:20 WorkOrderLifecycleStateId:20 ServiceLevel:int"
    " ExpectedStart:instant ExpectedEnd:instant ActualStart:instant ActualEnd:instant CostType:20"
    " OrderProjectContractId:20 MaintenanceAssetId:30 RequestId:20",
    keys="WorkOrderId",
    methods="POST PATCH",
    private="_at TEXT NOT NULL DEFAULT '', _user TEXT NOT NULL DEFAULT ''",
    references="Description",
)
STOP_TYPE = entity(
    "AssetMaintenanceProductionStopTypes",
    "AssetMaintenanceProductionStopType",
    "stop_type",
    "ProductionStopTypeId:20 Name:60 KpiInclude:NoYes",
    keys="ProductionStopTypeId",
    methods="POST PATCH DELETE",
)
CALENDAR_DAY = entity(
    "WorkCalendarDays",
    "WorkCalendarDay",
    "calendar_day",
    "WorkCalendarId:10 CalendarDate:date WorkingDayDefinition:WorkTimeControl IsPickingUpClosed:NoYes",
    keys="WorkCalendarId CalendarDate",
    methods="POST PATCH DELETE",
    navigations={
        "WorkCalendarTimeIntervals": Navigation(
            "WorkCalendarTimeIntervals",
            (
                ("dataAreaId", "dataAreaId"),
                ("WorkCalendarId", "WorkCalendarId"),
                ("CalendarDate", "WorkCalendarDate"),
            ),
            many=True,
        )
    },
)
INTERVAL = entity(
    "WorkCalendarTimeIntervals",
    "WorkCalendarTimeInterval",
    "calendar_interval",
    "WorkCalendarId:10 WorkCalendarDate:date StartTime:int EndTime:int EfficiencyPercentage:dec"
    " WorkingTimeSchedulingPropertyId:10 PayrollEarningCode:10",
    keys="WorkCalendarId WorkCalendarDate StartTime",
    methods="POST PATCH DELETE",
    navigations={
        "WorkCalendarDay": Navigation(
            "WorkCalendarDays",
            (
                ("dataAreaId", "dataAreaId"),
                ("WorkCalendarId", "WorkCalendarId"),
                ("WorkCalendarDate", "CalendarDate"),
            ),
            many=False,
        )
    },
)
RESOURCE = entity(
    "OperationsResources",
    "OperationsResource",
    "resource",
    "ResourceId:20 ResourceName:60 OperationsResourceType:WrkCtrType Capacity:dec EfficiencyPercentage:dec"
    " OperationSchedulingPercentage:dec HasFiniteSchedulingCapacity:NoYes IsBottleneckResource:NoYes RouteGroupId:10"
    " RuntimeCostCategoryId:10 SetupCostCategoryId:10 QuantityCostCategoryId:10 DefaultDimensionDisplayValue"
    " WIPIssueLedgerDimensionDisplayValue ResourceIssueLedgerDimensionDisplayValue VendorAccountNumber:20",
    keys="ResourceId",
    methods="PATCH",
)
RESERVATION = entity(
    "OperationsResourceCapacityReservations",
    "OperationsResourceCapacityReservation",
    "capacity_reservation",
    "ReservationId:20 OperationsResourceId:20 ReferenceNumber:20 OperationNumber:int ReservationDate:date"
    " StartTime:int EndTime:int ReservedHours:dec",
    keys="ReservationId",
)
ENTITIES: tuple[EntityType, ...] = (
    REQUEST,
    FAULT,
    WORK_ORDER,
    STOP_TYPE,
    CALENDAR_DAY,
    INTERVAL,
    RESOURCE,
    RESERVATION,
)
