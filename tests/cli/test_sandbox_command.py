"""`dailies sandbox --s3`: one line to export, and a stranger's own rows can become clips."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

from dailies.cli.app import main
from dailies.settings import load_settings


def test_its_one_line_is_all_that_a_run_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [sys.executable, "-m", "dailies", "sandbox", "--port", "0", "--time-scale", "0", "--s3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=tmp_path, text=True) as running:
        assert running.stdout is not None
        said = "".join(running.stdout.readline() for _ in range(2))
        try:
            [line] = re.findall(r"^  export (.*)$", said, re.MULTILINE)
            for name, value in (word.split("=", 1) for word in shlex.split(line)):
                monkeypatch.setenv(name, value)
            monkeypatch.setenv("DAILIES_HOME", str(tmp_path / "home"))
            monkeypatch.chdir(tmp_path)
            settings = load_settings()
            bucket = str(settings.dailies_to).split("/")[2]
            boto3.client("s3").put_object(Bucket=bucket, Key="clips/x", Body=b"y")
            assert main(["init"]) == 0
            assert "Go on with:" in capsys.readouterr().out, "nothing is left to be set"
            assert main(["check", "prompts.csv"]) == 0, "key, store and destination are known"
        finally:
            running.send_signal(signal.SIGINT)
        assert running.wait(timeout=30) == 0


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "moto.server", None)
    assert main(["sandbox", "--port", "0", "--s3"]) == 2
    assert "pip install 'dailies-video[demo]'" in capsys.readouterr().err
