"""What stands in a sheet is what is bought: through the commands, as people write their files."""

from __future__ import annotations

import unicodedata

import pandas as pd
import pytest

from tests.e2e.harness import World, picture


def test_near_miss_headers_buy_what_they_say(world: World) -> None:
    """`Duration (s)`, `Negative Prompt`, `Seed`: what is bought has them; `check` lists what it took as the team's own."""
    world.csv(1)
    world.prompts.write_text(
        "ID,Prompt,\u200bImage,Duration (s),Negative Prompt,Seed,Generate Audio,model,client\n"
        "near-1,The ferry turns,first-720.png,8,blurry,42,FALSE,google/veo-3.0-i2v-fast,Acme\n"
        "near-2,The ferry turns,first-720.png,8,blurry,42,FALSE,google/veo-3.1-i2v-fast,Acme\n"
    )
    checked = world.command("check", str(world.prompts), "--json").json
    assert checked["own_columns"] == ["client"] and checked["clips"][0]["row"] == 2
    assert "Taken as your own columns: client." in world.command("check", str(world.prompts)).stdout
    run = world.run()
    assert run.code == 0
    assert "column seed is no option of google/veo-3.1-i2v-fast: kept as the team's own, not sent" in run.stderr
    with world.ledger() as ledger:
        first, second = ledger.rows("batch")
    assert (first.clip.duration_s, second.clip.duration_s, first.labels) == (8, 8, {"client": "Acme"})
    assert first.clip.options == {"negative_prompt": "blurry", "seed": 42, "generate_audio": False}
    assert second.clip.options == {"generate_audio": False}


def test_a_misspelt_column_buys_nothing(world: World) -> None:
    """The default model is not taken in its place."""
    world.csv([{"id": "a", "prompt": "a", "modle": "google/veo-3.1-i2v"}])
    result = world.run()
    assert result.code == 2 and not world.posts()
    (bad,) = result.json["bad_rows"]
    assert (bad["row"], bad["column"]) == (0, "modle")
    assert "did you mean 'model'?" in bad["reason"] and "'our_modle'" in bad["cure"]


def test_a_workbook_is_bought_like_a_csv(world: World) -> None:
    """And the CSV of the same rows is the same clips."""
    world.csv(2)
    assert world.run().code == 0
    sheet = world.folder / "batch.xlsx"
    pd.read_csv(world.prompts).to_excel(sheet, index=False)
    world.prompts = sheet
    again = world.run()
    assert (again.code, again.json["already_delivered"]) == (0, 2), again.stderr


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_an_image_is_found_by_the_name_that_somebody_wrote(world: World, form: str) -> None:
    """Composed or not, and with the separators of Windows."""
    (world.folder / "Fotos").mkdir()
    (world.folder / "Fotos" / unicodedata.normalize("NFD", "Zürich.png")).write_bytes(picture(1280, 720))
    world.csv([{"id": "a", "prompt": "a", "image": unicodedata.normalize(form, "Fotos\\Zürich.png")}])  # type: ignore[arg-type]
    assert world.run().code == 0


def test_an_address_with_blanks_and_umlauts_is_sent_as_the_standard_says(world: World) -> None:
    """Percent-encoded; the provider's fetch of it works."""
    world.csv([{"id": "a", "prompt": "a", "image": f"{world.sandbox.url}/images/1280x720.png?note=ä b"}])
    assert world.run().code == 0, world.outputs[-1].stderr
    (fetched,) = {seen.path for seen in world.sandbox.requests() if seen.path.startswith("/images")}
    assert fetched == "/images/1280x720.png"


def test_a_picture_whose_address_names_nothing_is_known_by_its_bytes(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some hosts encrypt the whole path anew for each link."""
    monkeypatch.setattr("dailies.domain.addresses.UNNAMED", ("127.0.0.1",))
    world.csv([{"id": "a", "prompt": "a", "image": f"{world.sandbox.url}/images/1280x720.png?x=1"}])
    assert world.run().code == 0
    world.csv([{"id": "a", "prompt": "a", "image": f"{world.sandbox.url}/images/1280x720.png?x=2"}])
    again = world.run()
    assert (again.code, again.json["already_delivered"], len(world.charges())) == (0, 1, 1)
