"""The command that goes on with a batch, as it was asked for: its file, its place, its options."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from dailies.planning.request import BatchRequest


class Batches(Protocol):
    """What is asked of the ledger. Its methods block."""

    def batch_asked(self, batch: str) -> dict[str, Any]:
        """How the latest run of a batch was asked for; empty for one of an earlier version."""
        ...

    def batch_source(self, batch: str) -> str | None:
        """The file that a batch was last planned from."""
        ...

    def batch_destination(self, batch: str) -> str | None:
        """Where its clips go."""
        ...


def runs_of(ledger: Batches, batches: Iterable[str]) -> dict[str, str]:
    """For each of these batches the `run` that goes on with it, to be typed as it stands; none where its file is unknown."""
    found = {name: run_of(name, ledger) for name in batches}
    return {name: line for name, line in found.items() if line}


def run_of(batch: str, ledger: Batches) -> str | None:
    """One batch's command. It says where the clips go though a setting said it then: another shell has other settings."""
    asked, source = ledger.batch_asked(batch), ledger.batch_source(batch)
    order = BatchRequest.from_asked(asked) if asked else BatchRequest(prompts=source) if source else None
    if order is None:
        return None
    return order.but(batch=batch, to=ledger.batch_destination(batch) or order.to).as_command()
