"""How a report page finds clips and posters: beside it in S3, under a web address, presigned, or on this disk."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from posixpath import basename, relpath
from typing import NamedTuple, Protocol
from urllib.parse import quote

from dailies.domain.clips import clip_name
from dailies.errors import BadInput
from dailies.storage.presigned import Presigner
from dailies.storage.s3 import S3, parse_s3_uri

PRESIGNED = "presigned"
PRESIGNED_S = 7 * 24 * 3600  # the longest that AWS Signature Version 4 allows
POSTERS = "posters"
_PLAIN = re.compile(r"[A-Za-z0-9._~/-]+")
_PATH = re.compile(r"(/[A-Za-z0-9._~%\-]*)*")
_IN_S3 = re.compile(r"s3://([a-z0-9.-]+)/([A-Za-z0-9._~-][A-Za-z0-9._~/-]*[A-Za-z0-9._~-])")
"""Addresses that say what they mean as they stand."""
_ORIGIN = re.compile(r"https?://[A-Za-z0-9._\-]+(:\d+)?|https?://\[[0-9A-Fa-f:]+\](:\d+)?")


class Links(NamedTuple):
    """The addresses of one clip as a page uses them; None where the page can't reach it."""

    clip: str | None = None
    poster: str | None = None


class Filed(Protocol):
    """The part of a clip's line by which its film is found."""

    @property
    def id(self) -> str: ...
    @property
    def clip_key(self) -> str: ...
    @property
    def s3_uri(self) -> str | None: ...


class Place(NamedTuple):
    """That part alone."""

    id: str
    clip_key: str
    s3_uri: str | None


Linker = Callable[[Filed], Links]


def poster_key(clip_key: str) -> str:
    """The S3 key, or file name, of the poster beside a clip."""
    return clip_key.removesuffix(".mp4") + ".webp"


def sidecar_key(clip_key: str) -> str:
    """The S3 key of the sidecar beside a clip: `NAME.json`."""
    return clip_key.removesuffix(".mp4") + ".json"


def poster_file(line: Filed) -> str:
    """The name of a clip's poster in a report folder's `posters`."""
    return f"{clip_name(line.id, line.clip_key)}.webp"


def beside(bucket: str, folder: str) -> Linker:
    """For a page stored in `s3://bucket/folder`: relative links to clips of the same bucket."""

    here = f"s3://{bucket}/{folder}/"

    def link(line: Filed) -> Links:
        if line.s3_uri and line.s3_uri.startswith(here):
            path = line.s3_uri[len(here) :]
        else:
            where = _place(line)
            if where is None or where[0] != bucket:
                return Links()
            path = relpath("/" + where[1], "/" + folder)
        return _quoted("", path)

    return link


def from_base(base: str) -> Linker:
    """For a web server or CDN whose root is the bucket's root: the key is appended. Raises BadInput."""
    root = checked_base(base)

    def link(line: Filed) -> Links:
        where = _place(line)
        return Links() if where is None else _quoted(f"{root}/", where[1])

    return link


def _quoted(root: str, path: str) -> Links:
    film = path if _PLAIN.fullmatch(path) else quote(path)
    return Links(root + film, root + poster_key(film))  # as the poster's own path would be quoted


def presigned(s3: S3, folder: Path) -> Linker:
    """Addresses that anybody who has the page may open for a week; posters of this disk where they are there."""
    local = on_disk(folder, None)
    signers: dict[str, Presigner] = {}

    def link(line: Filed) -> Links:
        where = _place(line)
        if where is None:
            return Links()
        bucket, key = where
        sign = signers.get(bucket) or signers.setdefault(bucket, s3.presigner(bucket, PRESIGNED_S))
        return Links(sign(key), local(line).poster or sign(poster_key(key)))

    return link


def wherever(s3: S3, folder: Path, clips: Path | None) -> Linker:
    """For a page in `folder` that is opened on this machine: the copy in `clips` where there is one, else presigned."""
    near, far = on_disk(folder, clips), presigned(s3, folder)

    def link(line: Filed) -> Links:
        here = near(line)
        return here if here.clip else far(line)

    return link


def links_end(now: datetime) -> datetime:
    """When links that are presigned now stop working, at the latest."""
    return now + timedelta(seconds=PRESIGNED_S)


def on_disk(folder: Path, clips: Path | None) -> Linker:
    """For a page in `folder`: the copies in `clips` (`--keep-local`) and the posters in its own `posters`."""
    posters, copies = _names(folder / POSTERS), _names(clips) if clips else frozenset()
    to_clips = Path(os.path.relpath(clips, folder)).as_posix() if clips and copies else ""

    def link(line: Filed) -> Links:
        where = _place(line)
        names = (f"{clip_name(line.id, line.clip_key)}.mp4", basename(where[1]) if where else "")
        copy = next((name for name in names if name in copies), None)
        poster = poster_file(line)
        return Links(
            f"{quote(to_clips)}/{quote(copy)}" if copy else None,
            f"{POSTERS}/{quote(poster)}" if poster in posters else None,
        )

    return link


def checked_base(base: str) -> str:
    """A `--link-base` without its final slash; raises BadInput for what is no plain web address."""
    origin = _ORIGIN.match(base)
    if not origin or not _PATH.fullmatch(base, origin.end()):
        raise BadInput(
            f"--link-base {base}: neither a web address such as https://cdn.example.com, `presigned`, nor a folder"
        )
    return base.rstrip("/")


def origins(links: Links) -> set[str]:
    """The origins that a page with these links has to load from, for its Content-Security-Policy."""
    return {match[0] for url in (links.clip, links.poster) if url and (match := _ORIGIN.match(url))}


def report_key(prefix: str, *folders: str) -> str:
    """A folder below a prefix, as a key without slashes at its ends."""
    return "/".join(part.strip("/") for part in (prefix, *folders) if part.strip("/"))


def _place(line: Filed) -> tuple[str, str] | None:
    if not line.s3_uri:
        return None
    plain = _IN_S3.fullmatch(line.s3_uri)
    return (plain[1], plain[2]) if plain else parse_s3_uri(line.s3_uri)


def _names(folder: Path | None) -> frozenset[str]:
    try:
        return frozenset(entry.name for entry in os.scandir(folder)) if folder else frozenset()
    except OSError:
        return frozenset()
