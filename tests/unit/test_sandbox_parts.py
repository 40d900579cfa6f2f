"""The sandbox's own decisions, without a network: sizes, prices, times, faults, the rate limit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.sandbox import Fault, SandboxConfig
from dailies.sandbox.account import number
from dailies.sandbox.faults import FaultBox
from dailies.sandbox.models import InvalidRequest, Model, Size, fitted, load_models, short_side
from dailies.sandbox.pictures import is_loopback, measure
from dailies.sandbox.pictures import test_image as picture
from dailies.sandbox.world import Order, OutOfCredits, World, stored_client_id

SORA = load_models("aiml_models.json")["openai/sora-2-pro-i2v"]
ORDER = Order("aiml", SORA, "she smiles", (1280, 720), 4, Decimal("1.26"))


class Clock:
    """A clock that only moves when told to."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time."""
        return self.time

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    """A new clock."""
    return Clock()


@pytest.mark.parametrize(
    ("name", "pixels"),
    [(None, 720), ("720p", 720), ("768P", 768), ("2K", 1440), ("4k", 2160), ("hd", 720), ("fhd", 1080)],
)
def test_a_resolution_names_its_short_side(name: str | None, pixels: int) -> None:
    assert short_side(name) == pixels


@pytest.mark.parametrize("model", load_models("aiml_models.json").values(), ids=lambda model: model.id)
def test_every_documented_resolution_and_ratio_gives_a_size_and_a_price(model: Model) -> None:
    for resolution in model.fields.get("resolution", {}).get("enum", [None]):
        for ratio in model.fields.get("aspect_ratio", {}).get("enum", [None]):
            wide, high = model.size(resolution, ratio, None)
            assert wide % 2 == high % 2 == 0
            assert model.usd(resolution, 5) > 0


@given(short=st.integers(100, 2160), image=st.tuples(st.integers(1, 5000), st.integers(1, 5000)))
def test_a_clip_without_a_ratio_keeps_the_images_proportions(short: int, image: Size) -> None:
    wide, high = fitted(short, None, image)
    assert wide % 2 == high % 2 == 0
    assert abs(min(wide, high) - short) <= 1
    assert (wide >= high) == (image[0] >= image[1]) or abs(wide - high) <= 2


@pytest.mark.parametrize(
    ("header", "kept"),
    [("a.B_c:d-9", "a.B_c:d-9"), ("", None), ("a b", None), ("ü", None), ("x" * 128, "x" * 128), ("x" * 129, None)],
)
def test_a_client_reference_is_kept_only_in_its_documented_alphabet(header: str, kept: str | None) -> None:
    assert stored_client_id(header) == kept


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("a.b", False)],
)
def test_only_the_machine_itself_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


@pytest.mark.parametrize("data", [b"", b"GIF89a" + bytes(50), b"<svg/>", picture((64, 64), "png")[:200]])
def test_what_is_no_whole_image_is_no_image(data: bytes) -> None:
    with pytest.raises(InvalidRequest, match="image"):
        measure(data)


@pytest.mark.parametrize("text", ["0", "101", "-1", "1.5", "", "٣", "9" * 5000])
def test_a_limit_out_of_bounds_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="limit"):
        number(text, "limit", 50, 1, 100)


def test_a_generation_takes_its_models_time_more_or_less(clock: Clock) -> None:
    world = World(SandboxConfig(time_scale=0.5, balance_usd=Decimal(10_000)), clock)
    made = [world.accept(ORDER) for _ in range(400)]
    seconds = sorted((g.ends_at - g.at).total_seconds() for g in made)
    assert seconds[200] == pytest.approx(SORA.seconds * 0.5, rel=0.1)
    assert seconds[0] < seconds[200] * 0.6 and seconds[-1] > seconds[200] * 1.8


def test_the_same_seed_takes_the_same_times(clock: Clock) -> None:
    times = [[World(SandboxConfig(seed=seed), clock).accept(ORDER).ends_at for _ in "a"] for seed in (7, 7, 8)]
    assert times[0] == times[1] != times[2]


def test_a_failing_clip_is_refunded_when_it_fails_and_its_money_can_be_spent_again(clock: Clock) -> None:
    world = World(SandboxConfig(balance_usd=Decimal("1.26")), clock)
    generation = world.accept(replace(ORDER, prompt="will-fail"))
    with pytest.raises(OutOfCredits):
        world.accept(ORDER)
    assert [charge.refunded for charge in world.charges()] == [False]
    clock.time = generation.ends_at
    assert [charge.refunded for charge in world.charges()] == [True]
    world.accept(ORDER)


def test_the_rate_limit_lets_in_as_many_as_it_says(clock: Clock) -> None:
    world = World(SandboxConfig(rate_limit_per_s=2), clock)
    assert [world.admits() for _ in range(3)] == [True, True, False]
    clock.forward(0.5)
    assert [world.admits() for _ in range(2)] == [True, False]
    clock.forward(100)
    assert [world.admits() for _ in range(3)] == [True, True, False]


@given(times=st.integers(1, 5), after=st.integers(0, 5), requests=st.integers(0, 15))
def test_a_fault_spares_and_then_strikes_exactly_as_often_as_asked(times: int, after: int, requests: int) -> None:
    box = FaultBox()
    box.add(Fault(where="create", kind="lost", times=times, after=after))
    struck = [box.take("create", "aiml", "x") is not None for _ in range(requests)]
    assert struck == [after <= number < after + times for number in range(requests)]


def test_faults_strike_in_the_order_they_were_asked_for() -> None:
    box = FaultBox()
    box.add(Fault(where="create", kind="lost", match="b"))
    box.add(Fault(where="create", kind="html"))
    taken = [box.take("create", "aiml", text) for text in ("a", "b", "b")]
    assert [fault and fault.kind for fault in taken] == ["html", "lost", None]
