"""What became of prompts that were to be told in full."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("videos", sa.Column("expansion_note", sa.String, nullable=False, server_default=""))
