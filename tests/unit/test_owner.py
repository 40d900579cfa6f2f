"""Whether a worker still lives: its process on this machine, and its lease anywhere else."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta

import pytest

from dailies.ledger import Owner
from tests.ledger.factories import NOON, a_dead_owner

HERE = Owner.this_process()
SOON, BEFORE = NOON + timedelta(seconds=1), NOON - timedelta(seconds=1)


def test_what_stands_in_the_ledger_is_read_back_whatever_the_machine_is_called() -> None:
    for owner in (HERE, replace(HERE, machine="a|b/12345678/4026531836", started="?")):
        assert Owner.parse(str(owner)) == owner
    assert str(Owner("studio", 7, "123", "ab")) == "studio|7|123|ab"


def test_each_opened_runtime_of_a_process_is_an_owner_of_its_own() -> None:
    again = Owner.this_process()
    assert (again.machine, again.pid, again.started) == (HERE.machine, os.getpid(), HERE.started)
    assert again.nonce != HERE.nonce and len(HERE.nonce) == 8
    assert again.is_here(HERE) and HERE.started.isdigit()


def test_a_process_of_this_machine_is_dead_at_once_and_one_elsewhere_when_its_lease_is_over() -> None:
    elsewhere = replace(a_dead_owner(), machine="elsewhere")
    assert a_dead_owner().is_dead(SOON, NOON, HERE) and not elsewhere.is_dead(SOON, NOON, HERE)
    assert not HERE.is_dead(SOON, NOON, HERE)
    for owner in (HERE, elsewhere):
        assert owner.is_dead(BEFORE, NOON, HERE) and not owner.is_dead(NOON, NOON, HERE)


def test_another_process_under_the_same_number_is_another_one() -> None:
    assert not replace(HERE, started=f"{HERE.started}0").is_here(HERE)
    assert not replace(HERE, machine="elsewhere").is_here(HERE), "its number means nothing here"


@pytest.mark.skipif(not os.path.exists("/proc/self"), reason="zombies are looked for in /proc")
def test_one_that_has_ended_and_was_not_waited_for_is_gone() -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", "input()"], stdin=subprocess.PIPE, text=True) as process:
        stat = f"/proc/{process.pid}/stat"
        with open(stat, encoding="utf-8") as file:
            started = file.read().rsplit(")", 1)[1].split()[19]
        owner = Owner(HERE.machine, process.pid, started, "n")
        assert owner.is_here(HERE)
        assert process.stdin
        process.stdin.close()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert not owner.is_here(HERE)
