"""What is set up, looked after and kept running: the demo, a starter, the servers, the doctor."""

from __future__ import annotations

import sys
from pathlib import Path

from dailies.cli.commands.flags import JsonFlag
from dailies.errors import BadInput


def demo(*, output: Path = Path("demo-output"), stay: bool | None = None) -> int:
    """Everything embedded: sandbox provider, S3, Prefect server. No account, no cost.

    Parameters
    ----------
    output
        Folder for the finished clips and the report.
    stay
        Keep the Prefect UI open until Ctrl-C. Default: on a terminal.
    """
    from dailies.cli.demo import run_demo

    return run_demo(output, sys.stdout.isatty() and sys.stdin.isatty() if stay is None else stay)


def init() -> int:
    """A starter in this folder: three rows, their images, every setting; asks for provider, key and bucket on a terminal."""
    from dailies.cli.init import run_init

    return run_init()


def doctor(*, adopt: bool = False, ready: bool = False, deep: bool = False, json: JsonFlag = False) -> int:
    """Pings all it depends on and says what is wrong.

    Parameters
    ----------
    adopt
        Take in clips and answers that the store and the spool know and the ledger has forgotten.
    ready
        For probes: only whether work could begin here, within a second, with nothing written and nobody asked. Exit code
        0 or 1.
    deep
        For people: also a write to the ledger, clocks, free space, when certificates end, the Prefect server's version.
    """
    if ready:
        if adopt or deep:
            raise BadInput(f"doctor: --ready changes nothing, {'--adopt' if adopt else '--deep'} does; leave one out")
        from dailies.cli.ready import run_ready

        return run_ready(json)
    from dailies.cli.doctor import run_doctor

    return run_doctor(adopt, json, deep)


def ui() -> int:
    """The Prefect UI over the history of local runs."""
    from dailies.cli.run import run_ui

    return run_ui()


def hooks(*, host: str = "127.0.0.1", port: int = 8791) -> int:
    """For machines that watch or call: metrics, health, and providers' webhooks.

    Parameters
    ----------
    host
        The address it listens on; a webhook needs one that the provider reaches through your proxy.
    port
        0 takes a free one.
    """
    from dailies.cli.hooks import run_hooks

    return run_hooks(host, port)


def mcp(*, approve_above: str = "0") -> int:
    """For agents: check, run under a budget, status and report, as tools of the Model Context Protocol on stdin and stdout.

    Parameters
    ----------
    approve_above
        A run that is quoted above so many dollars waits for a person's yes in the Prefect UI.
    """
    from dailies.cli.mcp import run_mcp

    return run_mcp(approve_above)


def sandbox(*, port: int = 8790, time_scale: float = 1.0, s3: bool = False) -> int:
    """The free provider on its own: both APIs on loopback, real MP4s, no charge.

    Parameters
    ----------
    port
        Where it listens on 127.0.0.1; 0 takes a free one.
    time_scale
        1 takes as long as the real models; 0.01 a hundredth; 0 no time.
    s3
        A store beside it, in memory, so that nothing else is needed to make clips; needs the extra `demo`.
    """
    from dailies.cli.demo import run_sandbox

    return run_sandbox(port, time_scale, s3)
