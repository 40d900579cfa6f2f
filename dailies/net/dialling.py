"""How connections are opened: to vetted addresses, directly or through a proxy's tunnel.

Whatever fails in here has failed before a byte of the request was sent, and the error says so: ConnectError,
ConnectTimeout or ProxyError, which a paid request may be repeated after.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

import anyio
import httpcore

from dailies.net.addresses import Trust, UnsafeUrl, is_public
from dailies.net.network import Network
from dailies.net.routes import Proxy

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
SocketOptions = Iterable[httpcore.SOCKET_OPTION] | None

RESOLVE_S = 5.0
"""How long a name is looked up here before a proxy is left to judge it: many networks with proxies resolve nothing else."""
MAX_HEAD = 64 * 1024


async def system_resolve(host: str, port: int) -> Sequence[str]:
    """Ask the system for all addresses of a host; raises OSError when it has none."""
    found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(sockaddr[0] for *_, sockaddr in found))


@dataclass(frozen=True, slots=True)
class Vetting:
    """Refuses hosts that lead into a private network, unless they are trusted."""

    trust: Trust
    resolve: Resolver

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """All addresses of a host that is dialled directly; raises UnsafeUrl, or ConnectError when it has none."""
        try:
            addresses = await self.resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} can't be resolved: {error}") from error
        if not addresses:
            raise httpcore.ConnectError(f"{host} has no address")
        # All, not any: a name with one private address among public ones is a rebinding attempt, not a choice.
        if not self.trust.allows(host, port) and not all(map(is_public, addresses)):
            raise UnsafeUrl(f"{host} leads to a private address (DAILIES_TRUSTED_HOSTS names hosts that may)")
        return addresses

    async def before_proxy(self, host: str, port: int) -> None:
        """Refuse what can be seen from here; a name that only the proxy can resolve is the proxy's to judge."""
        try:
            with anyio.fail_after(RESOLVE_S):
                await self.addresses(host, port)
        except (httpcore.ConnectError, TimeoutError) as error:
            # 0x7f.1 and the like are addresses to some resolvers, the proxy's perhaps, and names to others.
            if re.fullmatch(r"(0x[0-9a-f]*|[0-9]+)", host.rstrip(".").rpartition(".")[2].lower()):
                raise UnsafeUrl(f"{host} is no host that is opened") from error


class DirectBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections, to addresses that it has resolved and checked itself where there is something to check."""

    def __init__(self, vetting: Vetting | None = None) -> None:
        self._vetting = vetting
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers."""
        if self._vetting is None:
            return await self._network.connect_tcp(host, port, timeout, local_address, socket_options)
        try:
            with anyio.fail_after(timeout):
                addresses = await self._vetting.addresses(host, port)
                return await self._first(addresses, port, timeout, local_address, socket_options)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"no connection to {host} within {timeout} s") from error

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: SocketOptions = None
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: a URL never leads to a local socket."""
        raise UnsafeUrl("local sockets are not opened")

    async def sleep(self, seconds: float) -> None:
        """Wait; httpcore asks for it between connection attempts."""
        await self._network.sleep(seconds)

    async def _first(
        self,
        addresses: Sequence[str],
        port: int,
        timeout: float | None,
        local_address: str | None,
        socket_options: SocketOptions,
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


class TunnelBackend(DirectBackend):
    """Opens connections for https: directly, or as a tunnel (CONNECT) through the proxy of the host's route.

    The tunnel is made here and not by httpcore, whose CONNECT waits as long as the request may: a proxy that keeps silent
    would be taken for a paid answer that was lost.
    """

    def __init__(self, network: Network, vetting: Vetting | None = None) -> None:
        super().__init__(vetting)
        self._rule = network

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: SocketOptions = None,
    ) -> httpcore.AsyncNetworkStream:
        """A connection to the host, or to the proxy with a tunnel to the host opened."""
        at = f"[{host}]" if ":" in host else host
        proxy = self._rule.routes.to(f"https://{at}:{port}").proxy
        if proxy is None:
            return await super().connect_tcp(host, port, timeout, local_address, socket_options)
        if self._vetting is not None:
            await self._vetting.before_proxy(host, port)
        try:
            with anyio.fail_after(timeout):
                stream = await self._to_proxy(proxy, socket_options)
                try:
                    await _open_tunnel(stream, proxy, f"{at}:{port}")
                except BaseException:
                    with anyio.CancelScope(shield=True):
                        await stream.aclose()
                    raise
                return stream
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(f"no tunnel to {host} within {timeout} s") from error

    async def _to_proxy(self, proxy: Proxy, socket_options: SocketOptions) -> httpcore.AsyncNetworkStream:
        try:
            stream = await self._network.connect_tcp(proxy.host, proxy.port, None, None, socket_options)
            if proxy.scheme == "https":
                return await stream.start_tls(self._rule.authorities.context(), proxy.host)
            return stream
        except httpcore.ConnectError as error:
            raise httpcore.ProxyError(f"the proxy can't be reached: {error}") from error


async def _open_tunnel(stream: httpcore.AsyncNetworkStream, proxy: Proxy, to: str) -> None:
    """Ask for the tunnel and read the answer. Raises ProxyError in the proxy's own words, such as 407."""
    login = f"Proxy-Authorization: {proxy.authorization}\r\n" if proxy.authorization else ""
    head = b""
    try:
        await stream.write(f"CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n{login}\r\n".encode("ascii"))
        while b"\r\n\r\n" not in head:
            more = await stream.read(4096)
            head += more
            if not more or len(head) > MAX_HEAD:
                raise httpcore.ProxyError("it hung up")
    except (httpcore.NetworkError, httpcore.TimeoutException) as error:
        raise httpcore.ProxyError(f"it hung up ({error})") from error
    answer = re.match(rb"HTTP/1\.[01] (\d{3}) ?([^\r\n]*)", head)
    if answer is None:
        raise httpcore.ProxyError("what answers there is no HTTP proxy")
    status, reason = answer[1].decode(), answer[2].decode("latin-1")
    if not status.startswith("2"):
        raise httpcore.ProxyError(f"{status} {reason}".strip())
