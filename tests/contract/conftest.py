"""The sandbox that the contract tests of a module share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dailies.sandbox import Sandbox, SandboxConfig


@pytest.fixture(scope="module")
def running() -> Iterator[Sandbox]:
    """A sandbox whose generations are finished at once."""
    with Sandbox(SandboxConfig(time_scale=0, render="quick")) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    """The same sandbox as good as new."""
    running.reset()
    return running
