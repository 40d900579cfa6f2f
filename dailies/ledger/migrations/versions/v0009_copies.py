"""Copies of delivered clips that lie in another batch's place."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """One table."""
    op.create_table(
        "copy",
        sa.Column("batch", sa.Text, sa.ForeignKey("batch.name"), primary_key=True),
        sa.Column("clip_key", sa.Text, sa.ForeignKey("clip.clip_key"), primary_key=True),
        sa.Column("s3_uri", sa.Text, nullable=False),
        sa.Column("copied_at", sa.DateTime(timezone=True), nullable=False),
    )
