"""What a clip costs the program itself: whole batches through the flow, with a provider that takes no time at all."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter

from benchmarks.measure import Figures, ours
from benchmarks.report import Bar, Chart, Report
from benchmarks.stage import Stage

IN_FLIGHT = 50
COLUMNS = ["", "rows", "process, s", "clips a second", "CPU, ms a clip", "looks", "peak, MiB", "task runs in the UI"]
STEPS = 3  # create, poll, deliver: so many task runs a clip
SETTLED_S = 60.0  # the server writes down what it was told for so long after a run, at most


def run(stage: Stage, full: bool) -> Report:
    """Every row is bought, looked at, delivered and reported. What the start costs is taken off by a batch of one."""
    counts = (100, 1000, 10_000) if full else (100, 300)
    stage.sandbox(0.0)
    plain_one, plain = (_batch(stage, count, prefect=False) for count in (1, counts[1]))
    one = _batch(stage, 1)
    found, shown = [], []
    for count in counts:
        found.append(_batch(stage, count))
        shown.append(completed(stage, f"flow-{count} · {count} clips", STEPS * count))
    per_clip = [_cpu_ms(f, one) for f in found]
    rows = [
        [
            "dailies",
            f.clips,
            f.wall_s,
            f.clips / f.makespan_s,
            ms,
            f.polls,
            f.peak_mb,
            f"{ended:,} of {STEPS * f.clips:,}",
        ]
        for f, ms, ended in zip(found, per_clip, shown, strict=True)
    ]
    plain_ms = _cpu_ms(plain, plain_one)
    speed = plain.clips / plain.makespan_s
    rows.insert(2, ["without Prefect", plain.clips, plain.wall_s, speed, plain_ms, plain.polls, plain.peak_mb, ""])
    grown_kb = 1024 * (found[-1].peak_mb - found[0].peak_mb) / (counts[-1] - counts[0])
    missing = STEPS * counts[-1] - shown[-1]
    bars = [
        Bar(f"CPU per clip at {counts[-1]:,} rows over that at {counts[0]:,}", per_clip[-1] / per_clip[0], 1.25),
        Bar("kB of memory per row of a batch", grown_kb, 10),
        Bar(f"task runs of {counts[-1]:,} clips that the server does not show at their end", missing, 0),
    ]
    added_s = (found[1].makespan_s - plain.makespan_s) / plain.clips
    note = (
        f"{IN_FLIGHT} at once; sandbox, S3 server and Prefect's server have processes of their own and share the cores. "
        f"Start and end of a batch, {one.cpu_ms_per_clip / 1000:.1f} s of CPU, are taken off. *Without Prefect* are the same "
        f"steps in one coroutine for each clip: Prefect adds {per_clip[1] - plain_ms:.0f} ms of the program's CPU and "
        f"{1000 * added_s:.0f} ms to each clip's share of the time, its server's work on these cores included."
    )
    return Report("flow", "What a clip costs the program", COLUMNS, rows, bars, _chart(found, plain), [note])


def _batch(stage: Stage, count: int, prefect: bool = True) -> Figures:
    name = f"flow-{count}" if prefect else f"plain-{count}"
    return ours(stage, count, IN_FLIGHT, 0.0, home=name, name=name, prefect=prefect)


def _cpu_ms(batch: Figures, one: Figures) -> float:
    """Milliseconds of CPU a clip, without what a batch of one takes."""
    return (batch.cpu_ms_per_clip * batch.clips - one.cpu_ms_per_clip) / (batch.clips - 1)


def completed(stage: Stage, run_name: str, expected: int) -> int:
    """How many of the clips' task runs of a run the server has as completed, once they have all come or time is up."""
    query = (
        "SELECT r.state_type, count(*) FROM task_run r JOIN flow_run f ON f.id = r.flow_run_id "
        "WHERE f.name = ? AND r.name LIKE '% · clip-%' GROUP BY 1"
    )
    give_up = time.monotonic() + SETTLED_S
    while True:
        connection = sqlite3.connect(f"file:{stage.prefect_db}?mode=ro", uri=True)
        states = Counter(dict(connection.execute(query, [run_name]).fetchall()))
        connection.close()
        if states["COMPLETED"] >= expected or time.monotonic() > give_up:
            return states["COMPLETED"]
        time.sleep(1)


def _chart(found: list[Figures], plain: Figures) -> Chart:
    speeds = {f"dailies, {f.clips:,} rows": f.clips / f.makespan_s for f in found}
    speeds["without Prefect"] = plain.clips / plain.makespan_s
    return Chart("Clips a second through the whole flow, longer is better", "a second", speeds)
