"""T2: what became of a create is recorded whole, under no condition, and anew where the ledger has forgotten the attempt."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from dailies.domain.brake import CreateResult
from dailies.domain.creates import Accepted, CreateOutcome, KnownAttempt
from dailies.domain.records import Attempt
from dailies.domain.states import LIVE, Failure, State, on_answer
from dailies.ledger import history
from dailies.ledger import rows as r
from dailies.ledger import tables as t
from dailies.ledger.brakes import Brakes, result_of
from dailies.ledger.plan import write_known
from dailies.ledger.transitions import GIVEN_UP
from dailies.ledger.types import DuplicateGeneration


class Answers(Brakes):
    """Recording the outcome of a create. Methods block and are safe to call from several threads."""

    def tell(self, known: KnownAttempt, outcome: CreateOutcome, note: str = "answered") -> Attempt:
        """T2 for any outcome. Raises DuplicateGeneration as `answer` does, and LedgerVanished when what was recorded will not
        be found again."""
        recorded = self._told(known, outcome, note)
        self.require_at_its_path()
        return recorded

    def _told(self, known: KnownAttempt, outcome: CreateOutcome, note: str) -> Attempt:
        match outcome.kind:
            case "accepted":
                return self.mark_submitted(known.attempt.id, outcome, note, known)
            case "free":
                return self.mark_not_charged(known.attempt.id, outcome.failure, outcome.words, known)
            case "doubtful":
                return self.mark_in_doubt(known.attempt.id, outcome.words, known, outcome.wait_s)

    def mark_submitted(
        self, attempt_id: str, accepted: Accepted | str, note: str = "answered", known: KnownAttempt | None = None,
        seen: Attempt | None = None,
    ) -> Attempt:  # fmt: skip
        """T2: record an answer whole, or the provider's id alone, where none is recorded. No lease, no epoch, no state
        condition: with an address the attempt is completed, and both moves are one transaction.

        Raises DuplicateGeneration when the id already belongs to another attempt (the attempt is then in doubt), and
        KeyError for an attempt that is not on record when nothing more of it is `known`. A person's word, not an answer, names
        the attempt that it was `seen` as, and raises MovedMeanwhile.
        """
        told = Accepted(accepted) if isinstance(accepted, str) else accepted
        try:
            with self._write() as connection:
                if seen is not None:
                    self._locked_as_seen(connection, attempt_id, seen)
                attempt = self._locked_or_anew(connection, attempt_id, known, State.SUPERSEDED)
                return self._take_in(connection, attempt, told, note)
        except IntegrityError as error:
            if "generation" not in str(error.orig):
                raise
            words = f"the provider answered with an id that belongs to another attempt: {told.generation_id}"
            self.mark_in_doubt(attempt_id, words, known)
            raise DuplicateGeneration(told.generation_id) from error

    def _take_in(self, connection: Connection, attempt: Attempt, told: Accepted, note: str) -> Attempt:
        if attempt.generation_id is None:
            now = self.now()
            if attempt.state is State.SUBMITTING:  # what is found again later says nothing of now
                self._answered(connection, attempt, CreateResult.ACCEPTED)
            attempt = self._move(
                connection, attempt, on_answer(attempt.state), f"{note}: {told.generation_id}",
                generation_id=told.generation_id, handle=told.handle, owner=self.heir or str(self.owner),
                epoch=attempt.epoch + (attempt.state is not State.SUBMITTING), submitted_at=now,
                lease_until=self._lease(attempt.provider, now) if self.heir else GIVEN_UP, error=None, failure=None,
                usd_charged=attempt.usd_charged or None,  # "never charged" was wrong: it counts at its quote again
            )  # fmt: skip
        if attempt.generation_id != told.generation_id:
            second = f"a second generation id arrived and was noted: {told.generation_id}"
            charged = "" if told.usd_charged is None else f", charged ${told.usd_charged}"
            self._record(connection, attempt.id, attempt.state, attempt.state, second + charged, self.now())
            return attempt
        return self._with_result(connection, attempt, told)

    def _with_result(self, connection: Connection, attempt: Attempt, told: Accepted) -> Attempt:
        """What the answer told beside its id, as far as it is not known yet."""
        values: dict[str, Any] = {
            name: getattr(told, name)
            for name in ("usd_charged", "credits_used")
            if getattr(told, name) is not None and getattr(attempt, name) is None
        }
        waits = attempt.result_url is None and attempt.failure is None and not attempt.delivered
        if told.result_url and waits and attempt.state in (State.SUBMITTED, State.ORPHANED):
            values |= {"result_url": told.result_url, "completed_at": self.now()}
            if attempt.state is State.SUBMITTED:
                return self._move(connection, attempt, State.COMPLETED, "ready", **values)
        return self._update(connection, attempt, **values) if values else attempt

    def mark_not_charged(
        self, attempt_id: str, failure: Failure, error: str, known: KnownAttempt | None = None
    ) -> Attempt:
        """The create certainly cost nothing: → failed, and its reservation is given back.

        Only who sent the POST may say so; then it is proof even if somebody took us for dead and put it in doubt.
        """
        settled = {"failure": failure, "error": error}
        with self._write() as connection:
            found = self._locked_or_anew(connection, attempt_id, known, State.FAILED, **settled)
            if found.state in (State.SUBMITTING, State.IN_DOUBT):
                self._answered(connection, found, result_of(failure))
                return self._move(connection, found, State.FAILED, error, **settled)
            return self._too_late(connection, found, State.FAILED, error)

    def mark_in_doubt(
        self, attempt_id: str, error: str, known: KnownAttempt | None = None, wait_s: float = 0.0
    ) -> Attempt:
        """The create may have been charged: submitting → in_doubt; its reservation stays.

        It counts for the provider's brake; `wait_s` is what the answer asks to wait before the next.
        """
        with self._write() as connection:
            found = self._locked_or_anew(connection, attempt_id, known, State.SUPERSEDED, error=error)
            if found.state is State.SUBMITTING:
                self._answered(connection, found, CreateResult.IN_DOUBT, wait_s)
                return self._move(connection, found, State.IN_DOUBT, error, error=error)
            return self._too_late(connection, found, State.IN_DOUBT, error)

    def _locked_or_anew(
        self, connection: Connection, attempt_id: str, known: KnownAttempt | None, beside: State, **values: Any
    ) -> Attempt:
        """The attempt, locked. One that the ledger has forgotten is written anew, as its claim had left it; where another
        attempt of its clip is live by now, in the state `beside` with these values."""
        try:
            return self._locked(connection, attempt_id)
        except KeyError:
            if known is None:
                raise
        now = self.now()
        write_known(connection, known, now)
        clip_key = known.attempt.clip_key
        connection.execute(sa.select(t.clip.c.clip_key).where(t.clip.c.clip_key == clip_key).with_for_update())
        earlier = dict(r.attempts_of(connection, [clip_key])).get(clip_key, ())
        if any(a.id == attempt_id for a in earlier):  # somebody else wrote it while we waited for the clip
            return self._locked(connection, attempt_id)
        return self._write_anew(connection, known, earlier, beside, now, **values)

    def _write_anew(
        self, connection: Connection, known: KnownAttempt, earlier: tuple[Attempt, ...], beside: State, now: datetime,
        **values: Any,
    ) -> Attempt:  # fmt: skip
        live = next((a for a in earlier if a.state in LIVE), None)
        anew = known.attempt._replace(
            no=1 + max((a.no for a in earlier), default=0), state=State.SUBMITTING, updated_at=now
        )
        if live:
            anew = anew._replace(state=beside, **values)
        clip = known.row.clip if known.row else None
        kind = history.kind_of(clip.model, clip.resolution, clip.duration_s) if clip else None
        note = "written anew: the ledger had forgotten it"
        note += f", and attempt {live.id[:8]} of its clip is {live.state}" if live else ""
        self._insert(connection, anew, kind, note)
        self._count(connection, anew)
        return anew
