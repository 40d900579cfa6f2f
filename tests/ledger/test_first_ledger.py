"""A ledger that the first version wrote opens, every state means what it meant, and nothing in it is bought again."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from dailies.domain.creates import Accepted
from dailies.domain.states import Failure, State
from dailies.ledger import Caps, Ledger, Unclaimed
from tests.ledger.earlier import read_from_the_dump, written_by_the_first_version
from tests.ledger.factories import USD, all_attempts, assert_counters_are_sums, open_ledger

MAY_BE_BOUGHT = {"planned", "not_sent", "superseded"}
"""Never claimed; surely never sent; given up by a person who said that it may be bought again."""


@pytest.fixture(params=[written_by_the_first_version, read_from_the_dump], ids=["by the code", "by the dump"])
def first(request: pytest.FixtureRequest, ledger_url: str) -> Iterator[Ledger]:
    """The first version's ledger with one clip in every state, opened by this one."""
    write: Callable[[str], str] = request.param
    ledger = open_ledger(write(ledger_url))
    yield ledger
    ledger.engine.dispose()


def test_nothing_in_it_is_bought_again(first: Ledger) -> None:
    keys = {row.id: row.clip_key for row in first.rows("first")}
    first.reap()
    granted = {
        name
        for name, key in keys.items()
        if first.claim(key, "first", "aiml", USD, Caps(), "digest") is not Unclaimed.TAKEN
    }
    assert granted == MAY_BE_BOUGHT


def test_everything_is_what_it_was(first: Ledger) -> None:
    rows = {row.id: row for row in first.rows("first")}
    states = {name: rows[name].attempts[0].state for name in rows if rows[name].attempts}
    assert states == {name: State(name) for name in states if name in list(State)} | {
        "refused": State.FAILED, "generation": State.FAILED, "not_sent": State.FAILED,
    }  # fmt: skip
    assert rows["generation"].attempts[0].failure is Failure.GENERATION
    assert rows["stored"].attempts[0].usd_charged == USD and rows["stored"].attempts[0].s3_uri
    assert rows["stored"].labels == {"campaign": "stored"}
    assert all(row.clip.key == row.clip_key for row in rows.values()), "the identity of a clip is what it was"
    assert_counters_are_sums(first)
    for attempt in all_attempts(first):
        assert [event.after for event in first.history(attempt.id)][-1:] == [attempt.state]


def test_work_on_it_goes_on(first: Ledger) -> None:
    keys = {row.id: row.clip_key for row in first.rows("first")}
    (doubtful,) = first.attempts(keys["in_doubt"])
    assert first.resolve_found(doubtful.id, Accepted("video_found"), "found").state is State.SUBMITTED
    (submitted,) = first.attempts(keys["submitted"])
    taken = first.take_over(submitted)
    assert taken
    ready = first.record_completed(taken, "https://cdn.example/clip.mp4", USD)
    assert first.record_stored(ready.id, "s3://clips/first/late.mp4", "ab" * 32, 7).delivered
