"""Fetching URLs that other people wrote: only public addresses, nothing of ours sent along.

A result URL comes from a provider and an image URL from a CSV, so both could point into the private network.
The name is resolved once, every address it has must be public, and the connection goes to an address that was
checked, so a second DNS answer can't swap it. TLS (SNI, certificate) and the Host header keep the name.

Through a proxy the connection is the proxy's to open. What can be seen from here is refused all the same: a private
address in any spelling, and a name that resolves here to one. A name that only the proxy can resolve is its to judge.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from dailies.net.addresses import Trust, check_url, safe_url
from dailies.net.dialling import Resolver, Vetting, system_resolve
from dailies.net.network import Network
from dailies.net.transport import RoutedTransport

MAX_REDIRECTS = 3
MAX_CONNECTIONS = 100
"""Sockets of one client; more downloads at once than this wait for each other."""


def vetted_client(
    trust: Trust,
    *,
    user_agent: str,
    connect_timeout_s: float = 10,
    read_timeout_s: float = 60,
    resolve: Resolver | None = None,
    network: Network | None = None,
) -> httpx.AsyncClient:
    """Make a client without key, cookies or redirects that reaches public or trusted addresses only.

    A refused address raises UnsafeUrl from the request. Timeouts are in seconds; `read_timeout_s` is the longest
    silence, not the whole answer. `resolve` turns (host, port) into addresses; the system's resolver by default.
    """
    return httpx.AsyncClient(
        transport=RoutedTransport(
            network or Network.here(),
            Vetting(trust, resolve or system_resolve),
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=20,
        ),
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
    auth: httpx.Auth | None = None,
    headers: Mapping[str, str] | None = None,
) -> AsyncIterator[httpx.Response]:
    """Stream the answer to a GET; each redirect is checked like the URL itself, and closed unread. `auth` is shown to this
    URL alone: to where it redirects, if only to itself, nothing is shown. `headers` go everywhere.

    `client` comes from `vetted_client`. Raises UnsafeUrl, and httpx.HTTPError (TooManyRedirects among them).
    """
    target = check_url(url, trust)
    for _ in range(max_redirects + 1):
        async with client.stream("GET", target, auth=auth, headers=headers, follow_redirects=False) as response:
            if response.next_request is None:
                yield response
                return
            target, auth = check_url(response.next_request.url, trust), None
    raise httpx.TooManyRedirects(f"{safe_url(url)}: more than {max_redirects} redirects")
