"""`dailies init`: a folder to begin in: three rows, their images, every setting, and what to type next."""

from __future__ import annotations

import asyncio
import csv
import getpass
import io
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from dailies.catalog import load_catalog
from dailies.cli.place import data_folder
from dailies.domain import commands
from dailies.domain.money import show_usd
from dailies.environment import variables
from dailies.errors import BadInput, DailiesError
from dailies.media.images import measure_file
from dailies.planning.live import LiveView
from dailies.planning.offers import Wish, entries
from dailies.providers.open import open_providers
from dailies.registry import default_provider, provider_names
from dailies.settings import env_file, key_name, load_settings
from dailies.storage.s3 import parse_s3_uri

PROMPTS, ENV = "prompts.csv", ".env"
ROWS = (
    ("sunrise", "The sun climbs over the hills, light spills slowly across the valley", "images/sunrise-720.png"),
    ("harbour", "Calm water, a gull crosses the frame, the camera drifts to the right", "images/harbour-720.png"),
    ("night", "Stars turn slowly above the ridge, one falls", "images/night-720.png"),
)
FIRST_MODEL = "google/veo-3.1-i2v-fast"
"""What the rows begin with where the chosen provider sells it: quick, with sound, and cents rather than dollars a second."""
TRIES = 3


@dataclass(frozen=True, slots=True)
class Answers:
    """What a person said on the terminal; None where that was left for later."""

    provider: str = field(default_factory=default_provider)
    key: str | None = None
    to: str | None = None


def run_init() -> int:
    """Write the starter files into the current folder. Raises BadInput, with nothing changed, where one is there already."""
    pictures = {image: data_folder() / image for _, _, image in ROWS}
    refuse_to_overwrite([PROMPTS, ENV, *pictures])
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    answers = asked() if on_terminal else Answers()
    rows = sheet(first_model(answers.provider, next(iter(pictures.values()))))
    write(rows, pictures, answers)
    print(f"{PROMPTS}, {len(pictures)} images and {ENV} are here. ", end="")
    needed = {key_name(answers.provider): answers.key, "DAILIES_TO": answers.to}
    todo = [name for name, said in needed.items() if not said and not variables().get(name)]
    print(f"Set {' and '.join(todo)} in {ENV}; then:" if todo else "Go on with:")
    widest = max(len(line) for line, _ in NEXT)
    for line, why in NEXT:
        print(f"{line.ljust(widest)}   {why}")
    return 0


NEXT = (
    (commands.command("check", PROMPTS), "free: each row, its price, what is refused"),
    (commands.command("run", PROMPTS, "--limit", "1"), "the first clip alone, to look at"),
    (commands.command("run", PROMPTS), "the rest; nothing is bought twice"),
)


def refuse_to_overwrite(names: list[str]) -> None:
    """Raise BadInput for the first of these files that exists in the current folder, as whatever it is."""
    there = [name for name in names if Path(name).exists() or Path(name).is_symlink()]
    if there:
        raise BadInput(
            f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} here already; nothing was changed. "
            f"Begin in an empty folder, or go on with: {commands.command('check', PROMPTS)}"
        )


def first_model(provider: str, image: Path) -> str:
    """A model of this provider that takes the starter's images: the usual one, else the cheapest with a known price."""
    wish = Wish((provider,), image=measure_file(image, image.parent).facts)
    found = [e for e in entries(load_catalog(), LiveView(), datetime.now(UTC).date(), wish) if e.served is not False]
    if any(entry.model.id == FIRST_MODEL for entry in found) or not found:
        return FIRST_MODEL
    return min(found, key=lambda entry: (entry.usd is None, entry.usd or 0)).model.id


def sheet(model: str) -> str:
    """The CSV of the three rows."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "prompt", "image", "model"])
    writer.writerows([*row, model] for row in ROWS)
    return text.getvalue()


def write(rows: str, pictures: Mapping[str, Path], answers: Answers) -> None:
    """All files, none of them over another; the one that may hold a key can be read by its owner alone."""
    values = {key_name(answers.provider): answers.key, "DAILIES_TO": answers.to}
    if answers.provider != default_provider():
        values["DAILIES_PROVIDER"] = answers.provider
    contents = {ENV: env_file({k: v for k, v in values.items() if v}).encode(), PROMPTS: rows.encode()}
    contents |= {name: source.read_bytes() for name, source in pictures.items()}
    for name, content in contents.items():
        path = Path(name)
        path.parent.mkdir(exist_ok=True)
        with path.open("xb") as file:
            if name == ENV:
                path.chmod(0o600)
            file.write(content)


def asked() -> Answers:
    """Ask on the terminal. A key is read without echo and tried for free. Raises BadInput when nothing usable is said."""
    provider = _until(_provider, f"Provider ({', '.join(provider_names())}) [{default_provider()}]: ", input)
    name = key_name(provider)
    key = _until(lambda text: _tried(provider, text), f"{name} (not shown; Enter: later): ", getpass.getpass)
    to = _until(_bucket, "Where clips go, such as s3://bucket/prefix (Enter: later): ", input)
    return Answers(provider, key or None, to or None)


def _until(read: Callable[[str], str], question: str, ask: Callable[[str], str]) -> str:
    """Ask until the answer can be read, three times at most."""
    for _ in range(TRIES):
        try:
            return read(ask(question).strip())
        except DailiesError as error:
            print(error)
        except EOFError:
            break
    raise BadInput("no usable answer; nothing was written")


def _provider(text: str) -> str:
    name = text.lower() or default_provider()
    if name not in provider_names():
        raise BadInput(f"there are {', '.join(provider_names())}")
    return name


def _bucket(text: str) -> str:
    if text:
        parse_s3_uri(text)
    return text


def _tried(provider: str, key: str) -> str:
    """The key, if the provider does not refuse it. Raises BadInput, or Misconfigured for what can't be a key."""
    if not key:
        return key
    settings = load_settings({key_name(provider).lower(): key})

    async def account_status() -> str | None:
        client = open_providers(settings, [provider])[provider]
        try:
            found = await client.account_status()
        finally:
            await client.close()
        if found.refused:
            raise BadInput(f"{provider} refuses this key: {found.refused}", trouble="key-refused")
        return None if found.balance_usd is None else show_usd(found.balance_usd)

    balance = asyncio.run(account_status())
    print(f"The key works; balance {balance}." if balance else "The key could not be tried for free; it is kept.")
    return key
