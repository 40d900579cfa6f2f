"""What a benchmark found: printed, written as JSON and as a picture, and put into `docs/performance.md`."""

from __future__ import annotations

import json
import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from html import escape
from importlib.metadata import version
from pathlib import Path

from benchmarks.stage import ROOT

OUT = Path(__file__).parent / "out"
DOCS = ROOT / "docs"
WIDTH, BAR, LEFT = 760, 26, 200


@dataclass(frozen=True, slots=True)
class Bar:
    """A promise: `value` has to be at most (or at least) `limit`."""

    promise: str
    value: float
    limit: float
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether it is kept."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def sentence(self) -> str:
        """For people."""
        side = "≥" if self.at_least else "≤"
        return f"{'met' if self.met else '**not met**'}: {self.promise}: {self.value:.3g} ({side} {self.limit:g})"


@dataclass(frozen=True)
class Chart:
    """One picture: a value for each name, in one unit; shorter is better unless said otherwise."""

    title: str
    unit: str
    values: Mapping[str, float]


@dataclass(frozen=True)
class Report:
    """One benchmark's outcome."""

    name: str
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    bars: Sequence[Bar] = ()
    chart: Chart | None = None
    notes: Sequence[str] = field(default_factory=list)

    def markdown(self) -> str:
        """The table, the picture, the promises."""
        lines = [" | ".join(map(_cell, row)) for row in ([*self.columns], ["---"] * len(self.columns), *self.rows)]
        table = "\n".join(f"| {line} |" for line in lines)
        picture = f"\n\n![{self.chart.title}](performance/{self.name}.svg)" if self.chart else ""
        promises = "\n".join(f"- {bar.sentence()}" for bar in self.bars)
        notes = "\n\n".join(self.notes)
        return "\n\n".join(part for part in (f"{table}{picture}", promises, notes) if part)


def _cell(value: object) -> str:
    return (
        f"{value:.3g}"
        if isinstance(value, float) and abs(value) < 1000
        else f"{value:,.0f}"
        if isinstance(value, float)
        else str(value)
    )


def publish(report: Report, size: str) -> None:
    """Print it, write `benchmarks/out/NAME.json` and `.svg`."""
    OUT.mkdir(exist_ok=True)
    print(f"\n## {report.title}\n\n{report.markdown()}\n", flush=True)
    known = {**asdict(report), "bars": [{**asdict(bar), "met": bar.met} for bar in report.bars]}
    answer = {"size": size, "at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine(), **known}
    (OUT / f"{report.name}.json").write_text(json.dumps(answer, indent=1, ensure_ascii=False))
    if report.chart:
        (OUT / f"{report.name}.svg").write_text(svg(report.chart))


def into_docs(report: Report, size: str) -> None:
    """Replace this benchmark's part of `docs/performance.md`; what people wrote around it stays."""
    page = DOCS / "performance.md"
    text = page.read_text(encoding="utf-8")
    when = f"*{size} run of {datetime.now(UTC).date().isoformat()} on {machine()}*"
    block = f"<!-- begin {report.name} -->\n{when}\n\n{report.markdown()}\n<!-- end {report.name} -->"
    marks = re.compile(f"<!-- begin {report.name} -->.*?<!-- end {report.name} -->", re.DOTALL)
    if not marks.search(text):
        raise RuntimeError(f"{page} has no place for {report.name}")
    page.write_text(marks.sub(lambda _: block, text), encoding="utf-8")
    if report.chart:
        (DOCS / "performance").mkdir(exist_ok=True)
        (DOCS / "performance" / f"{report.name}.svg").write_text(svg(report.chart))


def machine() -> str:
    """Where the figures were measured."""
    cpu = next((line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "")
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return (
        f"{os.cpu_count()} cores {cpu or platform.machine()}, {memory / 2**20:.0f} GiB, {platform.system()}, "
        f"Python {platform.python_version()}, Prefect {version('prefect')}"
    )


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def svg(chart: Chart) -> str:
    """Horizontal bars, ours in colour, readable on light and dark pages."""
    most = max(chart.values.values()) or 1.0
    height = 40 + BAR * len(chart.values)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        f'<text x="8" y="20" font-weight="bold">{escape(chart.title)}</text>',
    ]
    for number, (name, value) in enumerate(chart.values.items()):
        y = 32 + BAR * number
        length = max(1.0, (WIDTH - LEFT - 110) * value / most)
        colour = "#2563eb" if name.startswith("dailies") else "#94a3b8"
        parts += [
            f'<text x="{LEFT - 8}" y="{y + 16}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="{LEFT}" y="{y + 3}" width="{length:.1f}" height="{BAR - 8}" fill="{colour}"/>',
            f'<text x="{LEFT + length + 6:.1f}" y="{y + 16}">{_cell(float(value))} {escape(chart.unit)}</text>',
        ]
    return "\n".join([*parts, "</svg>\n"])
