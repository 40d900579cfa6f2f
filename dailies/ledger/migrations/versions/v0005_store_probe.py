"""What each store was found to take, when it was last tried."""

import sqlalchemy as sa
from alembic import op

from dailies.ledger.tables import Utc

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add its table."""
    op.create_table(
        "store_probe",
        sa.Column("place", sa.Text, primary_key=True),
        sa.Column("abilities", sa.JSON, nullable=False),
        sa.Column("tried_at", Utc, nullable=False),
    )
