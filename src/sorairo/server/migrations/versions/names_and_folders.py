"""Names, folders and favourites of videos, and what characters look like."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for name in ("title", "folder"):
        op.add_column("videos", sa.Column(name, sa.String(255), nullable=False, server_default=""))
    op.add_column("videos", sa.Column("favourite", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("files", sa.Column("description", sa.String, nullable=False, server_default=""))
