"""`--fit crop|pad`: an image that is not of the size a model wants is made so; the original is untouched."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

from dailies.catalog import Model, nearest_size
from dailies.catalog.values import pick, ratio_of
from dailies.media.fit import fit_image
from dailies.media.images import measure
from dailies.order import Order
from dailies.planning.images import Measured
from dailies.prompts import RawRow


def fit_to_disk(image: Measured, model: Model, raw: RawRow, order: Order, derived: Path) -> Measured:
    """The image, or one derived from it that has the nearest pixels the model takes. Kept in `derived` under its digest.

    The bytes of the derived file are the clip's identity from here on; an image that fits already keeps its own.
    """
    original = image.path or image.fetched
    if original is None or model.image.sizes is None or order.fit == "strict":
        return image
    size = nearest_size(
        model,
        resolution=_value(raw.get("resolution") or order.resolution, model.resolution),
        aspect_ratio=_value(raw.get("aspect_ratio") or order.aspect_ratio, model.aspect_ratio),
        image_size=image.facts.shown_size,
    )
    if size is None or (size == (image.facts.width, image.facts.height) and image.facts.orientation == 1):
        return image
    content = fit_image(original.read_bytes(), *size, order.fit)
    sha256 = hashlib.sha256(content).hexdigest()
    facts = measure(content, len(content))
    path = derived / f"{sha256}.{facts.format}"
    if not path.exists():
        derived.mkdir(parents=True, exist_ok=True, mode=0o700)
        part = path.with_name(f"{path.name}.{os.getpid()}.part")
        part.write_bytes(content)
        part.chmod(0o600)
        part.rename(path)
    return replace(image, facts=facts, path=path, sha256=sha256)


def _value(text: object, choice: object) -> str | None:
    """The model's own spelling of a value, None when nothing valid was asked (settling then says so)."""
    values = getattr(choice, "values", ())
    return pick(ratio_of(str(text)), values) or pick(str(text), values) if text else None
