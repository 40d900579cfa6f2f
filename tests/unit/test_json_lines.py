"""`DAILIES_LOG=json`: every line is an object, whoever wrote it, and none holds what is secret."""

from __future__ import annotations

import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dailies.logs import JsonOnStderr, Redaction, about, hidden, log_as_json, wants_json
from dailies.logs.lines import IN_PREFECT, JsonLines
from dailies.settings import load_settings
from tests.ledger.factories import an_attempt


@pytest.fixture
def stderr(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[pytest.CaptureFixture[str]]:
    """What is on stderr; stream and logging are as they were when the test is over. Handlers that other tests have put on
    our loggers, such as Prefect's that sends lines to its API, stay away meanwhile."""
    stream = sys.stderr
    monkeypatch.setenv(IN_PREFECT, "")
    loggers = [logging.getLogger(name) for name in ("", "dailies")]
    before = [(logger, list(logger.handlers), logger.level, logger.propagate) for logger in loggers]
    logging.getLogger("dailies").handlers.clear()
    yield capsys
    sys.stderr = stream
    for logger, handlers, level, propagate in before:
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)
    logging.captureWarnings(False)
    hidden.looks_for_prompts = False


def _objects(stderr: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stderr.readouterr().err.splitlines()]


def test_records_prints_and_warnings_are_objects(stderr: pytest.CaptureFixture[str]) -> None:
    log_as_json()
    logging.getLogger("dailies.create").info("accepted", extra=about(an_attempt(generation_id="gen-1")))
    print("starting \x1b[1ma server\x1b[0m …\nand more", file=sys.stderr)
    print("dailies: no key", file=sys.stderr)
    logging.getLogger("somebody.else").warning("theirs")
    warnings.warn("old", stacklevel=1)
    found = _objects(stderr)
    assert [line["message"] for line in found[:5]] == [
        "accepted",
        "starting a server …",
        "and more",
        "no key",
        "theirs",
    ]
    assert "old" in found[5]["message"]
    assert {"batch", "clip", "attempt", "generation"} <= found[0].keys() and found[0]["generation"] == "gen-1"
    assert found[3]["level"] == "ERROR" and found[4]["logger"] == "somebody.else"
    assert all({"time", "level", "logger", "message"} <= line.keys() for line in found)


def test_an_error_and_its_traceback_are_one_object(stderr: pytest.CaptureFixture[str]) -> None:
    log_as_json()
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("dailies").exception("it went wrong")
    (line,) = _objects(stderr)
    assert line["message"].startswith("it went wrong\nTraceback") and "two\nlines" in line["message"]


def test_doing_it_twice_doubles_nothing(stderr: pytest.CaptureFixture[str]) -> None:
    log_as_json()
    log_as_json()
    logging.getLogger("dailies").warning("once")
    assert len(_objects(stderr)) == 1


def test_a_stream_around_it_does_not_quote_objects_again(
    stderr: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dailies.hangup import Outlasting

    log_as_json()
    monkeypatch.setattr(sys, "stderr", Outlasting(sys.stderr))
    log_as_json()  # as a flow does that begins inside a command
    logging.getLogger("dailies").warning("once")
    print("printed", file=sys.stderr)
    assert [line["message"] for line in _objects(stderr)] == ["once", "printed"]


def test_a_line_without_an_end_is_written_at_the_end(stderr: pytest.CaptureFixture[str]) -> None:
    lines = JsonLines(sys.stderr)
    lines.write("counting: 1 of 2\rcounting: 2 of 2")
    lines.close()
    assert [line["message"] for line in _objects(stderr)] == ["counting: 1 of 2", "counting: 2 of 2"]
    assert not lines.isatty()


def test_a_console_that_is_gone_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError(32, "gone")

    lines = JsonLines(Gone())
    lines.write("a line\n")
    lines.flush()
    monkeypatch.setattr(sys, "stderr", Gone())
    JsonOnStderr().emit(logging.LogRecord("x", logging.INFO, "f", 1, "m", (), None))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "GET https://cdn.example/clip.mp4?X-Amz-Signature=abc&exp=1 failed",
            "GET https://cdn.example/clip.mp4?*** failed",
        ),
        ("s3://bucket/a.mp4?versionId=1", "s3://bucket/a.mp4?***"),
        ("postgresql+psycopg://ann:pa:ss@db/x", "postgresql+psycopg://ann:***@db/x"),
        ("what? nothing", "what? nothing"),
        ("key sk-123456 refused", "key *** refused"),
        ("'A red fox jumps over the fence' was flagged", "'[prompt]' was flagged"),
        ("prompt: A red fox jumps over…", "prompt: [prompt]…"),
        ('{"prompt": "say \\"cheese\\" twice and smile"}', '{"prompt": "[prompt]"}'),
        ("A red for", "A red for"),
    ],
)
def test_what_is_secret_is_taken_out(text: str, left: str) -> None:
    redaction = Redaction()
    redaction.looks_for_prompts = True
    redaction.hide_secrets(["sk-123456", None, ""])
    redaction.hide_prompts(["A red fox jumps over the fence", 'say "cheese" twice and smile', "a b"])
    assert redaction.clean(text) == left


def test_settings_hide_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"AIML_API_KEY": "key-planted-1", "DAILIES_LEDGER_URL": "postgresql://u:planted-2@h/d"}
    load_settings(environ=environ, dotenv=False)
    assert hidden.clean("key-planted-1 planted-2") == "*** ***"


@pytest.mark.parametrize(("value", "wanted"), [("json", True), (" JSON ", True), ("text", False), ("", False)])
def test_the_setting_is_found_before_any_is_read(value: str, wanted: bool, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"DAILIES_LOG={value}\n")
    assert wants_json({}, tmp_path / ".env") is wanted
    assert wants_json({"DAILIES_LOG": value}, tmp_path / "none") is wanted
