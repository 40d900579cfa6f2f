"""What an MP4 says of its own end beyond its boxes: where its samples lie, and how much there is of it in all.

A fragmented one (ISO/IEC 14496-12, 8.8) is cut between two fragments without any box being cut; `mehd` tells how long all
of it is, `sidx` (8.16) how many bytes. Where a file tells nothing, nothing is said, so a whole one is never doubted for it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO, NamedTuple

MOST_BYTES = 16 << 20
"""Boxes that only describe a clip are smaller by far."""
MOST_BOXES = 20_000
"""So many fragments are nobody's clip."""
SLACK_S = 0.25
"""What tracks, edits and shifts between decoding and showing differ by in whole files."""
UNKNOWN = frozenset({0, 2**32 - 1, 2**64 - 1})


class Top(NamedTuple):
    """One box at the top of a file."""

    kind: bytes
    start: int
    end: int


def samples_end(file: BinaryIO, top: Sequence[Top]) -> int:
    """The first byte after the last sample that the file's own index names; 0 where that names none.

    What `moov` names counts only where the last `mdat` goes to the end of the file: else its length says it.
    """
    ends = [0]
    with suppress(struct.error, ZeroDivisionError):
        tracks = _tracks(_inside(file, top, b"moov"))
        ends += [run.end for run in _all_runs(file, top, tracks)]
        if top[-1].kind == b"mdat" and _to_the_end(file, top[-1]):
            ends += [end for track in tracks.values() for end in _chunk_ends(track.table)]
    return max(ends)


def ends_early(file: BinaryIO, size_bytes: int, top: Sequence[Top]) -> str:
    """In words how the file ends before it says that it does; empty where it does not, or does not say."""
    with suppress(struct.error, ZeroDivisionError):
        for box in top:
            if box.kind == b"sidx" and (end := _indexed_end(_read(file, box), box.end)) > size_bytes:
                return f"{size_bytes} bytes, and its own index counts {end}"
        moov = _inside(file, top, b"moov")
        said_s, there_s = _said_s(moov), _there_s(file, top, _tracks(moov))
        if there_s is not None and there_s + SLACK_S < said_s:
            return f"its fragments end after {there_s:.1f} s of {said_s:.1f} s"
    return ""


def _read(file: BinaryIO, box: Top) -> bytes:
    """A box's content; nothing of one that is too large to be what it seems."""
    if box.end - box.start > MOST_BYTES:
        return b""
    file.seek(box.start)
    whole = file.read(box.end - box.start)
    return whole[16 if whole[:4] == b"\0\0\0\1" else 8 :]


def _to_the_end(file: BinaryIO, box: Top) -> bool:
    """Whether a box leaves its length open."""
    file.seek(box.start)
    return file.read(4) == bytes(4)


def _inside(file: BinaryIO, top: Sequence[Top], kind: bytes) -> bytes:
    return next((_read(file, box) for box in top if box.kind == kind), b"")


def _children(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and content of each box in a box."""
    at = 0
    while at + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, at)
        if length < 8:
            return
        yield kind, content[at + 8 : at + length]
        at += length


def _child(content: bytes, *path: bytes) -> bytes:
    for kind in path:
        content = next((inner for found, inner in _children(content) if found == kind), b"")
    return content


@dataclass(frozen=True, slots=True)
class _Track:
    """What `moov` says of a track: its clock, its own end on it, what samples have by default, and its table."""

    timescale: int
    duration: int
    sample_duration: int
    sample_bytes: int
    table: bytes


def _tracks(moov: bytes) -> dict[int, _Track]:
    defaults = {}
    for kind, trex in _children(_child(moov, b"mvex")):
        if kind == b"trex":
            number, _, duration, size = struct.unpack_from(">4I", trex, 4)
            defaults[number] = (duration, size)
    found = {}
    for kind, trak in _children(moov):
        if kind == b"trak":
            header = _child(trak, b"tkhd")
            (number,) = struct.unpack_from(">I", header, 20 if header[:1] == b"\1" else 12)
            clock = _clock(_child(trak, b"mdia", b"mdhd"))
            found[number] = _Track(*clock, *defaults.get(number, (0, 0)), _child(trak, b"mdia", b"minf", b"stbl"))
    return found


def _clock(header: bytes) -> tuple[int, int]:
    """Timescale and duration of an `mvhd` or `mdhd`."""
    timescale, duration = struct.unpack_from(*((">IQ", header, 20) if header[:1] == b"\1" else (">II", header, 12)))
    return timescale, 0 if duration in UNKNOWN else duration


def _said_s(moov: bytes) -> float:
    """How long it says that all of it is; 0 where it does not."""
    mehd = _child(moov, b"mvex", b"mehd")
    if not mehd:
        return 0.0
    (duration,) = struct.unpack_from(">Q" if mehd[:1] == b"\1" else ">I", mehd, 4)
    return 0.0 if duration in UNKNOWN else duration / _clock(_child(moov, b"mvhd"))[0]


def _there_s(file: BinaryIO, top: Sequence[Top], tracks: dict[int, _Track]) -> float | None:
    """Until when there are samples; None where a fragment does not say when it begins."""
    ends_s = [track.duration / track.timescale for track in tracks.values()]
    for run in _all_runs(file, top, tracks):
        if run.until is None:
            return None
        ends_s.append(run.until / tracks[run.track].timescale)
    return max(ends_s, default=None)


@dataclass(frozen=True, slots=True)
class _Run:
    """The samples of one track in one fragment: where their bytes end (0: not said), and when they do on the track's clock."""

    track: int
    end: int
    until: int | None


def _all_runs(file: BinaryIO, top: Sequence[Top], tracks: dict[int, _Track]) -> Iterator[_Run]:
    for box in top:
        if box.kind == b"moof":
            yield from _runs(_read(file, box), box.start, tracks)


def _runs(moof: bytes, at: int, tracks: dict[int, _Track]) -> Iterator[_Run]:
    trafs = [content for kind, content in _children(moof) if kind == b"traf"]
    for number, traf in enumerate(trafs):
        header = _child(traf, b"tfhd")
        flags, track = struct.unpack_from(">II", header)
        known = tracks.get(track)
        if known is None:
            continue
        fields = _optional(header, 8, flags, ((0x1, ">Q"), (0x2, ">I"), (0x8, ">I"), (0x10, ">I")))
        # A later track without a base begins where the one before it ends: that is not worked out here.
        base = fields.get(0x1, at if flags & 0x20000 or not number else None)
        default = fields.get(0x8, known.sample_duration), fields.get(0x10, known.sample_bytes)
        yield _run(traf, track, base, default)


def _run(traf: bytes, track: int, base: int | None, default: tuple[int, int]) -> _Run:
    time = _child(traf, b"tfdt")
    until = struct.unpack_from(">Q" if time[:1] == b"\1" else ">I", time, 4)[0] if time else None
    end = 0
    for kind, trun in _children(traf):
        if kind != b"trun":
            continue
        duration, size, offset = _sums(trun, default)
        until = None if until is None else until + duration
        if base is not None and offset is not None and size:
            end = max(end, base + offset + size)
    return _Run(track, end, until)


def _sums(trun: bytes, default: tuple[int, int]) -> tuple[int, int, int | None]:
    """How long the samples of a run are together, in ticks and bytes, and where they begin."""
    flags, count = struct.unpack_from(">II", trun)
    flags &= 0xFFFFFF
    fields = _optional(trun, 8, flags, ((0x1, ">i"), (0x4, ">I")))
    start = 8 + 4 * bool(flags & 0x1) + 4 * bool(flags & 0x4)
    width = sum(bool(flags & field) for field in (0x100, 0x200, 0x400, 0x800))
    if not width:
        return default[0] * count, default[1] * count, fields.get(0x1)
    table = struct.unpack_from(f">{count * width}I", trun, start) if len(trun) >= start + 4 * count * width else ()
    durations = table[::width] if flags & 0x100 else (default[0],) * (len(table) // width)
    sizes = table[int(bool(flags & 0x100)) :: width] if flags & 0x200 else (default[1],) * (len(table) // width)
    return sum(durations), sum(sizes), fields.get(0x1)


def _optional(content: bytes, at: int, flags: int, fields: Sequence[tuple[int, str]]) -> dict[int, int]:
    """Fields that are there only where their flag says so."""
    found = {}
    for flag, form in fields:
        if flags & flag:
            (found[flag],) = struct.unpack_from(form, content, at)
            at += struct.calcsize(form)
    return found


def _indexed_end(sidx: bytes, end: int) -> int:
    """Where the last byte that a `sidx` counts ends; it counts from its own end."""
    first, at = (
        (struct.unpack_from(">Q", sidx, 20)[0], 28)
        if sidx[:1] == b"\1"
        else (struct.unpack_from(">I", sidx, 16)[0], 20)
    )
    (count,) = struct.unpack_from(">H", sidx, at + 2)
    sizes = struct.unpack_from(f">{3 * count}I", sidx, at + 4)[::3]
    return int(end + first + sum(size & 0x7FFFFFFF for size in sizes))


def _chunk_ends(table: bytes) -> Iterator[int]:
    """Where each chunk of a track ends, by its sample table."""
    offsets, sizes = _offsets(table), _child(table, b"stsz")
    spans = _child(table, b"stsc")
    if not offsets or len(sizes) < 12 or len(spans) < 8:
        return
    (uniform, count), (entries,) = struct.unpack_from(">II", sizes, 4), struct.unpack_from(">I", spans, 4)
    each = () if uniform else struct.unpack_from(f">{count}I", sizes, 12)
    per_chunk = struct.unpack_from(f">{3 * entries}I", spans, 8)
    firsts = [*per_chunk[::3], len(offsets) + 1]
    if any(first >= beyond for first, beyond in pairwise(firsts)):
        return  # no table that anybody wrote in earnest; followed, it would take for ever
    sample = 0
    for (first, beyond), samples in zip(pairwise(firsts), per_chunk[1::3], strict=True):
        for offset in offsets[first - 1 : beyond - 1]:
            samples_here = min(samples, count - sample)
            yield offset + (uniform * samples_here if uniform else sum(each[sample : sample + samples_here]))
            sample += samples_here


def _offsets(table: bytes) -> tuple[int, ...]:
    for kind, form in ((b"stco", "I"), (b"co64", "Q")):
        if found := _child(table, kind):
            (count,) = struct.unpack_from(">I", found, 4)
            return struct.unpack_from(f">{count}{form}", found, 8)
    return ()
