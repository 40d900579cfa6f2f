"""A ZIP in a clip's place, as some hosts pack what they hand out: the clips in it, by their first bytes and not by their names.

Nothing in it is believed: its directory is small or not read, and what comes out of it is counted by whoever writes it down.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import Final
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from dailies.media.containers import HEAD_BYTES, container_of

ZIP: Final = b"PK\x03\x04"
BLOCK: Final = 1 << 20
MOST_ENTRIES: Final = 1000
END_BYTES: Final = 22
TAIL_BYTES: Final = END_BYTES + (1 << 16)
"""The end of an archive with the longest comment (APPNOTE 4.3.16): in it stands how long its directory is."""
END: Final = b"PK\x05\x06"
END_OF_64: Final = b"PK\x06\x07"
MOST_DIRECTORY_BYTES: Final = 1 << 20
UNREADABLE: Final = (BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, zlib.error)


def clips_in(path: Path) -> int:
    """How many clips are in an archive; 0 for what is none, or can't be read."""
    with path.open("rb") as file, suppress(*UNREADABLE):
        if file.read(len(ZIP)) == ZIP:
            with _opened(file) as archive:
                return len(_clips(archive))
    return 0


def the_one_clip(file: BufferedReader) -> Iterator[bytes]:
    """The clip in an archive, piece by piece; nothing where there are several or none. What breaks off ends early."""
    with suppress(*UNREADABLE), _opened(file) as archive:
        clips = _clips(archive)
        if len(clips) == 1:
            with archive.open(clips[0]) as inside:
                while piece := inside.read(BLOCK):
                    yield piece


def _opened(file: BufferedReader) -> ZipFile:
    """Raises ValueError for an archive whose directory is too large for what holds a clip or two."""
    size_bytes = file.seek(0, 2)
    file.seek(max(0, size_bytes - TAIL_BYTES))
    tail = file.read(TAIL_BYTES)
    at = tail.rfind(END)
    told = int.from_bytes(tail[at + 12 : at + 16], "little")
    if not 0 <= at <= len(tail) - END_BYTES or END_OF_64 in tail or told > MOST_DIRECTORY_BYTES:
        raise ValueError("no archive, or one with a directory too large to be read")
    return ZipFile(file)


def _clips(archive: ZipFile) -> list[ZipInfo]:
    entries = archive.infolist()
    if len(entries) > MOST_ENTRIES:
        return []
    return [entry for entry in entries if _is_clip(archive, entry)]


def _is_clip(archive: ZipFile, entry: ZipInfo) -> bool:
    if entry.is_dir() or entry.flag_bits & 0x1 or entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        return False
    with archive.open(entry) as inside:
        return container_of(inside.read(HEAD_BYTES)) is not None
