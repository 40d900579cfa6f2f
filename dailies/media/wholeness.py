"""How good a downloaded file is as the clip that was paid for: whole, odd, cut short, or no clip at all."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import av

from dailies.media.archives import clips_in
from dailies.media.containers import DEMUXERS, HEAD_BYTES, IMAGES, Container, Extent, structure_of

IN_ITS_PLACE = {
    "a picture": (b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"\xff\x0a", b"\0\0\0\x0cJXL "),
    "sound": (b"ID3", b"fLaC"),
    "a document": (b"%PDF",),
    "packed data": (
        b"\x1f\x8b",
        b"PK\x03\x04",
        b"PK\x05\x06",
        b"BZh",
        b"\xfd7zXZ",
        b"\x28\xb5\x2f\xfd",
        b"7z\xbc\xaf",
        b"Rar!",
    ),
    "a text": (b"\xff\xfe", b"\xfe\xff"),  # in UTF-16
}


class Grade(IntEnum):
    """From worst to best; of two files of one clip the better one is kept."""

    NO_CLIP = 0  # nothing, a page, a text, a picture, an archive: something answered in the clip's place
    UNKNOWN = 1  # bytes of no container that is known here
    SEVERAL = 2  # an archive with more clips than the one that was bought
    CUT = 3  # video, and its own structure shows that some of it is missing
    ODD = 4  # all of it may be there, and the file can't prove it: what comes twice the same is taken
    WHOLE = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """A file's grade, its container where it has one, and in words what is wrong with it."""

    grade: Grade
    container: Container | None = None
    detail: str = ""


def judge(path: Path, told_whole: bool | None) -> Verdict:
    """Judge a file by its own bytes first. `told_whole`: the length that was announced for it came, did not come, or None."""
    head = _head(path)
    structure = structure_of(path)
    container, words = structure.container, structure.detail
    if container is None:
        if (clips := clips_in(path)) > 1:
            return Verdict(Grade.SEVERAL, None, f"an archive with {clips} clips, and nothing says which was bought")
        stands = stands_in_its_place(head)
        return Verdict(Grade.NO_CLIP, None, stands) if stands else Verdict(Grade.UNKNOWN, None, words)
    match structure.extent:
        case Extent.WHOLE if told_whole is not False:
            return Verdict(Grade.WHOLE, container)
        case Extent.UNTOLD if told_whole:
            return Verdict(Grade.WHOLE, container)
        case Extent.WHOLE | Extent.UNTOLD:
            return Verdict(Grade.ODD, container, words or "fewer bytes came than were announced")
        case Extent.LONGER if container not in (Container.MP4, Container.MOV) or every_sample_is_there(path, container):
            return Verdict(Grade.ODD, container, words)
        case Extent.SHORT if every_sample_is_there(path, container):
            return Verdict(Grade.ODD, container, words)
        case _:
            return Verdict(Grade.CUT, container, words)


def every_sample_is_there(path: Path, container: Container) -> bool:
    """Whether all samples that the file's own index counts can be read in full. False where nothing counts them."""
    try:
        with av.open(f"file:{path}", format=DEMUXERS[container]) as opened:
            expected = {stream.index: stream.frames for stream in opened.streams}
            if not opened.streams.video or not all(expected.values()):
                return False
            for packet in opened.demux():
                if packet.is_corrupt:
                    return False
                if packet.size:
                    expected[packet.stream_index] -= 1
            return all(left <= 0 for left in expected.values())
    except (av.FFmpegError, ValueError, OverflowError, EOFError):
        return False


def stands_in_its_place(head: bytes) -> str | None:
    """What a file is that something else than the clip has answered with; None where its bytes may be anything."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not start:
        return "an empty file"
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<")):
        return "a page, not a clip"
    if head[4:8] == b"ftyp" and head[8:12] in IMAGES:
        return "a picture, not a clip"
    if head.startswith(b"RIFF"):
        return "sound, not a clip" if head[8:12] == b"WAVE" else "a picture, not a clip"
    for what, beginnings in IN_ITS_PLACE.items():
        if head.startswith(beginnings):
            return f"{what}, not a clip"
    try:
        text = head.decode("utf-8") if len(head) < HEAD_BYTES else head[:-4].decode("utf-8")
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    return "a text, not a clip" if all(c.isprintable() or c in "\r\n\t" for c in text) else None


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(HEAD_BYTES)
