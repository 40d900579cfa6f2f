"""A clip is known by its content: how an address is signed, how text is written and who encoded an image are no part of it."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dailies.domain.addresses import is_address, names_its_content, unsigned, unsigned_then
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
    "Azure, by nothing else": ("https://x.blob.core.windows.net/c/a.png?sv=2022-{0}&sig={0}", "https://x.blob.core.windows.net/c/a.png"),
    "Alibaba": ("https://b.oss-cn-hangzhou.aliyuncs.com/a.png?OSSAccessKeyId=K&Expires={0}&Signature={0}", "https://b.oss-cn-hangzhou.aliyuncs.com/a.png"),
    "Alibaba, version 4": (
        "https://b.oss-cn-hangzhou.aliyuncs.com/a.png?x-oss-process=image/resize,w_9&x-oss-date={0}&x-oss-signature={0}",
        "https://b.oss-cn-hangzhou.aliyuncs.com/a.png?x-oss-process=image/resize,w_9",
    ),
    "Alibaba's CDN": ("https://img.example/a.png?auth_key={1}-{2}-0-{3}&v=3", "https://img.example/a.png?v=3"),
    "Qiniu": ("https://img.example/a.png?imageView2/1/w/9&e={1}&token=AK_9:{0}-_=", "https://img.example/a.png?imageView2/1/w/9"),
    "Huawei": ("https://b.obs.cn-north-4.myhuaweicloud.com/a.png?AccessKeyId=K&Expires={1}&Signature={0}", "https://b.obs.cn-north-4.myhuaweicloud.com/a.png"),
    "Tencent's store, signed in one word": ("https://img.example/a.png?sign=q-sign-algorithm%3Dsha1%26q-ak%3DK%26q-signature%3D{3}", "https://img.example/a.png"),
    "Tencent's store, before that": ("https://b.cos.ap-x.myqcloud.com/a.png?sign={0}%3D%3D", "https://b.cos.ap-x.myqcloud.com/a.png"),
    "Tencent's CDN, type A": ("https://img.example/a.png?sign={1}-{2}-0-{3}", "https://img.example/a.png"),
    "Tencent's CDN, type D": ("https://img.example/a.png?sign={3}&t={1}&id=7", "https://img.example/a.png?id=7"),
    "Tencent's CDN, type D, hexadecimal": ("https://img.example/a.png?t={2}&sign={3}", "https://img.example/a.png"),
    "Akamai": ("https://img.example/a.png?hdnts=exp={1}~acl=/*~hmac={3}&w=9", "https://img.example/a.png?w=9"),
    "Akamai, in the path": ("https://img.example/hdntl=exp={1}~acl=%2f*~hmac={3}{2}/a.png", "https://img.example/a.png"),
    "Cloudflare": ("https://img.example/a.png?verify={1}-{3}%2B%2F%3D", "https://img.example/a.png"),
    "Cloudflare's images": ("https://imagedelivery.net/x/y/public?exp={1}&sig={3}", "https://imagedelivery.net/x/y/public"),
    "Bunny": ("https://z.b-cdn.net/a.png?token=HS256-{0}&token_path=%2F&expires={1}&width=9", "https://z.b-cdn.net/a.png?width=9"),
    "Bunny, in the path": ("https://z.b-cdn.net/bcdn_token={0}&expires={1}&token_path=%2Fb%2F/b/a.png", "https://z.b-cdn.net/b/a.png"),
    "Fastly": ("https://img.example/a.png?token={1}_{3}", "https://img.example/a.png"),
    "KeyCDN": ("https://img.example/a.png?token={0}&expire={1}", "https://img.example/a.png"),
    "imgix under a name of one's own": ("https://img.example/a.png?w=9&expires={1}&s={3}", "https://img.example/a.png?w=9"),
    "nginx": ("https://img.example/a.png?md5={0}{0}_-&expires={1}", "https://img.example/a.png"),
    "nginx, in short": ("https://img.example/a.png?st={0}_-{0}&e={1}", "https://img.example/a.png"),
    "LinkedIn": ("https://media.licdn.com/dms/image/v2/x/0/1?e={1}&v=beta&t={0}", "https://media.licdn.com/dms/image/v2/x/0/1?v=beta"),
    "Wangsu": ("https://img.example/a.png?wsSecret={3}&wsTime={2}", "https://img.example/a.png"),
    "ImageKit": ("https://ik.imagekit.io/x/tr:w-9/a.png?ik-t={1}&ik-s={3}", "https://ik.imagekit.io/x/tr:w-9/a.png"),
    "Baidu": ("https://b.bcebos.com/a.png?authorization=bce-auth-v1%2FK%2F{0}", "https://b.bcebos.com/a.png"),
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

FRESH = (("AAAABBBB11", "1764300000", "5e577978", "ab" * 16), ("CCCCDDDD22", "1795836000", "6b0d1c20", "cd" * 16))
"""A word, a time in seconds, another in hexadecimal digits, a digest: each signature has its own."""


@pytest.mark.parametrize("store", SIGNED)
def test_the_same_picture_under_a_fresh_signature_is_the_same_clip(store: str) -> None:
    template, plain = SIGNED[store]
    one, two = (a_clip(image=IMAGE._replace(source=template.format(*signs))) for signs in FRESH)
    assert one.key == two.key == a_clip(image=IMAGE._replace(source=plain.rstrip("?"))).key


def test_a_digest_may_be_written_in_capitals() -> None:
    assert unsigned(f"https://p.example/a?sign={'AB' * 16}&t=5E577978&id=7") == "https://p.example/a?id=7"


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
        ("https://p.example/a?e=1764300000", "https://p.example/a?e=1795836000"),
        ("https://p.example/a?e=5&token=K:x", "https://p.example/a?e=6&token=K:x"),
        ("https://p.example/a?e=1764300000&token=x", "https://p.example/a?e=1795836000&token=x"),
        ("https://p.example/a?s=small", "https://p.example/a?s=large"),
        ("https://p.example/a?s=small&expires=1764300000", "https://p.example/a?s=large&expires=1764300000"),
        (f"https://p.example/a?s={'ab' * 16}", f"https://p.example/a?s={'cd' * 16}"),
        (
            f"https://p.example/a?s={'ab' * 16}&expires=1764300000&signature=x",
            f"https://p.example/a?s={'cd' * 16}&expires=1764300000&signature=x",
        ),
        (
            f"https://p.example/a?md5={'ab' * 16}&expires=1764300000",
            f"https://p.example/a?md5={'cd' * 16}&expires=1764300000",
        ),
        *(
            (
                f"https://p.example/a?md5=AAAABBBBCCCCDDDDEEEE-_&expires=1764300000&x-{word}=x",
                f"https://p.example/a?md5=CCCCDDDDEEEEFFFFAAAA-_&expires=1764300000&x-{word}=x",
            )
            for word in ("sign", "sig", "signature", "token", "hmac")
        ),
        (
            f"https://p.example/a?sign={'ab' * 16}&t=176430000\u0661",
            f"https://p.example/a?sign={'cd' * 16}&t=176430000\u0661",
        ),
        ("https://p.example/a?sign=leo&t=1764300000", "https://p.example/a?sign=libra&t=1764300000"),
        (f"https://p.example/a?sign={'ab' * 16}&t=1", f"https://p.example/a?sign={'ab' * 16}&t=2"),
        (
            f"https://p.example/a?sign={'ab' * 16}&t=1764300000&t=1",
            f"https://p.example/a?sign={'ab' * 16}&t=1764300000&t=2",
        ),
        ("https://p.example/a?verify=1", "https://p.example/a?verify=2"),
        (f"https://p.example/202601010900/{'ab' * 16}/a.png", f"https://p.example/202601010900/{'cd' * 16}/a.png"),
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


PARAMETERS = [
    "e=5", "e=1764300000", "t=1764300000", "t=2", "s=" + "ab" * 16, "s=x", "token=K:x", "sign=" + "ab" * 16, "sign=x", "sig=x",
    "sv=1", "expires=1764300000", "expire=1764300000", "md5=AAAABBBBCCCCDDDDEEEE-_", "st=AAAABBBBCCCCDDDDEEEE-_",
]  # fmt: skip


@given(st.lists(st.sampled_from(PARAMETERS), max_size=6), st.integers())
def test_whatever_company_they_keep_what_chooses_the_picture_stays(company: list[str], number: int) -> None:
    known = unsigned("https://p.example/a.png?" + "&".join([*company, f"id={number}", "w=5"]))
    assert known.endswith(f"id={number}&w=5") and unsigned(known) == known
    assert len(known) <= len(unsigned_then("https://p.example/a.png?" + "&".join([*company, f"id={number}", "w=5"])))


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
