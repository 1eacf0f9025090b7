"""Cases can be searched and escalated; amended payloads are kept beside the original; orders can be declared void."""

import json
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from alembic import op

from ledger.columns import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TEXTS = ("kind", "operation", "material", "error_code", "error_class", "owner_role", "escalated_to")


def upgrade() -> None:
    with op.batch_alter_table("exception_case") as case:
        for name in TEXTS:
            case.add_column(sa.Column(name, sa.String(), nullable=False, server_default=""))
        case.add_column(sa.Column("posting_key", sa.Uuid(), nullable=True))
        for name in ("opened_at", "due_at", "closed_at"):
            case.add_column(sa.Column(name, UtcDateTime(), nullable=True))
        case.add_column(sa.Column("level", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_exception_case_plant_is_open_error_code", "exception_case", ["plant", "is_open", "error_code"])
    op.create_index("ix_exception_case_plant_posting_key", "exception_case", ["plant", "posting_key"])
    _fill_from_payloads()
    op.create_table(
        "posting_amendment",
        sa.Column("key", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("case_id", sa.String(), nullable=False),
        sa.Column("decision_id", sa.String(), nullable=False),
        sa.Column("decided_by", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("before_json", sa.String(), nullable=False),
        sa.Column("after_json", sa.String(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["key"], ["posting.key"], name="fk_posting_amendment_key"),
        sa.PrimaryKeyConstraint("key", "number", name="pk_posting_amendment"),
    )
    op.create_index("ix_posting_amendment_plant_order_id", "posting_amendment", ["plant", "order_id"])
    op.create_table(
        "void_order",
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("decision_id", sa.String(), nullable=False),
        sa.Column("payload", sa.String(), nullable=False),
        sa.Column("recorded_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("plant", "order_id", name="pk_void_order"),
    )


def _fill_from_payloads() -> None:
    """Cases of the first schema say in their payload what is searched by now."""
    columns = ["plant", "case_id", "payload", *TEXTS, "posting_key", "opened_at"]
    case = sa.table(
        "exception_case",
        *(sa.column(name) for name in columns if name not in ("posting_key", "opened_at")),
        sa.column("posting_key", sa.Uuid()),
        sa.column("opened_at", UtcDateTime()),
    )
    connection = op.get_bind()
    for plant, case_id, payload in connection.execute(sa.select(case.c.plant, case.c.case_id, case.c.payload)).all():
        said = json.loads(payload)
        opened = said.get("opened_at")
        key = said.get("posting_key")
        connection.execute(
            sa.update(case)
            .where(case.c.plant == plant, case.c.case_id == case_id)
            .values(
                **{name: said.get(name, "") for name in ("kind", "operation", "error_code", "owner_role")},
                posting_key=UUID(key) if key else None,
                opened_at=datetime.fromisoformat(opened) if opened else None,
            )
        )


def downgrade() -> None:
    op.drop_table("void_order")
    op.drop_table("posting_amendment")
    op.drop_index("ix_exception_case_plant_posting_key", "exception_case")
    op.drop_index("ix_exception_case_plant_is_open_error_code", "exception_case")
    with op.batch_alter_table("exception_case") as case:
        for name in (*TEXTS, "posting_key", "opened_at", "due_at", "closed_at", "level"):
            case.drop_column(name)
