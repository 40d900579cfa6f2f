"""What a person decides is checked first, can be taken back, and is said of many at once only after a preview."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dailies.domain.records import Attempt
from dailies.domain.states import State
from dailies.ledger import Ledger, Owner, open_engine
from dailies.ledger.types import TAKEN_FOR_DEAD
from tests.e2e.harness import World, named
from tests.e2e.invariants import assert_invariants
from tests.e2e.test_terminal import terminal


def by_label(world: World) -> dict[str, Attempt]:
    """The latest attempt of each row."""
    with world.ledger() as ledger:
        rows = [row for batch in ledger.batches() for row in ledger.rows(batch)]
    return {row.id: row.attempts[-1] for row in rows if row.attempts}


@pytest.fixture
def doubtful(world: World) -> World:
    """One clip is home, two were charged and lost their answers; the provider's log can't be read."""
    world.csv(named("home", "one", "two"))
    world.sandbox.fault("logs", "status", times=None, status=503)
    for name in ("one", "two"):
        world.sandbox.fault("create", "lost", match=f"<{name}>")
    assert world.run().json["in_doubt"] == 2
    return world


def charge_of(world: World, attempt: Attempt) -> str:
    """The provider's id for an attempt, by its own list."""
    return next(c.generation_id for c in world.charges() if c.client_request_id == attempt.id)


def test_an_id_by_hand_is_asked_of_the_provider_and_of_the_ledger_first(doubtful: World) -> None:
    """Empty, blank, unknown, mistyped, an option's likeness, another clip's: refused in words, and nothing is changed."""
    attempts = by_label(doubtful)
    one, home = attempts["one"], attempts["home"]
    right = charge_of(doubtful, one)
    wrong = ["", "   ", "video_unknown", right[:-1], right + "x", "-coRJ", home.generation_id or ""]
    for told in wrong:
        refused = doubtful.command("resolve", one.id, f"--charged={told}")
        assert refused.code == 2 and "Nothing was changed" in refused.stderr, (told, refused.stderr)
        assert by_label(doubtful) == attempts
    assert home.id[:8] in refused.stderr and "on record already" in refused.stderr
    assert "does not show generation -coRJ" in doubtful.command("resolve", one.id, "--charged", "-coRJ").stderr
    taken = doubtful.command("resolve", one.id, "--charged", f" {right} ", "--json")
    assert taken.code == 0
    [entry] = json.loads(taken.stdout)
    assert (entry["id"], entry["attempt"], entry["generation_id"]) == ("one", one.id, right)
    again = doubtful.command("resolve", one.id, "--charged", right)
    assert again.code == 2 and "there is nothing to resolve" in again.stderr
    assert doubtful.command("collect").code == 1  # the other one stays in doubt
    assert by_label(doubtful)["one"].state is State.STORED


def test_an_id_that_the_log_shows_for_another_request_is_refused_with_the_right_one(doubtful: World) -> None:
    """Neither clip's id is on record: only the log can tell them apart, as soon as it can be read."""
    attempts = by_label(doubtful)
    doubtful.sandbox.clear_faults()
    with doubtful.ledger() as ledger:
        ledger.resubmit(attempts["two"].id, "given up")
    swapped = doubtful.command("resolve", attempts["one"].id, "--charged", charge_of(doubtful, attempts["two"]))
    assert swapped.code == 2 and "log shows" in swapped.stderr
    assert by_label(doubtful)["one"] == attempts["one"]


def test_a_provider_that_can_not_be_asked_settles_nothing(doubtful: World) -> None:
    one = by_label(doubtful)["one"]
    doubtful.sandbox.fault("poll", "status", times=None, status=503)
    refused = doubtful.command("resolve", one.id, "--charged", charge_of(doubtful, one))
    assert refused.code == 2 and by_label(doubtful)["one"] == one


def test_never_charged_is_taken_back_until_the_clip_is_bought_again(doubtful: World) -> None:
    one = by_label(doubtful)["one"]
    assert doubtful.command("resolve", one.id[:8], "--not-charged").code == 0
    assert doubtful.command("resolve", one.id[:8], "--take-back").code == 0
    assert by_label(doubtful)["one"].state is State.IN_DOUBT
    assert doubtful.command("resolve", one.id[:8], "--take-back").code == 2
    assert doubtful.command("resolve", one.id[:8], "--not-charged").code == 0
    doubtful.resubmits = 1  # the word was wrong: the sandbox had charged it
    doubtful.run()
    bought = by_label(doubtful)["one"]
    refused = doubtful.command("resolve", one.id[:8], "--take-back")
    assert refused.code == 2 and bought.id[:8] in refused.stderr and "bought again" in refused.stderr


def test_digits_that_begin_several_ids_name_them_all(doubtful: World) -> None:
    attempts = sorted(by_label(doubtful).values(), key=lambda a: a.id)
    doubtful.sql(
        *(f"UPDATE event SET attempt_id = 'abcdef{n}' WHERE attempt_id = '{a.id}'" for n, a in enumerate(attempts))
    )
    doubtful.sql(*(f"UPDATE attempt SET id = 'abcdef{n}' WHERE id = '{a.id}'" for n, a in enumerate(attempts)))
    refused = doubtful.command("resolve", "abcdef", "--not-charged")
    assert refused.code == 2 and all(f"abcdef{n}" in refused.stderr for n in range(3))
    assert doubtful.command("resolve", "abc", "--not-charged").code == 2


def test_many_at_once_are_settled_only_by_a_yes_and_only_the_old_ones(doubtful: World) -> None:
    attempts = by_label(doubtful)
    settle = ("resolve", "--all-in-doubt", "--not-charged", "--json")
    alone = doubtful.command(*settle, "--older-than", "0s")
    assert alone.code == 2 and "--yes" in alone.json["error"]
    young = doubtful.command(*settle, "--older-than", "2h", "--yes")
    assert (young.code, json.loads(young.stdout)) == (0, []) and "2 in doubt left alone: younger" in young.stderr
    for wrong in (("--older-than", "soon"), ("--batch", "no such"), ("--resubmit",), ("--charged", "x")):
        assert doubtful.command(*settle, "--yes", *wrong).code == 2
    assert doubtful.command("resolve", "--all-in-doubt", attempts["one"].id, "--not-charged", "--yes").code == 2
    assert by_label(doubtful) == attempts
    done = doubtful.command(*settle, "--older-than", "0s", "--yes", "--batch", "batch")
    entries = json.loads(done.stdout)
    assert {(e["id"], e["attempt"]) for e in entries} == {(n, attempts[n].id) for n in ("one", "two")}
    assert all(e["usd_quoted"] > 0 == e["usd_at_risk"] and e["state"] == "failed" for e in entries)
    assert "$" in done.stderr and "one" in done.stderr, "the preview"
    assert doubtful.command("status", "--json").json["unfinished"] == []


def test_many_are_given_up_on_a_terminal_after_a_preview_of_clips_and_dollars(doubtful: World) -> None:
    """No is no; yes moves them, and their dollars stay at risk."""
    before = by_label(doubtful)
    command = ("resolve", "--all-in-doubt", "--resubmit", "--older-than", "0h")
    for answer, state in (("n", State.IN_DOUBT), ("y", State.SUPERSEDED)):
        with terminal(doubtful, 100, *command) as person:
            shown = person.read("[y/N]")
            assert "2 clips" in shown and "one" in shown and "$" in shown
            person.type(f"{answer}\n")
            person.read()
            assert person.wait() == (0 if answer == "y" else 2)
        assert {by_label(doubtful)[name].state for name in ("one", "two")} == {state}
    risk = sum(before[name].usd_quoted for name in ("one", "two"))
    assert float(doubtful.command("status", "--json").json["usd_at_risk"]) == float(risk)


def test_nothing_is_settled_while_its_sender_lives(doubtful: World) -> None:
    """Submitting, and also in doubt where somebody else took the living process for dead."""
    one = by_label(doubtful)["one"]
    sender = replace(Owner.this_process(), nonce="sender")
    doubtful.sql(
        f"UPDATE attempt SET owner = '{sender}' WHERE id = '{one.id}'",
        f"UPDATE event SET note = '{TAKEN_FOR_DEAD}' WHERE attempt_id = '{one.id}' AND after = 'in_doubt'",
    )
    for word in ("--not-charged", "--resubmit", f"--charged={charge_of(doubtful, one)}"):
        refused = doubtful.command("resolve", one.id, word)
        assert refused.code == 2 and "may hold its answer" in refused.stderr
    many = doubtful.command("resolve", "--all-in-doubt", "--older-than", "0s", "--not-charged", "--yes", "--json")
    assert [entry["id"] for entry in json.loads(many.stdout)] == ["two"]
    assert by_label(doubtful)["one"].state is State.IN_DOUBT


@pytest.mark.parametrize("form", ["charged_html", "charged_half", "charged_no_id"])
def test_an_unreadable_answer_is_kept_whole_and_named_to_who_has_to_decide(world: World, form: str) -> None:
    world.csv(1, provider="onerouter")
    world.sandbox.fault("create", form)
    first = world.run()
    [kept] = (world.home / "answers").iterdir()
    assert kept.read_bytes().startswith(b"HTTP 200\n") and kept.stat().st_mode & 0o777 == 0o600
    [attempt] = world.attempts()
    assert str(kept) in first.clip("clip-1")["error"] and str(kept) in (attempt.error or "")
    assert str(kept) in world.command("resolve", attempt.id, "--resubmit").stderr
    world.resubmits = 1
    assert_invariants(world)


def test_a_ledger_elsewhere_is_not_needed_to_refuse(world: World) -> None:
    """No attempt at all: exit 2, and no word of a traceback."""
    Ledger(open_engine(world.ledger_url), Owner.this_process()).close()
    refused = world.command("resolve", "abcdef12", "--not-charged")
    assert refused.code == 2 and "dailies status shows them" in refused.stderr
