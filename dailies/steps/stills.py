"""The first pictures of a batch inside the Prefect UI: small, in the page itself, with no address that could expire or leak."""

from __future__ import annotations

import base64

import anyio.to_thread

from dailies.errors import DailiesError
from dailies.report.credits import Credits, markdown_text
from dailies.report.links import poster_key
from dailies.runtime import Runtime
from dailies.storage.s3 import StoreTrouble, parse_s3_uri

MOST, MOST_BYTES = 4, 60_000


async def stills_markdown(runtime: Runtime, credits: Credits) -> str:
    """The posters of the first clips that are in S3, as markdown; empty when there are none."""
    first = [(line.id, line.s3_uri) for line in credits.lines if line.s3_uri][:MOST]
    found = [(label, await anyio.to_thread.run_sync(_poster, runtime, uri)) for label, uri in first]
    pictures = [
        f"![{markdown_text(label)}](data:image/webp;base64,{base64.b64encode(picture).decode()})"
        for label, picture in found
        if picture
    ]
    return "\n\n" + " ".join(pictures) if pictures else ""


def _poster(runtime: Runtime, clip_uri: str) -> bytes | None:
    bucket, key = parse_s3_uri(clip_uri)
    try:
        picture = runtime.s3().read(bucket, poster_key(key), MOST_BYTES + 1)
    except (KeyError, StoreTrouble, DailiesError):
        return None
    return picture if len(picture) <= MOST_BYTES else None
