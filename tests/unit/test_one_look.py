"""One pass over a clip before it is stored: what is missing is noticed wherever it is, and hardly a picture is decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import pytest

from dailies.media import video
from dailies.media.posters import Still
from dailies.media.samples import Units
from dailies.media.video import FEW, BadVideo, inspect
from dailies.media.wholeness import Grade, judge
from tests.unit.video_files import boxes, clip

PLACES = [at / 24 for at in range(1, 24)]


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Clips of two seconds, H.264 with one key frame and with several, HEVC, and MPEG-4, which only decoding judges."""
    folder = tmp_path_factory.mktemp("forms")
    many = {"movflags": "faststart"}
    return {
        "one key frame": clip(folder / "one.mp4", codec="libx264").read_bytes(),
        "index first": clip(folder / "first.mp4", codec="libx264", options=many).read_bytes(),
        "hevc": clip(folder / "hevc.mp4", codec="libx265", frames=24).read_bytes(),
        "mpeg4": clip(folder / "mpeg4.mp4", audio=True).read_bytes(),
    }


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by each picture that `_decode_tail` decodes."""
    counts: list[int] = []
    tail = video._decode_tail

    def counted(*given: Any) -> float:
        counts.append(1)
        return tail(*given)

    monkeypatch.setattr(video, "_decode_tail", counted)
    return counts


@pytest.mark.parametrize("form", ["one key frame", "index first", "hevc", "mpeg4"])
def test_a_clip_cut_anywhere_is_noticed(tmp_path: Path, forms: dict[str, bytes], form: str) -> None:
    """By its boxes."""
    whole = forms[form]
    inspect(boxes(tmp_path, whole))
    for place in PLACES:
        assert judge(boxes(tmp_path, whole[: int(len(whole) * place)]), None).grade <= Grade.CUT, place


@pytest.mark.parametrize("form", ["one key frame", "index first", "hevc"])
def test_a_hole_anywhere_is_noticed_without_decoding(
    tmp_path: Path, forms: dict[str, bytes], form: str, decoded: list[int]
) -> None:
    """Its boxes add up all the same: a part that never came, or a disk that forgot it."""
    whole = forms[form]
    start, length = _pictures(whole)
    for place in PLACES:
        at = start + int(length * place)
        with pytest.raises(BadVideo, match=r"zeros|missing"):
            inspect(boxes(tmp_path, whole[:at] + bytes(200) + whole[at + 200 :]))
    assert not decoded


@pytest.mark.parametrize("form", ["one key frame", "index first", "hevc"])
def test_bytes_that_were_left_out_are_noticed(tmp_path: Path, forms: dict[str, bytes], form: str) -> None:
    """Everything after them stands at another place than the index says."""
    whole = forms[form]
    start, length = _pictures(whole)
    for place in PLACES[:-1]:
        at = start + int(length * place)
        with pytest.raises(BadVideo):
            inspect(boxes(tmp_path, whole[:at] + whole[at + 7 : start + length] + b"1234567" + whole[start + length :]))


def test_a_clip_of_one_key_frame_has_one_picture_decoded(
    tmp_path: Path, forms: dict[str, bytes], decoded: list[int]
) -> None:
    """And the poster is of that one."""
    taken: list[float] = []
    still = Still()

    def take(frame: av.VideoFrame) -> bool:
        taken.append(frame.time or 0.0)
        return still.take(frame)

    facts = inspect(boxes(tmp_path, forms["one key frame"]), take)
    assert (taken, decoded) == ([0.0], [])
    assert facts.duration_s == pytest.approx(2.0, abs=0.05)
    assert still.webp().startswith(b"RIFF")


def test_the_end_is_decoded_where_its_key_frame_is_near(tmp_path: Path, decoded: list[int]) -> None:
    """Or nothing but decoding can tell."""
    inspect(clip(tmp_path / "near.mp4", codec="libx264", frames=FEW))
    assert decoded == [1]
    inspect(clip(tmp_path / "mpeg4.mp4"))
    assert decoded == [1, 1]


def test_pictures_that_begin_dark_are_decoded_until_one_shows_something(tmp_path: Path) -> None:
    """In their order, although the first one was decoded alone."""
    times: list[float] = []

    def take(frame: av.VideoFrame) -> bool:
        times.append(round(frame.time or 0.0, 3))
        return len(times) == 6

    inspect(clip(tmp_path / "dark.mp4", codec="libx264"), take)
    assert times == [0.0, *(round(n / 24, 3) for n in range(5))]


@pytest.mark.parametrize(
    ("codec", "configuration", "length_bytes"),
    [
        ("h264", b"\1\x64\0\x1f\xff\xe1", 4),
        ("h264", b"\1\x64\0\x1f\xfd\xe1", 2),
        ("hevc", b"\1" + bytes(20) + b"\x0f\0", 4),
        ("h264", b"\0\0\0\1\x67", None),
        ("h264", None, None),
        ("h264", b"\1\x64", None),
        ("av1", b"\x81\0\0\0\0", None),
    ],
)
def test_how_samples_are_divided(codec: str, configuration: bytes | None, length_bytes: int | None) -> None:
    """As the decoder's configuration says; None where a track has no lengths."""
    units = Units.of(codec, configuration)
    assert (units.length_bytes if units else None) == length_bytes


def _pictures(whole: bytes) -> tuple[int, int]:
    """Where the box of samples begins and how long it is."""
    at = whole.index(b"mdat") + 4
    return at, int.from_bytes(whole[at - 8 : at - 4], "big") - 8
