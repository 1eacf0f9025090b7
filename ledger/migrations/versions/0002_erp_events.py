"""Events that an ERP sends us (Dynamics business events), once per event id."""

import sqlalchemy as sa
from alembic import op

from ledger.columns import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "erp_event",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("body", sa.String(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("plant", "event_id", name="pk_erp_event"),
    )
    op.create_index(
        "ix_erp_event_plant_order_id_kind_at", "erp_event", ["plant", "order_id", "kind", "at"], unique=False
    )
    op.create_index("ix_erp_event_plant_kind_at", "erp_event", ["plant", "kind", "at"], unique=False)


def downgrade() -> None:
    op.drop_table("erp_event")
