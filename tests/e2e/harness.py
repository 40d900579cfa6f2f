"""A world of one test: a sandbox provider, a bucket, a ledger and a DAILIES_HOME of its own, and the real commands.

`World.run` calls the command line's own entry point in this process; `World.start` and `World.run(..., fork=True)` do so
in a child process, and `World.run(..., fresh=True)` starts an interpreter of its own, as a shell does.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import boto3
import httpx
import sqlalchemy as sa
from PIL import Image

from dailies.cli.app import main
from dailies.domain.records import Attempt
from dailies.ledger import Ledger, Owner, open_engine
from dailies.sandbox import Charge, Sandbox
from dailies.sandbox.world import Seen
from tests.e2e import standin
from tests.e2e.forks import ROOT, Child, Forks
from tests.e2e.s3_proxy import FaultyStore
from tests.e2e.senders import senders_in_threads

AIML_KEY, ONEROUTER_KEY = "sk-marker-aiml-4711", "sk-marker-onerouter-0815"
AWS_SECRET = "marker-aws-secret-2342"
JOB_KEYS = {
    "runware": "marker-runware-1213",
    "higgsfield": "marker-id:marker-higgsfield-1415",
    "fal": "marker-id:marker-fal-1617",
    "openrouter": "sk-or-marker-1819",
}
SECRETS = (AIML_KEY, ONEROUTER_KEY, AWS_SECRET, *JOB_KEYS.values())
SIGNED = re.compile(rb"sig=[0-9a-f]{16}")
"""A result URL of the sandbox that anybody may open."""
LATER_SETTINGS = ("DAILIES_LOOK",)
"""Of this harness, unknown to the first version."""
CREATES = ("/v2/video/generations", "/v1/videos/generations")
COLUMNS = ("id", "prompt", "image", "provider", "resolution", "aspect_ratio", "duration")


@dataclass(frozen=True)
class Prefect:
    """A Prefect server: what is to be in the environment of whoever uses it, and where its files are."""

    environ: Mapping[str, str]
    folder: Path


@dataclass(frozen=True)
class Services:
    """What all tests of a session share: an S3 server, and, started when first asked for, a Prefect server and the process
    that forks children."""

    s3_url: str
    server: Callable[[], Prefect]
    forking: Callable[[], Forks]
    authorities: Mapping[str, str] = field(default_factory=dict)
    """Variables by which every client reads one certificate, and not the whole bundle, a tenth of a second each."""

    @property
    def prefect(self) -> Mapping[str, str]:
        """The environment of whoever uses the Prefect server."""
        return self.server().environ

    @property
    def prefect_folder(self) -> Path:
        """Where the Prefect server keeps its database and its log."""
        return self.server().folder

    @property
    def forks(self) -> Forks:
        """What starts children."""
        return self.forking()


@dataclass(frozen=True)
class Result:
    """What one command left behind."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)

    @property
    def waiting(self) -> int:
        """How many clips are paid and not home, whatever keeps them."""
        return int(self.json["overdue"] + self.json["interrupted"])

    def clip(self, row_id: str) -> dict[str, Any]:
        """The JSON of one clip."""
        return next(clip for clip in self.json["clips"] if clip["id"] == row_id)


@dataclass
class World:
    """Everything one test has for itself. `environ` is all the environment that its commands see."""

    folder: Path
    services: Services
    sandbox: Sandbox
    store: FaultyStore
    bucket: str
    ledger_url: str
    engine: bool = True
    """Prefect's own, or the stand-in for runs in this process and in forked children."""
    environ: dict[str, str] = field(default_factory=dict)
    resubmits: int = 0
    outputs: list[Result] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.environ = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "VIRTUAL_ENV", "LANG") if name in os.environ},
            **(self.services.prefect if self.engine else standin.environment(self.folder / "prefect")),
            **self.services.authorities,
            "PYTHONPATH": str(ROOT),
            "AIML_API_KEY": AIML_KEY,
            "ONEROUTER_API_KEY": ONEROUTER_KEY,
            "AIML_BASE_URL": self.sandbox.url,
            "ONEROUTER_BASE_URL": self.sandbox.url,
            **{f"{name.upper()}_API_KEY": key for name, key in JOB_KEYS.items()},
            **{f"{name.upper()}_BASE_URL": f"{self.sandbox.url}/{name}" for name in JOB_KEYS},
            "AWS_ENDPOINT_URL_S3": self.store.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "DAILIES_HOME": str(self.home),
            "DAILIES_LEDGER_URL": self.ledger_url,
            "DAILIES_TO": f"s3://{self.bucket}/clips",
            "DAILIES_TRUSTED_HOSTS": "127.0.0.1",
            "DAILIES_LOOK": "quick",  # a decode of every clip of every test; those about footage look in full
            "DAILIES_POLL_FIRST_S": "0.05",
            "DAILIES_POLL_CAP_S": "0.2",
        }  # fmt: skip
        self.prompts = self.folder / "batch.csv"

    @property
    def home(self) -> Path:
        """DAILIES_HOME."""
        return self.folder / "home"

    @property
    def outside(self) -> dict[str, str]:
        """The environment of a program of its own, which knows of no stand-in: it finds the Prefect server."""
        return self.environ if self.engine else {**self.environ, **self.services.prefect}

    def ask_prefect(self, path: str, **body: object) -> Any:
        """Ask the Prefect server; 503 means that its SQLite is busy, and Prefect's own client asks again as well."""
        for _ in range(10):
            url = f"{self.services.prefect['PREFECT_API_URL']}/{path}"
            answer = httpx.post(url, json=body, trust_env=False, timeout=60)
            if answer.status_code != 503:
                break
        answer.raise_for_status()
        return answer.json()

    # What a team does

    def csv(self, rows: int | Sequence[Mapping[str, str]] = 2, name: str = "batch.csv", **common: str) -> Path:
        """Write a CSV of so many clips (or of these rows) and its image; later runs use it unless told otherwise."""
        given = (
            [{"id": f"clip-{n}", "prompt": f"clip {n} of {name}"} for n in range(1, rows + 1)]
            if isinstance(rows, int)
            else rows
        )
        usual = {
            "image": "first-720.png",
            "provider": "aiml",
            "resolution": "720p",
            "aspect_ratio": "16:9",
            "duration": "4",
        }
        full = [{**usual, **common, **row} for row in given]
        columns = list(dict.fromkeys([*COLUMNS, *(name for row in full for name in row)]))
        self.prompts = self.folder / name
        with self.prompts.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(full)
        image = self.folder / "first-720.png"
        if not image.exists():
            image.write_bytes(picture(1280, 720))
        return self.prompts

    def run(self, *options: str, fork: bool = False, fresh: bool = False, **environ: str) -> Result:
        """`dailies run PROMPTS --json` with these options, to its end."""
        return self.command("run", str(self.prompts), "--json", *options, fork=fork, fresh=fresh, **environ)

    def command(self, *arguments: str, fork: bool = False, fresh: bool = False, **environ: str) -> Result:
        """Any command of dailies, to its end."""
        if fresh:
            result = self._in_shell([sys.executable, "-m", "dailies", *arguments], environ)
        elif fork:
            child = self.start(*arguments, **environ)
            result = Result(child.wait(120), child.text("stdout"), child.text("stderr"))
        else:
            result = self._here(arguments, environ)
        self.outputs.append(result)
        return result

    def start(self, *arguments: str, **environ: str) -> Child:
        """A command in a child process; the caller waits for it, or kills it."""
        return self.services.forks.start(
            arguments or ("run", str(self.prompts), "--json"), {**self.environ, **environ}, self.folder
        )

    def shell(self, *command: str, cwd: Path | None = None, **environ: str) -> Result:
        """Any program at all, in this world's environment, and in its folder unless told otherwise."""
        result = self._in_shell(command, environ, cwd)
        self.outputs.append(result)
        return result

    def first_version(self, code: Path, *arguments: str) -> Result:
        """A command of the first version, whose code lies in a folder. It refuses settings that it does not know."""
        known = {name: value for name, value in self.outside.items() if name not in LATER_SETTINGS}
        command = [sys.executable, "-m", "dailies", *arguments]
        result = self._in_shell(command, {"PYTHONPATH": str(code)}, environ=known)
        self.outputs.append(result)
        return result

    def _in_shell(
        self,
        command: Sequence[str],
        more: Mapping[str, str],
        cwd: Path | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Result:
        env = {**(self.outside if environ is None else environ), **more}
        done = subprocess.run(
            command, cwd=cwd or self.folder, env=env, capture_output=True, text=True, timeout=120, check=False
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def _here(self, arguments: Sequence[str], environ: Mapping[str, str]) -> Result:
        out, err = io.StringIO(), io.StringIO()
        with self.here(**environ), redirect_stdout(out), redirect_stderr(err):
            code = main(arguments)
        return Result(code, out.getvalue(), err.getvalue())

    @contextmanager
    def here(self, **environ: str) -> Iterator[None]:
        """This process as one that has this world's environment and stands in its folder."""
        before, cwd = dict(os.environ), Path.cwd()
        os.environ.clear()
        os.environ.update({**self.environ, **environ})
        os.chdir(self.folder)
        try:
            with senders_in_threads(), patient_with_prefect() if self.engine else standin.standing_in():
                yield
        finally:
            os.chdir(cwd)
            os.environ.clear()
            os.environ.update(before)

    # What became of it

    def charges(self) -> list[Charge]:
        """The provider's own list of charges."""
        return self.sandbox.charges()

    def posts(self) -> list[Seen]:
        """Every create that reached the provider."""
        return [seen for seen in self.sandbox.requests() if seen.method == "POST" and seen.path in CREATES]

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        """The ledger, for reading; no clip becomes ours."""
        ledger = Ledger(open_engine(self.ledger_url), Owner.this_process())
        try:
            yield ledger
        finally:
            ledger.engine.dispose()

    def attempts(self) -> list[Attempt]:
        """Every attempt on record."""
        with self.ledger() as ledger:
            rows = [row for batch in ledger.batches() for row in ledger.rows(batch)]
        return list({attempt.id: attempt for row in rows for attempt in row.attempts}.values())

    def sql(self, *statements: str) -> None:
        """Act on the ledger's database behind dailies' back."""
        engine = sa.create_engine(self.ledger_url)
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
        engine.dispose()

    def dump(self) -> str:
        """The whole ledger as text."""
        engine = sa.create_engine(self.ledger_url)
        with engine.connect() as connection:
            tables = sa.inspect(engine).get_table_names()
            text = "\n".join(
                str(tuple(row)) for t in tables for row in connection.exec_driver_sql(f"SELECT * FROM {t}")
            )
        engine.dispose()
        return text

    def s3(self) -> Any:
        """A client of the store itself, past its faults."""
        return s3_client(self.services.s3_url)

    def objects(self) -> dict[str, bytes]:
        """All objects of this world's bucket."""
        client = self.s3()
        return {key: client.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in self.object_keys()}

    def object_keys(self, prefix: str = "") -> list[str]:
        """What they are called, however many there are."""
        pages = self.s3().get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", [])]

    def clips(self) -> dict[str, bytes]:
        """The clips among the objects."""
        return {key: content for key, content in self.objects().items() if key.endswith(".mp4")}


def patient_with_prefect() -> AbstractContextManager[object]:
    """A run in this process whose server is slow waits for it: without its patience it would end this process, and all tests."""
    return mock.patch("dailies.cli.engine.ENDS_WITHIN_S", 300.0)


@cache
def s3_client(url: str) -> Any:
    """A boto3 client for tests; it is safe for threads and slow to make."""
    session = boto3.Session("test", "test", region_name="us-east-1")
    return session.client("s3", endpoint_url=url)


def named(*names: str) -> list[dict[str, str]]:
    """Rows that are told apart by their ids; `match=f"<{name}>"` makes a fault strike one of them."""
    return [{"id": name, "prompt": f"<{name}>"} for name in names]


@cache
def picture(width: int, height: int, form: str = "PNG") -> bytes:
    """A small image file of this many pixels."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), (40, 90, 160)).save(out, form)
    return out.getvalue()


def secrets_in(content: bytes, signed_urls: bool = True) -> list[str]:
    """The words before each key, and each signed URL, that stands there."""
    found = [content[max(0, at - 80) : at] for secret in SECRETS if (at := content.find(secret.encode())) >= 0]
    found += [content[max(0, m.start() - 80) : m.start()] for m in SIGNED.finditer(content) if signed_urls]
    return [text.decode("utf-8", "replace") for text in found]


def sha256(content: bytes) -> str:
    """Hex."""
    return hashlib.sha256(content).hexdigest()


def until(condition: Callable[[], object], timeout_s: float = 30) -> None:
    """Wait for something that another thread or process does, and leave it the processor meanwhile."""
    deadline, pause_s = time.monotonic() + timeout_s, 0.01
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("it did not happen")
        time.sleep(pause_s)
        pause_s = min(0.05, pause_s * 1.2)
