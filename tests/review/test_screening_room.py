"""The screening room in a real browser: look, decide by keyboard, together with others, ten thousand clips."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from dailies.domain.marks import Kind, Mark, Marks
from dailies.domain.verdicts import Said, Word
from dailies.ledger import Ledger
from tests.e2e.harness import s3_client
from tests.e2e.harness import until as wait_for
from tests.report.conftest import PATIENCE_MS
from tests.report.test_page_in_browser import HOSTILE
from tests.review.conftest import MakeStudio, Studio, Visit, until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
Enter = Callable[..., Visit]
CARDS = "[...document.querySelectorAll('#cards .card')].map((card) => card.getBoundingClientRect())"
NO_NEWS = {"title": "monday", "latest": 0, "verdicts": []}
PLAYING = "document.querySelector('#cards .card[aria-current=true] video')"


@pytest.fixture
def enter(browser: Browser) -> Iterator[Enter]:
    """Open a room's address in a browser of its own: `enter(address, width=390, color_scheme="dark")`."""
    contexts = []

    def go(address: str, width: int = 1280, height: int = 860, **options: Any) -> Visit:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        seen = Visit(context.new_page(), address.split("#")[0])
        seen.page.on("console", lambda message: seen.complaints.append(message.text))
        seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        seen.page.on("request", lambda request: seen.requests.append(request.url))
        seen.page.on("dialog", seen.no_dialog)
        seen.page.goto(address)
        seen.page.wait_for_selector("html[data-ready]", state="attached")
        return seen

    yield go
    for context in contexts:
        context.close()


def selected(page: Page) -> str:
    """The name of the selected clip."""
    return page.locator("#cards .card[aria-current=true] h3 > span:first-child").text_content() or ""


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def decided(page: Page, words: str) -> None:
    expect(page.locator("#decided")).to_have_text(words)


def test_the_first_clip_is_selected_and_plays_muted_when_it_opens(studio: Studio, enter: Enter) -> None:
    studio.shoot([("a", ""), ("b", ""), ("c", "")])
    with studio.room() as address:
        seen = enter(address)
        assert selected(seen.page) == "a"
        until(seen.page, f"{PLAYING}.currentTime > 0.1")
        assert seen.page.evaluate(f"{PLAYING}.muted && {PLAYING}.videoWidth === 320")
        press(seen.page, "Space")
        assert seen.page.evaluate(f"{PLAYING}.paused")
        press(seen.page, "ArrowRight")
        until(seen.page, f"!{PLAYING}.paused && {PLAYING}.currentTime > 0")
        assert selected(seen.page) == "b"
        assert seen.complaints == []
        assert seen.elsewhere() == [], "it asks nobody but its own server"


def test_verdicts_are_given_by_keyboard_in_the_grid_and_undone(studio: Studio, enter: Enter) -> None:
    studio.shoot([("a", ""), ("b", ""), ("c", ""), ("d", "")])
    with studio.room() as address:
        page = enter(address).page
        press(page, "k", "ArrowRight", "r", "ArrowRight", "x", "ArrowRight", "k", "u")
        decided(page, "3 of 4 decided · 1 keep · 1 retake · 1 reject")
        press(page, "ArrowLeft", "k", "u")
        expect(page.locator("#cards .card[aria-current=true] .verdict")).to_have_text("reject")
        page.reload()
        decided(page, "3 of 4 decided · 1 keep · 1 retake · 1 reject")
    assert studio.said() == {"a/1": "keep", "b/1": "retake", "c/1": "reject", "d/1": ""}


def _last_said(ledger: Ledger, key: str) -> tuple[str, str, str]:
    said = ledger.verdict_history(key)[-1].said
    return str(said.word), said.note, said.prompt


def test_a_note_and_the_prompt_of_a_retake_are_two_fields(studio: Studio, enter: Enter) -> None:
    (key,) = studio.shoot([("a", "")])
    with studio.room() as address:
        page = enter(address).page
        press(page, "n")
        expect(page.locator("#note-prompt")).to_be_hidden()
        page.keyboard.type("keep x in mind")
        press(page, "Enter", "r", "n")
        expect(page.locator("#note-text")).to_have_value("keep x in mind")
        page.locator("#note-prompt").fill("a slower sunrise")
        press(page, "Enter")
        expect(page.locator("#note")).to_be_hidden()
        page.reload()
        until(page, "document.documentElement.dataset.ready")
        decided(page, "1 of 1 decided · 1 retake")
        ledger = studio.ledger()
        wanted = ("retake", "keep x in mind", "a slower sunrise")
        wait_for(lambda: _last_said(ledger, key) == wanted)  # what was pressed last may still be under way
        ledger.engine.dispose()


def test_takes_of_a_row_play_side_by_side_in_step_with_the_input_image(studio: Studio, enter: Enter) -> None:
    studio.shoot([("a", ""), ("a", "2"), ("a", "3"), ("b", "")])
    with studio.room() as address:
        seen = enter(address)
        page = seen.page
        press(page, "Enter")
        expect(page.locator("#films video")).to_have_count(3)
        until(page, "document.querySelector('#films .still img')?.naturalWidth === 640")
        until(page, "[...document.querySelectorAll('#films video')].every(v => !v.paused && v.currentTime > 0.2)")
        press(page, "Space")
        until(
            page,
            "new Set([...document.querySelectorAll('#films video')].map(v => v.paused + v.currentTime.toFixed(1))).size === 1",
        )
        press(page, "k", "ArrowRight", "x", "ArrowRight", "r", "ArrowRight")
        expect(page.locator("#player-title")).to_have_text("b")
        expect(page.locator("#films video")).to_have_count(1)
        press(page, "k", "Escape")
        expect(page.locator("#cards .card[aria-current=true] h3 > span:first-child")).to_have_text("b")
        decided(page, "4 of 4 decided · 2 keep · 1 retake · 1 reject")
        assert seen.complaints == []
        wait_for(lambda: studio.said() == {"a/1": "keep", "a/2": "reject", "a/3": "retake", "b/1": "keep"})


def test_frame_speed_loop_and_sound_have_keys(studio: Studio, enter: Enter) -> None:
    studio.shoot([("a", "")])
    with studio.room() as address:
        page = enter(address).page
        press(page, "Enter")
        video = page.locator("#films video")
        until(page, "document.querySelector('#films video').currentTime > 0.3")
        press(page, "Space")
        before = video.evaluate("v => v.currentTime")
        press(page, ".")
        until(page, f"document.querySelector('#films video').currentTime > {before}")
        assert video.evaluate("v => v.currentTime") - before < 0.1
        press(page, "]", "l", "m")
        assert video.evaluate("v => [v.playbackRate, v.loop, v.muted]") == [1.5, False, False]
        press(page, "[", "[", "l", "m")
        assert video.evaluate("v => [v.playbackRate, v.loop, v.muted]") == [0.5, True, True]


def test_a_comment_stands_at_its_moment(studio: Studio, enter: Enter) -> None:
    (key,) = studio.shoot([("a", "")])
    with studio.room() as address:
        page = enter(address).page
        press(page, "Enter")
        until(page, "document.querySelector('#films video').currentTime > 0.2")
        press(page, "c")
        page.keyboard.type("the hand has six fingers, kx")
        press(page, "Enter")
        expect(page.locator("#comments li")).to_contain_text("six fingers, kx · Ana")
        decided(page, "0 of 1 decided")
    ledger = studio.ledger()
    (comment,) = ledger.comments(key)
    ledger.engine.dispose()
    assert 0.2 < comment.second < 2


def test_two_people_at_once_see_each_others_verdicts(make_studio: MakeStudio, postgres_url: str, enter: Enter) -> None:
    studio = make_studio(postgres_url)
    studio.shoot([("a", ""), ("b", "")])
    with studio.room() as one, studio.room(author="Bo") as other:
        ana, bo = enter(one).page, enter(other).page
        press(ana, "k")
        decided(bo, "1 of 2 decided · 1 keep")
        press(bo, "ArrowRight", "x")
        decided(ana, "2 of 2 decided · 1 keep · 1 reject")
        press(bo, "ArrowLeft", "r")
        expect(ana.locator("#cards .card[aria-current=true] .verdict")).to_have_text("retake")


def test_an_undo_takes_back_nothing_that_somebody_else_has_said_since(
    make_studio: MakeStudio, postgres_url: str, enter: Enter
) -> None:
    studio = make_studio(postgres_url)
    (key,) = studio.shoot([("a", "")])
    with studio.room() as address:
        page = enter(address).page
        page.route("**/news.json*", lambda route: route.fulfill(json=NO_NEWS))  # what Bo says does not reach it
        press(page, "k")
        wait_for(lambda: studio.said() == {"a/1": "keep"})
        ledger = studio.ledger()
        ledger.judge({key: Said(Word.REJECT)}, "Bo")
        ledger.engine.dispose()
        press(page, "u")
        expect(page.locator("#trouble")).to_contain_text("Not undone: Bo has said reject of a since")
        expect(page.locator("#cards .card[aria-current=true] .verdict")).to_have_text("reject")
        assert studio.said() == {"a/1": "reject"}
        press(page, "u")  # seen now
        decided(page, "1 of 1 decided · 1 keep")


def test_a_clip_that_is_gone_says_so_and_can_be_judged(studio: Studio, enter: Enter) -> None:
    studio.shoot([("a", ""), ("b", "")])
    client = s3_client(studio.s3_url)
    found = client.list_objects_v2(Bucket=studio.bucket, Prefix="clips/monday/a-")["Contents"]
    gone = next(item["Key"] for item in found if item["Key"].endswith("mp4"))
    client.delete_object(Bucket=studio.bucket, Key=gone)
    with studio.room() as address:
        page = enter(address).page
        expect(page.get_by_role("alert").filter(has_text="gone from the store")).to_be_visible()
        press(page, "x", "ArrowRight")
        until(page, f"{PLAYING}.currentTime > 0")
        decided(page, "1 of 2 decided · 1 reject")


def test_a_server_that_ended_is_said_and_no_verdict_is_pretended(studio: Studio, enter: Enter) -> None:
    studio.shoot([("a", "")])
    with studio.room() as address:
        page = enter(address).page
    press(page, "k")
    expect(page.locator("#trouble")).to_contain_text("Not on record: a")
    decided(page, "0 of 1 decided")


def test_hostile_prompts_and_names_are_only_text(studio: Studio, enter: Enter) -> None:
    names = [text.replace("\x00", "") for text in HOSTILE]
    prompts = [*names[:-3], "\u202eمرحبا " * 1500, "x" * 10_000, "<b>" * 3_000]
    studio.shoot([(name, "") for name in names], batch="<b>evil", prompts=prompts)
    wide = (
        "document.documentElement.scrollWidth - innerWidth, document.querySelector('#player')?.scrollWidth - innerWidth"
    )
    with studio.room() as address:
        seen = enter(address)
        for _ in names:
            press(seen.page, "Enter")
            assert seen.page.evaluate(f"Math.max({wide})") <= 0, "no text of any length or direction widens the page"
            press(seen.page, "Escape", "ArrowRight")
        press(seen.page, "n")
        seen.page.keyboard.type(names[1])
        press(seen.page, "Enter", "Enter")
        assert seen.page.locator("img[src=x], svg[onload], a[href^='javascript'], b:text('evil')").count() == 0
        assert seen.complaints == []
        assert seen.elsewhere() == []


def test_its_policy_lets_nothing_else_in(studio: Studio, enter: Enter) -> None:
    studio.shoot([("a", "")])
    with studio.room() as address:
        seen = enter(address)
        seen.page.evaluate("""() => {
            window.broken = [];
            document.addEventListener('securitypolicyviolation', (e) => window.broken.push(e.effectiveDirective));
            const script = document.createElement('script');
            try { script.text = 'window.ran = 1'; } catch { window.broken.push('trusted types'); }
            document.body.append(script);
            const image = new Image(); image.src = 'http://127.0.0.1:9/pixel.png'; document.body.append(image);
            fetch('http://127.0.0.1:9/').catch(() => {});
        }""")
        until(seen.page, "window.broken.includes('connect-src') && window.broken.includes('img-src')")
        assert seen.page.evaluate("window.ran") is None


def test_ten_thousand_clips_are_drawn_where_one_looks(studio: Studio, enter: Enter) -> None:
    studio.many(10_000)
    with studio.room("monday") as address:
        seen = enter(address)
        page = seen.page
        decided(page, "0 of 10000 decided")
        assert page.locator("#cards .card").count() < 60
        press(page, "End")
        assert selected(page) == "shot-09999"
        press(page, "k", "ArrowUp", "Home")
        assert selected(page) == "first"
        page.evaluate("scrollTo(0, document.body.scrollHeight / 2)")
        until(page, f"{CARDS}.some((card) => card.top > 100 && card.bottom < innerHeight)")
        assert page.locator("#cards .card").count() < 60
        page.locator("#find").fill("shot 7777")
        expect(page.locator("#shown")).to_have_text("1 of 10,000 clips")
        decided(page, "1 of 10000 decided · 1 keep")
        assert seen.complaints == []


def test_it_filters_by_verdict_and_an_address_leads_to_a_filter_and_to_a_clip(studio: Studio, enter: Enter) -> None:
    studio.shoot([("a", ""), ("b", ""), ("c", "")])
    with studio.room() as address:
        page = enter(address).page
        press(page, "k", "ArrowRight")
        page.locator("#chips").get_by_role("button", name="undecided").click()
        expect(page.locator("#shown")).to_have_text("2 of 3 clips")
        press(page, "ArrowRight")
        link = page.url
        assert "verdict=undecided" in link and "clip=" in link
        wait_for(lambda: studio.said().get("a/1") == "keep")
        other = enter(link).page
        expect(other.locator("#shown")).to_have_text("2 of 3 clips")
        assert selected(other) == "c"


def test_what_a_look_has_found_is_shown_filtered_and_gone_to(studio: Studio, enter: Enter) -> None:
    """A clip with two marks, one that is fine, and one that nobody has looked at."""
    bad, fine, _ = studio.shoot([("a", ""), ("b", ""), ("c", "")])
    ledger = studio.ledger()
    found = Marks((Mark(Kind.BLACK, 0.5, 1.2, 0.7), Mark(Kind.CUT, 1.5, 1.5, 80.0)))
    for key, marks in ((bad, found), (fine, Marks())):
        (attempt,) = ledger.attempts_of([key])[key]
        ledger.record_marks(attempt.id, marks)
    ledger.close()
    with studio.room() as address:
        page = enter(address).page
        expect(page.locator("#cards .flag")).to_have_text(["black +1"])
        footage = page.get_by_label("footage")
        for choice, shown in (("cut", "a"), ("any mark", "a"), ("fine", "b"), ("not looked at", "c")):
            footage.select_option(label=choice)
            expect(page.locator("#shown")).to_have_text("1 of 3 clips")
            assert selected(page) == shown
        footage.select_option(label="black")
        link = page.url
        page.locator("#cards .card").first.focus()
        press(page, "Enter")
        page.get_by_role("button", name="Look at black 0.5-1.2 s").click()
        until(page, "Math.abs(document.querySelector('#films video').currentTime - 0.5) < 0.1")
        assert "is%3Afootage=black" in link and selected(enter(link).page) == "a"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_light_and_dark(studio: Studio, enter: Enter, scheme: str) -> None:
    studio.shoot([("a", ""), ("a", "2")])
    with studio.room() as address:
        page = enter(address, width=360, height=740, color_scheme=scheme).page
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.get_by_role("button", name="Open a", exact=True).click()
        page.locator("#about").get_by_role("button", name="keep").click()
        decided(page, "1 of 2 decided · 1 keep")
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (background == "rgb(20, 19, 18)") == (scheme == "dark")


def test_every_control_has_a_name_for_a_screen_reader(studio: Studio, enter: Enter) -> None:
    studio.shoot([("a", "")])
    with studio.room() as address:
        page = enter(address).page
        press(page, "Enter")
        nameless = page.evaluate("""() => [...document.querySelectorAll('button, input, select, a, video, textarea')]
            .filter((node) => !(node.ariaLabel || node.textContent.trim() || node.labels?.length)).map((node) => node.outerHTML)""")
        assert nameless == []
