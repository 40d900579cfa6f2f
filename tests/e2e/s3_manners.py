"""How stores are that are not like ours: what they refuse, pass over in silence, or answer in another way."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Refusal = tuple[int, str, str]
Headers = list[tuple[str, str]]
Answer = tuple[int, Headers, bytes]


def _put_with(header: str, refusal: Refusal) -> Callable[[str, str, Mapping[str, str]], Refusal | None]:
    return lambda method, _, headers: (
        refusal if method == "PUT" and any(h.lower().startswith(header) for h in headers) else None
    )


def _put_without(header: str, value: str, refusal: Refusal) -> Callable[[str, str, Mapping[str, str]], Refusal | None]:
    return lambda method, _, headers: refusal if method == "PUT" and headers.get(header) != value else None


def _every(method: str, refusal: Refusal, part: str = "") -> Callable[[str, str, Mapping[str, str]], Refusal | None]:
    return lambda asked, path, _: refusal if asked == method and part in path else None


def _clips(refusal: Refusal) -> Callable[[str, str, Mapping[str, str]], Refusal | None]:
    """What appears only when the first clip comes."""
    return _every("PUT", refusal, ".mp4")


DENIED = (403, "AccessDenied", "explicit deny in a resource-based policy")
FULL = (507, "InsufficientStorage", "the cluster has no free volume")
QUOTA = (403, "QuotaExceeded", "the user's quota of 5 GiB is used up")
TOO_LARGE = (413, "EntityTooLarge", "client intended to send too large body")
"""As a proxy says that has nginx's own limit."""

REFUSALS: dict[str, Callable[[str, str, Mapping[str, str]], Refusal | None]] = {
    "checksum-400": _put_with("x-amz-checksum-", (400, "InvalidRequest", "x-amz-checksum-sha256 is not supported")),
    "checksum-501": _put_with("x-amz-checksum-", (501, "NotImplemented", "A header you provided is not implemented")),
    "conditional-501": _put_with("if-none-match", (501, "NotImplemented", "A header you provided is not implemented")),
    "conditional-400": _put_with("if-none-match", (400, "InvalidArgument", "If-None-Match")),
    "sse-required": _put_without("x-amz-server-side-encryption", "AES256", DENIED),
    "kms-required": _put_without("x-amz-server-side-encryption", "aws:kms", DENIED),
    "sse-501": _put_with("x-amz-server-side-encryption", (501, "NotImplemented", "no encryption here")),
    "class-400": _put_with("x-amz-storage-class", (400, "InvalidStorageClass", "no such class here")),
    "kms-disabled": _every("PUT", (400, "KMS.DisabledException", "arn:aws:kms:x is disabled")),
    "read-only": _every("PUT", DENIED),
    "full": _every("PUT", FULL),
    "quota": _every("PUT", QUOTA),
    "slow": _every("PUT", (503, "SlowDown", "reduce your rate")),
    "body-limit": lambda method, _, headers: TOO_LARGE if int(headers.get("Content-Length") or 0) > 1 << 20 else None,
    "no-read": _every("GET", DENIED, "probe"),
    "no-list": _every("GET", DENIED, "list-type=2"),
    "no-delete": _every("DELETE", DENIED),
    "clips-full": _clips(FULL),
    "clips-quota": _clips(QUOTA),
    "clips-limit": _clips(TOO_LARGE),
    "clips-checksum": lambda method, path, headers: (
        REFUSALS["checksum-400"](method, path, headers) if ".mp4" in path else None
    ),
}  # fmt: skip
"""Manner → what it says to (method, path, headers)."""

DROPS = {"ignores-conditional": ("if-none-match",), "ignores-metadata": ("x-amz-meta-clip-key",)}
"""Manner → headers that it passes over in silence."""


def _no_digest(method: str, path: str, status: int, headers: Headers, content: bytes) -> Answer:
    """Neither a checksum nor an MD5."""
    kept = [(n, v) for n, v in headers if n.lower() not in ("etag", "x-amz-checksum-sha256")]
    return status, [*kept, ("ETag", '"not-an-md5"')], content


def _missing_is_denied(method: str, path: str, status: int, headers: Headers, content: bytes) -> Answer:
    """As AWS answers a key that may not list, about what is not there."""
    if status != 404:
        return status, headers, content
    return 403, [("Content-Type", "application/xml")], b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"


def _garbled(method: str, path: str, status: int, headers: Headers, content: bytes) -> Answer:
    return status, headers, content[::-1] if method == "GET" and "/dailies-probe-" in path else content


MADE_UP = "continuation-token=nowhere"
"""A page that only the front knows of."""


def _truncated(token: str) -> Callable[[str, str, int, Headers, bytes], Answer]:
    """A listing that says that more follows, and sends on by this alone."""

    def changed(method: str, path: str, status: int, headers: Headers, content: bytes) -> Answer:
        content = content.replace(b"<IsTruncated>false<", f"{token}<IsTruncated>true<".encode())
        return status, headers, content

    return changed


CHANGES: dict[str, Callable[[str, str, int, Headers, bytes], Answer]] = {
    "no-digest": _no_digest, "no-list": _missing_is_denied, "garbles": _garbled, "no-token": _truncated(""),
    "same-token": _truncated("<NextContinuationToken>nowhere</NextContinuationToken><NextKeyMarker>nowhere</NextKeyMarker>"),
}  # fmt: skip
"""Manner → how it changes an answer."""
UNTOLD = {"no-length": {"HEAD", "GET"}, "no-length-in-head": {"HEAD"}}
"""Manner → whose answers leave Content-Length out."""
