"""What an earlier version bought is known to this one, and a ledger that moves takes everything along."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from dailies.domain.states import State
from tests.e2e.fixtures import MakeWorld
from tests.e2e.harness import World, named
from tests.e2e.invariants import assert_invariants
from tests.ledger.earlier import code_of_the_first_version

BIN = str(Path(sys.executable).parent)


@pytest.mark.production
@pytest.mark.slow
def test_what_the_first_version_bought_delivered_or_lost_is_not_bought_again(each_world: World) -> None:
    """The first version itself makes a batch, with everything that can go wrong in it; then this one runs the same CSV."""
    code = code_of_the_first_version()
    world = each_world
    world.csv([
        *named("good", "lost", "forbidden", "fails"),
        {"id": "doubt", "prompt": "<doubt>", "provider": "onerouter"},
        {"id": "later", "prompt": "<later>"},
    ])  # fmt: skip
    world.sandbox.fault("logs", "status", times=None, status=503)
    world.sandbox.fault("create", "lost", match="<lost>")
    world.sandbox.fault("create", "lost", match="<doubt>")
    world.sandbox.fault("create", "status", status=400, match="<forbidden>", times=None)
    world.sandbox.fault("poll", "failed", match="<fails>", times=None)
    first = world.first_version(code, "run", str(world.prompts), "--json")
    assert first.code == 1, first.stderr
    posts = len(world.posts())
    states = {attempt.state for attempt in world.attempts()}
    assert {State.STORED, State.IN_DOUBT, State.FAILED} <= states
    again = assert_invariants(world)
    assert again
    assert len(world.posts()) == posts, "something was bought again"
    delivered = {clip["id"] for clip in again.json["clips"] if clip["state"] == "stored"}
    assert {"good", "lost", "later"} <= delivered


def in_doubt_at_home(make_world: MakeWorld) -> World:
    """One clip at home, one in doubt, in the SQLite ledger in DAILIES_HOME."""
    world = make_world()
    world.csv(named("good", "doubt"))
    world.sandbox.fault("logs", "status", times=None, status=503)
    world.sandbox.fault("create", "lost", match="<doubt>")
    assert world.run().json["in_doubt"] == 1
    return world


def configure(world: World, url: str) -> None:
    """Point the world's commands at another ledger, as somebody does who moves to Postgres."""
    world.ledger_url = world.environ["DAILIES_LEDGER_URL"] = url


def test_a_run_refuses_while_a_ledger_in_the_home_knows_more_and_the_command_that_it_names_moves_it(
    make_world: MakeWorld, postgres_url: str
) -> None:
    world = in_doubt_at_home(make_world)
    home = world.home / "ledger.db"
    configure(world, postgres_url)
    posts = len(world.posts())
    for command in ("check", "run"):
        refused = world.command(command, str(world.prompts), "--json")
        assert refused.code == 2
        assert f"the ledger {home} holds 1 clip ($1.26 at risk) paid for or in doubt" in refused.stderr
    (advice,) = re.findall(r"Move it there first: dailies (ledger copy)", refused.stderr)
    assert world.command(*advice.split()).code == 0
    again = world.run()
    assert again.json["in_doubt"] == 1 and again.json["usd_at_risk"] > 0 and len(world.posts()) == posts
    configure(world, f"sqlite:///{home}")
    sealed = world.run()
    assert sealed.code == 2 and "is sealed. Nothing was bought. Set DAILIES_LEDGER_URL" in sealed.stderr
    configure(world, postgres_url)
    assert_invariants(world)
    assert len(world.charges()) == 2


def test_where_both_hold_something_the_old_one_is_settled_first(make_world: MakeWorld, postgres_url: str) -> None:
    world = in_doubt_at_home(make_world)
    first_csv = world.prompts
    configure(world, postgres_url)
    (world.home / "ledger.db").rename(world.home / "aside")  # the new one is used before anybody notices
    world.csv(1, name="other.csv")
    assert world.run().code == 0
    (world.home / "aside").rename(world.home / "ledger.db")
    world.prompts = first_csv
    refused = world.run()
    assert refused.code == 2 and world.command("ledger", "copy").code == 2, "two ledgers can't be made one"
    (command,) = re.findall(r"Bring them home first: (DAILIES_LEDGER_URL=\S+ dailies collect)", refused.stderr)
    world.sandbox.clear_faults()
    settled = world.shell("sh", "-c", command, PATH=f"{BIN}:{world.environ['PATH']}")
    assert settled.code == 0, settled.stderr
    posts = len(world.posts())
    world.command("doctor", "--adopt")
    assert world.run().code == 0 and len(world.posts()) == posts


@pytest.mark.parametrize("beside", ["nothing", "empty file", "settled", "the same by a link"])
def test_a_ledger_in_the_home_that_holds_nothing_unsettled_is_in_nobodys_way(
    make_world: MakeWorld, postgres_url: str, beside: str
) -> None:
    world = make_world()
    world.csv(1)
    home = world.home / "ledger.db"
    if beside in ("settled", "the same by a link"):
        assert world.run().code == 0
    if beside == "the same by a link":
        home.rename(world.folder / "elsewhere.db")
        home.symlink_to(world.folder / "elsewhere.db")
        configure(world, f"sqlite:///{world.folder / 'elsewhere.db'}")
    else:
        configure(world, postgres_url)
    if beside == "empty file":
        world.home.mkdir()
        home.touch()
    assert "holds" not in world.command("check", str(world.prompts)).stderr


def test_a_ledger_in_the_home_that_can_not_be_read_is_asked_about(make_world: MakeWorld, postgres_url: str) -> None:
    world = make_world()
    world.csv(1)
    world.home.mkdir()
    (world.home / "ledger.db").write_bytes(b"rubbish, and a lot of it. " * 100)
    configure(world, postgres_url)
    refused = world.run()
    assert refused.code == 2 and "can't be read" in refused.stderr and not world.posts()


def test_upgrade_on_request_says_what_it_did(make_world: MakeWorld) -> None:
    world = make_world()
    world.csv(1)
    code = code_of_the_first_version()
    assert world.first_version(code, "status").code == 0
    done = world.command("ledger", "upgrade", "--json").json
    assert (done["before"], done["schema"] > 1, Path(done["copy"]).parent) == (1, True, world.home)
    again = world.command("ledger", "upgrade", "--json").json
    assert (again["before"], again["schema"], again["copy"]) == (done["schema"], done["schema"], None)
    assert "already" in world.command("ledger", "upgrade").stdout


def test_copy_tells_what_it_counted_and_shows_no_password(make_world: MakeWorld, postgres_url: str) -> None:
    world = make_world()
    world.csv(2)
    assert world.run().code == 0
    target = postgres_url.replace("postgres@", "postgres:s3@cr3t@").replace("postgres:@", "postgres:s3@cr3t@")
    done = world.command("ledger", "copy", target, "--json")
    assert done.code == 0 and "cr3t" not in done.stdout + done.stderr
    assert done.json["tables"]["attempt"] == {"rows": 2, "usd_quoted": 2.52, "usd_charged": 2.52, "usd_reserved": 0.0}
    configure(world, postgres_url)
    again = assert_invariants(world)
    assert again and again.code == 0 and len(world.charges()) == 2


def test_answers_that_wait_in_the_spool_are_taken_in_first(make_world: MakeWorld, postgres_url: str) -> None:
    world = make_world()
    world.csv(1)
    assert world.run().code == 0
    spool = world.home / "spool"
    (spool / "somebody.json").write_text('{"attempt_id": "a1", "generation_id": "g1", "clip_key": "c", "batch": "b"}')
    refused = world.command("ledger", "copy", postgres_url)
    assert refused.code == 2
    assert re.search(
        r"1 answers wait in .*spool .* Nothing was changed\. .*: DAILIES_LEDGER_URL=\S+ dailies collect", refused.stderr
    )
    shutil.rmtree(spool)
    assert world.command("ledger", "copy", postgres_url).code == 0
