"""Fetching URLs that other people wrote: only public addresses, nothing of ours sent along.

A result URL comes from a provider and an image URL from a CSV, so both could point into the private network.
The name is resolved once, every address it has must be public, and the connection goes to an address that was
checked, so a second DNS answer can't swap it. TLS (SNI, certificate) and the Host header keep the name.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy

import anyio
import httpcore
import httpx

from dailies.errors import BadInput, Misconfigured

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

MAX_REDIRECTS = 3
MAX_CONNECTIONS = 100
"""Sockets of one client; more downloads at once than this wait for each other."""

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
        name = _canonical(host)
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
    port = parsed.port or (443 if parsed.scheme == "https" else 80)
    if parsed.scheme == "http" and not trust.allows(parsed.host, port):
        raise UnsafeUrl(f"{where}: only https is opened (DAILIES_TRUSTED_HOSTS names hosts that may be plain http)")
    return parsed


def is_public(address: str) -> bool:
    """Say whether an IP address, and each IPv4 address wrapped in it, is global unicast."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    wrapped = _wrapped(parsed)
    return all(_is_global_unicast(inner) for inner in wrapped or (parsed,))


def vetted_client(
    trust: Trust,
    *,
    user_agent: str,
    connect_timeout_s: float = 10,
    read_timeout_s: float = 60,
    resolve: Resolver | None = None,
) -> httpx.AsyncClient:
    """Make a client without key, cookies, proxies or redirects that connects to public or trusted addresses only.

    A refused address raises UnsafeUrl from the request. Timeouts are in seconds; `read_timeout_s` is the longest
    silence, not the whole answer. `resolve` turns (host, port) into addresses; the system's resolver by default.
    """
    return httpx.AsyncClient(
        transport=_VettedTransport(VettedBackend(trust, resolve or system_resolve)),
        headers={"User-Agent": user_agent, "Accept": "*/*", "Accept-Encoding": "identity"},
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        timeout=httpx.Timeout(read_timeout_s, connect=connect_timeout_s),
        follow_redirects=False,
        trust_env=False,
    )


@asynccontextmanager
async def get_vetted(
    client: httpx.AsyncClient,
    url: str | httpx.URL,
    trust: Trust,
    *,
    max_redirects: int = MAX_REDIRECTS,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[httpx.Response]:
    """Stream the answer to a GET; each redirect is checked like the URL itself, and closed unread.

    `client` comes from `vetted_client`. Raises UnsafeUrl, and httpx.HTTPError (TooManyRedirects among them).
    """
    target = check_url(url, trust)
    for _ in range(max_redirects + 1):
        async with client.stream("GET", target, headers=headers, follow_redirects=False) as response:
            if response.next_request is None:
                yield response
                return
            target = check_url(response.next_request.url, trust)
    raise httpx.TooManyRedirects(f"{safe_url(url)}: more than {max_redirects} redirects")


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system for all addresses of a host; raises OSError when it has none."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(sockaddr[0] for *_, sockaddr in found))


class VettedBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections to addresses it has resolved and checked itself; raises UnsafeUrl for the others."""

    def __init__(self, trust: Trust, resolve: Resolver) -> None:
        """Keep what is trusted and how names become addresses."""
        self._trust = trust
        self._resolve = resolve
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers, once all of them are found public or the host is trusted."""
        try:
            with anyio.fail_after(timeout):
                addresses = await self._vetted(host, port)
                return await self._first(addresses, port, timeout, local_address, socket_options)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"no connection to {host} within {timeout} s") from error

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: a URL never leads to a local socket."""
        raise UnsafeUrl("local sockets are not opened")

    async def sleep(self, seconds: float) -> None:
        """Wait; httpcore asks for it between connection attempts."""
        await self._network.sleep(seconds)

    async def _vetted(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} can't be resolved: {error}") from error
        if not addresses:
            raise httpcore.ConnectError(f"{host} has no address")
        # All, not any: a name with one private address among public ones is a rebinding attempt, not a choice.
        if not self._trust.allows(host, port) and not all(map(is_public, addresses)):
            raise UnsafeUrl(f"{host} leads to a private address (DAILIES_TRUSTED_HOSTS names hosts that may)")
        return addresses

    async def _first(
        self,
        addresses: Sequence[str],
        port: int,
        timeout: float | None,
        local_address: str | None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None,
    ) -> httpcore.AsyncNetworkStream:
        *others, last = addresses
        # A dead address must leave time for the next one, so each but the last gets its share only.
        share = None if timeout is None else timeout / len(addresses)
        for address in others:
            try:
                return await self._network.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._network.connect_tcp(last, port, timeout, local_address, socket_options)


def certificates() -> ssl.SSLContext:
    """What every client of ours checks certificates by, read once: that takes a twentieth of a second.

    The environment may add a company's CA (SSL_CERT_FILE, SSL_CERT_DIR); it can't switch verification off.
    """
    return _certificates(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))


@cache
def _certificates(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    return httpx.create_ssl_context(verify=True, trust_env=True)


class _VettedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport over a pool with our network backend, for which httpx has no public argument."""

    def __init__(self, backend: VettedBackend) -> None:
        super().__init__(verify=certificates(), trust_env=False)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=certificates(),
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=20,
            keepalive_expiry=5,
            network_backend=backend,
        )


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


def _canonical(host: str) -> str:
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
    return _canonical(url.host) + (f":{url.port}" if url.port else "")
