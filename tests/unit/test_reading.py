"""What people's spreadsheets, databases and hands write is read as it is meant, or refused with the place and the cure."""

from __future__ import annotations

import csv
import io
import sys
import unicodedata
from contextlib import suppress
from datetime import date, time
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.catalog import load_catalog
from dailies.domain.text import clean_label, clean_prompt
from dailies.errors import BadRow, BadRows
from dailies.media.paths import Finder
from dailies.prompts import Sheet, read_sheet

OPTIONS = load_catalog().option_words()


def read(text: str | bytes) -> Sheet:
    return read_sheet(text.encode() if isinstance(text, str) else text, "batch.csv", OPTIONS)


def refusal(text: str | bytes) -> str:
    with pytest.raises(BadRows) as caught:
        read(text)
    return str(caught.value)


def header_of(*names: str) -> Sheet:
    return read(f"id,prompt,image,{','.join(names)}\na,calm,a.png,{','.join('1' for _ in names)}\n")


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("Duration (s)", "duration"), ("duration [sec]", "duration"), ("DURATION_S", "duration"),
        ("Duration (seconds)", "duration"), ("duration in seconds", "duration"), ("\u200bduration\ufeff", "duration"),
        ("Duration\u00a0(s)", "duration"), ("Aspect Ratio (w:h)", "aspect_ratio"), ("aspect-ratio", "aspect_ratio"),
        ("aspectRatio", "aspect_ratio"), ("Resolution (p)", "resolution"), ("[Take]", "take"), ("MODEL", "model"),
    ],
)  # fmt: skip
def test_a_column_of_ours_is_known_whatever_its_spelling(name: str, ours: str) -> None:
    assert header_of(name).rows[0].cells[ours] == "1"
    assert header_of(name).own_columns == ()


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("Negative Prompt", "negative_prompt"), ("negativePrompt", "negative_prompt"), ("Seed", "seed"),
        ("SEED (optional)", "seed"), ("CFG-Scale (0-1)", "cfg_scale"), ("Generate Audio", "generate_audio"),
        ("generate_audio (yes/no)", "generate_audio"), ("FPS", "fps"), ("Last Image (URL)", "last_image"),
    ],
)  # fmt: skip
def test_an_option_of_a_model_is_known_whatever_its_spelling(name: str, ours: str) -> None:
    assert header_of(name).rows[0].labels == {ours: "1"}
    assert header_of(name).own_columns == ()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("modle", "model"), ("Modell", "model"), ("durration", "duration"), ("duraton (s)", "duration"),
        ("Duration (ms)", "duration"), ("Duration (min)", "duration"), ("resolutoin", "resolution"),
        ("aspct ratio", "aspect_ratio"), ("ratio", "aspect_ratio"), ("provdier", "provider"), ("sede", "seed"),
        ("neagtive_prompt", "negative_prompt"), ("generate adio", "generate_audio"), ("length", "duration"),
        ("omdel", "model"), ("model_id", "model"), ("taek", "take"), ("seeds", "seed"), ("watermrk", "watermark"),
    ],
)  # fmt: skip
def test_a_column_that_is_nearly_ours_is_asked_about_and_both_ways_out_work(name: str, meant: str) -> None:
    """Renaming it as the question says makes it ours; the other name makes it the team's own."""
    with pytest.raises(BadRows) as caught:
        header_of(name)
    (bad,) = caught.value.rows
    assert bad.reason.startswith(f"did you mean {meant!r}?")
    renamed, own = bad.cure.split("'")[1], bad.cure.split("'")[3]
    assert header_of(renamed).own_columns == ()
    assert header_of(own).own_columns == (own,)


@pytest.mark.parametrize(
    "name",
    [
        "client", "notes", "model_notes", "campaign", "team", "mode", "speed", "title", "name", "market", "channel",
        "image credit", "prompt version", "prompt_de", "status", "owner", "date", "language", "scene", "shot", "idea",
        "editor", "tags", "priority", "cost centre", "video", "seeding", "make", "cake", "provided by", "Prompt (DE)",
        "image_url", "taken by", "durable", "promoter", "imagery", "like", "role", "look", "loupe", "Kommentar", "備考",
    ],
)  # fmt: skip
def test_a_column_of_the_teams_own_is_never_refused(name: str) -> None:
    assert header_of(name).own_columns == (name,)


@pytest.mark.parametrize(
    "pair",
    [("Seed", "seed"), ("duration", "Duration (s)"), ("client", "client"), ("Negative Prompt", "negative-prompt")],
)
def test_two_columns_that_are_the_same_are_a_bad_file(pair: tuple[str, str]) -> None:
    assert "this column is there twice" in (said := refusal(f"prompt,image,{','.join(pair)}\na,b,c,d\n"))
    assert all(repr(name) in said for name in pair)


def test_a_misspelt_column_that_every_batch_needs_is_asked_about_and_not_called_missing() -> None:
    said = refusal("id,promt,image_url\na,b,c\n")
    assert "did you mean 'prompt'?" in said and "did you mean 'image'?" in said and "missing" not in said


@pytest.mark.parametrize(
    "text",
    [
        "id;prompt;image;duration\na;calm, wide;images/a.png;4\n",
        "id\tprompt\timage\tduration\na\tcalm, wide\timages/a.png\t4\n",
        'sep=;\nid;prompt;image;duration\na;"calm, wide";images/a.png;4\n',
        'sep=,\r\nid,prompt,image,duration\r\na,"calm, wide",images/a.png,4\r\n',
        '"sep=|"\nid|prompt|image|duration\na|calm, wide|images/a.png|4\n',
        'id,prompt,image,duration,\na,"calm, wide",images/a.png,4,\n',
        'id,prompt,image,duration\na,"calm, wide",images/a.png,4,,\n',
        'id, prompt, image, duration\na, "calm, wide", images/a.png, 4\n',
        '\ufeffid,pro\u200bmpt,"image",Duration (s)\na,"calm, wide",images/a.png,4\n',
        'id,prompt,image,duration\ra,"calm, wide",images/a.png,4\r',
    ],
)
def test_every_separator_is_found_from_the_header(text: str) -> None:
    (row,) = read(text).rows
    assert row.cells == {"id": "a", "prompt": "calm, wide", "image": "images/a.png", "duration": "4"}
    assert row.sheet_row == 2 and not row.labels


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-be"])
@pytest.mark.parametrize("separator", ["\t", ",", ";"])
def test_unicode_text_of_excel_is_read(codec: str, separator: str) -> None:
    """UTF-16 with its mark, CRLF, whatever separates its cells."""
    lines = (
        ("id", "prompt", "image", "Duration (s)"),
        ("a", 'Zürich 🚋, "夢"', "ü.png", "4"),
        ("b", "calm", "b.png", "4"),
    )
    quoted = [separator.join('"' + cell.replace('"', '""') + '"' for cell in line) for line in lines]
    mark = "" if codec == "utf-16" else "\ufeff"
    sheet = read((mark + "\r\n".join(quoted) + "\r\n").encode(codec))
    assert [row.cells for row in sheet.rows] == [
        dict(zip(("id", "prompt", "image", "duration"), line, strict=True)) for line in lines[1:]
    ]
    assert [row.sheet_row for row in sheet.rows] == [2, 3] and not sheet.own_columns


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('id,prompt,image\nb,"A sign that says \\"OPEN\\"",a.png\n', ["line 2", "MySQL and Spark", "twice"]),
        ('id,prompt,image\na,x,y\nb,"calm" wide,a.png\n', ["line 3", "closed in mid-cell"]),
        ('id,prompt,image\nb,"one\ntwo "three" four",a.png\n', ["line 3", "begins in line 2"]),
        ('id,prompt,image\na,b,c\nb,"never closed,a.png\n', ["line 3", "never closed"]),
        ("id,prompt,image\na,calm, wide,a.png\n", ["line 2 has 4 cells, the header 3", "commas"]),
        ("id,prompt,image\na,b,c\n".encode("utf-16")[:-1], ["not UTF-16 (line 2, byte 44"]),
        ("id,prompt,image\n".encode("utf-16-le"), ["UTF-16 without its mark", "CSV UTF-8"]),
        ("id,prompt,image\n".encode("utf-32"), ["UTF-32", "CSV UTF-8"]),
        ("\n".encode("utf-16"), ["is empty"]),
        ('id\tprompt\timage\na\t"x" y\tc\n'.encode("utf-16"), ["line 2", "closed in mid-cell"]),
        ("id,prompt,image\na,caf\xe9,c\n".encode("cp1252"), ["not UTF-8 (line 2, byte 21: 0xe9)"]),
    ],
)
def test_what_is_no_csv_is_named_with_its_line_and_cure(text: str | bytes, words: list[str]) -> None:
    said = refusal(text)
    assert all(word in said for word in words), said


@pytest.mark.parametrize(
    "text",
    [
        "AIML_API_KEY=sk-marker\nOTHER=marker\n",
        "-----BEGIN PRIVATE KEY-----\nmarker\n",
        '{"type": "marker", "private_key": "marker"}\n',
        "[default]\naws_secret_access_key = marker\n",
        "sk-marker-0123456789\n",
        "a,The ferry marker turns,images/marker.png,4\n",
        "Access key ID,Secret access marker\nAKIA,marker\n",
        "Dear marker,\nplease find attached\n",
        '"marker\n',
    ],
)
def test_a_file_that_is_no_sheet_is_refused_without_a_word_of_it(text: str) -> None:
    assert "marker" not in refusal(text)


ERRORS = [
    "#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NULL!", "#NUM!", "#SPILL!", "#NV", "#BEZUG!", "#¿NOMBRE?", "#ССЫЛКА!",
    "#N/A Requesting Data...", "Loading...", "Loading…", "Err:502", "=CONCAT(A1,B1)", "=A1", "+SUM(A1)", "@SUM(A1)", "{=A1:A3}",
    "########", "\\N", " #REF! ",
]  # fmt: skip


@pytest.mark.parametrize("cell", ERRORS)
@pytest.mark.parametrize("column", ["prompt", "image", "id", "negative_prompt"])
def test_a_spreadsheets_error_in_a_column_of_ours_is_a_bad_cell(column: str, cell: str) -> None:
    """With the row as the spreadsheet numbers it, the id, the column and the cure."""
    cells = {"id": "shot-7", "prompt": "calm", "image": "a.png", "negative_prompt": "blur", column: cell}
    out = io.StringIO()
    csv.writer(out).writerows([list(cells), list(cells.values())])
    (bad,) = read(out.getvalue()).rows[0].bad
    assert (bad.row, bad.column, bad.id) == (2, column, cell.strip() if column == "id" else "shot-7")
    assert bad.cure


@pytest.mark.parametrize("cell", ERRORS)
def test_the_teams_own_columns_stay_text(cell: str) -> None:
    out = io.StringIO()
    csv.writer(out).writerows([["prompt", "image", "client"], ["calm", "a.png", cell]])
    (row,) = read(out.getvalue()).rows
    assert row.labels["client"].strip() == cell.strip() and not row.bad


@pytest.mark.parametrize(
    "word",
    [
        "None",
        "NA",
        "N/A",
        "null",
        "nan",
        "NULL",
        "TRUE",
        "-5 degrees, snow",
        "#1 in line",
        "+ a star",
        "Loading a ship",
        "@home",
    ],
)
def test_words_are_words(word: str) -> None:
    (row,) = read(f'id,prompt,image\n"{word}","{word}",a.png\n').rows
    assert (row.cells["id"], row.cells["prompt"], row.bad) == (word, word, ())


def test_rows_have_the_numbers_that_the_spreadsheet_shows() -> None:
    """A cell of many lines is one row, a blank line is a row, and a `sep=` line is none."""
    text = 'sep=,\nid,prompt,image\na,"one\ntwo\nthree",a.png\n\nb,x,a.png\n,,\nc,y,a.png\n'
    assert [(row.cells["id"], row.sheet_row, row.number) for row in read(text).rows] == [
        ("a", 2, 1),
        ("b", 4, 2),
        ("c", 6, 4),
    ]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("\u200bcalm\ufeff \u2060", "calm"), ("ca\u200blm", "calm"), ("calm\u00a0", "calm"), ("a\u202eb", "ab"),
        ("👩\u200d🚀 lands", "👩\u200d🚀 lands"), ("می\u200cخواهم", "می\u200cخواهم"), ("ไทย\u200bคำ", "ไทย\u200bคำ"),
        ("שלום \u200fא", "שלום \u200fא"), ("Cafe\u0301", "Café"), ("one\r\ntwo\rthree", "one\ntwo\nthree"), ("❤\ufe0f", "❤\ufe0f"),
    ],
)  # fmt: skip
def test_a_prompt_loses_only_what_cannot_be_meant(written: str, meant: str) -> None:
    assert clean_prompt(written) == meant


@given(st.text())
def test_cleaning_is_done_once(text: str) -> None:
    assert clean_prompt(clean_prompt(text)) == clean_prompt(text)
    assert clean_label(clean_label(text)) == clean_label(text)
    assert unicodedata.is_normalized("NFC", clean_prompt(text)) or "\u200b" in text


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("written", ["NFC", "NFD"])
def test_a_file_is_found_whatever_the_form_of_its_letters(tmp_path: Path, on_disk: str, written: str) -> None:
    folder, name = "Fotos Zürich", "Café\u00a0am See.png"
    there = tmp_path / unicodedata.normalize(on_disk, folder) / unicodedata.normalize(on_disk, name)  # type: ignore[arg-type]
    there.parent.mkdir()
    there.touch()
    asked = unicodedata.normalize(written, f"{folder}\\{name}".replace("\u00a0", " "))  # type: ignore[arg-type]
    assert Finder(tmp_path).find(asked) == there
    assert Finder(tmp_path).find(asked.replace("\\", "/")) == there


def test_another_case_is_not_the_same_file_but_named(tmp_path: Path) -> None:
    (tmp_path / "Harbour.PNG").touch()
    assert not Finder(tmp_path).find("harbour.png").exists()
    assert Finder(tmp_path).nearly("harbour.png") == "Harbour.PNG"


def workbook(rows: list[list[object]]) -> bytes:
    out = io.BytesIO()
    pd.DataFrame(rows).to_excel(out, header=False, index=False)
    return out.getvalue()


def test_a_workbook_is_read_as_its_sheet_shows_it() -> None:
    """A whole number without its .0, a day without its hour, a time of day for 16:9, an error as an error."""
    content = workbook([
        ["id", "Prompt", "image", "Duration (s)", "Aspect Ratio", "seed", "day", "done"],
        [7, "calm, wide", "a.png", 5.0, time(16, 9), 42, date(2026, 11, 26), True],
        [None] * 8,
        ["b", "#REF!", "a.png", "=1+3", "9:16", None, None, None],
    ])  # fmt: skip
    first, second = read(content).rows
    assert first.cells == {
        "id": "7",
        "prompt": "calm, wide",
        "image": "a.png",
        "duration": "5",
        "aspect_ratio": "16:09:00",
    }
    assert first.labels == {"seed": "42", "day": "2026-11-26", "done": "TRUE"}
    assert (first.sheet_row, second.sheet_row, second.bad[0].row) == (2, 4, 4)
    assert [bad.column for bad in second.bad] == ["prompt", "duration"]


def test_a_workbook_without_its_reader_says_how_it_could_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    content = workbook([["prompt", "image"], ["calm", "a.png"]])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    assert 'pip install "dailies-video[excel]"' in refusal(content) and "CSV UTF-8" in refusal(content)


@pytest.mark.parametrize("content", [b"PK\x03\x04rest of a workbook", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99])
def test_a_broken_or_old_workbook_is_named(content: bytes) -> None:
    assert "Excel workbook" in refusal(content)


@given(st.binary(max_size=300) | st.text(alphabet='id,prompt;image\t\n\r"\\=# aü', max_size=200).map(str.encode))
def test_reading_never_crashes(content: bytes) -> None:
    """Whatever the bytes: rows, or one refusal."""
    for given_bytes in (content, b"prompt,image\n" + content):
        with suppress(BadRows):
            assert read(given_bytes).rows


plain = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zs", "Zl", "Zp"]) | st.sampled_from(' ,;"\t\n\\'), max_size=30
)


@given(
    st.lists(st.tuples(plain, plain), min_size=1, max_size=5), st.sampled_from(",;\t"), st.sampled_from(["\n", "\r\n"])
)
def test_what_a_writer_wrote_is_what_is_read(cells: list[tuple[str, str]], separator: str, end: str) -> None:
    """Whatever its separator and the ends of its lines."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(["prompt", "image", "notes"])
    writer.writerows([prompt, f"{n}.png", note] for n, (prompt, note) in enumerate(cells))
    rows = read(out.getvalue()).rows
    assert [row.cells["prompt"] for row in rows] == [clean_prompt(prompt) for prompt, _ in cells]
    assert [row.labels["notes"] for row in rows] == [note for _, note in cells]
    assert [row.sheet_row for row in rows] == list(range(2, len(cells) + 2))


def test_the_same_trouble_in_many_rows_is_one_line_with_the_first_of_them() -> None:
    alike = [BadRow(n, "duration", f"{n!r} is not a duration of m", f"c-{n}", "use 4") for n in range(2, 42)]
    other = [BadRow(3, "prompt", "is empty", "c-3", "fill it in")]
    lines = str(BadRows("b.csv", [*other, *alike])).splitlines()
    assert lines[0] == "b.csv: 41 problems, nothing was bought"
    assert lines[1:] == [
        "  row 3, prompt (c-3): is empty; fill it in",
        "  40 rows, duration: 2 (c-2), 3 (c-3), 4 (c-4), …; the first: 2 is not a duration of m; use 4",
    ]
