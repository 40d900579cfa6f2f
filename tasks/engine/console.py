"""Prefect's console, kept from ending a run: the one place that reaches into its log handlers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial

from prefect.logging.handlers import PrefectConsoleHandler
from rich.console import Console

from dailies.hangup import let_go


def outlive_the_console() -> None:
    """Let a run go on when the terminal, or the worker that reads its output, is gone.

    Rich, by which Prefect prints, raises SystemExit at a broken pipe, wherever a line happens to be logged.
    """
    for handler in _console_handlers():
        setattr(handler.console, "on_broken_pipe", partial(_fall_silent, handler.console))  # noqa: B010 - a method


def _console_handlers() -> Iterator[PrefectConsoleHandler]:
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for found in loggers:
        for handler in getattr(found, "handlers", ()):
            if isinstance(handler, PrefectConsoleHandler):
                yield handler


def _fall_silent(console: Console) -> None:
    console.quiet = True
    let_go(console.file)
