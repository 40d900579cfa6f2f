"""The fixtures of `tests.e2e.fixtures`, here."""

from __future__ import annotations

from tests.e2e.fixtures import each_world, engine, hasty, make_world, services, world

__all__ = ["each_world", "engine", "hasty", "make_world", "services", "world"]
