"""Writes deployments/requirements.lock: the pins of requirements.lock that a run and a Prefect server need, without those of
tests and tools.

The image installs these with their hashes. A test says when they must be written again: `python deployments/runtime_lock.py`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).resolve().parent
PYTHONS: tuple[dict[str, str], ...] = ({}, {"python_version": "3.11", "python_full_version": "3.11.0"})
"""What a dependency's condition is asked with: this Python, and the oldest that runs the project, as a Debian may have it."""
PINNED = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==")


def blocks_of(lock: str) -> dict[str, str]:
    """Each pin of a lock file with its hashes, by canonical name."""
    blocks: dict[str, str] = {}
    name = ""
    for line in lock.splitlines(keepends=True):
        pinned = PINNED.match(line)
        if pinned:
            name = canonicalize_name(pinned[1])
        if name and (pinned or line.startswith(" ")):
            blocks[name] = blocks.get(name, "") + line
    return blocks


def needed(dependencies: Iterable[str]) -> set[str]:
    """The canonical names of all packages that these lead to on Linux, as the installed packages declare them."""
    found: set[tuple[str, frozenset[str]]] = set()
    left = [Requirement(text) for text in dependencies]
    while left:
        requirement = left.pop()
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key in found:
            continue
        found.add(key)
        try:
            declared = requires(requirement.name) or []
        except PackageNotFoundError:
            continue  # of another platform, or an extra that nobody installed: the lock says
        for text in declared:
            child = Requirement(text)
            asked = ({"extra": extra, **python} for extra in ("", *requirement.extras) for python in PYTHONS)
            if child.marker is None or any(child.marker.evaluate(environment) for environment in asked):
                left.append(child)
    return {name for name, _ in found}


def runtime_lock(lock: str, pyproject: str) -> str:
    """The part of a lock file that is needed to install the project, to run it, and to run Prefect's servers."""
    parsed = tomllib.loads(pyproject)
    project, build = parsed["project"], parsed["build-system"]
    wanted = project["dependencies"] + project["optional-dependencies"]["server"] + build["requires"]
    blocks, names = blocks_of(lock), needed(wanted)
    return "".join(blocks[name] for name in sorted(names & blocks.keys()))


def main() -> None:
    """Write the file."""
    root = HERE.parent
    text = runtime_lock((root / "requirements.lock").read_text(), (root / "pyproject.toml").read_text())
    (HERE / "requirements.lock").write_text(text)


if __name__ == "__main__":
    main()
