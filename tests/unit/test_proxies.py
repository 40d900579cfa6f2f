"""Every client through a real forward proxy: tunnels, absolute form, passwords, certificates, and what stays refused."""

from __future__ import annotations

import asyncio
import atexit
import os
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from pydantic import SecretStr

from dailies.domain.creates import PaidRequest
from dailies.domain.outcomes import Fault
from dailies.errors import Misconfigured
from dailies.net import Network, Resolver, Trust, UnsafeUrl, authorities, get_vetted, reach, vetted_client
from dailies.providers.http import ApiClient, Reply
from dailies.storage.s3 import S3, StoreTrouble
from tests.unit.certificate import Authority
from tests.unit.loopback import redirect, reply, serve
from tests.unit.proxy import ForwardProxy, forward_proxy

NAME = "clips.example"
NAMES = {NAME: "127.0.0.1"}


async def nowhere(host: str, port: int) -> Sequence[str]:
    raise OSError("only the proxy knows names")


def at(*addresses: str) -> Resolver:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


async def fetch(
    url: str, environ: Mapping[str, str], resolve: Resolver = nowhere, trust: Trust | None = None
) -> tuple[int, bytes]:
    trust = trust or Trust()
    network = Network.read(environ)
    async with (
        vetted_client(trust, user_agent="test/1", resolve=resolve, network=network, connect_timeout_s=5) as client,
        get_vetted(client, url, trust) as response,
    ):
        return response.status_code, await response.aread()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.made(tmp_path)


def test_results_and_images_come_through_the_tunnel_of_a_proxy_with_a_password(
    tmp_path: Path, authority: Authority
) -> None:
    """Only the proxy can resolve the name; the certificate is still checked against it, end to end."""

    async def run() -> tuple[tuple[int, bytes], ForwardProxy, str]:
        context = authority.server(tmp_path, NAME)
        async with serve({"/a": reply(b"here")}, context) as server, forward_proxy("me:hunter2", NAMES) as proxy:
            environ = {"HTTPS_PROXY": proxy.url.replace("//", "//me:hunter2@"), "SSL_CERT_FILE": str(authority.file)}
            return await fetch(server.url("/a", host=NAME), environ), proxy, server.heads[0]

    answer, proxy, head = asyncio.run(run())
    assert answer == (200, b"here")
    assert len(proxy.seen) == 1 and proxy.seen[0].startswith(f"CONNECT {NAME}:")
    assert "proxy-authorization" not in head.lower()


def test_the_provider_is_asked_through_the_same_proxy(tmp_path: Path, authority: Authority) -> None:
    """The key travels inside the tunnel only."""

    async def run() -> tuple[object, object, ForwardProxy]:
        context = authority.server(tmp_path, NAME)
        async with serve({"/a": reply(b"{}")}, context) as server, forward_proxy(names=NAMES) as proxy:
            network = Network.read({"https_proxy": proxy.url, "REQUESTS_CA_BUNDLE": str(authority.file)})
            client = ApiClient(server.url("", host=NAME), SecretStr("sk-secret"), 5, network=network)
            try:
                return await client.send_once(PaidRequest("/a", {}), lambda: True), await client.get("/a", {}), proxy
            finally:
                await client.close()

    paid, free, proxy = asyncio.run(run())
    assert isinstance(paid, Reply) and isinstance(free, Reply)
    assert len(proxy.heads) == 2 and not any("sk-secret" in head for head in proxy.heads)


def test_plain_http_is_asked_for_in_absolute_form() -> None:
    """Only for hosts that are trusted to be plain http."""

    async def run() -> tuple[tuple[int, bytes], list[str]]:
        async with serve({"/a": reply(b"here")}) as server, forward_proxy("me:pw", NAMES) as proxy:
            environ = {"HTTP_PROXY": proxy.url.replace("//", "//me:pw@")}
            return await fetch(server.url("/a?x=1", host=NAME), environ, trust=Trust.parse(NAME)), proxy.seen

    answer, seen = asyncio.run(run())
    assert answer == (200, b"here")
    assert len(seen) == 1 and seen[0].startswith(f"GET http://{NAME}:") and "/a?x=1" in seen[0]


def test_no_proxy_and_loopback_go_past_it() -> None:
    async def run() -> tuple[list[str], bytes, bytes]:
        async with serve({"/a": reply(b"here")}) as server, forward_proxy(names=NAMES) as proxy:
            environ = {"ALL_PROXY": proxy.url, "NO_PROXY": f".{NAME}"}
            trust = Trust.parse(f"127.0.0.1 {NAME}")
            _, near = await fetch(server.url("/a"), environ, at("127.0.0.1"), trust)
            _, named = await fetch(server.url("/a", host=NAME), environ, at("127.0.0.1"), trust)
            return proxy.seen, near, named

    assert asyncio.run(run()) == ([], b"here", b"here")


@pytest.mark.parametrize(
    ("host", "resolve"),
    [
        ("10.0.0.1", at("10.0.0.1")),
        ("[::ffff:10.0.0.1]", at("::ffff:10.0.0.1")),
        ("169.254.169.254", at("169.254.169.254")),
        ("2130706433", nowhere),
        ("0x7f.1", nowhere),
        ("inside.example", at("8.8.8.8", "10.0.0.1")),
        ("metadata.example", at("169.254.169.254")),
    ],
)
@pytest.mark.parametrize("scheme", ["https", "http"])
def test_a_private_address_stays_refused_behind_a_proxy(scheme: str, host: str, resolve: Resolver) -> None:
    """Literal in any spelling, or a name that resolves here to one: the proxy is never asked."""

    async def run() -> list[str]:
        async with forward_proxy() as proxy:
            with pytest.raises(UnsafeUrl):
                await fetch(f"{scheme}://{host}/a", {"ALL_PROXY": proxy.url}, resolve)
            return proxy.seen

    assert asyncio.run(run()) == []


def test_the_client_itself_vets_plain_http_behind_a_proxy() -> None:
    """Whoever uses it without `get_vetted`, which refuses plain http before."""

    async def run() -> list[str]:
        async with forward_proxy() as proxy:
            network = Network.read({"HTTP_PROXY": proxy.url})
            async with vetted_client(Trust(), user_agent="t", resolve=at("10.0.0.1"), network=network) as client:
                with pytest.raises(UnsafeUrl):
                    await client.get("http://inside.example/")
            return proxy.seen

    assert asyncio.run(run()) == []


def test_a_redirect_is_vetted_and_routed_anew(tmp_path: Path, authority: Authority) -> None:
    async def run(to: str) -> list[str]:
        context = authority.server(tmp_path, NAME)
        routes = {"/a": redirect(to), "/b": reply(b"end")}
        async with serve(routes, context) as server, forward_proxy(names=NAMES) as proxy:
            environ = {"HTTPS_PROXY": proxy.url, "SSL_CERT_FILE": str(authority.file)}
            await fetch(server.url("/a", host=NAME), environ)
            return proxy.seen

    assert len(asyncio.run(run("/b"))) >= 1
    for to in ("https://10.0.0.1/", "https://0x7f.1/", "http://8.8.8.8/", "https://u:p@8.8.8.8/"):
        with pytest.raises(UnsafeUrl):
            asyncio.run(run(to))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("login", "407 Proxy Authentication Required"),
        ("refuses", "503 Refused Here"),
        ("gone", "the proxy can't be reached"),
        ("silent", "no tunnel to clips.example"),
    ],
)
def test_trouble_with_a_proxy_names_its_variable_and_nothing_was_sent(kind: str, words: str) -> None:
    """A silent one too: its CONNECT is no paid request whose answer is lost."""

    async def run() -> tuple[object, str]:
        options = {"login": {"login": "a:b"}, "refuses": {"refuses": 503}, "silent": {"silent": True}}.get(kind, {})
        async with forward_proxy(**options) as proxy:  # type: ignore[arg-type]
            url = "http://me:hunter2@127.0.0.1:1" if kind == "gone" else proxy.url.replace("//", "//me:hunter2@")
            network = Network.read({"HTTPS_PROXY": url})
            client = ApiClient(f"https://{NAME}", SecretStr("key"), 30, network=network)
            client._paid.timeout = httpx.Timeout(30, connect=0.3)
            try:
                paid = await client.send_once(PaidRequest("/a", {}), lambda: True)
                with pytest.raises(httpx.HTTPError) as trouble:
                    await client._paid.get("/a")
                return paid, str(trouble.value)
            finally:
                await client.close()

    paid, said = asyncio.run(run())
    assert paid is Fault.NOT_CONNECTED
    assert said.startswith("through the proxy of HTTPS_PROXY=http://127.0.0.1:") and words in said
    assert "hunter2" not in said and "me:" not in said


def test_407_to_a_plain_request_is_the_proxys_answer_and_not_the_hosts() -> None:
    async def run() -> None:
        async with forward_proxy("a:b") as proxy:
            await fetch("http://clips.example/a", {"HTTP_PROXY": proxy.url}, trust=Trust.parse(NAME))

    with pytest.raises(httpx.ProxyError, match=r"of HTTP_PROXY=.*407"):
        asyncio.run(run())


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("expired", "certificate has expired"),
        ("other name", "(?i)hostname mismatch"),
        ("unknown", "self-signed certificate in certificate chain"),
    ],
)
def test_a_certificate_that_is_not_accepted_says_why_and_by_what(
    tmp_path: Path, authority: Authority, case: str, words: str
) -> None:
    """Before anything is bought, to providers and to hosts of results alike."""

    async def run() -> list[str]:
        context = authority.server(tmp_path, "other.example" if case == "other name" else NAME, case == "expired")
        async with serve({"/a": reply(b"")}, context) as server, forward_proxy(names=NAMES) as proxy:
            environ = {"HTTPS_PROXY": proxy.url} | ({} if case == "unknown" else {"AWS_CA_BUNDLE": str(authority.file)})
            url = server.url("/a", host=NAME)
            with pytest.raises(httpx.ConnectError) as by_client:
                await fetch(url, environ)
            with pytest.raises(Misconfigured) as beforehand:
                await reach(Network.read(environ), url)
            return [str(by_client.value), str(beforehand.value)]

    for said in asyncio.run(run()):
        assert "its certificate is not accepted" in said and "HTTPS_PROXY=" in said
        assert ("AWS_CA_BUNDLE=" in said) is (case != "unknown")
        assert re.search(words, said)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"])
def test_each_variable_adds_its_authorities_to_the_usual_ones(
    tmp_path: Path, authority: Authority, variable: str
) -> None:
    value = str(authority.file.parent if variable == "SSL_CERT_DIR" else authority.file)
    context = Network.read({variable: value}).authorities.context()
    names = [
        dict(pair for part in cast(Any, ca["subject"]) for pair in part).get("commonName")
        for ca in context.get_ca_certs()
    ]
    assert "Test Authority" in names and len(names) > 50
    bundle = Network.read({variable: value}).authorities.file()
    assert bundle and authority.file.read_bytes() in Path(bundle).read_bytes()


@pytest.fixture
def bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of its own, and a process that has made no bundle yet."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    authorities._file.cache_clear()
    return folder


def bundle_of(authority: Authority) -> Path:
    """The bundle as another process makes it."""
    authorities._file.cache_clear()
    found = Network.read({"AWS_CA_BUNDLE": str(authority.file)}).authorities.file()
    assert found and authority.file.read_bytes() in Path(found).read_bytes()
    return Path(found)


def test_however_many_processes_are_killed_one_bundle_lies_in_the_temporary_folder(
    bundles: Path, authority: Authority
) -> None:
    """And it is as young as its last user."""
    first = bundle_of(authority)
    os.utime(first, (0, 0))
    assert bundle_of(authority) == first and [*bundles.iterdir()] == [first]
    assert first.stat().st_mtime > 0


@pytest.mark.parametrize("planted", ["garbled", "a link", "writable by others"])
def test_a_bundle_that_somebody_else_may_have_written_is_not_trusted(
    bundles: Path, authority: Authority, planted: str
) -> None:
    """It is replaced by one of our own."""
    kept = bundle_of(authority)
    content, elsewhere = kept.read_bytes(), bundles.parent / "elsewhere.pem"
    if planted == "garbled":
        kept.write_bytes(content + content)
    elif planted == "a link":
        kept.rename(elsewhere)
        kept.symlink_to(elsewhere)
    else:
        kept.chmod(0o666)
    assert bundle_of(authority) == kept and kept.read_bytes() == content
    assert not kept.is_symlink() and kept.stat().st_mode & 0o777 == 0o600


def test_where_another_users_file_has_the_name_this_process_takes_one_of_its_own(
    bundles: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For as long as it lives."""
    kept, ends = bundle_of(authority), list[Callable[[], None]]()
    kept.write_bytes(b"another's")

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "replace", refuse)
    monkeypatch.setattr(atexit, "register", ends.append)
    own = bundle_of(authority)
    assert own != kept and kept.read_bytes() == b"another's"
    ends[0]()
    assert [*bundles.iterdir()] == [kept]


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE"])
@pytest.mark.parametrize("what", ["missing", "rubbish", "empty folder"])
def test_a_variable_that_names_no_certificates_is_named(tmp_path: Path, variable: str, what: str) -> None:
    path = tmp_path / "ca"
    if what == "rubbish":
        path.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n")
    elif what == "empty folder":
        path.mkdir()
    with pytest.raises(Misconfigured, match=f"{variable}={path} can't be used"):
        Network.read({variable: str(path)}).authorities.context()


def test_a_host_that_can_be_reached_is_passed_in_silence_and_one_that_can_not_is_named() -> None:
    async def run() -> None:
        async with serve({}) as server:
            await reach(Network(), server.url("/v1"))
            assert server.heads == []
        with pytest.raises(Misconfigured, match=r"^http://127.0.0.1:1/v1 can't be reached: "):
            await reach(Network(), "http://127.0.0.1:1/v1")

    asyncio.run(run())


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_the_store_is_reached_by_the_same_rule(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """Through the proxy, with the authorities of a variable that boto3 alone does not read, or past it by NO_PROXY."""
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")

    async def run() -> list[str]:
        context = authority.server(tmp_path, NAME) if scheme == "https" else None
        async with serve({"/bucket": reply(b"")}, context) as server, forward_proxy("me:pw", NAMES) as proxy:
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url("", host=NAME))
            environ = {"ALL_PROXY": proxy.url.replace("//", "//me:pw@"), "SSL_CERT_FILE": str(authority.file)}
            await asyncio.to_thread(S3(network=Network.read(environ)).head, "bucket", "key")
            past = S3(network=Network.read({**environ, "NO_PROXY": NAME}))
            with pytest.raises(StoreTrouble):  # nobody but the proxy knows the name
                await asyncio.to_thread(past.head, "bucket", "key")
            return proxy.seen

    seen = asyncio.run(run())
    assert len(seen) == 1 and NAME in seen[0]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("login", r"through the proxy of HTTPS_PROXY=http://127.0.0.1:\d+ .*407 Proxy Authentication Required"),
        (
            "expired",
            r"through the proxy of .*certificate is not accepted: certificate has expired, checked by .*AWS_CA",
        ),
        ("unknown", r"certificate is not accepted: self-signed certificate in certificate chain, checked by the usual"),
    ],
)
def test_trouble_on_the_way_to_the_store_says_which_way_and_why(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch, case: str, words: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    async def run() -> str:
        context = authority.server(tmp_path, NAME, expired=case == "expired")
        login = "a:b" if case == "login" else None
        async with serve({}, context) as server, forward_proxy(login, NAMES) as proxy:
            monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.url("", host=NAME))
            environ = {"HTTPS_PROXY": proxy.url.replace("//", "//me:hunter2@")}
            if case != "unknown":
                environ["AWS_CA_BUNDLE"] = str(authority.file)
            with pytest.raises(StoreTrouble) as trouble:
                await asyncio.to_thread(S3(network=Network.read(environ)).head, "bucket", "key")
            return str(trouble.value)

    said = asyncio.run(run())
    assert re.search(words, said), said
    assert "hunter2" not in said
