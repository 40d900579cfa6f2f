"""When to look at clips of each kind: learned from the ledger, and learned again as results come in."""

from __future__ import annotations

import time
from collections.abc import Callable

import anyio

from dailies.domain.schedule import learned_delays
from dailies.ledger import Ledger
from dailies.ledger.calling import LEDGER_AWAY, ledger_call

Kind = tuple[str, str, str | None, int | None]
"""Provider, model, resolution, seconds of video: what a generation's time depends on."""
KEPT_S = 5.0
"""So long at least: to learn takes 15 ms of a core or more, and of quick models something ends all the time."""


class PollSchedules:
    """The learned delays of every kind, computed off the event loop, kept until there can be something new to learn."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.monotonic) -> None:
        self._ledger, self._clock = ledger, clock
        self._known: dict[Kind, tuple[float, list[float]]] = {}
        self._one_at_a_time = anyio.Lock()

    async def delays(self, kind: Kind, typical_s: float) -> list[float]:
        """Seconds between looks. While the ledger can't be read, those that follow from the typical time alone."""
        async with self._one_at_a_time:  # fifty clips start at once: one learns, the others wait for it
            until, delays = self._known.get(kind, (0.0, []))
            if not delays or self._clock() >= until:
                delays = await ledger_call(self._learn, kind, typical_s)
                kept_s = max(delays[0], KEPT_S)  # none comes back before its first look
                self._known[kind] = (self._clock() + kept_s, delays)
            return delays

    def _learn(self, kind: Kind, typical_s: float) -> list[float]:
        try:
            history = self._ledger.generation_times(*kind)
        except LEDGER_AWAY:
            history = []
        return learned_delays(typical_s, history)
