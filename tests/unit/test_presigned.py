"""Ten thousand links are signed as boto3 signs each of them, and boto3 is asked for one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import boto3
import pytest
from botocore.config import Config

from dailies.storage.presigned import Presigner
from dailies.storage.s3 import S3

WEEK_S = 7 * 24 * 3600
KEYS = (
    "clips/monday/shot-1-0123456789ab.mp4",
    "clips/monday/shot-1-0123456789ab.webp",
    "Fälle/ä b/100% + more?.mp4",
    "a&b=c/d#e~f/(g)'h!*.mp4",
    "//twice//../x.mp4",
    "猫.mp4",
)


@pytest.fixture(autouse=True)
def one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of signing see the same clock, and no account but this one."""
    moment = datetime(2026, 11, 27, 8, 0, tzinfo=UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_: moment)
    monkeypatch.setattr("botocore.auth.time.time", moment.timestamp)  # the older signature's
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a/secret+key")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys for which boto3 was asked."""
    keys: list[str] = []
    by_boto = S3.presign

    def counted(self: S3, bucket: str, key: str, lifetime_s: int) -> str:
        keys.append(key)
        return by_boto(self, bucket, key, lifetime_s)

    monkeypatch.setattr(S3, "presign", counted)
    return keys


@pytest.mark.parametrize(
    ("endpoint", "token", "bucket"),
    [
        ("", "", "studio"),
        ("http://127.0.0.1:9000", "a//temporary+key==", "studio.with.dots"),
        ("http://store.example:80", "", "studio"),
    ],
)
def test_every_link_is_boto3s_own(
    endpoint: str, token: str, bucket: str, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    if token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    s3 = S3()

    sign = s3.presigner(bucket, WEEK_S)

    client = s3.client
    for key in KEYS:
        own = client.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=WEEK_S)
        assert sign(key) == own
    assert asked == [KEYS[0]]


@pytest.mark.parametrize("why", ["another version", "another key"])
def test_what_is_signed_in_another_way_is_left_to_boto3(
    why: str, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = S3()
    if why == "another version":
        s3.client = boto3.client("s3", config=Config(signature_version="s3"))
    else:
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", Another())

    sign = s3.presigner("studio", WEEK_S)

    assert [sign(key) for key in KEYS] == [s3.presign("studio", key, WEEK_S) for key in KEYS]
    assert asked == [*KEYS, *KEYS]


def test_without_the_secret_boto3_makes_all() -> None:
    by_boto: Callable[[str], str] = "https://store/{}?X-Amz-Signature=0".format

    sign = Presigner(by_boto, None)

    assert [sign("a"), sign("b")] == [by_boto("a"), by_boto("b")]


class Another:
    """A session whose key is no longer the one that signs."""

    def get_credentials(self) -> Another:
        return self

    def get_frozen_credentials(self) -> Another:
        return self

    secret_key = "another"
