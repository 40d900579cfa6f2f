"""`python -m dailies.sandbox`: the free provider on its own, for tests that need it in another process."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from decimal import Decimal

from dailies.sandbox import SandboxConfig, serve


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until a signal comes; the first line on stdout is the URL."""
    given = _parser().parse_args(arguments)
    config = SandboxConfig(
        time_scale=given.time_scale,
        seed=given.seed,
        api_keys=frozenset(given.api_key) or SandboxConfig().api_keys,
        balance_usd=given.balance_usd,
        onerouter_form=given.onerouter_form,
        billing_delay_s=given.billing_delay_s,
        render=given.render,
        rate_limit_per_s=given.rate_limit_per_s,
    )
    serve(config, given.host, given.port, on_ready=lambda url: print(url, file=sys.stdout, flush=True))


def _parser() -> argparse.ArgumentParser:
    defaults = SandboxConfig()
    parser = argparse.ArgumentParser(prog="python -m dailies.sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--time-scale", type=float, default=defaults.time_scale)
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--api-key", action="append", default=[], help="may be given several times")
    parser.add_argument("--balance-usd", type=Decimal, default=defaults.balance_usd)
    parser.add_argument("--onerouter-form", choices=["result", "task"], default=defaults.onerouter_form)
    parser.add_argument("--billing-delay-s", type=float, default=defaults.billing_delay_s)
    parser.add_argument("--render", choices=["real", "quick"], default=defaults.render)
    parser.add_argument("--rate-limit-per-s", type=float, default=defaults.rate_limit_per_s)
    return parser


if __name__ == "__main__":
    main()
