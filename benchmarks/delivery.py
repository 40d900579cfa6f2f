"""MB/s from the provider to S3: the delivery step against boto3's own upload of the same files, and against copying."""

from __future__ import annotations

import json
import struct
import sys

from benchmarks.report import Bar, Chart, Report
from benchmarks.stage import BUCKET, Stage
from benchmarks.stage import run as run_program
from dailies.sandbox.render import Spec, render

WAYS = {
    "dailies": "fetched, hashed, checked, decoded, put once, seen by a HEAD, recorded",
    "upload_file alone": "boto3 with its defaults, the files on disk already",
    "download, upload_file": "httpx to a file, then boto3; nothing checked",
}


def run(stage: Stage, full: bool) -> Report:
    """So many clips of so many megabytes from a file server to the S3 server, 16 at once, each way in its own process."""
    count, size_mb = (48, 16) if full else (8, 8)
    folder = stage.folder / "clips"
    folder.mkdir(exist_ok=True)
    (folder / "clip.mp4").write_bytes(clip_of(size_mb))
    rows: list[list[object]] = []
    speeds: dict[str, float] = {}
    for number, (way, meaning) in enumerate(WAYS.items()):
        job = {"way": way, "count": count, "folder": str(folder), "bucket": BUCKET, "prefix": f"delivery-{number}"}
        stage.sandbox(0.0)
        best = max((_one(stage, job | {"prefix": f"{job['prefix']}-{turn}"}) for turn in range(2)), key=lambda x: x[0])
        speeds[way] = best[0]
        rows.append([way, meaning, *best])
    bars = [
        Bar("dailies over `upload_file` alone", speeds["dailies"] / speeds["upload_file alone"], 0.9, at_least=True),
        Bar(
            "dailies over download and `upload_file`",
            speeds["dailies"] / speeds["download, upload_file"],
            0.9,
            at_least=True,
        ),
    ]
    notes = [
        f"{count} clips of {size_mb} MB, 16 at once; the better of two turns. Provider, store and program share the cores, so "
        "whoever does less work is faster here; in life the network is the limit. *Peak* is the whole program's memory."
    ]
    columns = ["", "what it does", "MB/s", "CPU, s", "peak, MiB"]
    return Report(
        "delivery", "Delivery", columns, rows, bars, Chart("Delivery, longer is better", "MB/s", speeds), notes
    )


def _one(stage: Stage, job: dict[str, object]) -> tuple[float, float, float]:
    environ = stage.environ(str(job["prefix"]))
    ran = run_program([sys.executable, "-m", "benchmarks.deliver"], environ, json.dumps(job))
    return json.loads(ran.stdout)["mb_per_s"], ran.cpu_s, ran.peak_bytes / 2**20


def clip_of(size_mb: int) -> bytes:
    """A real MP4 of this size: a short clip, and a box that players skip."""
    clip = render(Spec((1280, 720), 4, True), None)
    padding = max(8, size_mb * 1_000_000 - len(clip))
    return clip + struct.pack(">I4s", padding, b"free") + bytes(padding - 8)
