"""Notifications: an outbox, and each delivery by each channel."""

import sqlalchemy as sa
from alembic import op

from ledger.columns import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "notification",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("notification_id", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("plant", "notification_id", name="pk_notification"),
    )
    op.create_index("ix_notification_plant_at", "notification", ["plant", "at"], unique=False)
    op.create_table(
        "notification_delivery",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("notification_id", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("delivered_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["plant", "notification_id"],
            ["notification.plant", "notification.notification_id"],
            name="fk_notification_delivery_plant_notification_id",
        ),
        sa.PrimaryKeyConstraint("plant", "notification_id", "channel", name="pk_notification_delivery"),
    )
