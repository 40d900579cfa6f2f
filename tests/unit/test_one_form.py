"""Text in one form: what can't be seen goes where it can't be meant, and stays where its script needs it."""

from __future__ import annotations

import pytest

from dailies.domain.text import clean_label, clean_prompt, one_form, trimmed

ZERO_WIDTH, JOINER, NO_JOINER, BIDI, SOFT = "\u200b", "\u200d", "\u200c", "\u200e", "\u00ad"


@pytest.mark.parametrize("edge", [ZERO_WIDTH, JOINER, NO_JOINER, BIDI, SOFT, f" {ZERO_WIDTH} {JOINER} \n"])
def test_nothing_invisible_is_left_at_the_ends(edge: str) -> None:
    assert trimmed(f"{edge}a{JOINER}b{edge}") == f"a{JOINER}b"
    assert trimmed(edge) == ""


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("a\r\nb\rc\x0bd\x85e\u2028f", "a\nb\nc\nd\ne\nf"),
        ("Cafe\u0301", "Café"),
        (" plain ", " plain "),
        (f"a{ZERO_WIDTH}b", f"a{ZERO_WIDTH}b"),
    ],
)
def test_lines_end_alike_and_letters_are_composed(text: str, form: str) -> None:
    assert one_form(text) == form


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (" plain ", "plain"),
        (f"a{ZERO_WIDTH}b{BIDI}c{SOFT}d\x07e", "abcde"),
        ("a\u00a0b\u3000c\td", "a b c\td"),
        (f"ะ{ZERO_WIDTH}ะ", "ะะ"),
    ],
)
def test_a_label_has_nothing_invisible_and_plain_blanks(text: str, clean: str) -> None:
    assert clean_label(text) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (" plain ", "plain"),
        (f"a{ZERO_WIDTH}b{BIDI}c{SOFT}d\x07e", "abcde"),
        (f"ก{ZERO_WIDTH}ข{BIDI}ค", f"ก{ZERO_WIDTH}ขค"),
        (f"ש{BIDI}א{ZERO_WIDTH}ב", f"ש{BIDI}אב"),
        (f"na{NO_JOINER}me", f"na{NO_JOINER}me"),
        ("a\u00a0b\r\nc", "a\u00a0b\nc"),
    ],
)
def test_a_prompt_keeps_what_its_script_may_mean(text: str, clean: str) -> None:
    """A zero width space between Thai words, a mark of direction in Hebrew."""
    assert clean_prompt(text) == clean
