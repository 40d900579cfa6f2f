"""Every fault of a create: what may have been charged is never bought again, what surely was not may be."""

from __future__ import annotations

import threading
from decimal import Decimal
from email.utils import formatdate
from time import time
from typing import Any

import pytest

from dailies.domain.states import Failure, State
from dailies.sandbox import Charge
from tests.e2e.harness import World, named, until
from tests.e2e.invariants import assert_invariants
from tests.e2e.loopback import Elsewhere, OpensLate, free_port


def states(world: World) -> list[State]:
    """The states of all attempts, sorted."""
    return sorted(attempt.state for attempt in world.attempts())


def test_an_answer_lost_after_the_charge_is_found_in_the_providers_log(each_world: World) -> None:
    """In doubt after the first run; the next one finds it by our reference and buys nothing."""
    each_world.csv(named("good", "close", "reset"))
    each_world.sandbox.fault("logs", "status", times=None, status=503)  # the log is away until the next run
    for end in ("close", "reset"):
        each_world.sandbox.fault("create", "lost", match=f"<{end}>", end=end)
    first = each_world.run()
    assert (first.code, first.json["in_doubt"], first.json["delivered"]) == (1, 2, 1)
    assert first.json["usd_at_risk"] == 2 * first.clip("close")["usd_quoted"] > 0
    again = assert_invariants(each_world)
    assert again and again.code == 0 and len(each_world.charges()) == 3


def test_an_answer_lost_at_onerouter_stays_in_doubt_until_a_person_decides(world: World) -> None:
    """OneRouter has no log: nothing is bought until somebody says so, and what was in doubt stays at risk."""
    world.csv(1, provider="onerouter")
    world.sandbox.fault("create", "lost")
    assert world.run().json["in_doubt"] == 1
    again = assert_invariants(world)
    assert again and again.code == 1 and len(world.posts()) == 1
    [attempt] = world.attempts()
    assert world.command("resolve", attempt.id[:8], "--resubmit").code == 0
    world.resubmits = 1
    bought = assert_invariants(world)
    assert bought and bought.code == 0 and bought.json["usd_at_risk"] > 0
    assert len(world.charges()) == 2


def test_what_a_person_says_was_charged_is_collected(world: World) -> None:
    """`resolve --charged` with the provider's id brings the clip home without another POST."""
    world.csv(1, provider="aiml")
    world.sandbox.fault("logs", "status", times=None, status=503)  # the log is away until the next run
    world.sandbox.fault("create", "lost")
    world.run()
    [attempt], [charge] = world.attempts(), world.charges()
    assert world.command("resolve", attempt.id, "--charged", charge.generation_id).code == 0
    assert world.command("collect").code == 0
    assert_invariants(world)
    assert states(world) == [State.STORED] and len(world.posts()) == 1


def test_what_a_person_says_was_never_charged_may_be_bought_again(world: World) -> None:
    """`resolve --not-charged` frees the clip."""
    world.csv(1)
    world.sandbox.fault("create", "close")
    world.run()
    [attempt] = world.attempts()
    assert world.command("resolve", attempt.id, "--not-charged").code == 0
    again = assert_invariants(world)
    assert again and again.code == 0 and len(world.charges()) == 1


def test_an_answer_after_the_timeout_is_found_again(world: World) -> None:
    """Our patience ends before the provider answers: in doubt, then found, charged once."""
    world.csv(1)
    world.sandbox.fault("logs", "status", times=None, status=503)  # the log is away until the next run
    world.sandbox.fault("create", "late", delay_s=2)
    first = world.run(DAILIES_CREATE_TIMEOUT_S="0.4")
    assert first.json["in_doubt"] == 1
    again = assert_invariants(world)
    assert again and again.code == 0 and len(world.charges()) == 1


def test_a_connection_closed_before_acceptance_is_in_doubt_and_never_bought_again(world: World) -> None:
    """Closed or reset: we can't know that nothing was charged, so a person decides."""
    world.csv(named("close", "reset"))
    for kind in ("close", "reset"):
        world.sandbox.fault("create", kind, match=f"<{kind}>")
    assert world.run().json["in_doubt"] == 2
    again = assert_invariants(world)
    assert again and again.json["in_doubt"] == 2 and not world.charges()
    status = world.command("status", "--json").json
    assert status["unfinished"][0]["state"] == "in_doubt" and status["usd_at_risk"] > 0


def test_a_provider_that_can_not_be_reached_is_named_before_anything_is_bought(hasty: None, world: World) -> None:
    """Nothing is on record; a proxy or an authority that is in the way is named by its variable."""
    world.csv(1)
    first = world.run(AIML_BASE_URL=f"http://127.0.0.1:{free_port()}")
    assert first.code == 2 and "can't be reached" in first.stderr and "Nothing was bought" in first.stderr
    far: dict[str, Any] = {"AIML_BASE_URL": "https://api.provider.example"}
    proxied = world.run(**far, HTTPS_PROXY=f"http://me:hunter2@127.0.0.1:{free_port()}")
    assert proxied.code == 2 and "through the proxy of HTTPS_PROXY=http://127.0.0.1:" in proxied.stderr
    assert "hunter2" not in proxied.stdout + proxied.stderr
    socks = world.run(**far, ALL_PROXY="socks5://127.0.0.1:1080")
    assert socks.code == 2 and "ALL_PROXY names a SOCKS proxy" in socks.stderr
    missing = world.run(**far, REQUESTS_CA_BUNDLE="/nowhere.pem")
    assert missing.code == 2 and "REQUESTS_CA_BUNDLE=/nowhere.pem can't be used" in missing.stderr
    assert not world.attempts() and not world.posts()


def test_a_row_whose_first_provider_can_not_be_reached_is_made_by_its_second(hasty: None, world: World) -> None:
    """Refused is only what has no way at all."""
    world.csv(1, provider="")
    result = world.run("--provider", "aiml,onerouter", AIML_BASE_URL=f"http://127.0.0.1:{free_port()}")
    assert result.code == 0 and {clip["provider"] for clip in result.json["clips"]} == {"onerouter"}


@pytest.fixture
def ways_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the way to the provider had been there a moment ago, before anything was bought."""

    async def reached(*_: object) -> None:
        return None

    monkeypatch.setattr("dailies.steps.start.refuse_without_a_way", reached)


def test_connections_refused_at_first_are_tried_again(ways_unseen: None, world: World) -> None:
    """What was never sent may be sent again; the clip is charged once."""
    world.csv(1)
    with OpensLate(world.sandbox.url) as late:

        def open_when_it_is_bought() -> None:
            until(lambda: world.attempts())
            late.open()

        opener = threading.Thread(target=open_when_it_is_bought)
        opener.start()
        assert world.run(AIML_BASE_URL=late.url).code == 0
        opener.join()
    assert_invariants(world)
    assert len(world.posts()) == 1


def test_connections_refused_for_good_cost_nothing(ways_unseen: None, hasty: None, world: World) -> None:
    """Failed, not charged, and bought by the next run."""
    world.csv(1)
    first = world.run(AIML_BASE_URL=f"http://127.0.0.1:{free_port()}")
    assert first.code == 1 and first.json["usd_at_risk"] == 0
    assert world.attempts()[0].failure is Failure.NOT_SENT
    again = assert_invariants(world)
    assert again and again.code == 0 and len(world.charges()) == 1


def test_charged_and_then_an_error_status_or_no_usable_id_is_found_again(world: World) -> None:
    """After a 408, 409, 425, 5xx or 52x, HTML, nothing, half a JSON, no id, an absurd id: in doubt, then found in the log."""
    statuses = [408, 409, 425, 500, 502, 503, 504, 520, 524]
    kinds = ["charged_html", "charged_empty", "charged_half", "charged_no_id", "charged_absurd_id"]
    doubtful = [*map(str, statuses), *kinds]
    world.csv(named(*(name for doubt in doubtful for name in (doubt, f"well after {doubt}"))))
    world.sandbox.fault("logs", "status", times=None, status=503)  # the log is away until the next run
    for status in statuses:
        world.sandbox.fault("create", "charged_status", status=status, match=f"<{status}>")
    for kind in kinds:
        world.sandbox.fault("create", kind, match=f"<{kind}>")
    first = world.run("--in-flight", "1")  # one after another: an accepted create after each doubt, or the brake is on
    assert (first.json["in_doubt"], first.json["delivered"]) == (14, 14)
    again = assert_invariants(world)
    assert again and again.code == 0 and len(world.posts()) == 28


def test_an_id_under_its_other_name_is_an_id(world: World) -> None:
    """Some answers call it generation_id."""
    world.csv(1)
    world.sandbox.fault("create", "renamed_id")
    assert world.run().code == 0
    assert_invariants(world)


def test_429_waits_and_uses_no_attempt_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever Retry-After says (0, 3, a date, -5, 10^9, rubbish, nothing), each clip is bought later by the same attempt."""
    monkeypatch.setattr("dailies.domain.outcomes.RETRY_AFTER_CAP_S", 0.3)
    monkeypatch.setattr("dailies.domain.outcomes.RETRY_AFTER_DEFAULT_S", 0.1)
    said = ["0", "3", formatdate(time() + 3600, usegmt=True), "-5", "1000000000", "soon", None]
    world.csv(named(*(f"said {n}" for n in range(len(said)))))
    for n, retry_after in enumerate(said):
        world.sandbox.fault("create", "busy", times=2, retry_after=retry_after, match=f"<said {n}>")
    assert world.run().code == 0
    assert_invariants(world)
    assert len(world.attempts()) == len(world.charges()) == 7
    assert len(world.posts()) == 21


@pytest.mark.parametrize(("provider", "status"), [("aiml", 401), ("onerouter", 401), ("onerouter", 402)])
def test_a_key_or_an_account_that_fails_in_mid_batch_stops_claiming(world: World, provider: str, status: int) -> None:
    """What was bought before comes home; the rest is not started, not charged, and bought when the trouble is over."""
    world.csv(6, provider=provider)
    world.sandbox.fault("create", "status", status=status, after=2, times=None)
    first = world.run("--in-flight", "1")
    counts = {name: first.json[name] for name in ("delivered", "not_started", "failed", "in_doubt")}
    assert counts == {"delivered": 2, "not_started": 4, "failed": 0, "in_doubt": 0}
    assert first.code == 1 and len(world.posts()) == 3, "claiming stops at the first refusal"
    again = assert_invariants(world)
    assert again and again.json["delivered"] == 4 and len(world.charges()) == 6


def test_a_key_that_is_refused_from_the_first_clip_on_ends_with_what_to_type(world: World) -> None:
    """Nothing was touched: exit 2, and a refusal's last line."""
    world.csv(1)
    world.sandbox.fault("create", "status", status=401, times=None)
    refused = world.run()
    assert (refused.code, refused.json["not_started"], world.charges()) == (2, 1, [])
    assert refused.stderr.strip().splitlines()[-1] == "Next: dailies doctor"


def test_an_account_that_runs_dry_in_mid_batch_stops_claiming(make_world: object) -> None:
    """AI/ML API says 403, and the balance says whose refusal that is: nothing is held against a clip."""
    world = make_world(balance_usd=Decimal("3"))  # type: ignore[operator]
    world.csv(5)
    first = world.run("--in-flight", "1")
    assert (first.json["delivered"], first.json["not_started"], first.json["failed"]) == (2, 3, 0)
    assert "balance" in first.clip("clip-3")["error"]
    assert len(world.posts()) == 3, "claiming stops at the first refusal"


def test_a_403_for_single_clips_is_theirs_while_there_is_money(world: World) -> None:
    """A firewall or a moderation that says 403, as a problem or as a page: these clips fail, uncharged, the others are bought in
    the same run."""
    world.csv(named("a wall", "good", "another wall", "fine", "a page", "a third wall", "another page"))
    for word, body in (("wall", "problem"), ("page", "html")):
        world.sandbox.fault("create", "status", status=403, match=word, times=None, body=body)
    first = world.run("--in-flight", "1")
    assert (first.json["delivered"], first.json["failed"], first.json["not_started"]) == (2, 5, 0)
    for refused in ("a wall", "a page"):
        assert "403" in first.clip(refused)["error"]
    assert first.json["usd_at_risk"] == 0
    assert_invariants(world)
    assert len(world.posts()) == 7, "what was refused is not sent again"


@pytest.mark.parametrize("slip", ["/v1", "/models"])
def test_a_slip_in_the_base_address_costs_no_row(world: World, slip: str) -> None:
    """404 for every create is the route's: claiming stops at the second, and all are bought once the address is right."""
    world.csv(6)
    first = world.run("--in-flight", "1", AIML_BASE_URL=world.sandbox.url + slip)
    assert (first.code, first.json["failed"], first.json["not_started"]) == (2, 0, 6)
    assert "check the base URL" in first.clip("clip-1")["error"]
    sent = [seen for seen in world.sandbox.requests() if seen.method == "POST"]
    assert len(sent) == 2, "two in a row are enough"
    again = world.run()
    assert again.code == 0 and again.json["delivered"] == 6 and len(world.charges()) == 6
    assert_invariants(world)


def test_a_route_that_is_gone_for_one_create_costs_no_row(world: World) -> None:
    """One 404 that does not speak of the model holds nothing against its clip, nor against the others."""
    world.csv(named("lost", "good", "fine"))
    world.sandbox.fault("create", "status", status=404, match="<lost>")
    first = world.run("--in-flight", "1")
    assert (first.json["delivered"], first.json["failed"], first.json["not_started"]) == (2, 0, 1)
    again = assert_invariants(world)
    assert again and again.code == 0 and len(world.charges()) == 3


def test_moderation_fails_its_own_clip_and_no_other(world: World) -> None:
    """At both providers, in the provider's words; the others are delivered; the same words are not sent again."""
    rows = [
        {"id": f"{p} {w}", "prompt": w, "provider": p} for p in ("aiml", "onerouter") for w in ("fine", "forbidden")
    ]
    world.csv([{**row, "take": row["provider"]} for row in rows])
    first = world.run()
    assert (first.code, first.json["delivered"], first.json["failed"]) == (1, 2, 2)
    for provider in ("aiml", "onerouter"):
        assert "moderation" in first.clip(f"{provider} forbidden")["error"].lower()
    assert_invariants(world)
    assert len(world.posts()) == 4


def test_an_invalid_request_fails_its_own_clip_and_no_other(world: World) -> None:
    """400, 413, 415, 422: refused, not charged, not sent again."""
    statuses = [400, 413, 415, 422]
    world.csv(named("good", *map(str, statuses)))
    for status in statuses:
        world.sandbox.fault("create", "status", status=status, match=f"<{status}>")
    first = world.run()
    assert (first.code, first.json["delivered"], first.json["failed"], first.json["usd_at_risk"]) == (1, 1, 4, 0)
    assert_invariants(world)
    assert len(world.posts()) == 5


def test_a_redirect_to_another_host_is_not_followed_with_the_key(world: World) -> None:
    """The other host sees nothing; the clip stays planned and costs nothing."""
    world.csv(1)
    with Elsewhere() as other:
        world.sandbox.fault("create", "redirect", url=other.url)
        first = world.run()
        assert (first.code, first.json["not_started"]) == (1, 1) and "redirect" in first.clip("clip-1")["error"]
        assert not other.requests
    again = assert_invariants(world)
    assert again and again.code == 0


def test_the_same_id_twice_leaves_the_second_clip_in_doubt(world: World) -> None:
    """One generation can't be two clips: the second charge is on record as in doubt, and bought no more."""
    world.csv(2)
    world.sandbox.fault("create", "same_id", after=1)
    first = world.run("--in-flight", "1")
    assert (first.json["delivered"], first.json["in_doubt"]) == (1, 1)
    assert_invariants(world)
    assert len(world.charges()) == len(world.posts()) == 2


def test_an_error_inside_http_200_is_read(world: World) -> None:
    """OneRouter's habit: a body that says error is no acceptance."""
    world.csv(1, provider="onerouter")
    world.sandbox.fault("create", "error_in_200")
    assert world.run().code == 1
    assert_invariants(world)
    assert not world.charges()


def test_a_task_instead_of_a_result_is_polled(make_world: object) -> None:
    """OneRouter's other form."""
    world = make_world(onerouter_form="task")  # type: ignore[operator]
    world.csv(2, provider="onerouter")
    assert world.run().code == 0
    assert_invariants(world)


def test_every_charge_has_our_reference(world: World) -> None:
    """The oracle of all these tests: each charge carries the id of its attempt."""
    world.csv(2)
    world.run()
    ids = {attempt.id for attempt in world.attempts()}

    def reference(charge: Charge) -> str | None:
        return charge.client_request_id

    assert {reference(charge) for charge in world.charges()} == ids
