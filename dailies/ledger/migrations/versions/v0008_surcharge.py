"""What providers charge beyond their quotes, and what is reserved for an attempt because of it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """One table and one column: nothing is known yet, and reservations so far are the quotes."""
    op.create_table(
        "surcharge",
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("usd_quoted", sa.BigInteger, nullable=False),
        sa.Column("usd_charged", sa.BigInteger, nullable=False),
        sa.Column("learned_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.add_column("attempt", sa.Column("usd_reserved", sa.BigInteger))
