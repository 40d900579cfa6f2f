"""How other hosts are reached, by one rule for every client: proxies, certificates, and which addresses are opened at all."""

from dailies.net.addresses import Trust, UnsafeUrl, check_url, is_public, safe_url
from dailies.net.client import MAX_REDIRECTS, get_vetted, vetted_client
from dailies.net.dialling import Resolver, system_resolve
from dailies.net.network import Network
from dailies.net.reaching import reach
from dailies.net.transport import RoutedTransport

__all__ = [
    "MAX_REDIRECTS",
    "Network",
    "Resolver",
    "RoutedTransport",
    "Trust",
    "UnsafeUrl",
    "check_url",
    "get_vetted",
    "is_public",
    "reach",
    "safe_url",
    "system_resolve",
    "vetted_client",
]
