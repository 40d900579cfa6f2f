"""The report's page plays and takes verdicts where it is opened from, without any server of ours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dailies.domain.records import BatchRow
from dailies.domain.verdicts import Said, Verdict, Word
from dailies.report.links import links_end, on_disk, wherever
from dailies.report.page import PageFacts, Ways
from dailies.report.write import Extras, write_report
from dailies.review.sheet import decided, read_verdicts
from dailies.storage.s3 import S3
from tests.report.conftest import Open, until
from tests.report.factories import MADE_AT, a_batch_row, credits, make_files
from tests.review.conftest import MakeStudio, make_studio, moto_url

__all__ = ["make_studio", "moto_url"]
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
PAGE = "report/report.html"


def five(folder: Path) -> list[BatchRow]:
    """The page of five clips with their files, two of them takes of one row, one with a verdict."""
    rows = [a_batch_row(n, id=name) for n, name in enumerate(("a", "b", "c"), start=1)]
    rows += [a_batch_row(n, id="d", clip={"take": take}) for n, take in ((4, ""), (5, "2"))]
    said = Verdict(1, rows[1].clip_key, MADE_AT, "Bo", Said(Word.REJECT, "too dark"))
    rows[1] = rows[1]._replace(verdict=said)
    make_files(rows, folder / "report", folder / "clips")
    write(folder, rows)
    return rows


def write(folder: Path, rows: Sequence[BatchRow]) -> None:
    facts = PageFacts(MADE_AT, ways=Ways.of("monday"))
    write_report(
        credits(rows), folder / "report", None, extras=Extras(on_disk(folder / "report", folder / "clips"), facts)
    )


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.closest('.card')?.querySelector('h3 > span').textContent"))


def exported(page: Page, folder: Path) -> bytes:
    with page.expect_download() as download:
        page.get_by_role("button", name="Export verdicts").click()
    download.value.save_as(folder / "verdicts.csv")
    return (folder / "verdicts.csv").read_bytes()


def test_posters_come_first_and_figures_after(visit: Open, tmp_path: Path) -> None:
    five(tmp_path)
    page = visit(PAGE).page
    tops = [page.locator(name).bounding_box() for name in ("#cards", "#figures")]
    assert tops[0] and tops[1] and tops[0]["y"] < tops[1]["y"]
    assert tops[0]["y"] < 700, "on the first screen"


def test_arrows_move_between_clips_from_the_first_key_on(visit: Open, tmp_path: Path) -> None:
    five(tmp_path)
    page = visit(PAGE).page
    page.get_by_label("Sort").select_option(label="as in the CSV")
    page.locator("#sort").blur()
    names = []
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowDown"):
        page.keyboard.press(key)
        names.append(focused(page))
    assert names[:4] == ["a", "b", "c", "b"]


@pytest.mark.parametrize("on_disk", [True, False], ids=["opened from disk", "over http"])
def test_verdicts_are_given_by_keyboard_and_exported_as_a_file_that_is_imported(
    visit: Open, tmp_path: Path, on_disk: bool
) -> None:
    rows = five(tmp_path)
    seen = visit(PAGE, on_disk=on_disk, accept_downloads=True)
    page = seen.page
    expect(page.locator("#decided")).to_have_text("1 of 5 decided · 1 reject")
    expect(page.get_by_role("button", name="Export verdicts")).to_be_hidden()
    page.get_by_label("Sort").select_option(label="as in the CSV")
    page.locator("#sort").blur()
    for key in ("ArrowRight", "k", "ArrowRight", "r", "u", "ArrowRight", "r", "n"):
        page.keyboard.press(key)
    page.locator("#note-text").fill('=SUM(1), "quoted"')
    page.locator("#note-prompt").fill("two lines\nof a prompt")
    page.locator("#note-save").click()
    expect(page.locator("#decided")).to_have_text("3 of 5 decided · 1 keep · 1 retake · 1 reject")
    page.reload()
    page.wait_for_selector("html[data-ready]", state="attached")
    expect(page.locator("#decided")).to_have_text("3 of 5 decided · 1 keep · 1 retake · 1 reject")
    found = decided(read_verdicts(exported(page, tmp_path), "verdicts.csv"), rows, None, "verdicts.csv")
    assert {key: one.said for key, one in found.items()} == {
        rows[0].clip_key: Said(Word.KEEP),
        rows[2].clip_key: Said(Word.RETAKE, '=SUM(1), "quoted"', "two lines\nof a prompt"),
    }
    assert seen.complaints == [] and seen.elsewhere() == []


def test_a_link_leads_to_a_clip_and_to_a_filter(visit: Open, tmp_path: Path) -> None:
    rows = five(tmp_path)
    page = visit(f"{PAGE}#clip={rows[2].clip_key[:16]}&verdict=undecided").page
    expect(page.locator("#detail-title")).to_have_text("c")
    expect(page.locator("#shown")).to_have_text("4 of 5 clips")
    page.keyboard.press("Escape")
    page.locator("#find").fill("prompt 4")
    expect(page.locator("#shown")).to_have_text("1 of 5 clips")
    assert "find=prompt" in page.url and "verdict=undecided" in page.url


def test_one_clip_and_all_are_downloaded(visit: Open, tmp_path: Path) -> None:
    five(tmp_path)
    page = visit(PAGE, accept_downloads=True).page
    with page.expect_download() as download:
        page.get_by_role("button", name="Download a", exact=True).click()
    assert download.value.suggested_filename == "a.mp4"
    names: list[str] = []
    page.on("download", lambda one: names.append(one.suggested_filename))
    with page.expect_download(lambda one: one.suggested_filename == "d_take_2.mp4"):
        page.get_by_role("button", name="Download all shown").click()
    assert {"a.mp4", "b.mp4", "c.mp4", "d.mp4"} <= set(names)


def test_verdicts_and_who_gave_them_are_shown(visit: Open, tmp_path: Path) -> None:
    five(tmp_path)
    page = visit(PAGE).page
    expect(page.locator("#cards .verdict")).to_have_text("reject")
    page.get_by_role("button", name="Details of b").click()
    text = page.locator("#detail").inner_text()
    assert "reject by Bo" in text and "too dark" in text


def test_it_plays_from_a_private_bucket_and_says_until_when(
    visit: Open, tmp_path: Path, make_studio: MakeStudio
) -> None:
    studio = make_studio()
    studio.shoot([("a", ""), ("b", "")])
    ledger = studio.ledger()
    rows = ledger.rows("monday")
    ledger.engine.dispose()
    now = datetime.now(MADE_AT.tzinfo)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in studio.environ.items():
            patch.setenv(name, value)
        folder = tmp_path / "report"
        facts = PageFacts(now, ways=Ways.of("monday", links_end(now)))
        write_report(credits(rows), folder, None, extras=Extras(wherever(S3(), folder, None), facts))
    seen = visit(PAGE, on_disk=True)
    end = (now + timedelta(days=7)).strftime("%Y-%m-%d %H:%M UTC")
    expect(seen.page.locator(".sheet time")).to_have_text(end)
    seen.page.get_by_role("button", name="Play a", exact=True).click()
    until(seen.page, "document.querySelector('#cards video').currentTime > 0.1")
    assert all(url.startswith((studio.s3_url, seen.base, "data:")) for url in seen.requests)


def test_local_copies_come_before_links(tmp_path: Path, make_studio: MakeStudio) -> None:
    studio = make_studio()
    studio.shoot([("a", ""), ("b", "")])
    ledger = studio.ledger()
    one, other = credits(ledger.rows("monday")).lines
    ledger.engine.dispose()
    copies = tmp_path / "clips"
    copies.mkdir()
    (copies / str(one.s3_uri).rsplit("/", 1)[-1]).write_bytes(b"a film")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in studio.environ.items():
            patch.setenv(name, value)
        link = wherever(S3(), tmp_path / "report", copies)
        assert str(link(one).clip).startswith("../clips/")
        assert "X-Amz-Signature" in str(link(other).clip)


def test_where_nothing_plays_it_says_how_to_start_the_screening_room(visit: Open, tmp_path: Path) -> None:
    write_report(
        credits([a_batch_row()]),
        tmp_path / "report",
        None,
        extras=Extras(facts=PageFacts(MADE_AT, ways=Ways.of("monday"))),
    )
    expect(visit(PAGE).page.locator(".note code")).to_have_text("dailies review --batch monday")
