"""What differs from what was bought: edited rows, which are other clips now, and pictures behind addresses, which are not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dailies.domain.clips import Clip, Row
from dailies.domain.states import State
from dailies.planning.batch import Batch
from dailies.steps.changes import Changed, changed_rows, changes_lines, other_content, what_changed
from tests.ledger.factories import IMAGE, USD, FakeClock, a_clip, a_row
from tests.unit.steps_bench import Bench, bench_on


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    yield from bench_on(sqlite_url, tmp_path, clock)


def edited(bench: Bench, *clips: Clip, sheet_row: int = 2) -> Batch:
    """The batch as it is after its row was edited, whose earlier clips were delivered in this order."""
    for clip in clips:
        bench.attempt(State.STORED, bench.batch(rows=(a_row(1, clip),)))
        bench.clock.advance(1)
    return bench.batch(rows=(a_row(1, a_clip("she laughs"), sheet_row=sheet_row),))


# Rows that were edited


def test_a_row_that_was_delivered_as_another_clip_is_changed(bench: Bench) -> None:
    """Against the latest that was delivered, with what it would cost."""
    batch = edited(bench, a_clip("a cow", duration_s=8), a_clip("a hen", resolution="1080p"), a_clip("a dog"))
    (found,) = bench.run(changed_rows, batch.plan, batch.plan.rows)
    assert found == Changed(batch.plan.rows[0], ("prompt",), USD) and str(found) == "row 2 (row-1): prompt"


def test_a_row_that_is_not_to_be_bought_is_not_looked_at(bench: Bench) -> None:
    batch = edited(bench, a_clip("a cat"))
    assert bench.run(changed_rows, batch.plan, []) == []


def test_a_row_that_was_never_delivered_is_new(bench: Bench) -> None:
    batch = bench.batch()
    assert bench.run(changed_rows, batch.plan, batch.plan.rows) == []


def test_a_clip_that_is_still_asked_for_by_another_row_is_no_change(bench: Bench) -> None:
    """Nor is another take, a clip that was not delivered, or another row's."""
    old = a_clip("a cat")
    for clip in (old, a_clip("a cow", take="b")):
        bench.attempt(State.STORED, bench.batch(rows=(a_row(1, clip),)))
    bench.attempt(State.SUBMITTED, bench.batch(rows=(a_row(1, a_clip("a hen")),)))
    bench.attempt(State.STORED, bench.batch(rows=(a_row(3, a_clip("a dog")),)))
    batch = bench.batch(rows=(a_row(1, a_clip("she laughs")), a_row(2, old)))
    assert bench.run(changed_rows, batch.plan, batch.plan.rows[:1]) == []


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"model": "m"}, ("model",)), ({"prompt": "p"}, ("prompt",)), ({"resolution": "1080p"}, ("resolution",)),
        ({"aspect_ratio": "9:16"}, ("aspect_ratio",)), ({"duration_s": 8}, ("duration",)), ({}, ()),
        ({"image": IMAGE._replace(source="https://x.example/b.png")}, ("image",)), ({"options": {"seed": 1}}, ("seed",)),
        (
            {"model": "m", "prompt": "p", "image": IMAGE._replace(source="https://x.example/b.png"), "duration_s": 8},
            ("model", "prompt", "image", "duration"),
        ),
        ({"options": {"seed": 1, "loop": True}}, ("loop", "seed")),
    ],
)  # fmt: skip
def test_the_columns_are_named_that_differ(changes: dict[str, Any], what: tuple[str, ...]) -> None:
    """In a sheet's words and order, the options last; whichever of both sets one."""
    assert what_changed(a_clip(), a_clip(**changes)) == what
    assert what_changed(a_clip(**changes), a_clip()) == what


def a_change(number: int, usd: Decimal | None = USD) -> Changed:
    return Changed(a_row(number, sheet_row=number + 1), ("prompt", "duration"), usd)


def test_changed_rows_are_said_in_a_line() -> None:
    """With what they would cost, and the first of them by name."""
    assert changes_lines([]) == []
    assert changes_lines([a_change(1)]) == [
        "1 row was changed since delivery and would be bought again, for $1.26: row 2 (row-1): prompt, duration"
    ]
    three = [a_change(1), a_change(2, None), a_change(3)]
    names = "; ".join(f"row {n + 1} (row-{n}): prompt, duration" for n in (1, 2, 3))
    assert changes_lines(three) == [f"3 rows were changed since delivery and would be bought again, for $2.52: {names}"]
    (line,) = changes_lines([*three, a_change(4)])
    assert line == f"4 rows were changed since delivery and would be bought again, for $3.78: {names}; …"


# Pictures behind their addresses


def behind(bench: Bench, state: State | None = State.STORED, count: int = 1, **then: Any) -> list[Row]:
    """Rows whose clips were bought when the picture behind their address was like this."""
    rows = [a_row(n, a_clip(f"prompt {n}", image=IMAGE._replace(**then)), sheet_row=n + 1) for n in range(1, count + 1)]
    batch = bench.batch(rows=tuple(rows))
    for at in range(count if state else 0):
        bench.attempt(state or State.STORED, batch, at)
    return rows


def said(bench: Bench, rows: list[Row], **now: Any) -> list[str]:
    """What is said where the pictures are like this now."""
    seen = tuple(replace(row, clip=replace(row.clip, image=row.clip.image._replace(**now))) for row in rows)
    return bench.run(other_content, bench.batch(rows=seen, on_record=False).plan)


def test_another_picture_behind_an_address_is_said(bench: Bench) -> None:
    rows = behind(bench, seen="v1")
    assert said(bench, rows, seen="v2") == [
        "the picture behind the address has changed since it was bought: row 2 (row-1). These clips are not bought again; "
        "give a row another take to buy it with the new picture"
    ]
    assert said(bench, rows, seen="v1") == []


@pytest.mark.parametrize(
    ("count", "names"), [(3, "row 2 (row-1), row 3 (row-2), row 4 (row-3)."), (4, "row 4 (row-3), ….")]
)
def test_of_many_the_first_are_named(bench: Bench, count: int, names: str) -> None:
    (line,) = said(bench, behind(bench, count=count, size_bytes=1), size_bytes=2)
    assert names in line and "row 5" not in line


@pytest.mark.parametrize(
    ("then", "now", "differs"),
    [
        ({"size_bytes": 1}, {"size_bytes": 2}, True), ({"size_bytes": None}, {"size_bytes": 2}, False),
        ({"size_bytes": 1}, {"size_bytes": None}, False), ({"seen": None}, {"seen": "v"}, False),
        ({"seen": "v"}, {"seen": None}, False), ({"width": 640}, {"width": 641}, True), ({"width": 0}, {"width": 641}, False),
        ({"width": 640, "made": ""}, {"width": 641, "made": "upright"}, False), ({"height": 1}, {"height": 2}, True),
        ({}, {"sha256": "ab" * 32, "size_bytes": 2}, False),
    ],
)  # fmt: skip
def test_it_is_another_where_that_is_sure(
    bench: Bench, then: dict[str, Any], now: dict[str, Any], differs: bool
) -> None:
    """Of what is not known of both, nothing follows; nor of the size of what was made of it."""
    rows = behind(bench, **then)
    assert bool(said(bench, rows, **now)) is differs


def test_what_was_not_bought_is_bought_with_the_new_picture(bench: Bench) -> None:
    """A clip of which every attempt failed, one without an attempt, and one that nobody knows."""
    assert said(bench, behind(bench, None, size_bytes=1), size_bytes=2) == []
    assert said(bench, behind(bench, State.FAILED, size_bytes=1), size_bytes=2) == []
    assert said(bench, [a_row(7, a_clip("new"))], size_bytes=2) == []


def test_a_picture_without_an_address_is_another_clip_when_it_changes(bench: Bench) -> None:
    assert said(bench, behind(bench, source="cat.png", size_bytes=1), size_bytes=2) == []
