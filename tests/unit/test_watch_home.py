"""Clips that a run found in S3 are not asked for again while it is watched, and count as delivered all the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from dailies.cli.progress import Watch, Watched
from dailies.domain.progress import Stage
from dailies.domain.records import Brief
from dailies.domain.states import State


class Asked:
    """A ledger that notes which clips it was asked for."""

    def __init__(self) -> None:
        self.keys: list[list[str]] = []

    def briefs_of(self, keys: Sequence[str]) -> Iterator[tuple[str, tuple[Brief, ...]]]:
        """Every clip that is asked for is still being made."""
        self.keys.append([*keys])
        return iter([(key, (Brief(1, "aiml", State.SUBMITTED, None, False),)) for key in keys])

    def counted(self, _batch: str) -> Decimal:
        """Dollars."""
        return Decimal(0)


def test_what_lay_in_s3_before_the_run_is_not_asked_for_at_each_look() -> None:
    ledger: Any = Asked()
    names = {"home": "row-1", "away": "row-2"}
    watch = Watch(ledger, Watched("smiles", names, dict.fromkeys(names, 60.0), 4, frozenset({"home"})))
    watch.look()
    watch.look()
    assert ledger.keys == [["away"], ["away"]]
    assert watch.stages == {"home": Stage.DELIVERED, "away": Stage.GENERATING}
    assert "1 delivered, 1 generating" in watch.line
