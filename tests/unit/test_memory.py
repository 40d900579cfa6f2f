"""Threads share two heaps where the C library has that setting."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

COUNT_HEAPS = """
import ctypes, sys, threading
from dailies.memory import share_heaps
if sys.argv[1] == "shared":
    share_heaps()
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


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has this setting")
def test_twelve_threads_share_two_heaps(tmp_path: object) -> None:
    def heaps(how: str) -> int:
        command = [sys.executable, "-c", COUNT_HEAPS, how, f"{tmp_path}/heaps.xml"]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    assert heaps("shared") <= 2 < heaps("as usual")
