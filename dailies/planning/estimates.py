"""What a clip would cost on this very account, asked of providers that tell it for free; once for all rows that cost alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

import anyio

from dailies.catalog import request_body
from dailies.domain.addresses import is_address
from dailies.planning.live import Alike, alike
from dailies.planning.rows import PlannedRow

AT_ONCE: Final = 8
ANY_IMAGE: Final = "https://example.com/image.png"
"""Stands for an image that has no address yet: whose picture it is changes no price, and a question stores nothing."""

Estimate = Callable[[str, Mapping[str, Any]], Awaitable[Decimal | None]]
"""What a provider says that a request would cost; None where it can't be asked."""


async def ask_estimates(rows: Iterable[PlannedRow], estimate: Estimate) -> dict[Alike, Decimal]:
    """What the providers of these rows say that such clips cost on this account, as far as they say it."""
    wanted: dict[Alike, tuple[str, dict[str, Any]]] = {}
    for one in rows:
        for provider in one.row.providers:
            key = alike(one.model, provider, one.resolved)
            if key not in wanted:
                wanted[key] = (provider, _body(one, provider))
    found: dict[Alike, Decimal] = {}
    places = anyio.CapacityLimiter(AT_ONCE)

    async def ask(key: Alike, provider: str, body: Mapping[str, Any]) -> None:
        async with places:
            usd = await estimate(provider, body)
        if usd is not None:
            found[key] = usd

    async with anyio.create_task_group() as group:
        for key, (provider, body) in wanted.items():
            group.start_soon(ask, key, provider, body)
    return found


def _body(one: PlannedRow, provider: str) -> dict[str, Any]:
    source = one.row.clip.image.source
    image = None if not source else source if is_address(source) and one.image.path is None else ANY_IMAGE
    return dict(request_body(one.model, provider, one.resolved, prompt=one.row.clip.prompt, image_url=image))
