"""`--fit`: an image of the wrong size is refused, cropped or padded; the original is untouched."""

from __future__ import annotations

import pytest

from tests.e2e.harness import World, picture
from tests.e2e.invariants import assert_invariants


@pytest.mark.parametrize("mode", ["crop", "pad"])
@pytest.mark.parametrize("where", ["beside the CSV", "behind an address", "in S3"])
def test_an_image_is_made_to_fit_wherever_it_lies(world: World, where: str, mode: str) -> None:
    """Bought as fitted; a second run makes the same derived file, so it is the same clip."""
    original = picture(1000, 700)
    (world.folder / "wide.png").write_bytes(original)
    world.s3().put_object(Bucket=world.bucket, Key="wide.png", Body=original)
    image = {
        "beside the CSV": "wide.png",
        "behind an address": f"{world.sandbox.url}/images/1000x700.png",
        "in S3": f"s3://{world.bucket}/wide.png",
    }[where]
    world.csv([{"id": "a", "prompt": "a", "image": image}])
    assert world.run().code == 2
    assert world.run("--fit", mode).code == 0
    assert (world.folder / "wide.png").read_bytes() == original
    assert world.run("--fit", mode).json["already_delivered"] == 1
    assert len(world.charges()) == 1
    assert_invariants(world, rerun=False)
