"""What a test run has started ends with it."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
RUN = """
import subprocess, sys
from tests.outliving import ended_with_us
server = subprocess.Popen([sys.executable, "-S", "-c", "import signal; signal.pause()"], start_new_session=True)
with ended_with_us(server.pid, sys.argv[1]):
    print(server.pid, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_server_ends_when_the_run_is_killed(number: signal.Signals, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout
        server = psutil.Process(int(run.stdout.readline()))
        run.send_signal(number)
        run.wait(30)
    server.wait(30)
    assert not server.is_running()
