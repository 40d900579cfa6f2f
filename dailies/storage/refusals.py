"""What a store's error means: refused for good, or trouble that may pass. The store's own words are always kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dailies.errors import Misconfigured, Trouble
from dailies.net import Network
from dailies.net.authorities import certificate_trouble

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

PASSING = {"SlowDown", "RequestTimeout", "ThrottlingException", "Throttling", "RequestLimitExceeded", "BandwidthLimitExceeded",
           "OperationAborted", "BadDigest", "InvalidDigest", "IncompleteBody", "XAmzContentSHA256Mismatch",
           "XAmzContentChecksumMismatch", "RequestTimeTooSkewed", "TooManyRequests", "ServiceUnavailable", "InternalError",
           "KMS.ThrottlingException", "ThrottledException"}  # fmt: skip
"""Codes in a 4xx that the same request may not meet again: the bytes were garbled on the way, or the store was busy."""
PASSING_STATUS = {408, 409, 425, 429}
LASTING_5XX = {501, 505, 507}
"""Not implemented, wrong version, no room: nothing that a second try would change."""
PRECONDITION = {"PreconditionFailed", "412", "ConditionalRequestConflict"}
UNCURABLE = {"NoSuchBucket", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "InvalidBucketName",
             "PermanentRedirect", "AllAccessDisabled", "AccountProblem", "InvalidStorageClass", "QuotaExceeded",
             "InvalidObjectState", "EntityTooLarge", "MetadataTooLarge"}  # fmt: skip
"""Refusals that no other header would turn."""
NO_ROOM = re.compile(r"quota|insufficient|full|no space|exceed", re.IGNORECASE)
PERMISSIONS = {
    "put_object": "s3:PutObject", "head_object": "s3:GetObject", "get_object": "s3:GetObject",
    "list_objects_v2": "s3:ListBucket", "delete_object": "s3:DeleteObject",
}  # fmt: skip
TOO_LARGE = (
    "what is as large as a clip is not let through, most likely by a proxy before the store: raise its limit for bodies "
    "(nginx: client_max_body_size), or name another place with --to"
)
MOST_WORDS = 300


class StoreRefused(Misconfigured):
    """The store does not take our objects, and will not when asked again. Paid clips stay on disk until it does.

    `status` is the HTTP status, None where there was none; `code` the store's word for it.
    """

    trouble: Trouble = "store"

    def __init__(self, words: str, code: str = "", status: int | None = None) -> None:
        super().__init__(words)
        self.code, self.status = code, status

    @property
    def denied(self) -> bool:
        """Whether it is the key, or the bucket's policy, that forbids it."""
        return self.status in (401, 403) and self.code not in UNCURABLE

    @property
    def may_be_a_header(self) -> bool:
        """Whether the same object might be taken with fewer headers."""
        return self.status in (400, 403, 405, 411, 412, 501, 505) and self.code not in UNCURABLE


class StoreTrouble(Exception):
    """The store failed or could not be reached; the same call may work a little later."""


class KeyTaken(Exception):
    """Another object already has this key."""


def refusal(operation: str, arguments: Mapping[str, Any], error: ClientError) -> Exception:
    """The error of one call as KeyTaken, KeyError, StoreRefused or StoreTrouble."""
    bucket, key = str(arguments["Bucket"]), str(arguments.get("Key") or arguments.get("Prefix") or "")
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") or 0
    conditional = operation == "put_object" and not {"IfNoneMatch", "IfMatch"}.isdisjoint(arguments)
    if conditional and (code in PRECONDITION or status in (409, 412)):
        return KeyTaken(key)
    if code == "NoSuchKey" or (operation in ("head_object", "get_object") and status == 404 and code != "NoSuchBucket"):
        return KeyError(code)
    if code == "NoSuchBucket":
        return StoreRefused(
            f"there is no bucket {bucket}: create it, or name another with --to or DAILIES_TO", code, 404
        )
    said = _said(error, code, status)
    if code in PASSING or status in PASSING_STATUS or (status >= 500 and status not in LASTING_5XX):
        return StoreTrouble(f"s3://{bucket}: {said} on {operation}")
    what = operation.removesuffix("_v2").replace("_", " ")
    return StoreRefused(
        f"s3://{bucket} refuses us ({what} {key}: {said}): {_cure(operation, code, status, said)}", code, status
    )


def _said(error: ClientError, code: str, status: int) -> str:
    """`403 AccessDenied: the store's own sentence`; a HEAD's answer has no sentence."""
    message = " ".join(str(error.response.get("Error", {}).get("Message") or "").split())[:MOST_WORDS]
    head = str(status) if code in ("", str(status)) else f"{status} {code}"
    return f"{head}: {message}" if message and message != code else head


def _cure(operation: str, code: str, status: int, said: str) -> str:
    match code:
        case "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken":
            return "check the AWS_* credentials"
        case "InvalidStorageClass":
            return "set DAILIES_S3_STORAGE_CLASS to a class that this store has"
        case "InvalidObjectState":
            return "clips of this storage class can't be read back: set another DAILIES_S3_STORAGE_CLASS"
    if "kms" in f"{code} {said}".lower():
        return (
            "the key needs kms:GenerateDataKey and kms:Decrypt on the KMS key; DAILIES_S3_SSE_KMS_KEY_ID names the key"
        )
    if status == 413 or code == "EntityTooLarge":
        return TOO_LARGE
    if status == 507 or (operation == "put_object" and NO_ROOM.search(said)):
        return "make room there, raise the quota, or name another place with --to"
    if status in (401, 403, 405):
        permission = PERMISSIONS.get(operation, f"s3:{operation}")
        return f"{permission} is missing there: check the AWS_* credentials and the bucket's policy"
    return "the store can't do what this request asks for"


def unreachable(bucket: str, operation: str, endpoint: str, error: BaseException, network: Network) -> Exception:
    """An error without an answer: which host was asked, by which way, and the innermost cause (TLS, DNS, proxy, time-out)."""
    name = type(error).__name__
    if name in ("NoCredentialsError", "PartialCredentialsError", "ParamValidationError", "NoRegionError"):
        return StoreRefused(f"s3://{bucket}: {error}. Set AWS_* as for any AWS tool")
    host = urlsplit(endpoint).netloc.rpartition("@")[2]
    route = network.routes.to(endpoint)
    via = f" {route}" if route.proxy else ""
    cause, refused = _innermost(error), certificate_trouble(error)
    if refused:
        cause = f"its certificate is not accepted: {refused}, checked by {network.authorities}"
    return StoreTrouble(f"s3://{bucket}: {host} can't be reached{via} ({name} on {operation}: {cause})")


def _innermost(error: BaseException) -> str:
    """The first cause in words, without addresses' queries or objects' names in memory."""
    seen: set[int] = set()
    words = ""
    while id(error) not in seen:
        seen.add(id(error))
        text = getattr(error, "strerror", None) or getattr(error, "verify_message", None)
        if text is None and type(error) is OSError:  # a proxy's answer to CONNECT
            text = str(error)
        words = str(text) if text else words
        inner = getattr(error, "kwargs", {}).get("error") or getattr(error, "reason", None)
        error = inner if isinstance(inner, BaseException) else error.__cause__ or error.__context__ or error
    return words or type(error).__name__
