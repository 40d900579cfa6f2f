"""`cheapest` in place of a provider: each row at the lowest price that is known where there is a key. Pure.

Which one it is is settled when the row is planned. A clip that was sent, or may have been, stays where it was sent, whatever
another costs later.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from dailies.catalog import Model
from dailies.registry import provider_names

CHEAPEST: Final = "cheapest"

Quotes = Mapping[str, Decimal | None]
"""Dollars for one clip at each provider; None where no price is known."""


@dataclass(frozen=True, slots=True)
class Named:
    """Providers as a row or an option names them; `cheapest`: to be compared, not asked one after another."""

    providers: tuple[str, ...]
    cheapest: bool = False


def named_providers(text: str) -> Named:
    """`fal,aiml` are asked in their order; `cheapest` compares all, `cheapest,fal,aiml` these two."""
    names = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    given = tuple(name for name in names if name != CHEAPEST)
    return Named(given or provider_names(), True) if CHEAPEST in names else Named(given)


def to_compare(model: Model, named: Sequence[str], keyed: Collection[str]) -> tuple[str, ...]:
    """Those of the named providers that offer the model, in their order: with a key, where there is one for any of them."""
    offering = tuple(name for name in named if name in model.offers)
    return tuple(name for name in offering if name in keyed) or offering


def lowest(quotes: Quotes) -> str:
    """The provider with the lowest known quote, the first of equals; the first of all where no price is known."""
    known = {name: usd for name, usd in quotes.items() if usd is not None}
    return min(known, key=lambda name: known[name]) if known else next(iter(quotes))
