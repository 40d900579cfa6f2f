"""The keys under which earlier versions knew a clip: by the text as it was written, by the whole address of its image or by
more of it than today, by the bytes that an encoder had made of it, by the number of a take as a spreadsheet had rewritten it.

A ledger finds such clips by what they are. This is for where no ledger remembers: the metadata of what lies in S3, and the
references in a provider's log, hold the key of their time.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import replace

from dailies.domain.addresses import unsigned, unsigned_then
from dailies.domain.clips import Clip
from dailies.domain.takes import rewritten_labels


def earlier_keys(clip: Clip, fitted: Sequence[str] = ()) -> frozenset[str]:
    """Every key that an earlier version may have given this clip, without the one that it has.

    `fitted` are the digests of what an encoder may have made of its image. What can't be known any more is left out: a
    signature that has changed since, a spelling that nobody keeps.
    """
    images = [*(f"sha256:{digest}" for digest in fitted if clip.image.made), *_images(clip)]
    takes = (clip.take, *rewritten_labels(clip.take))
    keys = {
        _first_versions_key(clip, prompt, image, take)
        for prompt in _writings(clip.prompt)
        for image in images
        for take in takes
    }
    as_taken = [replace(clip, take=take, known_as=None) for take in takes]
    keys |= {one.identity_by(rule) for one in as_taken for rule in (unsigned, unsigned_then)}
    return frozenset(keys - {clip.key})


def _images(clip: Clip) -> Iterable[str]:
    """The image by its bytes; by its whole address, and by what was left of that when fewer signatures were known."""
    image = clip.image
    if image.made:
        if not image.sha256:
            yield f"{unsigned_then(image.source)} {image.made}"
    elif image.sha256:
        yield f"sha256:{image.sha256}"
    else:
        yield from (image.source, unsigned_then(image.source))


def _writings(text: str) -> set[str]:
    """A text with each way to end a line, its letters composed and decomposed."""
    lines = {text, text.replace("\n", "\r\n")}
    return {unicodedata.normalize(form, line) for line in lines for form in ("NFC", "NFD")}


def _first_versions_key(clip: Clip, prompt: str, image: str, take: str) -> str:
    parts: list[object] = [
        clip.model,
        prompt,
        image,
        clip.resolution or "",
        clip.aspect_ratio or "",
        "" if clip.duration_s is None else str(clip.duration_s),
        take,
    ]
    if clip.options:
        parts.append(sorted((name, clip.options[name]) for name in clip.options))
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
