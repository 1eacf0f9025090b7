"""Inspection results: one row per inspected piece and inspection."""

import sqlalchemy as sa
from alembic import op

from ledger.columns import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "inspection_result",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("inspection", sa.String(), nullable=False),
        sa.Column("document", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("material", sa.String(), nullable=False),
        sa.Column("serial", sa.String(), nullable=False),
        sa.Column("batch", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("plant", "inspection", name="pk_inspection_result"),
    )
    op.create_index(
        "ix_inspection_result_plant_material_serial", "inspection_result", ["plant", "material", "serial"], unique=False
    )
    op.create_index("ix_inspection_result_plant_serial", "inspection_result", ["plant", "serial"], unique=False)
    op.create_index("ix_inspection_result_plant_batch", "inspection_result", ["plant", "batch"], unique=False)
    op.create_index("ix_inspection_result_plant_document", "inspection_result", ["plant", "document"], unique=False)
