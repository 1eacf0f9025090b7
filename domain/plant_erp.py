"""The plant file's `[erp]` table: which ERP, where, as whom, and what each kind of ERP must be told beside.

Changing `kind` is enough to change the ERP: names of secrets, log-on and tables of the other kinds have defaults.
"""

from __future__ import annotations

from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from signals.base import Code, Message
from signals.orders import ConfirmationMode

ErpKind = Literal["sap", "oracle", "dynamics", "tryton"]


class ControlProfile(Message):
    """What an ERP control profile (SAP operation control profile) means here."""

    confirmation: ConfirmationMode = ConfirmationMode.REQUIRED
    automatic_receipt: bool = False


class SapOptions(Message):
    """What only SAP must be told (reference erp.md 1). Codes are the plant's own customising."""

    repeatability: bool = Field(default=False, description="send RequestID: idempotent services are set up")
    notification_type: str = Field(default="M2", max_length=2, description="type of a malfunction notification")
    technical_object: Literal["equipment", "functional_location"] = Field(
        default="equipment", description="what the stations' assets are in SAP"
    )
    hold_reason: str = Field(default="", max_length=4, description="GoodsMovementReasonCode of a block")
    defect_code_group: str = Field(default="", max_length=8, description="code group of defects, catalog 9")
    defect_codes: dict[str, str] = Field(default_factory=dict, description="our defect -> CODE or GROUP/CODE")
    usage_decision_set: str = Field(default="", max_length=8, description="selected set of usage decision codes")
    usage_decision_codes: dict[str, str] = Field(
        default_factory=dict, description="disposition (accept, reject, …, mixed) or our code -> GROUP/CODE"
    )
    capacity_category: str = Field(default="001", max_length=3, description="capacity category of machines")
    capacity_version: str = Field(default="01", max_length=2, description="active version of available capacity")
    capability_field: str = Field(
        default="", description="custom field of a work centre that interchangeable ones have in common"
    )


class OracleOptions(Message):
    """What only Oracle Fusion must be told (reference erp.md 2)."""

    source_system: str = Field(
        default="PLANTWRIGHT", max_length=30, description="SourceSystemCode, registered in Oracle"
    )
    hold_status: str = Field(default="Hold", description="material status of held lots")
    free_status: str = Field(default="Active", description="material status of released lots")
    hold_subinventory: str = Field(default="", max_length=18, description="where material without lots is held")
    started_status: str = Field(default="", description="status of a started order; empty: released is started")
    completed_status: str = Field(default="ORA_COMPLETED", description="WorkOrderStatusCode of a completed order")
    closed_status: str = Field(default="ORA_CLOSED", description="WorkOrderStatusCode of a closed order")
    transfer_type: str = Field(default="Subinventory Transfer", description="TransactionTypeName of a stock movement")
    quantity_check: bool = Field(
        default=False, description="ask validateInventoryTransactionQuantities before a transfer"
    )
    complete_operation_flag: bool = Field(
        default=False, description="send CompleteOperationFlag with a final confirmation (26A and later)"
    )
    quality_type: str = "ORA_ENQ_QI_PR_ITEM"
    quality_workflow: str = Field(default="", pattern=r"^\d*$", description="WorkflowTemplateId of a quality issue")
    maintenance_type: str = Field(default="CORRECTIVE", description="WorkOrderTypeCode of a breakdown's order")


class DynamicsOptions(Message):
    """What only Dynamics 365 must be told (reference erp.md 3). Codes are the company's own set-up."""

    company: str = Field(default="USMF", min_length=1, max_length=4, description="legal entity (dataAreaId)")
    queue: str = Field(default="JmgMES3P", description="message queue of the MES integration")
    journal_names: Literal["2022", "2024"] = Field(default="2024", description="spelling of the journal name members")
    production_journal: str = Field(default="", max_length=10, description="journal name of reports as finished")
    picking_journal: str = Field(default="", max_length=10, description="journal name of picking lists")
    route_journal: str = Field(default="", max_length=10, description="journal name of route cards")
    transfer_journal: str = Field(default="", max_length=10, description="journal name of transfer journals")
    correlation_member: str = Field(
        default="", description="extra member of a message's content that carries our key, where it survives"
    )
    unique_times: bool = Field(default=True, description="the key spells the fraction of a second of ExecutedDateTime")
    license_plates: bool = Field(default=False, description="each report as finished gets a license plate of its own")
    report_batches: bool = Field(
        default=False, description="the output is batch-managed: report the batch made, also where the order names none"
    )
    picking_list_version: Literal["old", "new"] = "new"
    negative_quantities: bool = Field(default=False, description="proved on the tenant: negative picking lists post")
    hold_route: Literal["inventory_status", "quality_order"] = Field(
        default="inventory_status", description="how stock without batches is held"
    )
    hold_disposition: str = Field(default="Hold", description="batch disposition code of held batches")
    free_disposition: str = Field(default="Available", description="batch disposition code of released batches")
    hold_status: str = Field(default="Blocking", description="inventory status of held stock without batches")
    free_status: str = Field(default="Available", description="inventory status of released stock")
    quality_test_group: str = Field(default="", description="test group of quality orders that hold stock")
    post_action: str = Field(
        default="Microsoft.Dynamics.DataEntities.Post",
        description="action that posts an inventory journal; empty: an unattended batch job posts it",
    )
    warehouse: str = Field(default="", description="warehouse of locations that name none")
    unit: str = Field(default="PC", description="unit of items whose inventory unit cannot be read")
    task_types: dict[str, Literal["Setup", "Process", "Burden"]] = Field(
        default_factory=dict, description="activity slot -> task type of its hours"
    )
    calendars: dict[str, str] = Field(default_factory=dict, description="work centre -> its work calendar")
    nonconformance_entity: str = Field(default="", description="entity set of nonconformances, where it is public")
    defect_codes: dict[str, str] = Field(default_factory=dict, description="our defect -> problem type")
    request_type: str = Field(default="Malfunction", description="maintenance request type of a stop")
    closed_state: str = Field(default="", description="lifecycle state of a request that is complete")
    pending_seconds: float = Field(default=900, gt=0, description="a message that waits longer becomes a case")


class TrytonOptions(Message):
    """What only Tryton must be told."""

    database: Code = "plant"
    company: str = Field(default="", description="name of the company; empty takes the user's own")


class ErpConfig(Message):
    """The ERP connection. Users, passwords and client secrets are names of environment variables, never values."""

    kind: ErpKind
    url: str = Field(pattern=r"^https?://.+")
    plant: Code = Field(description="SAP plant, Oracle organization, Dynamics site, Tryton warehouse")
    client: str = Field(default="", description="SAP client")
    language: str = "EN"
    auth: Literal["", "basic", "oauth"] = Field(
        default="", description="how to log on; empty: basic, and OAuth client credentials for Dynamics (Entra)"
    )
    user_env: str = ""
    password_env: str = ""
    token_url: str = Field(default="", description="OAuth token endpoint; empty: the ERP's usual one")
    tenant_env: str = ""
    client_id_env: str = ""
    client_secret_env: str = ""
    scope: str = ""
    zone: str = Field(default="UTC", description="zone of the ERP's dates and times")
    timeout_seconds: float = Field(default=10, gt=0, description="longest wait for one answer")
    settle_seconds: float = Field(default=60, ge=0, description="longest time after the deadline until a commit shows")
    calls_per_second: float = Field(default=10, gt=0)
    ca_file: str = Field(default="", description="certificate authority for TLS, where it is the plant's own")
    control_profiles: dict[str, ControlProfile] = Field(default_factory=dict, alias="control_profile")
    scrap_reasons: dict[str, str] = Field(
        default_factory=dict, description="machine reason -> ERP variance reason code"
    )
    units: dict[str, str] = Field(default_factory=dict, description="our unit -> the ERP's, where they differ")
    machine_activity: int | None = Field(default=None, ge=1, le=6, description="activity slot for machine time")
    sap: SapOptions = SapOptions()
    oracle: OracleOptions = OracleOptions()
    dynamics: DynamicsOptions = DynamicsOptions()
    tryton: TrytonOptions = TrytonOptions()

    model_config = Message.model_config | {"populate_by_name": True}

    @model_validator(mode="after")
    def _defaults_of_its_kind(self) -> Self:
        """Fill what the file leaves out from the kind: names of environment variables, log-on, token endpoint."""
        prefix = self.kind.upper()
        usual = {
            "auth": "oauth" if self.kind == "dynamics" else "basic",
            "user_env": f"{prefix}_USER",
            "password_env": f"{prefix}_PASSWORD",
            "tenant_env": f"{prefix}_TENANT",
            "client_id_env": f"{prefix}_CLIENT_ID",
            "client_secret_env": f"{prefix}_CLIENT_SECRET",
        }
        for name, value in usual.items():
            if not getattr(self, name):
                object.__setattr__(self, name, value)
        return self

    @property
    def host(self) -> str:
        """The address alone, for messages."""
        return urlsplit(self.url).netloc

    @property
    def secret_names(self) -> tuple[str, ...]:
        """Environment variables that must be set for the chosen log-on."""
        if self.auth == "oauth":
            tenant = (self.tenant_env,) if self.kind == "dynamics" and not self.token_url else ()
            return (self.client_id_env, self.client_secret_env, *tenant)
        return (self.user_env, self.password_env)
