"""Prefect's client in this process: it may be loaded while a local server starts, and is told of it once that is up."""

from __future__ import annotations

import sys
from pathlib import Path

from dailies.environment import change
from dailies.prefect_api.server import LocalServer, client_environment, server_folder


def expect_server(home: Path) -> None:
    """From now on Prefect may be loaded: it is set up for the local server of a home, wherever that will answer."""
    change(client_environment(server_folder(home)))


def load_engine() -> None:
    """Load what Prefect else loads in the middle of a process' first flow."""
    import fastapi.encoders  # noqa: F401
    import prefect.flow_engine
    import prefect.task_engine  # noqa: F401


def use_server(server: LocalServer) -> None:
    """Let all that Prefect does in this process from now on go to this server."""
    change(server.environment())
    if "prefect.context" in sys.modules:  # it read the environment when it was loaded
        from prefect.context import refresh_global_settings_context

        refresh_global_settings_context()
