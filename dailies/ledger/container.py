"""A ledger in a container that dies would take with it what was paid for: such a run refuses before it spends."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from dailies.environment import variables
from dailies.errors import Misconfigured
from dailies.ledger.address import parse_address

RUNTIMES = re.compile(r"docker|kubepods|containerd|libpod|lxc|garden")
DIES_WITH_IT = frozenset({"overlay", "aufs", "tmpfs", "ramfs", "rootfs", "fuse-overlayfs"})
"""File systems that are gone when the container is."""


def refuse_vanishing_ledger(ledger_url: str, container: str | None = None, mounts: str | None = None) -> None:
    """Raise Misconfigured when the ledger is a SQLite file inside a container and not on a mounted volume.

    `container` (what was found, see `container_kind`) and `mounts` (the text of /proc/mounts) are looked up if not given.
    """
    kind = container_kind() if container is None else container
    url = parse_address(ledger_url)
    if not kind or url.get_backend_name() != "sqlite" or not url.database:
        return
    file = Path(url.database).absolute()
    if on_a_volume(file, _read("/proc/mounts") if mounts is None else mounts):
        return
    raise Misconfigured(
        f"this run was started in {kind}, and its ledger {file} would vanish with it: nobody would know what was paid for. "
        "Nothing was bought. Set DAILIES_LEDGER_URL=postgresql+psycopg://user@host/db, or mount a volume and set DAILIES_HOME "
        "to a folder on it",
        trouble="ledger-elsewhere",
    )


def container_kind(environ: Mapping[str, str] | None = None, root: Path = Path("/")) -> str:
    """What kind of container this process runs in, in words; empty when it runs in none that is known."""
    if (variables() if environ is None else environ).get("KUBERNETES_SERVICE_HOST"):
        return "a Kubernetes pod"
    if (root / ".dockerenv").exists() or (root / "run/.containerenv").exists():
        return "a container"
    if RUNTIMES.search(_read(root / "proc/1/cgroup")):
        return "a container"
    return ""


def on_a_volume(path: Path, mounts: str) -> bool:
    """Whether a path lies below a mount of its own that outlives the container. `mounts` is the text of /proc/mounts."""
    table = [line.split() for line in mounts.splitlines()]
    points = [(Path(_unescaped(fields[1])), fields[2]) for fields in table if len(fields) > 2]
    above = [(point, kind) for point, kind in points if path.is_relative_to(point)]
    if not above:
        return False
    point, kind = max(above, key=lambda mount: len(mount[0].parts))
    return point != Path("/") and kind not in DIES_WITH_IT


def _unescaped(text: str) -> str:
    """Blanks in mount points are written as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), text)


def _read(path: str | Path) -> str:
    try:
        return Path(path).read_text()
    except OSError:
        return ""
