"""httpx's transport over httpcore's pools, with connections opened by our own rule."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import httpcore
import httpx

from dailies.net.addresses import port_of
from dailies.net.dialling import DirectBackend, TunnelBackend, Vetting
from dailies.net.network import Network
from dailies.net.routes import Proxy

Pool = httpcore.AsyncConnectionPool
BEFORE_SENDING = (httpcore.ConnectError, httpcore.ConnectTimeout, httpcore.ProxyError)


class RoutedTransport(httpx.AsyncBaseTransport):
    """Sends each request by its host's route: https directly or through a tunnel, http directly or as a proxy asks for it.

    With `vetting`, hosts that lead into a private network are refused (UnsafeUrl), also behind a proxy as far as it can be
    seen from here. Certificates are read when the first https request comes; Misconfigured says what is wrong with them or
    with a proxy's address.
    """

    def __init__(
        self,
        network: Network,
        vetting: Vetting | None = None,
        *,
        max_connections: int | None,
        max_keepalive_connections: int,
        keepalive_expiry_s: float = 5,
    ) -> None:
        self._network, self._vetting = network, vetting
        self._limits = {
            "max_connections": max_connections,
            "max_keepalive_connections": max_keepalive_connections,
            "keepalive_expiry": keepalive_expiry_s,
        }
        self._pools: dict[str, Pool] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request, one answer; nothing is followed or repeated."""
        proxy = self._network.routes.to(request.url).proxy
        forward = proxy if request.url.scheme == "http" else None
        if forward and self._vetting:
            await self._vetting.before_proxy(request.url.host, port_of(request.url))
        url = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        with self._errors(request):
            answer = await self._pool(request.url.scheme, forward).handle_async_request(
                httpcore.Request(
                    request.method,
                    url,
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
            if forward and answer.status == 407:  # only the proxy says this: the host never saw the request
                await answer.aclose()
                raise httpcore.ProxyError("407 Proxy Authentication Required")
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(self, request, answer), extensions=answer.extensions
        )

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            await pool.aclose()

    def _pool(self, scheme: str, forward: Proxy | None) -> Pool:
        name = f"{scheme} {forward.url if forward else ''}"
        if name not in self._pools:
            self._pools[name] = self._new_pool(scheme, forward)
        return self._pools[name]

    def _new_pool(self, scheme: str, forward: Proxy | None) -> Pool:
        if scheme == "https":
            context = self._network.authorities.context()
            backend = TunnelBackend(self._network, self._vetting)
            return Pool(ssl_context=context, network_backend=backend, **self._limits)  # type: ignore[arg-type]
        if forward is None:
            return Pool(network_backend=DirectBackend(self._vetting), **self._limits)  # type: ignore[arg-type]
        at = httpcore.URL(scheme=forward.scheme, host=forward.host, port=forward.port, target="/")
        return httpcore.AsyncHTTPProxy(
            at,
            proxy_headers=[("Proxy-Authorization", forward.authorization)] if forward.authorization else None,
            proxy_ssl_context=self._network.authorities.context() if forward.scheme == "https" else None,
            **self._limits,  # type: ignore[arg-type]
        )

    @contextmanager
    def _errors(self, request: httpx.Request) -> Iterator[None]:
        """httpcore's errors as httpx's of the same name, with the way and the cause where no connection came about."""
        try:
            yield
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError,
                httpcore.UnsupportedProtocol) as error:  # fmt: skip
            text = self._network.describe(request.url, error) if isinstance(error, BEFORE_SENDING) else str(error)
            raise getattr(httpx, type(error).__name__)(text, request=request) from error


class _Body(httpx.AsyncByteStream):
    """The answer's bytes, with errors as httpx's."""

    def __init__(self, transport: RoutedTransport, request: httpx.Request, answer: httpcore.Response) -> None:
        self._transport, self._request, self._answer = transport, request, answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with self._transport._errors(self._request):  # noqa: SLF001 - one module, two halves of one thing
            async for part in self._answer.aiter_stream():
                yield part

    async def aclose(self) -> None:
        await self._answer.aclose()
