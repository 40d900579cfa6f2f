"""A run with the probe in each of its processes, less a run of one clip: what one clip more makes them do."""

from __future__ import annotations

import json
import re
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.stage import WITH_ALL, Stage, dailies, put_probe
from benchmarks.stage import run as run_program

SETTLED_S = 5.0
"""So long the server writes down what it was told."""
SYNCED = re.compile(r"\b(?:fsync|fdatasync)\(\d+<([^>]*)>")


@dataclass
class Seen:
    """What was counted in all processes of one run; `held` by place and thread of the program, in seconds;
    `peak_mb` all processes' peaks together."""

    requests: Counter[str] = field(default_factory=Counter)
    statements: Counter[str] = field(default_factory=Counter)
    begun: Counter[str] = field(default_factory=Counter)
    cpu_ms: Counter[str] = field(default_factory=Counter)
    syncs: Counter[str] = field(default_factory=Counter)
    held: dict[str, list[float]] = field(default_factory=dict)
    peak_mb: float = 0.0

    def less(self, one: Seen, clips: int) -> Seen:
        """What each of `clips` more did, on the average."""

        def share(all_of_it: Mapping[str, float], first: Mapping[str, float]) -> Counter[str]:
            return Counter({name: (all_of_it[name] - first.get(name, 0)) / clips for name in all_of_it})

        return Seen(
            share(self.requests, one.requests), share(self.statements, one.statements), share(self.begun, one.begun),
            share(self.cpu_ms, one.cpu_ms), share(self.syncs, one.syncs), self.held, self.peak_mb,
        )  # fmt: skip


def look(
    stage: Stage, name: str, command: Sequence[str], environ: Mapping[str, str], idle: float, stdin: str = ""
) -> Seen:
    """Run a program to the end of all its processes. `idle` is the share of a core that the server takes anyway. Where strace is
    installed, waits for the disk are counted too.
    """
    folder = put_probe(stage.folder / f"probe-{name}")
    traced: list[str] = []
    if shutil.which("strace"):
        out = str(folder / "strace")
        traced = [
            "strace",
            "-f",
            "-qq",
            "-y",
            "--seccomp-bpf",
            "-e",
            "trace=fsync,fdatasync",
            "-e",
            "signal=none",
            "-o",
            out,
        ]
    path = f"{folder}:{environ['PYTHONPATH']}"
    asked, server_s = Counter(stage.asked()), stage.server_cpu_s()
    ran = run_program([*traced, *command], {**environ, "PYTHONPATH": path}, stdin, parent=WITH_ALL)
    time.sleep(SETTLED_S)
    seen = _read(folder)
    seen.cpu_ms["server"] = 1000 * (stage.server_cpu_s() - server_s - idle * (ran.wall_s + SETTLED_S))  # type: ignore[assignment]
    seen.requests = Counter(stage.asked()) - asked
    return seen


def per_clip(clips: int, one_run: Callable[[int], Seen]) -> Seen:
    """Of a run of so many clips, less a run of one."""
    one = one_run(1)
    return one_run(clips).less(one, clips - 1)


def ours(stage: Stage, name: str, idle: float, images: int = 1, **environ: str) -> Callable[[int], Seen]:
    """`dailies run`."""

    def run(clips: int) -> Seen:
        prompts = stage.csv(clips, f"{name}-{clips}", images)
        command = dailies("run", str(prompts), "--json", "--yes", "--in-flight", "50")
        given = stage.environ(name, DAILIES_MODELS=str(stage.models(0.0)), **environ)
        return look(stage, f"{name}-{clips}", command, given, idle)

    return run


def engine(stage: Stage, name: str, idle: float) -> Callable[[int], Seen]:
    """An empty flow with the same three task runs a clip."""

    def run(clips: int) -> Seen:
        job = json.dumps({"clips": clips, "base": 1, "waits_s": [0.1], "to_the_end": True})
        command = [sys.executable, "-m", "benchmarks.contenders.engine"]
        return look(stage, f"{name}-{clips}", command, stage.environ(name), idle, job)

    return run


def _read(folder: Path) -> Seen:
    seen = Seen()
    for file in folder.glob("*.json"):
        found = json.loads(file.read_text())
        seen.statements.update(found["statements"])
        seen.begun.update(found["begun"])
        spent = found["cpu_ms"] if found["role"] == "program" else {}
        seen.cpu_ms.update(spent or {found["role"]: 1000 * found["cpu_s"]})
        seen.peak_mb += found["peak_mb"]
        for place, seconds in found["held"].items():
            seen.held.setdefault(place, []).extend(seconds)
    trace = folder / "strace"
    if trace.exists():
        seen.syncs.update(Path(path).suffix or Path(path).name for path in SYNCED.findall(trace.read_text()))
    return seen
