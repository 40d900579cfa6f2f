"""Runs one contender on the stage and reads from the sandbox what it did: ours by the ledger, the others by their answer."""

from __future__ import annotations

import heapq
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, quantiles

from benchmarks.contenders.job import Clip, Job
from benchmarks.stage import BUCKET, KEY, MODEL, ROOT, Generation, Ran, Stage, dailies, data_uri, run
from dailies.domain.records import Attempt
from dailies.ledger import Ledger, Owner, open_engine

LOOK_S = 15.0  # of the documents' scripts
DOUBLING_S = 2.0  # of the textbook's exponential backoff

BENCH_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
"""What our own environment doesn't hold is installed there."""


@dataclass(frozen=True, slots=True)
class Contender:
    """A program, its fixed wait between looks (or its first), and which interpreter has what it needs."""

    module: str
    look_s: float = LOOK_S
    python: str = sys.executable


CONTENDERS = {
    "script": Contender("benchmarks.contenders.script"),
    "threads": Contender("benchmarks.contenders.script"),
    "asyncio": Contender("benchmarks.contenders.aio"),
    "asyncio, aiobotocore": Contender("benchmarks.contenders.aio", python=str(BENCH_PYTHON)),
    "async Prefect": Contender("benchmarks.contenders.flow"),
    "DBOS": Contender("benchmarks.contenders.durable", python=str(BENCH_PYTHON)),
    "textbook Prefect": Contender("benchmarks.contenders.textbook", DOUBLING_S),
}


def installed(names: Iterable[str]) -> list[str]:
    """Those of them whose interpreter is there: `make bench` installs what our own environment doesn't hold."""
    return [name for name in names if name not in CONTENDERS or Path(CONTENDERS[name].python).exists()]


def command_of(name: str) -> list[str]:
    """The command line of a contender."""
    return [CONTENDERS[name].python, "-m", CONTENDERS[name].module, name]


@dataclass(frozen=True, slots=True)
class Figures:
    """What one contender needed. `lag_s` is from ready to noticed, `makespan_s` from the first create to the last put."""

    name: str
    clips: int
    in_flight: int
    makespan_s: float
    ideal_s: float
    wall_s: float
    cpu_ms_per_clip: float
    peak_mb: float
    lag_s: float
    lag_p95_s: float
    polls: float
    note: str = ""

    @property
    def ratio(self) -> float:
        """Makespan over the ideal."""
        return self.makespan_s / self.ideal_s


def ideal_s(seconds: Iterable[float], in_flight: int) -> float:
    """The makespan with no overhead at all: each clip starts when a place is free, in order."""
    free = [0.0] * in_flight
    for duration_s in seconds:
        heapq.heappush(free, heapq.heappop(free) + duration_s)
    return max(free)


def contender(stage: Stage, name: str, clips: int, in_flight: int, time_scale: float, note: str = "") -> Figures:
    """One of the usual programs, with its waits compressed like the sandbox's time."""
    look_s = CONTENDERS[name].look_s
    at_once = 1 if name == "script" else in_flight
    job = Job(stage.sandbox_url, KEY, MODEL, data_uri(), BUCKET, stage.s3_url, clips, at_once, look_s * time_scale)
    stage.reset()
    ran = run(command_of(name), stage.environ(), json.dumps(asdict(job)))
    stories = [Clip(**story) for story in json.loads(ran.stdout)]
    return figures(name, stage.generations(), stories, ran, at_once, note)


def ours(  # noqa: PLR0913 - what is measured
    stage: Stage,
    clips: int,
    in_flight: int,
    time_scale: float,
    home: str = "home",
    name: str = "dailies",
    note: str = "",
    prefect: bool = True,
) -> Figures:
    """`dailies run` as a team types it, or its steps alone; a `home` that earlier runs have used has history to learn from."""
    prompts = stage.csv(clips, name.replace(" ", "-"))
    environ = stage.environ(home, DAILIES_MODELS=str(stage.models(time_scale)))
    stage.reset()
    plain = [sys.executable, "-m", "benchmarks.contenders.plain", str(prompts), str(in_flight)]
    whole = dailies("run", str(prompts), "--json", "--yes", "--in-flight", str(in_flight))
    ran = run(whole if prefect else plain, environ)
    stories = [_story(attempt) for attempt in _attempts(stage, home, prompts.stem)]
    return figures(name, stage.generations(), stories, ran, in_flight, note)


def figures(
    name: str, made: dict[str, Generation], stories: Sequence[Clip], ran: Ran, in_flight: int, note: str = ""
) -> Figures:
    """Put together what the sandbox and the program saw. Raises RuntimeError if they did not see the same clips."""
    if {story.id for story in stories} != set(made):
        raise RuntimeError(f"{name}: {len(stories)} clips of {len(made)} generations")
    lags = [story.noticed - made[story.id].ends_at for story in stories]
    return Figures(
        name, len(stories), in_flight,
        makespan_s=max(s.stored for s in stories) - min(s.started for s in stories),
        ideal_s=ideal_s((g.seconds for g in made.values()), in_flight), wall_s=ran.wall_s,
        cpu_ms_per_clip=1000 * ran.cpu_s / len(stories), peak_mb=ran.peak_bytes / 2**20,
        lag_s=mean(lags), lag_p95_s=quantiles(lags, n=20)[-1] if len(lags) > 1 else lags[0],
        polls=mean(story.polls for story in stories), note=note,
    )  # fmt: skip


def _attempts(stage: Stage, home: str, batch: str) -> list[Attempt]:
    engine = open_engine(f"sqlite:///{stage.folder / home / 'ledger.db'}")
    try:
        rows = Ledger(engine, Owner.this_process()).rows(batch)
        return [attempt for row in rows for attempt in row.attempts]
    finally:
        engine.dispose()


def _story(attempt: Attempt) -> Clip:
    assert attempt.generation_id and attempt.completed_at and attempt.stored_at
    return Clip(
        attempt.generation_id, attempt.created_at.timestamp(), attempt.completed_at.timestamp(),
        attempt.stored_at.timestamp(), attempt.polls,
    )  # fmt: skip
