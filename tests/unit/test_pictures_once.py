"""An image in a paid request: read once, written as the request is sent, the same bytes as its text; bounded in memory."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from dailies.catalog.request import _wire
from dailies.domain.creates import PaidRequest, Reference
from dailies.domain.kept_request import LONGEST_TEXT, content_digest, keep
from dailies.domain.outcomes import Fault
from dailies.domain.pictures import Picture, data_uri, pictures_in, written_out
from dailies.media import images
from dailies.media.unchanged import PictureChanged
from dailies.providers.http import ApiClient, Reply
from dailies.sender.claims import request_for
from dailies.sender.shelf import Hold, Shelf
from dailies.settings import Settings

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


def a_picture(folder: Path, size: int, number: int = 0) -> Picture:
    content = bytes([number % 256]) * size
    path = folder / f"{size}-{number}.png"
    path.write_bytes(content)
    return Picture(str(path), sha256(content).hexdigest(), "png", size)


def taken(picture: Picture) -> Hold:
    hold = Hold(Shelf(10**9), [picture])
    anyio.run(hold.take)
    return hold


def body_of(image: object) -> dict[str, Any]:
    return {"prompt": 'a "café", 東京 \\ picture', "images": [{"url": image}], "seed": 7, "last": image}


@pytest.mark.parametrize("size", [0, 1, 2, 3, 3000, 3 * LONGEST_TEXT, 700_000])
def test_a_request_with_a_picture_is_the_same_bytes_and_the_same_record_as_with_its_text(
    tmp_path: Path, size: int
) -> None:
    picture = a_picture(tmp_path, size)
    text = images.data_uri(Path(picture.path).read_bytes(), "png")
    hold = taken(picture)
    plain = PaidRequest("https://api.example/v1", body_of(text), {"X": "1"})
    held = replace(plain, body=body_of(picture), texts=hold)
    assert picture.length == len(text)
    assert held.content == plain.content
    assert content_digest(held) == content_digest(plain) == sha256(plain.content).hexdigest()
    kept = keep(held, Reference("a", "k"), NOON)
    assert kept == keep(plain, Reference("a", "k"), NOON)
    assert kept.again([text]) == plain
    assert written_out(held.body, hold) == plain.body
    assert [*pictures_in([held.body])] == [picture, picture]


@pytest.mark.parametrize("size", [10, 5_000_000])
def test_what_goes_over_the_wire_is_the_same_to_the_byte(tmp_path: Path, size: int) -> None:
    """Head and body; and its text is let go when it is sent, long before the answer."""
    picture = a_picture(tmp_path, size)
    hold = taken(picture)
    text = data_uri(Path(picture.path).read_bytes(), "png").decode()
    plain = PaidRequest("/create", body_of(text), {"X-Client-Request-Id": "r"})
    held_when_answered: list[bool] = []
    one = on_the_wire(plain, lambda: None)
    other = on_the_wire(
        replace(plain, body=body_of(picture), texts=hold), lambda: held_when_answered.append(bool(hold._texts))
    )
    assert one == other and len(one) > 2 * size
    assert held_when_answered == [False]


def on_the_wire(request: PaidRequest, before_the_answer: Callable[[], object]) -> bytes:
    received = bytearray()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend(await reader.readuntil(b"\r\n\r\n"))
        (length,) = (
            line[16:] for line in bytes(received).split(b"\r\n") if line.lower().startswith(b"content-length: ")
        )
        received.extend(await reader.readexactly(int(length)))
        before_the_answer()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    async def post() -> Reply | Fault:
        async with await asyncio.start_server(answer, "127.0.0.1", 0, limit=2**26) as server:
            port = server.sockets[0].getsockname()[1]
            client = ApiClient(f"http://127.0.0.1:{port}", SecretStr("key"), 5)
            reply = await client.send_once(request, lambda: True)
            await client.close()
            received[:] = received.replace(str(port).encode(), b"PORT")
            return reply

    reply = asyncio.run(post())
    assert isinstance(reply, Reply) and reply.status == 200
    return bytes(received)


@pytest.mark.parametrize(
    ("said", "means"), [(b"", Fault.ANSWER_LOST), (b"HTTP/1.1 429 x\r\nContent-Length: 2\r\n\r\n{}", 429)]
)
def test_who_ends_or_answers_before_all_has_come_is_sent_nothing_twice(
    tmp_path: Path, said: bytes, means: Fault | int
) -> None:
    """A proxy or a provider that is too busy: what broke off is in doubt, an early answer counts."""
    picture, asked = a_picture(tmp_path, 5_000_000), []
    request = PaidRequest("/create", body_of(picture), texts=taken(picture))

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(said)
        while said and await reader.read(2**20):
            pass
        writer.transport.abort()

    async def post() -> Reply | Fault:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            client = ApiClient(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", SecretStr("key"), 5)
            reply = await client.send_once(request, lambda: True)
            await client.close()
            return reply

    reply = asyncio.run(post())
    assert (reply.status if isinstance(reply, Reply) else reply) == means and len(asked) == 1


def test_a_picture_is_never_taken_for_a_text(tmp_path: Path) -> None:
    """A request with anything else in the image's place would be paid for."""
    picture = a_picture(tmp_path, 3)
    with pytest.raises(TypeError):
        str(picture)
    with pytest.raises(TypeError):
        f"{picture}"
    with pytest.raises(ValueError, match="not at hand"):
        _ = PaidRequest("/x", {"image": picture}).content
    with pytest.raises(TypeError, match="no place"):
        _ = PaidRequest("/x", {"image": Path("x")}).content
    assert _wire(picture, strings=True) is picture
    assert pickle.loads(pickle.dumps(picture)) == picture


@pytest.mark.parametrize("takes", [True, False])
def test_a_client_that_reads_its_body_gets_the_text(tmp_path: Path, takes: bool) -> None:
    picture = a_picture(tmp_path, 9)
    hold = taken(picture)
    provider: Any = SimpleNamespace(takes_pictures=takes, request=lambda body, _: PaidRequest("/x", dict(body)))
    purchase: Any = SimpleNamespace(body={"image": picture})
    request = request_for(provider, purchase, Reference("a", "k"), hold)
    assert request.content == b'{"image":"' + hold.text(picture) + b'"}'
    assert (request.texts is hold) is takes and isinstance(request.body["image"], Picture) is takes


def test_each_picture_is_read_once_and_those_in_flight_keep_within_the_budget(tmp_path: Path) -> None:
    """Fifty creates of ten pictures, three of which have room: whoever has no room waits, and everybody has a turn."""
    pictures = [a_picture(tmp_path, 3000, n) for n in range(10)]
    most, seen = 3 * pictures[0].length, []

    async def creates() -> None:
        shelf = Shelf(most)

        async def create(picture: Picture) -> None:
            hold = Hold(shelf, [picture])
            await hold.take()
            await hold.take()
            seen.append(shelf.held_bytes)
            await asyncio.sleep(0)
            assert hold.text(picture).endswith(hold.text(picture)[-10:])
            hold.drop()
            hold.drop()

        await asyncio.gather(*(create(picture) for picture in pictures * 5))
        assert not shelf._users

    asyncio.run(asyncio.wait_for(creates(), 30))
    assert len(seen) == 50 and max(seen) <= most


def test_a_picture_of_many_rows_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = a_picture(tmp_path, 3000)
    reads: list[Path] = []
    read_bytes = Path.read_bytes

    def read(path: Path) -> bytes:
        reads.append(path)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", read)

    async def creates() -> None:
        shelf = Shelf(10**6)
        holds = [Hold(shelf, [picture]) for _ in range(20)]
        await asyncio.gather(*(hold.take() for hold in holds))
        assert len({id(hold.text(picture)) for hold in holds}) == 1

    asyncio.run(creates())
    assert len(reads) == 1


def test_one_that_is_larger_than_the_budget_has_it_for_itself(tmp_path: Path) -> None:
    small, large = a_picture(tmp_path, 300), a_picture(tmp_path, 9000)

    async def creates() -> list[str]:
        told: list[str] = []
        shelf = Shelf(1000)
        first, second, both = Hold(shelf, [small]), Hold(shelf, [large]), Hold(shelf, [small, large])
        await first.take()

        async def take(hold: Hold, name: str) -> None:
            await hold.take()
            told.append(name)

        async with asyncio.TaskGroup() as group:
            group.create_task(take(second, "large"))
            for _ in range(100):
                await asyncio.sleep(0)
            assert told == [], "not beside the other one"
            first.drop()
        second.drop()
        await take(both, "both")
        both.drop()
        return told

    assert asyncio.run(asyncio.wait_for(creates(), 30)) == ["large", "both"]


def test_a_file_that_has_changed_since_is_not_sent(tmp_path: Path) -> None:
    """Before the claim, and before it is sent again."""
    picture = a_picture(tmp_path, 30)
    Path(picture.path).write_bytes(b"\1" * 30)
    with pytest.raises(PictureChanged, match=r"30-0.png has changed since it was checked"):
        taken(picture)
    Path(picture.path).unlink()
    with pytest.raises(PictureChanged, match="can't be read any more"):
        taken(picture)


def test_the_budget_is_a_setting() -> None:
    assert Settings().dailies_pictures_mb == 64
