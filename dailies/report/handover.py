"""What an editor is handed: which clips, in which order, under which names, and the list of them. Pure."""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dailies.domain.clip_line import Line
from dailies.domain.commands import export_names, review
from dailies.domain.verdicts import Word
from dailies.errors import BadInput
from dailies.planning.fill import filled
from dailies.report.cells import safe_cell
from dailies.report.credits import Credits

COLUMNS: Final = (
    "id",
    "take",
    "batch",
    "row",
    "clip_key",
    "model",
    "provider",
    "resolution",
    "aspect_ratio",
    "duration_s",
    "verdict",
)
"""What `--name` may name of ours, beside the model's options and the team's own columns."""
IN_THE_LIST: Final = ("id", "take", "verdict", "verdict_note", "marks", "duration_s", "model", "provider", "prompt", "s3_uri", "sha256",
                      "size_bytes", "usd_charged")  # fmt: skip
MOST_BYTES: Final = 180
"""Of a name: with its ending, and while it comes, it stays below the 255 of most file systems."""
MOST_SHOWN: Final = 5
_UNSAFE = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f]+')
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for itself."""


@dataclass(frozen=True, slots=True)
class Handed:
    """One clip and the name, without ending, under which it is handed over."""

    line: Line
    name: str


def handed(credits: Credits, kept: bool, template: str, kind: str) -> list[Handed]:
    """The delivered clips, or of them the kept ones, in the order of the CSV, take by take.

    Raises BadInput where there is none, where a name stands for nothing, and where two clips would have the same one.
    """
    chosen = [at for at, line in enumerate(credits.lines) if _is_wanted(line, kept)]
    if not chosen:
        what = f"no clip of batch {credits.batch} is kept" if kept else f"no clip of batch {credits.batch} is delivered"
        raise BadInput(f"{what}. Nothing was written. Look at them: {review(credits.batch)}")
    lines, labels = credits.lines, credits.labels
    chosen.sort(key=lambda at: (lines[at].row, len(lines[at].take), lines[at].take))
    found = [Handed(lines[at], name_of(template, lines[at], labels[at])) for at in chosen]
    _refuse_collisions(found, credits.batch, kind)
    return found


def name_of(template: str, line: Line, labels: Mapping[str, str]) -> str:
    """A clip's name by a template such as `{id}_{take}`; take 1 is `1`. Raises BadInput for a name that stands for nothing."""
    ours = {name: getattr(line, name) for name in COLUMNS} | {"take": line.take or "1", "clip_key": line.clip_key[:12]}
    cells = {**labels, **{name: "" if value is None else str(value) for name, value in ours.items()}}
    text, missing = filled(template, cells)
    if missing:
        there = ", ".join(f"{{{name}}}" for name in cells)
        raise BadInput(f"--name: {{{missing[0]}}} stands for nothing; there are {there}. Nothing was written.")
    return safe_name(text)


def safe_name(text: str) -> str:
    """A file name that every system takes, and no path: letters of all scripts stay."""
    plain = " ".join(_UNSAFE.sub("-", unicodedata.normalize("NFC", text)).split())
    plain = "".join(letter for letter in plain if letter.isprintable())
    # what is left may stand beside each other only now
    plain = " ".join(unicodedata.normalize("NFC", plain).split()).strip(" .-")
    while len(plain.encode()) > MOST_BYTES:
        plain = plain[:-1].rstrip(" .-")
    return f"_{plain}" if _RESERVED.fullmatch(plain) else plain or "clip"


def clips_list(clips: Sequence[Handed]) -> str:
    """The list as CSV: the name of each file, and what the clip is."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["file", *IN_THE_LIST])
    for one in clips:
        writer.writerow([safe_cell(f"{one.name}.mp4"), *(safe_cell(getattr(one.line, name)) for name in IN_THE_LIST)])
    return out.getvalue()


def _is_wanted(line: Line, kept: bool) -> bool:
    return line.counted and line.s3_uri is not None and (line.verdict == Word.KEEP or not kept)


def _refuse_collisions(found: Sequence[Handed], batch: str, kind: str) -> None:
    """Names are one where a file system that does not tell capitals apart takes them for one."""
    by_name: dict[str, list[Handed]] = {}
    for one in found:
        by_name.setdefault(unicodedata.normalize("NFC", one.name.casefold()), []).append(one)
    several = [some for some in by_name.values() if len(some) > 1]
    if not several:
        return
    shown = "\n".join(
        f"  {some[0].name}: " + ", ".join(f"{one.line.id} take {one.line.take or 1}" for one in some[:MOST_SHOWN])
        for some in several[:MOST_SHOWN]
    )
    more = f"\n  and {len(several) - MOST_SHOWN} more" if len(several) > MOST_SHOWN else ""
    raise BadInput(
        f"--name gives several clips the same name. Nothing was written.\n{shown}{more}\n"
        f"Tell them apart: {export_names(batch, kind, '{row}_{id}_{take}')}"
    )
