"""A clip's footage looked at as a person would, by one decode of all of it: what is wrong, when, and how much."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from PIL import Image, ImageOps

from dailies.domain.marks import Kind, Mark, Marks
from dailies.media.likeness import Grey, likeness, spread
from dailies.media.sound import Sound
from dailies.media.spans import black_marks, clipped_marks, cut_marks, frozen_marks, silent_marks
from dailies.media.thresholds import THRESHOLDS, Thresholds
from dailies.media.video import BadVideo, demuxer
from dailies.media.watching import Watching

SMALL_PX = 160
"""The long side on which pictures are measured: large enough for a face in the distance, and a hundredth of the work."""


class TookTooLong(Exception):
    """The time for one look was over before the clip was."""


@dataclass(frozen=True, slots=True)
class Bought:
    """What a look compares with, as far as it is known: the images that were sent, whether sound was bought, and whether
    cuts were asked for."""

    first: Grey | None = None
    last: Grey | None = None
    audio: bool = False
    cuts: bool = False


def look(
    path: Path,
    bought: Bought,
    limits: Thresholds = THRESHOLDS,
    stopped: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> Marks:
    """Decode all of a clip once and mark what a person should see. Blocks. Raises BadVideo where nothing decodes, and
    TookTooLong past `limits.most_s` or when `stopped` says so."""
    ends = clock() + limits.most_s
    watching, sound, small = Watching(limits), Sound(limits), Small()
    try:
        with av.open(f"file:{path}", format=demuxer(path)) as container:
            for frame in _frames(container):
                if clock() > ends or stopped():
                    raise TookTooLong(f"a look at {path.name} was given up")
                if isinstance(frame, AudioFrame):
                    sound.take(frame)
                else:
                    watching.take(frame.time or 0.0, small.grey(frame), small.single_pixels(frame), _duration_s(frame))
    except (av.FFmpegError, ValueError, OverflowError, EOFError) as error:
        raise BadVideo(f"the pictures can't be decoded ({error})") from error
    if not watching.at_s:
        raise BadVideo("there are no pictures in it")
    return Marks(tuple(sorted(_marks(watching, sound, bought, limits), key=lambda mark: (mark.from_s, mark.kind))))


def image_grey(content: bytes) -> Grey:
    """An image as it is compared with frames: upright, transparency over white, small. Raises what Pillow raises."""
    with Image.open(BytesIO(content), formats=("PNG", "JPEG", "WEBP")) as opened:
        opened.draft("L", (4 * SMALL_PX, 4 * SMALL_PX))
        upright = ImageOps.exif_transpose(opened).convert("RGBA")
        upright.thumbnail((2 * SMALL_PX, 2 * SMALL_PX), Image.Resampling.BOX)
        white = Image.new("RGBA", upright.size, "white")
        return np.asarray(Image.alpha_composite(white, upright).convert("L"), dtype=np.float32)


class Small:
    """Draws pictures small, one clip's: what it needs for a size is made once."""

    def __init__(self) -> None:
        self._averaging, self._picking = VideoReformatter(), VideoReformatter()

    def grey(self, frame: VideoFrame) -> Grey:
        """A frame as it is measured: upright, small, brightness alone."""
        small = _scaled(self._averaging, frame, "AREA")
        return np.ascontiguousarray(np.rot90(small, round(frame.rotation / 90)))

    def single_pixels(self, frame: VideoFrame) -> Grey:
        """The same with nothing averaged: grain, by which a picture that stands still differs from one that is repeated."""
        return _scaled(self._picking, frame, "POINT")


def _scaled(reformatter: VideoReformatter, frame: VideoFrame, how: str) -> Grey:
    scale = min(1.0, SMALL_PX / max(frame.width, frame.height))
    width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
    return reformatter.reformat(frame, width, height, "gray", interpolation=how).to_ndarray().astype(np.float32)


def _frames(container: InputContainer) -> Iterator[VideoFrame | AudioFrame]:
    video = container.streams.video[:1]
    for stream in video:
        stream.codec_context.thread_count = 1  # a look is in no hurry: what is bought comes first
        # Pictures that no other one is made of may keep the edges of their blocks, which a hundredth of their size doesn't show.
        stream.codec_context.options = {"skip_loop_filter": "noref"}
    for frame in container.decode(*video, *container.streams.audio[:1]):
        if isinstance(frame, VideoFrame | AudioFrame):
            yield frame


def _duration_s(frame: VideoFrame) -> float:
    return float(frame.duration * frame.time_base) if frame.duration and frame.time_base else 0.0


def _marks(watching: Watching, sound: Sound, bought: Bought, limits: Thresholds) -> Iterator[Mark]:
    seen = watching.seen()
    yield from black_marks(seen, limits)
    yield from frozen_marks(seen, limits)
    if not bought.cuts:
        yield from cut_marks(seen, limits)
    loudness, shares = sound.heard()
    if bought.audio:
        heard = loudness if len(loudness) else np.zeros(1 + int(seen.end_s / limits.window_s), dtype=np.float32)
        yield from silent_marks(heard, seen.end_s, limits)
    yield from clipped_marks(shares, limits)
    yield from _unlike(Kind.FIRST_FRAME, bought.first, watching.opening, limits)
    yield from _unlike(Kind.LAST_FRAME, bought.last, watching.closing(), limits)


def _unlike(kind: Kind, image: Grey | None, frames: list[tuple[float, Grey]], limits: Thresholds) -> Iterator[Mark]:
    """A mark where the image that was sent is none of the frames that it may be. The value is the best likeness."""
    told = [(at_s, frame) for at_s, frame in frames if spread(frame) >= limits.flat]
    if image is None or spread(image) < limits.flat or not told:
        return
    best_s, best = 0.0, -1.0
    for at_s, frame in told:
        value = likeness(frame, image, limits.likeness)
        if value >= limits.likeness:
            return
        if value > best:
            best_s, best = at_s, value
    yield Mark(kind, round(best_s, 3), round(best_s, 3), round(best, 4))
