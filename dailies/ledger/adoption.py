"""What the store or the provider's log remembers, and this ledger does not: taken in as if it had always been here."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from dailies.domain.creates import Accepted
from dailies.domain.records import Attempt
from dailies.domain.states import State, may_claim
from dailies.ledger import rows as r
from dailies.ledger import tables as t
from dailies.ledger.erasing import Erasing
from dailies.ledger.plan import write_forgotten
from dailies.ledger.requests import Requests
from dailies.ledger.types import Adopted


class Adoption(Requests, Erasing):
    """Purchases that something else remembers. Methods block and are safe to call from several threads."""

    def adopt(self, adopted: Adopted) -> Attempt | None:
        """Take in a purchase that this ledger has forgotten or never knew. None when the clip is accounted for already.

        With an S3 URI it is stored, also where the ledger knows the attempt and not that it came home; without one it is
        submitted, to be polled and delivered.
        """
        with self._write() as connection:
            locked = sa.select(t.clip.c.clip_key).where(t.clip.c.clip_key == adopted.clip_key).with_for_update()
            if connection.execute(locked).scalar() is None:
                self._write_row(connection, adopted)
            earlier = dict(r.attempts_of(connection, [adopted.clip_key])).get(adopted.clip_key, ())
            mine = next((attempt for attempt in earlier if attempt.id == adopted.attempt_id), None)
            if mine is not None:
                return self._came_home(connection, mine, adopted)
            if (
                not may_claim(earlier)
                or self._is_anothers(connection, adopted)
                or self._is_erased(connection, adopted.clip_key)
            ):
                return None
            self._write_row(connection, adopted)  # where the clip is known, its batch may be another
            attempt = self._attempt_of(adopted, 1 + max((a.no for a in earlier), default=0))
            self._insert(connection, attempt, None, adopted.note)
            self._count(connection, attempt)
            return attempt

    def _write_row(self, connection: Connection, adopted: Adopted) -> None:
        write_forgotten(connection, adopted.clip_key, adopted.batch, adopted.row_id, adopted.model, self.now())

    def _is_anothers(self, connection: Connection, adopted: Adopted) -> bool:
        """Whether its attempt, or its generation, is on record as something else."""
        c = t.attempt.c
        generation = (c.provider == adopted.provider) & (c.generation_id == adopted.generation_id)
        mine = (c.clip_key == adopted.clip_key) & (c.id == adopted.attempt_id)
        return (
            connection.execute(sa.select(c.id).where((generation | (c.id == adopted.attempt_id)) & ~mine)).first()
            is not None
        )

    def _attempt_of(self, adopted: Adopted, no: int) -> Attempt:
        now, stored = self.now(), adopted.s3_uri is not None
        return Attempt(
            id=adopted.attempt_id, clip_key=adopted.clip_key, no=no, batch=adopted.batch, provider=adopted.provider,
            state=State.STORED if stored else State.SUBMITTED, owner=str(self.owner), epoch=1,
            lease_until=self._lease(adopted.provider, now), created_at=adopted.created_at, usd_quoted=adopted.usd_quoted,
            usd_charged=adopted.usd_charged, credits_used=adopted.credits_used, generation_id=adopted.generation_id,
            s3_uri=adopted.s3_uri, sha256=adopted.sha256, size_bytes=adopted.size_bytes, submitted_at=now,
            stored_at=now if stored else None, updated_at=now,
        )  # fmt: skip

    def _came_home(self, connection: Connection, attempt: Attempt, adopted: Adopted) -> Attempt | None:
        """An attempt on record whose clip lies in S3, though a ledger that was rolled back does not know that."""
        if adopted.s3_uri is None or attempt.delivered or self._is_anothers(connection, adopted):
            return None
        told = Accepted(adopted.generation_id, adopted.s3_uri, adopted.usd_charged, adopted.credits_used)
        attempt = self._take_in(connection, attempt, told, adopted.note)
        if attempt.generation_id != adopted.generation_id:
            return None
        if attempt.state is State.RESULT_LOST:
            attempt = self._move(connection, attempt, State.COMPLETED, adopted.note)
        values = {
            "s3_uri": adopted.s3_uri, "sha256": adopted.sha256, "size_bytes": adopted.size_bytes, "result_url": None,
            "stored_at": self.now(), "error": None,
        }  # fmt: skip
        if attempt.state is State.ORPHANED:
            return self._update(connection, attempt, **values)
        if attempt.state is not State.COMPLETED:
            return None
        return self._move(connection, attempt, State.STORED, adopted.note, **values)
