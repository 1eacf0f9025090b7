"""Postings remember the figures before a request, what an ERP accepted for later, and which posting they follow up."""

import sqlalchemy as sa
from alembic import op

from ledger.columns import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("posting") as posting:
        posting.add_column(sa.Column("figures_before", sa.String(), nullable=False, server_default="{}"))
        posting.add_column(sa.Column("sent_at", UtcDateTime(), nullable=True))
        posting.add_column(sa.Column("accepted", sa.Boolean(), nullable=False, server_default=sa.false()))
        posting.add_column(sa.Column("receipt", sa.String(), nullable=False, server_default=""))
        posting.add_column(sa.Column("rules", sa.String(), nullable=False, server_default="[]"))
        posting.add_column(sa.Column("main_key", sa.Uuid(), nullable=True))
    op.create_table(
        "erp_pace",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("erp", sa.String(), nullable=False),
        sa.Column("pace", sa.String(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("plant", "erp", name="pk_erp_pace"),
    )
    op.create_table(
        "erp_mark",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("plant", "name", name="pk_erp_mark"),
    )
    op.create_index("ix_posting_main_key", "posting", ["main_key"], unique=False)
