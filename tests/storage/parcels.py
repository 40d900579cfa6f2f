"""Clips on their way into a store, for tests that need no provider."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from dailies.domain.clips import Clip, Image
from dailies.domain.records import Attempt, BatchRow
from dailies.domain.states import State
from dailies.storage.abilities import StoreAbilities
from dailies.storage.download import Download
from dailies.storage.parcel import Parcel, pack

AT = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
CLIP = Clip("openai/sora-2-pro-i2v", "a door opens", Image("a.png", 1280, 720, "png"), "720p", "16:9", 4)


def attempt_of(clip_key: str = CLIP.key, generation_id: str = "video_1:openai/sora-2-pro-i2v") -> Attempt:
    """A completed attempt."""
    return Attempt(
        id=f"{'a' * 16}.{clip_key[:24]}", clip_key=clip_key, no=1, batch="batch", provider="aiml", state=State.COMPLETED,
        owner="me", epoch=1, lease_until=AT, created_at=AT, usd_quoted=Decimal("1.26"), usd_charged=Decimal("1.26"),
        generation_id=generation_id, credits_used=2520000,
    )  # fmt: skip


def row_of(row_id: str = "door", batch: str = "batch") -> BatchRow:
    """Its row."""
    return BatchRow(batch, 1, row_id, CLIP, CLIP.key, ("aiml",), Decimal("1.26"))


def parcel_of(folder: Path, ways: StoreAbilities, content: bytes = b"a clip of ours") -> Parcel:
    """A file as a parcel."""
    path = folder / f"{len(list(folder.iterdir()))}.mp4"
    path.write_bytes(content)
    file = Download(path, len(content), hashlib.sha256(content).hexdigest())
    return pack(attempt_of(), row_of(), file, ways)
