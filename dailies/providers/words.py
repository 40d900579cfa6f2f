"""The words that providers use for how a job stands, as one table: done, going on, ended without a clip.

Spelling is no matter: `IN_PROGRESS`, `InProgress` and `in progress` are one word, and so are `TASK_STATUS_SUCCEED` and
`succeed`. A word that is in no line is unknown: nobody decides on it alone.
"""

from __future__ import annotations

import re
from enum import StrEnum


class Phase(StrEnum):
    """How a job stands."""

    DONE = "done"
    GOING_ON = "going on"
    ENDED = "ended"  # without a clip: failed, cancelled, expired, refused
    UNKNOWN = "unknown"


def word_set(text: str) -> frozenset[str]:
    """The words of a text that lists them."""
    return frozenset(text.split())


_DONE = "complete completed done finish finished generated ok ready succeed succeeded success successful successfully"
_GOING_ON = """
    accepted active assigned booting created delayed dispatched dispatching downloading dreaming encoding enqueued finalizing
    generating init initialized initializing in_progress in_queue inprogress inqueue loading moderating new not_done not_start
    not_started paused pending postprocessing preparing preprocessing process processing progress queue queued received
    rendering retry retrying reviewing running scheduled started starting streaming submitted submitting throttled transcoding
    uploading upscaling validating wait waiting working
    cancel_requested canceling cancellation_requested cancelling
"""
_ENDED = """
    abort aborted banned blocked cancel canceled cancelled crashed dead deleted denied discarded dropped error errored errors
    exception expire expired fail failed failure filtered flagged incomplete invalid killed moderated nsfw refused reject
    rejected removed revoked stopped terminated time_out timed_out timeout unsafe violation
"""
TABLE: dict[str, Phase] = {
    word: phase
    for words, phase in ((_DONE, Phase.DONE), (_GOING_ON, Phase.GOING_ON), (_ENDED, Phase.ENDED))
    for word in words.split()
}

ENVELOPE = frozenset({"ok", "success", "successful"})
"""Words that may speak of the answer and not of the job: a word further inside it counts before them."""

CANCELLED = frozenset({"abort", "aborted", "cancel", "canceled", "cancelled"})
_PLAIN_FAILURE = frozenset({"error", "errored", "errors", "fail", "failed", "failure"})
_NEGATIONS = frozenset({"never", "no", "non", "not", "un", "without"})
_PREFIXES = frozenset({"generation", "job", "run", "state", "status", "task", "video"})
_MOST_LETTERS = 200  # a longer text is no word

_PARTS = re.compile(r"[^\W\d_]+|\d+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def parts_of(text: str) -> tuple[str, ...]:
    """The words inside a name, in lower case: `videoURL`, `video_url` and `Video URL` are (video, url)."""
    return tuple(part.lower() for part in _PARTS.findall(_CAMEL.sub(" ", text[:_MOST_LETTERS])))


def phase_of(word: str) -> Phase:
    """What a status word means. Of a word of several parts all that are known must agree, and none may deny it."""
    parts = parts_of(word)
    while len(parts) > 1 and parts[0] in _PREFIXES:
        parts = parts[1:]
    known = TABLE.get("_".join(parts))
    if known:
        return known
    meanings = {TABLE[part] for part in parts if part in TABLE}
    return meanings.pop() if len(meanings) == 1 and not _NEGATIONS & set(parts) else Phase.UNKNOWN


def end_in_words(word: str, reason: str) -> str:
    """Why a job ended, in the provider's words: its reason, behind its word where that says more than `failed`."""
    parts = set(parts_of(word))
    if parts & CANCELLED:
        word = "cancelled"
    elif not word or parts <= _PLAIN_FAILURE or phase_of(word) is not Phase.ENDED:
        return reason or "failed without a reason"
    return f"{word}: {reason}" if reason and reason.casefold() != word.casefold() else word
