"""`dailies hooks`: probes, metrics and providers' calls, until Ctrl-C."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial

from dailies.catalog import load_catalog
from dailies.cli.command_settings import settings_here
from dailies.cli.screen import say
from dailies.hooks.app import create_app
from dailies.hooks.serve import listen, serve
from dailies.ledger.metering import metering_of
from dailies.providers.open import open_providers
from dailies.registry import declared
from dailies.report.prometheus import kinds, samples
from dailies.runtime import make_home, open_ledger
from dailies.settings import Settings
from dailies.steps.calls import Receiver
from dailies.telemetry import metrics_sent


def run_hooks(host: str, port: int) -> int:
    """Serve until the process is told to end. The address is the first line on stdout."""
    settings = settings_here()
    make_home(settings.home)
    with listen(host, port) as listening:
        ledger = open_ledger(settings)
        try:
            providers = open_providers(settings, calling(settings))
            catalog = load_catalog(settings.dailies_models)
            receive = Receiver(settings, ledger, catalog, providers, partial(datetime.now, UTC))
            shown = f"[{host}]" if ":" in host else host
            print(f"http://{shown}:{listening.getsockname()[1]}", flush=True)
            say("GET /metrics, GET /healthz, POST /hooks/PROVIDER   (Ctrl-C ends it)")
            with metrics_sent(kinds(), lambda: samples(metering_of(ledger))):
                serve(create_app(ledger, receive), listening)
        finally:
            ledger.close()
    return 0


def calling(settings: Settings) -> list[str]:
    """The providers that call, and whose calls can be verified: those with a key here."""
    return [one.name for one in declared().values() if one.webhook and settings.api_key(one.name)]
