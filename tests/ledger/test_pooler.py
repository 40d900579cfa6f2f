"""A ledger behind a pooler that hands each transaction to another connection works like any other."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from dailies.domain.states import State
from tests.ledger.factories import all_attempts, assert_counters_are_sums, bring_to, claim, open_ledger, plan
from tests.ledger.pooler import transaction_pooling


@pytest.fixture
def pooled_url(postgres_url: str) -> Iterator[str]:
    """A ledger's address behind PgBouncer."""
    with transaction_pooling(postgres_url) as url:
        yield url


@pytest.mark.timeout(300)
def test_several_workers_share_few_connections_in_transaction_mode(pooled_url: str) -> None:
    workers = [open_ledger(pooled_url) for _ in range(3)]  # more of them than the pooler has connections
    keys = plan(workers[0], 40)
    with ThreadPoolExecutor(12) as pool:
        for number, key in enumerate(keys):
            pool.submit(bring_to, workers[number % 3], State.STORED, key)
        pool.shutdown()
    assert [attempt.state for attempt in all_attempts(workers[0])] == [State.STORED] * 40
    assert_counters_are_sums(workers[0])
    for worker in workers:
        worker.renew()
        worker.close()


def test_a_late_answer_and_a_first_start_go_through_it_too(pooled_url: str, postgres_url: str) -> None:
    early = open_ledger(pooled_url)
    attempt = claim(early, plan(early)[0])
    early.engine.dispose()
    assert open_ledger(pooled_url).mark_submitted(attempt.id, "gen-1").state is State.SUBMITTED
    late = open_ledger(postgres_url).attempt(attempt.id)
    assert late and late.generation_id == "gen-1"
