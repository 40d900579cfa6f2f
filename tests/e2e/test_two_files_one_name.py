"""Two files of one name: the second is asked about, and neither budget nor report of the first is touched."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from tests.e2e.harness import World


def in_folder(world: World, name: str, rows: int = 1) -> Path:
    """A `prompts.csv` with clips of its own and its image, in a folder of this name."""
    world.csv([{"id": f"clip-{n}", "prompt": f"{name} {n}"} for n in range(rows)], name="prompts.csv")
    folder = world.folder / name
    folder.mkdir(exist_ok=True)
    for file in (world.prompts, world.folder / "first-720.png"):
        shutil.copy(file, folder)
    world.prompts.unlink()
    world.prompts = folder / "prompts.csv"
    return world.prompts


def test_another_file_under_a_batchs_name_is_refused_with_both_names_and_the_way_out(world: World) -> None:
    first = in_folder(world, "acme")
    assert world.run().code == 0
    report = {key: content for key, content in world.objects().items() if not key.endswith((".mp4", ".webp"))}
    second = in_folder(world, "zeta")
    for command in ("check", "run"):
        refused = world.command(command, str(second), "--json")
        assert refused.code == 2 and str(first) in refused.stderr and str(second) in refused.stderr
    assert len(world.posts()) == 1 and world.objects().items() >= report.items()
    way_out = shlex.split(refused.stderr[refused.stderr.rindex("--batch") :])[:2]
    assert way_out == ["--batch", "zeta-prompts"]
    assert world.run(*way_out).code == 0
    assert world.objects().items() >= report.items()
    assert world.command("run", str(first), "--json").json["already_delivered"] == 1


def test_a_batchs_file_may_be_moved_and_edited(world: World) -> None:
    """Moved: one of its clips is enough to know it by. Edited where it lies: it is the same file whatever it says."""
    first = in_folder(world, "acme", rows=2)
    assert world.run().code == 0
    moved = world.folder / "moved"
    first.parent.rename(moved)
    text = (moved / "prompts.csv").read_text().replace("acme 1", "another prompt")
    (moved / "prompts.csv").write_text(text)
    world.prompts = moved / "prompts.csv"
    assert world.run("--yes").json["already_delivered"] == 1
    (moved / "prompts.csv").write_text(text.replace("acme 0", "all new").replace("another", "all other"))
    assert world.run("--yes").json["delivered"] == 2


def test_batches_of_one_folder_have_a_report_each(world: World) -> None:
    """Names that differ may have one folder: there their clips lie side by side, and no report is written over another's."""
    world.csv([{"id": "dawn", "prompt": "a smile"}])
    first = world.run("--batch", "Spring 1")
    world.csv([{"id": "dusk", "prompt": "a frown"}])
    second = world.run("--batch", "spring/1")
    for run, mine, others in ((first, "dawn", "dusk"), (second, "dusk", "dawn")):
        folder = Path(run.json["report_dir"])
        assert mine in (folder / "credits.csv").read_text() and others not in (folder / "credits.csv").read_text()
        assert [name.name.startswith(mine) for name in (folder / "posters").iterdir()] == [True]
        key = f"clips/{folder.name}/credits.csv"
        assert world.objects()[key] == (folder / "credits.csv").read_bytes()
    assert {name.split("/")[1] for name in world.objects() if name.endswith(".mp4")} == {"spring-1"}
    shown = world.command("report", "--batch", "spring/1", "--out", str(world.home / "later")).stdout
    assert "dusk" in (world.home / "later" / "credits.csv").read_text() and "later" in shown
    shared = Path(first.json["report_dir"]).parent / "spring-1"
    lay = {"credits.csv": "dusk,a frown", "report.html": "<p>a frown"}
    for name, text in lay.items():  # as it was left when the second wrote its report over the first's
        (shared / name).write_text(text)
        world.s3().put_object(Bucket=world.bucket, Key=f"clips/spring-1/{name}", Body=text.encode())
    assert world.command("forget", "--batch", "spring/1", "--yes").code == 0
    for name, whose in (("credits.csv", "dawn"), ("report.html", "Spring 1")):
        for there in ((shared / name).read_text(), world.objects()[f"clips/spring-1/{name}"].decode()):
            assert whose in there and "a frown" not in there, name
    assert "dawn" in (Path(first.json["report_dir"]) / "credits.csv").read_text()
    left = (Path(second.json["report_dir"]) / "credits.csv").read_text() + world.objects()[key].decode()
    assert "a frown" not in left and "forgotten" in left
