"""The spool keeps what became of a paid create on disk until the ledger has taken it."""

from __future__ import annotations

import os
import stat
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dailies.domain.creates import Accepted, CreateOutcome, Doubtful, Free, KnownAttempt
from dailies.domain.states import Failure, State
from dailies.ledger import Spool
from dailies.ledger.spool import Spooled
from tests.ledger.factories import NOON, USD, a_clip, a_row, an_attempt

CLIP = a_clip("Zürich · 猫 🐈", options={"generate_audio": True, "seed": 7, "cfg_scale": 0.5}, duration_s=None)
KNOWN = KnownAttempt(an_attempt(State.SUBMITTING), a_row(3, CLIP), "smiles.csv", "s3://clips/smiles")
WHOLE = Accepted("video_68e5:openai/sora-2-pro-i2v", "https://cdn.example/c.mp4?sig=s3cr3t", Decimal("1.26"), 2_520_000)
ANSWER = Spooled(KNOWN, WHOLE)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    """A spool whose folder is not there yet."""
    return Spool(tmp_path / "home" / "spool")


def test_a_spool_that_was_never_used_is_empty(spool: Spool) -> None:
    assert (len(spool), list(spool)) == (0, [])


def test_an_answer_waits_until_its_file_is_deleted(spool: Spool) -> None:
    path = spool.put(ANSWER)
    assert list(Spool(spool.folder)) == [(path, ANSWER)]
    path.unlink()
    assert len(spool) == 0


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(
    generation_id=st.text(st.characters(exclude_categories=["Cs"]), min_size=1), clip_key=st.text("0123456789abcdef")
)
def test_any_id_comes_back_as_it_was(spool: Spool, generation_id: str, clip_key: str) -> None:
    answer = Spooled(KnownAttempt(an_attempt(clip_key=clip_key)), Accepted(generation_id))
    path = spool.put(answer)
    assert list(spool) == [(path, answer)]
    path.unlink()


@pytest.mark.parametrize("outcome", [WHOLE, Free(Failure.REFUSED, "moderation"), Doubtful("HTTP 500")])
def test_every_outcome_comes_back_whole_with_all_that_was_known_of_the_attempt(
    spool: Spool, outcome: CreateOutcome
) -> None:
    path = spool.put(Spooled(KNOWN, outcome))
    [(_, back)] = list(spool)
    assert back == Spooled(KNOWN, outcome)
    assert back.known.row and back.known.row.clip.key == CLIP.key
    path.unlink()


def test_an_outcome_that_waits_is_never_overwritten_by_another_of_its_attempt(spool: Spool) -> None:
    """A doubt, a refusal or a second id after an id: the first id stays on disk."""
    others: list[Accepted | Free | Doubtful] = [Doubtful("timeout"), Free(Failure.BUSY, "429"), Accepted("another id")]
    for outcome in [WHOLE, *others, WHOLE]:
        spool.put(Spooled(KNOWN, outcome))
    assert {spooled.outcome for _, spooled in spool} == {WHOLE, *others}


def test_what_the_first_version_wrote_is_still_read(spool: Spool) -> None:
    """Byte for byte as 48f82a2 put it."""
    spool.folder.mkdir(parents=True)
    (spool.folder / "a.json").write_text(
        '{"attempt_id": "a", "generation_id": "video_1:m", "clip_key": "c", "batch": "smiles", "provider": "aiml", '
        '"usd_quoted": "1.26", "created_at": "2026-11-21T12:00:00+00:00"}'
    )
    [(_, spooled)] = list(spool)
    attempt = spooled.known.attempt
    assert (spooled.attempt_id, spooled.outcome, spooled.known.row) == ("a", Accepted("video_1:m"), None)
    assert (attempt.clip_key, attempt.batch, attempt.provider) == ("c", "smiles", "aiml")
    assert (attempt.usd_quoted, attempt.created_at) == (USD, NOON)


def test_an_id_alone_is_enough_to_be_read(spool: Spool) -> None:
    """Of the clip nothing is known then; the paid generation is."""
    spool.folder.mkdir(parents=True)
    (spool.folder / "a.json").write_text('{"attempt_id": "a", "generation_id": "video_1:m"}')
    [(_, spooled)] = list(spool)
    attempt = spooled.known.attempt
    assert (attempt.id, attempt.no, attempt.epoch, attempt.state) == ("a", 1, 1, State.SUBMITTING)
    assert (attempt.clip_key, attempt.batch, attempt.provider, attempt.owner) == ("", "", "", "")
    assert attempt.usd_quoted == Decimal(0)


def test_what_a_later_version_wrote_is_left_for_it(spool: Spool) -> None:
    path = spool.put(ANSWER)
    path.write_text(path.read_text().replace('"version":2', '"version":99'))
    assert list(spool) == [] and len(spool) == 1


def test_an_answer_that_nobody_could_read_is_kept_whole_and_never_overwritten(spool: Spool) -> None:
    first, second = spool.keep_answer("abc", b"<html>\xff"), spool.keep_answer("abc", b"other")
    assert (first.read_bytes(), second.read_bytes()) == (b"<html>\xff", b"other")
    assert spool.answers_of("abc") == [first, second]
    assert first.parent == spool.folder.parent / "answers"
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert stat.S_IMODE(first.parent.stat().st_mode) == 0o700


def test_putting_an_answer_twice_keeps_one(spool: Spool) -> None:
    spool.put(ANSWER)
    spool.put(ANSWER)
    assert len(spool) == 1


def test_only_its_owner_can_read_it(spool: Spool) -> None:
    path = spool.put(ANSWER)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(spool.folder.stat().st_mode) == 0o700


@pytest.mark.parametrize("rubbish", [b"", b"{", b"[]", b"null", b'{"attempt_id": "a"}', b'{"other": 1}', b"\xff\xfe"])
def test_a_file_that_can_not_be_read_is_left_for_a_person_and_hides_no_other(spool: Spool, rubbish: bytes) -> None:
    good = spool.put(ANSWER)
    bad = spool.folder / "0.json"
    bad.write_bytes(rubbish)
    assert spool.unreadable() == [bad]
    assert list(spool) == [(good, ANSWER)]
    assert bad.exists()


def test_a_file_that_was_being_written_when_the_power_went_is_not_taken_for_an_answer(spool: Spool) -> None:
    spool.put(ANSWER)
    (spool.folder / "b.part").write_text('{"attempt_id": "b", "gen')
    assert [answer for _, answer in spool] == [ANSWER]


def test_the_bytes_and_the_name_are_on_disk_before_put_returns(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    fsync = os.fsync

    def noting(descriptor: int) -> None:
        synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noting)
    path = spool.put(ANSWER)
    assert synced == [str(path.with_suffix(".part")), str(spool.folder)]


def test_a_disk_that_is_full_is_said(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        spool.put(ANSWER)
    assert len(spool) == 0
