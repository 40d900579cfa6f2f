"""What an error inside an answer says: its words, what kind of refusal it is, and whether asking again may help.

Errors come inside HTTP 200 too, under many names, with numbers or words for codes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MODERATION = 403
MAYBE_CHARGED = 500
"""What an error means whose kind can't be told: nobody knows whether the request was carried out."""

_HEALS = frozenset({401, 402, 403, 404, 408, 409, 425, 429})
_SOUNDS_PASSING = (
    "again",
    "gateway",
    "internal",
    "overload",
    "server",
    "temporar",
    "time out",
    "timed out",
    "timeout",
    "unavailable",
    "upstream",
)
_ERROR_NAMES = ("error", "errors", "error_message", "errorMessage", "err", "error_msg")
_CODE_NAMES = ("code", "error_code", "errorCode", "type", "error_type", "name", "status", "statusCode")
_WORD_NAMES = ("message", "msg", "title", "detail", "description", "name", "reason", "code", "type")

_KINDS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (429, ("rate_limit", "rate limit", "ratelimit", "too many requests", "toomanyrequests", "concurrency")),
    (402, ("insufficient_quota", "insufficient_balance", "insufficientbalance", "insufficient_credit", "insufficientcredit",
           "insufficient_funds", "insufficient balance", "insufficient credit", "payment_required", "out_of_credit",
           "out of credits", "not enough credit")),
    (MODERATION, ("moderation", "content_policy", "content policy", "policy_violation", "contentfilter", "content_filter", "nsfw",
           "sensitive", "safety")),
    (401, ("api_key", "apikey", "unauthorized", "unauthenticated", "authentication")),
    (404, ("not_found", "notfound", "no such model")),
    (400, ("invalid_request", "invalid_param", "invalidrequest", "validation", "bad_request", "badrequest", "unsupported")),
)  # fmt: skip
"""Parts of textual codes and what they mean, in the words of HTTP. The first line that fits counts."""

_ENDS = (
    "generation_failed",
    "generationerror",
    "generation failed",
    "generation error",
    "failed to generate",
    "task_failed",
)


@dataclass(frozen=True, slots=True)
class Complaint:
    """One error. `status` is what it means in the words of HTTP, `kind` the same by its text alone, whatever its number says.
    `by_words`: the kind is told by the message alone, which may quote a prompt. `about_the_clip`: it speaks of what was to be
    made. `may_heal`: it may be a trouble of this one question, and gone at the next."""

    detail: str
    status: int
    kind: int | None
    about_the_clip: bool
    may_heal: bool
    by_words: bool = False


def complaint_in(document: Any, places: Sequence[Mapping[str, Any]]) -> Complaint | None:
    """The error that an answer tells of, the outermost first; None where there is none."""
    for place in places:
        for name in _ERROR_NAMES:
            if _says_something(place.get(name)):
                return _complaint(place[name])
    if isinstance(document, dict) and _refuses(document):
        return _complaint({name: document[name] for name in (*_CODE_NAMES, *_WORD_NAMES) if name in document})
    return None


def _refuses(document: Mapping[str, Any]) -> bool:
    """An envelope that says no without the word error: `{"code": "fail", "message": …, "data": null}`."""
    if document.get("success") is False:
        return True
    code, empty = document.get("code"), not document.get("data")
    if isinstance(code, bool) or code is None or not empty:
        return False
    if isinstance(code, int):
        return not (code == 0 or 200 <= code < 300)
    return isinstance(code, str) and code.strip().lower() not in ("", "0", "200", "ok", "success")


def _complaint(error: Any) -> Complaint:
    codes = [error.get(name) for name in _CODE_NAMES] if isinstance(error, dict) else []
    words = _words(error)
    text, said = " ".join(code for code in codes if isinstance(code, str)).lower(), words.lower()
    number = next((n for code in codes if (n := _number(code))), None)
    coded = _kind(text)
    kind = coded or (None if text.strip() else _kind_by_words(said))
    about_the_clip = kind == MODERATION or any(part in f"{text} {said}" for part in _ENDS)
    status = number or kind
    passing = status in _HEALS or status >= 500 if status else any(part in said for part in _SOUNDS_PASSING)
    by_words = kind is not None and coded is None
    return Complaint(words, status or MAYBE_CHARGED, kind, about_the_clip, passing and not about_the_clip, by_words)


def _number(code: Any) -> int | None:
    """A code that is one of HTTP's refusals, as a number or as text; a provider's own numbers mean nothing to us."""
    if isinstance(code, str) and code.strip().isascii() and code.strip().isdigit() and len(code) < 9:
        code = int(code)
    return code if isinstance(code, int) and not isinstance(code, bool) and 400 <= code <= 599 else None


def _kind(text: str) -> int | None:
    return next((number for number, parts in _KINDS if any(part in text for part in parts)), None)


def _kind_by_words(words: str) -> int | None:
    """The kind by the message, where no code is given: only that money was missing, so that nothing was made.

    What was moderated may be the finished clip; and that something was asked too often may be said of what came after the
    charge (`the task was submitted, but polling it failed: 429`).
    """
    kind = _kind(words)
    return kind if kind == 402 else None


def _says_something(error: Any) -> bool:
    if isinstance(error, dict):
        return any(_says_something(value) for value in error.values())
    if isinstance(error, list):
        return any(_says_something(value) for value in error)
    return bool(error) and error != "null"


def _words(error: Any) -> str:
    """What an error says for people; never a whole document."""
    if isinstance(error, str):
        return error.strip()
    if isinstance(error, list):
        return "; ".join(text for item in error[:5] if (text := _words(item)))
    if isinstance(error, dict):
        said = (error.get(name) for name in _WORD_NAMES)
        return next(
            (text for value in said if (text := value if isinstance(value, str) else _words(value)).strip()), ""
        )
    return str(error) if isinstance(error, int) and not isinstance(error, bool) and abs(error) < 10**9 else ""
