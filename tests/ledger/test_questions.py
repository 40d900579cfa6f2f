"""What the ledger answers about clips: by what they are, by their rows, by their generations, and where they lie."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from dailies.domain.aging import Told
from dailies.domain.clips import Clip, Row
from dailies.domain.records import Copy
from dailies.domain.states import State
from dailies.ledger import Ledger
from dailies.ledger import tables as t
from tests.ledger.factories import IMAGE, NOON, USD, FakeClock, a_clip, a_row, bring_to, claim, plan, store

EARLIER = "e" * 64


def planned(ledger: Ledger, *rows: Row, batch: str = "smiles") -> list[str]:
    """These rows on record; their clip_keys."""
    ledger.plan(batch, f"{batch}.csv", f"s3://clips/{batch}", rows, {row.clip.key: USD for row in rows})
    return [row.clip.key for row in rows]


def twins(ledger: Ledger) -> tuple[Clip, Clip]:
    """One clip under two keys: that of an earlier version, in a batch of its own, and today's."""
    today = a_clip()
    earlier = replace(today, known_as=EARLIER)
    planned(ledger, a_row(clip=earlier), batch="then")
    planned(ledger, a_row(clip=today))
    return earlier, today


def test_a_clip_is_found_by_what_it_is(ledger: Ledger) -> None:
    clip, other = a_clip(), a_clip("a dog smiles")
    assert ledger.keys_like([clip.identity]) == {}
    planned(ledger, a_row(clip=clip))
    assert ledger.keys_like([clip.identity, other.identity]) == {clip.identity: clip.key}
    assert ledger.keys_like([]) == {}
    assert ledger.clips_of([clip.key, other.key]) == {clip.key: clip}


def test_one_of_an_earlier_version_has_no_identity_on_record_and_is_found_all_the_same(ledger: Ledger) -> None:
    clip, other = a_clip(), a_clip("a dog smiles")
    planned(ledger, a_row(clip=clip), a_row(2, clip=other))
    with ledger.engine.begin() as connection:
        connection.execute(sa.update(t.clip).values(identity=None))
    assert ledger.keys_like([clip.identity]) == {clip.identity: clip.key}
    planned(ledger, a_row(3))
    with ledger.engine.connect() as connection:
        found = dict(connection.execute(sa.select(t.clip.c.clip_key, t.clip.c.identity)).tuples().all())
    assert found[clip.key] == clip.identity and found[other.key] == other.identity, "the next plan writes it down"


@pytest.mark.parametrize("place", ["image", "last_image"])
def test_one_whose_signature_was_not_known_when_it_was_bought_is_found_under_a_fresh_one(
    ledger: Ledger, place: str
) -> None:
    def signed(time: int) -> Clip:
        address = f"https://p.example/a.png?e={time}&token=K:x{time}"
        return a_clip(image=IMAGE._replace(source=address)) if place == "image" else a_clip(options={place: address})

    bought = replace(signed(1764300000), known_as=EARLIER)
    planned(ledger, a_row(clip=bought), a_row(2, clip=a_clip(image=IMAGE._replace(source="https://p.example/b?e=1"))))
    with ledger.engine.begin() as connection:
        connection.execute(sa.update(t.clip).values(identity=None))  # as the migration leaves it
    assert ledger.keys_like([signed(1795836000).identity]) == {bought.identity: EARLIER}


@pytest.mark.parametrize(("earlier_is", "todays_is", "found"), [
    (None, None, "today's"), (State.FAILED, None, "today's"), (None, State.FAILED, "today's"),
    (State.IN_DOUBT, None, "the earlier"), (State.SUBMITTED, State.FAILED, "the earlier"),
    (State.STORED, State.IN_DOUBT, "the earlier"), (State.IN_DOUBT, State.STORED, "today's"),
    (State.STORED, State.STORED, "today's"),
])  # fmt: skip
def test_of_two_records_of_one_clip_it_is_the_one_that_was_bought(
    ledger: Ledger, earlier_is: State | None, todays_is: State | None, found: str
) -> None:
    earlier, today = twins(ledger)
    for clip, state in ((earlier, earlier_is), (today, todays_is)):
        if state:
            bring_to(ledger, state, clip.key)
    expected = EARLIER if found == "the earlier" else today.key
    assert ledger.keys_like([today.identity]) == {today.identity: expected}


def test_what_was_delivered_under_a_rows_name_is_told_oldest_first(ledger: Ledger, clock: FakeClock) -> None:
    first, second, third = a_row(1), a_row(2, id="row-1"), a_row(3)
    planned(ledger, first, second, third)
    bring_to(ledger, State.STORED, second.clip.key)
    clock.advance(60)
    bring_to(ledger, State.STORED, first.clip.key)
    bring_to(ledger, State.COMPLETED, third.clip.key)
    assert ledger.delivered_as("smiles", ["row-1", "row-3"]) == {"row-1": [second.clip, first.clip]}
    assert ledger.delivered_as("smiles", ["row-2"]) == ledger.delivered_as("another", ["row-1"]) == {}


def test_what_may_have_been_bought(ledger: Ledger) -> None:
    keys = plan(ledger, 4)
    for key, state in zip(keys, (State.FAILED, State.IN_DOUBT, State.STORED), strict=False):
        bring_to(ledger, state, key)
    assert ledger.bought(keys) == {keys[1], keys[2]}


def test_an_attempt_is_found_by_the_generation_that_it_is_at_its_provider(ledger: Ledger) -> None:
    attempt = bring_to(ledger, State.SUBMITTED)
    assert attempt.generation_id
    assert ledger.attempt_of_generation("aiml", attempt.generation_id) == attempt
    assert ledger.attempt_of_generation("fal", attempt.generation_id) is None
    assert ledger.attempt_of_generation("aiml", "video_x") is None


def test_a_clip_is_told_with_every_row_that_asks_for_it(ledger: Ledger) -> None:
    shared, other = a_row(1), a_row(2)
    planned(ledger, shared, other)
    planned(ledger, replace(shared, id="mine"), batch="monday")
    found = ledger.rows_of_clips([shared.clip.key, shared.clip.key])
    assert sorted((row.batch, row.id) for row in found) == [("monday", "mine"), ("smiles", "row-1")]
    assert ledger.rows_of_clips([]) == []
    assert ledger.known_clips("smiles") == {shared.clip.key, other.clip.key}
    planned(ledger, other)
    assert ledger.known_clips("smiles") == {shared.clip.key, other.clip.key}, "also what has left the file"
    assert [row.retired for row in ledger.rows("smiles")] == [False, True]


def test_batches_are_told_the_latest_first_with_their_file_and_their_place(ledger: Ledger, clock: FakeClock) -> None:
    for batch in ("monday", "tuesday"):
        plan(ledger, batch=batch)
        clock.advance(1)
    assert ledger.batches() == ["tuesday", "monday"]
    plan(ledger, batch="monday")
    assert ledger.batches() == ["monday", "tuesday"]
    assert (ledger.batch_source("monday"), ledger.batch_destination("monday")) == ("monday.csv", "s3://clips/monday")
    assert ledger.batch_source("x") is ledger.batch_destination("x") is None and ledger.batch_asked("x") == {}


def test_where_copies_of_a_clip_lie(ledger: Ledger) -> None:
    one, two = plan(ledger, 2)
    plan(ledger, 2, "monday")
    assert ledger.copies_of([one, two]) == {}
    ledger.copied([Copy("smiles", one, "s3://a/1.mp4"), Copy("monday", one, "s3://b/1.mp4")])
    assert {key: sorted(found) for key, found in ledger.copies_of([one, two]).items()} == {
        one: ["s3://a/1.mp4", "s3://b/1.mp4"]
    }
    ledger.copied([Copy("monday", one, "s3://c/1.mp4")])
    assert sorted(ledger.copies_of([one])[one]) == ["s3://a/1.mp4", "s3://c/1.mp4"], "a batch has one copy"
    assert ledger.copies_of([two]) == {}


def test_what_a_store_was_found_to_take_and_when(ledger: Ledger, clock: FakeClock) -> None:
    assert ledger.store_found("s3://clips") is None
    ledger.note_store("s3://clips", {"conditional": True})
    clock.advance(60)
    ledger.note_store("s3://clips", {"conditional": False, "checksums": "sha256"})
    found = ledger.store_found("s3://clips")
    assert found == (NOON + timedelta(seconds=60), {"conditional": False, "checksums": "sha256"})


def test_what_people_were_told_of_attempts(ledger: Ledger) -> None:
    one, two = (bring_to(ledger, State.SUBMITTED, key) for key in plan(ledger, 2))
    ledger.noted(one.id, str(Told.HALF))
    ledger.noted(one.id, str(Told.MOST))
    ledger.noted(two.id, "looked at")
    assert ledger.told([one.id, two.id, "nobody"]) == {one.id: frozenset({str(Told.HALF), str(Told.MOST)})}
    assert ledger.told([]) == {}


def test_a_ledger_is_empty_until_something_is_bought_and_knows_an_attempt_by_all_of_its_id(ledger: Ledger) -> None:
    (key,) = plan(ledger)
    assert ledger.is_empty()
    attempt = claim(ledger, key)
    assert not ledger.is_empty()
    assert ledger.knows(attempt.id) and not ledger.knows(attempt.id[:8])
    assert ledger.attempt(attempt.id[:8]) == attempt and ledger.attempt("nobody") is None


def test_an_attempt_by_its_first_digits_is_one_or_none(ledger: Ledger) -> None:
    for key in plan(ledger, 2):
        claim(ledger, key)
    assert ledger.attempt("") is None and ledger.attempt("%") is None


def test_a_month_counts_its_days_and_no_other(ledger: Ledger, clock: FakeClock) -> None:
    for key, now in zip(plan(ledger, 3), (NOON, NOON.replace(day=30), NOON.replace(month=12, day=1)), strict=True):
        clock.now = now
        store(ledger, ledger.record_completed(bring_to(ledger, State.SUBMITTED, key), "https://cdn.example/a.mp4"))
    assert ledger.counted_in_month("2026-11") == 2 * USD and ledger.counted_in_month() == USD
    assert ledger.counted(day="2026-11-21") == ledger.counted() == USD and ledger.counted("smiles") == 3 * USD
    assert ledger.counted_in_month("2026-10") == ledger.counted("x") == Decimal(0)


def test_what_is_on_its_way_counts_until_its_charge_may_be_posted(ledger: Ledger, clock: FakeClock) -> None:
    one, two = plan(ledger, 2)
    bring_to(ledger, State.SUBMITTED, one)
    bring_to(ledger, State.STORED, two)
    assert ledger.usd_in_flight("aiml") == 2 * USD and ledger.usd_in_flight("fal") == 0
    clock.advance(121)
    assert ledger.usd_in_flight("aiml") == USD
    assert ledger.usd_in_flight("aiml", timedelta(minutes=3)) == 2 * USD
