"""Looks under way: one at a time, never in anybody's way, given up in time, and tidied up whatever becomes of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

import anyio

from dailies.runtime import looks as module
from dailies.runtime.looks import Looks


def test_looks_come_one_after_the_other_and_the_end_is_waited_for() -> None:
    """In the order in which they were added, each tidied up."""
    looks, seen = Looks(), []

    def say(word: str, *_: object) -> None:
        seen.append(word)

    async def story() -> None:
        for n in range(5):
            assert looks.add(partial(say, f"look {n}"), partial(say, f"end {n}"), 1)
        await looks.done(30)

    anyio.run(story)
    looks.close()
    assert [word for word in seen if word.startswith("look")] == [f"look {n}" for n in range(5)]
    assert sorted(seen) == sorted(f"{word} {n}" for n in range(5) for word in ("look", "end"))


def test_what_is_not_done_in_time_is_given_up_and_tidied_up_and_later_looks_go_on() -> None:
    """The one under way is told to stop; those behind it never begin."""
    looks, began, ended = Looks(), threading.Event(), []

    def endless(stopped: Callable[[], bool]) -> None:
        began.set()
        while not stopped():
            pass

    async def story() -> None:
        looks.add(endless, lambda: ended.append("first"), 1)
        looks.add(lambda _: ended.append("never"), lambda: ended.append("second"), 1)
        assert began.wait(30)
        await looks.done(0)
        assert sorted(ended) == ["first", "second"]
        looks.add(lambda stopped: ended.append(f"stopped: {stopped()}"), lambda: None, 1)
        await looks.done(30)

    anyio.run(story)
    looks.close()
    assert ended[-1] == "stopped: False"


def test_a_disk_is_not_filled_with_clips_that_wait() -> None:
    """What would be too much is refused, and does not come later."""
    looks = Looks()
    assert not looks.add(lambda _: None, lambda: None, module.MOST_WAITING_BYTES + 1)
    assert looks.idle
    looks.close()


def test_a_look_that_fails_is_nobodys_trouble() -> None:
    """Its end comes all the same, and the next one begins."""
    looks, ended = Looks(), []

    def broken(_: Callable[[], bool]) -> None:
        raise RuntimeError

    async def story() -> None:
        looks.add(broken, lambda: ended.append(1), 1)
        looks.add(lambda _: None, lambda: ended.append(2), 1)
        await looks.done(30)

    anyio.run(story)
    looks.close()
    assert sorted(ended) == [1, 2]
