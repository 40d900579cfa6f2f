"""Run with the code of 48f82a2 (see `earlier.py`): writes a ledger as that version did, or holds a paid request on one.

    python first_version.py write URL    one clip in every state
    python first_version.py hold URL     claims a clip, says so, waits for a line, then does T2, T3 and T4

It imports nothing but `dailies`, and only what was there at that commit.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from dailies.domain.clips import Clip, Image, Row
from dailies.domain.states import Failure
from dailies.ledger import Caps, Ledger, Owner, open_engine

USD = Decimal("1.26")
IMAGE = Image("https://pictures.example/cat.png", 1280, 720, "PNG", 123_456)
NAMES = (
    "stored", "submitted", "completed", "in_doubt", "superseded", "orphaned", "result_lost", "refused", "generation",
    "not_sent", "planned",
)  # fmt: skip
BATCH = "first"


def row(number: int, name: str) -> Row:
    """A row of the batch; its prompt is its name."""
    return Row(
        number, name, Clip("openai/sora-2-pro-i2v", name, IMAGE, "720p", "16:9", 4), ("aiml",), {"campaign": name}
    )


def claim(ledger: Ledger, clip_key: str):
    """T1, which must be granted."""
    return ledger.claim(clip_key, BATCH, "aiml", USD, Caps(), "digest-of-the-request", "ab" * 32)


def bring(ledger: Ledger, name: str, clip_key: str) -> None:
    """Buy a clip and bring it to where its name says."""
    attempt = claim(ledger, clip_key)
    generation = f"video_{name}"
    match name:
        case "refused" | "not_sent":
            ledger.free(attempt.id, Failure.REFUSED if name == "refused" else Failure.NOT_SENT, "the provider's words")
        case "in_doubt" | "superseded":
            ledger.doubt(attempt.id, "answer lost")
            if name == "superseded":
                ledger.resubmit(attempt.id, "we need it today")
        case "orphaned":
            ledger.free(attempt.id, Failure.NOT_SENT, "connection refused")
            ledger.answer(attempt.id, generation)
        case _:
            submitted = ledger.answer(attempt.id, generation)
            if name == "generation":
                ledger.generation_failed(submitted, "the provider could not make it")
            if name in ("stored", "completed", "result_lost"):
                ready = ledger.completed(submitted, "https://cdn.example/clip.mp4?signature=s3cr3t", USD, 2_520_000)
                if name == "stored":
                    ledger.stored(ready.id, f"s3://clips/first/{ready.id}.mp4", "ef" * 32, 1_234_567)
                if name == "result_lost":
                    ledger.result_lost(ready, "HTTP 403")


def write(url: str) -> None:
    """One clip in every state, on a day of its own, by an owner whose lease has run out since."""
    begun = datetime(2026, 11, 20, 12, tzinfo=UTC)
    ticks = iter(range(10_000))
    owner = Owner("another machine", 7, "7", "first")
    ledger = Ledger(open_engine(url), owner, clock=lambda: begun + timedelta(seconds=next(ticks)))
    rows = [row(number, name) for number, name in enumerate(NAMES, 1)]
    ledger.plan(BATCH, "first.csv", "s3://clips/first", rows, {r.clip.key: USD for r in rows})
    for one in rows:
        if one.id != "planned":
            bring(ledger, one.id, one.clip.key)
    ledger.engine.dispose()
    print("written")


def hold(url: str) -> None:
    """Claim, wait until told, record the answer, and bring the clip home."""
    ledger = Ledger(open_engine(url), Owner.this_process())
    wanted = row(1, "held")
    ledger.plan("held", "held.csv", "s3://clips/held", [wanted], {wanted.clip.key: USD})
    for _ in range(8):  # what is asked so often is prepared on the server, where the driver does that
        ledger.attempts(wanted.clip.key)
    attempt = ledger.claim(wanted.clip.key, "held", "aiml", USD, Caps(), "digest", "ab" * 32)
    print(attempt.id, flush=True)
    sys.stdin.readline()
    submitted = ledger.answer(attempt.id, "video_held")
    ledger.polled(submitted, generating=True)
    ready = ledger.completed(submitted, "https://cdn.example/held.mp4", USD, 2_520_000)
    print(ledger.stored(ready.id, "s3://clips/held/held.mp4", "cd" * 32, 99).state, flush=True)
    ledger.close()


if __name__ == "__main__":
    {"write": write, "hold": hold}[sys.argv[1]](sys.argv[2])
