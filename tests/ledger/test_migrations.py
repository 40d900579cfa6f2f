"""Ledgers are brought up, once, whoever is first, with a copy beside them; what is newer is refused by name."""

from __future__ import annotations

import re
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from dailies.domain import signatures
from dailies.domain.states import State
from dailies.errors import Misconfigured
from dailies.ledger import open_engine
from dailies.ledger import tables as t
from dailies.ledger import upgrade as upgrade_module
from dailies.ledger.copies import copies_of
from dailies.ledger.engine import connect
from dailies.ledger.identity import keys_like
from dailies.ledger.migrations import BASELINE, FOLDER, HEAD, NUMBERS, revision, version_table
from dailies.ledger.migrations.versions import v0019_signatures
from dailies.ledger.rows import clip_values
from dailies.ledger.upgrade import bring_up, read_meta
from tests.databases import database_on
from tests.ledger.earlier import (
    FIRST,
    WITH_A_SENDER,
    code_of_the_first_version,
    first_version,
    written_by_the_first_version,
)
from tests.ledger.factories import IMAGE, NOON, a_clip, in_processes, open_ledger


@pytest.fixture
def first_code() -> Path:
    """The code of the version that wrote the first ledgers."""
    return code_of_the_first_version()


@pytest.fixture
def old_url(ledger_url: str) -> str:
    """A ledger that the first version wrote, with one clip in every state."""
    return written_by_the_first_version(ledger_url)


@pytest.fixture
def old_file(sqlite_url: str) -> Path:
    """The same as a SQLite file."""
    return Path(written_by_the_first_version(sqlite_url).removeprefix("sqlite:///"))


def says_of_itself(url: str) -> dict[str, str]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = read_meta(connection)
    engine.dispose()
    return found


def schema_of(engine: sa.Engine) -> dict[str, Any]:
    """Everything that two schemas can differ in, but the order of columns."""
    inspector, found = sa.inspect(engine), {}
    for table in inspector.get_table_names():
        found[table] = {
            "columns": {c["name"]: (str(c["type"]), c["nullable"], c["default"]) for c in inspector.get_columns(table)},
            "primary key": inspector.get_pk_constraint(table),
            "foreign keys": sorted(map(str, inspector.get_foreign_keys(table))),
            "unique": sorted(map(str, inspector.get_unique_constraints(table))),
            "checks": sorted(map(str, inspector.get_check_constraints(table))),
            "indexes": sorted(plain_words(index) for index in inspector.get_indexes(table)),
        }
    return found


def plain_words(index: Any) -> str:
    """An index in words, its condition too, which is reflected as an object."""
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return f"{index['name']} {index['column_names']} {'unique' if index['unique'] else 'plain'} {options}"


@pytest.fixture
def another_url(request: pytest.FixtureRequest, ledger_url: str, tmp_path: Path) -> Iterator[str]:
    """A second empty database of the same kind as the test's first."""
    if ledger_url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'another.db'}"
        return
    with database_on(ledger_url) as url:
        yield url


def test_an_old_ledger_that_was_brought_up_has_the_schema_of_a_new_one(old_url: str, another_url: str) -> None:
    """A change of `tables.py` without a migration ends here."""
    upgraded, fresh = open_engine(old_url), open_engine(another_url)
    try:
        assert schema_of(upgraded) == schema_of(fresh)
        with upgraded.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), t.metadata) == []
    finally:
        upgraded.dispose()
        fresh.dispose()


def test_the_migrations_alone_make_the_schema_of_a_new_ledger(ledger_url: str, another_url: str) -> None:
    """Without the history of the repository: every step from nothing, the first one included."""
    engine, fresh = open_engine(ledger_url), open_engine(another_url)
    try:
        with engine.connect().execution_options(dailies_writes=True) as connection, connection.begin():
            t.metadata.drop_all(connection)
            connection.execute(sa.delete(version_table))
            upgrade_module.run_migrations(connection)
        assert schema_of(engine) == schema_of(fresh)
    finally:
        engine.dispose()
        fresh.dispose()


def test_the_chain_is_one_line_and_its_numbers_are_those_of_the_files() -> None:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    chain = list(ScriptDirectory.from_config(config).walk_revisions())
    assert [script.revision for script in reversed(chain)] == [revision(n) for n in NUMBERS]
    assert list(range(BASELINE, HEAD + 1)) == NUMBERS
    for script in chain:
        assert re.match(rf"v{script.revision}_[a-z]", Path(script.path).name)
        assert not hasattr(script.module, "downgrade"), "nobody goes back"


def test_everything_that_an_old_ledger_held_is_there_afterwards(old_url: str) -> None:
    before = {table: rows_of(old_url, table) for table in ("clip", "batch", "batch_row", "attempt", "event", "spend")}
    open_engine(old_url).dispose()
    for table, rows in before.items():
        after = rows_of(old_url, table)
        assert [{name: row[name] for name in rows[0]} for row in after] == rows, table


def rows_of(url: str, table: str) -> list[dict[str, Any]]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        rows = [dict(row) for row in connection.execute(sa.text(f"SELECT * FROM {table}")).mappings()]
    engine.dispose()
    return sorted(rows, key=str)


def test_a_copy_of_the_old_file_lies_beside_it_for_its_owner_alone(old_file: Path) -> None:
    before = rows_of(f"sqlite:///{old_file}", "attempt")
    open_engine(f"sqlite:///{old_file}").dispose()
    (copy,) = copies_of(old_file)
    assert re.fullmatch(r"ledger\.schema-1\.\d{8}T\d{6}\.\d{6}Z\.db", copy.name)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert rows_of(f"sqlite:///{copy}", "attempt") == before
    assert says_of_itself(f"sqlite:///{copy}") == {"schema": "1"}
    open_engine(f"sqlite:///{old_file}").dispose()
    assert copies_of(old_file) == [copy], "an upgraded ledger is not copied again"


def test_what_was_committed_and_is_still_in_the_log_beside_the_file_is_in_the_copy(old_file: Path) -> None:
    with closing(sqlite3.connect(old_file)) as busy:  # an open connection keeps the write-ahead log alive
        busy.execute("UPDATE meta SET value = value")
        busy.execute("INSERT INTO meta VALUES ('late', 'yes')")
        busy.commit()
        open_engine(f"sqlite:///{old_file}").dispose()
    (copy,) = copies_of(old_file)
    assert says_of_itself(f"sqlite:///{copy}")["late"] == "yes"
    assert not list(copy.parent.glob(f"{copy.name}-*")), "one file, nothing beside it"


@pytest.mark.parametrize(
    "trouble", [OSError(28, "No space left on device"), sqlite3.OperationalError("disk I/O error")]
)
def test_without_a_copy_nothing_is_changed(old_file: Path, monkeypatch: pytest.MonkeyPatch, trouble: Exception) -> None:
    def no_room(*_args: object) -> None:
        raise trouble

    monkeypatch.setattr("dailies.ledger.copies._copy", no_room)
    with pytest.raises(Misconfigured, match=r"(?s)copy.*Make room.*Nothing was changed, nothing was bought"):
        open_engine(f"sqlite:///{old_file}")
    assert says_of_itself(f"sqlite:///{old_file}") == {"schema": "1"}
    assert sorted(path.name for path in old_file.parent.iterdir() if ".schema-" in path.name) == []


def test_a_migration_that_fails_leaves_the_ledger_as_it_was(old_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_connection: sa.Connection) -> None:
        raise sa.exc.OperationalError("", {}, Exception("the power went"))

    monkeypatch.setattr(upgrade_module, "_sign", broken)  # the last of all
    with pytest.raises(Misconfigured, match="can't be opened"):
        open_engine(old_url)
    monkeypatch.undo()
    assert says_of_itself(old_url) == {"schema": "1"}
    open_engine(old_url).dispose()
    assert says_of_itself(old_url)["schema"] == str(HEAD)


def open_it(url: str, together: Any) -> int | None:
    together.wait(60)
    opened = open_engine(url)
    found = bring_up(opened).after
    opened.dispose()
    return found


@pytest.mark.timeout(300)
def test_processes_that_start_at_once_upgrade_once(old_url: str) -> None:
    assert in_processes([(old_url,)] * 3, open_it) == [HEAD] * 3
    found = says_of_itself(old_url)
    assert (found["schema"], len(found["id"])) == (str(HEAD), 32)
    assert len(rows_of(old_url, "alembic_version")) == 1
    if old_url.startswith("sqlite"):
        assert len(copies_of(Path(old_url.removeprefix("sqlite:///")))) == 1


@pytest.mark.timeout(300)
@pytest.mark.parametrize("commit", [FIRST, WITH_A_SENDER])
def test_an_older_worker_that_holds_a_paid_request_records_its_answer_after_the_upgrade(
    ledger_url: str, commit: str
) -> None:
    """Whoever has the ledger open goes on with it: only who opens it anew is asked for its version."""
    holder = first_version(code_of_the_first_version(commit), "hold", ledger_url)
    try:
        assert holder.stdin and holder.stdout
        attempt_id = holder.stdout.readline().strip()
        ledger = open_ledger(ledger_url)  # upgrades it, under the other's feet
        found = ledger.attempt(attempt_id)
        assert found and found.state is State.SUBMITTING and not ledger.is_dead(found)
        said, _ = holder.communicate("go on\n", timeout=120)
        assert (holder.returncode, said.strip()) == (0, "stored")
        stored = ledger.attempt(attempt_id)
        assert stored and stored.delivered and stored.generation_id == "video_held"
        ledger.close()
    finally:
        holder.kill()
        holder.wait()


def test_the_version_before_refuses_an_upgraded_ledger(first_code: Path, old_url: str) -> None:
    open_engine(old_url).dispose()
    late = first_version(first_code, "hold", old_url)
    late.communicate("go on\n", timeout=120)
    assert late.returncode != 0
    assert rows_of(old_url, "batch")[0]["name"] == "first"


def newer(url: str, **meta: str) -> None:
    """Make a ledger look as one of a later version does."""
    engine = open_engine(url)
    with engine.connect().execution_options(dailies_writes=True) as connection, connection.begin():
        for name, value in meta.items():
            connection.execute(sa.delete(t.meta).where(t.meta.c.name == name))
            connection.execute(t.meta.insert().values(name=name, value=value))
    engine.dispose()


def test_a_newer_ledger_is_refused_by_name(ledger_url: str) -> None:
    newer(ledger_url, schema="99", oldest_that_may_open="98", written_by="0.9.1")
    with pytest.raises(
        Misconfigured, match=rf"schema 99, written by dailies 0\.9\.1; .* knows schema {HEAD}\. Nothing was bought"
    ):
        open_engine(ledger_url)
    assert says_of_itself(ledger_url)["schema"] == "99"


def test_a_newer_ledger_that_does_not_say_who_may_open_it_is_refused(ledger_url: str) -> None:
    newer(ledger_url, schema="99")
    engine = sa.create_engine(ledger_url)
    with engine.begin() as connection:
        connection.execute(sa.delete(t.meta).where(t.meta.c.name.in_(["oldest_that_may_open", "written_by"])))
    engine.dispose()
    with pytest.raises(Misconfigured, match="schema 99"):
        open_engine(ledger_url)


def test_a_newer_ledger_that_says_that_this_version_may_open_it_is_opened_as_it_is(ledger_url: str) -> None:
    newer(ledger_url, schema="99", oldest_that_may_open=str(HEAD), written_by="0.9.1")
    before = says_of_itself(ledger_url)
    open_engine(ledger_url).dispose()
    assert says_of_itself(ledger_url) == before


def test_a_migration_that_can_not_run_beside_older_programs_waits_for_them(
    first_code: Path, ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrade_module, "ALONE", frozenset({HEAD}))
    holder = first_version(first_code, "hold", ledger_url)
    try:
        assert holder.stdin and holder.stdout
        holder.stdout.readline()
        with pytest.raises(Misconfigured, match=r"1 run is still at work .* wait until .*Nothing was changed"):
            open_engine(ledger_url)
        assert says_of_itself(ledger_url) == {"schema": "1"}
        holder.communicate("go on\n", timeout=120)
        open_engine(ledger_url).dispose()
        assert says_of_itself(ledger_url)["schema"] == str(HEAD)
    finally:
        holder.kill()
        holder.wait()


def test_an_upgrade_does_not_wait_long_for_a_table_that_somebody_holds(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it waits, everybody who wants that table waits behind it."""
    monkeypatch.setattr(upgrade_module, "LOCK_TIMEOUT_MS", 200)
    url = written_by_the_first_version(postgres_url)
    backup = sa.create_engine(url)
    with backup.connect() as connection, connection.begin():
        connection.exec_driver_sql("LOCK TABLE attempt IN ACCESS SHARE MODE")  # as pg_dump does
        with pytest.raises(
            Misconfigured, match=r"longer than 0\.2 s \(a backup.*Nothing was changed, nothing was bought"
        ):
            open_engine(url)
        assert says_of_itself(url) == {"schema": "1"}
    backup.dispose()
    open_engine(url).dispose()
    assert says_of_itself(url)["schema"] == str(HEAD)


def test_a_migration_only_adds(ledger_url: str) -> None:
    """What a program of any earlier schema writes is still taken after every later step: its tables and rules stay as they
    are, a column that it does not know may stay empty, and no new rule stands on a table that it knows."""
    engine = connect(ledger_url)
    known: dict[str, Any] = {}
    for schema in NUMBERS:
        with engine.connect().execution_options(dailies_writes=True) as connection, connection.begin():
            upgrade_module.run_migrations(connection, schema)
        found = schema_of(engine)
        for table, before in known.items():
            after = found[table]
            assert after["columns"].items() >= before["columns"].items(), (schema, table)
            for name in after["columns"].keys() - before["columns"].keys():
                _kind, nullable, default = after["columns"][name]
                assert nullable or default is not None, (
                    f"{schema}: {table}.{name} is asked of programs that know nothing of it"
                )
            for rule in ("primary key", "foreign keys", "unique", "checks"):
                assert after[rule] == before[rule], (schema, table, rule)
            added = set(after["indexes"]) - set(before["indexes"])
            assert set(before["indexes"]) <= set(after["indexes"]) and not [i for i in added if " unique " in i], (
                schema,
                table,
            )
        known = {name: found[name] for name in found if name != version_table.name}
    engine.dispose()


def test_opening_a_ledger_that_is_up_to_date_writes_nothing(old_file: Path) -> None:
    url = f"sqlite:///{old_file}"
    open_engine(url).dispose()
    with closing(sqlite3.connect(old_file, isolation_level=None)) as busy:
        busy.execute("BEGIN IMMEDIATE")  # would hold up any other writer for a minute
        open_engine(url).dispose()


def test_clips_whose_address_may_be_signed_are_known_anew_by_what_later_versions_know_of_signatures(
    ledger_url: str,
) -> None:
    """Under a fresh signature an image was another clip, and bought again: its old identity held the one of its time."""
    address = "https://p.example/a.png?auth_key={}-0-0-" + "a" * 32
    signed = a_clip(image=IMAGE._replace(source=address.format(1764300000)))
    by_option = a_clip("a dog", options={"last_image": address.format(1764300000)})
    plain = a_clip("a cat", image=IMAGE._replace(source="https://p.example/a.png?w=1280&X-Amz-Signature=aa"))
    engine = connect(ledger_url)
    with engine.connect().execution_options(dailies_writes=True) as connection, connection.begin():
        upgrade_module.run_migrations(connection, 18)
        for clip in (signed, by_option, plain):
            known = {**clip_values(clip), "identity": "d" * 64, "created_at": NOON}
            connection.execute(sa.insert(t.clip).values(known))
    with engine.connect().execution_options(dailies_writes=True) as connection, connection.begin():
        upgrade_module.run_migrations(connection, HEAD)
    with engine.connect() as connection:
        fresh = signed.image._replace(source=address.format(1795836000))
        assert keys_like(connection, [replace(signed, image=fresh).identity]) == {signed.identity: signed.key}
        assert keys_like(connection, [by_option.identity]) == {by_option.identity: by_option.key}
        assert keys_like(connection, [plain.identity, "d" * 64]) == {"d" * 64: plain.key}, (
            "nothing new to learn: no plan has to read it again"
        )
    engine.dispose()


def test_every_signature_that_came_to_be_known_later_is_looked_for_in_older_ledgers() -> None:
    """Who adds one that is not among them writes a migration: else what was bought with it is bought again."""
    single = signatures.LATER | {name for _, names in signatures.LATER_BY_HOST for name in names}
    together = [company.forms.keys() for company in signatures.LATER_TOGETHER]
    looked_for = {name.lstrip("?&") for name in v0019_signatures.SIGNING}
    assert single <= looked_for and all(names & looked_for for names in together)
