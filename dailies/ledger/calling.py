"""How async code asks the ledger: in a worker thread, and with one error for all that its databases raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar, TypeVarTuple

import anyio.to_thread
from sqlalchemy.exc import SQLAlchemyError

T = TypeVar("T")
Args = TypeVarTuple("Args")


class LedgerUnavailable(SQLAlchemyError):
    """The database of the ledger did not take or give what it was asked for, whichever database it is.

    Its words are the database's; `kind` is the name of the error that was raised, `orig` the driver's own.
    """

    def __init__(self, words: str, kind: str = "", orig: BaseException | None = None) -> None:
        super().__init__(words)
        self.kind = kind or type(self).__name__
        self.orig = orig


LEDGER_AWAY: Final = (SQLAlchemyError, OSError)
"""What whoever asks the ledger meets while it can't be reached, or its file is gone: no news of what was asked, and no refusal."""


async def ledger_call(call: Callable[[*Args], T], *args: *Args) -> T:
    """What `call` gives, run in a worker thread; it is waited for even when the caller is cancelled, for it may be writing.

    Raises LedgerUnavailable for every error of the database; what the ledger itself refuses is raised as it is.
    """
    try:
        return await anyio.to_thread.run_sync(call, *args)
    except LedgerUnavailable:
        raise
    except SQLAlchemyError as error:
        raise LedgerUnavailable(str(error), type(error).__name__, getattr(error, "orig", None)) from error


def name_of(error: BaseException) -> str:
    """The name of an error's kind, as the database has it where it is the ledger's."""
    return error.kind if isinstance(error, LedgerUnavailable) else type(error).__name__
