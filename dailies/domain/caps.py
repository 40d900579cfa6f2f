"""Hard budgets in dollars. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from dailies.domain.money import to_usd


@dataclass(frozen=True, slots=True)
class ColumnCap:
    """What all clips may cost together, ever, whose row has this value in this column of the team's own."""

    column: str
    value: str
    usd: Decimal

    @property
    def name(self) -> str:
        """`client=acme`, for people and for the ledger."""
        return f"{self.column}={self.value}"

    def holds_for(self, labels: Mapping[str, str]) -> bool:
        """Whether a row with these columns counts against it."""
        return labels.get(self.column) == self.value

    def nearly_holds_for(self, labels: Mapping[str, str]) -> str | None:
        """How a row writes column and value where only letters' case or blanks at the ends differ; else None."""
        if self.holds_for(labels):
            return None
        mine = _plain(self.column), _plain(self.value)
        return next((f"{name}={text}" for name, text in labels.items() if (_plain(name), _plain(text)) == mine), None)


@dataclass(frozen=True, slots=True)
class Caps:
    """Hard budgets in dollars: of a batch, of a UTC day and a UTC month over all batches, and by column. None is no limit."""

    batch_usd: Decimal | None = None
    day_usd: Decimal | None = None
    month_usd: Decimal | None = None
    columns: tuple[ColumnCap, ...] = ()

    def for_row(self, labels: Mapping[str, str]) -> tuple[ColumnCap, ...]:
        """The caps by column that hold for a row."""
        return tuple(cap for cap in self.columns if cap.holds_for(labels))


def read_column_caps(text: str) -> tuple[ColumnCap, ...]:
    """`client=acme:200, client=zeta:$50`. Raises ValueError for what can't be read, and where one is named twice."""
    caps = tuple(_read_one(part.strip()) for part in text.split(",") if part.strip())
    names = [cap.name for cap in caps]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"names {', '.join(twice)} twice")
    if not caps:
        raise ValueError(f"{text!r} names no budget such as client=acme:200")
    return caps


def _read_one(part: str) -> ColumnCap:
    name, _, amount = part.rpartition(":")
    column, equals, value = (piece.strip() for piece in name.partition("="))
    if (
        not (column and equals and value) or ";" in part
    ):  # a value that swallows the next budget would hold nothing back
        raise ValueError(f"{part!r} is not a budget such as client=acme:200")
    try:
        return ColumnCap(column, value, to_usd(amount.strip().removeprefix("$").strip()))
    except ValueError as error:
        raise ValueError(f"{part!r} is not a budget such as client=acme:200: {error}") from error


def columns_of(caps: Iterable[ColumnCap]) -> tuple[str, ...]:
    """The columns that are named, each once."""
    return tuple(dict.fromkeys(cap.column for cap in caps))


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
