"""Makes the provider clients from the settings."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from dailies.catalog import load_catalog
from dailies.errors import Misconfigured
from dailies.net import Trust
from dailies.providers.base import Account, Opening, Provider
from dailies.registry import declaration, declared, load
from dailies.settings import Settings


def open_providers(settings: Settings, names: Iterable[str], need_keys: bool = True) -> dict[str, Provider]:
    """One client per named provider. Raises Misconfigured for a missing key or an address that would leak it."""
    return {name: _open(settings, name, need_keys) for name in sorted(set(names))}


def _open(settings: Settings, name: str, need_keys: bool) -> Provider:
    client: Provider = load(declared()[name].client)(opening(settings, name, need_keys))
    return client


def open_account(settings: Settings, name: str) -> Account | None:
    """A provider's own ledger, with the settings' key; None where it publishes none. Raises Misconfigured without a key."""
    where = declared()[name].account
    account: Account | None = load(where)(opening(settings, name)) if where else None
    return account


def opening(settings: Settings, name: str, need_keys: bool = True) -> Opening:
    """What a client of one provider is made of. Raises Misconfigured."""
    one = declared()[name]
    key = settings.require_key(name) if need_keys else settings.api_key(name)
    base_url = settings.base_url(name)
    check_base_url(one.base_url_name, base_url, Trust.parse(settings.dailies_trusted_hosts))
    own = {setting.name: settings.text(setting.name) for setting in one.settings}
    return Opening(
        base_url, key, settings.create_timeout_s(name), own, queued_models(settings, name), settings.dailies_hooks_url
    )


def queued_models(settings: Settings, provider: str) -> frozenset[str]:
    """The provider's names of the models that the catalog calls asynchronous there."""
    offers = [offer for model in load_catalog(settings.dailies_models) for offer in model.offers.items()]
    return frozenset(offer.name for name, offer in offers if name == provider and offer.asynchronous)


def result_life(name: str) -> timedelta | None:
    """How long a provider documents to keep a result; None where it does not say, or is none of ours any more."""
    known = declaration(name)
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
    for name in declared():
        parts = urlsplit(settings.base_url(name))
        if parts.hostname and is_loopback(parts.hostname):
            origins.append(f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}")
    return origins
