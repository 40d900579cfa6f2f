"""What one run is asked to do: the same fields from the command line, a deployment's parameters and the UI's form."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from dailies.prompts import default_batch

Fit = Literal["strict", "crop", "pad"]


@dataclass(frozen=True, slots=True)
class Order:
    """One batch to make. None means: not said here, so the CSV, the settings or the model decide."""

    prompts: str
    to: str | None = None
    batch: str | None = None
    provider: str | None = None
    model: str | None = None
    resolution: str | None = None
    aspect_ratio: str | None = None
    duration: int | None = None
    take: str | None = None
    budget_usd: Decimal | None = None
    in_flight: int | None = None
    fit: Fit = "strict"
    allow_unpriced: bool = False
    report_dir: str | None = None
    keep_local: str | None = None
    require_live: bool = False
    rows: str | None = None
    fingerprint: str | None = None

    @property
    def batch_name(self) -> str:
        """The batch's name: as given, else the file's stem."""
        return self.batch or default_batch(self.prompts)

    @property
    def title(self) -> str:
        """What a run of it is called: the batch, and the rows where it makes only a part."""
        return f"{self.batch_name} · rows {self.rows}" if self.rows else self.batch_name
