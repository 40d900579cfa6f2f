"""`make docs`: writes the generated tables into README.md and docs/models.md."""

from __future__ import annotations

from pathlib import Path

from dailies.catalog.table import main as models_page
from dailies.settings import settings_table

MARK, END = "<!-- settings: generated, tests/unit/test_docs.py checks it -->", "<!-- /settings -->"

if __name__ == "__main__":
    readme = Path("README.md")
    head, rest = readme.read_text(encoding="utf-8").split(MARK)
    tail = rest.split(END)[1]
    readme.write_text(f"{head}{MARK}\n{settings_table()}\n{END}{tail}", encoding="utf-8")
    models_page(["docs/models.md"])
