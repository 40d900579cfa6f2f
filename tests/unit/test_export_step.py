"""A hand-over written: a list, a timeline beside its clips, or one archive; a clip that can't be had is named, not left out."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from dailies.errors import Misconfigured
from dailies.media.video import BadVideo
from dailies.report.handover import Handed, clips_list
from dailies.report.timeline import USUAL_FPS, Media
from dailies.steps import export
from dailies.steps.export import Export, write_export
from dailies.steps.to_disk import Fetched, fetch_one
from tests.report.factories import a_batch_row, credits
from tests.unit.steps_bench import Shelf, fake

CLIPS = {"fox": b"a fox" * 100, "owl": b"an owl" * 100}


def handed(*names: str) -> list[Handed]:
    """Clips as they are handed over, each under a name of its own; those of another name than a fox or an owl are not there."""
    line = credits([a_batch_row()]).lines[0]
    return [
        Handed(
            line._replace(id=name, clip_key=f"{at:064x}", s3_uri=f"s3://clips/{name}.mp4", size_bytes=len(CLIPS.get(name, b"x")),
                sha256=hashlib.sha256(CLIPS.get(name, b"x")).hexdigest(),
            ),
            f"{name}_1",
        )
        for at, name in enumerate(names)
    ]  # fmt: skip


class Desk:
    """Where exports are written: a store with two clips, and how far it came."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.shelf = folder, Shelf()
        for name, content in CLIPS.items():
            self.shelf.lay(f"{name}.mp4", content)
        self.told: list[tuple[int, int]] = []
        self.timeline: tuple[Any, ...] = ()
        self.facts: Callable[[Path], Any] = lambda path: fake(fps=25.0, duration_s=4.0)
        monkeypatch.setattr(export, "timeline_text", self.write)
        monkeypatch.setattr(export, "inspect", lambda path: self.facts(path))

    def write(self, *asked: Any) -> str:
        self.timeline = asked
        return "a timeline"

    def export(self, kind: str, *names: str, store: bool = True) -> tuple[Path, list[Fetched]]:
        file = self.folder / "for" / "ana" / f"monday.{kind}"
        s3 = cast(Any, self.shelf) if store else None
        found = write_export(s3, Export("Monday", kind, file), handed(*names), lambda *done: self.told.append(done))
        return file, found


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(tmp_path, monkeypatch)


@pytest.mark.parametrize(("kind", "store"), [("csv", True), ("zip", False), ("otio", False)])
def test_a_list_alone_brings_no_clips(desk: Desk, kind: str, store: bool) -> None:
    """Nor does anything where there is no store."""
    file, found = desk.export(kind, "fox", "owl", store=store)
    assert file.read_bytes() == clips_list(handed("fox", "owl")).encode() and found == []
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_timeline_lies_beside_its_clips(desk: Desk) -> None:
    """Which are called as they are handed over; what can't be had, or does not play, is offline."""

    def facts(path: Path) -> Any:
        if path.stem == "owl_1":
            raise BadVideo("no moov atom")
        return fake(fps=24.0, duration_s=5.0)

    desk.facts = facts
    file, found = desk.export("otio", "fox", "gone", "owl")
    assert file.read_text() == "a timeline" and [(one.id, one.problem is None) for one in found] == [
        ("fox", True), ("gone", False), ("owl", True),
    ]  # fmt: skip
    folder = file.parent / "monday clips"
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix == ".mp4"} == {
        "fox_1.mp4": CLIPS["fox"], "owl_1.mp4": CLIPS["owl"],
    }  # fmt: skip
    fox, gone, owl = handed("fox", "gone", "owl")
    media = Media("monday clips/fox_1.mp4", 24.0, 5.0)
    assert desk.timeline == ("Monday", [(fox, media), (gone, None), (owl, None)], "otio")
    assert desk.told == [(1, 3), (2, 3), (3, 3)]


def test_a_clip_without_a_rate_has_the_usual_one(desk: Desk) -> None:
    desk.facts = lambda path: fake(fps=None, duration_s=5.0)
    desk.export("edl", "fox")
    ((_, media),) = desk.timeline[1]
    assert media == Media("monday clips/fox_1.mp4", USUAL_FPS, 5.0)


def test_an_archive_holds_the_list_and_the_clips_that_could_be_had(desk: Desk) -> None:
    """As they are, for films get no smaller; beside it nothing is left."""
    file, found = desk.export("zip", "fox", "gone", "owl")
    with zipfile.ZipFile(file) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    listed = clips_list(handed("fox", "gone", "owl")).encode()
    assert content == {"clips.csv": listed, "fox_1.mp4": CLIPS["fox"], "owl_1.mp4": CLIPS["owl"]}
    gone = "the next run of monday brings it back if it is still to be had, and buys it not again"
    assert [(one.id, one.problem) for one in found] == [
        ("fox", None), ("gone", f"there is no s3://clips/gone.mp4 any more: {gone}"), ("owl", None),
    ]  # fmt: skip
    assert desk.told == [(1, 3), (2, 3), (3, 3)] and [path.name for path in file.parent.iterdir()] == ["monday.zip"]


def test_an_archive_that_can_not_be_finished_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """And an earlier one stays as it is."""
    file, _ = desk.export("zip", "fox")
    before = file.read_bytes()

    def full(*_: object) -> Fetched:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "fetch_one", full)
    with pytest.raises(Misconfigured) as error:
        desk.export("zip", "owl")
    assert str(error.value) == f"{file} can't be written: No space left on device"
    assert file.read_bytes() == before and [path.name for path in file.parent.iterdir()] == ["monday.zip"]


def test_clips_come_one_at_a_time_beside_the_archive(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that none needs more room than its own, on the disk that has it."""
    folders: list[Path] = []

    def fetched(s3: Any, line: Any, folder: Path, name: str, original: str | None = None) -> Fetched:
        folders.append(folder)
        assert list(folder.iterdir()) == []
        return fetch_one(s3, line, folder, name)

    monkeypatch.setattr(export, "fetch_one", fetched)
    file, _ = desk.export("zip", "fox", "owl")
    assert {folder.parent for folder in folders} == {file.parent} and folders[0].name.startswith(".dailies-")
    assert not folders[0].exists()


def test_trouble_without_words_of_the_system_is_told_in_its_own(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise OSError("broken")

    monkeypatch.setattr(export, "replace", broken)
    with pytest.raises(Misconfigured, match=r"monday\.csv can't be written: broken$"):
        desk.export("csv", "fox")
