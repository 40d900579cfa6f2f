"""CPU of a clip, everything counted in that the program starts, against an earlier version of it: both in turn, on one machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from statistics import median

from benchmarks import clips
from benchmarks.report import Bar, Chart, Report
from benchmarks.stage import ROOT, WITH_ALL, Stage, dailies
from benchmarks.stage import run as run_program

BEFORE = os.environ.get("DAILIES_BENCH_BEFORE", "48f82a2")
"""A commit, or a folder with another version's code."""
IN_FLIGHT, SETTLED_S = 20, 5.0
QUICK, FULL, EARLIER = "dailies, DAILIES_LOOK=quick", "dailies, full", f"dailies of {Path(BEFORE).name[:7]}"
MOST = {"720p, four seconds": 0.5, "16 MB": 0.6}


def run(stage: Stage, full: bool) -> Report:
    """So many clips less a run of one, over the clips that are more; the median of the rounds, taken in turn."""
    count, rounds = (40, 3) if full else (24, 1)
    before = earlier(stage.folder)
    made = {
        "720p, four seconds": clips.small(stage.folder / "small.mp4"),
        "16 MB": clips.large(stage.folder / "large.mp4"),
    }
    idle = stage.idle_share()
    ways = {EARLIER: (before, "full")} if before else {}
    ways |= {QUICK: (ROOT, "quick"), FULL: (ROOT, "full")}
    found: dict[tuple[str, str], list[float]] = {(kind, way): [] for kind in made for way in ways}
    ones: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds):
        for kind, clip in made.items():
            stage.sandbox(0.0, 7, str(clip))
            for number, (way, how) in enumerate(ways.items()):
                for number_of, taken in ((1, ones[way]), (count, found[kind, way])):
                    name = f"cost-{turn}-{kind[:2]}-{number}-{number_of}"
                    taken.append(_cpu_s(stage, how, f"cost-{number}", name, number_of, idle))
    counted = {which: _ms(many, ones[which[1]], count) for which, many in found.items()}
    sizes = {kind: clip.stat().st_size / 1e6 for kind, clip in made.items()}
    turns = (
        f"{IN_FLIGHT} at once; the median of {rounds} rounds, taken in turn"
        if rounds > 1
        else f"{IN_FLIGHT} at once; one round"
    )
    return report_of(counted, {way: min(taken) for way, taken in ones.items()}, sizes, _note(count, idle, turns))


def _ms(many: list[float], ones: list[float], count: int) -> float:
    """Of a clip. The least run of one: the first in a home also makes its ledger."""
    return 1000 * (median(many) - min(ones)) / (count - 1)


def _note(count: int, idle: float, turns: str) -> str:
    return (
        f"The CPU of `dailies run` of {count} clips, less the least that a run of one took, over {count - 1}: the program and its sender "
        f"to their end and Prefect's server, less what the server takes when nobody asks ({idle:.1%} of a core); sandbox and S3 server "
        f"are not in it. {turns}."
    )


def report_of(
    counted: dict[tuple[str, str], float], ones: dict[str, float], sizes: dict[str, float], note: str
) -> Report:
    """Milliseconds by clip and way, as a table, and ours over the earlier version's."""
    rows: list[list[object]] = []
    bars: list[Bar] = []
    for (kind, way), ms in counted.items():
        base = counted.get((kind, EARLIER))
        rows.append([f"{kind} ({sizes[kind]:.1f} MB)", way, ms, ms / base if base else "", ones[way]])
        if way == QUICK and base:
            promise = f"{kind}: CPU per clip with `DAILIES_LOOK=quick` over that of {EARLIER[-7:]}"
            bars.append(Bar(promise, ms / base, MOST[kind]))
    chart = Chart("CPU of a clip, ms", "ms", {f"{way}, {kind}": ms for (kind, way), ms in counted.items()})
    columns = ["clip", "", "CPU, ms a clip", "ratio", "a run of one, s"]
    return Report("cost", "CPU of a clip against an earlier version", columns, rows, bars, chart, [note])


def earlier(folder: Path) -> Path | None:
    """The other version's code, or nothing where neither git nor a folder has it."""
    if Path(BEFORE).is_dir():
        return Path(BEFORE).resolve()
    if not shutil.which("git"):
        return None
    packed = subprocess.run(["git", "archive", BEFORE], cwd=ROOT, capture_output=True, check=False)
    if packed.returncode:
        return None
    code = folder / f"code-{BEFORE}"
    code.mkdir()
    subprocess.run(["tar", "x", "-C", str(code)], input=packed.stdout, check=True)
    return code


def _cpu_s(stage: Stage, way: tuple[Path, str], home: str, name: str, count: int, idle: float) -> float:
    """Of the program and its sender to their end, and of Prefect's server for them."""
    code, look = way
    prompts = stage.csv(count, name)
    more = {"DAILIES_LOOK": "quick"} if look == "quick" else {}
    environ = stage.environ(home, PYTHONPATH=str(code), DAILIES_MODELS=str(stage.models(0.0)), **more)
    command = dailies("run", str(prompts), "--json", "--yes", "--in-flight", str(IN_FLIGHT))
    server_s = stage.server_cpu_s()
    ran = run_program(command, environ, cwd=code, parent=WITH_ALL)
    time.sleep(SETTLED_S)
    return ran.cpu_s + stage.server_cpu_s() - server_s - idle * (ran.wall_s + SETTLED_S)
