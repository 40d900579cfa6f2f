"""A clip's deadline may be as short as one likes: past it a clip is overdue, it was looked at, and nothing is proved."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from dailies.catalog import load_catalog
from dailies.domain.states import State
from dailies.ledger import Ledger
from dailies.planning.timeouts import refuse_short_timeout
from dailies.providers.base import Look, LookKind
from dailies.runtime.batches import Batches
from dailies.runtime.schedules import PollSchedules
from dailies.settings import Settings
from dailies.steps.poll import Overdue, poll_once
from dailies.steps.schedule import schedule
from tests.ledger.factories import FakeClock, a_row, bring_to

CATALOG = load_catalog()


def run_with(ledger: Ledger, deadline_s: float) -> Any:
    """The parts of a run that look at clips, at a provider that never has one ready."""
    settings = Settings.model_validate({"dailies_clip_deadline_s": deadline_s})

    async def look(_generation_id: str) -> Look:
        return Look(LookKind.GENERATING, "in the queue")

    async def find(*_: object) -> None:
        return None

    provider = SimpleNamespace(look=look, find=find)
    return SimpleNamespace(
        ledger=ledger, settings=settings, catalog=CATALOG, batches=Batches(), schedules=PollSchedules(ledger), bought={},
        provider=lambda _name: provider,
    )  # fmt: skip


@pytest.mark.parametrize("deadline_s", [0.001, 0.5, 3.0])
def test_a_very_short_deadline_still_has_a_look_and_then_the_clip_is_overdue(
    ledger: Ledger, clock: FakeClock, deadline_s: float
) -> None:
    attempt = bring_to(ledger, State.SUBMITTED)
    run = run_with(ledger, deadline_s)
    looks = anyio.run(schedule, run, attempt.id)
    waited_s = (looks.first_look - clock.now).total_seconds()
    assert 0 <= waited_s <= deadline_s and 1 <= looks.retries <= 60
    assert waited_s + looks.retries * min(looks.delays_s) >= deadline_s, "looked at until it is past"
    clock.advance(deadline_s + 0.01)
    with pytest.raises(Overdue, match="paid, and collected later"):
        anyio.run(poll_once, run, attempt.id)
    found = ledger.attempt(attempt.id)
    assert found and found.state is State.SUBMITTED and found.polls == 1


def test_it_is_never_refused_as_a_time_out_would_be() -> None:
    """Only the create's own time-out is held against the model's time."""
    settings = Settings.model_validate({"dailies_clip_deadline_s": 0.001})
    refuse_short_timeout(settings, CATALOG, [a_row(providers=("onerouter",))])
