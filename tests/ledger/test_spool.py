"""The spool keeps a paid generation's id on disk until the ledger has taken it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dailies.ledger import Spool
from dailies.ledger.spool import SpooledAnswer

ANSWER = SpooledAnswer("a" * 32, "video_68e5:openai/sora-2-pro-i2v")


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
    answer = SpooledAnswer("a" * 32, generation_id, clip_key)
    path = spool.put(answer)
    assert list(spool) == [(path, answer)]


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
