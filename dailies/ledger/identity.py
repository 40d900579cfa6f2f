"""Clips found by what they are, whatever key they have: earlier versions made the key of other parts of the same clip.

The key of a clip never changes once it is on record. `identity` is what its key would be by the rules of today; a clip of
an earlier version has none until it is computed here, from the record alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from dailies.domain.clips import Clip
from dailies.domain.states import State
from dailies.ledger import tables as t
from dailies.ledger.rows import CHUNK, to_clip

UNKNOWN = t.clip.c.identity.is_(None) & (t.clip.c.prompt != "")
"""Clips without an identity; of those that were only adopted nothing is known from which it could be computed."""


def keys_like(connection: Connection, identities: Sequence[str]) -> Mapping[str, str]:
    """The keys of clips on record, by their identity. Where several have one: the key of the clip that was bought."""
    found: dict[str, list[str]] = defaultdict(list)
    for start in range(0, len(identities), CHUNK):
        named = t.clip.c.identity.in_(identities[start : start + CHUNK])
        for identity, key in connection.execute(sa.select(t.clip.c.identity, t.clip.c.clip_key).where(named)).all():
            found[identity].append(key)
    wanted = set(identities)
    for clip in _unknown(connection):
        if clip.identity in wanted:
            found[clip.identity].append(clip.key)
    bought = _bought(connection, [key for keys in found.values() if len(keys) > 1 for key in keys])
    return {
        identity: max(keys, key=lambda key: (bought.get(key, 0), key == identity)) for identity, keys in found.items()
    }


def clips_of(connection: Connection, clip_keys: Sequence[str]) -> dict[str, Clip]:
    """Clips as they are on record, by their keys."""
    found = {}
    for start in range(0, len(clip_keys), CHUNK):
        named = t.clip.c.clip_key.in_(clip_keys[start : start + CHUNK])
        for row in connection.execute(sa.select(t.clip).where(named)).mappings():
            found[row["clip_key"]] = to_clip(row)
    return found


def delivered_as(connection: Connection, batch: str, row_ids: Sequence[str]) -> dict[str, list[Clip]]:
    """The clips that were delivered in a batch under these rows' ids, oldest first."""
    found: dict[str, list[Clip]] = defaultdict(list)
    for start in range(0, len(row_ids), CHUNK):
        query = (
            sa.select(t.batch_row.c.row_id, t.clip)
            .join(t.clip, t.clip.c.clip_key == t.batch_row.c.clip_key)
            .join(t.attempt, t.attempt.c.clip_key == t.clip.c.clip_key)
            .where(t.batch_row.c.batch == batch, t.batch_row.c.row_id.in_(row_ids[start : start + CHUNK]))
            .where(t.attempt.c.s3_uri.is_not(None), t.clip.c.prompt != "")
            .order_by(t.attempt.c.created_at)
        )
        for row in connection.execute(query).mappings():
            found[row["row_id"]].append(to_clip(row))
    return found


def write_identities(connection: Connection) -> None:
    """Put down the identity of every clip that an earlier version wrote."""
    changed = [{"of": clip.key, "is_now": clip.identity} for clip in _unknown(connection)]
    if changed:
        put = sa.update(t.clip).where(t.clip.c.clip_key == sa.bindparam("of")).values(identity=sa.bindparam("is_now"))
        connection.execute(put, changed)


def _unknown(connection: Connection) -> Iterable[Clip]:
    return [to_clip(row) for row in connection.execute(sa.select(t.clip).where(UNKNOWN)).mappings()]


def _bought(connection: Connection, clip_keys: Sequence[str]) -> dict[str, int]:
    """2 for a clip that is in S3, 1 for one that may have been paid for."""
    found: dict[str, int] = {}
    for start in range(0, len(clip_keys), CHUNK):
        chosen = t.attempt.c.clip_key.in_(clip_keys[start : start + CHUNK])
        for key, state, uri in connection.execute(
            sa.select(t.attempt.c.clip_key, t.attempt.c.state, t.attempt.c.s3_uri).where(chosen)
        ):
            weight = 2 if uri else 0 if state == State.FAILED else 1
            found[key] = max(found.get(key, 0), weight)
    return found
