"""Status words that nobody knew are counted by provider; of one that invents a new one each time only so many."""

from __future__ import annotations

import sqlalchemy as sa

from dailies.domain.records import SeenStatus
from dailies.ledger import Ledger
from dailies.ledger import tables as t
from dailies.ledger.statuses import MOST_WORDS, OTHERS
from tests.ledger.factories import NOON, FakeClock


def test_each_look_that_meets_a_word_counts_the_most_frequent_first(ledger: Ledger) -> None:
    assert ledger.unknown_statuses() == []
    for provider, word in (("fal", "cooking"), ("aiml", "baking"), ("aiml", "cooking"), ("fal", "cooking")):
        ledger.saw_status(provider, word)
    assert ledger.unknown_statuses() == [
        SeenStatus("fal", "cooking", 2), SeenStatus("aiml", "baking", 1), SeenStatus("aiml", "cooking", 1),
    ]  # fmt: skip


def test_it_is_known_when_a_word_was_met_first_and_last(ledger: Ledger, clock: FakeClock) -> None:
    ledger.saw_status("fal", "cooking")
    clock.advance(60)
    ledger.saw_status("fal", "cooking")
    with ledger.engine.connect() as connection:
        found = connection.execute(sa.select(t.seen_status.c.first_at, t.seen_status.c.last_at)).one()
    assert [(at - NOON).total_seconds() for at in found] == [0, 60]


def test_beyond_a_hundred_words_of_one_provider_the_others_count_as_one(ledger: Ledger) -> None:
    for number in range(MOST_WORDS + 2):
        ledger.saw_status("fal", f"word {number:03}")
    ledger.saw_status("fal", "word 000")
    ledger.saw_status("aiml", "its own")
    found = {(one.provider, one.status): one.count for one in ledger.unknown_statuses()}
    assert len(found) == MOST_WORDS + 2
    assert (found["fal", OTHERS], found["fal", "word 000"], found["aiml", "its own"]) == (2, 2, 1)
