"""Many links at once: boto3 signs the first, and as the others differ in nothing but their key, they are signed like it."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import parse_qs, quote, urlsplit

ALGORITHM = "AWS4-HMAC-SHA256"
UNRESERVED = "/~"  # beside letters, digits, `-`, `.` and `_`: what stands in a key's path as it is


class Presigner:
    """Links to objects of one bucket, made at one moment, each letter for letter what boto3 would have made of its key.

    `by_boto` signs any key; `secret` is the secret part of the key that it signs with, None where that is not known. Where
    the first link can't be made from these alone (another way of signing, a key that changed meanwhile), boto3 makes all.
    """

    def __init__(self, by_boto: Callable[[str], str], secret: str | None) -> None:
        self._by_boto, self._secret = by_boto, secret
        self._sign: Callable[[str], str] | None = None

    def __call__(self, key: str) -> str:
        """A link to what lies under a key."""
        if self._sign is None:
            first = self._by_boto(key)
            like = alike(first, key, self._secret) if self._secret else None
            self._sign = like.sign if like and like.sign(key) == first else self._by_boto
            return first
        return self._sign(key)


@dataclass(frozen=True, slots=True)
class Alike:
    """What the links of one bucket and moment have in common, by Signature Version 4 in a query."""

    origin: str
    host: str
    folder: str
    query: str
    sorted_query: str
    scope: str
    date: str
    signing_key: bytes

    def sign(self, key: str) -> str:
        """The link of one key."""
        path = self.folder + quote(key, safe=UNRESERVED)
        request = f"GET\n{path}\n{self.sorted_query}\nhost:{self.host}\n\nhost\nUNSIGNED-PAYLOAD"
        to_sign = "\n".join([ALGORITHM, self.date, self.scope, sha256(request.encode()).hexdigest()])
        signature = hmac.digest(self.signing_key, to_sign.encode(), "sha256").hex()
        return f"{self.origin}{path}?{self.query}&X-Amz-Signature={signature}"


def alike(link: str, key: str, secret: str) -> Alike | None:
    """What a link tells of all others; None for one that is signed in another way. Pure."""
    parts = urlsplit(link)
    query, _, signature = parts.query.rpartition("&X-Amz-Signature=")
    said = {name: values[0] for name, values in parse_qs(query).items()}
    scope = said.get("X-Amz-Credential", "").partition("/")[2]
    if not signature or said.get("X-Amz-Algorithm") != ALGORITHM or scope.count("/") != 3:
        return None
    signing_key = f"AWS4{secret}".encode()
    for word in scope.split("/"):
        signing_key = hmac.digest(signing_key, word.encode(), "sha256")
    folder = parts.path.removesuffix(quote(key, safe=UNRESERVED))
    host = parts.netloc.removesuffix({"http": ":80", "https": ":443"}[parts.scheme])
    in_order = "&".join(sorted(query.split("&")))
    origin = f"{parts.scheme}://{parts.netloc}"
    return Alike(origin, host, folder, query, in_order, scope, said["X-Amz-Date"], signing_key)
