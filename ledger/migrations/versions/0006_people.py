"""People: users, what they may at which plant, sessions, tokens, attempts to sign in, public parts of signing keys."""

import sqlalchemy as sa
from alembic import op

from ledger.columns import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "person",
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("service", sa.Boolean(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("user", name="pk_person"),
        sa.UniqueConstraint("subject", name="uq_person_subject"),
    )
    op.create_table(
        "person_grant",
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("lines", sa.String(), nullable=False),
        sa.Column("granted_by", sa.String(), nullable=False),
        sa.Column("granted_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["person.user"], name="fk_person_grant_user"),
        sa.PrimaryKeyConstraint("user", "plant", "role", name="pk_person_grant"),
    )
    op.create_index("ix_person_grant_plant_role", "person_grant", ["plant", "role"])
    op.create_table(
        "person_session",
        sa.Column("id_hash", sa.String(), nullable=False),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["person.user"], name="fk_person_session_user"),
        sa.PrimaryKeyConstraint("id_hash", name="pk_person_session"),
    )
    op.create_index("ix_person_session_user", "person_session", ["user"])
    op.create_index("ix_person_session_expires_at", "person_session", ["expires_at"])
    op.create_table(
        "api_token",
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("secret_hash", sa.String(), nullable=False),
        sa.Column("user", sa.String(), nullable=False),
        sa.Column("plant", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("lines", sa.String(), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user"], ["person.user"], name="fk_api_token_user"),
        sa.PrimaryKeyConstraint("token", name="pk_api_token"),
    )
    op.create_index("ix_api_token_plant", "api_token", ["plant"])
    op.create_index("ix_api_token_user", "api_token", ["user"])
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "sign_in_attempt",
        sa.Column("number", number, autoincrement=True, nullable=False),
        sa.Column("login", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_sign_in_attempt"),
    )
    op.create_index("ix_sign_in_attempt_login_at", "sign_in_attempt", ["login", "at"])
    op.create_table(
        "signing_key",
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("public_key", sa.String(), nullable=False),
        sa.Column("valid_from", UtcDateTime(), nullable=False),
        sa.Column("valid_to", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("key_id", name="pk_signing_key"),
    )
