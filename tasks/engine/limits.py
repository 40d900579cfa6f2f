"""Prefect's global concurrency limits named `dailies-<provider>`: honoured across machines where somebody made one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from prefect import get_client
from prefect.concurrency.asyncio import concurrency
from prefect.exceptions import ObjectNotFound

LEASE_S = 90
"""How long a place is kept that nobody renews any more, whose holder was killed. Prefect's own is 300, its least 60."""


async def shared_limits(providers: Iterable[str]) -> frozenset[str]:
    """The providers for which a limit exists and is switched on."""
    found = set()
    async with get_client() as client:
        for provider in providers:
            try:
                limit = await client.read_global_concurrency_limit_by_name(f"dailies-{provider}")
            except ObjectNotFound:
                continue
            if limit.active:
                found.add(provider)
    return frozenset(found)


@asynccontextmanager
async def shared_slot(provider: str, limits: frozenset[str]) -> AsyncIterator[None]:
    """One generation's place among all machines; nothing is waited for where no limit exists."""
    if provider not in limits:
        yield
        return
    async with concurrency(f"dailies-{provider}", occupy=1, strict=False, lease_duration=LEASE_S):
        yield
