"""What each program's crash costs: killed with creates in the air, started again, and the provider's own list of charges read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import httpx

from benchmarks.contenders.job import Job
from benchmarks.measure import CONTENDERS, command_of, installed
from benchmarks.report import Bar, Chart, Report
from benchmarks.stage import BUCKET, KEY, MODEL, ROOT, Stage, dailies, data_uri

TIME_SCALE, IN_FLIGHT, ANSWERED_AFTER_S = 0.1, 10, 3.0
PROMISED = {
    "dailies": "never pays twice: each create is on record before it is sent, by a process that outlives the run",
    "asyncio": "none: what it had bought is lost, and bought again",
    "asyncio, aiobotocore": "none: the same",
    "async Prefect": "a create that has been answered is not sent again; one in the air is, and is paid twice",
    "DBOS": "goes on at the last recorded step; a create in the air is sent again, and is paid twice",
    "textbook Prefect": "none: a new run begins from the start",
}


def run(stage: Stage, full: bool) -> Report:
    """So many clips; SIGKILL when one and a half places' worth have been charged, so that some creates have been answered and
    others are in the air; then the same command once more, to its end."""
    count = 40 if full else 20
    found: dict[str, tuple[int, str]] = {}
    for name in installed(PROMISED):
        stage.sandbox(TIME_SCALE)
        stage.slow_creates(ANSWERED_AFTER_S)
        command, stdin = _program(stage, name, count)
        environ = stage.environ(f"killed-{name.replace(' ', '-')}", DAILIES_MODELS=str(stage.models(TIME_SCALE)))
        _kill_in_the_air(stage, command, environ, stdin, IN_FLIGHT * 3 // 2)
        again = subprocess.run(command, env=environ, cwd=ROOT, input=stdin, capture_output=True, text=True, check=False)
        found[name] = _charges(stage), _outcome(name, again, count)
    rows = [[name, charges, charges - count, outcome, PROMISED[name]] for name, (charges, outcome) in found.items()]
    twice = found["dailies"][0] - count
    note = (
        f"{count} clips, {IN_FLIGHT} at once, each create charged at once and answered {ANSWERED_AFTER_S:.0f} s later. The program is "
        f"killed (SIGKILL, the program alone) at the {IN_FLIGHT * 3 // 2}th charge, and started again with the same words."
    )
    columns = ["", "charges", "too many", "the second run", "its crash safety"]
    chart = Chart(
        "Clips paid for twice after one crash", "", {name: charges - count for name, (charges, _) in found.items()}
    )
    return Report(
        "killed", "A program that dies", columns, rows, [Bar("clips that dailies pays twice", twice, 0)], chart, [note]
    )


def _program(stage: Stage, name: str, count: int) -> tuple[Sequence[str], str]:
    if name == "dailies":
        prompts = stage.csv(count, "killed")
        return dailies("run", str(prompts), "--json", "--yes", "--in-flight", str(IN_FLIGHT)), ""
    look_s = CONTENDERS[name].look_s * TIME_SCALE
    job = Job(stage.sandbox_url, KEY, MODEL, data_uri(), BUCKET, stage.s3_url, count, IN_FLIGHT, look_s)
    return command_of(name), json.dumps(asdict(job))


def _kill_in_the_air(stage: Stage, command: Sequence[str], environ: Mapping[str, str], stdin: str, at: int) -> None:
    with tempfile.TemporaryFile("w+") as given:
        given.write(stdin)
        given.seek(0)
        nothing: Any = subprocess.DEVNULL
        process = subprocess.Popen(command, env=environ, cwd=ROOT, stdin=given, stdout=nothing, stderr=nothing)
        while process.poll() is None and _charges(stage) < at:
            time.sleep(0.1)
        if process.poll() is not None:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode} before it could be killed")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    time.sleep(ANSWERED_AFTER_S)


def _charges(stage: Stage) -> int:
    return len(httpx.get(f"{stage.sandbox_url}/sandbox/charges", timeout=60).json())


def _outcome(name: str, again: subprocess.CompletedProcess[str], count: int) -> str:
    try:
        said = json.loads(again.stdout)
    except ValueError:
        return f"ended with {again.returncode}: {(again.stderr.strip().splitlines() or [''])[-1][:200]}"
    stored = (
        said["delivered"] + said.get("already_delivered", 0)
        if name == "dailies"
        else sum(bool(clip["stored"]) for clip in said)
    )
    return f"{stored} of {count} clips"
