"""What the sandbox knows: its generations, its own list of charges, its models, and every request it saw."""

from __future__ import annotations

import hashlib
import random
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from dailies.sandbox.config import SandboxConfig
from dailies.sandbox.faults import FaultBox
from dailies.sandbox.fronts import Front, declared_fronts
from dailies.sandbox.models import Model, Size

Provider = str
"""The name of the front that an order came in by."""

CREDITS_PER_USD = 2_000_000
"""From the AI/ML API's billing pages."""

_SIGMA = 0.35
_CLIENT_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")


@dataclass(frozen=True, slots=True)
class Charge:
    """One charge, as the sandbox itself counts it; `refunded` once its generation has failed."""

    generation_id: str
    provider: str
    model: str
    usd: Decimal
    credits: int
    client_request_id: str | None
    at: datetime
    refunded: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """One request that reached the sandbox, whatever came of it."""

    method: str
    path: str
    client_request_id: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Order:
    """What a valid create asks for.

    `generation_id` is the id where the API or its caller makes it. `key` is the caller's own key: a second order under it
    is the first one again where `fingerprint` is the same, and refused where it is another or None. `webhook` is told of the
    end. `moderated`: it will end without a clip, for what it shows. `body` is the request as it came, where the API keeps it.
    """

    provider: str
    model: Model
    prompt: str
    size: Size
    duration_s: int
    usd: Decimal
    audio: bool = True
    image: bytes | None = field(default=None, repr=False)
    client_request_id: str | None = None
    fps: int | None = None
    generation_id: str | None = None
    key: str | None = None
    fingerprint: str | None = None
    webhook: str | None = None
    moderated: bool = False
    body: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(slots=True)
class Generation:
    """One job: what was ordered, when it ends and how."""

    id: str
    order: Order
    at: datetime
    ends_at: datetime
    fails: bool
    charged_usd: Decimal = Decimal(0)
    cancelled: bool = False

    @property
    def file(self) -> str:
        """The name of its clip: the id itself may hold anything."""
        return f"{hashlib.sha256(self.id.encode()).hexdigest()[:32]}.mp4"


class OutOfCredits(Exception):
    """The balance doesn't cover the clip; nothing was accepted."""


class KeyUsed(Exception):
    """The caller's key stands for another order; nothing was accepted."""


class World:
    """The state of one sandbox, safe to use from any thread. `now` gives aware UTC datetimes."""

    def __init__(
        self,
        config: SandboxConfig,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        fronts: Mapping[str, type[Front]] | None = None,
    ) -> None:
        self.config = config
        self.now = now
        self.fronts = declared_fronts() if fronts is None else fronts
        self.faults = FaultBox()
        self._lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """Everything as it was at the start."""
        with self._lock:
            self.started_at = self.now()
            self.generations: dict[str, Generation] = {}
            self.deprecations: dict[str, dict[str, Any]] = {}
            self.models = {name: dict(front.models()) for name, front in self.fronts.items()}
            self._keys: dict[tuple[Provider, str], Generation] = {}
            self.uploads: dict[str, tuple[str, bytes]] = {}
            self._by_file: dict[str, Generation] = {}
            self._failing: list[Generation] = []
            self._images: dict[bytes, bytes] = {}
            self._charges: list[Charge] = []
            self._seen: list[Seen] = []
            self._spent = Decimal(0)
            self._random = random.Random(self.config.seed)
            self._tokens, self._tokens_at = self._burst, self.now()
            self.faults.clear()

    def note(self, seen: Seen) -> None:
        """Remember one request."""
        with self._lock:
            self._seen.append(seen)

    def requests(self) -> list[Seen]:
        """Every request so far, in order."""
        with self._lock:
            return list(self._seen)

    def charges(self) -> list[Charge]:
        """Every charge so far, in order; those of generations that have failed are marked refunded."""
        with self._lock:
            return [replace(c, refunded=self.failed(self.generations[c.generation_id])) for c in self._charges]

    def listed(self) -> list[Generation]:
        """Every generation so far, in order."""
        with self._lock:
            return list(self.generations.values())

    def find(self, generation_id: str, provider: str) -> Generation | None:
        """The provider's generation of this id."""
        generation = self.generations.get(generation_id)
        return generation if generation and generation.order.provider == provider else None

    def by_file(self, file: str) -> Generation | None:
        """The generation whose clip has this file name."""
        return self._by_file.get(file)

    def ended(self, generation: Generation) -> bool:
        """Whether it is over, well or badly."""
        return self.now() >= generation.ends_at

    def failed(self, generation: Generation) -> bool:
        """Whether it is over and failed."""
        return generation.fails and self.ended(generation)

    def accept(self, order: Order) -> Generation:
        """Start a generation and charge for it, as one step; OutOfCredits if the balance is too small.

        Under a key that is known it is the generation of that key again, without a charge; KeyUsed where it can't be.
        """
        with self._lock:
            known = self.keyed(order.provider, order.key)
            if known:
                if order.fingerprint is None or order.fingerprint != known.order.fingerprint:
                    raise KeyUsed
                return known
            if self.balance_usd() < order.usd:
                raise OutOfCredits
            at = self.now()
            generation = Generation(
                id=order.generation_id or self._new_id(order),
                order=replace(order, image=self._shared(order.image)),
                at=at,
                ends_at=at + timedelta(seconds=self._seconds(order.model)),
                fails="will-fail" in order.prompt or order.moderated,
            )
            self.generations[generation.id] = generation
            if order.key:
                self._keys[order.provider, order.key] = generation
            self._by_file[generation.file] = generation
            if generation.fails:
                self._failing.append(generation)
            self._charge(generation, order)
            return generation

    def accept_again(self, order: Order) -> Generation:
        """Charge for an order, but name the generation before it; a first order is simply accepted."""
        with self._lock:
            newest_first = reversed(self.generations.values())
            earlier = next((g for g in newest_first if g.order.provider == order.provider), None)
            if earlier is None:
                return self.accept(order)
            self._charge(earlier, order)
            return earlier

    def keyed(self, provider: Provider, key: str | None) -> Generation | None:
        """The generation that this key of the caller stands for."""
        return self._keys.get((provider, key)) if key else None

    def forget_key(self, provider: Provider, key: str | None) -> None:
        """A key past its time: the same order under it is a new one."""
        with self._lock:
            self._keys.pop((provider, key or ""), None)

    def cancel(self, generation: Generation) -> None:
        """End a generation as cancelled, now; its charge is given back."""
        with self._lock:
            generation.cancelled = True
            self.fail(generation)

    def fail(self, generation: Generation) -> None:
        """End a generation as failed, now."""
        with self._lock:
            if not generation.fails:
                self._failing.append(generation)
            generation.fails = True
            generation.ends_at = min(generation.ends_at, self.now())

    def balance_usd(self) -> Decimal:
        """What is left to spend: everything accepted counts, unless it failed."""
        with self._lock:
            refunds = sum((g.charged_usd for g in self._failing if self.ended(g)), Decimal(0))
            return self.config.balance_usd - self._spent + refunds

    def admits(self) -> bool:
        """Whether the rate limit lets one more request in (a token bucket that holds one second's worth)."""
        rate = self.config.rate_limit_per_s
        if rate is None:
            return True
        with self._lock:
            now = self.now()
            gained = max(0.0, (now - self._tokens_at).total_seconds()) * rate
            self._tokens, self._tokens_at = min(self._burst, self._tokens + gained), now
            if self._tokens < 1:
                return False
            self._tokens -= 1
            return True

    @property
    def _burst(self) -> float:
        return max(1.0, self.config.rate_limit_per_s or 1.0)

    def _charge(self, generation: Generation, order: Order) -> None:
        self._spent += order.usd
        generation.charged_usd += order.usd
        self._charges.append(
            Charge(
                generation_id=generation.id,
                provider=order.provider,
                model=order.model.id,
                usd=order.usd,
                credits=credits_of(order.usd),
                client_request_id=order.client_request_id,
                at=self.now(),
            )
        )

    def _new_id(self, order: Order) -> str:
        # Not from the seed: a ledger that outlives this sandbox must never meet the same id again.
        return self.fronts[order.provider].new_id(self, order)

    def _seconds(self, model: Model) -> float:
        return model.seconds * self._random.lognormvariate(0, _SIGMA) * self.config.time_scale

    def _shared(self, image: bytes | None) -> bytes | None:
        # Ten thousand clips of one image shall not hold it ten thousand times; quick clips don't show it at all.
        if image is None or self.config.render == "quick":
            return None
        return self._images.setdefault(hashlib.sha256(image).digest(), image)


def credits_of(usd: Decimal) -> int:
    """The provider's credits for an amount of USD."""
    return int(usd * CREDITS_PER_USD)


def stored_client_id(header: str | None) -> str | None:
    """What the provider keeps of `X-Client-Request-Id`: anything outside the documented alphabet is dropped."""
    return header if header and _CLIENT_ID.fullmatch(header) else None
