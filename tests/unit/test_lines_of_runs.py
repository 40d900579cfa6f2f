"""Lines of ours on a run's page in Prefect: of the run, and of nothing before or after it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator

import pytest

from tasks.engine.states import show_our_logs


@pytest.fixture
def ours() -> Iterator[logging.Logger]:
    """Our logger, with the handlers that it had before."""
    logger = logging.getLogger("dailies")
    before, level = list(logger.handlers), logger.level
    logger.handlers.clear()
    yield logger
    logger.handlers[:] = before
    logger.setLevel(level)


def test_a_line_before_or_after_a_run_is_no_trouble_of_prefects(ours: logging.Logger) -> None:
    """A command logs beside its run as well: a warning of the engine about each such line tells nobody anything."""
    show_our_logs()
    assert ours.handlers
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        logging.getLogger("dailies.places").warning("after the run")
