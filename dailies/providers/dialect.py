"""One reader for what providers say of a job: how it stands, where its clip lies, what it cost, why it ended.

Every provider uses it. Pure: any JSON in, a `Reading` out; nothing raises, and the order of keys changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from dailies.domain.money import to_usd
from dailies.providers.addresses import address_in, find_address, only_film
from dailies.providers.complaints import Complaint, complaint_in
from dailies.providers.words import ENVELOPE, Phase, end_in_words, parts_of, phase_of, word_set

MOST_OBJECTS, MOST_LEVELS = 50, 6
MOST_CREDITS = 10**15
_WRAPPERS = word_set("""
    body content data generation generations info item items job output outputs payload prediction record response result
    results task tasks video videos
    """)
"""Names under which an answer about a job may stand; below any other name a status is somebody else's."""

_STATUS_NAMES = (
    "status",
    "state",
    "taskstatus",
    "jobstatus",
    "videostatus",
    "generationstatus",
    "upstreamstatus",
    "runstatus",
)
_FLAGS = ("done", "isdone", "completed", "finished", "isfinished")
_REASONS = ("fail_reason", "failure_reason", "failreason", "reason", "status_message", "message", "msg", "detail")
_DOLLARS = ("meta.usage.usd_spent", "usage.usd_spent", "usage.cost", "cost.total_cost", "cost.usd", "cost", "usd_spent")
_CREDITS = ("meta.usage.credits_used", "usage.credits_used", "credits_used")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one answer says of a job. `url` is there exactly when the phase is done. Dollars and credits are None where it
    does not say. `strange` is a status word that the table does not know."""

    phase: Phase
    detail: str
    url: str | None = None
    usd: Decimal | None = None
    credits_used: int | None = None
    strange: str = ""
    transient: bool = False


def read(document: Any, sent: Set[str] = frozenset()) -> Reading:
    """Read an answer about a job; `sent` are the addresses of our own request, which no answer can make a result."""
    places = list(job_objects(document))
    word, phase = _status(places)
    complaint = complaint_in(document, places)
    url = None if phase is Phase.GOING_ON else find_address(document, sent)
    if phase is Phase.ENDED and url and _says_done(places):
        word, phase = "completed", Phase.DONE  # what ended is a part of it, beside the clip
    if phase is Phase.DONE and url is None:
        url = only_film(document, sent)
    strange = word if phase is Phase.UNKNOWN and word else ""
    usd, spent = _dollars(places), _credits(places)
    if phase is Phase.GOING_ON:
        return Reading(phase, word)
    if phase is Phase.ENDED:
        return Reading(phase, end_in_words(word, _reason(places, complaint)), None, usd, spent)
    if url:
        return Reading(Phase.DONE, word or "ready", url, usd, spent, strange)
    if complaint and _is_the_end(phase, word, complaint):
        return Reading(Phase.ENDED, end_in_words(word, _reason(places, complaint)), None, usd, spent, strange)
    if phase is Phase.DONE:
        return Reading(Phase.GOING_ON, f"{word}, but without a URL", transient=True)
    words = word or (complaint.detail if complaint else "") or "no status"
    return Reading(Phase.GOING_ON, words, strange=strange, transient=True)


def _is_the_end(phase: Phase, word: str, complaint: Complaint) -> bool:
    """Whether an error in an answer is the job's own end, and not a trouble of this question that heals."""
    if phase is Phase.DONE or complaint.about_the_clip:
        return not complaint.may_heal
    return not word and not complaint.may_heal


def id_in(document: Any, names: Sequence[str]) -> str | None:
    """The job's id: the first of these names that holds one, the outermost first."""
    places = list(job_objects(document))
    return next((found for name in names for place in places if (found := usable_id(place.get(name)))), None)


def usable_id(value: object) -> str | None:
    """A generation id that can be stored and asked for again: printable text of at most 512 characters."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**100:
        value = str(value)
    if isinstance(value, str) and 0 < len(value.strip()) <= 512 and value.isprintable() and not address_in(value):
        return value
    return None


def id_of_address(url: str) -> str:
    """A name for a clip that came without any id, made of its address: what was paid is kept under a name of ours."""
    return "url-" + hashlib.sha256(url.split("?")[0].encode("utf-8", "surrogatepass")).hexdigest()[:32]


def job_objects(document: Any) -> Iterator[Mapping[str, Any]]:
    """The objects of an answer that speak of the job: the outermost first, then what it is wrapped in."""
    waiting, seen = deque([(document, 0)]), 0
    while waiting and seen < MOST_OBJECTS:
        value, level = waiting.popleft()
        if isinstance(value, str) and value.lstrip()[:1] == "{":
            value = _json_or_none(value)
        if isinstance(value, list) and level < MOST_LEVELS:
            waiting.extend((item, level + 1) for item in value[:MOST_OBJECTS])
        elif isinstance(value, dict):
            seen += 1
            yield value
            if level < MOST_LEVELS:
                inner = sorted(key for key in value if isinstance(key, str) and key.lower() in _WRAPPERS)
                waiting.extend((value[key], level + 1) for key in inner)


def _json_or_none(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _status(places: Sequence[Mapping[str, Any]]) -> tuple[str, Phase]:
    """The word for how the job stands. `success` may speak of the answer alone, so a word further inside comes before it,
    and of a job that is done an inner word still tells that it ended badly."""
    found = _statuses(places)
    if not found:
        return "", Phase.UNKNOWN
    if found[0][1] is Phase.DONE:
        return next((status for status in found if status[1] is Phase.ENDED), found[0])
    return found[0]


def _statuses(places: Sequence[Mapping[str, Any]]) -> list[tuple[str, Phase]]:
    """The words of all places, the outermost first, without those that speak of the answer: `success`, or a number."""
    found = [status for place in places if (status := _status_of(place))]
    while len(found) > 1 and ("_".join(parts_of(found[0][0])) in ENVELOPE or found[0][0].isdigit()):
        found.pop(0)
    return found


def _says_done(places: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the outermost word says that the job is done."""
    found = _statuses(places)
    return bool(found) and found[0][1] is Phase.DONE


def _status_of(place: Mapping[str, Any]) -> tuple[str, Phase] | None:
    named = {"".join(parts_of(key)): value for key, value in sorted(place.items(), key=lambda item: str(item[0]))}
    for name in _STATUS_NAMES:
        value = named.get(name)
        if isinstance(value, dict):
            value = next((value[inner] for inner in ("state", "status", "name", "value") if value.get(inner)), None)
        if isinstance(value, str) and value.strip() and len(value) <= 200 and not address_in(value):
            return value.strip(), phase_of(value)
    flags = [named[name] for name in _FLAGS if isinstance(named.get(name), bool)]
    return None if not flags else ("done", Phase.DONE) if flags[0] else ("not done", Phase.GOING_ON)


def _reason(places: Sequence[Mapping[str, Any]], complaint: Complaint | None) -> str:
    if complaint and complaint.detail:
        return complaint.detail
    said = (place.get(name) for place in reversed(places) for name in _REASONS)
    return next((text.strip() for text in said if isinstance(text, str) and text.strip() and not address_in(text)), "")


def _dollars(places: Sequence[Mapping[str, Any]]) -> Decimal | None:
    for value in _values_at(places, _DOLLARS):
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            try:
                return to_usd(value)
            except ValueError:
                continue
    return None


def _credits(places: Sequence[Mapping[str, Any]]) -> int | None:
    found = (credits_in(value) for value in _values_at(places, _CREDITS))
    return next((spent for spent in found if spent is not None), None)


def credits_in(value: object) -> int | None:
    """So many credits, written as a number or as text; None for what is no such number."""
    if not isinstance(value, int | float | str) or isinstance(value, bool):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return int(number) if number.is_finite() and 0 <= number <= MOST_CREDITS else None


def _values_at(places: Sequence[Mapping[str, Any]], paths: Sequence[str]) -> Iterator[Any]:
    for path in paths:
        for place in places:
            value: Any = place
            for name in path.split("."):
                value = value.get(name) if isinstance(value, dict) else None
            yield value
