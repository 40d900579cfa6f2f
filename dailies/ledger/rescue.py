"""What a ledger that vanished under this process still knows goes to the spool, so that the next run knows it too."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from dailies.domain.clips import Row
from dailies.domain.creates import Accepted, CreateOutcome, Doubtful, KnownAttempt
from dailies.domain.records import Attempt, BatchRow
from dailies.domain.states import State
from dailies.ledger import rows as r
from dailies.ledger import tables as t
from dailies.ledger.reader import Reader
from dailies.ledger.spool import Spool, Spooled

LEFT_OUT = frozenset({State.SUBMITTING, State.FAILED})
"""The answer of a create that is under way follows by itself; what failed cost nothing."""


def rescue(ledger: Reader, spool: Spool, since: datetime) -> int:
    """Spool every paid clip that is not home and every doubt, and all that was bought or changed `since` then: the file
    that stands at the ledger's path now may be an older copy. Returns how many. Raises OSError."""
    unfinished = {attempt.id: attempt for attempt in ledger.unfinished()}
    with ledger.engine.connect() as connection:
        changed = connection.execute(sa.select(t.attempt).where(t.attempt.c.updated_at >= since)).mappings()
        known = unfinished | {row["id"]: r.to_attempt(row) for row in changed}
        batches = {row.name: (row.source, row.destination) for row in connection.execute(sa.select(t.batch))}
    kept = [attempt for attempt in known.values() if attempt.state not in LEFT_OUT]
    rows = {(row.batch, row.clip_key): row for row in ledger.rows_of_clips(a.clip_key for a in kept)}
    for attempt in kept:
        row = rows.get((attempt.batch, attempt.clip_key))
        source, destination = batches.get(attempt.batch, ("", ""))
        spool.put(as_spooled(attempt, _as_planned(row) if row else None, source, destination))
    return len(kept)


def as_spooled(attempt: Attempt, row: Row | None, source: str, destination: str) -> Spooled:
    """An attempt that is paid for or in doubt, as the spool would hold it: enough to write it anew."""
    return Spooled(KnownAttempt(_as_claimed(attempt), row, source, destination), _outcome(attempt))


def _as_claimed(attempt: Attempt) -> Attempt:
    """The attempt as T1 had left it: what came of it later is told by the outcome."""
    return attempt._replace(state=State.SUBMITTING, epoch=1, polls=0, generation_id=None, failure=None, error=None, usd_charged=None,
        credits_used=None, result_url=None, handle=None, s3_uri=None, sha256=None, size_bytes=None, mismatch=None, submitted_at=None,
        completed_at=None, stored_at=None,
    )  # fmt: skip


def _as_planned(row: BatchRow) -> Row:
    return Row(row.number, row.id, row.clip, row.providers, row.labels)


def _outcome(attempt: Attempt) -> CreateOutcome:
    if attempt.generation_id is None:
        return Doubtful(attempt.error or "in doubt when the ledger vanished")
    return Accepted(
        attempt.generation_id, attempt.result_url, attempt.usd_charged, attempt.credits_used, attempt.handle
    )
