"""A clip's identity changes when, and only when, another video is asked for; its names are safe."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.domain.clips import Clip, Image, clip_name, named_with_digest, object_key, report_folders, slug
from dailies.domain.text import clean_label, clean_prompt
from tests.ledger.factories import IMAGE, a_clip

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(clean_label)
"""As a cell is read: what cleaning takes away asks for no other video."""
clips = st.builds(
    Clip,
    st.sampled_from(["m", "m,"]),
    text.map(clean_prompt),
    st.builds(Image, text, st.just(1), st.just(1), st.just("PNG"), sha256=st.none() | st.just("ab" * 32)),
    st.none() | st.sampled_from(["720p", "1080p"]),
    st.none() | st.sampled_from(["16:9", "9:16"]),
    st.none() | st.integers(1, 20),
    text,
    st.dictionaries(text, st.booleans() | st.integers() | text, max_size=3),
)


@pytest.mark.parametrize(
    "change",
    [
        {"model": "google/veo-3.1-i2v"},
        {"prompt": "a cat  smiles"},
        {"image": IMAGE._replace(source="https://pictures.example/dog.png")},
        {"image": IMAGE._replace(sha256="ab" * 32)},
        {"resolution": "1080p"},
        {"resolution": None},
        {"aspect_ratio": "9:16"},
        {"duration_s": 8},
        {"duration_s": None},
        {"take": "2"},
        {"options": {"seed": 1}},
    ],
)
def test_another_video_has_another_key(change: dict[str, Any]) -> None:
    assert a_clip(**change).key != a_clip().key


@pytest.mark.parametrize("change", [{"width": 1}, {"height": 1}, {"format": "JPEG"}, {"size_bytes": None}])
def test_how_an_image_was_measured_is_not_part_of_the_key(change: dict[str, Any]) -> None:
    assert a_clip(image=IMAGE._replace(**change)).key == a_clip().key


def test_a_local_image_is_its_bytes_wherever_it_lies() -> None:
    one, two = (IMAGE._replace(source=path, sha256="ab" * 32) for path in ("a/cat.png", "b/kitten.png"))
    assert a_clip(image=one).key == a_clip(image=two).key


def test_the_order_of_options_is_not_part_of_the_key() -> None:
    assert a_clip(options={"a": 1, "b": 2}).key == a_clip(options={"b": 2, "a": 1}).key


def test_keys_never_change_between_versions() -> None:
    """A changed key would buy every clip of every ledger again."""
    assert a_clip().key == "8d013e1d79d116a6d31679090ada31f1a8b7dc54254c9125751c64a6e7a0a46b"
    assert (
        a_clip("猫", options={"seed": 7, "generate_audio": False}, take="b").key
        == "4b9c2a610b66e7d1d89745356a90ad3fe80cba432c0f0b9147b40d46dc45d932"
    )
    assert (
        a_clip(resolution=None, aspect_ratio=None, duration_s=None).key
        == "9559d09b24a810ab57fa29786968eef7024ce687de3a3c2157b4cc297a839b5c"
    )


@given(clips, clips)
def test_two_clips_share_a_key_only_when_they_ask_for_the_same_video(one: Clip, two: Clip) -> None:
    def asked(clip: Clip) -> tuple[object, ...]:
        options = sorted((name, type(value).__name__, value) for name, value in clip.options.items())
        return (
            clip.model,
            clip.prompt,
            clip.image.identity,
            clip.resolution,
            clip.aspect_ratio,
            clip.duration_s,
            clip.take,
            str(options),
        )

    assert (one.key == two.key) is (asked(one) == asked(two))
    assert re.fullmatch("[0-9a-f]{64}", one.key)


@given(st.text())
def test_a_slug_is_safe_in_any_name(name: str) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug(name))
    assert len(slug(name)) <= 60
    assert slug(slug(name)) == slug(name)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("Sunrise 03", "sunrise-03"),
        ("../../etc/passwd", "etc-passwd"),
        ("Zürich", "zurich"),
        ("猫", "clip"),
        ("", "clip"),
        ("x" * 99, "x" * 60),
        ("a" * 59 + " b", "a" * 59),
    ],
)
def test_slugs(name: str, safe: str) -> None:
    assert slug(name) == safe


def test_a_file_name_is_readable_and_unique_by_identity() -> None:
    key = a_clip().key
    assert clip_name("Sunrise 03", key) == f"sunrise-03-{key[:12]}"


@pytest.mark.parametrize(
    ("prefix", "folder"), [("", "smiles"), ("/", "smiles"), ("a/b/", "a/b/smiles"), ("/a", "a/smiles")]
)
def test_an_object_key_follows_from_prefix_batch_id_and_clip(prefix: str, folder: str) -> None:
    key = a_clip().key
    assert object_key(prefix, "Smiles", "row 1", key) == f"{folder}/row-1-{key[:12]}.mp4"


def test_a_batch_without_a_letter_that_can_be_written_has_a_folder() -> None:
    assert object_key("a", "猫", "row", "0" * 64) == f"a/batch/row-{'0' * 12}.mp4"


@pytest.mark.parametrize(
    ("source", "sha256", "named"),
    [
        ("a.png", "ab", "a.png#sha256=ab"),
        ("a.png", None, "a.png"),
        ("https://p.example/a.png", "ab", "https://p.example/a.png"),
    ],
)
def test_only_a_file_is_named_with_its_digest(source: str, sha256: str | None, named: str) -> None:
    assert named_with_digest(source, sha256) == named


def test_batches_that_share_a_folder_have_reports_of_their_own() -> None:
    """The oldest keeps the folder of its clips, whatever comes later; others have eight digits of their name's digest."""
    folders = report_folders(["Spring 1", "spring/1", "spring-1", "火曜", "水曜", "x" * 70, "x" * 80])
    assert [*folders.items()][:1] == [("Spring 1", "spring-1")]
    digest = hashlib.sha256(b"spring/1").hexdigest()[:8]
    assert folders["spring/1"] == f"spring-1-{digest}"
    assert folders["火曜"] == "batch" and folders["水曜"].startswith("batch-")
    assert folders["x" * 80].startswith("x" * 50 + "-")
    assert len({*folders.values()}) == 7
