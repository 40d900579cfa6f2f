"""What a run has bought, it can write anew: what it keeps of that, and what it says."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.errors import BadInput, DeliveryDelayed
from dailies.planning.plan import Plan
from dailies.steps import forgotten
from dailies.steps.another_file import refuse_another_file
from tests.ledger.factories import FakeClock, a_clip, a_row
from tests.unit.steps_bench import Bench, bench_on


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    yield from bench_on(sqlite_url, tmp_path, clock)


def remembered(bench: Bench) -> Attempt:
    """A doubt that this run remembers."""
    batch = bench.batch()
    attempt = bench.attempt(State.IN_DOUBT, batch)
    bench.run(forgotten.remember_doubt, batch, batch.plan.rows[0], attempt.id)
    return attempt


def test_a_doubt_is_kept_with_its_row_and_where_it_was_to_go(bench: Bench) -> None:
    attempt = remembered(bench)
    known = bench.bought[attempt.id].known
    assert (known.attempt.id, known.row, known.source) == (attempt.id, bench.batch().plan.rows[0], "smiles.csv")
    assert known.destination == bench.batch().destination and bench.bought.keys() == {attempt.id}


def test_of_what_nobody_knows_or_can_tell_nothing_is_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = bench.batch()
    bench.run(forgotten.remember_doubt, batch, batch.plan.rows[0], "nobody")

    def away(attempt_id: str) -> None:
        raise OSError("away")

    monkeypatch.setattr(bench.ledger, "attempt", away)
    bench.run(forgotten.remember_doubt, batch, batch.plan.rows[0], "any")
    assert bench.bought == {}


def test_what_is_forgotten_is_written_anew_and_said(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is on record is not; what only the spool takes is told at the end of the run, and stops nothing."""
    attempt = remembered(bench)
    assert bench.run(forgotten.is_written_anew, attempt.id) is False and caplog.messages == []
    told: list[str | None] = ["taken", None, None]

    async def record(ledger: object, spool: object, known: object, outcome: object) -> str | None:
        assert (ledger, known) == (bench.ledger, bench.bought[attempt.id].known)
        return told.pop(0)

    monkeypatch.setattr(forgotten, "record_outcome", record)
    monkeypatch.setattr(bench.ledger, "attempt", lambda attempt_id: None)
    assert bench.run(forgotten.is_written_anew, attempt.id) is True
    detail = bench.bought[attempt.id].detail
    said = f"the ledger has forgotten what it had recorded, it is written anew: {detail}"
    assert caplog.record_tuples == [("dailies.record", logging.ERROR, said)]
    delayed = f"the ledger has forgotten {detail}; the next run goes on from the spool"
    with pytest.raises(DeliveryDelayed) as error:
        bench.run(forgotten.attempt_on_record, attempt.id)
    assert str(error.value) == delayed
    bench.run(forgotten.write_all_anew)
    assert caplog.messages == [said, said, said, delayed] and told == []


def test_an_attempt_that_nobody_knows_is_none(bench: Bench) -> None:
    with pytest.raises(KeyError, match="no attempt nobody"):
        bench.run(forgotten.attempt_on_record, "nobody")


def test_another_file_is_refused_with_a_name_for_it(bench: Bench) -> None:
    """One clip in common, and it is the same batch."""
    batch = bench.batch()
    other = Plan("smiles", "/srv/acme corp/other.csv", (a_row(9, a_clip("another")),), {})
    with pytest.raises(BadInput) as error:
        bench.run(refuse_another_file, other)
    assert str(error.value).endswith("Give this one a name of its own: --batch acme-corp-other")
    assert error.value.trouble == "batch-name"
    same = Plan("smiles", "/srv/acme corp/other.csv", (*other.rows, *batch.plan.rows), {})
    assert bench.run(refuse_another_file, same) is None
    assert bench.run(refuse_another_file, Plan("unknown", "other.csv", other.rows, {})) is None
