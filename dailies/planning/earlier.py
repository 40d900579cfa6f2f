"""Clips that the ledger knows already, under whatever key: by what they are, and by what earlier versions took them for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from dailies.domain.clips import Clip
from dailies.planning.fitting import earlier_digests
from dailies.planning.images import Measured


class Record(Protocol):
    """What is asked of the ledger. Its methods block."""

    def keys_like(self, identities: Sequence[str]) -> Mapping[str, str]:
        """The keys of clips on record, by their identity."""
        ...

    def clips_of(self, clip_keys: Sequence[str]) -> Mapping[str, Clip]:
        """Clips as they are on record, by their keys."""
        ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """A clip of a row, its image, and the clip that the first version would have made of the same row, if another."""

    clip: Clip
    image: Measured
    sideways: Clip | None = None


def recognised(wanted: Sequence[Wanted], record: Record) -> dict[str, str]:
    """The keys under which the ledger has these clips, by their identity. Blocks."""
    found = dict(record.keys_like(list(dict.fromkeys(w.clip.identity for w in wanted))))
    earlier = {
        one.clip.identity: _earlier(one)
        for one in wanted
        if one.clip.identity not in found and (one.image.made or one.sideways)
    }
    keys = record.keys_like([clip.identity for clips in earlier.values() for clip in clips]) if earlier else {}
    bought = record.clips_of(list(keys.values())) if keys else {}
    for identity, clips in earlier.items():
        for clip in clips:
            key = keys.get(clip.identity)
            # The first one is sure; the others only look the same, and count where they were made of the same file.
            if key and (clip is clips[0] or bought[key].image.source == clip.image.source):
                found.setdefault(identity, key)
    return found


def _earlier(one: Wanted) -> list[Clip]:
    """The row as the first version knew it: with an image that nobody turned, or by the digest of the fitted one.

    The first is the very same picture; the others only look the same.
    """
    if one.sideways:
        return [one.sideways]
    image = one.image
    fitted = earlier_digests(image.path, image.sha256, image.made, image.fitted_of)
    return [replace(one.clip, image=one.clip.image._replace(sha256=digest, made="")) for digest in fitted]
