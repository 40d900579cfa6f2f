"""Makespan of 200 clips at 50 in flight, with lag and polls per clip, against the ideal and the usual ways."""

from __future__ import annotations

from benchmarks.measure import Figures, contender, installed, ours
from benchmarks.report import Bar, Chart, Report
from benchmarks.stage import Stage

TIME_SCALE = 0.2
"""A fivefold compression: what a program itself does weighs five times what it does in life."""
TEXTBOOK = "submit, threads, exponential_backoff(2); two rounds of clips as a sample"
OTHERS = {
    "asyncio": "looks every 15 s",
    "asyncio, aiobotocore": "the same, S3 without threads",
    "async Prefect": "awaited tasks, waits that grow to a bound, creates' results kept",
    "DBOS": "a durable workflow per clip, SQLite",
    "threads": "the documents' script, a thread per clip",
}
COLUMNS = [
    "",
    "clips",
    "makespan, s",
    "over the ideal",
    "lag, s",
    "lag p95, s",
    "looks",
    "CPU, ms a clip",
    "process, s",
    "",
]


def run(stage: Stage, full: bool) -> Report:
    """Ours twice: without history, and with that of the first batch. The two slowest only on a sample."""
    clips, in_flight, sample = (200, 50, 3) if full else (30, 10, 3)
    stage.sandbox(TIME_SCALE)
    whole = {name: OTHERS[name] for name in installed(OTHERS)}
    found = [
        ours(stage, clips, in_flight, TIME_SCALE, name="dailies first", note="no history, catalog's typical time"),
        ours(stage, clips, in_flight, TIME_SCALE, name="dailies", note="learned from the first batch"),
        *(contender(stage, name, clips, in_flight, TIME_SCALE, note) for name, note in whole.items()),
        contender(stage, "textbook Prefect", 2 * in_flight, in_flight, TIME_SCALE, TEXTBOOK),
        contender(stage, "script", sample, 1, TIME_SCALE, f"one after another; a sample of {sample}"),
    ]
    rows = [
        [f.name, f.clips, f.makespan_s, f.ratio, f.lag_s, f.lag_p95_s, f.polls, f.cpu_ms_per_clip, f.wall_s, f.note]
        for f in found
    ]
    learned = found[1]
    best = min(f.ratio for f in found[2:])
    bars = [
        Bar("makespan over the ideal", learned.ratio, 1.05),
        Bar("makespan over the best contender's", learned.ratio / best, 1.0),
    ]
    note = (
        f"Times are compressed to {TIME_SCALE:g} of the real ones, and so are everybody's waits; what a program itself "
        f"does is not, and weighs {1 / TIME_SCALE:g} times as much here as in life. The ideal is the same generation times, "
        f"list-scheduled, for {in_flight} at once without any create, look or delivery; the script's is for one at once. What each "
        "of them loses when it dies stands [below](#a-program-that-dies)."
    )
    return Report("makespan", "Makespan, lag and polls", COLUMNS, rows, bars, _chart(found), [note])


def _chart(found: list[Figures]) -> Chart:
    return Chart("Makespan over the ideal (1 is perfect)", "×", {f.name: f.ratio for f in found})
