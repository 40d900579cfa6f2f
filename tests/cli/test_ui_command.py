"""`dailies ui` says where the UI is, and ends when it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from dailies.cli.app import main


def test_the_ui_is_served_until_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Over the history of this home; the server itself has its own tests (`test_prefect_server.py`)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAILIES_HOME", str(tmp_path / "home"))
    seen: list[object] = []

    @contextmanager
    def server(home: Path, on_wait: object = None) -> Iterator[SimpleNamespace]:
        seen.append(home)
        yield SimpleNamespace(ui_url="http://127.0.0.1:4200")
        seen.append("ended")

    monkeypatch.setattr("dailies.cli.run.local_server", server)
    monkeypatch.setattr("dailies.cli.run.wait_for_interrupt", lambda: seen.append("told"))
    assert main(["ui"]) == 0
    assert seen == [tmp_path / "home", "told", "ended"]
    assert "Prefect UI: http://127.0.0.1:4200" in capsys.readouterr().out
