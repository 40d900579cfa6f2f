"""The brake on doubt of each provider, and how many creates were sent there, by what became of them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

UTC = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Two tables; no row: a brake begins open."""
    op.create_table(
        "brake",
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("doubts", sa.Integer, nullable=False),
        sa.Column("probes", sa.Integer, nullable=False),
        sa.Column("not_before", UTC),
        sa.Column("probe", sa.Text),
        sa.Column("given_up_at", UTC),
    )
    op.create_table(
        "creates",
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("outcome", sa.Text, primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
    )
