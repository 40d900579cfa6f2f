"""A flow in this process, and an engine that may be away when it ends: its server was killed, its network is gone."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable
from typing import Any

from dailies.cli.screen import say
from dailies.runtime import Runtime

ENDS_WITHIN_S = 10.0
"""How long the engine may take to record the end of a flow whose story is over. Away, it tries for minutes."""


class Engine:
    """Sees a flow through. `away` once the engine did not end it in time: then only the ledger knows how it ended."""

    def __init__(self) -> None:
        self.away = False

    async def see_through(self, runtime: Runtime, flow: Awaitable[Any]) -> Any:
        """The flow's final state; None when its story is over and the engine can't record that."""
        running, over = asyncio.ensure_future(flow), asyncio.ensure_future(runtime.over.wait())
        try:
            await asyncio.wait({running, over}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({running}, timeout=ENDS_WITHIN_S)
        except asyncio.CancelledError:
            running.cancel()
            await asyncio.wait({running})
            raise
        finally:
            over.cancel()
        if running.done():
            return running.result()
        self.away = True
        say("Prefect's server is away: how this ended is in the ledger, and not in its UI")
        return None

    def leave(self, code: int) -> int:
        """The exit code; with an engine that is away the process ends here, without waiting for what it still tries."""
        if self.away:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(code)
        return code
