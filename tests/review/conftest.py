"""A screening room over real clips: a ledger, a real S3 API, and the command itself in a process of its own."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa
from moto.server import ThreadedMotoServer
from PIL import Image as Picture

from dailies.domain.clips import Image, Row, clip_name, object_key
from dailies.ledger import Ledger
from dailies.net import Trust
from dailies.report.links import poster_key
from dailies.review.serve import open_room
from dailies.storage.s3 import S3
from tests.e2e.harness import s3_client
from tests.ledger.factories import USD, a_clip, claim, open_ledger
from tests.report.conftest import Open, Visit, browser, until, visit
from tests.report.factories import CAMPAIGNS, SCENES, gradient, real_clip

__all__ = ["Open", "Visit", "browser", "until", "visit"]
NUMBERS = count(1)
ROOT = Path(__file__).parents[2]
SIZES = ((320, 180), (180, 320), (320, 180))


@dataclass
class Studio:
    """What stands behind a room: clips in a bucket, and the ledger that knows them."""

    folder: Path
    s3_url: str
    bucket: str
    ledger_url: str
    environ: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.environ = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR", "LANG") if name in os.environ},
            "PYTHONPATH": str(ROOT), "PREFECT_PROFILES_PATH": str(self.folder / "none.toml"),
            "AWS_ENDPOINT_URL_S3": self.s3_url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1", "DAILIES_HOME": str(self.folder / "home"),
            "DAILIES_LEDGER_URL": self.ledger_url, "DAILIES_REVIEWER": "Ana",
        }  # fmt: skip

    def ledger(self) -> Ledger:
        """The ledger, to plan in and to look at; its connections are the caller's to close."""
        return open_ledger(self.ledger_url)

    def shoot(
        self, takes: Sequence[tuple[str, str]], batch: str = "monday", prompts: Sequence[str] = SCENES
    ) -> list[str]:
        """Deliver a clip for each (id, take) with its poster and its input image. Returns their clip_keys in this order."""
        ledger, s3 = self.ledger(), s3_client(self.s3_url)
        (self.folder / "first.png").write_bytes(_png((640, 360)))
        digest = hashlib.sha256((self.folder / "first.png").read_bytes()).hexdigest()
        image = Image("first.png", 640, 360, "PNG", 100, digest)
        rows = []
        for number, (name, take) in enumerate(takes):
            clip = a_clip(f"{prompts[number % len(prompts)]}, {name}", image=image, take=take, aspect_ratio="16:9")
            rows.append(Row(number + 1, name, clip, ("aiml",), {"campaign": CAMPAIGNS[number % len(CAMPAIGNS)]}))
        ledger.plan(
            batch,
            str(self.folder / f"{batch}.csv"),
            f"s3://{self.bucket}/clips",
            rows,
            {row.clip.key: USD for row in rows},
        )
        films = [real_clip(self.folder / f"film-{i}.mp4", size, i) for i, size in enumerate(SIZES[:2])]
        for number, row in enumerate(rows):
            film, still = films[number % len(films)]
            key = object_key("clips", batch, row.id, row.clip.key)
            s3.put_object(Bucket=self.bucket, Key=key, Body=film.read_bytes(), ContentType="video/mp4")
            s3.put_object(Bucket=self.bucket, Key=poster_key(key), Body=still, ContentType="image/webp")
            attempt = ledger.mark_submitted(
                claim(ledger, row.clip.key, batch=batch).id, f"video_{clip_name(row.id, row.clip.key)}"
            )
            ready = ledger.record_completed(attempt, "https://cdn.example/clip.mp4", USD, 2_520_000)
            ledger.record_stored(
                ready.id,
                f"s3://{self.bucket}/{key}",
                hashlib.sha256(film.read_bytes()).hexdigest(),
                film.stat().st_size,
            )
        ledger.close()
        return [row.clip.key for row in rows]

    def many(self, count: int, batch: str = "monday") -> None:
        """So many delivered clips, all of one film: written past the ledger's own moves, which would take minutes."""
        (first,) = self.shoot([("first", "")], batch)
        engine = sa.create_engine(self.ledger_url)
        with engine.begin() as connection:
            for table, key in (("clip", "clip_key"), ("batch_row", "clip_key"), ("attempt", "clip_key")):
                (row,) = connection.execute(
                    sa.text(f"SELECT * FROM {table} WHERE {key} = :key"), {"key": first}
                ).mappings()
                rows = [_another(dict(row), table, n) for n in range(1, count)]
                names = ", ".join(map(str, row))
                connection.execute(
                    sa.text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in row)})"), rows
                )
        engine.dispose()

    @contextmanager
    def room(self, batch: str | None = None, author: str = "Ana") -> Iterator[str]:
        """A screening room in a thread of this process: its address."""
        ledger = self.ledger()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environ.items():
                if name.startswith("AWS_"):
                    patch.setenv(name, value)
            s3 = S3()
        with open_room(ledger, s3, batch, author, Trust()) as room:
            thread = threading.Thread(target=room.serve)
            thread.start()
            try:
                yield room.address
            finally:
                room.close()
                thread.join()
                ledger.close()

    @contextmanager
    def command(self, *options: str, **environ: str) -> Iterator[str]:
        """`dailies review --no-browser` in a process of its own, until Ctrl-C; gives the address that it printed first."""
        command = [sys.executable, "-m", "dailies", "review", "--no-browser", *options]
        process = subprocess.Popen(command, cwd=self.folder, env={**self.environ, **environ}, stdout=subprocess.PIPE,
                                   stderr=(self.folder / "review.log").open("a"), text=True)  # fmt: skip
        try:
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:"), (self.folder / "review.log").read_text()
            yield address
        finally:
            process.send_signal(signal.SIGINT)
            code = process.wait(30)
        assert code == 0, (self.folder / "review.log").read_text()

    def said(self) -> dict[str, str]:
        """What stands of each clip, by id and take."""
        ledger = self.ledger()
        rows = [row for batch in ledger.batches() for row in ledger.rows(batch)]
        ledger.engine.dispose()
        return {f"{row.id}/{row.clip.take or 1}": str(row.verdict.said.word) for row in rows if row.verdict}


MakeStudio = Callable[..., Studio]


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """A real S3 API in this process."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def make_studio(moto_url: str, tmp_path: Path) -> MakeStudio:
    """Studios of the test's own."""

    def make(ledger_url: str | None = None) -> Studio:
        bucket = f"room-{next(NUMBERS)}"
        s3_client(moto_url).create_bucket(Bucket=bucket)
        folder = tmp_path / bucket
        (folder / "home").mkdir(parents=True)
        return Studio(folder, moto_url, bucket, ledger_url or f"sqlite:///{folder / 'home' / 'ledger.db'}")

    return make


@pytest.fixture
def studio(make_studio: MakeStudio) -> Studio:
    """A studio whose ledger is SQLite."""
    return make_studio()


def _another(row: dict[str, object], table: str, n: int) -> dict[str, object]:
    """A copy of one record under another key."""
    key = hashlib.sha256(str(n).encode()).hexdigest()
    row |= {"clip_key": key}
    match table:
        case "clip":
            row |= {"prompt": f"shot {n}", "identity": key}
        case "batch_row":
            row |= {"number": n + 1, "row_id": f"shot-{n:05d}"}
        case "attempt":
            row |= {"id": f"{n:08x}.{key[:24]}", "generation_id": f"video_{n}"}
    return row


def _png(size: tuple[int, int]) -> bytes:
    out = io.BytesIO()
    Picture.open(io.BytesIO(gradient(size, 9))).save(out, "PNG")
    return out.getvalue()
