"""The entity types of API_INSPECTIONLOT_SRV, API_DEFECT_SRV and the V4 quality notification service.

Inspection-lot entities carry ETags on ChangedDateTime. Names beyond the documented ones are this simulator's choice.
"""

from simulators.sap.entity_types import EntityType, Navigation, joined, properties

INSPECTION_SERVICE = "API_INSPECTIONLOT_SRV"
DEFECT_SERVICE = "API_DEFECT_SRV"
QUALITY_NOTIFICATION_SERVICE = "api_qualitynotification/srvd_a2x/sap/qualitynotification/0001"

_BY_LOT = joined("InspectionLot")
_CHARACTERISTIC_KEYS = ("InspectionLot", "InspPlanOperationInternalID", "InspectionCharacteristic")
_BY_CHARACTERISTIC = joined(*_CHARACTERISTIC_KEYS)

LOT = EntityType(
    INSPECTION_SERVICE,
    "A_InspectionLot",
    "inspection_lot",
    ("InspectionLot",),
    properties(
        "InspectionLot:s12 Material:s40 Plant:s4 Batch:s10 InspectionLotStorageLocation:s4 InspectionLotType:s8"
        " InspectionLotOrigin:s2 InspectionLotObjectText:s40 InspLotExternalNumber:s30 ManufacturingOrder:s12"
        " InspectionLotQuantity:q InspectionLotQuantityUnit:s3 InspectionLotSampleQuantity:q InspLotQtyToFree:q"
        " InspLotQtyToScrap:q InspLotQtyToBlocked:q InspLotQtyToBePosted:q InspectionLotStartDate:d"
        " InspectionLotEndDate:d InspectionLotHasUsageDecision:s1 InspLotIsStockPostingCompleted:s1"
        " InspectionLotIsCancelled:s1 MaterialDocument:s10 MaterialDocumentYear:s4 MaterialDocumentItem:n4"
        " CreationDate:d CreatedByUser:s12 ChangedDateTime:o"
    ),
    {
        "to_InspectionCharacteristic": Navigation("A_InspectionCharacteristic", _BY_LOT),
        "to_InspectionLotUsageDecision": Navigation("A_InspLotUsageDecision", _BY_LOT),
    },
    etag="ChangedDateTime",
    private="_at TEXT NOT NULL DEFAULT ''",
)

CHARACTERISTIC = EntityType(
    INSPECTION_SERVICE,
    "A_InspectionCharacteristic",
    "inspection_characteristic",
    _CHARACTERISTIC_KEYS,
    properties(
        "InspectionLot:s12 InspPlanOperationInternalID:n8 InspectionCharacteristic:n4 InspectionCharacteristicText:s40"
        " InspectionOperation:s4 InspSpecIsQuantitative:s1 InspSpecTargetValue:f InspSpecLowerLimit:f"
        " InspSpecUpperLimit:f InspSpecHasTargetValue:s1 InspSpecHasLowerLimit:s1 InspSpecHasUpperLimit:s1"
        " InspectionSpecificationUnit:s3 InspSpecIsRequired:s1 InspectionCharacteristicStatus:s1 ChangedDateTime:o"
    ),
    {"to_InspectionResult": Navigation("A_InspectionResult", _BY_CHARACTERISTIC)},
    etag="ChangedDateTime",
)

RESULT = EntityType(
    INSPECTION_SERVICE,
    "A_InspectionResult",
    "inspection_result",
    _CHARACTERISTIC_KEYS,
    properties(
        "InspectionLot:s12 InspPlanOperationInternalID:n8 InspectionCharacteristic:n4 InspectionResultStatus:s1"
        " InspectionResultMeanValue:f InspectionResultMinimumValue:f InspectionResultMaximumValue:f"
        " InspResultValidValuesNumber:i InspResultNmbrOfRejectedValues:i InspectionValuationResult:s1"
        " CharacteristicAttributeCodeGrp:s8 CharacteristicAttributeCode:s4 InspectionResultText:s40"
        " InspectedByUser:s12 InspectionStartDate:d InspectionStartTime:t InspectionEndDate:d InspectionEndTime:t"
        " ChangedDateTime:o"
    ),
    {"to_InspectionResultValue": Navigation("A_InspectionResultValue", _BY_CHARACTERISTIC)},
    etag="ChangedDateTime",
    private="_closed INTEGER NOT NULL DEFAULT 0",
)

RESULT_VALUE = EntityType(
    INSPECTION_SERVICE,
    "A_InspectionResultValue",
    "inspection_result_value",
    (*_CHARACTERISTIC_KEYS, "InspResultItemInternalID"),
    properties(
        "InspectionLot:s12 InspPlanOperationInternalID:n8 InspectionCharacteristic:n4 InspResultItemInternalID:n8"
        " InspectionResultMeasuredValue:f InspectionResultOriginalValue:s16 InspectionValuationResult:s1"
        " CharacteristicAttributeCodeGrp:s8 CharacteristicAttributeCode:s4 SerialNumber:s18 InspectionResultText:s40"
        " InspectedByUser:s12 InspectionStartDate:d InspectionStartTime:t ChangedDateTime:o"
    ),
    etag="ChangedDateTime",
)

DECISION = EntityType(
    INSPECTION_SERVICE,
    "A_InspLotUsageDecision",
    "usage_decision",
    ("InspectionLot",),
    properties(
        "InspectionLot:s12 InspLotUsageDecisionCatalog:s1 SelectedCodeSetPlant:s4 InspLotUsgeDcsnSelectedSet:s8"
        " InspLotUsageDecisionCodeGroup:s8 InspectionLotUsageDecisionCode:s4 InspLotUsageDecisionValuation:s1"
        " InspectionLotQualityScore:q InspLotUsageDecisionText:s40 InspectionLotUsageDecidedBy:s12"
        " InspLotUsageDecidedOn:d ChangedDateTime:o"
    ),
    {"to_InspectionLot": Navigation("A_InspectionLot", _BY_LOT)},
    etag="ChangedDateTime",
)

LOT_POSTING = EntityType(
    INSPECTION_SERVICE,
    "A_InspLotMatlDocItem",
    "inspection_lot_posting",
    ("InspectionLot", "MaterialDocumentYear", "MaterialDocument", "MaterialDocumentItem"),
    properties(
        "InspectionLot:s12 MaterialDocumentYear:s4 MaterialDocument:s10 MaterialDocumentItem:n4"
        " UsageDecisionStockType:s10 InspLotQtyPosted:q InspectionLotQuantityUnit:s3 StorageLocation:s4"
        " InspLotBatchTransferredTo:s10 InspLotMaterialPostedTo:s40 MaterialDocumentItemText:s50"
    ),
    readable=False,
)

DEFECT = EntityType(
    DEFECT_SERVICE,
    "A_Defect",
    "defect",
    ("DefectInternalID",),
    properties(
        "DefectInternalID:s12 Defect:s4 DefectText:s40 DefectCodeCatalog:s1 DefectCodeGroup:s8 DefectCode:s4"
        " DefectiveQuantity:q DefectiveQuantityUnit:s3 NumberOfDefects:i DefectClass:s2 DefectOrigin:s1"
        " DefectLifecycleStatus:s1 ManufacturingOrder:s12 ManufacturingOrderOperation:s4"
        " ManufacturingOrderSequence:n6 InspectionLot:s12 InspPlanOperationInternalID:n8 InspectionCharacteristic:n4"
        " Material:s40 Batch:s10 SerialNumber:s18 Plant:s4 MainWorkCenter:s8 MainWorkCenterPlant:s4 Equipment:s18"
        " FunctionalLocation:s40 CreationDate:d CreationTime:t CreatedByUser:s12 LastChangeDateTime:o"
    ),
    private="_at TEXT NOT NULL DEFAULT ''",
)

QUALITY_NOTIFICATION = EntityType(
    QUALITY_NOTIFICATION_SERVICE,
    "QualityNotification",
    "quality_notification",
    ("QualityNotification",),
    properties(
        "QualityNotification:s12 NotificationType:s2 NotificationText:s40 QltyNotifExtReferenceNumber:s20"
        " NotifProcessingPhase:s1 NotifProcessingPhaseDesc:s20 NotificationPriority:s1 Material:s40 Plant:s4 Batch:s10"
        " SerialNumber:s18 ManufacturingOrder:s12 ManufacturingOrderOperation:s4 InspectionLot:s12 DefectiveQuantity:q"
        " DefectiveQuantityUnit:s3 NotificationCodeGroup:s8 NotificationCode:s4 WorkCenter:s8 ReportedByUser:s12"
        " CreationDate:d CreationTime:t CreatedByUser:s12 LastChangeDateTime:o"
    ),
    {"_QualityNotificationItem": Navigation("QualityNotificationItem", joined("QualityNotification"))},
    etag="LastChangeDateTime",
    private="_at TEXT NOT NULL DEFAULT ''",
)

QUALITY_NOTIFICATION_ITEM = EntityType(
    QUALITY_NOTIFICATION_SERVICE,
    "QualityNotificationItem",
    "quality_notification_item",
    ("QualityNotification", "QualityNotificationItem"),
    properties(
        "QualityNotification:s12 QualityNotificationItem:n4 NotificationItemText:s40 DefectCodeGroup:s8 DefectCode:s4"
        " DefectiveQuantity:q DefectiveQuantityUnit:s3 NumberOfDefects:i"
    ),
)

ENTITIES = (
    LOT,
    CHARACTERISTIC,
    RESULT,
    RESULT_VALUE,
    DECISION,
    LOT_POSTING,
    DEFECT,
    QUALITY_NOTIFICATION,
    QUALITY_NOTIFICATION_ITEM,
)
