"""Where each millisecond of a clip's CPU goes, and what holds the event loop: one long run with the probe in it."""

from __future__ import annotations

from benchmarks import clips, probed
from benchmarks.report import Bar, Chart, Report
from benchmarks.stage import Stage

HELD_MS = 50


def run(stage: Stage, full: bool) -> Report:
    """A thousand clips with `DAILIES_LOOK=full`, sampled every ten milliseconds."""
    count = 1000 if full else 20
    stage.sandbox(0.0, 7, str(clips.small(stage.folder / "small.mp4")))
    seen = probed.per_clip(count, probed.ours(stage, "budget", stage.idle_share()))
    rooms = {what: float(ms) for what, ms in seen.cpu_ms.most_common() if what != "this measurement" and ms >= 0.05}
    rows: list[list[object]] = [["CPU, ms a clip", what, ms, "", ""] for what, ms in rooms.items()]
    held = sorted(seen.held.items(), key=lambda item: -max(item[1]))
    rows += [["holds the loop", f"`{place}`", "", 1000 * max(took), len(took)] for place, took in held[:12]]
    longest = 1000 * max((max(took) for _, took in held), default=0.0)
    note = (
        f"{count} clips of four seconds at 720p, 50 at once, less a run of one. By the innermost of our rooms or libraries on each "
        f"thread's stack; *server* and *sender* are processes of their own. A call holds the loop from its begin to its end, less "
        f"what its thread waited for a core; those of more than {HELD_MS} ms are listed, by where they were seen and on which thread."
    )
    names = {"server": "Prefect's server", "sender": "sender"}
    chart = Chart("Where a clip's CPU goes, ms", "ms", {names.get(what, what): ms for what, ms in rooms.items()})
    columns = ["", "what", "CPU, ms", "longest, ms", "times"]
    bars = [Bar(f"longest call on an event loop in a run of {count:,} clips, ms", longest, HELD_MS)]
    return Report(
        "budget", "Where a clip's CPU goes, and what holds the event loop", columns, rows, bars, chart, [note]
    )
