"""A provider that makes so many clips at once and does not say how many: simulated on a clock of its own, without a network."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from dailies.domain.ceiling import Ceiling, Sending

Limit = Callable[[float], int]
"""How many the provider makes at once, at a time in seconds."""
WARM_S = 60.0


@dataclass(frozen=True, slots=True)
class Pace:
    """The provider's seconds, and the program's: how long a clip takes (the median, and σ of its logarithm), a create, until
    an end is noticed; and what a refusal's Retry-After says."""

    clip_s: float = 90.0
    sigma: float = 0.35
    create_s: float = 1.0
    lag_s: float = 3.5
    retry_after_s: float = 2.0
    per_s: float = float("inf")  # of creates; more are refused as well


@dataclass
class Told:
    """From when to when it was counted, the seconds that places at the provider were used and could have been used, creates
    and refusals."""

    since_s: float
    used_s: float = 0.0
    possible_s: float = 0.0
    creates: int = 0
    refused: int = 0

    @property
    def share(self) -> float:
        """Of the possible throughput."""
        return self.used_s / self.possible_s

    @property
    def refusals(self) -> float:
        """Of all creates."""
        return self.refused / max(1, self.creates)


@dataclass
class Simulated:
    """One batch against one provider. Where the limit is `known`, it is asked for no more from the start."""

    limit: Limit
    pace: Pace = Pace()
    most: int = 50
    seed: int = 1
    known: bool = False
    ceiling: Ceiling = field(init=False)
    running: int = 0
    now: float = 0.0

    def __post_init__(self) -> None:
        self.ceiling = Ceiling(self.limit(0.0) if self.known else self.most)
        self._dice = random.Random(self.seed)
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._not_before = self._tokens_at = 0.0
        self._tokens = 1.0
        self._waiting = 0

    def run(self, clips: int, since_s: float = WARM_S, until_s: float = float("inf")) -> Told:
        """Buy so many clips, and tell what came of it from `since_s` on, while there were clips left to buy."""
        self._waiting = clips
        told = self._told = Told(since_s)
        self._after(0.0, lambda: None)
        while self._events and (self._waiting or self.ceiling.unanswered):
            at, _, happen = heapq.heappop(self._events)
            if at > until_s:
                break
            self._count(told, at)
            self.now = at
            happen()
            self._send()
        return told

    def _count(self, told: Told, at: float) -> None:
        passed_s = at - max(self.now, told.since_s)
        if passed_s > 0 and self._waiting:
            told.used_s += self.running * passed_s
            told.possible_s += self.limit((at + self.now) / 2) * passed_s

    def _after(self, seconds: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), happen))

    def _send(self) -> None:
        while self._waiting and (at := self.ceiling.room_at(self.now)) is not None:
            if (wait_s := max(at, self._not_before) - self.now) > 0:
                self._after(wait_s, lambda: None)
                return
            self._waiting -= 1
            sending = self.ceiling.send(self.now)
            self._after(self.pace.create_s / 2, partial(self._arrives, sending))

    def _arrives(self, sending: Sending) -> None:
        fits = self.running < self.limit(self.now) and self._in_time()
        if self.now >= self._told.since_s:
            self._told.creates += 1
            self._told.refused += not fits
        if not fits:
            self._after(self.pace.create_s / 2, partial(self._refused, sending))
            return
        self.running += 1
        takes_s = self.pace.clip_s * self._dice.lognormvariate(0, self.pace.sigma)
        self._after(takes_s, self._made)
        self._after(takes_s + self._dice.uniform(0, 2 * self.pace.lag_s), self.ceiling.ended)
        self._after(self.pace.create_s / 2, partial(self._accepted, sending))

    def _in_time(self) -> bool:
        gained = (self.now - self._tokens_at) * self.pace.per_s if self.now > self._tokens_at else 0.0
        self._tokens, self._tokens_at = min(max(1.0, self.pace.per_s), self._tokens + gained), self.now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _made(self) -> None:
        self.running -= 1

    def _accepted(self, sending: Sending) -> None:
        self.ceiling.accepted(sending, self.now)
        self.ceiling.hold()

    def _refused(self, sending: Sending) -> None:
        self._waiting += 1
        self.ceiling.refused(sending, self.now, self.pace.retry_after_s)
        self._not_before = max(self._not_before, self.now + self.pace.retry_after_s)
