"""Whatever is sent, the sandbox answers as the documents say and never breaks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import response_schema_conformance

from dailies.sandbox import Sandbox, SandboxConfig
from tests.contract.sandbox_calls import KEY

NAMES = [
    "aiml-create",
    "aiml-fetch",
    "aiml-logs-v2",
    "aiml-billing-transactions-v2",
    "aiml-models",
    "aiml-model-deprecations",
    "onerouter",
]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox whose generations are finished at once."""
    with Sandbox(SandboxConfig(time_scale=0, render="quick")) as sandbox:
        yield sandbox


@pytest.mark.parametrize("name", NAMES)
def test_a_documented_operation_answers_as_documented_whatever_it_is_sent(sandbox: Sandbox, name: str) -> None:
    document = schemathesis.openapi.from_path(Path(__file__).parent / "openapi" / f"{name}.openapi.json")
    (found,) = document.get_all_operations()
    operation = found.ok()  # type: ignore[union-attr]  # an Err here is a broken copy of the document: let it raise

    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def sent(case: Any) -> None:
        case.call_and_validate(
            base_url=sandbox.url,
            headers={"Authorization": f"Bearer {KEY}"},
            checks=[not_a_server_error, response_schema_conformance],
        )

    sent()
