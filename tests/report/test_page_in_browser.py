"""The page in a real browser: it filters, sorts, plays and copies, obeys its own policy, and asks nobody else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from dailies.domain.states import State
from dailies.report.links import on_disk
from dailies.report.page import PageFacts, Ways
from dailies.report.write import Extras, write_report
from tests.report.conftest import Open, until
from tests.report.factories import MADE_AT, a_batch_row, credits, make_files, mixed_rows

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
HOSTILE = (
    "<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", "\"'><svg onload=alert(1)>", "javascript:alert(1)",
    "{{ 7*7 }} ${7*7} `id`", "<!-- ]]> \u2028 \u202e &lt; \x00", "=cmd()|' /C calc'!A0", "'; DROP TABLE clips; --",
)  # fmt: skip


@pytest.fixture
def forty(tmp_path: Path) -> str:
    """The page of forty mixed clips with their files, as a run leaves it."""
    return written(tmp_path, 40)


def written(folder: Path, count: int, files: bool = True) -> str:
    """Write a report of so many clips below `folder`; gives the page's path in it."""
    rows = mixed_rows(count, days=1 if count < 100 else 21)
    if files:
        make_files(rows, folder / "report", folder / "clips")
    facts = PageFacts(
        MADE_AT,
        {"monday": "dailies run prompts.csv --batch monday"},
        ways=Ways.of("monday"),
    )
    link = on_disk(folder / "report", folder / "clips")
    write_report(credits(rows), folder / "report", None, extras=Extras(link, facts))
    return "report/report.html"


def test_failures_and_doubts_come_first_each_with_its_next_command(visit: Open, forty: str) -> None:
    page = visit(forty).page
    topics = page.locator("#cards .tag").all_text_contents()
    assert topics[:3] == ["in doubt", "in doubt", "charged and lost"]
    assert topics[-1] == "delivered"
    first = page.locator("#cards .card").first
    expect(first.locator("code")).to_have_text("dailies collect")
    expect(page.locator(".todo h3").first).to_have_text(re.compile("^2 in doubt"))


def test_it_filters_by_state_by_model_and_by_the_teams_own_column(visit: Open, forty: str) -> None:
    page = visit(forty).page
    page.get_by_role("button", name="not as ordered").first.click()
    expect(page.locator("#shown")).to_have_text("2 of 40 clips")
    page.locator("#chips").get_by_role("button", name="all").click()
    page.get_by_label("campaign").select_option(label="launch")
    launched = page.locator("#cards .card").count()
    assert 0 < launched < 40
    page.get_by_label("model").select_option(label="google/veo-3.1-i2v")
    assert page.locator("#cards .card").count() < launched
    assert {"veo-3.1-i2v" in text for text in page.locator("#cards .facts").all_text_contents()} == {True}


def test_it_searches_prompts_and_says_so_when_nothing_is_found(visit: Open, forty: str) -> None:
    page = visit(forty).page
    page.keyboard.press("/")
    page.keyboard.type("shot 17")
    expect(page.locator("#shown")).to_have_text("1 of 40 clips")
    expect(page.locator("#cards h3").first).to_contain_text("scene-017")
    page.locator("#find").fill("no clip says this")
    expect(page.locator("#cards")).to_have_text("No clip is like that.")


def test_it_sorts_by_price_time_and_name(visit: Open, forty: str) -> None:
    page = visit(forty).page
    page.get_by_label("Sort").select_option(label="by name")
    expect(page.locator("#cards h3 span:first-child").first).to_have_text("scene-001")
    page.get_by_label("Sort").select_option(label="dearest first")
    prices = [text.split(" ·")[0] for text in page.locator("#cards .facts").all_text_contents()[:8]]
    amounts = [float(price.strip("$")) for price in prices]
    assert amounts == sorted(amounts, reverse=True)


@pytest.mark.parametrize("on_disk", [True, False], ids=["opened from disk", "over http"])
def test_a_click_on_a_poster_plays_the_clip_in_place(visit: Open, forty: str, on_disk: bool) -> None:
    seen = visit(forty, on_disk=on_disk)
    seen.page.get_by_role("button", name="Play scene-013").click()
    video = seen.page.locator("#cards video")
    until(seen.page, "document.querySelector('#cards video').currentTime > 0.1")
    assert video.evaluate("v => v.videoWidth") == 320
    assert seen.complaints == []
    assert seen.elsewhere() == []


def test_one_clip_plays_at_a_time(visit: Open, forty: str) -> None:
    page = visit(forty).page
    page.get_by_role("button", name="Play scene-013").click()
    until(page, "!document.querySelector('#cards video').paused")
    page.get_by_role("button", name="Play scene-016").click()
    until(page, "[...document.querySelectorAll('video')].filter(v => !v.paused).length === 1")
    assert page.locator("#cards video").first.evaluate("v => v.paused")


def test_it_is_used_with_the_keyboard_alone(visit: Open, forty: str) -> None:
    page = visit(forty).page
    page.get_by_role("button", name="Play scene-013").focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Play scene-014"
    page.keyboard.press("i")
    expect(page.locator("#detail-title")).to_have_text("scene-014")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#detail-title")).to_have_text("scene-015")
    page.keyboard.press("Escape")
    until(page, "document.activeElement.ariaLabel === 'Details of scene-015'")


def test_details_show_settings_times_money_and_ids(visit: Open, forty: str) -> None:
    page = visit(forty).page
    page.get_by_role("button", name="Details of scene-010").click()
    text = page.locator("#detail").inner_text()
    for words in ("stored (not as ordered)", "asked for 1280x720, got 640x360", "s3://studio/clips/monday/scene-010-", "video_",
                  "--refund-pack", "campaign", "4 polls", "https://pictures.example/cat.png"):  # fmt: skip
        assert words in text


def test_a_command_is_copied_with_one_click(visit: Open, forty: str) -> None:
    page = visit(forty, permissions=["clipboard-read", "clipboard-write"]).page
    page.locator("#cards .copy").first.click()
    expect(page.locator("#said")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "dailies collect"


def test_hostile_prompts_and_names_are_only_text(visit: Open, tmp_path: Path) -> None:
    rows = [
        a_batch_row(n, State.STORED if n % 2 else State.FAILED, batch=text, id=text, prompt=text + str(n), labels={text: text},
                    **({"error": text} if not n % 2 else {"mismatch": text}))
        for n, text in enumerate(HOSTILE * 2)
    ]  # fmt: skip
    facts = PageFacts(MADE_AT, dict.fromkeys(HOSTILE, HOSTILE[0]), HOSTILE[2], Ways.of(HOSTILE[1]))
    write_report(credits(rows, HOSTILE[1]), tmp_path / "report", None, extras=Extras(facts=facts))
    seen = visit("report/report.html")
    for label in ("Details",):
        for button in seen.page.get_by_text(label, exact=True).all():
            button.click()
            seen.page.keyboard.press("Escape")
    assert seen.page.locator("#cards .card").count() == len(rows)
    assert (seen.page.locator("#cards .prompt").first.text_content() or "").startswith(
        tuple(text.split("\x00")[0][:8] for text in HOSTILE)
    )
    assert seen.page.locator("img[src=x], svg[onload], a[href^='javascript']").count() == 0
    assert seen.complaints == []
    assert seen.elsewhere() == []


def test_its_policy_lets_no_other_script_style_or_address_in(visit: Open, forty: str) -> None:
    seen = visit(forty)
    seen.page.evaluate("""() => {
        window.broken = [];
        document.addEventListener('securitypolicyviolation', (e) => window.broken.push(e.effectiveDirective));
        const script = document.createElement('script');
        try { script.text = 'window.ran = 1'; } catch { window.broken.push('trusted types'); }
        document.body.append(script);
        const image = new Image(); image.src = 'http://127.0.0.1:9/pixel.png'; document.body.append(image);
        const style = document.createElement('style'); style.textContent = 'body{display:none}'; document.head.append(style);
        fetch('report.html').catch(() => {});
    }""")
    until(seen.page, "window.broken.includes('connect-src')")
    assert {"img-src", "style-src-elem", "connect-src"} <= set(seen.page.evaluate("window.broken"))
    assert seen.page.evaluate("window.ran") is None


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_in_light_and_dark(visit: Open, forty: str, scheme: str) -> None:
    seen = visit(forty, width=360, height=740, color_scheme=scheme)
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= 360
    background = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(20, 19, 18)") == (scheme == "dark")


def test_a_missing_poster_leaves_a_blank_that_still_plays(visit: Open, forty: str, tmp_path: Path) -> None:
    next((tmp_path / "report" / "posters").glob("scene-013-*")).unlink()
    page = visit(forty).page
    page.get_by_role("button", name="Play scene-013").click()
    until(page, "document.querySelector('#cards video').currentTime > 0")


def test_a_clip_that_can_not_be_reached_says_so(visit: Open, forty: str, tmp_path: Path) -> None:
    next((tmp_path / "clips").glob("scene-013-*")).unlink()
    page = visit(forty).page
    page.get_by_role("button", name="Play scene-013").click()
    expect(page.get_by_role("alert")).to_contain_text("can’t be reached")


def test_two_thousand_clips_are_drawn_as_one_scrolls(visit: Open, tmp_path: Path) -> None:
    seen = visit(written(tmp_path, 2000, files=False))
    assert seen.page.locator("#cards .card").count() < 400
    seen.page.locator("#cards .card").nth(110).scroll_into_view_if_needed()
    until(seen.page, "document.querySelectorAll('#cards .card').length > 120")
    seen.page.locator("#find").fill("shot 1999")
    expect(seen.page.locator("#shown")).to_have_text("1 of 2,000 clips")
    assert seen.page.evaluate("performance.getEntriesByName('ready')[0].startTime") < 10_000
    assert seen.complaints == []


def test_a_page_in_parts_unpacks_one_as_one_scrolls_and_all_to_look_for_something(
    visit: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("page", "parts"):
        monkeypatch.setattr(f"dailies.report.{module}.PART", 200)
    name, left = written(tmp_path, 1500, files=False), "document.querySelectorAll('script.part').length"
    seen = visit(name, on_disk=True)
    page, parts = seen.page, (tmp_path / name).read_text().count('class="part"')
    expect(page.locator("#shown")).to_have_text("1,500 clips")
    expect(page.locator("#chips").get_by_role("button", name="all")).to_have_text("all1,500")
    packed = page.evaluate(left)
    assert 0 < packed < parts, "only what is shown first is unpacked"
    assert page.locator("#cards .tag").first.text_content() == "in doubt"
    for drawn in (120, 240, 360):
        page.locator("#cards .card").last.scroll_into_view_if_needed()
        until(page, f"document.querySelectorAll('#cards .card').length > {drawn}")
    assert 0 < page.evaluate(left) < packed
    page.locator("#find").fill("shot 1499")
    expect(page.locator("#shown")).to_have_text("1 of 1,500 clips")
    assert page.evaluate(left) == 0
    page.locator("#find").fill("")
    expect(page.locator("#shown")).to_have_text("1,500 clips")
    fresh = visit(name, on_disk=True).page
    assert fresh.evaluate(left) == packed
    fresh.locator("#chips").get_by_role("button", name="failed at the provider").click()
    until(fresh, f"{left} === 0")
    expect(fresh.locator("#shown")).to_have_text(re.compile(r"^\d+ of 1,500 clips$"))
    fresh.locator("#chips").get_by_role("button", name="all").click()
    fresh.locator("#chips").get_by_role("button", name="delivered").click()
    fresh.keyboard.press("ArrowRight")
    fresh.keyboard.press("x")
    expect(fresh.locator("#decided")).to_have_text(re.compile(r"^1 of 1\d{3} decided · 1 reject$"))
    again = visit(f"{name}#sort=by+name", on_disk=True).page
    expect(again.locator("#cards h3 span:first-child").first).to_have_text("scene-001")
    assert seen.complaints == []


def test_every_control_has_a_name_for_a_screen_reader(visit: Open, forty: str) -> None:
    page = visit(forty).page
    nameless = page.evaluate("""() => [...document.querySelectorAll('button, input, select, a, video, svg[role=img]')]
        .filter((node) => !node.closest('[hidden], dialog'))
        .filter((node) => !(node.ariaLabel || node.textContent.trim() || node.labels?.length)).length""")
    assert nameless == 0
    assert [page.locator(level).count() for level in ("h1", "main", "[role=search]", "[role=status]")] == [1, 1, 1, 2]


def test_a_long_address_widens_neither_a_chart_nor_the_details(visit: Open, forty: str) -> None:
    page = visit(forty).page
    page.locator("#cards .card").first.get_by_role("button", name="Details").click()
    wide = """([inside, around]) => {
        for (const one of document.querySelectorAll(inside)) one.textContent = "https://x.example/" + "a".repeat(300);
        return [...document.querySelectorAll(around)].filter(one => one.scrollWidth > one.clientWidth).length;
    }"""
    for inside, around in ((".bars th[scope=row]", "figure"), ("dialog dt, dialog dd", "dialog")):
        assert page.locator(inside).count() and page.evaluate(wide, [inside, around]) == 0, inside
