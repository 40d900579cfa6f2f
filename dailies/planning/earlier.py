"""Clips that the ledger knows already, under whatever key: by what they are, and by what earlier versions took them for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from dailies.domain.clips import Clip
from dailies.domain.takes import rewritten_labels
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
        if one.clip.identity not in found and (one.image.made or one.sideways or rewritten_labels(one.clip.take))
    }
    keys = record.keys_like([clip.identity for clips in earlier.values() for clip, _ in clips]) if earlier else {}
    bought = record.clips_of(list(keys.values())) if keys else {}
    for identity, clips in earlier.items():
        for clip, sure in clips:
            key = keys.get(clip.identity)
            if key and (sure or bought[key].image.source == clip.image.source):
                found.setdefault(identity, key)
    return found


def _earlier(one: Wanted) -> list[tuple[Clip, bool]]:
    """The row as earlier versions knew it, and whether it is surely the same clip; the others count where they were made of
    the same file."""
    pictured = _pictured(one)
    alike = [(clip, at == 0) for at, clip in enumerate(pictured)]
    as_now = [(one.clip, True), *alike]
    labelled = [(replace(clip, take=take), sure) for clip, sure in as_now for take in rewritten_labels(one.clip.take)]
    return [*alike, *labelled]


def _pictured(one: Wanted) -> list[Clip]:
    """The row with an image that nobody turned, or by the digest of the fitted one.

    The first is the very same picture; the others only look the same.
    """
    if one.sideways:
        return [one.sideways]
    image = one.image
    if not image.made:
        return []
    fitted = earlier_digests(image.path, image.sha256, image.made, image.fitted_of)
    return [replace(one.clip, image=one.clip.image._replace(sha256=digest, made="")) for digest in fitted]
