"""The C library gives back what was freed, where it is glibc; the collector walks a plan seldom, and never what was loaded."""

from __future__ import annotations

import gc
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from dailies.cli.app import main
from dailies.cli.run import loaded
from dailies.memory import SELDOM, loading, seldom_collected

COUNT_HEAPS = """
import ctypes, sys, threading
from dailies.memory import keep_flat
if sys.argv[1] == "flat":
    keep_flat()
together = threading.Barrier(12)
def work():
    together.wait()
    held = [bytearray(1000) for _ in range(1000)]
    together.wait()
threads = [threading.Thread(target=work) for _ in range(12)]
for thread in threads: thread.start()
for thread in threads: thread.join()
libc = ctypes.CDLL("libc.so.6")
libc.fopen.restype = ctypes.c_void_p
out = ctypes.c_void_p(libc.fopen(sys.argv[2].encode(), b"w"))
libc.malloc_info(0, out)
libc.fclose(out)
print(open(sys.argv[2]).read().count("<heap nr="))
"""

LEAVE_HOLES = """
import os, sys
from dailies.memory import keep_flat
if sys.argv[1] == "flat":
    keep_flat()
def held_mb():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
picture = bytearray(20 * 2**20)
del picture
before_mb = held_mb()
pictures, kept = [], []
for _ in range(60):
    pictures.append(bytearray(b"x") * 2**20)
    kept.append(bytearray(5000))
del pictures
print(round(held_mb() - before_mb))
"""

on_glibc = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has these settings")


def number(program: str, *arguments: str) -> int:
    command = [sys.executable, "-c", program, *arguments]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@on_glibc
def test_twelve_threads_share_two_heaps(tmp_path: Path) -> None:
    listing = str(tmp_path / "heaps.xml")
    assert number(COUNT_HEAPS, "flat", listing) <= 2 < number(COUNT_HEAPS, "as usual", listing)


@on_glibc
def test_pictures_that_are_gone_leave_no_holes_between_what_stays() -> None:
    assert number(LEAVE_HOLES, "flat") <= 5 < 50 <= number(LEAVE_HOLES, "as usual")


def test_the_collector_looks_seldom_and_then_as_before() -> None:
    before = gc.get_threshold()
    with seldom_collected():
        assert gc.get_threshold() == (SELDOM, *before[1:])
    assert gc.get_threshold() == before


def test_the_last_of_overlapping_blocks_brings_the_usual_back() -> None:
    before, first, second = gc.get_threshold(), seldom_collected(), seldom_collected()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert gc.get_threshold()[0] == SELDOM
    second.__exit__(None, None, None)
    assert gc.get_threshold() == before


def test_what_is_loaded_stays_and_is_never_looked_through() -> None:
    def load() -> list[list[int]]:
        assert not gc.isenabled(), "a tenth of the start"
        return [[number] for number in range(50)]

    before, kept = gc.get_freeze_count(), loaded(load)
    assert gc.isenabled() and gc.get_freeze_count() >= before + len(kept)


def test_where_nobody_collects_loading_does_not_begin_to() -> None:
    gc.disable()
    try:
        with loading():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


FIRST_FLOW = """
import gc
from anyio import run
from dailies.runtime import open_runtime
from dailies.settings import load_settings

async def flows():
    counts = [gc.get_freeze_count()]
    for _ in range(2):
        async with open_runtime(load_settings(dotenv=False), need_keys=False):
            counts.append(gc.get_freeze_count())
    print(counts[0] == 0 < counts[1] >= counts[2])

run(flows)
"""


def test_a_worker_s_first_flow_finds_all_loaded_and_a_second_one_s_garbage_is_garbage(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FIRST_FLOW]
    environ = {**os.environ, "DAILIES_HOME": str(tmp_path)}
    assert subprocess.run(command, check=True, capture_output=True, text=True, env=environ).stdout == "True\n"


def test_a_command_that_is_the_process_leaves_its_garbage_to_the_system(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left = []
    monkeypatch.setattr("dailies.cli.app.leave_to_the_system", lambda: left.append(True))
    assert main(["explain", "no-image"]) == main(["explain", "no-image"])
    assert left == []
    monkeypatch.setattr("sys.argv", ["dailies", "explain"])
    main()
    assert left == [True]
