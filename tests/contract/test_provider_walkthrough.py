"""docs/providers.md: the provider package that it writes is installed as an entry point, and keeps the contract as it stands."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "providers.md"
FILE = re.compile(r"^`([\w/]+\.\w+)` [^`]*(?:`[^`]+`[^`]*)*?\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ENTRY = re.compile(r'entry-points\."dailies\.providers"\]\n(.+?)\n', re.DOTALL)


def written(folder: Path) -> Path:
    """The files of the page, and what an installer makes of its entry point."""
    files = dict(FILE.findall(PAGE.read_text(encoding="utf-8").partition("## A provider of your own")[2]))
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    (entry,) = ENTRY.findall(files["pyproject.toml"])
    installed = folder / "acme_video-1.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-video\nVersion: 1\n")
    (installed / "entry_points.txt").write_text(f"[dailies.providers]\n{entry.replace(chr(34), '')}\n")
    return folder


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return written(tmp_path)


def python(package: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Python with the package where an installer would put it."""
    root = str(PAGE.parents[1])
    environ = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    environ |= {"PYTHONPATH": f"{package}{os.pathsep}{root}", "DAILIES_HOME": str(package / "home")}
    environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # the contract needs none, and what is here takes seconds to load
    return subprocess.run(
        [sys.executable, *arguments], cwd=package, env=environ, capture_output=True, text=True, timeout=300, check=False
    )


def test_the_package_of_the_page_keeps_the_contract(package: Path) -> None:
    done = python(package, "-m", "pytest", "test_acme.py", "-q", "-p", "no:cacheprovider", "-p", "no:xdist")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert re.search(r"\b8 passed", done.stdout), done.stdout[-300:]


def test_a_client_that_takes_a_doubt_for_a_refusal_or_forgets_its_key_does_not_keep_it(package: Path) -> None:
    client = package / "acme_video" / "client.py"
    for right, wrong in (
        ('"Idempotency-Key": reference.attempt_id', ""),
        ("return Created(reply)", "raise RuntimeError(reply)"),
    ):
        whole = client.read_text(encoding="utf-8")
        assert right in whole
        client.write_text(whole.replace(right, wrong), encoding="utf-8")
        done = python(package, "-m", "pytest", "test_acme.py", "-q", "-x", "-k", "lost", "-p", "no:cacheprovider")
        assert done.returncode == 1, done.stdout[-2000:]
        client.write_text(whole, encoding="utf-8")


def test_it_is_a_provider_like_any_other(package: Path) -> None:
    done = python(package, "-m", "dailies", "models", "--provider", "acme", "--json")
    assert done.returncode == 0, done.stderr
    (entry,) = json.loads(done.stdout)
    assert (entry["id"], entry["provider_model"], entry["usd_per_second"]) == ("google/veo-3.1-i2v", "veo", 0.2)
