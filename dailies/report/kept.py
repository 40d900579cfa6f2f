"""What the seconds that people kept have cost, and what rejected takes did: by model, provider and each of the team's columns. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from dailies.domain.figures import Line, totals_of
from dailies.domain.verdicts import Word
from dailies.report.credits import Credits

MOST_VALUES = 40
"""A column with more values than this is a label, not a grouping."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One group. `usd_charged` is that of all its takes; per kept second it is None while none of its seconds is kept."""

    value: str
    clips: int
    kept: int
    kept_s: int
    usd_charged: Decimal | None
    usd_rejected: Decimal
    usd_per_kept_second: Decimal | None


def kept_by(credits: Credits) -> dict[str, list[Kept]]:
    """The groups of each column, the dearest second first; nothing while nobody has kept or rejected anything.

    A clip that was tried at several providers counts there in parts, as everywhere.
    """
    if not any(line.verdict in (Word.KEEP, Word.REJECT) for line in credits.lines):
        return {}
    pairs = list(zip(credits.lines, credits.labels, credits.options, strict=True))
    own = dict.fromkeys(name for _, labels, options in pairs for name in labels if name not in options)
    found = {
        "model": _groups((line.model, line) for line in credits.lines),
        "provider": _groups((line.provider, line) for line in credits.at_providers),
        **{name: _groups((labels.get(name) or "–", line) for line, labels, _ in pairs) for name in own},
    }
    return {name: groups for name, groups in found.items() if len(groups) <= MOST_VALUES}


def kept_json(found: Mapping[str, Iterable[Kept]]) -> dict[str, dict[str, Any]]:
    """Them as JSON: by column and value."""
    return {
        name: {one.value: {key: value for key, value in asdict(one).items() if key != "value"} for one in groups}
        for name, groups in found.items()
    }


def _groups(lines: Iterable[tuple[str, Line]]) -> list[Kept]:
    by_value: dict[str, list[Line]] = {}
    for value, line in lines:
        by_value.setdefault(value, []).append(line)
    groups = [_group(value, some) for value, some in by_value.items()]
    return sorted(groups, key=lambda one: (one.usd_per_kept_second is None, -(one.usd_per_kept_second or 0), one.value))


def _group(value: str, lines: list[Line]) -> Kept:
    totals = totals_of(lines)
    kept_s = sum(line.duration_s or 0 for line in lines if line.counted and line.verdict == Word.KEEP)
    return Kept(
        value, totals.rows, totals.kept, kept_s, totals.usd_charged, totals.usd_rejected, totals.usd_per_kept_second
    )
