"""Tables for people, on stdout."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import nsmallest

from rich.console import Console
from rich.table import Table
from rich.text import Text

from dailies.domain.clip_line import Line
from dailies.domain.clips import slug
from dailies.domain.commands import COLLECT, resolve
from dailies.domain.money import show_usd
from dailies.domain.takes import told_apart
from dailies.report.credits import Credits, by_urgency

MOST_ROWS = 60
PIPE_WIDTH = 240
COLOURS = {
    "delivered": "green", "already_delivered": "green", "failed": "red", "in_doubt": "yellow", "overdue": "yellow",
    "interrupted": "yellow",
}  # fmt: skip


def table(
    columns: Sequence[str], rows: Sequence[Sequence[str | Text]], right: Sequence[str] = (), stderr: bool = False
) -> None:
    """Print a table; cells are plain text, whatever brackets they hold."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in columns:
        shown.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))
    console = Console(highlight=False, stderr=stderr)
    if not console.is_terminal:
        console.width = PIPE_WIDTH  # a pipe has no edge: addresses stay whole
    console.print(shown)


def table_once(
    columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str], common: Sequence[str]
) -> str:
    """Print a table, on a terminal without those of the `common` columns in which all rows are alike. Returns what they say."""
    alike = {
        at: rows[0][at]
        for at, name in enumerate(columns)
        if name in common and len(rows) > 1 and len({row[at] for row in rows}) == 1 and Console().is_terminal
    }
    kept = [at for at in range(len(columns)) if at not in alike]
    table([columns[at] for at in kept], [[row[at] for at in kept] for row in rows], right)
    return ", ".join(text for text in alike.values() if text != "–")


def clips_table(credits: Credits) -> None:
    """The clips of a batch, those first that need a person. On a terminal a clip in S3 is shown by its name, below a line
    that says where; into a pipe its whole address is written."""
    shown = nsmallest(MOST_ROWS, credits.lines, key=by_urgency)
    folder = common_folder(shown) if Console().is_terminal else ""
    names = names_in(credits)
    rows = [[name, *cells(line, folder)[1:]] for line in shown for name in [names[line.clip_key]]]
    table(["clip", "outcome", "charged", "s", "in S3, or why not"], rows, ["charged", "s"])
    if more := len(credits.clips) - len(shown):
        print(f"… and {more} more in credits.csv")
    if folder:
        print(f"In S3 below {folder}")


def names_in(credits: Credits) -> dict[str, str]:
    """What each clip is called by its clip_key, none like another."""
    columns = ("clip_key", "id", "take", "counted")
    return told_apart(
        [clip for block in credits.clips.blocks() for clip in zip(*map(block.column, columns), strict=True)]
    )


def names_within_batches(clips: Sequence[tuple[str, str, str, str]]) -> dict[str, str]:
    """The same for clips of several batches, of `(key, batch, id, take)`, where the batch stands beside the name."""
    names: dict[str, str] = {}
    for batch in dict.fromkeys(batch for _, batch, _, _ in clips):
        names |= told_apart([(key, name, take, True) for key, where, name, take in clips if where == batch])
    return names


def cells(line: Line, folder: str) -> list[str | Text]:
    """One clip's row of the table."""
    outcome = Text(line.outcome.replace("_", " "), COLOURS.get(line.outcome, ""))
    seconds = "" if line.seconds is None else f"{line.seconds:.0f}"
    place = where(line).removeprefix(folder)
    if folder and place.startswith(name := slug(line.id)):
        place = f"…{place.removeprefix(name)}"  # the id stands in the first column
    return [line.id, outcome, show_usd(line.usd_charged), seconds, place]


def common_folder(lines: Sequence[Line]) -> str:
    """The folder `s3://bucket/…/` that holds all clips that are in S3; empty where there is none."""
    folders = {line.s3_uri.rpartition("/")[0] + "/" for line in lines if line.s3_uri}
    return folders.pop() if len(folders) == 1 else ""


def where(line: Line) -> str:
    """Where the clip is, or why it is not there and what to do."""
    if line.s3_uri:
        return line.s3_uri + (f" (not as ordered: {line.mismatch})" if line.mismatch else "")
    hints = {
        "in_doubt": f"{COLLECT}, or {resolve(line.attempt or '')}",
        "overdue": COLLECT,
        "interrupted": COLLECT,
        "not_started": "run it again",
    }
    return " → ".join(part for part in (line.error, hints.get(line.outcome)) if part)
