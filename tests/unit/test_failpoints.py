"""A process that stops itself at a failpoint keeps nobody out of the ledger."""

from __future__ import annotations

import threading
from pathlib import Path
from types import FunctionType

import dailies.ledger
from dailies.failpoints import _others_are_in_the_ledger


def test_it_waits_for_a_thread_that_is_in_the_ledger_and_for_no_other() -> None:
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        inside.set()
        leave.wait()

    there = work.__code__.replace(co_filename=str(Path(dailies.ledger.__file__).with_name("writer.py")))
    for code, waits in ((work.__code__, False), (there, True)):
        inside.clear()
        leave.clear()
        thread = threading.Thread(target=FunctionType(code, {}, closure=work.__closure__))
        thread.start()
        try:
            assert inside.wait(10)
            assert _others_are_in_the_ledger() is waits
        finally:
            leave.set()
            thread.join()
        assert not _others_are_in_the_ledger()
