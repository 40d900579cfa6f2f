"""A model that is switched off is refused with three that take the same rows, each with its price and its flag."""

from __future__ import annotations

import re

from dailies.catalog import ResolvedOptions, load_catalog, resolve_options
from dailies.media.images import ImageFacts
from dailies.planning.live import LiveView
from dailies.planning.replacements import Gone, Needed, candidates, refusal
from dailies.providers.live import Live

SORA, VEO, SEEDANCE = "openai/sora-2-pro-i2v", "google/veo-3.1-i2v", "bytedance/seedance-2-0"
CATALOG = load_catalog()
ENDED = Live(False, "withdrawn", "2026-09-24", VEO)
CHOICE = re.compile(r"^  --model (\S+) \((\$[\d.]+|price unknown) for (\d+ clips?)\)$", re.MULTILINE)


def gone(*rows: Needed, live: Live = ENDED) -> Gone:
    return Gone(CATALOG.find(SORA), "aiml", live, rows)


def offered(one: Gone, view: LiveView = LiveView()) -> dict[str, str]:  # noqa: B008 - frozen
    return {name: price for name, price, _ in CHOICE.findall(str(refusal([one], CATALOG, view)))}


def test_when_it_ended_and_three_priced_flags() -> None:
    text = str(refusal([gone(Needed("720p", "16:9", 4), Needed("720p", "16:9", 8))], CATALOG, LiveView()))
    assert f"{SORA} is no longer served at aiml (withdrawn on 2026-09-24). Its successor is {VEO}." in text
    choices = CHOICE.findall(text)
    assert len(choices) == 3 and choices[0] == (VEO, "$6.24", "2 clips")
    assert all(price.startswith("$") for _, price, _ in choices)
    assert text.endswith("Nothing was bought.")


def test_each_takes_every_row() -> None:
    """What only some rows fit is no replacement: twelve seconds, and a prompt that is longer than others take."""
    rows = (Needed(duration=4), Needed(duration=12, prompt="x" * 2400), Needed(image=ImageFacts("webp", 100, 400, 9)))
    found = [model for _, model in candidates(gone(*rows), CATALOG)]
    assert found and VEO not in {model.id for model in found}
    for model in found:
        for row in rows:
            size = row.image.shown_size if row.image else None
            assert isinstance(resolve_options(model, duration=row.duration, image_size=size), ResolvedOptions)
            assert model.prompt_max is None or len(row.prompt) <= model.prompt_max


def test_what_a_row_leaves_open_is_priced_as_the_other_model_would_make_it() -> None:
    assert offered(gone(Needed()))[VEO] == "$4.16"


def test_the_price_of_today_and_what_is_gone_too() -> None:
    pricing = {"kind": "fixed", "units": [{"price": 1, "unit": "second"}]}
    view = LiveView({("aiml", VEO): Live(False), ("aiml", SEEDANCE): Live(True, pricing=pricing)})
    found = offered(gone(Needed("720p", "16:9", 4)), view)
    assert VEO not in found and found[SEEDANCE] == "$4.00"


def test_nothing_fits_is_said() -> None:
    assert "No model of the catalog takes these rows unchanged" in str(
        refusal([gone(Needed(duration=600))], CATALOG, LiveView())
    )
