"""`make docs` first writes the pages that come from the code: settings, commands, models, kinds of trouble,
the sandbox, JSON, tables."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

from dailies.catalog.find import Catalog
from dailies.catalog.load import load_catalog
from dailies.catalog.table import excluded_models, models_page
from dailies.cli.app import app
from dailies.domain.provider import Declaration, SettledBy
from dailies.domain.troubles import KINDS, Section
from dailies.planning.request import request_table
from dailies.registry import declared
from dailies.settings import settings_table

HERE = Path(__file__).resolve().parent
REFERENCES = runpy.run_path(str(HERE / "references.py"))
NAMED_UP_TO = 20
TABLE = re.compile(r"(<!-- table of providers -->\n).*?(<!-- end -->)", re.DOTALL)
SETTLED = {
    SettledBy.OWN_ID: "our own id",
    SettledBy.SAME_KEY: "the same request with its key",
    SettledBy.LOG: "its log",
    SettledBy.HISTORY: "its history",
    SettledBy.WEBHOOK: "its webhook",
    SettledBy.PERSON: "a person",
}
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

TROUBLE = """\
# When something goes wrong

Every message says what happened, what it cost and what to type next. It begins with the code of its kind, as in `dailies: [no-key] …`;
in JSON that is `code`, beside `error`. This page has each kind once more, and so has the program:

```sh
dailies explain
dailies explain no-key
```
"""
SECTIONS: dict[Section, str] = {
    "Refused": "Exit code 2, before anything was bought.",
    "In doubt": "",
    "Overdue": "Paid, and not home yet.",
    "Failed": "Exit code 1: this clip is not there, the others are. The report has the provider's words.",
    "Lost": "",
    "The machine": """\
Killed at any point, the same command goes on where it was. Where the ledger was deleted or rolled back, what S3 and the spool
know is taken in again by `dailies doctor --adopt`. In Prefect: [what its states mean](operations.md#when-something-goes-wrong).""",
}


def trouble_page() -> str:
    """docs/trouble.md, whole: each code is a heading, so an address that stays."""
    parts = [TROUBLE]
    for section, words in SECTIONS.items():
        parts.append(f"## {section}\n" + (f"\n{words}\n" if words else ""))
        for code, kind in KINDS.items():
            if kind.section == section:
                typed = "\n".join(kind.commands)
                parts.append(f"### {code}\n\n{kind.means}\n{kind.cost} {kind.cure}\n\n```sh\n{typed}\n```\n")
    return "\n".join(parts)


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


def providers_table(catalog: Catalog) -> str:
    """Every provider of ours with what it sells and how money is known."""
    head = ["provider", "models", "a lost answer is settled by", "cost known from", "cancel", "webhook"]
    rows = [_provider(one, catalog) for one in declared().values() if one.client.startswith("dailies.")]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (head, ["---"] * len(head), *rows))


def _provider(one: Declaration, catalog: Catalog) -> list[str]:
    sold = [model for model in catalog if one.name in model.offers]
    titles = sorted({model.title.removesuffix(", from text") for model in sold}, key=str.casefold)
    names = "" if len(sold) > NAMED_UP_TO else f": {', '.join(titles)}"
    settled = [SETTLED[way] for way in one.settling.by or (SettledBy.PERSON,)]
    return [
        f"`{one.name}` {one.title}",
        f"{len(sold)}{' and its list' if one.sells_more else ''}{names}",
        ", then ".join(settled),
        one.cost_from,
        "while queued" if one.cancels else "–",
        (one.webhook_signature or "unsigned") if one.webhook else "–",
    ]


def with_table(name: str, catalog: Catalog) -> str:
    """A page of words with its table of providers as the code has it."""
    text = (HERE / name).read_text(encoding="utf-8")
    return TABLE.sub(lambda found: f"{found[1]}{providers_table(catalog)}{found[2]}", text)


def pages(catalog: Catalog) -> dict[str, str]:
    """Every generated page by its name."""
    return {
        "settings.md": settings_page(),
        "batch.md": batch_page(),
        "commands.md": commands_page(),
        "trouble.md": trouble_page(),
        "sandbox.md": REFERENCES["sandbox_page"](),
        "json.md": REFERENCES["json_page"](),
        "tables.md": REFERENCES["tables_page"](),
        "models.md": models_page(catalog, excluded_models()),
        "providers.md": with_table("providers.md", catalog),
    }


if __name__ == "__main__":
    for name, text in pages(load_catalog()).items():
        (HERE / name).write_text(text, encoding="utf-8")
