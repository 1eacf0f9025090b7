"""Shift handovers, and the shift of each report, by which a handover finds them."""

import sqlalchemy as sa
from alembic import op

from ledger.columns import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "handover",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("shift", sa.String(), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("acknowledged_by", sa.String(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("plant", "shift", name="pk_handover"),
    )
    op.create_index("ix_handover_plant_ends_at", "handover", ["plant", "ends_at"])
    op.add_column("line_message", sa.Column("shift", sa.String(), nullable=True))
    shift = (
        "json_extract(payload, '$.report.bucket.shift')"
        if op.get_bind().dialect.name == "sqlite"
        else "CAST(payload AS json) #>> '{report,bucket,shift}'"
    )
    op.execute(f"UPDATE line_message SET shift = {shift} WHERE report_id IS NOT NULL")
    op.create_index("ix_line_message_plant_shift", "line_message", ["plant", "shift"])
