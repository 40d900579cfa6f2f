"""What every benchmark plays on: one sandbox, one S3 server, one Prefect server, each in a process of its own."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import boto3
import httpx
from PIL import Image

from benchmarks.store import FILL
from dailies.prefect_api.server import LocalServer, local_server

ROOT = Path(__file__).resolve().parents[1]
KEY, BUCKET, MODEL, TYPICAL_S = "sandbox-key", "bench", "openai/sora-2-pro-i2v", 90
PROBE_WRITES_S = 1.0
AWS = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench", "AWS_DEFAULT_REGION": "us-east-1"}


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished program: its wall-clock and CPU seconds (children included) and its largest memory."""

    wall_s: float
    cpu_s: float
    peak_bytes: int
    stdout: str


@dataclass(frozen=True, slots=True)
class Generation:
    """What the sandbox knows of a job, in Unix seconds."""

    id: str
    at: float
    ends_at: float

    @property
    def seconds(self) -> float:
        """How long it generated."""
        return self.ends_at - self.at


@dataclass
class Stage:
    """Addresses, and a folder that is deleted afterwards."""

    folder: Path
    s3_url: str
    prefect: Mapping[str, str]
    prefect_db: Path
    prefect_pid: int
    probe: Path
    sandbox_url: str = ""
    _sandboxes: list[subprocess.Popen[str]] = field(default_factory=list)

    def sandbox(self, time_scale: float, seed: int = 7, *served: str) -> None:
        """A new sandbox whose generations take `time_scale` of their model's real time, in the same order each time. What
        they make is cheap, and as many are made at once as are asked for, unless `served` says otherwise (`benchmarks.served`).
        """
        self.close_sandbox()
        options = ["--time-scale", str(time_scale), "--seed", str(seed), "--render", "quick", "--balance-usd", "1e9"]
        module = ("benchmarks.served", *served, "--") if served else ("dailies.sandbox",)
        process, self.sandbox_url = _start(*module, *options)
        self._sandboxes.append(process)

    def close_sandbox(self) -> None:
        """Stop the sandbox, if one runs."""
        while self._sandboxes:
            _stop(self._sandboxes.pop())

    def reset(self) -> None:
        """Forget all generations and draw the same times again."""
        httpx.post(f"{self.sandbox_url}/sandbox/reset", timeout=30)

    def generations(self) -> dict[str, Generation]:
        """Every job since the last reset, by id, in the order of acceptance."""
        found = httpx.get(f"{self.sandbox_url}/sandbox/generations", timeout=60).json()
        return {g["id"]: Generation(g["id"], _unix(g["at"]), _unix(g["ends_at"])) for g in found}

    def requests(self) -> list[tuple[str, str]]:
        """Method and path of every request since the last reset."""
        return [(r["method"], r["path"]) for r in httpx.get(f"{self.sandbox_url}/sandbox/requests", timeout=60).json()]

    def created_at(self) -> list[float]:
        """When each create came, accepted or not, in Unix seconds."""
        found = httpx.get(f"{self.sandbox_url}/sandbox/requests", timeout=60).json()
        return sorted(_unix(r["at"]) for r in found if r["method"] == "POST")

    def slow_creates(self, seconds: float) -> None:
        """From now on each create is charged at once and answered so much later."""
        fault = {"where": "create", "kind": "late", "times": None, "delay_s": seconds}
        httpx.post(f"{self.sandbox_url}/sandbox/faults", json=fault, timeout=30).raise_for_status()

    def environ(self, home: str = "home", **more: str) -> dict[str, str]:
        """All that a program sees of the environment; `home` is a DAILIES_HOME in the stage's folder."""
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        ours = {
            "PYTHONPATH": str(ROOT), "AIML_API_KEY": KEY, "ONEROUTER_API_KEY": KEY, "AIML_BASE_URL": self.sandbox_url,
            "ONEROUTER_BASE_URL": self.sandbox_url, "DAILIES_HOME": str(self.folder / home), "DAILIES_TO": f"s3://{BUCKET}/{home}",
            "AWS_ENDPOINT_URL_S3": self.s3_url, "DAILIES_TRUSTED_HOSTS": "127.0.0.1",
        }  # fmt: skip
        return {**kept, **self.prefect, **AWS, **ours, **more}

    def server_cpu_s(self) -> float:
        """What Prefect's server has spent so far."""
        fields = Path(f"/proc/{self.prefect_pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def idle_share(self, seconds: float = 20.0) -> float:
        """The share of a core that Prefect's server takes when nobody asks for anything."""
        began, before_s = time.monotonic(), self.server_cpu_s()
        time.sleep(seconds)
        return (self.server_cpu_s() - before_s) / (time.monotonic() - began)

    def asked(self) -> dict[str, int]:
        """Requests and messages that Prefect's server has had so far, written down by the probe in it."""
        time.sleep(2 * PROBE_WRITES_S)
        found: dict[str, int] = json.loads((self.probe / f"{self.prefect_pid}.json").read_text())["requests"]
        return found

    def fill(self, places: Sequence[str]) -> None:
        """Put a byte under each of these addresses into the store: past its front, for ten thousand puts take minutes."""
        httpx.post(f"{self.s3_url}{FILL}", json=list(places), timeout=120).raise_for_status()

    @contextmanager
    def line(self, mb_per_s: float) -> Iterator[str]:
        """Another S3 server, behind a line that takes so much; has the same bucket. Yields its address."""
        process, url = _start("benchmarks.store", str(mb_per_s))
        try:
            self.s3(url).create_bucket(Bucket=BUCKET)
            yield url
        finally:
            _stop(process)

    def s3(self, url: str = "", key: str = "bench", secret: str = "bench") -> Any:
        """A boto3 client of the store, or of the one at `url`, which may know another account."""
        return boto3.client(
            "s3", endpoint_url=url or self.s3_url, region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret
        )  # fmt: skip

    def csv(self, rows: int, name: str = "batch", images: int = 1) -> Path:
        """A CSV of so many clips and so many images, beside each other."""
        folder = self.folder / "data"
        folder.mkdir(exist_ok=True)
        for number in range(images):
            path = folder / f"{number}.png"
            if not path.exists():
                path.write_bytes(picture(number))
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["id", "prompt", "image", "resolution", "aspect_ratio", "duration"])
        for number in range(rows):
            writer.writerow([f"clip-{number}", f"{name} {number}", f"{number % images}.png", "720p", "16:9", "4"])
        path = folder / f"{name}.csv"
        path.write_text(text.getvalue())
        return path

    def models(self, time_scale: float) -> Path:
        """A catalog whose typical time is compressed like the sandbox's."""
        path = self.folder / f"models-{time_scale}.json"
        models = [{"id": MODEL, "typical_s": max(1, round(TYPICAL_S * time_scale))}]
        path.write_text(json.dumps({"maker": "OpenAI", "models": models}))
        return path


def picture(number: int = 0) -> bytes:
    """A small PNG of 1280x720 pixels; every number gives another one."""
    out = io.BytesIO()
    Image.new("RGB", (1280, 720), (number % 256, number // 256 % 256, 160)).save(out, "PNG")
    return out.getvalue()


def data_uri() -> str:
    """The picture as a request carries it."""
    return "data:image/png;base64," + base64.b64encode(picture()).decode()


@contextmanager
def stage() -> Iterator[Stage]:
    """Everything started, and everything stopped afterwards."""
    with tempfile.TemporaryDirectory(prefix="dailies-bench-") as name:
        folder = Path(name)
        store, s3_url = _start("benchmarks.store")
        try:
            with _probed_server(folder) as server:
                made = Stage(
                    folder, s3_url, server.environment({}), server.folder / "prefect.db", server.pid, folder / "probe"
                )
                made.s3().create_bucket(Bucket=BUCKET)
                try:
                    yield made
                finally:
                    made.close_sandbox()
        finally:
            _stop(store)


@contextmanager
def _probed_server(folder: Path) -> Iterator[LocalServer]:
    """A Prefect server as a run starts one, which counts what it is asked."""
    put_probe(folder / "probe")
    sys.path.insert(0, str(folder / "probe"))  # which the server's process inherits
    try:
        with local_server(folder / "prefect-home", startup_timeout_s=900) as server:
            yield server
    finally:
        sys.path.remove(str(folder / "probe"))


def put_probe(folder: Path) -> Path:
    """A folder whose place on the path puts the probe into every interpreter."""
    folder.mkdir()
    shutil.copyfile(Path(__file__).with_name("probe.py"), folder / "sitecustomize.py")
    return folder


MEASURED = """
import os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[2:])
_, status, usage = os.wait4(process.pid, 0)
wall_s = time.perf_counter() - began
with open(sys.argv[1], "w") as file:
    print(wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, file=file)
sys.exit(os.waitstatus_to_exitcode(status) & 255)
"""
"""A small parent: Linux counts what the parent held at the fork to the child's peak memory."""


WITH_ALL = """
import ctypes, os, resource, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
began = time.perf_counter()
code = subprocess.Popen(sys.argv[2:]).wait()
try:
    while True:
        os.wait()
except ChildProcessError:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(sys.argv[1], "w") as file:
    print(time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, file=file)
sys.exit(code & 255)
"""
"""The same, and with every process that the program left behind (Linux hands them to us): its sender above all. Waits for
their end."""


def run(
    command: Sequence[str], environ: Mapping[str, str], stdin: str = "", cwd: Path = ROOT, parent: str = MEASURED
) -> Ran:
    """Run a program to its end and measure it; a line on stderr says so. Raises RuntimeError with its last words when it
    fails."""
    with tempfile.TemporaryDirectory(prefix="dailies-bench-") as folder:
        usage = Path(folder) / "usage"
        measured = [sys.executable, "-S", "-c", parent, str(usage), *command]
        done = subprocess.run(
            measured, env=dict(environ), cwd=cwd, input=stdin, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-3000:]}")
        wall_s, cpu_s, peak_bytes = usage.read_text().split()
        ran = Ran(float(wall_s), float(cpu_s), int(peak_bytes), done.stdout)
    words = " ".join(Path(word).name for word in command[1:] if word != "-m" and "\n" not in word)
    print(f"{words}: {ran.wall_s:.1f} s, {ran.peak_bytes / 2**20:.0f} MiB", file=sys.stderr, flush=True)
    return ran


def dailies(*arguments: str) -> list[str]:
    """The command line of our own program."""
    return [sys.executable, "-m", "dailies", *arguments]


def _start(module: str, *options: str) -> tuple[subprocess.Popen[str], str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-m", module, *options], stdout=subprocess.PIPE, text=True, env=environ, cwd=ROOT
    )
    assert process.stdout
    url = process.stdout.readline().strip()
    if not url:
        raise RuntimeError(f"{module} did not start")
    return process, url


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _unix(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
