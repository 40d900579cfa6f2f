"""The fixtures of `tests.e2e.fixtures`, here."""

from __future__ import annotations

from tests.e2e.fixtures import engine, make_world, services, world

__all__ = ["engine", "make_world", "services", "world"]
