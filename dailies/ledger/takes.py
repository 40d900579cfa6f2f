"""Further takes of rows on record: read for a plan, and written with it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import Connection

from dailies.domain.clips import Clip
from dailies.domain.records import Brief
from dailies.domain.states import State, current, may_claim
from dailies.domain.takes import Link, Take
from dailies.domain.verdicts import NOTHING_SAID, Verdict
from dailies.ledger import rows as r
from dailies.ledger import tables as t
from dailies.ledger.identity import clips_of
from dailies.ledger.reader import Reader
from dailies.ledger.types import TakenNumber


class Takes(Reader):
    """What is on record of rows' takes."""

    def links_of(self, base_keys: Sequence[str]) -> dict[str, list[Link]]:
        """The further takes of rows, by the clip_keys of the rows themselves; rows that have none are left out."""
        with self._read() as connection:
            return links_of(connection, base_keys)

    def takes_of(self, providers: Mapping[str, Sequence[str]]) -> dict[str, list[Take]]:
        """All takes of rows, take 1 first; `providers` are those from which each row may be bought, by its clip_key."""
        bases = list(providers)
        with self._read() as connection:
            links = links_of(connection, bases)
            keys = sorted({*bases, *(link.clip_key for some in links.values() for link in some)})
            clips, verdicts = clips_of(connection, keys), r.verdicts_of(connection, keys)
            briefs = dict(r.briefs_of(connection, keys))
        return {
            base: [
                _take(link, clips.get(link.clip_key), briefs.get(link.clip_key, ()), verdicts, providers[base])
                for link in (Link(base, 1, base), *links.get(base, ()))
            ]
            for base in bases
        }

    def clips_in(self, batch: str) -> dict[str, Clip]:
        """The clips of a batch's rows by their keys: those that left it too, further takes left out."""
        c = t.batch_row.c
        further = sa.select(t.take.c.clip_key)
        with self._read() as connection:
            mine = sa.select(c.clip_key).where(c.batch == batch, c.clip_key.not_in(further)).order_by(c.clip_key)
            return clips_of(connection, connection.execute(mine).scalars().all())

    def row_clip_of(self, clip_keys: Sequence[str]) -> dict[str, str]:
        """The clip of the row that each of these clips is a further take of; those that are none are left out."""
        found: dict[str, str] = {}
        c = t.take.c
        with self._read() as connection:
            for start in range(0, len(clip_keys), r.CHUNK):
                some = c.clip_key.in_(clip_keys[start : start + r.CHUNK])
                found.update((row.clip_key, row.base_key) for row in connection.execute(sa.select(t.take).where(some)))
        return found


def links_of(connection: Connection, base_keys: Sequence[str]) -> dict[str, list[Link]]:
    """The further takes of rows in the order of their numbers."""
    found: dict[str, list[Link]] = defaultdict(list)
    c = t.take.c
    for start in range(0, len(base_keys), r.CHUNK):
        some = c.base_key.in_(base_keys[start : start + r.CHUNK])
        for row in connection.execute(sa.select(t.take).where(some).order_by(c.base_key, c.number)):
            found[row.base_key].append(Link(row.base_key, row.number, row.clip_key, row.answers))
    return dict(found)


def write_links(connection: Connection, links: Sequence[Link], now: datetime) -> None:
    """Give clips their numbers; a number that a clip has stays its own. Raises TakenNumber where it is another clip's."""
    if not links:
        return
    known = links_of(connection, sorted({link.base_key for link in links}))
    numbers = {(one.base_key, one.number): one.clip_key for some in known.values() for one in some}
    for link in links:
        has = numbers.get((link.base_key, link.number))
        if has is not None and has != link.clip_key:
            raise TakenNumber(link)
    news = [link for link in links if (link.base_key, link.number) not in numbers]
    values = [
        {
            "base_key": one.base_key,
            "number": one.number,
            "clip_key": one.clip_key,
            "answers": one.answers,
            "linked_at": now,
        }
        for one in sorted(news, key=lambda link: (link.base_key, link.number))
    ]
    try:
        if values:
            connection.execute(t.take.insert(), values)
    except sa.exc.IntegrityError as error:  # another run gave one of these numbers away at this moment
        raise TakenNumber(news[0]) from error


def _take(
    link: Link, clip: Clip | None, attempts: Sequence[Brief], verdicts: Mapping[str, Verdict], providers: Sequence[str]
) -> Take:
    verdict, last = verdicts.get(link.clip_key), current(attempts)
    settled = bool(attempts) and not any(may_claim(attempts, provider) for provider in providers)
    return Take(
        link.number,
        link.clip_key,
        verdict.said if verdict else NOTHING_SAID,
        settled,
        last is not None and last.delivered,
        settled and last is not None and last.state is State.FAILED,
        link.answers,
        clip if clip is not None and clip.prompt else None,
    )
