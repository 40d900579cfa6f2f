"""A batch as a timeline for editors: OpenTimelineIO by its own library, and the EDL of CMX 3600 by its adapter (the extra `otio`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from dailies.domain.text import whole_letters
from dailies.errors import Misconfigured
from dailies.report.handover import Handed

USUAL_FPS: Final = 24.0
LOWEST_FPS: Final = 24000 / 1001
"""The lowest rate that time code knows."""
ADAPTERS: Final = {"otio": "otio_json", "edl": "cmx_3600"}


@dataclass(frozen=True, slots=True)
class Media:
    """A clip's file as the timeline needs it; `path` goes out from the timeline's folder."""

    path: str
    fps: float
    duration_s: float


def require_library() -> Any:
    """OpenTimelineIO; raises Misconfigured where the extra is not installed."""
    try:
        import opentimelineio
    except ImportError as error:
        raise Misconfigured("this needs the extra `otio`: pip install 'dailies-video[otio]'") from error
    return opentimelineio


def timeline_text(title: str, clips: Sequence[tuple[Handed, Media | None]], kind: str) -> str:
    """One video track with the clips one after another, whole; what has no media is offline, at its ordered length.

    An EDL has one rate: the one that most clips have, as near as time code knows it. Raises Misconfigured.
    """
    otio = require_library()
    rates = Counter(media.fps for _, media in clips if media)
    usual = rates.most_common(1)[0][0] if rates else USUAL_FPS
    rate = otio.opentime.RationalTime.nearest_smpte_timecode_rate(max(usual, LOWEST_FPS)) if kind == "edl" else None
    title = whole_letters(title)
    timeline, track = otio.schema.Timeline(title), otio.schema.Track(title, kind=otio.schema.TrackKind.Video)
    timeline.tracks.append(track)
    for one, media in clips:
        track.append(_clip(otio, one, media, rate))
    options = {"rate": rate} if rate else {}
    return str(otio.adapters.write_to_string(timeline, ADAPTERS[kind], **options))


def _clip(otio: Any, one: Handed, media: Media | None, rate: float | None) -> Any:
    """A clip in whole pictures of its own rate, or of the `rate` that all have: else an EDL's times would not add up."""
    line = one.line
    fps = rate or (media.fps if media else USUAL_FPS)
    length_s = media.duration_s if media else float(line.duration_s or 1)
    range_ = otio.opentime.TimeRange(
        otio.opentime.RationalTime(0, fps), otio.opentime.RationalTime(max(1, round(length_s * fps)), fps)
    )
    reference = (
        otio.schema.ExternalReference(target_url=quote(media.path), available_range=range_)
        if media
        else otio.schema.MissingReference(available_range=range_)
    )
    about = {"id": line.id, "take": line.take, "batch": line.batch, "clip_key": line.clip_key, "model": line.model,
             "provider": line.provider, "prompt": line.prompt, "verdict": line.verdict, "note": line.verdict_note,
             "s3_uri": line.s3_uri, "sha256": line.sha256}  # fmt: skip
    about = {name: whole_letters(value) if isinstance(value, str) else value for name, value in about.items()}
    return otio.schema.Clip(one.name, reference, range_, {"dailies": about})
