"""What can be bought as lines for a terminal: none wider than it, no id cut, at most two lines an entry. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dailies.catalog import FROM_TEXT
from dailies.catalog.values import spoken_seconds
from dailies.domain.money import show_usd
from dailies.planning.offers import Entry

HEAD = ("model", "provider", "seconds", "resolution", "ratio", "sound", "one clip")
GAP = "  "
Line = tuple[str, bool]
"""A line, and whether what it speaks of can't be bought any more."""


def lay_out(entries: Sequence[Entry], width: int) -> list[Line]:
    """One line an entry below a head where the terminal is wide enough, else two lines an entry."""
    rows = [_cells(entry) for entry in entries]
    widths = [max(map(len, column)) for column in zip(HEAD, *rows, strict=True)]
    if sum(widths) + len(GAP) * (len(widths) - 1) > width:
        return [(line, entry.served is False) for entry in entries for line in _two_lines(entry, width)]
    table = [
        (_row(row, widths), entry.served is False)
        for row, entry in zip([HEAD, *rows], [entries[0], *entries], strict=True)
    ]
    return [(table[0][0], False), *table[1:]] if entries else []


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return GAP.join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cells(entry: Entry) -> tuple[str, ...]:
    model = entry.model
    return (
        model.id,
        entry.provider,
        spoken_seconds(tuple(int(s) for s in entry.values("duration"))) or "–",
        _words(map(str, entry.values("resolution"))),
        _words(map(str, entry.values("aspect_ratio"))),
        {True: "yes", False: "no", None: "?"}[model.audio],
        price(entry),
    )


def _words(values: Iterable[str]) -> str:
    return " ".join(values) or "–"


def price(entry: Entry) -> str:
    """What one clip costs, and how long it is; `~` where the price was not seen at this provider."""
    if entry.served is False:
        return "switched off"
    if entry.usd is None:
        return "price unknown"
    seconds = f" for {entry.resolved.duration_s} s" if entry.resolved.duration_s else ""
    seconds += " without an image" if entry.kind == FROM_TEXT else ""
    return f"{'~' if entry.estimated else ''}{show_usd(entry.usd)}{seconds}"


def _two_lines(entry: Entry, width: int) -> list[str]:
    """The id with its price at the right, and the rest below; an id that is longer than a line takes both."""
    name, _, *details = _cells(entry)
    seconds, resolution, ratio, sound, cost = details
    if len(name) > width:
        return [name[:width], name[width : 2 * width]]
    rest = [
        f"{seconds} s" if seconds != "–" else "",
        resolution,
        ratio,
        {"yes": "sound", "no": "silent"}.get(sound, ""),
    ]
    if len(name) + len(GAP) + len(cost) <= width:
        first = name + cost.rjust(width - len(name))
        parts = [entry.provider, *rest]
    else:
        first, parts = name, [cost, entry.provider, *rest]
    return [first, _cut(GAP + " · ".join(part for part in parts if part not in ("", "–")), width)]


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1].rstrip(" ·") + "…"
