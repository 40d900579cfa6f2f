"""A terminal that goes away under a command that pays: it ends nothing but the command's own waiting."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO, Any, TextIO

from dailies.system import signals


def let_go(stream: IO[str]) -> None:
    """Have all that is still to be written to a stream that nobody reads go nowhere, also at the interpreter's end."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


class Outlasting:
    """A text stream that takes every line, also when nobody reads it any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or let it go."""
        try:
            return self._stream.write(text)
        except OSError:
            let_go(self._stream)
            return len(text)

    def flush(self) -> None:
        """Flush, or let it go."""
        try:
            self._stream.flush()
        except OSError:
            let_go(self._stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def outlasting_the_terminal() -> Iterator[None]:
    """While the block runs a closed terminal (SIGHUP) is what SIGTERM is, and a stderr that is gone ends nothing.

    Where SIGHUP is ignored it stays ignored: `nohup` is meant.
    """
    stderr, handlers = sys.stderr, {number: signal.getsignal(number) for number in signals("SIGHUP")}
    sys.stderr = Outlasting(stderr)
    meant = {number: before for number, before in handlers.items() if before is not signal.SIG_IGN}
    for number in meant:
        with suppress(ValueError):  # not in the main thread
            signal.signal(number, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    try:
        yield
    finally:
        sys.stderr = stderr
        for number, before in meant.items():
            with suppress(ValueError):
                signal.signal(number, before)
