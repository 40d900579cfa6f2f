"""A report of many clips: packed in blocks, written a column at a time, and just what it would be clip by clip."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.domain.figures import Totals
from dailies.domain.states import State
from dailies.report.blocks import Block
from dailies.report.cells import as_float, csv_cells, json_texts, safe_cell
from dailies.report.credits import Credits
from dailies.report.gather import gather_posters
from dailies.report.links import poster_key
from dailies.report.tables import array_of
from dailies.report.write import Places
from dailies.storage.s3 import S3, StoreRefused
from tests.report.factories import credits, mixed_rows

AMOUNTS = st.integers(0, 10**12).map(lambda billionths: Decimal(billionths).scaleb(-9))
COLUMNS = st.one_of(
    st.lists(st.text(st.sampled_from('a,"\n\r\t=+-@é \u2028'))),
    st.lists(st.none() | st.text()),
    st.lists(st.none() | st.integers(-(2**40), 2**40)),
    st.lists(st.none() | st.booleans()),
    st.lists(st.none() | st.floats(0, 1e6)),
    st.lists(st.none() | AMOUNTS),
)


@given(COLUMNS)
def test_a_column_as_csv_is_what_csv_makes_of_its_cells(values: list[Any]) -> None:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([["", safe_cell(value)] for value in values])
    assert "".join(f",{cell}\n" for cell in csv_cells(values)) == out.getvalue()


@given(COLUMNS)
def test_a_column_as_json_is_what_json_makes_of_its_values(values: list[Any]) -> None:
    expected = [json.dumps(float(one) if isinstance(one, Decimal) else one, ensure_ascii=False) for one in values]
    assert [*json_texts(values, as_float)] == expected


@given(
    st.one_of(
        st.tuples(st.just(pa.string()), st.lists(st.none() | st.text(st.characters(codec="utf-8")))),
        st.tuples(st.just(pa.int64()), st.lists(st.none() | st.integers(-(2**60), 2**60))),
        st.tuples(st.just(pa.bool_()), st.lists(st.none() | st.booleans())),
        st.tuples(st.just(pa.float64()), st.lists(st.none() | st.floats(0, 1e6))),
        st.tuples(st.just(pa.decimal128(18, 9)), st.lists(st.none() | AMOUNTS.filter(lambda usd: usd < 10**8))),
    )
)
def test_a_column_for_parquet_is_what_pyarrow_makes_of_its_values(column: tuple[Any, list[Any]]) -> None:
    kind, values = column
    made = array_of(values, kind)
    made.validate(full=True)
    assert made.equals(pa.array(values, kind))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three clips in a block, and all but the first of them deflated."""
    monkeypatch.setattr("dailies.report.blocks.BLOCK", 3)
    monkeypatch.setattr("dailies.report.blocks.LOOSE", 1)


def test_packed_clips_are_read_as_a_sequence(monkeypatch: pytest.MonkeyPatch) -> None:
    loose = [*credits(mixed_rows(11)).lines]
    monkeypatch.setattr("dailies.report.blocks.BLOCK", 3)
    monkeypatch.setattr("dailies.report.blocks.LOOSE", 1)
    lines = credits(mixed_rows(11)).lines
    assert len(lines) == 11 and lines == loose and lines != loose[:10]
    assert [lines[at] for at in range(11)] == [*lines] == loose
    assert lines[-1] == loose[-1] and [*lines[2:8]] == loose[2:8]
    with pytest.raises(IndexError):
        lines[11]


def test_each_block_is_unpacked_once_for_a_file(small: None, monkeypatch: pytest.MonkeyPatch) -> None:
    clips, unpacked = credits(mixed_rows(11)).clips, list[int]()
    usual = Block.__init__

    def noted(self: Block, start: int, *rest: Any) -> None:
        unpacked.append(start)
        usual(self, start, *rest)

    monkeypatch.setattr(Block, "__init__", noted)
    assert [line.row for line in clips.each(lambda block: block.lines)] == [*range(1, 12)]
    assert unpacked == [0, 3, 6]  # the last one is not full, and was never packed


def test_clips_sum_up_to_the_same_in_one_block_and_in_several(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a column appears late, and where a clip was tried at two providers."""
    rows = mixed_rows(11)
    rows[7] = rows[7]._replace(labels={"late": "yes", **rows[7].labels})
    (first,) = rows[0].attempts
    rows[0] = rows[0]._replace(
        attempts=(first._replace(state=State.FAILED), first._replace(no=2, provider="onerouter"))
    )
    together = summed(credits(rows))
    monkeypatch.setattr("dailies.report.blocks.BLOCK", 3)
    assert summed(credits(rows)) == together
    assert {"aiml", "onerouter"} <= together[0]["provider"].keys() and together[0]["late"]["–"].rows == 10


def summed(credits: Credits) -> tuple[dict[str, dict[str, Totals]], list[str], list[str], object, Totals]:
    sums = credits.sums
    groups = {"model": sums.model, "provider": sums.provider, "batch": sums.batch, **sums.own}
    totals = {name: {value: one.totals() for value, one in (some or {}).items()} for name, some in groups.items()}
    return totals, [*sums.names], [*sums.team], sums.by_day, credits.totals


def test_what_is_the_same_of_all_clips_of_a_block_is_written_once(small: None) -> None:
    blocks, written = [*credits(mixed_rows(11)).clips.blocks()], list[Sequence[str]]()

    def noted(values: Sequence[str]) -> Sequence[str]:
        written.append([*values])
        return [value.upper() for value in values]

    for block in blocks:
        assert block.written("batch", noted) == ["MONDAY"] * len(block)
        assert block.written("id", noted) == [value.upper() for value in block.column("id")]
        assert block.column("batch") == ["monday"] * len(block)
        assert [block.line(at) for at in range(len(block))] == block.lines
    assert written[::2] == [["monday"]] * 4
    assert written[1::2] == [[*block.column("id")] for block in blocks]


class Shelf:
    """A store that has the posters of some clips, and notes what it is asked."""

    def __init__(self, keys: Sequence[str], lists: bool = True) -> None:
        self.keys, self.lists, self.asked = {*keys}, lists, list[str]()

    def names(self, _bucket: str, prefix: str) -> Iterator[str]:
        """Its keys."""
        if not self.lists:
            raise StoreRefused("no listing")
        return iter([key for key in self.keys if key.startswith(prefix)])

    def read(self, _bucket: str, key: str, _most: int) -> bytes:
        """One of them."""
        self.asked.append(key)
        if key not in self.keys:
            raise KeyError(key)
        return b"poster"


@pytest.mark.parametrize("lists", [True, False])
def test_of_many_posters_those_are_asked_for_that_the_store_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lists: bool
) -> None:
    """A key that may not list asks for each, as of a few."""
    monkeypatch.setattr("dailies.report.gather.FEW", 3)
    lines = [line for line in credits(mixed_rows(30)).lines if line.s3_uri]
    keys = [poster_key((line.s3_uri or "").removeprefix("s3://studio/")) for line in lines]
    shelf = Shelf(keys[:2], lists)
    assert gather_posters(lines, tmp_path / "out", Places(tmp_path / "home"), cast(S3, shelf)) == 2
    assert sorted(shelf.asked) == sorted(keys[:2] if lists else keys)
