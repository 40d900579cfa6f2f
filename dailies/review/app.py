"""The screening room as a web application: a page, its clips, and the verdicts that it sends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from dailies.domain.addresses import is_address
from dailies.domain.text import clean_prompt
from dailies.domain.verdicts import Said, Verdict, Word
from dailies.ledger import Ledger
from dailies.report.page import script
from dailies.review.footage import Footage, comment_json, dumped, verdict_json
from dailies.review.media import film, input_image, picture, still
from dailies.review.turns import Turns
from dailies.storage.s3 import S3

FetchImage = Callable[[str], Awaitable[bytes | None]]
Given = TypeVar("Given", bound=BaseModel)
MOST_LETTERS = 20_000
LARGEST = 2**63 - 1
"""A number beyond it is that of no entry, and no database takes it."""


class Turn(BaseModel):
    """Which turn it is of which opened page, from 1; without a page it has no order."""

    page: str = Field("", max_length=64)
    turn: int = 0


class GivenVerdict(Turn):
    """A verdict as the page sends it."""

    clip_key: str
    verdict: Word
    note: str = Field("", max_length=MOST_LETTERS)
    prompt: str = Field("", max_length=MOST_LETTERS)


class GivenComment(BaseModel):
    """A comment as the page sends it."""

    clip_key: str
    second: float = Field(ge=0, le=86_400, allow_inf_nan=False)
    text: str = Field(min_length=1, max_length=MOST_LETTERS)


class Undo(Turn):
    """The clip whose latest verdict the page takes back, and the latest entry that it shows of it: what somebody else has said
    since is nothing that it could mean. A verdict that can't be read is none of these."""

    model_config = ConfigDict(extra="forbid")
    clip_key: str
    seen: int | None = Field(None, ge=0, le=LARGEST)


class Left(BaseModel):
    """What a page that is left had said and no answer for, in its order."""

    verdicts: list[GivenVerdict | Undo] = Field(max_length=1000)


@dataclass(frozen=True)
class Room:
    """What the page works with. `author` is who gives verdicts here; `fetch_image` brings an input image from the web; `told`
    hears of each verdict that is on record, and doesn't block."""

    ledger: Ledger
    s3: S3
    footage: Footage
    author: str
    fetch_image: FetchImage
    told: Callable[[Sequence[Verdict]], None] = lambda _: None
    turns: Turns = field(default_factory=Turns)

    def page(self, request: Request) -> Response:
        """The page itself; all that it shows comes as data."""
        return Response(_asset("review.html"), media_type="text/html; charset=utf-8")

    def style(self, request: Request) -> Response:
        """Its style: the report's, and its own."""
        css = files("dailies.report").joinpath("templates", "report.css").read_text(encoding="utf-8")
        return Response(css + _asset("review.css"), media_type="text/css; charset=utf-8")

    def code(self, request: Request) -> Response:
        """Its script: what it has in common with the report, and its own."""
        return Response(script(_asset("review.js")), media_type="text/javascript; charset=utf-8")

    def clips(self, request: Request) -> Response:
        """All clips, as they are now."""
        return StreamingResponse(self.footage.page_data(), media_type="application/json")

    def news(self, request: Request) -> Response:
        """Verdicts on the page's clips since the entry with this number, by whomever; and the highest number."""
        after = int(request.query_params.get("after", "0"))
        if not 0 <= after <= LARGEST:
            raise ValueError(after)
        found = self.ledger.verdicts_after(after)
        news = [verdict_json(entry) for entry in found if entry.clip_key in self.footage]
        latest = max([after, *(entry.id for entry in found)])
        return _json({"title": self.footage.title, "latest": latest, "verdicts": news})

    def about(self, request: Request) -> Response:
        """Everything that was said of one clip."""
        key = request.path_params["clip_key"]
        history, comments = self.ledger.verdict_history(key), self.ledger.comments(key)
        return _json({"verdicts": [*map(verdict_json, history)], "comments": [*map(comment_json, comments)]})

    def film(self, request: Request) -> Response:
        """A clip, or a part of it."""
        place = self.footage.place(request.path_params["clip_key"])
        if place is None:
            return PlainTextResponse("no such clip", 404)
        return film(self.s3, place, request.headers.get("range"), request.method == "HEAD")

    def poster(self, request: Request) -> Response:
        """A clip's poster."""
        place = self.footage.place(request.path_params["clip_key"])
        return still(self.s3, place) if place else PlainTextResponse("no such clip", 404)

    async def image(self, request: Request) -> Response:
        """The input image of a clip."""
        row = await run_in_threadpool(self.footage.row, request.path_params["clip_key"])
        if row is None:
            return PlainTextResponse("no such clip", 404)
        image = row.clip.image
        if is_address(image.source):
            content = await self.fetch_image(image.source)
            return picture(content, image) if content else PlainTextResponse("the picture can't be had", 404)
        csv = await run_in_threadpool(self.footage.csv_of, row)
        return await run_in_threadpool(input_image, self.s3, image, csv)

    async def judge(self, request: Request) -> Response:
        """Put a verdict on record."""
        given = await _read(request, GivenVerdict)
        await self._take(given)
        return await self._said(given.clip_key)

    async def undo(self, request: Request) -> Response:
        """Take back the latest verdict on a clip."""
        given = await _read(request, Undo)
        await self._take(given)
        return await self._said(given.clip_key)

    async def left(self, request: Request) -> Response:
        """Put on record what a page had still to say when it was left."""
        for given in (await _read(request, Left)).verdicts:
            await self._take(given)
        return _json({})

    async def _take(self, given: GivenVerdict | Undo) -> None:
        async def do() -> None:
            if isinstance(given, Undo):
                entry = await run_in_threadpool(self.ledger.undo_verdict, given.clip_key, self.author, given.seen)
                self.told([entry] if entry else [])
            else:
                said = Said(given.verdict, clean_prompt(given.note), clean_prompt(given.prompt))
                self.told(await run_in_threadpool(self.ledger.judge, {given.clip_key: said}, self.author))

        await self.turns.take(given.page, given.turn, do)

    async def comment(self, request: Request) -> Response:
        """Put a comment on record."""
        given = await _read(request, GivenComment)
        add = self.ledger.comment
        await run_in_threadpool(add, given.clip_key, self.author, given.second, clean_prompt(given.text))
        return await self._said(given.clip_key)

    async def _said(self, clip_key: str) -> Response:
        history = await run_in_threadpool(self.ledger.verdict_history, clip_key)
        comments = await run_in_threadpool(self.ledger.comments, clip_key)
        return _json({"verdicts": [*map(verdict_json, history)], "comments": [*map(comment_json, comments)]})


class Unreadable(Exception):
    """A request whose body is not what its path takes."""


def create_app(room: Room) -> Starlette:
    """The application, without its guard."""
    get = [
        ("/", room.page), ("/review.css", room.style), ("/review.js", room.code), ("/clips.json", room.clips),
        ("/news.json", room.news), ("/about/{clip_key}", room.about), ("/clip/{clip_key}", room.film),
        ("/poster/{clip_key}", room.poster), ("/image/{clip_key}", room.image),
    ]  # fmt: skip
    post = [("/verdict", room.judge), ("/undo", room.undo), ("/left", room.left), ("/comment", room.comment)]
    routes = [Route(path, endpoint) for path, endpoint in get]
    routes += [Route(path, endpoint, methods=["POST"]) for path, endpoint in post]
    handlers: dict[Any, Any] = {
        Unreadable: lambda request, error: PlainTextResponse(str(error), 400),
        KeyError: lambda request, error: PlainTextResponse("no such clip", 404),
        ValueError: lambda request, error: PlainTextResponse("not a number", 400),
    }
    return Starlette(routes=routes, exception_handlers=handlers)


async def _read(request: Request, kind: type[Given]) -> Given:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Unreadable("send JSON")
    try:
        return kind.model_validate_json(await request.body())
    except ValidationError as error:
        raise Unreadable(f"{error.error_count()} fields are wrong") from error


def _json(value: object) -> Response:
    return Response(dumped(value), media_type="application/json")


def _asset(name: str) -> str:
    return files("dailies.review").joinpath("static", name).read_text(encoding="utf-8")
