"""A batch remembers its file: another file under its name would be held to its budget and overwrite its report."""

from __future__ import annotations

import os
import shlex
from pathlib import Path, PurePosixPath

import anyio.to_thread

from dailies.domain.clips import slug
from dailies.errors import BadInput
from dailies.planning import Plan
from dailies.studio import Studio


def located(source: str) -> str:
    """Where a CSV lies, whatever folder it is called from: an absolute path, or its s3:// address."""
    return source if "://" in source else os.path.abspath(Path(source).expanduser())


def same_file(recorded: str, source: str) -> bool:
    """Whether a batch's file on record is this one. Earlier versions wrote a path down as it was typed."""
    if "://" in recorded or os.path.isabs(recorded):
        return recorded == source
    return source.endswith(f"/{os.path.normpath(recorded).lstrip('./')}")


async def refuse_another_file(studio: Studio, plan: Plan) -> None:
    """Raise BadInput where the batch was made from another file, none of whose clips this one asks for.

    A file that was moved, or edited where it lies, is still the batch's.
    """
    source = located(plan.source)
    recorded = await anyio.to_thread.run_sync(studio.ledger.batch_source, plan.batch)
    if not recorded or same_file(recorded, source):
        return
    known = await anyio.to_thread.run_sync(studio.ledger.known_clips, plan.batch)
    if not known or any(row.clip.key in known for row in plan.rows):
        return
    raise BadInput(
        f"the batch {plan.batch} is another file's: {recorded}, and {source} asks for none of its clips. Nothing was bought. "
        f"Give this one a name of its own: --batch {shlex.quote(_name_for(source))}"
    )


def _name_for(source: str) -> str:
    """`acme/prompts.csv` as `acme-prompts`."""
    path = PurePosixPath(source)
    return slug(f"{path.parent.name}-{path.stem}", "batch", limit=180)
