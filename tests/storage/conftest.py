"""A store for each test: moto behind a front with manners, and a real SeaweedFS."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from dailies.storage.s3 import S3
from tests.e2e.fixtures import engine, make_world, services, world
from tests.e2e.harness import s3_client
from tests.e2e.s3_proxy import FaultyStore
from tests.storage.seaweed import Seaweed

__all__ = ["engine", "make_world", "services", "world"]
NUMBERS = count(1)


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    """The address of an S3 server in this process."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def front(moto_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyStore]:
    """A store whose manners a test chooses, and at which boto3's environment points."""
    with FaultyStore(moto_url) as store:
        _point_at(monkeypatch, store.url)
        yield store


@pytest.fixture
def bucket(moto_url: str) -> str:
    """A bucket of the test's own."""
    name = f"probe-{next(NUMBERS)}"
    s3_client(moto_url).create_bucket(Bucket=name)
    return name


@pytest.fixture
def s3(front: FaultyStore) -> S3:
    """Our client, at the front."""
    return S3()


@pytest.fixture(scope="session")
def seaweed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seaweed]:
    """A store that none of us wrote, from its wheel; started once."""
    with Seaweed(Path(tmp_path_factory.mktemp("seaweed"))) as server:
        yield server


@pytest.fixture
def sea_bucket(seaweed: Seaweed, monkeypatch: pytest.MonkeyPatch) -> str:
    """A bucket there, at which boto3's environment points."""
    _point_at(monkeypatch, seaweed.url)
    name = f"sea-{next(NUMBERS)}"
    s3_client(seaweed.url).create_bucket(Bucket=name)
    return name


def _point_at(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # it remembers the key of whoever asked first in this process
