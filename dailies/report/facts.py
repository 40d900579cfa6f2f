"""All that is known of one clip, for people and for programs: `dailies show`, and the sidecar beside it in S3. Pure.

docs/provenance.md has each key; `tests/unit/test_facts.py` holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from dailies.domain.addresses import is_address, unsigned
from dailies.domain.clips import IMAGE_LISTS, Clip, listed, together
from dailies.domain.money import sum_usd
from dailies.domain.records import Attempt, BatchRow
from dailies.domain.standing import FORGOTTEN, shown_state
from dailies.domain.verdicts import Verdict

SCHEMA: Final = "dailies.clip/1"
"""The first key of each sidecar. The number grows where a key changes its meaning; new keys are no change."""


def facts_of(row: BatchRow, attempt: Attempt | None = None) -> dict[str, Any]:
    """A clip as one JSON object; `attempt` is the one whose file is told of, by default that which speaks for the clip.

    Dollars are numbers, what is not known is null, moments are ISO 8601 in UTC; addresses are without their signatures.
    """
    told = attempt or row.attempt
    return {
        "schema": SCHEMA,
        "batch": row.batch, "row": row.number, "id": row.id, "take": row.clip.take, "clip_key": row.clip_key,
        "state": str(told.state) if attempt and told else shown_state(row),
        "error": FORGOTTEN if row.forgotten else told.error if told and not told.delivered else None,
        "model": row.clip.model, "prompt": row.clip.prompt, "image": _image(row.clip, told), "settings": _settings(row.clip),
        "own": dict(row.labels),
        **_made(told, row),
        **_file(told, row),
        "verdict": _verdict(row.verdict),
    }  # fmt: skip


def _image(clip: Clip, attempt: Attempt | None) -> dict[str, Any] | None:
    image = clip.image
    if not image.source:
        return None
    return {
        "source": _plain(image.source), "sha256": image.sha256, "sent_sha256": attempt.image_sha256 if attempt else None,
        "width": image.width, "height": image.height, "made": image.made or None,
    }  # fmt: skip


def _settings(clip: Clip) -> dict[str, Any]:
    return {
        "resolution": clip.resolution, "aspect_ratio": clip.aspect_ratio, "duration_s": clip.duration_s,
        "options": {name: _option(name, value) for name, value in clip.options.items()},
    }  # fmt: skip


def _made(attempt: Attempt | None, row: BatchRow) -> dict[str, Any]:
    """Where it was made, when, and for how much; the money is that of the file's own attempt, but for the last figure."""
    quoted = attempt.usd_quoted if attempt else row.usd_quoted
    known = [one.usd_charged for one in row.attempts if one.generation_id and one.usd_charged is not None]
    return {
        "provider": attempt.provider if attempt else row.providers[0],
        "attempt": attempt.id if attempt else None,
        "generation_id": attempt.generation_id if attempt else None,
        "request_digest": (attempt.request_digest or None) if attempt else None,
        "created_at": _moment(attempt.created_at) if attempt else None,
        "completed_at": _moment(attempt.completed_at) if attempt else None,
        "stored_at": _moment(attempt.stored_at) if attempt else None,
        "usd_quoted": _number(quoted),
        "usd_charged": _number(attempt.usd_charged) if attempt and attempt.generation_id else None,
        "credits_used": attempt.credits_used if attempt else None,
        "attempts": len(row.attempts),
        "usd_charged_in_all": _number(sum_usd(known)) if known else None,
    }


def _file(attempt: Attempt | None, row: BatchRow) -> dict[str, Any]:
    """What lies in S3, and what it says of itself."""
    here = attempt if attempt and attempt.delivered else None
    origin = here.origin if here else None
    return {
        "s3_uri": (row.copy_uri or here.s3_uri) if here else None,
        "sha256": here.sha256 if here else None,
        "size_bytes": here.size_bytes if here else None,
        "mismatch": here.mismatch if here else None,
        "c2pa": origin.c2pa if origin else None,
        "digital_source_type": origin.digital_source_type if origin else None,
        "marks": here.marks.record() if here and here.marks else None,
    }


def _verdict(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None or not (verdict.said.word or verdict.said.note):
        return None
    said = {"word": str(verdict.said.word), "note": verdict.said.note, "prompt": verdict.said.prompt}
    return {**said, "by": verdict.author, "at": _moment(verdict.at)}


def _option(name: str, value: object) -> object:
    if name in IMAGE_LISTS and isinstance(value, str):
        return together(str(_plain(image)) for image in listed(value))
    return _plain(value)


def _plain(value: object) -> object:
    return unsigned(value) if isinstance(value, str) and is_address(value) else value


def _number(usd: Decimal | None) -> float | None:
    return None if usd is None else float(usd)


def _moment(at: datetime | None) -> str | None:
    return at.isoformat(timespec="seconds") if at else None


def is_facts(content: Mapping[str, Any]) -> bool:
    """Whether a JSON object is one of ours, of whichever version."""
    return str(content.get("schema", "")).startswith("dailies.clip/")
