"""What an agent may name: files of the project's folder, links followed, and no image elsewhere by way of a CSV."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import anyio
import pytest
from PIL import Image

from dailies.cli.mcp import Project
from dailies.errors import BadInput


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A folder with a link to a file, and one to a folder, beside it."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "x.csv").write_text("prompt,image\na,b.png\n")
    Image.new("RGB", (1280, 720)).save(tmp_path / "elsewhere" / "door.png")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "link.csv").symlink_to(tmp_path / "elsewhere" / "x.csv")
    (tmp_path / "project" / "images").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "project" / "loop.csv").symlink_to("loop.csv")
    monkeypatch.setenv("DAILIES_HOME", str(tmp_path / "home"))
    return Project(tmp_path / "project", Decimal(0))


@pytest.mark.parametrize(
    "path",
    ["../elsewhere/x.csv", "link.csv", "images/x.csv", "loop.csv", "/etc/hostname", "a\0.csv", "s3://bucket/x.csv",
     "file:///etc/hostname", "images/../../elsewhere/x.csv"],
)  # fmt: skip
def test_what_lies_elsewhere_is_refused_by_name(project: Project, path: str) -> None:
    with pytest.raises(BadInput, match="only files below project/"):
        project.inside(path)


def test_a_csv_of_the_folder_reads_no_image_outside_it(project: Project, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere" / "door.png"
    named = [str(outside), "../elsewhere/door.png", "images/door.png", outside.as_uri()]
    rows = "".join(f"{at},a,{name},google/veo-3.1-i2v-fast\n" for at, name in enumerate(named))
    (project.folder / "batch.csv").write_text(f"id,prompt,image,model\n{rows}")
    answer = anyio.run(project.check, "batch.csv")
    assert answer["exit_code"] == 2
    assert {(bad["id"], bad["column"]) for bad in answer["bad_rows"]} == {(str(at), "image") for at in range(4)}
