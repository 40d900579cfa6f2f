"""A clip is found by what it is, under whatever key an earlier version gave it; and what was bought is known by its image.

`identity` is NULL for clips of earlier versions until their batch, or another, is planned (`ledger/identity.py`).
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add what later versions know of a clip."""
    op.add_column("clip", sa.Column("identity", sa.Text))
    op.add_column("clip", sa.Column("image_made", sa.Text))
    op.add_column("clip", sa.Column("image_seen", sa.Text))
    op.create_index("clip_by_identity", "clip", ["identity"])
