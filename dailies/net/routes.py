"""Which way a host is reached: directly, or through a proxy of the environment. Pure: variables and a URL in, a route out.

    HTTPS_PROXY, HTTP_PROXY, ALL_PROXY   `http://user:password@proxy.example:3128`, for https and http URLs, and for both
    NO_PROXY                             what is reached directly: `*`, hosts with all below them, addresses, CIDR blocks,
                                         each with or without a port, separated by commas or blanks

As with curl, Python and boto3, the lower case name goes before the upper case one. This machine is never proxied.
"""

from __future__ import annotations

import ipaddress
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from dailies.errors import Misconfigured
from dailies.net.addresses import canonical_host, port_of


@dataclass(frozen=True, slots=True)
class Proxy:
    """A forward proxy. Shown as `HTTPS_PROXY=http://proxy.example:3128`: without the user and the password in it."""

    variable: str
    scheme: str
    host: str
    port: int
    url: str = field(repr=False)
    authorization: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.variable}={self.scheme}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Route:
    """The way to a host: through `proxy`, or directly where it is None, for the reason `why`."""

    proxy: Proxy | None
    why: str = ""

    def __str__(self) -> str:
        return f"through the proxy of {self.proxy}" if self.proxy else f"directly ({self.why})"


@dataclass(frozen=True, slots=True)
class Exempt:
    """One entry of NO_PROXY. `host` covers all hosts below it, `network` the addresses in it; no `port` means every port."""

    text: str
    host: str = ""
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None
    port: int | None = None

    def covers(self, host: str, port: int) -> bool:
        """Whether a host in canonical spelling is reached directly at this port because of this entry."""
        if self.port not in (None, port):
            return False
        if self.network is not None:
            address = _address(host)
            return address is not None and address.version == self.network.version and address in self.network
        return self.host == "*" or host == self.host or host.endswith(f".{self.host}")


@dataclass(frozen=True, slots=True)
class Routes:
    """The proxies of an environment, by the scheme of a URL, and what goes past them."""

    proxies: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    exempt: tuple[Exempt, ...] = ()
    exempt_by: str = "NO_PROXY"

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Routes:
        """Take the variables as they are; one that can't be used is refused when a route leads through it."""
        proxies = {}
        for scheme in ("http", "https"):
            named = _variable(environ, f"{scheme}_proxy") or _variable(environ, "all_proxy")
            if named:
                proxies[scheme] = named
        name, text = _variable(environ, "no_proxy") or ("NO_PROXY", "")
        entries = filter(None, map(_exempt, text.replace(",", " ").split()))
        return cls(proxies, tuple(entries), name)

    def check(self) -> None:
        """Raise Misconfigured for a proxy that can't be used, whichever URL leads through it: other programs of ours read
        the same variables."""
        for named in self.proxies.values():
            read_proxy(*named)

    def to(self, url: str | httpx.URL) -> Route:
        """The way to the host of an http or https URL. Raises Misconfigured that names the variable of an unusable proxy."""
        url = httpx.URL(url)
        host = canonical_host(url.raw_host.decode("ascii"))
        if is_this_machine(host):
            return Route(None, "this machine")
        named = self.proxies.get(url.scheme)
        if named is None:
            return Route(None, "no proxy is set")
        for entry in self.exempt:
            if entry.covers(host, port_of(url)):
                return Route(None, f"{entry.text} in {self.exempt_by}")
        return Route(read_proxy(*named))


def is_this_machine(host: str) -> bool:
    """Whether a host is written as this machine itself: `localhost`, what is below it, and loopback addresses."""
    name = canonical_host(host)
    address = _address(name)
    return address.is_loopback if address else name == "localhost" or name.endswith(".localhost")


def read_proxy(variable: str, text: str) -> Proxy:
    """Read a proxy's address, with or without a scheme. Raises Misconfigured, which does not repeat a password."""
    wanted = f"{variable} is not the address of a proxy, such as http://proxy.example:3128"
    try:
        url = httpx.URL(text if "://" in text else f"http://{text}")
        port = url.port or (443 if url.scheme == "https" else 80)
    except (httpx.InvalidURL, ValueError):
        raise Misconfigured(wanted, trouble="network") from None
    if url.scheme.startswith("socks"):
        raise Misconfigured(
            f"{variable} names a SOCKS proxy, and none is spoken here: give the address of an HTTP proxy, "
            "or name the hosts that are reached without one in NO_PROXY",
            trouble="network",
        )
    readable = url.scheme in ("http", "https") and re.fullmatch(r"[\w.:-]+", url.host) and port <= 65535
    if not readable:
        raise Misconfigured(wanted, trouble="network")
    login = None
    if url.userinfo:
        login = "Basic " + b64encode(f"{url.username}:{url.password}".encode()).decode()
    return Proxy(variable, url.scheme, url.host, port, str(url.copy_with(path="/")), login)


def _variable(environ: Mapping[str, str], name: str) -> tuple[str, str] | None:
    """A variable's name as it is spelled there, and its value. An empty one in lower case switches the other off."""
    for spelling in (name, name.upper()):
        if spelling == "HTTP_PROXY" and "REQUEST_METHOD" in environ:
            continue  # in a CGI program that is a header of the request (CVE-2016-5385)
        if spelling in environ:
            value = environ[spelling].strip()
            return (spelling, value) if value else None
    return None


def _exempt(text: str) -> Exempt | None:
    """Read one entry; what can't be read covers nothing."""
    bare = text.lower().rpartition("://")[2]
    try:
        return Exempt(text, network=ipaddress.ip_network(bare, strict=False))
    except ValueError:
        pass
    host, port = bare, None
    name, colon, digits = bare.rpartition(":")
    if colon and digits.isascii() and digits.isdigit():
        host, port = name, int(digits)
    try:
        return Exempt(text, network=ipaddress.ip_network(host.strip("[]"), strict=False), port=port)
    except ValueError:
        pass
    try:
        host = httpx.URL(f"//{host.removeprefix('*').strip('.')}").raw_host.decode("ascii") if host != "*" else host
    except httpx.InvalidURL:
        return None
    return Exempt(text, host=host, port=port) if host else None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that a host is written as, an IPv4 address in IPv6 spelling as the IPv4 address."""
    try:
        address = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
