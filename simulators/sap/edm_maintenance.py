"""The entity type of API_MAINTNOTIFICATION. The service carries no ETag."""

from simulators.sap.entity_types import EntityType, properties

MAINTENANCE_SERVICE = "API_MAINTNOTIFICATION"

NOTIFICATION = EntityType(
    MAINTENANCE_SERVICE,
    "MaintenanceNotification",
    "maintenance_notification",
    ("MaintenanceNotification",),
    properties(
        "MaintenanceNotification:s12 NotificationType:s2 NotificationText:s40 MaintNotifLongTextForEdit:s1333"
        " TechnicalObject:s40 TechObjIsEquipOrFuncnlLoc:s20 MalfunctionStartDate:d MalfunctionStartTime:t"
        " MalfunctionEndDate:d MalfunctionEndTime:t MalfunctionStartDateTime:o MalfunctionEndDateTime:o"
        " MaintenanceObjectIsDown:b MaintObjectDowntimeDuration:f MaintObjDowntimeDurationUnit:s3"
        " MalfunctionEffect:s1 MaintPriority:s1 MaintNotificationCodeGroup:s8 MaintNotificationCode:s4"
        " MaintNotifDetectionCodeGroup:s8 MaintNotifDetectionCode:s4 MaintenancePlanningPlant:s4 MainWorkCenter:s8"
        " MainWorkCenterPlant:s4 MaintenancePlannerGroup:s3 ReportedByUser:s12 MaintNotifExtReferenceNumber:s20"
        " MaintenanceOrder:s12 NotifProcessingPhase:s1 MaintWorkRequestStatus:s2 IsCompleted:b"
        " NotificationReferenceDate:d NotificationReferenceTime:t NotificationCompletionDate:d CreationDate:d"
        " CreationTime:t CreatedByUser:s12 LastChangeDateTime:o LastChangedByUser:s12"
    ),
    private="_at TEXT NOT NULL DEFAULT ''",
)

ENTITIES = (NOTIFICATION,)
