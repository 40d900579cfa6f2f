"""What may be opened, and what is refused, in every spelling."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import ssl
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from dailies.domain.creates import PaidRequest
from dailies.domain.outcomes import Fault
from dailies.errors import Misconfigured
from dailies.net import Resolver, Trust, UnsafeUrl, check_url, get_vetted, is_public, safe_url, vetted_client
from dailies.providers.http import ApiClient, Reply
from tests.unit.loopback import redirect, reply, serve

NOBODY = Trust()


async def fetch(url: str, trust: Trust, resolve: Resolver | None = None) -> tuple[int, bytes]:
    async with (
        vetted_client(trust, user_agent="test/1", resolve=resolve) as client,
        get_vetted(client, url, trust) as response,
    ):
        return response.status_code, await response.aread()


def names(*addresses: str) -> Resolver:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return resolve


@pytest.mark.parametrize(
    ("text", "host", "port", "allowed"),
    [
        ("127.0.0.1", "127.0.0.1", 8080, True),
        ("minio.internal:9000", "MinIO.Internal", 9000, True),
        ("MINIO.internal:9000", "minio.internal.", 9000, True),
        ("minio.internal:9000", "minio.internal", 9001, False),
        ("a.example, [::1]:9000", "::1", 9000, True),
        ("[::1]", "[0:0::1]", 1, True),
        ("::1", "::1", 1, True),
        ("internal", "minio.internal", 9000, False),
        ("", "", 443, False),
        (None, "127.0.0.1", 80, False),
    ],
)
def test_trust_names_a_host_with_or_without_its_port(text: str | None, host: str, port: int, allowed: bool) -> None:
    assert Trust.parse(text).allows(host, port) is allowed


def test_trust_takes_further_hosts_from_the_program() -> None:
    assert Trust.parse("a.example", "127.0.0.1:80").allows("127.0.0.1", 80)


@pytest.mark.parametrize("text", ["https://a.example", "a.example/path", "user@a.example", "[::1"])
def test_a_trusted_host_that_is_no_host_is_a_setting_to_mend(text: str) -> None:
    with pytest.raises(Misconfigured, match="trusted host"):
        Trust.parse(text)


@pytest.mark.parametrize(
    "url",
    [
        "http://clips.example/a.mp4",
        "ftp://clips.example/a.mp4",
        "file:///etc/passwd",
        "data:image/png;base64,AAAA",
        "//clips.example/a.mp4",
        "clips.example/a.mp4",
        "https:///a.mp4",
        "https://user:secret@clips.example/a.mp4",
        "https://0177.0.0.1/",
        "https://clips.example\n.evil.example/",
        "",
    ],
)
def test_only_plain_https_urls_are_opened(url: str) -> None:
    with pytest.raises(UnsafeUrl) as refusal:
        check_url(url, NOBODY)
    assert "secret" not in str(refusal.value)


def test_a_trusted_host_may_be_plain_http_but_never_carry_a_password() -> None:
    trust = Trust.parse("minio.internal:9000")
    assert check_url("http://minio.internal:9000/a%2Fb.mp4?sig=1", trust).raw_path == b"/a%2Fb.mp4?sig=1"
    with pytest.raises(UnsafeUrl):
        check_url("http://minio.internal/a.mp4", trust)
    with pytest.raises(UnsafeUrl):
        check_url("http://u:p@minio.internal:9000/a.mp4", trust)


def test_a_url_is_shown_without_user_query_and_fragment() -> None:
    assert safe_url("https://u:p@h.example:8443/a%2Fb?X-Amz-Signature=s#f") == "https://h.example:8443/a%2Fb"
    assert safe_url("data:image/png;base64,AAAA") == "data:…"
    assert safe_url("http://h:port/") == "(not a URL)"
    assert len(safe_url("https://h.example/" + "a" * 5000)) < 250


@settings(deadline=None)
@given(st.text())
def test_any_text_can_be_shown_and_is_either_a_good_url_or_refused(text: str) -> None:
    safe_url(text)
    with suppress(UnsafeUrl):
        assert check_url(text, NOBODY).scheme == "https"


PRIVATE = [
    "127.0.0.1", "127.255.0.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.0.192", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1", "fe80::1", "fe80::1%1",
    "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "3fff::1", "5f00::1",
    "64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b:1::7f00:1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::f7f7:f7f7", "2001:0:808:808::80ff:fffe", "not an address",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"]


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_global_unicast_is_not_public_however_wrapped(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_public_however_wrapped(address: str) -> None:
    assert is_public(address)


@settings(deadline=None)
@given(st.ip_addresses(v=4))
def test_wrapping_an_ipv4_address_never_changes_the_verdict(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    mapped = ipaddress.IPv6Address(0xFFFF << 32 | number)
    nat64 = ipaddress.IPv6Address((0x64FF9B << 96) | number)
    six_to_four = ipaddress.IPv6Address((0x2002 << 112) | (number << 80))
    assert {is_public(str(a)) for a in (mapped, nat64, six_to_four)} == {is_public(str(address))}


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "127.1", "0x7f000001", "2130706433", "127。0。0。1", "10.0.0.1", "169.254.169.254",
        "0", "[::ffff:127.0.0.1]", "[::1]", "[::]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]", "localhost",
    ],
)  # fmt: skip
def test_a_private_address_is_refused_in_every_spelling(host: str) -> None:
    with pytest.raises(UnsafeUrl, match="private address"):
        asyncio.run(fetch(f"https://{host}/clip.mp4?sig=secret", NOBODY))


@pytest.mark.parametrize(
    "resolve",
    [names("127.0.0.1"), names("8.8.8.8", "10.0.0.1"), names("2606:4700::1111", "::1"), names("::ffff:7f00:1")],
)
def test_a_name_with_one_private_address_is_refused(resolve: Resolver) -> None:
    for host in ("rebinding.example", "localhost."):
        with pytest.raises(UnsafeUrl, match="private address"):
            asyncio.run(fetch(f"https://{host}/clip.mp4", NOBODY, resolve))


def test_a_name_without_address_is_a_connection_error_that_may_pass() -> None:
    async def nothing(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    for resolve in (nothing, names()):
        with pytest.raises(httpx.ConnectError):
            asyncio.run(fetch("https://gone.example/clip.mp4", NOBODY, resolve))


def test_a_resolver_that_never_answers_ends_in_a_connect_timeout() -> None:
    async def silent(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async def run() -> None:
        async with vetted_client(NOBODY, user_agent="t", connect_timeout_s=0.05, resolve=silent) as client:
            await client.get("https://slow.example/")

    with pytest.raises(httpx.ConnectTimeout):
        asyncio.run(run())


def test_the_name_is_resolved_once_and_the_vetted_address_is_used() -> None:
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    async def run() -> tuple[bytes, str]:
        async with serve({"/a": reply(b"here")}) as server:
            trust = Trust.parse("clips.example")
            _, body = await fetch(server.url("/a", host="clips.example"), trust, resolve)
            return body, server.heads[0]

    body, head = asyncio.run(run())
    assert body == b"here"
    assert asked == ["clips.example"]
    assert "host: clips.example:" in head.lower()


def test_a_dead_address_is_passed_over_for_the_next_one() -> None:
    async def run() -> bytes:
        async with serve({"/a": reply(b"here")}) as server:  # nothing listens on 127.0.0.2
            url = server.url("/a", host="clips.example")
            return (await fetch(url, Trust.parse("clips.example"), names("127.0.0.2", "127.0.0.1")))[1]

    assert asyncio.run(run()) == b"here"


def test_nothing_of_ours_is_sent_along(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither proxies nor .netrc of the environment are used, cookies aren't kept, and plain bytes are asked for."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")

    async def run() -> list[str]:
        async with serve({"/a": reply(b"", "Set-Cookie: a=b; Path=/")}) as server:
            async with vetted_client(server.trust, user_agent="test/1") as client:
                for _ in range(2):
                    async with get_vetted(client, server.url("/a"), server.trust) as response:
                        assert response.status_code == 200
            return server.heads

    for head in asyncio.run(run()):
        assert "cookie" not in head.lower()
        assert "authorization" not in head.lower()
        assert "Accept-Encoding: identity" in head
        assert "User-Agent: test/1" in head


def test_a_key_is_shown_to_the_address_itself_and_to_no_redirect_not_even_its_own() -> None:
    class Key(httpx.Auth):
        def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
            request.headers["Authorization"] = "Bearer secret"
            yield request

    async def run() -> list[str]:
        async with (
            serve({"/a": redirect("/b"), "/b": reply(b"end")}) as server,
            vetted_client(server.trust, user_agent="test/1") as client,
            get_vetted(client, server.url("/a"), server.trust, auth=Key()) as response,
        ):
            assert response.status_code == 200
            return server.heads

    first, second = asyncio.run(run())
    assert "Bearer secret" in first and "secret" not in second


def test_three_redirects_are_followed_and_a_fourth_is_not() -> None:
    async def run(start: str) -> bytes:
        routes = {f"/{n}": redirect(f"/{n + 1}?hop={n}") for n in range(4)} | {"/4": reply(b"end")}
        async with serve(routes) as server:
            return (await fetch(server.url(start), server.trust))[1]

    assert asyncio.run(run("/1")) == b"end"
    with pytest.raises(httpx.TooManyRedirects, match="more than 3"):
        asyncio.run(run("/0"))


@pytest.mark.parametrize(
    "to",
    [
        "https://127.1/", "https://0x7f000001/", "https://[::ffff:127.0.0.1]/", "https://169.254.169.254/latest/",
        "http://10.0.0.1/", "http://2130706433/", "file:///etc/passwd", "https://u:p@8.8.8.8/", "ftp://127.0.0.1/",
        "//127.1/x",
    ],
)  # fmt: skip
def test_a_redirect_to_a_private_or_odd_place_is_refused(to: str) -> None:
    async def run() -> None:
        async with serve({"/a": redirect(to)}) as server:
            await fetch(server.url("/a"), server.trust)

    with pytest.raises(UnsafeUrl):
        asyncio.run(run())


def test_a_redirect_from_a_trusted_port_to_another_port_is_refused() -> None:
    async def run() -> None:
        async with serve({"/a": reply(b"private")}) as inner, serve({"/a": redirect(inner.url("/a"))}) as outer:
            await fetch(outer.url("/a"), outer.trust)

    with pytest.raises(UnsafeUrl):
        asyncio.run(run())


def self_signed(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    today = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = folder / "cert.pem", folder / "key.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem, private)
    return pem, context


def test_tls_is_verified_against_the_name_though_the_address_is_dialled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate of an unknown issuer is refused even on a trusted host; a company's own issuer can be added."""
    pem, context = self_signed(tmp_path, "clips.example")
    asked: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: asked.append(name)

    async def run(host: str) -> bytes:
        async with serve({"/a": reply(b"here")}, context) as server:
            trust = Trust.parse("clips.example, other.example")
            return (await fetch(server.url("/a", host=host), trust, names("127.0.0.1")))[1]

    with pytest.raises(
        httpx.ConnectError,
        match=r"certificate is not accepted: self-signed certificate \(checked by the usual authorities",
    ):
        asyncio.run(run("clips.example"))
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    assert asyncio.run(run("clips.example")) == b"here"
    with pytest.raises(httpx.ConnectError, match=r"[Hh]ostname mismatch.*SSL_CERT_FILE="):
        asyncio.run(run("other.example"))
    assert asked == ["clips.example", "clips.example", "other.example"]


def test_the_client_that_holds_the_key_pays_nobody_whose_certificate_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not sent, so not charged; neither the paid request nor the free ones carry the key there."""
    pem, context = self_signed(tmp_path, "localhost")

    async def ask() -> tuple[Reply | Fault, Reply | None]:
        async with serve({"/a": reply(b"{}")}, context) as server:
            client = ApiClient(server.url("", host="localhost"), SecretStr("key"), 5)
            try:
                return await client.send_once(PaidRequest("/a", {}), lambda: True), await client.get("/a", {})
            finally:
                await client.close()

    assert asyncio.run(ask()) == (Fault.NOT_CONNECTED, None)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    paid, free = asyncio.run(ask())
    assert isinstance(paid, Reply) and isinstance(free, Reply)
