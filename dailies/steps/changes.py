"""What differs from what was bought: rows that were edited since they were delivered, and pictures behind their addresses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from dailies.domain.clips import Clip, Image, Row
from dailies.domain.money import show_usd, sum_usd
from dailies.domain.states import State
from dailies.ledger.calling import ledger_call
from dailies.planning.plan import Plan
from dailies.runtime import Runtime

SHOWN = 3
PARTS = ("model", "prompt", "resolution", "aspect_ratio", "duration_s")


@dataclass(frozen=True, slots=True)
class Changed:
    """A row that was delivered earlier as it then was, and is another clip now; `what` names the columns."""

    row: Row
    what: tuple[str, ...]
    usd_quoted: Decimal | None

    def __str__(self) -> str:
        return f"row {self.row.sheet_row} ({self.row.id}): {', '.join(self.what)}"


async def changed_rows(runtime: Runtime, plan: Plan, buying: Sequence[Row]) -> list[Changed]:
    """Those of the rows to be bought whose id was delivered in this batch as another clip. Another take is no change."""

    def found() -> dict[str, list[Clip]]:
        return runtime.ledger.delivered_as(plan.batch, [row.id for row in buying])

    keys = {row.clip.key for row in plan.rows}
    delivered = await ledger_call(found) if buying else {}
    changed = []
    for row in buying:
        earlier = [c for c in delivered.get(row.id, ()) if c.key not in keys and c.take == row.clip.take]
        if earlier:
            changed.append(Changed(row, what_changed(earlier[-1], row.clip), plan.quotes[row.clip.key]))
    return changed


def what_changed(before: Clip, after: Clip) -> tuple[str, ...]:
    """The columns in which two clips differ. Pure."""
    named = [name.removesuffix("_s") for name in PARTS if getattr(before, name) != getattr(after, name)]
    if before.image.identity != after.image.identity:
        named.insert(2, "image")
    options = sorted(before.options.keys() | after.options.keys())
    return (*named, *(name for name in options if before.options.get(name) != after.options.get(name)))


def changes_lines(changed: Sequence[Changed]) -> list[str]:
    """`2 rows were changed since delivery and would be bought again, for $2.52: row 2 (a): prompt; …`; none for no row."""
    if not changed:
        return []
    count = "1 row was" if len(changed) == 1 else f"{len(changed)} rows were"
    first = "; ".join(map(str, changed[:SHOWN])) + ("; …" if len(changed) > SHOWN else "")
    usd = show_usd(sum_usd(one.usd_quoted for one in changed))
    return [f"{count} changed since delivery and would be bought again, for {usd}: {first}"]


async def other_content(runtime: Runtime, plan: Plan) -> list[str]:
    """What to say of clips that were bought with another picture than the one that is behind their address now."""
    named = [row for row in plan.rows if "://" in row.clip.image.source and row.clip.image.sha256 is None]

    def another() -> list[Row]:
        before = runtime.ledger.clips_of([row.clip.key for row in named])
        rows = [row for row in named if _another(before.get(row.clip.key), row.clip.image)]
        briefs = dict(runtime.ledger.briefs_of([row.clip.key for row in rows]))
        return [row for row in rows if any(a.state is not State.FAILED for a in briefs.get(row.clip.key, ()))]

    rows = await ledger_call(another) if named else []
    if not rows:
        return []
    first = ", ".join(f"row {row.sheet_row} ({row.id})" for row in rows[:SHOWN]) + (", …" if len(rows) > SHOWN else "")
    return [
        f"the picture behind the address has changed since it was bought: {first}. These clips are not bought again; "
        "give a row another take to buy it with the new picture"
    ]


def _another(before: Clip | None, now: Image) -> bool:
    """Whether the bytes behind an image's address are surely not those that were measured when its clip was bought."""
    if before is None or before.image.sha256:
        return False
    return any(was is not None and was != is_now for was, is_now in _measures(before.image, now))


def _measures(before: Image, now: Image) -> Iterator[tuple[object, object]]:
    yield before.seen if now.seen else None, now.seen
    yield before.size_bytes if now.size_bytes else None, now.size_bytes
    if before.made == now.made:
        yield (before.width, before.height) if before.width else None, (now.width, now.height)
