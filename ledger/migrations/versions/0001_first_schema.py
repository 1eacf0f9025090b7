"""The first schema: lines, parked items, orders, postings with claim and fence, documents, cases, decisions."""

import sqlalchemy as sa
from alembic import op

from ledger.columns import ExactDecimal, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "decision",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("decision_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("plant", "decision_id", name="pk_decision"),
    )
    op.create_index("ix_decision_plant_subject", "decision", ["plant", "subject"], unique=False)
    op.create_table(
        "exception_case",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("plant", "case_id", name="pk_exception_case"),
    )
    op.create_index("ix_exception_case_plant_order_id", "exception_case", ["plant", "order_id"], unique=False)
    op.create_table(
        "line_checkpoint",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("checkpoint", sa.String(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("plant", "line", name="pk_line_checkpoint"),
    )
    op.create_table(
        "line_message",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("report_id", sa.String(), nullable=True),
        sa.Column("withheld", sa.Boolean(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("plant", "line", "order_id", "number", name="pk_line_message"),
        sa.UniqueConstraint("plant", "report_id", name="uq_line_message_plant_report_id"),
    )
    op.create_index(
        "ix_line_message_plant_order_id_line_number",
        "line_message",
        ["plant", "order_id", "line", "number"],
        unique=False,
    )
    op.create_table(
        "machine_event",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("plant", "event_id", name="pk_machine_event"),
    )
    op.create_index("ix_machine_event_plant_source_seq", "machine_event", ["plant", "source", "seq"], unique=False)
    op.create_table(
        "parked_item",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("item", sa.String(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=True),
        sa.Column("payload", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("plant", "item", name="pk_parked_item"),
    )
    op.create_index("ix_parked_item_plant_order_id", "parked_item", ["plant", "order_id"], unique=False)
    op.create_table(
        "posting",
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("transaction_type", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("transaction_json", sa.String(), nullable=False),
        sa.Column("transaction_hash", sa.String(), nullable=False),
        sa.Column("report_ids", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("deadline", UtcDateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", UtcDateTime(), nullable=True),
        sa.Column("totals_before", sa.String(), nullable=False),
        sa.Column("documents_before", sa.String(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("error_code", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("shortfall", sa.String(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_posting"),
    )
    op.create_index("ix_posting_plant_order_id", "posting", ["plant", "order_id"], unique=False)
    op.create_index(
        "uq_posting_one_sent_per_order",
        "posting",
        ["plant", "order_id"],
        unique=True,
        sqlite_where=sa.text("state = 'sent'"),
        postgresql_where=sa.text("state = 'sent'"),
    )
    op.create_table(
        "production_order",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("payload", sa.String(), nullable=True),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("plant", "order_id", name="pk_production_order"),
    )
    op.create_table(
        "refusal",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("refusal_id", sa.String(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("plant", "refusal_id", name="pk_refusal"),
    )
    op.create_index("ix_refusal_plant_order_id", "refusal", ["plant", "order_id"], unique=False)
    op.create_table(
        "credit_use",
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("yield_quantity", ExactDecimal(), nullable=False),
        sa.Column("scrap_quantity", ExactDecimal(), nullable=False),
        sa.Column("rework_quantity", ExactDecimal(), nullable=False),
        sa.ForeignKeyConstraint(["key"], ["posting.key"], name="fk_credit_use_key"),
        sa.PrimaryKeyConstraint("key", name="pk_credit_use"),
    )
    op.create_index(
        "ix_credit_use_plant_order_id_operation", "credit_use", ["plant", "order_id", "operation"], unique=False
    )
    op.create_table(
        "erp_document",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("posting_key", sa.Uuid(), nullable=True),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("by_hand", sa.Boolean(), nullable=False),
        sa.Column("reversed", sa.Boolean(), nullable=False),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.Column("yield_quantity", ExactDecimal(), nullable=False),
        sa.Column("scrap_quantity", ExactDecimal(), nullable=False),
        sa.Column("rework_quantity", ExactDecimal(), nullable=False),
        sa.Column("credit_yield", ExactDecimal(), nullable=False),
        sa.Column("credit_scrap", ExactDecimal(), nullable=False),
        sa.Column("credit_rework", ExactDecimal(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["posting_key"], ["posting.key"], name="fk_erp_document_posting_key"),
        sa.PrimaryKeyConstraint("plant", "order_id", "document", name="pk_erp_document"),
    )
    op.create_index("ix_erp_document_posting_key", "erp_document", ["posting_key"], unique=False)
    op.create_table(
        "posting_report",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("report_id", sa.String(), nullable=False),
        sa.Column("transaction_type", sa.String(), nullable=False),
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(["key"], ["posting.key"], name="fk_posting_report_key"),
        sa.PrimaryKeyConstraint("plant", "report_id", "transaction_type", name="pk_posting_report"),
    )
    op.create_index("ix_posting_report_key", "posting_report", ["key"], unique=False)
    op.create_table(
        "report_event",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("report_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["plant", "report_id"],
            ["line_message.plant", "line_message.report_id"],
            name="fk_report_event_plant_report_id",
        ),
        sa.PrimaryKeyConstraint("plant", "event_id", name="pk_report_event"),
    )
    op.create_index("ix_report_event_plant_report_id", "report_event", ["plant", "report_id"], unique=False)
    op.create_table(
        "report_range",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("report_id", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("names_events", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["plant", "report_id"],
            ["line_message.plant", "line_message.report_id"],
            name="fk_report_range_plant_report_id",
        ),
        sa.PrimaryKeyConstraint("plant", "report_id", "source", "first_seq", "kind", name="pk_report_range"),
    )
    op.create_index(
        "ix_report_range_overlap",
        "report_range",
        ["plant", "line", "order_id", "names_events", "operation", "source"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_table("report_range")
    op.drop_table("report_event")
    op.drop_table("posting_report")
    op.drop_table("erp_document")
    op.drop_table("credit_use")
    op.drop_table("refusal")
    op.drop_table("production_order")
    op.drop_table("posting")
    op.drop_table("parked_item")
    op.drop_table("machine_event")
    op.drop_table("line_message")
    op.drop_table("line_checkpoint")
    op.drop_table("exception_case")
    op.drop_table("decision")
