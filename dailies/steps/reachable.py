"""The ways to the providers, looked at before the first cent: a connection, the proxy's tunnel, the certificate."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import anyio

from dailies.domain.clips import Row
from dailies.errors import Misconfigured
from dailies.net import Network, reach
from dailies.runtime import Runtime

logger = logging.getLogger("dailies.ways")


async def refuse_without_a_way(runtime: Runtime, rows: Sequence[Row]) -> None:
    """Raise Misconfigured when there is a row none of whose providers can be reached; others that can't are a warning."""
    trouble: dict[str, str] = {}

    async def look(name: str) -> None:
        try:
            await reach(Network.here(), runtime.settings.base_url(name))
        except Misconfigured as error:
            trouble[name] = str(error)

    async with anyio.create_task_group() as looks:
        for name in sorted({name for row in rows for name in row.providers}):
            looks.start_soon(look, name)
    for row in rows:
        if all(name in trouble for name in row.providers):
            words = "; ".join(f"{name}: {trouble[name]}" for name in row.providers)
            raise Misconfigured(f"{words}. Nothing was bought.", trouble="network")
    for name, words in sorted(trouble.items()):
        logger.warning("%s: %s", name, words)
