"""`dailies hooks`: probes, metrics and providers' calls, until Ctrl-C."""

from __future__ import annotations

from dailies.cli.command_settings import settings_here
from dailies.cli.screen import say
from dailies.hooks.app import create_app
from dailies.hooks.serve import listen, serve
from dailies.runtime import make_home, open_ledger


def run_hooks(host: str, port: int) -> int:
    """Serve until the process is told to end. The address is the first line on stdout."""
    settings = settings_here()
    make_home(settings.home)
    with listen(host, port) as listening:
        ledger = open_ledger(settings)
        try:
            shown = f"[{host}]" if ":" in host else host
            print(f"http://{shown}:{listening.getsockname()[1]}", flush=True)
            say("GET /metrics, GET /healthz, POST /hooks/PROVIDER   (Ctrl-C ends it)")
            serve(create_app(ledger), listening)
        finally:
            ledger.close()
    return 0
