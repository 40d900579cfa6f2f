"""A still is kept beside its clip and in the report's folder; where that can't be, the clip is delivered all the same."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from dailies.domain.clips import clip_name
from dailies.domain.states import State
from dailies.planning.request import BatchRequest
from dailies.report.write import Places
from dailies.steps.posters import keep_poster, posters_folder
from dailies.storage.abilities import StoreAbilities
from dailies.storage.s3 import StoreTrouble
from tests.report.factories import a_batch_row
from tests.unit.steps_bench import Shelf, fake

STILL: Any = fake(webp=lambda: b"a picture")
ROW = a_batch_row(7, State.STORED)


def keep(shelf: Shelf, folder: Path, **changes: Any) -> None:
    assert ROW.attempt
    keep_poster(shelf, ROW.attempt._replace(**changes), ROW, STILL, folder)  # type: ignore[arg-type]


def test_it_lies_beside_the_clip_and_in_the_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    shelf, folder = Shelf(), tmp_path / "reports" / "posters"
    name = f"{clip_name(ROW.id, ROW.clip_key)}.webp"
    for _ in range(2):
        keep(shelf, folder)
    assert shelf.objects == {("studio", f"clips/monday/{name}"): (b"a picture", {"type": "image/webp"})}
    assert [path.name for path in folder.iterdir()] == [name] and (folder / name).read_bytes() == b"a picture"
    assert folder.stat().st_mode & 0o777 == 0o700 and caplog.messages == []


def test_it_is_put_in_the_way_that_the_store_takes(tmp_path: Path) -> None:
    asked: list[Any] = []
    shelf: Any = fake(put_bytes=lambda *told: asked.append(told))
    ways = StoreAbilities(may_list=False)
    assert ROW.attempt
    keep_poster(shelf, ROW.attempt, ROW, STILL, tmp_path, ways)
    assert asked[0][-2:] == ("image/webp", ways)


@pytest.mark.parametrize("trouble", ["the store", "no address"])
def test_trouble_is_a_line_of_the_log(tmp_path: Path, trouble: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    shelf = Shelf()
    shelf.trouble = [StoreTrouble("HTTP 503")] if trouble == "the store" else []
    keep(shelf, tmp_path / "posters", **({"s3_uri": None} if trouble == "no address" else {}))
    (said,) = caplog.messages
    assert said.startswith("row-07 · no poster: ") and (trouble != "the store" or said.endswith("HTTP 503"))
    assert not (tmp_path / "posters").exists() and shelf.objects == {}


def test_the_folder_is_the_reports(tmp_path: Path) -> None:
    asked = BatchRequest(prompts="smiles.csv", report_dir=str(tmp_path / "mine"))
    assert posters_folder(Places(tmp_path), "smiles", None) == tmp_path / "reports" / "smiles" / "posters"
    assert posters_folder(Places(tmp_path), "smiles", asked) == tmp_path / "mine" / "posters"
    assert (
        posters_folder(Places(tmp_path), "smiles", asked.but(report_dir=None))
        == tmp_path / "reports" / "smiles" / "posters"
    )
