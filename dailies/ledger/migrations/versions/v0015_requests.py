"""The exact request of an attempt is kept until the attempt is settled."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """One more table, empty."""
    op.create_table(
        "request",
        sa.Column("attempt_id", sa.Text, sa.ForeignKey("attempt.id"), primary_key=True),
        sa.Column("key", sa.Text, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("headers", sa.JSON, nullable=False),
        sa.Column("body", sa.JSON, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.Column("first_sent_at", sa.DateTime(timezone=True), nullable=False),
    )
