"""A clip is known by its content: how an address is signed, how text is written and who encoded an image are no part of it."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.domain.addresses import is_address, names_its_content, unsigned
from dailies.domain.clips import Clip, Image
from dailies.media.images import as_sent
from tests.ledger.factories import IMAGE, a_clip

S3 = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={0}&X-Amz-Date={0}&X-Amz-Expires=900&X-Amz-Signature={0}&X-Amz-SignedHeaders=host"
SIGNED = {
    "AWS version 4": ("https://b.s3.amazonaws.com/a.png?" + S3, "https://b.s3.amazonaws.com/a.png"),
    "AWS version 2": ("https://b.s3.amazonaws.com/a.png?AWSAccessKeyId=K&Expires={0}&Signature={0}%2B", "https://b.s3.amazonaws.com/a.png"),
    "Google": ("https://storage.googleapis.com/b/a.png?X-Goog-Algorithm=G&X-Goog-Date={0}&X-Goog-Signature={0}", "https://storage.googleapis.com/b/a.png"),
    "Google, version 2": ("https://storage.googleapis.com/b/a.png?GoogleAccessId=x&Expires={0}&Signature={0}", "https://storage.googleapis.com/b/a.png"),
    "CloudFront": ("https://d1.cloudfront.net/a.png?v=3&Expires={0}&Signature={0}&Key-Pair-Id=K", "https://d1.cloudfront.net/a.png?v=3"),
    "CloudFront, custom": ("https://d1.cloudfront.net/a.png?Policy={0}&Signature={0}&Key-Pair-Id=K", "https://d1.cloudfront.net/a.png"),
    "Azure": ("https://x.blob.core.windows.net/c/a.png?sv=2022&st={0}&se={0}&sr=b&sp=r&sig={0}", "https://x.blob.core.windows.net/c/a.png"),
    "Alibaba": ("https://b.oss-cn-hangzhou.aliyuncs.com/a.png?OSSAccessKeyId=K&Expires={0}&Signature={0}", "https://b.oss-cn-hangzhou.aliyuncs.com/a.png"),
    "Alibaba, version 4": (
        "https://b.oss-cn-hangzhou.aliyuncs.com/a.png?x-oss-process=image/resize,w_9&x-oss-date={0}&x-oss-signature={0}",
        "https://b.oss-cn-hangzhou.aliyuncs.com/a.png?x-oss-process=image/resize,w_9",
    ),
    "Tencent": ("https://b.cos.ap-x.myqcloud.com/a.png?q-sign-algorithm=sha1&q-ak=K&q-sign-time={0}&q-signature={0}", "https://b.cos.ap-x.myqcloud.com/a.png"),
    "Firebase": ("https://firebasestorage.googleapis.com/v0/b/x/o/a.png?alt=media&token={0}", "https://firebasestorage.googleapis.com/v0/b/x/o/a.png?alt=media"),
    "Discord": ("https://cdn.discordapp.com/attachments/1/2/a.png?ex={0}&is={0}&hm={0}&", "https://cdn.discordapp.com/attachments/1/2/a.png?"),
    "Notion": ("https://file.notion.so/f/a.png?id=7&expirationTimestamp={0}&signature={0}", "https://file.notion.so/f/a.png?id=7"),
    "Cloudinary": ("https://res.cloudinary.com/x/image/upload/s--{0}--/v1/a.png", "https://res.cloudinary.com/x/image/upload/v1/a.png"),
    "Drive": ("https://drive.usercontent.google.com/download?id=7&export=download", "https://drive.usercontent.google.com/download?id=7&export=download"),
    "a server of one's own": ("https://pictures.example/a.png?file=7&token={0}&exp={0}", "https://pictures.example/a.png?file=7"),
    "another": ("https://pictures.example/a.png?expires={0}&sig={0}&policy={0}", "https://pictures.example/a.png"),
    "a signature with = in it": ("https://pictures.example/a.png?id=7&token={0}==", "https://pictures.example/a.png?id=7"),
    "plain http": ("http://pictures.example/a.png?token={0}", "http://pictures.example/a.png"),
}  # fmt: skip


@pytest.mark.parametrize("store", SIGNED)
def test_the_same_picture_under_a_fresh_signature_is_the_same_clip(store: str) -> None:
    template, plain = SIGNED[store]
    one, two = (a_clip(image=IMAGE._replace(source=template.format(sign))) for sign in ("AAAABBBB11", "CCCCDDDD22"))
    assert one.key == two.key == a_clip(image=IMAGE._replace(source=plain.rstrip("?"))).key


@pytest.mark.parametrize(
    "pair",
    [
        ("https://p.example/a?id=1", "https://p.example/a?id=2"),
        ("https://p.example/a?file=1&token=x", "https://p.example/a?file=2&token=x"),
        ("https://p.example/a.png?v=1", "https://p.example/a.png?v=2"),
        ("https://p.example/a.png?w=640", "https://p.example/a.png?w=1280"),
        ("https://p.example/a.png?se=1&st=2", "https://p.example/a.png?se=2&st=2"),
        ("https://p.example/a.png?e=1", "https://p.example/a.png?e=2"),
        ("https://drive.google.com/uc?id=1&confirm=t", "https://drive.google.com/uc?id=2&confirm=t"),
        ("https://p.example/A.png", "https://p.example/a.png"),
        ("https://b.aliyuncs.com/a?x-oss-process=a", "https://b.aliyuncs.com/a?x-oss-process=b"),
    ],
)
def test_what_may_name_the_content_stays(pair: tuple[str, str]) -> None:
    one, two = (a_clip(image=IMAGE._replace(source=source)).key for source in pair)
    assert one != two


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("http://p.example/a.png", True),
        ("HTTPS://p.example", True),
        ("https:/p.example", False),
        ("ftp://p.example/a.png", False),
        ("a/http://b.png", False),
        ("", False),
    ],
)
def test_only_what_begins_like_one_is_an_address(text: str, is_one: bool) -> None:
    assert is_address(text) is is_one


def test_an_address_that_is_new_each_time_names_nothing() -> None:
    assert not names_its_content("https://v5.airtableusercontent.com/v3/u/51/51/1758/x/y/z")
    assert names_its_content("https://pictures.example/a.png")


@given(st.text(max_size=40), st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20))
def test_unsigning_is_done_once_and_never_fails(path: str, sign: str) -> None:
    for address in (f"https://p.example/{path}", f"https://p.example/{path}?sig={sign}", path):
        assert unsigned(unsigned(address)) == unsigned(address)


@given(
    st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=20),
    st.sampled_from(["token", "Expires", "X-Amz-Date"]),
)
def test_a_plain_address_with_any_signature_is_the_plain_address(sign: str, name: str) -> None:
    plain = "https://p.example/a%20b.png?id=7&w=5"
    assert unsigned(f"{plain}&{name}={sign}") == plain == unsigned(plain)


@given(st.text(), st.text(max_size=10))
def test_how_text_is_written_is_no_part_of_a_clip(prompt: str, take: str) -> None:
    clip = a_clip(prompt=prompt, take=take)
    for form in ("NFC", "NFD"):
        written = unicodedata.normalize(form, prompt.replace("\r\n", "\n").replace("\r", "\n"))
        assert a_clip(prompt=written.replace("\n", "\r\n"), take=take).key == clip.key


@pytest.mark.parametrize("made", ["upright", "crop 1280x720", "pad 1280x720"])
def test_what_is_done_to_an_image_is_part_of_a_clip(made: str) -> None:
    """With the bytes of the file as it lies there, and never those that an encoder made of it."""
    original = IMAGE._replace(sha256="ab" * 32)
    assert original._replace(made=made).identity == f"sha256:{'ab' * 32} {made}"
    assert a_clip(image=original._replace(made=made)).key != a_clip(image=original).key


def test_further_images_are_known_without_their_signature() -> None:
    one, two = (a_clip(options={"last_image": f"https://p.example/b.png?token={n}"}).key for n in "12")
    assert one == two


def test_a_last_frame_is_known_however_its_address_is_written() -> None:
    one, two = (a_clip(options={"last_image": f"https://p.example/{name}.png"}).key for name in ("a b", "a%20b"))
    assert one == two


def test_a_last_frame_that_is_a_file_is_known_by_its_bytes_alone() -> None:
    one, two, other = (
        a_clip(options={"last_image": f"{path}#sha256={digest * 64}"}).key
        for path, digest in (("a.png", "a"), ("b/c.png", "a"), ("a.png", "b"))
    )
    assert one == two != other


def test_a_clip_keeps_the_key_under_which_it_is_on_record() -> None:
    clip = replace(a_clip(), known_as="ff" * 32)
    assert (clip.key, clip.identity) == ("ff" * 32, a_clip().key)
    assert isinstance(clip, Clip) and isinstance(clip.image, Image)


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://p.example/a b.png", "https://p.example/a%20b.png"),
        ("https://p.example/Zürich.png", f"https://p.example/{quote('Zürich.png')}"),
        ("https://bücher.example/ä.png?q=ö", "https://xn--bcher-kva.example/%C3%A4.png?q=%C3%B6"),
        ("https://p.example/a%20b.png?x=%2B+1", "https://p.example/a%20b.png?x=%2B+1"),
    ],
)
def test_an_address_is_sent_as_the_standard_writes_it(written: str, sent: str) -> None:
    assert as_sent(written) == sent
