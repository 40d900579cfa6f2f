"""What a file is, by its first bytes, and whether all of it is there, by its own structure. Nothing is decoded here.

An MP4 or MOV (ISO/IEC 14496-12) is boxes that add up to the file; a WebM or Matroska (RFC 8794) and an AVI tell their
lengths too. The other containers tell nothing.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from dailies.media.fragments import MOST_BOXES, Top, ends_early, samples_end

HEAD_BYTES = 4096
PADDING = 8
"""Fewer zeros than this at the end of an MP4 may be the beginning of a box."""
QUICKTIME = frozenset({b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"})
"""Boxes that old QuickTime files begin with."""

IMAGES = frozenset({b"avif", b"heic", b"heix", b"heim", b"heis", b"mif1"})
"""Brands of pictures in the same boxes (ISO/IEC 23008-12)."""


class Container(StrEnum):
    """A kind of file that holds pictures in motion."""

    MP4 = "MP4"
    MOV = "QuickTime"
    WEBM = "WebM"
    MATROSKA = "Matroska"
    AVI = "AVI"
    MPEG_TS = "MPEG-TS"
    FLV = "FLV"
    OGG = "Ogg"


CONTENT_TYPES = {
    Container.MP4: "video/mp4",
    Container.MOV: "video/quicktime",
    Container.WEBM: "video/webm",
    Container.MATROSKA: "video/x-matroska",
    Container.AVI: "video/x-msvideo",
    Container.MPEG_TS: "video/mp2t",
    Container.FLV: "video/x-flv",
    Container.OGG: "video/ogg",
}
DEMUXERS = {
    Container.MP4: "mp4",
    Container.MOV: "mov",
    Container.WEBM: "matroska",
    Container.MATROSKA: "matroska",
    Container.AVI: "avi",
    Container.MPEG_TS: "mpegts",
    Container.FLV: "flv",
    Container.OGG: "ogg",
}
"""FFmpeg's name of each: a fixed one keeps a hostile file from being taken for a playlist."""


class Extent(StrEnum):
    """What a file's structure says of its end."""

    WHOLE = "whole"
    LONGER = "longer"  # all that the structure names is there, and then comes something else
    SHORT = "short"
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True)
class Structure:
    """A file's container (None: none that is known), how much of it is there, and in words what is wrong."""

    container: Container | None
    extent: Extent
    detail: str = ""


def container_of(head: bytes) -> Container | None:
    """The container that a file's first bytes announce."""
    if head[4:8] == b"ftyp":
        if head[8:12] in IMAGES:
            return None
        return Container.MOV if head[8:12] == b"qt  " else Container.MP4
    if head[4:8] in QUICKTIME:
        return Container.MOV
    if head.startswith(b"\x1aE\xdf\xa3"):
        return Container.WEBM if b"webm" in head[:64] else Container.MATROSKA
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return Container.AVI
    if head.startswith(b"G") and all(head[at : at + 1] == b"G" for at in (188, 376)):
        return Container.MPEG_TS
    return {b"FLV\x01": Container.FLV, b"OggS": Container.OGG}.get(head[:4])


def structure_of(path: Path) -> Structure:
    """Walk through a file's structure; a few bytes of each part are read, whatever the file's size."""
    size_bytes = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
        container = container_of(head)
        if container is None and head[:1] == b"\0" and size_bytes < 8 and b"ftyp".startswith(head[4:8]):
            return Structure(Container.MP4, Extent.SHORT, f"cut short at {size_bytes} bytes")
        if container is None:
            return Structure(None, Extent.UNTOLD, "none of the containers of video")
        walk = _WALKS.get(container)
        return walk(file, size_bytes, container) if walk else Structure(container, Extent.UNTOLD, "its end is not told")


def _boxes_add_up(file: BinaryIO, size_bytes: int, container: Container) -> Structure:
    kinds: set[bytes] = set()
    top: list[Top] = []
    try:
        for kind, start, end in boxes(file, size_bytes):
            if end > size_bytes:
                text = f"cut short: {size_bytes} bytes where box {_shown(kind)} ends at {end}"
                return _unless_padded(file, size_bytes, container, kinds, start, text)
            kinds.add(kind)
            if len(top) < MOST_BOXES:
                top.append(Top(kind, start, end))
    except NoBox as odd:
        return _unless_padded(file, size_bytes, container, kinds, odd.at, str(odd))
    missing = [name for name in ("moov", "mdat") if name.encode() not in kinds]
    if missing:
        return Structure(container, Extent.SHORT, f"an {container} without {' and '.join(missing)}")
    return _with_all_it_names(file, size_bytes, container, top)


def _with_all_it_names(file: BinaryIO, size_bytes: int, container: Container, top: Sequence[Top]) -> Structure:
    """A file whose boxes are all there, and which may yet say that there is more of it."""
    if len(top) == MOST_BOXES:
        return Structure(container, Extent.WHOLE)
    end = samples_end(file, top)
    if end > size_bytes:
        return Structure(container, Extent.SHORT, f"cut short: {size_bytes} bytes where its samples end at {end}")
    words = ends_early(file, size_bytes, top)
    # No proof: an index may be of an earlier cut of it. Where all that was announced came, it is taken.
    return Structure(container, Extent.UNTOLD if words else Extent.WHOLE, words)


def _unless_padded(
    file: BinaryIO, size_bytes: int, container: Container, kinds: set[bytes], at: int, words: str
) -> Structure:
    """What a file is whose boxes end at `at`, and after them comes what is none, or only the beginning of one."""
    if not {b"moov", b"mdat"} <= kinds:
        return Structure(container, Extent.SHORT, words)
    if size_bytes - at >= PADDING and _only_zeros(file, at):
        return Structure(container, Extent.WHOLE)
    return Structure(container, Extent.LONGER, words)


class NoBox(Exception):
    """What follows is no box; `at` is its first byte."""

    def __init__(self, at: int, words: str) -> None:
        super().__init__(words)
        self.at = at


def boxes(file: BinaryIO, size_bytes: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, first byte and end of each box at the top, the last one's end perhaps beyond the file's."""
    at = 0
    while at < size_bytes:
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            raise NoBox(at, f"cut short at {size_bytes} bytes")
        length, kind = struct.unpack_from(">I4s", head)
        header = 8
        if length == 1:  # too long for 32 bits: the length follows the name
            if len(head) < 16:
                raise NoBox(at, f"cut short at {size_bytes} bytes")
            (length,), header = struct.unpack_from(">Q", head, 8), 16
        elif length == 0 and kind != b"\0\0\0\0":  # to the end of the file
            length = size_bytes - at
        if length < header:
            raise NoBox(at, f"{size_bytes - at} bytes from byte {at} on are no box (length {length})")
        yield kind, at, at + length
        at += length


def _shown(kind: bytes) -> str:
    return repr(kind.decode("latin-1"))


def _elements_add_up(file: BinaryIO, size_bytes: int, container: Container) -> Structure:
    """An EBML header and one Segment, whose size may be left open by what is written as it comes."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    header_bytes, at = _vint(head, 4)
    at += header_bytes or 0
    if header_bytes is None or head[at : at + 4] != b"\x18S\x80g":
        return Structure(container, Extent.UNTOLD, f"a {container} whose beginning can't be read")
    segment_bytes, at = _vint(head, at + 4)
    if segment_bytes is None:
        return Structure(container, Extent.UNTOLD, f"a {container} that does not tell its length")
    return _by_end(file, size_bytes, container, at + segment_bytes)


def _vint(data: bytes, at: int) -> tuple[int | None, int]:
    """A size of variable length and where it ends; None where it is left open (all ones) or not there."""
    first = data[at] if at < len(data) else 0
    length = 9 - first.bit_length()
    if length > 8 or at + length > len(data):
        return None, at
    value = int.from_bytes(data[at : at + length], "big") & ((1 << (7 * length)) - 1)
    return (None if value == (1 << (7 * length)) - 1 else value), at + length


def _chunks_add_up(file: BinaryIO, size_bytes: int, container: Container) -> Structure:
    """RIFF chunks one after another (OpenDML has several), each padded to an even length."""
    at = 0
    while at < size_bytes:
        file.seek(at)
        head = file.read(8)
        if not head.startswith(b"RIFF") or len(head) < 8:
            break
        (length,) = struct.unpack_from("<I", head, 4)
        at += 8 + length
    at += at % 2 if at < size_bytes else 0
    return _by_end(file, size_bytes, container, at)


def _by_end(file: BinaryIO, size_bytes: int, container: Container, end: int) -> Structure:
    if end > size_bytes:
        return Structure(container, Extent.SHORT, f"cut short: {size_bytes} bytes of {end}")
    if end == size_bytes or _only_zeros(file, end):
        return Structure(container, Extent.WHOLE)
    return Structure(container, Extent.LONGER, f"{size_bytes - end} bytes after its end")


def _only_zeros(file: BinaryIO, at: int) -> bool:
    file.seek(at)
    while block := file.read(2**20):
        if block.strip(b"\0"):
            return False
    return True


_WALKS: dict[Container, Callable[[BinaryIO, int, Container], Structure]] = {
    Container.MP4: _boxes_add_up,
    Container.MOV: _boxes_add_up,
    Container.WEBM: _elements_add_up,
    Container.MATROSKA: _elements_add_up,
    Container.AVI: _chunks_add_up,
}
