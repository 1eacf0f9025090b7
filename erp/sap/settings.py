"""What the adapter needs to know of its connection, as structural types, and the names of SAP's services.

The plant file's `ErpConfig` has these attributes; this room does not import it, because it knows signals only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from signals.orders import ConfirmationMode

CONFIRMATION_SERVICE = "API_PROD_ORDER_CONFIRMATION_2_SRV"
ORDER_SERVICE = "API_PRODUCTION_ORDER_2_SRV"
PROCESS_ORDER_SERVICE = "API_PROCESS_ORDER_2_SRV"
DOCUMENT_SERVICE = "API_MATERIAL_DOCUMENT_SRV"
STOCK_SERVICE = "API_MATERIAL_STOCK_SRV"
INSPECTION_SERVICE = "API_INSPECTIONLOT_SRV"
DEFECT_SERVICE = "API_DEFECT_SRV"
NOTIFICATION_SERVICE = "API_MAINTNOTIFICATION"
PLANNING_SERVICE = "API_MRP_MATERIALS_SRV_01"
PRODUCT_SERVICE = "API_PRODUCT_SRV"
WORK_CENTRE_SERVICE = "api_work_center/srvd_a2x/sap/workcenter/0001"
"""OData V4: group, version and service below `/sap/opu/odata4/sap/` (reference erp.md 1.1)."""


class ControlProfileSettings(Protocol):
    """What an operation control profile of the plant means."""

    @property
    def confirmation(self) -> ConfirmationMode: ...

    @property
    def automatic_receipt(self) -> bool: ...


class SapOptionSettings(Protocol):
    """The plant file's `[erp.sap]`."""

    @property
    def repeatability(self) -> bool: ...

    @property
    def notification_type(self) -> str: ...

    @property
    def technical_object(self) -> str: ...

    @property
    def hold_reason(self) -> str: ...

    @property
    def defect_code_group(self) -> str: ...

    @property
    def defect_codes(self) -> Mapping[str, str]: ...

    @property
    def usage_decision_set(self) -> str: ...

    @property
    def usage_decision_codes(self) -> Mapping[str, str]: ...

    @property
    def capacity_category(self) -> str: ...

    @property
    def capacity_version(self) -> str: ...

    @property
    def capability_field(self) -> str: ...


class SapSettings(Protocol):
    """One connection to one SAP plant."""

    @property
    def url(self) -> str: ...

    @property
    def plant(self) -> str: ...

    @property
    def client(self) -> str: ...

    @property
    def language(self) -> str: ...

    @property
    def auth(self) -> str: ...

    @property
    def user_env(self) -> str: ...

    @property
    def password_env(self) -> str: ...

    @property
    def token_url(self) -> str: ...

    @property
    def client_id_env(self) -> str: ...

    @property
    def client_secret_env(self) -> str: ...

    @property
    def scope(self) -> str: ...

    @property
    def zone(self) -> str: ...

    @property
    def timeout_seconds(self) -> float: ...

    @property
    def settle_seconds(self) -> float: ...

    @property
    def calls_per_second(self) -> float: ...

    @property
    def ca_file(self) -> str: ...

    @property
    def control_profiles(self) -> Mapping[str, ControlProfileSettings]: ...

    @property
    def scrap_reasons(self) -> Mapping[str, str]: ...

    @property
    def units(self) -> Mapping[str, str]: ...

    @property
    def sap(self) -> SapOptionSettings: ...


class Units:
    """Our units and SAP's (three characters), both ways; what is not mapped is the same on both sides."""

    def __init__(self, mapping: Mapping[str, str]) -> None:
        self._theirs = dict(mapping)
        self._ours = {theirs: ours for ours, theirs in mapping.items()}

    def theirs(self, unit: str) -> str:
        return self._theirs.get(unit, unit)

    def ours(self, unit: str) -> str:
        return self._ours.get(unit, unit)
