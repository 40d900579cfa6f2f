"""The step that has a delivered clip looked at: from a link of its own, with the image that was sent, and never in the way."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from dailies.domain.clips import Image
from dailies.domain.marks import Marks
from dailies.domain.states import State
from dailies.media.footage import Bought
from dailies.runtime.looks import Looks
from dailies.steps import look as step
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
    store = SimpleNamespace(read=lambda bucket, key, most: image)
    return SimpleNamespace(
        settings=SimpleNamespace(dailies_look=look), looks=Looks(), ledger=Ledger(), batches=[],
        s3=lambda: store,
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


class Seen:
    """What a look is given and said about, without a look: a picture is its bytes, and each clip is fine."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bought, self.sidecars = list[Bought](), list[tuple[Any, ...]]()
        monkeypatch.setattr(step, "look", self.look)
        monkeypatch.setattr(step, "image_grey", lambda content: content)
        monkeypatch.setattr(step, "keep_sidecars", lambda *told: self.sidecars.append(told))

    def look(self, path: Path, bought: Bought, stopped: Callable[[], bool]) -> Marks:
        assert path.read_bytes() == b"a clip" and stopped() is False
        self.bought.append(bought)
        return Marks()


def given(
    monkeypatch: pytest.MonkeyPatch,
    runtime: Any,
    folder: Path,
    audio: bool | None = None,
    prompt: str = "",
    **clip: Any,
) -> Seen:
    """What the look at one clip is given."""
    seen = Seen(monkeypatch)
    (folder / "clip.mp4").write_bytes(b"a clip")
    row = a_batch_row(1, State.STORED, prompt=prompt, clip=clip)
    start_look(runtime, row.attempts[0], row, folder / "clip.mp4", audio)
    anyio.run(runtime.looks.done, 60)
    runtime.looks.close()
    assert seen.sidecars == [(runtime.ledger, runtime.s3(), row.clip_key)]
    return seen


def compared(seen: Seen) -> tuple[object, object]:
    """The images that a look compares with."""
    (bought,) = seen.bought
    return bought.first, bought.last


@pytest.mark.parametrize(
    ("first", "last", "wanted"),
    [
        ("s3://bucket/first.png", "s3://bucket/last.png", (b"bucket/first.png", b"bucket/last.png")),
        ("s3://bucket/first.png", None, (b"bucket/first.png", None)),
        ("https://pictures.example/a.png", "https://pictures.example/b.png", (None, None)),
    ],
)
def test_a_look_compares_with_the_images_that_lie_in_s3(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    first: str,
    last: str | None,
    wanted: tuple[object, object],
) -> None:
    """What only an address knows is not fetched a second time, and that is no trouble."""
    caplog.set_level(logging.DEBUG, "dailies.look")
    runtime = runtime_of()
    runtime.s3().read = lambda bucket, key, most: f"{bucket}/{key}".encode()
    image, options = Image(first, 100, 100, "png"), {"last_image": last} if last else {}
    assert compared(given(monkeypatch, runtime, tmp_path, image=image, options=options)) == wanted
    assert caplog.messages == []


def test_a_look_compares_with_the_file_that_this_run_has_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever of its batches it was."""
    (tmp_path / "sent.png").write_bytes(b"as sent")
    sent = SimpleNamespace(path=tmp_path / "sent.png", sha256=hashlib.sha256(b"as sent").hexdigest())
    key = a_batch_row(1, prompt="").clip_key
    batches = [SimpleNamespace(plan=SimpleNamespace(files=files)) for files in ({}, {key: sent})]
    runtime = runtime_of()
    runtime.batches = batches
    assert compared(given(monkeypatch, runtime, tmp_path)) == (b"as sent", None)


def test_an_image_that_has_changed_is_not_compared_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """That is a line for who debugs."""
    caplog.set_level(logging.DEBUG, "dailies.look")
    (tmp_path / "sent.png").write_bytes(b"changed")
    sent = SimpleNamespace(path=tmp_path / "sent.png", sha256="0" * 64)
    runtime = runtime_of()
    runtime.batches = [SimpleNamespace(plan=SimpleNamespace(files={a_batch_row(1, prompt="").clip_key: sent}))]
    assert compared(given(monkeypatch, runtime, tmp_path)) == (None, None)
    (said,) = caplog.messages
    assert said.startswith("frames are not compared: ") and "sent.png" in said


@pytest.mark.parametrize("audio", [True, False, None])
def test_a_look_is_told_what_was_bought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, audio: bool | None) -> None:
    """Sound, and whether the prompt asks for cuts. Where nobody says whether there is sound, none is missed."""
    (bought,) = given(monkeypatch, runtime_of(), tmp_path, audio, prompt="a montage").bought
    assert (bought.audio, bought.cuts) == (audio is True, True)


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
    (said,) = caplog.messages
    assert said.startswith("row-01 · not looked at: ") and "none of the containers" in said


def test_a_download_that_is_gone_raises_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Delivery goes on."""
    caplog.set_level(logging.INFO, "dailies.look")
    assert look_at(runtime_of(), tmp_path / "clip.mp4", gone_at_once=False) == {}
    (said,) = caplog.messages
    assert said.startswith("row-01 · not looked at: ") and "clip.mp4" in said


def test_quick_looks_at_nothing(tmp_path: Path) -> None:
    """No link, no mark."""
    assert look_at(runtime_of("quick"), movie(tmp_path / "clip.mp4", pan(SCENE, 3))) == {}


def test_what_killed_looks_left_behind_is_removed_after_a_day(tmp_path: Path) -> None:
    """Those of living processes stay, and what another one removes meanwhile is in nobody's way."""
    old, young = tmp_path / f"old{ENDING}", tmp_path / f"young{ENDING}"
    (tmp_path / f"gone{ENDING}").symlink_to(tmp_path / "nowhere")
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
