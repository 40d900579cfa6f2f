"""Runs one contender on the stage and reads from the sandbox what it did: ours by the ledger, the others by their answer."""

from __future__ import annotations

import heapq
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import mean, quantiles

from benchmarks.contenders.job import Clip, Job
from benchmarks.stage import BUCKET, KEY, MODEL, Generation, Ran, Stage, dailies, data_uri, run
from dailies.domain.records import Attempt
from dailies.ledger import Ledger, Owner, open_engine

LOOK_S = 15.0  # of the documents' scripts
DOUBLING_S = 2.0  # of the textbook's exponential backoff

CONTENDERS = {
    "script": ("benchmarks.contenders.script", LOOK_S),
    "threads": ("benchmarks.contenders.script", LOOK_S),
    "asyncio": ("benchmarks.contenders.aio", LOOK_S),
    "textbook Prefect": ("benchmarks.contenders.textbook", DOUBLING_S),
}


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
    module, look_s = CONTENDERS[name]
    at_once = 1 if name == "script" else in_flight
    job = Job(stage.sandbox_url, KEY, MODEL, data_uri(), BUCKET, stage.s3_url, clips, at_once, look_s * time_scale)
    stage.reset()
    ran = run([sys.executable, "-m", module, name], stage.environ(), json.dumps(asdict(job)))
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
