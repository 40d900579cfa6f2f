"""The settings of a command: the same, from the same sources, as those of a run on a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from dailies.errors import Misconfigured
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
    from dailies.prefect_api.blocks import (
        UNREADABLE,
        read_blocks,
    )  # the engine costs a second: only where it is configured

    try:
        blocks = asyncio.run(read_blocks())
    except UNREADABLE as error:
        raise _dead(api_url, error) from None
    return load_settings(overrides, blocks=blocks) if blocks else settings


def require_api(api_url: str) -> None:
    """Raise Misconfigured when nothing answers at the configured Prefect API, or a proxy is no use. Blocks for ten seconds."""
    import httpx

    from dailies.prefect_api.access import ask_api

    try:
        ask_api(api_url, "health", 10)
    except httpx.HTTPError as error:
        raise _dead(api_url, error) from None


def _dead(api_url: str, error: Exception) -> Misconfigured:
    from dailies.prefect_api.access import api_trouble

    return Misconfigured(f"{api_trouble(api_url, error)}. Nothing was bought.", trouble="prefect")
