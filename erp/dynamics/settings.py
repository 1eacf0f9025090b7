"""What the adapter needs to know of its connection, as structural types, and the names of what it calls.

The plant file's `ErpConfig` has these attributes; this room does not import it, because it knows signals only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from signals.orders import ConfirmationMode

HEADERS = "ProductionOrderHeaders"
OPERATIONS = "ProductionOrderRouteOperations"
BOM_LINES = "ProductionOrderBillOfMaterialLines"
RAF_JOURNALS = "ReportAsFinishedProductionJournalEntries"
PICKING_JOURNALS = "ProductionPickingListJournalEntries"
ROUTE_JOURNALS = "RouteCardProductionJournalEntries"
JOB_JOURNALS = "JobCardProductionJournalEntries"
BATCH_ORDERS = "BatchOrderHeaders"
TRANSFER_HEADERS = "InventoryTransferJournalHeaders"
TRANSFER_LINES = "InventoryTransferJournalEntries"
STATUS_STOCK = "WarehouseInventoryStatusesOnHandV2"
SITE_STOCK = "InventorySitesOnHandV2"
BATCHES = "ItemBatches"
QUALITY_ORDERS = "QualityOrderHeaders"
QUALITY_RESULTS = "QualityOrderLineResults"
MAINTENANCE_REQUESTS = "AssetMaintenanceRequestsV2"
CALENDAR_INTERVALS = "WorkCalendarTimeIntervals"
PRODUCTS = "ReleasedProductsV2"
SEND_MESSAGE = "SysMessageServices/SysMessageService/SendMessage"

MESSAGE_PROCESSED = "SysMessageProcessorMessageProcessedBusinessEvent"
ISSUE, RETURN, RECEIPT, RECEIPT_RETURN = "261", "262", "101", "102"
"""Movement types in the canonical words of `signals`; Dynamics has journals instead of types."""


class DynamicsOptions(Protocol):
    """The plant file's `[erp.dynamics]`."""

    @property
    def company(self) -> str: ...

    @property
    def queue(self) -> str: ...

    @property
    def journal_names(self) -> str: ...

    @property
    def production_journal(self) -> str: ...

    @property
    def picking_journal(self) -> str: ...

    @property
    def route_journal(self) -> str: ...

    @property
    def transfer_journal(self) -> str: ...

    @property
    def correlation_member(self) -> str: ...

    @property
    def unique_times(self) -> bool: ...

    @property
    def license_plates(self) -> bool: ...

    @property
    def report_batches(self) -> bool: ...

    @property
    def picking_list_version(self) -> str: ...

    @property
    def negative_quantities(self) -> bool: ...

    @property
    def hold_route(self) -> str: ...

    @property
    def hold_disposition(self) -> str: ...

    @property
    def free_disposition(self) -> str: ...

    @property
    def hold_status(self) -> str: ...

    @property
    def free_status(self) -> str: ...

    @property
    def quality_test_group(self) -> str: ...

    @property
    def post_action(self) -> str: ...

    @property
    def warehouse(self) -> str: ...

    @property
    def unit(self) -> str: ...

    @property
    def task_types(self) -> Mapping[str, str]: ...

    @property
    def calendars(self) -> Mapping[str, str]: ...

    @property
    def nonconformance_entity(self) -> str: ...

    @property
    def defect_codes(self) -> Mapping[str, str]: ...

    @property
    def request_type(self) -> str: ...

    @property
    def closed_state(self) -> str: ...

    @property
    def pending_seconds(self) -> float: ...


class RouteGroupSettings(Protocol):
    """What a route group of the plant means (the plant file's control profile)."""

    @property
    def confirmation(self) -> ConfirmationMode: ...


class DynamicsSettings(Protocol):
    """One connection to one company and site."""

    @property
    def url(self) -> str: ...

    @property
    def plant(self) -> str: ...

    @property
    def language(self) -> str: ...

    @property
    def tenant_env(self) -> str: ...

    @property
    def client_id_env(self) -> str: ...

    @property
    def client_secret_env(self) -> str: ...

    @property
    def token_url(self) -> str: ...

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
    def control_profiles(self) -> Mapping[str, RouteGroupSettings]: ...

    @property
    def scrap_reasons(self) -> Mapping[str, str]: ...

    @property
    def units(self) -> Mapping[str, str]: ...

    @property
    def machine_activity(self) -> int | None: ...

    @property
    def dynamics(self) -> DynamicsOptions: ...


class Units:
    """Our units and the ERP's, where they differ."""

    def __init__(self, units: Mapping[str, str]) -> None:
        self._theirs = dict(units)
        self._ours = {theirs: ours for ours, theirs in units.items()}

    def theirs(self, unit: str) -> str:
        return self._theirs.get(unit, unit)

    def ours(self, unit: str) -> str:
        return self._ours.get(unit, unit)


def operation_number(operation: str) -> int:
    """`0010` as Dynamics counts it: 10. Raises ValueError for what is no number."""
    return int(operation)


def operation_text(number: int) -> str:
    """10 as the house writes it: `0010`."""
    return f"{number:04d}"


def place_of(location: str, default_warehouse: str) -> tuple[str, str]:
    """Warehouse and location of `WAREHOUSE`, `WAREHOUSE/LOCATION`, or a location of the default warehouse `/LOC`."""
    warehouse, _, place = location.partition("/")
    return warehouse or default_warehouse, place


def place_text(warehouse: str, location: str) -> str:
    return f"{warehouse}/{location}" if location else warehouse
