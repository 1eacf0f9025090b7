"""Quality holds: the record with its local block, what asked for them, and their history."""

import sqlalchemy as sa
from alembic import op

from ledger.columns import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "quality_hold",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("hold", sa.String(), nullable=False),
        sa.Column("scope_key", sa.String(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("separated", sa.Boolean(), nullable=False),
        sa.Column("triggers", sa.Integer(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("material", sa.String(), nullable=False),
        sa.Column("batch", sa.String(), nullable=False),
        sa.Column("assigned_to", sa.String(), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("block", sa.String(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("plant", "hold", name="pk_quality_hold"),
    )
    op.create_index(
        "uq_quality_hold_one_open_per_scope",
        "quality_hold",
        ["plant", "scope_key"],
        unique=True,
        sqlite_where=sa.text("is_open"),
        postgresql_where=sa.text("is_open"),
    )
    op.create_index("ix_quality_hold_plant_is_open_due_at", "quality_hold", ["plant", "is_open", "due_at"])
    op.create_index("ix_quality_hold_plant_order_id", "quality_hold", ["plant", "order_id"])
    op.create_table(
        "hold_trigger",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("trigger", sa.String(), nullable=False),
        sa.Column("hold", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("created", sa.Boolean(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("plant", "trigger", name="pk_hold_trigger"),
        sa.UniqueConstraint("plant", "hold", "number", name="uq_hold_trigger_plant_hold_number"),
    )
    op.create_table(
        "hold_event",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("hold", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("plant", "hold", "number", name="pk_hold_event"),
    )
