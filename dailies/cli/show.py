"""`dailies show CLIP`: all that is known of one clip, and how it came about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from dailies.cli.command_settings import settings_here
from dailies.cli.screen import tell
from dailies.cli.tables import table
from dailies.domain.money import show_usd, to_usd
from dailies.domain.records import Attempt, BatchRow, Event
from dailies.ledger.naming import clip_named
from dailies.report.credits import dump
from dailies.report.facts import facts_of
from dailies.runtime import make_home, open_ledger

LATER = frozenset({"schema", "marks", "verdict", "own", "image", "settings"})
"""Keys that hold more than one value, or are for programs."""


def run_show(clip: str, batch: str | None, json: bool) -> int:
    """Print it. Raises BadInput for a clip that is unknown or one of several."""
    settings = settings_here()
    make_home(settings.home)
    with closing(open_ledger(settings)) as ledger:
        key = clip_named(ledger, clip, batch)
        row = _row(ledger.rows_of_clips([key]), clip, batch)
        history = [(attempt, ledger.history(attempt.id)) for attempt in row.attempts]
        comments = [
            {"second": one.second, "text": one.text, "by": one.author, "at": one.at.isoformat(timespec="seconds")}
            for one in ledger.comments(key)
        ]
    facts = facts_of(row)
    if json:
        print(dump({**facts, "history": [_attempt(*one) for one in history], "comments": comments}))
        return 0
    for line in shown(facts):
        tell(line)
    for one in comments:
        tell(f"at {one['second']:.1f} s, {one['by']}: {one['text']}")
    _print_history(history)
    return 0


def _row(rows: Sequence[BatchRow], clip: str, batch: str | None) -> BatchRow:
    """The row that is meant where several batches have the clip: that of the batch that is named, else that which bought it."""

    def rank(row: BatchRow) -> tuple[bool, bool, bool]:
        named = row.batch == batch or clip.startswith(f"{row.batch}/")
        bought = row.attempt is not None and row.attempt.batch == row.batch
        return named, not row.retired, bought

    return max(rows, key=rank)


def shown(facts: Mapping[str, Any]) -> Iterator[str]:
    """The facts as lines for people; what is not known is left out."""
    for name, value in facts.items():
        if name not in LATER and value not in (None, ""):
            yield f"{name}: {show_usd(to_usd(value)) if name.startswith('usd_') else value}"
    for name in ("image", "settings"):
        words = [f"{key} {value}" for key, value in _flat(facts[name] or {}) if value is not None]
        if words:
            yield f"{name}: {', '.join(words)}"
    for key, value in facts["own"].items():
        yield f"own column {key}: {value}"
    for mark in facts["marks"] or ():
        yield f"mark: {mark['kind']} {mark['from_s']:.1f}-{mark['to_s']:.1f} s ({mark['value']:g})"
    if facts["marks"] == []:
        yield "marks: none, it was looked at"
    if said := facts["verdict"]:
        note = f": {said['note']}" if said["note"] else ""
        yield f"verdict: {said['word'] or 'taken back'} by {said['by']} at {said['at']}{note}"


def _flat(value: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, one in value.items():
        if isinstance(one, Mapping):
            yield from one.items()
        else:
            yield key, one


def _attempt(attempt: Attempt, events: Sequence[Event]) -> dict[str, Any]:
    moves = [
        {"at": one.at.isoformat(timespec="seconds"), "before": one.before and str(one.before), "after": str(one.after),
         "note": one.note}
        for one in events
    ]  # fmt: skip
    return {
        "attempt": attempt.id, "provider": attempt.provider, "state": str(attempt.state),
        "generation_id": attempt.generation_id, "usd_quoted": attempt.usd_quoted, "usd_charged": attempt.usd_charged,
        "usd_at_risk": attempt.usd_at_risk, "error": attempt.error, "events": moves,
    }  # fmt: skip


def _print_history(history: Sequence[tuple[Attempt, Sequence[Event]]]) -> None:
    rows = [
        [f"{one.at:%Y-%m-%d %H:%M:%S}", attempt.provider, attempt.id[:8], str(one.after), one.note]
        for attempt, events in history
        for one in events
    ]
    if rows:
        print()
        table(["at (UTC)", "provider", "attempt", "state", "what happened"], rows)
