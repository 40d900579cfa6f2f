"""Clips checked as files, as pictures, and against what was bought; and the stills cut from them."""

from __future__ import annotations

import io
import struct
from contextlib import suppress
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from dailies.media.posters import poster
from dailies.media.video import (
    BadVideo,
    VideoFacts,
    Wanted,
    inspect,
    mismatches,
)
from dailies.media.wholeness import Grade, judge
from tests.unit.video_files import FTYP, boxes, clip


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clip(tmp_path_factory.mktemp("clips") / "good.mp4")


@settings(deadline=None)
@given(content=st.binary(max_size=200), ftyp=st.booleans())
def test_random_bytes_are_a_bad_video_and_nothing_worse(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, ftyp: bool
) -> None:
    with pytest.raises(BadVideo):
        inspect(boxes(tmp_path_factory.getbasetemp(), (FTYP if ftyp else b"") + content))


def test_a_clip_tells_its_size_duration_and_bytes(good: Path) -> None:
    facts = inspect(good)
    assert (facts.width, facts.height, facts.has_audio) == (128, 72, False)
    assert facts.duration_s == pytest.approx(2.0, abs=0.05)
    assert facts.size_bytes == good.stat().st_size


def test_a_track_that_tells_no_duration_is_as_long_as_the_file_or_its_pictures(good: Path, tmp_path: Path) -> None:
    """Zero in `mdhd` is what some writers leave; zero in `mvhd` and `tkhd` too."""
    content = bytearray(good.read_bytes())
    for kinds in ((b"mdhd",), (b"mvhd",), (b"mdhd", b"mvhd", b"tkhd")):
        changed = bytearray(content)
        for kind in kinds:
            at = changed.index(kind) + 4  # version and flags, created, modified, then by kind
            start = at + (20 if kind == b"tkhd" else 16)
            changed[start : start + 4] = bytes(4)
        facts = inspect(boxes(tmp_path, bytes(changed)))
        assert facts.duration_s == pytest.approx(2.0, abs=0.1), kinds
        assert judge(tmp_path / "boxes.mp4", None).grade is Grade.WHOLE


def test_a_clip_with_sound_tells_so(tmp_path: Path) -> None:
    assert inspect(clip(tmp_path / "loud.mp4", audio=True)).has_audio


def test_a_fragmented_clip_and_one_of_a_single_picture_are_good(tmp_path: Path) -> None:
    fragmented = clip(tmp_path / "parts.mp4", options={"movflags": "frag_keyframe+empty_moov"})
    assert inspect(fragmented).duration_s == pytest.approx(2.0, abs=0.1)
    assert inspect(clip(tmp_path / "one.mp4", frames=1)).width == 128


def test_a_clip_turned_by_its_player_has_the_size_it_is_shown_in(tmp_path: Path) -> None:
    facts = inspect(turned := clip(tmp_path / "turned.mp4", rotation=90))
    assert (facts.width, facts.height) == (72, 128)
    assert Image.open(io.BytesIO(poster(turned))).size == (72, 128)


def test_a_name_that_looks_like_a_url_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert inspect(clip(tmp_path / "concat:http:a|b.mp4")).width == 128


def test_whole_boxes_around_pictures_of_zeros_are_a_bad_video(good: Path, tmp_path: Path) -> None:
    content = bytearray(good.read_bytes())
    start = content.index(b"mdat") + 4
    length = struct.unpack_from(">I", content, start - 8)[0] - 8
    content[start : start + length] = bytes(length)
    with pytest.raises(BadVideo):
        inspect(boxes(tmp_path, bytes(content)))


def test_a_clip_whose_pictures_end_long_before_its_duration_is_a_bad_video(tmp_path: Path) -> None:
    content = bytearray(clip(tmp_path / "long.mp4", frames=120).read_bytes())
    start = content.index(b"mdat") + 4
    length = struct.unpack_from(">I", content, start - 8)[0] - 8
    content[start + length // 3 : start + length] = bytes(length - length // 3)
    with pytest.raises(BadVideo):
        inspect(boxes(tmp_path, bytes(content)))


def test_a_clip_in_a_format_that_nobody_knows_is_a_bad_video(good: Path, tmp_path: Path) -> None:
    unknown = tmp_path / "unknown.mp4"
    unknown.write_bytes(good.read_bytes().replace(b"mp4v", b"zzz9").replace(b"esds", b"zzzz"))
    with pytest.raises(BadVideo, match="decode"):
        inspect(unknown)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_clip_is_inspected_or_a_bad_video(
    good: Path, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(good.read_bytes())
    for _ in range(data.draw(st.integers(1, 20))):
        content[data.draw(st.integers(len(content) - 2000, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = boxes(tmp_path_factory.getbasetemp(), bytes(content))
    for look in (inspect, poster):
        with suppress(BadVideo):
            look(path)


def test_sound_without_pictures_is_not_a_clip(tmp_path: Path) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype="float32"), format="fltp", layout="mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(BadVideo, match="no pictures"):
        inspect(path)
    with pytest.raises(BadVideo):
        poster(path)


FACTS = VideoFacts(720, 1280, 4.3, False, 10**6)


@pytest.mark.parametrize(
    ("wanted", "sentences"),
    [
        (Wanted(), ()),
        (Wanted(720, 1280, 720, "9:16", 4, False), ()),
        (Wanted(1280, 720), ("asked for 1280x720, got 720x1280",)),
        (Wanted(width=1080), ("asked for 1080xany, got 720x1280",)),
        (Wanted(short_side_px=1080), ("asked for 1080p, got 720p (720x1280)",)),
        (Wanted(short_side_px=480), ()),
        (Wanted(aspect_ratio="16:9"), ("asked for 16:9, got 720x1280",)),
        (Wanted(aspect_ratio="auto"), ()),
        (Wanted(aspect_ratio="1:0"), ()),
        (Wanted(duration_s=4), ()),
        (Wanted(duration_s=3.8), ()),
        (Wanted(duration_s=8), ("asked for 8 s, got 4.3 s",)),
        (Wanted(audio=True), ("asked for sound, got none",)),
        (Wanted(1280, 720, duration_s=8), ("asked for 1280x720, got 720x1280", "asked for 8 s, got 4.3 s")),
    ],
)
def test_each_way_in_which_a_clip_is_not_what_was_bought_is_one_sentence(
    wanted: Wanted, sentences: tuple[str, ...]
) -> None:
    assert mismatches(FACTS, wanted) == sentences


def test_tolerances_are_half_a_second_or_a_tenth_and_three_percent() -> None:
    def facts(duration_s: float, width: int = 854) -> VideoFacts:
        return VideoFacts(width, 480, duration_s, True, 1)

    assert not mismatches(facts(3.5), Wanted(duration_s=4)) and mismatches(facts(3.4), Wanted(duration_s=4))
    assert not mismatches(facts(11), Wanted(duration_s=10)) and mismatches(facts(11.1), Wanted(duration_s=10))
    assert not mismatches(facts(1, 832), Wanted(aspect_ratio="16:9"))
    assert mismatches(facts(1, 820), Wanted(aspect_ratio="16:9"))
    assert mismatches(facts(1), Wanted(audio=False)) == ("asked for no sound, got some",)


def brightness(webp: bytes) -> float:
    return float(np.asarray(Image.open(io.BytesIO(webp)).convert("L")).mean())


def test_a_poster_is_a_small_webp_of_the_first_picture_that_shows_something(tmp_path: Path) -> None:
    still = poster(clip(tmp_path / "fade.mp4", 640, 360, black=12))
    image = Image.open(io.BytesIO(still))
    assert (image.format, image.size) == ("WEBP", (480, 270))
    assert brightness(still) > 60


def test_a_clip_that_shows_nothing_has_its_first_picture_as_poster(tmp_path: Path) -> None:
    assert brightness(poster(clip(tmp_path / "black.mp4", frames=12, black=12))) < 5


def test_pictures_after_two_seconds_are_not_looked_for(tmp_path: Path) -> None:
    assert brightness(poster(clip(tmp_path / "late.mp4", frames=80, black=60))) < 5


def test_a_poster_of_what_is_no_clip_is_a_bad_video(tmp_path: Path) -> None:
    with pytest.raises(BadVideo):
        poster(boxes(tmp_path, b"hello"))
