"""Names of the Temporal search attributes, all of design section 3 (SQL visibility allows ten keywords)."""

from __future__ import annotations

from enum import StrEnum


class SearchAttribute(StrEnum):
    """Attribute names; the type of each stands in `KEYWORDS`, `KEYWORD_LISTS`, `DATETIMES` and `INTEGERS`."""

    PLANT_ID = "PlantId"
    LINE_ID = "LineId"
    ORDER_ID = "OrderId"
    MATERIAL = "Material"
    BATCH = "Batch"
    PHASE = "Phase"
    HOLD_STATE = "HoldState"
    EXCEPTION_CLASS = "ExceptionClass"
    ASSIGNED_TO = "AssignedTo"
    OPEN_TASK_ROLES = "OpenTaskRoles"
    DUE_AT = "DueAt"
    SEVERITY = "Severity"


KEYWORD_LISTS = (SearchAttribute.OPEN_TASK_ROLES,)
DATETIMES = (SearchAttribute.DUE_AT,)
INTEGERS = (SearchAttribute.SEVERITY,)
KEYWORDS = tuple(a for a in SearchAttribute if a not in (*KEYWORD_LISTS, *DATETIMES, *INTEGERS))
