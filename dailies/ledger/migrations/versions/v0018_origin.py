"""What each delivered file says of where it comes from."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """One more column, empty: clips delivered earlier were not asked."""
    op.add_column("attempt", sa.Column("origin", sa.JSON(none_as_null=True)))
