"""What the seconds that people kept have cost, and what rejected takes did: by model, provider and each of the team's columns. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from dailies.domain.figures import Sum
from dailies.report.credits import Credits
from dailies.report.sums import Groups


@dataclass(frozen=True, slots=True)
class Kept:
    """One group. `usd_charged` is that of all its takes; per kept second it is None while none of its seconds is kept."""

    value: str
    clips: int
    kept: int
    kept_s: int
    usd_charged: Decimal | None
    usd_rejected: Decimal
    usd_per_kept_second: Decimal | None


def kept_by(credits: Credits) -> dict[str, list[Kept]]:
    """The groups of each column, the dearest second first; nothing while nobody has kept or rejected anything.

    A clip that was tried at several providers counts there in parts, as everywhere.
    """
    sums = credits.sums
    if not sums.decided:
        return {}
    own = {name: sums.own[name] for name in sums.team if name in sums.own}
    found = {"model": sums.model, "provider": sums.provider, **own}
    return {name: _groups(groups) for name, groups in found.items() if groups is not None}


def kept_json(found: Mapping[str, Iterable[Kept]]) -> dict[str, dict[str, Any]]:
    """Them as JSON: by column and value."""
    return {
        name: {one.value: {key: value for key, value in asdict(one).items() if key != "value"} for one in groups}
        for name, groups in found.items()
    }


def _groups(by_value: Groups) -> list[Kept]:
    groups = [_group(value, some) for value, some in by_value.items()]
    return sorted(groups, key=lambda one: (one.usd_per_kept_second is None, -(one.usd_per_kept_second or 0), one.value))


def _group(value: str, some: Sum) -> Kept:
    totals = some.totals()
    return Kept(
        value,
        totals.rows,
        totals.kept,
        some.kept_s,
        totals.usd_charged,
        totals.usd_rejected,
        totals.usd_per_kept_second,
    )
