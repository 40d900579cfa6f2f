"""Finished clips looked at before they are stored, in one pass: nothing is missing, pictures decode, and it is what was bought."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from dailies.media.containers import DEMUXERS, HEAD_BYTES, container_of
from dailies.media.samples import Units

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
"""How far before its told end a clip's last picture may be. Where only decoding tells what is there, this much of the end is
decoded, from the key frame before."""
FEW = 12
"""The pictures from the last key frame on are decoded where they are no more: half a second's work is too much for one look."""

Takes = Callable[[VideoFrame], bool]
"""Is handed a clip's pictures from the first on, and says when it needs no more."""


class BadVideo(Exception):
    """A file that is no usable clip; the text is the reason."""


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """A clip as a player shows it: pixels after rotation, seconds, bytes."""

    width: int
    height: int
    duration_s: float
    has_audio: bool
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


def inspect(path: Path, takes: Takes = lambda _first: True) -> VideoFacts:
    """Go through all samples, decode the first picture and as many more as `takes` asks for, and say what the clip is.

    Raises BadVideo; `takes` may have had pictures before.
    """
    try:
        # `file:` and the fixed format keep a hostile name or file from being taken for a URL or a playlist.
        with av.open(f"file:{path}", format=demuxer(path)) as container:
            if not container.streams.video:
                raise BadVideo("there are no pictures in it")
            stream = container.streams.video[0]
            decoder: VideoCodecContext | None = stream.codec_context
            if decoder is None:
                raise BadVideo("its pictures are in a format that nobody here can decode")
            decoder.thread_count = 1  # as many clips are checked at once as there are cores
            return _facts(container, stream, path.stat().st_size, takes)
    except (av.FFmpegError, ValueError, OverflowError, EOFError) as error:
        raise BadVideo(f"the pictures can't be decoded ({error})") from error


def demuxer(path: Path) -> str:
    """FFmpeg's name for the container that a file's first bytes announce; raises BadVideo for none."""
    with path.open("rb") as file:
        container = container_of(file.read(HEAD_BYTES))
    if container is None:
        raise BadVideo("it is none of the containers of video")
    return DEMUXERS[container]


def mismatches(facts: VideoFacts, wanted: Wanted) -> tuple[str, ...]:
    """Name each way in which a clip is not what was bought; empty when it is."""
    found = (_size(facts, wanted), _short_side(facts, wanted), _aspect(facts, wanted), _duration(facts, wanted))
    return tuple(sentence for sentence in (*found, _audio(facts, wanted), _fps(facts, wanted)) if sentence)


def _facts(container: InputContainer, stream: VideoStream, size_bytes: int, takes: Takes) -> VideoFacts:
    first = _first_pictures(container, stream, takes)
    told_s = _told_duration_s(container, stream)
    shown_s = _through_all_samples(container, stream, told_s or 0.0)
    duration_s = told_s or shown_s
    width, height = (first.height, first.width) if first.rotation % 180 else (first.width, first.height)
    fps = float(stream.average_rate) if stream.average_rate else None
    return VideoFacts(width, height, duration_s, bool(container.streams.audio), size_bytes, fps)


def _first_pictures(container: InputContainer, stream: VideoStream, takes: Takes) -> VideoFrame:
    """The first picture; decoding goes on while `takes` wants more."""
    lone = _lone_picture(container, stream)
    if lone is not None and takes(lone):
        return lone
    first: VideoFrame | None = None
    container.seek(0)
    for frame in container.decode(stream):
        first = first or frame
        if takes(frame):
            break
    if first is None:
        raise BadVideo("no picture can be decoded")
    return first


def _lone_picture(container: InputContainer, stream: VideoStream) -> VideoFrame | None:
    """The first picture without those that a decoder reads beside it to find out their order; None where it won't come so."""
    packet = next(container.demux(stream))
    try:
        for frame in [*stream.decode(packet), *stream.decode(None)]:
            frame.time_base = packet.time_base  # which is not told to what comes at the end
            return frame
    except av.FFmpegError:
        pass
    return None


def _through_all_samples(container: InputContainer, stream: VideoStream, told_s: float) -> float:
    """See that every sample is whole, and the last picture near the told end. Returns that picture's end, in seconds.

    What can't be seen from the samples is decoded, from the last key frame before the final second on; all of it, where no
    length is told.
    """
    units = Units.of(stream.codec_context.name, stream.codec_context.extradata)
    if units is None:
        return _decode_tail(container, stream, told_s - TAIL_S, told_s)
    last_s, key_s, behind_key = -math.inf, 0.0, 0
    container.seek(0)
    for packet in container.demux(stream):
        if not packet.size:
            continue
        at_s = _shown_at_s(packet)
        wrong = "bytes of a picture are missing" if packet.is_corrupt else units.wrong(bytes(packet))
        if wrong:
            raise BadVideo(f"{wrong}, at {max(at_s, 0):.1f} s")
        last_s = max(last_s, at_s)
        key_s, behind_key = (at_s, 1) if packet.is_keyframe else (key_s, behind_key + 1)
    if math.isinf(last_s):  # nothing says when its pictures are shown
        return _decode_tail(container, stream, told_s - TAIL_S, told_s)
    return _decode_tail(container, stream, key_s, told_s) if behind_key <= FEW else _end_s(stream, last_s, told_s)


def _shown_at_s(packet: Packet[VideoStream]) -> float:
    moment = packet.pts if packet.pts is not None else packet.dts
    return float(moment * packet.time_base) if moment is not None and packet.time_base else -math.inf


def _decode_tail(container: InputContainer, stream: VideoStream, from_s: float, told_s: float) -> float:
    container.seek(int(max(from_s, 0) * av.time_base))
    last_s = -math.inf
    for frame in container.decode(stream):
        last_s = max(last_s, frame.time or 0.0)
    return _end_s(stream, last_s, told_s)


def _end_s(stream: VideoStream, last_s: float, told_s: float) -> float:
    """When the last picture ends. Raises BadVideo where that is long before the told end."""
    if last_s < told_s - max(TAIL_S, DURATION_TOLERANCE * told_s):
        raise BadVideo(f"{told_s:.1f} s long, but its pictures end at {max(last_s, 0):.1f} s")
    return max(last_s, 0.0) + (float(1 / stream.average_rate) if stream.average_rate else 0.0)


def _told_duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    """The duration that the track tells, else the file; zero is what some writers leave where they tell nothing."""
    if stream.duration and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return container.duration / av.time_base if container.duration else None


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
    area = wanted.short_side_px**2 * 16 / 9 * (1 - AREA_TOLERANCE)
    if short >= wanted.short_side_px * (1 - ASPECT_TOLERANCE) or facts.width * facts.height >= area:
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
