"""How an error of ours shows in Prefect: a failed state with our words, and no traceback."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging.handlers import APILogHandler
from prefect.states import Failed

from dailies.errors import MaybeCharged, describe_error
from dailies.logs import log_as_json, wants_json
from tasks.engine.console import outlive_the_console

logger = logging.getLogger("dailies.shown")


def failed(error: Exception) -> State[Any]:
    """The final state of a task whose error is told to a person. A doubt shows as such."""
    return Failed(name="InDoubt" if isinstance(error, MaybeCharged) else "Failed", message=describe_error(error))


SHOWN_WITHIN_S = 15.0
"""Prefect's client tries for a minute to reach a server that is gone; what is only there to be seen is not worth that."""


@contextmanager
def best_effort_ui(what: str) -> Iterator[None]:
    """What is only there to be seen in the UI ends nothing and holds nothing up: where the server does not take it, that is
    a line in the log."""
    try:
        with anyio.fail_after(SHOWN_WITHIN_S):
            yield
    except Exception as error:  # noqa: BLE001 - what is shown must never stop what is paid for
        logger.warning("the UI does not show %s: %s", what, describe_error(error))


def show_our_logs() -> None:
    """Send the lines of `dailies` to the run's page, and silence the engine's own two lines per task and per poll.

    That nobody reads them on the console any more ends nothing.
    """
    if wants_json():
        log_as_json()
    outlive_the_console()
    logging.getLogger("prefect.task_runs").setLevel(logging.CRITICAL)
    logging.getLogger("prefect._internal.concurrency").setLevel(logging.CRITICAL)  # prints each event that is not taken
    ours = logging.getLogger("dailies")
    ours.setLevel(logging.INFO)
    if not any(isinstance(handler, APILogHandler) for handler in ours.handlers):
        to_the_runs_page = APILogHandler()
        to_the_runs_page.addFilter(_is_of_a_run)
        ours.addHandler(to_the_runs_page)


def _is_of_a_run(_record: logging.LogRecord) -> bool:
    """Whether the line belongs on a run's page: Prefect warns of each that is logged before or after the run."""
    return bool(FlowRunContext.get() or TaskRunContext.get())
