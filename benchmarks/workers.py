"""Rows a minute that a large batch makes with one worker and with two, each as on a machine of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.report import Bar, Chart, Report
from tests.flows.production import Production, in_production

TIME_SCALE = 0.66
"""A clip takes a minute: slow enough that places for runs, not the two cores that all of them share here, set the pace."""
SHARD_ROWS, SHARDS_A_WORKER = 10, 2


def run(full: bool) -> Report:
    """`generate-large` through the real deployments, on Postgres, without history in a ledger that both share."""
    rows = 80 if full else 40
    found: dict[str, tuple[float, str]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="dailies-bench-") as folder,
        in_production(Path(folder), "", TIME_SCALE) as production,
    ):
        for number, name in enumerate(("one worker", "two workers"), start=1):
            dispatch = number == 1  # the first machine has room for the dispatch too
            production.worker(f"machine-{number}", limit=SHARDS_A_WORKER + dispatch)
            found[name] = _batch(production, f"with-{number}", rows)
    a_minute = {name: 60 * rows / seconds for name, (seconds, _) in found.items()}
    table = [[name, rows, found[name][0], a_minute[name], found[name][1]] for name in found]
    bars = [
        Bar(
            "rows a minute with two workers over one",
            a_minute["two workers"] / a_minute["one worker"],
            1.5,
            at_least=True,
        )
    ]
    note = (
        f"`generate-large` in shards of {SHARD_ROWS} rows, all of a shard in flight at once, {SHARDS_A_WORKER} shards at once on "
        f"each worker. Clips take {TIME_SCALE:.0%} of their real time. From the start of the dispatch to its end, with its "
        "report. Prefect's server, Postgres, provider, S3 and both workers share two cores."
    )
    columns = ["", "rows", "s", "rows a minute", "outcome"]
    chart = Chart("Rows a minute", "", a_minute)
    return Report(
        "workers",
        "Rows a minute with one worker and with two",
        columns,
        table,
        bars,
        chart,
        [note],
    )


def _batch(production: Production, name: str, rows: int) -> tuple[float, str]:
    """Seconds from start to end, and the run's own words."""
    prompts = production.world.csv(rows, name=f"{name}.csv")
    most = rows // SHARD_ROWS
    run_id, state, words = production.generate(
        "generate-large/generate-large", timeout_s=1200, prompts=str(prompts), shard_rows=SHARD_ROWS, shards_at_once=min(8, most),
        in_flight=SHARD_ROWS * min(8, most),
    )  # fmt: skip
    run = production.api.run(run_id)
    assert run.start_time and run.end_time and state == "Completed", f"{state}: {words}\n{production.logs()}"
    return (run.end_time - run.start_time).total_seconds(), words
