"""Clips whose identity may hold a signature that later versions know as one: it is computed anew from the record.

As after 0006 it is NULL until a batch is planned (`ledger/identity.py`): a fresh signature finds what was bought under an earlier one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

SIGNING = (
    "auth_key", "auth_info", "authorization", "hdnts", "hdnea", "hdntl", "bcdn_token", "_upt", "ik-s", "ik-t", "wssecret", "wstime",
    "txsecret", "txtime", "kssaccesskeyid", "ucloudpublickey", "x-bce-security-token", "sign", "ssig", "kid", "verify", "secure",
    "expire", "md5", "pbs", "pbe", "?e", "&e", "?s", "&s", "?st", "&st", "?t", "&t",
)  # fmt: skip
"""What stands before the `=` of a signature that 0018 did not know. Of others the identity is as it was."""


def upgrade() -> None:
    """Forget the identity of each clip whose image, or images among its options, may be signed by one of them."""
    clip = sa.table("clip", sa.column("identity"), sa.column("prompt"), sa.column("image"), sa.column("options"))
    places = (sa.func.lower(clip.c.image), sa.func.lower(sa.cast(clip.c.options, sa.Text)))
    address = sa.or_(*(place.like("%://%=%") for place in places))
    signed = sa.or_(*(place.like(f"%{name}=%") for place in places for name in SIGNING))
    op.execute(
        sa.update(clip).where(clip.c.identity.is_not(None), clip.c.prompt != "", address, signed).values(identity=None)
    )
