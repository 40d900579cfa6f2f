"""What one run is asked to do: the same fields from the command line, a deployment's parameters and the UI's form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, Self

from dailies.domain.commands import command
from dailies.prompts import default_batch

Fit = Literal["strict", "crop", "pad"]


@dataclass(frozen=True, slots=True)
class BatchRequest:
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
    ids: str | None = None
    limit: int | None = None

    @property
    def batch_name(self) -> str:
        """The batch's name: as given, else the file's stem."""
        return self.batch or default_batch(self.prompts)

    @property
    def partial(self) -> bool:
        """Whether only some rows of the CSV are made; the others of the batch stay as they are."""
        return any(part is not None for part in (self.rows, self.ids, self.limit))

    @property
    def title(self) -> str:
        """What a run of it is called: the batch, and the rows where it makes only a part."""
        parts = (
            f"rows {self.rows}" if self.rows else "",
            f"rows {self.ids}" if self.ids else "",
            f"first {self.limit}" if self.limit else "",
        )
        return " · ".join([self.batch_name, *filter(None, parts)])

    def asked(self) -> dict[str, Any]:
        """What is asked of the whole batch, as plain values: a part of it is asked for in the same way."""
        whole = replace(self, rows=None, fingerprint=None, ids=None, limit=None, prompts=_absolute(self.prompts))
        said = {name: value for name, value in asdict(whole).items() if value not in (None, False)}
        return {name: str(value) if isinstance(value, Decimal) else value for name, value in said.items()}

    @classmethod
    def from_asked(cls, asked: Mapping[str, Any]) -> Self:
        """The order that `asked` tells of; what a later version wrote and this one does not know is left out."""
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in asked.items() if name in known}
        budget = values.pop("budget_usd", None)
        return cls(**values, budget_usd=None if budget is None else Decimal(budget))

    def as_command(self, verb: str = "run") -> str:
        """The command line that asks for the same, to be typed as it stands."""
        options = (
            ("--to", self.to), ("--batch", self.batch), ("--provider", self.provider), ("--model", self.model),
            ("--resolution", self.resolution), ("--aspect-ratio", self.aspect_ratio), ("--duration", self.duration),
            ("--take", self.take), ("--budget", self.budget_usd), ("--in-flight", self.in_flight),
            ("--fit", None if self.fit == "strict" else self.fit), ("--rows", self.ids), ("--limit", self.limit),
            ("--report-dir", self.report_dir), ("--keep-local", self.keep_local),
        )  # fmt: skip
        said = [part for name, value in options if value not in (None, "") for part in (name, str(value))]
        flags = [
            name
            for name, on in (("--allow-unpriced", self.allow_unpriced), ("--require-live", self.require_live))
            if on
        ]
        return command(verb, self.prompts, *said, *flags)


def _absolute(prompts: str) -> str:
    """A path that means the same wherever one stands."""
    return prompts if "://" in prompts else str(Path(prompts).expanduser().absolute())
