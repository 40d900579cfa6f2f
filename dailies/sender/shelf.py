"""The pictures of the creates under way, in memory as they are sent: each distinct one once, all of them within a budget."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import anyio.to_thread

from dailies.domain.pictures import Picture, data_uri
from dailies.media.unchanged import read_unchanged


class Text(NamedTuple):
    """A picture's data URI, and its digest."""

    content: bytes
    sha256: str


class Shelf:
    """Holds texts for whoever needs them, and the latest for whoever needs them next. For one event loop."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._texts: dict[Picture, Text] = {}
        self._users: Counter[Picture] = Counter()
        self._reading = asyncio.Lock()
        self._dropped = asyncio.Event()

    @property
    def held_bytes(self) -> int:
        """How much is in memory."""
        return sum(len(text.content) for text in self._texts.values())

    async def take(self, pictures: Iterable[Picture]) -> dict[Picture, Text]:
        """Texts of all these pictures, read where they are not in memory, when there is room for all of them together; more
        than the whole budget is read when nobody else needs any. In the order in which they were asked for.

        Raises PictureChanged.
        """
        wanted = dict.fromkeys(pictures)
        if not wanted.keys() <= self._texts.keys():
            async with self._reading:
                await self._make_room(wanted.keys() - self._texts.keys(), wanted.keys())
                for picture in wanted.keys() - self._texts.keys():
                    self._texts[picture] = await anyio.to_thread.run_sync(_read, picture)
                return self._taken(wanted)
        return self._taken(wanted)

    def drop(self, pictures: Iterable[Picture]) -> None:
        """Let go of pictures that were taken."""
        self._users.subtract(pictures)
        self._users = +self._users
        self._dropped.set()

    async def _make_room(self, missing: Iterable[Picture], wanted: Iterable[Picture]) -> None:
        needed, kept = sum(picture.length for picture in missing), set(wanted)
        while self.held_bytes + needed > self._most_bytes:
            unused = next((picture for picture in self._texts if picture not in kept | self._users.keys()), None)
            if unused is not None:
                del self._texts[unused]
            elif not self._users:
                return
            else:
                self._dropped.clear()
                await self._dropped.wait()

    def _taken(self, wanted: Iterable[Picture]) -> dict[Picture, Text]:
        for picture in wanted:
            self._texts[picture] = self._texts.pop(picture)  # the last to be used is the last to go
        self._users.update([*wanted])
        return {picture: self._texts[picture] for picture in wanted}


class Hold:
    """One create's pictures: in memory from `take` to `drop`, which may both be repeated."""

    def __init__(self, shelf: Shelf, pictures: Iterable[Picture]) -> None:
        self._shelf, self._pictures = shelf, tuple(dict.fromkeys(pictures))
        self._texts: dict[Picture, Text] = {}

    async def take(self) -> None:
        """Have them in memory. Raises PictureChanged."""
        if self._pictures and not self._texts:
            self._texts = await self._shelf.take(self._pictures)

    def text(self, picture: Picture) -> bytes:
        """A picture's data URI."""
        return self._texts[picture].content

    def sha256(self, picture: Picture) -> str:
        """That text's digest."""
        return self._texts[picture].sha256

    def drop(self) -> None:
        """They may go."""
        if self._texts:
            self._texts = {}
            self._shelf.drop(self._pictures)

    def __bool__(self) -> bool:
        return bool(self._pictures)


def _read(picture: Picture) -> Text:
    text = data_uri(read_unchanged(Path(picture.path), picture.sha256), picture.format)
    return Text(text, hashlib.sha256(text).hexdigest())
