"""Webhooks: the address that a create carries, and what a call to it is worth.

The address holds a reference to the attempt, signed by us with a secret that is made of the provider's key: nobody else can
make one. A provider's own signature, where it has one, is its client's to check (`Provider.told`).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from pydantic import SecretStr

if TYPE_CHECKING:
    from dailies.providers.base import Look

PATH = "/hooks/"
AGE_S = 300
"""A signed moment further away than this is no signature (documented by both that sign)."""

_DIGITS = 32


class BadSignature(Exception):
    """A call that is not from whom it says it is."""


class CannotVerify(Exception):
    """Nobody can say now whose signature it is: it may be the provider's."""


class Unreadable(Exception):
    """A call that is no such thing as this provider sends."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a call tells. `signed`: by the provider itself; any other is a hint that leads to a question. `look` is None where
    it does not tell of an end."""

    generation_id: str
    signed: bool
    look: Look | None = None


def hook_address(hooks_url: str, provider: str, key: SecretStr, attempt_id: str) -> str:
    """Where a provider shall call when the job of this attempt has ended."""
    return f"{hooks_url.rstrip('/')}{PATH}{provider}?ref={reference(provider, key, attempt_id)}"


def reference(provider: str, key: SecretStr, attempt_id: str) -> str:
    """An attempt's id with our own signature."""
    return f"{attempt_id}.{_signed(provider, key, attempt_id)}"


def attempt_of(ref: str, provider: str, key: SecretStr) -> str | None:
    """The attempt of a reference; None for what is no reference at all. Raises BadSignature for one that we did not make."""
    attempt_id, dot, digits = ref.rpartition(".")
    if not dot or not attempt_id:
        return None
    if not hmac.compare_digest(digits.encode(), _signed(provider, key, attempt_id).encode()):
        raise BadSignature("the reference is not one of ours")
    return attempt_id


def fresh(timestamp: str, now: datetime) -> bool:
    """Whether a signed moment, in seconds since 1970, is near enough."""
    try:
        return abs(now.timestamp() - int(timestamp)) <= AGE_S
    except ValueError:
        return False


def header(headers: Mapping[str, str], name: str) -> str:
    """A header that a signature needs, whatever the case of its name. Raises BadSignature where there is none."""
    value = next((text for key, text in headers.items() if key.lower() == name), "")
    if not value:
        raise BadSignature(f"no {name}")
    return value


def _signed(provider: str, key: SecretStr, attempt_id: str) -> str:
    secret = hmac.new(key.get_secret_value().encode(), b"dailies hooks", hashlib.sha256).digest()
    return hmac.new(secret, f"{provider}\n{attempt_id}".encode(), hashlib.sha256).hexdigest()[:_DIGITS]
