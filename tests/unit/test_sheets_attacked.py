"""Spreadsheets that other countries' Excel, Numbers and hands leave behind: read as they are meant, or named with what to do."""

from __future__ import annotations

import csv
import io
from decimal import Decimal

import openpyxl
import pytest

from dailies.catalog import ResolvedOptions, load_catalog, resolve_options
from dailies.catalog.values import bool_of, decimal_of, pick, ratio_of, seconds_of
from dailies.errors import BadRows
from dailies.prompts import Sheet, read_sheet
from tests.unit.planned import plan

CATALOG = load_catalog()
ROW = "\na,calm,a.png,8\n"


def read(content: str | bytes) -> Sheet:
    return read_sheet(content.encode() if isinstance(content, str) else content, "batch.csv", CATALOG.option_words())


def refusal(content: str | bytes) -> str:
    with pytest.raises(BadRows) as caught:
        read(content)
    return str(caught.value)


@pytest.mark.parametrize("cell", ["8", "8,0", "8,00", "8.", "'8", "+8", "8 sec.", "８", "8 s", "8\u202fs"])
def test_seconds_are_read_as_any_countrys_sheet_writes_them(cell: str) -> None:
    assert seconds_of(cell) == 8


@pytest.mark.parametrize("cell", ["8,5", "8,000", "00:08", "8-10", "eight", "''8"])
def test_what_may_be_another_length_is_none(cell: str) -> None:
    assert seconds_of(cell) is None


@pytest.mark.parametrize("cell", ["16:09", "16:09:00", "4:09 PM", "04:09:00 pm", "16×9", "16 ∶ 9", "16：9", "'16:9"])
def test_a_ratio_that_became_a_time_of_day_is_a_ratio(cell: str) -> None:
    assert (ratio_of(cell), ratio_of("9:16:00 AM")) == ("16:9", "9:16")


@pytest.mark.parametrize("cell", ["12:09 AM", "16-9", "16.09", "0.672916666666667"])
def test_what_is_no_ratio_stays_as_it_was_written(cell: str) -> None:
    assert ratio_of(cell) == cell


def test_a_size_is_found_in_other_forms_of_its_letters() -> None:
    assert [pick(cell, ("720p", "1080p")) for cell in ("'720p", "７２０p", "1080 P", "720i")] == [
        "720p",
        "720p",
        "1080p",
        None,
    ]


@pytest.mark.parametrize(
    ("yes", "no"), [("WAHR", "FALSCH"), ("VRAI", "FAUX"), ("ИСТИНА", "ЛОЖЬ"), ("Y", "n"), ("1,0", "0,0")]
)
def test_true_and_false_are_read_in_the_words_of_other_languages_spreadsheets(yes: str, no: str) -> None:
    assert (bool_of(yes), bool_of(no), bool_of("maybe")) == (True, False, None)


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("0,5", "0.5"), (",5", "0.5"), ("0,500", "0.5"), ("12,0", "12"), ("1234,5", "1234.5"), ("−3", "-3"), ("'7", "7"),
        ("1,234", None), ("1.234.567", None), ("1 234", None), ("50%", None), ("12,345,678", None),
    ],
)  # fmt: skip
def test_a_decimal_comma_is_one_where_it_can_be_nothing_else(cell: str, number: str | None) -> None:
    found = decimal_of(cell)
    assert found == (None if number is None else Decimal(number))


def test_a_whole_number_that_may_be_a_thousand_is_asked_about() -> None:
    """`1.000` is one in some countries and a thousand in others; the seed decides what is bought."""
    model = next(m for m in CATALOG.models.values() if "seed" in m.options and m.image.sizes is None)
    problems = resolve_options(model, options={"seed": "1.000"})
    assert isinstance(problems, list) and "thousand" in problems[0].reason
    read_as = resolve_options(model, options={"seed": "1000.0"})
    assert isinstance(read_as, ResolvedOptions) and read_as.options["seed"] == 1000


@pytest.mark.parametrize("above", ["Table 1", "Table 1,,,", "Campaign, spring", "# for Anna", '"Campaign\tspring"'])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_title_above_the_header_is_named_with_the_line_of_the_header(above: str, separator: str) -> None:
    """As Numbers exports a table; it was called a row with too many cells."""
    said = refusal(
        f"{above}\r\n\r\n{'id,prompt,image'.replace(',', separator)}\r\n{'a,calm,a.png'.replace(',', separator)}\r\n"
    )
    assert "stand in line 3" in said and "delete the 2 lines above" in said


def test_a_title_above_the_header_of_a_workbook_is_named_with_its_row() -> None:
    said = refusal(a_workbook([["Spring"], [None], ["id", "prompt", "image"], ["a", "calm", "a.png"]]))
    assert "stand in row 3" in said and "delete the 2 rows above" in said


@pytest.mark.parametrize("quote", ["'", "`"])
@pytest.mark.parametrize("prompt", ["calm", "calm, wide"])
def test_cells_in_other_quotes_are_no_prompts(quote: str, prompt: str) -> None:
    cells = [f"{quote}{cell}{quote}" for cell in ("id", "prompt", "image")]
    assert 'quote them with "' in refusal(
        f"{','.join(cells)}\n{quote}a{quote},{quote}{prompt}{quote},{quote}a.png{quote}\n"
    )


def test_typeset_quotes_around_a_comma_are_named() -> None:
    assert "as a keyboard has it" in refusal("id,prompt,image\na,“calm, wide”,a.png\n")


@pytest.mark.parametrize(
    ("name", "meant"),
    [("durаtiоn", "duration"), ("Durаtion (s)", "duration"), ("ѕeed", "seed"), ("Duratıon", "duration"), ("ıd", "id"), ("Μοdel", "model")],
)  # fmt: skip
def test_a_name_in_letters_that_only_look_like_ours_is_asked_about(name: str, meant: str) -> None:
    """Cyrillic, Greek and dotless letters: the default would be bought."""
    assert f"did you mean {meant!r}?" in refusal(f"prompt,image,{name}\ncalm,a.png,8\n")


@pytest.mark.parametrize("name", ["клиент", "ответственный", "πελάτης", "müşteri", "кот"])
def test_a_name_in_another_language_is_the_teams_own(name: str) -> None:
    assert read(f"prompt,image,{name}\ncalm,a.png,8\n").own_columns == (name,)


def test_a_column_without_a_name_that_holds_cells_is_listed() -> None:
    """Its name may have been lost, and with it a length that somebody wrote."""
    sheet = read("id,,prompt,image,\na,,calm,a.png,8\nb,,wide,a.png,\n")
    assert sheet.own_columns == ("column_5",) and "column 5 has cells and no name" in sheet.notes[0]
    assert sheet.rows[0].labels == {"column_5": "8"}


def test_a_header_among_the_rows_is_no_clip() -> None:
    """As in two files that were put together."""
    said = refusal(f"id,prompt,image,duration{ROW}id, prompt,image,duration\nb,wide,a.png,8\n")
    assert "row 3: is the header once more; delete the row" in said


def test_rows_without_a_prompt_are_not_twins_as_well() -> None:
    with pytest.raises(BadRows) as caught:
        plan("id,prompt,image|" + "".join(f"r{n},,a.png|" for n in range(40)))
    assert "40 rows, prompt" in str(caught.value) and "same clip" not in str(caught.value)


def test_a_large_file_of_one_line_is_no_crash() -> None:
    """A list of objects by mistake: longer than a cell may be."""
    assert "does not look like names" in refusal("[" + '{"prompt":"calm"},' * 20_000 + "]")


def a_workbook(rows: list[list[object]]) -> bytes:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def test_a_workbook_that_is_formatted_to_its_last_row_is_read_at_once() -> None:
    """A million empty rows took minutes and gigabytes: only cells that hold anything are looked at."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["id", "prompt", "image", "duration"], ["a", "calm", "a.png", 8], ["b", "wide", "a.png", None]):
        sheet.append(row)
    sheet["A1048576"].number_format = sheet["XFD1"].number_format = "0.00"
    sheet.merge_cells("D2:D5")
    out = io.BytesIO()
    book.save(out)
    found = read(out.getvalue())
    assert [(row.sheet_row, row.cells["duration"]) for row in found.rows] == [(2, "8"), (3, "8")]
    assert found.own_columns == ()


ROWS_IN_QUOTES = [
    'id\tprompt\timage\na\t"Go on\ta.png\nb\tstop"\tb.png\nc\tcalm\tc.png\n',
    'id\tprompt\timage\na\tcalm\t"a.png\nb"\t\t\n',
    'id\tprompt\timage\tclient\n"Hi"\t"Go on\ta.png\tx\nb\tstop"\tb.png\ty\n',
    'id,prompt,image\na,"Go on,a.png\nb,stop",b.png\n',
    'id;prompt;duration\na;"Go on;4\nb;stop";8\n',
    'id,prompt,image\r\na,"Go on,https://x.org/a\r\nb,stop",https://x.org/b\r\n',
]


@pytest.mark.parametrize("text", ROWS_IN_QUOTES)
def test_rows_between_two_quotes_are_not_one_prompt(text: str) -> None:
    """Google Sheets quotes nothing in a file with tabs: a row was lost, and the other's prompt was two rows."""
    said = refusal(text)
    assert "opens in line 2 and closes in line 3" in said and "quote the names in the header" in said


def test_three_rows_below_a_sep_line_are_named_with_the_lines_of_the_file() -> None:
    said = refusal('sep=,\nid,prompt,image\na,x,a.png\nb,"Go,b.png\nc,on,c.png\nd,stop",d.png\n')
    assert "opens in line 4 and closes in line 6" in said


@pytest.mark.parametrize(
    "prompt",
    [
        "One, two\nthree, four", "cat,cute\nmasterpiece,best", "1,000 birds\n2,000 fish", "red, green, blue\na, b, c\nx, y, z",
        "Wide shot, dusk\n\nThe ferry, slowly, turns", 'A sign: "GO"\nthen, calm', "One,\ntwo,\nthree", "0:00, calm\n0:04, storm",
    ],
)  # fmt: skip
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("others", [{}, {"duration": "4"}, {"resolution": "720p", "duration": "4", "client": "acme"}])
def test_a_prompt_of_several_lines_is_one(prompt: str, separator: str, others: dict[str, str]) -> None:
    """With as many commas in each line as the header has, too."""
    cells = {"id": "a", "prompt": prompt.replace(",", separator) if separator == ";" else prompt, "image": "a.png"}
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator).writerows([[*cells, *others], [*cells.values(), *others.values()]])
    (row,) = read(out.getvalue()).rows
    assert row.cells["prompt"] == cells["prompt"]


@pytest.mark.parametrize("text", [text for text in ROWS_IN_QUOTES if text.startswith("id,prompt,image")])
def test_where_the_names_are_quoted_too_a_text_spans_lines_as_it_says(text: str) -> None:
    """The way out that the refusal names."""
    _, rows = text.split("\n", 1)
    (row,) = read(f'"id","prompt","image"\n{rows}').rows
    assert "\n" in row.cells["prompt"]
