"""Pages of reference that `docs/generate.py` writes from the code: the sandbox, JSON answers, the ledger's tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from typing import Any

from dailies.domain.figures import Totals
from dailies.domain.standing import Outcome
from dailies.domain.states import State
from dailies.ledger.tables import metadata
from dailies.report.credits import JSON_CLIP
from dailies.sandbox.control import Control
from dailies.sandbox.faults import KINDS, Fault

SANDBOX = """\
# The sandbox

A provider on your machine that answers as the real ones do, as strictly as their documents, with prices, real MP4s and its own list
of charges. It charges nobody. All six providers are there at once.

```sh
dailies sandbox --s3 --time-scale 0.1
```

prints one `export` line with which every provider is the sandbox; `--s3` brings a store along. Faults are asked for over HTTP, and wait
until a request meets them:

```sh
curl http://127.0.0.1:8790/sandbox/faults --json '{"where": "create", "kind": "lost"}'
dailies run prompts.csv
dailies status
```

In tests it is `with dailies.sandbox.Sandbox() as sandbox:` and `sandbox.fault("create", "lost")`; how a provider of your own is served
there stands in [providers](providers.md).
"""

JSON = """\
# JSON

With `--json` a command prints one document on stdout and nothing else there. Keys stay; new ones may come. Dollars and seconds are
numbers, what is not known is `null`, never zero and never a guess. The exit code says the same as without it.
"""

REFUSED = """
## A refusal

| key | |
| --- | --- |
| `error` | what happened, what it cost |
| `code` | its kind: `dailies explain CODE`, [all of them](trouble.md) |
| `bad_rows` | of a CSV: `row`, `id`, `column`, `reason`, `cure` |
| `next` | what to type next; `null` where `error` says it |

"""

BATCH = """\
## A batch: `run`, `report`, `retry`, `check`

`batch`, `report_dir`, `clips`, and the sums of all rows:
{sums}.
`rows` is the sum of the outcomes: {outcomes}.
`report_dir` is the report's folder, `null` where none was written.
Money that belongs to no row of the batch any more stands, clip by clip, under `uncounted`.

Each of `clips` has {clip}
and `marks` ([what a look at the footage found](footage.md): a list, `null` where nobody has looked); `options` and `mismatch` where there
are any. They mean what the [columns of `credits.csv`](report.md#columns-of-creditscsv-and-creditsparquet) mean.
`state` is `planned` or one of the ledger's: {states}.
"""

MORE = """
## What `check` adds

`to_buy` and `usd_to_buy`: what the same `run` would buy now. `seconds_expected`, `notes`, `price_origins`, `own_columns`, `changed` (rows
that were delivered and are other than they were), `beyond_approval`. Each clip has `row`, and `check`: `delivered` or `ok`; where its
provider is chosen by price, `quotes` by provider. A check that would be refused has the keys of a refusal too.

## The others

| command | document |
| --- | --- |
| `dailies models` | a list, one entry for each model, provider and kind, with the price, its source and its day |
| `dailies status` | `unfinished`: a list of `clip`, `attempt`, `state` and more; `usd_at_risk` |
| `dailies collect` | `remaining` (how many are not home), `message`, `clips` (their ids) |
| `dailies show CLIP` | the [sidecar](provenance.md) of a clip |
| `dailies retry --dry-run`, `dailies cancel`, `dailies ledger check` | lists whose entries name a clip (`id`) and dollars (`usd_…`) |
| `dailies doctor --ready` | `ready`: true or false, and what is not |
"""

TABLES = """\
# The ledger's tables

For reading, with your own tools: `sqlite3` on `DAILIES_HOME/ledger.db`, or the Postgres that `DAILIES_LEDGER_URL` names. Nothing but
dailies writes there. Dollars are whole billionths (divide by 1,000,000,000), moments are UTC. How it is kept safe, moved and upgraded:
[the ledger](ledger.md).
"""
ABOUT = {
    "meta": "What the ledger is: its schema's number, its identity.",
    "clip": "A clip as its content: the same row in two CSVs is one clip.",
    "batch": "A batch: its file, where its clips go, how it was asked for, what was approved.",
    "batch_row": "Which clips a batch is made of, with the row's number, quote and own columns.",
    "copy": "Clips that a batch has from another place in S3, copied there without a charge.",
    "attempt": "Each intent to buy, committed before its one request: its state, ids, money, result, times.",
    "event": "What became of an attempt, move by move.",
    "request": "The paid request as it was sent, while its answer is lost, where the provider takes it again under its own key.",
    "spend": "What counts against each budget.",
}


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of Markdown."""
    lines = [list(head), *map(list, rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def sandbox_page() -> str:
    """docs/sandbox.md, whole."""
    parts = [SANDBOX, "## Faults\n"]
    for where, kinds in KINDS.items():
        parts.append(f"### {where}\n\n{table(('kind', 'what happens'), ([f'`{k}`', v] for k, v in kinds.items()))}")
    options = (
        [f"`{name}`", _default(field.default)]
        for name, field in Fault.model_fields.items()
        if name not in ("where", "kind")
    )
    parts.append(
        "## Whom a fault strikes\n\n`times` null is for ever; the first `after` matching requests are spared; `match` is a part of the "
        "prompt, the\ngeneration id or the model. The others belong to the kinds that name them.\n"
    )
    parts.append(table(("option", "else"), options))
    parts.append("## Addresses\n")
    parts.append(table(("method", "path", ""), _routes()))
    return "\n".join(parts)


def _default(value: Any) -> str:
    return "–" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _routes() -> Iterator[list[str]]:
    control = Control.__new__(Control)  # its routes are the same for every sandbox
    for route in control.routes():
        name = route.path.removeprefix("/sandbox/")
        method = next(iter((route.methods or {"GET"}) - {"HEAD"}))
        action = {("faults", "POST"): "add_fault", ("faults", "DELETE"): "clear_faults"}.get((name, method), name)
        words = " ".join((getattr(Control, action).__doc__ or "").split())
        yield [method, f"`{route.path}`", words]


def json_page() -> str:
    """docs/json.md, whole."""
    outcomes = ", ".join(f"`{outcome}`" for outcome in Outcome)
    states = ", ".join(f"`{state}`" for state in State)
    sums = ", ".join(f"`{field.name}`" for field in fields(Totals))
    clip = ", ".join(f"`{name}`" for name in JSON_CLIP)
    return f"{JSON}{REFUSED}{BATCH.format(sums=sums, outcomes=outcomes, clip=clip, states=states)}{MORE}"


def tables_page() -> str:
    """docs/tables.md, whole."""
    parts = [TABLES]
    for one in metadata.sorted_tables:
        parts.append(f"## {one.name}\n" + (f"\n{ABOUT[one.name]}\n" if one.name in ABOUT else ""))
        parts.append(table(("column", "type", ""), ([f"`{c.name}`", _type(c.type), _key(c)] for c in one.columns)))
    return "\n".join(parts)


def _type(kind: Any) -> str:
    return {"Usd": "dollars", "Utc": "UTC time", "Words": "json"}.get(type(kind).__name__, type(kind).__name__.lower())


def _key(column: Any) -> str:
    refers = [f"of `{key.column.table.name}`" for key in column.foreign_keys]
    words = (["key"] if column.primary_key else []) + sorted(refers) + ([] if column.nullable else ["always there"])
    return ", ".join(word for word in words if not (word == "always there" and column.primary_key))
