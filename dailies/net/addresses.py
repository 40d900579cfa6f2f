"""Which URLs may be opened, as far as their text and an address tell: pure, nothing is resolved here."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

import httpx

from dailies.errors import BadInput, Misconfigured

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

SAFE_URL_CHARS = 200
"""Longer URLs are shortened in messages."""

# Public unicast IPv6 is allocated from this block only (IANA IPv6 address space registry).
GLOBAL_UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
# IPv4 carried inside IPv6 by a translator (RFC 6052): the last 32 bits.
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# Special-purpose blocks (IANA registries) that Python 3.11's `is_global` calls public.
NOT_PUBLIC = (
    ipaddress.ip_network("192.0.0.0/24"),
    ipaddress.ip_network("192.88.99.0/24"),
    ipaddress.ip_network("3fff::/20"),
)


class UnsafeUrl(BadInput):
    """A URL that dailies won't open: not https, with a password in it, or leading into a private network."""


@dataclass(frozen=True, slots=True)
class Trust:
    """Hosts that may be plain http or private, as `host` (any port) or `host:port`, in canonical spelling."""

    hosts: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str | None, *also: str) -> Trust:
        """Read `127.0.0.1, minio.internal:9000, [::1]:9000`; raises Misconfigured on what isn't a host."""
        entries = [entry for chunk in (text or "", *also) for entry in chunk.replace(",", " ").split()]
        return cls(frozenset(map(_trusted_entry, entries)))

    def allows(self, host: str, port: int) -> bool:
        """Say whether this host is trusted at this port; upper and lower case and a final dot make no difference."""
        name = canonical_host(host)
        return name in self.hosts or f"{name}:{port}" in self.hosts


def safe_url(url: str | httpx.URL) -> str:
    """Give the URL without user, query and fragment (signed URLs are secrets), short enough for a message."""
    try:
        parsed = httpx.URL(url)
        text = str(parsed.copy_with(userinfo=b"", query=None, fragment=None))
    except (httpx.InvalidURL, TypeError, ValueError):
        return "(not a URL)"
    if parsed.scheme and not parsed.host:
        return f"{parsed.scheme}:…"  # data: holds a whole image
    return text if len(text) <= SAFE_URL_CHARS else text[:SAFE_URL_CHARS] + "…"


def check_url(url: str | httpx.URL, trust: Trust) -> httpx.URL:
    """Parse a URL that may be opened as far as its text tells; raises UnsafeUrl. Nothing is resolved here."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError, ValueError):
        raise UnsafeUrl("not a URL: write https://host/path") from None
    where = safe_url(parsed)
    if parsed.scheme not in ("http", "https"):
        raise UnsafeUrl(f"{where}: only https URLs are opened")
    if not parsed.host:
        raise UnsafeUrl(f"{where}: there is no host in this URL")
    if parsed.userinfo:
        raise UnsafeUrl(f"{where}: a URL with a user name or password in it is not opened")
    if parsed.scheme == "http" and not trust.allows(parsed.host, port_of(parsed)):
        raise UnsafeUrl(f"{where}: only https is opened (DAILIES_TRUSTED_HOSTS names hosts that may be plain http)")
    return parsed


def port_of(url: httpx.URL) -> int:
    """The port that is dialled for a URL."""
    return url.port or (443 if url.scheme == "https" else 80)


def is_public(address: str) -> bool:
    """Say whether an IP address, and each IPv4 address wrapped in it, is global unicast."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    wrapped = _wrapped(parsed)
    return all(_is_global_unicast(inner) for inner in wrapped or (parsed,))


def _is_global_unicast(address: Address) -> bool:
    if any(address in block for block in NOT_PUBLIC if block.version == address.version):
        return False
    if isinstance(address, ipaddress.IPv6Address) and address not in GLOBAL_UNICAST_V6:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _wrapped(address: Address) -> tuple[ipaddress.IPv4Address, ...]:
    """IPv4 addresses a packet to this IPv6 address would in truth go to."""
    if isinstance(address, ipaddress.IPv4Address):
        return ()
    if address.teredo is not None:
        return address.teredo
    if address in NAT64:
        return (ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF),)
    inner = address.ipv4_mapped or address.sixtofour
    return () if inner is None else (inner,)


def canonical_host(host: str) -> str:
    """A host in the one spelling in which hosts are compared: lower case, no final dot, IPv6 shortened and in brackets."""
    bare = host.strip("[]").rstrip(".").lower()
    try:
        return f"[{ipaddress.IPv6Address(bare)}]"
    except ValueError:
        return bare


def _trusted_entry(entry: str) -> str:
    """`Host:9000` → `host:9000`, `::1` → `[::1]`."""
    bare_v6 = entry.count(":") > 1 and not entry.startswith("[")
    try:
        url = httpx.URL(f"//[{entry}]" if bare_v6 else f"//{entry}")
    except httpx.InvalidURL:
        raise Misconfigured(f"trusted host {entry!r}: write host or host:port") from None
    if not url.host or url.userinfo or url.raw_path not in (b"", b"/"):
        raise Misconfigured(f"trusted host {entry!r}: write host or host:port, without https:// and path")
    return canonical_host(url.host) + (f":{url.port}" if url.port else "")
