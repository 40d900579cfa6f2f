"""Addresses without what is signed anew each time: the same picture under a fresh signature is the same picture.

A parameter that may name the content (`id`, `file`, `v`, `w`, …) is never left out: two pictures must not become one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import quote, unquote_plus, urlsplit, urlunsplit

GENERAL: Final = frozenset({
    "token", "access_token", "auth_token", "exp", "expires", "expiry", "sig", "signature", "policy", "hmac",
    "key-pair-id", "expirationtimestamp", "security-token", "awsaccesskeyid", "googleaccessid",
    "ossaccesskeyid", "accesskeyid", "hdnts", "hdnea", "__token__", "__cld_token__", "token_path",
    "token_countries", "tempauth", "authkey", "jwt", "x-expires", "x-signature"
})  # fmt: skip
"""Names that mean a signature or its end wherever they stand: CloudFront, S3 and GCS version 2, OSS, OBS, Akamai, …"""
PREFIXES: Final = (
    "x-amz-", "x-goog-", "x-oss-signature", "x-oss-credential", "x-oss-date", "x-oss-expires", "x-oss-security",
    "x-oss-additional-headers", "x-obs-signature", "x-obs-credential", "x-obs-date", "x-obs-expires", "x-obs-security",
    "x-tos-", "x-cos-security", "q-sign-", "q-ak", "q-key-", "q-header-", "q-url-", "q-signature",
)  # fmt: skip
"""AWS version 4, Google, Alibaba, Huawei, Volcengine, Tencent. `x-oss-process` shapes the picture and stays."""
AZURE: Final = frozenset({
    "sv", "ss", "srt", "sp", "se", "st", "spr", "sig", "sr", "si", "sip", "skoid", "sktid", "skt", "ske",
    "sks", "skv", "saoid", "suoid", "scid", "sdd", "ses"
})  # fmt: skip
"""A shared access signature; these short names mean it only beside `sig` and `sv`."""
BY_HOST: Final[tuple[tuple[tuple[str, ...], frozenset[str]], ...]] = (
    (("discordapp.com", "discordapp.net"), frozenset({"ex", "is", "hm"})),
    (("dropbox.com", "dropboxusercontent.com"), frozenset({"st", "e", "dl"})),
    (("googleusercontent.com", "drive.google.com"), frozenset({"at", "uuid", "confirm", "authuser"})),
    (("fbcdn.net", "cdninstagram.com"), frozenset({"oh", "oe", "ccb", "_nc_ohc", "_nc_oc", "_nc_gid", "_nc_zt", "_nc_ht"})),
    (("backblazeb2.com",), frozenset({"authorization"})),
    (("slack.com",), frozenset({"t", "pub_secret"})),
    (("imgix.net",), frozenset({"s"})),
    (("airtable.com", "airtableusercontent.com"), frozenset({"ts", "userid", "cs", "viewid"})),
)  # fmt: skip
"""Hosts with short names of their own for the same."""
IN_THE_PATH: Final = re.compile(r"/s--[A-Za-z0-9_-]{8,64}--(?=/)")
"""Cloudinary writes its signature into the path."""
UNNAMED: Final = ("airtableusercontent.com",)
"""Hosts whose whole path is encrypted anew for each link: such an address names nothing, only its bytes do."""


def is_address(text: str) -> bool:
    """Whether the text is an http(s) address."""
    return text[:8].lower().startswith(("http://", "https://"))


def names_its_content(address: str) -> bool:
    """Whether the same picture has the same address tomorrow, signatures aside."""
    return not _is_at(_host(address), UNNAMED)


def unsigned(address: str) -> str:
    """The address as identity knows it: no signature, no fragment, host in lower case, what needs it percent-encoded.

    An address that has nothing of all this is returned as it is; so is what is no address.
    """
    if not is_address(address):
        return address
    try:
        parts = urlsplit(address)
        host = _host(address)
    except ValueError:
        return address
    pairs = [(pair, unquote_plus(pair.partition("=")[0]).casefold()) for pair in parts.query.split("&")]
    drops = _signing({name for _, name in pairs}, host)
    query = "&".join(pair for pair, name in pairs if not drops(name))
    path = IN_THE_PATH.sub("", parts.path)
    return urlunsplit((parts.scheme.lower(), parts.netloc.lower(), _encoded(path), _encoded(query), ""))


def _signing(names: set[str], host: str) -> Callable[[str], bool]:
    """Which parameters of an address with these names are its signature."""
    extra = AZURE if {"sig", "sv"} <= names else frozenset()
    for hosts, own in BY_HOST:
        if _is_at(host, hosts):
            extra |= own
    return lambda name: name in GENERAL or name in extra or name.startswith(PREFIXES)


def _host(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_at(host: str, domains: tuple[str, ...]) -> bool:
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def _encoded(text: str) -> str:
    """Blanks and letters beyond ASCII percent-encoded; what is encoded already, and all else, stays as written."""
    return text if text.isascii() and " " not in text else quote(text, safe="!#$%&'()*+,/:;=?@[]~")
