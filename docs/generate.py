"""`make docs` first writes the pages that come from the code: settings, commands, models."""

from __future__ import annotations

import re
from pathlib import Path

from dailies.catalog.find import Catalog
from dailies.catalog.load import load_catalog
from dailies.catalog.table import excluded_models, models_page
from dailies.cli.app import app
from dailies.planning.request import request_table
from dailies.settings import settings_table

HERE = Path(__file__).resolve().parent
SETTINGS = """\
# Settings

From the environment, `.env` in the working directory, or, where a Prefect API is configured, its blocks and Variables; the
command line comes before all of them. `dailies doctor` shows each with its value and where that is from, and no secret.

"""

BATCH = """\
# What a batch may be asked for

The same everywhere: options of `dailies run` and `dailies check`, parameters of the deployments `generate-clips` and
`generate-large` (and of whoever starts them over Prefect's API), fields of the form in the Prefect UI. A column of the CSV comes
before all of them; what nobody says is decided by the settings, the image or the model.

"""


def batch_page() -> str:
    """docs/batch.md, whole."""
    return f"{BATCH}{request_table()}\n"


def settings_page() -> str:
    """docs/settings.md, whole."""
    return f"{SETTINGS}{settings_table()}\n"


def commands_page() -> str:
    """docs/commands.md, whole: what `--help` says of every command, in one page."""
    text = re.sub(r"## Table of Contents\n.*?(?=\*\*Commands\*\*)", "", app.generate_docs(), flags=re.DOTALL)
    return re.sub(r"\n{3,}", "\n\n", text.replace("# dailies", "# Commands", 1)).rstrip() + "\n"


def pages(catalog: Catalog) -> dict[str, str]:
    """Every generated page by its name."""
    return {
        "settings.md": settings_page(),
        "batch.md": batch_page(),
        "commands.md": commands_page(),
        "models.md": models_page(catalog, excluded_models()),
    }


if __name__ == "__main__":
    for name, text in pages(load_catalog()).items():
        (HERE / name).write_text(text, encoding="utf-8")
