"""Where an option wants something written: looked at before the work begins, so that none of it is in vain."""

from __future__ import annotations

import os
from pathlib import Path

from dailies.errors import BadInput


def folder_named(option: str, text: str | Path) -> Path:
    """The folder that an option names, whether it is there or is still to be made. Raises BadInput where a file is in its way."""
    path = path_named(option, text)
    found = _nearest(path)
    if not found.is_dir():
        raise BadInput(
            f"{option} {text}: {found} is no folder: name one, such as {option} {_another(path, found)}. "
            "Nothing was done."
        )
    return path


def file_named(option: str, text: str | Path, usual: str) -> Path:
    """The file that an option names, in a folder that is there; `usual` is what such a file is called. Raises BadInput."""
    path = path_named(option, text)
    if path.is_dir():
        raise BadInput(
            f"{option} {text}: this is a folder: name a file, such as {option} {Path(text) / usual}. Nothing was done."
        )
    if not path.parent.is_dir():
        found = _nearest(path.parent)
        what = f"there is no folder {path.parent}: make it, or name a file here"
        if not found.is_dir():
            what = f"{found} is no folder: name a file elsewhere"
        raise BadInput(f"{option} {text}: {what}, such as {option} {usual}. Nothing was done.")
    return path


def path_named(option: str, text: str | Path) -> Path:
    """The path that an option names, from the root. Raises BadInput where `~` names nobody."""
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError:
        raise BadInput(
            f"{option} {text}: nobody's home has this name: write the whole path. Nothing was done."
        ) from None


def _nearest(path: Path) -> Path:
    """What there is of a path: itself, or what is to hold it. A link that leads nowhere is there."""
    return next((one for one in (path, *path.parents) if os.path.lexists(one)), path)


def _another(path: Path, in_the_way: Path) -> str:
    """A folder that is called alike, beside what is in the way."""
    return str(in_the_way.with_name(f"{in_the_way.name}-folder") / path.relative_to(in_the_way))
