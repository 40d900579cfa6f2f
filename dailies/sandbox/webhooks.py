"""Tells a caller's address of the end of a job, signed as its provider signs, and spoiled on request."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx

from dailies.sandbox.faults import Fault
from dailies.sandbox.world import Generation, World

Sign = Callable[[bytes, datetime, bool], Mapping[str, str]]
"""Headers for a raw body that is sent at a moment; the last one asks for a signature by somebody else's key."""

_TRIES, _PAUSE_S, _LOOK_S = 5, 0.1, 0.05


class Webhooks:
    """One front's webhooks. `sign` makes the headers of a body; `going_on` is what a call out of order tells."""

    def __init__(self, world: World, sign: Sign = lambda body, at, forged: {}) -> None:
        self._world = world
        self._sign = sign
        self._tasks: set[asyncio.Task[None]] = set()
        self._known: set[str] = set()

    def expect(
        self, generation: Generation, ended: Callable[[], dict[str, Any]], going_on: Callable[[], dict[str, Any]]
    ) -> None:
        """Call the generation's webhook, if it has one, once it has ended; a second order under its key changes nothing."""
        if generation.order.webhook and generation.id not in self._known:
            self._known.add(generation.id)
            task = asyncio.create_task(self._tell(generation, ended, going_on))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _tell(
        self, generation: Generation, ended: Callable[[], dict[str, Any]], going_on: Callable[[], dict[str, Any]]
    ) -> None:
        while not self._world.ended(generation):
            await asyncio.sleep(_LOOK_S)
        order = generation.order
        fault = self._world.faults.take("webhook", order.provider, order.prompt, generation.id, order.model.id)
        if fault is not None and fault.kind == "lost":
            return
        await asyncio.sleep(fault.delay_s if fault else 0)
        body = json.dumps(ended()).encode()
        for _ in range(2 if fault is not None and fault.kind == "doubled" else 1):
            await self._send(str(order.webhook), body, fault)
        if fault is not None and fault.kind == "out_of_order":
            await self._send(str(order.webhook), json.dumps(going_on()).encode(), fault)

    async def _send(self, url: str, body: bytes, fault: Fault | None) -> None:
        """One call, again until somebody says 2xx, as all of them do; only a few times here."""
        kind = fault.kind if fault else ""
        at = self._world.now() - timedelta(seconds=600 if kind == "stale" else 0)
        headers = {"content-type": "application/json", **self._sign(body, at, kind == "forged")}
        async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
            for _ in range(_TRIES):
                try:
                    answer = await client.post(url, content=body, headers=headers)
                except httpx.HTTPError:
                    await asyncio.sleep(_PAUSE_S)
                    continue
                if answer.is_success or 400 <= answer.status_code < 500:
                    return
                await asyncio.sleep(_PAUSE_S)


def new_uuid() -> str:
    """An id as most of them make it."""
    return str(uuid.uuid4())
