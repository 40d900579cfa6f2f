"""Finished clips checked before they are stored: the boxes add up, pictures decode, and it is what was bought."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

DURATION_TOLERANCE_S = 0.5
DURATION_TOLERANCE = 0.10
"""Providers round to whole frames and groups of frames: half a second or a tenth, whichever is more, is no fault."""
ASPECT_TOLERANCE = 0.03
"""Frame sides are multiples of 16: 854x480 and 848x480 both pass for 16:9."""
AREA_TOLERANCE = 0.10
"""How much smaller the area of a size class may come out: sides are multiples of 16 in both directions."""
FPS_TOLERANCE = 0.02
"""29.97 frames per second are 30; 24 are not 25."""
TAIL_S = 1.0
"""How much of the clip's end is decoded; it starts at the key frame before, so often it is more."""
FIRST_FRAMES = 3


class BadVideo(Exception):
    """A file that is no usable clip; the text is the reason."""


class CutShort(BadVideo):
    """The end of the file is missing: download it again."""


class NotAnMp4(BadVideo):
    """The file is something else, or has no pictures in it."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """A clip as a player shows it: pixels after rotation, seconds, bytes."""

    width: int
    height: int
    duration_s: float
    has_audio: bool
    video_codec: str
    size_bytes: int
    fps: float | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was bought, as far as it is known; None means anything goes."""

    width: int | None = None
    height: int | None = None
    short_side_px: int | None = None
    aspect_ratio: str | None = None
    duration_s: float | None = None
    audio: bool | None = None
    fps: float | None = None


def check_boxes(path: Path) -> None:
    """Check that an MP4's boxes (ISO/IEC 14496-12) add up to the file's length; raises CutShort or NotAnMp4.

    `ftyp` comes first, `moov` and `mdat` are present. Reads a few bytes per box, whatever the file's size.
    """
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        kinds = list(_boxes(file, size_bytes))
    missing = [name for name in ("moov", "mdat") if name.encode() not in kinds]
    if missing:
        raise NotAnMp4(f"an MP4 without {' and '.join(missing)}")


def inspect(path: Path) -> VideoFacts:
    """Check the boxes, decode the first and last pictures, and say what the clip is; raises BadVideo."""
    check_boxes(path)
    try:
        # `file:` and the fixed format keep a hostile name or file from being taken for a URL or a playlist.
        with av.open(f"file:{path}", format="mp4") as container:
            if not container.streams.video:
                raise NotAnMp4("an MP4 without pictures")
            stream = container.streams.video[0]
            decoder: VideoCodecContext | None = stream.codec_context
            if decoder is None:
                raise BadVideo("its pictures are in a format that nobody here can decode")
            decoder.thread_count = 1  # as many clips are checked at once as there are cores
            return _facts(container, stream, path.stat().st_size)
    except (av.FFmpegError, ValueError, OverflowError, EOFError) as error:
        raise BadVideo(f"the pictures can't be decoded ({error})") from error


def mismatches(facts: VideoFacts, wanted: Wanted) -> tuple[str, ...]:
    """Name each way in which a clip is not what was bought; empty when it is."""
    found = (_size(facts, wanted), _short_side(facts, wanted), _aspect(facts, wanted), _duration(facts, wanted))
    return tuple(sentence for sentence in (*found, _audio(facts, wanted), _fps(facts, wanted)) if sentence)


def _boxes(file: BinaryIO, size_bytes: int) -> Iterator[bytes]:
    at = 0
    while at < size_bytes or at == 0:
        file.seek(at)
        head = file.read(16)
        if at == 0 and not b"ftyp".startswith(head[4:8]):
            raise NotAnMp4("not an MP4: it doesn't begin with ftyp")
        if len(head) < 8:
            raise CutShort(f"cut short at {size_bytes} bytes" if size_bytes else "an empty file")
        length, kind = struct.unpack_from(">I4s", head)
        header = 8
        if length == 1:  # too long for 32 bits: the length follows the name
            if len(head) < 16:
                raise CutShort(f"cut short at {size_bytes} bytes")
            (length,), header = struct.unpack_from(">Q", head, 8), 16
        elif length == 0:  # to the end of the file
            length = size_bytes - at
        if length < header:
            raise NotAnMp4(f"a broken MP4: box {kind!r} at byte {at} has length {length}")
        if at + length > size_bytes:
            raise CutShort(f"cut short: {size_bytes} bytes where box {kind!r} ends at {at + length}")
        yield kind
        at += length


def _facts(container: InputContainer, stream: VideoStream, size_bytes: int) -> VideoFacts:
    first = _first_frame(container, stream)
    duration_s = _duration_s(container, stream)
    _decode_tail(container, stream, duration_s)
    width, height = (first.height, first.width) if first.rotation % 180 else (first.width, first.height)
    codec = stream.codec_context.name
    fps = float(stream.average_rate) if stream.average_rate else None
    return VideoFacts(width, height, duration_s, bool(container.streams.audio), codec, size_bytes, fps)


def _first_frame(container: InputContainer, stream: VideoStream) -> VideoFrame:
    first: VideoFrame | None = None
    for count, frame in enumerate(container.decode(stream), start=1):
        first = first or frame
        if count == FIRST_FRAMES:
            break
    if first is None:
        raise BadVideo("no picture can be decoded")
    return first


def _decode_tail(container: InputContainer, stream: VideoStream, duration_s: float) -> None:
    """Decode from the last key frame before the final second, and expect the last picture to be near the end."""
    container.seek(int(max(duration_s - TAIL_S, 0) * av.time_base))
    last_s = -math.inf
    for frame in container.decode(stream):
        last_s = max(last_s, frame.time or 0.0)
    if last_s < duration_s - max(TAIL_S, DURATION_TOLERANCE * duration_s):
        raise BadVideo(f"{duration_s:.1f} s long, but its pictures end at {max(last_s, 0):.1f} s")


def _duration_s(container: InputContainer, stream: VideoStream) -> float:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    if container.duration is not None:
        return container.duration / av.time_base
    raise BadVideo("it doesn't say how long it is")


def _size(facts: VideoFacts, wanted: Wanted) -> str | None:
    wrong_w = wanted.width is not None and facts.width != wanted.width
    wrong_h = wanted.height is not None and facts.height != wanted.height
    if not wrong_w and not wrong_h:
        return None
    asked = f"{wanted.width or 'any'}x{wanted.height or 'any'}"
    return f"asked for {asked}, got {facts.width}x{facts.height}"


def _short_side(facts: VideoFacts, wanted: Wanted) -> str | None:
    if wanted.short_side_px is None:
        return None
    short = min(facts.width, facts.height)
    # More is no fault. Some models keep the area of a 16:9 picture instead: 960x416 is a 480p of 21:9.
    area = wanted.short_side_px**2 * 16 / 9
    if short >= wanted.short_side_px * (1 - ASPECT_TOLERANCE) or facts.width * facts.height >= area * (
        1 - AREA_TOLERANCE
    ):
        return None
    return f"asked for {wanted.short_side_px}p, got {short}p ({facts.width}x{facts.height})"


def _aspect(facts: VideoFacts, wanted: Wanted) -> str | None:
    across, _, down = (wanted.aspect_ratio or "").partition(":")
    try:
        asked = float(across) / float(down)
    except (ValueError, ZeroDivisionError):  # none, `auto`, `adaptive`: the model chooses
        return None
    if abs(facts.width / facts.height - asked) <= ASPECT_TOLERANCE * asked:
        return None
    return f"asked for {wanted.aspect_ratio}, got {facts.width}x{facts.height}"


def _duration(facts: VideoFacts, wanted: Wanted) -> str | None:
    if wanted.duration_s is None:
        return None
    tolerance_s = max(DURATION_TOLERANCE_S, DURATION_TOLERANCE * wanted.duration_s)
    if abs(facts.duration_s - wanted.duration_s) <= tolerance_s + 1e-9:
        return None
    return f"asked for {wanted.duration_s:g} s, got {facts.duration_s:.1f} s"


def _audio(facts: VideoFacts, wanted: Wanted) -> str | None:
    if wanted.audio is None or wanted.audio == facts.has_audio:
        return None
    return "asked for sound, got none" if wanted.audio else "asked for no sound, got some"


def _fps(facts: VideoFacts, wanted: Wanted) -> str | None:
    if wanted.fps is None or facts.fps is None or abs(facts.fps - wanted.fps) <= FPS_TOLERANCE * wanted.fps:
        return None
    return f"asked for {wanted.fps:g} frames per second, got {facts.fps:.4g}"
