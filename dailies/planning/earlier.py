"""Clips that the ledger knows already, under whatever key: by what they are, and by what earlier versions took them for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import anyio.to_thread

from dailies.domain.clips import Clip
from dailies.planning.fitting import earlier_digests
from dailies.planning.images import Measured

Recall = Callable[[Sequence[str]], Awaitable[Mapping[str, Clip]]]
"""Asks the ledger for clips by their identity."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A clip of a row, its image, and the clip that the first version would have made of the same row, if another."""

    clip: Clip
    image: Measured
    sideways: Clip | None = None


async def recognised(wanted: Sequence[Wanted], recall: Recall) -> dict[str, Clip]:
    """The clips of the ledger that are these, by identity. Each has the key under which it is on record."""
    found = dict(await recall(list(dict.fromkeys(w.clip.identity for w in wanted))))
    earlier: dict[str, list[Clip]] = {}
    for one in wanted:
        if one.clip.identity not in found and (one.image.made or one.sideways):
            earlier[one.clip.identity] = await anyio.to_thread.run_sync(_earlier, one)
    known = await recall([clip.identity for clips in earlier.values() for clip in clips]) if earlier else {}
    for identity, clips in earlier.items():
        for clip in clips:
            bought = known.get(clip.identity)
            if bought and (bought.image.source == clip.image.source or clip is clips[0]):  # the first one is sure
                found.setdefault(identity, bought)
    return found


def _earlier(one: Wanted) -> list[Clip]:
    """The row as the first version knew it: with an image that nobody turned, or by the digest of the fitted one.

    The first is the very same picture; the others only look the same, and count where they were made of the same file.
    """
    if one.sideways:
        return [one.sideways]
    return [replace(one.clip, image=replace(one.clip.image, sha256=d, made="")) for d in earlier_digests(one.image)]
