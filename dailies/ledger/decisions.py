"""What a person, or the provider's log, decides about an attempt: each decision is a move on record."""

from __future__ import annotations

from dailies.domain.creates import Accepted
from dailies.domain.money import ZERO
from dailies.domain.records import Attempt
from dailies.domain.states import Failure, IllegalMove, State
from dailies.ledger.answers import Answers


class Decisions(Answers):
    """Settling doubts, and taking back what was settled. Methods block and are safe to call from several threads."""

    def resolve_found(self, attempt_id: str, accepted: Accepted | str, note: str) -> Attempt:
        """In doubt, and it was found at the provider: it goes on as submitted (an orphan, when it was superseded)."""
        return self.answer(attempt_id, accepted, note)

    def resolve_free(self, attempt_id: str, note: str) -> Attempt:
        """In doubt, and certainly never charged: failed, free, and its clip may be bought again."""
        with self._write() as connection:
            found = self._locked(connection, attempt_id)
            if found.state is not State.IN_DOUBT:
                raise IllegalMove(f"attempt {attempt_id} is {found.state}, not in doubt")
            values = {"failure": Failure.SETTLED_FREE, "error": note, "usd_charged": ZERO}
            return self._move(connection, found, State.FAILED, note, **values)

    def resubmit(self, attempt_id: str, note: str) -> Attempt:
        """A person accepts the risk: the clip may be bought again, and what was in doubt stays on record as at risk.

        Also for a refused or failed clip that is to be tried again. Raises IllegalMove for any other state.
        """
        with self._write() as connection:
            found = self._locked(connection, attempt_id)
            if found.state is State.FAILED or (found.state is State.ORPHANED and found.failure):
                self._record(connection, found.id, found.state, found.state, note, self.now())
                return self._update(connection, found, failure=Failure.SETTLED_FREE)
            return self._move(connection, found, State.SUPERSEDED, note)
