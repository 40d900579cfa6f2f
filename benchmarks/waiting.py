"""CPU per clip, and memory per waiting clip, when many are in flight at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import httpx

from benchmarks.contenders.job import Job
from benchmarks.measure import CONTENDERS, LOOK_S, command_of
from benchmarks.report import Bar, Chart, Report
from benchmarks.stage import BUCKET, KEY, MODEL, ROOT, Stage, dailies, data_uri
from benchmarks.stage import run as run_program

FEW = 20
SCALES = {100: 0.3, 1000: 1.5, 5000: 10.0}
"""Slow enough that all have been created before the first is ready, so that all of them wait at once."""
TO_THE_END = 100
"""With more in flight than this a program is ended when its memory has been read: their clips take up to half an hour."""
MOST = {"asyncio": 1000, "threads": 1000, "textbook Prefect": 100}
"""How many in flight each of them is tried with: beyond, threads run out or it takes all day."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one more clip in flight costs a program. `cpu_ms` includes the program's start, shared by all clips, and
    goes to its end or only until all clips wait.
    """

    name: str
    in_flight: int
    cpu_ms: float
    kilobytes: float
    until: str = "the end"


def run(stage: Stage, full: bool) -> Report:
    """Everyone with so many clips in flight at once."""
    found: list[Load] = []
    for count in (100, 1000, 5000) if full else (100,):
        others = [partial(contender, stage, name, count) for name, most in MOST.items() if count <= most]
        for measure in (partial(engine, stage, count), partial(ours, stage, count), *others):
            found.append(measure())
            print(found[-1], file=sys.stderr, flush=True)
    return report_of(found)


def report_of(found: Sequence[Load]) -> Report:
    """What was found, as a table, and how much of ours is the engine's."""
    rows = [[load.name, load.in_flight, load.kilobytes, load.cpu_ms, load.until] for load in found]
    largest = max(load.in_flight for load in found)
    at_most = {load.name: load.kilobytes for load in found if load.in_flight == largest}
    bars = [
        Bar("kB per waiting clip above the engine's own", at_most["dailies"] - at_most["Prefect alone"], 100),
    ]
    notes = [
        f"*kB a clip* is what memory grows by from {FEW} clips accepted to all of them accepted and waiting; *CPU* that "
        "of the program's life over the number of clips. *Prefect alone* is an async flow whose tasks do nothing "
        "but be retried eight times. Threads and asyncio are tried up to 1,000 and the textbook flow up to 100."
    ]
    chart = Chart(
        "Memory per clip in flight", "kB", {f"{load.name}, {load.in_flight}": load.kilobytes for load in found}
    )
    columns = ["", "in flight", "kB a clip", "CPU, ms a clip", "until"]
    return Report("waiting", "Memory and CPU per clip in flight", columns, rows, bars, chart, notes)


def engine(stage: Stage, count: int) -> Load:
    """Prefect's own part."""
    whole = count <= TO_THE_END
    waits_s = [10.0 + count / 20, *[0.5] * 8]
    job = json.dumps({"clips": count, "base": FEW, "waits_s": waits_s, "to_the_end": whole})
    ran = run_program([sys.executable, "-m", "benchmarks.contenders.engine"], stage.environ(), job)
    memory = json.loads(ran.stdout)
    kilobytes = (memory["all"] - memory["few"]) / 1024 / (count - FEW)
    return Load("Prefect alone", count, 1000 * ran.cpu_s / count, kilobytes, "the end" if whole else "all wait")


def ours(stage: Stage, count: int) -> Load:
    """`dailies run` with all clips in flight."""
    stage.sandbox(SCALES[count])
    prompts = stage.csv(count, f"waiting-{count}")
    environ = stage.environ(f"waiting-{count}", DAILIES_MODELS=str(stage.models(SCALES[count])))
    return watched(
        stage, "dailies", dailies("run", str(prompts), "--json", "--yes", "--in-flight", str(count)), environ, count
    )


def contender(stage: Stage, name: str, count: int) -> Load:
    """One of the usual programs, looking as seldom as at real speed so that they wait and don't only ask."""
    stage.sandbox(SCALES[count])
    look_s = CONTENDERS[name].look_s
    wait_s = LOOK_S * SCALES[count] if look_s == LOOK_S else look_s
    job = Job(stage.sandbox_url, KEY, MODEL, data_uri(), BUCKET, stage.s3_url, count, count, wait_s)
    return watched(stage, name, command_of(name), stage.environ(), count, json.dumps(asdict(job)))


def watched(
    stage: Stage, name: str, command: Sequence[str], environ: dict[str, str], count: int, stdin: str = ""
) -> Load:
    """Run a program to its end, and read its memory when a few and when all of its clips have been accepted."""
    few = held = few_at = 0
    with tempfile.TemporaryFile("w+") as given, tempfile.TemporaryFile() as said:
        given.write(stdin)
        given.seek(0)
        process = subprocess.Popen(command, env=environ, cwd=ROOT, stdin=given, stdout=said, stderr=said)
        while process.poll() is None and not held:
            accepted = _accepted(stage)
            if accepted >= FEW and not few:
                few, few_at = _memory_bytes(process.pid), accepted
            if accepted >= count:
                time.sleep(1)  # the last answers are being recorded
                held = _memory_bytes(process.pid)
            time.sleep(count / 5000)
        if not held:
            said.seek(0)
            raise RuntimeError(f"{name} ended before all waited: {said.read()[-3000:].decode()}")
        ended_early = count > TO_THE_END
        if ended_early:
            process.kill()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode and not ended_early:
            said.seek(0)
            raise RuntimeError(f"{name} ended with {process.returncode}: {said.read()[-2000:].decode()}")
    cpu_ms = 1000 * (usage.ru_utime + usage.ru_stime) / count
    return Load(name, count, cpu_ms, (held - few) / 1024 / (count - few_at), "all wait" if ended_early else "the end")


def _accepted(stage: Stage) -> int:
    return len(httpx.get(f"{stage.sandbox_url}/sandbox/charges", timeout=60).json())


def _memory_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
