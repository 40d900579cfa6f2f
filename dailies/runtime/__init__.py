"""What a run works with: clients wired together and closed again, how many at once, who first, and when to poll."""

from dailies.runtime.wiring import (
    Runtime,
    current_runtime,
    make_home,
    open_ledger,
    open_runtime,
    shared_runtime,
)

__all__ = ["Runtime", "current_runtime", "make_home", "open_ledger", "open_runtime", "shared_runtime"]
