"""What follows from a provider's declaration: the names of its settings, and how what it lost can be settled."""

from __future__ import annotations

import pytest

from dailies.domain.provider import Declaration, SettledBy, Settling, in_order


def a_provider(name: str, rank: int = 100) -> Declaration:
    return Declaration(name, name.title(), "https://api.example", "a:b", rank=rank)


def test_its_settings_are_called_after_it() -> None:
    acme = a_provider("acme_video")
    assert (acme.key_name, acme.base_url_name) == ("ACME_VIDEO_API_KEY", "ACME_VIDEO_BASE_URL")
    assert acme.key_block == "acme-video-api-key"


def test_they_stand_by_their_ranks_and_then_by_name() -> None:
    ones = [a_provider("d"), a_provider("c", 5), a_provider("b"), a_provider("a", 7)]
    assert list(in_order(ones)) == ["c", "a", "b", "d"]
    assert in_order(ones)["c"] is ones[1]


@pytest.mark.parametrize(("by", "asks", "at_once", "repeats"), [
    ((), False, False, False),
    ((SettledBy.PERSON,), False, False, False),
    ((SettledBy.WEBHOOK,), False, False, False),
    ((SettledBy.OWN_ID,), True, True, False),
    ((SettledBy.HISTORY,), True, True, False),
    ((SettledBy.LOG,), True, False, False),  # a log of finished requests tells only later
    ((SettledBy.SAME_KEY,), False, True, True),  # that is no free question
    ((SettledBy.WEBHOOK, SettledBy.LOG, SettledBy.SAME_KEY), True, True, True),
])  # fmt: skip
def test_how_a_lost_answer_can_be_settled(by: tuple[SettledBy, ...], asks: bool, at_once: bool, repeats: bool) -> None:
    settling = Settling(by)
    assert (settling.asks, settling.at_once, settling.repeats) == (asks, at_once, repeats)
