"""The settings of a command: the same, from the same sources, as those of a run on a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import httpx

from dailies.errors import Misconfigured
from dailies.net import Network
from dailies.prefect_api.address import configured_api_url
from dailies.settings import Settings, load_settings


def settings_here(overrides: Mapping[str, object] | None = None) -> Settings:
    """Environment, `.env`, what a configured Prefect API keeps, defaults: the nearest wins.

    Raises Misconfigured, also when that API does not answer: only it may know which ledger is the right one.
    """
    settings = load_settings(overrides)  # what is wrong here is said before anything is asked
    api_url = configured_api_url()
    if not api_url:
        return settings
    require_api(api_url)
    from dailies.prefect_api.blocks import read_blocks  # the engine, which costs a second: only where it is configured

    try:
        blocks = asyncio.run(read_blocks())
    except httpx.HTTPError as error:
        raise _dead(api_url, error) from None
    return load_settings(overrides, blocks=blocks) if blocks else settings


def require_api(api_url: str) -> None:
    """Raise Misconfigured when nothing answers at the configured Prefect API, or a proxy is no use. Blocks for ten seconds."""
    network = Network.here()
    network.routes.check()  # Prefect's own client reads the same variables, and fails without a word of theirs
    proxy = network.routes.to(api_url).proxy
    address, context = f"{api_url.rstrip('/')}/health", network.authorities.context()
    try:
        httpx.get(address, timeout=10, verify=context, trust_env=False, proxy=proxy.url if proxy else None)
    except httpx.HTTPError as error:
        raise _dead(api_url, error) from None


def _dead(api_url: str, error: Exception) -> Misconfigured:
    return Misconfigured(
        f"the Prefect API at {api_url} does not answer ({type(error).__name__}). Nothing was bought. "
        "Start it, or unset PREFECT_API_URL: then a local server is started",
        trouble="prefect",
    )
