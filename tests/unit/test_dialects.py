"""The one reader: how a job stands and where its clip lies, in every dialect that the notes show and in those nobody wrote down."""

from __future__ import annotations

import json
import random
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.providers.addresses import address_in, find_address, leads_elsewhere
from dailies.providers.dialect import Reading, id_in, id_of_address, read, usable_id
from dailies.providers.http import json_in
from dailies.providers.words import CANCELLED, TABLE, Phase, end_in_words, phase_of

MP4 = "https://cdn.example/clip.mp4?sig=a%2Fb"
OTHER = "https://cdn.example/other.mp4"
PNG = "https://cdn.example/first.png"
DONE, GOING, ENDED = Phase.DONE, Phase.GOING_ON, Phase.ENDED

DIALECTS: dict[str, tuple[Any, Phase]] = {
    # AI/ML API (documented)
    "aiml queued": ({"id": "v:openai/sora", "status": "queued"}, GOING),
    "aiml generating": ({"id": "-x", "status": "generating"}, GOING),
    "aiml done": ({"id": "v", "status": "completed", "video": {"url": MP4}, "meta": {"usage": {"credits_used": 5}}}, DONE),
    "aiml done, no url": ({"id": "v", "status": "completed"}, GOING),
    "aiml error": ({"id": "v", "status": "error", "error": {"name": "GenerationError", "message": "no"}}, ENDED),
    "aiml failed": ({"id": "v", "status": "failed", "error": None}, ENDED),
    "aiml nulls": ({"id": "v", "status": "generating", "video": None, "error": None, "meta": None}, GOING),
    # OneRouter: the list (documented), the task (seen), the queue (documented), a sibling's finished task (seen)
    "onerouter list": ({"data": [{"url": MP4, "revised_prompt": "x", "video_id": "v"}], "created": 1}, DONE),
    "onerouter task": ({"data": {"task_id": "t"}}, GOING),
    "onerouter queued": ({"code": 200, "message": "success", "data": {"task_id": "cgt-1", "object": "video"}}, GOING),
    "onerouter task running": ({"data": {"status": "processing", "fail_reason": "", "urls": [], "cost": None}}, GOING),
    "onerouter urls": ({"data": {"status": "completed", "urls": [MP4], "cost": {"total_cost": 1.26}}}, DONE),
    "onerouter video_url": ({"data": {"status": "completed", "video_url": MP4}}, DONE),
    "onerouter outputs": ({"data": {"status": "completed", "outputs": [{"url": MP4}]}}, DONE),
    "onerouter failed": ({"data": {"status": "failed", "fail_reason": "the model is tired"}}, ENDED),
    "newapi fail_reason": ({"code": "success", "data": {"status": "SUCCESS", "fail_reason": MP4, "progress": "100%"}}, DONE),
    "newapi nested": ({"data": {"status": "SUCCESS", "data": {"status": "succeeded", "content": {"video_url": MP4}}}}, DONE),
    "newapi not started": ({"code": "success", "data": {"status": "NOT_START", "progress": "0%"}}, GOING),
    "newapi failure": ({"code": "success", "data": {"status": "FAILURE", "fail_reason": "task failed"}}, ENDED),
    "newapi says no": ({"code": "moderation_blocked", "message": "the prompt was blocked", "data": None}, ENDED),
    "data as text": ({"data": {"status": "SUCCESS", "data": json.dumps({"content": {"video_url": MP4}})}}, DONE),
    # Ark, Seedance
    "ark running": ({"id": "cgt-2", "model": "m", "status": "running", "content": None}, GOING),
    "ark done": (
        {"id": "cgt-2", "status": "succeeded", "content": {"video_url": MP4, "last_frame_url": PNG}, "usage": {"total_tokens": 9}},
        DONE,
    ),
    "ark cancelled": ({"id": "cgt-2", "status": "cancelled", "error": None}, ENDED),
    # fal
    "fal in queue": (
        {"status": "IN_QUEUE", "request_id": "r", "queue_position": 0, "status_url": "https://queue.fal.run/s",
         "response_url": "https://queue.fal.run/r", "cancel_url": "https://queue.fal.run/c"}, GOING,
    ),
    "fal in progress": ({"status": "IN_PROGRESS", "logs": [{"message": "https://x.example/y.mp4"}]}, GOING),
    "fal completed": ({"status": "COMPLETED", "response_url": "https://queue.fal.run/r", "metrics": {"inference_time": 3}}, GOING),
    "fal completed, failed": ({"status": "COMPLETED", "error": "Content could not be made", "error_type": "x"}, ENDED),
    "fal result": ({"video": {"url": MP4, "content_type": "video/mp4", "file_size": 9}, "seed": 4}, DONE),
    # Runware
    "runware ack": ({"data": [{"taskType": "videoInference", "taskUUID": "u"}]}, GOING),
    "runware processing": ({"data": [{"taskUUID": "u", "status": "processing"}]}, GOING),
    "runware success": ({"data": [{"taskUUID": "u", "status": "success", "videoURL": MP4, "cost": 0.48}]}, DONE),
    "runware media": ({"data": [{"taskUUID": "u", "status": "success", "mediaUUID": "m", "mediaURL": MP4}]}, DONE),
    "runware error": ({"errors": [{"code": "invalidModel", "message": "no such model", "taskUUID": "u"}]}, ENDED),
    "runware busy": ({"errors": [{"code": "timeoutProvider", "message": "the provider timed out"}]}, GOING),
    # Higgsfield
    "higgsfield queued": ({"status": "queued", "request_id": "r", "status_url": OTHER, "cancel_url": OTHER}, GOING),
    "higgsfield done": ({"status": "completed", "video": {"url": MP4}, "images": [{"url": PNG}], "expires_at": None}, DONE),
    "higgsfield nsfw": ({"status": "nsfw", "request_id": "r"}, ENDED),
    "higgsfield canceled": ({"status": "canceled"}, ENDED),
    # OpenRouter
    "openrouter pending": ({"id": "gen-vid-1", "polling_url": "https://openrouter.ai/api/v1/videos/1", "status": "pending"}, GOING),
    "openrouter done": (
        {"status": "completed", "unsigned_urls": [OTHER], "urls": [MP4], "usage": {"cost": 0.5, "is_byok": False}}, DONE,
    ),
    "openrouter expired": ({"status": "expired", "error": "the job exceeded its time to live"}, ENDED),
    # seen elsewhere, or nowhere yet
    "video as a text": ({"status": "succeeded", "video": MP4}, DONE),
    "success": ({"status": "success", "output": MP4}, DONE),
    "done": ({"state": "done", "result": {"files": [{"name": "clip", "download_url": MP4}]}}, DONE),
    "replicate": (
        {"status": "succeeded", "input": {"image": OTHER}, "output": [MP4], "urls": {"get": OTHER, "cancel": OTHER, "web": OTHER}},
        DONE,
    ),
    "google": ({"name": "operations/1", "done": True, "response": {"generatedVideos": [{"video": {"uri": MP4}}]}}, DONE),
    "google not done": ({"name": "operations/1", "done": False, "metadata": {"x": MP4}}, GOING),
    "novita": ({"task": {"task_id": "t", "status": "TASK_STATUS_SUCCEED"}, "videos": [{"video_url": MP4, "cover_url": PNG}]}, DONE),
    "an unknown word with an address": ({"status": "rehearsed", "video_url": MP4}, DONE),
    "an unknown word without": ({"status": "rehearsing"}, GOING),
    "going on with an address": ({"status": "processing", "video_url": MP4}, GOING),
    "an envelope that is fine, a job that is not": ({"status": "success", "data": {"status": "processing", "url": MP4}}, GOING),
    "done outside, ended inside": ({"status": "completed", "result": {"status": "failed", "reason": "nsfw"}}, ENDED),
    "an error in a 200": ({"error": {"code": "content_policy_violation", "message": "blocked"}}, ENDED),
    "an error that heals": ({"error": {"code": 429, "message": "slow down"}}, GOING),
    "an error that nobody can tell": ({"error": {"code": 500, "message": "Internal server error"}}, GOING),
    "an error as a text": ({"error": "the image shows a person"}, ENDED),
    "an error that says nothing": ({"status": "completed", "error": {}, "errors": [], "video_url": MP4}, DONE),
    "no status at all": ({"id": "x"}, GOING),
    "two kinds of outputs": (
        {"status": "done", "outputs": [{"type": "image", "url": OTHER}, {"type": "video", "url": MP4}]}, DONE,
    ),
    "a picture's address alone": ({"status": "completed", "url": PNG, "thumbnail_url": OTHER}, GOING),
}  # fmt: skip


@pytest.mark.parametrize(("document", "phase"), DIALECTS.values(), ids=DIALECTS)
def test_a_dialect_is_read(document: Any, phase: Phase) -> None:
    reading = read(document)
    assert reading.phase is phase
    assert reading.url == (MP4 if phase is DONE else None)
    assert reading.detail


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"status": "nsfw"}, "nsfw"),
        ({"status": "canceled"}, "cancelled"),
        ({"status": "ABORTED", "error": "by the user"}, "cancelled: by the user"),
        ({"status": "expired", "error": {"message": "too late"}}, "expired: too late"),
        ({"status": "failed"}, "failed without a reason"),
        ({"data": {"status": "FAILURE", "fail_reason": "no credits"}}, "no credits"),
        ({"status": "error", "error": {"name": "GenerationError"}}, "GenerationError"),
        ({"status": "failed", "error": [{"loc": ["x"], "msg": "too long"}]}, "too long"),
    ],
)
def test_what_ended_is_told_in_the_providers_words(document: Any, words: str) -> None:
    assert read(document).detail == words


@pytest.mark.parametrize(
    ("document", "usd", "spent"),
    [
        ({"status": "completed", "meta": {"usage": {"credits_used": 2520000}}}, None, 2520000),
        ({"status": "completed", "meta": {"usage": {"credits_used": "2520000"}}}, None, 2520000),
        ({"meta": {"usage": {"credits_used": "2520000.0"}}}, None, 2520000),  # as a table writes it
        ({"meta": {"usage": {"credits_used": "much"}}}, None, None),
        ({"meta": {"usage": {"credits_used": "sNaN"}}}, None, None),
        ({"meta": {"usage": {"credits_used": 10**400}}}, None, None),
        ({"meta": {"usage": {"credits_used": "-5"}}}, None, None),
        ({"meta": {"usage": {"credits_used": "9" * 5000}}}, None, None),
        ({"status": "completed", "meta": {"usage": {"usd_spent": 1.26}}}, "1.26", None),
        ({"data": {"cost": {"total_cost": "0.4"}}}, "0.4", None),
        ({"usage": {"cost": 0.5}}, "0.5", None),
        ({"data": [{"cost": 0.48}]}, "0.48", None),
        ({"cost": True, "usage": None, "meta": 4}, None, None),
        ({"cost": float("nan")}, None, None),
        ({"cost": -1, "usage": {"cost": 10**30}}, None, None),
        ({"meta": {"usage": {"credits_used": 10**40}}}, None, None),
    ],
)
def test_money_is_read_where_it_stands_and_rubbish_is_none(document: Any, usd: str | None, spent: int | None) -> None:
    reading = read({"status": "completed", "video_url": MP4, **document})
    assert (reading.usd, reading.credits_used) == (Decimal(usd) if usd else None, spent)


@pytest.mark.parametrize("word", sorted(TABLE))
def test_a_word_means_the_same_in_every_spelling(word: str) -> None:
    camel = "".join(part.title() for part in word.split("_"))
    for spelling in (
        word,
        word.upper(),
        word.title(),
        word.replace("_", "-"),
        word.replace("_", " "),
        f" {word} ",
        camel,
    ):
        assert phase_of(spelling) is TABLE[word]
    assert phase_of(f"TASK_STATUS_{word.upper()}") is TABLE[word]


@pytest.mark.parametrize("word", sorted(CANCELLED))
def test_whoever_cancelled_it_is_told_by_one_word(word: str) -> None:
    assert end_in_words(word.upper(), "").startswith("cancelled")


def test_words_that_deny_or_contradict_decide_nothing() -> None:
    assert {phase_of(word) for word in ("not_completed", "failed_retrying", "unknown", "42", "", "💤")} == {
        Phase.UNKNOWN
    }


SENT_NAMES = [
    "request", "input", "inputs", "image", "image_url", "imageUrl", "imageurl", "input_video", "preview", "poster", "thumbnail_url",
    "videoThumbnail", "cover", "coverUrl", "webhook", "webhook_url", "callbackURL", "status_url", "statusurl", "response_url",
    "cancel_url", "polling_url", "pollingUrl", "prompt", "last_frame_url", "first_frame", "reference_images", "source_url", "images",
    "negative_prompt", "parameters", "keyframes", "mask_url", "documentation_url", "error", "audio_url", "logo", "upload_url",
]  # fmt: skip
PLAIN_NAMES = [
    "video",
    "url",
    "data",
    "result",
    "output",
    "outputs",
    "content",
    "urls",
    "video_url",
    "videoURL",
    "file",
    "x",
    "meta",
]


@pytest.mark.parametrize("name", SENT_NAMES)
def test_what_was_sent_a_picture_and_the_apis_own_addresses_are_no_result(name: str) -> None:
    assert leads_elsewhere(name, True)
    assert find_address({"status": "completed", "data": {name: MP4}}) is None
    assert read({"status": "completed", name: OTHER, "data": {name: OTHER, "result": MP4}}).url == MP4


def test_names_that_only_sound_so_lead_to_the_clip() -> None:
    for name in ("image_to_video_url", "img2video", "recovered_url", "discovered", "presented", "fail_reason", "i2v"):
        assert find_address({"status": "completed", name: MP4}) == MP4


@pytest.mark.parametrize(
    "name",
    [
        "model_output",
        "video_with_audio",
        "task_result",
        "output_task",
        "audio_video",
    ],
)
def test_the_only_film_of_a_job_that_is_done_may_stand_under_a_name_that_speaks_of_more(name: str) -> None:
    """A paid clip was never found where a name spoke of its sound or of the model, too."""
    assert (
        read({"status": "completed", name: MP4}).url == read({"status": "completed", "data": {name: [MP4]}}).url == MP4
    )
    assert read({"status": "completed", name: MP4, "preview": OTHER}).url == MP4
    assert read({"status": "completed", name: MP4, f"{name}_b": OTHER}).url is None, "one of two is a guess"
    assert read({"status": "processing", name: MP4}).url is None
    assert read({"status": "completed", name: MP4}, frozenset({MP4})).url is None
    assert read({"status": "completed", name: "https://cdn.example/clip"}).url is None


@pytest.mark.parametrize(
    "name", ["ref_video", "video_ref", "user_video", "mask_video", "avatar_video", "voice_video", "photo_video", "cover_video",
             "promo_clip", "sent_video", "provider_video", "prev_video", "input_video", "video_preview",
             "video_status_url"]
)  # fmt: skip
def test_another_film_is_not_taken_for_the_clip_because_it_is_the_only_one(name: str) -> None:
    assert read({"status": "completed", "video": None, name: OTHER}).url is None


def test_an_address_that_we_sent_is_no_result_whatever_it_is_called() -> None:
    assert read({"data": [{"url": OTHER}]}, frozenset({OTHER})).url is None


TEXTS = st.text(max_size=8)
STATUS = st.sampled_from([*TABLE, "rehearsing", "SUCCESS", "IN_PROGRESS", ""])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | STATUS | st.just(OTHER)
NAMES = (
    st.sampled_from([*SENT_NAMES, *PLAIN_NAMES, "status", "state", "error", "id", "cost", "usage", "type", "code"])
    | TEXTS
)
ANYTHING = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=5), max_leaves=25
)
INPUTS = st.dictionaries(st.sampled_from(SENT_NAMES), st.just(MP4) | st.just([MP4]), max_size=4)
WITH_INPUTS = st.recursive(
    INPUTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(PLAIN_NAMES), inner, max_size=4), max_leaves=9
)  # fmt: skip


def shuffled(value: Any, dice: random.Random) -> Any:
    """The same document with its keys in another order."""
    if isinstance(value, list):
        return [shuffled(item, dice) for item in value]
    if isinstance(value, dict):
        keys = list(value)
        dice.shuffle(keys)
        return {key: shuffled(value[key], dice) for key in keys}
    return value


@given(ANYTHING, st.randoms(use_true_random=False))
def test_any_document_is_read_the_same_whatever_the_order_of_its_keys(document: Any, dice: random.Random) -> None:
    reading = read(document)
    assert isinstance(reading, Reading)
    assert repr(reading) == repr(read(document)) == repr(read(shuffled(document, dice)))
    assert (reading.url is not None) is (reading.phase is DONE)
    assert reading.detail
    id_in(document, ("id", "task_id"))


@given(WITH_INPUTS, STATUS)
def test_what_was_sent_is_never_a_result(document: Any, word: str) -> None:
    assert read({"status": word, "data": document}).url is None


@given(ANYTHING, st.sampled_from([word for word, phase in TABLE.items() if phase is not DONE]))
def test_only_what_is_finished_has_a_result(document: Any, word: str) -> None:
    assert read({"status": word, "a": document, "video_url": MP4}).url is None


@given(st.text() | st.integers() | st.none() | st.floats() | st.lists(st.integers()))
def test_an_id_is_usable_or_none(value: Any) -> None:
    found = usable_id(value)
    assert found is None or (0 < len(found) <= 512 and found.isprintable())


@pytest.mark.parametrize("absurd", ["", "  ", "x" * 10_000, "a\nb", True, 1.5, [], {}, None, 10**200, MP4])
def test_absurd_ids_are_none(absurd: Any) -> None:
    assert usable_id(absurd) is None


def test_an_id_is_found_in_its_wrapping_by_the_likeliest_name_first() -> None:
    assert id_in({"id": "req", "data": {"task_id": "t"}}, ("task_id", "id")) == "t"
    assert id_in({"data": {"data": {"task_id": 7}}}, ("task_id",)) == "7"
    assert id_in({"request": {"id": "no"}}, ("id",)) is None


def test_a_clip_without_an_id_gets_one_from_its_address_and_keeps_it_under_a_fresh_signature() -> None:
    assert id_of_address(MP4) == id_of_address(MP4.split("?")[0] + "?sig=other") != id_of_address(OTHER)


def test_huge_and_deep_documents_are_read_within_bounds() -> None:
    deep: Any = MP4
    for _ in range(900):
        deep = {"data": [deep]}
    assert read(deep).url is None
    wide = {"status": "completed", "filler": [{"n": n} for n in range(60_000)], "video_url": MP4}
    assert read(wide).url == MP4
    assert json_in(b"[" * 200_000) is None
    assert json_in(b"\xef\xbb\xbf" + b'{"id": "x"}') == {"id": "x"}
    assert json_in('{"id": "ü"}'.encode("utf-16")) == {"id": "ü"}


def test_a_document_too_large_to_be_read_whole_is_cut_the_same_whatever_the_order_of_its_keys() -> None:
    many = {f"k{n:05d}": f"https://cdn.example/{n}.mp4" for n in range(30_000)}
    backwards = dict(reversed(many.items()))
    found = find_address({"data": backwards})
    assert found is not None and found == find_address({"data": many})


@pytest.mark.parametrize(
    "text",
    ["", "https://", "http:///x", "ftp://x.example/a.mp4", "see https://x.example/a.mp4", "https://[bad/a.mp4", "data:video/mp4;base64,AA",
     "https://x.example/a\nb.mp4", "https://docs.example/x for more", PNG, "https://x.example/page.html", "https://x/" + "a" * 20_000],
)  # fmt: skip
def test_what_is_no_address_of_a_clip(text: str) -> None:
    assert address_in(text) is None


def test_an_address_is_kept_as_it_is_written() -> None:
    assert address_in(f"  {MP4} ") == MP4
    assert address_in("https://x.example/My Clip.mp4") == "https://x.example/My Clip.mp4"
    assert read({"url": "http://127.0.0.1:1/x.mp4", "video": MP4}).url == MP4
    assert read({"url": "http://127.0.0.1:1/x.mp4"}).url == "http://127.0.0.1:1/x.mp4"
