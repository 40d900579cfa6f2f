"""The step that has a delivered clip looked at: from a link of its own, with the image that was sent, and never in the way."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from dailies.domain.clips import Image
from dailies.domain.marks import Marks
from dailies.domain.states import State
from dailies.runtime.looks import Looks
from dailies.steps.look import ENDING, STALE_S, WANTS_CUTS, start_look
from tests.report.factories import a_batch_row
from tests.unit.footage_files import movie, pan, png, scene

SCENE = scene(1, 680, 390)


class Ledger:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.marks: dict[str, Marks] = {}

    def record_marks(self, attempt_id: str, marks: Marks) -> None:
        self.marks[attempt_id] = marks


def runtime_of(look: str = "full", image: bytes | None = None) -> Any:
    """As much of a runtime as the step touches; `image` lies in S3."""
    return SimpleNamespace(
        settings=SimpleNamespace(dailies_look=look), looks=Looks(), ledger=Ledger(), batches=[],
        s3=lambda: SimpleNamespace(read=lambda bucket, key, most: image),
    )  # fmt: skip


def look_at(runtime: Any, clip: Path, gone_at_once: bool = True) -> dict[str, Marks]:
    """Start a look as delivery does, tidy the download away as it does, and wait for the looks."""
    image = Image("s3://bucket/first.png", 100, 100, "png")
    row = a_batch_row(1, State.STORED, clip={"image": image})
    (attempt,) = row.attempts
    start_look(runtime, attempt, row, clip, audio=False)
    if gone_at_once:
        clip.unlink()
    anyio.run(runtime.looks.done, 60)
    runtime.looks.close()
    assert not list(clip.parent.glob(f"*{ENDING}"))
    marks: dict[str, Marks] = runtime.ledger.marks
    return {"it" if key == attempt.id else key: found for key, found in marks.items()}


def test_a_clip_is_looked_at_although_its_download_is_tidied_away(tmp_path: Path) -> None:
    """And is fine: it begins with the image."""
    pictures = [*pan(SCENE, 30)]
    clip = movie(tmp_path / "clip.mp4", pictures)
    assert look_at(runtime_of(image=png(pictures[0])), clip) == {"it": Marks()}


def test_what_is_not_the_image_is_marked_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """On record and on the terminal."""
    clip = movie(tmp_path / "clip.mp4", pan(SCENE, 30))
    with caplog.at_level(logging.WARNING, "dailies.look"):
        found = look_at(runtime_of(image=png(scene(4, 680, 390))), clip)
    assert str(found["it"]).startswith("first_frame 0.")
    assert "row-01 · worth a look: first_frame" in caplog.text


def test_a_file_system_without_links_gets_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked at all the same."""

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    assert look_at(runtime_of(), movie(tmp_path / "clip.mp4", pan(SCENE, 30))) == {"it": Marks()}


def test_a_look_that_fails_is_a_line_in_the_log_and_no_mark(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not even the mark of a clip that is fine; and the file is tidied away."""
    (tmp_path / "clip.mp4").write_bytes(b"<html>no clip</html>")
    with caplog.at_level(logging.INFO, "dailies.look"):
        assert look_at(runtime_of(), tmp_path / "clip.mp4") == {}
    assert "row-01 · not looked at" in caplog.text


def test_a_download_that_is_gone_raises_nothing(tmp_path: Path) -> None:
    """Delivery goes on."""
    assert look_at(runtime_of(), tmp_path / "clip.mp4", gone_at_once=False) == {}


def test_quick_looks_at_nothing(tmp_path: Path) -> None:
    """No link, no mark."""
    assert look_at(runtime_of("quick"), movie(tmp_path / "clip.mp4", pan(SCENE, 3))) == {}


def test_what_killed_looks_left_behind_is_removed_after_a_day(tmp_path: Path) -> None:
    """Those of living processes stay."""
    old, young = tmp_path / f"old{ENDING}", tmp_path / f"young{ENDING}"
    for path in (old, young):
        path.write_bytes(b"")
    os.utime(old, (0, old.stat().st_mtime - STALE_S - 60))
    clip = movie(tmp_path / "clip.mp4", pan(SCENE, 30))
    runtime = runtime_of()
    row = a_batch_row(1, State.STORED)
    start_look(runtime, row.attempts[0], row, clip, audio=None)
    anyio.run(runtime.looks.done, 60)
    runtime.looks.close()
    assert not old.exists() and young.exists()


@pytest.mark.parametrize(
    ("prompt", "asked"),
    [
        ("She smiles, cut to the harbour", True),
        ("Lightning over the sea", True),
        ("A haircut in the sun", False),
        ("", False),
    ],
)
def test_a_prompt_that_asks_for_a_cut_or_a_flash_is_known_by_its_words(prompt: str, asked: bool) -> None:
    """Whole words only."""
    assert bool(WANTS_CUTS.search(prompt)) is asked
