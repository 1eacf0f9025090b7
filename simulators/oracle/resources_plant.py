"""Quality, maintenance and capacity resources: records that people and systems write, without effect on stock.

Attributes the reference does not name are this simulator's own choice (docs/simulators-oracle.md).
"""

from simulators.oracle.resources import Child, Resource
from simulators.oracle.values import attributes

_AUDIT = " CreationDate:t CreatedBy LastUpdateDate:t LastUpdatedBy"
_AUDITED = frozenset({"CreationDate", "CreatedBy", "LastUpdateDate", "LastUpdatedBy"})


def _record(
    name: str,
    table: str,
    spec: str,
    *,
    key: str,
    fixed: str = "",
    required: str = "",
    upsert: str = "",
    children: dict[str, Child] | None = None,
    readable_only: bool = False,
    top: bool = True,
    deletable: bool = False,
) -> Resource:
    """`fixed` are written at creation only; the key and the audit columns are the server's."""
    declared = attributes(spec + _AUDIT)
    writable = frozenset() if readable_only else frozenset(declared) - {key} - _AUDITED
    return Resource(
        name,
        table,
        (key,),
        declared,
        children=children or {},
        top=top,
        create=writable,
        update=writable - frozenset(fixed.split()),
        required=frozenset(required.split()),
        upsert=tuple(upsert.split()),
        deletable=deletable,
    )


QUALITY_ISSUE = _record(
    "qualityIssues",
    "quality_issue",
    "IssueId:i IssueNumber:s240 Name:s240 Description:s2000 QualityTypeCode:s30 Severity:s30 Source:s30"
    " StatusTypeCode:s30 OrganizationCode:s18 ItemNumber:s300 LotNumber:s80 WorkOrderNumber:s120 WorkflowTemplateId:i"
    " Downtime:n OwnerName",
    key="IssueId",
    fixed="IssueNumber OrganizationCode",
    required="Name QualityTypeCode Severity Source OrganizationCode",
    upsert="IssueNumber",
    children={"AffectedObjects": Child("AffectedObjects", (("IssueId", "IssueId"),))},
)
AFFECTED_OBJECT = _record(
    "AffectedObjects",
    "affected_object",
    "AffectedObjectId:i IssueId:i ObjectTypeCode:s30 ObjectName:s240 Quantity:n",
    key="AffectedObjectId",
    required="ObjectName",
    top=False,
)
QUALITY_ACTION = _record(
    "qualityActions",
    "quality_action",
    "ActionId:i ActionNumber:s240 Name:s240 Description:s2000 IssueId:i IssueNumber:s240 ActionTypeCode:s30"
    " Severity:s30 StatusTypeCode:s30 OrganizationCode:s18 AssigneeName DueDate:d",
    key="ActionId",
    fixed="ActionNumber",
    required="Name",
    upsert="ActionNumber",
)
INSPECTION_EVENT = _record(
    "inspectionEvents",
    "inspection_event",
    "InspectionEventId:i InspectionEventNumber:s240 InspectionTypeCode:s30 OrganizationCode:s18 ItemNumber:s300"
    " LotNumber:s80 WorkOrderNumber:s120 OperationSequenceNumber:i InspectedQuantity:n EventDisposition:s30"
    " InspectorName InspectionDate:t",
    key="InspectionEventId",
    fixed="InspectionEventNumber OrganizationCode ItemNumber",
    required="OrganizationCode",
    upsert="InspectionEventNumber",
    children={"CharacteristicResults": Child("CharacteristicResults", (("InspectionEventId", "InspectionEventId"),))},
)
CHARACTERISTIC_RESULT = _record(
    "CharacteristicResults",
    "characteristic_result",
    "CharacteristicResultId:i InspectionEventId:i SampleNumber:i CharacteristicName:s240 ResultValueNumber:n"
    " ResultValueChar:s240 UOMCode ResultStatus:s30",
    key="CharacteristicResultId",
    required="CharacteristicName",
    top=False,
)
MAINTENANCE_ORDER = _record(
    "maintenanceWorkOrders",
    "maintenance_work_order",
    "WorkOrderId:i WorkOrderNumber:s120 WorkOrderDescription:s240 OrganizationCode:s18 AssetNumber:s80"
    " WorkOrderTypeCode WorkOrderSubTypeCode WorkOrderStatusCode WorkOrderSystemStatusCode MntWorkDefinitionCode"
    " WorkOrderPriority:n PlannedStartDate:t PlannedCompletionDate:t ActualStartDate:t ActualCompletionDate:t"
    " ExplosionFlag:b WarrantyRepairFlag:b AccountCombination:s240",
    key="WorkOrderId",
    fixed="WorkOrderNumber OrganizationCode AssetNumber",
    required="OrganizationCode AssetNumber",
)
FAILURE_EVENT = _record(
    "assetFailureEvents",
    "asset_failure_event",
    "FailureEventId:i FailureEventNumber:s120 OrganizationCode:s18 AssetNumber:s80 WorkOrderNumber:s120 FailureDate:t"
    " FailureSetCode:s30 FailureCode:s30 CauseCode:s30 ResolutionCode:s30 Comments:s2000",
    key="FailureEventId",
    fixed="FailureEventNumber AssetNumber",
    required="AssetNumber FailureDate",
    upsert="FailureEventNumber",
)
PRODUCTION_EXCEPTION = _record(
    "productionExceptions",
    "production_exception",
    "ProductionExceptionId:i ExceptionNumber OrganizationCode:s18 ExceptionTypeCode:s30 Severity:s30 StatusCode:s30"
    " WorkCenterCode WorkOrderNumber:s120 OperationSequenceNumber:i Description ReportedDate:t",
    key="ProductionExceptionId",
    readable_only=True,
)
CAPACITY_EXCEPTION = _record(
    "workCenterResourceExceptions",
    "work_center_resource_exception",
    "WorkCenterResourceExceptionId:i OrganizationCode:s18 WorkCenterCode:s30 AssociatedShiftName:s255 StartDate:d"
    " EndDate:d ExceptionStartTime:s8 ExceptionEndTime:s8 ExceptionDuration:n Reason:s240",
    key="WorkCenterResourceExceptionId",
    fixed="OrganizationCode WorkCenterCode",
    required="OrganizationCode WorkCenterCode StartDate EndDate",
    upsert="WorkCenterResourceExceptionId",
    children={
        "resourceAvailabilityOverrides": Child(
            "resourceAvailabilityOverrides", (("WorkCenterResourceExceptionId", "WorkCenterResourceExceptionId"),)
        )
    },
    deletable=True,
)
AVAILABILITY_OVERRIDE = _record(
    "resourceAvailabilityOverrides",
    "availability_override",
    "ResourceAvailabilityOverrideId:i WorkCenterResourceExceptionId:i ResourceCode:s30 UnitsAvailable:n",
    key="ResourceAvailabilityOverrideId",
    required="ResourceCode UnitsAvailable",
    top=False,
)
ALL = (
    QUALITY_ISSUE,
    AFFECTED_OBJECT,
    QUALITY_ACTION,
    INSPECTION_EVENT,
    CHARACTERISTIC_RESULT,
    MAINTENANCE_ORDER,
    FAILURE_EVENT,
    PRODUCTION_EXCEPTION,
    CAPACITY_EXCEPTION,
    AVAILABILITY_OVERRIDE,
)
