"""What a look at a clip's footage has found: marks with their seconds and a number, as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a mark is about, in the words of the JSON answer."""

    BLACK = "black"
    FROZEN = "frozen"
    CUT = "cut"
    SILENT = "silent"
    CLIPPED = "clipped"
    FIRST_FRAME = "first_frame"
    LAST_FRAME = "last_frame"


@dataclass(frozen=True, slots=True)
class Mark:
    """One thing that a person should look at, from second to second. What `value` measures depends on the kind
    (`docs/footage.md`)."""

    kind: Kind
    from_s: float
    to_s: float
    value: float

    def __str__(self) -> str:
        return f"{self.kind} {self.from_s:.1f}-{self.to_s:.1f} s"


KINDS = frozenset(map(str, Kind))
FINE = "fine"


@dataclass(frozen=True, slots=True)
class Marks:
    """All marks of one clip that was looked at; there are none where it is fine. A clip that was not looked at has no Marks."""

    found: tuple[Mark, ...] = ()

    def __str__(self) -> str:
        return "; ".join(map(str, self.found)) or FINE

    def record(self) -> list[dict[str, object]]:
        """Them as JSON, for the ledger and for people's programs."""
        return [{**asdict(mark), "kind": str(mark.kind)} for mark in self.found]

    @classmethod
    def of_record(cls, record: Iterable[Mapping[str, Any]] | None) -> Marks | None:
        """Them as the ledger has them. A kind that this version does not know is left out."""
        if record is None:
            return None
        known = (one for one in record if one["kind"] in KINDS)
        return cls(tuple(Mark(Kind(one["kind"]), one["from_s"], one["to_s"], one["value"]) for one in known))
