"""Which Prefect API the user configured, and how it lets us in, found without loading Prefect, which takes more than a second."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from dailies.environment import read_dotenv, variables
from dailies.errors import Misconfigured


def configured_api_url(environ: Mapping[str, str] | None = None, cwd: Path | None = None) -> str | None:
    """The Prefect API that the user configured, as Prefect itself would find it, or None.

    Raises Misconfigured if a file that may say it can't be read.
    """
    return configured("url", environ, cwd)


def configured(
    what: str, environ: Mapping[str, str] | None = None, cwd: Path | None = None, of: str = "api"
) -> str | None:
    """One of Prefect's settings of its API (`url` is PREFECT_API_URL, `auth_string` PREFECT_API_AUTH_STRING), or None.

    `of` names another group of settings (`client`: PREFECT_CLIENT_…); a table in a file is given as JSON. In Prefect's order:
    environment, `.env`, `prefect.toml`, `pyproject.toml`, the active profile. Raises Misconfigured if one of these files
    can't be read.
    """
    name = f"PREFECT_{of.upper()}_{what.upper()}"
    present = {name.upper(): value for name, value in (variables() if environ is None else environ).items()}
    folder = cwd or Path.cwd()
    dotenv = {name.upper(): value for name, value in read_dotenv(frozenset(), folder / ".env").items()}
    own = _toml(folder / "prefect.toml")
    project = _toml(folder / "pyproject.toml").get("tool", {}).get("prefect", {})
    candidates = (
        present.get(name),
        dotenv.get(name),
        own.get(of, {}).get(what),
        project.get(of, {}).get(what),
    )
    for value in candidates:
        if value is not None:
            return _text(value)
    moved = (
        present.get("PREFECT_PROFILES_PATH")
        or dotenv.get("PREFECT_PROFILES_PATH")
        or own.get("profiles_path")
        or project.get("profiles_path")
    )
    return _of_profile(name, _profiles_file(moved, present, folder), present.get("PREFECT_PROFILE"))


def _profiles_file(moved: str | None, environ: Mapping[str, str], folder: Path) -> Path:
    """Where Prefect looks for profiles; its built-in ones stand in only for those of `~/.prefect`."""
    if moved:
        return folder / moved
    if home := environ.get("PREFECT_HOME"):
        return folder / home / "profiles.toml"
    personal = Path(environ.get("HOME") or Path.home()) / ".prefect" / "profiles.toml"
    return personal if personal.exists() else _built_in_profiles()


def _built_in_profiles() -> Path:
    package = find_spec("prefect")
    places = package.submodule_search_locations if package else None
    return Path(next(iter(places or []), "")) / "settings" / "profiles.toml"


def _of_profile(name: str, path: Path, chosen: str | None) -> str | None:
    content = _toml(path)
    profile = content.get("profiles", {}).get(chosen or content.get("active"))
    value = profile.get(name) if profile else None
    return _text(value) if value is not None else None


def _text(value: object) -> str | None:
    return json.dumps(value) if isinstance(value, dict) else str(value).strip() or None


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise Misconfigured(
            f"{path} can't be read: {error}. It may say which Prefect API to use.", trouble="prefect"
        ) from error
