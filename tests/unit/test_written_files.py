"""How a report's files are written: whole or not at all, with what can't be written said once, and the table in its types."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dailies.errors import Misconfigured
from dailies.report.tables import A_GROUP, parquet_pieces
from dailies.report.write import Disk, Places, Store, replace, replace_by, to_disk
from dailies.storage.s3 import StoreTrouble
from tests.report.factories import a_batch_row, credits
from tests.unit.steps_bench import Shelf


def test_a_file_is_written_over_what_a_killed_process_left(tmp_path: Path) -> None:
    part = tmp_path / f".credits.csv.{os.getpid()}"
    part.write_bytes(b"a longer text that was never done")
    replace(tmp_path / "credits.csv", b"short")
    assert (tmp_path / "credits.csv").read_bytes() == b"short" and not part.exists()


def test_a_file_whose_making_fails_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "credits.csv").write_bytes(b"old")

    def pieces() -> Iterator[bytes]:
        yield b"new"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        replace_by(tmp_path / "credits.csv", pieces())
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("credits.csv", b"old")]


@pytest.mark.parametrize("at", ["the folder", "a file"])
def test_the_first_file_that_can_not_be_written_is_the_end_and_is_said(tmp_path: Path, at: str) -> None:
    """Nobody is told by each of them; what was written before stays."""
    folder = tmp_path / "r"
    if at == "the folder":
        folder.write_text("in the way")
    disk = Disk(folder)
    if at == "a file":
        assert disk.take("first.csv", [b"1"]) == folder / "first.csv"
        (folder / "credits.csv").mkdir()
        assert disk.take("credits.csv", [b"2"]) is None
    assert disk.take("last.csv", [b"3"]) is None and not (folder / "last.csv").exists()
    why = "File exists" if at == "the folder" else "Is a directory"
    with pytest.raises(Misconfigured) as error:
        disk.check()
    assert str(error.value) == f"the report can't be written to {folder}: {why}. The ledger holds all figures"
    assert error.value.trouble == "disk"


def test_a_folder_alone_is_made_for_its_owner_or_refused(tmp_path: Path) -> None:
    to_disk(tmp_path / "a" / "r", {})
    assert (tmp_path / "a" / "r").stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Misconfigured, match=r"can't be written to .*file: File exists"):
        to_disk(tmp_path / "file", {})


def test_files_may_lie_in_folders_of_their_own(tmp_path: Path) -> None:
    to_disk(tmp_path / "r", {"posters/a.webp": b"a", "b.csv": b"b"})
    assert (tmp_path / "r/posters/a.webp").read_bytes() == b"a" and (tmp_path / "r/b.csv").read_bytes() == b"b"


class Refusing(Shelf):
    """A store with the files that it took; from the second on it takes none."""

    def put_small(self, bucket: str, key: str, body: Any, content_type: str) -> str:
        if self.objects:
            raise StoreTrouble("HTTP 503")
        return super().put_small(bucket, key, body, content_type)


def test_a_store_that_refuses_once_is_not_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    """A warning says so; what is not there has no address."""
    shelf = Refusing()
    store = Store(shelf, "clips", "smiles")  # type: ignore[arg-type]
    store.take("credits.csv", b"figures")
    assert (store.uri, store.open) == ("s3://clips/smiles/credits.csv", True)
    for _ in range(2):
        store.take("report.html", b"page")
    assert caplog.messages == ["the report is not in S3: HTTP 503"]
    assert (store.uri, store.open) == (None, False)
    assert shelf.objects == {("clips", "smiles/credits.csv"): (b"figures", {"type": "text/csv; charset=utf-8"})}


def test_a_report_may_tell_of_the_clips_of_batches_that_share_its_folder() -> None:
    """One of them wrote there before each had a folder of its own."""
    places = Places(Path("/home"), {"Smiles": "smiles", "smiles": "smiles-1", "grins": "grins"})
    assert places.written_with("smiles") == ("smiles", "Smiles")
    assert places.written_with("Smiles") == ("Smiles",) and places.written_with("unknown") == ("unknown",)


def test_the_table_has_its_types_with_and_without_clips() -> None:
    """Also where a column knows nothing."""
    for rows in ([], [a_batch_row(1, None)], [a_batch_row(1), a_batch_row(2, None)]):
        schema = pq.read_schema(io.BytesIO(b"".join(parquet_pieces(credits(rows)))))
        types: dict[str, set[str]] = {}
        for field in schema:
            types.setdefault(str(field.type), set()).add(field.name)
        assert types.pop("string") and types == {
            "int64": {"row", "duration_s", "attempts", "size_bytes", "credits_used", "unreported", "polls"},
            "decimal128(18, 9)": {"usd_quoted", "usd_charged", "usd_at_risk", "usd_unreported_quoted"},
            "bool": {"counted", "c2pa"},
            "double": {"seconds"},
            str(pa.timestamp("ms", tz="UTC")): {"created_at", "stored_at"},
        }


def test_so_many_blocks_are_one_group_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dailies.report.blocks.BLOCK", 3)
    monkeypatch.setattr("dailies.report.blocks.LOOSE", 1)
    rows = [a_batch_row(number) for number in range(1, 3 * A_GROUP + 3)]
    table = pq.ParquetFile(io.BytesIO(b"".join(parquet_pieces(credits(rows)))))
    assert [table.metadata.row_group(at).num_rows for at in range(table.num_row_groups)] == [3 * A_GROUP, 2]
    assert table.read()["id"].to_pylist() == [row.id for row in rows]
    assert table.read()["campaign"].to_pylist() == ["spring"] * len(rows)
