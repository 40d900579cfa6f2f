"""How a run ends in the Prefect UI: money at risk is never green."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

from dailies.domain.figures import Totals
from flows.shared import final_state
from tests.report.factories import sum_of

NOTHING = sum_of(()).totals()


def ended(totals: Totals, stopping: bool = False) -> tuple[str, str]:
    runtime: Any = SimpleNamespace(shutdown=anyio.Event(), halted_providers={})
    batch: Any = None
    if stopping:
        runtime.shutdown.set()
    state: Any = final_state(runtime, batch, totals, "words")
    return state.type.value, state.name


@pytest.mark.parametrize(("changes", "stopping", "expected"), [
    ({"rows": 2, "delivered": 2}, False, ("COMPLETED", "Completed")),
    ({"rows": 2, "delivered": 1, "failed": 1}, False, ("COMPLETED", "PartialSuccess")),
    ({"rows": 2, "failed": 2}, False, ("FAILED", "Failed")),
    ({"rows": 2, "delivered": 1, "in_doubt": 1, "usd_at_risk": Decimal("1.26")}, False, ("FAILED", "MoneyAtRisk")),
    ({"rows": 2, "delivered": 2, "usd_at_risk": Decimal("1.26")}, False, ("FAILED", "MoneyAtRisk")),
    ({"rows": 2, "delivered": 1, "usd_at_risk": Decimal("1.26")}, True, ("FAILED", "Interrupted")),
])  # fmt: skip
def test_the_final_state_is_honest(changes: dict[str, Any], stopping: bool, expected: tuple[str, str]) -> None:
    assert ended(replace(NOTHING, **changes), stopping) == expected
