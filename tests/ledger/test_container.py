"""A ledger in a container that dies would take with it what was paid for: only one on a volume is written to."""

from __future__ import annotations

from pathlib import Path

import pytest

from dailies.errors import Misconfigured
from dailies.ledger.container import container_kind, on_a_volume, refuse_vanishing_ledger

MOUNTS = """overlay / overlay rw 0 0
proc /proc proc rw 0 0
tmpfs /dev/shm tmpfs rw 0 0
/dev/sdb1 /var/lib/dailies ext4 rw 0 0
/dev/sdc1 /mnt/my\\040disk ext4 rw 0 0
tmpfs /var/lib/dailies/scratch tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("/home/dailies/.dailies/ledger.db", False),
        ("/var/lib/dailies/ledger.db", True),
        ("/var/lib/dailies-other/ledger.db", False),
        ("/var/lib/dailies/scratch/ledger.db", False),
        ("/dev/shm/ledger.db", False),
        ("/mnt/my disk/ledger.db", True),
    ],
)
def test_only_what_is_on_a_volume_outlives_a_container(path: str, safe: bool) -> None:
    assert on_a_volume(Path(path), MOUNTS) is safe


def test_a_ledger_that_would_vanish_with_its_container_is_refused_and_the_message_says_what_to_do() -> None:
    url = "sqlite:////home/dailies/.dailies/ledger.db"
    with pytest.raises(Misconfigured) as caught:
        refuse_vanishing_ledger(url, "a Kubernetes pod", MOUNTS)
    assert caught.value.trouble == "ledger-elsewhere"
    assert str(caught.value) == (
        "this run was started in a Kubernetes pod, and its ledger /home/dailies/.dailies/ledger.db would vanish with it: nobody "
        "would know what was paid for. Nothing was bought. Set DAILIES_LEDGER_URL=postgresql+psycopg://user@host/db, or mount a "
        "volume and set DAILIES_HOME to a folder on it"
    )
    refuse_vanishing_ledger(url, "", MOUNTS)  # no container
    refuse_vanishing_ledger("sqlite:////var/lib/dailies/ledger.db", "a container", MOUNTS)
    refuse_vanishing_ledger("postgresql+psycopg://db/ledger", "a container", MOUNTS)
    refuse_vanishing_ledger("sqlite://", "a container", MOUNTS)  # in memory: nobody expects it to stay
    with pytest.raises(Misconfigured, match=f"ledger {Path.cwd()}/ledger.db would vanish"):
        refuse_vanishing_ledger("sqlite:///ledger.db", "a container", "")


def test_containers_are_known_by_what_their_runtimes_leave(tmp_path: Path) -> None:
    assert container_kind({}, tmp_path) == ""
    assert container_kind({"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, tmp_path) == "a Kubernetes pod"
    (tmp_path / "proc/1").mkdir(parents=True)
    (tmp_path / "proc/1/cgroup").write_text("12:memory:/kubepods/burstable/pod1\n")
    assert container_kind({}, tmp_path) == "a container"
    (tmp_path / "proc/1/cgroup").write_text("0::/\n")
    assert container_kind({}, tmp_path) == ""
    (tmp_path / ".dockerenv").touch()
    assert container_kind({}, tmp_path) == "a container"


def test_without_a_word_on_mounts_nothing_outlives_it() -> None:
    assert not on_a_volume(Path("/data/ledger.db"), "")
    assert not on_a_volume(Path("/data/ledger.db"), "a line that tells no\n/dev/sdb1 /data\n")
    assert on_a_volume(Path("/data/ledger.db"), "/dev/sdb1 /data ext4\n")


def test_podman_leaves_a_file_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run/.containerenv").touch()
    assert container_kind({}, tmp_path) == "a container"
