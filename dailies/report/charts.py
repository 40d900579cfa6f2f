"""What the report draws: spend by day, quoted against charged, seconds per clip. Pure; the template paints it.

Lengths are percentages with a point, ready for SVG attributes, so that a chart fits any screen without a script.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import reduce
from statistics import median

from dailies.domain.figures import Sum
from dailies.domain.money import ZERO, show_usd, sum_usd
from dailies.report.sums import Groups, Sums

MOST_BARS = 12
"""More groups than a person compares at a glance are summed up as `others`."""
MOST_DAYS = 62
BINS = 14


@dataclass(frozen=True, slots=True)
class Bar:
    """One group: its sums as text, and how long its bars are."""

    name: str
    clips: int
    quoted: str
    charged: str
    risk: str
    charged_pct: str
    risk_pct: str
    quoted_pct: str


@dataclass(frozen=True, slots=True)
class Bars:
    """Quoted against charged, group by group, the dearest first."""

    title: str
    column: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Pillar:
    """One upright bar: where it stands, how high it is, and its value as text."""

    label: str
    value: str
    x_pct: str
    y_pct: str
    height_pct: str


@dataclass(frozen=True, slots=True)
class Pillars:
    """A row of upright bars with a sentence that says what they show."""

    title: str
    summary: str
    label: str
    value: str
    pillars: tuple[Pillar, ...]
    width_pct: str
    first: str
    last: str


def charts_of(sums: Sums) -> tuple[tuple[Bars, ...], tuple[Pillars, ...]]:
    """Every chart that has something to show: bars by model, provider, batch and own column; days and seconds.

    By provider each clip's money stands at the one that took it.
    """
    by = {"model": sums.model, "provider": sums.provider, "batch": sums.batch}
    bars = [bars_of(name, groups) for name, groups in (*by.items(), *sums.own.items())]
    shown = tuple(b for b in bars if b and (b.column == "model" or len(b.bars) > 1))
    return shown, tuple(p for p in (spend_by_day(sums.by_day), seconds_per_clip(sums.seconds)) if p)


def bars_of(column: str, groups: Groups | None) -> Bars | None:
    """Sums by a column, or None when it has no values or too many."""
    if not groups:
        return None
    ordered = sorted(groups.items(), key=lambda group: (-group[1].usd_spent, group[0]))
    if len(ordered) > MOST_BARS:
        rest = [some for _, some in ordered[MOST_BARS - 1 :]]
        ordered = [*ordered[: MOST_BARS - 1], (f"{len(rest)} others", reduce(Sum.and_also, rest))]
    top = max(max(some.usd_spent, some.usd_asked) for _, some in ordered)
    return Bars(f"Spend by {column}", column, tuple(_bar(name, some, top) for name, some in ordered))


def _bar(name: str, some: Sum, top: Decimal) -> Bar:
    charged, risk, unreported = some.charged or ZERO, some.usd_at_risk, some.usd_unreported
    said = [show_usd(charged)] if some.charged is not None or not unreported else []
    said += [f"~{show_usd(unreported)}"] if unreported else []
    return Bar(
        name, some.rows, show_usd(some.usd_asked), " + ".join(said), show_usd(risk) if risk else "",
        _pct(charged + unreported, top), _pct(risk, top), _pct(some.usd_asked, top),
    )  # fmt: skip


def spend_by_day(by_day: Mapping[date, Decimal]) -> Pillars | None:
    """Dollars by the UTC day of the create; by month when the span is long. None for a single day."""
    if len(by_day) < 2:
        return None
    first, last = min(by_day), max(by_day)
    span = (last - first).days + 1
    if span > MOST_DAYS:
        by_month: dict[str, Decimal] = dict.fromkeys(_months(first, last), ZERO)
        for day, usd in by_day.items():
            by_month[f"{day:%Y-%m}"] += usd
        values = list(by_month.items())
    else:
        values = [(str(day), by_day.get(day, ZERO)) for day in (first + timedelta(n) for n in range(span))]
    unit = "month" if span > MOST_DAYS else "day"
    most = max(values, key=lambda value: value[1])
    summary = f"{show_usd(sum_usd(by_day.values()))} in all; most on {most[0]}: {show_usd(most[1])}."
    return _pillars(f"Spend by {unit}", summary, unit, "spent or at risk", [(n, v, show_usd(v)) for n, v in values])


def seconds_per_clip(seconds: Iterable[float]) -> Pillars | None:
    """How long clips took at the provider, as a histogram. None below five clips."""
    seconds = sorted(seconds)
    if len(seconds) < 5:
        return None
    low, step = _steps(seconds[0], seconds[-1])
    bins = [0] * (int((seconds[-1] - low) // step) + 1)
    for value in seconds:
        bins[int((value - low) // step)] += 1
    slow = seconds[min(len(seconds) - 1, math.ceil(0.9 * len(seconds)) - 1)]
    summary = f"Half took less than {median(seconds):.0f} s, nine in ten less than {slow:.0f} s."
    values = [
        (f"{low + i * step:g}–{low + (i + 1) * step:g} s", Decimal(count), f"{count} clip{'s' * (count != 1)}")
        for i, count in enumerate(bins)
    ]
    return _pillars("Seconds per clip", summary, "seconds", "clips", values)


def _pillars(title: str, summary: str, label: str, value: str, values: Sequence[tuple[str, Decimal, str]]) -> Pillars:
    top, slot = max(v for _, v, _ in values), 100 / len(values)
    pillars = tuple(
        Pillar(name, text, f"{i * slot:.3f}", f"{100 - _share(v, top):.2f}", f"{_share(v, top):.2f}")
        for i, (name, v, text) in enumerate(values)
    )
    return Pillars(title, summary, label, value, pillars, f"{slot * 0.82:.3f}", values[0][0], values[-1][0])


def _steps(low: float, high: float) -> tuple[float, float]:
    """Round bounds for a histogram of about `BINS` bins: (start, width), in seconds."""
    rough = max((high - low) / BINS, 0.5)
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * n for n in (1, 2, 5, 10) if size * n >= rough)
    return math.floor(low / step) * step, step


def _months(first: date, last: date) -> list[str]:
    count = (last.year - first.year) * 12 + last.month - first.month + 1
    return [f"{first.year + (first.month - 1 + n) // 12}-{(first.month - 1 + n) % 12 + 1:02d}" for n in range(count)]


def _share(value: Decimal, top: Decimal) -> float:
    return float(100 * value / top) if top else 0.0


def _pct(value: Decimal, top: Decimal) -> str:
    return f"{_share(value, top):.2f}"
