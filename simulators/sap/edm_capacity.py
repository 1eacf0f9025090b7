"""The entity types of the V4 work centre service. Every set that can be written carries an ETag."""

from simulators.sap.entity_types import EntityType, Navigation, joined, properties

WORK_CENTRE_SERVICE = "api_work_center/srvd_a2x/sap/workcenter/0001"

_CENTRE_KEYS = ("WorkCenterInternalID", "WorkCenterTypeCode")
_CAPACITY_KEYS = (*_CENTRE_KEYS, "CapacityInternalID")
_INTERVAL_KEYS = (*_CAPACITY_KEYS, "CapacityActiveVersion", "IntervalEndDate")
_BY_CENTRE, _BY_CAPACITY, _BY_INTERVAL = joined(*_CENTRE_KEYS), joined(*_CAPACITY_KEYS), joined(*_INTERVAL_KEYS)

WORK_CENTRE = EntityType(
    WORK_CENTRE_SERVICE,
    "WorkCenter",
    "work_centre",
    _CENTRE_KEYS,
    properties(
        "WorkCenterInternalID:n8 WorkCenterTypeCode:s2 WorkCenter:s8 Plant:s4 WorkCenterText:s40"
        " WorkCenterCategoryCode:s4 WorkCenterIsLocked:b YY1_CapabilityGroup_WCT:s10 LastChangeDateTime:o"
    ),
    {
        "_WorkCenterCostCenter": Navigation("WorkCenterCostCenter", _BY_CENTRE),
        "_WorkCenterCapacity": Navigation("WorkCenterCapacity", _BY_CENTRE),
    },
    etag="LastChangeDateTime",
)

COST_CENTRE = EntityType(
    WORK_CENTRE_SERVICE,
    "WorkCenterCostCenter",
    "work_centre_cost_centre",
    (*_CENTRE_KEYS, "CostCenterAllocation", "ValidityEndDate"),
    properties(
        "WorkCenterInternalID:n8 WorkCenterTypeCode:s2 CostCenterAllocation:n4 ValidityEndDate:d ValidityStartDate:d"
        " ControllingArea:s4 CostCenter:s10 CostCtrActivityType:s6"
    ),
)

CAPACITY = EntityType(
    WORK_CENTRE_SERVICE,
    "WorkCenterCapacity",
    "work_centre_capacity",
    _CAPACITY_KEYS,
    properties(
        "WorkCenterInternalID:n8 WorkCenterTypeCode:s2 CapacityInternalID:n8 CapacityCategoryCode:s3 Capacity:s8"
        " CapacityActiveVersion:s2 CapacityIsFinite:b CapacityNumberOfCapacities:i CapacityPlanUtilizationPercent:n3"
        " CapacityStartTimeID:t CapacityEndTimeID:t CapacityBreakDuration:i FactoryCalendar:s2 CapacityBaseUnit:s3"
        " LastChangeDateTime:o"
    ),
    {"_WorkCenterCapacityInterval": Navigation("WorkCenterCapacityInterval", _BY_CAPACITY)},
    etag="LastChangeDateTime",
)

INTERVAL = EntityType(
    WORK_CENTRE_SERVICE,
    "WorkCenterCapacityInterval",
    "work_centre_capacity_interval",
    _INTERVAL_KEYS,
    properties(
        "WorkCenterInternalID:n8 WorkCenterTypeCode:s2 CapacityInternalID:n8 CapacityActiveVersion:s2"
        " IntervalEndDate:d IntervalStartDate:d CapacityNumberOfCapacities:i CapacityPlanUtilizationPercent:n3"
        " AvailableCapacityIntervalDurn:n2 ShiftSequence:s4 CapacityNumberOfShifts:n1 LastChangeDateTime:o"
    ),
    {"_WorkCenterCapacityShift": Navigation("WorkCenterCapacityShift", _BY_INTERVAL)},
    etag="LastChangeDateTime",
    private="_at TEXT NOT NULL DEFAULT ''",
)

SHIFT = EntityType(
    WORK_CENTRE_SERVICE,
    "WorkCenterCapacityShift",
    "work_centre_capacity_shift",
    (*_INTERVAL_KEYS, "WeekDay", "ShiftStartTime"),
    properties(
        "WorkCenterInternalID:n8 WorkCenterTypeCode:s2 CapacityInternalID:n8 CapacityActiveVersion:s2"
        " IntervalEndDate:d WeekDay:n1 ShiftStartTime:t ShiftEndTime:t OperatingDurationInSeconds:i"
        " CapacityBreakDuration:i CapacityNumberOfCapacities:i CapacityPlanUtilizationPercent:n3 LastChangeDateTime:o"
    ),
    etag="LastChangeDateTime",
)

ENTITIES = (WORK_CENTRE, COST_CENTRE, CAPACITY, INTERVAL, SHIFT)
