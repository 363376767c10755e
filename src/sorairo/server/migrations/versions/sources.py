"""What videos are made from, which lasts longer than their requests; and uploads that are taken down.

Of a video that was deleted before nothing is known but what its own column says: its request is gone.
"""

import re

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_MATERIAL = re.compile(r'"path": "(?:videos|uploads)/([^/"]+)/')  # no text has this: its quotes are escaped
_OLD = "SELECT position, request, remixed_from_video_id FROM videos"


def upgrade() -> None:
    op.add_column("videos", sa.Column("sources", sa.String, nullable=False, server_default=""))
    op.add_column("files", sa.Column("taken_down", sa.Boolean, nullable=False, server_default=sa.false()))
    connection = op.get_bind()
    for position, request, remixed_from in connection.execute(sa.text(_OLD)).all():
        if ids := {*_MATERIAL.findall(request), remixed_from} - {None}:
            values = {"sources": "".join(f" {one} " for one in sorted(ids)), "position": position}
            connection.execute(sa.text("UPDATE videos SET sources = :sources WHERE position = :position"), values)
