"""Images beside the first one (a last frame, references): a file, an object in S3 or an address, like the first. Pure but for
measuring.

A file is known by its bytes: the option's value is its path with its digest, of which only the digest is part of the clip.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from dailies.catalog import Model, Problem
from dailies.domain.addresses import is_address
from dailies.domain.clips import IMAGE_LISTS, listed, named_with_digest, together, without_digest
from dailies.errors import BadInput
from dailies.planning.images import Measured


def images_in(model: Model, labels: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """The further images of a row by option, each as it is written, without its digest."""
    found = {name: named_in(name, text) for name, text in labels.items() if is_image(model, name)}
    return {name: images for name, images in found.items() if images}


def named_in(name: str, text: str) -> tuple[str, ...]:
    """The images that an option's value names: one, or where the option is a list of them, each."""
    images = listed(text) if name in IMAGE_LISTS else (text.strip(),)
    return tuple(without_digest(image) for image in images if image)


def place_of(name: str, position: int) -> str:
    """Under what a file is kept that is sent for an option: its name, in a list with the place there."""
    return f"{name}.{position}" if name in IMAGE_LISTS else name


def is_image(model: Model, name: str) -> bool:
    """Whether an option of the model's is an image, or several."""
    option = model.options.get(name)
    return option is not None and option.type in ("image", "images")


def all_in(rows: Iterable[tuple[Model, Mapping[str, str]]]) -> list[str]:
    """Everything that has to be measured of these rows beside their first images."""
    named = (image for model, labels in rows for images in images_in(model, labels).values() for image in images)
    return [image for image in named if _is_measured(image)]


def checked(
    model: Model, labels: Mapping[str, str], measured: Mapping[str, Measured | BadInput]
) -> tuple[dict[str, str], dict[str, Measured], list[Problem]]:
    """The options' values as they are recorded, the files to be sent by their place, and what is wrong with them."""
    values: dict[str, str] = {}
    files: dict[str, Measured] = {}
    problems: list[Problem] = []
    for name, images in images_in(model, labels).items():
        recorded = []
        for position, image in enumerate(images):
            found = measured[image] if _is_measured(image) else None
            problem = _problem(model, name, found, image if len(images) > 1 else "")
            if problem or isinstance(found, BadInput):
                problems += [problem] if problem else []
                continue
            recorded.append(named_with_digest(image, found.content) if found else image)
            if found and found.path and found.sha256:
                files[place_of(name, position)] = found
        if name in IMAGE_LISTS or any(map(_is_measured, images)):  # one address stays as the row has it
            values[name] = together(recorded)
    return values, files, problems


def _is_measured(image: str) -> bool:
    return not is_address(image) and not image.startswith("data:")


def _problem(model: Model, name: str, found: Measured | BadInput | None, which: str) -> Problem | None:
    """What is wrong with one image; `which` names it where there are several."""
    problem = (
        Problem(name, str(found)) if isinstance(found, BadInput) else _unfit(model, name, found) if found else None
    )
    if problem and which and which not in problem.reason:
        return Problem(name, f"{which} {problem.reason}", problem.cure)
    return problem


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
