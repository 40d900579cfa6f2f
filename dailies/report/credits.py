"""`credits.csv`, the JSON answer, and the texts of the Prefect artifacts, all from the same lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from heapq import nsmallest
from typing import Any

from dailies.domain.clip_line import COLUMNS, Line, columns_of, line_of
from dailies.domain.figures import Totals
from dailies.domain.money import show_usd
from dailies.domain.records import NO_LABELS, BatchRow, SeenStatus
from dailies.domain.text import as_utf8
from dailies.report.advice import Topic, topics_of
from dailies.report.blocks import Block, Clips, in_blocks
from dailies.report.cells import as_float, csv_cells, json_texts
from dailies.report.divide import BY_ATTEMPT, divided
from dailies.report.sums import Sums

JSON_CLIP = ("id", "clip_key", "state", "provider", "model", "generation_id", "s3_uri", "sha256", "size_bytes", "usd_quoted",
             "usd_charged", "credits_used", "polls", "seconds", "duration_s", "error", "take", "verdict")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Credits:
    """A batch's report in figures: its clips with what each needs from a person, and their sums."""

    batch: str
    clips: Clips
    sums: Sums
    totals: Totals
    divided: Mapping[int, Sequence[Line]]
    """Of clips that were tried at several providers, by their place: the line in parts."""
    unknown_statuses: tuple[SeenStatus, ...] = ()
    """Words that providers used and dailies did not know, in the whole ledger."""

    @property
    def lines(self) -> Sequence[Line]:
        """One for each clip."""
        return self.clips.each(lambda block: block.lines)

    @property
    def labels(self) -> Sequence[Mapping[str, str]]:
        """The model's options as they were bought and the team's own columns, by name; an option comes before a column of
        the same name."""
        return self.clips.each(lambda block: block.labels)

    @property
    def options(self) -> Sequence[Mapping[str, str]]:
        """The model's options alone."""
        return self.clips.each(lambda block: block.options)

    @property
    def topics(self) -> Sequence[Topic]:
        """What each clip needs from a person."""
        return self.clips.each(lambda block: block.topics)

    @property
    def by_day(self) -> Mapping[date, Decimal]:
        """Dollars spent or at risk by the UTC day of each attempt."""
        return self.sums.by_day

    @property
    def at_providers(self) -> Sequence[Line]:
        """The lines once more, that of a clip which was tried at several providers in parts."""
        return [part for at, line in enumerate(self.lines) for part in self.divided.get(at, (line,))]


def credits_of(batch: str, rows: Iterable[BatchRow], delivered_before: frozenset[str] | None = None) -> Credits:
    """The figures of a batch's rows, those last that left the CSV: of them only what cost money is listed.

    The rows are looked at once and not kept.
    """
    clips, sums, in_parts = Clips(), Sums(), dict[int, Sequence[Line]]()
    for some in in_blocks(sorted_by_standing(rows)):
        block = block_of(some, len(clips), delivered_before)
        parts = {at: [line_of(part, delivered_before) for part in several] for at, several in in_several_parts(some)}
        clips.add(block)
        sums.add(block, parts)
        sums.spent(attempt for row in some for attempt in row.attempts)
        in_parts |= {block.start + at: lines for at, lines in parts.items()}
    return Credits(batch, clips, sums, sums.whole.totals(), in_parts)


def block_of(rows: Sequence[BatchRow], start: int, delivered_before: frozenset[str] | None) -> Block:
    """Some rows as they stand in the report from place `start` on."""
    columns = columns_of(rows, delivered_before)
    options = [options_of(row) if row.clip.options else NO_LABELS for row in rows]
    labels = [
        {**row.labels, **more} if more else row.labels or NO_LABELS for row, more in zip(rows, options, strict=True)
    ]
    return Block.of(start, columns, labels, options, topics_of(rows, columns))


def in_several_parts(rows: Sequence[BatchRow]) -> Iterator[tuple[int, list[BatchRow]]]:
    """Those rows, by their place, whose clip was tried at several providers: in parts, one for each."""
    for at, row in enumerate(rows):
        if len(row.attempts) > 1 and (several := [*divided(row, BY_ATTEMPT["provider"])]) != [row]:
            yield at, several


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
    return {name: option_text(value) for name, value in row.clip.options.items()}


def option_text(value: object) -> str:
    """An option's value as a CSV would have it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def csv_pieces(credits: Credits) -> Iterator[bytes]:
    """One row per clip, as UTF-8, some hundred rows at a time. Cells that a spreadsheet would run as a formula are quoted with `'`; unknown
    money is empty."""
    own = own_columns(credits)
    yield as_utf8(f"{','.join(csv_cells([*COLUMNS, *own.values()]))}\n")
    for block in credits.clips.blocks():
        columns = [block.written(name, csv_cells) for name in COLUMNS]
        columns += [csv_cells([labels.get(name, "") for labels in block.labels]) for name in own]
        yield as_utf8("\n".join([*map(",".join, zip(*columns, strict=True)), ""]))


def own_columns(credits: Credits) -> dict[str, str]:
    """The team's columns in the order in which they appear, each with its header: its own name unless that is taken."""
    taken, headers = set(COLUMNS), {}
    for name in credits.sums.names:
        header = name
        while header in taken:
            header = f"own_{header}"
        taken.add(header)
        headers[name] = header
    return headers


def answer_json(credits: Credits, report_dir: str | None) -> dict[str, Any]:
    """The one JSON object of `--json`, in the order of the design.

    `clips` are the batch's rows. `uncounted` is there when something else adds to the money: rows that have left the CSV,
    attempts whose clip went on elsewhere.
    """
    counted: list[dict[str, object]] = []
    uncounted: list[dict[str, object]] = []
    for block in credits.clips.blocks():
        for clip, counts in zip(clips_in(block), block.column("counted"), strict=True):
            (counted if counts else uncounted).append(clip)
    return {
        "batch": credits.batch,
        **plain_totals(credits.totals),
        "report_dir": report_dir,
        "clips": counted,
        **({"uncounted": uncounted} if uncounted else {}),
    }


def answer_pieces(credits: Credits, report_dir: str | None) -> Iterator[str]:
    """The same object as text, some hundred clips at a time."""
    head = {"batch": credits.batch, **plain_totals(credits.totals), "report_dir": report_dir}
    yield dump(head).removesuffix("}") + ', "clips": ['
    yield from _clips_text(credits, counted=True)
    if credits.totals.rows < len(credits.clips):
        yield '], "uncounted": ['
        yield from _clips_text(credits, counted=False)
    yield "]}"


def _clips_text(credits: Credits, counted: bool) -> Iterator[str]:
    comma = ""
    for block in credits.clips.blocks():
        found = [
            text for text, counts in zip(_texts_in(block), block.column("counted"), strict=True) if counts is counted
        ]
        if found:
            yield comma + ", ".join(found)
            comma = ", "


CLIP_TEXT = "{" + ", ".join(f'"{name}": %s' for name in (*JSON_CLIP, "marks")) + "%s"


def _texts_in(block: Block) -> Iterator[str]:
    """`clips_in` as JSON text."""
    columns = [block.written(name, lambda values: json_texts(values, as_float)) for name in JSON_CLIP]
    marks = block.written("marks", lambda values: [_to_json(one.record()) if one else "null" for one in values])
    rare = zip(block.options, block.column("mismatch"), strict=True)
    ends = [_rare_text(*some) if any(some) else "}" for some in rare]
    return map(CLIP_TEXT.__mod__, zip(*columns, marks, ends, strict=True))


def _rare_text(options: Mapping[str, str], mismatch: str | None) -> str:
    said = {name: value for name, value in (("options", options), ("mismatch", mismatch)) if value}
    return f", {_to_json(said)[1:]}"


def clips_in(block: Block) -> list[dict[str, object]]:
    """The clips of a block as JSON; its options and what is not as ordered stand there where there are any."""
    columns = [block.written(name, _numbers) for name in JSON_CLIP]
    clips: list[dict[str, object]] = [dict(zip(JSON_CLIP, cells, strict=True)) for cells in zip(*columns, strict=True)]
    rare = zip(clips, block.column("marks"), block.options, block.column("mismatch"), strict=True)
    for clip, marks, options, mismatch in rare:
        clip["marks"] = marks.record() if marks else None
        if options:
            clip["options"] = dict(options)
        if mismatch:
            clip["mismatch"] = mismatch
    return clips


def _numbers(values: Sequence[object]) -> Sequence[object]:
    return [*map(_number, values)] if Decimal in map(type, values) else values


def statuses_json(seen: Iterable[SeenStatus]) -> list[dict[str, object]]:
    """Unknown status words as JSON, the most frequent first."""
    return [{"provider": one.provider, "status": one.status, "count": one.count} for one in seen]


def plain_totals(totals: Totals) -> dict[str, object]:
    """Totals as numbers and nulls."""
    return {name: _number(value) for name, value in asdict(totals).items()}


def dump(answer: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> str:
    """JSON text; prompts and errors keep their letters."""
    return _to_json(answer)


def _number(value: object) -> object:
    return float(value) if isinstance(value, Decimal) else value


_to_json = json.JSONEncoder(ensure_ascii=False, default=_number).encode


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
    ordered = nsmallest(most, credits.lines, key=by_urgency)
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
        for line in ordered
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
