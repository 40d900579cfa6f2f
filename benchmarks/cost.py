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
    found = {(kind, way): _Taken() for kind in made for way in ways}
    for turn in range(rounds):
        for kind, clip in made.items():
            stage.sandbox(0.0, 7, str(clip))
            for number, (way, how) in enumerate(ways.items()):
                for number_of, taken in ((1, found[kind, way].one), (count, found[kind, way].many)):
                    name = f"cost-{turn}-{kind[:2]}-{number}-{number_of}"
                    taken.append(_cpu_s(stage, how, f"cost-{number}", name, number_of, idle))
    return _report(found, made, count, rounds, idle)


class _Taken:
    """CPU seconds of whole runs."""

    def __init__(self) -> None:
        self.one: list[float] = []
        self.many: list[float] = []

    def ms(self, count: int) -> float:
        """Of a clip."""
        return 1000 * (median(self.many) - median(self.one)) / (count - 1)


def _report(
    found: dict[tuple[str, str], _Taken], made: dict[str, Path], count: int, rounds: int, idle: float
) -> Report:
    rows: list[list[object]] = []
    bars: list[Bar] = []
    for (kind, way), taken in found.items():
        base = found.get((kind, EARLIER))
        ratio = taken.ms(count) / base.ms(count) if base else 0.0
        size = made[kind].stat().st_size / 1e6
        rows.append([f"{kind} ({size:.1f} MB)", way, taken.ms(count), ratio if base else "", median(taken.one)])
        if way == QUICK and base:
            bars.append(
                Bar(f"{kind}: CPU per clip with `DAILIES_LOOK=quick` over that of {EARLIER[-7:]}", ratio, MOST[kind])
            )
    note = (
        f"The CPU of `dailies run` of {count} clips, less that of one clip, over {count - 1}: the program and its sender to "
        f"their end and Prefect's server, less what the server takes when nobody asks ({idle:.1%} of a core); sandbox and S3 server "
        f"are not in it. {IN_FLIGHT} at once; the median of {rounds} rounds, taken in turn."
    )
    chart = Chart(
        "CPU of a clip, ms", "ms", {f"{way}, {kind}": taken.ms(count) for (kind, way), taken in found.items()}
    )
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
