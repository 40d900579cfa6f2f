"""The ledger's own history of how long generations took, which the poll schedule learns from."""

from __future__ import annotations

import math
from typing import Any

import pytest
import sqlalchemy as sa

from dailies.domain.clips import Clip
from dailies.domain.records import Attempt
from dailies.domain.schedule import Bracket
from dailies.ledger import Ledger, Owner
from dailies.ledger.history import MOST, ended_query, kind_of, under_way_query
from tests.ledger.factories import NOON, USD, FakeClock, MakeLedger, a_clip, a_row, an_owner, claim

KIND = ("aiml", "openai/sora-2-pro-i2v", "720p", 4)


def submit(ledger: Ledger, clip: Clip) -> Attempt:
    """A clip planned, claimed and accepted."""
    ledger.plan("smiles", "smiles.csv", "s3://clips", [a_row(1, clip, id=clip.prompt)], {clip.key: USD})
    attempt = claim(ledger, clip.key)
    return ledger.mark_submitted(attempt.id, f"video_{attempt.id}")


def generate(
    ledger: Ledger, clock: FakeClock, looks_s: tuple[float, ...], prompt: str = "a cat", **changes: Any
) -> Attempt:
    """A clip that is looked at so many seconds after it was accepted, and found ready by the last look."""
    attempt = submit(ledger, a_clip(prompt, **changes))
    passed = 0.0
    for number, at_s in enumerate(looks_s, start=1):
        clock.advance(at_s - passed)
        passed = at_s
        ledger.record_polled(attempt, generating=number < len(looks_s))
    return ledger.record_completed(attempt, "https://cdn.example/clip.mp4")


def test_a_generation_is_known_to_within_a_look(ledger: Ledger, clock: FakeClock) -> None:
    generate(ledger, clock, (50, 60, 72.5))
    assert ledger.generation_times(*KIND) == [Bracket(60, 72.5)]


def test_one_that_the_first_look_found_ready_may_have_been_ready_all_the_time(ledger: Ledger, clock: FakeClock) -> None:
    generate(ledger, clock, (50,))
    assert ledger.generation_times(*KIND) == [Bracket(0, 50)]


def test_the_latest_comes_first(ledger: Ledger, clock: FakeClock) -> None:
    generate(ledger, clock, (10, 20), "one")
    generate(ledger, clock, (30, 40), "two")
    assert ledger.generation_times(*KIND) == [Bracket(30, 40), Bracket(10, 20)]


@pytest.mark.parametrize(
    "other",
    [{"model": "google/veo-3.1-i2v"}, {"resolution": "1080p"}, {"duration_s": 8}, {"duration_s": None}],
    ids=str,
)
def test_another_kind_of_clip_has_a_history_of_its_own(ledger: Ledger, clock: FakeClock, other: dict[str, Any]) -> None:
    generate(ledger, clock, (50, 60), "one")
    generate(ledger, clock, (80, 90), "two", **other)
    assert ledger.generation_times(*KIND) == [Bracket(50, 60)]
    clip = a_clip(**other)
    assert ledger.generation_times("aiml", clip.model, clip.resolution, clip.duration_s) == [Bracket(80, 90)]
    assert ledger.generation_times("onerouter", *KIND[1:]) == []


def test_clips_accepted_since_that_still_generate_are_told_too(ledger: Ledger, clock: FakeClock) -> None:
    earlier = submit(ledger, a_clip("from long ago: of another cohort"))
    ledger.record_polled(earlier, generating=True)
    clock.advance(1000)
    generate(ledger, clock, (50, 60), "fast")
    assert ledger.generation_times(*KIND) == [Bracket(50, 60)]
    slow = submit(ledger, a_clip("slow"))
    clock.advance(45)
    ledger.record_polled(slow, generating=True)
    assert ledger.generation_times(*KIND) == [Bracket(50, 60), Bracket(45, math.inf)]


def test_a_look_that_got_no_answer_proves_nothing(ledger: Ledger, clock: FakeClock) -> None:
    attempt = submit(ledger, a_clip())
    for generating in (True, False):
        clock.advance(10)
        ledger.record_polled(attempt, generating)
    clock.advance(10)
    ledger.record_polled(attempt)
    ledger.record_completed(attempt, "https://cdn.example/clip.mp4")
    assert ledger.generation_times(*KIND) == [Bracket(10, 30)]


def test_a_clip_that_nobody_watched_for_a_while_teaches_nothing(make_ledger: MakeLedger, clock: FakeClock) -> None:
    dead = make_ledger(an_owner("elsewhere"))
    left = submit(dead, a_clip())
    clock.advance(3600)
    ledger = make_ledger(Owner.this_process())
    taken = ledger.take_over(left)
    assert taken
    ledger.record_polled(taken)
    ledger.record_completed(taken, "https://cdn.example/clip.mp4")
    assert ledger.generation_times(*KIND) == []


def test_a_synchronous_answer_was_never_polled_and_teaches_nothing(ledger: Ledger, clock: FakeClock) -> None:
    ledger.record_completed(submit(ledger, a_clip()), "https://cdn.example/clip.mp4")
    assert ledger.generation_times(*KIND) == []


def test_only_the_latest_few_hundred_are_read(ledger: Ledger, clock: FakeClock) -> None:
    attempt = generate(ledger, clock, (50, 60))
    with ledger.engine.begin() as connection:
        copy = """INSERT INTO attempt (id, clip_key, no, batch, day, provider, kind, state, owner, epoch, lease_until,
            request_digest, generation_id, usd_quoted, polls, created_at, submitted_at, generating_at, completed_at,
            updated_at) SELECT :id, clip_key, :no, batch, day, provider, kind, 'failed', owner, 1, lease_until, '', :id,
            0, 2, created_at, submitted_at, generating_at, completed_at, updated_at FROM attempt WHERE id = :original"""
        copies = [{"id": f"copy{no}", "no": no, "original": attempt.id} for no in range(2, MOST + 50)]
        connection.execute(sa.text(copy), copies)
    assert len(ledger.generation_times(*KIND)) == MOST


def test_history_is_found_by_its_index_and_needs_no_sorting(ledger: Ledger, clock: FakeClock) -> None:
    generate(ledger, clock, (50, 60))
    kind = kind_of(*KIND[1:])
    with ledger.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET enable_seqscan = off")  # else it reads the one page that there is
        words = "EXPLAIN " if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
        ended = plan_of(connection, words, ended_query("aiml", kind))
        under_way = plan_of(connection, words, under_way_query("aiml", kind, NOON))
    assert "attempt_by_kind" in ended and "SORT" not in ended.upper() and "TEMP B-TREE" not in ended
    assert "attempt_by_kind" in under_way or "attempt_unfinished" in under_way
    assert "SCAN attempt" not in ended + under_way.replace("Index Scan", "")


def plan_of(connection: sa.Connection, words: str, query: sa.Select[Any]) -> str:
    """The database's plan for a query, as text."""
    compiled = query.compile(connection.engine, compile_kwargs={"literal_binds": True})
    return "\n".join(" ".join(map(str, row)) for row in connection.exec_driver_sql(words + str(compiled)))
