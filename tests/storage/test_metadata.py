"""What travels with a clip stays below 2 KB and says what the clip is, whatever the team calls things."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from dailies.storage.abilities import StoreAbilities
from dailies.storage.metadata import MOST_BYTES, clip_metadata, cut, decoded, size_of
from dailies.storage.s3 import S3, Body
from tests.storage.parcels import attempt_of, row_of

IDENTITY = ("clip-key", "attempt", "provider", "model", "generation-id", "sha256", "usd-quoted", "created")


@pytest.mark.parametrize("label", ["扉" * 200, "🎬" * 200, "é" * 200, "%" * 200, "x" * 5000, "door", "a b/c", " "])
def test_labels_of_any_length_fit_and_identity_is_never_cut(label: str) -> None:
    """200 Japanese letters are 1,800 bytes in a header, and there are two labels."""
    attempt = attempt_of()
    sent = clip_metadata(attempt, row_of(label, label), "f" * 64, "0" * 32)
    assert size_of(sent) <= MOST_BYTES
    back = decoded(sent)
    whole = clip_metadata(attempt, row_of("door", "batch"), "f" * 64, "0" * 32)
    assert all(sent[name] == whole[name] for name in IDENTITY)
    assert back["row"] == cut(label)


def test_two_long_labels_that_begin_alike_stay_different() -> None:
    """Eight digits of the digest tell them apart."""
    assert cut("扉" * 200) != cut("扉" * 199 + "窓")
    assert cut("scene 1") == "scene 1"


@given(st.text(min_size=1, max_size=600), st.text(min_size=1, max_size=600), st.text(max_size=512))
def test_the_limit_holds_for_every_text(row_id: str, batch: str, generation_id: str) -> None:
    """A generation id that alone is too long is left out: a clip that is stored is worth more than one that is not."""
    attempt = attempt_of()._replace(generation_id=generation_id)
    sent = clip_metadata(attempt, row_of(row_id, batch), "f" * 64, None)
    assert size_of(sent) <= MOST_BYTES
    assert all(value.isascii() and value.isprintable() for value in sent.values())


def test_a_clip_with_the_longest_labels_is_taken_by_a_real_store(sea_bucket: str) -> None:
    """And its labels come back."""
    sent = clip_metadata(attempt_of(), row_of("扉" * 200, "窓" * 200), "f" * 64, "0" * 32)
    s3 = S3()
    s3.put(sea_bucket, "a.mp4", Body.of(b"x"), "video/mp4", sent, StoreAbilities())
    found = s3.head(sea_bucket, "a.mp4")
    assert found
    assert decoded(found.metadata)["row"] == cut("扉" * 200)
    assert decoded(found.metadata)["clip-key"] == attempt_of().clip_key
