"""What `dailies doctor` says of the network: which way each host is reached, and what certificates are checked by."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import anyio.to_thread

from dailies.errors import Misconfigured
from dailies.net import Network, reach
from dailies.registry import provider_names
from dailies.runtime import Runtime


async def ways(runtime: Runtime) -> AsyncIterator[tuple[str, bool, str]]:
    """For each host that the settings name: what it is, whether it was reached, and the way there or what is in it."""
    network = Network.here()
    try:
        network.authorities.context()
        yield "certificates", True, f"checked by {network.authorities}"
    except Misconfigured as error:
        yield "certificates", False, str(error)
        return
    for name, url in await hosts_of(runtime):
        try:
            await reach(network, url)
            yield f"way to {name}", True, f"{urlsplit(url).netloc}: {network.routes.to(url)}"
        except Misconfigured as error:
            yield f"way to {name}", False, str(error)


async def hosts_of(runtime: Runtime) -> list[tuple[str, str]]:
    """What a run here would ask, by name and address: providers with a key, and the store."""
    settings = runtime.settings
    hosts = [(name, settings.base_url(name)) for name in provider_names() if settings.api_key(name)]
    return [*hosts, ("store", await _store(runtime))] if settings.dailies_to else hosts


async def _store(runtime: Runtime) -> str:
    return str((await anyio.to_thread.run_sync(runtime.s3)).client.meta.endpoint_url)
