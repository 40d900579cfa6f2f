"""`credits.csv`, the JSON answer, and the texts of the Prefect artifacts, all from the same lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TextIO

from dailies.domain.figures import COLUMNS, Line, Totals, line_of, totals_of
from dailies.domain.money import show_usd
from dailies.domain.records import BatchRow
from dailies.report.advice import Topic, topic_of

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
JSON_CLIP = ("id", "clip_key", "state", "provider", "model", "generation_id", "s3_uri", "sha256", "size_bytes", "usd_quoted",
             "usd_charged", "credits_used", "polls", "seconds", "error")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Credits:
    """A batch's report in figures: lines with the team's own columns and what each needs from a person, and the totals."""

    batch: str
    lines: tuple[Line, ...]
    labels: tuple[Mapping[str, str], ...]
    topics: tuple[Topic, ...]
    totals: Totals


NO_LABELS: Mapping[str, str] = MappingProxyType({})


def credits_of(batch: str, rows: Iterable[BatchRow], delivered_before: frozenset[str] = frozenset()) -> Credits:
    """The figures of a batch's rows (retired rows are left to the caller). The rows are looked at once and not kept."""
    lines, labels, topics = [], [], []
    for row in rows:
        line = line_of(row, delivered_before)
        lines.append(line)
        labels.append(row.labels or NO_LABELS)
        topics.append(topic_of(row, line))
    return Credits(batch, tuple(lines), tuple(labels), tuple(topics), totals_of(lines))


def credits_csv(credits: Credits) -> str:
    """One row per clip. Cells that a spreadsheet would run as a formula are quoted with `'`; unknown money is empty."""
    out = io.StringIO()
    write_csv(credits, out)
    return out.getvalue()


def write_csv(credits: Credits, out: TextIO) -> None:
    """The same, written as it is made."""
    own = own_columns(credits)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*COLUMNS, *map(safe_cell, own.values())])
    for line, labels in zip(credits.lines, credits.labels, strict=True):
        cells = [getattr(line, name) for name in COLUMNS]
        writer.writerow([safe_cell(cell) for cell in (*cells, *(labels.get(name, "") for name in own))])


def own_columns(credits: Credits) -> dict[str, str]:
    """The team's columns in the order in which they appear, each with its header: its own name unless that is taken."""
    taken, headers = set(COLUMNS), {}
    for name in dict.fromkeys(name for labels in credits.labels for name in labels):
        header = name
        while header in taken:
            header = f"own_{header}"
        taken.add(header)
        headers[name] = header
    return headers


def safe_cell(value: object) -> str:
    """A value as CSV text that no spreadsheet takes for a formula. Numbers of our own stay numbers."""
    if value is None:
        return ""
    if isinstance(value, Decimal):
        return f"{value.normalize():f}" if value else "0"
    text = str(value)
    return "'" + text if isinstance(value, str) and text.startswith(FORMULA_STARTS) else text


def answer_json(credits: Credits, report_dir: str | None) -> dict[str, Any]:
    """The one JSON object of `--json`, in the order of the design."""
    totals = asdict(credits.totals)
    return {
        "batch": credits.batch,
        **{name: _number(value) for name, value in totals.items()},
        "report_dir": report_dir,
        "clips": [{name: _number(getattr(line, name)) for name in JSON_CLIP} for line in credits.lines],
    }


def dump(answer: Mapping[str, Any]) -> str:
    """JSON text; prompts and errors keep their letters."""
    return json.dumps(answer, ensure_ascii=False, default=_number)


def _number(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value


def totals_markdown(credits: Credits, report_uri: str | None) -> str:
    """The totals as the Prefect UI shows them."""
    totals = credits.totals
    rows = [
        ("delivered", f"{totals.delivered + totals.already_delivered} of {totals.rows}"),
        ("delivered earlier", str(totals.already_delivered)),
        ("failed", str(totals.failed)),
        ("in doubt", str(totals.in_doubt)),
        ("overdue", str(totals.overdue)),
        ("not started", str(totals.not_started)),
        ("quoted", show_usd(totals.usd_quoted)),
        ("charged", show_usd(totals.usd_charged)),
        ("at risk", show_usd(totals.usd_at_risk)),
        ("credits", "not reported" if totals.credits_used is None else f"{totals.credits_used:,}"),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    where = f"\n\nReport: `{report_uri}`" if report_uri else ""
    return f"## {markdown_text(credits.batch)}\n\n{totals.sentence()}\n\n| | |\n|---|---|\n{table}{where}"


def table_rows(credits: Credits, most: int = 5000) -> list[dict[str, str]]:
    """The clips as the Prefect UI's table shows them: what needs a person first."""
    urgent = {"in_doubt": 0, "failed": 1, "overdue": 2, "not_started": 3}
    ordered = sorted(credits.lines, key=lambda line: (urgent.get(line.outcome, 9), line.row))
    return [
        {
            "clip": line.id,
            "state": line.state,
            "model": line.model,
            "provider": line.provider,
            "quoted": show_usd(line.usd_quoted),
            "charged": show_usd(line.usd_charged),
            "seconds": "" if line.seconds is None else f"{line.seconds:.0f}",
            "polls": str(line.polls),
            "in S3": line.s3_uri or "",
            "generation": line.generation_id or "",
            "error": line.error or line.mismatch or "",
        }
        for line in ordered[:most]
    ]


def markdown_text(text: str) -> str:
    """Text that markdown and HTML leave alone."""
    return "".join(
        "\\" + c if c in "\\`*_{}[]()#+-.!|>~" else "&lt;" if c == "<" else "&amp;" if c == "&" else c for c in text
    )
