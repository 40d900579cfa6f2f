"""A ledger has a name of its own, by which a copy that was interrupted knows what it is a copy of."""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Give it one."""
    meta = sa.table("meta", sa.column("name", sa.Text), sa.column("value", sa.Text))
    op.bulk_insert(meta, [{"name": "id", "value": uuid4().hex}])
