"""Images beside the first one (a last frame): a file, an object in S3 or an address, like the first. Pure but for measuring.

A file is known by its bytes: the option's value is its path with its digest, of which only the digest is part of the clip.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dailies.catalog import Model, Problem
from dailies.domain.addresses import is_address
from dailies.domain.clips import named_with_digest, without_digest
from dailies.errors import BadInput
from dailies.planning.images import Measured


def images_in(model: Model, labels: Mapping[str, str]) -> dict[str, str]:
    """The further images of a row that are a file or an object in S3, by option, as they are written."""
    found = {name: without_digest(text.strip()) for name, text in labels.items() if is_image(model, name)}
    return {
        name: text for name, text in found.items() if text and not is_address(text) and not text.startswith("data:")
    }


def is_image(model: Model, name: str) -> bool:
    """Whether an option of the model's is an image."""
    option = model.options.get(name)
    return option is not None and option.type == "image"


def all_in(rows: Iterable[tuple[Model, Mapping[str, str]]]) -> list[str]:
    """Everything that has to be measured of these rows beside their first images."""
    return [text for model, labels in rows for text in images_in(model, labels).values()]


def checked(
    model: Model, labels: Mapping[str, str], measured: Mapping[str, Measured | BadInput]
) -> tuple[dict[str, str], dict[str, Measured], list[Problem]]:
    """The options' values as they are recorded, the files to be sent, and what is wrong with them."""
    values: dict[str, str] = {}
    files: dict[str, Measured] = {}
    problems: list[Problem] = []
    for name, text in images_in(model, labels).items():
        found = measured[text]
        problem = Problem(name, str(found)) if isinstance(found, BadInput) else _unfit(model, name, found)
        if problem or isinstance(found, BadInput):
            problems.append(problem or Problem(name, "can't be used"))
            continue
        values[name] = named_with_digest(text, found.content)
        if found.path and found.sha256:
            files[name] = found
    return values, files, problems


def _unfit(model: Model, name: str, image: Measured) -> Problem | None:
    facts = image.facts
    if facts.format not in model.image.formats:
        wanted = " or ".join(model.image.formats)
        return Problem(name, f"is a {facts.format}; {model.id} takes {wanted}", f"use {wanted}")
    if min(facts.shown_size) < model.image.min_px:
        return Problem(name, f"is smaller than {model.image.min_px} px on a side", "use a larger image")
    if facts.orientation != 1:
        return Problem(name, "is stored turned, and only a first image is turned upright", "save it upright")
    return None
