"""Delivered clips come to disk whole or not at all; what lies there of other bytes is nobody's to overwrite."""

from __future__ import annotations

import errno
import fcntl
import hashlib
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from dailies.domain.clip_line import Line
from dailies.errors import Misconfigured
from dailies.steps.to_disk import Fetched, fetch_all, fetch_one
from dailies.storage.s3 import StoreRefused, StoreTrouble
from tests.report.factories import a_batch_row, credits

CLIP = bytes(range(256)) * 40
GONE = "there is no s3://b/a.mp4 any more: the next run of monday brings it back if it is still to be had, and buys it not again"
NAME = "a-" + "c" * 12 + ".mp4"


def line(**values: Any) -> Line:
    digest = hashlib.sha256(CLIP).hexdigest()
    clip: dict[str, Any] = {
        "id": "a",
        "clip_key": "c" * 64,
        "s3_uri": "s3://b/a.mp4",
        "sha256": digest,
        "size_bytes": len(CLIP),
    }
    return credits([a_batch_row()]).lines[0]._replace(**(clip | values))


class Store:
    """Serves one clip; `cuts` says after how many bytes each answer breaks off."""

    def __init__(self, *cuts: int, content: bytes = CLIP) -> None:
        self.cuts, self.content = list(cuts), content
        self.starts: list[int] = []

    def fetch(self, bucket: str, key: str, file: BinaryIO, from_byte: int = 0) -> None:
        self.starts.append(from_byte)
        cut = self.cuts.pop(0) if self.cuts else None
        file.write(self.content[from_byte : None if cut is None else from_byte + cut])
        if cut is not None:
            raise StoreTrouble("the connection broke")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_connection_that_breaks_is_gone_on_with(tmp_path: Path) -> None:
    store = Store(1000, 500)
    assert fetch_one(store, line(), tmp_path).new  # type: ignore[arg-type]
    assert store.starts == [0, 1000, 1500] and (tmp_path / NAME).read_bytes() == CLIP and names(tmp_path) == {NAME}


def test_what_came_before_trouble_is_kept_for_the_next_time(tmp_path: Path) -> None:
    found = fetch_one(Store(100, 100, 100), line(), tmp_path)  # type: ignore[arg-type]
    assert found == Fetched("a", tmp_path / NAME, problem="the connection broke")
    assert names(tmp_path) == {f"{NAME}.part"}
    store = Store()
    assert fetch_one(store, line(), tmp_path).new and store.starts == [300]  # type: ignore[arg-type]


@pytest.mark.parametrize("there", [b"graded by hand", CLIP[:-1] + b"?", b""])
def test_a_file_of_other_bytes_is_named_and_never_overwritten(tmp_path: Path, there: bytes) -> None:
    """Also where it is as long as the clip."""
    path = tmp_path / NAME
    path.write_bytes(there)
    found = fetch_one(Store(), line(), tmp_path)  # type: ignore[arg-type]
    assert found == Fetched("a", path, problem=f"{path} holds other bytes: move it away to fetch the clip")
    assert (tmp_path / NAME).read_bytes() == there and names(tmp_path) == {NAME}


def test_other_bytes_in_the_store_are_no_clip(tmp_path: Path) -> None:
    store = Store(content=b"x" * len(CLIP))
    found = fetch_one(store, line(), tmp_path)  # type: ignore[arg-type]
    assert found == Fetched("a", tmp_path / NAME, problem="s3://b/a.mp4 holds other bytes than were delivered")
    assert NAME not in names(tmp_path) and store.starts == [0, 0, 0]


def test_a_part_of_another_file_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(b"x" * 700)
    store = Store()
    assert fetch_one(store, line(), tmp_path).new and store.starts == [700, 0]  # type: ignore[arg-type]


def test_a_part_that_is_all_there_needs_only_its_name(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(CLIP)
    store = Store()
    assert fetch_one(store, line(), tmp_path) == Fetched("a", tmp_path / NAME, new=True)  # type: ignore[arg-type]
    assert store.starts == [] and (tmp_path / NAME).read_bytes() == CLIP


def test_a_clip_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(CLIP)
    store = Store()
    assert fetch_one(store, line(), tmp_path) == Fetched("a", tmp_path / NAME)  # type: ignore[arg-type]
    assert store.starts == [] and names(tmp_path) == {NAME}


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("a.mp4"), GONE),
        (StoreRefused("403 on get_object"), "403 on get_object"),
    ],
)
def test_what_the_store_does_not_give_is_said(tmp_path: Path, error: Exception, words: str) -> None:
    def fetch(bucket: str, key: str, file: BinaryIO, from_byte: int = 0) -> None:
        raise error

    store = Store()
    store.fetch = fetch  # type: ignore[method-assign]
    found = fetch_one(store, line(), tmp_path)  # type: ignore[arg-type]
    assert found == Fetched("a", tmp_path / NAME, problem=words) and NAME not in names(tmp_path)


def test_only_delivered_clips_are_fetched_under_the_names_asked_for_and_each_is_counted(tmp_path: Path) -> None:
    folder, told = tmp_path / "of" / "may", list[tuple[int, int]]()
    lines = [line(), line(id="b"), line(id="c", s3_uri=None), line(id="d", sha256=None)]
    found = fetch_all(Store(), lines, folder, lambda *so_far: told.append(so_far), lambda line: f"cut-{line.id}")  # type: ignore[arg-type]
    assert found == [Fetched(name, folder / f"cut-{name}.mp4", new=True) for name in "ab"]
    assert told == [(1, 2), (2, 2)] and names(folder) == {"cut-a.mp4", "cut-b.mp4"}


def test_two_that_fetch_at_once_do_not_mix_their_bytes(tmp_path: Path) -> None:
    with (tmp_path / f"{NAME}.part").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        found = fetch_one(Store(), line(), tmp_path)  # type: ignore[arg-type]
    assert found == Fetched("a", tmp_path / NAME, problem="another fetch is bringing it just now")


def test_a_clip_that_stands_in_several_batches_is_fetched_once(tmp_path: Path) -> None:
    store = Store()
    lines = [line(), line(s3_uri="s3://b/second/a.mp4"), line(id="other")]
    found = fetch_all(store, lines, tmp_path)  # type: ignore[arg-type]
    assert [one.id for one in found] == ["a", "other"] and all(one.new for one in found) and len(store.starts) == 2


@pytest.mark.parametrize("breaks", ["the disk is full", "the folder is a file"])
def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, breaks: str) -> None:
    def full(bucket: str, key: str, file: BinaryIO, from_byte: int = 0) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    store, folder = Store(), tmp_path / "clips"
    if breaks == "the disk is full":
        store.fetch = full  # type: ignore[method-assign]
    else:
        folder.write_text("")
    with pytest.raises(Misconfigured, match=r"can't be written: (No space|File exists)") as raised:
        fetch_all(store, [line()], folder)  # type: ignore[arg-type]
    assert raised.value.trouble == "disk"
