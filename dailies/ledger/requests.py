"""The exact request of an attempt: kept by T1, read to settle a doubt, claimed once more for a repeat with its own key."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from dailies.domain.brake import GivenUp, Go, Hold
from dailies.domain.kept_request import KeptRequest
from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.ledger import tables as t
from dailies.ledger.decisions import Decisions
from dailies.ledger.types import Unclaimed


class Requests(Decisions):
    """Requests on record. Methods block and are safe to call from several threads."""

    def kept_request(self, attempt_id: str) -> KeptRequest | None:
        """The request of an attempt that is not settled; None for one of an earlier version, and for one that is."""
        with self._read() as connection:
            return self._kept(connection, attempt_id)

    def claim_again(
        self, attempt_id: str, key_life: timedelta, at_once: int | None = None
    ) -> tuple[Attempt, KeptRequest] | Unclaimed | Hold | GivenUp:
        """T1 of a repeat: in_doubt → submitting, for the same attempt, whose quote is reserved already.

        Only after it has returned the attempt may the same request be sent again. TAKEN: it is not in doubt any more, its
        sender lives, its request is not on record, or its key may have been forgotten. Raises LedgerVanished.
        """
        found = self.attempt(attempt_id)
        if found is None or self.sender_lives(found):
            return Unclaimed.TAKEN
        now = self.now()
        with self._write_to_be_found() as connection:
            attempt, kept = self._locked(connection, attempt_id), self._kept(connection, attempt_id)
            unchanged = attempt.state is State.IN_DOUBT and attempt.epoch == found.epoch
            if not unchanged or kept is None or not kept.is_young(now, key_life):
                return Unclaimed.TAKEN
            granted = self._may_send(connection, attempt.provider, at_once)
            if not isinstance(granted, Go):
                return granted
            values = {"owner": str(self.owner), "epoch": attempt.epoch + 1, "error": None}
            lease = self._lease(attempt.provider, now)
            note = "asked again with its own key"
            again = self._move(connection, attempt, State.SUBMITTING, note, lease_until=lease, **values)
            self._claimed(connection, attempt.provider, granted, attempt.id)
            return again, kept

    def _keep_request(self, connection: Connection, kept: KeptRequest) -> None:
        connection.execute(t.request.insert().values(**asdict(kept)))

    def _kept(self, connection: Connection, attempt_id: str) -> KeptRequest | None:
        query = sa.select(t.request).where(t.request.c.attempt_id == attempt_id)
        row = connection.execute(query).mappings().one_or_none()
        return KeptRequest(**{field.name: row[field.name] for field in fields(KeptRequest)}) if row else None
