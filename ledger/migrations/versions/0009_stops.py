"""Stops: the Line's newest fact with the workflow's record, and the history."""

import sqlalchemy as sa
from alembic import op

from ledger.columns import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "downtime",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("stop", sa.String(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("micro", sa.Boolean(), nullable=False),
        sa.Column("classified", sa.Boolean(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("fact_version", sa.BigInteger(), nullable=False),
        sa.Column("fact", sa.String(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("plant", "line", "stop", name="pk_downtime"),
    )
    op.create_index("ix_downtime_plant_is_open_due_at", "downtime", ["plant", "is_open", "due_at"])
    op.create_index("ix_downtime_plant_started_at", "downtime", ["plant", "started_at"])
    op.create_table(
        "downtime_event",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("line", sa.String(), nullable=False),
        sa.Column("stop", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("plant", "line", "stop", "number", name="pk_downtime_event"),
    )
