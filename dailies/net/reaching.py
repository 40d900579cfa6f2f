"""Whether a host can be reached at all, before anything is bought: a connection, the tunnel, the certificate, and no more."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from functools import partial

import anyio
import httpcore
import httpx

from dailies.errors import Misconfigured
from dailies.net.addresses import port_of, safe_url
from dailies.net.dialling import DirectBackend, TunnelBackend
from dailies.net.network import Network
from dailies.patience import tried_again

AWAY = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProxyError, TimeoutError)
CONNECT_S = 10.0
PAUSES_S = (0.5, 1.5)
"""Between three tries: a dropped packet is no reason to refuse a batch."""


async def reach(network: Network, url: str) -> datetime | None:
    """Open a connection to the URL's host by the rule, send nothing, and close it. Returns when its certificate ends; None
    without TLS.

    Raises Misconfigured that says which host, by which way, and what was in the way.
    """
    try:
        return await tried_again(partial(_in_time, network, httpx.URL(url)), PAUSES_S, *AWAY)
    except AWAY as error:
        detail = f"{safe_url(url)} can't be reached: {network.describe(url, error)}"
        raise Misconfigured(detail, trouble="network") from error


async def _in_time(network: Network, url: httpx.URL) -> datetime | None:
    with anyio.fail_after(CONNECT_S):
        return await _connect(network, url)


async def _connect(network: Network, url: httpx.URL) -> datetime | None:
    ends = None
    proxy = network.routes.to(url).proxy
    if url.scheme == "http":
        host, port = (proxy.host, proxy.port) if proxy else (url.host, port_of(url))
        stream = await DirectBackend().connect_tcp(host, port, CONNECT_S)
    else:
        stream = await TunnelBackend(network).connect_tcp(url.host, port_of(url), CONNECT_S)
        stream = await stream.start_tls(network.authorities.context(), url.host, CONNECT_S)
        certificate = stream.get_extra_info("ssl_object").getpeercert()
        ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    await stream.aclose()
    return ends
