"""Every line on stderr as one JSON object: log records of ours, Prefect's and others', and whatever else is printed there."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock
from typing import Any, TextIO

from dailies.environment import change, read_dotenv, variables
from dailies.errors import Misconfigured
from dailies.logs.redaction import hidden
from dailies.logs.subject import FIELDS

SETTING = "DAILIES_LOG"
IN_PREFECT = "PREFECT_LOGGING_HANDLERS_CONSOLE_CLASS"
"""Prefect makes the handler of its console from this, each time it sets up its logging."""
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
REFUSAL = "dailies: "
"""How a command's last words begin that end it with an error."""


def wants_json(environ: Mapping[str, str] | None = None, dotenv: Path = Path(".env")) -> bool:
    """Whether `DAILIES_LOG=json` is set, found before any setting is read: what is wrong with them is a line as well."""
    value = (variables() if environ is None else environ).get(SETTING)
    if value is None:
        with suppress(Misconfigured):  # said when the settings are read
            value = read_dotenv(frozenset(), dotenv).get(SETTING)
    return (value or "").strip().lower() == "json"


@contextmanager
def stderr_as_asked() -> Iterator[None]:
    """While the block runs stderr takes JSON objects only, where `DAILIES_LOG=json` asks for it."""
    before = sys.stderr
    if not wants_json():
        yield
        return
    log_as_json()
    try:
        yield
    finally:
        if isinstance(sys.stderr, JsonLines):
            sys.stderr.close()
        sys.stderr = before


def log_as_json() -> None:
    """From now on stderr takes JSON objects only. Doing it again changes nothing."""
    hidden.looks_for_prompts = True
    if not hasattr(sys.stderr, "write_object"):  # whatever else may have been put around it
        sys.stderr = JsonLines(sys.stderr)
    change({IN_PREFECT: f"{JsonOnStderr.__module__}.{JsonOnStderr.__name__}"})
    ours = logging.getLogger("dailies")
    ours.setLevel(logging.INFO)
    for name in ("", "dailies"):
        _only_json(logging.getLogger(name))
    for found in list(logging.root.manager.loggerDict.values()):
        if isinstance(found, logging.Logger):
            _only_json(found, added=False)
    ours.propagate = False
    logging.captureWarnings(True)


def _only_json(logger: logging.Logger, added: bool = True) -> None:
    """Replace handlers that write to a console by one that writes objects."""
    printing = [
        h for h in logger.handlers if isinstance(h, logging.StreamHandler) and not isinstance(h, logging.FileHandler)
    ]
    if not printing and not added:
        return
    for handler in printing:
        logger.removeHandler(handler)
    if not any(isinstance(handler, JsonOnStderr) for handler in logger.handlers):
        logger.addHandler(JsonOnStderr())


class JsonOnStderr(logging.Handler):
    """Writes each record as one object to what stderr is at that moment. Takes and ignores what Prefect gives its own."""

    def __init__(self, **_prefects: Any) -> None:
        super().__init__()

    def emit(self, record: logging.LogRecord) -> None:
        """One object, one line; a console that is gone ends nothing."""
        try:
            line = as_json(record)
            write_object = getattr(sys.stderr, "write_object", None)  # whatever else is put around it
            if write_object:
                write_object(line)
            else:
                sys.stderr.write(line + "\n")
        except (OSError, ValueError):
            return


def as_json(record: logging.LogRecord) -> str:
    """A log record as the text of one object."""
    message = record.getMessage()
    if record.exc_info:
        message += "\n" + logging.Formatter().formatException(record.exc_info)
    fields = {name: getattr(record, name, None) for name in FIELDS}
    fields["flow_run"] = fields["flow_run"] or getattr(record, "flow_run_id", None) or _flow_run()
    return _object(record.levelname, record.name, message, datetime.fromtimestamp(record.created, UTC), fields)


def _object(level: str, logger: str, message: str, at: datetime, fields: Mapping[str, object] = {}) -> str:
    line = {"time": at.isoformat(), "level": level, "logger": logger, "message": hidden.clean(message)}
    return json.dumps(line | {name: str(value) for name, value in fields.items() if value}, ensure_ascii=False)


def _flow_run() -> str | None:
    """The flow run that this line is logged in. Prefect is not loaded for it."""
    contexts = sys.modules.get("prefect.context")
    for name in ("FlowRunContext", "TaskRunContext"):
        context = getattr(contexts, name, None)
        current = context.get() if context else None
        run = getattr(current, "flow_run", None)
        if run is not None:
            return str(run.id)
        task_run = getattr(current, "task_run", None)
        if task_run is not None:
            return str(task_run.flow_run_id)
    return None


class JsonLines:
    """A text stream that writes each line that is printed to it as an object; it is never a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._begun = ""
        self._lock = RLock()

    def write(self, text: str) -> int:
        """Take text; every line that is complete is written."""
        with self._lock:
            *lines, self._begun = (self._begun + text.replace("\r", "\n")).split("\n")
            for line in lines:
                self._write_line(line)
        return len(text)

    def write_object(self, line: str) -> None:
        """Write the text of one object as it is."""
        with self._lock, suppress(OSError):  # a console that is gone
            self._stream.write(line + "\n")
            self._stream.flush()

    def _write_line(self, line: str) -> None:
        plain = ESCAPES.sub("", line).strip()
        if plain:
            level = "ERROR" if plain.startswith(REFUSAL) else "INFO"
            self.write_object(_object(level, "dailies.console", plain.removeprefix(REFUSAL), datetime.now(UTC)))

    def flush(self) -> None:
        """Flush what is written; a line that is only begun waits for its end."""
        with suppress(OSError):
            self._stream.flush()

    def isatty(self) -> bool:
        """Never: bars and colours are for people."""
        return False

    def close(self) -> None:
        """Write a last line that has no end."""
        with self._lock:
            self._write_line(self._begun)
            self._begun = ""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
