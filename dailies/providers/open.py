"""Makes the provider clients from the settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from dailies.catalog import load_catalog
from dailies.errors import Misconfigured
from dailies.net import Trust
from dailies.providers.aiml import Aiml
from dailies.providers.base import Provider
from dailies.providers.http import ApiClient
from dailies.providers.onerouter import OneRouter
from dailies.settings import AIML, ONEROUTER, Settings

CLASSES: Mapping[str, type[Aiml] | type[OneRouter]] = {AIML: Aiml, ONEROUTER: OneRouter}


def open_providers(settings: Settings, names: Iterable[str], need_keys: bool = True) -> dict[str, Provider]:
    """One client per named provider. Raises Misconfigured for a missing key or an address that would leak it."""
    return {name: _open(settings, name, need_keys) for name in sorted(set(names))}


def _open(settings: Settings, name: str, need_keys: bool) -> Provider:
    key = settings.require_key(name) if need_keys else settings.api_key(name)
    base_url = settings.base_url(name)
    check_base_url(f"{name.upper()}_BASE_URL", base_url, Trust.parse(settings.dailies_trusted_hosts))
    scheme = "" if name == ONEROUTER and settings.onerouter_auth == "raw" else "Bearer "
    client = ApiClient(base_url, key, settings.create_timeout_s(name), scheme)
    if name == ONEROUTER:
        return OneRouter(client, queued=queued_models(settings, name))
    return CLASSES[name](client)


def queued_models(settings: Settings, provider: str) -> frozenset[str]:
    """The provider's names of the models that the catalog calls asynchronous there."""
    offers = [offer for model in load_catalog(settings.dailies_models) for offer in model.offers.items()]
    return frozenset(offer.name for name, offer in offers if name == provider and offer.asynchronous)


def result_life(name: str) -> timedelta | None:
    """How long a provider documents to keep a result; None where it does not say, or is none of ours any more."""
    known = CLASSES.get(name)
    return known.result_life if known else None


def check_base_url(name: str, url: str, trust: Trust) -> None:
    """The key travels to this address: https, or a trusted or loopback host."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        host, port = None, 0
    if not host or parts.scheme not in ("http", "https") or parts.username or parts.query:
        raise Misconfigured(f"{name}={url}: not an address such as https://api.example.com")
    if parts.scheme == "http" and not trust.allows(host, port) and not is_loopback(host):
        raise Misconfigured(
            f"{name}={url}: a key does not travel over plain http. Use https, or name {host} in DAILIES_TRUSTED_HOSTS"
        )


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def loopback_origins(settings: Settings) -> list[str]:
    """`host:port` of base URLs that were pointed at this machine on purpose (a sandbox): their results are fetched too."""
    origins = []
    for name in (AIML, ONEROUTER):
        parts = urlsplit(settings.base_url(name))
        if parts.hostname and is_loopback(parts.hostname):
            origins.append(f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}")
    return origins
