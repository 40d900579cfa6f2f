"""The page as text, and what is decided for it: advice, links, charts, selection."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
import zlib
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.domain.clip_line import columns_of, line_of
from dailies.domain.records import BatchRow
from dailies.domain.states import Failure, State
from dailies.errors import BadInput
from dailies.planning.request import BatchRequest
from dailies.report.advice import Topic, advice_for, topics_of
from dailies.report.charts import MOST_BARS, bars_of, charts_of, seconds_per_clip, spend_by_day
from dailies.report.credits import Credits
from dailies.report.links import Linker, beside, checked_base, from_base, on_disk, origins
from dailies.report.page import Drawing, PageFacts
from dailies.report.runs import runs_of
from dailies.report.select import Selection, chosen, day, each_chosen, grouping
from dailies.report.sums import Sums
from tests.report.factories import MADE_AT, a_batch_row, credits, mixed_rows, sum_of

FACTS = PageFacts(MADE_AT)


def data_of(page: str) -> dict[str, Any]:
    """What the page's script would unpack."""
    unpacked = head_of(page)
    whole = [[*clip, *links] for clip, links in zip(unpacked["clips"], unpacked["links"], strict=True)]
    return {**unpacked, "clips": whole}


def head_of(page: str) -> dict[str, Any]:
    """The same as it stands there; of a page in parts all but its clips."""
    packed = re.search(r'<script type="application/octet-stream" id="data">([^<]*)</script>', page)
    assert packed
    unpacked: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed[1])))
    return unpacked


def topic(row: BatchRow) -> Topic:
    """Where a row's clip is sorted."""
    return topics_of([row], columns_of([row]))[0]


@pytest.mark.parametrize(("row", "expected"), [
    (a_batch_row(), Topic.DELIVERED), (a_batch_row(mismatch="asked for 4 s, got 2 s"), Topic.MISMATCH),
    (a_batch_row(1, None), Topic.NOT_STARTED),
    (a_batch_row(1, State.IN_DOUBT), Topic.IN_DOUBT), (a_batch_row(1, State.SUBMITTING), Topic.IN_DOUBT),
    (a_batch_row(1, State.SUBMITTED, error="overdue: generating"), Topic.OVERDUE),
    (a_batch_row(1, State.SUBMITTED), Topic.INTERRUPTED), (a_batch_row(1, State.COMPLETED), Topic.INTERRUPTED),
    (a_batch_row(1, State.RESULT_LOST), Topic.LOST), (a_batch_row(1, State.SUPERSEDED), Topic.NOT_STARTED),
    (a_batch_row(1, State.ORPHANED, failure=Failure.GENERATION), Topic.LOST),
    *[(a_batch_row(1, State.FAILED, failure=failure), expected) for failure, expected in (
        (Failure.REFUSED, Topic.REFUSED), (Failure.GENERATION, Topic.FAILED), (Failure.NOT_SENT, Topic.NOT_SENT),
        (Failure.MISCONFIGURED, Topic.NOT_SENT), (Failure.BUSY, Topic.NOT_STARTED), (Failure.STOPPED, Topic.NOT_STARTED))],
], ids=lambda value: str(value) if isinstance(value, Topic) else "")  # fmt: skip
def test_every_clip_has_one_topic(row: BatchRow, expected: Topic) -> None:
    assert topic(row) is expected


def test_whatever_is_not_delivered_well_has_a_command() -> None:
    for row in mixed_rows(40):
        advice = advice_for(topic(row), line_of(row), "dailies run a.csv --to s3://b")
        assert bool(advice.commands) == (advice.topic is not Topic.DELIVERED)


@pytest.mark.parametrize(("provider", "says"), [
    ("aiml", "asks AI/ML API's log again"), ("fal", "looks through fal's history again"),
    ("runware", "asks Runware again by our own id"), ("higgsfield", "a run asks Higgsfield by the same request"),
    ("openrouter", "OpenRouter has nothing that could be asked"), ("acme", "acme has nothing that could be asked"),
    ("onerouter", "OneRouter (Infron) has nothing that could be asked"),
])  # fmt: skip
def test_a_doubt_is_told_what_its_own_provider_can_be_asked(provider: str, says: str) -> None:
    (command,) = advice_for(Topic.IN_DOUBT, line_of(a_batch_row(1, State.IN_DOUBT))._replace(provider=provider)).shared
    assert says in command.hint and command.text == "dailies collect"


class Batch:
    """What the ledger knows of one batch."""

    def __init__(self, asked: BatchRequest | None, source: str | None = None, destination: str | None = None) -> None:
        self.asked, self.source, self.destination = asked, source, destination

    def batch_asked(self, batch: str) -> dict[str, Any]:
        return self.asked.asked() if self.asked else {}

    def batch_source(self, batch: str) -> str | None:
        return self.source

    def batch_destination(self, batch: str) -> str | None:
        return self.destination


@given(st.text(), st.text())
def test_a_command_stays_one_line_of_words_whatever_batch_and_file_are_called(name: str, file: str) -> None:
    row = a_batch_row(1, None, batch=name)
    runs = runs_of(Batch(None, f"/{file}", "s3://b/p"), [name])
    (command,) = advice_for(topic(row), line_of(row), runs[name]).commands
    words = shlex.split(command.text)
    assert words[:2] == ["dailies", "run"] and len(words) in (5, 6, 7) and command.text.isprintable()


def test_the_run_that_goes_on_with_a_batch_is_the_one_that_made_it() -> None:
    """With its file, its place and its options; without a part of it, and nothing where its file is not known."""
    order = BatchRequest(prompts="/x/a.csv", batch="m", take="b", fit="crop", budget_usd=Decimal(9), ids="a,b")
    line = runs_of(Batch(order, "/x/a.csv", "s3://b/p"), ["m"])["m"]
    assert line == "dailies run /x/a.csv --to s3://b/p --batch m --take b --budget 9 --fit crop"
    assert runs_of(Batch(None), ["m"]) == {}


def drawn(figures: Credits, link: Linker, facts: PageFacts) -> str:
    """The page as HTML text."""
    return Drawing(figures, facts).page(link)


def test_the_policy_names_the_very_style_and_script_of_the_page() -> None:
    page = drawn(credits(mixed_rows(3)), on_disk(Path("/none"), None), FACTS)
    for tag in ("style", "script"):
        text = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)[-1]
        assert f"{tag}-src &#39;sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}&#39;" in page
    assert "unsafe" not in page and "default-src &#39;none&#39;" in page


def test_both_copies_of_a_page_have_their_own_links_to_the_same_clips() -> None:
    drawing = Drawing(credits([a_batch_row(1), a_batch_row(2)]), FACTS)
    here, there = (
        data_of(drawing.page(link)) for link in (beside("studio", "clips/monday"), from_base("https://cdn.x"))
    )
    again = data_of(drawing.page(beside("studio", "clips/monday")))
    assert here == again and here["clips"] != there["clips"]
    assert [clip[:-2] for clip in here["clips"]] == [clip[:-2] for clip in there["clips"]]
    assert {str(clip[-2])[:14] for clip in there["clips"] if clip[-2]} == {"https://cdn.x/"}


def test_two_thousand_clips_make_a_page_of_less_than_half_a_megabyte() -> None:
    page = drawn(credits(mixed_rows(2000)), beside("studio", "clips/monday"), FACTS)
    assert len(page.encode()) < 500_000
    assert len(data_of(page)["clips"]) == 2000


def test_a_page_of_many_clips_holds_each_of_them_once_in_parts_the_most_urgent_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for module in ("page", "parts"):
        monkeypatch.setattr(f"dailies.report.{module}.PART", 20)
    figures = credits(mixed_rows(200))
    page = drawn(figures, beside("studio", "clips/monday"), FACTS)
    head, whole = head_of(page), figures.topics
    blocks = re.findall(r'<script type="application/octet-stream" class="part">([^<]*)</script>', page)
    parts = [json.loads(zlib.decompress(base64.b64decode(block))) for block in blocks]
    assert (
        "clips" not in head and head["many"]["parts"] == len(parts) and max(len(part["clips"]) for part in parts) == 20
    )
    assert page.index("<script>") > page.index(blocks[1]) and page.index("<script>") < page.index(blocks[2])
    places = [at for part in parts for at, *_ in part["clips"]]
    assert places == sorted(range(200), key=lambda at: ([*Topic].index(whole[at]), at))
    ids = {at: values[head["fields"].index("id")] for part in parts for at, *values in part["clips"]}
    assert [ids[at] for at in range(200)] == [line.id for line in figures.lines]
    films = {clip[0]: film for part in parts for clip, (film, _) in zip(part["clips"], part["links"], strict=True)}
    assert [films[at] for at in range(200)] == [beside("studio", "clips/monday")(line).clip for line in figures.lines]
    assert head["many"]["all"] == 200 and head["many"]["topics"] == Counter(map(str, whole))
    assert head["many"]["values"]["model"] == sorted({line.model for line in figures.lines})


def test_a_hostile_name_is_escaped_where_the_page_says_it() -> None:
    row = a_batch_row(1, None, batch="<script>alert(1)</script>", labels={"<b>": "<i>"})
    page = drawn(credits([row, a_batch_row(2)], row.batch), on_disk(Path("/none"), None), FACTS)
    assert "<script>alert" not in page and "<i>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_the_page_in_s3_links_to_clips_beside_it() -> None:
    link = beside("studio", "clips/monday")(line_of(a_batch_row(7)))
    assert link.clip and re.fullmatch(r"row-07-[0-9a-f]{12}\.mp4", link.clip)
    assert link.poster == link.clip.replace(".mp4", ".webp")
    assert (beside("studio", "clips/_reports/week")(line_of(a_batch_row(7))).clip or "").startswith(
        "../../monday/row-07-"
    )
    assert beside("another", "clips/monday")(line_of(a_batch_row(7))).clip is None


def test_a_link_base_stands_for_the_bucket() -> None:
    link = from_base("https://cdn.example.com/dailies/")(line_of(a_batch_row(7)))
    assert (link.clip or "").startswith("https://cdn.example.com/dailies/clips/monday/row-07-")
    assert origins(link) == {"https://cdn.example.com"}


@pytest.mark.parametrize("base", ["javascript:alert(1)", "//cdn", "cdn.example.com", "ftp://a", "https://", "https://u:p@a", "https://a?b",
                                  "https://a'; script-src *", "data:text/html,x", "https://a b"])  # fmt: skip
def test_a_link_base_that_is_no_web_address_is_refused(base: str) -> None:
    with pytest.raises(BadInput):
        checked_base(base)


def test_an_odd_key_can_not_leave_its_link() -> None:
    row = a_batch_row(7, s3_uri="s3://studio/clips/monday/java:script'\"<x>.mp4")
    assert beside("studio", "clips/monday")(line_of(row)).clip == "java%3Ascript%27%22%3Cx%3E.mp4"


def test_bars_add_up_and_sum_the_smallest_as_others() -> None:
    rows = [a_batch_row(n, usd_quoted=Decimal(n)) for n in range(1, 21)]
    bars = bars_of("id", {row.id: sum_of([line_of(row)]) for row in rows})
    assert bars and len(bars.bars) == MOST_BARS
    assert bars.bars[0].charged == "$20.00" and bars.bars[0].quoted == "$20.00"
    assert (
        bars.bars[-1].name == "9 others" and bars.bars[-1].charged == "$45.00" and bars.bars[-1].charged_pct == "100.00"
    )


def test_a_column_of_labels_is_no_chart() -> None:
    rows = [a_batch_row(n, labels={"shot": str(n), "take": str(n % 40)}) for n in range(50)]
    assert [bars.column for bars in charts_of(credits(rows).sums)[0]] == ["model", "take"]


def test_a_column_that_comes_late_has_the_clips_before_it_too() -> None:
    rows = [a_batch_row(n, labels={} if n < 3 else {"campaign": "spring"}) for n in range(5)]
    (bars,) = [one for one in charts_of(credits(rows).sums)[0] if one.column == "campaign"]
    assert {bar.name: (bar.clips, bar.charged) for bar in bars.bars} == {"–": (3, "$3.78"), "spring": (2, "$2.52")}


def test_days_without_spend_are_shown_and_a_long_span_is_by_month() -> None:
    rows = [a_batch_row(n, created_at=datetime(2026, 11, day, tzinfo=UTC)) for n, day in enumerate((1, 1, 4))]
    chart = spend_by_day(credits(rows).by_day)
    assert chart and [pillar.value for pillar in chart.pillars] == ["$2.52", "$0.00", "$0.00", "$1.26"]
    year = [a_batch_row(n, created_at=datetime(2026, 1, 31, tzinfo=UTC) + timedelta(days=40 * n)) for n in range(8)]
    chart = spend_by_day(credits(year).by_day)
    assert chart and (chart.first, chart.last, len(chart.pillars)) == ("2026-01", "2026-11", 11)
    assert spend_by_day(credits(rows[:2]).by_day) is None


@given(st.lists(st.floats(0, 5000), min_size=5, max_size=60))
def test_the_histogram_counts_every_clip_once(seconds: list[float]) -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    lines = [
        line_of(a_batch_row(n, created_at=at, completed_at=at + timedelta(seconds=s))) for n, s in enumerate(seconds)
    ]
    chart = seconds_per_clip(line.seconds for line in lines if line.seconds is not None)
    assert chart and sum(int(pillar.value.split()[0]) for pillar in chart.pillars) == len(seconds)
    assert len(chart.pillars) <= 30


def test_an_empty_report_has_a_page_too() -> None:
    assert charts_of(Sums()) == ((), ())
    assert "0 of 0 delivered" in drawn(credits([]), on_disk(Path("/none"), None), FACTS)


def test_a_span_a_provider_and_a_model_are_chosen() -> None:
    rows = [
        a_batch_row(n, created_at=datetime(2026, 11, n, 23, 59, tzinfo=UTC), clip={"model": f"maker/m{n}"})
        for n in (1, 2, 3)
    ]
    assert [row.number for row in chosen(rows, Selection(since=date(2026, 11, 2), until=date(2026, 11, 2)))] == [2]
    assert [row.number for row in chosen(rows, Selection(model="M3"))] == [3]
    assert chosen(rows, Selection(provider="onerouter")) == []
    with pytest.raises(BadInput, match="not a day"):
        day("--until", "tomorrow")


def test_of_one_batch_the_same_rows_are_chosen_one_after_another() -> None:
    rows = mixed_rows(40, days=3)
    first = next(attempt.created_at.date() for row in rows for attempt in row.attempts)
    for selection in (
        Selection(),
        Selection("monday"),
        Selection("monday", first, first),
        Selection(model="veo-3.1-i2v"),
    ):
        assert list(each_chosen(iter(rows), selection)) == chosen(rows, selection) != []
    with pytest.raises(BadInput, match="friday"):
        list(each_chosen([], Selection("friday")))


def test_over_several_batches_a_clip_counts_once_for_the_batch_that_bought_it() -> None:
    bought = a_batch_row(1, batch="monday")
    again = BatchRow(
        "tuesday", 1, "row-01", bought.clip, bought.clip_key, ("aiml",), Decimal("1.26"), {}, bought.attempts
    )
    assert [row.batch for row in chosen([again, bought], Selection())] == ["monday"]
    with pytest.raises(BadInput, match="no batch"):
        chosen([again, bought], Selection("friday"))


def test_lines_are_grouped_by_day_by_our_columns_and_by_theirs() -> None:
    figures = credits([a_batch_row(1), a_batch_row(2, None, labels={})])
    assert [grouping(figures, "day")(at) for at in (0, 1)] == ["2026-11-21", "not bought"]
    assert [grouping(figures, "campaign")(at) for at in (0, 1)] == ["spring", "–"]
    assert grouping(figures, "model")(0) == "openai/sora-2-pro-i2v"
    with pytest.raises(BadInput, match="there are batch, campaign"):
        grouping(figures, "colour")


def test_a_charge_that_was_not_reported_is_neither_zero_nor_hidden() -> None:
    page = drawn(
        credits([a_batch_row(1), a_batch_row(2, usd_charged=None, clip={"model": "x/y"})]),
        on_disk(Path("/none"), None),
        FACTS,
    )
    assert '$1.26<small class="more">+ 1 not reported (about $1.26 quoted)</small>' in page
    assert "2 of 2 delivered · $1.26 charged, 1 not reported (about $1.26 quoted)" in page
    assert re.search(r'x/<wbr>y</th>.*?<td class="num" role="cell">~\$1.26</td>', page, re.DOTALL)
