"""The ledger's address is read forgivingly, and its password is never shown, wherever it stands and however it is written."""

from __future__ import annotations

import pytest

from dailies.errors import Misconfigured
from dailies.ledger.address import parse_address, shown
from dailies.settings import load_settings, sources, without_password

SECRETS = (
    "s3cr3t",
    "p@s3cr3t",
    "s3cr3t@",
    "@s3cr3t",
    "s3@cr3t@x",
    "s3cr3t:a",
    "a:s3@cr3t",
    "s3cr3t/a",
    "a/s3@cr3t",
    "s3cr3t?a",
)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_every_name_of_postgres_is_understood(scheme: str) -> None:
    parsed = parse_address(f"{scheme}://dailies:pw@db.example:6432/ledger?sslmode=require")
    assert (parsed.drivername, parsed.host, parsed.port, parsed.database) == (
        "postgresql+psycopg",
        "db.example",
        6432,
        "ledger",
    )
    assert dict(parsed.query) == {"sslmode": "require"}


@pytest.mark.parametrize("password", SECRETS)
def test_a_password_is_taken_as_it_is_written_and_never_shown(password: str) -> None:
    text = f"postgres://dailies:{password}@db.example/ledger"
    parsed = parse_address(text)
    assert (parsed.username, parsed.password, parsed.host, parsed.database) == (
        "dailies",
        password,
        "db.example",
        "ledger",
    )
    for said in (shown(parsed), without_password(text)):
        assert not any(part in said for part in ("s3", "cr3t")), said
        assert "dailies" in said and said.endswith("db.example/ledger")


def test_an_encoded_password_is_decoded() -> None:
    assert parse_address("postgresql://dailies:p%40ss%2F@db/ledger").password == "p@ss/"


@pytest.mark.parametrize(
    "query", ["password=s3cr3t", "user=me&password=s3cr3t", "sslpassword=s3@cr3t", "PASSWORD=s3cr3t&a=b"]
)
def test_a_password_in_the_query_is_not_shown_either(query: str) -> None:
    text = f"postgresql://db.example/ledger?{query}"
    for said in (shown(parse_address(text)), without_password(text)):
        assert not any(part in said for part in ("s3", "cr3t")), said


@pytest.mark.parametrize(
    "text", ["rubbish", "postgres://u:s3cr3t@db:port/x", "://s3cr3t@", "mysql://u:s3cr3t@db/x", ""]
)
def test_what_can_not_be_read_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(Misconfigured) as raised:
        parse_address(text)
    assert "s3cr3t" not in str(raised.value)


def test_a_path_with_an_at_sign_is_a_path() -> None:
    url = "sqlite:////home/me@work/a:b/ledger.db"
    assert parse_address(url).database == "/home/me@work/a:b/ledger.db"
    assert shown(parse_address(url)) == without_password(url) == url


def test_doctors_table_of_settings_shows_no_password() -> None:
    environ = {"DAILIES_LEDGER_URL": "postgres://dailies:s3@cr3t@db.example/ledger"}
    load_settings(environ=environ, dotenv=False)
    (found,) = [source.value for source in sources(environ) if source.name == "DAILIES_LEDGER_URL"]
    assert found == "postgres://dailies:***@db.example/ledger"
