"""Further takes in a plan: how many each row comes to, each as it is on record or as it follows from its row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from dailies.domain.clips import Clip
from dailies.domain.takes import Link, Take, take_clip, take_seed
from dailies.domain.verdicts import NOTHING_SAID, Said, Word
from dailies.errors import BadRows
from dailies.planning.plan import Plan
from tests.unit.planned import Blank, plan

SEEDED, SEEDLESS = "bytedance/seedance-2-0", "klingai/video-v3-pro-image-to-video"
HEAD, URL = "id,prompt,image,model,takes", "https://x.example/a.png"
TWO = f"{HEAD}|a,a cat,{URL},{SEEDED},|b,a dog,{URL},{SEEDED},"
KEEP, RETAKE = Said(Word.KEEP), Said(Word.RETAKE)


@dataclass
class Known(Blank):
    """A ledger with takes of rows by the rows' clip_keys, and earlier keys of clips."""

    takes: dict[str, list[Take]] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    asked: list[Sequence[str]] = field(default_factory=list)

    def links_of(self, base_keys: Sequence[str]) -> Mapping[str, Sequence[Link]]:
        found = {key: [Link(key, t.number, t.key, t.answers) for t in self.takes[key] if t.number > 1]
                 for key in base_keys if key in self.takes}  # fmt: skip
        return {key: links for key, links in found.items() if links}

    def takes_of(self, providers: Mapping[str, Sequence[str]]) -> Mapping[str, Sequence[Take]]:
        self.asked.append(list(providers))
        return {key: self.takes.get(key, ()) for key in providers}

    def keys_like(self, identities: Sequence[str]) -> Mapping[str, str]:
        return {one: self.keys[one] for one in identities if one in self.keys}

    def forgotten(self, clip_keys: Sequence[str]) -> frozenset[str]:
        return frozenset(self.removed).intersection(clip_keys)


def base(csv: str = TWO, at: int = 0) -> Clip:
    return plan(csv).rows[at].clip


def take(of: Clip, number: int, said: Said = NOTHING_SAID, delivered: bool = True, answers: str | None = None) -> Take:
    """A take that is on record."""
    clip = of if number == 1 else take_clip(of, number, of.prompt, seeded=True)
    return Take(number, clip.key, said, settled=True, delivered=delivered, answers=answers, clip=clip)


def names(made: Plan) -> list[str]:
    return [f"{row.id}{row.clip.take}" for row in made.rows]


def notes(made: Plan) -> list[str]:
    return [note for note in made.notes if "take" in note]


def test_a_plan_of_single_takes_asks_the_ledger_for_none() -> None:
    known = Known()
    assert names(plan(TWO, record=known)) == ["a", "b"] and known.asked == []


def test_each_row_comes_to_as_many_as_it_asks_for_and_else_to_as_many_as_the_run_does() -> None:
    made = plan(TWO.replace(f"a dog,{URL},{SEEDED},", f"a dog,{URL},{SEEDED},3"), record=Known(), takes=2)
    assert names(made) == ["a", "a2", "b", "b2", "b3"]
    assert notes(made) == ["takes: 2 rows of the file make 5 clips"]
    keys = [row.clip.key for row in made.rows]
    assert made.takes == (Link(keys[0], 2, keys[1]), Link(keys[2], 2, keys[3]), Link(keys[2], 3, keys[4]))
    assert all(usd is not None for usd in made.quotes.values()) and len(made.quotes) == 5


def test_what_is_no_number_of_takes_is_a_bad_row() -> None:
    with pytest.raises(BadRows) as caught:
        plan(TWO.replace(f"a dog,{URL},{SEEDED},", f"a dog,{URL},{SEEDED},many"))
    (bad,) = caught.value.rows
    assert (bad.row, bad.column) == (3, "takes")
    assert bad.said == "'many' is no number of takes; use a whole number from 1 to 100"


@pytest.mark.parametrize("model", [SEEDED, SEEDLESS])
def test_a_take_has_a_seed_of_its_own_where_its_model_has_one(model: str) -> None:
    one, two = plan(f"{HEAD}|a,a cat,{URL},{model},2", record=Known()).rows
    assert two.clip.options.get("seed") == (take_seed(one.clip.key, 2) if model == SEEDED else None)
    assert "seed" not in one.clip.options


def test_a_take_on_record_is_the_one_that_was_bought_whatever_would_be_made_today() -> None:
    theirs = replace(base(), prompt="as it was", take="2", known_as=None)
    known = Known({base().key: [take(base(), 1), Take(2, theirs.key, settled=True, delivered=True, clip=theirs)]})
    made = plan(TWO, record=known, takes=3)
    assert names(made) == ["a", "a2", "a3", "b", "b2", "b3"]
    assert made.rows[1].clip == theirs
    assert made.takes[0] == Link(base().key, 2, theirs.key)


def test_a_take_under_an_earlier_key_keeps_it() -> None:
    earlier = "e" * 64
    theirs = replace(base(), take="2", known_as=earlier)
    known = Known({base().key: [take(base(), 1), Take(2, earlier, settled=True, clip=theirs)]})
    made = plan(TWO, record=known)
    assert [row.clip.key for row in made.rows] == [base().key, earlier, base(at=1).key]
    today = take_clip(base(at=1), 2, "a dog", seeded=True)
    again = plan(TWO, record=Known(keys={today.identity: earlier}), takes=2)
    assert again.rows[3].clip.key == earlier, "nobody knew that it is a take, but the clip was bought"
    assert again.takes[1] == Link(base(at=1).key, 2, earlier)


def test_a_take_that_was_forgotten_is_never_made_again() -> None:
    gone = Take(2, "f" * 64, settled=True)
    known = Known({base().key: [take(base(), 1), gone]}, removed=(gone.key,))
    made = plan(TWO, record=known, takes=3)
    assert names(made) == ["a", "a3", "b", "b2", "b3"] and made.forgotten == (gone.key,)
    assert notes(made)[-1] == "1 take forgotten on request: never made again"


def test_a_run_for_retakes_makes_what_answers_and_nothing_else() -> None:
    wish = replace(RETAKE, prompt="a cat at dawn")
    known = Known({base().key: [take(base(), 1, wish), take(base(), 2)]})
    made = plan(TWO, record=known, only="retake")
    assert [(row.clip.prompt, row.clip.take) for row in made.rows] == [("a cat at dawn", "3")]
    assert made.takes == (Link(base().key, 3, made.rows[0].clip.key, base().key),)
    assert notes(made) == []


def test_what_answers_a_further_take_has_that_takes_words() -> None:
    second = take_clip(base(), 2, "a cat at dusk", seeded=True)
    known = Known(
        {base().key: [take(base(), 1), Take(2, second.key, RETAKE, settled=True, delivered=True, clip=second)]}
    )
    (row,) = plan(TWO, record=known, only="retake").rows
    assert (row.clip.prompt, row.clip.take) == ("a cat at dusk", "3")
    assert row.clip.options["seed"] == take_seed(base().key, 3), "and a seed of its own"


def test_an_answer_that_is_on_record_is_gone_on_with() -> None:
    sent_back = take(base(), 1, RETAKE)
    answer = take(base(), 2, answers=sent_back.key, delivered=False)
    made = plan(TWO, record=Known({base().key: [sent_back, answer]}), only="retake")
    assert made.takes == (Link(base().key, 2, answer.key, sent_back.key),)
    assert [row.clip.key for row in made.rows] == [answer.key]


def test_a_row_with_a_keeper_gets_no_further_take_where_that_is_asked() -> None:
    known = Known({base().key: [take(base(), 1, KEEP)]})
    assert names(plan(TWO, record=known, takes=2)) == ["a", "a2", "b", "b2"]
    assert names(plan(TWO, record=known, takes=2, stop_when_kept=True)) == ["a", "b", "b2"]
    back = Known({base().key: [take(base(), 1, KEEP), take(base(), 2, RETAKE)]})
    assert names(plan(TWO, record=back, only="retake", stop_when_kept=True)) == []
