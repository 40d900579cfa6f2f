"""A plan of a few rows with nothing around it: no network, no files, a ledger that knows nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio

from dailies.catalog import Catalog, load_catalog
from dailies.errors import BadInput
from dailies.media.images import ImageFacts
from dailies.planning.images import Measured
from dailies.planning.plan import Market, Plan, make_plan
from dailies.planning.request import BatchRequest
from dailies.prompts import read_sheet
from dailies.providers.live import Live, LiveUnavailable

CATALOG = load_catalog()
FRAME = ImageFacts("png", 1280, 720, 1000)


class Blank:
    """A ledger in which nothing stands."""

    def keys_like(self, identities: Sequence[str]) -> Mapping[str, str]:
        return {}

    def clips_of(self, clip_keys: Sequence[str]) -> Mapping[str, Any]:
        return {}

    def bought(self, clip_keys: Sequence[str]) -> frozenset[str]:
        return frozenset()

    def links_of(self, base_keys: Sequence[str]) -> Mapping[str, Any]:
        return {}

    def forgotten(self, clip_keys: Sequence[str]) -> frozenset[str]:
        return frozenset()

    def clips_in(self, batch: str) -> Mapping[str, Any]:
        return {}

    def takes_of(self, providers: Mapping[str, Sequence[str]]) -> Mapping[str, Any]:
        return dict.fromkeys(providers, ())


@dataclass
class World:
    """What the providers would say. `prices` and `estimates` are by provider."""

    keyed: frozenset[str] = frozenset()
    estimates: Mapping[str, str] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def ask(self, provider: str, names: list[str]) -> dict[str, Live]:
        if provider in self.gone:
            return {name: Live(False) for name in names}
        raise LiveUnavailable("not in this test")

    async def estimate(self, provider: str, body: Mapping[str, Any]) -> Decimal | None:
        self.asked.append((provider, dict(body)))
        said = self.estimates.get(provider)
        return None if said is None else Decimal(said)

    async def measure_all(self, sources: Sequence[str], progress: object = None) -> dict[str, Measured | BadInput]:
        return {source: Measured(source, FRAME, content="ab" * 32) for source in sources}


def plan(
    csv: str,
    world: World | None = None,
    catalog: Catalog = CATALOG,
    record: Blank | None = None,
    derived: Path = Path("/nowhere"),
    **asked: Any,
) -> Plan:
    """The plan of a CSV, which is written with `|` between its lines, or with line ends. Raises as planning does."""
    world = world or World()
    lines = csv if "\n" in csv else csv.replace("|", "\n")
    sheet = read_sheet(lines.encode(), "a.csv", catalog.option_words())
    request = BatchRequest(prompts="a.csv", **asked)
    market = Market(world.ask, world.estimate, world.keyed)

    async def made() -> Plan:
        return await make_plan(
            sheet, request, "a.csv", catalog, world, derived, market, record or Blank()  # type: ignore[arg-type]
        )  # fmt: skip

    return anyio.run(made)
