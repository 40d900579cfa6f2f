"""The HTTP client that holds the key: sends once, follows nothing, retries nothing, repeats no secret."""

from __future__ import annotations

import json
import zlib
from collections.abc import AsyncIterator, Callable, Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import anyio
import httpx
from pydantic import SecretStr

from dailies.domain.creates import PaidRequest
from dailies.domain.outcomes import Fault
from dailies.domain.pictures import Texts
from dailies.net import Network, RoutedTransport

USER_AGENT = "dailies/0.1"  # the edge of one provider refuses the default ones of libraries with 403 "1010"
MAX_ANSWER_BYTES = 4 * 1024 * 1024
MAX_PAID_ANSWER_BYTES = 64 * 1024 * 1024  # whatever a paid POST answers is kept, should it be the clip itself
PIECE_BYTES = 256 * 1024
GZIP = b"\x1f\x8b"
WORDS_LIMIT = 500
SECRET_HEADERS = frozenset({"set-cookie", "authorization", "proxy-authorization", "www-authenticate"})

NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.InvalidURL,
)


MaySend = Callable[[], bool]
"""Whether a paid request may still be sent: its claim may have been lost while this machine was suspended."""


class _NoLongerOurs(Exception):
    """Raised into the HTTP client, so that the request is not written."""


class KeyAuth(httpx.Auth):
    """Puts the key into the Authorization header of requests to the provider, and nowhere else."""

    def __init__(self, key: SecretStr, scheme: str = "Bearer ") -> None:
        self._key, self._scheme = key, scheme

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        request.headers["Authorization"] = self._scheme + self._key.get_secret_value()
        yield request


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, read whole (up to a cap). `body` is the parsed JSON, or None when it is none."""

    status: int
    headers: Mapping[str, str]
    body: Any
    content: bytes


class ApiClient:
    """Speaks to one provider's API. A paid POST gets a fresh connection: an idle one that the server has just closed
    would turn a request that was never read into one whose answer is lost."""

    def __init__(
        self,
        base_url: str,
        key: SecretStr | None,
        create_timeout_s: float,
        scheme: str = "Bearer ",
        network: Network | None = None,
    ) -> None:
        self.key = key
        self.base_url = base_url
        auth = KeyAuth(key, scheme) if key else None
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "gzip, deflate"}
        self._create_timeout_s = create_timeout_s
        create = httpx.Timeout(connect=15, read=create_timeout_s, write=60, pool=None)
        look = httpx.Timeout(connect=15, read=30, write=30, pool=60)
        self.network = network or Network.here()
        self._paid = httpx.AsyncClient(
            base_url=base_url, auth=auth, headers={**headers, "Accept-Encoding": "identity"}, timeout=create,
            follow_redirects=False, trust_env=False,
            transport=RoutedTransport(self.network, max_connections=None, max_keepalive_connections=0),
        )  # fmt: skip
        self._free = httpx.AsyncClient(
            base_url=base_url, auth=auth, headers=headers, timeout=look, follow_redirects=False, trust_env=False,
            transport=RoutedTransport(self.network, max_connections=50, max_keepalive_connections=20),
        )  # fmt: skip

    async def send_once(self, paid: PaidRequest, may_send: MaySend) -> Reply | Fault:
        """A paid request. One request on the wire, whatever happens; faults are told apart by whether it was sent.

        `may_send` is asked when the connection stands, right before the first byte of the request.
        """

        async def trace(event: str, _info: Mapping[str, Any]) -> None:
            if event.endswith("send_request_headers.started") and not may_send():
                raise _NoLongerOurs

        content, headers = _body_of(paid)
        request = {"content": content, "headers": headers, "extensions": {"trace": trace}}
        try:
            with anyio.fail_after(self._create_timeout_s + 90):
                return await self._read(self._paid, paid.method, paid.address, MAX_PAID_ANSWER_BYTES, **request)
        except _NoLongerOurs:
            return Fault.NOT_OURS
        except NOT_SENT:
            return Fault.NOT_CONNECTED
        except (httpx.HTTPError, TimeoutError, OSError):
            return Fault.ANSWER_LOST

    async def get(self, path: str, params: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Reply | None:
        """A free question. None when no answer came."""
        return await self.ask("GET", path, params=dict(params), headers=dict(headers or {}))

    async def ask(self, method: str, path: str, **request: Any) -> Reply | None:
        """A free question of any method (`json` is its body). None when no answer came."""
        try:
            with anyio.fail_after(60):
                return await self._read(self._free, method, path, MAX_ANSWER_BYTES, **request)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError):
            return None

    async def _read(self, client: httpx.AsyncClient, method: str, path: str, most_bytes: int, **request: Any) -> Reply:
        """The answer, as far as it came: one that breaks off after its head is still an answer, and may hold the id.

        It is read as it lies on the wire, and unpacked where it is packed, whatever its headers say of that.
        """
        content = bytearray()
        async with client.stream(method, path, **request) as response:
            try:
                async for chunk in response.aiter_raw():
                    content += chunk[: most_bytes - len(content)]
                    if len(content) >= most_bytes:
                        break
            except httpx.HTTPError:
                if not content:
                    raise
        answer = unpacked(bytes(content), response.headers.get("content-encoding", "").lower(), most_bytes)
        return Reply(response.status_code, response.headers, json_in(answer), answer)

    def clean(self, text: str) -> str:
        """Words of a provider, fit for a ledger and a terminal: one line, short, printable, without our key."""
        if self.key:
            text = text.replace(self.key.get_secret_value(), "***")
        text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
        return text if len(text) <= WORDS_LIMIT else text[: WORDS_LIMIT - 1] + "…"

    def whole(self, reply: Reply) -> bytes:
        """An answer as it came, to be kept in a file: status, headers without cookies, body; without our key."""
        headers = "".join(
            f"{name}: {value}\n" for name, value in reply.headers.items() if name.lower() not in SECRET_HEADERS
        )
        whole = f"HTTP {reply.status}\n{headers}\n".encode("utf-8", "replace") + reply.content
        return whole.replace(self.key.get_secret_value().encode(), b"***") if self.key else whole

    async def close(self) -> None:
        """Close both connection pools."""
        await self._paid.aclose()
        await self._free.aclose()


def _body_of(paid: PaidRequest) -> tuple[bytes | AsyncIterator[bytes], dict[str, str]]:
    """The body and all headers of a paid request. One with pictures comes in pieces; the bytes on the wire are the same."""
    headers = {"Content-Type": "application/json", **paid.headers}
    if paid.texts is None:
        return paid.content, headers
    parts = [*paid.parts()]
    return _in_pieces(parts, paid.texts), headers | {"Content-Length": str(sum(map(len, parts)))}


async def _in_pieces(parts: list[bytes], texts: Texts) -> AsyncIterator[bytes]:
    """A body piece by piece; what was sent is not kept until the answer comes."""
    while parts:
        part = parts.pop(0)
        for at in range(0, len(part), PIECE_BYTES):
            yield part[at : at + PIECE_BYTES]
    del part
    texts.drop()


def unpacked(content: bytes, encoding: str, most_bytes: int) -> bytes:
    """An answer without its packing, as far as it came; as it lies where it is not packed, whatever `encoding` says of it."""
    if content[:2] == GZIP:
        windows: tuple[int, ...] = (zlib.MAX_WBITS | 16,)
    elif "deflate" in encoding and json_in(content) is None:
        windows = (zlib.MAX_WBITS, -zlib.MAX_WBITS)  # some leave zlib's two bytes out
    else:
        return content
    for window in windows:
        with suppress(zlib.error):
            return zlib.decompressobj(window).decompress(content, most_bytes)
    return content


def json_in(content: bytes) -> Any:
    """The JSON of a body in any of its encodings, with or without a BOM; None when it is none, or nested past reason."""
    for text in (content, content.decode("utf-8-sig", "replace")):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            continue
    return None


def says_gone(reply: Reply) -> bool:
    """Whether an answer is the provider's own word that it does not know what was asked for; a gateway's page is not."""
    return reply.status in (404, 410) and isinstance(reply.body, dict)


def words_in(reply: Reply) -> str:
    """What an error answer says, whichever of the documented shapes it has; gateways answer HTML, of which nothing is kept."""
    body = reply.body
    if not isinstance(body, dict):
        return f"HTTP {reply.status} without a JSON body"
    error = body.get("error")
    for holder in (error if isinstance(error, dict) else {}, body):
        for name in ("message", "title", "name"):
            if isinstance(holder.get(name), str) and holder[name].strip():
                return str(holder[name])
            if isinstance(holder.get(name), list):
                return "; ".join(str(item) for item in holder[name])
    return error if isinstance(error, str) else f"HTTP {reply.status}"
