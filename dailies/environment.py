"""This process's environment and the `.env` beside it: the one place that reads or changes either.

Everything else gets a mapping. What libraries read from the environment themselves (boto3, Prefect's client) is put
there by `hand_on`, so that a line of `.env` reaches them too.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import parse_stream

from dailies.errors import Misconfigured

AWS_KEYS = frozenset({"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"})
PROXIES = frozenset({"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"})
"""Read in lower case too, which comes first."""
AUTHORITIES = frozenset({"SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"})  # AWS_CA_BUNDLE is one of AWS_*
SERVICE_LINK = re.compile(
    r"DAILIES_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)
LINKED = re.compile(r"(tcp|udp|sctp)(://\S*)?|[\da-f.:]+", re.IGNORECASE)


def variables() -> Mapping[str, str]:
    """The environment as it is now."""
    return os.environ


def change(values: Mapping[str, str | None]) -> None:
    """Set variables for this process, its libraries and its children; None removes one."""
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def hand_on(layer: Mapping[str, str], nearer: Mapping[str, str]) -> None:
    """Put into the environment what libraries read from there: the store's, proxies, certificates, OpenTelemetry's.

    What `nearer` or the environment says already stays. The parts of a key stay together, and so do both spellings of a proxy.
    """
    present = {**os.environ, **nearer}
    has_key = "AWS_ACCESS_KEY_ID" in present
    for name, value in layer.items():
        spellings = {name, name.upper(), name.lower()} if name.upper() in PROXIES else {name}
        if spellings & present.keys() or (has_key and name in AWS_KEYS):
            continue
        if name.startswith(("AWS_", "OTEL_")) or name in AUTHORITIES or name.upper() in PROXIES:
            os.environ[name] = value


def is_service_link(name: str, value: str) -> bool:
    """Whether Kubernetes set this variable to tell of a Service whose name begins with `dailies`.

    They look like `DAILIES_STORE_PORT=tcp://10.0.0.7:9000`; a setting has never such a name with such a value.
    """
    return SERVICE_LINK.fullmatch(name) is not None and LINKED.fullmatch(value.strip()) is not None


def read_dotenv(ours: frozenset[str], path: Path = Path(".env")) -> dict[str, str]:
    """The values of `.env`; nothing where there is none. `ours` are the names that must not be lost.

    Raises Misconfigured, which repeats no value: for a file that can't be read, and for a line of ours that can't.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except UnicodeError:
        raise Misconfigured(f"{path.absolute()} is not UTF-8: save it as UTF-8. {NOTHING}") from None
    except OSError as error:
        raise Misconfigured(f"{path.absolute()} can't be read: {error.strerror}. {NOTHING}") from None
    lost = list(_lost_lines(text, ours))
    if lost:
        raise Misconfigured("\n".join(f"{path}, line {number}: {name} {NO_VALUE}" for number, name in lost))
    return {name: value for name, value in dotenv_values(stream=io.StringIO(text)).items() if value is not None}


NOTHING = "Nothing was bought."
NO_VALUE = f"has no value that can be read; write NAME=value. {NOTHING}"


def _lost_lines(text: str, ours: frozenset[str]) -> Iterator[tuple[int, str]]:
    """Lines that say something of ours and would be passed over: without `=`, or with a quote that never ends."""
    for binding in parse_stream(io.StringIO(text)):
        if binding.key is not None and binding.value is not None and not binding.error:
            continue
        for name in re.findall(r"\w+", binding.original.string.partition("#")[0])[:2]:  # `export NAME`
            if name.upper() in ours or name.upper().startswith("DAILIES_"):
                yield binding.original.line, name
