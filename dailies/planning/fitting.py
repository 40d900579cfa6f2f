"""What is done to an image before it is sent: turned upright, or (`--fit crop|pad`) made of the size that a model wants.

The original is untouched, and it is what a clip is known by, together with what is done to it: another version of an
encoder makes other bytes of the same picture, and must buy nothing again.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import replace
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from statistics import fmean

from PIL import Image, ImageChops, ImageStat

from dailies.catalog import Model, nearest_size
from dailies.catalog.values import pick, ratio_of
from dailies.media.images import BadImage, ImageFacts, measure
from dailies.planning.images import Measured
from dailies.planning.request import BatchRequest
from dailies.prompts import RawRow

ALIKE = 2.0
"""Mean difference of two pictures, of 255 steps, up to which an encoder explains it."""
_EARLIER = re.compile(r"[0-9a-f]{64}\.jpeg")
"""How the first version named what it fitted: by the digest of the very bytes, which was also the clip's identity."""


def make_ready(image: Measured, model: Model, raw: RawRow, order: BatchRequest, derived: Path) -> Measured:
    """The image as it is sent: itself where nothing has to be done to it, else a file of its own in `derived`.

    Raises BadImage for one that can't be decoded.
    """
    original = image.path or image.fetched
    if original is None:
        return image
    shown = image.facts.shown_size
    size = _size(model, raw, order, shown) if order.fit != "strict" else None
    if size is not None and size != shown:
        made = f"{order.fit} {size[0]}x{size[1]}"
    elif image.facts.orientation != 1:
        made = "upright"
    else:
        return image
    path, facts, sha256 = _made(original.read_bytes(), made, derived)
    # The bytes are the original's: by them a picture behind an address is known as the one that was bought.
    facts = replace(facts, size_bytes=image.facts.size_bytes, seen=image.facts.seen)
    return replace(
        image,
        facts=facts,
        path=path,
        sha256=sha256,
        made=made,
        fitted_of=original if made == "upright" and size else None,
    )


def first_version_fitted(image: Measured, model: Model, raw: RawRow, order: BatchRequest) -> bool:
    """Whether the first version made an image of its own of this one; else it sent it as it is stored."""
    return order.fit != "strict" and _size(model, raw, order, image.facts.shown_size) is not None


def _size(model: Model, raw: RawRow, order: BatchRequest, shown: tuple[int, int]) -> tuple[int, int] | None:
    return nearest_size(
        model,
        resolution=_value(raw.get("resolution") or order.resolution, model.resolution),
        aspect_ratio=_value(raw.get("aspect_ratio") or order.aspect_ratio, model.aspect_ratio),
        image_size=shown,
    )


def _made(source: bytes, made: str, derived: Path) -> tuple[Path, ImageFacts, str]:
    """The file that this makes of an image, its measures and its digest. Made once, and kept."""
    name = f"made-{hashlib.sha256(source).hexdigest()[:32]}-{made.replace(' ', '-')}"
    for path in (derived / f"{name}.jpeg", derived / f"{name}.png"):
        try:
            content = path.read_bytes()
            return path, measure(content, len(content)), hashlib.sha256(content).hexdigest()
        except (OSError, BadImage):
            continue
    content = _make(source, made)
    facts = measure(content, len(content))
    path = derived / f"{name}.{facts.format}"
    derived.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(content)
    part.chmod(0o600)
    part.rename(path)
    return path, facts, hashlib.sha256(content).hexdigest()


def _make(source: bytes, made: str) -> bytes:
    from dailies.media.fit import fit_image, upright_image  # numpy: only where a picture is made

    how, _, size = made.partition(" ")
    if how == "upright":
        return upright_image(source)
    width, _, height = size.partition("x")
    return fit_image(source, int(width), int(height), "crop" if how == "crop" else "pad")


def earlier_digests(file: Path | None, sha256: str | None, made: str, fitted_of: Path | None = None) -> list[str]:
    """Digests by which the first version may have known an image that it fitted: of what it made of it, and of what we make.

    It also fitted an image that only lay on its side: of the original `fitted_of` such a file is made anew. Its own files lie
    beside ours; another version of the encoder made the same pixels of other bytes.
    """
    if file is None or sha256 is None or not (fitted_of or made.startswith(("crop", "pad"))):
        return []
    if fitted_of:
        file, sha256 = _fitted_to_itself(fitted_of, file.parent)
    found = [sha256]
    ours = _pixels(file)
    for path in file.parent.iterdir():
        if _EARLIER.fullmatch(path.name) and path.stem not in found and _alike(ours, _pixels(path)):
            found.append(path.stem)
    return found


def _fitted_to_itself(original: Path, derived: Path) -> tuple[Path, str]:
    """The file that fitting makes of an image whose size is right, and its digest; to crop or to pad it is the same."""
    source = original.read_bytes()
    width, height = measure(source, len(source)).shown_size
    path, _, sha256 = _made(source, f"pad {width}x{height}", derived)
    return path, sha256


def _alike(one: Image.Image | None, two: Image.Image | None) -> bool:
    if one is None or two is None or one.size != two.size:
        return False
    return fmean(ImageStat.Stat(ImageChops.difference(one, two)).mean) <= ALIKE


@lru_cache(maxsize=64)
def _pixels(path: Path) -> Image.Image | None:
    try:
        with Image.open(BytesIO(path.read_bytes()), formats=("JPEG",)) as picture:
            return picture.convert("RGB")
    except (OSError, ValueError):
        return None


def _value(text: object, choice: object) -> str | None:
    """The model's own spelling of a value, None when nothing valid was asked (settling then says so)."""
    values = getattr(choice, "values", ())
    return pick(ratio_of(str(text)), values) or pick(str(text), values) if text else None
