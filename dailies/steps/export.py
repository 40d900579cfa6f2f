"""A hand-over written: the clips beside their timeline, or all in one archive; a clip that can't be had is named, not left out."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dailies.domain.text import as_utf8
from dailies.errors import Misconfigured
from dailies.media.video import BadVideo, inspect
from dailies.report.handover import Handed, clips_list
from dailies.report.timeline import USUAL_FPS, Media, timeline_text
from dailies.report.write import replace
from dailies.steps.to_disk import Fetched, fetch_all, fetch_one
from dailies.storage.s3 import S3

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Export:
    """What is written: `kind` is otio, edl, csv or zip, `file` the one file that the hand-over is, or that leads to it."""

    title: str
    kind: str
    file: Path
    originals: Mapping[str, str] = field(default_factory=dict)
    """Where clips were put when they were delivered, by their keys: there they are looked for where a copy is gone."""

    @property
    def media(self) -> Path:
        """The folder of a timeline's clips, beside it."""
        return self.file.with_name(f"{self.file.stem} clips")


def write_export(s3: S3 | None, wanted: Export, clips: Sequence[Handed], progress: Progress) -> list[Fetched]:
    """Write it, and say what became of each clip's file; a list alone brings none. Blocks.

    Raises Misconfigured when it can't be written.
    """
    try:
        wanted.file.parent.mkdir(parents=True, exist_ok=True)
        if wanted.kind == "csv" or s3 is None:
            replace(wanted.file, as_utf8(clips_list(clips)))
            return []
        if wanted.kind == "zip":
            return _zipped(s3, wanted, clips, progress)
        return _timeline(s3, wanted, clips, progress)
    except OSError as error:
        raise Misconfigured(f"{wanted.file} can't be written: {error.strerror or error}") from error


def _timeline(s3: S3, wanted: Export, clips: Sequence[Handed], progress: Progress) -> list[Fetched]:
    names = {(one.line.id, one.line.clip_key): one.name for one in clips}
    found = fetch_all(
        s3,
        [one.line for one in clips],
        wanted.media,
        progress,
        lambda line: names[line.id, line.clip_key],
        wanted.originals,
    )
    by_name = {one.path.stem: one for one in found}
    pairs = [(one, _media(by_name[one.name], wanted)) for one in clips]
    replace(wanted.file, as_utf8(timeline_text(wanted.title, pairs, wanted.kind)))
    return found


def _media(fetched: Fetched, wanted: Export) -> Media | None:
    """What the file on disk is; None where it did not come, or where nothing in it plays."""
    if fetched.problem:
        return None
    try:
        facts = inspect(fetched.path)
    except BadVideo:
        return None
    return Media(f"{wanted.media.name}/{fetched.path.name}", facts.fps or USUAL_FPS, facts.duration_s)


def _zipped(s3: S3, wanted: Export, clips: Sequence[Handed], progress: Progress) -> list[Fetched]:
    """Clip by clip through a folder that goes again: one clip at a time on the disk beside the archive, none in memory."""
    found, file = [], wanted.file
    part = file.with_name(f".{file.name}.part")
    try:
        with (
            tempfile.TemporaryDirectory(prefix=".dailies-", dir=file.parent) as folder,
            zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive,  # films don't get smaller
        ):
            archive.writestr("clips.csv", clips_list(clips))
            for done, one in enumerate(clips, start=1):
                got = fetch_one(s3, one.line, Path(folder), one.name, wanted.originals.get(one.line.clip_key))
                if not got.problem:
                    archive.write(got.path, f"{one.name}.mp4")
                    got.path.unlink()
                found.append(got)
                progress(done, len(clips))
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)
    return found
