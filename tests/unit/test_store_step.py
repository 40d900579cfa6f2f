"""Whether clips can be stored is found out once, before the first cent, and known by all who need it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from dailies.errors import Misconfigured
from dailies.steps import store
from dailies.steps.store import abilities_at, store_notes, tried_before_buying
from dailies.storage.abilities import StoreAbilities
from dailies.storage.s3 import StoreRefused, StoreTrouble
from tests.ledger.factories import NOON, FakeClock
from tests.unit.steps_bench import Bench, bench_on

PLACE = ("clips", "smiles")
ON_RECORD = "https://s3.example s3://clips/smiles"


class Tries:
    """Each try of the store and what it comes to: the last outcome again and again."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.outcomes: list[StoreAbilities | Exception] = [StoreAbilities()]
        self.made: list[tuple[Any, ...]] = []
        monkeypatch.setattr(store, "PAUSES_S", (0.0, 0.0))
        monkeypatch.setattr(store, "try_store", self.attempt)

    def attempt(self, *asked: Any) -> StoreAbilities:
        self.made.append(asked)
        outcome = self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    yield from bench_on(sqlite_url, tmp_path, clock)


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> Tries:
    return Tries(monkeypatch)


def test_a_store_is_tried_once_and_what_it_takes_is_on_record(bench: Bench, tries: Tries) -> None:
    tries.outcomes = [StoreAbilities(checksum=False)]
    for _ in range(2):
        assert bench.run(tried_before_buying, *PLACE) == StoreAbilities(checksum=False)
    assert tries.made == [(bench.shelf, *PLACE, NOON)]
    assert bench.ledger.store_found(ON_RECORD) == (NOON, StoreAbilities(checksum=False).record())
    assert bench.stores == {PLACE: StoreAbilities(checksum=False)}


def test_trouble_is_tried_again_a_few_times(bench: Bench, tries: Tries, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "dailies.store")
    tries.outcomes = [StoreTrouble("it is away"), StoreAbilities()]
    assert bench.run(abilities_at, *PLACE) == StoreAbilities() and len(tries.made) == 2
    assert caplog.messages == ["the store could not be tried: it is away"]


def test_a_store_that_can_not_be_used_stops_the_batch(bench: Bench, tries: Tries) -> None:
    tries.outcomes = [StoreTrouble("it is away")]
    with pytest.raises(Misconfigured) as away:
        bench.run(tried_before_buying, *PLACE)
    assert len(tries.made) == 3 and away.value.trouble == "store"
    assert str(away.value) == "the bucket can't be reached: it is away. Nothing was bought."
    tries.outcomes = [StoreRefused("the key may not write")]
    with pytest.raises(Misconfigured) as refused:
        bench.run(tried_before_buying, *PLACE)
    assert len(tries.made) == 4 and refused.value.trouble == "store" and bench.stores == {}
    assert str(refused.value) == "the key may not write. Nothing was bought."


@pytest.mark.parametrize("error", [OSError("disk"), OperationalError("", {}, Exception("away"))])
def test_who_may_only_read_the_ledger_finds_out_too(
    bench: Bench, tries: Tries, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(bench.ledger, "note_store", refuse)
    assert bench.run(abilities_at, *PLACE) == StoreAbilities() == bench.stores[PLACE]


@pytest.mark.parametrize(
    ("dispatched", "may_delete", "age", "tried"),
    [
        (True, True, timedelta(days=9), False), (False, True, timedelta(0), True), (False, False, timedelta(0), False),
        (False, False, timedelta(hours=23, minutes=59), False), (False, False, timedelta(days=1), True),
        (True, False, timedelta(days=9), False),
    ],
)  # fmt: skip
def test_what_is_on_record_counts_for_shards_and_for_a_day_where_each_try_leaves_something_behind(
    bench: Bench, tries: Tries, dispatched: bool, may_delete: bool, age: timedelta, tried: bool
) -> None:
    known = StoreAbilities(conditional=False, may_delete=may_delete)
    bench.ledger.note_store(ON_RECORD, known.record())
    bench.clock.advance(age.total_seconds())
    assert bench.run(tried_before_buying, *PLACE, dispatched) == (StoreAbilities() if tried else known)
    assert len(tries.made) == tried


@pytest.mark.parametrize("record", [{"proof": "oracle"}, {"may_delete": False, "proof": ["x"]}])
def test_what_a_later_version_wrote_is_not_relied_upon(bench: Bench, tries: Tries, record: dict[str, Any]) -> None:
    bench.ledger.note_store(ON_RECORD, record)
    assert bench.run(abilities_at, *PLACE, True) == StoreAbilities() and len(tries.made) == 1


def test_in_which_ways_stores_are_unusual_is_said_of_each(bench: Bench) -> None:
    bench.stores |= {PLACE: StoreAbilities(checksum=False), ("attic", ""): StoreAbilities()}
    assert store_notes(bench.runtime()) == ("the store at s3://clips: no checksum header: puts go without it",)


@pytest.mark.parametrize("step", [tried_before_buying, abilities_at])
def test_who_is_no_shard_says_nothing_and_tries_it(
    bench: Bench, tries: Tries, step: Callable[..., Awaitable[StoreAbilities]]
) -> None:
    bench.ledger.note_store(ON_RECORD, StoreAbilities(conditional=False).record())
    assert bench.run(step, *PLACE) == StoreAbilities() and len(tries.made) == 1
