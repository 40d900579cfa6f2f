"""Footage looked at: what is wrong gets its mark with its seconds, and clips that are fine get none. On real MP4s."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dailies.domain.marks import Kind, Mark, Marks
from dailies.media.footage import Bought, TookTooLong, image_grey, look
from dailies.media.likeness import likeness
from dailies.media.thresholds import THRESHOLDS
from dailies.media.video import BadVideo
from tests.unit.footage_files import HEIGHT, WIDTH, Picture, grainy, lit, movie, pan, png, scene, tone, window

SCENE = scene(1, WIDTH + 200, HEIGHT + 120)
FIRST = window(SCENE, 20, 20)
BOUGHT = Bought(first=image_grey(png(FIRST)), audio=True)
FRAMES = 60
SECONDS = FRAMES / 24


def panned(frames: int = FRAMES, px: float = 1.0) -> list[Picture]:
    return [*pan(SCENE, frames, px)]


def still(frames: int = FRAMES) -> Iterator[Picture]:
    return itertools.repeat(FIRST, frames)


def stars() -> Iterator[Picture]:
    sky = np.full((HEIGHT, WIDTH, 3), 4, np.uint8)
    random = np.random.default_rng(3)
    for y, x in zip(random.integers(0, HEIGHT - 3, 60), random.integers(0, WIDTH - 3, 60), strict=True):
        sky[y : y + 3, x : x + 3] = 200
    return (np.roll(sky, n, 1) for n in range(FRAMES))


def zoomed() -> Iterator[Picture]:
    return (window(SCENE, 20 + n, 20 + n * 0.6, 1 - n * 0.003) for n in range(FRAMES))


FINE: dict[str, Callable[[], Iterable[Picture]]] = {
    "a slow pan": panned,
    "a pan of a tenth of a pixel": lambda: panned(px=0.1),
    "a fast pan": lambda: panned(px=3),
    "a zoom": zoomed,
    "still, with grain": lambda: grainy(still(), 4),
    "a fade in of half a second": lambda: lit(panned(), lambda n: min(1, n / 12)),
    "a fade out of half a second": lambda: lit(panned(), lambda n: min(1, (FRAMES - 1 - n) / 12)),
    "half a second of black first": lambda: lit(panned(), lambda n: n >= 12),
    "night": lambda: lit(panned(), lambda _: 0.12),
    "the darkest night": lambda: lit(panned(), lambda _: 0.06),
    "stars": stars,
    "other colours": lambda: ((p * [0.8, 1, 0.7] + 15).astype(np.uint8) for p in panned()),
    "a crop to 88 %": lambda: (window(SCENE, 40 + n, 31, 0.88) for n in range(FRAMES)),
    "nothing in the picture": lambda: itertools.repeat(np.full((HEIGHT, WIDTH, 3), 120, np.uint8), FRAMES),
}


@pytest.mark.parametrize("name", FINE)
def test_a_clip_that_is_fine_has_no_mark(tmp_path: Path, name: str) -> None:
    """None of them is a false alarm."""
    clip = movie(tmp_path / "fine.mp4", FINE[name](), tone(SECONDS))
    bought = replace(BOUGHT, first=None) if name == "stars" else BOUGHT
    assert look(clip, bought).found == ()


BAD: dict[str, tuple[Callable[[], Iterable[Picture]], Kind, float, float]] = {
    "black first": (lambda: lit(panned(), lambda n: n >= 24), Kind.BLACK, 0, 1),
    "black last": (lambda: lit(panned(), lambda n: n < 36), Kind.BLACK, 1.5, SECONDS),
    "black between": (lambda: lit(panned(), lambda n: not 24 <= n < 36), Kind.BLACK, 1, 1.5),
    "all black": (lambda: lit(panned(), lambda _: 0), Kind.BLACK, 0, SECONDS),
    "frozen": (still, Kind.FROZEN, 0, SECONDS),
    "frozen at the end": (lambda: [*panned(24), *itertools.repeat(panned(24)[-1], 36)], Kind.FROZEN, 1, SECONDS),
    "a flash": (
        lambda: (np.full_like(p, 255) if n in (24, 25) else p for n, p in enumerate(panned())), Kind.CUT, 1, 26 / 24,
    ),
    "a black flash": (lambda: (p * 0 if n in (24, 25) else p for n, p in enumerate(panned())), Kind.CUT, 1, 26 / 24),
    "a cut": (lambda: [*panned(30), *pan(scene(2), 30)], Kind.CUT, 1.25, 1.25),
    "another picture": (lambda: pan(scene(3), FRAMES), Kind.FIRST_FRAME, 0, 0.1),
    "mirrored": (lambda: (p[:, ::-1] for p in panned()), Kind.FIRST_FRAME, 0, 0.1),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_marked_with_its_seconds(tmp_path: Path, name: str) -> None:
    """By one mark of the right kind, no later or earlier than two pictures."""
    pictures, kind, from_s, to_s = BAD[name]
    [mark] = look(movie(tmp_path / "bad.mp4", pictures(), tone(SECONDS)), BOUGHT).found
    assert mark.kind is kind
    assert (mark.from_s, mark.to_s) == pytest.approx((from_s, to_s), abs=0.1)


@pytest.mark.parametrize(
    ("sound", "kinds"),
    [
        (tone(SECONDS, 0.9), []),
        (np.concatenate((tone(0.8), 0 * tone(0.9), tone(0.8))), []),
        (0 * tone(SECONDS), [Kind.SILENT]),
        (np.concatenate((tone(0.3), 0 * tone(2.2))), [Kind.SILENT]),
        (None, [Kind.SILENT]),
        (tone(SECONDS, 4), [Kind.CLIPPED]),
    ],
    ids=["loud", "a pause", "silent", "silent after a while", "no track", "clipped"],
)
def test_sound_that_was_bought_is_listened_to(tmp_path: Path, sound: np.ndarray | None, kinds: list[Kind]) -> None:
    """Silence and clipping are marked; a pause and a loud tone are not."""
    clip = movie(tmp_path / "sound.mp4", panned(), sound)
    assert [mark.kind for mark in look(clip, BOUGHT).found] == kinds


def test_silence_is_fine_where_no_sound_was_bought(tmp_path: Path) -> None:
    """Only what was paid for is missed."""
    assert look(movie(tmp_path / "x.mp4", panned(), None), replace(BOUGHT, audio=False)) == Marks()


def test_a_cut_that_was_asked_for_is_none(tmp_path: Path) -> None:
    """A prompt may want it."""
    clip = movie(tmp_path / "x.mp4", [*panned(30), *pan(scene(2), 30)], tone(SECONDS))
    assert look(clip, replace(BOUGHT, cuts=True)) == Marks()


def test_the_last_frame_is_compared_where_one_was_given(tmp_path: Path) -> None:
    """With the picture that was to be the last."""
    pictures = panned()
    clip = movie(tmp_path / "x.mp4", pictures, tone(SECONDS))
    assert look(clip, replace(BOUGHT, last=image_grey(png(pictures[-1])))) == Marks()
    [mark] = look(clip, replace(BOUGHT, last=image_grey(png(window(scene(5), 0, 0))))).found
    assert mark.kind is Kind.LAST_FRAME and mark.from_s == pytest.approx(SECONDS, abs=0.2)


def test_a_look_ends_in_time_and_when_it_is_told_to(tmp_path: Path) -> None:
    """It says so, and marks nothing."""
    clip = movie(tmp_path / "x.mp4", panned(12))
    times = itertools.count(0.0, 50.0)
    with pytest.raises(TookTooLong):
        look(clip, BOUGHT, clock=lambda: next(times))
    with pytest.raises(TookTooLong):
        look(clip, BOUGHT, stopped=lambda: True)


def test_what_is_no_clip_is_not_looked_at(tmp_path: Path) -> None:
    """It is not called fine."""
    (tmp_path / "x.mp4").write_bytes(b"<html>")
    with pytest.raises(BadVideo):
        look(tmp_path / "x.mp4", BOUGHT)


def test_likeness_knows_one_picture_from_all_others() -> None:
    """The threshold lies well between."""
    pictures = [image_grey(png(window(scene(n), 20, 20))) for n in range(6)]
    others = [likeness(one, two) for one, two in itertools.permutations(pictures, 2)]
    cropped = [likeness(image_grey(png(window(scene(n), 40, 32, 0.8))), pictures[n]) for n in range(6)]
    assert max(others) < THRESHOLDS.likeness < min(cropped) - 0.2


def test_marks_survive_their_record() -> None:
    """What a later version calls by a name that is not known here is left out."""
    marks = Marks((Mark(Kind.BLACK, 0.0, 1.0, 1.0), Mark(Kind.CUT, 2.0, 2.0, 80.5)))
    later = {"kind": "jitter", "from_s": 0, "to_s": 1, "value": 1}
    assert Marks.of_record([*marks.record(), later]) == marks
    assert Marks.of_record(None) is None and Marks.of_record([]) == Marks()
    assert (str(marks), str(Marks())) == ("black 0.0-1.0 s; cut 2.0-2.0 s", "fine")
