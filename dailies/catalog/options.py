"""What a row asks for, brought to values its model accepts; or every reason why that can't be done. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from dailies.catalog.models import Choice, Model, Option, OptionValue, Problem, ResolvedOptions
from dailies.catalog.sizes import fit_sizes, own_ratio
from dailies.catalog.values import bool_of, decimal_of, one_of, pick, ratio_of, seconds_of, spoken_seconds, text_of
from dailies.domain.clips import listed, together

AUTO = "auto"
_EITHER = re.compile(r"'?[+-]?[1-9]\d{0,2}\.000")
"""`1.000`: one in some countries, a thousand in others."""
_SCHEME = re.compile(r"[A-Za-z][\w+.-]+:")
_NO_IMAGE = Problem("", "is no image", "write a path beside the CSV, s3://, an https URL or a data URI")


def resolve_options(
    model: Model,
    *,
    resolution: object = None,
    aspect_ratio: object = None,
    duration: object = None,
    options: Mapping[str, object] | None = None,
    image_size: tuple[int, int] | None = None,
) -> ResolvedOptions | list[Problem]:
    """Everything the request will say, or all problems at once; empty cells take the model's defaults.

    `image_size` is (width, height) in pixels of the image as it will be sent. Where the model wants exact pixels they
    choose resolution and aspect ratio when the row doesn't; elsewhere an image that has one of the offered ratios
    keeps it. The answer is the same for every provider, so that it can stand in a clip's identity.
    """
    problems: list[Problem] = []
    asked_resolution = _asked(model, "resolution", model.resolution, text_of(resolution), problems)
    ratio_text = text_of(aspect_ratio)
    ratio = _asked(model, "aspect_ratio", model.aspect_ratio, ratio_text and ratio_of(ratio_text), problems)
    duration_s = _duration(model, text_of(duration), problems)
    values = _options(model, options or {}, problems)
    if image_size is not None and min(image_size) < model.image.min_px:
        width, height = image_size
        reason = f"is {width}x{height} px; {model.id} needs at least {model.image.min_px} px on each side"
        problems.append(Problem("image", reason, "use a larger image"))
    if problems:
        return problems
    frame = _frame(model, asked_resolution, ratio, image_size)
    return frame if isinstance(frame, list) else ResolvedOptions(*frame, duration_s, values)


def check_prompt(model: Model, prompt: str) -> list[Problem]:
    """Problems of the text alone: empty, or longer than the model documents (in characters)."""
    if not prompt.strip():
        return [Problem("prompt", "is empty", "fill it in")]
    if model.prompt_max is not None and len(prompt) > model.prompt_max:
        return [
            Problem(
                "prompt", f"has {len(prompt)} characters; {model.id} takes at most {model.prompt_max}", "shorten it"
            )
        ]
    return []


def _asked(model: Model, column: str, choice: Choice | None, text: str | None, problems: list[Problem]) -> str | None:
    """The allowed value asked for, `auto` where pixels may decide, or None where nothing was asked."""
    if text is None:
        return None
    word = column.replace("_", " ")
    if choice is None:
        problems.append(Problem(column, f"{model.id} has no {word} to choose", "leave it empty"))
        return None
    found = pick(text, choice.values)
    if found is not None:
        return found
    if text.casefold() == AUTO and (model.image.sizes or column == "aspect_ratio"):
        return AUTO
    article = "an" if word[0] in "aeiou" else "a"
    problems.append(Problem(column, f"{text!r} is not {article} {word} of {model.id}", f"use {one_of(choice.values)}"))
    return None


def _duration(model: Model, text: str | None, problems: list[Problem]) -> int | None:
    if model.duration is None:
        if text is not None:
            problems.append(Problem("duration", f"{model.id} has no duration to choose", "leave it empty"))
        return None
    if text is None:
        return model.duration.default
    duration_s = seconds_of(text)
    if duration_s in model.duration.values:
        return duration_s
    allowed = spoken_seconds(model.duration.values)
    problems.append(Problem("duration", f"{text!r} is not a duration of {model.id}", f"use {allowed} seconds"))
    return None


def _frame(
    model: Model, resolution: str | None, ratio: str | None, image_size: tuple[int, int] | None
) -> tuple[str | None, str | None] | list[Problem]:
    """Resolution and aspect ratio after the image and the defaults had their say."""
    lists_auto = model.aspect_ratio is not None and AUTO in model.aspect_ratio.values
    auto_ratio = ratio == AUTO and not lists_auto
    if image_size is None and (auto_ratio or resolution == AUTO):
        column = "resolution" if resolution == AUTO else "aspect_ratio"
        return [Problem(column, "'auto' needs an image whose pixels can be read", "name a value instead")]
    asked_resolution = None if resolution == AUTO else resolution
    asked_ratio = None if auto_ratio else ratio
    if model.image.sizes and image_size is not None:
        return fit_sizes(model, asked_resolution, asked_ratio, image_size)
    found_ratio = asked_ratio or own_ratio(model, image_size)
    if auto_ratio and found_ratio is None and model.aspect_ratio:
        reason = f"'auto' finds no ratio of {model.id} in this image"
        return [Problem("aspect_ratio", reason, f"use {one_of(model.aspect_ratio.values)}")]
    return (
        asked_resolution or (model.resolution.default if model.resolution else None),
        found_ratio or (model.aspect_ratio.default if model.aspect_ratio else None),
    )


def _options(model: Model, asked: Mapping[str, object], problems: list[Problem]) -> dict[str, OptionValue]:
    values: dict[str, OptionValue] = {}
    for name, cell in asked.items():
        text = text_of(cell)
        if text is None:
            continue
        option = model.options.get(name)
        if option is None:
            has = f"it has {one_of(sorted(model.options))}" if model.options else "it has none"
            problems.append(Problem(name, f"{model.id} has no option {name}", has))
            continue
        value = _option_value(option, text)
        if isinstance(value, Problem):
            problems.append(Problem(name, value.reason, value.cure))
        else:
            values[name] = value
    return dict(sorted(values.items()))


def _option_value(option: Option, text: str) -> OptionValue | Problem:
    match option.type:
        case "bool":
            flag = bool_of(text)
            return Problem("", f"{text!r} is neither true nor false", "write true or false") if flag is None else flag
        case "int" | "number":
            return _number(option, text)
        case "image":
            return text if _is_image(text) else _NO_IMAGE
        case "images":
            images = listed(text)
            if option.max_items is not None and len(images) > option.max_items:
                return Problem("", f"names {len(images)} images", f"at most {option.max_items} are taken")
            return together(images) if images and all(map(_is_image, images)) else _NO_IMAGE
        case "string":
            if option.values is not None:
                found = pick(text, option.values)
                return (
                    Problem("", f"{text!r} is not allowed", f"use {one_of(option.values)}") if found is None else found
                )
            if option.max_length is not None and len(text) > option.max_length:
                return Problem("", f"has {len(text)} characters", f"at most {option.max_length} are allowed")
            return text


def _is_image(text: str) -> bool:
    return text.startswith(("https://", "http://", "s3://", "data:image/")) or not _SCHEME.match(text)


def _number(option: Option, text: str) -> int | Decimal | Problem:
    number = decimal_of(text)
    whole = option.type == "int"
    if number is None or (whole and number != number.to_integral_value()):
        return Problem(
            "", f"{text!r} is not a {'whole ' if whole else ''}number", "write digits, without a mark between thousands"
        )
    if whole and _EITHER.fullmatch(text):
        return Problem("", f"{text!r} may be thousands or thousandths", "write the digits alone")
    if option.values is not None and f"{number.normalize():f}" not in option.values:
        return Problem("", f"{text!r} is not allowed", f"use {one_of(option.values)}")
    if option.min is not None and number < option.min:
        return Problem("", f"{text} is too small", f"at least {option.min}")
    if option.max is not None and number > option.max:
        return Problem("", f"{text} is too large", f"at most {option.max}")
    return int(number) if whole else number
