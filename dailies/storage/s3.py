"""Any S3-compatible store: conditional puts with a checksum where it takes them, a HEAD that agrees, and its own words
when it refuses."""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from dailies.errors import BadInput, Misconfigured
from dailies.net import Network
from dailies.storage.abilities import StoreAbilities, Writing
from dailies.storage.presigned import Presigner
from dailies.storage.refusals import KeyTaken, StoreRefused, StoreTrouble, refusal, unreachable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

POOL = 32
URI_LIFETIME_S = 24 * 3600  # a presigned input image must outlive the provider's queue
USUAL = StoreAbilities()
AS_THE_BUCKET_SAYS = Writing()
_UNREAD = re.compile(
    rb"<(LastModified|StorageClass|ChecksumAlgorithm|ChecksumType)>[^<]*</\1>|<Owner>.*?</Owner>", re.DOTALL
)

__all__ = ["S3", "KeyTaken", "StoreRefused", "StoreTrouble", "Stored", "parse_s3_uri"]


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as a HEAD shows it; `checksum` is the store's own SHA-256 in hex, None where it tells none."""

    key: str
    size_bytes: int
    checksum: str | None
    etag: str
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Opened:
    """An object, or a part of it, on its way: `content_range` is None for the whole, `chunks` are to be used up or closed.

    `size_bytes` is None where the answer does not tell its length, as behind some proxies.
    """

    size_bytes: int | None
    content_range: str | None
    content_type: str
    etag: str
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Body:
    """The content of one object, in memory or in a file, with its SHA-256 in hex."""

    content: bytes | Path
    sha256: str

    @classmethod
    def of(cls, content: bytes) -> Body:
        """Content in memory."""
        return cls(content, hashlib.sha256(content).hexdigest())

    @classmethod
    def in_file(cls, path: Path) -> Body:
        """Content in a file, read once for its digest."""
        with path.open("rb") as file:
            return cls(path, hashlib.file_digest(file, "sha256").hexdigest())

    @property
    def size_bytes(self) -> int:
        """How long it is."""
        return len(self.content) if isinstance(self.content, bytes) else self.content.stat().st_size


def parse_s3_uri(uri: str) -> tuple[str, str]:
    """Bucket and key (or prefix) of `s3://bucket/key`. Raises BadInput."""
    parts = urlsplit(uri.strip())
    if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc or parts.query:
        raise BadInput(f"{uri!r} is not an S3 address such as s3://bucket/prefix", trouble="no-destination")
    return parts.netloc, parts.path.strip("/")


class S3:
    """The client for all buckets, safe for threads. `writing` goes with every object that is put."""

    def __init__(self, writing: Writing = AS_THE_BUCKET_SAYS, network: Network | None = None) -> None:
        self.writing = writing
        self._network = network or Network.here()
        self._lock = threading.Lock()
        self._clients: dict[bool, S3Client] = {}
        self.client = self._client(signed=False)

    def with_writing(self, writing: Writing) -> S3:
        """The same store, written to in another way."""
        return S3(writing, self._network)

    @property
    def endpoint(self) -> str:
        """Where the store answers."""
        return str(self.client.meta.endpoint_url)

    def put(  # noqa: PLR0913 - what one request to the store says
        self, bucket: str, key: str, body: Body, content_type: str, metadata: Mapping[str, str], ways: StoreAbilities,
        over: str | None = None,
    ) -> None:  # fmt: skip
        """Put one object in the ways that the store takes; where those include conditional writes, only where nothing is, or
        where what is there has the ETag `over`.

        `metadata` is sent as it stands. Raises KeyTaken, StoreRefused or StoreTrouble.
        """
        arguments: dict[str, Any] = {
            "ContentType": content_type,
            "Metadata": dict(metadata),
            **self.writing.arguments(),
        }
        if ways.conditional:
            arguments |= {"IfMatch": over} if over else {"IfNoneMatch": "*"}
        if ways.checksum:
            arguments["ChecksumSHA256"] = base64.b64encode(bytes.fromhex(body.sha256)).decode()
        arguments |= {"Bucket": bucket, "Key": key, "ContentLength": body.size_bytes}
        if isinstance(body.content, bytes):
            self._call("put_object", ways.signed, Body=body.content, **arguments)
            return
        with body.content.open("rb") as file:
            self._call("put_object", ways.signed, Body=file, **arguments)

    def put_bytes(self, bucket: str, key: str, content: bytes, content_type: str, ways: StoreAbilities = USUAL) -> str:
        """Put small content (reports, posters, images), replacing what was there. Returns its URI.

        A store that does not take these ways is asked again with fewer headers.
        """
        return self.put_small(bucket, key, Body.of(content), content_type, ways)

    def put_small(self, bucket: str, key: str, body: Body, content_type: str, ways: StoreAbilities = USUAL) -> str:
        """The same of content in memory or in a file."""
        in_a_way_it_takes(
            replace(ways, conditional=False), lambda way: self.put(bucket, key, body, content_type, {}, way)
        )
        return f"s3://{bucket}/{key}"

    def head(self, bucket: str, key: str, blind: bool = False) -> Stored | None:
        """What is stored under a key; None when nothing is. `blind`: a 403 means nothing, for a key that may not list."""
        try:
            found = self._call("head_object", Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        except KeyError:
            return None
        except StoreRefused as error:
            if blind and error.status == 403:
                return None
            self.read(bucket, key, 1)  # a HEAD's refusal has no words, a GET's has
            raise
        checksum = found.get("ChecksumSHA256")
        whole = base64.b64decode(checksum).hex() if checksum and "-" not in checksum else None
        metadata = {
            name.lower(): value for name, value in (found.get("Metadata") or {}).items()
        }  # some spell `Clip-Key`
        size_bytes = found.get("ContentLength")
        if size_bytes is None:
            size_bytes = self._size_by_get(bucket, key)
        return Stored(key, size_bytes, whole, found.get("ETag", "").strip('"'), metadata)

    def _size_by_get(self, bucket: str, key: str) -> int:
        """How long an object is whose HEAD leaves that out, as some proxies do. Raises KeyError when there is none."""
        try:
            found = self._call("get_object", Bucket=bucket, Key=key, Range="bytes=0-0")
        except StoreRefused as error:
            if error.status == 416:  # it has not even one byte
                return 0
            raise
        found["Body"].close()
        # A range names the whole; without one the whole is what came.
        told = found["ContentRange"].rpartition("/")[2] if found.get("ContentRange") else found.get("ContentLength", "")
        if str(told).isdecimal():
            return int(told)
        raise StoreTrouble(
            f"s3://{bucket}/{key}: neither HEAD nor GET tells how long it is: what stands between here and the store leaves "
            "Content-Length out"
        )

    def read(self, bucket: str, key: str, max_bytes: int) -> bytes:
        """The first `max_bytes` of an object. Raises KeyError when there is none."""
        body = self._call("get_object", Bucket=bucket, Key=key)["Body"]
        return bytes(self._reading(bucket, body.read, max_bytes))

    def digest(self, bucket: str, key: str) -> str:
        """The SHA-256, in hex, of an object read back whole. Raises KeyError when there is none."""
        chunks = self._call("get_object", Bucket=bucket, Key=key)["Body"].iter_chunks(1 << 20)
        digest = hashlib.sha256()
        while chunk := self._reading(bucket, next, chunks, b""):
            digest.update(chunk)
        return digest.hexdigest()

    def sizes(self, bucket: str, prefix: str) -> Iterator[tuple[str, int]]:
        """Key and size of all objects whose key begins with `prefix`."""
        return ((entry["Key"], entry["Size"]) for entry in self._listed(bucket, prefix))

    def copy(self, source: tuple[str, str], bucket: str, key: str) -> None:
        """Copy an object inside the store, metadata and all. Raises KeyError when there is none."""
        place: dict[str, Any] = {"CopySource": {"Bucket": source[0], "Key": source[1]}, **self.writing.arguments()}
        self._call("copy_object", Bucket=bucket, Key=key, **place)

    def fetch(self, bucket: str, key: str, file: BinaryIO, from_byte: int = 0) -> None:
        """Write an object into an open file, from a byte on. Raises KeyError when there is none."""
        more: dict[str, Any] = {"Range": f"bytes={from_byte}-"} if from_byte else {}
        chunks = self._call("get_object", Bucket=bucket, Key=key, **more)["Body"].iter_chunks(1 << 20)
        while chunk := self._reading(bucket, next, chunks, b""):
            file.write(chunk)

    def open(self, bucket: str, key: str, byte_range: str | None = None) -> Opened:
        """An object whose bytes are still to come, or the part of it that an HTTP `Range` header asks for.

        Raises KeyError when there is none, and StoreRefused with the status 416 for a range that it does not have.
        """
        more: dict[str, Any] = {"Range": byte_range} if byte_range else {}
        found = self._call("get_object", Bucket=bucket, Key=key, **more)
        return Opened(
            found.get("ContentLength"), found.get("ContentRange"), found.get("ContentType", ""), found.get("ETag", ""),
            self._chunks(bucket, found["Body"]),
        )  # fmt: skip

    def _chunks(self, bucket: str, body: Any) -> Iterator[bytes]:
        try:
            chunks = body.iter_chunks(1 << 18)
            while chunk := self._reading(bucket, next, chunks, b""):
                yield chunk
        finally:
            body.close()

    def names(self, bucket: str, prefix: str) -> Iterator[str]:
        """The keys of all objects whose key begins with `prefix`."""
        return (key for key, _ in self.versions(bucket, prefix))

    def versions(self, bucket: str, prefix: str) -> Iterator[tuple[str, str]]:
        """Key and ETag of all objects whose key begins with `prefix`; the ETag changes when the content does."""
        return ((entry["Key"], entry.get("ETag", "")) for entry in self._listed(bucket, prefix))

    def _listed(self, bucket: str, prefix: str) -> Iterator[Any]:
        for page in self._pages("list_objects_v2", bucket, prefix, {"ContinuationToken": "NextContinuationToken"}):
            yield from page.get("Contents", ())

    def _pages(self, operation: str, bucket: str, prefix: str, marks: Mapping[str, str]) -> Iterator[Any]:
        """A listing's pages; `marks` are what a further page is asked by, with the names under which the page before says it.

        Raises StoreTrouble where a page says that more follows and not where, or leads back to one that was there.
        """
        more: dict[str, Any] = {}
        seen = [more]
        while True:
            page = self._call(operation, Bucket=bucket, Prefix=prefix, **more)
            yield page
            more = {asked: page[told] for asked, told in marks.items() if page.get(told)}
            if not page.get("IsTruncated", bool(more)):
                return
            if more in seen:
                raise StoreTrouble(
                    f"s3://{bucket}/{prefix}: its listing does not come to an end: a page says that more follows, and not "
                    "where. What stands between here and the store may change it"
                )
            seen.append(more)

    def delete(self, bucket: str, key: str) -> None:
        """Delete one object; it may be gone already."""
        self._call("delete_object", Bucket=bucket, Key=key)

    def all_versions(self, bucket: str, prefix: str) -> Iterator[tuple[str, str, bool]]:
        """Key, version and whether it is the latest, of all that a bucket keeps below a prefix, delete markers too.

        Raises StoreRefused where the key may not see them; nothing where the bucket never kept versions.
        """
        marks = {"KeyMarker": "NextKeyMarker", "VersionIdMarker": "NextVersionIdMarker"}
        for page in self._pages("list_object_versions", bucket, prefix, marks):
            for entry in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                yield entry["Key"], entry["VersionId"], entry["IsLatest"]

    def delete_version(self, bucket: str, key: str, version: str) -> None:
        """Delete one version of an object for good."""
        self._call("delete_object", Bucket=bucket, Key=key, VersionId=version)

    def presign(self, bucket: str, key: str, lifetime_s: int = URI_LIFETIME_S) -> str:
        """A URL under which anybody may read the object for a while."""
        return self.client.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=lifetime_s
        )

    def presigner(self, bucket: str, lifetime_s: int) -> Presigner:
        """The same for many objects of a bucket, quickly: to be used at once, for all links count from the first one's moment."""
        import boto3

        found = boto3.DEFAULT_SESSION.get_credentials() if boto3.DEFAULT_SESSION else None
        secret = found.get_frozen_credentials().secret_key if found else None
        return Presigner(lambda key: self.presign(bucket, key, lifetime_s), secret)

    def _client(self, signed: bool) -> S3Client:
        with self._lock:
            if signed not in self._clients:
                self._clients[signed] = _connect(self._network, signed)
            return self._clients[signed]

    def _call(self, operation: str, signed: bool = False, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        bucket = arguments["Bucket"]
        try:
            return getattr(self._client(signed), operation)(**arguments)
        except ClientError as error:
            raise refusal(operation, arguments, error) from error
        except (BotoCoreError, OSError) as error:
            raise unreachable(bucket, operation, self.endpoint, error, self._network) from error

    def _reading(self, bucket: str, step: Any, *arguments: Any) -> bytes:
        """One step through a body; a connection that breaks in it is trouble like any other."""
        from botocore.exceptions import BotoCoreError
        from urllib3.exceptions import HTTPError

        try:
            return bytes(step(*arguments))
        except (BotoCoreError, HTTPError, OSError) as error:
            raise unreachable(bucket, "get_object", self.endpoint, error, self._network) from error


def _connect(network: Network, signed: bool) -> S3Client:
    """A boto3 client that goes the way of every client of ours. Raises Misconfigured."""
    import boto3  # a fifth of a second, which nobody pays who only checks files on disk
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    config = Config(
        max_pool_connections=POOL,
        connect_timeout=10,
        read_timeout=120,
        retries={"mode": "standard", "total_max_attempts": 4},
        request_checksum_calculation="when_required",
        signature_version="s3v4",
        # A put carries its SHA-256 in a signed header, so its bytes need not be read once more to sign them.
        s3={"payload_signing_enabled": signed},
        proxies={},  # never botocore's own reading of the environment: one rule holds for every client
    )
    certificates = network.authorities.file()
    try:
        client: S3Client = boto3.client("s3", config=config, verify=certificates)
        proxy = network.routes.to(client.meta.endpoint_url).proxy
        if proxy:
            through = Config(proxies={"http": proxy.url, "https": proxy.url})
            client = boto3.client("s3", config=config.merge(through), verify=certificates)
    except (BotoCoreError, ValueError) as error:
        raise Misconfigured(
            f"S3 can't be used: {error}. Set AWS_* (region, keys) as for any AWS tool", trouble="store"
        ) from error
    client.meta.events.register("before-parse.s3.ListObjectsV2", _keys_and_sizes)
    return client


def in_a_way_it_takes(ways: StoreAbilities, put: Callable[[StoreAbilities], None]) -> StoreAbilities:
    """Put in these ways, or in plainer ones until the store takes it. Returns the way; raises the first refusal."""
    first: StoreRefused | None = None
    for way in ways.plainer():
        if first and first.denied and not way.signed:
            continue  # no header but a signature turns a 403
        try:
            put(way)
            return way
        except StoreRefused as error:
            first = first or error
            if not error.may_be_a_header:
                break
    assert first
    raise first


def _keys_and_sizes(response_dict: dict[str, Any], **_: Any) -> None:
    """Nothing here asks when an object was written, by whom or in which class; reading that takes most of a listing's time."""
    response_dict["body"] = _UNREAD.sub(b"", response_dict["body"])
