"""How the configured Prefect API is asked without loading Prefect, with what its own client would show; and what ails it."""

from __future__ import annotations

import json
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import httpx

from dailies.errors import Misconfigured
from dailies.net import Network
from dailies.net.authorities import certificate_trouble
from dailies.prefect_api.address import configured

CERTIFICATES = "PREFECT_API_SSL_CERT_FILE"
HEADERS = "PREFECT_CLIENT_CUSTOM_HEADERS"
YES = ("1", "true", "t", "yes", "y", "on")


def ask_api(api_url: str, path: str, timeout_s: float, params: Mapping[str, str] | None = None) -> httpx.Response:
    """One GET below the API's address: through the proxy that leads there, with its password or key. Blocks.

    Raises Misconfigured when a proxy, a certificate's file or the headers of one's own are no use, and httpx.HTTPError when
    nothing answers.
    """
    network = network_to_api()
    network.routes.check()  # Prefect's own client reads the same variables, and fails without a word of theirs
    proxy = network.routes.to(api_url).proxy
    return httpx.get(
        f"{api_url.rstrip('/')}/{path}", params=params, timeout=timeout_s, trust_env=False, headers=_headers(),
        verify=_context(network), proxy=proxy.url if proxy else None,
    )  # fmt: skip


def api_trouble(api_url: str, error: Exception) -> str:
    """What ails the API and what mends it, in one sentence. It never sends anybody to another ledger."""
    where = f"the Prefect API at {api_url}"
    status = _status(error)
    if status in (401, 403):
        return (
            f"{where} does not let us in ({status}): set PREFECT_API_AUTH_STRING=user:password, or PREFECT_API_KEY, "
            f"to what it asks for; {HEADERS} to what a gateway before it does"
        )
    if status == 407:
        return f"the proxy before the Prefect API at {api_url} asks for a password (407): write it into its address"
    if status in (404, 405) or isinstance(error, ValueError):
        return f"at {api_url} there is no Prefect API: its address ends in /api, below the path that a proxy gives it"
    if status is not None:
        return f"{where} can't answer now ({status}): see its log"
    if reason := certificate_trouble(error):
        return (
            f"{where} does not answer, for its certificate is not accepted ({reason}): name the file of its authority in "
            f"{CERTIFICATES}"
        )
    return f"{where} does not answer ({type(error).__name__}): see that it runs, and that PREFECT_API_URL is right"


def _status(error: Exception) -> int | None:
    """The status that the API answered, where it did; Prefect wraps some of them in errors of its own."""
    answered: Any = error if isinstance(error, httpx.HTTPStatusError) else getattr(error, "http_exc", None)
    return int(answered.response.status_code) if isinstance(answered, httpx.HTTPStatusError) else None


def _headers() -> dict[str, str]:
    """The password or key, and what a gateway before the API asks for, which wins: as Prefect's client has it."""
    text = configured("custom_headers", of="client")
    try:
        own = json.loads(text) if text else {}
    except ValueError:
        own = None
    if not isinstance(own, dict):
        raise Misconfigured(f"{HEADERS} is not a JSON object of names and values", trouble="prefect")
    headers = httpx.Headers(_authorization())
    headers.update({str(name): str(value) for name, value in own.items()})
    return dict(headers)


def _authorization() -> dict[str, str]:
    """The password, else the key: in the order of Prefect's client."""
    if pair := configured("auth_string"):
        return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
    if key := configured("key"):
        return {"Authorization": f"Bearer {key}"}
    return {}


def network_to_api() -> Network:
    """The environment's proxies and authorities, and beside them the one that Prefect is told of."""
    network, file = Network.here(), configured("ssl_cert_file")
    if not file:
        return network
    authorities = network.authorities
    return replace(network, authorities=replace(authorities, named=(*authorities.named, (CERTIFICATES, file))))


def _context(network: Network) -> ssl.SSLContext:
    """What certificates are checked by; nothing where Prefect is told not to look."""
    if (configured("tls_insecure_skip_verify") or "").lower() not in YES:
        return network.authorities.context()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context
