"""A provider's name stands in its own place and nowhere else in the program; others may add one by an entry point."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from dailies import registry
from dailies.domain.provider import Declaration, SettledBy, Settling, in_order
from dailies.registry import declared, load
from dailies.settings import load_settings, settings_table

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ("dailies", "flows", "tasks", "deployments")


def places(one: Declaration) -> set[Path]:
    """Where this provider may be named: its own package, its front, and modules of the sandbox that carry its name."""
    own = set((ROOT / "dailies/providers" / one.name).rglob("*.py"))
    front = {ROOT / (one.front.partition(":")[0].replace(".", "/") + ".py")} if one.front else set()
    return own | front | set((ROOT / "dailies/sandbox").glob(f"{one.name}*.py"))


def words(path: Path) -> Iterator[tuple[int, str]]:
    """Every name and every text in a module's code; docstrings and comments may give examples."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    described = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in described:
                yield node.lineno, text
            case ast.Name(id=text) | ast.Attribute(attr=text) | ast.FunctionDef(name=text) | ast.ClassDef(name=text):
                yield node.lineno, text
            case ast.ImportFrom(module=str(text)):
                yield node.lineno, text


ELSEWHERE = {
    "dailies/catalog/table.py",  # the introduction of a document, with examples of a user's own entries
    "dailies/sandbox/config.py",  # the forms that one front can answer in
    "dailies/sandbox/__main__.py",
    "dailies/sandbox/catalogue.py",  # one address of the sandbox answers for two lists
}


@pytest.mark.parametrize("one", declared().values(), ids=lambda one: one.name)
def test_nothing_outside_its_place_names_a_provider(one: Declaration) -> None:
    name = re.compile(rf"(?<![a-z]){one.name}(?![a-z])", re.IGNORECASE)
    found = [
        f"{path.relative_to(ROOT)}:{line}: {text[:80]}"
        for folder in PROGRAM
        for path in sorted((ROOT / folder).rglob("*.py"))
        if path not in places(one) and str(path.relative_to(ROOT)) not in ELSEWHERE
        for line, text in words(path)
        if name.search(text)
    ]
    assert found == []


@pytest.mark.parametrize("one", declared().values(), ids=lambda one: one.name)
def test_what_a_provider_names_can_be_loaded(one: Declaration) -> None:
    for where in (one.client, one.front, one.account):
        assert where is None or callable(load(where))


THEIRS = Declaration(
    name="acme", title="Acme", base_url="https://api.acme.example", client="acme.dailies:open_client",
    vendor_keys=(("ACME_ID", "ACME_SECRET"), ("ACME_TOKEN",)), settling=Settling((SettledBy.SAME_KEY,)),
)  # fmt: skip


def installed(monkeypatch: pytest.MonkeyPatch, *found: EntryPoint) -> None:
    registry.declared.cache_clear()
    monkeypatch.setattr(registry, "entry_points", lambda group: found)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    registry.declared.cache_clear()


def test_a_package_that_declares_one_is_listed_behind_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, EntryPoint("acme", f"{__name__}:THEIRS", registry.GROUP))
    assert registry.provider_names() == (*in_order(d for d in registry.declared().values() if d is not THEIRS), "acme")
    assert registry.declared()["acme"] is THEIRS


def test_a_package_that_is_broken_is_left_out_and_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    installed(monkeypatch, EntryPoint("gone", "no.such.module:PROVIDER", registry.GROUP))
    assert "gone" not in registry.declared() and len(registry.declared()) > 1
    assert "gone" in caplog.text


def test_ours_is_not_replaced_by_a_package_of_the_same_name(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = next(iter(declared().values()))
    registry.declared.cache_clear()
    monkeypatch.setattr(
        f"{__name__}.THEIRS", Declaration(name=ours.name, title="x", base_url="https://evil.example", client="x:y")
    )
    installed(monkeypatch, EntryPoint("x", f"{__name__}:THEIRS", registry.GROUP))
    assert registry.declared()[ours.name].base_url == ours.base_url


def test_each_declares_its_key_and_its_address_as_settings() -> None:
    table = settings_table()
    for one in declared().values():
        assert f"`{one.key_name}`" in table and f"`{one.base_url_name}` | `{one.base_url}`" in table


@pytest.mark.parametrize("one", [o for o in declared().values() if o.vendor_keys], ids=lambda one: one.name)
def test_the_vendors_names_of_a_key_are_read_where_ours_is_not_set(one: Declaration) -> None:
    for names in one.vendor_keys:
        theirs = {name: f"part{number}" for number, name in enumerate(names)}
        settings = load_settings(environ=theirs, dotenv=False)
        key = settings.api_key(one.name)
        assert key and key.get_secret_value() == ":".join(theirs.values())
        ours = load_settings(environ={**theirs, one.key_name: "ours"}, dotenv=False).api_key(one.name)
        assert ours and ours.get_secret_value() == "ours"
