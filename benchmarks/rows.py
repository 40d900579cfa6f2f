"""Ten thousand rows: checked, planned, and run a second time when all of them are in S3."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import sqlalchemy as sa

from benchmarks.report import Bar, Chart, Report
from benchmarks.stage import BUCKET, Stage, dailies
from benchmarks.stage import run as run_program

IMAGES = 100
DELIVERED = """
INSERT INTO attempt (id, clip_key, no, batch, day, provider, kind, state, owner, epoch, lease_until, request_digest,
  generation_id, usd_quoted, usd_charged, credits_used, s3_uri, sha256, size_bytes, polls, created_at, submitted_at,
  completed_at, stored_at, updated_at)
SELECT 'bench' || clip_key, clip_key, 1, batch, '2026-01-01', 'aiml', 'bench', 'stored', 'gone', 1, '2000-01-01', '',
  'gen' || clip_key, usd_quoted, usd_quoted, 2520000, 's3://' || :bucket || '/' || batch || '/' || batch || '/' || clip_key || '.mp4',
  clip_key, 1, 8, :now, :now, :now, :now, :now
FROM batch_row WHERE batch = :batch
"""


def run(stage: Stage, full: bool) -> Report:
    """At one, and at many rows; what one more row costs is the difference."""
    stage.sandbox(0.0)
    counts = (1, 1000, 10_000) if full else (1, 1000)
    rows: list[list[object]] = []
    seconds: dict[str, float] = {}
    second_s, peaks = 0.0, list[int]()
    for count in counts:
        prompts = stage.csv(count, f"rows-{count}", IMAGES)
        environ = stage.environ(f"rows-{count}")
        check = run_program(dailies("check", str(prompts), "--json"), environ)
        plan = run_program([sys.executable, "-m", "benchmarks.plan_rows", str(prompts)], environ)
        mark_delivered(stage, stage.folder / f"rows-{count}" / "ledger.db", prompts.stem)
        stage.reset()
        second = run_program(dailies("run", str(prompts), "--json", "--yes"), environ)
        answer, asked = json.loads(second.stdout), [path for method, path in stage.requests() if "generations" in path]
        if answer["already_delivered"] != count or asked:
            raise RuntimeError(f"the second run was none: {asked[:3]}, {answer['already_delivered']}")
        phases = json.loads(plan.stdout)
        rows.append([
            count, check.wall_s, check.peak_bytes / 2**20, phases["read_s"], phases["plan_s"], phases["record_s"],
            second.wall_s, second.peak_bytes / 2**20,
        ])  # fmt: skip
        seconds |= {f"dailies check, {count:,} rows": check.wall_s, f"dailies, second run of {count:,}": second.wall_s}
        second_s = second.wall_s
        peaks.append(check.peak_bytes)
    columns = ["rows", "check, s", "check, MiB", "read, s", "plan, s", "record, s", "second run, s", "second run, MiB"]
    bars = [
        Bar(f"second run over {counts[-1]:,} delivered rows, s", second_s, 10),
        Bar("kB of memory per row of a check", (peaks[-1] - peaks[0]) / 1024 / counts[-1], 10),
    ]
    notes = [
        "*read*, *plan* and *record* are parts of one run: the CSV parsed; every row settled, its image measured and "
        f"priced; the plan written to the ledger. There are {IMAGES} images. No second run asked for a generation."
    ]
    return Report(
        "rows",
        "Ten thousand rows",
        columns,
        rows,
        bars,
        Chart("Seconds from start to end of the program", "s", seconds),
        notes,
    )


def mark_delivered(stage: Stage, ledger: Path, batch: str) -> None:
    """Put every planned row of a batch on record as delivered, and a byte into the store where its clip would lie."""
    stage.fill(on_record(ledger, batch))


def on_record(ledger: Path, batch: str) -> Sequence[str]:
    """Put every planned row of a batch on record as delivered. Returns where their clips would lie."""
    engine = sa.create_engine(f"sqlite:///{ledger}")
    with engine.begin() as connection:
        given = {"batch": batch, "bucket": BUCKET, "now": "2026-01-01 00:00:00.000000"}
        connection.execute(sa.text(DELIVERED), given)
        places = (
            connection.execute(sa.text("SELECT s3_uri FROM attempt WHERE batch = :batch"), {"batch": batch})
            .scalars()
            .all()
        )
    engine.dispose()
    return list(places)
