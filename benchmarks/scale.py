"""A report and a check of ten and of a hundred thousand clips, beside what an earlier version takes for them; and a ledger of a
million attempts: what is asked of it all the time takes what it takes on a thousand."""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.cost import BEFORE, earlier
from benchmarks.report import Bar, Chart, Report
from benchmarks.stage import ROOT, Ran, Stage, dailies
from benchmarks.stage import run as run_program

MIB = 2**20
WHEN = "2026-01-01 00:00:00.000000"
NEW_LEDGER = "from dailies.ledger import Ledger, Owner, open_engine as o; Ledger(o('sqlite:///{}'), Owner.this_process()).close()"
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) "
KEY = "printf('%016x%016x%016x%016x', i * 2654435761, i * 40503, i * 7919, i)"
DAY = "date('2026-01-01', '+' || (i % 28) || ' days')"
TABLES: Mapping[str, Mapping[str, str]] = {
    "clip": {
        "clip_key": KEY, "model": "CASE i % 3 WHEN 0 THEN 'openai/sora-2-pro-i2v' ELSE 'google/veo-3-i2v' END",
        "prompt": "'A slow move over the harbour at dawn, gulls, soft light, take ' || i", "image": "'images/' || (i % 100) || '.png'",
        "image_width": "1280", "image_height": "720", "image_format": "'PNG'", "image_bytes": "4000",
        "image_sha256": "printf('%064x', i % 100)", "resolution": "'720p'", "aspect_ratio": "'16:9'", "duration_s": "4",
        "take": "''", "options": "'{}'", "created_at": f"'{WHEN}'",
    },
    "batch_row": {
        "batch": "'scale'", "clip_key": KEY, "number": "i", "row_id": "'clip-' || i", "providers": "'aiml'",
        "usd_quoted": "1260000000", "labels": "'{\"client\": \"' || (i % 5) || '\"}'", "retired": "0",
    },
    "attempt": {
        "id": "printf('%020x', i * 7919)", "clip_key": KEY, "no": "1", "batch": "'scale'", "day": DAY, "provider": "'aiml'",
        "kind": "'kind ' || (i % 6)", "state": "'stored'", "owner": "'gone'", "epoch": "1", "lease_until": f"'{WHEN}'",
        "request_digest": "printf('%064x', i * 31)", "generation_id": "printf('gen-%032x', i * 104729)",
        "usd_quoted": "1260000000", "usd_charged": "1260000000", "credits_used": "2520000",
        "s3_uri": f"'s3://bench/scale/clip-' || i || '-' || substr({KEY}, 1, 8) || '.mp4'", "sha256": "printf('%064x', i * 65537)",
        "size_bytes": "3000000 + i", "polls": "8", "created_at": f"{DAY} || ' 00:00:00.000000'",
        "submitted_at": f"{DAY} || ' 00:00:01.000000'", "completed_at": f"{DAY} || printf(' 00:01:%02d.000000', i % 60)",
        "stored_at": f"{DAY} || printf(' 00:02:%02d.000000', i % 60)", "updated_at": f"'{WHEN}'",
    },
}  # fmt: skip


def run(stage: Stage, full: bool) -> Report:
    """Reports and checks of so many rows by this version and the earlier one; then the questions to the ledger."""
    stage.sandbox(0.0)
    counts, attempts = ((1, 10_000, 100_000), (1000, 1_000_000)) if full else ((1, 1000), (1000, 10_000))
    before = earlier(stage.folder)
    ways = {"dailies": ROOT} | ({f"dailies of {Path(BEFORE).name[:7]}": before} if before else {})
    found: dict[tuple[str, str, int], Ran] = {}
    for count in counts:
        prompts = stage.csv(count, f"scale-{count}", 100)
        for name, code in ways.items():
            environ = stage.environ(f"scale-{name}-{count}".replace(" ", "-"), PYTHONPATH=str(code))
            environ = {key: value for key, value in environ.items() if not key.startswith("PREFECT_")}
            found["check", name, count] = run_program(dailies("check", str(prompts), "--json"), environ, cwd=code)
            home = stage.folder / f"report-{name}-{count}".replace(" ", "-")
            fill(home, code, count)
            shown = dailies(
                "report", "--batch", "scale", "--out", str(home / "out"), "--link-base", "https://cdn.example.com"
            )
            found["report", name, count] = run_program(shown, {**environ, "DAILIES_HOME": str(home)}, cwd=code)
    rows: list[list[object]] = [
        [what, name, f"{count:,}", ran.cpu_s, ran.peak_bytes / MIB] for (what, name, count), ran in found.items()
    ]
    most, one = counts[-1], found["check", "dailies", counts[0]]
    report, check = found["report", "dailies", most], found["check", "dailies", most]
    bars = [
        Bar(f"CPU of a report of {most:,} clips, s", report.cpu_s, 10),
        Bar(f"memory of a report of {most:,} clips, MiB", report.peak_bytes / MIB, 200),
        Bar("kB of memory per row of a check", (check.peak_bytes - one.peak_bytes) / 1024 / most, 3),
    ]
    asked = {count: questions(stage.folder / f"asked-{count}", count) for count in attempts}
    lines = [
        f"| {name} | " + " | ".join(f"{asked[count][name]:.2f}" for count in attempts) + " |" for name in asked[1000]
    ]
    head = "| milliseconds on a ledger of | " + " | ".join(f"{count:,}" for count in attempts) + " |"
    table = "\n".join([head, "|---" * (1 + len(attempts)) + "|", *lines])
    chart = Chart(
        "CPU of a report", "s", {f"{n}, {c:,} clips": ran.cpu_s for (w, n, c), ran in found.items() if w == "report"}
    )
    notes = [
        table,
        "The rows are put into the ledger directly, all delivered, by three models and five clients; the page is one in parts. No "
        "Prefect server is configured: where one is, its client, which reads the settings kept there, is some 35 MiB and a second more.",
    ]
    columns = ["command", "by", "rows", "CPU, s", "peak, MiB"]
    return Report("scale", "A hundred thousand rows, a million attempts", columns, rows, bars, chart, notes)


def fill(home: Path, code: Path, count: int) -> None:
    """A ledger of the version in `code` with so many delivered rows, by those columns that it has."""
    home.mkdir(parents=True, exist_ok=True)
    file = home / "ledger.db"
    environ = {"PYTHONPATH": str(code), "DAILIES_HOME": str(home)}
    run_program([sys.executable, "-c", NEW_LEDGER.format(file)], environ, cwd=code)
    with sqlite3.connect(file) as connection:
        connection.execute(
            "INSERT INTO batch (name, source, destination, created_at, planned_at) VALUES (?, ?, ?, ?, ?)",
            ("scale", "scale.csv", "s3://bench/scale", WHEN, WHEN),
        )
        for table, values in TABLES.items():
            there = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            mine = {name: value for name, value in values.items() if name in there}
            connection.execute(
                f"INSERT INTO {table} ({', '.join(mine)}) {NUMBERS.format(count)} SELECT {', '.join(mine.values())} FROM n"
            )
        connection.execute("ANALYZE")
    connection.close()


def questions(home: Path, count: int) -> dict[str, float]:
    """What is asked all the time, in milliseconds, on a ledger of so many attempts: the quickest of some."""
    fill(home, ROOT, count)
    environ = {"PYTHONPATH": str(ROOT), "DAILIES_HOME": str(home)}
    asked = run_program([sys.executable, "-m", "benchmarks.questions", str(home / "ledger.db")], environ)
    answer: dict[str, float] = json.loads(asked.stdout)
    return answer
