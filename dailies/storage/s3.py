"""Any S3-compatible store: conditional puts with a checksum, a HEAD that agrees, and clear words when it refuses."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from dailies.errors import BadInput, Misconfigured
from dailies.net import Network

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from mypy_boto3_s3 import S3Client

REFUSED = {"AccessDenied", "403", "Forbidden", "NoSuchBucket", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken",
           "AllAccessDisabled", "AccountProblem", "InvalidBucketName", "PermanentRedirect", "401"}  # fmt: skip
"""Errors that will not go away by trying again: the store itself refuses us."""
PRECONDITION = {"PreconditionFailed", "412", "ConditionalRequestConflict", "409"}
POOL = 32
URI_LIFETIME_S = 24 * 3600  # a presigned input image must outlive the provider's queue


class StoreRefused(Misconfigured):
    """The bucket does not take our objects: access, name or credentials. Paid clips stay on disk until it does."""


class StoreTrouble(Exception):
    """The store failed or could not be reached; the same call may work a little later."""


class KeyTaken(Exception):
    """Another object already has this key."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as a HEAD shows it; `sha256` is hex, None where neither checksum nor metadata tell it."""

    key: str
    size_bytes: int
    sha256: str | None
    metadata: Mapping[str, str]


def parse_s3_uri(uri: str) -> tuple[str, str]:
    """Bucket and key (or prefix) of `s3://bucket/key`. Raises BadInput."""
    parts = urlsplit(uri.strip())
    if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc or parts.query:
        raise BadInput(f"{uri!r} is not an S3 address such as s3://bucket/prefix")
    return parts.netloc, parts.path.strip("/")


class S3:
    """One boto3 client, safe for threads, for all buckets."""

    def __init__(self, network: Network | None = None) -> None:
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
            # Every put carries its SHA-256 in a signed header, so its bytes need not be read once more to sign them.
            s3={"payload_signing_enabled": False},
            proxies={},  # never botocore's own reading of the environment: one rule holds for every client
        )
        network = network or Network.here()
        certificates = network.authorities.file()
        try:
            self.client: S3Client = boto3.client("s3", config=config, verify=certificates)
            proxy = network.routes.to(self.client.meta.endpoint_url).proxy
            if proxy:
                through = Config(proxies={"http": proxy.url, "https": proxy.url})
                self.client = boto3.client("s3", config=config.merge(through), verify=certificates)
        except (BotoCoreError, ValueError) as error:
            raise Misconfigured(f"S3 can't be used: {error}. Set AWS_* (region, keys) as for any AWS tool") from error

    def check_bucket(self, bucket: str) -> None:
        """Raise StoreRefused unless the bucket is there and lets us in."""
        self._call(bucket, "head_bucket", Bucket=bucket)

    def put_once(
        self, bucket: str, key: str, path: Path, sha256: str, content_type: str, metadata: Mapping[str, str]
    ) -> None:
        """Put a file where nothing is yet. Raises KeyTaken, StoreRefused or StoreTrouble."""
        checksum = base64.b64encode(bytes.fromhex(sha256)).decode()
        with path.open("rb") as body:
            self._call(
                bucket, "put_object", Bucket=bucket, Key=key, Body=body, IfNoneMatch="*", ChecksumSHA256=checksum,
                ContentType=content_type, ContentLength=path.stat().st_size, Metadata=ascii_metadata(metadata),
            )  # fmt: skip

    def put_bytes(self, bucket: str, key: str, content: bytes, content_type: str) -> str:
        """Put small content (reports, input images), replacing what was there. Returns its URI."""
        checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
        self._call(
            bucket, "put_object", Bucket=bucket, Key=key, Body=content, ChecksumSHA256=checksum, ContentType=content_type
        )  # fmt: skip
        return f"s3://{bucket}/{key}"

    def head(self, bucket: str, key: str) -> Stored | None:
        """What is stored under a key; None when nothing is."""
        try:
            found = self._call(bucket, "head_object", Bucket=bucket, Key=key, ChecksumMode="ENABLED")
        except KeyError:
            return None
        metadata = found.get("Metadata") or {}
        checksum = found.get("ChecksumSHA256")
        sha256 = base64.b64decode(checksum).hex() if checksum and "-" not in checksum else metadata.get("sha256")
        return Stored(key, found["ContentLength"], sha256, metadata)

    def read(self, bucket: str, key: str, max_bytes: int) -> bytes:
        """The first `max_bytes` of an object. Raises KeyError when there is none."""
        return bytes(self._call(bucket, "get_object", Bucket=bucket, Key=key)["Body"].read(max_bytes))

    def names(self, bucket: str, prefix: str) -> Iterator[str]:
        """The keys of all objects whose key begins with `prefix`."""
        return (key for key, _ in self.versions(bucket, prefix))

    def versions(self, bucket: str, prefix: str) -> Iterator[tuple[str, str]]:
        """Key and ETag of all objects whose key begins with `prefix`; the ETag changes when the content does."""
        more: dict[str, str] = {}
        while True:
            page = self._call(bucket, "list_objects_v2", Bucket=bucket, Prefix=prefix, **more)
            yield from ((entry["Key"], entry["ETag"]) for entry in page.get("Contents", ()))
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def presign(self, bucket: str, key: str, lifetime_s: int = URI_LIFETIME_S) -> str:
        """A URL under which anybody may read the object for a while."""
        return self.client.generate_presigned_url(
            "get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=lifetime_s
        )

    def _call(self, bucket: str, operation: str, **arguments: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return getattr(self.client, operation)(**arguments)
        except ClientError as error:
            raise self._explained(bucket, operation, error) from error
        except (BotoCoreError, OSError) as error:
            if type(error).__name__ in (
                "NoCredentialsError",
                "PartialCredentialsError",
                "ParamValidationError",
                "NoRegionError",
            ):
                raise StoreRefused(f"s3://{bucket}: {error}. Set AWS_* as for any AWS tool") from error
            raise StoreTrouble(f"s3://{bucket}: {type(error).__name__} on {operation}") from error

    def _explained(self, bucket: str, operation: str, error: ClientError) -> Exception:
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        if operation == "put_object" and (code in PRECONDITION or status == 412):
            return KeyTaken(str(arguments_key(error)))
        if code == "NoSuchKey" or (operation in ("head_object",) and status == 404):
            return KeyError(code)
        if (operation == "head_bucket" and status == 404) or code == "NoSuchBucket":
            return StoreRefused(f"there is no bucket {bucket}: create it, or name another with --to or DAILIES_TO")
        if code in REFUSED or status in (401, 403):
            return StoreRefused(
                f"s3://{bucket} refuses us ({code or status}): check the AWS_* credentials and the bucket's policy"
            )
        return StoreTrouble(f"s3://{bucket}: {code or status} on {operation}")


def arguments_key(error: ClientError) -> str:
    """The key an error speaks of, where the store says it."""
    return str(error.response.get("Error", {}).get("Key", "key taken"))


def ascii_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """Object metadata travels in headers: everything but printable ASCII is percent-encoded."""
    return {name: quote(value, safe=" /:;,.+=@_-()[]{}!*'") for name, value in metadata.items() if value}
