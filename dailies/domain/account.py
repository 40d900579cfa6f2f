"""What a provider's own account says: requests it finished, and money it moved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class AccountStatus:
    """How an account stands: whether it refuses our key, and what is left on it; None where it can't be asked."""

    refused: str | None = None
    balance_usd: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Posting:
    """One movement of the balance. `usd` is positive for a charge and negative for money given back."""

    at: datetime
    kind: str
    usd: Decimal
    generation_id: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One finished request, with the reference that its sender gave it. `usd` is what the log says it cost."""

    at: datetime
    generation_id: str
    reference: str | None
    succeeded: bool
    usd: Decimal
    model: str
