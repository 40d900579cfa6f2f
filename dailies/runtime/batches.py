"""The one registry of the batches that a process makes.

Prefect keeps the parameters of a task, so a task is given ids. By a batch's name it finds here what the flow, or the
command that started it, has put in.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from dailies.domain.clips import Row
from dailies.planning.batch import Batch
from dailies.planning.request import BatchRequest
from dailies.report.credits import Credits


class Batches:
    """Batches by name; what each came to once its report is written, and where that is (None where the disk did not take it)."""

    def __init__(self) -> None:
        self._batches: dict[str, Batch] = {}
        self.reported: dict[str, Credits] = {}
        self.folders: dict[str, Path | None] = {}
        self.report_folders: Mapping[str, str] = {}

    def add(self, batch: Batch) -> Batch:
        """Let tasks find this batch by its name. Returns it."""
        self._batches[batch.name] = batch
        return batch

    def __getitem__(self, name: str) -> Batch:
        """The batch of this name. Raises KeyError when nobody has put it in, which is a defect."""
        return self._batches[name]

    def __iter__(self) -> Iterator[Batch]:
        return iter(self._batches.values())

    def get(self, name: str) -> Batch | None:
        """The batch of this name, if this process makes it."""
        return self._batches.get(name)

    def asked_for(self, request: BatchRequest) -> Batch | None:
        """The batch that was planned for exactly this request, if one was."""
        batch = self.get(request.batch_name)
        return batch if batch and batch.request == request else None

    def row(self, clip_key: str) -> Row | None:
        """The row of a clip that some batch of this process asks for."""
        return next((batch.rows[clip_key] for batch in self if clip_key in batch.rows), None)
