"""Which way a host is reached, by the environment's common variables."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dailies.errors import Misconfigured
from dailies.net.routes import Routes

PROXY = "http://proxy.example:3128"


def way(url: str, **environ: str) -> str:
    return str(Routes.read(environ).to(url))


@pytest.mark.parametrize(
    ("environ", "url", "variable"),
    [
        ({"HTTPS_PROXY": PROXY}, "https://api.example/", "HTTPS_PROXY"),
        ({"https_proxy": PROXY}, "https://api.example/", "https_proxy"),
        ({"HTTPS_PROXY": PROXY}, "http://api.example/", None),
        ({"HTTP_PROXY": PROXY}, "http://api.example/", "HTTP_PROXY"),
        ({"HTTP_PROXY": PROXY}, "https://api.example/", None),
        ({"ALL_PROXY": PROXY}, "https://api.example/", "ALL_PROXY"),
        ({"all_proxy": PROXY}, "http://api.example/", "all_proxy"),
        ({"ALL_PROXY": "http://other:1", "HTTPS_PROXY": PROXY}, "https://api.example/", "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "http://other:1", "https_proxy": PROXY}, "https://api.example/", "https_proxy"),
        ({"HTTPS_PROXY": PROXY, "https_proxy": ""}, "https://api.example/", None),
        ({"HTTPS_PROXY": "  "}, "https://api.example/", None),
        ({"HTTP_PROXY": PROXY, "REQUEST_METHOD": "GET"}, "http://api.example/", None),
        ({"HTTPS_PROXY": "proxy.example:3128"}, "https://api.example/", "HTTPS_PROXY"),
        ({}, "https://api.example/", None),
    ],
)
def test_the_variable_of_the_urls_scheme_counts(environ: dict[str, str], url: str, variable: str | None) -> None:
    assert way(url, **environ) == (
        f"through the proxy of {variable}={PROXY}" if variable else "directly (no proxy is set)"
    )


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST.", "a.localhost", "127.0.0.1", "127.9.9.9", "[::1]", "[::ffff:127.0.0.1]"]
)
def test_this_machine_is_never_proxied(host: str) -> None:
    assert way(f"http://{host}:8080/", ALL_PROXY=PROXY) == "directly (this machine)"


@pytest.mark.parametrize(
    ("no_proxy", "url", "direct"),
    [
        ("*", "https://anything.example/", True),
        ("api.example", "https://api.example/", True),
        ("API.Example.", "https://api.example./", True),
        ("example", "https://api.example/", True),
        (".example", "https://api.example/", True),
        ("*.example", "https://api.example/", True),
        (".api.example", "https://api.example/", True),
        ("pi.example", "https://api.example/", False),
        ("api.example.com", "https://api.example/", False),
        ("api.example:443", "https://api.example/", True),
        ("api.example:443", "https://api.example:8443/", False),
        ("api.example:8443", "https://api.example:8443/", True),
        ("https://api.example", "https://api.example/", True),
        ("10.0.0.0/8", "https://10.1.2.3/", True),
        ("10.0.0.0/8", "https://11.1.2.3/", False),
        ("10.0.0.0/8", "https://[::ffff:10.1.2.3]/", True),
        ("10.1.2.3", "https://10.1.2.3:9000/", True),
        ("10.1.2.3:9000", "https://10.1.2.3:9000/", True),
        ("10.1.2.3:9000", "https://10.1.2.3/", False),
        ("10.1.2", "https://10.1.2.3/", False),
        ("fd00::/8", "https://[fd12::1]/", True),
        ("fd12::1", "https://[fd12:0::1]/", True),
        ("[fd12::1]:9000", "https://[fd12::1]:9000/", True),
        ("[fd12::1]:9000", "https://[fd12::1]/", False),
        ("a.example, b.example", "https://b.example/", True),
        ("a.example b.example", "https://b.example/", True),
        ("a.example,,b.example", "https://c.example/", False),
        ("bücher.example", "https://bücher.example/", True),
        ("bücher.example", "https://xn--bcher-kva.example/", True),
        (":::, /, [, ]:80, ., *.", "https://api.example/", False),
        ("", "https://api.example/", False),
    ],
)  # fmt: skip
def test_no_proxy_names_what_is_reached_directly(no_proxy: str, url: str, direct: bool) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        words = way(url, HTTPS_PROXY=PROXY, **{name: no_proxy})
        assert words.startswith("directly") is direct
        assert not direct or words.endswith(f"in {name})")


def test_an_empty_no_proxy_in_lower_case_switches_the_other_off() -> None:
    assert way("https://a.example/", HTTPS_PROXY=PROXY, NO_PROXY="*", no_proxy="").startswith("through")


@settings(deadline=None)
@given(st.text())
def test_any_no_proxy_can_be_read(text: str) -> None:
    Routes.read({"NO_PROXY": text, "HTTPS_PROXY": PROXY}).to("https://api.example/")


@pytest.mark.parametrize(
    "text",
    ["http://", "ftp://proxy:21", "http://proxy:port", "http://proxy:99999", "://", "http://user:hunter2@", "[::1", "http:// proxy"],
)  # fmt: skip
def test_what_is_no_proxys_address_is_refused_by_the_name_of_its_variable(text: str) -> None:
    with pytest.raises(Misconfigured, match="HTTPS_PROXY is not the address of a proxy") as refusal:
        way("https://api.example/", HTTPS_PROXY=text)
    assert "hunter2" not in str(refusal.value)
    assert way("http://api.example/", HTTPS_PROXY=text).startswith("directly")


@pytest.mark.parametrize("scheme", ["socks4", "socks5", "socks5h"])
def test_a_socks_proxy_is_refused_in_so_many_words(scheme: str) -> None:
    with pytest.raises(Misconfigured, match=r"ALL_PROXY names a SOCKS proxy.*HTTP proxy.*NO_PROXY"):
        way("https://api.example/", ALL_PROXY=f"{scheme}://user:hunter2@proxy:1080")


def test_every_proxy_is_checked_at_once_before_another_program_of_ours_stumbles_over_it() -> None:
    Routes.read({"HTTPS_PROXY": PROXY}).check()
    with pytest.raises(Misconfigured, match="HTTP_PROXY is not"):
        Routes.read({"HTTPS_PROXY": PROXY, "HTTP_PROXY": "http://"}).check()


def test_a_password_is_sent_and_never_shown() -> None:
    routes = Routes.read({"HTTPS_PROXY": "http://us%40er:hun%3Ater2@proxy.example:3128"})
    route = routes.to("https://api.example/")
    assert route.proxy and route.proxy.authorization == "Basic dXNAZXI6aHVuOnRlcjI="
    for shown in (str(route), repr(route), repr(routes)):
        assert "hun" not in shown and "dXNA" not in shown and "us%40er" not in shown
