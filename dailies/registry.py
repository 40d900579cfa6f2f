"""Which providers there are: every package in `dailies/providers/`, and what others declare as entry points.

    [project.entry-points."dailies.providers"]
    theirs = "their_package.dailies:PROVIDER"

Only declarations are loaded here; what a provider does is loaded when it is first used.
"""

from __future__ import annotations

import importlib
import logging
import pkgutil
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from dailies.domain.provider import Declaration, in_order

GROUP = "dailies.providers"
logger = logging.getLogger("dailies.registry")


@cache
def declared() -> Mapping[str, Declaration]:
    """Every provider that this installation has, by name, in the order in which they are listed."""
    found = {one.name: one for one in _installed()}
    return in_order({**found, **{one.name: one for one in _bundled()}}.values())


def declaration(name: str) -> Declaration | None:
    """One provider's declaration; None for one that is not installed any more."""
    return declared().get(name)


def provider_names() -> tuple[str, ...]:
    """The names of all providers, in their order."""
    return tuple(declared())


def default_provider() -> str:
    """The provider that is asked where neither row nor model says another."""
    return provider_names()[0]


def load(where: str) -> Any:
    """What `module:attribute` names."""
    module, _, attribute = where.partition(":")
    return getattr(importlib.import_module(module), attribute)


def _bundled() -> Iterator[Declaration]:
    """Each package in the folder of providers; modules beside them are what they share."""
    folder = importlib.import_module("dailies.providers")
    for found in pkgutil.iter_modules(folder.__path__):
        if found.ispkg:
            module = importlib.import_module(f"{folder.__name__}.{found.name}")
            yield module.PROVIDER


def _installed() -> Iterator[Declaration]:
    for entry in entry_points(group=GROUP):
        try:
            found = entry.load()
            if not isinstance(found, Declaration):
                raise TypeError(f"{entry.value} is no Declaration")
        except Exception as error:  # noqa: BLE001 - somebody else's package must not keep ours from working
            logger.warning("the provider %s can't be loaded and is left out: %s", entry.name, error)
        else:
            yield found
