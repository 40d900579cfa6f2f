"""Where an option wants something written: a path that can't be is refused before the work begins, with one that can."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dailies.errors import BadInput
from dailies.report.target import file_named, folder_named, path_named


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the command runs, with a file `taken` in it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file")
    return tmp_path


def test_a_folder_may_be_there_or_still_to_be_made(here: Path) -> None:
    (here / "there").mkdir()
    for name in ("there", "new", "there/new/deep"):
        assert folder_named("--to", name) == here / name
    assert not (here / "new").exists()


@pytest.mark.parametrize(("name", "instead"), [("taken", "taken-folder"), ("taken/a/b", "taken-folder/a/b")])
def test_a_file_in_the_way_of_a_folder_is_named_with_another_beside_it(here: Path, name: str, instead: str) -> None:
    with pytest.raises(BadInput) as error:
        folder_named("--to", name)
    assert str(error.value) == (
        f"--to {name}: {here / 'taken'} is no folder: name one, such as --to {here / instead}. Nothing was done."
    )


def test_a_link_that_leads_nowhere_is_in_the_way_too(here: Path) -> None:
    (here / "link").symlink_to(here / "gone")
    with pytest.raises(BadInput, match=f"{here / 'link'} is no folder"):
        folder_named("--to", "link/a")


def test_a_file_may_be_there_or_be_new_in_a_folder_that_is_there(here: Path) -> None:
    assert file_named("--focus", "taken", "costs.csv") == here / "taken"
    assert file_named("--focus", here / "new.csv", "costs.csv") == here / "new.csv"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("there", "this is a folder: name a file, such as --focus there/costs.csv"),
        ("new/a.csv", "there is no folder {here}/new: make it, or name a file here, such as --focus costs.csv"),
        ("taken/a.csv", "{here}/taken is no folder: name a file elsewhere, such as --focus costs.csv"),
        ("taken/new/a.csv", "{here}/taken is no folder: name a file elsewhere, such as --focus costs.csv"),
    ],
)
def test_a_file_that_can_not_be_is_refused_with_one_that_can(here: Path, name: str, said: str) -> None:
    """A file that is suggested is no folder."""
    (here / "there").mkdir()
    with pytest.raises(BadInput) as error:
        file_named("--focus", name, "costs.csv")
    assert str(error.value) == f"--focus {name}: {said.format(here=here)}. Nothing was done."


def test_a_drive_that_is_not_there_is_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of such a path there is nothing at all."""
    monkeypatch.setattr(os.path, "lexists", lambda path: False)
    with pytest.raises(BadInput, match="new is no folder: name one"):
        folder_named("--to", "new")


def test_nobodys_home_is_no_place(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    assert path_named("--to", "~/a") == here / "a"
    for refused in (path_named, folder_named, lambda option, text: file_named(option, text, "costs.csv")):
        with pytest.raises(BadInput) as error:
            refused("--to", "~nobody-has-this-name/a")
        assert str(error.value) == (
            "--to ~nobody-has-this-name/a: nobody's home has this name: write the whole path. Nothing was done."
        )
