"""`collect` with nothing to do starts no Prefect server, which alone would take it half a minute."""

from __future__ import annotations

from pathlib import Path

import pytest

from dailies.cli.app import main


def test_a_collect_with_nothing_to_do_starts_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    for name, value in {"HOME": str(tmp_path), "DAILIES_HOME": str(tmp_path / "home"), "AIML_API_KEY": "k"}.items():
        monkeypatch.setenv(name, value)
    assert main(["collect"]) == 0
    said = capsys.readouterr()
    assert "Prefect" not in said.err and said.out.strip()
    assert not (tmp_path / "home" / "prefect").exists()
