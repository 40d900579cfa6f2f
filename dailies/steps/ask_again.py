"""`resolve ATTEMPT --ask-again`: a doubt is settled now, as a run of its batch would: a free question, else the same request.

The same request again is a paid one, of the same attempt: it goes by the run's own sender, under the brake, while the key is
surely known. That a person asked for it is what lets it be sent outside a run.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from dailies.domain.clips import IMAGE_LISTS, Row, digest_in, listed, without_digest
from dailies.domain.commands import COLLECT, resolve
from dailies.domain.records import Attempt, BatchRow
from dailies.domain.states import State, current
from dailies.errors import BadInput, DailiesError, MaybeCharged, NotCharged
from dailies.ledger import Caps
from dailies.ledger.calling import ledger_call
from dailies.planning.batch import Batch
from dailies.planning.further import place_of
from dailies.planning.plan import Plan, SentFile
from dailies.planning.request import BatchRequest
from dailies.registry import declaration
from dailies.runtime import Runtime
from dailies.steps.requests import request_of
from dailies.steps.resolve import refuse_while_its_sender_lives
from dailies.steps.settle import settle_clip
from dailies.storage.s3 import parse_s3_uri


async def ask_again(runtime: Runtime, attempt: Attempt) -> tuple[Attempt, str]:
    """The attempt as it is then, and a sentence for the person. Raises BadInput where there is nothing to ask."""
    who = f"attempt {attempt.id[:8]}"
    if attempt.state is not State.IN_DOUBT:
        raise BadInput(f"{who} is {attempt.state}: there is nothing to resolve. Nothing was changed")
    await ledger_call(refuse_while_its_sender_lives, runtime.ledger, attempt)
    known = declaration(attempt.provider)
    if known is None or not (known.settling.asks or known.settling.repeats):
        raise BadInput(
            f"{attempt.provider} has nothing that could be asked for {who}: look at its own pages, then say "
            f"{resolve(attempt.id)}. Nothing was changed"
        )
    batch, row = await _on_record(runtime, attempt)
    try:
        settled = await settle_clip(runtime, batch, row)
    except (MaybeCharged, NotCharged) as error:
        now = await ledger_call(runtime.ledger.attempt, attempt.id)
        return now or attempt, f"{who} stays in doubt: {error}"
    except DailiesError as error:
        raise BadInput(f"{error}. Nothing was changed") from None
    return settled, f"{who} is {settled.state} as {settled.generation_id}: {COLLECT} brings it home"


async def _on_record(runtime: Runtime, attempt: Attempt) -> tuple[Batch, Row]:
    """The attempt's clip as a batch of its own, from the ledger alone. Raises BadInput where another attempt speaks for it."""

    def read() -> tuple[list[BatchRow], list[Attempt], tuple[str, str] | None]:
        ledger = runtime.ledger
        to = ledger.batch_destination(attempt.batch)
        rows = [row for row in ledger.rows_of_clips([attempt.clip_key]) if row.batch == attempt.batch]
        return rows, list(ledger.attempts(attempt.clip_key)), parse_s3_uri(to) if to else None

    rows, attempts, place = await ledger_call(read)
    speaks = current(attempts)
    if not rows or place is None or speaks is None or speaks.id != attempt.id:
        raise BadInput(f"attempt {attempt.id[:8]} does not speak for its clip any more. Nothing was changed")
    found = rows[0]
    clip = replace(found.clip, known_as=attempt.clip_key)
    row = Row(found.number, found.id, clip, (attempt.provider,), found.labels)
    request = await request_of(runtime, attempt.batch) or BatchRequest(prompts=attempt.batch, batch=attempt.batch)
    quotes: dict[str, Decimal | None] = {attempt.clip_key: attempt.usd_quoted}
    files, further = _file_of(request, row), _further_files_of(request, row)
    plan = Plan(attempt.batch, request.prompts, (row,), quotes, files, further_files=further)
    return Batch(request, plan, *place, Caps()), row


def _file_of(request: BatchRequest, row: Row) -> dict[str, SentFile]:
    """The file that lay beside the CSV, where it is that of the record; what was made of one is not made again here."""
    image = row.clip.image
    if not image or "://" in image.source or image.sha256 is None or image.made or "://" in request.prompts:
        return {}
    return {row.clip.key: SentFile(Path(request.prompts).expanduser().parent / image.source, image.sha256)}


def _further_files_of(request: BatchRequest, row: Row) -> dict[tuple[str, str], SentFile]:
    """Those beside the first image, which are on record with their digests."""
    if "://" in request.prompts:
        return {}
    folder, found = Path(request.prompts).expanduser().parent, dict[tuple[str, str], SentFile]()
    for name, value in row.clip.options.items():
        for position, image in enumerate(listed(str(value)) if name in IMAGE_LISTS else (str(value),)):
            if sha256 := digest_in(image):
                found[row.clip.key, place_of(name, position)] = SentFile(folder / without_digest(image), sha256)
    return found
