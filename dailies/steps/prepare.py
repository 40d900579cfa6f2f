"""Everything of a create that can fail for free: the request is built, priced and digested before the claim."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from dailies.catalog import ResolvedOptions, request_body
from dailies.domain.clips import Row
from dailies.domain.creates import PaidRequest
from dailies.errors import BadInput, Refused
from dailies.planning.batch import Batch
from dailies.runtime import Runtime
from dailies.sender.protocol import Purchase, Repetition
from dailies.steps.image import further_images, image_url


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that is ready to be sent, and what it may cost."""

    batch: Batch
    row: Row
    provider: str
    body: dict[str, Any]
    digest: str
    usd_quoted: Decimal
    again: tuple[str, PaidRequest] | None = None
    """The attempt in doubt whose request is sent once more, and that request."""


async def prepare(runtime: Runtime, batch: Batch, row: Row, provider: str) -> Prepared:
    """Build the request. Raises Refused when the image can no longer be sent as it was planned."""
    clip = row.clip
    model = runtime.catalog.find(clip.model)
    resolved = ResolvedOptions(clip.resolution, clip.aspect_ratio, clip.duration_s, dict(clip.options))  # type: ignore[arg-type]
    takes_data_uri = model.offer_at(provider).takes_data_uri
    try:
        url = await image_url(runtime, batch, row, takes_data_uri)
        further = await further_images(runtime, batch, row, model, takes_data_uri)
    except BadInput as error:
        raise Refused(f"{row.id}: {error}. Nothing was sent, nothing was charged") from error
    body = request_body(model, provider, resolved, prompt=clip.prompt, image_url=url, further=further)
    named = request_body(model, provider, resolved, prompt=clip.prompt, image_url=clip.image.identity or None)
    digest = hashlib.sha256(json.dumps([provider, named], sort_keys=True).encode()).hexdigest()
    usd = batch.plan.quote_at(clip.key, provider)
    if usd is None and not batch.request.allow_unpriced:
        raise Refused(
            f"{row.id}: no price is known at {provider}; nothing was sent (--allow-unpriced buys without a quote)"
        )
    return Prepared(batch, row, provider, body, digest, usd if usd is not None else Decimal(0))


def purchase(prepared: Prepared, at_once: int | None) -> Purchase | Repetition:
    """What the sender is told of it; `at_once` is how many creates may be unanswered at the provider."""
    batch = prepared.batch
    if prepared.again:
        attempt_id, request = prepared.again
        return Repetition(
            attempt_id, prepared.row, batch.plan.source, batch.destination, prepared.provider, request, at_once
        )
    return Purchase(
        prepared.row, batch.name, batch.plan.source, batch.destination, prepared.provider, prepared.body, prepared.digest,
        prepared.usd_quoted, batch.caps, at_once,
    )  # fmt: skip
