"""What a clip is: one wanted video, and the identity under which it is bought at most once."""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from dailies.domain.addresses import unsigned
from dailies.domain.text import clean_label, clean_prompt

Option = str | int | float | bool
IMAGE_LISTS: Final = frozenset({"reference_images"})
"""Options that are several images, separated in a cell as on record by `|`."""
_WITH_DIGEST: Final = re.compile(r"(.+)#sha256=([0-9a-f]{64})", re.DOTALL)


Rule = Callable[[str], str]
"""What is left of an address in an identity; a text that is none stays as it is."""


class Image(NamedTuple):
    """The first frame of a clip, as the row names it and as it was measured; width and height in pixels as it is sent.

    `sha256` is the digest of the file as it lies there; None for an image that is known by its address. `made` says what
    is done to it before it is sent: nothing, `upright`, `crop 1280x720` or `pad 1280x720`. `seen` tells whether the bytes
    behind an address are still the same. A clip that is made of its prompt alone has one without a source.
    """

    source: str
    width: int
    height: int
    format: str
    size_bytes: int | None = None
    sha256: str | None = None
    made: str = ""
    seen: str | None = None

    def __bool__(self) -> bool:
        return bool(self.source)

    @property
    def identity(self) -> str:
        """The image's part of the clip's identity; empty where there is none.

        Its bytes where we hold them, else its address without signature; and what is done to it. Never the bytes that an
        encoder made of it.
        """
        return self.identity_by(unsigned)

    def identity_by(self, rule: Rule) -> str:
        """The same, by another rule of what is left of an address."""
        content = f"sha256:{self.sha256}" if self.sha256 else rule(self.source)
        return f"{content} {self.made}" if self.made else content


@dataclass(frozen=True, slots=True)
class Clip:
    """One wanted video. Provider, batch and row number are not part of it.

    `known_as` is the key under which the ledger has it, where an earlier version gave it another than today's.
    """

    model: str
    prompt: str
    image: Image
    resolution: str | None
    aspect_ratio: str | None
    duration_s: int | None
    take: str = ""
    options: Mapping[str, Option] = field(default_factory=dict)
    known_as: str | None = field(default=None, compare=False)
    _identity: str = field(default="", init=False, repr=False, compare=False)

    @property
    def key(self) -> str:
        """The clip_key: 64 hex digits, for ever those under which the clip was first put on record."""
        return self.known_as or self._identity or self.identity

    @property
    def identity(self) -> str:
        """What the clip is: 64 hex digits that change when, and only when, another video is asked for.

        Options enter only where a row sets one, so that a clip without options keeps its key when options are invented.
        """
        if not self._identity:
            object.__setattr__(self, "_identity", self.identity_by(unsigned))  # asked for a dozen times in a run
        return self._identity

    def identity_by(self, rule: Rule) -> str:
        """The identity by another rule of what is left of an address, such as an earlier version's."""
        parts: list[object] = [
            self.model,
            clean_prompt(self.prompt),
            self.image.identity_by(rule),
            self.resolution or "",
            self.aspect_ratio or "",
            "" if self.duration_s is None else str(self.duration_s),
            clean_label(self.take),
        ]
        if self.options:
            parts.append(sorted((name, _known(name, self.options[name], rule)) for name in self.options))
        text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _known(name: str, value: Option, rule: Rule) -> Option:
    """An option's part of the identity: several images each by what it is known by, in their order."""
    if name in IMAGE_LISTS and isinstance(value, str):
        return together(str(_plain(image, rule)) for image in listed(value))
    return _plain(value, rule)


def _plain(value: Option, rule: Rule) -> Option:
    """An option as identity knows it: an address without its signature, a file by its bytes, a text as it is read today."""
    if not isinstance(value, str):
        return value
    file = _WITH_DIGEST.fullmatch(value)
    return f"sha256:{file[2]}" if file else clean_label(rule(value))


def named_with_digest(source: str, sha256: str | None) -> str:
    """An image that is an option's value: a file's path with its digest; what is known by its address as it is."""
    return f"{source}#sha256={sha256}" if sha256 and "://" not in source else source


def listed(value: str) -> tuple[str, ...]:
    """Several images in one cell, or on record, each as it is named there."""
    return tuple(image.strip() for image in value.split("|") if image.strip())


def together(images: Iterable[str]) -> str:
    """Several images as one value; `listed` takes it apart again."""
    return "|".join(images)


def without_digest(value: str) -> str:
    """The image as a row names it."""
    found = _WITH_DIGEST.fullmatch(value)
    return found[1] if found else value


def digest_in(value: str) -> str | None:
    """The digest of the file that an option's value names on record; None where it names none."""
    found = _WITH_DIGEST.fullmatch(value)
    return found[2] if found else None


@dataclass(frozen=True, slots=True)
class Row:
    """One good row of a CSV: a clip, the team's label for it, where to buy it, and the team's own columns.

    `number` counts the rows from 1; `sheet_row` is what the spreadsheet shows beside it (its header is row 1).
    """

    number: int
    id: str
    clip: Clip
    providers: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    sheet_row: int = 0


def slug(text: str, fallback: str = "clip", limit: int = 60) -> str:
    """A name that is safe in S3 keys, file names and artifact keys: lower-case ASCII letters, digits and dashes."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    cleaned = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:limit].strip("-")
    return cleaned or fallback


def batch_folder(batch: str) -> str:
    """The folder of a batch's clips and of its report. Batches of different names may have the same one."""
    return slug(batch, "batch")


def report_folders(batches: Iterable[str]) -> Mapping[str, str]:
    """The folder of each batch's report, the oldest first: later ones that share its clips' folder have a report of their own.

    Otherwise each would write its report over the other's. Clips may share a folder, for their names tell them apart.
    """
    folders = dict[str, str]()
    taken = set[str]()
    for batch in batches:
        folder = batch_folder(batch)
        if folder in taken:
            folder = f"{folder[:50].strip('-')}-{hashlib.sha256(batch.encode()).hexdigest()[:8]}"
        folders[batch] = folder
        taken.add(folder)
    return folders


def clip_name(row_id: str, clip_key: str) -> str:
    """The file name of a finished clip, without its ending: readable first, unique by twelve digits of its identity."""
    return f"{slug(row_id)}-{clip_key[:12]}"


def object_key(prefix: str, batch: str, row_id: str, clip_key: str) -> str:
    """The S3 key that a clip takes. It follows from batch, id and clip_key alone, so it can be looked up before buying."""
    folder = "/".join(part for part in (prefix.strip("/"), batch_folder(batch)) if part)
    return f"{folder}/{clip_name(row_id, clip_key)}.mp4"
