"""A ledger that forgets what it had recorded, while the run that bought it lives: nothing of it is lost."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
import sqlalchemy as sa

from dailies.domain.creates import Accepted
from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.errors import DeliveryDelayed
from dailies.ledger import Ledger, Spool, record
from dailies.ledger import tables as t
from dailies.providers.base import Look, LookKind
from dailies.steps.forgotten import attempt_on_record, remember, write_all_anew
from dailies.steps.poll import StillGenerating, poll_once
from tests.ledger.factories import NO_CAPS, USD, a_row, all_attempts, assert_counters_are_sums, plan

FORGOTTEN = {
    "everything": (t.event, t.attempt, t.batch_row, t.clip, t.batch, t.spend),
    "the attempt": (t.event, t.attempt, t.spend),
}
ADDRESS = "https://cdn.example/clip.mp4?signature=s3cr3t"


def forget(ledger: Ledger, what: str) -> None:
    """As a replica does that had not heard of it yet."""
    with ledger._write() as connection:
        for table in FORGOTTEN[what]:
            connection.execute(sa.delete(table))


@pytest.fixture
def run(ledger: Ledger, tmp_path: Path) -> Any:
    """The parts of a run that matter here."""
    return SimpleNamespace(ledger=ledger, spool=Spool(tmp_path / "spool"), bought={})


def bought(run: Any, accepted: Accepted | None) -> Attempt:
    """A clip of the run, bought, or in doubt, and remembered."""
    [key] = plan(run.ledger)
    claimed = run.ledger.claim(key, "smiles", "aiml", USD, NO_CAPS, "digest")
    attempt: Attempt = (
        run.ledger.mark_submitted(claimed.id, accepted)
        if accepted
        else run.ledger.mark_in_doubt(claimed.id, "HTTP 503")
    )
    batch: Any = SimpleNamespace(destination="s3://clips/smiles", plan=SimpleNamespace(source="smiles.csv"))
    remember(run, batch, a_row(1), attempt)
    return attempt


@pytest.mark.parametrize("what", sorted(FORGOTTEN))
@pytest.mark.parametrize(
    ("accepted", "state"),
    [
        (Accepted("gen-1"), State.SUBMITTED),
        (Accepted("gen-1", ADDRESS, USD, 7), State.COMPLETED),
        (None, State.IN_DOUBT),
    ],
)
def test_what_was_on_record_and_is_forgotten_is_written_anew_whole(
    run: Any, what: str, accepted: Accepted | None, state: State
) -> None:
    before = bought(run, accepted)
    forget(run.ledger, what)
    after = anyio.run(attempt_on_record, run, before.id)
    assert after.state is state and all_attempts(run.ledger) == [after]
    for told in ("id", "clip_key", "generation_id", "result_url", "usd_charged", "credits_used", "usd_quoted"):
        assert getattr(after, told) == getattr(before, told), told
    assert run.ledger.batch_destination("smiles") == "s3://clips/smiles"
    assert_counters_are_sums(run.ledger)


@pytest.mark.parametrize("accepted", [Accepted("gen-1"), None])
def test_nothing_that_a_run_bought_is_forgotten_when_it_ends(run: Any, accepted: Accepted | None) -> None:
    attempt = bought(run, accepted)
    forget(run.ledger, "everything")
    anyio.run(write_all_anew, run)
    [again] = all_attempts(run.ledger)
    assert (again.id, again.state, again.generation_id) == (attempt.id, attempt.state, attempt.generation_id)


def test_what_the_ledger_does_not_take_again_is_in_the_spool(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = bought(run, Accepted("gen-1"))
    forget(run.ledger, "everything")

    def away(*_: object) -> None:
        raise OSError("away")

    monkeypatch.setattr(record, "RETRY_S", (0.0,))
    monkeypatch.setattr(run.ledger, "tell", away)
    with pytest.raises(DeliveryDelayed, match="the next run goes on from the spool"):
        anyio.run(attempt_on_record, run, attempt.id)
    [(_, spooled)] = run.spool
    assert (spooled.attempt_id, spooled.outcome) == (attempt.id, Accepted("gen-1"))


def test_an_attempt_that_nobody_knows_is_a_defect(run: Any) -> None:
    with pytest.raises(KeyError):
        anyio.run(attempt_on_record, run, "a" * 32)


@pytest.mark.parametrize("kind", [LookKind.GENERATING, LookKind.READY])
def test_what_is_forgotten_during_a_look_is_on_record_before_the_next(run: Any, kind: LookKind) -> None:
    """Nobody else has taken it over, though no row of ours is there to be moved."""
    attempt = bought(run, Accepted("gen-1"))

    async def look(_generation_id: str) -> Look:
        forget(run.ledger, "everything")
        return Look(kind, url=ADDRESS if kind is LookKind.READY else None)

    run.provider = lambda _name: SimpleNamespace(look=look)
    with pytest.raises(StillGenerating, match="on record again"):
        anyio.run(poll_once, run, attempt.id)
    [again] = all_attempts(run.ledger)
    assert (again.state, again.generation_id) == (State.SUBMITTED, "gen-1")
