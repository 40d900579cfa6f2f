"""The sandbox's clips are real: right size, right length, with sound, and the picture moves."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import av
import httpx
import numpy as np
import pytest
from PIL import Image

from dailies.sandbox import Sandbox, SandboxConfig
from tests.contract.sandbox_calls import call, create, data_uri, fetch, finished, get, onerouter

NO_SIZE: dict[str, Any] = {"resolution": None, "aspect_ratio": None}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is in an MP4."""

    width: int
    height: int
    video_s: float
    audio_s: float | None
    codecs: tuple[str, ...]
    first: Any
    last: Any


def facts(data: bytes) -> Facts:
    """Decode the whole clip."""
    with av.open(io.BytesIO(data), "r") as clip:
        video = clip.streams.video[0]
        audio = clip.streams.audio[0] if clip.streams.audio else None
        frames = [frame.to_ndarray(format="rgb24") for frame in clip.decode(video)]
        seconds = [float((stream.duration or 0) * (stream.time_base or 0)) for stream in (video, audio) if stream]
        return Facts(
            width=video.codec_context.width,
            height=video.codec_context.height,
            video_s=seconds[0],
            audio_s=seconds[1] if audio else None,
            codecs=tuple(stream.codec_context.name for stream in clip.streams),
            first=frames[0],
            last=frames[-1],
        )


@pytest.fixture(scope="module")
def quick() -> Iterator[Sandbox]:
    """A sandbox with cheap clips, finished at once."""
    with Sandbox(SandboxConfig(time_scale=0, render="quick")) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(quick: Sandbox) -> Sandbox:
    """The same sandbox as good as new."""
    quick.reset()
    return quick


@pytest.fixture(scope="module")
def real() -> Iterator[Sandbox]:
    """A sandbox with real clips, finished at once."""
    with Sandbox(SandboxConfig(time_scale=0)) as sandbox:
        yield sandbox


def test_a_real_clip_shows_the_input_image_and_moves_it(real: Sandbox) -> None:
    picture = Image.new("RGB", (1280, 720), "navy")
    picture.paste("orange", (0, 0, 640, 720))
    held = io.BytesIO()
    picture.save(held, "PNG")
    (real_url, other_url) = (finished(real, image_url=uri)[1] for uri in (_uri(held.getvalue()), data_uri()))
    clip, other = facts(get(real_url).content), facts(get(other_url).content)
    assert (clip.width, clip.height, clip.codecs) == (1280, 720, ("h264", "aac"))
    assert clip.video_s == pytest.approx(4, abs=0.05)
    assert clip.audio_s == pytest.approx(4, abs=0.05)
    left, right = clip.first[360, 40], clip.first[360, -40]
    assert left[0] > left[2] and right[2] > right[0], "orange on the left, navy on the right"
    assert np.abs(clip.first.astype(int) - clip.last).mean() > 1, "the picture moves"
    assert np.abs(clip.first.astype(int) - other.first).mean() > 20, "another image is another clip"


def _uri(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


@pytest.mark.parametrize(
    ("changes", "size", "seconds"),
    [
        ({}, (1280, 720), 4),
        ({"aspect_ratio": "9:16", "image_url": data_uri(720, 1280), "duration": 8}, (720, 1280), 8),
        ({"resolution": "1080p", "image_url": data_uri(1792, 1024)}, (1792, 1024), 4),
        ({"resolution": "1080p", "aspect_ratio": "9:16", "image_url": data_uri(1024, 1792)}, (1024, 1792), 4),
        ({"model": "google/veo-3.1-i2v", "resolution": "1080p"}, (1920, 1080), 4),
        ({"model": "klingai/video-v3-pro-image-to-video", "duration": 3} | NO_SIZE, (1280, 720), 3),
        (
            {"model": "klingai/video-v3-pro-image-to-video", "duration": 3, "image_url": data_uri(333, 500)} | NO_SIZE,
            (720, 1082),
            3,
        ),
        (
            {"model": "minimax/hailuo-2.3", "duration": 6, "resolution": "768P", "aspect_ratio": None},
            (1366, 768),
            6,
        ),
        (
            {"model": "bytedance/seedance-2-0", "duration": 5, "resolution": "480p", "aspect_ratio": "1:1"},
            (480, 480),
            5,
        ),
    ],
)
def test_a_clip_has_the_size_and_length_that_were_ordered(
    sandbox: Sandbox, changes: dict[str, Any], size: tuple[int, int], seconds: int
) -> None:
    clip = facts(get(finished(sandbox, **changes)[1]).content)
    assert (clip.width, clip.height) == size
    assert clip.video_s == pytest.approx(seconds, abs=0.05)
    assert clip.audio_s == pytest.approx(seconds, abs=0.05)


def test_a_clip_ordered_without_sound_has_none(sandbox: Sandbox) -> None:
    _, url = finished(sandbox, model="google/veo-3.1-i2v", generate_audio=False)
    assert facts(get(url).content).codecs == ("h264",)


def test_onerouters_clip_follows_an_upright_image(sandbox: Sandbox) -> None:
    image = f"{sandbox.url}/images/720x1280.jpg"
    url = onerouter(sandbox, image_url=image, resolution="auto", aspect_ratio="auto").json()["data"][0]["url"]
    clip = facts(get(url).content)
    assert (clip.width, clip.height) == (720, 1280)


def test_no_two_generations_have_the_same_bytes_and_one_has_always_the_same(sandbox: Sandbox) -> None:
    (first_id, first), (_, second) = finished(sandbox), finished(sandbox)
    data = get(first).content
    assert data == get(first).content
    assert data != get(second).content
    sandbox.fault("download", "status", times=None)
    assert call(sandbox, "GET", "/sandbox/clip", params={"generation_id": first_id}).content == data


def test_a_clips_boxes_add_up_with_the_index_first_and_its_id_at_the_end(sandbox: Sandbox) -> None:
    generation_id, url = finished(sandbox)
    data = get(url).content
    boxes, at = [], 0
    while at < len(data):
        boxes.append(data[at + 4 : at + 8].decode())
        at += int.from_bytes(data[at : at + 4], "big")
    assert at == len(data)
    assert boxes[0] == "ftyp" and boxes[-1] == "free"
    assert boxes.index("moov") < boxes.index("mdat")
    assert data.endswith(generation_id.encode())


@pytest.mark.parametrize(
    ("options", "size", "seconds", "sound"),
    [
        ({"width": 640, "height": 360}, (640, 360), 4, True),
        ({"duration_s": 2}, (1280, 720), 2, True),
        ({"audio": False}, (1280, 720), 4, False),
    ],
)
def test_a_wrong_clip_is_whole_but_not_what_was_ordered(
    sandbox: Sandbox, options: dict[str, Any], size: tuple[int, int], seconds: int, sound: bool
) -> None:
    _, url = finished(sandbox)
    sandbox.fault("download", "wrong", **options)
    clip = facts(get(url).content)
    assert (clip.width, clip.height) == size
    assert clip.video_s == pytest.approx(seconds, abs=0.05)
    assert (clip.audio_s is not None) == sound


def test_the_head_of_a_clip_tells_its_length(sandbox: Sandbox) -> None:
    _, url = finished(sandbox)
    head = httpx.head(url)
    assert (head.status_code, head.headers["content-type"], head.content) == (200, "video/mp4", b"")
    assert int(head.headers["content-length"]) == len(get(url).content)


def test_a_url_works_without_its_query_but_not_with_another_signature(sandbox: Sandbox) -> None:
    _, url = finished(sandbox)
    assert get(url.partition("?")[0]).status_code == 200
    assert get(url[:-1] + "?").status_code == 403
    assert get(url.replace("expires=", "expires=9")).status_code == 403


def test_each_poll_gives_a_fresh_url_of_the_same_file(sandbox: Sandbox) -> None:
    generation_id, url = finished(sandbox)
    fresh = fetch(sandbox, generation_id).json()["video"]["url"]
    assert fresh.partition("?")[0] == url.partition("?")[0]


def test_a_clip_that_is_not_finished_or_failed_has_no_file(sandbox: Sandbox) -> None:
    generation_id, url = finished(sandbox)
    sandbox.fault("poll", "failed")
    fetch(sandbox, generation_id)
    assert get(url).status_code == 404
    assert get(f"{sandbox.url}/files/none.mp4").status_code == 404
    assert create(sandbox).status_code == 200


@pytest.mark.parametrize(("form", "kind"), [("png", "PNG"), ("jpg", "JPEG"), ("webp", "WEBP")])
def test_test_images_have_the_size_and_form_of_their_name(sandbox: Sandbox, form: str, kind: str) -> None:
    answer = get(f"{sandbox.url}/images/320x180.{form}")
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert (picture.format, picture.size) == (kind, (320, 180))


@pytest.mark.parametrize("name", ["0x10.png", "9000x10.png", "10x10.gif"])
def test_there_are_no_absurd_test_images(sandbox: Sandbox, name: str) -> None:
    assert get(f"{sandbox.url}/images/{name}").status_code == 404
