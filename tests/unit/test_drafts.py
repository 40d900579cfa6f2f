"""A draft is its row at the cheapest setting of its model, the same one always; kept rows alone are made in full."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import product
from typing import Any

import pytest

from dailies.catalog import FROM_IMAGE, Catalog, Model, ResolvedOptions, problems_at, quote, resolve_options
from dailies.domain.clips import Clip
from dailies.domain.takes import Link, Take, take_clip
from dailies.domain.verdicts import NOTHING_SAID, Said, Word
from dailies.errors import BadRows
from dailies.planning.drafts import subject
from dailies.planning.request import BatchRequest
from tests.unit.planned import CATALOG, Blank, plan

SEEDANCE = "model,resolution,duration,aspect_ratio,seed|a cat,c.png,bytedance/seedance-2-0,1080p,10,16:9,7"
ROWS = f"prompt,image,{SEEDANCE}"
KEEP, REJECT = Said(Word.KEEP), Said(Word.REJECT)


def clip_of(csv: str, **asked: Any) -> Clip:
    (row,) = plan(csv, **asked).rows
    return row.clip


def test_a_draft_is_the_row_at_the_cheapest_setting_whatever_its_columns_say() -> None:
    full, draft = clip_of(ROWS), clip_of(ROWS, draft=True)
    assert (full.resolution, full.duration_s) == ("1080p", 10)
    assert (draft.resolution, draft.duration_s) == ("480p", 4)
    assert draft.key != full.key
    assert replace(draft, resolution="1080p", duration_s=10).key == full.key, "nothing else of the row changes"


def test_a_draft_lowers_an_option_that_the_price_depends_on() -> None:
    row = "prompt,image,model,generate_audio|a cat,c.png,klingai/video-v3-pro-image-to-video,true"
    draft = clip_of(row, draft=True)
    assert (draft.duration_s, dict(draft.options)) == (3, {"generate_audio": False})


def test_a_row_that_is_at_its_cheapest_is_its_own_draft() -> None:
    row = "prompt,image,model,duration|a cat,c.png,openai/sora-2-i2v,4"
    assert clip_of(row, draft=True).key == clip_of(row).key
    assert not any("draft" in note for note in plan(row, draft=True).notes)


def test_an_image_that_fits_one_size_alone_keeps_the_resolution() -> None:
    """The frame of these tests is 1280x720, which is Sora's 720p; what is longer becomes shorter all the same."""
    row = "prompt,image,model,duration|a cat,c.png,openai/sora-2-pro-i2v,12"
    assert (clip_of(row, draft=True).resolution, clip_of(row, draft=True).duration_s) == ("720p", 4)


@pytest.mark.parametrize("model", [model for model in CATALOG if FROM_IMAGE in model.kinds], ids=lambda model: model.id)
def test_no_setting_of_a_model_that_its_provider_takes_is_cheaper_than_its_draft(model: Any) -> None:
    for provider, offer in model.offers.items():
        if FROM_IMAGE not in model.kinds_at(provider) or offer.price is None or model.image.sizes:
            continue
        row = f"prompt,image,model,provider|a cat,c.png,{model.id},{provider}"
        made = plan(row, draft=True)
        (draft,) = made.quotes.values()
        sizes = model.resolution.values if model.resolution else (None,)
        seconds = model.duration.values if model.duration else (None,)
        for resolution, duration in product(sizes, seconds):
            one = resolve_options(model, resolution=resolution, duration=duration, image_size=(1280, 720))
            assert isinstance(one, ResolvedOptions)
            usd = quote(offer, one)
            if usd is not None and not problems_at(model, provider, one, FROM_IMAGE):
                assert draft is not None and draft <= usd, (provider, resolution, duration)


def test_the_plan_says_what_drafts_come_to_beside_the_same_in_full() -> None:
    notes = plan(ROWS, draft=True).notes
    (draft,), (full,) = plan(ROWS, draft=True).quotes.values(), plan(ROWS).quotes.values()
    assert draft is not None and full is not None and draft < full / 5
    said = next(note for note in notes if note.startswith("draft: "))
    assert f"${draft.quantize(Decimal('0.01'))} in place of ${full.quantize(Decimal('0.01'))}" in said


def test_a_wrong_row_is_wrong_as_a_draft_too() -> None:
    """Else a row would be looked at, kept, and refused only then."""
    with pytest.raises(BadRows, match="resolution"):
        plan(ROWS.replace("1080p", "999p"), draft=True)


def test_draft_and_final_and_retakes_are_one_at_a_time() -> None:
    for asked in ({"draft": True, "final": True}, {"final": True, "only": "retake"}):
        with pytest.raises(BadRows, match="--"):
            plan(ROWS, **asked)


@dataclass
class Shelf(Blank):
    """A ledger with the drafts of a batch, and what was said of their takes."""

    clips: Mapping[str, Clip]
    takes: Mapping[str, Sequence[Take]]
    asked: str = ""

    def clips_in(self, batch: str) -> Mapping[str, Clip]:
        self.asked = batch
        return self.clips

    def takes_of(self, providers: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[Take]]:
        return {key: self.takes.get(key, ()) for key in providers}


def shelf(*takes: Take) -> Shelf:
    draft = clip_of(ROWS, draft=True)
    return Shelf({draft.key: draft}, {draft.key: takes})


def a_take(number: int, said: Said = NOTHING_SAID, prompt: str = "a cat") -> Take:
    draft = clip_of(ROWS, draft=True)
    clip = draft if number == 1 else take_clip(replace(draft, options={}), number, prompt, seeded=True)
    return Take(number, clip.key, said, settled=True, delivered=True, clip=clip)


def test_final_makes_a_kept_row_as_it_stands_and_no_other() -> None:
    two = f"{ROWS}|a dog,c.png,bytedance/seedance-2-0,1080p,10,16:9,7"
    made = plan(two, final=True, record=shelf(a_take(1, KEEP)))
    assert [row.clip.key for row in made.rows] == [clip_of(ROWS).key]
    assert made.replaced == (clip_of(ROWS, draft=True).key,)
    assert "final: 1 row is made in full, because a draft was kept" in made.notes
    for said in (NOTHING_SAID, REJECT, Said(Word.RETAKE)):
        none = plan(two, final=True, record=shelf(a_take(1, said)))
        assert (none.rows, none.replaced) == ((), ())


def test_a_further_take_that_was_kept_is_made_in_full_with_its_prompt_and_its_seed() -> None:
    kept = a_take(2, KEEP, "a cat at dawn")
    (row,) = plan(ROWS, final=True, record=shelf(a_take(1, REJECT), kept)).rows
    assert kept.clip is not None and row.clip.options["seed"] == kept.clip.options["seed"]
    assert (row.clip.prompt, row.clip.take, row.clip.resolution, row.clip.duration_s) == (
        "a cat at dawn",
        "2",
        "1080p",
        10,
    )


def test_two_takes_that_were_kept_are_two_finals() -> None:
    made = plan(ROWS, final=True, record=shelf(a_take(1, KEEP), a_take(2, KEEP)))
    assert [row.clip.take for row in made.rows] == ["", "2"]
    assert len({row.clip.key for row in made.rows}) == 2 and len(made.replaced) == 2


def test_they_are_takes_of_the_row_where_its_first_is_made_and_of_nothing_that_is_not_on_record() -> None:
    full = clip_of(ROWS)
    both = plan(ROWS, final=True, record=shelf(a_take(1, KEEP), a_take(2, KEEP)))
    assert both.takes == (Link(full.key, 2, both.rows[1].clip.key),)
    assert plan(ROWS, final=True, record=shelf(a_take(1, REJECT), a_take(2, KEEP))).takes == ()


def test_a_take_that_the_row_has_in_full_already_is_not_made_once_more() -> None:
    full = clip_of(ROWS)
    theirs = take_clip(full, 2, "a cat", seeded=True)
    known = shelf(a_take(1, KEEP), a_take(2, KEEP))
    known.takes = {**known.takes, full.key: [Take(2, theirs.key, settled=True, delivered=True, clip=theirs)]}
    made = plan(ROWS, final=True, record=known)
    assert [row.clip.key for row in made.rows] == [full.key, theirs.key]
    assert made.takes == (Link(full.key, 2, theirs.key),)


def test_what_was_bought_in_full_under_an_earlier_key_is_that_take() -> None:
    known, earlier = shelf(a_take(1, KEEP), a_take(2, KEEP)), "e" * 64
    today = plan(ROWS, final=True, record=known).rows[1].clip

    class Remembering(Shelf):
        def keys_like(self, identities: Sequence[str]) -> Mapping[str, str]:
            return {one: earlier for one in identities if one == today.identity}

    made = plan(ROWS, final=True, record=Remembering(known.clips, known.takes))
    assert [row.clip.key for row in made.rows] == [clip_of(ROWS).key, earlier]
    assert made.takes == (Link(clip_of(ROWS).key, 2, earlier),)


def test_where_no_price_is_known_the_first_and_shortest_is_the_cheapest() -> None:
    """A model may name its sizes without saying how large they are."""
    base = CATALOG.find("google/veo-3.1-i2v").model_dump()
    offers = {"aiml": {"name": "m", "price": None}}
    model = Model.model_validate(
        base | {"id": "m", "offers": offers, "resolution": {"values": ["lite", "full"], "default": "full"}}
    )
    row = "prompt,image,model,resolution|a cat,https://x.example/a.png,m,full"
    draft = clip_of(row, catalog=Catalog([model]), draft=True)
    assert model.duration
    assert (draft.resolution, draft.duration_s) == ("lite", min(model.duration.values))


def test_a_draft_is_known_for_its_row_whatever_its_settings_were() -> None:
    """Prices change, and with them what the cheapest setting is: the draft that was bought then is still the row's."""
    full = clip_of(ROWS)
    model = CATALOG.find(full.model)
    for draft in (
        replace(full, resolution="720p", duration_s=5),
        replace(full, image=full.image._replace(made="crop 1x1")),
    ):
        assert subject(draft, model) == subject(full, model)
        shelved = Shelf({draft.key: draft}, {draft.key: [Take(1, draft.key, KEEP, clip=draft)]})
        assert [row.clip.key for row in plan(ROWS, final=True, record=shelved).rows] == [full.key]
    for other in (replace(full, prompt="x"), replace(full, aspect_ratio="9:16"), replace(full, take="b"),
                  replace(full, options={"seed": 8})):  # fmt: skip
        assert subject(other, model) != subject(full, model)


def test_a_part_of_a_batch_is_what_finals_are() -> None:
    final, draft = BatchRequest(prompts="a.csv", final=True), BatchRequest(prompts="a.csv", draft=True)
    assert final.partial and not draft.partial
    assert (final.title, draft.title) == ("a · finals", "a · drafts")
