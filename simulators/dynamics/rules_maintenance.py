"""What may be created, changed and deleted through OData in asset management and capacity. Reference 3.6.

Lifecycle states and their order are this simulator's own: New, InProgress, Finished, and Canceled from any open one.
"""

from collections.abc import Callable

from simulators.common.database import instant
from simulators.dynamics.refusals import Refusal, not_related
from simulators.dynamics.values import MICRO, is_empty_date
from simulators.dynamics.writing import Context, Row, Rules

_STATES = ("New", "InProgress", "Finished")
_DAY = 86_400


def _move(before: str, after: str) -> None:
    known = (*_STATES, "Canceled")
    if after not in known:
        raise not_related(after, "Lifecycle state", "Lifecycle states")
    backwards = after in _STATES and before in _STATES and _STATES.index(after) < _STATES.index(before)
    if before != after and (backwards or before in ("Finished", "Canceled")):
        raise Refusal("read_only", text=f"The lifecycle state cannot be changed from {before} to {after}.")


def _check_times(row: Row, start: str, end: str) -> None:
    if not is_empty_date(row[end]) and row[end] < row[start]:
        raise Refusal("read_only", text=f"{end} must not be before {start}.")


def create_request(context: Context, row: Row) -> Row:
    if not row["RequestTypeId"]:
        raise Refusal("filled", field="Maintenance request type")
    number = row["RequestId"] or context.books.sequence(context.company, "maintenance_request", "MR-{:06d}")
    state = row["RequestLifecycleStateId"] or "New"
    _move("New", state)
    _check_times(row, "ActualStart", "ActualEnd")
    return row | _state(state) | {"RequestId": number, "_at": instant(), "_user": context.user}


def _state(state: str) -> Row:
    following = _STATES[_STATES.index(state) + 1] if state in _STATES[:-1] else ""
    return {
        "RequestLifecycleStateId": state,
        "NextRequestLifecycleStateId": following,
        "IsRequestActive": "No" if state in ("Finished", "Canceled") else "Yes",
    }


def change_request(_: Context, row: Row, changes: Row) -> Row:
    if "IsRequestActive" in changes and changes["IsRequestActive"] != row["IsRequestActive"]:
        raise Refusal("read_only", field="IsRequestActive")
    state = changes.get("RequestLifecycleStateId", row["RequestLifecycleStateId"])
    _move(row["RequestLifecycleStateId"], state)
    _check_times(row | changes, "ActualStart", "ActualEnd")
    return changes | _state(state)


def remove_request(_: Context, row: Row) -> None:
    if row["RequestLifecycleStateId"] != "New":
        raise Refusal("read_only", text=f"Maintenance request {row['RequestId']} has been started.")


def create_fault(context: Context, row: Row) -> Row:
    known = context.books.one(
        'SELECT (SELECT MAX("LineNumber") FROM maintenance_fault f WHERE f."dataAreaId" = r."dataAreaId"'
        ' AND f."RequestId" = r."RequestId") AS line FROM maintenance_request r WHERE r."dataAreaId" = ?'
        ' AND r."RequestId" = ?',
        context.company,
        row["RequestId"],
    )
    if known is None:
        raise not_related(row["RequestId"], "Maintenance request", "Maintenance requests")
    return row | {"LineNumber": row["LineNumber"] or (known["line"] or 0) + 1}


def create_work_order(context: Context, row: Row) -> Row:
    number = row["WorkOrderId"] or context.books.sequence(context.company, "maintenance_order", "WO-{:06d}")
    state = row["WorkOrderLifecycleStateId"] or "New"
    _move("New", state)
    own = {"WorkOrderId": number, "WorkOrderLifecycleStateId": state}
    return row | own | {"_at": instant(), "_user": context.user}


def change_work_order(_: Context, row: Row, changes: Row) -> Row:
    state = changes.get("WorkOrderLifecycleStateId", row["WorkOrderLifecycleStateId"])
    _move(row["WorkOrderLifecycleStateId"], state)
    _check_times(row | changes, "ActualStart", "ActualEnd")
    return changes


def _filled(*names: str) -> Callable[[Context, Row], Row]:
    """A natural key that the client brings: all of it must be there."""

    def create(_: Context, row: Row) -> Row:
        for name in names:
            if not row[name] or is_empty_date(str(row[name])):
                raise Refusal("filled", field=name)
        return row

    return create


def create_interval(context: Context, row: Row) -> Row:
    day = context.books.one(
        'SELECT 1 FROM calendar_day WHERE "dataAreaId" = ? AND "WorkCalendarId" = ? AND "CalendarDate" = ?',
        context.company,
        row["WorkCalendarId"],
        row["WorkCalendarDate"],
    )
    if day is None:
        raise not_related(f"{row['WorkCalendarId']} {row['WorkCalendarDate'][:10]}", "Date", "Work calendar days")
    _check_interval(context, row, ignored=-1)
    return row


def change_interval(context: Context, row: Row, changes: Row) -> Row:
    _check_interval(context, row | changes, ignored=row["_id"])
    return changes


def _check_interval(context: Context, row: Row, *, ignored: int) -> None:
    start, end = row["StartTime"], row["EndTime"]
    if not 0 <= start < end <= _DAY:
        raise Refusal("overlap", text="The time interval must start before it ends, within 0 and 86400 seconds.")
    other = context.books.one(
        'SELECT 1 FROM calendar_interval WHERE "dataAreaId" = ? AND "WorkCalendarId" = ? AND "WorkCalendarDate" = ?'
        ' AND "StartTime" < ? AND "EndTime" > ? AND _id <> ? AND "StartTime" <> ?',
        context.company,
        row["WorkCalendarId"],
        row["WorkCalendarDate"],
        end,
        start,
        ignored,
        start if ignored < 0 else -1,
    )
    if other:
        raise Refusal("overlap")


RULES: dict[str, Rules] = {
    "AssetMaintenanceRequestsV2": Rules(create_request, change_request, remove_request),
    "AssetMaintenanceRequestAssetFaults": Rules(create_fault),
    "AssetMaintenanceWorkOrderTablesV2": Rules(create_work_order, change_work_order),
    "AssetMaintenanceProductionStopTypes": Rules(_filled("ProductionStopTypeId")),
    "WorkCalendarDays": Rules(_filled("WorkCalendarId", "CalendarDate")),
    "WorkCalendarTimeIntervals": Rules(
        create_interval, change_interval, defaults={"EfficiencyPercentage": 100 * MICRO}
    ),
}
