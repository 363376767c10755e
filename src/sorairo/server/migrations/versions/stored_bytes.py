"""How much each upload takes; of those that are there already it is not known."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    whole = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.add_column("files", sa.Column("stored_bytes", whole, nullable=False, server_default="0"))
