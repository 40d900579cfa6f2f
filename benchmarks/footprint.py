"""What a clip leaves behind on the Prefect server: events, task runs, states, log lines, artifacts."""

from __future__ import annotations

import sqlite3
import time

from benchmarks.measure import contender, ours
from benchmarks.report import Bar, Chart, Report
from benchmarks.stage import Stage

TIME_SCALE, IN_FLIGHT = 0.1, 50
TABLES = {
    "events": "events",
    "task runs": "task_run",
    "task run states": "task_run_state",
    "log lines": "log",
    "artifacts": "artifact",
}
SETTLED_S = 10.0  # the server writes what it was told for so long after a run, at most


def run(stage: Stage, full: bool) -> Report:
    """The same batch by ours, which has a history, and by the textbook's flow, whose logs are off: what the server holds more."""
    clips = 100 if full else 20
    stage.sandbox(TIME_SCALE)
    ours(stage, clips, IN_FLIGHT, TIME_SCALE, home="footprint", name="history")
    left: dict[str, dict[str, int]] = {}
    looks: dict[str, float] = {}
    for name in ("dailies", "textbook Prefect"):
        before = held(stage)
        made = (
            ours(stage, clips, IN_FLIGHT, TIME_SCALE, home="footprint", name="footprint")
            if name == "dailies"
            else contender(stage, name, clips, IN_FLIGHT, TIME_SCALE)
        )
        looks[name] = made.polls
        time.sleep(SETTLED_S)
        left[name] = {what: count - before[what] for what, count in held(stage).items()}
    rows = [[name, looks[name], *(f"{count / clips:.1f}" for count in left[name].values())] for name in left]
    bars = [Bar("log lines per clip", left["dailies"]["log lines"] / clips, 4)]
    note = (
        f"{clips} clips after as many that taught the schedule; run and report included. Each clip has three task runs by "
        "name, an event when it is bought and one when it is delivered, and its lines on the run's page; no result is "
        "stored, no poll writes a log line."
    )
    chart = Chart("Events per clip", "", {name: count["events"] / clips for name, count in left.items()})
    columns = ["", "looks", *(f"{what} a clip" for what in TABLES)]
    return Report("footprint", "What a clip leaves on the Prefect server", columns, rows, bars, chart, [note])


def held(stage: Stage) -> dict[str, int]:
    """How many rows of each kind the server's database has."""
    connection = sqlite3.connect(f"file:{stage.prefect_db}?mode=ro", uri=True)
    try:
        return {
            what: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for what, table in TABLES.items()
        }
    finally:
        connection.close()
