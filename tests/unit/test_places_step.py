"""Exit 0 means S3: what the store shows of delivered clips, what is copied, and what is fetched again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.errors import Misconfigured
from dailies.planning.batch import Batch
from dailies.steps import places
from dailies.steps.places import look_for_delivered, settle_places
from dailies.storage.s3 import StoreRefused, StoreTrouble
from tests.ledger.factories import FakeClock
from tests.unit.steps_bench import Bench, bench_on

SIZE = 1_234_567
"""What the factories' clips weigh."""


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(places, "keep_all_sidecars", lambda ledger, s3, made: s3.kept.append(made))
    yield from bench_on(sqlite_url, tmp_path, clock)


def delivered(bench: Bench, count: int = 1) -> tuple[Batch, list[Attempt]]:
    """A batch whose clips are stored by the ledger, and lie in the store."""
    batch = bench.batch(count)
    stored = [bench.attempt(State.STORED, batch, at) for at in range(count)]
    for attempt in stored:
        bench.shelf.lay(key_of(attempt), bytes(SIZE))
    return replace(batch, prefix="", delivered_before=frozenset(batch.rows)), stored


def key_of(attempt: Attempt) -> str:
    return str(attempt.s3_uri).removeprefix("s3://clips/")


def test_what_lies_where_it_should_is_left_alone(bench: Bench) -> None:
    batch, stored = delivered(bench, 2)
    seen = bench.run(look_for_delivered, batch)
    assert (dict(seen.elsewhere), seen.gone, seen.sentences()) == ({}, (), ())
    assert set(seen.stored) == {attempt.clip_key for attempt in stored} and bench.shelf.heads == []
    assert bench.run(settle_places, batch) == places.Placed((), ())


def test_without_delivered_clips_nobody_is_asked(bench: Bench) -> None:
    bench.shelf.trouble = [StoreTrouble("HTTP 503")]
    assert bench.run(look_for_delivered, bench.batch()) == places.Seen({}, (), {})


@pytest.mark.parametrize("what", ["missing", "another size"])
def test_a_clip_that_is_gone_is_reopened_and_not_bought(bench: Bench, what: str) -> None:
    batch, (attempt, _) = delivered(bench, 2)
    del bench.shelf.objects["clips", key_of(attempt)]
    if what == "another size":
        bench.shelf.lay(key_of(attempt), bytes(SIZE - 1))
    seen = bench.run(look_for_delivered, batch)
    assert seen.sentences() == ("1 delivered clip is no longer in S3: it is fetched again",)
    assert bench.run(settle_places, batch) == places.Placed((), (attempt.clip_key,))
    now = bench.again(attempt)
    assert (now.state, now.s3_uri, now.error) == (State.COMPLETED, None, places.GONE)


def test_a_clip_of_another_place_is_copied_here_and_on_record(bench: Bench) -> None:
    """Once: the next look finds the copy."""
    batch, (attempt,) = delivered(bench)
    there = replace(batch, bucket="films", prefix="cut")
    seen = bench.run(look_for_delivered, there)
    assert seen.elsewhere == {attempt.clip_key: ("clips", key_of(attempt))}
    assert seen.sentences() == ("1 clip that was bought earlier is copied inside S3; nothing is charged",)
    placed = bench.run(settle_places, there)
    key = f"cut/smiles/row-1-{attempt.clip_key[:12]}.mp4"
    assert [(copy.batch, copy.s3_uri) for copy in placed.copied] == [("smiles", f"s3://films/{key}")]
    assert len(bench.shelf.objects["films", key][0]) == SIZE
    assert bench.shelf.kept == [{attempt.clip_key: f"s3://films/{key}"}]
    assert bench.ledger.copies_of([attempt.clip_key]) == {attempt.clip_key: [f"s3://films/{key}"]}
    assert bench.run(settle_places, there) == places.Placed((), ())


def test_a_folder_inside_the_batchs_own_is_another_place(bench: Bench) -> None:
    batch, (attempt,) = delivered(bench)
    placed = bench.run(settle_places, replace(batch, prefix="smiles"))
    assert [copy.s3_uri for copy in placed.copied] == [f"s3://clips/smiles/smiles/row-1-{attempt.clip_key[:12]}.mp4"]


@pytest.mark.parametrize("there", [SIZE, SIZE - 1])
def test_an_object_that_has_the_copys_key_is_not_overwritten(bench: Bench, there: int) -> None:
    """The clip itself will do; anything else is an error, and nothing is bought for it."""
    batch, (attempt,) = delivered(bench)
    key = f"cut/smiles/row-1-{attempt.clip_key[:12]}.mp4"
    bench.shelf.lay(key, bytes(there), "films")
    moved = replace(batch, bucket="films", prefix="cut")
    bench.shelf.copy = None  # type: ignore[assignment, method-assign]
    if there == SIZE:
        assert [copy.s3_uri for copy in bench.run(settle_places, moved).copied] == [f"s3://films/{key}"]
        return
    with pytest.raises(
        Misconfigured, match=r"is not the clip that was to be copied there. Nothing was bought"
    ) as error:
        bench.run(settle_places, moved)
    assert error.value.trouble == "store" and bench.ledger.copies_of([attempt.clip_key]) == {}


def test_a_store_that_can_not_be_asked_is_said(bench: Bench) -> None:
    batch, _ = delivered(bench)
    bench.shelf.trouble = [StoreTrouble("HTTP 503")]
    with pytest.raises(
        Misconfigured, match=r"^S3 can't be asked whether the clips are there: HTTP 503\. Nothing"
    ) as error:
        bench.run(look_for_delivered, batch)
    assert error.value.trouble == "store"


def test_a_key_that_may_not_list_looks_clip_by_clip(bench: Bench) -> None:
    batch, (attempt, other) = delivered(bench, 2)
    del bench.shelf.objects["clips", key_of(other)]
    bench.shelf.trouble = [StoreRefused("AccessDenied")]
    seen = bench.run(look_for_delivered, batch)
    assert seen.gone == (other.clip_key,) and sorted(bench.shelf.heads) == sorted([key_of(attempt), key_of(other)])


def test_each_folder_is_listed_once_and_what_lies_beside_a_clip_is_none(bench: Bench) -> None:
    """Posters, sidecars and pages."""
    batch, (attempt, _) = delivered(bench, 2)
    for ending in ("webp", "json", "html"):
        bench.shelf.lay(f"{key_of(attempt)[:-3]}{ending}", b"beside")
    listed: list[str] = []
    real = bench.shelf.names

    def names(bucket: str, prefix: str) -> Iterator[str]:
        listed.append(prefix)
        return real(bucket, prefix)

    bench.shelf.names = names  # type: ignore[method-assign]
    store = places.Listings(bench.shelf)  # type: ignore[arg-type]
    assert bench.run(look_for_delivered, batch).gone == () and listed == ["smiles/"]
    assert not store.holds(f"s3://clips/{key_of(attempt)[:-3]}webp", 6)
