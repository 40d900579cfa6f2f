"""What a run works with: clients wired together and closed again, how many at once, who first, and when to poll."""

from dailies.runtime.wiring import (
    Job,
    Runtime,
    current_runtime,
    current_settings,
    make_home,
    open_ledger,
    open_runtime,
)

__all__ = ["Job", "Runtime", "current_runtime", "current_settings", "make_home", "open_ledger", "open_runtime"]
