"""How an error of ours shows in Prefect: a failed state with our words, and no traceback."""

from __future__ import annotations

import logging
from typing import Any

from prefect.client.schemas.objects import State
from prefect.logging.handlers import APILogHandler
from prefect.states import Failed

from dailies.errors import DailiesError, MaybeCharged


def failed(error: DailiesError) -> State[Any]:
    """The final state of a task that raised on purpose. A doubt shows as such."""
    return Failed(name="InDoubt" if isinstance(error, MaybeCharged) else "Failed", message=str(error))


def show_our_logs() -> None:
    """Send the lines of `dailies` to the run's page, and silence the engine's own two lines per task and per poll."""
    logging.getLogger("prefect.task_runs").setLevel(logging.CRITICAL)
    ours = logging.getLogger("dailies")
    ours.setLevel(logging.INFO)
    if not any(isinstance(handler, APILogHandler) for handler in ours.handlers):
        ours.addHandler(APILogHandler())
