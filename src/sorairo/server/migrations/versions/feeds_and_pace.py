"""What owners publish, and how many requests the web processes took for an account."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("paced_until", sa.Double, nullable=False, server_default="0"))
    op.add_column("videos", sa.Column("publication", sa.String(255), nullable=False, server_default="private"))
    op.add_column("videos", sa.Column("publication_reason", sa.String, nullable=False, server_default=""))
    op.add_column("videos", sa.Column("published_at", sa.BigInteger().with_variant(sa.Integer, "sqlite")))
    op.add_column("videos", sa.Column("featured", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index("videos_by_publication", "videos", ["publication", "published_at"])
