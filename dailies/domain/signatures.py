"""Which parameters of an address are its signature, by what the stores that sign write.

A name that could choose a picture is a signature only in the company and in the form that its store documents: `e=5` stays,
and `e=1764300000` beside Qiniu's `token` goes. A time and a digest that are folders (Tencent's and Alibaba's types B and C)
stay, for a path of one's own looks the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

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

ByHost = tuple[tuple[tuple[str, ...], frozenset[str]], ...]
BY_HOST: Final[ByHost] = (
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

LATER: Final = frozenset({
    "auth_key", "auth_info", "authorization", "hdntl", "_upt", "ik-s", "ik-t", "wssecret", "wstime", "txsecret", "txtime",
    "kssaccesskeyid", "ucloudpublickey", "x-bce-security-token",
})  # fmt: skip
"""As in `GENERAL`, known since 0.2.0: the CDNs of Alibaba, Volcengine, Huawei, Wangsu and Tencent, UpYun, ImageKit, Kingsoft,
UCloud, Baidu."""
LATER_BY_HOST: Final[ByHost] = (
    (("myqcloud.com",), frozenset({"sign"})),
    (("licdn.com",), frozenset({"e", "t"})),
    (("sinaimg.cn",), frozenset({"ssig", "kid"})),
)
_TIME: Final = r"[1-9]\d{9}"
_DIGEST: Final = r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}"
_MD5_IN_BASE64: Final = r"[\w-]{22}"


class Company(NamedTuple):
    """Names that mean a signature together, each with the form of its value.

    `sole`: only where nothing else signs the address, for beside another signature it may be the content's own digest.
    """

    forms: Mapping[str, str]
    sole: bool = False


LATER_TOGETHER: Final = (
    Company({"e": _TIME, "token": r"[\w-]+:[\w-]+=*"}),  # Qiniu
    Company({"sign": rf"\w+-\w*-\w*-({_DIGEST})"}),  # Tencent's CDN, type A
    Company({"sign": _DIGEST, "t": rf"{_TIME}|[0-9a-f]{{8}}"}),  # type D
    Company({"sign": _DIGEST, "expires": _TIME}),
    Company({"sign": r"q-sign-algorithm=.+"}),  # its store, before version 5
    Company({"verify": rf"{_TIME}-[\w+/-]{{20,}}=*"}),  # Cloudflare
    Company({"secure": rf"[\w-]{{22}}=*,{_TIME}"}),  # CDN77
    Company({"token": r".+", "expire": _TIME}),  # KeyCDN
    Company({"st": _MD5_IN_BASE64, "e": _TIME}),  # nginx, and Gcore
    Company({"md5": _MD5_IN_BASE64, "expires": _TIME}, sole=True),
    Company({"s": r"[0-9a-f]{32}", "expires": _TIME}, sole=True),  # imgix under a name of one's own
    Company({"pbs": r".+", "pbe": _TIME}),  # Pixelbin
)
IN_THE_PATH_THEN: Final = re.compile(r"/s--[A-Za-z0-9_-]{8,64}--(?=/)")
"""Cloudinary writes its signature into the path."""
IN_THE_PATH: Final = re.compile(
    rf"{IN_THE_PATH_THEN.pattern}|/bcdn_token=[^/]+(?=/)|/hdn(?:tl|ts|ea)=[^/]*hmac=[0-9a-f]{{40,64}}(?=/)"
)
"""So do Bunny and Akamai."""


def signing_then(pairs: Sequence[tuple[str, str]], host: str) -> frozenset[str]:
    """The names that mean a signature, by what was known before 0.2.0, of an address with these parameters."""
    names = {name for name, _ in pairs}
    extra = AZURE if {"sig", "sv"} <= names else frozenset()
    general = {name for name in names if name in GENERAL or name.startswith(PREFIXES)}
    return frozenset(general | extra | _at(host, BY_HOST))


def signing(pairs: Sequence[tuple[str, str]], host: str) -> frozenset[str]:
    """The names that mean a signature in an address with these parameters, each with its value."""
    known = signing_then(pairs, host) | LATER | _at(host, LATER_BY_HOST)
    together = (company.forms.keys() for company in LATER_TOGETHER if _is_there(company, pairs))
    return known.union(*together)


def is_at(host: str, domains: tuple[str, ...]) -> bool:
    """Whether a host is one of these domains, or below one."""
    return any(host == domain or host.endswith(f".{domain}") for domain in domains)


def _at(host: str, by_host: ByHost) -> frozenset[str]:
    return frozenset[str]().union(*(names for hosts, names in by_host if is_at(host, hosts)))


def _is_there(company: Company, pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether each of its names stands there once, in its form. A name that stands there twice chooses something."""
    values = [[value for name, value in pairs if name == wanted] for wanted in company.forms]
    if company.sole and any(name.endswith(("sign", "sig", "signature", "token", "hmac")) for name, _ in pairs):
        return False
    forms = company.forms.values()
    return all(
        len(found) == 1 and re.fullmatch(form, found[0], re.IGNORECASE | re.ASCII)
        for found, form in zip(values, forms, strict=True)
    )
