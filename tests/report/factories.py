"""Batches as the ledger would give them, with every outcome a clip can have, and the files a page shows."""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from PIL import Image as Picture

from dailies.domain.clip_line import Line
from dailies.domain.clips import clip_name
from dailies.domain.figures import Sum
from dailies.domain.money import ZERO, usd_to_credits
from dailies.domain.records import Attempt, BatchRow
from dailies.domain.states import Failure, State
from dailies.media.posters import poster
from dailies.report.credits import Credits, credits_of
from dailies.report.links import POSTERS
from dailies.sandbox.render import Spec, render
from tests.ledger.factories import NOON, a_clip, an_attempt

MADE_AT = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
MODELS = (
    "openai/sora-2-pro-i2v",
    "google/veo-3.1-i2v",
    "bytedance/seedance-2-0",
    "klingai/video-v3-pro-image-to-video",
)
SCENES = (
    "The sun climbs over the hills, light spills slowly across the valley and catches the river",
    "Calm water, a gull crosses the frame, the camera drifts to the right along the quay",
    "A slow tilt up the old tower, lanterns flicker on one after another as dusk settles",
    "Morning mist moves between the trees, a deer looks up and walks out of the frame",
    "Close on a cup of coffee, steam curls in the window light, rain on the glass behind it",
    "A cyclist passes under the bridge; the camera follows from above until the road bends",
)
CAMPAIGNS = ("spring", "autumn", "always on", "launch")


def a_batch_row(number: int = 1, state: State | None = State.STORED, batch: str = "monday", **changes: Any) -> BatchRow:
    """A row whose only attempt is in this state; None for a clip that was never bought. `changes` are the attempt's."""
    labels, prompt = changes.pop("labels", {"campaign": "spring"}), changes.pop("prompt", f"prompt {number}")
    name, clip_changes = changes.pop("id", f"row-{number:02d}"), changes.pop("clip", {})
    clip = a_clip(prompt, **clip_changes)
    quoted = changes.get("usd_quoted", Decimal("1.26"))
    attempts = () if state is None else (an_attempt_of(clip.key, name, state, batch, **changes),)
    return BatchRow(batch, number, name, clip, clip.key, ("aiml",), quoted, labels, attempts)


def an_attempt_of(clip_key: str, name: str, state: State, batch: str = "monday", **changes: Any) -> Attempt:
    """An attempt with all that its state implies: an id, a charge, an address in S3."""
    attempt_id = hashlib.md5(f"{clip_key}{state}".encode(), usedforsecurity=False).hexdigest()
    fields: dict[str, Any] = {
        "id": attempt_id, "clip_key": clip_key, "batch": batch, "request_digest": "d" * 64, "polls": 4,
        "usd_quoted": Decimal("1.26"), "created_at": NOON, "submitted_at": NOON + timedelta(seconds=2),
    }  # fmt: skip
    if state in (State.SUBMITTED, State.COMPLETED, State.STORED, State.RESULT_LOST, State.ORPHANED):
        fields["generation_id"] = f"video_{attempt_id}:openai/sora-2-pro-i2v"
    usd = changes.get("usd_quoted", Decimal("1.26"))
    at = changes.get("created_at", NOON)
    if state in (State.COMPLETED, State.STORED, State.RESULT_LOST):
        fields |= {"usd_charged": usd, "credits_used": usd_to_credits(usd), "completed_at": at + timedelta(seconds=91)}
    if state is State.STORED:
        uri = f"s3://studio/clips/{batch}/{clip_name(name, clip_key)}.mp4"
        fields |= {"s3_uri": uri, "sha256": "ab" * 32, "size_bytes": 3_456_789, "stored_at": at + timedelta(seconds=95)}
    if state is State.FAILED:
        fields |= {"failure": Failure.GENERATION, "error": "the upstream failed", "usd_charged": ZERO}
    return an_attempt(state)._replace(**(fields | changes))


MIXTURE: tuple[tuple[int, Callable[[dict[str, Any]], dict[str, Any]], State | None], ...] = (
    (2, lambda c: c | {"error": "the answer was lost: read timeout after 120 s"}, State.IN_DOUBT),
    (1, lambda c: c | {"error": "HTTP 403: the address has expired, and a fresh fetch gives none"}, State.RESULT_LOST),
    (2, lambda c: c | {"error": "the upstream failed to generate: internal error"}, State.FAILED),
    (1, lambda c: c | {"failure": Failure.REFUSED, "generation_id": None, "usd_charged": None,
                       "error": "HTTP 400: blocked by our moderation system"}, State.FAILED),
    (1, lambda c: c | {"failure": Failure.NOT_SENT, "generation_id": None, "usd_charged": None,
                       "error": "connection refused"}, State.FAILED),
    (2, lambda c: c | {"error": "overdue: generating"}, State.SUBMITTED),
    (2, lambda c: c | {"mismatch": "asked for 1280x720, got 640x360; asked for sound, got none"}, State.STORED),
    (1, lambda c: {}, None),
)  # fmt: skip


def mixed_rows(count: int = 40, batch: str = "monday", days: int = 1, seed: int = 7) -> list[BatchRow]:
    """So many rows: about a third of forty have something wrong, of every kind; the rest are delivered."""
    chance = random.Random(seed)
    kinds = [(change, state) for times, change, state in MIXTURE for _ in range(times)]
    rows = []
    for number in range(1, count + 1):
        change, state = kinds[number - 1] if number <= len(kinds) else (lambda c: c, State.STORED)
        seconds, usd = chance.lognormvariate(4.6, 0.4), Decimal(chance.choice(("1.26", "2.52", "3.78", "1.2", "0.605")))
        model = chance.choice(MODELS)
        at = NOON - timedelta(days=chance.randrange(days), minutes=chance.randrange(400))
        common: dict[str, Any] = {"usd_quoted": usd, "created_at": at}
        if state in (State.STORED, State.RESULT_LOST):
            common["completed_at"] = at + timedelta(seconds=seconds)
        if chance.random() < 0.08 and state is State.STORED:
            common["usd_charged"] = usd + Decimal("0.14")
        labels = {"campaign": chance.choice(CAMPAIGNS), "editor": chance.choice(("Ana", "Bo", "Chidi"))}
        scene = f"{chance.choice(SCENES)}, shot {number}"
        clip = {"model": model, "resolution": chance.choice(("720p", "1080p")),
                "aspect_ratio": chance.choice(("16:9", "16:9", "9:16")), "duration_s": chance.choice((4, 8, 12))}  # fmt: skip
        changes = common if state is None else change(common)
        rows.append(
            a_batch_row(
                number, state, batch, id=f"scene-{number:03d}", prompt=scene, labels=labels, clip=clip, **changes
            )
        )
    return rows


def credits(rows: Sequence[BatchRow], batch: str = "monday") -> Credits:
    """The figures of these rows."""
    return credits_of(batch, rows)


def make_files(rows: Sequence[BatchRow], folder: Path, clips: Path) -> None:
    """A playable clip and a poster for every delivered row: three real clips, and their names many times."""
    (folder / POSTERS).mkdir(parents=True, exist_ok=True)
    clips.mkdir(parents=True, exist_ok=True)
    made = [
        real_clip(clips / f"source-{i}.mp4", size, i) for i, size in enumerate(((320, 180), (180, 320), (320, 180)))
    ]
    for row in rows:
        if row.attempt and row.attempt.delivered:
            name = clip_name(row.id, row.clip_key)
            source, still = made[1 if row.clip.aspect_ratio == "9:16" else (row.number % 2) * 2]
            (clips / f"{name}.mp4").hardlink_to(source)
            (folder / POSTERS / f"{name}.webp").write_bytes(still)


def real_clip(path: Path, size: tuple[int, int], seed: int = 0) -> tuple[Path, bytes]:
    """A small MP4 that a browser plays, and its poster."""
    path.write_bytes(render(Spec(size, 2), gradient(size, seed)))
    return path, poster(path)


def gradient(size: tuple[int, int], seed: int) -> bytes:
    """A picture that looks like something: three colours that run into each other."""
    chance = random.Random(seed + 5)
    small = Picture.new("RGB", (4, 3))
    small.putdata([tuple(chance.randrange(20, 235) for _ in range(3)) for _ in range(12)])
    out = io.BytesIO()
    small.resize(size, Picture.Resampling.BICUBIC).save(out, "PNG")
    return out.getvalue()


def sum_of(lines: Iterable[Line]) -> Sum:
    """Lines summed up as a report sums them, one after the other."""
    found = Sum()
    for line in lines:
        found.add(line)
    return found
