"""`credits.csv`, the JSON answer, and the texts of the Prefect artifacts, all from the same lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TextIO

from dailies.domain.figures import COLUMNS, Line, Totals, line_of, totals_of
from dailies.domain.money import ZERO, show_usd
from dailies.domain.records import BatchRow, SeenStatus
from dailies.report.advice import Topic, topic_of
from dailies.report.divide import BY_ATTEMPT, divided

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
JSON_CLIP = ("id", "clip_key", "state", "provider", "model", "generation_id", "s3_uri", "sha256", "size_bytes", "usd_quoted",
             "usd_charged", "credits_used", "polls", "seconds", "duration_s", "error", "take", "verdict")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Credits:
    """A batch's report in figures: lines with what each needs from a person, and the totals. `labels` are the model's
    options as they were bought and the team's own columns, by name; an option comes before a column of the same name.
    """

    batch: str
    lines: tuple[Line, ...]
    labels: tuple[Mapping[str, str], ...]
    options: tuple[Mapping[str, str], ...]
    topics: tuple[Topic, ...]
    totals: Totals
    by_day: Mapping[date, Decimal]
    """Dollars spent or at risk by the UTC day of each attempt."""
    at_providers: tuple[Line, ...]
    """The lines once more, that of a clip which was tried at several providers in parts."""
    unknown_statuses: tuple[SeenStatus, ...] = ()
    """Words that providers used and dailies did not know, in the whole ledger."""


NO_LABELS: Mapping[str, str] = MappingProxyType({})


def credits_of(batch: str, rows: Iterable[BatchRow], delivered_before: frozenset[str] | None = None) -> Credits:
    """The figures of a batch's rows, those last that left the CSV: of them only what cost money is listed.

    The rows are looked at once and not kept.
    """
    lines, labels, options, topics, at_providers = [], [], [], [], []
    by_day: dict[date, Decimal] = {}
    for row in sorted_by_standing(rows):
        line = line_of(row, delivered_before)
        lines.append(line)
        options.append(options_of(row))
        labels.append({**row.labels, **options[-1]} if options[-1] else row.labels or NO_LABELS)
        topics.append(topic_of(row, line))
        parts = [*divided(row, BY_ATTEMPT["provider"])]
        at_providers += [line] if parts == [row] else [line_of(part, delivered_before) for part in parts]
        for attempt in row.attempts:
            if usd := attempt.usd_spent:
                day = attempt.created_at.date()
                by_day[day] = by_day.get(day, ZERO) + usd
    return Credits(
        batch, tuple(lines), tuple(labels), tuple(options), tuple(topics), totals_of(lines), by_day, tuple(at_providers)
    )


def sorted_by_standing(rows: Iterable[BatchRow]) -> Iterator[BatchRow]:
    """Rows that count in their order, then those that do not and for which something was sent."""
    rest: list[BatchRow] = []
    for row in rows:
        if row.counted and not row.retired:
            yield row
        elif row.attempts:
            rest.append(row)
    yield from rest


def options_of(row: BatchRow) -> Mapping[str, str]:
    """The model's options that a clip was bought with, as text by name."""
    options = row.clip.options
    return {name: option_text(value) for name, value in options.items()} if options else NO_LABELS


def option_text(value: object) -> str:
    """An option's value as a CSV would have it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def credits_csv_bytes(credits: Credits) -> bytes:
    """One row per clip, as UTF-8; never all of it as text and as bytes at once."""
    out = io.BytesIO()
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    write_csv(credits, text)
    text.detach()
    return out.getvalue()


def write_csv(credits: Credits, out: TextIO) -> None:
    """One row per clip. Cells that a spreadsheet would run as a formula are quoted with `'`; unknown money is empty."""
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
    """The one JSON object of `--json`, in the order of the design.

    `clips` are the batch's rows. `uncounted` is there when something else adds to the money: rows that have left the CSV,
    attempts whose clip went on elsewhere.
    """
    counted = [clip_json(credits, at) for at, line in enumerate(credits.lines) if line.counted]
    uncounted = [clip_json(credits, at) for at, line in enumerate(credits.lines) if not line.counted]
    return {
        "batch": credits.batch,
        **plain_totals(credits.totals),
        "report_dir": report_dir,
        "clips": counted,
        **({"uncounted": uncounted} if uncounted else {}),
    }


def answer_pieces(credits: Credits, report_dir: str | None) -> Iterator[str]:
    """The same object as text, clip after clip: of a hundred thousand clips one is there as JSON at a time."""
    head = {"batch": credits.batch, **plain_totals(credits.totals), "report_dir": report_dir}
    yield dump(head).removesuffix("}") + ', "clips": ['
    yield from _clips_text(credits, counted=True)
    if not all(line.counted for line in credits.lines):
        yield '], "uncounted": ['
        yield from _clips_text(credits, counted=False)
    yield "]}"


def _clips_text(credits: Credits, counted: bool) -> Iterator[str]:
    comma = ""
    for at, line in enumerate(credits.lines):
        if line.counted is counted:
            yield comma + dump(clip_json(credits, at))
            comma = ", "


def clip_json(credits: Credits, at: int) -> dict[str, object]:
    """One clip as JSON; its options and what is not as ordered stand there where there are any."""
    line = credits.lines[at]
    rare = {"options": dict(credits.options[at]), "mismatch": line.mismatch}
    said = {name: value for name, value in rare.items() if value}
    marks = {"marks": line.marks.record() if line.marks else None}
    return {name: _number(getattr(line, name)) for name in JSON_CLIP} | marks | said


def statuses_json(seen: Iterable[SeenStatus]) -> list[dict[str, object]]:
    """Unknown status words as JSON, the most frequent first."""
    return [{"provider": one.provider, "status": one.status, "count": one.count} for one in seen]


def plain_totals(totals: Totals) -> dict[str, object]:
    """Totals as numbers and nulls."""
    return {name: _number(value) for name, value in asdict(totals).items()}


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
        ("interrupted", str(totals.interrupted)),
        ("not started", str(totals.not_started)),
        ("quoted", show_usd(totals.usd_quoted)),
        ("charged", show_usd(totals.usd_charged)),
        ("not reported", f"{totals.unreported} (about {show_usd(totals.usd_unreported_quoted)} quoted)"),
        ("at risk", show_usd(totals.usd_at_risk)),
        ("credits", "not reported" if totals.credits_used is None else f"{totals.credits_used:,}"),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    where = f"\n\nReport: `{report_uri}`" if report_uri else ""
    return f"## {markdown_text(credits.batch)}\n\n{totals.sentence()}\n\n| | |\n|---|---|\n{table}{where}"


def table_rows(credits: Credits, most: int = 5000) -> list[dict[str, str]]:
    """The clips as the Prefect UI's table shows them: what needs a person first."""
    ordered = sorted(credits.lines, key=by_urgency)
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


URGENT = {"in_doubt": 0, "failed": 1, "overdue": 2, "interrupted": 3, "not_started": 4}


def by_urgency(line: Line) -> tuple[bool, int, int, int, str]:
    """A key that sorts clips: the batch's rows first, among them what needs a person, then row after row, take after take."""
    return not line.counted, URGENT.get(line.outcome, 9), line.row, len(line.take), line.take


def markdown_text(text: str) -> str:
    """Text that markdown and HTML leave alone."""
    return "".join(
        "\\" + c if c in "\\`*_{}[]()#+-.!|>~" else "&lt;" if c == "<" else "&amp;" if c == "&" else c for c in text
    )
