"""The keys of clips as the first version made them, found again from the clips of today."""

from __future__ import annotations

import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.domain.clips import Clip, Image, Option
from dailies.domain.earlier_keys import earlier_keys
from dailies.domain.takes import label_meant
from dailies.domain.text import one_form
from tests.ledger.factories import a_clip

SIGNED = Image("https://pictures.example/cat.png?v=2&X-Amz-Signature=aa", 1280, 720, "PNG")
FILE = Image("cat.png", 1280, 720, "PNG", 9, "ab" * 32)


def as_then(clip: Clip, image: str) -> str:
    """The key that 48f82a2 gave to a clip that was written so: every byte of its text and address counted."""
    import hashlib
    import json

    parts: list[object] = [
        clip.model, clip.prompt, image, clip.resolution or "", clip.aspect_ratio or "", str(clip.duration_s or ""), clip.take,
    ]  # fmt: skip
    if clip.options:
        parts.append(sorted((name, clip.options[name]) for name in clip.options))
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("options", [{}, {"seed": 7, "style": "raw"}])
def test_however_its_text_was_written_a_clip_is_found(form: str, line_end: str, options: dict[str, Option]) -> None:
    written = unicodedata.normalize(form, f"Café,{line_end}im Regen")  # type: ignore[arg-type]
    then = a_clip(written, image=FILE, options=options)
    today = replace(then, prompt=one_form(written))
    key = as_then(then, f"sha256:{FILE.sha256}")
    assert key == today.key or key in earlier_keys(today)


def test_what_a_row_left_to_the_model_was_no_word_of_the_key() -> None:
    then = a_clip("Café", image=SIGNED, resolution=None, aspect_ratio=None, duration_s=None)
    assert as_then(then, SIGNED.source) in earlier_keys(then)


def test_the_signature_of_an_image_was_part_of_the_key() -> None:
    assert as_then(a_clip(image=SIGNED), SIGNED.source) in earlier_keys(a_clip(image=SIGNED))


@pytest.mark.parametrize("made", ["", "upright"])
def test_of_a_signature_that_was_not_known_then_a_part_was_left(made: str) -> None:
    signed = SIGNED._replace(source="https://pictures.example/cat.png?e=1764300000&token=K:x", made=made)
    left = " ".join(filter(None, ["https://pictures.example/cat.png?e=1764300000", made]))
    assert as_then(a_clip(image=signed), left) in earlier_keys(a_clip(image=signed))


def test_a_fitted_image_was_known_by_the_bytes_that_an_encoder_made() -> None:
    fitted = a_clip(image=FILE._replace(made="crop 1280x720"))
    assert as_then(fitted, f"sha256:{'cd' * 32}") in earlier_keys(fitted, ["ef" * 32, "cd" * 32])
    assert earlier_keys(fitted) == frozenset(), "of which nothing is known"


@pytest.mark.parametrize("label", ["2.0", "2,0", "2.00", "2,00"])
def test_a_takes_number_as_a_spreadsheet_rewrote_it_is_known(label: str) -> None:
    then = a_clip(image=FILE, take=label)
    assert label_meant(label) == "2" and then.key in earlier_keys(replace(then, take="2"))
    assert then.key not in earlier_keys(replace(then, take="3"))


@given(st.text(max_size=40))
def test_the_key_of_today_is_no_earlier_one(text: str) -> None:
    clip = a_clip(one_form(text), image=FILE)
    assert clip.key not in earlier_keys(clip)
    assert len(earlier_keys(clip)) <= 4


QINIU = "https://pictures.example/b.png?v=2&e=1764300000&token=K:x"


@pytest.mark.parametrize("name", ["last_image", "reference_images"])
@pytest.mark.parametrize(("take", "then"), [("", ""), ("2", "2.0")])
def test_what_the_version_before_made_of_signed_options_and_takes_is_known(name: str, take: str, then: str) -> None:
    """Its key left out some signatures and not others, and kept a take as a spreadsheet had written it."""
    clip = a_clip(image=FILE._replace(made="upright"), take=take, options={name: f"{QINIU}&X-Amz-Signature=aa"})
    left = QINIU.removesuffix("&token=K:x")
    before = as_then(replace(clip, take=then, options={name: left}), f"sha256:{FILE.sha256} upright")
    assert before in earlier_keys(clip)
