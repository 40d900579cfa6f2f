"""How a batch was asked for: by this process, else by the record, else nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from dailies.steps.requests import request_of
from tests.ledger.factories import FakeClock
from tests.unit.steps_bench import Bench, bench_on


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path, clock: FakeClock) -> Iterator[Bench]:
    yield from bench_on(sqlite_url, tmp_path, clock)


def test_a_batch_in_hand_knows_best(bench: Bench) -> None:
    batch = bench.batch(request={"draft": True})
    bench.batches.add(batch)
    assert bench.run(request_of, "smiles") == batch.request


def test_else_the_record_tells(bench: Bench) -> None:
    batch = bench.batch(request={"take": "b"}, on_record=False)
    plan = batch.plan
    bench.ledger.plan("smiles", "a.csv", batch.destination, plan.rows, plan.quotes, False, batch.request.asked())
    found = bench.run(request_of, "smiles")
    assert found is not None and (found.take, Path(found.prompts).name) == ("b", "smiles.csv")


@pytest.mark.parametrize("error", [OSError("disk"), OperationalError("", {}, Exception("away"))])
def test_what_is_not_on_record_or_can_not_be_read_is_not_known(
    bench: Bench, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.batch()
    assert bench.run(request_of, "smiles") is None and bench.run(request_of, "frowns") is None

    def away(_: str) -> None:
        raise error

    monkeypatch.setattr(bench.ledger, "batch_asked", away)
    assert bench.run(request_of, "smiles") is None
