"""What a sandbox can be told before it starts."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """The settings of one sandbox; the defaults behave like the real providers, at their real speed.

    A generation takes its model's typical time x a log-normal factor (sigma 0.35, a spread like the one seen in
    the providers' samples) x `time_scale`; 0 means finished at once. `api_keys` are the keys that work; an empty
    set accepts any key but none at all. `billing_delay_s` is how long after `completed` a charge reaches the
    account's transactions. `render="quick"` makes one cheap clip per size and length for the whole process.
    `webhook_secret` signs OpenRouter's webhooks; `openrouter_copies`: it keeps copies of clips, under addresses that need no key.
    """

    time_scale: float = 1.0
    seed: int = 1
    api_keys: frozenset[str] = frozenset({"sandbox-key"})
    balance_usd: Decimal = Decimal(1000)
    onerouter_form: Literal["result", "task"] = "result"
    billing_delay_s: float = 0.0
    render: Literal["real", "quick"] = "real"
    rate_limit_per_s: float | None = None
    webhook_secret: str = "sandbox-webhook-secret"  # noqa: S105 -- it guards nothing
    openrouter_copies: bool = True
