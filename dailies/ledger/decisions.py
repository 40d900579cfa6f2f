"""What a person, or the provider's log, decides about an attempt: each decision is a move on record."""

from __future__ import annotations

import sqlalchemy as sa

from dailies.domain.creates import Accepted
from dailies.domain.money import ZERO
from dailies.domain.records import Attempt
from dailies.domain.states import LIVE, Failure, IllegalMove, State, may_claim
from dailies.ledger import rows as r
from dailies.ledger import tables as t
from dailies.ledger.answers import Answers
from dailies.ledger.owner import Owner
from dailies.ledger.transitions import GIVEN_UP, new_attempt_id
from dailies.ledger.types import TAKEN_FOR_DEAD, BoughtAgain


class Decisions(Answers):
    """Settling doubts, and taking back what was settled. Methods block and are safe to call from several threads.

    `seen` is the attempt on which a decision rests. What moved since (its sender told, a repeat of it was sent, somebody else
    settled it) raises MovedMeanwhile, and nothing is changed.
    """

    def resolve_found(
        self, attempt_id: str, accepted: Accepted | str, note: str, seen: Attempt | None = None
    ) -> Attempt:
        """In doubt, and it was found at the provider: it goes on as submitted (an orphan, when it was superseded)."""
        return self.mark_submitted(attempt_id, accepted, note, seen=seen)

    def resolve_free(self, attempt_id: str, note: str, seen: Attempt | None = None) -> Attempt:
        """In doubt, and certainly never charged: failed, free, and its clip may be bought again."""
        with self._write() as connection:
            found = self._locked_as_seen(connection, attempt_id, seen)
            if found.state is not State.IN_DOUBT:
                raise IllegalMove(f"attempt {attempt_id} is {found.state}, not in doubt")
            values = {"failure": Failure.SETTLED_FREE, "error": note, "usd_charged": ZERO}
            return self._move(connection, found, State.FAILED, note, **values)

    def cancel_unsent(self, clip_key: str, batch: str, provider: str, note: str) -> Attempt | None:
        """A clip that no run has sent, or whose last create surely cost nothing, is not wanted any more: failed, for nothing.

        None where it was claimed meanwhile.
        """
        with self._write() as connection:
            connection.execute(sa.select(t.clip.c.clip_key).where(t.clip.c.clip_key == clip_key).with_for_update())
            earlier = dict(r.attempts_of(connection, [clip_key])).get(clip_key, ())
            if not may_claim(earlier):
                return None
            last = max(earlier, key=lambda a: a.no, default=None)
            if last is not None and last.state is State.FAILED:
                self._record(connection, last.id, last.state, last.state, note, self.now())
                return self._update(connection, last, failure=Failure.CANCELLED, error=note)
            now = self.now()
            ended = Attempt(
                id=new_attempt_id(clip_key), clip_key=clip_key, no=1 + (last.no if last else 0), batch=batch,
                provider=provider, state=State.FAILED, owner=str(self.owner), epoch=1, lease_until=GIVEN_UP, created_at=now,
                usd_quoted=ZERO, failure=Failure.CANCELLED, error=note, usd_charged=ZERO, updated_at=now,
            )  # fmt: skip
            self._insert(connection, ended, None, note)
            return ended

    def resubmit(self, attempt_id: str, note: str, seen: Attempt | None = None) -> Attempt:
        """A person accepts the risk: the clip may be bought again, and what was in doubt stays on record as at risk.

        Also for a refused or failed clip that is to be tried again, and for one that was paid and lost. Raises IllegalMove
        for any other state.
        """
        with self._write() as connection:
            found = self._locked_as_seen(connection, attempt_id, seen)
            if found.state is State.FAILED or (found.state is State.ORPHANED and found.failure):
                self._record(connection, found.id, found.state, found.state, note, self.now())
                return self._update(connection, found, failure=Failure.SETTLED_FREE)
            return self._move(connection, found, State.SUPERSEDED, note)

    def take_back(self, attempt_id: str, note: str) -> Attempt:
        """The word that it was never charged is taken back: failed → in_doubt, and its quote counts again.

        Raises IllegalMove for what nobody declared free, and BoughtAgain where another attempt of its clip is live.
        """
        with self._write() as connection:
            clip_key = self._locked(connection, attempt_id).clip_key
            connection.execute(sa.select(t.clip.c.clip_key).where(t.clip.c.clip_key == clip_key).with_for_update())
            found = self._locked(connection, attempt_id)
            if not found.declared_free:
                raise IllegalMove(f"attempt {attempt_id} is {found.state}: nobody said that it was never charged")
            others = dict(r.attempts_of(connection, [clip_key])).get(clip_key, ())
            live = next((a for a in others if a.state in LIVE), None)
            if live:
                raise BoughtAgain(live)
            return self._move(
                connection,
                found,
                State.IN_DOUBT,
                note,
                failure=None,
                error=note,
                usd_charged=None,
                epoch=found.epoch + 1,
            )

    def reopen(self, attempt_id: str, note: str, shown: Accepted) -> Attempt:
        """Lost, and the provider shows it again at `shown.result_url`: result_lost → completed, to be fetched by us. A late
        answer stays one. Raises IllegalMove for what is not lost."""
        with self._write() as connection:
            found = self._locked(connection, attempt_id)
            if not found.lost or not shown.result_url:
                raise IllegalMove(f"attempt {attempt_id} is {found.state}, not lost")
            values = {
                "result_url": shown.result_url, "owner": str(self.owner), "epoch": found.epoch + 1, "failure": None,
                "lease_until": self._lease(found.provider, self.now()), "error": None,
                "usd_charged": found.usd_charged if shown.usd_charged is None else shown.usd_charged,
                "credits_used": found.credits_used if shown.credits_used is None else shown.credits_used,
            }  # fmt: skip
            if found.state is State.RESULT_LOST:
                return self._move(connection, found, State.COMPLETED, note, **values)
            self._record(connection, found.id, found.state, found.state, note, self.now())
            return self._update(connection, found, **values)

    def sender_lives(self, attempt: Attempt) -> bool:
        """Whether the process that sent the create may still hold its answer: then nothing about it is settled.

        It does while the attempt is submitting and not given up, and also in doubt, where somebody else took a process for
        dead that is there all the same (stopped, or suspended past its lease).
        """
        if attempt.state is State.SUBMITTING:
            return not self.is_dead(attempt)
        last = next((event for event in reversed(self.history(attempt.id)) if event.after is not event.before), None)
        reaped = last is not None and last.after is State.IN_DOUBT and last.note == TAKEN_FOR_DEAD
        return attempt.state is State.IN_DOUBT and reaped and Owner.parse(attempt.owner).is_here(self.owner)
