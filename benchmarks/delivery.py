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
    "copying": "httpx to a file, then upload_file; nothing checked",
}


LINE_MB_PER_S = 40


def run(stage: Stage, full: bool) -> Report:
    """So many clips of so many megabytes from a file server to the S3 server, 16 at once, each way in its own process."""
    count, size_mb = (48, 16) if full else (8, 8)
    folder = stage.folder / "clips"
    folder.mkdir(exist_ok=True)
    (folder / "clip.mp4").write_bytes(clip_of(size_mb))
    stage.sandbox(0.0)
    job = {"count": count, "folder": str(folder), "bucket": BUCKET}
    here = _everybody(stage, job, stage.s3_url, "delivery", turns=3)
    with stage.line(LINE_MB_PER_S) as url:
        there = _everybody(stage, job, url, "line", turns=1)
    rows = [[way, meaning, *here[way], there[way][0]] for way, meaning in WAYS.items()]
    bars = [
        Bar(f"dailies over `{way}`{where}", found["dailies"][0] / found[way][0], 0.9, at_least=True)
        for found, where in ((here, ", all on two cores"), (there, f", over a line of {LINE_MB_PER_S} MB/s"))
        for way in list(WAYS)[1:]
    ]
    notes = [
        f"{count} clips of {size_mb} MB, 16 at once; the best of three turns, taken in turn. Provider, store and program "
        "share the cores, so whoever does less work is faster here. *Peak* is the whole program's memory. In life the "
        f"network is the limit: the last column is a store behind a line that takes {LINE_MB_PER_S} MB/s, once for each."
    ]
    columns = ["", "what it does", "MB/s", "CPU, s", "peak, MiB", f"MB/s over {LINE_MB_PER_S}"]
    speeds = {way: figures[0] for way, figures in here.items()}
    return Report(
        "delivery", "Delivery", columns, rows, bars, Chart("Delivery, longer is better", "MB/s", speeds), notes
    )


def _everybody(
    stage: Stage, job: dict[str, object], s3_url: str, prefix: str, turns: int
) -> dict[str, tuple[float, float, float]]:
    """MB/s, CPU seconds and MiB of each way: its fastest turn."""
    found: dict[str, list[tuple[float, float, float]]] = {way: [] for way in WAYS}
    for turn in range(turns):
        for number, way in enumerate(WAYS):
            found[way].append(_one(stage, {**job, "way": way, "prefix": f"{prefix}-{number}-{turn}"}, s3_url))
    return {way: max(figures) for way, figures in found.items()}


def _one(stage: Stage, job: dict[str, object], s3_url: str) -> tuple[float, float, float]:
    environ = stage.environ(str(job["prefix"]), AWS_ENDPOINT_URL_S3=s3_url)
    ran = run_program([sys.executable, "-m", "benchmarks.deliver"], environ, json.dumps(job))
    return json.loads(ran.stdout)["mb_per_s"], ran.cpu_s, ran.peak_bytes / 2**20


def clip_of(size_mb: int) -> bytes:
    """A real MP4 of this size: a short clip, and a box that players skip."""
    clip = render(Spec((1280, 720), 4, True), None)
    padding = max(8, size_mb * 1_000_000 - len(clip))
    return clip + struct.pack(">I4s", padding, b"free") + bytes(padding - 8)
