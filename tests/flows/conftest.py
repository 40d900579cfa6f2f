"""Worlds for the tests of this folder, as the end-to-end tests have them."""

from __future__ import annotations

import pytest

from tests.e2e.fixtures import make_world, services, world

__all__ = ["make_world", "services", "world"]


@pytest.fixture
def engine() -> bool:
    """These tests are about flows as Prefect runs them."""
    return True
