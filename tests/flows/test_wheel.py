"""The built wheel: one top-level package, with the demo's data, beside a project that has its own `flows` and `tasks`."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv*", "build", "dist", "site", "demo-output", "*.egg-info", "__pycache__", ".*_cache"
)


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, built by the installed setuptools from a copy."""
    source = tmp_path_factory.mktemp("source") / "dailies"
    shutil.copytree(ROOT, source, ignore=LEFT_OUT)
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run([sys.executable, "-c", build, "dist"], cwd=source, check=True, capture_output=True)
    return next((source / "dist").glob("*.whl"))


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has this wheel, what it needs, and nothing of the clone."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    zipfile.ZipFile(wheel).extractall(packages)
    (packages / "needed.pth").write_text(
        sysconfig.get_path("purelib")
    )  # its own .pth files, the clone's, are not read there
    return folder / "bin" / "python"


def test_it_holds_one_package_with_types_and_data(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {
        "dailies",
        next(n.split("/")[0] for n in names if "dist-info" in n),
    }
    wanted = {"dailies/py.typed", "dailies/data/prompts.csv", "dailies/data/images/night-720.png", "dailies/flows/generate.py",
              "dailies/tasks/create.py", "dailies/report/templates/report.html", "dailies/catalog/models/openai.json"}  # fmt: skip
    assert wanted <= set(names)
    assert not [name for name in names if "__pycache__" in name]


def test_every_import_in_it_is_of_the_one_package(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    for name in (name for name in archive.namelist() if name.endswith(".py")):
        text = archive.read(name).decode()
        assert "\nfrom flows" not in text and "\nfrom tasks" not in text and "\nimport tasks" not in text, name


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import tasks\n", "from dailies import tasks\n"),
        ("    from flows.generate import x", "    from dailies.flows.generate import x"),
        ("from tasks import plan as p", "from dailies.tasks import plan as p"),
        ("from flowsandtasks import y", "from flowsandtasks import y"),
    ],
)
def test_imports_are_renamed(before: str, after: str) -> None:
    assert runpy.run_path(str(ROOT / "setup.py"))["renamed"](before, "x.py") == after


@pytest.mark.parametrize("line", ["import flows.generate\n", "import tasks as t\n", 'x = "flows.generate.run"\n'])
def test_a_form_that_would_break_the_wheel_ends_the_build(line: str) -> None:
    with pytest.raises(ValueError, match=r"x\.py"):
        runpy.run_path(str(ROOT / "setup.py"))["renamed"](line, "x.py")


@pytest.mark.production
def test_the_demo_runs_from_a_folder_with_a_project_of_its_own(installed: Path, tmp_path: Path) -> None:
    """Their `flows` and `tasks` lie first on the path, and are not imported."""
    for name in ("flows", "tasks"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('somebody else')\n")
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(tmp_path),
        "DO_NOT_TRACK": "1",
    }
    done = subprocess.run(
        [installed, "-m", "dailies", "demo"], cwd=tmp_path, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(list((tmp_path / "demo-output" / "clips").glob("*.mp4"))) == 8


def test_init_writes_its_three_rows_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [installed, "-m", "dailies", "init"], cwd=tmp_path, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home")},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "images" / "night-720.png").stat().st_size > 100_000
