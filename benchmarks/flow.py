"""What a clip costs the program itself: whole batches through the flow, with a provider that takes no time at all."""

from __future__ import annotations

from benchmarks.measure import Figures, ours
from benchmarks.report import Bar, Chart, Report
from benchmarks.stage import Stage

IN_FLIGHT = 50
COLUMNS = ["rows", "process, s", "clips a second", "CPU, ms a clip", "looks", "peak, MiB"]


def run(stage: Stage, full: bool) -> Report:
    """Every row is bought, looked at, delivered and reported. What the start costs is taken off by a batch of one."""
    counts = (100, 1000, 10_000) if full else (100, 300)
    stage.sandbox(0.0)
    one = ours(stage, 1, IN_FLIGHT, 0.0, home="flow-1", name="flow-1")
    found = [ours(stage, count, IN_FLIGHT, 0.0, home=f"flow-{count}", name=f"flow-{count}") for count in counts]
    start_ms = one.cpu_ms_per_clip
    per_clip = [(f.cpu_ms_per_clip * f.clips - start_ms) / (f.clips - 1) for f in found]
    rows = [
        [f.clips, f.wall_s, f.clips / f.makespan_s, ms, f.polls, f.peak_mb]
        for f, ms in zip(found, per_clip, strict=True)
    ]
    grown_kb = 1024 * (found[-1].peak_mb - found[0].peak_mb) / (counts[-1] - counts[0])
    bars = [
        Bar(f"CPU per clip at {counts[-1]:,} rows over that at {counts[0]:,}", per_clip[-1] / per_clip[0], 1.25),
        Bar("kB of memory per row of a batch", grown_kb, 10),
    ]
    note = (
        f"{IN_FLIGHT} at once; sandbox, S3 server and Prefect's server have processes of their own and share the cores. "
        f"Start and end of a batch, {start_ms / 1000:.1f} s of CPU, are taken off."
    )
    return Report("flow", "What a clip costs the program", COLUMNS, rows, bars, _chart(found), [note])


def _chart(found: list[Figures]) -> Chart:
    speeds = {f"dailies, {f.clips:,} rows": f.clips / f.makespan_s for f in found}
    return Chart("Clips a second through the whole flow, longer is better", "a second", speeds)
