"""How the clips of a plan stand is read off their attempts, each way of standing once."""

from __future__ import annotations

from dailies.domain.records import Brief
from dailies.domain.states import Failure, State
from dailies.steps.clips_on_record import OnRecord, on_record


def test_clips_stand_by_their_attempts_and_what_is_forgotten_is_only_taken() -> None:
    stored = (Brief(1, "aiml", State.STORED, None, True),)
    sent = (Brief(1, "aiml", State.SUBMITTED, None, False),)
    busy = (Brief(1, "aiml", State.FAILED, Failure.BUSY, False),)
    refused = (Brief(1, "aiml", State.FAILED, Failure.REFUSED, False),)
    known = [("a", stored), ("b", stored), ("c", sent), ("d", busy), ("e", refused)]
    found = on_record(iter(known), frozenset({"b", "z"}))
    assert found == OnRecord(frozenset("a"), frozenset("abcez"), frozenset("bz"))
    assert found.settled == frozenset("abz")
