"""Sheets as they lie about: files that failed once, names that say too much, letters that were lost, workbooks with a past."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from openpyxl.worksheet.formula import ArrayFormula
from openpyxl.worksheet.worksheet import Worksheet

from dailies.catalog import load_catalog
from dailies.domain.text import clean_label, clean_prompt, without_controls
from dailies.errors import BadRows
from dailies.prompts import Sheet, read_sheet
from dailies.sheets.cells import no_text
from tests.ledger.factories import a_clip

OPTIONS = load_catalog().option_words()
SHEETS = Path(__file__).parent / "sheets"


def read(content: str | bytes) -> Sheet:
    return read_sheet(content.encode() if isinstance(content, str) else content, "batch", OPTIONS)


def refusal(content: str | bytes) -> str:
    with pytest.raises(BadRows) as caught:
        read(content)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        ("sep-line", "calm"), ("semicolons-with-commas", "calm, wide"), ("trailing-separator", "calm"),
        ("zero-width-header", "calm"), ("near-miss-headers", "The ferry turns into the harbour"),
        ("crlf-in-a-cell", "First line,\nsecond line"), ("letters-nfd", "Café im Regen"),
    ],
)  # fmt: skip
def test_what_was_misread_once_is_read(name: str, prompt: str) -> None:
    sheet = read((SHEETS / f"{name}.csv").read_bytes())
    assert sheet.rows[0].cells["prompt"] == prompt
    assert (sheet.rows[0].cells["image"], sheet.own_columns, sheet.rows[0].bad) == ("images/a.png", (), ())


@pytest.mark.parametrize(
    ("name", "word"), [("backslash-quotes", "MySQL and Spark"), ("misspelt-column", "did you mean 'model'?")]
)
def test_what_was_bought_by_mistake_once_is_refused(name: str, word: str) -> None:
    assert word in refusal((SHEETS / f"{name}.csv").read_bytes())


def test_where_there_is_no_image_one_in_another_language_is_asked_about() -> None:
    assert "did you mean 'image'?" in refusal("prompt,imagen\ncalm,a.png\n")


def test_accents_are_no_part_of_a_name_however_they_are_composed() -> None:
    assert "did you mean 'duration'?" in refusal("prompt,image,dure\u0301e\ncalm,a.png,1\n")


@pytest.mark.parametrize("name", ["Time (s)", "Runtime (seconds)", "Durée", "Modèle", "frame rate"])
def test_the_name_by_which_a_column_stays_the_teams_own_is_told_and_is_read(name: str) -> None:
    own = refusal(f'prompt,image,"{name}"\ncalm,a.png,1\n').split("such as '")[1].split("'")[0]
    assert read(f'prompt,image,"{own}"\ncalm,a.png,1\n').own_columns == (own,)


def test_every_error_that_was_bought_as_a_prompt_once_is_a_bad_cell() -> None:
    rows = read((SHEETS / "spreadsheet-errors.csv").read_bytes()).rows
    assert [[(bad.row, bad.column, bad.id) for bad in row.bad] for row in rows] == [
        [(at, "prompt", name)] for at, name in enumerate("cdef", start=2)
    ]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("Length (s)", "duration"), ("length in seconds", "duration"), ("Clip length", "duration"),
        ("Video duration", "duration"), ("videoDuration", "duration"), ("Duration in frames", "duration"),
        ("duration_frames", "duration"), ("Duration / min", "duration"), ("Dur.", "duration"), ("Res", "resolution"),
        ("Output resolution", "resolution"), ("AR", "aspect_ratio"), ("ratio (w:h)", "aspect_ratio"),
        ("aspect ratio w:h", "aspect_ratio"), ("AI model", "model"), ("Random seed", "seed"), ("seed_value", "seed"),
        ("Seed No.", "seed"), ("neg prompt", "negative_prompt"), ("last frame URL", "last_image"), ("end_image", "last_image"),
        ("Last frame image", "last_image"), ("End frame image", "last_image"), ("with sound", "generate_audio"),
        ("frame rate", "fps"), ("Frames per second", "fps"), ("CFG", "cfg_scale"), ("Guidance scale", "cfg_scale"),
        ("Dauer (s)", "duration"), ("Dauer in Sekunden", "duration"), ("Länge", "duration"), ("Duración", "duration"),
        ("Durée en secondes", "duration"), ("durata", "duration"), ("Duração (seg)", "duration"),
        ("Modelo", "model"), ("Modèle", "model"), ("Modello", "model"), ("Anbieter", "provider"), ("Résolution", "resolution"),
        ("Auflösung", "resolution"), ("Seitenverhältnis", "aspect_ratio"), ("Semilla", "seed"), ("Letztes Bild", "last_image"),
        ("Time (s)", "duration"), ("Runtime (s)", "duration"), ("runtime_s", "duration"), ("Time [s]", "duration"),
        ("shot time in s", "duration"), ("Runtime (sec.)", "duration"), ("runtimeSeconds", "duration"), ("Zeit (Sek.)", "duration"),
    ],
)  # fmt: skip
def test_a_column_of_ours_under_a_longer_or_a_shorter_name_is_asked_about(name: str, meant: str) -> None:
    """And where the column itself is there, the other is the team's own."""
    assert f"did you mean {meant!r}?" in refusal(f'prompt,image,"{name}"\ncalm,a.png,1\n')
    assert read(f'prompt,image,{meant},"{name}"\ncalm,a.png,1,2\n').own_columns == (name,)


@pytest.mark.parametrize(
    "name",
    [
        "Video ID",
        "frames",
        "file name",
        "Total cost",
        "name",
        "output",
        "first take of the day",
        "min price",
        "number",
        "AI",
        "time",
        "shot time",
        "Runtime",
        "runtime of the film",
        "Tag(s)",
        "Client(s)",
        "cost per second",
        "Price/sec",
        "Preis pro Sekunde (s)",
        "second",
        "unsecs",
        "reference",
        "last frame of the film",
        "Ton",
        "rate",
        "guidance",
        "Kampagne",
        "Añada",
        "our_Runtime_seconds",
        "our_Dauer_s",
    ],
)
def test_a_name_that_only_shares_such_a_word_is_the_teams_own(name: str) -> None:
    assert read(f'prompt,image,"{name}"\ncalm,a.png,1\n').own_columns == (name,)


@pytest.mark.parametrize(
    ("cell", "word"),
    [
        ("1.23457E+11", "shortened a long number"), ("4,29E+09", "shortened a long number"), ("1E+05", "shortened"),
        ("caf\ufffd", "a letter was lost"), ("cafÃ© at night", "'Ã©'"), ("â€œquiet please", "UTF-8"),
        ("GrÃ¼n", "UTF-8"), ("20 Â°C", "UTF-8"), ("ðŸš€ start", "UTF-8"), ("StraÃŸe", "UTF-8"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("column", ["id", "prompt", "image", "seed"])
def test_a_cell_that_lost_digits_or_letters_is_a_bad_cell(column: str, cell: str, word: str) -> None:
    """It would be bought as something else, or share its id with others."""
    cells = {"id": "a", "prompt": "calm", "image": "a.png", "seed": "1", column: cell}
    (bad,) = read(f"{';'.join(cells)}\n{';'.join(cells.values())}\n").rows[0].bad
    assert (bad.row, bad.column) == (2, column) and word in bad.reason and bad.cure


@pytest.mark.parametrize(
    "cell",
    [
        "1E5",
        "007",
        "1.5",
        "3-4",
        "MANHÃ de inverno",
        "“MANHÔ",
        "«irmû",
        "Â",
        "10â€",
        "naïve Ã la carte",
        "5 × 3 °C",
        "Ö – Ä",
    ],
)
def test_numbers_and_letters_that_may_be_meant_are_read(cell: str) -> None:
    (row,) = read(f"id;prompt;image\n{cell};{cell};a.png\n").rows
    assert (row.cells["id"], row.cells["prompt"], row.bad) == (cell, cell, ())


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("one\x0btwo", "one\ntwo"), ("one\u2028two", "one\ntwo"), ("one\x85two", "one\ntwo"), ("ring\x07 it", "ring it"),
        ("\x1b[31mred", "[31mred"), ("\ufffca photo", "a photo"), ("a\x7fb", "ab"), ("tab\there", "tab\there"),
    ],
)  # fmt: skip
def test_controls_go_and_every_line_break_is_one(written: str, read_as: str) -> None:
    """An id with one would colour the terminal that prints it."""
    assert clean_prompt(written) == clean_label(written) == read_as
    assert a_clip(prompt=written).key == a_clip(prompt=read_as).key


def test_what_was_bought_before_invisible_letters_were_dropped_is_the_same_clip() -> None:
    """An earlier version kept them: its clips are known by the text as it is read today."""
    assert a_clip(prompt="\u200bcalm\ufeff wide", take="b\u200b").key == a_clip(prompt="calm wide", take="b").key


@pytest.mark.parametrize(
    "text",
    [
        'id,prompt,image\n"a,""calm, wide"",a.png"\n',
        "id;prompt;image\na,calm,a.png\n",
        "id,prompt,image\na;calm;a.png\n",
        "id,prompt,image\na\tcalm\ta.png\n",
    ],
)
def test_a_row_in_a_single_cell_is_named_with_its_line(text: str) -> None:
    assert "line 2 is one cell, the header has 3" in refusal(text)


def test_a_row_that_ends_early_is_read() -> None:
    (row,) = read("id,prompt,image,duration,client\na,calm,a.png\n").rows
    assert row.cells == {"id": "a", "prompt": "calm", "image": "a.png", "duration": ""} and row.labels == {"client": ""}


def workbook(change: Callable[[openpyxl.Workbook, Worksheet], object]) -> Sheet:
    """Three rows as a person has left them in a workbook."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert isinstance(sheet, Worksheet)
    for row in (
        ("id", "prompt", "image", "model"),
        (7, "a", "a.png", "m"),
        (8, "b", "b.png", None),
        (9, "c", "c.png", None),
    ):
        sheet.append(row)
    change(book, sheet)
    out = io.BytesIO()
    book.save(out)
    return read(out.getvalue())


def set_cell(at: str, value: object, form: str = "General") -> Callable[[openpyxl.Workbook, Worksheet], None]:
    def change(book: openpyxl.Workbook, sheet: Worksheet) -> None:
        sheet[at] = value
        sheet[at].number_format = form

    return change


@pytest.mark.parametrize(
    ("form", "shown"), [("000", "007"), ("0", "7"), ("General", "7"), ("0.00", "7"), ("#,##0", "7")]
)
def test_leading_zeros_are_read_as_they_are_shown(form: str, shown: str) -> None:
    assert workbook(set_cell("A2", 7, form)).rows[0].cells["id"] == shown


def test_one_value_merged_beside_many_rows_stands_for_all_of_them() -> None:
    """The default model is not bought for the second and the third."""
    sheet = workbook(lambda book, sheet: sheet.merge_cells("D2:D4"))
    assert [row.cells["model"] for row in sheet.rows] == ["m", "m", "m"]


def test_rows_that_a_filter_hides_are_read_and_said() -> None:
    def hide(book: openpyxl.Workbook, sheet: Worksheet) -> None:
        sheet.row_dimensions[3].hidden = sheet.row_dimensions[90].hidden = True

    sheet = workbook(hide)
    assert len(sheet.rows) == 3
    assert sheet.notes == ("1 hidden rows are read like the others (3); delete those that are not meant",)


def test_columns_that_are_hidden_are_read_and_said() -> None:
    """Two that were hidden together, too; one that holds nothing is not worth a word."""

    def hide(book: openpyxl.Workbook, sheet: Worksheet) -> None:
        sheet.column_dimensions.group("C", "D", hidden=True)
        sheet.column_dimensions["F"].hidden = sheet.row_dimensions[3].hidden = True

    assert workbook(hide).notes == (
        "1 hidden rows are read like the others (3); delete those that are not meant",
        "2 hidden columns are read like the others (C, D); delete those that are not meant",
    )


def test_a_column_without_a_name_takes_no_other_ones() -> None:
    (row,) = read("id,prompt,image,column_5,\na,calm,a.png,x,y\n").rows
    assert sorted(row.labels.values()) == ["x", "y"] and row.labels["column_5"] == "x"


def test_a_hidden_sheet_is_not_read_and_one_beside_it_is_named() -> None:
    def stack(book: openpyxl.Workbook, sheet: Worksheet) -> None:
        old = book.create_sheet("old", 0)
        old.append(["prompt", "image"])
        old.append(["old", "old.png"])
        old.sheet_state = "hidden"
        for row in (["prompt", "image"], ["later", "later.png"]):
            (book["later"] if "later" in book.sheetnames else book.create_sheet("later")).append(row)
        book.active = 1

    sheet = workbook(stack)
    assert [row.cells["prompt"] for row in sheet.rows] == ["a", "b", "c"]
    assert sheet.notes == ("the sheet 'Sheet' is read; not read: later",)


@pytest.mark.parametrize("formula", ["=A1&B1", ArrayFormula("B2:B3", "=A1:A2")])
def test_a_formula_that_was_never_calculated_is_a_bad_cell(formula: object) -> None:
    (bad,) = workbook(set_cell("B2", formula)).rows[0].bad
    assert "is a formula" in bad.reason


def with_formulas(*cells: str) -> bytes:
    """A workbook whose rows below the first hold these cells, as Excel has written them."""
    book = openpyxl.Workbook()
    assert isinstance(book.active, Worksheet)
    for row in (("id", "prompt", "image", "seed"), ("a", "calm", "a.png", 4)):
        book.active.append(row)
    made, out = io.BytesIO(), io.BytesIO()
    book.save(made)
    rows = "".join(f'<row r="{at}">{cell}</row>' for at, cell in enumerate(cells, start=3))
    with zipfile.ZipFile(made) as archive, zipfile.ZipFile(out, "w") as changed:
        for name in archive.namelist():
            changed.writestr(name, archive.read(name).replace(b"</sheetData>", f"{rows}</sheetData>".encode()))
    return out.getvalue()


def test_a_formula_that_gave_no_text_is_an_empty_cell() -> None:
    """A template's formulas below its rows are no rows."""
    empty = '<c r="{}" t="str"><f>IF(Z2="","",Z2)</f>{}</c>'
    below = [empty.format(f"B{at}", value) for at, value in ((3, "<v></v>"), (4, "<v/>"), (5, ""))]
    text = '<c r="B6" t="inlineStr"><is><t>wide</t></is></c><c r="C6" t="inlineStr"><is><t>b.png</t></is></c>'
    first, last = read(with_formulas(*below, text + empty.format("D6", "<v></v>"))).rows
    assert (first.cells["prompt"], last.cells["prompt"], last.labels["seed"]) == ("calm", "wide", "")
    assert (last.sheet_row, last.bad) == (6, ())


def test_a_formula_without_a_value_beside_one_that_gave_no_text_is_a_bad_cell() -> None:
    never = '<c r="B3"><f>A1&amp;B1</f></c><c r="C3" t="str"><f>IF(Z2="","",Z2)</f><v></v></c>'
    _, row = read(with_formulas(never)).rows
    assert [bad.column for bad in row.bad] == ["prompt"] and "is a formula" in row.bad[0].reason


@pytest.mark.parametrize("number", [1234567890123456789, 1.2345678901234568e18, 10**15, -(10**15)])
def test_a_number_whose_last_digits_a_workbook_has_lost_is_a_bad_cell(number: float) -> None:
    """The id and the seed were read with digits that nobody wrote."""
    (bad,) = workbook(set_cell("A2", number)).rows[0].bad
    assert (bad.row, bad.column) == (2, "id") and "shortened" in bad.reason and "as text" in bad.cure


@pytest.mark.parametrize("number", [10**15 - 1, 999_999_999_999_999.0])
def test_a_number_that_a_workbook_holds_whole_is_read(number: float) -> None:
    row = workbook(set_cell("A2", number)).rows[0]
    assert (row.cells["id"], row.bad) == ("999999999999999", ())


def test_a_line_break_of_excel_is_a_line_break() -> None:
    assert workbook(set_cell("B2", "one_x000D_\ntwo")).rows[0].cells["prompt"] == "one\ntwo"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("content.xml", "OpenDocument"), ("xl/workbook.bin", ".xlsb"), ("Index/Document.iwa", "Numbers"), ("a.csv", "can't be read")],
)  # fmt: skip
def test_other_programs_files_are_called_by_their_name(name: str, kind: str) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr(name, "x")
    assert kind in refusal(out.getvalue()) and "CSV UTF-8" in refusal(out.getvalue())


def test_a_locked_workbook_is_called_so() -> None:
    assert "password" in refusal(b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"))


MEANT = (
    "café “dusk”",
    "Äpfel über Öl",
    "Привет Илья",
    "naïve – “so”",
    "你好世界",
    "Καλημέρα",
    "Zażółć gęślą",
    "a 😀 smile",
)
CODECS = ("cp1252", "latin-1", "mac_roman", "cp1251", "cp1250", "cp850", "cp437")
GENUINE = (
    "Привет, Илья… «Витамин В» и «Группа Г», ёлка № 5", "ТІНІ забутих предків. Ні! Її ґанок, СВІТ", "Ђорђе и џеп, Његош",
    "ŻÓŁW, WRÓŻKA, PÓŁNOC; zażółć gęślą jaźń", "PRŮŠVIH, PŘÍŠTÍ, PÄŤDESIAT; příliš žluťoučký kůň", "árvíztűrő tükörfúrógép ŰRŐ",
    "L’été «était» là — à Noël… “énorme” ‘élan’ café’” ÎLE, ÂGE", "‚Äpfel‘ und „Übel“ – ÖL, Größe, ÄÖÜ, 5 € §", "MANHÃ… maçã, coração, ÃO",
    "Đã “đến” rồi… ẤM ÁP, đường phố Hà Nội", "Καλημέρα κόσμε, «ΑΒΓ» άέή", "ığüşöç İSTANBUL ıç", "smörgåsbord ÅÄÖ, blåbærgrød Æø",
    "日本語の「夕暮れ」、東京", "晨光中的渡轮，缓慢推进", "안녕하세요 세계", "مرحبا بالعالم", "שלום עולם", "नमस्ते दुनिया", "สวัสดีชาวโลก",
    "👩‍👩‍👧 🇩🇪 ❤️ 😀", "¿Qué? ¡Sí! «niño» ½ × 3° ±2 µm", "Þetta er ísland, Ðað æði", "ça va — Çeşme, El·la", "ţară şi Știință ĂÂÎ",
)  # fmt: skip


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("meant", MEANT)
def test_letters_that_another_encoding_destroyed_are_bad_cells(codec: str, meant: str) -> None:
    shown = "".join(bytes([byte]).decode(codec, "ignore") or chr(byte) for byte in meant.encode())
    bad = read_sheet(f"prompt\n{shown}\n".encode(), "batch", OPTIONS).rows[0].bad
    assert ["it was UTF-8, and opened as something else" in one.reason for one in bad] == [True]


@pytest.mark.parametrize("prompt", GENUINE)
def test_no_languages_own_letters_are_taken_for_destroyed_ones(prompt: str) -> None:
    assert [no_text(word) for word in (prompt, *prompt.split())] == [None] * (1 + len(prompt.split()))


def test_a_file_in_an_encoding_of_mail_is_refused_by_its_name() -> None:
    said = refusal("prompt,image\nこんにちは,a.png\n".encode("iso-2022-jp"))
    assert "ISO-2022-JP" in said and "line 2" in said and "save it as CSV UTF-8" in said


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        ("a_xD83D__xDE00_b", "a😀b"), ("a_xD83D_b", "a\ufffdb"), ("a_xDE00__xD83D_b", "a\ufffd\ufffdb"),
        ("a_x0000_b_x001B_[31m", "ab[31m"), ("one_x000A_two", "one\ntwo"),
    ],
)  # fmt: skip
def test_what_excel_escapes_reaches_a_teams_own_column_as_text(written: str, read_as: str) -> None:
    """Half a letter was paid for, and no report could be written."""

    def fill(_: openpyxl.Workbook, sheet: Worksheet) -> None:
        sheet["E1"], sheet["E2"] = "mood", written

    assert workbook(fill).rows[0].labels["mood"] == read_as


def test_no_half_letter_and_no_escape_sequence_is_left_in_a_teams_own_column() -> None:
    assert read("prompt,mood\ncalm,a\x1b[31mred\x07\n").rows[0].labels["mood"] == "a[31mred"
    assert without_controls("a\ud83db\x9b") == "a\ufffdb"


@pytest.mark.parametrize("prompt", ["0", "0.0", "------", "…"])
def test_what_a_formula_or_a_database_left_is_no_prompt(prompt: str) -> None:
    rows = read(f"id,prompt,image\na,{prompt},a.png\n").rows
    assert [(bad.row, bad.column, bad.id) for bad in rows[0].bad] == [(2, "prompt", "a")]
    assert read(f"id,prompt,image,mood\na,calm,a.png,{prompt}\n").rows[0].bad == ()


@pytest.mark.parametrize("prompt", ["", "10", "🌊", "❤️", "海", "a", "true love", "sand", "مد", "ก"])
def test_any_letter_digit_or_emoji_is_a_prompt_and_so_is_an_empty_cell(prompt: str) -> None:
    assert read(f"id,prompt,image\na,{prompt},a.png\n").rows[0].bad == ()
