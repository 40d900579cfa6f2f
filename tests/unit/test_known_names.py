"""A choice that nothing can meet is refused with what could have been meant; what is on record may be chosen for ever."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from dailies.catalog import Catalog
from dailies.errors import BadInput
from dailies.registry import provider_names
from dailies.report.known import with_known_names
from dailies.report.select import Selection
from tests.ledger.factories import USD, FakeClock, a_clip, a_row, claim
from tests.unit.steps_bench import Bench, bench_on, catalog

DAY = date(2026, 11, 21)


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    yield from bench_on(sqlite_url, tmp_path, clock)


def no_catalog() -> Catalog:
    raise AssertionError("it is not needed")


@pytest.mark.parametrize(
    "chosen",
    [
        Selection(),
        Selection("smiles", DAY, DAY),
        Selection(since=DAY),
        Selection(until=DAY),
        Selection(provider="aiml"),
    ],
)
def test_what_can_be_met_stays_as_it_is(bench: Bench, chosen: Selection) -> None:
    assert with_known_names(chosen, bench.ledger, no_catalog) == chosen


def test_a_span_without_a_day_is_refused(bench: Bench) -> None:
    with pytest.raises(BadInput) as error:
        with_known_names(Selection(since=DAY, until=date(2026, 11, 20)), bench.ledger, no_catalog)
    assert str(error.value) == ("--since 2026-11-21 --until 2026-11-20: no day is in this span; exchange the two days")


def gone_from_the_catalog(bench: Bench) -> str:
    """A clip of a model and at a provider that are not there any more. Returns the provider."""
    row = a_row(1, a_clip(model="gone/Film-1"))
    bench.ledger.plan("smiles", "smiles.csv", "s3://clips/smiles", [row], {row.clip.key: USD})
    claim(bench.ledger, row.clip.key)
    with bench.ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE attempt SET provider = 'gone'")
    return "gone"


@pytest.mark.parametrize(
    ("name", "meant"), [("aimil", "; did you mean aiml?"), (" AIMLL ", "; did you mean aiml?"), ("nobody", ".")]
)
def test_a_provider_that_nobody_knows_is_refused_with_the_nearest(bench: Bench, name: str, meant: str) -> None:
    """And all that there are, today's and those on record."""
    gone = gone_from_the_catalog(bench)
    with pytest.raises(BadInput) as error:
        with_known_names(Selection(provider=name), bench.ledger, no_catalog)
    there = ", ".join(sorted([*provider_names(), gone]))
    assert str(error.value) == f"--provider {name}: no provider is called so{meant} There are {there}"


@pytest.mark.parametrize(
    "chosen", [Selection(provider="gone"), Selection(model="gone/Film-1"), Selection(model="film-1", provider="gone")]
)
def test_what_is_on_record_may_be_chosen_although_it_is_gone(bench: Bench, chosen: Selection) -> None:
    gone_from_the_catalog(bench)
    assert with_known_names(chosen, bench.ledger, no_catalog) == chosen


def test_a_model_that_could_be_bought_has_its_id(bench: Bench) -> None:
    """The rest of the choice stays; one that the catalog does not know either is refused by it."""
    chosen = Selection("smiles", model="sora-2-pro-i2v")
    assert with_known_names(chosen, bench.ledger, catalog) == replace(chosen, model="openai/sora-2-pro-i2v")
    with pytest.raises(BadInput):
        with_known_names(Selection(model="nothing-like-it"), bench.ledger, catalog)
