"""A pytest plugin: of all tests those by which mutants are judged, quick ones that see the mutated code in this process.

Left out is what reads the sources as text (a mutated file holds each function many times), what works in processes of its
own or in chromium, Postgres (SQLite runs the same code), and what is about rooms that are not mutated.
"""

from __future__ import annotations

from pathlib import Path

import pytest

SOURCES = (
    "test_catalog", "test_commands", "test_dependencies", "test_docs", "test_docs_blocks", "test_facts",
    "test_one_place_per_provider", "test_rooms", "test_settings", "test_story", "test_suggestions_are_executed", "test_troubles",
)  # fmt: skip
PROCESSES = (
    "test_copying", "test_flow", "test_memory", "test_outliving", "test_page_decides", "test_page_in_browser", "test_pooler",
    "test_postgres_as_it_is_run", "test_several_owners", "test_telemetry", "test_migrations", "test_first_ledger",
)  # fmt: skip
OTHER_ROOMS = (
    "test_deep", "test_dialects", "test_download", "test_fit", "test_footage", "test_images_attacked", "test_net",
    "test_odd_sheets", "test_openrouter_prices", "test_proof_page", "test_proxies", "test_reading", "test_refusals",
    "test_routes", "test_sandbox_parts", "test_sender_start", "test_sheets_attacked", "test_video", "test_wholeness",
)  # fmt: skip
LEFT_OUT = frozenset((*SOURCES, *PROCESSES, *OTHER_ROOMS))


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """True for a file that is left out; no word on any other."""
    return True if collection_path.stem in LEFT_OUT else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the tests out that ask for Postgres or start processes."""
    away = [item for item in items if any(word in item.name for word in ("postgres", "processes"))]
    config.hook.pytest_deselected(items=away)
    items[:] = [item for item in items if item not in away]
