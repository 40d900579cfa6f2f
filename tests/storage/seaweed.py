"""SeaweedFS, a real S3 server from its wheel, on free ports of this machine for as long as a block runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from tests.e2e.loopback import free_port

START_S = 60


class Seaweed:
    """`with Seaweed(folder) as server: server.url`; its key is `test`, its secret `test`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ports = {name: free_port() for name in ("master", "volume", "filer", "s3")}
        self.url = f"http://127.0.0.1:{self._ports['s3']}"

    def __enter__(self) -> Self:
        program = shutil.which("weed", path=str(Path(sys.executable).parent)) or "weed"
        self._log = (self.folder / "log").open("wb")
        self._process = subprocess.Popen(
            [program, "server", *self._options()], stdout=self._log, stderr=subprocess.STDOUT, cwd=self.folder
        )
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.__exit__(None, None, None)
                raise RuntimeError(f"SeaweedFS did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.kill()  # told to end, it takes longer than most tests' files; nobody wants what it holds
        self._process.wait()
        self._log.close()

    def _answers(self) -> bool:
        """Whether a bucket can be made: the S3 port listens a while before there is a volume behind it."""
        try:
            ready = httpx.get(f"{self.url}/status", trust_env=False, timeout=2).status_code == 200
            volume = httpx.get(f"http://127.0.0.1:{self._ports['master']}/dir/assign", trust_env=False, timeout=2)
            return ready and "fid" in volume.json()
        except (httpx.HTTPError, ValueError):
            return False

    def _options(self) -> list[str]:
        identity = {"name": "test", "credentials": [{"accessKey": "test", "secretKey": "test"}],
                    "actions": ["Admin", "Read", "Write", "List", "Tagging"]}  # fmt: skip
        config = self.folder / "s3.json"
        config.write_text(json.dumps({"identities": [identity]}))
        data = self.folder / "data"
        data.mkdir(exist_ok=True)
        options: dict[str, object] = {
            "dir": data, "ip": "127.0.0.1", "ip.bind": "127.0.0.1", "s3": "true", "s3.config": config, "s3.iam": "false",
            "s3.port.iceberg": 0, "s3.port.lance": 0, "master.telemetry": "false", "master.volumeSizeLimitMB": 64,
            "volume.max": 400, "s3.localSocket": self.folder / "s3.sock", "filer.localSocket": self.folder / "filer.sock",
        }  # fmt: skip
        for name, port in self._ports.items():
            options |= {f"{name}.port": port, f"{name}.port.grpc": free_port()}
        return [f"-{name}={value}" for name, value in options.items()]
