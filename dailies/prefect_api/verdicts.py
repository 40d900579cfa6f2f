"""Verdicts told to the configured Prefect API: an event for each, and a batch's verdicts as a table.

dailies.clip.kept | retake | rejected     resource dailies.clip.<clip_key>
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import ArtifactCreate
from prefect.events import emit_event

from dailies.domain.clips import slug
from dailies.domain.records import BatchRow
from dailies.domain.verdicts import Verdict, Word
from dailies.report.decided import decided_lines, decided_sentence, decided_table

NAMES = {Word.KEEP: "kept", Word.RETAKE: "retake", Word.REJECT: "rejected"}


def announce(entries: Sequence[Verdict], rows: Sequence[BatchRow]) -> None:
    """Emit an event for each verdict that says something; one that was taken back is none. No prompt and no note travels.

    Costs no request: Prefect's client sends it in the background.
    """
    by_key = {row.clip_key: row for row in rows}
    for entry in entries:
        row = by_key.get(entry.clip_key)
        if row is None or entry.said.word not in NAMES:
            continue
        attempt = row.attempt
        emit_event(
            event=f"dailies.clip.{NAMES[entry.said.word]}",
            resource={"prefect.resource.id": f"dailies.clip.{row.clip_key}", "prefect.resource.name": row.id},
            related=[
                _resource("batch", row.batch), _resource("model", row.clip.model),
                *([_resource("provider", attempt.provider)] if attempt else []),
            ],
            payload={
                "batch": row.batch, "take": row.clip.take, "by": entry.author,
                "usd": str(attempt.usd_charged) if attempt and attempt.usd_charged is not None else None,
                "s3_uri": attempt.s3_uri if attempt else None, "undo": entry.undoes is not None,
            },
        )  # fmt: skip


def sum_up(batch: str, rows: Sequence[BatchRow]) -> None:
    """Show what was decided of a batch as an artifact. Blocks."""
    lines = decided_lines(rows)
    artifact = ArtifactCreate(
        key=f"verdicts-{slug(batch, 'batch')}", type="table", description=decided_sentence(lines),
        data=json.dumps(decided_table(lines)),
    )  # fmt: skip
    with get_client(sync_client=True) as client:
        client.create_artifact(artifact)


def _resource(role: str, name: str) -> dict[str, str]:
    return {
        "prefect.resource.id": f"dailies.{role}.{slug(name, role)}",
        "prefect.resource.role": role,
        "prefect.resource.name": name,
    }
