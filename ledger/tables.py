"""The ledger's tables. Each holds the whole message as JSON beside the columns that rules and queries need.

Every key begins with the plant: one database may serve several. The schema is made by ledger/migrations only.
"""

import re
import uuid
from datetime import datetime
from decimal import Decimal

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, MetaData, UniqueConstraint, text
from sqlalchemy.orm import declared_attr
from sqlmodel import Field, SQLModel

from ledger.columns import ExactDecimal, UtcDateTime


class LedgerTable(SQLModel):
    """Base of all ledger tables. `MachineEventRow` is table machine_event; constraints have names for migrations."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )

    @declared_attr.directive
    def __tablename__(cls) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        return re.sub(r"(?<!^)([A-Z])", r"_\1", cls.__name__.removesuffix("Row")).lower()


class LineCheckpointRow(LedgerTable, table=True):
    """The newest checkpoint of a Line."""

    plant: str = Field(primary_key=True)
    line: str = Field(primary_key=True)
    revision: int = Field(sa_type=BigInteger)
    checkpoint: str
    recorded_at: datetime = Field(sa_type=UtcDateTime)


class LineMessageRow(LedgerTable, table=True):
    """One entry of a Line's outbox. A withheld one overlaps an earlier report and waits as a parked item."""

    __table_args__ = (
        UniqueConstraint("plant", "report_id"),
        Index(None, "plant", "order_id", "line", "number"),
        Index("ix_line_message_plant_shift", "plant", "shift"),
    )

    plant: str = Field(primary_key=True)
    line: str = Field(primary_key=True)
    order_id: str = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_type=BigInteger)
    report_id: str | None = None
    withheld: bool = False
    shift: str | None = Field(default=None, description="of a report: what it is booked to")
    payload: str


class ReportEventRow(LedgerTable, table=True):
    """Which report used an event up: one event is evidence of one report only."""

    __table_args__ = (
        ForeignKeyConstraint(["plant", "report_id"], ["line_message.plant", "line_message.report_id"]),
        Index(None, "plant", "report_id"),
    )

    plant: str = Field(primary_key=True)
    event_id: str = Field(primary_key=True)
    report_id: str


class ReportRangeRow(LedgerTable, table=True):
    """Source ranges of a report, per kind of quantity; they judge overlaps where a report names no events."""

    __table_args__ = (
        ForeignKeyConstraint(["plant", "report_id"], ["line_message.plant", "line_message.report_id"]),
        Index("ix_report_range_overlap", "plant", "line", "order_id", "names_events", "operation", "source"),
    )

    plant: str = Field(primary_key=True)
    report_id: str = Field(primary_key=True)
    source: str = Field(primary_key=True)
    first_seq: int = Field(primary_key=True, sa_type=BigInteger)
    kind: str = Field(primary_key=True, description="yield, rework, or scrap with its reason")
    last_seq: int = Field(sa_type=BigInteger)
    line: str
    order_id: str
    operation: str
    names_events: bool = Field(description="its report names events, so the range alone proves no overlap")


class MachineEventRow(LedgerTable, table=True):
    """A machine event that lineage needs."""

    __table_args__ = (Index(None, "plant", "source", "seq"),)

    plant: str = Field(primary_key=True)
    event_id: str = Field(primary_key=True)
    source: str
    seq: int = Field(sa_type=BigInteger)
    line: str
    at: datetime = Field(sa_type=UtcDateTime)
    payload: str


class ParkedItemRow(LedgerTable, table=True):
    """Something parked for a person; `accepted` stays null until one has decided."""

    __table_args__ = (Index(None, "plant", "order_id"),)

    plant: str = Field(primary_key=True)
    item: str = Field(primary_key=True)
    line: str
    order_id: str
    at: datetime = Field(sa_type=UtcDateTime)
    accepted: bool | None = None
    payload: str


class RefusalRow(LedgerTable, table=True):
    """Evidence that a rule settled; its id is a hash of what it says."""

    __table_args__ = (Index(None, "plant", "order_id"),)

    plant: str = Field(primary_key=True)
    refusal_id: str = Field(primary_key=True)
    line: str
    order_id: str
    at: datetime = Field(sa_type=UtcDateTime)
    payload: str


class DecisionRow(LedgerTable, table=True):
    """A person's decision on a case or a parked item, for ever."""

    __table_args__ = (Index(None, "plant", "subject"),)

    plant: str = Field(primary_key=True)
    decision_id: str = Field(primary_key=True)
    kind: str
    subject: str
    decided_by: str
    payload: str
    recorded_at: datetime = Field(sa_type=UtcDateTime)


class ProductionOrderRow(LedgerTable, table=True):
    """An order taken in; without a payload only its phase is known yet."""

    plant: str = Field(primary_key=True)
    order_id: str = Field(primary_key=True)
    phase: str = ""
    payload: str | None = None
    recorded_at: datetime = Field(sa_type=UtcDateTime)


class PostingRow(LedgerTable, table=True):
    """One posting. The partial index is the fence: at most one posting of an order is in state sent."""

    __table_args__ = (
        Index(None, "plant", "order_id"),
        Index(
            "uq_posting_one_sent_per_order",
            "plant",
            "order_id",
            unique=True,
            sqlite_where=text("state = 'sent'"),
            postgresql_where=text("state = 'sent'"),
        ),
    )

    key: uuid.UUID = Field(primary_key=True)
    plant: str
    order_id: str
    operation: str
    transaction_type: str
    state: str
    transaction_json: str
    transaction_hash: str = Field(description="SHA-256 of transaction_json")
    report_ids: str = Field(description="JSON; posting_report enforces what this lists")
    revision: int
    token: str = ""
    deadline: datetime | None = Field(default=None, sa_type=UtcDateTime)
    attempts: int = 0
    next_try_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    totals_before: str = "[]"
    documents_before: str = "[]"
    document: str = ""
    error_code: str = ""
    message: str = ""
    shortfall: str = "[]"
    figures_before: str = "{}"
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    accepted: bool = False
    receipt: str = ""
    rules: str = "[]"
    main_key: uuid.UUID | None = Field(default=None, index=True)
    recorded_at: datetime = Field(sa_type=UtcDateTime)


class PostingReportRow(LedgerTable, table=True):
    """The claim: a report belongs to one posting per transaction type, whatever the revision."""

    plant: str = Field(primary_key=True)
    report_id: str = Field(primary_key=True)
    transaction_type: str = Field(primary_key=True)
    key: uuid.UUID = Field(foreign_key="posting.key", index=True)


class ErpDocumentRow(LedgerTable, table=True):
    """A document of the ERP that we know: of a posting of ours, or entered by hand and decided on.

    `counted` ones make the totals; the credit is what an adopted hand entry still takes off later claims.
    """

    plant: str = Field(primary_key=True)
    order_id: str = Field(primary_key=True)
    document: str = Field(primary_key=True)
    operation: str
    posting_key: uuid.UUID | None = Field(default=None, foreign_key="posting.key", index=True)
    counted: bool
    by_hand: bool
    reversed: bool
    final: bool
    yield_quantity: Decimal = Field(sa_type=ExactDecimal)
    scrap_quantity: Decimal = Field(sa_type=ExactDecimal)
    rework_quantity: Decimal = Field(sa_type=ExactDecimal)
    credit_yield: Decimal = Field(sa_type=ExactDecimal)
    credit_scrap: Decimal = Field(sa_type=ExactDecimal)
    credit_rework: Decimal = Field(sa_type=ExactDecimal)
    payload: str
    recorded_at: datetime = Field(sa_type=UtcDateTime)


class CreditUseRow(LedgerTable, table=True):
    """What a posting took off the adopted hand entries of its operation."""

    __table_args__ = (Index(None, "plant", "order_id", "operation"),)

    key: uuid.UUID = Field(primary_key=True, foreign_key="posting.key")
    plant: str
    order_id: str
    operation: str
    yield_quantity: Decimal = Field(sa_type=ExactDecimal)
    scrap_quantity: Decimal = Field(sa_type=ExactDecimal)
    rework_quantity: Decimal = Field(sa_type=ExactDecimal)


class ExceptionCaseRow(LedgerTable, table=True):
    """Something only a person can settle; `action` is the decision in force, empty while there is none.

    The columns behind `payload` repeat what people search by, and hold what changes while the case is open.
    """

    __table_args__ = (
        Index(None, "plant", "order_id"),
        Index(None, "plant", "is_open", "error_code"),
        Index(None, "plant", "posting_key"),
    )

    plant: str = Field(primary_key=True)
    case_id: str = Field(primary_key=True)
    order_id: str
    is_open: bool
    action: str = ""
    note: str = ""
    payload: str
    recorded_at: datetime = Field(sa_type=UtcDateTime)
    kind: str = ""
    operation: str = ""
    material: str = ""
    error_code: str = ""
    error_class: str = ""
    owner_role: str = ""
    posting_key: uuid.UUID | None = None
    opened_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    level: int = Field(default=0, description="rung of the escalation ladder that was climbed last")
    escalated_to: str = Field(default="", description="roles that were asked beside the owner, separated by commas")


class PostingAmendmentRow(LedgerTable, table=True):
    """A posting's payload as it was before a person replaced it; the first one is the original."""

    __table_args__ = (Index(None, "plant", "order_id"),)

    key: uuid.UUID = Field(primary_key=True, foreign_key="posting.key")
    number: int = Field(primary_key=True)
    plant: str
    order_id: str
    case_id: str
    decision_id: str
    decided_by: str
    role: str
    reason: str
    before_json: str
    after_json: str
    recorded_at: datetime = Field(sa_type=UtcDateTime)


class VoidOrderRow(LedgerTable, table=True):
    """An order that a person declared void."""

    plant: str = Field(primary_key=True)
    order_id: str = Field(primary_key=True)
    decision_id: str
    payload: str
    recorded_at: datetime = Field(sa_type=UtcDateTime)


class QualityHoldRow(LedgerTable, table=True):
    """A hold with its local block. The partial index: at most one open hold of a scope."""

    __table_args__ = (
        Index(
            "uq_quality_hold_one_open_per_scope",
            "plant",
            "scope_key",
            unique=True,
            sqlite_where=text("is_open"),
            postgresql_where=text("is_open"),
        ),
        Index(None, "plant", "is_open", "due_at"),
        Index(None, "plant", "order_id"),
    )

    plant: str = Field(primary_key=True)
    hold: str = Field(primary_key=True)
    scope_key: str = Field(description="line, order, operation, batch and material as one hash")
    is_open: bool
    separated: bool = Field(description="the ERP keeps the held stock apart")
    triggers: int = Field(description="how many triggers it has taken")
    revision: int = Field(sa_type=BigInteger)
    line: str
    order_id: str
    material: str
    batch: str
    assigned_to: str = ""
    opened_at: datetime = Field(sa_type=UtcDateTime)
    due_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    closed_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
    block: str = Field(description="the blocked scope as JSON: what all triggers name, at once")
    payload: str = Field(description="the record as JSON, without its history")
    recorded_at: datetime = Field(sa_type=UtcDateTime)


class HoldTriggerRow(LedgerTable, table=True):
    """What asked for a hold, and which hold it got; numbered per hold."""

    __table_args__ = (UniqueConstraint("plant", "hold", "number"),)

    plant: str = Field(primary_key=True)
    trigger: str = Field(primary_key=True)
    hold: str
    number: int
    created: bool
    payload: str
    recorded_at: datetime = Field(sa_type=UtcDateTime)


class HoldEventRow(LedgerTable, table=True):
    """One entry of a hold's history, for ever."""

    plant: str = Field(primary_key=True)
    hold: str = Field(primary_key=True)
    number: int = Field(primary_key=True)
    at: datetime = Field(sa_type=UtcDateTime)
    what: str
    by: str
    payload: str
