"""What came of a create reaches the ledger, else the disk, else a line that a person keeps: each said as it is."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from dailies.domain.creates import Accepted, CreateOutcome, Doubtful, Free, KnownAttempt
from dailies.domain.records import Attempt
from dailies.domain.states import Failure, State
from dailies.ledger import Ledger, Spool, record
from dailies.ledger.record import drain_spool, record_outcome
from dailies.ledger.rescue import as_spooled, rescue
from dailies.ledger.spool import Spooled
from tests.ledger.factories import FakeClock, a_row, claim
from tests.unit.steps_bench import Bench, bench_on

PAID = Accepted("video_1", "https://cdn.example/a.mp4")
FULL = OSError(28, "No space left on device")


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(record, "RETRY_S", (0.0, 0.0))
    yield from bench_on(sqlite_url, tmp_path, clock)


class Patchy:
    """A ledger and a disk that fail as often as they are told to; how often each was asked."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch, ledger: int = 0, disk: int = 0) -> None:
        self.bench, self.spool, self.told, self.put = bench, Spool(bench.folder / "spool"), 0, 0
        tell, put = Ledger.tell, Spool.put

        def patchy_tell(of: Ledger, known: KnownAttempt, outcome: CreateOutcome, *note: str) -> Attempt:
            self.told += 1
            if self.told <= ledger:
                raise OSError("away")
            return tell(of, known, outcome, *note)

        def patchy_put(of: Spool, spooled: Spooled) -> Path:
            self.put += 1
            if self.put <= disk:
                raise FULL
            return put(of, spooled)

        monkeypatch.setattr(Ledger, "tell", patchy_tell)
        monkeypatch.setattr(Spool, "put", patchy_put)

    def record(self, attempt: Attempt, outcome: CreateOutcome) -> Attempt | None:
        return anyio.run(record_outcome, self.bench.ledger, self.spool, KnownAttempt(attempt), outcome)


def claimed(bench: Bench, at: int = 0) -> Attempt:
    return claim(bench.ledger, bench.batch(2).plan.rows[at].clip.key)


def test_what_the_ledger_takes_is_on_no_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    patchy = Patchy(bench, monkeypatch)
    found = patchy.record(claimed(bench), PAID)
    assert found and found.generation_id == "video_1" and (patchy.told, patchy.put) == (1, 0)


def test_while_the_ledger_stays_away_it_waits_on_the_disk(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Asked again after each pause, said once, written once."""
    patchy, attempt = Patchy(bench, monkeypatch, ledger=9), claimed(bench)
    assert patchy.record(attempt, PAID) is None
    assert (patchy.told, patchy.put) == (3, 1)
    assert [spooled for _, spooled in patchy.spool] == [Spooled(KnownAttempt(attempt), PAID)]
    said = f"the ledger did not take this (OSError), it is in the spool: generation video_1 of attempt {attempt.id}"
    assert caplog.record_tuples == [("dailies.record", logging.ERROR, said)]


def test_an_id_that_neither_takes_is_a_line_for_a_person_to_keep(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With the command that brings it back. The disk is tried again with the ledger."""
    patchy, attempt = Patchy(bench, monkeypatch, ledger=9, disk=2), claimed(bench)
    assert patchy.record(attempt, PAID) is None
    assert len(patchy.spool) == 1 and (patchy.told, patchy.put) == (3, 3)
    line = (
        f"PAID AND NOT ON DISK: attempt {attempt.id} is generation video_1 (No space left on device). Keep this line; "
        f"dailies resolve {attempt.id[:8]} --charged=video_1"
    )
    assert [said for _, level, said in caplog.record_tuples if level == logging.CRITICAL] == [line, line]


def test_a_refusal_that_neither_takes_is_in_doubt(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    patchy, attempt = Patchy(bench, monkeypatch, ledger=9, disk=9), claimed(bench)
    assert patchy.record(attempt, Free(Failure.BUSY, "HTTP 429")) is None
    line = f"neither ledger nor spool took this, so it is in doubt: attempt {attempt.id} was not charged: HTTP 429"
    assert [said for _, level, said in caplog.record_tuples if level == logging.ERROR] == [line] * 3


@pytest.mark.parametrize("disk", [0, 9])
def test_what_the_ledger_takes_after_a_pause_is_on_the_disk_no_more(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, disk: int
) -> None:
    """And where the disk never had it, nothing is looked for there."""
    patchy = Patchy(bench, monkeypatch, ledger=1, disk=disk)
    found = patchy.record(claimed(bench), PAID)
    assert found and found.state is State.COMPLETED and len(patchy.spool) == 0 and patchy.told == 2


def test_an_answer_that_nobody_could_read_is_kept_whole_and_named(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    patchy, attempt = Patchy(bench, monkeypatch), claimed(bench)
    found = patchy.record(attempt, Doubtful("HTTP 200 without an id", b"<html>"))
    (path,) = patchy.spool.answers_of(attempt.id)
    assert path.read_bytes() == b"<html>"
    assert found and found.error == f"HTTP 200 without an id; the whole answer is kept in {path}"


def test_an_answer_that_can_not_be_kept_says_why(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> Path:
        raise FULL

    monkeypatch.setattr(Spool, "keep_answer", full)
    found = Patchy(bench, monkeypatch).record(claimed(bench), Doubtful("HTTP 200 without an id", b"<html>"))
    said = "HTTP 200 without an id (the answer could not be kept: No space left on device)"
    assert found and found.error == said


def test_an_id_that_is_anothers_leaves_this_one_in_doubt(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """At once, and from the spool, whose file goes: the id is on record."""
    patchy = Patchy(bench, monkeypatch)
    patchy.record(claimed(bench), PAID)
    other = claimed(bench, 1)
    assert patchy.record(other, PAID) is None and bench.again(other).state is State.IN_DOUBT
    assert caplog.messages == [f"generation video_1 already belongs to another attempt; {other.id} is in doubt"]
    caplog.clear()
    patchy.spool.put(Spooled(KnownAttempt(other), PAID))
    assert anyio.run(drain_spool, bench.ledger, patchy.spool) == 1 and len(patchy.spool) == 0
    assert caplog.messages == ["spooled generation video_1 already belongs to another attempt"]


def test_what_is_drained_is_noted_in_the_history_and_to_whoever_asks(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is not read back stays, is said, and is noted to nobody."""
    spool, attempts = Spool(bench.folder / "spool"), [claimed(bench, at) for at in range(2)]
    files = [spool.put(Spooled(KnownAttempt(one), Accepted(f"video_{one.id}"))) for one in attempts]
    monkeypatch.setattr(record, "on_record", lambda ledger, spooled: spooled.attempt_id == attempts[0].id)
    noted: list[str] = []
    taken = anyio.run(drain_spool, bench.ledger, spool, lambda spooled: noted.append(spooled.attempt_id))
    assert (taken, noted) == (1, [attempts[0].id]) and [path for path, _ in spool] == [files[1]]
    assert caplog.messages == [f"{files[1]} stays: what it holds is not on record"]
    assert f"from the spool: video_{attempts[0].id}" in bench.notes(attempts[0])


# A ledger that vanished


def test_a_paid_attempt_is_spooled_as_its_claim_had_left_it_with_all_that_came_of_it(bench: Bench) -> None:
    """So that it can be written anew, and told again."""
    batch = bench.batch()
    was = claim(bench.ledger, batch.plan.rows[0].clip.key)
    told = Accepted("video_1", "https://cdn.example/a.mp4", was.usd_quoted, 1_260_000, "handle")
    now = bench.ledger.mark_submitted(was.id, told)
    row, later = a_row(1), bench.clock.now
    now = now._replace(
        polls=3, epoch=2, failure=Failure.GENERATION, error="it was slow", s3_uri="s3://b/c.mp4", sha256="f" * 64, size_bytes=7,
        mismatch="720p asked", stored_at=later,
    )  # fmt: skip
    assert now.completed_at and now.submitted_at
    assert as_spooled(now, row, "a.csv", "s3://b/c") == Spooled(
        KnownAttempt(was._replace(owner=now.owner, lease_until=now.lease_until, updated_at=now.updated_at), row, "a.csv", "s3://b/c"),
        told,
    )  # fmt: skip


def test_a_doubt_is_spooled_with_its_words(bench: Bench) -> None:
    doubt = bench.attempt(State.IN_DOUBT)
    assert as_spooled(doubt, None, "", "").outcome == Doubtful("answer lost")
    unsaid = as_spooled(doubt._replace(error=None), None, "", "").outcome
    assert unsaid == Doubtful("in doubt when the ledger vanished")


def test_what_is_rescued_has_its_row_and_where_it_was_to_go(bench: Bench) -> None:
    """All that is not home, and of what is home only what came since."""
    batch = bench.batch(4)
    bench.attempt(State.STORED, batch, 0)
    bench.clock.advance(60)
    home, sent, failed = (
        bench.attempt(state, batch, at) for state, at in ((State.STORED, 1), (State.SUBMITTED, 2), (State.FAILED, 3))
    )
    spool = Spool(bench.folder / "spool")
    assert rescue(bench.ledger, spool, bench.clock.now) == 2
    found = {spooled.attempt_id: spooled.known for _, spooled in spool}
    assert found.keys() == {home.id, sent.id} and failed.id not in found
    for attempt, row in ((home, batch.plan.rows[1]), (sent, batch.plan.rows[2])):
        known = found[attempt.id]
        assert (known.row, known.source, known.destination) == (row, "smiles.csv", batch.destination)
    assert rescue(bench.ledger, Spool(bench.folder / "later"), bench.clock.now.replace(year=2030)) == 1
