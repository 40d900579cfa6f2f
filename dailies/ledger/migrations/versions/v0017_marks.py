"""What a look at each clip's footage has found."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """One more column, empty: clips delivered earlier were not looked at."""
    op.add_column("attempt", sa.Column("marks", sa.JSON(none_as_null=True)))
