"""An inbox in S3: which files are batches, what each is called, and that a file is made once for each of its contents."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dailies.errors import Misconfigured
from dailies.settings import Settings
from dailies.steps.inbox import Delivered, batch_of, inbox_folder, look_into
from dailies.storage.s3 import StoreTrouble
from tests.ledger.factories import FakeClock
from tests.unit.steps_bench import Bench, bench_on


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    yield from bench_on(sqlite_url, tmp_path, clock)


@pytest.mark.parametrize(
    ("chosen", "to", "folder"),
    [
        ("s3://studio/BOX/", None, "s3://studio/BOX"),
        (None, "s3://studio/BOX/", "s3://studio/BOX/_inbox"),
        (" s3://studio/in/ ", "s3://studio/clips", "s3://studio/in"),
        (None, "s3://studio/clips/", "s3://studio/clips/_inbox"),
        ("", "s3://studio/clips", "s3://studio/clips/_inbox"),
        (" ", "s3://studio/clips", "s3://studio/clips/_inbox"),
    ],
)
def test_an_inbox_lies_where_it_is_said_else_below_the_clips(
    tmp_path: Path, chosen: str | None, to: str | None, folder: str
) -> None:
    assert inbox_folder(chosen, Settings(dailies_home=tmp_path, dailies_to=to)) == folder


def test_an_inbox_that_nothing_tells_of_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured) as error:
        inbox_folder(None, Settings(dailies_home=tmp_path))
    assert error.value.trouble == "no-destination" and str(error.value) == (
        "nothing says where the inbox is: give its folder, or set DAILIES_TO. Nothing was bought."
    )


@pytest.mark.parametrize(("folder", "below"), [("s3://studio/in", "in/"), ("s3://studio", "")])
def test_every_csv_below_a_folder_is_a_batch(bench: Bench, folder: str, below: str) -> None:
    """In the order of their names, in capitals too; neither other files nor neighbours of the folder are."""
    for name in ("tuesday.CSV", "monday/prompts.csv", "notes.txt"):
        bench.shelf.lay(f"{below}{name}", b"", "studio")
    bench.shelf.lay("inbox/other.csv" if below else "other", b"", "studio")
    found = bench.run(look_into, folder)
    assert [(one.uri, one.batch) for one in found] == [
        (f"s3://studio/{below}monday/prompts.csv", "monday-prompts"), (f"s3://studio/{below}tuesday.CSV", "tuesday"),
    ]  # fmt: skip
    assert [one.version for one in found] == [f"v-{len(one.uri.removeprefix('s3://studio/'))}" for one in found]


def test_a_folder_that_can_not_be_listed_is_refused(bench: Bench) -> None:
    bench.shelf.trouble = [StoreTrouble("it is away")]
    with pytest.raises(Misconfigured) as error:
        bench.run(look_into, "s3://studio/in")
    assert error.value.trouble == "store"
    assert str(error.value) == "s3://studio/in can't be listed: it is away. Nothing was bought."


def test_a_file_is_made_once_for_each_of_its_contents() -> None:
    """The key of its run changes with its content and its place, and with nothing else."""
    one = Delivered("s3://studio/in/a.csv", "a", "v1")
    assert one.key == Delivered(one.uri, "another", "v1").key == "dailies · inbox · d4ddb1438fd7540569c36af03d32951b"
    assert len({one.key, Delivered(one.uri, "a", "v2").key, Delivered("s3://studio/in/b.csv", "a", "v1").key}) == 3


@pytest.mark.parametrize(
    ("key", "prefix", "batch"),
    [
        ("in/monday/prompts.csv", "in", "monday-prompts"), ("a.csv", "", "a"), ("in/Xmas.csv", "in", "xmas"), ("in/in/a.csv", "in", "in-a"),
        ("in/.csv", "in", "batch"), (f"in/{'x' * 300}.csv", "in", "x" * 180),
    ],
)  # fmt: skip
def test_a_batch_is_called_by_its_path_in_the_inbox(key: str, prefix: str, batch: str) -> None:
    assert batch_of(key, prefix) == batch
