"""Every fault of the input: found before anything is bought, named by row and column, in one message."""

from __future__ import annotations

import csv
import socket
import struct
import threading
import zlib

import pytest

from tests.e2e.harness import Result, World, named, picture, until
from tests.e2e.invariants import assert_invariants
from tests.e2e.loopback import Elsewhere

HEADER = "id,prompt,image,provider,resolution,duration\n"


def refused(world: World, result: Result, *words: str) -> None:
    """Exit 2, one clear message with these words, no traceback, one JSON object, and nothing bought."""
    assert result.code == 2, result.stderr
    assert "Traceback" not in result.stderr and not world.posts()
    assert result.json["error"]
    for word in words:
        assert word in result.stderr, f"{word!r} not in {result.stderr!r}"


def huge_png(width: int, height: int) -> bytes:
    """The header of a PNG that claims so many pixels."""
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + ihdr + struct.pack(">I", zlib.crc32(ihdr))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))


def test_a_bom_and_crlf_are_fine(world: World) -> None:
    """As Excel saves it: the clips are the same as without."""
    path = world.csv(2)
    assert world.run().code == 0
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    again = world.run()
    assert again.code == 0 and again.json["already_delivered"] == 2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (HEADER.encode() + b"a,nul \0 here,first-720.png,aiml,720p,4\n", ["NUL", "line 2"]),
        (HEADER.encode() + "a,caf\xe9,first-720.png,aiml,720p,4\n".encode("latin-1"), ["not UTF-8", "line 2"]),
        (HEADER.encode("utf-16-le"), ["UTF-16"]),
        (b"", ["is empty"]),
        (b"  \n\n", ["is empty"]),
        (HEADER.encode(), ["no rows"]),
        (b"id,text\na,b\n", ["prompt", "image", "missing"]),
        (b"id;prompt;image\na;b;c;d\n", ["semicolons", "line 2"]),
        (b"prompt,Prompt ,image\na,b,c\n", ["twice"]),
        (HEADER.encode() + b"a,b,first-720.png,aiml,720p,4,extra,cells\n", ["well-formed"]),
        (b"PK\x03\x04rest of a workbook", ["Excel"]),
    ],
    ids=[
        "NUL",
        "latin-1",
        "UTF-16",
        "empty",
        "blank",
        "header only",
        "columns",
        "semicolons",
        "twice",
        "ragged",
        "xlsx",
    ],
)
def test_a_file_that_is_no_csv_of_ours_is_named(world: World, content: bytes, words: list[str]) -> None:
    """With what is wrong and where."""
    world.csv(1).write_bytes(content)
    refused(world, world.run(), *words)


def test_all_bad_rows_are_named_at_once(world: World) -> None:
    """Row, column and reason of each; the good row is not bought either."""
    (world.folder / "small.png").write_bytes(picture(640, 480))
    (world.folder / "drawing.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (world.folder / "huge.png").write_bytes(huge_png(50_000, 50_000))
    with (world.folder / "gigabyte.png").open("wb") as file:
        file.write(picture(1280, 720))
        file.truncate(2**30)
    rows = [
        *named("good", "twin", "length", "size", "pixels", "bytes", "svg", "missing", "outside", "model", "nobody", "empty"),
        {"id": "good", "prompt": "another with its id"}, {"id": "copy", "prompt": "<twin>"},
    ]  # fmt: skip
    own = {
        "length": {"duration": "5"}, "size": {"image": "small.png"}, "pixels": {"image": "huge.png"},
        "bytes": {"image": "gigabyte.png"}, "svg": {"image": "drawing.svg"}, "missing": {"image": "nowhere.png"},
        "outside": {"image": "../../etc/passwd"}, "model": {"model": "no/such-model"}, "nobody": {"provider": "nobody"},
        "empty": {"prompt": "   "},
    }  # fmt: skip
    world.csv([{**row, **own.get(row["id"], {})} for row in rows])
    result = world.run()
    refused(world, result, "1280x720", "nothing was bought")
    bad = {(entry["row"], entry["column"]) for entry in result.json["bad_rows"]}
    numbers = {row["id"]: n for n, row in enumerate(rows, start=2) if n <= 13}
    columns = {"length": "duration", "size": "image", "pixels": "image", "bytes": "image", "svg": "image", "missing": "image",
               "outside": "image", "model": "model", "nobody": "provider", "empty": "prompt"}  # fmt: skip
    for row_id, column in columns.items():
        assert (numbers[row_id], column) in bad, f"{row_id}: {sorted(bad)}"
    assert (14, "id") in bad and any(row == 15 for row, _ in bad), sorted(bad)
    assert not any(row == 2 for row, _ in bad)
    by_id = {(entry["id"], entry["column"]): entry for entry in result.json["bad_rows"]}
    assert "--fit crop" in by_id["size", "image"]["cure"] and "25%" in by_id["size", "image"]["cure"]
    assert all(by_id["length", "duration"][key] for key in ("row", "id", "column", "reason", "cure"))
    assert "row 4, duration (length): '5' is not a duration" in result.stderr


def test_a_formula_in_a_column_of_the_team_is_only_text(world: World) -> None:
    """The report quotes it so that no spreadsheet runs it."""
    world.csv([{"id": "a", "prompt": "a", "team": "@SUM(A1)", "+cost": "-1", "sum": "=cmd|' /C calc'!A0"}])
    assert world.run().code == 0
    text = world.objects()["clips/batch/credits.csv"].decode()
    cells = [cell for row in csv.reader(text.splitlines()) for cell in row]
    assert "'=cmd|' /C calc'!A0" in cells and "'@SUM(A1)" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]
    assert_invariants(world)


@pytest.mark.parametrize("column", ["prompt", "image", "id"])
def test_a_formula_in_a_column_of_ours_is_a_bad_row(world: World, column: str) -> None:
    """Named by its row in the spreadsheet and its column, with the cure."""
    world.csv([{"id": "a", "prompt": "a"}, {"id": "b", "prompt": "b", column: "=CONCAT(A1,B1)"}])
    result = world.run()
    refused(world, result, f"row 3, {column}", "is a formula", "save the values")
    assert [(bad["row"], bad["column"]) for bad in result.json["bad_rows"]] == [(3, column)]


def test_the_same_trouble_in_many_rows_is_one_line(world: World) -> None:
    """With their number and the first of them; as JSON each of them stands for itself."""
    world.csv([{"id": f"c-{n}", "prompt": f"p {n}", "image": f"missing-{n}.png"} for n in range(1, 41)])
    result = world.run()
    refused(world, result, "40 problems", "40 rows, image: 2 (c-1), 3 (c-2), 4 (c-3)", "there is no such file")
    assert len(result.stderr.splitlines()) <= 3
    assert [bad["row"] for bad in result.json["bad_rows"]] == list(range(2, 42))


@pytest.mark.engine
def test_a_secret_given_as_a_csv_stands_nowhere_afterwards(world: World) -> None:
    """Refused without a word of it in messages, logs, DAILIES_HOME or Prefect's database."""
    world.prompts = world.folder / ".env"
    words = ["PASSWORD_OF_OURS", "hunter2-marker", "s3cr3t-marker"]
    world.prompts.write_text(f"{words[0]}={words[1]}\nOTHER={words[2]}\n")
    for command in ("run", "check"):
        result = world.command(command, str(world.prompts), "--json")
        refused(world, result, "does not look like names of columns")
        assert not [word for word in words if word in result.stdout + result.stderr]
    for folder in (world.home, world.services.prefect_folder):
        for path in folder.rglob("*"):
            if path.is_file():
                assert not [word for word in words if word.encode() in path.read_bytes()], path


def test_an_image_address_that_never_answers_is_given_up(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its deadline, as a bad row."""
    monkeypatch.setattr("dailies.media.images.URL_DEADLINE_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        world.csv([{"id": "a", "prompt": "p", "image": f"http://127.0.0.1:{silent.getsockname()[1]}/x.png"}])
        refused(world, world.run(), "row 2, image")


def test_an_image_address_that_sends_a_page_is_a_bad_row(world: World) -> None:
    """Not an image: named, nothing bought."""
    with Elsewhere(b"<html>login</html>") as host:
        world.csv([{"id": "a", "prompt": "p", "image": f"{host.url}/x.png"}])
        refused(world, world.run(), "row 2, image")


def test_an_image_by_address_is_measured_and_sent_as_an_address(world: World) -> None:
    """And delivered like any other."""
    world.csv([{"id": "a", "prompt": "p", "image": f"{world.sandbox.url}/images/1280x720.png"}])
    assert world.run().code == 0
    assert_invariants(world)


@pytest.mark.slow
def test_a_hundred_thousand_rows_are_read_and_checked(world: World) -> None:
    """In one go; a bad row among them is named, and it alone."""
    path = world.csv(1)
    lines = [f"row {n},prompt {n},first-720.png,aiml,720p,4\n" for n in range(1, 100_001)]
    lines[77_776] = "row 77777,,first-720.png,aiml,720p,4\n"
    path.write_text(HEADER + "".join(lines))
    result = world.command("check", str(path), "--json")
    refused(world, result, "row 77778, prompt", "1 problem")


def test_an_image_that_changes_after_the_check_is_not_sent(world: World) -> None:
    """The clip's identity is of the bytes that were measured; others are not bought under it."""
    world.csv(named("a", "b"))
    world.sandbox.fault("create", "delay", delay_s=0.5)

    def change() -> None:
        until(world.posts)
        (world.folder / "first-720.png").write_bytes(picture(1280, 720, "JPEG"))

    watcher = threading.Thread(target=change)
    watcher.start()
    result = world.run("--in-flight", "1")
    watcher.join()
    assert (result.code, result.json["delivered"], len(world.charges())) == (1, 1, 1)
    assert "has changed" in result.stderr or result.json["not_started"] + result.json["failed"] == 1
