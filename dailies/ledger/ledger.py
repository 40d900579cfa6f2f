"""The ledger: every transaction of the money protocol, each one short and none open across a network call.

T0 plan · T1 claim · T2 (`answers.py`) · T3 polled, completed, failed · T4 stored; what recovery does; and what a person
may decide (`decisions.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from dailies.domain.approval import Approval
from dailies.domain.brake import GivenUp, Go, Hold
from dailies.domain.caps import Caps
from dailies.domain.clips import Row
from dailies.domain.kept_request import KeptRequest
from dailies.domain.money import ZERO
from dailies.domain.origin import Origin
from dailies.domain.records import Attempt, Copy
from dailies.domain.states import (
    LEASED,
    Failure,
    State,
    may_claim,
    on_dead_owner,
)
from dailies.domain.takes import Link
from dailies.ledger import history
from dailies.ledger import rows as r
from dailies.ledger import tables as t
from dailies.ledger.adoption import Adoption
from dailies.ledger.archiving import Archiving
from dailies.ledger.looks import Looks
from dailies.ledger.plan import upsert, write_plan
from dailies.ledger.statuses import Statuses
from dailies.ledger.takes import Takes
from dailies.ledger.transitions import GIVEN_UP, new_attempt_id
from dailies.ledger.types import TAKEN_FOR_DEAD, LostOwnership, Unclaimed
from dailies.ledger.verdicts import Verdicts


class Ledger(Adoption, Archiving, Looks, Statuses, Verdicts, Takes):
    """All moves of attempts, for one owner. Methods block and are safe to call from several threads."""

    def close(self) -> None:
        """Give up what is left unfinished, so that others need not wait for the lease, and close the connections. Who has
        nothing here writes nothing: a role that may only read closes, too."""
        try:
            with self._read() as connection:
                mine = connection.execute(sa.select(t.attempt.c.id).where(self._mine()).limit(1)).scalar()
            if mine:
                with self._write() as connection:
                    connection.execute(sa.update(t.attempt).where(self._mine()).values(lease_until=GIVEN_UP))
        finally:
            self.engine.dispose()

    # T0, T1

    def plan(  # noqa: PLR0913 - what T0 writes, in one call
        self, batch: str, source: str, destination: str, rows: Sequence[Row], quotes: Mapping[str, Decimal | None],
        part: bool = False, asked: Mapping[str, object] | None = None, takes: Sequence[Link] = (),
        replaced: Sequence[str] = (), staying: Sequence[str] = (),
    ) -> None:  # fmt: skip
        """T0: put the rows of a batch on record, where its clips go (`s3://bucket/prefix`), and how the run was asked for.

        Repeating it changes nothing but labels, numbers, quotes, the destination and the asking. Rows that are not named have left
        the CSV, unless these are only a `part` of the batch. Raises AnotherFile, with nothing planned, where the batch is
        another file's. `takes` are the numbers of those clips that are further takes of a row; raises TakenNumber.
        `replaced` are clips that these ones take the place of: their rows have left the batch. Those that are `staying` have not,
        though they are not planned any more.
        """
        with self._write() as connection:
            now = self.now()
            write_plan(connection, batch, source, destination, rows, quotes, now, part, asked, takes, replaced, staying)

    def approve(self, batch: str, approval: Approval) -> None:
        """Put on record what a person has said yes to."""
        values = {"approved_clips": approval.clips, "approved_usd": approval.usd}
        with self._write() as connection:
            connection.execute(sa.update(t.batch).where(t.batch.c.name == batch).values(**values))

    def claim(  # noqa: PLR0913 - what T1 writes, in one call
        self, clip_key: str, batch: str, provider: str, usd_quoted: Decimal, caps: Caps, request_digest: str,
        image_sha256: str | None = None, at_once: int | None = None, request: KeptRequest | None = None,
    ) -> Attempt | Unclaimed | Hold | GivenUp:  # fmt: skip
        """T1: one durable transaction that makes the attempt and reserves its quote against every budget, or more
        where the provider was seen to charge more. `request` is what will be sent, and names the attempt.

        Only after it has returned an Attempt may the POST be sent. A Hold says when to ask again: the provider's brake is
        on, or `at_once` of its creates are unanswered, over all processes. GivenUp: nothing more is to be bought there.
        Raises LedgerVanished.
        """
        now, attempt_id = self.now(), request.attempt_id if request else new_attempt_id(clip_key)
        with self._write_to_be_found() as connection:
            clip = sa.select(t.clip).where(t.clip.c.clip_key == clip_key).with_for_update()
            wanted = connection.execute(clip).mappings().one_or_none()
            earlier = dict(r.attempts_of(connection, [clip_key])).get(clip_key, ())
            # Asked when the lock is held: the statement that waits for it still sees what was before.
            if not may_claim(earlier, provider) or self._is_erased(connection, clip_key):
                return Unclaimed.TAKEN
            granted = self._may_send(connection, provider, at_once)
            if not isinstance(granted, Go):
                return granted
            kind = history.kind_of(wanted["model"], wanted["resolution"], wanted["duration_s"]) if wanted else None
            charges = self._surcharges(connection, provider, kind)
            usd = self._expected(connection, batch, kind, usd_quoted, charges)
            left = self._left_of(connection, caps, provider, batch, now, charges)
            refusal = self._reserve(connection, batch, clip_key, now, usd, left)
            if refusal:
                return refusal
            attempt = Attempt(
                id=attempt_id, clip_key=clip_key, no=1 + max((a.no for a in earlier), default=0), batch=batch,
                provider=provider, state=State.SUBMITTING, owner=str(self.owner), epoch=1, lease_until=self._lease(provider, now),
                created_at=now, usd_quoted=usd_quoted, request_digest=request_digest, image_sha256=image_sha256,
                updated_at=now, usd_reserved=usd if usd > usd_quoted else None,
            )  # fmt: skip
            self._insert(connection, attempt, kind, f"claimed for {batch}")
            if request:
                self._keep_request(connection, request)
            self._claimed(connection, provider, granted, attempt.id)
            return attempt

    def try_to_write(self) -> None:
        """Write and commit a row of no meaning, and take it away again. Raises what the database does."""
        tried = {"place": f"tried by {self.owner}", "abilities": {}, "tried_at": self.now()}
        with self._write_to_be_found() as connection:
            connection.execute(sa.insert(t.store_probe).values(**tried))
        with self._write() as connection:
            connection.execute(sa.delete(t.store_probe).where(t.store_probe.c.place == tried["place"]))

    def note_store(self, place: str, abilities: Mapping[str, bool | str]) -> None:
        """Put on record what a store was found to take just now."""
        with self._write() as connection:
            found = {"place": place, "abilities": dict(abilities), "tried_at": self.now()}
            upsert(connection, t.store_probe, [found], update=("abilities", "tried_at"))

    def ours_for_s(self, attempt: Attempt) -> float:
        """For how many seconds a create may be sent for this attempt: until its lease runs out; 0 where it is no longer ours.

        Asked before every POST.
        """
        found = self.attempt(attempt.id)
        if found is None or found.state is not State.SUBMITTING or found.epoch != attempt.epoch:
            return 0.0
        return max(0.0, (found.lease_until - self.now()).total_seconds())

    # T3, T4

    def record_polled(self, attempt: Attempt, generating: bool = False) -> None:
        """T3: count one look and prolong the lease; `generating`: the provider said that it is not ready yet. A power cut may
        take it back: no money hangs on it.

        Raises LostOwnership when another owner has taken over.
        """
        now = self.now()
        mine = (t.attempt.c.id == attempt.id) & (t.attempt.c.epoch == attempt.epoch)
        values = {"polls": t.attempt.c.polls + 1, "lease_until": self._lease(attempt.provider, now), "updated_at": now}
        if generating:
            values["generating_at"] = now
        with self._write(durable=False) as connection:
            if connection.execute(sa.update(t.attempt).where(mine).values(**values)).rowcount == 0:
                raise LostOwnership(attempt.id)

    def record_completed(
        self, attempt: Attempt, result_url: str, usd_charged: Decimal | None = None, credits_used: int | None = None,
        polled: bool = False,
    ) -> Attempt:  # fmt: skip
        """T3: the clip is ready at `result_url`; `polled`: as a look has found that is not counted yet. An orphan stays an
        orphan and gets its URL."""
        values: dict[str, Any] = {"result_url": result_url, "error": None}
        if usd_charged is not None:
            values["usd_charged"] = usd_charged
        if credits_used is not None:
            values["credits_used"] = credits_used
        with self._write() as connection:
            found = self._locked(connection, attempt.id)
            if found.epoch != attempt.epoch:
                raise LostOwnership(attempt.id)
            if found.delivered or found.state not in (State.SUBMITTED, State.COMPLETED, State.ORPHANED):
                return self._too_late(connection, found, State.COMPLETED, "ready")  # a stored row holds no URL again
            if found.completed_at is None:
                values["completed_at"] = self.now()
            if polled:
                values |= {"polls": found.polls + 1, "lease_until": self._lease(found.provider, self.now())}
            if found.state is State.SUBMITTED:
                return self._move(connection, found, State.COMPLETED, "ready", **values)
            return self._update(connection, found, **values)

    def generation_failed(self, attempt: Attempt, error: str, usd_charged: Decimal | None = ZERO) -> Attempt:
        """T3: the provider accepted and then failed; `usd_charged` is what it declares (failed jobs are not charged)."""
        with self._write() as connection:
            found = self._locked(connection, attempt.id)
            if found.epoch != attempt.epoch:
                raise LostOwnership(attempt.id)
            values = {"error": error, "failure": Failure.GENERATION, "usd_charged": usd_charged}
            if found.state is State.SUBMITTED:
                return self._move(connection, found, State.FAILED, error, **values)
            if found.state is State.ORPHANED and not found.delivered:
                return self._update(connection, found, **values)
            return self._too_late(connection, found, State.FAILED, error)

    def result_lost(self, attempt: Attempt, error: str) -> Attempt:
        """The clip was charged and no URL leads to it any more. An orphan stays an orphan, at its end."""
        with self._write() as connection:
            found = self._locked(connection, attempt.id)
            if found.state is State.COMPLETED:
                return self._move(connection, found, State.RESULT_LOST, error, error=error)
            if found.state is State.ORPHANED and not found.delivered:
                return self._update(connection, found, failure=Failure.GENERATION, error=error)
            return self._too_late(connection, found, State.RESULT_LOST, error)

    def record_stored(
        self, attempt_id: str, s3_uri: str, sha256: str, size_bytes: int, mismatch: str | None = None,
        origin: Origin | None = None,
    ) -> Attempt:  # fmt: skip
        """T4: the object was put and a HEAD agreed on size and digest. Wipes the result URL, which is a secret."""
        values = {
            "s3_uri": s3_uri, "sha256": sha256, "size_bytes": size_bytes, "mismatch": mismatch, "result_url": None,
            "stored_at": self.now(), "error": None, "origin": origin,
        }  # fmt: skip
        with self._write() as connection:
            found = self._locked(connection, attempt_id)
            if found.delivered:
                return found
            if found.state is State.ORPHANED:
                return self._update(connection, found, **values)
            return self._move(connection, found, State.STORED, s3_uri, **values)

    def gone_from_store(self, attempt_id: str, note: str) -> Attempt:
        """A stored clip whose object is no longer in S3: → completed, and ours to fetch from the provider again."""
        with self._write() as connection:
            found = self._locked(connection, attempt_id)
            if found.state is not State.STORED:
                return found
            lost: dict[str, Any] = {"s3_uri": None, "stored_at": None, "error": note, "owner": str(self.owner)}
            lost |= {"epoch": found.epoch + 1, "lease_until": self._lease(found.provider, self.now())}
            return self._move(connection, found, State.COMPLETED, note, **lost)

    def copied(self, copies: Sequence[Copy]) -> None:
        """Delivered clips lie in another batch's place, too: copies made inside S3, for which nothing was charged."""
        rows = [{**asdict(copy), "copied_at": self.now()} for copy in copies]
        with self._write() as connection:
            upsert(connection, t.copy, rows, update=("s3_uri", "copied_at"))

    def note_error(self, attempt_id: str, error: str) -> None:
        """Keep why a paid clip is not home yet; its state does not change."""
        with self._write() as connection:
            self._update(connection, self._locked(connection, attempt_id), error=error)

    def noted(self, attempt_id: str, note: str) -> None:
        """Put a word about an attempt on record that moves nothing."""
        with self._write() as connection:
            found = self._locked(connection, attempt_id)
            self._record(connection, found.id, found.state, found.state, note, self.now())

    def record_charged(self, attempt_id: str, usd: Decimal, credits_used: int | None) -> Attempt:
        """What the provider's own ledger says an attempt cost, learned later than its answer."""
        with self._write() as connection:
            found = self._locked(connection, attempt_id)
            return self._update(connection, found, usd_charged=usd, credits_used=credits_used)

    # Owners

    def renew(self) -> None:
        """Prolong the lease of all that this owner works on; on Postgres also look at the server's clock again.

        Raises LedgerVanished.
        """
        self._look_at_the_clock()
        mine = self._mine()
        with self._write_to_be_found() as connection:
            used = connection.execute(sa.select(t.attempt.c.provider).where(mine).distinct()).scalars().all()
            for provider in used:
                lease = self._lease(provider, self.now())
                here = mine & (t.attempt.c.provider + "" == provider)  # else SQLite reads all of the provider's
                connection.execute(sa.update(t.attempt).where(here).values(lease_until=lease))

    def _mine(self) -> sa.ColumnElement[bool]:
        leased = t.attempt.c.state.in_([str(s) for s in LEASED]) & t.IS_UNFINISHED
        return leased & (t.attempt.c.owner == str(self.owner))

    def reap(self) -> list[Attempt]:
        """Put creates of dead owners in doubt, and return all attempts of dead owners that can be taken over."""
        with self._read() as connection:
            leased = r.attempts_in(connection, LEASED)
        left = [a for a in leased if not a.ended and self.is_dead(a)]
        for attempt in left:
            if on_dead_owner(attempt.state) is State.IN_DOUBT:
                self._reap_one(attempt)
        return [a for a in left if a.state is not State.SUBMITTING]

    def _reap_one(self, attempt: Attempt) -> None:
        with self._write() as connection:
            found = self._locked(connection, attempt.id)
            if (
                found.state is State.SUBMITTING
                and found.epoch == attempt.epoch
                and found.lease_until == attempt.lease_until
            ):
                note, epoch = TAKEN_FOR_DEAD, found.epoch + 1
                self._move(connection, found, State.IN_DOUBT, note, error=note, epoch=epoch)

    def take_over(self, attempt: Attempt) -> Attempt | None:
        """Become the owner of a paid attempt whose owner is dead (or who is us). None when somebody was faster."""
        now = self.now()
        with self._write() as connection:
            found = self._locked(connection, attempt.id)
            mine = found.owner == str(self.owner)
            if found.state not in LEASED or found.state is State.SUBMITTING or not (mine or self.is_dead(found)):
                return None
            if mine:
                return self._update(connection, found, lease_until=self._lease(found.provider, now))
            self._record(connection, found.id, found.state, found.state, "taken over from a dead owner", now)
            lease = self._lease(found.provider, now)
            return self._update(connection, found, owner=str(self.owner), epoch=found.epoch + 1, lease_until=lease)
