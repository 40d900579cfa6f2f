"""What pyproject.toml can't say: in a wheel the flows and tasks of this repository lie below `dailies`.

In the clone they are the top-level packages `flows` and `tasks`, where a reader finds them and Prefect starts them. In a wheel those
names would take the place of a project's own. So a wheel holds them as `dailies.flows` and `dailies.tasks`, with their imports
renamed, and the demo's data as `dailies/data`. An editable install is the clone as it stands. `tests/flows/test_wheel.py` shows it.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

MOVED = ("flows", "tasks")
NAMES = "|".join(MOVED)
FROM = re.compile(rf"^(\s*)from ({NAMES})\b", re.MULTILINE)
IMPORT = re.compile(rf"^(\s*)import ({NAMES})$", re.MULTILINE)
OTHER = re.compile(rf"^\s*import ({NAMES})[. ]|[\"']({NAMES})\.\w", re.MULTILINE)


class Below(build_py):
    """Builds the wheel's tree: one top-level package."""

    def run(self) -> None:
        """Build as usual; then, for a wheel, move, rename and add the data."""
        super().run()
        if self.editable_mode:
            return
        package = Path(self.build_lib) / "dailies"
        for name in MOVED:
            shutil.rmtree(package / name, ignore_errors=True)
            shutil.move(Path(self.build_lib) / name, package / name)
        for file in package.rglob("*.py"):
            file.write_text(renamed(file.read_text(encoding="utf-8"), str(file)), encoding="utf-8")
        shutil.rmtree(package / "data", ignore_errors=True)
        shutil.copytree("data", package / "data", ignore=shutil.ignore_patterns("*.py", "__pycache__"))


def renamed(source: str, name: str) -> str:
    """A module's text with `flows` and `tasks` imported from `dailies`. Raises ValueError for an import in another form."""
    if found := OTHER.search(source):
        raise ValueError(f"{name}: {found[0].strip()!r} would not be found in a wheel; write `from … import …`")
    return IMPORT.sub(r"\1from dailies import \2", FROM.sub(r"\1from dailies.\2", source))


if __name__ == "__main__":
    setup(cmdclass={"build_py": Below})
