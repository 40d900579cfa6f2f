"""An image in a paid request, without its bytes: the file they lie in, and what the data URI made of them is."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class Picture:
    """An image's file, known by its digest. It stands in a body where its data URI will stand on the wire."""

    path: str
    sha256: str
    format: str
    size_bytes: int

    @property
    def length(self) -> int:
        """How many letters the data URI has: as many as bytes."""
        return len(_head(self.format)) + 4 * -(-self.size_bytes // 3)

    def __str__(self) -> str:
        """Nobody may take it for the text: a request with this in the image's place would be paid for."""
        raise TypeError("a picture in a body is no text; it is written with the body")


Images: TypeAlias = str | Picture | tuple[str | Picture, ...]
"""What stands in a body for an option that is an image, or several: an address, a data URI, a picture."""


class Texts(Protocol):
    """The data URIs of a request's pictures, for as long as they are needed."""

    def text(self, picture: Picture) -> bytes:
        """A picture's data URI."""
        ...

    def sha256(self, picture: Picture) -> str:
        """That text's digest, as hex digits."""
        ...

    def drop(self) -> None:
        """The request is on the wire: the texts are not needed any more."""
        ...


def data_uri(content: bytes, format: str) -> bytes:
    """An image as a `data:` URI, the form in which providers take an image without an address."""
    return b"".join((_head(format), base64.b64encode(content)))


def pictures_in(body: Any) -> Iterator[Picture]:
    """All pictures of a body, in the order in which they are written."""
    if isinstance(body, Picture):
        yield body
    elif isinstance(body, Mapping | list):
        for inner in body.values() if isinstance(body, Mapping) else body:
            yield from pictures_in(inner)


def written_out(body: Any, texts: Texts) -> Any:
    """The same body with texts where its pictures stand."""
    if isinstance(body, Picture):
        return texts.text(body).decode()
    if isinstance(body, Mapping):
        return {name: written_out(value, texts) for name, value in body.items()}
    return [written_out(value, texts) for value in body] if isinstance(body, list) else body


def _head(format: str) -> bytes:
    return f"data:image/{format};base64,".encode()
