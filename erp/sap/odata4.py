"""OData V4 as SAP's RAP services speak it: what differs from V2 in addresses, literals and answers (OASIS OData 4.0).

Dates stand unquoted, collections in `value`, the ETag in `@odata.etag`; errors carry a plain message.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from erp.sap.odata import Entity, UnreadableAnswer, text_literal

ROOT = "/sap/opu/odata4/sap"


def is_v4(service: str) -> bool:
    """V4 services are named by group, version and name: `api_work_center/srvd_a2x/sap/workcenter/0001`."""
    return "/" in service


def date_literal(value: date) -> str:
    return value.isoformat()


def key_predicate(**keys: str | date) -> str:
    """`(WorkCenterInternalID='1',IntervalEndDate=2026-11-27)`. Not yet escaped."""
    written = (
        f"{name}={date_literal(value) if isinstance(value, date) else text_literal(value)}"
        for name, value in keys.items()
    )
    return "(" + ",".join(written) + ")"


def entity_of(payload: object) -> Entity:
    if not isinstance(payload, dict) or "value" in payload:
        raise UnreadableAnswer("the answer holds no OData V4 entity")
    return payload


def entities_of(payload: object) -> list[Entity]:
    rows: Any = payload.get("value") if isinstance(payload, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UnreadableAnswer("the answer holds no `value`, so it is no OData V4 collection")
    return rows


def next_link(payload: object) -> str:
    return str(payload.get("@odata.nextLink") or "") if isinstance(payload, dict) else ""


def etag_of(entity: Entity) -> str:
    """The ETag of an entity of either version, as it goes into If-Match; empty where it has none."""
    metadata = entity.get("__metadata")
    written = metadata.get("etag") if isinstance(metadata, dict) else entity.get("@odata.etag")
    return str(written or "")
