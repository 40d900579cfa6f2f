"""One factory per record, and the few moves that every ledger test begins with."""

from __future__ import annotations

import hashlib
import multiprocessing
import subprocess
import sys
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa

from dailies.domain.clips import Clip, Image, Row
from dailies.domain.money import ZERO
from dailies.domain.records import Attempt
from dailies.domain.states import Failure, State
from dailies.ledger import Caps, Ledger, Owner, open_engine
from dailies.ledger import tables as t
from dailies.ledger.rows import to_attempt

USD = Decimal("1.26")
NO_CAPS = Caps()
R = TypeVar("R")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
IMAGE = Image("https://pictures.example/cat.png", 1280, 720, "PNG", 123_456)
FREE = (Failure.NOT_SENT, "connection refused")
DIALECTS: dict[str, sa.Dialect] = {}
COMPILED: MutableMapping[Any, Any] = sa.util.LRUCache(2000)
"""By dialect, statements as they are compiled."""


class FakeClock:
    """The ledger's time in tests: it stands still until told to move."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self.now += timedelta(seconds=seconds)


class MakeLedger(Protocol):
    """The `make_ledger` fixture: a ledger on the test's database, closed after the test."""

    def __call__(
        self,
        owner: Owner | None = None,
        lease_s: float = 300.0,
        clock: Callable[[], datetime] | None = None,
        real_time: bool = False,
    ) -> Ledger: ...


@contextmanager
def ledgers_on(url: str, usual_clock: FakeClock) -> Iterator[MakeLedger]:
    """A maker of ledgers on one database, each with connections of its own; all are closed at the end."""
    opened: list[Ledger] = []

    def make(
        owner: Owner | None = None,
        lease_s: float = 300.0,
        clock: Callable[[], datetime] | None = None,
        real_time: bool = False,
    ) -> Ledger:
        chosen = None if real_time else clock or usual_clock
        ledger = Ledger(_warm(open_engine(url)), owner or Owner.this_process(), lambda _provider: lease_s, chosen)
        opened.append(ledger)
        return ledger

    try:
        yield make
    finally:
        for ledger in opened:
            ledger.engine.dispose()


def _warm(engine: sa.Engine) -> sa.Engine:
    """The engine, with the statements that others of its kind have compiled in this process: half of a short test's time."""
    engine.dialect = DIALECTS.setdefault(engine.name, engine.dialect)
    engine.update_execution_options(compiled_cache=COMPILED)
    return engine


def a_clip(prompt: str = "a cat smiles", **changes: Any) -> Clip:
    """A clip of the default model; every prompt is another clip."""
    return replace(Clip("openai/sora-2-pro-i2v", prompt, IMAGE, "720p", "16:9", 4), **changes)


def a_row(number: int = 1, clip: Clip | None = None, **changes: Any) -> Row:
    """A good row of a CSV with one column of the team's own."""
    row = Row(number, f"row-{number}", clip or a_clip(f"prompt {number}"), ("aiml",), {"campaign": "spring"})
    return replace(row, **changes)


def an_attempt(state: State = State.SUBMITTED, **changes: Any) -> Attempt:
    """An attempt as a record, for pure decisions."""
    attempt = Attempt(
        "a" * 32, "c" * 64, 1, "smiles", "aiml", state, "here|1|1|n", 1, NOON + timedelta(seconds=300), NOON, USD
    )
    return attempt._replace(**changes)


def an_owner(machine: str = "", nonce: str = "other") -> Owner:
    """A worker that lives: in this process, or by name on another machine."""
    here = Owner.this_process()
    return replace(here, machine=machine or here.machine, nonce=nonce)


def a_dead_owner() -> Owner:
    """A worker of this machine whose process has come and gone."""
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    process.wait()
    return replace(Owner.this_process(), pid=process.pid, started="1", nonce="dead")


def plan(ledger: Ledger, count: int = 1, batch: str = "smiles", usd: Decimal | None = USD) -> list[str]:
    """Put so many rows on record and return their clip_keys, in the order of the CSV."""
    rows = [a_row(number) for number in range(1, count + 1)]
    ledger.plan(batch, f"{batch}.csv", f"s3://clips/{batch}", rows, {row.clip.key: usd for row in rows})
    return [row.clip.key for row in rows]


def claim(ledger: Ledger, clip_key: str, usd: Decimal = USD, batch: str = "smiles", caps: Caps = NO_CAPS) -> Attempt:
    """T1, where it must be granted."""
    claimed = ledger.claim(clip_key, batch, "aiml", usd, caps, "digest-of-the-request", "ab" * 32)
    assert isinstance(claimed, Attempt), claimed
    return claimed


def claimed(ledger: Ledger, usd: Decimal = USD) -> Attempt:
    """A planned clip with its first attempt claimed."""
    return claim(ledger, plan(ledger)[0], usd)


def bring_to(ledger: Ledger, state: State, clip_key: str | None = None) -> Attempt:
    """An attempt in any state, reached only by the ledger's own moves."""
    attempt = claim(ledger, clip_key or plan(ledger)[0])
    generation_id = f"video_{attempt.id}:openai/sora-2-pro-i2v"
    match state:
        case State.SUBMITTING:
            return attempt
        case State.FAILED:
            return ledger.mark_not_charged(attempt.id, *FREE)
        case State.IN_DOUBT:
            return ledger.mark_in_doubt(attempt.id, "answer lost")
        case State.SUPERSEDED:
            ledger.mark_in_doubt(attempt.id, "answer lost")
            return ledger.resubmit(attempt.id, "we need it today")
        case State.ORPHANED:
            ledger.mark_not_charged(attempt.id, *FREE)
            return ledger.mark_submitted(attempt.id, generation_id)
        case State.SUBMITTED | State.COMPLETED | State.STORED | State.RESULT_LOST:
            submitted = ledger.mark_submitted(attempt.id, generation_id)
            return submitted if state is State.SUBMITTED else _bring_further(ledger, state, submitted)


def _bring_further(ledger: Ledger, state: State, submitted: Attempt) -> Attempt:
    ready = ledger.record_completed(submitted, "https://cdn.example/clip.mp4?signature=s3cr3t")
    if state is State.STORED:
        return store(ledger, ready)
    return ledger.result_lost(ready, "HTTP 403") if state is State.RESULT_LOST else ready


def store(ledger: Ledger, attempt: Attempt) -> Attempt:
    """T4 with a digest that is as long as a digest is."""
    digest = hashlib.sha256(attempt.id.encode()).hexdigest()
    return ledger.record_stored(attempt.id, f"s3://clips/smiles/{attempt.id}.mp4", digest, 1_234_567)


def raw_attempt(attempt: Attempt, **changes: Any) -> dict[str, Any]:
    """The column values of another attempt of the same clip, as a faulty program might insert them."""
    values = {name: getattr(attempt, name) for name in Attempt._fields}
    values |= {"id": "f" * 32, "no": attempt.no + 1, "generation_id": None, "day": "2026-11-21"} | changes
    return {name: str(value) if isinstance(value, (State, Failure)) else value for name, value in values.items()}


def all_attempts(ledger: Ledger) -> list[Attempt]:
    """Every attempt that the database holds."""
    with ledger.engine.connect() as connection:
        return [to_attempt(row) for row in connection.execute(sa.select(t.attempt)).mappings()]


def assert_counters_are_sums(ledger: Ledger) -> None:
    """The budget counters equal the sum over attempts, recomputed; the day is that of the claim."""
    sums: dict[tuple[str, str], Decimal] = {}
    for attempt in all_attempts(ledger):
        for scope in (("batch", attempt.batch), ("day", attempt.created_at.date().isoformat())):
            sums[scope] = sums.get(scope, ZERO) + attempt.usd_counted
    with ledger.engine.connect() as connection:
        kept = {(row.scope, row.name): row.usd_counted for row in connection.execute(sa.select(t.spend))}
    assert {k: v for k, v in kept.items() if v} == {k: v for k, v in sums.items() if v}


def open_ledger(url: str, lease_s: float = 300.0) -> Ledger:
    """A ledger as a process of its own opens it: real time, its own owner."""
    return Ledger(open_engine(url), Owner.this_process(), lambda _provider: lease_s)


def claim_all(url: str, clip_keys: Sequence[str], caps: Caps, together: Any = None) -> list[str]:
    """Claim whatever is granted, and return the clip_keys of it; `together` is a barrier to start at."""
    ledger = open_ledger(url)
    try:
        if together is not None:
            together.wait(60)
        granted = [ledger.claim(key, "smiles", "aiml", USD, caps, "digest") for key in clip_keys]
        return [attempt.clip_key for attempt in granted if isinstance(attempt, Attempt)]
    finally:
        ledger.engine.dispose()  # not close(): the leases stay


def in_processes(tasks: Sequence[tuple[Any, ...]], work: Callable[..., R]) -> list[R]:
    """`work(*task, barrier)` in one process each, all started at the same moment."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])  # imports once instead of once per process
    with context.Manager() as manager, ProcessPoolExecutor(len(tasks), context) as pool:
        together = manager.Barrier(len(tasks))
        running = [pool.submit(work, *task, together) for task in tasks]
        return [one.result() for one in running]
