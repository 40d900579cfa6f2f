"""Which providers the sandbox speaks for: every front that one of them declares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from starlette.routing import BaseRoute

from dailies.registry import declared, load

if TYPE_CHECKING:
    from dailies.sandbox.models import Model
    from dailies.sandbox.world import Generation, Order, World


class Front(Protocol):
    """One provider's API over a world. `dailies.sandbox.api.Api` is most of one."""

    below: str
    """The path of its base address in the sandbox, where it is not the root."""

    def __init__(self, world: World) -> None: ...

    @classmethod
    def models(cls) -> Mapping[str, Model]:
        """The models that it serves at the start, by their names there."""
        ...

    @staticmethod
    def new_id(world: World, order: Order) -> str:
        """An id for a generation that it accepts."""
        ...

    def routes(self) -> list[BaseRoute]:
        """All that it answers. No two fronts share a path: each test points all base addresses to one sandbox."""
        ...

    def status(self, generation: Generation) -> str:
        """queued, generating, completed or error."""
        ...


def declared_fronts() -> Mapping[str, type[Front]]:
    """The front of each provider that has one, by the provider's name."""
    return {one.name: load(one.front) for one in declared().values() if one.front}
