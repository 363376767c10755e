"""Cases for the operator to decide, and accounts that are suspended for a while."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_WHOLE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("accounts", sa.Column("suspended_until", _WHOLE, nullable=False, server_default="0"))
    op.add_column("accounts", sa.Column("suspended_for", sa.String, nullable=False, server_default=""))
    op.create_table(
        "cases",
        sa.Column("position", _WHOLE, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(255), nullable=False, unique=True),
        sa.Column("account_id", sa.String(255), sa.ForeignKey("accounts.id"), nullable=False),
        *(sa.Column(name, sa.String(255), nullable=False) for name in ("kind", "video_id", "reason")),
        sa.Column("message", sa.String, nullable=False),
        sa.Column("created_at", _WHOLE, nullable=False),
        sa.Column("outcome", sa.String(255), nullable=False),
        sa.Column("answer", sa.String, nullable=False),
        sa.Column("closed_at", _WHOLE),
    )
    op.create_index("ix_cases_outcome", "cases", ["outcome"])
