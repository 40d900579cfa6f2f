"""The live check: what providers say of their models, read from documents and asked over HTTP."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import anyio
import pytest
from pydantic import SecretStr

from dailies.catalog import ResolvedOptions, load_catalog
from dailies.errors import Misconfigured
from dailies.planning.live import LiveView, ask_all
from dailies.providers.aiml.live import DEPRECATIONS, MODELS, ask_aiml, read_live
from dailies.providers.http import ApiClient
from dailies.providers.live import Live, LiveUnavailable, balance_in, read_listed
from dailies.providers.onerouter.client import Hosts, OneRouter
from dailies.sandbox import Sandbox, SandboxConfig

SORA, VEO = "openai/sora-2-pro-i2v", "google/veo-3.1-i2v"
CATALOG = load_catalog()


def listed(name: str, *aliases: str) -> dict[str, object]:
    return {"id": name, "aliases": list(aliases), "pricing": {"kind": "variable"}}


def ended(name: str, status: str, replaced_by: str | None = None) -> dict[str, object]:
    return {
        "id": name,
        "aliases": [],
        "status": status,
        "shutdown_at": "2026-09-24T00:00:00Z",
        "replaced_by": replaced_by,
    }


@pytest.mark.parametrize(
    ("models", "deprecations", "expected"),
    [
        pytest.param([listed(SORA)], [], Live(True, pricing={"kind": "variable"}), id="served"),
        pytest.param(
            [listed("x", SORA.upper())], [], Live(True, pricing={"kind": "variable"}), id="served under an alias"
        ),
        pytest.param([], [], Live(False), id="an empty list means not served"),
        pytest.param([], [ended(SORA, "withdrawn", VEO)], Live(False, "withdrawn", "2026-09-24", VEO), id="withdrawn"),
        pytest.param(
            [], [ended(SORA, "superseded")], Live(True, "superseded", "2026-09-24"), id="superseded still resolves"
        ),
        pytest.param(
            [listed(SORA)],
            [ended(SORA, "deprecated")],
            Live(True, "deprecated", "2026-09-24", pricing={"kind": "variable"}),
            id="deprecated is still served",
        ),
    ],
)
def test_the_two_documents_are_read_as_one(models: list[object], deprecations: list[object], expected: Live) -> None:
    assert read_live([SORA], {"data": models}, {"data": deprecations})[SORA] == expected


@pytest.mark.parametrize("rubbish", [None, [], {"data": "x"}, {"data": [1, None, {"id": 5, "aliases": None}]}])
def test_rubbish_documents_serve_nothing_and_raise_nothing(rubbish: object) -> None:
    assert read_live([SORA], rubbish, rubbish)[SORA] == Live(False)


def test_the_sandbox_is_asked_once_an_hour_and_by_etag_after_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second question within the hour stays at home; later its ETag makes a 304 do."""

    async def ask(client: ApiClient) -> Live:
        return (await ask_aiml(client, [SORA], tmp_path))[SORA]

    async def story(sandbox: Sandbox) -> None:
        client = ApiClient(sandbox.url, None, 5)
        first = await ask(client)
        assert first.served
        assert first.pricing
        asked = len(sandbox.requests())
        assert await ask(client) == first
        assert len(sandbox.requests()) == asked
        monkeypatch.setattr("dailies.providers.live.FRESH_S", -1.0)
        assert await ask(client) == first
        assert [r.path for r in sandbox.requests()[asked:]] == [MODELS, DEPRECATIONS]
        await client.close()

    with Sandbox(SandboxConfig(time_scale=0)) as sandbox:
        anyio.run(story, sandbox)


def test_a_provider_that_cannot_be_asked_is_a_note_and_with_require_live_a_refusal() -> None:
    async def ask(provider: str, names: list[str]) -> dict[str, Live]:
        raise LiveUnavailable("HTTP 503")

    wanted = [("aiml", CATALOG.find(SORA))]
    view = anyio.run(ask_all, wanted, ask, False)
    assert "could not be asked" in view.notes[0]
    assert not view.gone(CATALOG.find(SORA), "aiml")
    with pytest.raises(Misconfigured, match="--require-live"):
        anyio.run(ask_all, wanted, ask, True)


def test_a_live_price_comes_before_the_catalogs_and_says_so() -> None:
    model = CATALOG.find(SORA)
    pricing = {"kind": "fixed", "currency": "USD", "units": [{"price": 0.5, "unit": "second", "per": 1}]}
    view = LiveView({("aiml", SORA): Live(True, pricing=pricing)})
    assert view.quote(model, "aiml", ResolvedOptions("720p", "16:9", 4)) == (Decimal(2), "live")
    usd, origin = LiveView().quote(model, "aiml", ResolvedOptions("720p", "16:9", 4))
    assert usd == Decimal("1.26")
    assert origin.startswith("catalog of ")


ROUTED = "openai/sora-2-pro-image-to-video"
VIDEO = {"category_type": "VIDEO"}


@pytest.mark.parametrize(
    ("document", "served"),
    [
        pytest.param({"data": [{"id": ROUTED, **VIDEO}]}, True, id="as it was seen"),
        pytest.param([{"id": ROUTED.upper(), "categoryType": "video"}], True, id="a bare list, another case"),
        pytest.param(
            {"models": {"a": {"name": "Sora-2-Pro", "output_modalities": ["Video"]}}},
            True,
            id="an object, a short name",
        ),
        pytest.param({"data": [{"id": "kling/v3", **VIDEO}]}, False, id="other video models alone"),
        pytest.param({"data": [{"id": ROUTED, **VIDEO, "is_display_only": True}]}, None, id="only shown"),
        pytest.param(
            {"data": [{"id": ROUTED, **VIDEO, "is_display_only": True}, {"id": ROUTED, **VIDEO}]},
            True,
            id="shown and usable",
        ),
    ],
)
def test_a_list_of_any_shape_says_whether_a_model_is_served(document: object, served: bool | None) -> None:
    found = read_listed([ROUTED], document).get(ROUTED)
    assert (found.served if found else None) is served


@pytest.mark.parametrize(
    "document",
    [None, [], {}, {"data": []}, {"data": [{"id": "gpt", "category_type": "LLM"}]}, {"data": [1, None]}, "x",
     {"data": [{"id": SORA, "aliases": [], "type": "video-generation"}]}],
)  # fmt: skip
def test_a_list_without_video_models_says_nothing(document: object) -> None:
    with pytest.raises(LiveUnavailable):
        read_listed([ROUTED], document)


@pytest.mark.parametrize(
    ("document", "usd"),
    [
        ({"data": {"balance": 12.5, "currency": "USD"}}, "12.5"),
        ({"balance": "3"}, "3"),
        ({"code": 200, "data": [{"availableBalance": 4}]}, "4"),
        ({"total_balance": 9, "remaining": 2}, "2"),
        ({"balance": 12, "currency": "CNY"}, None),
        ({"balance": True}, None),
        ({"balance": -4}, None),
        ({"message": "no"}, None),
        (None, None),
        ([], None),
    ],
)
def test_a_balance_is_found_in_any_shape_or_unknown(document: object, usd: str | None) -> None:
    assert balance_in(document) == (Decimal(usd) if usd else None)


def test_onerouters_own_hosts_are_asked_unless_its_address_is_another() -> None:
    assert Hosts.below("https://video.onerouter.pro") == Hosts()
    below = Hosts.below("http://127.0.0.1:1/x")
    assert {below.video, below.queue, below.models, below.account} == {"http://127.0.0.1:1/x"}


def test_onerouters_list_and_balance_are_asked_for_free(tmp_path: Path) -> None:
    async def story(sandbox: Sandbox) -> None:
        onerouter = OneRouter(ApiClient(sandbox.url, SecretStr("sandbox-key"), 5))
        assert (await onerouter.live([ROUTED], tmp_path))[ROUTED].served
        assert (await onerouter.account_status()).balance_usd == 1000
        await onerouter.close()
        sandbox.withdraw(ROUTED)
        stranger = OneRouter(ApiClient(sandbox.url, SecretStr("wrong"), 5))
        assert not (await stranger.live([ROUTED], tmp_path / "later"))[ROUTED].served
        standing = await stranger.account_status()
        assert (standing.refused, standing.balance_usd) == (None, None), "an undocumented no proves nothing"
        await stranger.close()

    with Sandbox(SandboxConfig(time_scale=0)) as sandbox:
        anyio.run(story, sandbox)
