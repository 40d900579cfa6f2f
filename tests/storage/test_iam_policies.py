"""The policies of deployments/iam, at a server that enforces them: each call of ours passes, nothing else does, and each line is needed.

The server knows users, actions and resources, and no conditions. What these say of listings is laid beside the prefixes that were asked.
"""

from __future__ import annotations

import copy
import fnmatch
import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from moto.core.authorization import enable_iam_authentication

from dailies.forget.store import remove
from dailies.report.links import poster_key
from dailies.steps.places import Listings
from dailies.storage import s3 as client
from dailies.storage.probe import try_store
from dailies.storage.s3 import S3, USUAL, Body, StoreRefused
from tests.e2e.forks import ROOT
from tests.e2e.harness import World, s3_client
from tests.e2e.s3_proxy import FaultyStore

Policy = dict[str, Any]
SHIPPED: dict[str, Policy] = {
    path.stem: json.loads(path.read_text()) for path in sorted((ROOT / "deployments" / "iam").glob("*.json"))
}
CLIP, CSV, ELSEWHERE = "clips/week-47/sunrise-0123456789ab.mp4", "prompts/week-47.csv", "books/2026.csv"
NOW = datetime(2026, 11, 27, 6, tzinfo=UTC)


@pytest.fixture
def studio(moto_url: str) -> Iterator[str]:
    """The bucket that the policies name, as it lies there before anybody of ours comes: with versions, and other people's objects."""
    s3 = s3_client(moto_url)
    s3.create_bucket(Bucket="studio")
    s3.put_bucket_versioning(Bucket="studio", VersioningConfiguration={"Status": "Enabled"})
    for key in (CLIP, poster_key(CLIP), CSV, ELSEWHERE):
        s3.put_object(Bucket="studio", Key=key, Body=b"content")
    yield moto_url
    for version in (listed := s3.list_object_versions(Bucket="studio")).get("Versions", []) + listed.get(
        "DeleteMarkers", []
    ):
        s3.delete_object(Bucket="studio", Key=version["Key"], VersionId=version["VersionId"])
    s3.delete_bucket(Bucket="studio")


def key_with(policy: Policy, server: str, name: str) -> dict[str, str]:
    """A user's own key, who may do what a policy says; its conditions left out, for the server knows none."""
    known = copy.deepcopy(policy)
    for statement in known["Statement"]:
        statement.pop("Condition", None)
    iam = boto3.Session("test", "test", region_name="us-east-1").client("iam", endpoint_url=server)
    iam.create_user(UserName=name)
    iam.put_user_policy(UserName=name, PolicyName="dailies", PolicyDocument=json.dumps(known))
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": made["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"]}


As = Callable[[Policy], S3]


@pytest.fixture
def signed_in(studio: str, front: FaultyStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[As]:
    """Our client with a key that may do what a policy says; from here on the server enforces."""
    made: list[str] = []

    def as_one(policy: Policy) -> S3:
        made.append(f"user-{len(made)}")
        with pytest.MonkeyPatch.context() as unenforced:
            unenforced.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", float("inf"))
            for name, value in key_with(policy, studio, made[-1]).items():
                monkeypatch.setenv(name, value)
        monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
        return S3()

    with enable_iam_authentication():
        yield as_one
    iam = boto3.Session("test", "test", region_name="us-east-1").client("iam", endpoint_url=studio)
    for name in made:
        for key in iam.list_access_keys(UserName=name)["AccessKeyMetadata"]:
            iam.delete_access_key(UserName=name, AccessKeyId=key["AccessKeyId"])
        iam.delete_user_policy(UserName=name, PolicyName="dailies")
        iam.delete_user(UserName=name)


def _puts(s3: S3) -> None:
    s3.put("studio", f"clips/{id(s3)}.mp4", Body.of(b"a clip"), "video/mp4", {"clip-key": "0"}, USUAL)
    s3.put_bytes("studio", "clips/week-47/index.html", b"a report", "text/html")


def _reads(s3: S3) -> None:
    assert s3.head("studio", CLIP) and s3.head("studio", "clips/not-there") is None
    assert s3.read("studio", CLIP, 7) == b"".join(s3.open("studio", CLIP, "bytes=0-").chunks) == b"content"
    s3.fetch("studio", CLIP, file := io.BytesIO())
    assert s3.digest("studio", CLIP) == Body.of(file.getvalue()).sha256
    assert s3.presign("studio", CLIP).startswith("http")


def _lists(s3: S3) -> None:
    assert CLIP in [*s3.names("studio", "clips/")]
    assert Listings(s3).holds(f"s3://studio/{CLIP}", len(b"content"))


def _tries(s3: S3) -> None:
    found = try_store(s3, "studio", "clips", NOW)
    if not (found.may_list and found.may_delete):
        raise StoreRefused(f"it was found that {', '.join(found.sentences())}")
    assert try_store(s3, "studio", "clips/another-place", NOW) == found


def _copies(s3: S3) -> None:
    s3.copy(("studio", CLIP), "studio", "clips/week-48/sunrise-0123456789ab.mp4")


def _forgets(s3: S3) -> None:
    removed = remove(s3, {("studio", poster_key(CLIP))}, lambda _done, _all: None)
    if removed.notes:
        raise StoreRefused(removed.notes[0])
    assert [*s3.all_versions("studio", poster_key(CLIP))] == []


def _reads_prompts(s3: S3) -> None:
    assert s3.read("studio", CSV, 7) == b"content"


CALLS: dict[str, list[Callable[[S3], None]]] = {
    "worker": [_tries, _puts, _reads, _lists, _copies, _reads_prompts],
    "forget": [_tries, _puts, _reads, _lists, _forgets],
}
"""Policy → what is done with it."""


def everything(name: str, s3: S3) -> None:
    """All that is done with one policy. Raises StoreRefused at the first call that does not pass."""
    for call in CALLS[name]:
        call(s3)


def test_every_policy_is_tried_with_every_call_that_the_client_has() -> None:
    asked = set(re.findall(r'_(?:call|pages)\("(\w+)"', Path(str(client.__file__)).read_text()))
    known = {
        "put_object",
        "head_object",
        "get_object",
        "copy_object",
        "list_objects_v2",
        "list_object_versions",
        "delete_object",
    }
    assert SHIPPED.keys() == CALLS.keys() and asked == known, "a new call needs a permission, and its try here"


@pytest.mark.parametrize("name", SHIPPED)
def test_every_call_of_ours_passes(name: str, signed_in: As, front: FaultyStore) -> None:
    s3 = signed_in(SHIPPED[name])
    everything(name, s3)
    assert unlistable(front, SHIPPED[name]) == []


def without(policy: Policy, sid: str, action: str) -> Policy:
    """The same policy with one action less."""
    less = copy.deepcopy(policy)
    for statement in less["Statement"]:
        if statement["Sid"] == sid:
            statement["Action"] = [one for one in actions(statement) if one != action] or ["s3:GetBucketLocation"]
    return less


def actions(statement: dict[str, Any]) -> list[str]:
    """What one statement allows."""
    said: str | list[str] = statement["Action"]
    return [said] if isinstance(said, str) else said


LINES = [
    (name, one["Sid"], action)
    for name, policy in SHIPPED.items()
    for one in policy["Statement"]
    for action in actions(one)
]


@pytest.mark.parametrize(("name", "sid", "action"), LINES)
def test_no_line_may_be_left_out(name: str, sid: str, action: str, signed_in: As) -> None:
    s3 = signed_in(without(SHIPPED[name], sid, action))
    with pytest.raises(StoreRefused):
        everything(name, s3)


def _denied(s3: S3, operation: str, **arguments: Any) -> bool:
    from botocore.exceptions import ClientError

    try:
        getattr(s3.client, operation)(**({"Bucket": "studio"} | arguments))
    except ClientError as error:
        return int(error.response["ResponseMetadata"]["HTTPStatusCode"]) == 403
    return False


BEYOND: dict[str, dict[str, Any]] = {
    "get_object": {"Key": ELSEWHERE},
    "put_object": {"Key": ELSEWHERE, "Body": b""},
    "delete_object": {"Key": ELSEWHERE},
    "delete_bucket": {},
    "put_bucket_policy": {"Policy": "{}"},
    "put_bucket_versioning": {"VersioningConfiguration": {"Status": "Suspended"}},
    "put_object_acl": {"Key": CLIP, "ACL": "public-read"},
    "list_multipart_uploads": {},
}
"""What nobody of ours may."""
WORKERS_MAY_NOT: dict[str, dict[str, Any]] = {
    "delete_object": {"Key": CLIP},
    "put_object": {"Key": CSV, "Body": b""},
    "list_object_versions": {"Prefix": "clips/"},
}


@pytest.mark.parametrize("name", SHIPPED)
def test_nothing_else_passes(name: str, signed_in: As) -> None:
    s3 = signed_in(SHIPPED[name])
    assert [operation for operation, said in BEYOND.items() if not _denied(s3, operation, **said)] == []
    if name == "worker":
        assert [one for one, said in WORKERS_MAY_NOT.items() if not _denied(s3, one, **said)] == []


def unlistable(store: FaultyStore, policy: Policy) -> list[str]:
    """The listings that were asked for and that the conditions of a policy do not let through."""
    allowed = [one["Condition"]["StringLike"]["s3:prefix"] for one in policy["Statement"] if "Condition" in one]
    assert allowed, "listings are bound to a prefix"
    queries = [parse_qs(urlsplit(path).query, keep_blank_values=True) for method, path in store.seen if method == "GET"]
    listed = [query.get("prefix", [""])[0] for query in queries if "list-type" in query or "versions" in query]
    assert listed, "something was listed"
    return [prefix for prefix in listed if not any(fnmatch.fnmatchcase(prefix, one) for one in allowed)]


def test_a_whole_batch_its_report_and_a_fresh_ledger_need_no_more(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = json.loads(json.dumps(SHIPPED["worker"]).replace("studio", world.bucket))
    key: dict[str, Any] = {**key_with(policy, world.services.s3_url, f"worker-{world.bucket}")}
    world.csv(2)
    with enable_iam_authentication():
        monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
        assert world.run(**key).json["delivered"] == 2
        fresh: dict[str, Any] = {
            **key,
            "DAILIES_HOME": str(world.folder / "fresh"),
            "DAILIES_LEDGER_URL": f"sqlite:///{world.folder}/fresh.db",
        }
        assert world.command("doctor", "--adopt", **fresh).stderr.count("adopted s3://") == 2
        assert world.run(**fresh).code == 0
    assert len(world.charges()) == 2 and unlistable(world.store, policy) == []
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
