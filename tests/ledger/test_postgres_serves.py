"""A real Postgres server with TLS, restarted and slow: encrypted where the address asks for it, away and never an end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import anyio
import psycopg
import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from dailies.domain.creates import Accepted, KnownAttempt
from dailies.domain.states import State
from dailies.errors import Misconfigured
from dailies.ledger import Ledger, Owner, Spool, open_engine, record
from tests.flows.postgres import Postgres, running_postgres
from tests.ledger.factories import USD, a_clip, a_row, claim, open_ledger
from tests.unit.certificate import Authority


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whoever signed the server's certificate."""
    return Authority.made(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """An installed Postgres whose certificate is for `localhost`."""
    folder = tmp_path_factory.mktemp("certificate")
    authority.server(folder, "localhost")
    with running_postgres("ledger", certificate=(folder / "localhost.pem", folder / "localhost.key")) as running:
        if running is None:
            pytest.skip("no Postgres is installed")
        open_engine(running.urls["ledger"]).dispose()
        yield running


def address(server: Postgres, host: str = "localhost", **query: str) -> str:
    """The ledger's, with what libpq is told."""
    url = make_url(server.urls["ledger"]).set(host=host).update_query_dict({"gssencmode": "disable", **query})
    return url.render_as_string(hide_password=False)


def is_encrypted(url: str) -> bool:
    """Whether the server sees TLS on the connection of a ledger."""
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()").scalar_one()
            return bool(found)
    finally:
        engine.dispose()


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_the_mode_in_the_address_makes_an_encrypted_ledger(server: Postgres, authority: Authority, mode: str) -> None:
    assert is_encrypted(address(server, sslmode=mode, sslrootcert=str(authority.file)))
    assert not is_encrypted(address(server, sslmode="disable"))


@pytest.mark.parametrize("mode", ["require", "verify-full"])
def test_another_authority_s_certificate_is_refused(server: Postgres, tmp_path: Path, mode: str) -> None:
    """libpq's `require` looks at the authority, too, where one is named."""
    stranger = Authority.made(tmp_path, "Stranger")
    with pytest.raises(Misconfigured, match=r"can't be opened.*certificate verify failed"):
        open_engine(address(server, sslmode=mode, sslrootcert=str(stranger.file)))


def test_a_certificate_for_another_name_is_refused_by_verify_full_alone(server: Postgres, authority: Authority) -> None:
    by_number = {"host": "127.0.0.1", "sslrootcert": str(authority.file)}
    with pytest.raises(Misconfigured, match=r"can't be opened.*does not match host name"):
        open_engine(address(server, sslmode="verify-full", **by_number))
    assert is_encrypted(address(server, sslmode="verify-ca", **by_number))


def test_an_authority_that_is_not_there_is_said(server: Postgres, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"can't be opened.*root certificate"):
        open_engine(address(server, sslmode="verify-full", sslrootcert=str(tmp_path / "none.pem")))


def planned(ledger: Ledger, batch: str, count: int) -> list[str]:
    """So many clips that no other test has, in a batch of their own."""
    rows = [a_row(number, a_clip(f"{batch} {number}")) for number in range(1, count + 1)]
    ledger.plan(batch, f"{batch}.csv", f"s3://clips/{batch}", rows, {row.clip.key: USD for row in rows})
    return [row.clip.key for row in rows]


def test_a_restart_in_mid_run_is_a_ledger_that_is_away_and_no_answer_is_lost(
    server: Postgres, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers come in before, while and after it is down; the pool's connections of before are of no use after it."""
    monkeypatch.setattr(record, "RETRY_S", (0.0,))
    ledger = open_ledger(address(server, sslmode="verify-full", sslrootcert=str(authority.file)))
    spool = Spool(tmp_path / "spool")
    *first, unclaimed = planned(ledger, "restarted", 7)
    attempts = [claim(ledger, key, batch="restarted") for key in first]

    def recorded(number: int) -> bool:
        known, outcome = KnownAttempt(attempts[number]), Accepted(f"restarted-{number}")
        return anyio.run(record.record_outcome, ledger, spool, known, outcome) is not None

    told = [recorded(0), recorded(1)]
    server.stop()
    try:
        told += [recorded(2), recorded(3)]
        with pytest.raises(OperationalError):
            claim(ledger, unclaimed, batch="restarted")
    finally:
        server.start()
    told += [recorded(4), recorded(5)]
    assert told == [True, True, False, False, True, True] and len(spool) == 2
    assert anyio.run(record.drain_spool, ledger, spool) == 2
    found = [ledger.attempt(attempt.id) for attempt in attempts]
    assert [one and (one.state, one.generation_id) for one in found] == [
        (State.SUBMITTED, f"restarted-{number}") for number in range(6)
    ]
    assert claim(ledger, unclaimed, batch="restarted").no == 1, "nothing of it was claimed while it was down"
    ledger.close()


@pytest.mark.parametrize("setting", ["statement_timeout", "lock_timeout"])
def test_a_statement_that_is_ended_by_the_server_is_tried_again(
    server: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    """Somebody else holds the row: the answer in hand waits in the spool, and nothing is claimed on a guess."""
    monkeypatch.setattr(record, "RETRY_S", (0.0,))
    ledger = Ledger(open_engine(address(server, options=f"-c {setting}=200ms")), Owner.this_process())
    spool = Spool(tmp_path / "spool")
    first, second = planned(ledger, setting, 2)
    attempt = claim(ledger, first, batch=setting)
    plain = make_url(server.urls["ledger"]).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as holding:
        holding.execute("SELECT 1 FROM attempt WHERE id = %s FOR UPDATE", [attempt.id])
        holding.execute("SELECT 1 FROM clip WHERE clip_key = %s FOR UPDATE", [second])
        told = anyio.run(record.record_outcome, ledger, spool, KnownAttempt(attempt), Accepted(f"gen-{setting}"))
        assert told is None and len(spool) == 1
        with pytest.raises(OperationalError, match="canceling statement"):
            claim(ledger, second, batch=setting)
        assert ledger.attempts(second) == ()
    assert anyio.run(record.drain_spool, ledger, spool) == 1
    found = ledger.attempt(attempt.id)
    assert found and found.state is State.SUBMITTED and claim(ledger, second, batch=setting).no == 1
    ledger.close()
